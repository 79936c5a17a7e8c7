//! What this node has seen of the consortium at work, for people who watch: facts go in, a bounded
//! history is kept, snapshots of any moment of it come out.
//!
//! It decides nothing, and the protocol knows nothing of it. What an event asks for never gets in
//! here, so no customer's data can get out: an event here is only its name, sender, stamp and
//! number of requests. Like the other pure modules this one has no clock of its own; times are
//! microseconds since the node started.

mod history;
mod pace;
mod shiviz;
mod snapshot;
#[cfg(test)]
mod tests;
mod timeline;
mod vitals;
mod waits;

pub use history::History;
pub use snapshot::{After, By, Snapshot};
pub(crate) use snapshot::{BankNow, EventNow};
pub(crate) use vitals::Vitals;
pub(crate) use waits::Wait;

use crate::ids::{Ballot, BankId, BankSet, EventId, Position};
use crate::protocol::event::Event;
use crate::protocol::notice::Notice;
use crate::protocol::order_key::OrderKey;
use crate::protocol::peer_state::PeerState;
use crate::protocol::vector_clock::VectorClock;

/// Microseconds since the node started.
pub(crate) type Micros = u64;

/// An event without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its place in the common order, and its identity.
    pub key: OrderKey,
    /// Its name.
    pub id: EventId,
    /// The sender's clock.
    pub timestamp: VectorClock,
    /// How many requests it carries.
    pub requests: u32,
}

impl Seen {
    /// Its number among those of its sender.
    #[must_use]
    pub fn counter(&self) -> u64 {
        self.timestamp.get(self.key.sender)
    }

    /// Whether its sender knew of `other` when it stamped this one.
    #[must_use]
    pub(crate) fn knows(&self, other: &Seen) -> bool {
        self.key != other.key && self.timestamp.get(other.key.sender) >= other.counter()
    }

    /// Whether neither knew of the other.
    #[must_use]
    pub(crate) fn is_concurrent_with(&self, other: &Seen) -> bool {
        self.key != other.key && !self.knows(other) && !other.knows(self)
    }
}

impl From<&Event> for Seen {
    fn from(event: &Event) -> Self {
        Seen {
            key: event.order_key(),
            id: event.id.clone(),
            timestamp: event.timestamp.clone(),
            requests: u32::try_from(event.requests.len()).unwrap_or(u32::MAX),
        }
    }
}

/// What is known of a bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankState {
    /// Whether it answers, and if not, why.
    pub state: PeerState,
    /// Whether its wall clock is too far off consortium time.
    pub clock_off: bool,
    /// The banks that it said it hears.
    pub hears: BankSet,
    /// The view in which it said it takes part.
    pub active: Option<Ballot>,
}

/// Something that happened at this node.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    /// This bank has stamped an event.
    Stamped(Seen),
    /// An event has come from the bank that sent it.
    Received(Seen),
    /// Everything up to this clock has been taken in without a gap.
    Taken(VectorClock),
    /// A bank has everything up to this clock on disk, and its word is believed.
    Durable(BankId, VectorClock),
    /// The view in force has ended.
    Frozen,
    /// A view begins.
    Installed {
        /// Its name.
        view: Ballot,
        /// Its members.
        members: BankSet,
        /// Where it begins.
        clock: VectorClock,
        /// What every member has executed through.
        position: Position,
        /// The events that are executed first; any other older event never existed.
        flush: Vec<Seen>,
    },
    /// This bank has executed an event.
    Executed {
        /// The event.
        seen: Seen,
        /// Position of its last request.
        position: Position,
        /// How many of its requests were done; the others were refused.
        done: u32,
    },
    /// This bank has executed an event after others had told it that they had.
    Recovered {
        /// The event.
        seen: Seen,
        /// Position of its last request.
        position: Position,
        /// How many of its requests were done; the others were refused.
        done: u32,
    },
    /// This bank has taken over another's ledger instead of executing what led to it.
    Restored {
        /// The last event that is part of it: the outcomes of earlier ones are not known here.
        through: OrderKey,
        /// Position of its last request.
        position: Position,
    },
    /// A peer says that it has executed through a position.
    PeerExecuted(BankId, Position),
    /// All members agree on this bank's own events up to this counter.
    Agreed(u64),
    /// What is known of every bank, by number.
    Banks(Vec<BankState>),
    /// The health of every bank, by number.
    Vitals(Vec<Vitals>),
    /// What the log was told about views and banks.
    Notice(Notice),
    /// This many facts before this one were dropped.
    Lost(u64),
}

/// A fact and when it happened.
#[derive(Clone, Debug)]
pub(crate) struct Timed {
    /// When.
    pub at: Micros,
    /// What.
    pub fact: Fact,
}
