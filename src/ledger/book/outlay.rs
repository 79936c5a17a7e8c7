//! What leaves in a day or a night, counted against a customer's limit.

use crate::ledger::limits::Period;
use crate::ledger::money::{Amount, Centavos};
use crate::ledger::outcome::Refusal;

/// What a customer lets leave in a day or a night, and what has left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outlay {
    /// The customer's place.
    pub(super) customer: u32,
    pub(super) period: Period,
    /// Without one, only the sum is kept.
    limit: Option<Centavos>,
    /// Above this sum the password is to be given again.
    unconfirmed: Option<Centavos>,
    pub(super) sum: Centavos,
    /// Whether it is another sum than before.
    pub(super) has_grown: bool,
}

impl Outlay {
    /// What has left so far.
    pub(super) fn new(
        customer: u32,
        period: Period,
        limit: Option<Centavos>,
        sum: Centavos,
    ) -> Outlay {
        Outlay { customer, period, limit, unconfirmed: None, sum, has_grown: false }
    }

    /// The same, where the password is to be given again above a sum, if any.
    pub(super) fn asking_above(self, unconfirmed: Option<Centavos>) -> Outlay {
        Outlay { unconfirmed, ..self }
    }

    /// Adds what is going to leave.
    pub(super) fn add(&mut self, value: Amount) -> Result<(), Refusal> {
        let sum = self.sum.checked_add(value.get()).expect("sums of amounts are balances");
        if let Some(most) = self.limit.filter(|most| sum > *most) {
            let left = most.checked_sub(self.sum).unwrap_or_default().max(Centavos::ZERO);
            return Err(Refusal::AboveLimit { part: self.period.part(), most, left });
        }
        if let Some(most) = self.unconfirmed.filter(|most| sum > *most) {
            return Err(Refusal::NeedsPassword { most });
        }
        (self.sum, self.has_grown) = (sum, true);
        Ok(())
    }
}
