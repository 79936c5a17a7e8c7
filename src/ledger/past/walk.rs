//! Reading the past of one account: pages, periods, a given entry.
//!
//! All of it walks the links of the entries back from the newest one. Whatever has the entries is
//! behind [`Entries`], which may answer that one has not arrived: a bank that was away gets its
//! past later than its present.

use std::ops::Range;

use super::{EntryNumber, LEVELS, PastEntry, STRIDE, Trail, skipped_to};
use crate::ledger::statement::Entry;

/// Where entries are kept.
pub trait Entries {
    /// Why one cannot be read.
    type Error;

    /// The entry of this number; `None` if it has not arrived here.
    ///
    /// # Errors
    /// When it cannot be read.
    fn entry(&mut self, number: EntryNumber) -> Result<Option<PastEntry>, Self::Error>;
}

/// The most entries that are looked at for one page: a search for what is rare goes on from where
/// it stopped.
pub(crate) const SCANNED_MAX: u64 = 50_000;

/// A part of a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The entries with their index in the statement, newest last.
    pub entries: Vec<(u64, Entry)>,
    /// What to ask for to get the page with the entries before these; `None` at the beginning of
    /// what was asked for. There is one also where the search has stopped because it was long.
    pub next_before: Option<u64>,
    /// Whether older entries have not arrived at this bank yet.
    pub is_cut: bool,
}

/// The last `limit` of the entries whose index is in the range and that are wanted. A limit of 0
/// counts as 1, so that paging always reaches the end.
///
/// # Errors
/// What [`Entries::entry`] answers.
pub fn page<E: Entries>(
    entries: &mut E,
    trail: &Trail,
    range: Range<u64>,
    limit: usize,
    wants: &dyn Fn(&Entry) -> bool,
) -> Result<Page, E::Error> {
    let mut page = Page::default();
    let mut walk = Walk::new(trail);
    let end = range.end.min(trail.count);
    let stop = end.saturating_sub(SCANNED_MAX);
    for index in (range.start..end).rev() {
        if index < stop {
            page.next_before = Some(index + 1);
            break;
        }
        let Some(found) = walk.to(entries, index)? else {
            page.is_cut = true;
            break;
        };
        if wants(&found.entry) {
            if page.entries.len() == limit.max(1) {
                page.next_before = Some(found.index + 1);
                break;
            }
            page.entries.push((found.index, found.entry));
        }
    }
    page.entries.reverse();
    Ok(page)
}

/// The entries of a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// Their indexes.
    pub range: Range<u64>,
    /// Whether older ones may belong to it that have not arrived.
    pub is_cut: bool,
}

/// The entries that are dated from `from_ms` on and before `to_ms`, in Unix milliseconds; ledger
/// time never goes back, so they are adjacent. What has not arrived counts as dated before.
///
/// # Errors
/// As for [`page`].
pub(crate) fn period<E: Entries>(
    entries: &mut E,
    trail: &Trail,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
) -> Result<Period, E::Error> {
    let (end, end_is_cut) = match to_ms {
        Some(to_ms) => first_at(entries, trail, to_ms)?,
        None => (trail.count, false),
    };
    let (start, start_is_cut) = match from_ms {
        Some(from_ms) => first_at(entries, trail, from_ms)?,
        None => (0, false),
    };
    Ok(Period { range: start..end.max(start), is_cut: end_is_cut || start_is_cut })
}

/// The index of the first entry that is dated `at_ms` or later, the number of entries if none is;
/// and whether the search has ended at one that has not arrived.
fn first_at<E: Entries>(
    entries: &mut E,
    trail: &Trail,
    at_ms: i64,
) -> Result<(u64, bool), E::Error> {
    let mut first = trail.count;
    let mut number = trail.last;
    while let Some(found) = get(entries, number)?.filter(|found| found.entry.at_ms >= at_ms) {
        first = found.index;
        let skip = get(entries, found.links.skip)?.filter(|skip| skip.entry.at_ms >= at_ms);
        number = skip.map_or(found.links.before, |skip| skip.number);
    }
    let is_cut = !number.is_none() && get(entries, number)?.is_none();
    Ok((first, is_cut))
}

fn get<E: Entries>(entries: &mut E, number: EntryNumber) -> Result<Option<PastEntry>, E::Error> {
    if number.is_none() { Ok(None) } else { entries.entry(number) }
}

/// The first `limit` entries of a range with their index, oldest first; `None` if not all of them
/// have arrived.
///
/// # Errors
/// As for [`page`].
pub fn forward<E: Entries>(
    entries: &mut E,
    trail: &Trail,
    range: &Range<u64>,
    limit: u64,
) -> Result<Option<Vec<(u64, Entry)>>, E::Error> {
    let end = range.end.min(trail.count).min(range.start.saturating_add(limit));
    let mut walk = Walk::new(trail);
    let mut found = Vec::new();
    for index in (range.start..end).rev() {
        let Some(past) = walk.to(entries, index)? else { return Ok(None) };
        found.push((index, past.entry));
    }
    found.reverse();
    Ok(Some(found))
}

/// At most about `count` entries of a range, evenly spaced, the first and the last among them;
/// fewer if older ones have not arrived.
///
/// # Errors
/// As for [`page`].
pub fn samples<E: Entries>(
    entries: &mut E,
    trail: &Trail,
    range: &Range<u64>,
    count: u64,
) -> Result<Vec<Entry>, E::Error> {
    let end = range.end.min(trail.count);
    let apart = (end.saturating_sub(range.start) / count.max(1)).max(1);
    // A step that is a power of 64 follows one link each time.
    let step = (0..=LEVELS as u32).map(|level| STRIDE.pow(level)).rfind(|step| *step <= apart);
    let step = step.unwrap_or(1);
    let mut walk = Walk::new(trail);
    let mut found = Vec::new();
    let mut wanted = end.checked_sub(1).filter(|last| *last >= range.start);
    while let Some(index) = wanted {
        let Some(entry) = walk.to(entries, index)? else { break };
        found.push(entry.entry);
        let next = index.saturating_sub(apart.next_multiple_of(step));
        let next = if step > 1 { next.next_multiple_of(step) } else { next };
        wanted = (index > range.start).then(|| next.min(index - 1).max(range.start));
    }
    found.reverse();
    Ok(found)
}

/// A walk from the newest entry to older ones.
struct Walk {
    newest: EntryNumber,
    at: Option<PastEntry>,
}

impl Walk {
    fn new(trail: &Trail) -> Walk {
        Walk { newest: trail.last, at: None }
    }

    /// The entry of this index, which is at most that of the one before; `None` if it, or one on
    /// the way to it, has not arrived.
    fn to<E: Entries>(
        &mut self,
        entries: &mut E,
        index: u64,
    ) -> Result<Option<PastEntry>, E::Error> {
        loop {
            let next = match &self.at {
                None => self.newest,
                Some(at) if at.index <= index => return Ok(self.at.clone()),
                Some(at) => match skipped_to(at.index).filter(|skipped| *skipped >= index) {
                    Some(_) => at.links.skip,
                    None => at.links.before,
                },
            };
            match get(entries, next)? {
                Some(found) => self.at = Some(found),
                None => return Ok(None),
            }
        }
    }
}
