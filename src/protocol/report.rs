//! What the answer to a ping says about the bank that answers and about the line to it.

use serde::{Deserialize, Serialize};

use super::health::Health;
use super::time::Millis;
use crate::ids::{Ballot, BankSet};

/// What a bank says about itself in its heartbeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PeerReport {
    /// The view in which it takes part now.
    pub active: Option<Ballot>,
    /// The highest ballot it has promised.
    pub promised: Ballot,
    /// The last view it has prepared.
    pub prepared: Ballot,
    /// Whether its disk counts in deciding how a view begins, that is, whether it has lost nothing.
    pub voter: bool,
    /// Whether its copy of the ledger differs; if so, it takes part in nothing.
    pub diverged: bool,
    /// Whom it hears, itself included.
    pub hears: BankSet,
    /// Its own account of its health.
    #[serde(default)]
    pub health: Health,
}

/// What the answer to a ping tells in addition to the report: how far away the peer is, and what
/// its wall clock says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// From the ping to its answer, in milliseconds.
    pub round_trip: Millis,
    /// The peer's wall clock when it answered, in Unix milliseconds, whether right or wrong.
    pub wall_ms: i64,
    /// When the answer arrived.
    pub at: Millis,
}
