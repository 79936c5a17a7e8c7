//! Why an event waits.

use serde::Serialize;

use super::history::{History, Tracked};
use super::{Micros, Seen};
use crate::ids::{BankId, EventId};

/// One reason why an event is not executed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Wait {
    /// No view is in force: the next one decides.
    NoView,
    /// It came before events that its stamp names, namely a bank's events from one counter to
    /// another.
    Before {
        /// Their sender.
        bank: BankId,
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// This bank does not have it on disk yet.
    Disk,
    /// These members have not acknowledged it.
    Acknowledgements {
        /// The banks whose acknowledgement is missing.
        banks: Vec<BankId>,
    },
    /// An event before it in the order is itself waiting.
    Behind {
        /// The first of them.
        id: EventId,
        /// Its sender.
        sender: BankId,
        /// Its number among those of its sender.
        counter: u64,
    },
    /// Nothing is missing any more.
    Execution,
}

impl History {
    /// Why an event was waiting at a moment; empty for one that was not.
    pub(super) fn waits(&self, tracked: &Tracked, moment: Micros) -> Vec<Wait> {
        let by_then = |when: Option<Micros>| when.is_some_and(|at| at <= moment);
        if by_then(tracked.executed.map(|(at, ..)| at)) || by_then(tracked.void) {
            return Vec::new();
        }
        let Some(Some((_, members))) = self.views.at(moment) else { return vec![Wait::NoView] };
        if !by_then(tracked.taken) {
            return self.missing_before(tracked, moment);
        }
        let mut waits = Vec::new();
        let is_missing = |bank: &BankId| !by_then(tracked.acknowledged[bank.index()]);
        if is_missing(&self.me) {
            waits.push(Wait::Disk);
        }
        let banks: Vec<_> =
            members.iter().filter(|bank| *bank != self.me && is_missing(bank)).collect();
        if !banks.is_empty() {
            waits.push(Wait::Acknowledgements { banks });
        }
        let first =
            self.events.range(..tracked.seen.key).map(|(_, earlier)| earlier).find(|earlier| {
                let gone = by_then(earlier.executed.map(|(at, ..)| at)) || by_then(earlier.void);
                by_then(earlier.taken) && !gone
            });
        if let Some(earlier) = first {
            let Seen { id, key, .. } = &earlier.seen;
            waits.push(Wait::Behind {
                id: id.clone(),
                sender: key.sender,
                counter: earlier.seen.counter(),
            });
        }
        if waits.is_empty() { vec![Wait::Execution] } else { waits }
    }

    fn missing_before(&self, tracked: &Tracked, moment: Micros) -> Vec<Wait> {
        let Some(held) = self.held.at(moment) else { return Vec::new() };
        let mut waits = Vec::new();
        for (bank, counter) in tracked.seen.timestamp.iter() {
            let to = counter - u64::from(bank == tracked.seen.key.sender);
            let from = held.get(bank) + 1;
            if from <= to {
                waits.push(Wait::Before { bank, from, to });
            }
        }
        waits
    }
}
