//! What has been executed: an event with its result, and how far execution has come.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::{Event, Held};
use super::order_key::OrderKey;
use super::vector_clock::VectorClock;
use crate::ids::{BankSet, ChainHash, Position};
use crate::ledger::Executed;

/// How far execution has come in the view of the last executed event. Every member of that view has
/// all of it on disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Executions {
    /// Key of the last executed event.
    pub last: OrderKey,
    /// Members of its view; empty when others reported it, because then it proves nothing about any
    /// disk.
    pub members: BankSet,
    /// Covers everything executed of its view.
    pub clock: VectorClock,
}

impl Executions {
    /// Counts one more executed event.
    pub fn count(executions: &mut Option<Executions>, held: &Held) {
        let (last, clock) = (held.event.order_key(), held.event.timestamp.clone());
        let mut next = Executions { last, members: held.members, clock };
        if let Some(before) = executions.take().filter(|before| before.last.view == last.view) {
            next.clock.merge(&before.clock);
        }
        *executions = Some(next);
    }

    /// The same, as a bank has it that only heard of it from others: a later flush may have
    /// executed what had never reached all members of the event's own view.
    #[must_use]
    pub fn as_unverified(self) -> Self {
        Executions { members: BankSet::default(), ..self }
    }
}

/// That an event was executed, and where.
#[derive(Clone, Debug)]
pub struct ExecutedMark {
    /// Which event.
    pub key: OrderKey,
    /// Position of its last request.
    pub position: Position,
    /// Chain hash after it.
    pub hash: ChainHash,
}

/// An executed event as the journal has it.
#[derive(Clone, Debug)]
pub struct JournalEntry {
    /// The event and the members of its view.
    pub held: Held,
    /// Position of its last request.
    pub position: Position,
    /// Chain hash after it.
    pub hash: ChainHash,
}

/// The result of an event: the requirement's `{code, descript}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Whether every request of the event was executed.
    pub code: bool,
    /// Why the first refused request was refused; empty if none was.
    pub descript: String,
}

/// An executed event with the results of its requests.
#[derive(Clone, Debug)]
pub struct ExecutedEvent {
    /// The event.
    pub event: Arc<Event>,
    /// Position of the last request.
    pub position: Position,
    /// Chain hash after it.
    pub hash: ChainHash,
    /// Summary for the requirement's checks.
    pub check: Check,
    /// The result of each request, in order.
    pub outcomes: Vec<Executed>,
}
