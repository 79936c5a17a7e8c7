//! The partitions of the blocks: each has so many numbers of entries, whether they are there or
//! not, and is made by the node that writes, before its first row comes.
//!
//! A partition that is full is not written any more but for gaps that are filled. It can be
//! vacuumed, copied or moved to another disk by itself, and a look-up reads one of them.

use std::collections::BTreeSet;

use super::schema::PAST_LAYOUT;
use super::session::{Session, get};
use super::trouble::Trouble;

/// The layout of the past in which all blocks were in one table.
pub(super) const UNPARTITIONED: i32 = 1;

/// How many entries have their blocks in one partition, a multiple of a block's: some 3 GB. A
/// consortium that executes 10,000 packages a second fills 26 of them a day.
const ENTRIES: i64 = 1 << 26;

/// Which partitions are known to be there.
#[derive(Default)]
pub(super) struct Partitions(BTreeSet<i64>);

/// In which partition a block is that begins with an entry.
fn number_of(first: i64) -> i64 {
    first.saturating_sub(1) / ENTRIES
}

/// With which entry a partition begins.
fn begin_of(number: i64) -> i64 {
    number * ENTRIES + 1
}

impl Partitions {
    /// Makes those that blocks which begin with these entries belong to, if they are not there, and
    /// the one after the last, so that nobody waits for it when its time has come.
    pub(super) fn make_for(&mut self, session: &Session, firsts: &[i64]) -> Result<(), Trouble> {
        let mut wanted: BTreeSet<_> = firsts.iter().map(|first| number_of(*first)).collect();
        wanted.extend(wanted.last().map(|last| last + 1));
        if wanted.is_subset(&self.0) {
            return Ok(());
        }
        let there = session.query("SELECT number FROM partitions", &[])?;
        self.0 = there.iter().map(|row| get(row, 0)).collect::<Result<_, _>>()?;
        for number in wanted.difference(&self.0.clone()) {
            make(session, *number)?;
            self.0.insert(*number);
        }
        Ok(())
    }
}

/// A table that is attached does not hold up those who read, as one that is made in its place does.
fn make(session: &Session, number: i64) -> Result<(), Trouble> {
    let (from, to) = (begin_of(number), begin_of(number + 1));
    session.execute_batch(&format!(
        "BEGIN;
         CREATE TABLE blocks_{number} (LIKE blocks INCLUDING ALL);
         ALTER TABLE blocks ATTACH PARTITION blocks_{number} FOR VALUES FROM ({from}) TO ({to});
         INSERT INTO partitions VALUES ({number});
         COMMIT"
    ))
}

/// Makes of the one table of earlier releases the first partition, without copying it; its range is
/// as long as it has to be. Answers the layout that is there then.
pub(super) fn divide(session: &Session) -> Result<i32, Trouble> {
    let last = session.one("SELECT coalesce(max(first), 0) FROM blocks", &[])?;
    let end = number_of(get(&last, 0)?) + 1;
    session.execute_at_leisure(&format!(
        "BEGIN;
         ALTER TABLE blocks RENAME TO blocks_before;
         ALTER INDEX blocks_pkey RENAME TO blocks_before_pkey;
         CREATE TABLE blocks (LIKE blocks_before INCLUDING STORAGE, PRIMARY KEY (first))
             PARTITION BY RANGE (first);
         ALTER TABLE blocks ATTACH PARTITION blocks_before FOR VALUES FROM (MINVALUE) TO ({});
         CREATE TABLE partitions (number bigint PRIMARY KEY);
         INSERT INTO partitions SELECT generate_series(0, {});
         UPDATE layout SET version = {PAST_LAYOUT} WHERE one = 1;
         COMMIT",
        begin_of(end),
        end - 1
    ))?;
    Ok(PAST_LAYOUT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::past::EntryNumber;
    use crate::store::past::block::bounds;

    #[test]
    fn a_block_is_wholly_in_one_partition() {
        assert_eq!([number_of(1), number_of(ENTRIES), number_of(ENTRIES + 1)], [0, 0, 1]);
        for number in 0..5 {
            let begin = EntryNumber(begin_of(number).unsigned_abs());
            assert_eq!(bounds(begin).0, begin);
            assert_eq!(number_of(begin_of(number)), number);
        }
    }
}
