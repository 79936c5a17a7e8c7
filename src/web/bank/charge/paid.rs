//! What has been paid of a charge: every Pix that its account received with its txid.
//!
//! Nothing is stored of a charge: its address says how much it asks for and until when, and the
//! statement says what came.

use crate::actors::ledger::ask_before_past;
use crate::brazilian::date;
use crate::civil::Zone;
use crate::http::{Bank, Named, Refused, named};
use crate::ids::BankId;
use crate::ledger::calendar::Date;
use crate::ledger::past::walk::page;
use crate::ledger::{AccountNumber, Book, Centavos, Entry, EntryKind, Txid, money};
use crate::store::past::PastReader;
use crate::web::bank::money::{reais, reais_wide};
use crate::web::bank::texts;

/// The most payments of a charge that are shown.
const PAYMENTS: usize = 50;

/// How a charge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing, or not enough, has been paid.
    Open,
    /// At least what it asks for has been paid.
    Paid,
    /// Its last day is over, and it has not been paid.
    Expired,
    /// What was found is not enough, and there may be more.
    Unknown,
}

impl State {
    pub(super) fn of(
        paid: i128,
        asked: Option<Centavos>,
        is_cut: bool,
        until: Option<Date>,
        today: Date,
    ) -> State {
        let enough = asked.map_or(1, |asked| asked.get());
        if paid >= enough {
            State::Paid
        } else if is_cut {
            State::Unknown
        } else if until.is_some_and(|until| until < today) {
            State::Expired
        } else {
            State::Open
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            State::Open => texts::CHARGE_OPEN,
            State::Paid => texts::CHARGE_PAID,
            State::Expired => texts::CHARGE_EXPIRED,
            State::Unknown => texts::CHARGE_UNKNOWN,
        }
    }
}

/// One payment of it.
pub(super) struct Payment {
    /// Its place in the statement.
    pub(super) index: u64,
    pub(super) date: String,
    pub(super) time: String,
    pub(super) name: String,
    pub(super) value: String,
}

/// All that came for a charge.
pub(super) struct Payments {
    pub(super) list: Vec<Payment>,
    pub(super) total: String,
    /// In centavos.
    pub(super) sum: i128,
    /// Whether there may be more: the statement is long, or has not arrived.
    pub(super) is_cut: bool,
}

/// What an account has received for a charge, newest first.
pub(super) async fn payments(
    bank: &Bank,
    (of, number): (BankId, AccountNumber),
    txid: Txid,
) -> Result<Payments, Refused> {
    let asked = move |book: &Book| Some(book.trail_of(book.account(of, number)?));
    let trail = ask_before_past(&bank.actors.routes.ledger, asked).await?;
    let trail = trail.ok_or(Refused::Internal)?;
    let wants = move |entry: &Entry| {
        entry.kind == EntryKind::Receive && entry.details.txid.as_ref() == Some(&txid)
    };
    let read = move |past: &mut PastReader| page(past, &trail, 0..u64::MAX, PAYMENTS, &wants);
    let found = bank.actors.past.read(read).await?;
    let is_cut = found.is_cut || found.next_before.is_some();
    let entries = named(bank, found.entries).await?;
    let sum = money::sum(entries.iter().map(|named| named.entry.value));
    let zone = &bank.config.time_zone;
    let list = entries.into_iter().rev().map(|named| payment(named, zone)).collect();
    Ok(Payments { list, total: reais_wide(sum), sum, is_cut })
}

fn payment(named: Named, zone: &Zone) -> Payment {
    let Named { index, entry, counterparty } = named;
    Payment {
        index,
        date: date(zone.date(entry.at_ms)),
        time: zone.time(entry.at_ms).to_string(),
        name: counterparty.map(|other| other.name).unwrap_or_default(),
        value: reais(entry.value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_is_open_until_enough_is_paid_or_its_last_day_is_over() {
        let day = |day| Date { year: 2026, month: 11, day };
        let state = |paid, until: Option<u8>| {
            State::of(paid, Some(Centavos::new(500)), false, until.map(day), day(20))
        };
        assert_eq!(state(0, None), State::Open);
        assert_eq!(state(499, Some(20)), State::Open);
        assert_eq!(state(499, Some(19)), State::Expired);
        assert_eq!(state(500, Some(19)), State::Paid, "whoever pays late has paid");
        let any = |paid| State::of(paid, None, false, None, day(20));
        assert_eq!([any(0), any(1)], [State::Open, State::Paid]);
        let cut = |paid| State::of(paid, Some(Centavos::new(500)), true, Some(day(19)), day(20));
        assert_eq!(
            [cut(499), cut(500)],
            [State::Unknown, State::Paid],
            "older ones may be missing"
        );
    }
}
