//! Rows of a journal from one engine into another.

use super::StoreError;
use super::journal::{Head, Tables};
use crate::ids::Position;

/// Copies all rows of a journal but its head.
///
/// # Errors
/// [`StoreError`] of the side that fails.
pub(super) fn copy<S: Tables, T: Tables>(from: &S, to: &T, head: &Head) -> Result<(), StoreError> {
    const AT_ONCE: usize = 500;
    let unread = |error: S::Error| from.reading_failed(&error);
    let unwritten = |error: T::Error| to.writing_failed(&error);
    let mut last = None;
    loop {
        let rows = from.events_after(last, None, AT_ONCE).map_err(unread)?;
        let Some(newest) = rows.last() else { break };
        last = Some(newest.key);
        let rows: Vec<_> = rows.iter().map(|row| row.as_new()).collect();
        to.insert_events(&rows).map_err(unwritten)?;
    }
    let (mut after, all) = (Position::default(), Position(i64::MAX as u64));
    loop {
        let marks = from.marks_after(after, all, AT_ONCE).map_err(unread)?;
        let Some(newest) = marks.last() else { break };
        after = newest.position;
        to.insert_marks(&marks.iter().collect::<Vec<_>>()).map_err(unwritten)?;
    }
    for stored in head.snapshot.iter().chain(&head.arriving) {
        for index in 0..stored.here {
            let damaged = || from.damaged(format!("piece {index}"));
            let piece = from.read_piece(stored.number, index).map_err(unread)?;
            let (text, digest) = piece.ok_or_else(damaged)?;
            let digest = digest.try_into().map_err(|_| damaged())?;
            to.write_piece(stored.number, index, &text, digest).map_err(unwritten)?;
        }
    }
    let plan = from.read_plan().map_err(unread)?;
    let plan = plan.ok_or_else(|| from.damaged("the prepared view".into()))?;
    to.write_plan(&plan).map_err(unwritten)
}
