//! The journal's tables in PostgreSQL. Rows go in as arrays, one statement for all of them.

use std::collections::BTreeSet;
use std::path::Path;

use tokio_postgres::Row;

use super::address::Shelf;
use super::session::{Session, get};
use super::trouble::{Trouble, damaged};
use crate::ids::{ChainHash, Position};
use crate::protocol::execution::ExecutedMark;
use crate::protocol::order_key::OrderKey;
use crate::store::StoreError;
use crate::store::journal::{
    EventRow, Head, NewEvent, RowDigest, Tables, columns_between, key_columns, key_of_columns,
    to_sql,
};
use crate::store::packed::{pack, unpack};

const INSERT_EVENTS: &str = "
INSERT INTO events (round, coordinator, sum, sender, members, body, digest, signature)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],
                     $5::text[], $6::bytea[], $7::bytea[], $8::bytea[])
ON CONFLICT DO NOTHING RETURNING round, coordinator, sum, sender";

const DELETE_OTHER_VERSIONS: &str = "
DELETE FROM events e USING unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[])
    AS n (round, coordinator, sum, sender, digest)
WHERE (e.round, e.coordinator, e.sum, e.sender) = (n.round, n.coordinator, n.sum, n.sender)
    AND e.digest <> n.digest
RETURNING e.round, e.coordinator, e.sum, e.sender, e.digest";

const DELETE_EVENTS: &str = "
DELETE FROM events WHERE (round, coordinator, sum, sender) >= ($1, $2, $3, $4)
    AND (round, coordinator, sum, sender) <= ($5, $6, $7, $8)
RETURNING round, coordinator, sum, sender, digest";

const KEYS_ABOVE: &str = "
SELECT round, coordinator, sum, sender FROM events
WHERE (round, coordinator, sum, sender) > ($1, $2, $3, $4)
ORDER BY round, coordinator, sum, sender";

const EVENTS_AFTER: &str = "
SELECT round, coordinator, sum, sender, members, body, digest, signature FROM events
WHERE (round, coordinator, sum, sender) > ($1, $2, $3, $4)
    AND (round, coordinator, sum, sender) <= ($5, $6, $7, $8)
ORDER BY round, coordinator, sum, sender LIMIT $9";

const INSERT_MARKS: &str = "
INSERT INTO executed (position, round, coordinator, sum, sender, hash)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[])";

const LAST_MARK: &str = "
SELECT round, coordinator, sum, sender, position, hash FROM executed
ORDER BY position DESC LIMIT 1";

const MARKS_AFTER: &str = "
SELECT round, coordinator, sum, sender, position, hash FROM executed
WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3";

const DELETE_MARKS: &str = "
DELETE FROM executed WHERE position = ANY (ARRAY(
    SELECT position FROM executed WHERE position <= $1 ORDER BY position LIMIT $2))
RETURNING round, coordinator, sum, sender, position, hash";

const EXECUTED_AFTER: &str = "
SELECT e.round, e.coordinator, e.sum, e.sender, e.members, e.body, e.digest, e.signature, x.position, x.hash
FROM executed x JOIN events e USING (round, coordinator, sum, sender)
WHERE x.position > $1 ORDER BY x.position LIMIT $2";

/// Takes the head that was there before as well: nobody else may have written meanwhile.
const COMMIT_HEAD: &str = "
WITH done AS (UPDATE head SET content = $1, digest = $2 WHERE one = 1 AND digest = $3 RETURNING 1)
SELECT 1 / count(*) FROM done";

/// What it says when that head is not there: it divides by the number of rows.
const NOBODY_THERE: &str = "22012";

/// One session's view of the tables.
pub(in crate::store) struct PgTables<'a> {
    pub(super) session: &'a Session,
    pub(super) shelf: &'a Shelf,
    /// The bank's own folder.
    pub(super) folder: &'a Path,
}

/// Keys as columns, each an array.
#[derive(Default)]
struct KeyArrays([Vec<i64>; 4]);

impl KeyArrays {
    fn of(keys: impl Iterator<Item = OrderKey>) -> Self {
        let mut arrays = KeyArrays::default();
        for key in keys {
            let (round, coordinator, sum, sender) = key_columns(key);
            let values = [round, coordinator, sum, sender];
            arrays.0.iter_mut().zip(values).for_each(|(array, value)| array.push(value));
        }
        arrays
    }
}

impl PgTables<'_> {
    /// Returns once whatever is there is as safe as this server makes it. A commit that was cut
    /// short may count on it, and not yet be where its replica is, or on no disk at all.
    pub(super) fn make_safe(&self) -> Result<(), Trouble> {
        // A transaction that changes nothing waits for nothing.
        self.session.execute_batch("UPDATE head SET digest = digest WHERE one = 1")
    }

    /// Commits, with this head in place of the one with this digest, that it came of.
    pub(super) fn commit(&self, before: &[u8], head: &Head) -> Result<(), Trouble> {
        let (content, digest) = head.as_row();
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&content, &&digest[..], &before];
        match self.session.execute_and_commit(COMMIT_HEAD, &params) {
            Err(Trouble::Refused { code, .. }) if code == NOBODY_THERE => {
                let why = "another process has written to it meanwhile".to_owned();
                Err(Trouble::Refused { code, why })
            }
            done => done,
        }
    }
}

impl Tables for PgTables<'_> {
    type Error = Trouble;

    fn reading_failed(&self, error: &Trouble) -> StoreError {
        error.when_reading(&self.shelf.path(), self.folder)
    }

    fn writing_failed(&self, error: &Trouble) -> StoreError {
        error.when_writing(&self.shelf.path(), self.folder)
    }

    fn damaged(&self, why: String) -> StoreError {
        damaged(&self.shelf.path(), self.folder, why)
    }

    fn read_head(&self) -> Result<Option<(String, Vec<u8>)>, Trouble> {
        let sql = "SELECT content, digest FROM head WHERE one = 1";
        let row = self.session.query(sql, &[])?.into_iter().next();
        row.map(|row| Ok((get(&row, 0)?, get(&row, 1)?))).transpose()
    }

    fn write_head(&self, content: &str, digest: &[u8]) -> Result<(), Trouble> {
        let sql = "INSERT INTO head VALUES (1, $1, $2)
            ON CONFLICT (one) DO UPDATE SET content = excluded.content, digest = excluded.digest";
        self.session.query(sql, &[&content, &digest]).map(|_| ())
    }

    fn read_plan(&self) -> Result<Option<String>, Trouble> {
        let sql = "SELECT content FROM plan WHERE one = 1";
        let row = self.session.query(sql, &[])?.into_iter().next();
        row.map(|row| get(&row, 0)).transpose()
    }

    fn write_plan(&self, content: &str) -> Result<(), Trouble> {
        let sql = "INSERT INTO plan VALUES (1, $1)
            ON CONFLICT (one) DO UPDATE SET content = excluded.content";
        self.session.query(sql, &[&content]).map(|_| ())
    }

    fn insert_events(&self, rows: &[NewEvent<'_>]) -> Result<Vec<bool>, Trouble> {
        let KeyArrays([rounds, coordinators, sums, senders]) =
            KeyArrays::of(rows.iter().map(|row| row.key));
        let members: Vec<_> = rows.iter().map(|row| row.members.as_str()).collect();
        let bodies: Vec<_> = rows.iter().map(|row| pack(row.body.as_bytes())).collect();
        let digests: Vec<_> = rows.iter().map(|row| &row.digest[..]).collect();
        let signatures: Vec<_> = rows.iter().map(|row| row.signature.as_deref()).collect();
        let inserted = self.session.query(
            INSERT_EVENTS,
            &[&rounds, &coordinators, &sums, &senders, &members, &bodies, &digests, &signatures],
        )?;
        if inserted.len() == rows.len() {
            return Ok(vec![true; rows.len()]);
        }
        let new: BTreeSet<_> = inserted.iter().map(key_of).collect::<Result<_, _>>()?;
        Ok(rows.iter().map(|row| new.contains(&row.key)).collect())
    }

    fn delete_other_versions(
        &self,
        rows: &[(OrderKey, RowDigest)],
    ) -> Result<Vec<(OrderKey, RowDigest)>, Trouble> {
        let KeyArrays([rounds, coordinators, sums, senders]) =
            KeyArrays::of(rows.iter().map(|(key, _)| *key));
        let digests: Vec<_> = rows.iter().map(|(_, digest)| &digest[..]).collect();
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&rounds, &coordinators, &sums, &senders, &digests];
        let gone = self.session.query(DELETE_OTHER_VERSIONS, &params)?;
        gone.iter().map(|row| Ok((key_of(row)?, bytes(row, 4)?))).collect()
    }

    fn delete_events(
        &self,
        from: Option<OrderKey>,
        through: Option<OrderKey>,
    ) -> Result<Vec<(OrderKey, RowDigest)>, Trouble> {
        let (from, to) = columns_between(from, through);
        let gone = self.session.query(
            DELETE_EVENTS,
            &[&from.0, &from.1, &from.2, &from.3, &to.0, &to.1, &to.2, &to.3],
        )?;
        gone.iter().map(|row| Ok((key_of(row)?, bytes(row, 4)?))).collect()
    }

    fn keys_above(&self, key: Option<OrderKey>) -> Result<Vec<OrderKey>, Trouble> {
        let from = columns_between(key, None).0;
        let rows = self.session.query(KEYS_ABOVE, &[&from.0, &from.1, &from.2, &from.3])?;
        rows.iter().map(key_of).collect()
    }

    fn events_after(
        &self,
        after: Option<OrderKey>,
        through: Option<OrderKey>,
        most: usize,
    ) -> Result<Vec<EventRow>, Trouble> {
        let ((from, to), most) = (columns_between(after, through), limit(most));
        let rows = self.session.query(
            EVENTS_AFTER,
            &[&from.0, &from.1, &from.2, &from.3, &to.0, &to.1, &to.2, &to.3, &most],
        )?;
        rows.iter().map(event_of).collect()
    }

    fn insert_marks(&self, marks: &[&ExecutedMark]) -> Result<(), Trouble> {
        let positions: Vec<_> = marks.iter().map(|mark| to_sql(mark.position.0)).collect();
        let KeyArrays([rounds, coordinators, sums, senders]) =
            KeyArrays::of(marks.iter().map(|mark| mark.key));
        let hashes: Vec<_> = marks.iter().map(|mark| &mark.hash.0[..]).collect();
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&positions, &rounds, &coordinators, &sums, &senders, &hashes];
        self.session.query(INSERT_MARKS, &params).map(|_| ())
    }

    fn last_mark(&self) -> Result<Option<ExecutedMark>, Trouble> {
        self.session.query(LAST_MARK, &[])?.first().map(mark_of).transpose()
    }

    fn marks_after(
        &self,
        after: Position,
        through: Position,
        most: usize,
    ) -> Result<Vec<ExecutedMark>, Trouble> {
        let (after, through, most) = (to_sql(after.0), to_sql(through.0), limit(most));
        let rows = self.session.query(MARKS_AFTER, &[&after, &through, &most])?;
        rows.iter().map(mark_of).collect()
    }

    fn delete_marks(&self, through: Position, most: i64) -> Result<Vec<ExecutedMark>, Trouble> {
        let gone = self.session.query(DELETE_MARKS, &[&to_sql(through.0), &most])?;
        gone.iter().map(mark_of).collect()
    }

    fn executed_after(
        &self,
        after: Position,
        most: usize,
    ) -> Result<Vec<(EventRow, Position, ChainHash)>, Trouble> {
        let rows = self.session.query(EXECUTED_AFTER, &[&to_sql(after.0), &limit(most)])?;
        let read = |row: &Row| {
            let position = Position(get::<i64>(row, 8)?.unsigned_abs());
            Ok((event_of(row)?, position, ChainHash(bytes(row, 9)?)))
        };
        rows.iter().map(read).collect()
    }

    fn hash_at(&self, position: Position) -> Result<Option<ChainHash>, Trouble> {
        let sql = "SELECT hash FROM executed WHERE position = $1";
        let rows = self.session.query(sql, &[&to_sql(position.0)])?;
        rows.first().map(|row| Ok(ChainHash(bytes(row, 0)?))).transpose()
    }

    fn read_piece(&self, number: i64, index: u32) -> Result<Option<(String, Vec<u8>)>, Trouble> {
        let sql = "SELECT text, digest FROM pieces WHERE snapshot = $1 AND place = $2";
        let rows = self.session.query(sql, &[&number, &i64::from(index)])?;
        rows.first().map(|row| Ok((text_of(row, 0)?, get(row, 1)?))).transpose()
    }

    fn write_piece(
        &self,
        number: i64,
        index: u32,
        text: &str,
        digest: RowDigest,
    ) -> Result<(), Trouble> {
        let sql = "INSERT INTO pieces VALUES ($1, $2, $3, $4) ON CONFLICT (snapshot, place)
            DO UPDATE SET text = excluded.text, digest = excluded.digest";
        let (place, packed) = (i64::from(index), pack(text.as_bytes()));
        self.session.query(sql, &[&number, &place, &packed, &&digest[..]]).map(|_| ())
    }

    fn write_same_piece(
        &self,
        of: (i64, u32),
        to: (i64, u32),
        digest: RowDigest,
    ) -> Result<bool, Trouble> {
        let sql = "INSERT INTO pieces SELECT $1, $2, text, $3 FROM pieces
            WHERE snapshot = $4 AND place = $5 ON CONFLICT (snapshot, place)
            DO UPDATE SET text = excluded.text, digest = excluded.digest RETURNING 1";
        let places = [of.1, to.1].map(i64::from);
        let written =
            self.session.query(sql, &[&to.0, &places[1], &&digest[..], &of.0, &places[0]])?;
        Ok(written.len() == 1)
    }

    fn delete_pieces_but(&self, numbers: [i64; 2], most: u32) -> Result<(), Trouble> {
        let sql = "DELETE FROM pieces WHERE (snapshot, place) IN
            (SELECT snapshot, place FROM pieces WHERE snapshot NOT IN ($1, $2) LIMIT $3)";
        self.session.query(sql, &[&numbers[0], &numbers[1], &i64::from(most)]).map(|_| ())
    }

    fn delete_all_pieces(&self) -> Result<(), Trouble> {
        self.session.execute_batch("TRUNCATE pieces")
    }
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

/// An event, from the columns of the key, members, body, digest and signature.
fn event_of(row: &Row) -> Result<EventRow, Trouble> {
    Ok(EventRow {
        key: key_of(row)?,
        members: get(row, 4)?,
        body: text_of(row, 5)?,
        digest: bytes(row, 6)?,
        signature: get(row, 7)?,
    })
}

/// A text as it was before it was stored; of one that cannot be unpacked none, which no digest
/// fits.
fn text_of(row: &Row, column: usize) -> Result<String, Trouble> {
    let packed: &[u8] = get(row, column)?;
    Ok(unpack(packed).and_then(|plain| String::from_utf8(plain).ok()).unwrap_or_default())
}

/// A mark of execution, from the columns of the key, position and hash.
fn mark_of(row: &Row) -> Result<ExecutedMark, Trouble> {
    let position = Position(get::<i64>(row, 4)?.unsigned_abs());
    Ok(ExecutedMark { key: key_of(row)?, position, hash: ChainHash(bytes(row, 5)?) })
}

/// A key, from the first four columns.
fn key_of(row: &Row) -> Result<OrderKey, Trouble> {
    let columns = (get(row, 0)?, get(row, 1)?, get(row, 2)?, get(row, 3)?);
    key_of_columns(columns).ok_or_else(|| Trouble::Strange("no bank has this number".into()))
}

/// A column of so many bytes.
fn bytes<const N: usize>(row: &Row, column: usize) -> Result<[u8; N], Trouble> {
    let bytes: &[u8] = get(row, column)?;
    bytes.try_into().map_err(|_| Trouble::Strange(format!("{} bytes, not {N}", bytes.len())))
}
