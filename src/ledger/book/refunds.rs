//! How much was given back of each Pix that has had a refund.
//!
//! A Pix is forgotten when no request can be dated so early any more that it could be refunded:
//! the floor of ledger time never sinks. They are forgotten in the order of their first refunds, so
//! one may be kept for twice as long; what there is depends on refunds alone, never on how many Pix
//! there are.

use super::chunks::Chunks;
use super::index::Index;
use crate::ledger::past::EntryNumber;
use crate::ledger::refund::{REFUND_WITHIN_MS, Refunded};

/// Found by the entry with which the money came.
#[derive(Clone, Debug, Default)]
pub(super) struct Refunds {
    /// By first refund, oldest first.
    known: Chunks<Refunded>,
    by_entry: Index<usize>,
}

impl Refunds {
    fn place(&self, entry: EntryNumber) -> Option<usize> {
        self.by_entry.find(&entry, |place| self.known[place].entry == entry)
    }

    pub(super) fn get(&self, entry: EntryNumber) -> Option<&Refunded> {
        self.place(entry).map(|place| &self.known[place])
    }

    /// What a snapshot has.
    pub(super) fn known(&self) -> &Chunks<Refunded> {
        &self.known
    }

    /// Keeps what is known now in place of what was known before.
    pub(super) fn keep(&mut self, refunded: Refunded) {
        match self.place(refunded.entry).and_then(|place| self.known.get_mut(place)) {
            Some(known) => *known = refunded,
            None => {
                let place = self.known.push(refunded);
                let known = &self.known;
                self.by_entry.insert(&refunded.entry, place, |place| known[place].entry);
            }
        }
    }

    /// Forgets what nobody can refund any more.
    pub(super) fn forget(&mut self, floor_ms: i64) {
        let is_past = |known: &Refunded| known.at_ms.saturating_add(REFUND_WITHIN_MS) < floor_ms;
        while let Some(known) = self.known.get(self.known.start()).filter(|it| is_past(it)) {
            let place = self.known.start();
            self.by_entry.remove(&known.entry, |other| other == place);
            self.known.pop_front();
        }
    }
}
