//! The rules for limits; see [`limits`](crate::ledger::limits). What is checked against them is in
//! `operations`.

use super::change::Change;
use super::outlay::Outlay;
use super::{Book, Turn};
use crate::ledger::customer::UserName;
use crate::ledger::limits::{Limits, LimitsChange, PartOfDay, Period, Shown};
use crate::ledger::money::Centavos;
use crate::ledger::outcome::Refusal;

impl Book {
    pub(super) fn decide_limits(
        &self,
        turn: &Turn<'_>,
        change: &LimitsChange,
    ) -> Result<Change, Refusal> {
        let by = turn.request.by.as_ref().ok_or(Refusal::NoCustomer)?;
        let user_name = self.known_customer(by)?.user_name.clone();
        let limits = self.limits(by).changed(change, turn.at_ms);
        Ok(Change::Limited { user_name, limits, waits: limits.is_waiting(turn.at_ms) })
    }

    fn limits(&self, user_name: &UserName) -> Limits {
        let record = self.record(user_name);
        record.and_then(|record| record.limits.as_deref().copied()).unwrap_or_default()
    }

    /// What a customer may still let leave at a date, where clocks are so many seconds ahead of
    /// UTC.
    pub(super) fn outlay(&self, user_name: &UserName, at_ms: i64, offset_s: i32) -> Option<Outlay> {
        let (customer, record) = self.numbered_record(user_name)?;
        let period = Period::at(at_ms, offset_s);
        let limits = record.limits.as_deref().copied().unwrap_or_default();
        let limit = limits.of(period.part()).at(at_ms).map(|limit| limit.get());
        let unconfirmed = limits.confirm().map(|limit| limit.get());
        Some(
            Outlay::new(customer, period, limit, record.spendings.sum(period))
                .asking_above(unconfirmed),
        )
    }

    /// Above which sum of a day or a night a customer is to give the password again.
    #[must_use]
    pub(crate) fn confirm_above(&self, user_name: &UserName) -> Option<Centavos> {
        self.limits(user_name).confirm().map(|limit| limit.get())
    }

    /// A limit of a customer at a date.
    #[must_use]
    pub(crate) fn limit_of(&self, user_name: &UserName, part: PartOfDay, at_ms: i64) -> Shown {
        let ceiling = self.limits(user_name).of(part);
        let most = ceiling.at(at_ms).map(|limit| limit.get());
        Shown { most, next: ceiling.waiting(at_ms) }
    }

    /// What a customer let leave, by Pix to others and by withdrawals from all accounts, in the day
    /// or the night of a date, where clocks are so many seconds ahead of UTC.
    #[must_use]
    pub(crate) fn spent(&self, user_name: &UserName, at_ms: i64, offset_s: i32) -> Centavos {
        self.outlay(user_name, at_ms, offset_s).map_or(Centavos::ZERO, |outlay| outlay.sum)
    }
}
