//! Statements: what happened to an account, entry by entry, newest last.
//!
//! The entries of an account add up to its balance and each records the balance it left, so a
//! statement proves itself. There may be millions of entries, so they share names, ids and keys
//! instead of owning them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::calendar::{Date, TimeOfDay};
use super::customer::UserName;
use super::money::Centavos;
use super::pix::PixKey;
use crate::ids::{BankId, EventId, Position};

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EntryKind {
    /// The first money, paid in when the account was opened.
    Opening,
    /// Cash paid in.
    Deposit,
    /// Cash drawn.
    Withdraw,
    /// Money sent to another account.
    Transfer,
    /// Money that came from another account.
    Receive,
}

impl EntryKind {
    /// The name in JSON, such as `DEPOSIT`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            EntryKind::Opening => "OPENING",
            EntryKind::Deposit => "DEPOSIT",
            EntryKind::Withdraw => "WITHDRAW",
            EntryKind::Transfer => "TRANSFER",
            EntryKind::Receive => "RECEIVE",
        }
    }

    /// Whether the other side of the entry is the bank's cash; otherwise it is another account.
    #[must_use]
    pub(crate) fn is_cash(self) -> bool {
        match self {
            EntryKind::Opening | EntryKind::Deposit | EntryKind::Withdraw => true,
            EntryKind::Transfer | EntryKind::Receive => false,
        }
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One line of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is about.
    pub kind: EntryKind,
    /// How much came in; negative where money left.
    pub value: Centavos,
    /// The balance it left.
    pub balance_after: Centavos,
    /// Ledger time, in Unix milliseconds (UTC).
    pub at_ms: i64,
    /// Who did it; on RECEIVE, who sent the money.
    pub made_by: UserName,
    /// The bank that was asked to do it.
    pub bank_sender: BankId,
    /// The request.
    pub id: EventId,
    /// The request's place in the common order.
    pub position: Position,
    /// On TRANSFER and RECEIVE, the key that was paid to.
    pub pix: Option<PixKey>,
}

impl Entry {
    /// The balance before it.
    #[must_use]
    pub(crate) fn previous_balance(&self) -> Centavos {
        self.balance_after.checked_sub(self.value).expect("the previous balance was one")
    }

    /// The day, UTC.
    #[must_use]
    pub fn date(&self) -> Date {
        Date::at(self.at_ms)
    }

    /// The time of day, UTC.
    #[must_use]
    pub fn time(&self) -> TimeOfDay {
        TimeOfDay::at(self.at_ms)
    }
}

/// A part of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<'a> {
    /// The entries, newest last.
    pub entries: &'a [Entry],
    /// What to ask for to get the page with the entries before these; `None` at the account's
    /// opening.
    pub next_before: Option<usize>,
}

/// The last `limit` of the entries with an index below `before`, or of all entries if it is `None`.
/// A limit of 0 counts as 1, so that paging always reaches the end.
#[must_use]
pub fn page(entries: &[Entry], limit: usize, before: Option<usize>) -> Page<'_> {
    let end = before.map_or(entries.len(), |index| index.min(entries.len()));
    let start = end.saturating_sub(limit.max(1));
    Page { entries: &entries[start..end], next_before: (start > 0).then_some(start) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(balance_after: i64) -> Entry {
        Entry {
            kind: EntryKind::Withdraw,
            value: Centavos::new(-250),
            balance_after: Centavos::new(balance_after),
            at_ms: 1_795_442_602_999,
            made_by: UserName::parse("renata332").unwrap(),
            bank_sender: BankId(0),
            id: EventId::new(BankId(0), "x"),
            position: Position(1),
            pix: None,
        }
    }

    #[test]
    fn an_entry_knows_the_balance_before_it_and_its_date_and_time() {
        let entry = entry(750);
        assert_eq!(entry.previous_balance(), Centavos::new(1_000));
        assert_eq!(
            (entry.date().to_string(), entry.time().to_string()),
            ("2026-11-23".into(), "14:03:22".into())
        );
    }

    #[test]
    fn an_entry_kind_is_printed_as_json_names_it() {
        use EntryKind::{Deposit, Opening, Receive, Transfer, Withdraw};
        for kind in [Opening, Deposit, Withdraw, Transfer, Receive] {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
    }

    #[test]
    fn the_first_page_has_the_newest_entries_and_leads_to_the_older_ones() {
        let entries: Vec<_> = (0..5).map(entry).collect();
        let first = page(&entries, 2, None);
        assert_eq!((first.entries, first.next_before), (&entries[3..], Some(3)));
        let last = page(&entries, 3, first.next_before);
        assert_eq!((last.entries, last.next_before), (&entries[..3], None));
    }

    #[test]
    fn a_page_beyond_the_statement_is_cut_to_it() {
        let entries: Vec<_> = (0..2).map(entry).collect();
        assert_eq!(page(&entries, usize::MAX, Some(usize::MAX)).entries, entries);
        assert_eq!(page(&entries, 2, Some(0)), Page { entries: &[], next_before: None });
        assert_eq!(page(&[], 2, None), Page { entries: &[], next_before: None });
    }

    proptest! {
        #[test]
        fn turning_pages_shows_every_entry_once(count in 0..30_i64, limit in 0..8_usize) {
            let entries: Vec<_> = (0..count).map(entry).collect();
            let mut seen = Vec::new();
            let mut before = Some(usize::MAX);
            while before.is_some() {
                let page = page(&entries, limit, before);
                seen.splice(0..0, page.entries.iter().cloned());
                before = page.next_before;
            }
            prop_assert_eq!(seen, entries);
        }
    }
}
