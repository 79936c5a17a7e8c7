//! Rows in and out: what a change writes, and what a row must be to be believed.

use std::sync::Arc;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::value::RawValue;

use super::head::{Head, RowDigest, Seal, Settled, Stored, row_digest, sha256};
use crate::ids::signature::Signature;
use crate::ids::{Ballot, BankId, BankSet, ChainHash, Position};
use crate::protocol::event::{Event, Held};
use crate::protocol::execution::ExecutedMark;
use crate::protocol::order_key::OrderKey;
use crate::protocol::snapshot::{SnapshotHead, SnapshotPiece};
use crate::protocol::view::PreparePlan;
use crate::store::packed::{pack, unpack};
use crate::store::{Change, DROP_EVENTS_MAX, SETTLE_EVENTS_MAX};

/// Larger than every key there is.
const ABOVE_ALL: OrderKey = OrderKey {
    view: Ballot { round: i64::MAX as u64, coordinator: BankId(u16::MAX) },
    sum: i64::MAX as u64,
    sender: BankId(u16::MAX),
};

/// Columns of a key that is smaller than every key there is.
pub(super) const BELOW_ALL: (i64, i64, i64, i64) = (-1, 0, 0, 0);

/// One transaction's worth of changes, and the head as it will be.
pub(super) struct Writer<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) head: &'a mut Head,
    /// Whether events and pieces are packed.
    pub(super) packs: bool,
}

impl Writer<'_> {
    pub(super) fn write(&mut self, change: &Change) -> rusqlite::Result<()> {
        match change {
            Change::Append(held) => self.insert_event(held),
            Change::Executed(mark) => self.insert_executed(mark),
            Change::Replayed(entry) => {
                let key = entry.held.event.order_key();
                self.head.unverified = true;
                self.replace_other_version(&entry.held)?;
                self.insert_event(&entry.held)?;
                self.insert_executed(&ExecutedMark {
                    key,
                    position: entry.position,
                    hash: entry.hash,
                })
            }
            Change::Promise(ballot) => {
                self.head.promised = *ballot;
                Ok(())
            }
            Change::Prepared { plan, fetched, dropped, learner } => {
                self.head.fresh = *learner && (self.head.fresh || !self.head.learner);
                self.head.learner = *learner;
                self.head.in_doubt &= *learner;
                self.prepare(plan, fetched, dropped)
            }
            Change::Forgotten => {
                (self.head.learner, self.head.fresh, self.head.in_doubt) = (true, false, false);
                Ok(())
            }
            Change::Doubted => {
                self.head.in_doubt |= !self.head.learner;
                (self.head.learner, self.head.fresh) = (true, self.head.learner && self.head.fresh);
                Ok(())
            }
            Change::Counts => {
                (self.head.learner, self.head.fresh, self.head.in_doubt) = (false, false, false);
                Ok(())
            }
            Change::SnapshotPiece(piece) => self.insert_piece(piece),
            Change::SnapshotComplete(head) => {
                self.install(head)?;
                self.drop_through(head.position, i64::MAX)?;
                self.delete_events(None, Some(head.executed.last))?;
                self.head.starts_after = (head.position, head.hash);
                (self.head.unverified, self.head.settled) = (true, None);
                Ok(())
            }
            Change::SnapshotMade(head) => self.install(head),
            Change::DropJournal { through } => self.drop_through(*through, DROP_EVENTS_MAX),
            Change::Settle { through } => self.settle(*through),
        }
    }

    /// The event may be there already, if it was held before it was fetched as executed.
    fn insert_event(&mut self, held: &Held) -> rusqlite::Result<()> {
        self.head.belongs_to(&held.event.timestamp);
        let key = held.event.order_key();
        let (members, body) = (as_json(&held.members), held.event.wire().get());
        let signature = signature_of(held);
        let digest = digest_of(&members, body, signature.as_deref());
        let sql = "INSERT OR IGNORE INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let (round, coordinator, sum, sender) = key_columns(key);
        let body = self.packed(body);
        let row = params![round, coordinator, sum, sender, members, body, &digest[..], signature];
        if statement.execute(row)? > 0 {
            self.head.add_event(key, digest);
        }
        Ok(())
    }

    /// A text as it is stored.
    fn packed(&self, text: &str) -> Value {
        match self.packs {
            true => Value::Blob(pack(text.as_bytes())),
            false => Value::Text(text.to_owned()),
        }
    }

    /// An event was executed elsewhere in another version than the one held here, which a bank gone
    /// mad may have sent: what was executed counts, and must be what is executed again from here.
    fn replace_other_version(&mut self, held: &Held) -> rusqlite::Result<()> {
        let key = held.event.order_key();
        let (members, body) = (as_json(&held.members), held.event.wire().get());
        let digest = digest_of(&members, body, signature_of(held).as_deref());
        let sql = "SELECT digest FROM events
            WHERE (round, coordinator, sum, sender) = (?1, ?2, ?3, ?4)";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let here: Option<RowDigest> =
            statement.query_row(key_columns(key), |row| row.get(0)).optional()?;
        if here.is_some_and(|here| here != digest) {
            self.delete_events(Some(key), Some(key))?;
        }
        Ok(())
    }

    fn insert_executed(&mut self, mark: &ExecutedMark) -> rusqlite::Result<()> {
        let sql = "INSERT INTO executed VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let (round, coordinator, sum, sender) = key_columns(mark.key);
        statement.execute(params![
            to_sql(mark.position.0),
            round,
            coordinator,
            sum,
            sender,
            &mark.hash.0[..]
        ])?;
        self.head.add_mark(mark.key, mark_digest(mark));
        Ok(())
    }

    /// What is not part of the plan never existed, whether the view knew of it or not.
    fn prepare(
        &mut self,
        plan: &PreparePlan,
        fetched: &[Held],
        dropped: &[OrderKey],
    ) -> rusqlite::Result<()> {
        for key in dropped {
            self.delete_events(Some(*key), Some(*key))?;
        }
        // If execution marks are still under way, their events must not be mistaken for ones that
        // never existed.
        let last = self.last_executed()?;
        if last.as_ref().map_or(Position::default(), |(position, _)| *position) == plan.position {
            let planned: std::collections::BTreeSet<_> =
                plan.events.iter().map(|(key, _)| *key).collect();
            for key in self.keys_above(last.map(|(_, key)| key))? {
                if !planned.contains(&key) {
                    self.delete_events(Some(key), Some(key))?;
                }
            }
        }
        fetched.iter().try_for_each(|held| self.insert_event(held))?;
        (self.head.rescue, self.head.unverified) = (false, false);
        self.head.belongs_to(&plan.clock);
        write_plan(self.transaction, self.head, plan)
    }

    /// The last event that is known to have been executed, in the journal or before it.
    fn last_executed(&self) -> rusqlite::Result<Option<(Position, OrderKey)>> {
        let sql = "SELECT round, coordinator, sum, sender, position FROM executed ORDER BY position DESC LIMIT 1";
        let read =
            |row: &Row<'_>| Ok((Position(row.get::<_, i64>(4)?.unsigned_abs()), key_of(row)?));
        let in_journal = self.transaction.prepare_cached(sql)?.query_row([], read).optional()?;
        let in_snapshot = self
            .head
            .snapshot
            .as_ref()
            .map(|stored| (stored.head.position, stored.head.executed.last));
        Ok(in_journal.max(in_snapshot))
    }

    fn keys_above(&self, key: Option<OrderKey>) -> rusqlite::Result<Vec<OrderKey>> {
        let all = "SELECT round, coordinator, sum, sender FROM events";
        match key {
            None => self.transaction.prepare_cached(all)?.query_map([], key_of)?.collect(),
            Some(key) => {
                let sql =
                    format!("{all} WHERE (round, coordinator, sum, sender) > (?1, ?2, ?3, ?4)");
                self.transaction
                    .prepare_cached(&sql)?
                    .query_map(key_columns(key), key_of)?
                    .collect()
            }
        }
    }

    /// Deletes the events from one key to another, both included.
    fn delete_events(
        &mut self,
        from: Option<OrderKey>,
        through: Option<OrderKey>,
    ) -> rusqlite::Result<()> {
        let sql = "DELETE FROM events WHERE (round, coordinator, sum, sender) >= (?1, ?2, ?3, ?4)
            AND (round, coordinator, sum, sender) <= (?5, ?6, ?7, ?8)
            RETURNING round, coordinator, sum, sender, digest";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let from = from.map_or((0, 0, 0, 0), key_columns);
        let through = key_columns(through.unwrap_or(ABOVE_ALL));
        let bounds =
            params![from.0, from.1, from.2, from.3, through.0, through.1, through.2, through.3];
        let mut rows = statement.query(bounds)?;
        while let Some(row) = rows.next()? {
            self.head.take_event(key_of(row)?, row.get(4)?);
        }
        Ok(())
    }

    /// Drops executed events through a position from the journal, the oldest first and at most
    /// `events_max`.
    fn drop_through(&mut self, through: Position, events_max: i64) -> rusqlite::Result<()> {
        let sql = "DELETE FROM executed WHERE position IN
            (SELECT position FROM executed WHERE position <= ?1 ORDER BY position LIMIT ?2)
            RETURNING round, coordinator, sum, sender, position, hash";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let marks: Vec<_> = statement
            .query_map([to_sql(through.0), events_max], mark_of)?
            .collect::<Result<_, _>>()?;
        marks.iter().for_each(|mark| self.head.take_mark(mark.key, mark_digest(mark)));
        if let Some(last) = marks.iter().max_by_key(|mark| mark.position) {
            self.head.starts_after = (last.position, last.hash);
            self.delete_events(None, Some(last.key))?;
        }
        Ok(())
    }

    /// Proves some more of what was executed through a position, and settles it.
    fn settle(&mut self, through: Position) -> rusqlite::Result<()> {
        let before = self.head.settled;
        let sql = "SELECT round, coordinator, sum, sender, position, hash FROM executed
            WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3";
        let after = before.map_or(0, |settled| to_sql(settled.position.0));
        let mut statement = self.transaction.prepare_cached(sql)?;
        let marks: Vec<_> = statement
            .query_map([after, to_sql(through.0), SETTLE_EVENTS_MAX], mark_of)?
            .collect::<Result<_, _>>()?;
        let Some(last) = marks.last() else { return Ok(()) };
        let mut settled = Settled {
            key: last.key,
            position: last.position,
            events: before.map(|settled| settled.events).unwrap_or_default(),
            executed: before.map(|settled| settled.executed).unwrap_or_default(),
        };
        marks.iter().for_each(|mark| settled.executed.add(mark_digest(mark)));
        let sql = "SELECT members, body, digest, signature FROM events
            WHERE (round, coordinator, sum, sender) > (?1, ?2, ?3, ?4)
            AND (round, coordinator, sum, sender) <= (?5, ?6, ?7, ?8)";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let from = before.map_or(BELOW_ALL, |settled| key_columns(settled.key));
        let to = key_columns(last.key);
        let mut rows =
            statement.query(params![from.0, from.1, from.2, from.3, to.0, to.1, to.2, to.3])?;
        while let Some(row) = rows.next()? {
            let (members, body): (String, _) = (row.get(0)?, text_of(row, 1)?);
            let (digest, signature): (RowDigest, Option<Vec<u8>>) = (row.get(2)?, row.get(3)?);
            if digest_of(&members, &body, signature.as_deref()) != digest {
                return Err(rusqlite::Error::QueryReturnedNoRows);
            }
            settled.events.add(digest);
        }
        self.head.settled = Some(settled);
        Ok(())
    }

    fn insert_piece(&mut self, piece: &SnapshotPiece) -> rusqlite::Result<()> {
        let numbers = [&self.head.snapshot, &self.head.arriving]
            .map(|stored| stored.as_ref().map_or(0, |s| s.number));
        let begun = self.head.arriving.take().filter(|stored| stored.head == piece.head);
        let fresh =
            || Stored { number: numbers[0].max(numbers[1]) + 1, head: piece.head.clone(), here: 0 };
        let stored = begun.unwrap_or_else(fresh);
        if stored.here == 0 {
            self.delete_pieces_but(&stored)?;
        }
        let next = piece.index == stored.here;
        if next {
            let digest = piece_digest(stored.number, piece.index, &piece.text);
            let sql = "INSERT OR REPLACE INTO pieces VALUES (?1, ?2, ?3, ?4)";
            let mut statement = self.transaction.prepare_cached(sql)?;
            statement.execute(params![
                stored.number,
                piece.index,
                self.packed(&piece.text),
                &digest[..]
            ])?;
        }
        self.head.arriving = Some(Stored { here: stored.here + u32::from(next), ..stored });
        Ok(())
    }

    /// The pieces that have arrived become the snapshot.
    fn install(&mut self, head: &SnapshotHead) -> rusqlite::Result<()> {
        let Some(stored) =
            self.head.arriving.take_if(|stored| stored.head == *head && stored.here == head.pieces)
        else {
            // The view opens only snapshots whose pieces are all here; if they are not, this disk
            // cannot be relied on.
            return Err(rusqlite::Error::QueryReturnedNoRows);
        };
        self.head.belongs_to(&head.executed.clock);
        self.head.snapshot = Some(stored.clone());
        self.delete_pieces_but(&stored)
    }

    /// Deletes the installed snapshot.
    pub(super) fn abandon_snapshot(&mut self) -> rusqlite::Result<()> {
        (self.head.snapshot, self.head.arriving) = (None, None);
        // Their index may be what is damaged.
        self.transaction.execute_batch("REINDEX pieces; DELETE FROM pieces;")
    }

    /// Deletes pieces that belong neither to this snapshot nor to the installed one.
    fn delete_pieces_but(&self, stored: &Stored) -> rusqlite::Result<()> {
        let installed = self.head.snapshot.as_ref().map_or(stored.number, |stored| stored.number);
        let mut statement =
            self.transaction.prepare_cached("DELETE FROM pieces WHERE snapshot NOT IN (?1, ?2)")?;
        statement.execute([stored.number, installed]).map(|_| ())
    }
}

pub(super) fn write_plan(
    db: &Connection,
    head: &mut Head,
    plan: &PreparePlan,
) -> rusqlite::Result<()> {
    let content = as_json(plan);
    head.plan = sha256(&content);
    db.prepare_cached("INSERT OR REPLACE INTO plan VALUES (1, ?1)")?.execute([content]).map(|_| ())
}

/// The prepared plan, if its row is what the head says.
pub(super) fn read_plan(db: &Connection, head: &Head) -> rusqlite::Result<Option<PreparePlan>> {
    let text: Option<String> =
        db.query_row("SELECT content FROM plan WHERE one = 1", [], |row| row.get(0)).optional()?;
    Ok(text
        .filter(|text| sha256(text) == head.plan)
        .and_then(|text| serde_json::from_str(&text).ok()))
}

/// A piece of a snapshot, if it is here and as it was written.
pub(super) fn read_piece(
    db: &Connection,
    stored: &Stored,
    index: u32,
) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT text, digest FROM pieces WHERE snapshot = ?1 AND place = ?2";
    let columns = |row: &Row<'_>| Ok((text_of(row, 0)?, row.get::<_, Vec<u8>>(1)?));
    let row =
        db.prepare_cached(sql)?.query_row(params![stored.number, index], columns).optional()?;
    Ok(row
        .filter(|(text, digest)| piece_digest(stored.number, index, text)[..] == digest[..])
        .map(|(text, _)| text))
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

/// An event's row as it is stored: key, members, body, digest, signature.
pub(super) struct EventRow {
    pub(super) key: OrderKey,
    members: String,
    body: String,
    pub(super) digest: RowDigest,
    signature: Option<Vec<u8>>,
}

impl EventRow {
    /// From the first eight columns.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(EventRow {
            key: key_of(row)?,
            members: row.get(4)?,
            body: text_of(row, 5)?,
            digest: row.get(6)?,
            signature: row.get(7)?,
        })
    }

    /// The event, if the row is what was written.
    pub(super) fn held(&mut self) -> Option<Held> {
        let signature = self.signature.as_deref();
        if digest_of(&self.members, &self.body, signature) != self.digest {
            return None;
        }
        let signature = signature.map(Signature::from_bytes);
        if signature == Some(None) {
            return None;
        }
        let text = RawValue::from_string(std::mem::take(&mut self.body)).ok()?;
        let event = Event::from_text(text.into(), Ballot::default()).ok()?;
        let members: BankSet = serde_json::from_str(&self.members).ok()?;
        let event = Arc::new(event.with_signature(signature.flatten()));
        (event.order_key() == self.key).then_some(Held { event, members })
    }
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
pub(super) fn mark_of(row: &Row<'_>) -> rusqlite::Result<ExecutedMark> {
    let position = Position(row.get::<_, i64>(4)?.unsigned_abs());
    Ok(ExecutedMark { key: key_of(row)?, position, hash: ChainHash(row.get(5)?) })
}

/// A key, from the first four columns.
fn key_of(row: &Row<'_>) -> rusqlite::Result<OrderKey> {
    let view =
        Ballot { round: row.get::<_, i64>(0)?.unsigned_abs(), coordinator: BankId(row.get(1)?) };
    Ok(OrderKey { view, sum: row.get::<_, i64>(2)?.unsigned_abs(), sender: BankId(row.get(3)?) })
}

pub(super) fn key_columns(key: OrderKey) -> (i64, i64, i64, i64) {
    (to_sql(key.view.round), key.view.coordinator.0.into(), to_sql(key.sum), key.sender.0.into())
}

fn signature_of(held: &Held) -> Option<Vec<u8>> {
    held.event.signature().map(Signature::to_bytes)
}

/// Rows from before events were signed have no signature, and the same digest as then.
fn digest_of(members: &str, body: &str, signature: Option<&[u8]>) -> RowDigest {
    let (members, body) = (members.as_bytes(), body.as_bytes());
    match signature {
        Some(signature) => row_digest(&[members, body, signature]),
        None => row_digest(&[members, body]),
    }
}

pub(super) fn mark_digest(mark: &ExecutedMark) -> RowDigest {
    let OrderKey { view, sum, sender } = mark.key;
    let numbers = [mark.position.0, view.round, view.coordinator.0.into(), sum, sender.0.into()];
    row_digest(&[numbers.map(u64::to_be_bytes).as_flattened(), &mark.hash.0])
}

fn piece_digest(number: i64, index: u32, text: &str) -> RowDigest {
    row_digest(&[&number.to_be_bytes(), &index.to_be_bytes(), text.as_bytes()])
}

fn as_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("the protocol's types are JSON")
}

pub(super) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).expect("counters stay far below 2^63")
}
