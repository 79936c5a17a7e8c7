//! What travels between two banks that act together: everything that has accumulated for a peer,
//! and the answer.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::vector_clock::VectorClock;
use crate::ids::{Ballot, BankId};

/// What one peer says in one message, coalesced.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The view it speaks in; absent in the requirement's messages.
    pub view: Option<Ballot>,
    /// Events of the peer, in its order.
    pub events: Vec<Arc<Event>>,
    /// The peer's durable clock.
    pub clock: Option<VectorClock>,
    /// What the peer knows of the durable clocks of all members.
    pub gathered: Option<Gathered>,
}

/// What all members of a view have on disk, as one of them has gathered it from their own claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gathered {
    /// Component by component, the lowest of their durable clocks.
    pub all: VectorClock,
    /// Of each member, its own component in the claim that this rests on: whatever it had sent when
    /// it made that claim. Who believes the claim must have that too.
    pub own: VectorClock,
}

impl Gathered {
    /// What it says about one member: no more than that member said itself.
    #[must_use]
    pub(crate) fn claim_of(&self, bank: BankId) -> VectorClock {
        let mut claim = self.all.clone();
        claim.raise(bank, self.own.get(bank));
        claim
    }
}

/// What a bank answers to an envelope at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvelopeAnswer {
    /// Whether the envelope belonged to the view in force here and was taken.
    pub taken: bool,
    /// Whether all its events are here now, or wait for others; if not, the peer has to send them
    /// again.
    pub kept: bool,
    /// The counter of the peer's next event expected here: the link goes on from there.
    pub expected: u64,
}
