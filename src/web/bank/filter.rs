//! Which entries of a statement are wanted: of a period, of a kind, or found by a search.
//!
//! Names are in the ledger and entries in the past, so for a search entries are read, named and
//! looked at part by part; a search for what is rare stops after a while and goes on from there.

use std::ops::Range;

use super::form::Form;
use super::month::Month;
use super::search::Search;
use super::texts;
use crate::brazilian::parse_date;
use crate::civil::Zone;
use crate::http::{Bank, Named, Refused, named};
use crate::ids::request::AT_MS_MAX;
use crate::ledger::calendar::Date;
use crate::ledger::past::AccountTrail;
use crate::ledger::past::walk::{self, Period, period};
use crate::ledger::{Entry, EntryKind};
use crate::store::StoreError;
use crate::store::past::{Archived, PastReader};

/// Entries that are named at a time.
const PART: usize = 500;
/// The most entries that are looked at for one page.
const LOOKED_AT_MAX: u64 = 10_000;

/// Kinds of entries, as they are offered.
pub(super) const KINDS: [EntryKind; 5] = [
    EntryKind::Opening,
    EntryKind::Deposit,
    EntryKind::Withdraw,
    EntryKind::Transfer,
    EntryKind::Receive,
];

/// Which entries are wanted.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    from: Option<Date>,
    to: Option<Date>,
    /// The moments in UTC milliseconds between which these days lie.
    start_ms: i64,
    end_ms: i64,
    kind: Option<EntryKind>,
    search: Option<Search>,
}

impl Filter {
    /// Reads the fields of the filter's form; empty ones filter nothing.
    pub(super) fn read(form: &Form, zone: &Zone) -> Result<Filter, Refused> {
        let date = |name| match form.text(name) {
            "" => Ok(None),
            text => parse_date(text).map(Some).ok_or_else(|| Refused::bad(texts::DATE_FORM)),
        };
        let kind = KINDS.into_iter().find(|kind| kind.as_str() == form.text("tipo"));
        let (from, to) = match (date("de")?, date("ate")?, Month::parse(form.text("mes"))) {
            (None, None, Some(month)) => (Some(month.first()), Some(month.last())),
            (from, to, _) => (from, to),
        };
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(Refused::bad(texts::WHICH_WAY));
        }
        let start_ms = from.map_or(i64::MIN, |from| zone.start_of(from));
        let end_ms = to.map_or(i64::MAX, |to| zone.end_of(to));
        let search = Search::read(form.text("busca"));
        Ok(Filter { from, to, start_ms, end_ms, kind, search })
    }

    /// Its first and its last day.
    pub(super) fn days(&self) -> (Option<Date>, Option<Date>) {
        (self.from, self.to)
    }

    /// The kind of entries that are wanted; all, if none.
    pub(super) fn kind(&self) -> Option<EntryKind> {
        self.kind
    }

    /// The entries of the period.
    pub(super) fn period(
        &self,
        past: &mut PastReader,
        trail: &AccountTrail,
    ) -> Result<Period, StoreError> {
        let from = Some(self.start_ms).filter(|_| self.from.is_some());
        let to = Some(self.end_ms).filter(|_| self.to.is_some());
        period(past, trail, from, to)
    }

    /// From when to when a file of the period reaches, in Unix milliseconds; `ends_ms` says when
    /// its first and last entry were made. The end comes at least a second after the beginning,
    /// also where there is nothing between them.
    pub(super) fn span_ms(&self, ends_ms: Option<(i64, i64)>, now_ms: i64) -> (i64, i64) {
        let (first_ms, last_ms) = ends_ms.unwrap_or((now_ms.min(self.end_ms), now_ms));
        let start_ms = self.from.map_or(first_ms, |_| self.start_ms);
        let end_ms = self.to.map_or(now_ms.max(last_ms), |_| self.end_ms.min(AT_MS_MAX));
        (start_ms, end_ms.max(start_ms + 1_000))
    }

    /// Whether entries must be named before it is known which ones are wanted.
    fn searches(&self) -> bool {
        self.search.is_some()
    }

    /// Whether an entry that is [wanted](Filter::wants) is also what is searched for.
    pub(super) fn finds(&self, named: &Named) -> bool {
        self.search.as_ref().is_none_or(|search| search.finds(named))
    }

    /// The month that it shows, if it shows just one.
    pub(super) fn month(&self) -> Option<Month> {
        let month = Month::of(self.from?);
        (self.from == Some(month.first()) && self.to == Some(month.last())).then_some(month)
    }

    /// Whether an entry of the period may be wanted.
    pub(super) fn wants(&self, entry: &Entry) -> bool {
        self.kind.is_none_or(|kind| kind == entry.kind)
    }
}

/// What was found: a page, newest last.
pub(super) struct Found {
    pub(super) entries: Vec<Named>,
    /// Where the next older page begins.
    pub(super) next_before: Option<u64>,
    /// Whether older entries have not arrived at this bank yet.
    pub(super) is_cut: bool,
    /// What is in archive files, where it is because of them.
    pub(super) gone: Option<Archived>,
}

/// The last `limit` entries of a range that a filter wants.
pub(super) async fn search(
    bank: &Bank,
    trail: AccountTrail,
    range: Range<u64>,
    limit: usize,
    filter: &Filter,
) -> Result<Found, Refused> {
    let next_before = Some(range.end);
    let mut found = Found { entries: Vec::new(), next_before, is_cut: false, gone: None };
    let mut looked_at = 0;
    while let Some(before) = found.next_before
        && found.entries.len() < limit
        && looked_at < LOOKED_AT_MAX
    {
        let part = if filter.searches() { PART } else { limit };
        let (part_of, wanted) = (range.start..before, filter.clone());
        let read = move |past: &mut PastReader| {
            let page = walk::page(past, &trail, part_of, part, &|entry| wanted.wants(entry))?;
            Ok((past.gone().filter(|_| page.is_cut).cloned(), page))
        };
        let (gone, page) = bank.actors.past.read(read).await?;
        looked_at += before - page.next_before.unwrap_or(range.start).min(before);
        (found.next_before, found.is_cut, found.gone) = (page.next_before, page.is_cut, gone);
        for named in named(bank, page.entries).await?.into_iter().rev() {
            if !filter.finds(&named) {
                continue;
            }
            if found.entries.len() == limit {
                found.next_before = Some(named.index + 1);
                break;
            }
            found.entries.push(named);
        }
    }
    found.entries.reverse();
    Ok(found)
}
