//! Where the model begins, and how much may happen from there on.

use std::sync::Arc;

use netbanking::ids::request::{Header, RawRequest, raw};
use netbanking::ids::{Ballot, BankId, BankSet, EventId};
use netbanking::protocol::effect::ViewInput;
use netbanking::protocol::event::{Event, Held};
use netbanking::protocol::vector_clock::VectorClock;
use netbanking::protocol::view::{PreparePlan, ViewMessage};

use crate::bank::{BANKS, Bank, Disk, Seen};
use crate::consortium::{Budget, Consortium};

/// The view in force at first.
pub(crate) const FIRST: Ballot = Ballot { round: 1, coordinator: BankId(0) };

/// How a bank is at first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// The first view is in force.
    Acts,
    /// It has just started again, with its disk.
    Restarted,
}

/// One beginning, and the bounds.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) start: [Start; BANKS],
    /// All events there are, in key order.
    pub(crate) events: Vec<Held>,
    pub(crate) disks: [Disk; BANKS],
    pub(crate) cut_off: Option<BankId>,
    pub(crate) left: Budget,
    /// What must be seen to happen, so that the rest is not vacuously true.
    pub(crate) happens: &'static [&'static str],
}

pub(crate) fn event(view: Ballot, sender: u16, timestamp: [u64; BANKS], members: BankSet) -> Held {
    let unique = timestamp.map(|counter| counter.to_string()).join("-");
    let request = RawRequest {
        id: EventId::new(BankId(sender), &unique),
        type_msg: "X".into(),
        msg: raw(&1),
    };
    let event = Event::stamp(
        view,
        BankId(sender),
        timestamp.to_vec().into(),
        vec![request],
        Header::default(),
    );
    Held { event: Arc::new(event), members }
}

fn first_plan() -> PreparePlan {
    let clock = VectorClock::zero(BANKS);
    PreparePlan { ballot: FIRST, members: BankSet::all(BANKS), clock, ..PreparePlan::default() }
}

/// A disk in the first view with these events, the first few of them executed.
fn disk(events: &[&Held], executed: usize) -> Disk {
    let keys: Vec<_> = events.iter().map(|held| held.event.order_key()).collect();
    Disk {
        promised: FIRST,
        prepared: first_plan(),
        executed: keys[..executed].to_vec(),
        events: keys.into_iter().zip(events.iter().copied().cloned()).collect(),
        ..Disk::blank()
    }
}

impl Scenario {
    fn bank(&self, me: BankId) -> Bank {
        let disk = self.disks[me.index()].clone();
        match self.start[me.index()] {
            Start::Restarted => {
                let mut bank = Bank::stopped(me, disk);
                bank.start();
                bank
            }
            Start::Acts => acting(me, &disk),
        }
    }

    pub(crate) fn begin(&self) -> Consortium {
        let banks = [BankId(0), BankId(1), BankId(2)].map(|bank| self.bank(bank));
        let started = self.disks.iter().map(|disk| disk.prepared.clone());
        let mut consortium = Consortium::new(banks, self.left, self.cut_off);
        let longest =
            self.disks.iter().map(|disk| &disk.executed).max_by_key(|executed| executed.len());
        consortium.remember(longest.expect("there are banks").clone(), started);
        consortium.note_stable(&self.events);
        consortium.listen_everywhere();
        consortium
    }
}

/// A bank that has gone through the first view change and has then taken in and executed what its
/// disk says.
fn acting(me: BankId, disk: &Disk) -> Bank {
    let mut bank = Bank::stopped(me, Disk { promised: FIRST, ..Disk::blank() });
    bank.start();
    let mut seen = Seen::default();
    for message in [ViewMessage::Stop(FIRST), ViewMessage::Prepare(first_plan())] {
        bank.give(ViewInput::Message(FIRST.coordinator, message), &mut seen);
    }
    bank.write(&mut seen);
    bank.give(ViewInput::Message(FIRST.coordinator, ViewMessage::Start(FIRST)), &mut seen);
    assert!(bank.acting().is_some() && seen.broken.is_none(), "the first view is in force");
    disk.events.values().for_each(|held| bank.take(held));
    disk.executed.iter().for_each(|_| bank.execute_first(&mut seen));
    bank
}

/// Nothing but the view change itself.
const STILL: Budget = Budget { waits: [0; BANKS], crashes: 0, cuts: 0, traffic: false };

/// Two concurrent events, both of them on all disks but one; all banks act.
fn two_events() -> (Vec<Held>, [Disk; BANKS]) {
    let all = BankSet::all(BANKS);
    let events = vec![event(FIRST, 0, [1, 0, 0], all), event(FIRST, 1, [0, 1, 0], all)];
    let (a, b) = (&events[0], &events[1]);
    let disks = [disk(&[a, b], 0), disk(&[a, b], 0), disk(&[a], 0)];
    (events, disks)
}

/// The first bank is cut off and goes on in the old view, not knowing that the others have left it.
pub(crate) fn cut_off(left: Budget) -> Scenario {
    let (events, disks) = two_events();
    let start = [Start::Acts; BANKS];
    Scenario {
        name: "the first bank is cut off",
        start,
        events,
        disks,
        cut_off: Some(BankId(0)),
        left,
        happens: &[],
    }
}

/// Banks 1 and 2 see the fault at once and both try; the event that one of them lacks may become
/// stable meanwhile.
pub(crate) fn cut_off_with_traffic(
    waits: [u8; BANKS],
    happens: &'static [&'static str],
) -> Scenario {
    let scenario = cut_off(Budget { waits, crashes: 1, traffic: true, ..STILL });
    Scenario { name: "the first bank is cut off, and events go on", happens, ..scenario }
}

/// The same, and the cut may heal at any time.
pub(crate) fn cut_off_and_healed(
    waits: [u8; BANKS],
    crashes: u8,
    happens: &'static [&'static str],
) -> Scenario {
    let scenario = cut_off(Budget { waits, crashes, cuts: 1, ..STILL });
    Scenario { name: "the first bank is cut off and comes back", happens, ..scenario }
}

/// The power fails everywhere: one bank had executed both events, one only the first, and one lacks
/// the second.
pub(crate) fn all_restarted(
    waits: [u8; BANKS],
    crashes: u8,
    happens: &'static [&'static str],
) -> Scenario {
    let (events, mut disks) = two_events();
    let (a, b) = (&events[0], &events[1]);
    disks[0] = disk(&[a, b], 1);
    disks[2] = disk(&[a, b], 0);
    let start = [Start::Restarted; BANKS];
    let left = Budget { waits, crashes, ..STILL };
    Scenario { name: "all banks restart", start, events, disks, cut_off: None, left, happens }
}

/// The first bank has an event that never reached anybody, and is away while the others begin a new
/// view.
pub(crate) fn unheard_event(waits: [u8; BANKS], happens: &'static [&'static str]) -> Scenario {
    let all = BankSet::all(BANKS);
    let events = vec![
        event(FIRST, 1, [0, 1, 0], all),
        event(FIRST, 0, [2, 1, 0], all),
        event(FIRST, 0, [3, 1, 0], all),
    ];
    let events = [vec![event(FIRST, 0, [1, 0, 0], all)], events].concat();
    let [a, b, c, d] = [&events[0], &events[1], &events[2], &events[3]];
    let disks = [disk(&[a, b, c, d], 2), disk(&[a, b, c], 1), disk(&[a, b], 0)];
    let start = [Start::Restarted, Start::Acts, Start::Acts];
    let left = Budget { waits, cuts: 1, ..STILL };
    let cut_off = Some(BankId(0));
    Scenario {
        name: "an event that nobody else heard of",
        start,
        events,
        disks,
        cut_off,
        left,
        happens,
    }
}

/// Two disks have lost an event that was executed, and do not know it: more than may be lost. The
/// model must notice.
pub(crate) fn two_disks_that_lie() -> Scenario {
    let (events, mut disks) = two_events();
    let (a, b) = (&events[0], &events[1]);
    disks[0] = disk(&[a, b], 2);
    disks[1] = disk(&[a], 1);
    let start = [Start::Restarted; BANKS];
    let left = Budget { waits: [1, 1, 1], ..STILL };
    let cut_off = Some(BankId(0));
    Scenario { name: "two disks that lie", start, events, disks, cut_off, left, happens: &[] }
}
