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
    /// What the pieces hash to, chained by [`chained`]: the ledger's own hash covers what happened,
    /// not the text.
    pub digest: Sha256Digest,
}

impl SnapshotHead {
    /// The head of a snapshot that is being written and has no pieces yet.
    #[must_use]
    pub fn begun(position: Position, hash: ChainHash, executed: Executions) -> Self {
        SnapshotHead { position, hash, executed, pieces: 0, digest: Sha256Digest::default() }
    }

    /// The same head before there were any pieces.
    #[must_use]
    pub fn as_begun(&self) -> Self {
        SnapshotHead::begun(self.position, self.hash, self.executed.clone())
    }

    /// Whether it has been written to its end: a piece of one that has not says [`Self::begun`].
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.pieces > 0
    }

    /// Adds a piece, to be stored before anybody can know how many there will be; also returns what
    /// its text hashes to.
    pub fn next_piece(&mut self, text: String) -> (SnapshotPiece, Sha256Digest) {
        let digest = digest_of(&text);
        let piece = SnapshotPiece { head: self.as_begun(), index: self.pieces, text };
        self.count(digest);
        (piece, digest)
    }

    /// Counts one more piece, whose text has this digest.
    pub fn count(&mut self, text: Sha256Digest) {
        (self.pieces, self.digest) = (self.pieces + 1, chained(self.digest, text));
    }

    /// Whether these are the pieces that the head speaks of.
    #[must_use]
    pub fn covers(&self, pieces: &[String]) -> bool {
        let chain = |before, piece: &String| chained(before, digest_of(piece));
        let digest = pieces.iter().fold(Sha256Digest::default(), chain);
        pieces.len() == self.pieces as usize && digest == self.digest
    }
}

/// The digest of the text of a piece (SHA-256).
#[must_use]
pub fn digest_of(text: &str) -> Sha256Digest {
    Sha256Digest(Sha256::digest(text).into())
}

/// The digest of some pieces and one more, whose text has this digest (SHA-256); that of none is
/// zero.
#[must_use]
pub fn chained(before: Sha256Digest, text: Sha256Digest) -> Sha256Digest {
    Sha256Digest(Sha256::new().chain_update(before.0).chain_update(text.0).finalize().into())
}

/// The same up to protocol version 6: by the text itself.
#[must_use]
pub(crate) fn chained_as_before(before: Sha256Digest, piece: &str) -> Sha256Digest {
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
