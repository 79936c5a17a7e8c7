//! A package tried out on the book without changing it: what each balance would be, and where it
//! would fail.
//!
//! Before a package is sent, this shows the customer what the result would be. After the ledger has
//! refused one, it finds the operation that was refused: the trial runs on the balances as they
//! stood at the refused package's position, and its answer counts only if it fails for the very
//! reason that the ledger gave. The rules are those of `operations`.

use std::collections::BTreeMap;

use super::Book;
use super::operations::Draft;
use crate::ids::{BankId, BankSet, Position};
use crate::ledger::account::AccountNumber;
use crate::ledger::customer::UserName;
use crate::ledger::money::Centavos;
use crate::ledger::outcome::Refusal;
use crate::ledger::package::Operation;

/// The operations as far as they would go, and why the next one would not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trial {
    /// What each operation before the first that fails leaves on its own account.
    pub after: Vec<Centavos>,
    /// Why the next one fails.
    pub failed: Option<Refusal>,
    /// What every account that is touched holds at the end.
    pub balances: BTreeMap<(BankId, AccountNumber), Centavos>,
}

impl Book {
    /// Tries out a package of this customer as if these banks took part, on the book as it was
    /// before a position, or as it is now.
    #[must_use]
    pub(crate) fn try_out(
        &self,
        by: &UserName,
        operations: &[Operation],
        members: BankSet,
        before: Option<Position>,
    ) -> Trial {
        let mut trial = Trial::default();
        let mut draft = Draft::new(self, members, Some(by)).before(before);
        for operation in operations {
            // The operation's own account comes first.
            let mut own = None;
            let ran = draft.run(operation, &mut |leg| _ = own.get_or_insert(leg.balance_after));
            match ran {
                Ok(()) => trial.after.extend(own),
                Err(refusal) => {
                    trial.failed = Some(refusal);
                    break;
                }
            }
        }
        trial.balances = draft
            .balances()
            .map(|(account, left)| ((account.bank, account.number), left))
            .collect();
        trial
    }

    /// Which operation of a refused package was refused, if it can be told for certain.
    #[must_use]
    pub(crate) fn refused_operation(
        &self,
        by: &UserName,
        operations: &[Operation],
        position: Position,
        refusal: &Refusal,
    ) -> Option<usize> {
        let mut members = BankSet::all(self.banks());
        // If other banks were away too, the package did not get as far as them.
        if let Refusal::BankOffline(bank) = refusal {
            members.remove(*bank);
        }
        let trial = self.try_out(by, operations, members, Some(position));
        (trial.failed.as_ref() == Some(refusal)).then_some(trial.after.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::EventId;
    use crate::ledger::{
        Action, Amount, Circumstances, Document, Opening, OperationKind, Outcome, Package,
        PasswordHash, PersonName, PixKey, PixType, Registration, Request, TypeAccount,
    };

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn number(number: u64) -> AccountNumber {
        AccountNumber::try_from(number).unwrap()
    }

    fn amount(centavos: i64) -> Amount {
        Amount::parse(Centavos::new(centavos)).unwrap()
    }

    struct Bench {
        book: Book,
        members: BankSet,
    }

    impl Bench {
        /// Ana has account 1 at bank 0 and 2 at bank 1, Bia account 3 at bank 1, each with R$
        /// 100.00.
        fn new() -> Bench {
            let mut bench = Bench { book: Book::new(2), members: BankSet::all(2) };
            for (index, name) in ["ana", "bia"].into_iter().enumerate() {
                let document = Document::try_from(format!("00{index}.000.000-00")).unwrap();
                let action = Action::Register(Registration {
                    name: PersonName::parse(name).unwrap(),
                    num_cadastro: document,
                    user_name: user(name),
                    password_hash: PasswordHash::parse("$x").unwrap(),
                });
                assert!(bench.apply(0, None, action).1.code());
            }
            for (bank, name, account) in [(0, "ana", 1), (1, "ana", 2), (1, "bia", 3)] {
                let action = Action::CreateAccount(Opening {
                    user_name: user(name),
                    type_account: TypeAccount::Pf,
                    pix_type: PixType::NumConta,
                    users: vec![],
                    value_init: amount(10_000),
                    numbers: vec![number(account)],
                    random_key: "r".into(),
                });
                assert!(bench.apply(bank, None, action).1.code());
            }
            bench
        }

        fn apply(&mut self, bank: u16, by: Option<&str>, action: Action) -> (Position, Outcome) {
            let id = EventId::new(BankId(bank), &self.book.position().0.to_string());
            let request = Request { id, at_ms: None, key: None, by: by.map(user), action };
            let of = Circumstances { sender: BankId(bank), members: self.members, header: None };
            let executed = self.book.apply(&of, &request.to_raw());
            (executed.position, executed.outcome)
        }

        fn operate(&mut self, by: &str, operations: &[Operation]) -> (Position, Outcome) {
            self.apply(
                0,
                Some(by),
                Action::Operations(Package::parse(operations.to_vec()).unwrap()),
            )
        }

        fn try_out(&self, operations: &[Operation]) -> Trial {
            self.book.try_out(&user("ana"), operations, BankSet::all(2), None)
        }
    }

    fn withdraw(bank: u16, account: u64, centavos: i64) -> Operation {
        let kind = OperationKind::Withdraw { value: amount(centavos) };
        Operation { bank: BankId(bank), account: number(account), kind }
    }

    fn deposit(bank: u16, account: u64, centavos: i64) -> Operation {
        Operation {
            kind: OperationKind::Deposit { value: amount(centavos) },
            ..withdraw(bank, account, 1)
        }
    }

    fn pay(bank: u16, account: u64, centavos: i64, key: &str) -> Operation {
        let kind =
            OperationKind::Transfer { value: amount(centavos), pix: PixKey::parse(key).unwrap() };
        Operation { bank: BankId(bank), account: number(account), kind }
    }

    #[test]
    fn a_trial_foretells_every_balance() {
        let mut bench = Bench::new();
        let operations =
            [deposit(0, 1, 500), pay(0, 1, 10_500, "1:2"), withdraw(1, 2, 1), pay(1, 2, 9, "1:3")];
        let trial = bench.try_out(&operations);
        assert_eq!(trial.failed, None);
        assert!(bench.operate("ana", &operations).1.code());
        assert_eq!(trial.balances.len(), 3);
        for ((bank, account), balance) in trial.balances {
            assert_eq!(
                bench.book.account(bank, account).unwrap().balance,
                balance,
                "{bank} {account}"
            );
        }
    }

    #[test]
    fn the_refused_operation_is_found_whatever_the_reason_is() {
        for (operations, refused) in [
            (vec![deposit(0, 1, 1), withdraw(0, 1, 10_002)], 1),
            (vec![withdraw(0, 1, 6_000), withdraw(0, 1, 6_000), withdraw(0, 1, 1)], 1),
            (vec![pay(0, 1, 1, "1:2"), pay(1, 2, 10_000, "0:1"), withdraw(1, 2, 2)], 2),
            (vec![deposit(0, 1, 1), withdraw(1, 3, 1)], 1),
            (vec![deposit(0, 9, 1)], 0),
            (vec![deposit(0, 1, 1), deposit(0, 1, 1), pay(0, 1, 1, "0:nobody")], 2),
            (vec![deposit(0, 1, 1), pay(0, 1, 1, "0:1")], 1),
            (vec![deposit(0, 1, i64::MAX)], 0),
            (vec![deposit(0, 1, 1), pay(0, 1, 1, "7:x")], 1),
        ] {
            let mut bench = Bench::new();
            let (position, Outcome::Refused(refusal)) = bench.operate("ana", &operations) else {
                panic!("executed")
            };
            // What happens afterwards does not confuse the trial.
            assert!(bench.operate("bia", &[deposit(0, 1, 99_999), deposit(1, 2, 99_999)]).1.code());
            let found = bench.book.refused_operation(&user("ana"), &operations, position, &refusal);
            assert_eq!(found, Some(refused), "{refusal}");
        }
    }

    #[test]
    fn an_absent_bank_marks_the_first_operation_that_touches_it() {
        let mut bench = Bench::new();
        bench.members = [BankId(0)].into_iter().collect();
        let operations = [deposit(0, 1, 1), pay(0, 1, 1, "1:3"), deposit(1, 2, 1)];
        let (position, Outcome::Refused(refusal)) = bench.operate("ana", &operations) else {
            panic!("executed")
        };
        assert_eq!(refusal, Refusal::BankOffline(BankId(1)));
        assert_eq!(
            bench.book.refused_operation(&user("ana"), &operations, position, &refusal),
            Some(1)
        );
    }

    #[test]
    fn what_cannot_be_told_for_certain_is_not_told() {
        let bench = Bench::new();
        let refusal = Refusal::KeyReused;
        assert_eq!(
            bench.book.refused_operation(&user("ana"), &[deposit(0, 1, 1)], Position(9), &refusal),
            None
        );
    }
}
