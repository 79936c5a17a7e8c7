//! Archive files: what is old of the past, moved out of the store.
//!
//! Entries never change and are dated in their order, so what is older than a moment is the
//! beginning of the past. It goes in whole blocks, stretch by stretch: a file is written, synced
//! and read back, its blocks are held against the ones in the store, and only then do their rows
//! go.
//! Wherever this is interrupted, an entry is in the store, in a file, or in both; the next run goes
//! on from there.
//!
//! Every block in a file has the digest that all banks have of it, and each is chained to the one
//! before: whoever has the last link can prove all of them.

mod file;
mod line;

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::file::{Block, Named, Stretch, files, read};
use self::file::{NewFile, written_to_folder};
pub(crate) use self::line::CSV_HEAD;
use super::block::{BLOCK_ENTRIES, bounds};
use super::{Past, PastReader};
use crate::ids::{Position, Sha256Digest};
use crate::ledger::Book;
use crate::ledger::past::EntryNumber;
use crate::store::StoreError;

/// Name of the folder in a bank's own one, unless an operator names another.
pub(crate) const FOLDER_NAME: &str = "archive";
/// How many blocks a file has at most; files are cut at multiples of it.
const FILE_BLOCKS: u64 = 256;

/// What was moved into archive files: the first entries, in whole blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// The last of them.
    pub through: EntryNumber,
    /// When it was made, in Unix milliseconds: everything after this moment is in the store.
    pub until_ms: i64,
    /// The request's place in the common order that made it.
    pub position: Position,
    /// The last link of the chain of their digests; unknown where other banks have moved them.
    pub chain: Option<Sha256Digest>,
}

impl Archived {
    /// Whether it can be true of a past with so many entries.
    pub(crate) fn is_sound(&self, last: EntryNumber) -> bool {
        let ends_block = bounds(self.through).1 == self.through;
        !self.through.is_none() && ends_block && self.through <= last
    }
}

/// Why entries were not moved, or a file not read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system refuses.
    #[error("{path}: {why}")]
    Failed {
        /// The file or folder.
        path: PathBuf,
        /// The system's error text.
        why: String,
    },
    /// A file is not what was written.
    #[error(
        "{path}: damaged ({why}). Another bank's file of the same entries has the same digests and can take its place"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How that was noticed.
        why: String,
    },
    /// A file is not what is in the store.
    #[error(
        "{path}: damaged ({why}). Its entries are still in the store: remove the file, and run this again"
    )]
    HalfDone {
        /// The file.
        path: PathBuf,
        /// How that was noticed.
        why: String,
    },
    /// The store lacks an entry.
    #[error(
        "entry {0} has not arrived at this bank, and nothing is moved beyond it: a running bank fetches it from the others; run this again when `past.missing` in /status is 0"
    )]
    Missing(EntryNumber),
    /// A folder lacks a file.
    #[error("{folder}: entries {from} to {to} are in no file here")]
    Gap {
        /// The folder.
        folder: PathBuf,
        /// The first entry that is not there.
        from: EntryNumber,
        /// The last one.
        to: EntryNumber,
    },
}

/// Moves entries that were made before a moment, in Unix milliseconds, into files of a folder, and
/// tells of each file.
///
/// # Errors
/// [`ArchiveError`]; what was told of is done all the same.
pub fn archive(
    past: &mut Past,
    book: &Book,
    before_ms: i64,
    folder: &Path,
    told: &mut dyn FnMut(&Stretch),
) -> Result<(), ArchiveError> {
    let failed = |error: std::io::Error| ArchiveError::Failed {
        path: folder.into(),
        why: error.to_string(),
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    // What was taken in has to be in the store before it is held against a file.
    past.commit(true)?;
    while let Some(stretch) = next_stretch(past, book, before_ms, folder)? {
        past.let_go(stretch.archived())?;
        told(&stretch);
    }
    Ok(past.give_back()?)
}

/// The next file, written and proved; `None` if nothing is old enough.
fn next_stretch(
    past: &Past,
    book: &Book,
    before_ms: i64,
    folder: &Path,
) -> Result<Option<Stretch>, ArchiveError> {
    let (first, after) = match past.archived() {
        Some(archived) => (archived.through.next(), archived.chain),
        None => (EntryNumber(1), Some(Sha256Digest::default())),
    };
    let mut store = past.reader()?;
    let begun = files(folder)?.into_iter().find(|file| file.first == first);
    let path = match begun {
        // A run before this one has ended between the file and the rows.
        Some(begun) => begun.path,
        None => {
            let Some(last) = last_of_stretch(&mut store, first, past.last(), before_ms)? else {
                return Ok(None);
            };
            let new = NewFile { folder, first, last, after };
            written_to_folder(&new, book, &mut store)?
        }
    };
    let stretch = proved(&path, &mut store)?;
    if stretch.after != after {
        let why = "it is not chained to what was moved before".to_owned();
        return Err(ArchiveError::HalfDone { path, why });
    }
    Ok(Some(stretch))
}

/// Reads a file back and holds its blocks against those in the store.
fn proved(path: &Path, store: &mut PastReader) -> Result<Stretch, ArchiveError> {
    let half_done = |why: &str| ArchiveError::HalfDone { path: path.into(), why: why.into() };
    let mut compare = |block: &Block| -> Result<(), ArchiveError> {
        match store.stored(block.first())? {
            Some(stored) if stored.is_complete() && stored.digest != block.digest => {
                Err(half_done("a block differs from the one in the store"))
            }
            _ => Ok(()),
        }
    };
    match read(path, &mut compare) {
        Err(ArchiveError::Damaged { why, .. }) => Err(half_done(&why)),
        read => read,
    }
}

/// The last entry of the file that begins with `first`: of blocks that are complete and older.
fn last_of_stretch(
    store: &mut PastReader,
    first: EntryNumber,
    newest: EntryNumber,
    before_ms: i64,
) -> Result<Option<EntryNumber>, ArchiveError> {
    let file_entries = FILE_BLOCKS * BLOCK_ENTRIES;
    let end = first.0.div_ceil(file_entries) * file_entries;
    let mut last = None;
    let mut next = first;
    while next.0 <= end && bounds(next).1 <= newest {
        let Some(block) = store.block(next)? else {
            return Err(ArchiveError::Missing(next));
        };
        let is_whole = block.first().is_some_and(|entry| entry.number == next)
            && block.len() as u64 == BLOCK_ENTRIES;
        let newest = block.last().map_or(i64::MAX, |entry| entry.entry.at_ms);
        if !is_whole {
            return Err(ArchiveError::Missing(next));
        }
        if newest >= before_ms {
            break;
        }
        last = Some(bounds(next).1);
        next = bounds(next).1.next();
    }
    Ok(last)
}
