//! Whether the newer part of the past adds up to the present, where the older part is elsewhere.

use std::collections::BTreeMap;

use super::{EntryNumber, LEVELS, PastEntry, level};
use crate::ledger::money::Centavos;
use crate::ledger::statement::EntryKind;

/// What an account's entries have led to.
#[derive(Clone, Debug)]
pub(in crate::ledger) struct Led {
    /// How many entries there are, with those that were not seen.
    pub(in crate::ledger) count: u64,
    /// The last one.
    pub(in crate::ledger) last: EntryNumber,
    /// What it left.
    pub(in crate::ledger) balance: Centavos,
    /// By level, the last one that was seen whose index is a multiple of 64 to that power.
    marks: [EntryNumber; LEVELS],
}

/// Does what [`Auditor`](super::Auditor) does for the entries after a certain one, and takes on
/// trust what an account's first entry there says of those before;
/// [`Book::agrees_after`](crate::ledger::Book::agrees_after) then compares the result.
#[derive(Clone, Debug)]
pub struct LateAuditor {
    unseen: EntryNumber,
    entries: u64,
    accounts: BTreeMap<u32, Led>,
}

impl LateAuditor {
    /// An auditor that does not see the entries through this one.
    #[must_use]
    pub fn after(unseen: EntryNumber) -> Self {
        LateAuditor { unseen, entries: unseen.0, accounts: BTreeMap::new() }
    }

    /// The next entry.
    ///
    /// # Errors
    /// What does not hold, for the log.
    pub fn take(&mut self, past: &PastEntry) -> Result<(), String> {
        let at = |what: &str| format!("entry {}: {what}", past.number);
        self.entries += 1;
        if past.number.0 != self.entries {
            return Err(at("is not the next one"));
        }
        let before = past.entry.balance_after.checked_sub(past.entry.value);
        let opens = past.entry.kind == EntryKind::Opening;
        let known = self.accounts.get(&past.account);
        if opens != (past.index == 0) || (opens && known.is_some()) {
            return Err(at("the statement does not begin with a single opening"));
        }
        let led = match known {
            Some(led) => led.clone(),
            None if opens => Led {
                count: 0,
                last: EntryNumber::default(),
                balance: Centavos::ZERO,
                marks: Default::default(),
            },
            // All that came before was not seen.
            None if past.links.before > self.unseen || past.links.before.is_none() => {
                return Err(at("its links are not those of its account"));
            }
            None => Led {
                count: past.index,
                last: past.links.before,
                balance: before.ok_or_else(|| at("does not follow from the one before"))?,
                marks: Default::default(),
            },
        };
        let next = self.follow(led, past).map_err(at)?;
        self.accounts.insert(past.account, next);
        Ok(())
    }

    /// What an account's entries lead to with one more.
    fn follow(&self, mut led: Led, past: &PastEntry) -> Result<Led, &'static str> {
        let (level, after) = (level(past.index) as usize, past.entry.balance_after);
        let mark = led.marks[level.max(1) - 1];
        let skips = match mark.is_none() {
            true => past.links.skip <= self.unseen,
            false => past.links.skip == mark,
        };
        if (led.count, led.last) != (past.index, past.links.before) || !skips {
            return Err("its links are not those of its account");
        }
        if led.balance.checked_add(past.entry.value) != Some(after) {
            return Err("does not follow from the one before");
        }
        if after < Centavos::ZERO {
            return Err("the balance is negative");
        }
        led.marks[..level].fill(past.number);
        (led.count, led.last, led.balance) = (past.index + 1, past.number, after);
        Ok(led)
    }

    /// The last entry that was not seen.
    pub(in crate::ledger) fn unseen(&self) -> EntryNumber {
        self.unseen
    }

    /// The last entry that was taken.
    pub(in crate::ledger) fn last(&self) -> u64 {
        self.entries
    }

    /// What the entries of the account at a place have led to; `None` if none was seen.
    pub(in crate::ledger) fn led(&self, account: u32) -> Option<&Led> {
        self.accounts.get(&account)
    }

    /// How many accounts have entries that were seen.
    pub(in crate::ledger) fn accounts(&self) -> usize {
        self.accounts.len()
    }
}
