//! What is read from the disk once everything before it is there: mostly for other banks that lack
//! it.

use super::restoring::{Restored, restore_arrived};
use super::{JournalReader, StoreError};
use crate::ids::{BankId, Position};
use crate::ledger::Book;
use crate::ledger::book::RunName;
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
    /// A part of a run of keys; answered by [`ViewInput::RunRead`].
    Run {
        /// Who lacks it.
        to: BankId,
        /// Which run.
        name: RunName,
        /// From which byte of it.
        from: u64,
        /// At most how many bytes.
        bytes: u32,
    },
    /// The ledger of a snapshot that has arrived, put into an empty one; answered by
    /// [`LedgerInput::Restore`], by [`ViewInput::RunsMissing`] when it names runs that are not
    /// here, or by [`ViewInput::SnapshotRefused`] when it is of no use.
    ArrivedSnapshot(SnapshotHead, Box<Book>),
}

impl Read {
    /// Whether `newer` makes this one superfluous: a bank that asks again no longer waits for the
    /// earlier answer.
    pub(super) fn is_outdone_by(&self, newer: &Read) -> bool {
        match (self, newer) {
            (Read::Journal { to, .. }, Read::Journal { to: newer, .. }) => to == newer,
            (
                Read::SnapshotPiece { to, .. } | Read::Run { to, .. },
                Read::SnapshotPiece { to: newer, .. } | Read::Run { to: newer, .. },
            ) => to == newer,
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
            Read::Run { to, name, from, bytes } => {
                let run = match reader.shelf() {
                    Some(shelf) => shelf.take(name.number, name.digest),
                    None => Ok(None),
                };
                // One that is damaged is noticed by this bank itself when it looks a key up in it.
                let run = match run {
                    Err(StoreError::Damaged { .. }) => None,
                    run => run?,
                };
                let content = run.map(|run| run.content().into_owned()).unwrap_or_default();
                let begin = usize::try_from(from).unwrap_or(usize::MAX);
                let rest = content.get(begin..).unwrap_or_default();
                let part = rest[..rest.len().min(bytes as usize)].to_vec();
                let of = content.len() as u64;
                Effect::View(ViewInput::RunRead { to, name, from: from.min(of), of, content: part })
            }
            Read::ArrivedSnapshot(head, blank) => match restore_arrived(reader, &head, *blank)? {
                Restored::Book(book) => Effect::Ledger(LedgerInput::Restore { head, book }),
                Restored::Lacks(runs) => Effect::View(ViewInput::RunsMissing { head, runs }),
                Restored::Unfit => Effect::View(ViewInput::SnapshotRefused),
            },
        })
    }
}
