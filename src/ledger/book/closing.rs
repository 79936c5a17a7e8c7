//! The rules for closing an account; see [`closing`](crate::ledger::closing).

use super::change::Change;
use super::{Book, Turn};
use crate::ledger::closing::{Closing, End};
use crate::ledger::money::Centavos;
use crate::ledger::outcome::Refusal;

impl Book {
    pub(super) fn decide_closing(
        &self,
        turn: &Turn<'_>,
        closing: &Closing,
    ) -> Result<Change, Refusal> {
        let by = turn.request.by.as_ref().ok_or(Refusal::NoCustomer)?;
        let Closing { bank, account: number, close } = *closing;
        self.check_online(bank, turn.members)?;
        let slot = self.held(Some(by), bank, number)?;
        let account = &self[slot];
        if !close {
            return Ok(Change::Closing { slot, end: None, waiting_for: Vec::new() });
        }
        if account.balance > Centavos::ZERO {
            return Err(Refusal::NotEmpty { bank, account: number });
        }
        if self.is_to_pay(slot) {
            return Err(Refusal::HasSchedules { bank, account: number });
        }
        let mut agreed = match account.end.as_deref() {
            Some(End::Agreed(agreed)) => agreed.clone(),
            _ => Vec::new(),
        };
        // The holders' own copy of the name.
        agreed.extend(account.holders.iter().filter(|holder| *holder == by).cloned());
        agreed.sort();
        agreed.dedup();
        let others = account.holders.iter().filter(|holder| !agreed.contains(holder));
        let waiting_for: Vec<_> = others.cloned().collect();
        let all = waiting_for.is_empty();
        let end = Some(if all { End::Closed(turn.at_ms) } else { End::Agreed(agreed) });
        Ok(Change::Closing { slot, end, waiting_for })
    }
}
