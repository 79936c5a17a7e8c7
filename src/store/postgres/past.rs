//! The past in PostgreSQL: blocks in a schema of their own, by sessions of their own.
//!
//! Everything here may be asked again: what is written takes the place of what is there.
//!
//! Blocks are partitioned by the number of their first entry, which is the order of time: entries
//! are numbered as they are made, at every bank alike, whatever its clock says, and every look-up
//! is by number (`partitions`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::address::{Database, Part, Shelf};
use super::caller::Caller;
use super::partitions::{self, Partitions};
use super::session::{Purpose, get};
use super::trouble::Trouble;
use super::{AWAY_MAX, rename, schema};
use crate::ids::{BankId, Sha256Digest};
use crate::ledger::past::EntryNumber;
use crate::store::StoreError;
use crate::store::past::block::bounds;
use crate::store::past::{BlockChange, BlockRow, BlockTable, Opener, PastPlace};

/// How long a reader waits for a database that is away: somebody waits for the reader.
const READER_WAIT: Duration = Duration::from_secs(5);

/// The one that is looked for is between two numbers: of the partitions, one is read.
const FIND: &str = "
SELECT first, last, content, digest FROM blocks WHERE first <= $1 AND first >= $2
ORDER BY first DESC LIMIT 1";
/// The same where there is a gap.
const FIND_BEFORE: &str =
    "SELECT first, last, content, digest FROM blocks WHERE first < $1 ORDER BY first DESC LIMIT 1";

const INSERT: &str = "
INSERT INTO blocks (first, last, content, digest)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[])
ON CONFLICT (first) DO UPDATE
SET last = excluded.last, content = excluded.content, digest = excluded.digest";

const WRITE_HEAD: &str = "
INSERT INTO head VALUES (1, $1, $2)
ON CONFLICT (one) DO UPDATE SET content = excluded.content, digest = excluded.digest";

/// Where a bank's past is.
pub(in crate::store) struct PgPlace {
    shelf: Shelf,
}

impl PgPlace {
    pub(in crate::store) fn new(database: &Database, bank: BankId) -> Self {
        PgPlace { shelf: Shelf { database: database.clone(), bank, part: Part::Past } }
    }
}

impl PastPlace for PgPlace {
    fn open(&self) -> Result<Box<dyn BlockTable>, StoreError> {
        let caller = Caller::new(self.shelf.clone(), Purpose::Write, AWAY_MAX);
        let mut blocks = PgBlocks { caller, partitions: Partitions::default() };
        let name = self.shelf.schema();
        let made = (schema::PAST, schema::PAST_LAYOUT);
        let layout = blocks.caller.ask(|session| match schema::found(session, &name, made)? {
            Some(partitions::UNPARTITIONED) => partitions::divide(session).map(Some),
            found => Ok(found),
        });
        match layout.map_err(|trouble| blocks.failed(&trouble))? {
            Some(schema::PAST_LAYOUT) => Ok(Box::new(blocks)),
            _ => Err(blocks.damaged("the layout of the tables".into())),
        }
    }

    fn put_aside(&self) -> Result<PathBuf, StoreError> {
        rename(&self.shelf, "damaged")
    }
}

/// The blocks, through one session at a time.
struct PgBlocks {
    caller: Caller,
    /// Those that are there.
    partitions: Partitions,
}

impl PgBlocks {
    fn failed(&self, trouble: &Trouble) -> StoreError {
        trouble.beside_the_journal(&self.caller.path())
    }
}

impl BlockTable for PgBlocks {
    fn read_head(&mut self) -> Result<Option<(String, Vec<u8>)>, StoreError> {
        let read = self.caller.ask(|session| {
            let rows = session.query("SELECT content, digest FROM head WHERE one = 1", &[])?;
            rows.first().map(|row| Ok((get(row, 0)?, get(row, 1)?))).transpose()
        });
        read.map_err(|trouble| self.failed(&trouble))
    }

    fn has_blocks(&mut self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM blocks)";
        let read = self.caller.ask(|session| get(&session.one(sql, &[])?, 0));
        read.map_err(|trouble| self.failed(&trouble))
    }

    fn find(&mut self, number: EntryNumber) -> Result<Option<BlockRow>, StoreError> {
        let read = self.caller.ask(|session| {
            let begins = bounds(number).0;
            let mut rows = session.query(FIND, &[&sql(number), &sql(begins)])?;
            if rows.is_empty() {
                rows = session.query(FIND_BEFORE, &[&sql(begins)])?;
            }
            let Some(row) = rows.first() else { return Ok(None) };
            let number = |column| get(row, column).map(|of: i64| EntryNumber(of.unsigned_abs()));
            let digest: &[u8] = get(row, 3)?;
            let digest = digest.try_into().map_err(|_| Trouble::Strange("a digest".into()))?;
            let (first, last, stored) = (number(0)?, number(1)?, get(row, 2)?);
            Ok(Some(BlockRow { first, last, stored, digest: Sha256Digest(digest) }))
        });
        read.map_err(|trouble| self.failed(&trouble))
    }

    fn write(&mut self, change: &BlockChange) -> Result<(), StoreError> {
        let numbers = |of: fn(&BlockRow) -> EntryNumber| -> Vec<i64> {
            change.rows.iter().map(|row| sql(of(row))).collect()
        };
        let (firsts, lasts) = (numbers(|row| row.first), numbers(|row| row.last));
        let contents: Vec<_> = change.rows.iter().map(|row| &row.stored[..]).collect();
        let digests: Vec<_> = change.rows.iter().map(|row| &row.digest.0[..]).collect();
        let partitions = &mut self.partitions;
        let written = self.caller.ask(|session| {
            partitions.make_for(session, &firsts)?;
            // Always with an fsync: a server may crash alone, and a bank that goes on would not
            // know that something is gone which it has written.
            session.execute_batch("BEGIN")?;
            if let Some(gone) = &change.gone {
                let [from, to] = [*gone.start(), *gone.end()].map(|of| sql(EntryNumber(of)));
                let delete = "DELETE FROM blocks WHERE first >= $1 AND first <= $2";
                session.query(delete, &[&from, &to])?;
            }
            if !change.rows.is_empty() {
                session.query(INSERT, &[&firsts, &lasts, &contents, &digests])?;
            }
            let digest = &change.head_digest.0[..];
            session.execute_and_commit(WRITE_HEAD, &[&change.head, &digest])
        });
        written.map_err(|trouble| self.failed(&trouble))
    }

    /// What is gone is used again after autovacuum has seen it.
    fn give_back(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn opener(&self) -> Opener {
        let shelf = self.caller.shelf().clone();
        Arc::new(move || {
            let caller = Caller::new(shelf.clone(), Purpose::Read, READER_WAIT);
            Ok(Box::new(PgBlocks { caller, partitions: Partitions::default() }))
        })
    }

    fn of_another(&self, found: String, wanted: String) -> StoreError {
        StoreError::OtherBank { path: self.caller.path(), found, wanted }
    }

    fn damaged(&self, why: String) -> StoreError {
        StoreError::Damaged { path: self.caller.path(), why }
    }
}

fn sql(number: EntryNumber) -> i64 {
    i64::try_from(number.0).unwrap_or(i64::MAX)
}
