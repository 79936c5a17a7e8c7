//! Who was complained about lately: a bank that sends what cannot be is named at once, and then
//! once a minute with a count, however much it sends.

use std::collections::BTreeMap;

use super::notice::Notice;
use super::possible::Impossible;
use crate::ids::BankId;

/// After how many ticks of 100 ms a bank is complained about again: a minute.
const COMPLAINED_AGAIN_AFTER: u16 = 600;

/// The banks that were complained about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Complaints(BTreeMap<BankId, Complaint>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Complaint {
    /// Ticks until the next may be made.
    quiet: u16,
    /// How many were kept back since the last one.
    more: u32,
}

impl Complaints {
    /// What people are told about it, if it is time to tell them.
    pub(crate) fn about(&mut self, bank: BankId, what: Impossible) -> Option<Notice> {
        let fresh = Complaint { quiet: 0, more: 0 };
        let complaint = self.0.entry(bank).or_insert(fresh);
        if complaint.quiet > 0 {
            complaint.more = complaint.more.saturating_add(1);
            return None;
        }
        let more = std::mem::take(&mut complaint.more);
        complaint.quiet = COMPLAINED_AGAIN_AFTER;
        Some(Notice::Impossible { bank, what, more })
    }

    /// A tick has passed.
    pub(crate) fn tick(&mut self) {
        self.0.values_mut().for_each(|complaint| {
            complaint.quiet = complaint.quiet.saturating_sub(1);
        });
        self.0.retain(|_, complaint| complaint.quiet > 0 || complaint.more > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bank_is_complained_about_at_once_and_then_once_a_minute_with_a_count() {
        let mut complaints = Complaints::default();
        let mut told = Vec::new();
        for _ in 0..2 * u32::from(COMPLAINED_AGAIN_AFTER) {
            told.extend(complaints.about(BankId(1), Impossible::Round));
            complaints.tick();
        }
        told.extend(complaints.about(BankId(2), Impossible::Event));
        let first = |bank, what, more| Notice::Impossible { bank: BankId(bank), what, more };
        let kept_back = u32::from(COMPLAINED_AGAIN_AFTER) - 1;
        assert_eq!(
            told,
            [
                first(1, Impossible::Round, 0),
                first(1, Impossible::Round, kept_back),
                first(2, Impossible::Event, 0)
            ]
        );
        let mut complaints = Complaints::default();
        complaints.about(BankId(1), Impossible::Round);
        (0..COMPLAINED_AGAIN_AFTER).for_each(|_| complaints.tick());
        assert_eq!(complaints, Complaints::default(), "what is over takes no room");
    }
}
