//! What is going to happen, by virtual time; at any one moment, in the order in which it was
//! entered.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use netbanking::ids::BankId;

use super::customers::Wish;
use super::faults::Healing;
use super::network::Message;

/// A process of a bank; its number distinguishes it from those before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) bank: BankId,
    pub(crate) number: u64,
}

/// One thing to come.
#[derive(Debug)]
pub(crate) enum Item {
    /// A process does one step.
    Work(Life),
    /// A process's timer.
    Timer(Life, Timer),
    /// A message has crossed the network.
    Arrival { from: BankId, to: BankId, message: Box<Message> },
    /// A customer's request reaches a bank.
    Submit { bank: BankId, customer: usize, attempt: u64, wish: Box<Wish> },
    /// A customer reads at a bank.
    Read { bank: BankId },
    /// A customer acts; void if something else has happened to them since.
    Customer { customer: usize, turn: u64 },
    /// Something breaks.
    Fault,
    /// Something that broke is whole again.
    Heal(Healing),
    /// A dead bank starts.
    Restart(Life),
    /// A bank that limps falls asleep again.
    Limp(BankId),
    /// Everything is mended: the second phase begins.
    Mend,
    /// A look whether the second phase has reached its end.
    Look,
}

impl Item {
    /// The bank whose process it happens to.
    pub(crate) fn happens_to(&self) -> Option<BankId> {
        match self {
            Item::Work(life) | Item::Timer(life, _) => Some(life.bank),
            Item::Arrival { to, .. } => Some(*to),
            Item::Submit { bank, .. } | Item::Read { bank } => Some(*bank),
            _ => None,
        }
    }
}

/// The timers of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Timer {
    Tick,
    LazyFlush,
    Wake(BankId),
    WakeClock,
    /// The pause before the next ping is over; void if something else has happened since this turn.
    Ping(BankId, u64),
    /// The ping of this number was not answered.
    PingOverdue(BankId, u64),
    ViewOverdue(u64),
}

/// Sorted by time and number; the items themselves lie elsewhere, so that sorting moves little.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    entries: BinaryHeap<Reverse<(u64, u64, usize)>>,
    items: Vec<Option<Item>>,
    free: Vec<usize>,
    number: u64,
}

impl Agenda {
    pub(crate) fn put(&mut self, at_us: u64, item: Item) {
        self.number += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.items.push(None);
            self.items.len() - 1
        });
        self.items[place] = Some(item);
        self.entries.push(Reverse((at_us, self.number, place)));
    }

    /// Moves what was put off until one time to another time, in the same order, where `of` says
    /// so.
    pub(crate) fn move_all(&mut self, from_us: u64, to_us: u64, of: impl Fn(&Item) -> bool) {
        let mut entries = std::mem::take(&mut self.entries).into_vec();
        for Reverse((at_us, _, place)) in &mut entries {
            if *at_us == from_us && self.items[*place].as_ref().is_some_and(&of) {
                *at_us = to_us;
            }
        }
        self.entries = entries.into();
    }

    pub(crate) fn next(&mut self) -> Option<(u64, Item)> {
        let Reverse((at_us, _, place)) = self.entries.pop()?;
        self.free.push(place);
        let item = self.items[place].take();
        Some((at_us, item.expect("an entry has its item")))
    }
}
