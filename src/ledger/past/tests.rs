use std::collections::BTreeMap;

use proptest::prelude::*;

use super::walk::{Entries, Page, Period, SCANNED_MAX, forward, made_at, page, period, samples};
use super::{AccountTrail, EntryNumber, PastEntry, Trail};
use crate::ids::{BankId, EventId, Position};
use crate::ledger::customer::UserName;
use crate::ledger::money::Centavos;
use crate::ledger::statement::{Details, Entry, EntryKind};

/// The account that is read.
const ACCOUNT: u32 = 7;

/// Entries of one account among those of others, and how many were read.
#[derive(Default)]
struct Kept {
    entries: BTreeMap<EntryNumber, PastEntry>,
    reads: u64,
    /// What is older than this has not arrived.
    arrived_from: EntryNumber,
    /// And will not, if there is a moment: no entry that is not here is dated after it.
    gone_until_ms: Option<i64>,
}

impl Entries for Kept {
    /// The entries of which one is not what was made.
    type Error = Vec<EntryNumber>;

    fn entry(&mut self, number: EntryNumber) -> Result<Option<PastEntry>, Self::Error> {
        self.reads += 1;
        let found = self.entries.get(&number).expect("links lead to entries of the account");
        Ok(Some(found.clone()).filter(|_| number >= self.arrived_from))
    }

    fn gone_until_ms(&self) -> Option<i64> {
        self.gone_until_ms
    }

    fn contradiction(&mut self, among: &[EntryNumber]) -> Self::Error {
        among.to_vec()
    }
}

fn entry(index: u64) -> Entry {
    Entry {
        kind: if index.is_multiple_of(1_000) { EntryKind::Deposit } else { EntryKind::Receive },
        value: Centavos::new(1),
        balance_after: Centavos::new(index as i64 + 1),
        // Two entries each have the same date.
        at_ms: index as i64 / 2 * 10,
        made_by: UserName::parse("renata332").unwrap(),
        bank_sender: BankId(0),
        id: EventId::new(BankId(0), "x"),
        position: Position(index),
        pix: None,
        details: Details::default(),
    }
}

/// An account with `count` entries, one in `apart` of all.
fn account(count: u64, apart: u64) -> (Kept, AccountTrail) {
    let (mut kept, mut trail) = (Kept::default(), Trail::default());
    for wanted in 0..count {
        let number = EntryNumber(1 + wanted * apart);
        let (index, links) = trail.extend(number);
        assert_eq!(index, wanted);
        let entry = entry(index);
        kept.entries.insert(number, PastEntry { number, account: ACCOUNT, index, links, entry });
    }
    (kept, AccountTrail { account: ACCOUNT, trail })
}

fn all(_: &Entry) -> bool {
    true
}

fn read(kept: &mut Kept, trail: &AccountTrail, before: u64, limit: usize) -> Page {
    page(kept, trail, 0..before, limit, &all).unwrap()
}

#[test]
fn the_first_page_has_the_newest_entries_and_leads_to_the_older_ones() {
    let (mut kept, trail) = account(5, 1);
    let first = read(&mut kept, &trail, u64::MAX, 2);
    assert_eq!((first.entries, first.next_before), (vec![(3, entry(3)), (4, entry(4))], Some(3)));
    let last = read(&mut kept, &trail, 3, 3);
    assert_eq!((last.entries.len(), last.next_before, last.is_cut), (3, None, false));
    assert_eq!(read(&mut kept, &trail, 0, 2), Page::default());
    assert_eq!(read(&mut kept, &AccountTrail::default(), 9, 2), Page::default());
}

#[test]
fn any_entry_of_a_long_past_is_a_few_steps_away() {
    let (mut kept, trail) = account(300_000, 3);
    for before in [1, 2, 63, 64, 65, 4_096, 4_097, 150_000, 262_144, 262_145, 299_999] {
        kept.reads = 0;
        let page = read(&mut kept, &trail, before, 1);
        assert_eq!(page.entries, [(before - 1, entry(before - 1))]);
        assert!(kept.reads < 400, "{} reads for {before}", kept.reads);
    }
    kept.reads = 0;
    let found = Period { range: 2..200_000, is_cut: false };
    assert_eq!(period(&mut kept, &trail, Some(10), Some(1_000_000)), Ok(found));
    assert!(kept.reads < 1_500, "{} reads", kept.reads);
}

#[test]
fn what_has_not_arrived_cuts_the_page_and_says_so() {
    let (mut kept, trail) = account(200, 1);
    kept.arrived_from = EntryNumber(151);
    let newest = read(&mut kept, &trail, u64::MAX, 20);
    assert_eq!((newest.entries.len(), newest.next_before, newest.is_cut), (20, Some(180), false));
    let rest = read(&mut kept, &trail, 180, 100);
    assert_eq!((rest.entries.len(), rest.next_before, rest.is_cut), (30, None, true));
    let cut = |range| Ok(Period { range, is_cut: true });
    assert_eq!(period(&mut kept, &trail, None, Some(10)), cut(0..150));
    assert_eq!(period(&mut kept, &trail, Some(10), None), cut(150..200));
    assert!(!period(&mut kept, &trail, Some(900), None).unwrap().is_cut);
}

#[test]
fn a_period_that_begins_after_what_is_in_archive_files_is_whole() {
    let (mut kept, trail) = account(200, 1);
    kept.arrived_from = EntryNumber(151);
    let from = |kept: &mut Kept, from_ms| period(kept, &trail, Some(from_ms), None).unwrap();
    assert!(from(&mut kept, 750).is_cut, "it may yet arrive");
    kept.gone_until_ms = Some(740);
    assert_eq!(from(&mut kept, 750), Period { range: 150..200, is_cut: false });
    assert_eq!(from(&mut kept, 741), Period { range: 150..200, is_cut: false });
    assert!(from(&mut kept, 740).is_cut, "that moment is not over");
}

#[test]
fn a_long_range_is_read_forward_in_parts() {
    let (mut kept, trail) = account(3_000, 2);
    let (mut range, mut seen) = (10..2_500, Vec::new());
    while !range.is_empty() {
        let part = forward(&mut kept, &trail, &range, 1_000).unwrap();
        let part = part.unwrap();
        range.start += part.len() as u64;
        seen.extend(part.into_iter().map(|(index, entry)| (index, entry.position.0)));
    }
    assert_eq!(seen, (10..2_500).map(|index| (index, index)).collect::<Vec<_>>());
    kept.arrived_from = EntryNumber(101);
    let cut = forward(&mut kept, &trail, &(10..2_500), 1_000).unwrap();
    assert_eq!(cut, None);
}

#[test]
fn samples_are_spread_over_the_range_and_cost_few_reads() {
    for (count, range) in
        [(1, 0..1), (240, 0..240), (300_000, 0..300_000), (300_000, 5_000..90_001)]
    {
        let (mut kept, trail) = account(count, 1);
        let found = samples(&mut kept, &trail, &range, 240).unwrap();
        let indexes: Vec<_> = found.iter().map(|entry| entry.position.0).collect();
        assert!(indexes.is_sorted_by(|one, next| one < next), "{indexes:?}");
        assert_eq!((indexes[0], indexes[indexes.len() - 1]), (range.start, range.end - 1));
        assert!((range.end - range.start).min(120) <= indexes.len() as u64, "{}", indexes.len());
        assert!(indexes.len() <= 260 && kept.reads < 20_000, "{} {}", indexes.len(), kept.reads);
    }
    let none = samples(&mut Kept::default(), &AccountTrail::default(), &(0..9), 240).unwrap();
    assert_eq!(none, []);
}

#[test]
fn a_search_for_what_is_rare_stops_and_can_go_on() {
    let (mut kept, trail) = account(SCANNED_MAX + 2_000, 1);
    let none = |_: &Entry| false;
    let first = page(&mut kept, &trail, 0..u64::MAX, 10, &none).unwrap();
    assert_eq!((first.entries.len(), first.next_before), (0, Some(2_000)));
    let rare = |entry: &Entry| entry.kind == EntryKind::Deposit;
    let rest = page(&mut kept, &trail, 0..2_000, 10, &rare).unwrap();
    let found: Vec<_> = rest.entries.iter().map(|(index, _)| *index).collect();
    assert_eq!((found, rest.next_before), (vec![0, 1_000], None));
}

/// Reads 300 entries in every way there is, with one of them changed.
fn reads_with(number: u64, change: impl Fn(&mut PastEntry)) -> [Result<(), Vec<EntryNumber>>; 4] {
    let (mut kept, trail) = account(300, 1);
    change(kept.entries.get_mut(&EntryNumber(number)).unwrap());
    let (kept, all_of_it) = (&mut kept, 0..300);
    [
        page(kept, &trail, all_of_it.clone(), 300, &all).map(|_| ()),
        period(kept, &trail, Some(0), None).map(|_| ()),
        forward(kept, &trail, &all_of_it, 300).map(|_| ()),
        samples(kept, &trail, &all_of_it, 300).map(|_| ()),
    ]
}

#[test]
fn an_entry_that_does_not_belong_there_is_damage_and_nobody_gets_to_see_it() {
    let changes: [fn(&mut PastEntry); 3] = [
        |past| past.account = ACCOUNT + 1,
        |past| past.index += 1,
        |past| past.number = past.number.next(),
    ];
    for change in changes {
        // The present leads to the newest one, and is right.
        for read in reads_with(300, change) {
            assert_eq!(read, Err(vec![EntryNumber(300)]));
        }
        // Here the entry that leads there may be the wrong one.
        for read in reads_with(193, change) {
            let among = read.unwrap_err();
            assert!(among.contains(&EntryNumber(193)) && among.len() == 2, "{among:?}");
        }
    }
    for read in reads_with(300, |past| past.links = Default::default()) {
        assert_eq!(read, Err(vec![EntryNumber(300)]), "it is not the first one");
    }
}

proptest! {
    #[test]
    fn turning_pages_shows_every_entry_of_a_period_once(
        count in 0..5_000_u64, limit in 0..700_usize, from in 0..3_000_i64, to in 0..3_000_i64,
    ) {
        let (mut kept, trail) = account(count, 2);
        let Period { range, .. } =
            period(&mut kept, &trail, Some(from * 10), Some(to * 10)).unwrap();
        let mut seen = Vec::new();
        let mut before = Some(range.end);
        while let Some(end) = before {
            let page = page(&mut kept, &trail, range.start..end, limit, &all).unwrap();
            prop_assert!(page.entries.len() <= limit.max(1));
            before = page.next_before;
            seen.splice(0..0, page.entries.into_iter().map(|(index, _)| index));
        }
        let dated = |index: &u64| (from * 10..to * 10).contains(&entry(*index).at_ms);
        prop_assert_eq!(seen, (0..count).filter(dated).collect::<Vec<_>>());
    }
}

#[test]
fn the_entry_that_a_request_made_is_found_by_its_position_and_only_if_there_is_one() {
    let (mut kept, trail) = account(5_000, 3);
    for position in [0, 1, 63, 64, 4_095, 4_096, 4_999] {
        assert_eq!(made_at(&mut kept, &trail, Position(position)), Ok(Some(position)));
    }
    assert_eq!(made_at(&mut kept, &trail, Position(5_000)), Ok(None));
    kept.reads = 0;
    made_at(&mut kept, &trail, Position(17)).unwrap();
    assert!(kept.reads < 500, "{}", kept.reads);
}
