//! One view at a time acts: once a view has begun anywhere, an earlier one executes nothing beyond where it began.

use std::collections::BTreeMap;

use netbanking::protocol::ids::{Ballot, BankId, BankSet, Position};

use super::{Verdict, must};

const NAME: &str = "one view at a time";

#[derive(Debug, Default)]
pub(crate) struct Views {
    /// Where each view began, and its members.
    begun: BTreeMap<Ballot, (Position, BankSet)>,
}

impl Views {
    /// How many views there have been.
    pub(crate) fn count(&self) -> usize {
        self.begun.len()
    }

    /// A view begins at a bank; `end` is how far the common order goes.
    pub(crate) fn installed(
        &mut self,
        bank: BankId,
        (view, members, begins): (Ballot, BankSet, Position),
        banks: usize,
        end: Position,
    ) -> Verdict {
        must(members.contains(bank), NAME, || format!("bank {bank} begins {view} without being a member"))?;
        must(2 * members.len() > banks, NAME, || format!("{view} has {} of {banks} banks", members.len()))?;
        if let Some(known) = self.begun.get(&view) {
            return must(*known == (begins, members), NAME, || {
                format!("{view} begins after {begins} at bank {bank}, after {known:?} elsewhere")
            });
        }
        must(end <= begins || self.begun.keys().next_back().is_some_and(|last| *last > view), NAME, || {
            format!("bank {bank} begins {view} after {begins}, though {end} was executed before")
        })?;
        self.begun.insert(view, (begins, members));
        Ok(())
    }

    /// An event of a view is executed for the first time, with its last request at a position.
    pub(crate) fn executed(&self, bank: BankId, view: Ballot, position: Position) -> Verdict {
        let later = self.begun.iter().rev().take_while(|(begun, _)| **begun > view);
        for (begun, (begins, _)) in later {
            must(position <= *begins, NAME, || {
                format!("bank {bank} executes an event of {view} at {position}; {begun} has begun after {begins}")
            })?;
        }
        Ok(())
    }
}
