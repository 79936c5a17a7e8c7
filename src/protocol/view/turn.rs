//! What is passed through the parts of a node when a view ends and when the next one begins.

use serde::Serialize;

use super::message::PreparePlan;
use crate::ids::{Ballot, ChainHash, Position};
use crate::protocol::event::Held;
use crate::protocol::execution::Executions;
use crate::protocol::order_key::OrderKey;
use crate::protocol::vector_clock::VectorClock;

/// Which banks a bank reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// A view is in force and all its members answer.
    Members,
    /// A majority answers: a view will soon be in force, and requests may wait for it.
    Majority,
    /// Others act in a view without this bank, which catches up or must not take part: requests are
    /// refused at once.
    Outside,
    /// Fewer: requests are refused at once.
    Minority,
}

/// A node's state once it has frozen for a ballot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Frozen {
    /// The ballot that is promised.
    pub ballot: Ballot,
    /// The events held beyond the executed part.
    pub held: Vec<Held>,
    /// Covers everything that is held.
    pub clock: VectorClock,
    /// Executed through.
    pub position: Position,
    /// Chain hash there.
    pub hash: ChainHash,
    /// The last executed event.
    pub executed: Option<Executions>,
}

/// The beginning of a view as all parts learn it.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The view.
    pub plan: PreparePlan,
    /// The events to execute before anything else, in key order.
    pub flush: Vec<Held>,
    /// What is known of the events that this bank had under way when its last view ended.
    pub fates: Fates,
}

/// What became of the events that a bank had under way in the view that was last in force there,
/// where the flush does not tell. Once the next view begins, an event that neither was executed nor
/// is part of the flush never existed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fates {
    /// Executed here before that view ended: everything of it through this key.
    pub executed: Option<OrderKey>,
    /// This bank's own events that others had executed in it, and that were fetched since.
    pub fetched: Vec<OrderKey>,
    /// Whether a snapshot has replaced what was executed since; a snapshot does not name the events
    /// in it.
    pub unknown: bool,
}

impl Fates {
    /// Whether an event of this bank's last view has been executed.
    #[must_use]
    pub(crate) fn has_executed(&self, key: OrderKey) -> bool {
        self.executed.is_some_and(|last| key <= last) || self.fetched.contains(&key)
    }
}
