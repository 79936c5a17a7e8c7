//! Carrying a bank's store from its folder into a database, and back.
//!
//! Rows go over as they are, within one transaction, and are proved where they have come to before
//! that is committed. Then the mark in the folder says where the journal is; only after that does
//! what it was before get another name. Wherever this is interrupted, one of the two counts and the
//! other one is refused; nothing is deleted.

use std::path::{Path, PathBuf};

use super::aside::put_aside_as;
use super::folder::{keep_elsewhere, lock};
use super::past::{BlockChange, BlockTable, PastPlace, SqlitePlace};
use super::place::Place;
use super::postgres::{Database, Part, PgPlace, PgShelf, PgStore, rename_part};
use super::recovery::whole;
use super::shelf::{self, FolderShelf};
use super::sqlite::{self, SqliteStore};
use super::{Owner, StoreError};
use crate::ids::{ChainHash, Position};
use crate::ledger::past::EntryNumber;

/// How many blocks of the past go over at a time.
const BLOCKS_AT_ONCE: usize = 64;
/// What the name of what was moved begins with.
const WORD: &str = "moved";

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the folder into the database.
    IntoDatabase,
    /// From the database into the folder.
    IntoFolder,
}

/// What has come over.
#[derive(Debug)]
pub struct Moved {
    /// How far the ledger is.
    pub position: Position,
    /// Its hash there, before and after.
    pub hash: ChainHash,
    /// Where the journal is that it came from.
    pub former: PathBuf,
}

/// Carries a stopped bank's store over and proves, by executing the journal on both sides, that it
/// leads to the same ledger.
///
/// # Errors
/// [`StoreError`] when either side cannot be used, the journal is damaged, or there is something
/// already where it is to go.
pub fn move_store(
    folder: &Path,
    database: &Database,
    owner: Owner,
    direction: Direction,
) -> Result<Moved, StoreError> {
    let in_database = Place::new(folder, Some(database.clone()));
    let (from, to) = match direction {
        Direction::IntoDatabase => (folder.into(), in_database),
        Direction::IntoFolder => (in_database, folder.into()),
    };
    let before = state(from, owner)?;
    let former = match direction {
        Direction::IntoDatabase => into_database(folder, database, owner)?,
        Direction::IntoFolder => into_folder(folder, database, owner)?,
    };
    let after = state(to, owner)?;
    let (position, hash) = before;
    if after != before {
        return Err(StoreError::Differs { position });
    }
    Ok(Moved { position, hash, former })
}

/// What a journal leads to, all of it read and executed.
fn state(place: Place, owner: Owner) -> Result<(Position, ChainHash), StoreError> {
    let mut recovered = whole(place, owner)?;
    recovered.past.commit(true)?;
    Ok((recovered.book.position(), recovered.book.hash()))
}

fn into_database(folder: &Path, database: &Database, owner: Owner) -> Result<PathBuf, StoreError> {
    let source = SqliteStore::open(folder, owner)?;
    source.carry(|head, tables| PgStore::receive(folder, database, owner, head, tables))?;
    rename_part(database, owner, Part::Past, "former")?;
    let mut blocks = PgPlace::new(database, owner.bank).open()?;
    copy_blocks(&mut *SqlitePlace::new(folder).open()?, &mut *blocks)?;
    rename_part(database, owner, Part::Keys, "former")?;
    shelf::copy(&FolderShelf::open(folder)?, &PgShelf::open(database, owner.bank)?)?;
    keep_elsewhere(folder, true)?;
    drop(source);
    let _lock = lock(folder)?;
    put_aside_as(WORD, folder, &sqlite::NAMES_BUT_TIP)
}

fn into_folder(folder: &Path, database: &Database, owner: Owner) -> Result<PathBuf, StoreError> {
    let source = PgStore::open(folder, database, owner)?;
    source.carry(|head, tables| sqlite::receive(folder, head, tables))?;
    let mut blocks = SqlitePlace::new(folder).open()?;
    copy_blocks(&mut *PgPlace::new(database, owner.bank).open()?, &mut *blocks)?;
    shelf::copy(&PgShelf::open(database, owner.bank)?, &FolderShelf::open(folder)?)?;
    keep_elsewhere(folder, false)?;
    drop(source);
    rename_part(database, owner, Part::Past, WORD)?;
    rename_part(database, owner, Part::Keys, WORD)?;
    rename_part(database, owner, Part::Journal, WORD)
}

/// Copies a past, the newest blocks first and the head with each of them.
fn copy_blocks(from: &mut dyn BlockTable, to: &mut dyn BlockTable) -> Result<(), StoreError> {
    let Some((head, digest)) = from.read_head()? else { return Ok(()) };
    let digest: [u8; 32] = digest.try_into().map_err(|_| from.damaged("the head".into()))?;
    let mut next = Some(EntryNumber(i64::MAX as u64));
    while next.is_some() {
        let mut rows = Vec::new();
        while rows.len() < BLOCKS_AT_ONCE
            && let Some(number) = next
        {
            let row = from.find(number)?;
            next = row.as_ref().and_then(|row| row.first.0.checked_sub(1)).map(EntryNumber);
            rows.extend(row);
        }
        let (head, head_digest) = (head.clone(), crate::ids::Sha256Digest(digest));
        to.write(&BlockChange { gone: None, rows, head, head_digest, sync: next.is_none() })?;
    }
    Ok(())
}
