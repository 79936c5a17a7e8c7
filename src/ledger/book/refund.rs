//! The rules for refunds; see [`refund`](crate::ledger::refund).

use super::change::{AccountSlot, Change};
use super::operations::Draft;
use super::{Book, Refused, Turn};
use crate::ledger::money::Centavos;
use crate::ledger::outcome::Refusal;
use crate::ledger::past::EntryNumber;
use crate::ledger::refund::{REFUND_WITHIN_MS, Refund, Refunded};
use crate::ledger::statement::Details;

impl Book {
    pub(super) fn decide_refund(
        &self,
        turn: &Turn<'_>,
        refund: &Refund,
    ) -> Result<Change, Refused> {
        let by = self.asker(turn)?;
        let mut draft = Draft::new(self, turn.members, by, by.is_some());
        let slot = draft.account(refund.bank, refund.account)?;
        let (to, refunded) = self.refundable(turn, slot, refund)?;
        let payer = &self[self.check_open(to)?];
        self.check_online(payer.bank, turn.members)?;
        let named = payer.number.naming(payer.bank);
        let details = |other: AccountSlot| Details {
            other: Some(other.place()),
            message: refund.message.clone(),
            refund_of: Some(Box::new(refund.original.of.clone())),
            ..Details::default()
        };
        let mut postings = Vec::with_capacity(2);
        let made_by = by.unwrap_or(self[slot].opener());
        draft.pay((slot, to), refund.value, made_by, &named, &details, &mut |leg| {
            postings.push(turn.posting(&self[leg.slot], leg));
        })?;
        Ok(Change::Refunded { postings, refunded })
    }

    /// Where the money goes back to, and what will then be kept of the Pix.
    fn refundable(
        &self,
        turn: &Turn<'_>,
        slot: AccountSlot,
        refund: &Refund,
    ) -> Result<(AccountSlot, Refunded), Refusal> {
        let original = &refund.original;
        let claimed = Refunded {
            entry: original.of.entry,
            account: slot.place(),
            other: original.other,
            value: original.value,
            at_ms: original.at_ms,
            refunded: refund.value.get(),
        };
        let before = self.refunds.get(claimed.entry);
        // What another bank was told of the same Pix must be the same.
        let is_same =
            |known: &Refunded| Refunded { refunded: claimed.refunded, ..*known } == claimed;
        if before.is_some_and(|known| !is_same(known)) || original.of.position >= turn.position {
            return Err(Refusal::UnknownOriginal);
        }
        let already = before.map_or(Centavos::ZERO, |known| known.refunded);
        let sum = already.checked_add(claimed.refunded);
        let refunded = Refunded { refunded: sum.expect("sums of amounts are balances"), ..claimed };
        let left = Refunded { refunded: already, ..claimed }.left();
        if refund.value.get() > left {
            return Err(Refusal::RefundTooLarge { left });
        }
        if !refunded.is_sound(self.entries, self.accounts.len()) {
            return Err(Refusal::UnknownOriginal);
        }
        // Ledger time may have stepped back since, but not by this much: a date that never gets old
        // would be kept for ever, and with it all that came after.
        if original.at_ms.saturating_sub(turn.at_ms) > REFUND_WITHIN_MS {
            return Err(Refusal::UnknownOriginal);
        }
        if turn.at_ms.saturating_sub(original.at_ms) > REFUND_WITHIN_MS {
            return Err(Refusal::RefundTooLate);
        }
        Ok((AccountSlot::new(original.other as usize), refunded))
    }

    /// How much of a Pix has been given back; nothing is known of it once it is too late for more.
    #[must_use]
    pub(crate) fn refunded(&self, entry: EntryNumber) -> Option<Centavos> {
        self.refunds.get(entry).map(|known| known.refunded)
    }
}
