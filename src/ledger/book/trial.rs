//! A package tried out on the book without changing it: what each balance would be, and where it
//! would fail.
//!
//! Before a package is sent, this shows the customer what the result would be. The rules are those
//! of `operations`.

use std::collections::BTreeMap;

use super::Book;
use super::operations::Draft;
use crate::ids::{BankId, BankSet};
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
    /// Tries out a package of this customer as if these banks took part; `own` is that of the
    /// request, and `at` the moment in Unix milliseconds and by how many seconds clocks are ahead
    /// of UTC then, if limits count.
    #[must_use]
    pub(crate) fn try_out(
        &self,
        by: &UserName,
        operations: &[Operation],
        members: BankSet,
        own: bool,
        at: Option<(i64, i32)>,
    ) -> Trial {
        let mut trial = Trial::default();
        let mut draft = Draft::new(self, members, Some(by), own);
        let outlay = at.and_then(|(at_ms, offset_s)| self.outlay(by, at_ms, offset_s));
        // The password may still be given.
        draft.outlay = outlay.map(|outlay| outlay.asking_above(None));
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::EventId;
    use crate::ledger::{
        Action, Amount, Circumstances, Document, Executed, Opening, OperationKind, Outcome,
        Package, PasswordHash, PersonName, PixKey, PixType, Registration, Request, TypeAccount,
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
                    distinct: true,
                });
                assert!(bench.apply(0, None, action).outcome.code());
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
                    consent: false,
                });
                assert!(bench.apply(bank, None, action).outcome.code());
            }
            bench
        }

        fn apply(&mut self, bank: u16, by: Option<&str>, action: Action) -> Executed {
            let id = EventId::new(BankId(bank), &self.book.position().0.to_string());
            let request = Request {
                id,
                at_ms: None,
                key: None,
                by: by.map(user),
                own: false,
                offset_s: None,
                confirmed: false,
                action,
            };
            let of = Circumstances { sender: BankId(bank), members: self.members, header: None };
            self.book.apply(&of, &request.to_raw())
        }

        fn operate(&mut self, by: &str, operations: &[Operation]) -> Executed {
            self.apply(
                0,
                Some(by),
                Action::Operations(Package::parse(operations.to_vec()).unwrap()),
            )
        }

        fn try_out(&self, operations: &[Operation]) -> Trial {
            self.book.try_out(&user("ana"), operations, BankSet::all(2), false, None)
        }
    }

    fn withdraw(bank: u16, account: u64, centavos: i64) -> Operation {
        let kind = OperationKind::Withdraw { value: amount(centavos), sender: None };
        Operation { bank: BankId(bank), account: number(account), kind }
    }

    fn deposit(bank: u16, account: u64, centavos: i64) -> Operation {
        Operation {
            kind: OperationKind::Deposit { value: amount(centavos), sender: None },
            ..withdraw(bank, account, 1)
        }
    }

    fn pay(bank: u16, account: u64, centavos: i64, key: &str) -> Operation {
        let pix = PixKey::parse(key).unwrap();
        let kind = OperationKind::Transfer { value: amount(centavos), pix, note: None };
        Operation { bank: BankId(bank), account: number(account), kind }
    }

    #[test]
    fn a_trial_foretells_every_balance() {
        let mut bench = Bench::new();
        let operations =
            [deposit(0, 1, 500), pay(0, 1, 10_500, "1:2"), withdraw(1, 2, 1), pay(1, 2, 9, "1:3")];
        let trial = bench.try_out(&operations);
        assert_eq!(trial.failed, None);
        assert!(bench.operate("ana", &operations).outcome.code());
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
    fn a_refusal_names_the_operation_whatever_the_reason_is() {
        for (operations, refused) in [
            (vec![deposit(0, 1, 1), withdraw(0, 1, 10_002)], 1),
            (vec![withdraw(0, 1, 6_000), withdraw(0, 1, 6_000), withdraw(0, 1, 1)], 1),
            (vec![pay(0, 1, 1, "1:2"), pay(1, 2, 10_000, "0:1"), withdraw(1, 2, 2)], 2),
            (vec![deposit(0, 1, 1), withdraw(1, 3, 1)], 1),
            (vec![deposit(0, 9, 1)], 0),
            (vec![deposit(0, 1, 1), deposit(0, 1, 1), pay(0, 1, 1, "0:nobody")], 2),
            (vec![deposit(0, 1, 1), pay(0, 1, 1, "0:1")], 1),
            (vec![deposit(0, 1, 1), pay(0, 1, 1, "7:x")], 1),
        ] {
            let mut bench = Bench::new();
            let executed = bench.operate("ana", &operations);
            assert_eq!((executed.outcome.code(), executed.operation), (false, Some(refused)));
        }
    }

    #[test]
    fn an_absent_bank_marks_the_first_operation_that_touches_it() {
        let mut bench = Bench::new();
        bench.members = [BankId(0)].into_iter().collect();
        let operations = [deposit(0, 1, 1), pay(0, 1, 1, "1:3"), deposit(1, 2, 1)];
        let executed = bench.operate("ana", &operations);
        let refusal = Outcome::Refused(Refusal::BankOffline(BankId(1)));
        assert_eq!((executed.outcome, executed.operation), (refusal, Some(1)));
    }
}
