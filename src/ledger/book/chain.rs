//! The hash chain: what was asked, its outcome and the state it left, linked to everything before.
//!
//! Two copies with the same hash have executed the same requests with the same results. The state
//! is part of it, so that a copy that executes differently is noticed even if its answers are the
//! same.

use super::change::{AccountSlot, Change, Posting, Rekeyed};
use super::fields::Fields;
use super::outlay::Outlay;
use crate::ids::request::{Header, RawRequest};
use crate::ids::{BankId, ChainHash, Position};
use crate::ledger::closing::End;
use crate::ledger::limits::{Limits, PartOfDay};
use crate::ledger::outcome::Outcome;

/// Comes before what has left of a customer's limit.
const OUTLAY: u8 = 2;

/// What the header of a request's event says, and what ledger time made of it.
pub(super) struct Dated {
    pub(super) header: Header,
    pub(super) date_ms: i64,
    pub(super) age_ms: i64,
}

/// One request's link of the chain.
pub(super) struct Link<'a> {
    pub(super) position: Position,
    pub(super) sender: BankId,
    pub(super) raw: &'a RawRequest,
    pub(super) outcome: &'a Outcome,
    /// `None` if the request was refused or repeated.
    pub(super) change: Option<&'a Change>,
    /// `None` in older journals, whose links do not contain it.
    pub(super) dated: Option<Dated>,
}

impl Link<'_> {
    /// The chain's hash with this link, after `previous`.
    pub(super) fn hash(&self, previous: ChainHash) -> ChainHash {
        let mut fields = Fields::new();
        fields.hash(&previous.0).number(self.position.0).number(self.sender.0.into());
        fields.text(self.raw.id.as_str()).text(&self.raw.type_msg).text(self.raw.msg.get());
        fields.tag(self.outcome.code().into()).text(&self.outcome.descript());
        add_state(&mut fields, self.change);
        if let Some(Dated { header, date_ms, age_ms }) = &self.dated {
            fields.tag(header.open.into()).signed(header.at_ms).signed(*date_ms).signed(*age_ms);
        }
        ChainHash(fields.finish())
    }
}

/// The state that a request left.
fn add_state(fields: &mut Fields, change: Option<&Change>) {
    match change {
        None => {
            fields.tag(0);
        }
        Some(Change::Registered(customer)) => {
            fields.tag(1).text(customer.user_name.as_str());
        }
        Some(Change::Opened { account, entry }) => {
            fields
                .tag(2)
                .number(account.bank.0.into())
                .number(account.number.get())
                .text(account.key.as_str());
            fields.money(entry.value).money(entry.balance_after);
        }
        Some(Change::Asked(request)) => {
            fields
                .tag(4)
                .number(request.bank.0.into())
                .number(request.number.get())
                .text(request.key.as_str())
                .signed(request.ends_age_ms);
        }
        Some(Change::Accepted { bank, account, by, .. }) => {
            fields.tag(5).number(bank.0.into()).number(account.get()).text(by.as_str());
        }
        Some(Change::Ended { bank, account }) => {
            fields.tag(6).number(bank.0.into()).number(account.get());
        }
        Some(Change::Password { user_name, password_hash }) => {
            fields.tag(7).text(user_name.as_str()).text(&password_hash.text());
        }
        Some(Change::Posted { postings, outlay }) => {
            fields.tag(3);
            add_postings(fields, postings);
            add_outlay(fields, outlay.as_ref());
        }
        Some(Change::Closing { slot, end, .. }) => {
            add_end(fields.tag(14).number(slot.place().into()), end.as_ref());
        }
        // What it is called is in the request.
        Some(Change::Called { user_name, .. }) => {
            fields.tag(15).text(user_name.as_str());
        }
        Some(Change::Scheduled(schedule)) => {
            fields.tag(11).number(schedule.number.0).text(schedule.by.as_str());
            fields.signed(schedule.planned.first.get());
        }
        Some(Change::Unscheduled(number)) => {
            fields.tag(12).number(number.0);
        }
        Some(Change::Ran { number, run, postings, outlay }) => {
            fields.tag(13).number(number.0).signed(run.day.get()).signed(run.at_ms);
            add_postings(fields, postings);
            add_outlay(fields, outlay.as_ref());
        }
        Some(Change::Limited { user_name, limits, .. }) => {
            fields.tag(10).text(user_name.as_str());
            add_limits(fields, limits);
        }
        Some(Change::Rekeyed(Rekeyed { key, from, to })) => {
            add_places(fields.tag(9).text(key.as_str()), [*from, *to]);
        }
        Some(Change::Refunded { postings, refunded }) => {
            fields.tag(8).number(refunded.entry.0).money(refunded.refunded);
            add_postings(fields, postings);
        }
    }
}

fn add_end(fields: &mut Fields, end: Option<&End>) {
    match end {
        None => _ = fields.tag(0),
        Some(End::Agreed(agreed)) => {
            fields.tag(1).count(agreed.len());
            agreed.iter().for_each(|holder| _ = fields.text(holder.as_str()));
        }
        Some(End::Closed(at_ms)) => _ = fields.tag(2).signed(*at_ms),
    }
}

fn add_places(fields: &mut Fields, places: [Option<AccountSlot>; 2]) {
    for place in places {
        let place = place.map(AccountSlot::place);
        fields.tag(place.is_some().into()).number(place.unwrap_or_default().into());
    }
}

/// Nothing in older journals. What follows a state is a yes or a no.
fn add_outlay(fields: &mut Fields, outlay: Option<&Outlay>) {
    if let Some(Outlay { customer, period, sum, .. }) = outlay {
        fields.tag(OUTLAY).number((*customer).into()).signed(period.number()).money(*sum);
    }
}

fn add_limits(fields: &mut Fields, limits: &Limits) {
    for part in [PartOfDay::Day, PartOfDay::Night] {
        let ceiling = limits.of(part);
        for limit in ceiling.limits() {
            fields.tag(limit.is_some().into()).signed(limit.map_or(0, i64::from));
        }
        let from_ms = ceiling.next_from_ms();
        fields.tag(from_ms.is_some().into()).signed(from_ms.unwrap_or_default());
    }
    let confirm = limits.confirm();
    fields.tag(confirm.is_some().into()).signed(confirm.map_or(0, i64::from));
}

fn add_postings(fields: &mut Fields, postings: &[Posting]) {
    fields.count(postings.len());
    for Posting { bank, account, entry, .. } in postings {
        fields.number(bank.0.into()).number(account.get());
        fields.money(entry.value).money(entry.balance_after);
    }
}
