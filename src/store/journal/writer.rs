//! What a change writes.
//!
//! Events and marks are gathered and handed to the engine many at a time, before anything that
//! depends on them.

use std::collections::BTreeMap;

use super::digest::sha256;
use super::head::{Head, Settled, Stored};
use super::rows::{NewEvent, as_json, mark_digest, piece_digest};
use super::tables::{Tables, Unfit};
use crate::ids::Position;
use crate::protocol::event::Held;
use crate::protocol::execution::ExecutedMark;
use crate::protocol::order_key::OrderKey;
use crate::protocol::snapshot::{SnapshotHead, SnapshotPiece, digest_of};
use crate::protocol::view::PreparePlan;
use crate::store::{Change, DROP_EVENTS_MAX, DROP_PIECES_MAX, SETTLE_EVENTS_MAX};

/// How many events are read at a time while they are proved.
const PROVED_AT_ONCE: usize = 500;

/// An event that is to be inserted.
#[derive(Clone, Copy)]
struct Gathered<'c> {
    held: &'c Held,
    /// It was executed elsewhere in this version, and takes the place of any other one.
    replaces: bool,
}

/// One transaction's worth of changes, and the head as it will be.
pub(in crate::store) struct Writer<'c, 'a, T> {
    tables: &'a T,
    pub(in crate::store) head: &'a mut Head,
    events: BTreeMap<OrderKey, Gathered<'c>>,
    marks: Vec<ExecutedMark>,
}

impl<'c, 'a, T: Tables> Writer<'c, 'a, T> {
    pub(in crate::store) fn new(tables: &'a T, head: &'a mut Head) -> Self {
        Writer { tables, head, events: BTreeMap::new(), marks: Vec::new() }
    }

    /// Writes the changes.
    pub(in crate::store) fn write(&mut self, changes: &'c [Change]) -> Result<(), T::Error> {
        changes.iter().try_for_each(|change| self.take(change))?;
        self.insert_gathered()
    }

    fn take(&mut self, change: &'c Change) -> Result<(), T::Error> {
        match change {
            Change::Append(held) => self.gather(held, false),
            Change::Executed(mark) => {
                self.marks.push(mark.clone());
                Ok(())
            }
            Change::Replayed(entry) => {
                let key = entry.held.event.order_key();
                self.head.unverified = true;
                self.gather(&entry.held, true)?;
                let (position, hash) = (entry.position, entry.hash);
                self.marks.push(ExecutedMark { key, position, hash });
                Ok(())
            }
            Change::Promise(ballot) => {
                self.head.promised = *ballot;
                Ok(())
            }
            Change::Forgotten => {
                let head = &mut *self.head;
                (head.learner, head.fresh, head.in_doubt) = (true, false, false);
                Ok(())
            }
            Change::Doubted => {
                let head = &mut *self.head;
                head.in_doubt |= !head.learner;
                (head.learner, head.fresh) = (true, head.learner && head.fresh);
                Ok(())
            }
            Change::Counts => {
                let head = &mut *self.head;
                (head.learner, head.fresh, head.in_doubt) = (false, false, false);
                Ok(())
            }
            Change::SnapshotPiece(SnapshotPiece { head, index, text }) => {
                self.insert_piece(head, *index, |tables, number| {
                    let digest = piece_digest(number, *index, digest_of(text));
                    tables.write_piece(number, *index, text, digest).map(|()| true)
                })
            }
            Change::SamePiece { head, index, of, text } => {
                let installed = self.head.snapshot.as_ref().map_or(0, |stored| stored.number);
                self.insert_piece(head, *index, |tables, number| {
                    let digest = piece_digest(number, *index, *text);
                    tables.write_same_piece((installed, *of), (number, *index), digest)
                })
            }
            change => {
                self.insert_gathered()?;
                self.change_journal(change)
            }
        }
    }

    /// Changes that depend on the events and marks before them.
    fn change_journal(&mut self, change: &'c Change) -> Result<(), T::Error> {
        match change {
            Change::Prepared { plan, fetched, dropped, learner } => {
                self.head.fresh = *learner && (self.head.fresh || !self.head.learner);
                self.head.learner = *learner;
                self.head.in_doubt &= *learner;
                self.prepare(plan, fetched, dropped)
            }
            Change::SnapshotComplete(head) => {
                self.install(head, head)?;
                self.drop_through(head.position, i64::MAX)?;
                self.delete_events(None, Some(head.executed.last))?;
                self.head.starts_after = (head.position, head.hash);
                (self.head.unverified, self.head.settled) = (true, None);
                Ok(())
            }
            Change::SnapshotMade(head) => self.install(head, &head.as_begun()),
            Change::DropJournal { through } => self.drop_through(*through, DROP_EVENTS_MAX),
            Change::Settle { through } => self.settle(*through),
            other => unreachable!("{other:?} depends on nothing"),
        }
    }

    /// The event may be there already, if it was held before it was fetched as executed. It may
    /// also be held in another version than the executed one, which a bank gone mad may have sent:
    /// what was executed counts, and must be what is executed again from here.
    fn gather(&mut self, held: &'c Held, replaces: bool) -> Result<(), T::Error> {
        self.head.belongs_to(&held.event.timestamp);
        let key = held.event.order_key();
        if replaces && self.events.contains_key(&key) {
            self.insert_gathered()?;
        }
        self.events.entry(key).or_insert(Gathered { held, replaces });
        Ok(())
    }

    fn insert_gathered(&mut self) -> Result<(), T::Error> {
        let events = std::mem::take(&mut self.events);
        if !events.is_empty() {
            let rows: Vec<_> = events.values().map(|event| NewEvent::of(event.held)).collect();
            let replacing: Vec<_> = rows
                .iter()
                .zip(events.values())
                .filter(|(_, event)| event.replaces)
                .map(|(row, _)| (row.key, row.digest))
                .collect();
            if !replacing.is_empty() {
                let gone = self.tables.delete_other_versions(&replacing)?;
                gone.into_iter().for_each(|(key, digest)| self.head.take_event(key, digest));
            }
            let inserted = self.tables.insert_events(&rows)?;
            let new = rows.iter().zip(inserted).filter(|(_, is_new)| *is_new);
            new.for_each(|(row, _)| self.head.add_event(row.key, row.digest));
        }
        let marks = std::mem::take(&mut self.marks);
        if !marks.is_empty() {
            self.tables.insert_marks(&marks.iter().collect::<Vec<_>>())?;
            marks.iter().for_each(|mark| self.head.add_mark(mark.key, mark_digest(mark)));
        }
        Ok(())
    }

    /// What is not part of the plan never existed, whether the view knew of it or not.
    fn prepare(
        &mut self,
        plan: &PreparePlan,
        fetched: &'c [Held],
        dropped: &[OrderKey],
    ) -> Result<(), T::Error> {
        for key in dropped {
            self.delete_events(Some(*key), Some(*key))?;
        }
        // If execution marks are still under way, their events must not be mistaken for ones that
        // never existed.
        let last = self.last_executed()?;
        if last.as_ref().map_or(Position::default(), |(position, _)| *position) == plan.position {
            let planned: std::collections::BTreeSet<_> =
                plan.events.iter().map(|(key, _)| *key).collect();
            for key in self.tables.keys_above(last.map(|(_, key)| key))? {
                if !planned.contains(&key) {
                    self.delete_events(Some(key), Some(key))?;
                }
            }
        }
        fetched.iter().try_for_each(|held| self.gather(held, false))?;
        self.insert_gathered()?;
        (self.head.rescue, self.head.unverified) = (false, false);
        self.head.belongs_to(&plan.clock);
        write_plan(self.tables, self.head, plan)
    }

    /// The last event that is known to have been executed, in the journal or before it.
    fn last_executed(&self) -> Result<Option<(Position, OrderKey)>, T::Error> {
        let in_journal = self.tables.last_mark()?.map(|mark| (mark.position, mark.key));
        let in_snapshot = self
            .head
            .snapshot
            .as_ref()
            .map(|stored| (stored.head.position, stored.head.executed.last));
        Ok(in_journal.max(in_snapshot))
    }

    /// Deletes the events from one key to another, both included.
    fn delete_events(
        &mut self,
        from: Option<OrderKey>,
        through: Option<OrderKey>,
    ) -> Result<(), T::Error> {
        let gone = self.tables.delete_events(from, through)?;
        gone.into_iter().for_each(|(key, digest)| self.head.take_event(key, digest));
        Ok(())
    }

    /// Drops executed events through a position from the journal, the oldest first and at most
    /// `events_max`.
    fn drop_through(&mut self, through: Position, events_max: i64) -> Result<(), T::Error> {
        let marks = self.tables.delete_marks(through, events_max)?;
        marks.iter().for_each(|mark| self.head.take_mark(mark.key, mark_digest(mark)));
        if let Some(last) = marks.iter().max_by_key(|mark| mark.position) {
            self.head.starts_after = (last.position, last.hash);
            self.delete_events(None, Some(last.key))?;
        }
        Ok(())
    }

    /// Proves some more of what was executed through a position, and settles it.
    fn settle(&mut self, through: Position) -> Result<(), T::Error> {
        let before = self.head.settled;
        let after = before.map(|settled| settled.position).unwrap_or_default();
        let most = usize::try_from(SETTLE_EVENTS_MAX).unwrap_or(usize::MAX);
        let marks = self.tables.marks_after(after, through, most)?;
        let Some(last) = marks.last() else { return Ok(()) };
        let mut settled = Settled {
            key: last.key,
            position: last.position,
            events: before.map(|settled| settled.events).unwrap_or_default(),
            executed: before.map(|settled| settled.executed).unwrap_or_default(),
        };
        marks.iter().for_each(|mark| settled.executed.add(mark_digest(mark)));
        let mut from = before.map(|settled| settled.key);
        loop {
            let rows = self.tables.events_after(from, Some(last.key), PROVED_AT_ONCE)?;
            let Some(newest) = rows.last() else { break };
            from = Some(newest.key);
            for row in rows {
                if !row.is_whole() {
                    return Err(Unfit.into());
                }
                settled.events.add(row.digest);
            }
        }
        self.head.settled = Some(settled);
        Ok(())
    }

    /// Inserts the next piece of a snapshot by what writes it under a number, which says whether
    /// it could.
    fn insert_piece(
        &mut self,
        head: &SnapshotHead,
        index: u32,
        write: impl FnOnce(&T, i64) -> Result<bool, T::Error>,
    ) -> Result<(), T::Error> {
        let numbers = [&self.head.snapshot, &self.head.arriving]
            .map(|stored| stored.as_ref().map_or(0, |s| s.number));
        // Pieces of a snapshot that this bank was making itself when it ended may be another
        // release's.
        let may_go_on = head.is_finished() || index > 0;
        let begun = self.head.arriving.take();
        let begun = begun.filter(|stored| may_go_on && stored.head == *head);
        let fresh =
            || Stored { number: numbers[0].max(numbers[1]) + 1, head: head.clone(), here: 0 };
        let stored = begun.unwrap_or_else(fresh);
        // Those of earlier snapshots go while new ones come.
        let installed = self.head.snapshot.as_ref().map_or(stored.number, |stored| stored.number);
        self.tables.delete_pieces_but([stored.number, installed], DROP_PIECES_MAX)?;
        let next = index == stored.here;
        if next && !write(self.tables, stored.number)? {
            return Err(Unfit.into());
        }
        self.head.arriving = Some(Stored { here: stored.here + u32::from(next), ..stored });
        Ok(())
    }

    /// The pieces that have come under a head become the snapshot of this one.
    fn install(&mut self, head: &SnapshotHead, came_under: &SnapshotHead) -> Result<(), T::Error> {
        let are_here =
            |stored: &mut Stored| stored.head == *came_under && stored.here == head.pieces;
        let Some(stored) = self.head.arriving.take_if(are_here) else {
            // The view opens only snapshots whose pieces are all here; if they are not, this disk
            // cannot be relied on.
            return Err(Unfit.into());
        };
        self.head.belongs_to(&head.executed.clock);
        self.head.snapshot = Some(Stored { head: head.clone(), ..stored });
        Ok(())
    }

    /// This disk decides how the next view begins.
    pub(in crate::store) fn declare_rescue(&mut self) -> Result<(), T::Error> {
        self.take(&Change::Counts)?;
        self.head.rescue = true;
        Ok(())
    }

    /// Deletes all pieces of snapshots that are neither installed nor arriving.
    pub(in crate::store) fn drop_old_pieces(&mut self) -> Result<(), T::Error> {
        let numbers = [&self.head.snapshot, &self.head.arriving]
            .map(|stored| stored.as_ref().map_or(0, |stored| stored.number));
        self.tables.delete_pieces_but(numbers, i32::MAX as u32)
    }

    /// Deletes the installed snapshot.
    pub(in crate::store) fn abandon_snapshot(&mut self) -> Result<(), T::Error> {
        (self.head.snapshot, self.head.arriving) = (None, None);
        self.tables.delete_all_pieces()
    }
}

/// Writes the plan; the head has its digest.
pub(in crate::store) fn write_plan<T: Tables>(
    tables: &T,
    head: &mut Head,
    plan: &PreparePlan,
) -> Result<(), T::Error> {
    let content = as_json(plan);
    head.plan = sha256(&content);
    tables.write_plan(&content)
}

/// The prepared plan, if it is what the head says.
pub(in crate::store) fn read_plan<T: Tables>(
    tables: &T,
    head: &Head,
) -> Result<Option<PreparePlan>, T::Error> {
    Ok(tables
        .read_plan()?
        .filter(|text| sha256(text) == head.plan)
        .and_then(|text| serde_json::from_str(&text).ok()))
}
