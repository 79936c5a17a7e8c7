//! No more is given back of a Pix than came, and it goes back to where it came from.

use netbanking::ids::BankId;
use netbanking::ledger::past::PastEntry;

use super::Judge;

/// How many entries customers look through.
const LATELY: usize = 200;

impl Judge {
    /// A bank was the first to make an entry.
    pub(super) fn count_refund(&mut self, bank: BankId, past: &PastEntry) {
        let Some(of) = past.entry.details.refund_of.as_deref() else { return };
        if past.entry.value.get() > 0 {
            return;
        }
        let place = usize::try_from(of.entry.0 - 1).expect("memory holds them");
        let original = &self.past[place];
        assert!(
            (original.account, original.entry.details.other)
                == (past.account, past.entry.details.other),
            "bank {bank} refunds {of:?} between other accounts"
        );
        let sum = self.refunded.entry(of.entry.0).or_default();
        *sum -= past.entry.value.get();
        let came = original.entry.value.get();
        assert!(*sum <= came, "bank {bank}: {sum} centavos of {came} go back of {of:?}");
    }

    /// What customers have received by Pix lately, newest first.
    pub(crate) fn received(&self) -> impl Iterator<Item = &PastEntry> {
        let is_pix = |past: &&PastEntry| {
            let details = &past.entry.details;
            let came = past.entry.value.get() > 0 && details.other.is_some();
            came && details.refund_of.is_none()
        };
        self.past.iter().rev().take(LATELY).filter(is_pix)
    }
}
