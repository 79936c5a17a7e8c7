//! No more leaves a customer's accounts than they allow, at however many banks they ask.
//!
//! Runs begin in the evening and end in the same night, and no limit is raised before the next
//! evening: so all that leaves counts, against the lowest limit so far.

use std::collections::BTreeMap;

use netbanking::ids::EventId;
use netbanking::ledger::{
    Action, Done, Executed, OperationKind, Outcome, PixKey, Planned, Request, UserName, Wish,
};

use super::Judge;

/// What is known of limits.
#[derive(Default)]
pub(super) struct Allowed {
    /// Who is paid by a key.
    owners: BTreeMap<PixKey, UserName>,
    /// In centavos.
    limits: BTreeMap<UserName, i128>,
    spent: BTreeMap<UserName, i128>,
}

impl Judge {
    /// A request has been done.
    pub(super) fn count_leaving(&mut self, request: &Request, executed: &Executed) {
        let allowed = &mut self.allowed;
        match (&request.action, &executed.outcome) {
            (Action::CreateAccount(opening), Outcome::Done(Done::AccountCreated { key, .. })) => {
                allowed.owners.insert(key.clone(), opening.user_name.clone());
            }
            (Action::Limits(change), _) => {
                let by = request.by.clone().expect("a customer sets limits");
                let Wish::Most(limit) = change.night else { return };
                let known = allowed.limits.entry(by).or_insert(i128::MAX);
                *known = (*known).min(limit.get().get());
            }
            (Action::Operations(package), _) => {
                let by = request.by.as_ref().expect("a customer asks");
                let leaves = package.operations().iter().filter(|it| match &it.kind {
                    OperationKind::Deposit { .. } => false,
                    OperationKind::Withdraw { .. } => true,
                    OperationKind::Transfer { pix, .. } => allowed.owners.get(pix) != Some(by),
                });
                let sum = leaves.map(|it| it.kind.value().get().get()).sum();
                self.has_left(by, sum, &request.id);
            }
            _ => {}
        }
    }

    /// A Pix of a day to come was paid.
    pub(super) fn count_paid(&mut self, by: &UserName, planned: &Planned, id: &EventId) {
        if self.allowed.owners.get(&planned.pix) != Some(by) {
            self.has_left(by, planned.value.get().get(), id);
        }
    }

    fn has_left(&mut self, by: &UserName, sum: i128, id: &EventId) {
        let allowed = &mut self.allowed;
        let spent = allowed.spent.entry(by.clone()).or_default();
        *spent += sum;
        let most = allowed.limits.get(by).copied().unwrap_or(i128::MAX);
        assert!(
            sum == 0 || *spent <= most || !self.dates_are_right,
            "{by} lets {spent} centavos leave, and allows {most}: {id}"
        );
    }
}
