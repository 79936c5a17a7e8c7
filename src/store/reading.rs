//! What is read from the disk once everything before it is there: mostly for other banks that lack
//! it.

use super::{JournalReader, StoreError};
use crate::ids::{BankId, Position};
use crate::protocol::effect::{Effect, LedgerInput, ViewInput};
use crate::protocol::snapshot::SnapshotHead;

/// How often something is read whose reading is cut short.
const READ_TIMES: u32 = 5;

/// Something to read.
#[derive(Clone, Debug)]
pub enum Read {
    /// Executed events; answered by [`ViewInput::JournalRead`].
    Journal {
        /// Who lacks them.
        to: BankId,
        /// After which position.
        after: Position,
        /// About how many bytes.
        bytes: u32,
    },
    /// A part of a piece of the snapshot; answered by [`ViewInput::SnapshotRead`].
    SnapshotPiece {
        /// Who lacks it.
        to: BankId,
        /// Which piece.
        index: u32,
        /// From which byte of it.
        from: u64,
        /// About how many bytes.
        bytes: u32,
    },
    /// All of a snapshot that has arrived, for this bank's own ledger; answered by
    /// [`LedgerInput::Restore`], or by [`ViewInput::SnapshotRefused`] when it is not there any
    /// more.
    ArrivedSnapshot(SnapshotHead),
}

impl Read {
    /// Whether `newer` makes this one superfluous: a bank that asks again no longer waits for the
    /// earlier answer.
    pub(super) fn is_outdone_by(&self, newer: &Read) -> bool {
        match (self, newer) {
            (Read::Journal { to, .. }, Read::Journal { to: newer, .. }) => to == newer,
            (Read::SnapshotPiece { to, .. }, Read::SnapshotPiece { to: newer, .. }) => to == newer,
            _ => false,
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails or what it holds is damaged.
    pub fn answer(self, reader: &mut dyn JournalReader) -> Result<Effect, StoreError> {
        for _ in 1..READ_TIMES {
            reader.begin()?;
            match self.clone().find(reader) {
                // A connection that was lost; beginning again waits for a new one.
                Err(StoreError::Away { .. }) => {}
                found => {
                    reader.end()?;
                    return found;
                }
            }
        }
        reader.begin()?;
        let found = self.find(reader)?;
        reader.end()?;
        Ok(found)
    }

    fn find(self, reader: &mut dyn JournalReader) -> Result<Effect, StoreError> {
        Ok(match self {
            Read::Journal { to, after, bytes } => {
                let starts_after = reader.journal_starts_after()?;
                let entries = if after < starts_after {
                    Vec::new()
                } else {
                    reader.executed_after(after, bytes as usize)?
                };
                let hash_before = reader.hash_at(after)?;
                Effect::View(ViewInput::JournalRead {
                    to,
                    after,
                    entries,
                    hash_before,
                    starts_after,
                })
            }
            Read::SnapshotPiece { to, index, from, bytes } => {
                let piece = reader.snapshot_piece(index)?;
                Effect::View(ViewInput::SnapshotRead { to, piece, from, bytes })
            }
            Read::ArrivedSnapshot(head) => {
                let mut pieces = Vec::new();
                for index in 0..head.pieces {
                    match reader.arriving_piece(index)?.filter(|piece| piece.head == head) {
                        Some(piece) => pieces.push(piece.text),
                        None => return Ok(Effect::View(ViewInput::SnapshotRefused)),
                    }
                }
                Effect::Ledger(LedgerInput::Restore { head, pieces })
            }
        })
    }
}
