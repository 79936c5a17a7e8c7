//! The journal's tables in SQLite.

use std::path::Path;

use rusqlite::types::{FromSqlError, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::reading_failed;
use crate::ids::{ChainHash, Position};
use crate::protocol::execution::ExecutedMark;
use crate::protocol::order_key::OrderKey;
use crate::store::StoreError;
use crate::store::journal::{
    EventRow, NewEvent, RowDigest, Seal, Tables, Unfit, columns_between, key_columns,
    key_of_columns, mark_digest, to_sql,
};
use crate::store::packed::{pack, unpack};

const SELECT_EXECUTED: &str = "
SELECT e.round, e.coordinator, e.sum, e.sender, e.members, e.body, e.digest, e.signature, x.position, x.hash
FROM executed x JOIN events e USING (round, coordinator, sum, sender)
WHERE x.position > ?1 ORDER BY x.position LIMIT ?2";

const SELECT_EVENTS: &str = "
SELECT round, coordinator, sum, sender, members, body, digest, signature FROM events
WHERE (round, coordinator, sum, sender) > (?1, ?2, ?3, ?4)
AND (round, coordinator, sum, sender) <= (?5, ?6, ?7, ?8)
ORDER BY round, coordinator, sum, sender LIMIT ?9";

const DELETE_EVENTS: &str = "
DELETE FROM events WHERE (round, coordinator, sum, sender) >= (?1, ?2, ?3, ?4)
AND (round, coordinator, sum, sender) <= (?5, ?6, ?7, ?8)
RETURNING round, coordinator, sum, sender, digest";

const SELECT_MARKS: &str = "
SELECT round, coordinator, sum, sender, position, hash FROM executed
WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3";

const DELETE_MARKS: &str = "
DELETE FROM executed WHERE position IN
(SELECT position FROM executed WHERE position <= ?1 ORDER BY position LIMIT ?2)
RETURNING round, coordinator, sum, sender, position, hash";

/// One connection's view of the tables.
pub(in crate::store) struct SqliteTables<'a> {
    pub(super) path: &'a Path,
    pub(super) db: &'a Connection,
    /// Whether events and pieces are written packed.
    pub(super) packs: bool,
}

impl From<Unfit> for rusqlite::Error {
    fn from(_: Unfit) -> Self {
        rusqlite::Error::QueryReturnedNoRows
    }
}

impl SqliteTables<'_> {
    /// All rows that a statement answers.
    fn all<R>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<R>,
    ) -> rusqlite::Result<Vec<R>> {
        self.db.prepare_cached(sql)?.query_map(params, read)?.collect()
    }

    /// A text as it is stored.
    fn packed(&self, text: &str) -> Value {
        match self.packs {
            true => Value::Blob(pack(text.as_bytes())),
            false => Value::Text(text.to_owned()),
        }
    }
}

impl Tables for SqliteTables<'_> {
    type Error = rusqlite::Error;

    fn reading_failed(&self, error: &rusqlite::Error) -> StoreError {
        reading_failed(self.path, error)
    }

    fn writing_failed(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::Failed { path: self.path.to_owned(), why: error.to_string() }
    }

    fn damaged(&self, why: String) -> StoreError {
        StoreError::Damaged { path: self.path.to_owned(), why }
    }

    fn read_head(&self) -> rusqlite::Result<Option<(String, Vec<u8>)>> {
        let sql = "SELECT content, digest FROM head WHERE one = 1";
        self.db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()
    }

    fn write_head(&self, content: &str, digest: &[u8]) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO head VALUES (1, ?1, ?2)";
        self.db.prepare_cached(sql)?.execute(params![content, digest]).map(|_| ())
    }

    fn read_plan(&self) -> rusqlite::Result<Option<String>> {
        let sql = "SELECT content FROM plan WHERE one = 1";
        self.db.query_row(sql, [], |row| row.get(0)).optional()
    }

    fn write_plan(&self, content: &str) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO plan VALUES (1, ?1)";
        self.db.prepare_cached(sql)?.execute([content]).map(|_| ())
    }

    fn insert_events(&self, rows: &[NewEvent<'_>]) -> rusqlite::Result<Vec<bool>> {
        let sql = "INSERT OR IGNORE INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let mut statement = self.db.prepare_cached(sql)?;
        let insert = |event: &NewEvent<'_>| {
            let NewEvent { key, members, body, digest, signature } = event;
            let (round, coordinator, sum, sender) = key_columns(*key);
            let body = self.packed(body);
            let row =
                params![round, coordinator, sum, sender, members, body, &digest[..], signature];
            Ok(statement.execute(row)? > 0)
        };
        rows.iter().map(insert).collect()
    }

    fn delete_other_versions(
        &self,
        rows: &[(OrderKey, RowDigest)],
    ) -> rusqlite::Result<Vec<(OrderKey, RowDigest)>> {
        let sql = "SELECT digest FROM events
            WHERE (round, coordinator, sum, sender) = (?1, ?2, ?3, ?4)";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut gone = Vec::new();
        for (key, digest) in rows {
            let here: Option<RowDigest> =
                statement.query_row(key_columns(*key), |row| row.get(0)).optional()?;
            if here.is_some_and(|here| here != *digest) {
                gone.append(&mut self.delete_events(Some(*key), Some(*key))?);
            }
        }
        Ok(gone)
    }

    fn delete_events(
        &self,
        from: Option<OrderKey>,
        through: Option<OrderKey>,
    ) -> rusqlite::Result<Vec<(OrderKey, RowDigest)>> {
        let (from, to) = columns_between(from, through);
        let bounds = params![from.0, from.1, from.2, from.3, to.0, to.1, to.2, to.3];
        self.all(DELETE_EVENTS, bounds, |row| Ok((key_of(row)?, row.get(4)?)))
    }

    fn keys_above(&self, key: Option<OrderKey>) -> rusqlite::Result<Vec<OrderKey>> {
        let sql = "SELECT round, coordinator, sum, sender FROM events
            WHERE (round, coordinator, sum, sender) > (?1, ?2, ?3, ?4)";
        self.all(sql, columns_between(key, None).0, key_of)
    }

    fn events_after(
        &self,
        after: Option<OrderKey>,
        through: Option<OrderKey>,
        most: usize,
    ) -> rusqlite::Result<Vec<EventRow>> {
        let (from, to) = columns_between(after, through);
        let bounds = params![from.0, from.1, from.2, from.3, to.0, to.1, to.2, to.3, limit(most)];
        self.all(SELECT_EVENTS, bounds, event_of)
    }

    fn insert_marks(&self, marks: &[&ExecutedMark]) -> rusqlite::Result<()> {
        let sql = "INSERT INTO executed VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut statement = self.db.prepare_cached(sql)?;
        marks.iter().try_for_each(|mark| {
            let (round, coordinator, sum, sender) = key_columns(mark.key);
            let position = to_sql(mark.position.0);
            let row = params![position, round, coordinator, sum, sender, &mark.hash.0[..]];
            statement.execute(row).map(|_| ())
        })
    }

    fn last_mark(&self) -> rusqlite::Result<Option<ExecutedMark>> {
        let sql = "SELECT round, coordinator, sum, sender, position, hash FROM executed
            ORDER BY position DESC LIMIT 1";
        self.db.prepare_cached(sql)?.query_row([], mark_of).optional()
    }

    fn marks_after(
        &self,
        after: Position,
        through: Position,
        most: usize,
    ) -> rusqlite::Result<Vec<ExecutedMark>> {
        self.all(SELECT_MARKS, [to_sql(after.0), to_sql(through.0), limit(most)], mark_of)
    }

    fn delete_marks(&self, through: Position, most: i64) -> rusqlite::Result<Vec<ExecutedMark>> {
        self.all(DELETE_MARKS, [to_sql(through.0), most], mark_of)
    }

    fn executed_after(
        &self,
        after: Position,
        most: usize,
    ) -> rusqlite::Result<Vec<(EventRow, Position, ChainHash)>> {
        self.all(SELECT_EXECUTED, [to_sql(after.0), limit(most)], |row| {
            let position = Position(row.get::<_, i64>(8)?.unsigned_abs());
            Ok((event_of(row)?, position, ChainHash(row.get(9)?)))
        })
    }

    fn hash_at(&self, position: Position) -> rusqlite::Result<Option<ChainHash>> {
        let sql = "SELECT hash FROM executed WHERE position = ?1";
        let mut statement = self.db.prepare_cached(sql)?;
        let hash = statement.query_row([to_sql(position.0)], |row| row.get(0)).optional()?;
        Ok(hash.map(ChainHash))
    }

    fn read_piece(&self, number: i64, index: u32) -> rusqlite::Result<Option<(String, Vec<u8>)>> {
        let sql = "SELECT text, digest FROM pieces WHERE snapshot = ?1 AND place = ?2";
        let columns = |row: &Row<'_>| Ok((text_of(row, 0)?, row.get(1)?));
        self.db.prepare_cached(sql)?.query_row(params![number, index], columns).optional()
    }

    fn write_piece(
        &self,
        number: i64,
        index: u32,
        text: &str,
        digest: RowDigest,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO pieces VALUES (?1, ?2, ?3, ?4)";
        let mut statement = self.db.prepare_cached(sql)?;
        statement.execute(params![number, index, self.packed(text), &digest[..]]).map(|_| ())
    }

    fn write_same_piece(
        &self,
        of: (i64, u32),
        to: (i64, u32),
        digest: RowDigest,
    ) -> rusqlite::Result<bool> {
        let sql = "INSERT OR REPLACE INTO pieces SELECT ?1, ?2, text, ?3 FROM pieces
            WHERE snapshot = ?4 AND place = ?5";
        let mut statement = self.db.prepare_cached(sql)?;
        let written = statement.execute(params![to.0, to.1, &digest[..], of.0, of.1])?;
        Ok(written == 1)
    }

    fn delete_pieces_but(&self, numbers: [i64; 2], most: u32) -> rusqlite::Result<()> {
        let sql = "DELETE FROM pieces WHERE rowid IN
            (SELECT rowid FROM pieces WHERE snapshot NOT IN (?1, ?2) LIMIT ?3)";
        self.db.prepare_cached(sql)?.execute(params![numbers[0], numbers[1], most]).map(|_| ())
    }

    fn delete_all_pieces(&self) -> rusqlite::Result<()> {
        self.db.execute_batch("REINDEX pieces; DELETE FROM pieces;")
    }
}

pub(super) fn seal_of_events(db: &Connection) -> rusqlite::Result<Seal> {
    let mut seal = Seal::default();
    let mut statement = db.prepare("SELECT digest FROM events")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        seal.add(row.get(0)?);
    }
    Ok(seal)
}

pub(super) fn seal_of_executed(db: &Connection) -> rusqlite::Result<Seal> {
    let mut seal = Seal::default();
    let mut statement =
        db.prepare("SELECT round, coordinator, sum, sender, position, hash FROM executed")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        seal.add(mark_digest(&mark_of(row)?));
    }
    Ok(seal)
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

/// An event, from the columns of the key, members, body, digest and signature.
fn event_of(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        key: key_of(row)?,
        members: row.get(4)?,
        body: text_of(row, 5)?,
        digest: row.get(6)?,
        signature: row.get(7)?,
    })
}

/// A text as it was before it was stored; of one that cannot be unpacked none, which no digest
/// fits.
fn text_of(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    let packed = match row.get_ref(column)? {
        ValueRef::Blob(packed) => packed,
        _ => return row.get(column),
    };
    Ok(unpack(packed).and_then(|plain| String::from_utf8(plain).ok()).unwrap_or_default())
}

/// A mark of execution, from the columns of the key, position and hash.
fn mark_of(row: &Row<'_>) -> rusqlite::Result<ExecutedMark> {
    let position = Position(row.get::<_, i64>(4)?.unsigned_abs());
    Ok(ExecutedMark { key: key_of(row)?, position, hash: ChainHash(row.get(5)?) })
}

/// A key, from the first four columns.
fn key_of(row: &Row<'_>) -> rusqlite::Result<OrderKey> {
    let columns = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    key_of_columns(columns).ok_or_else(|| FromSqlError::OutOfRange(columns.1).into())
}
