use super::*;
use crate::ids::Position;
use crate::ids::request::{RawRequest, raw};
use crate::ledger::customer::TypePerson;

#[test]
fn a_registered_customer_is_found_by_user_name() {
    let mut trial = Trial::new();
    let executed = trial.ask(1, Action::Register(registration("pedrinho234", "123.123.123-00")));
    assert_eq!(executed.position, Position(1));
    assert_eq!(executed.outcome.descript(), "Cliente pedrinho234 criado com sucesso");
    let customer = trial.book.customer(&user("pedrinho234")).unwrap();
    assert_eq!((customer.name.as_str(), customer.type_person()), ("Pedro Silva", TypePerson::Pf));
    assert_eq!(trial.book.accounts_of(&user("pedrinho234")).count(), 0);
}

#[test]
fn a_document_is_registered_once_in_the_consortium() {
    let mut trial = Trial::with_customers();
    let twin = trial.ask(2, Action::Register(registration("other", "000.000.000-01")));
    assert_eq!(refusal(twin), Refusal::DocumentTaken(TypePerson::Pf));
    let twin = trial.ask(2, Action::Register(registration("other", "00.000.000/0000-03")));
    assert_eq!(refusal(twin), Refusal::DocumentTaken(TypePerson::Pj));
    assert_eq!(trial.book.customer(&user("other")), None);
}

#[test]
fn a_user_name_is_registered_once_in_the_consortium() {
    let mut trial = Trial::with_customers();
    let twin = trial.ask(2, Action::Register(registration("ana", "000.000.000-09")));
    assert_eq!(refusal(twin), Refusal::UserNameTaken);
    done(trial.ask(2, Action::Register(registration("Ana", "000.000.000-09"))));
}

#[test]
fn a_malformed_request_is_refused_and_takes_a_position() {
    let mut trial = Trial::with_customers();
    let (position, hash) = (trial.book.position(), trial.book.hash());
    let id = EventId::new(BankId(1), "x");
    let nonsense = RawRequest { id: id.clone(), type_msg: "REGISTER".into(), msg: raw(&"?") };
    let executed = trial.book.apply(&undated(1, trial.members), &nonsense);
    let outcome = Outcome::Refused(Refusal::Malformed);
    assert_eq!(executed, Executed { id, position: position.next(), outcome, operation: None });
    assert_eq!(trial.book.position(), position.next());
    assert_ne!(trial.book.hash(), hash);
}
