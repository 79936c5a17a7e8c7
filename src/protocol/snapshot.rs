//! A snapshot of the ledger as it travels: a head that says what it is, and pieces of text.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::execution::Executions;
use crate::ids::{ChainHash, Position, Sha256Digest};

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
    /// What the pieces hash to, chained by [`digest_with`]: the ledger's own hash covers what
    /// happened, not the text.
    pub digest: Sha256Digest,
}

impl SnapshotHead {
    /// Whether these are the pieces that the head speaks of.
    #[must_use]
    pub fn covers(&self, pieces: &[String]) -> bool {
        let digest =
            pieces.iter().fold(Sha256Digest::default(), |digest, piece| digest_with(digest, piece));
        pieces.len() == self.pieces as usize && digest == self.digest
    }
}

/// The digest of some pieces and one more (SHA-256); that of none is zero.
#[must_use]
pub fn digest_with(before: Sha256Digest, piece: &str) -> Sha256Digest {
    Sha256Digest(Sha256::new().chain_update(before.0).chain_update(piece).finalize().into())
}

/// One piece of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SnapshotPiece {
    /// The head of the snapshot that it belongs to.
    pub head: SnapshotHead,
    /// Its place among the pieces, from 0.
    pub index: u32,
    /// The text.
    pub text: String,
}
