//! What travels between two banks that act together: everything that has accumulated for a peer,
//! and the answer.

use std::sync::Arc;

use super::event::Event;
use super::vector_clock::VectorClock;
use crate::ids::Ballot;

/// What one peer says in one message, coalesced.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The view it speaks in; absent in the requirement's messages.
    pub view: Option<Ballot>,
    /// Events of the peer, in its order.
    pub events: Vec<Arc<Event>>,
    /// The peer's durable clock.
    pub clock: Option<VectorClock>,
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
