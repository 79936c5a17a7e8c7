//! What there can be: bounds on every number that another bank names.
//!
//! A number beyond them is wrong whatever else is true, and what carries it is refused before
//! anybody calculates with it or writes it down. A number within them may be wrong all the same;
//! what this bank knows itself then narrows it further, where the number is used.
//! `docs/protocol.md` says which lies remain.

use std::fmt;

use serde::Serialize;

use super::event::SUM_MAX;
use super::execution::Executions;
use super::order_key::OrderKey;
use super::snapshot::SnapshotHead;
use super::vector_clock::VectorClock;
use crate::ids::{Ballot, BankId, BankSet, Position};
use crate::protocol::event::Held;

/// No round is higher.
pub(crate) const ROUND_MAX: u64 = 1 << 62;
/// No position is higher.
pub(crate) const POSITION_MAX: u64 = 1 << 62;
/// The counters of a clock do not add up to more: half of what a key may have, so that events can
/// still be stamped above it.
pub(crate) const CLOCK_SUM_MAX: u64 = SUM_MAX / 2;
/// The most events that are held beyond what was executed. Each bank has at most eight under way,
/// and 64 banks leave room for 32 views that ended before anything was executed in them.
pub(crate) const HELD_MAX: usize = 16_384;
/// The most pieces of a snapshot.
pub(crate) const SNAPSHOT_PIECES_MAX: u32 = 65_536;
/// The most bytes of a snapshot's piece: four times what a piece has, as its last record may be
/// long.
pub(crate) const SNAPSHOT_PIECE_BYTES_MAX: u64 = 4_000_000;
/// The most bytes of a run of keys: it has one key for each position of its span, with half a hash
/// each of the key and of what was asked, and seldom more than a few dozen bytes of what came of
/// it.
pub(crate) const RUN_BYTES_MAX: u64 = 64 << 20;

/// What there can be in a consortium of so many banks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Possible {
    /// How many.
    pub(crate) banks: usize,
}

impl Possible {
    pub(crate) fn bank(self, bank: BankId) -> bool {
        bank.index() < self.banks
    }

    pub(crate) fn set(self, banks: BankSet) -> bool {
        banks.difference(BankSet::all(self.banks)).is_empty()
    }

    pub(crate) fn ballot(self, ballot: Ballot) -> bool {
        ballot.round <= ROUND_MAX && self.bank(ballot.coordinator)
    }

    pub(crate) fn key(self, key: OrderKey) -> bool {
        self.ballot(key.view) && (1..=SUM_MAX).contains(&key.sum) && self.bank(key.sender)
    }

    pub(crate) fn position(self, position: Position) -> bool {
        position.0 <= POSITION_MAX
    }

    /// A clock from before the consortium grew has fewer components.
    pub(crate) fn clock(self, clock: &VectorClock) -> bool {
        clock.len() <= self.banks && clock.sum() <= CLOCK_SUM_MAX
    }

    pub(crate) fn executions(self, done: &Executions) -> bool {
        self.key(done.last) && self.set(done.members) && self.clock(&done.clock)
    }

    pub(crate) fn held(self, held: &Held) -> bool {
        let event = &held.event;
        self.key(event.order_key()) && self.set(held.members) && self.clock(&event.timestamp)
    }

    pub(crate) fn snapshot(self, head: &SnapshotHead) -> bool {
        self.position(head.position)
            && self.executions(&head.executed)
            && (1..=SNAPSHOT_PIECES_MAX).contains(&head.pieces)
    }
}

/// Whether each key is above the one before.
pub(crate) fn ascend(mut keys: impl Iterator<Item = OrderKey>) -> bool {
    let mut last = None;
    keys.all(|key| last.replace(key).is_none_or(|last| last < key))
}

/// What a bank sent that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Impossible {
    /// A ballot or view whose number is far above what this bank has seen, or of a coordinator that
    /// is not there.
    Round,
    /// What a frozen bank says that it has.
    Holdings,
    /// How a view begins.
    Plan,
    /// Events of a flush.
    Flush,
    /// A piece of journal.
    Journal,
    /// A part of a snapshot.
    Snapshot,
    /// A question.
    Question,
    /// An event.
    Event,
    /// More events, or larger ones, than a bank can have under way.
    Flood,
    /// What it has on disk.
    Durable,
    /// How far it has executed.
    Executed,
    /// An event that whoever is said to have sent it has not signed.
    Signature,
    /// That this bank's disk once had more, although this process knows that it had not.
    Loss,
}

/// For the log: what it was that was refused.
impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Impossible::Round => "a ballot or view that cannot be",
            Impossible::Holdings => "an account of what it holds that cannot be right",
            Impossible::Plan => "a plan by which no view can begin",
            Impossible::Flush => "events that can be in no flush",
            Impossible::Journal => "a piece of journal that cannot be one",
            Impossible::Snapshot => "a part of a snapshot that cannot be one",
            Impossible::Question => "a question for more than there can be",
            Impossible::Event => "an event that cannot be one",
            Impossible::Flood => "more events than it can have under way",
            Impossible::Durable => "a claim to have more on disk than there can be",
            Impossible::Executed => "a claim to have executed more than there can be",
            Impossible::Signature => "an event that its sender has not signed",
            Impossible::Loss => "word that this disk has lost something, which it has not",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(round: u64, coordinator: u16, sum: u64, sender: u16) -> OrderKey {
        let view = Ballot { round, coordinator: BankId(coordinator) };
        OrderKey { view, sum, sender: BankId(sender) }
    }

    #[test]
    fn numbers_beyond_every_bound_are_impossible() {
        let possible = Possible { banks: 3 };
        assert!(possible.key(key(ROUND_MAX, 2, SUM_MAX, 2)));
        for wrong in [
            key(ROUND_MAX + 1, 0, 1, 0),
            key(1, 3, 1, 0),
            key(1, 60_000, 1, 0),
            key(1, 0, 0, 0),
            key(1, 0, SUM_MAX + 1, 0),
            key(1, 0, 1, 63),
        ] {
            assert!(!possible.key(wrong), "{wrong:?}");
        }
        assert!(possible.clock(&vec![1, 2].into()) && possible.clock(&vec![1, 2, 3].into()));
        assert!(!possible.clock(&vec![0; 4].into()));
        assert!(!possible.clock(&vec![1 << 62, 0, 0].into()));
        assert!(!possible.clock(&vec![u64::MAX, u64::MAX, 0].into()));
        assert!(possible.set(BankSet::all(3)) && !possible.set(BankSet::all(4)));
    }

    #[test]
    fn keys_ascend_only_if_none_comes_twice() {
        let [one, two] = [key(1, 0, 1, 0), key(1, 0, 2, 0)];
        assert!(ascend([].into_iter()) && ascend([one, two].into_iter()));
        assert!(!ascend([two, one].into_iter()) && !ascend([one, one].into_iter()));
    }
}
