//! An account is closed by all who hold it, empty, and stays where it was.

use super::snapshot::{pieces, read};
use super::*;
use crate::ledger::closing::Closing;
use crate::ledger::keys::{KeyChange, NewKey};

fn closing(bank: u16, account: u64, close: bool) -> Action {
    Action::Close(Closing { bank: BankId(bank), account: number(account), close })
}

impl Trial {
    fn close(&mut self, by: &str, bank: u16, account: u64) -> Executed {
        let request = self.request(Some(by), None, closing(bank, account, true));
        self.apply(0, &request)
    }
}

#[test]
fn an_empty_account_is_closed_its_key_is_free_and_its_number_is_not() {
    let mut trial = Trial::with_customers();
    let full = Refusal::NotEmpty { bank: BankId(0), account: number(101) };
    assert_eq!(refusal(trial.close("ana", 0, 101)), full);
    done(trial.operate("ana", vec![withdraw(0, 101, 10_000)]));
    assert!(refusal(trial.close("bia", 0, 101)).is_forbidden());
    assert_eq!(done(trial.close("ana", 0, 101)), Done::AccountClosed);
    let closed = Refusal::AccountClosed { bank: BankId(0), account: number(101) };
    assert_eq!(refusal(trial.close("ana", 0, 101)), closed);
    assert_eq!(refusal(trial.operate("ana", vec![deposit(0, 101, 1)])), closed);
    for key in ["0:ana", "0:@101"] {
        let note = Some(Note::default());
        let kind = OperationKind::Transfer { value: amount(1), pix: pix(key), note };
        let pay = Operation { bank: BankId(1), account: number(202), kind };
        assert_eq!(refusal(trial.operate("bia", vec![pay])), Refusal::UnknownPixKey(pix(key)));
        assert!(trial.book.pix(&pix(key)).is_none());
    }
    let add = KeyChange::Add { bank: BankId(0), account: number(101), key: NewKey::UserName };
    let add = trial.request(Some("ana"), None, Action::Keys(add));
    assert_eq!(refusal(trial.apply(0, &add)), closed);
    assert_eq!(trial.book.accounts_of(&user("ana")).count(), 0);
    assert_eq!(trial.book.closed_accounts_of(&user("ana")).count(), 1);
    assert_eq!(trial.statement(0, 101).len(), 2, "its past is there");
    assert_eq!(
        refusal(trial.ask(0, Action::CreateAccount(opening("ana", 101)))),
        Refusal::NoFreeNumber
    );
    done(trial.ask(0, Action::CreateAccount(opening("ana", 102))));
    assert_eq!(trial.account(0, 102).key, pix("0:ana"));
}

#[test]
fn a_joint_account_is_closed_when_all_holders_have_agreed_and_it_is_empty_then() {
    let mut trial = Trial::with_customers();
    let joint = Opening {
        type_account: TypeAccount::Conjunta,
        users: vec![user("bia"), user("cia")],
        ..opening("ana", 303)
    };
    done(trial.ask(2, Action::CreateAccount(joint)));
    done(trial.operate("ana", vec![withdraw(2, 303, 10_000)]));
    let waiting = |names: &[&str]| Done::CloseAgreed {
        waiting_for: names.iter().map(|name| user(name)).collect(),
    };
    assert_eq!(done(trial.close("bia", 2, 303)), waiting(&["ana", "cia"]));
    assert_eq!(done(trial.close("bia", 2, 303)), waiting(&["ana", "cia"]));
    // Any of them may take it back, and nobody has agreed then.
    let keep = trial.request(Some("cia"), None, closing(2, 303, false));
    assert_eq!(done(trial.apply(1, &keep)), Done::CloseTakenBack);
    assert_eq!(done(trial.close("ana", 2, 303)), waiting(&["bia", "cia"]));
    trial.book = read(&pieces(&trial.book)).unwrap();
    done(trial.close("cia", 2, 303));
    done(trial.ask(0, package(vec![deposit(2, 303, 1)])));
    let full = Refusal::NotEmpty { bank: BankId(2), account: number(303) };
    assert_eq!(refusal(trial.close("bia", 2, 303)), full);
    done(trial.operate("cia", vec![withdraw(2, 303, 1)]));
    assert_eq!(done(trial.close("bia", 2, 303)), Done::AccountClosed);
    let text = pieces(&trial.book).concat();
    trial.book = read(std::slice::from_ref(&text)).unwrap();
    assert_eq!(trial.book.verify(), Ok(()));
    assert_eq!(pieces(&trial.book).concat(), text);
    assert!(matches!(refusal(trial.close("ana", 2, 303)), Refusal::AccountClosed { .. }));
}

#[test]
fn what_was_paid_by_an_account_that_is_closed_cannot_be_given_back() {
    let mut trial = Trial::with_customers();
    trial.headers = Some(false);
    let kind = OperationKind::Transfer {
        value: amount(10_000),
        pix: pix("1:bia"),
        note: Some(Note::default()),
    };
    done(trial.operate("ana", vec![Operation { bank: BankId(0), account: number(101), kind }]));
    let original = trial.received(1, 202).unwrap();
    done(trial.close("ana", 0, 101));
    let refund = crate::ledger::refund::Refund {
        bank: BankId(1),
        account: number(202),
        value: amount(1),
        message: None,
        original,
    };
    let refund = trial.request(Some("bia"), None, Action::Refund(refund));
    let closed = Refusal::AccountClosed { bank: BankId(0), account: number(101) };
    assert_eq!(refusal(trial.apply(1, &refund)), closed);
}
