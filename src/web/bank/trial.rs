//! A package tried out on the book without changing it: what each balance would be, and where it would fail.
//!
//! Before a package is sent, this shows the customer what will come of it. When the ledger has refused one, it finds
//! the operation that was refused: the trial runs on the balances as they stood at the refused package's position, and
//! its answer counts only if it fails for the very reason that the ledger gave.

use std::collections::BTreeMap;

use crate::ledger::{Account, AccountNumber, Book, Centavos, Operation, OperationKind, PixKey, Refusal, UserName};
use crate::protocol::ids::{BankId, Position};

type Place = (BankId, AccountNumber);

/// What one operation leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct After {
    /// The balance of the operation's own account.
    pub(super) own: Centavos,
    /// Account and balance of who is paid.
    pub(super) payee: Option<(Place, Centavos)>,
}

/// The operations as far as they would go, and why the next one would not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trial {
    /// What each operation before the first that fails leaves.
    pub(super) after: Vec<After>,
    /// Why the next one fails.
    pub(super) failed: Option<Refusal>,
    /// What every account that is touched holds at the end.
    pub(super) balances: BTreeMap<Place, Centavos>,
}

/// Runs a package.
pub(super) struct Runner<'a> {
    /// The book that is asked.
    pub(super) book: &'a Book,
    /// Who sends the package.
    pub(super) by: &'a UserName,
    /// The banks that do not take part.
    pub(super) offline: &'a [BankId],
    /// Look at the book as it was before this position; as it is now where absent.
    pub(super) before: Option<Position>,
}

impl Runner<'_> {
    /// Runs until the end or the first failure.
    pub(super) fn run(&self, operations: &[Operation]) -> Trial {
        let mut trial = Trial::default();
        for operation in operations {
            match self.step(&mut trial.balances, operation) {
                Ok(after) => trial.after.push(after),
                Err(refusal) => {
                    trial.failed = Some(refusal);
                    break;
                }
            }
        }
        trial
    }

    fn step(&self, balances: &mut BTreeMap<Place, Centavos>, operation: &Operation) -> Result<After, Refusal> {
        let (bank, number) = (operation.bank, operation.account);
        self.check_online(bank)?;
        let account = self.book.account(bank, number).filter(|account| self.exists(account));
        let account = account.ok_or(Refusal::UnknownAccount { bank, account: number })?;
        match &operation.kind {
            OperationKind::Deposit { value } => {
                Ok(After { own: self.post(balances, account, value.get())?, payee: None })
            }
            OperationKind::Withdraw { value } => {
                self.check_holder(account)?;
                Ok(After { own: self.post(balances, account, value.negated())?, payee: None })
            }
            OperationKind::Transfer { value, pix } => {
                self.check_holder(account)?;
                let payee = self.payee(pix)?;
                if (payee.bank, payee.number) == (bank, number) {
                    return Err(Refusal::SameAccount { bank, account: number });
                }
                let own = self.post(balances, account, value.negated())?;
                let theirs = self.post(balances, payee, value.get())?;
                Ok(After { own, payee: Some(((payee.bank, payee.number), theirs)) })
            }
        }
    }

    fn payee(&self, pix: &PixKey) -> Result<&Account, Refusal> {
        self.check_online(pix.bank())?;
        let payee = self.book.pix(pix).map(|(account, _)| account).filter(|account| self.exists(account));
        payee.ok_or_else(|| Refusal::UnknownPixKey(pix.clone()))
    }

    fn check_online(&self, bank: BankId) -> Result<(), Refusal> {
        let online = bank.index() < self.book.banks() && !self.offline.contains(&bank);
        if online { Ok(()) } else { Err(Refusal::BankOffline(bank)) }
    }

    fn check_holder(&self, account: &Account) -> Result<(), Refusal> {
        if account.is_held_by(self.by) {
            return Ok(());
        }
        Err(Refusal::NotHolder { bank: account.bank, account: account.number, user_name: self.by.clone() })
    }

    /// Entries of a statement stand in the order of their positions.
    fn entries(&self, account: &Account) -> usize {
        let before = |before| account.statement.partition_point(|entry| entry.position < before);
        self.before.map_or(account.statement.len(), before)
    }

    fn exists(&self, account: &Account) -> bool {
        self.entries(account) > 0
    }

    fn balance(&self, account: &Account) -> Centavos {
        let last = self.entries(account).checked_sub(1);
        last.map_or(Centavos::ZERO, |index| account.statement[index].balance_after)
    }

    fn post(
        &self,
        balances: &mut BTreeMap<Place, Centavos>,
        account: &Account,
        value: Centavos,
    ) -> Result<Centavos, Refusal> {
        let (bank, number) = (account.bank, account.number);
        let balance = balances.entry((bank, number)).or_insert_with(|| self.balance(account));
        let after = balance.checked_add(value).ok_or(Refusal::BalanceTooLarge { bank, account: number })?;
        if after < Centavos::ZERO {
            return Err(Refusal::InsufficientBalance { bank, account: number, balance: *balance });
        }
        *balance = after;
        Ok(after)
    }
}

/// Which operation of a refused package was refused, if it can be told for certain.
pub(super) fn refused_operation(
    book: &Book,
    by: &UserName,
    operations: &[Operation],
    position: Position,
    refusal: &Refusal,
) -> Option<usize> {
    // Whatever other bank was away, the package did not get to it.
    let offline: &[BankId] = match refusal {
        Refusal::BankOffline(bank) => &[*bank],
        _ => &[],
    };
    let trial = Runner { book, by, offline, before: Some(position) }.run(operations);
    (trial.failed.as_ref() == Some(refusal)).then_some(trial.after.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{
        Action, Amount, Circumstances, Document, Opening, Outcome, Package, PasswordHash, PersonName, PixType,
        Registration, Request, TypeAccount,
    };
    use crate::protocol::ids::{BankSet, EventId};

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
        /// Ana has account 1 at bank 0 and 2 at bank 1, Bia account 3 at bank 1, each with R$ 100.00.
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
            self.apply(0, Some(by), Action::Operations(Package::parse(operations.to_vec()).unwrap()))
        }

        fn try_out(&self, operations: &[Operation]) -> Trial {
            Runner { book: &self.book, by: &user("ana"), offline: &[], before: None }.run(operations)
        }
    }

    fn withdraw(bank: u16, account: u64, centavos: i64) -> Operation {
        let kind = OperationKind::Withdraw { value: amount(centavos) };
        Operation { bank: BankId(bank), account: number(account), kind }
    }

    fn deposit(bank: u16, account: u64, centavos: i64) -> Operation {
        Operation { kind: OperationKind::Deposit { value: amount(centavos) }, ..withdraw(bank, account, 1) }
    }

    fn pay(bank: u16, account: u64, centavos: i64, key: &str) -> Operation {
        let kind = OperationKind::Transfer { value: amount(centavos), pix: PixKey::parse(key).unwrap() };
        Operation { bank: BankId(bank), account: number(account), kind }
    }

    #[test]
    fn a_trial_foretells_every_balance() {
        let mut bench = Bench::new();
        let operations = [deposit(0, 1, 500), pay(0, 1, 10_500, "1:2"), withdraw(1, 2, 1), pay(1, 2, 9, "1:3")];
        let trial = bench.try_out(&operations);
        assert_eq!(trial.failed, None);
        assert!(bench.operate("ana", &operations).1.code());
        assert_eq!(trial.balances.len(), 3);
        for ((bank, account), balance) in trial.balances {
            assert_eq!(bench.book.account(bank, account).unwrap().balance, balance, "{bank} {account}");
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
            let (position, Outcome::Refused(refusal)) = bench.operate("ana", &operations) else { panic!("executed") };
            // What happens afterwards does not confuse it.
            assert!(bench.operate("bia", &[deposit(0, 1, 99_999), deposit(1, 2, 99_999)]).1.code());
            let found = refused_operation(&bench.book, &user("ana"), &operations, position, &refusal);
            assert_eq!(found, Some(refused), "{refusal}");
        }
    }

    #[test]
    fn an_absent_bank_marks_the_first_operation_that_touches_it() {
        let mut bench = Bench::new();
        bench.members = [BankId(0)].into_iter().collect();
        let operations = [deposit(0, 1, 1), pay(0, 1, 1, "1:3"), deposit(1, 2, 1)];
        let (position, Outcome::Refused(refusal)) = bench.operate("ana", &operations) else { panic!("executed") };
        assert_eq!(refusal, Refusal::BankOffline(BankId(1)));
        assert_eq!(refused_operation(&bench.book, &user("ana"), &operations, position, &refusal), Some(1));
    }

    #[test]
    fn what_cannot_be_told_for_certain_is_not_told() {
        let bench = Bench::new();
        let refusal = Refusal::KeyReused;
        assert_eq!(refused_operation(&bench.book, &user("ana"), &[deposit(0, 1, 1)], Position(9), &refusal), None);
    }
}
