//! Reading the past of one account: pages, periods, a given entry.
//!
//! All of it walks the links of the entries back from the newest one. Whatever has the entries is
//! behind [`Entries`], which may answer that one has not arrived: a bank that was away gets its
//! past later than its present. What is kept is not trusted: an entry that is not the one that a
//! link should lead to is damage, and nobody gets to see it.

use std::ops::Range;

use super::{AccountTrail, EntryNumber, LEVELS, PastEntry, STRIDE, skipped_to};
use crate::ids::Position;
use crate::ledger::package::OPERATIONS_MAX;
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

    /// If the entry that was asked for last was not there and will not come: no entry that will not
    /// come is dated after this, in Unix milliseconds.
    fn gone_until_ms(&self) -> Option<i64> {
        None
    }

    /// What to answer when entries turn out not to belong together: at least one of these is not
    /// what was made.
    fn contradiction(&mut self, among: &[EntryNumber]) -> Self::Error;
}

/// The most entries that are looked at for one page: a search for what is rare goes on from where
/// it stopped.
pub(crate) const SCANNED_MAX: u64 = 50_000;
/// The most entries of a request in one account: one for each operation of a package.
const REQUEST_ENTRIES_MAX: u64 = OPERATIONS_MAX as u64;

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
    of: &AccountTrail,
    range: Range<u64>,
    limit: usize,
    wants: &dyn Fn(&Entry) -> bool,
) -> Result<Page, E::Error> {
    let mut page = Page::default();
    let mut walk = Walk::new(of);
    let end = range.end.min(of.trail.count);
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
    of: &AccountTrail,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
) -> Result<Period, E::Error> {
    let (end, end_is_cut) = match to_ms {
        Some(to_ms) => first_at(entries, of, to_ms)?,
        None => (of.trail.count, false),
    };
    let (start, start_is_cut) = match from_ms {
        Some(from_ms) => {
            let (start, is_cut) = first_at(entries, of, from_ms)?;
            // What is known to be older than the period does not belong to it.
            let is_older = entries.gone_until_ms().is_some_and(|until_ms| until_ms < from_ms);
            (start, is_cut && !is_older)
        }
        None => (0, false),
    };
    Ok(Period { range: start..end.max(start), is_cut: end_is_cut || start_is_cut })
}

/// The index of the first entry that a request made, by the request's place in the common order;
/// `None` if it made none of this account, or the entry has not arrived.
///
/// # Errors
/// As for [`page`].
pub(crate) fn made_at<E: Entries>(
    entries: &mut E,
    of: &AccountTrail,
    position: Position,
) -> Result<Option<u64>, E::Error> {
    let (index, _) = first_where(entries, of, &|entry| entry.position >= position)?;
    let found = forward(entries, of, &(index..index.saturating_add(1)), 1)?.unwrap_or_default();
    Ok(found.first().filter(|(_, entry)| entry.position == position).map(|(index, _)| *index))
}

/// The index of the first entry that is dated `at_ms` or later.
fn first_at<E: Entries>(
    entries: &mut E,
    of: &AccountTrail,
    at_ms: i64,
) -> Result<(u64, bool), E::Error> {
    first_where(entries, of, &|entry| entry.at_ms >= at_ms)
}

/// The index of the first entry of which something holds that holds of all later ones too, the
/// number of entries if it holds of none; and whether the search has ended at one that has not
/// arrived.
fn first_where<E: Entries>(
    entries: &mut E,
    of: &AccountTrail,
    holds: &dyn Fn(&Entry) -> bool,
) -> Result<(u64, bool), E::Error> {
    let mut first = of.trail.count;
    let mut next = Step::newest(of);
    while let Some(step) = next {
        let Some(found) = step.take(entries)? else { return Ok((first, true)) };
        if !holds(&found.entry) {
            break;
        }
        first = found.index;
        let skip = Step::skip(&found);
        let skipped_to = skip.map(|step| step.take(entries)).transpose()?.flatten();
        next = skip.filter(|_| skipped_to.is_some_and(|found| holds(&found.entry)));
        next = next.or(Step::before(&found));
    }
    Ok((first, false))
}

/// A step of a walk: where it leads, and what must be there.
#[derive(Clone, Copy)]
struct Step {
    account: u32,
    /// The entry that leads there; none if the present does.
    from: EntryNumber,
    to: EntryNumber,
    index: u64,
}

impl Step {
    /// To the newest entry, if there is one.
    fn newest(of: &AccountTrail) -> Option<Step> {
        let index = of.trail.count.checked_sub(1)?;
        let from = EntryNumber::default();
        Some(Step { account: of.account, from, to: of.trail.last, index })
    }

    fn from(at: &PastEntry) -> Step {
        Step { account: at.account, from: at.number, to: at.number, index: at.index }
    }

    /// To the entry before.
    fn before(at: &PastEntry) -> Option<Step> {
        let index = at.index.checked_sub(1)?;
        Some(Step { to: at.links.before, index, ..Step::from(at) })
    }

    /// To the one that the skip leads to.
    fn skip(at: &PastEntry) -> Option<Step> {
        let index = skipped_to(at.index)?;
        Some(Step { to: at.links.skip, index, ..Step::from(at) })
    }

    /// The entry there; `None` if it has not arrived.
    fn take<E: Entries>(self, entries: &mut E) -> Result<Option<PastEntry>, E::Error> {
        let Step { account, from, to, index } = self;
        let found = if to.is_none() { None } else { entries.entry(to)? };
        let is_it =
            |found: &PastEntry| (found.number, found.account, found.index) == (to, account, index);
        match found {
            Some(found) if is_it(&found) => Ok(Some(found)),
            None if !to.is_none() => Ok(None),
            _ => {
                let among = [from, to];
                let among: Vec<_> = among.into_iter().filter(|number| !number.is_none()).collect();
                Err(entries.contradiction(&among))
            }
        }
    }
}

/// The first `limit` entries of a range with their index, oldest first; `None` if not all of them
/// have arrived.
///
/// # Errors
/// As for [`page`].
pub fn forward<E: Entries>(
    entries: &mut E,
    of: &AccountTrail,
    range: &Range<u64>,
    limit: u64,
) -> Result<Option<Vec<(u64, Entry)>>, E::Error> {
    let end = range.end.min(of.trail.count).min(range.start.saturating_add(limit));
    let mut walk = Walk::new(of);
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
    of: &AccountTrail,
    range: &Range<u64>,
    count: u64,
) -> Result<Vec<Entry>, E::Error> {
    let end = range.end.min(of.trail.count);
    let apart = (end.saturating_sub(range.start) / count.max(1)).max(1);
    // A step that is a power of 64 follows one link each time.
    let step = (0..=LEVELS as u32).map(|level| STRIDE.pow(level)).rfind(|step| *step <= apart);
    let step = step.unwrap_or(1);
    let mut walk = Walk::new(of);
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

/// The entry at an index; `None` if there is none, or it has not arrived.
///
/// # Errors
/// As for [`page`].
pub(crate) fn at<E: Entries>(
    entries: &mut E,
    of: &AccountTrail,
    index: u64,
) -> Result<Option<PastEntry>, E::Error> {
    if index < of.trail.count { Walk::new(of).to(entries, index) } else { Ok(None) }
}

/// The other side of a transfer in the same request: the entry of the account `theirs` that belongs
/// to the one at `index` of the account `mine`. Of several transfers from one account to another,
/// both statements have the same order. `None` if one of the entries has not arrived, or there is
/// no such entry.
///
/// # Errors
/// As for [`page`].
pub(crate) fn other_side<E: Entries>(
    entries: &mut E,
    mine: &AccountTrail,
    index: u64,
    theirs: &AccountTrail,
) -> Result<Option<PastEntry>, E::Error> {
    let Some(own) = at(entries, mine, index)? else { return Ok(None) };
    let (position, kind) = (own.entry.position, own.entry.kind);
    let Some(first) = made_at(entries, mine, position)? else { return Ok(None) };
    let before = forward(entries, mine, &(first..index), REQUEST_ENTRIES_MAX)?;
    let alike = |entry: &Entry| entry.kind == kind && entry.details.other == Some(theirs.account);
    let nth = before.unwrap_or_default().iter().filter(|(_, entry)| alike(entry)).count();
    let Some(first) = made_at(entries, theirs, position)? else { return Ok(None) };
    let range = first..first.saturating_add(REQUEST_ENTRIES_MAX);
    let found = forward(entries, theirs, &range, REQUEST_ENTRIES_MAX)?.unwrap_or_default();
    let is_it = |entry: &Entry| {
        entry.position == position
            && entry.kind != kind
            && entry.details.other == Some(mine.account)
    };
    let found = found.into_iter().filter(|(_, entry)| is_it(entry)).nth(nth);
    found.map_or(Ok(None), |(index, _)| at(entries, theirs, index))
}

/// A walk from the newest entry to older ones.
struct Walk {
    newest: Option<Step>,
    at: Option<PastEntry>,
}

impl Walk {
    fn new(of: &AccountTrail) -> Walk {
        Walk { newest: Step::newest(of), at: None }
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
                Some(at) => Step::skip(at).filter(|step| step.index >= index).or(Step::before(at)),
            };
            let Some(next) = next else { return Ok(None) };
            match next.take(entries)? {
                Some(found) => self.at = Some(found),
                None => return Ok(None),
            }
        }
    }
}
