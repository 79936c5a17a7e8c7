//! What banks say to each other about views, as it stands in JSON.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::protocol::effect::JournalEntry;
use crate::protocol::event::{Event, Held, MalformedEvent, WireEvent};
use crate::protocol::ids::{Ballot, BankId, BankSet, ChainHash, Position};
use crate::protocol::order_key::OrderKey;
use crate::protocol::vector_clock::VectorClock;

/// A message of the view change; see the page on `view` for who says what when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ViewMessage {
    /// Freeze, and promise nothing lower.
    Stop(Ballot),
    /// Frozen; this is what I have.
    Stopped(Stopped),
    /// I have promised this higher ballot.
    Refused(Ballot),
    /// This is how the view begins: fetch what you lack of it.
    Prepare(PreparePlan),
    /// I am still fetching or writing.
    Working(Ballot),
    /// All of it is on my disk.
    Ready(Ballot),
    /// The view is in force.
    Start(Ballot),
    /// Send me what was executed after a position.
    FetchJournal {
        /// For which ballot.
        ballot: Ballot,
        /// What I have.
        after: Position,
    },
    /// Executed events in order.
    JournalPiece {
        /// For which ballot.
        ballot: Ballot,
        /// The events.
        entries: Vec<WireEntry>,
    },
    /// Send me these events of the flush.
    FetchEvents {
        /// For which ballot.
        ballot: Ballot,
        /// Their keys.
        keys: Vec<OrderKey>,
    },
    /// Events of the flush.
    Events {
        /// For which ballot.
        ballot: Ballot,
        /// The events.
        events: Vec<WireHeld>,
    },
}

/// What a frozen bank has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stopped {
    /// The ballot that it promised.
    pub ballot: Ballot,
    /// The last view that it prepared.
    pub prepared: Ballot,
    /// Executed through.
    pub position: Position,
    /// Chain hash there.
    pub hash: ChainHash,
    /// Key of the last executed event.
    pub last: Option<OrderKey>,
    /// Events held beyond.
    pub held: Vec<OrderKey>,
    /// Covers everything that is held.
    pub clock: VectorClock,
}

/// How a view begins.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PreparePlan {
    /// The view's name.
    pub ballot: Ballot,
    /// Its members.
    pub members: BankSet,
    /// `P`: every member starts from what was executed through here,
    pub position: Position,
    /// with this chain hash,
    pub hash: ChainHash,
    /// and can fetch it from this bank.
    pub source: BankId,
    /// `F`: the clock at which the view begins; covers `U`.
    pub clock: VectorClock,
    /// `U`: the events to execute first, in key order, each with a bank that holds it.
    pub events: Vec<(OrderKey, BankId)>,
}

impl PreparePlan {
    /// Whether it speaks only of the banks there are.
    #[must_use]
    pub fn fits(&self, banks: usize) -> bool {
        let known = |bank: BankId| bank.index() < banks;
        let holders = self.events.iter().map(|(_, holder)| *holder);
        self.clock.len() == banks && self.members.iter().chain(holders).chain([self.source]).all(known)
    }
}

/// An event with the members of its view.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WireHeld {
    /// The event.
    pub event: WireEvent,
    /// Members of the event's view.
    pub members: BankSet,
}

/// An executed event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WireEntry {
    /// The event and its members.
    pub held: WireHeld,
    /// Position of its last request.
    pub position: Position,
    /// Chain hash after it.
    pub hash: ChainHash,
}

impl From<&Held> for WireHeld {
    fn from(held: &Held) -> Self {
        WireHeld { event: held.event.to_wire(), members: held.members }
    }
}

impl From<&JournalEntry> for WireEntry {
    fn from(entry: &JournalEntry) -> Self {
        WireEntry { held: (&entry.held).into(), position: entry.position, hash: entry.hash }
    }
}

impl WireHeld {
    /// Reads the event.
    ///
    /// # Errors
    /// [`MalformedEvent`] says what does not fit.
    pub fn read(self) -> Result<Held, MalformedEvent> {
        let event = Event::from_wire(self.event, Ballot::default())?;
        Ok(Held { event: Arc::new(event), members: self.members })
    }
}

impl WireEntry {
    /// Reads the entry.
    ///
    /// # Errors
    /// [`MalformedEvent`] says what does not fit.
    pub fn read(self) -> Result<JournalEntry, MalformedEvent> {
        Ok(JournalEntry { held: self.held.read()?, position: self.position, hash: self.hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_the_message_that_carries_them() {
        let text = r#"{"Events":{"ballot":{"round":1,"coordinator":0},"events":[{"event":{"sender":0,"timestamp":[1],"type_msg":"X","id":"a","msg":{"b": 2}},"members":[0]}]}}"#;
        let ViewMessage::Events { events, .. } = serde_json::from_str(text).unwrap() else { panic!("{text}") };
        let held = events[0].clone().read().unwrap();
        assert_eq!(held.event.requests[0].msg.get(), r#"{"b": 2}"#);
    }
}
