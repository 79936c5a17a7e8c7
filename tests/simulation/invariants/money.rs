//! Money comes by openings and deposits and goes by withdrawals, and in no other way.

use netbanking::ids::BankId;
use netbanking::ledger::{Action, Book, OperationKind};

use super::Judge;

impl Judge {
    /// An action has been done.
    pub(super) fn count_money(&mut self, action: &Action) {
        match action {
            // The simulated customers have no joint accounts.
            Action::Register(_) | Action::AnswerJoint(_) | Action::ChangePassword(_) => {}
            Action::Refund(_) | Action::Keys(_) | Action::Limits(_) => {}
            Action::Schedule(_) | Action::Due(_) | Action::Close(_) | Action::Profile(_) => {}
            Action::CreateAccount(opening) => self.total += opening.value_init.get().get(),
            Action::Operations(package) => {
                for operation in package.operations() {
                    match &operation.kind {
                        OperationKind::Deposit { value, .. } => self.total += value.get().get(),
                        OperationKind::Withdraw { value, .. } => self.total -= value.get().get(),
                        OperationKind::Transfer { .. } => {}
                    }
                }
            }
        }
    }

    /// A bank's accounts hold what they held at the bank that first reached this place of the log.
    pub(super) fn check_total(&self, bank: BankId, book: &Book) {
        let Some(last) = self.cursors[bank.index()].checked_sub(1) else { return };
        let (total, expected) = (book.total(), self.log[last].total);
        assert!(
            total == expected,
            "bank {bank}: all accounts hold {total} centavos, not {expected}"
        );
    }
}
