//! What the customer who waits for a request is told.

use crate::ledger::Executed;

/// The result of a customer's request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// It was ordered; executed or refused by the ledger.
    Executed(Executed),
    /// It was never stamped and will never take effect.
    NotTaken(NotTaken),
}

/// Why a request was not stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// No majority can be reached, or no view came into force in time.
    CutOff,
    /// Others act in a view without this bank.
    Outside,
    /// The node is stopping.
    Stopping,
    /// Too many requests wait already.
    Overloaded,
    /// What this bank had stamped before made no progress meanwhile.
    Stalled,
}
