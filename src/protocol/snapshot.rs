//! A snapshot of the ledger as it travels: a head that says what it is, and pieces of text.

use serde::{Deserialize, Serialize};

use super::effect::Executions;
use super::ids::{ChainHash, Position};

/// What a snapshot is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SnapshotHead {
    /// The ledger as it was after this position,
    pub position: Position,
    /// with this chain hash,
    pub hash: ChainHash,
    /// and this last executed event.
    pub executed: Executions,
    /// How many pieces it has.
    pub pieces: u32,
}

/// One piece of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SnapshotPiece {
    /// Of which snapshot.
    pub head: SnapshotHead,
    /// Its place among the pieces, from 0.
    pub index: u32,
    /// The text.
    pub text: String,
}
