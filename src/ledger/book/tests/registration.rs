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
}

#[test]
fn no_user_name_looks_like_another() {
    let mut trial = Trial::with_customers();
    done(trial.ask(0, Action::Register(registration("paulo.l0", "000.000.000-07"))));
    for alike in ["Ana", "ANA", "pau1o.l0", "PAULO.IO"] {
        let twin = Registration { distinct: true, ..registration(alike, "000.000.000-09") };
        let refused = refusal(trial.ask(2, Action::Register(twin)));
        assert_eq!(refused, Refusal::UserNameAlike, "{alike}");
    }
    let other = Registration { distinct: true, ..registration("anna", "000.000.000-09") };
    done(trial.ask(2, Action::Register(other)));
}

#[test]
fn names_of_older_journals_stay_as_they_are_and_log_in_by_their_own_spelling() {
    let mut trial = Trial::with_customers();
    // Such a request does not say whether its name must be distinct.
    let old = Action::Register(registration("Ana", "000.000.000-09"));
    let request = trial.request(None, None, old);
    assert!(!request.to_raw().msg.get().contains("distinct"));
    done(trial.apply(1, &request));
    let typed = |book: &Book, text: &str| {
        book.customer_typed(&user(text)).map(|customer| customer.user_name.to_string())
    };
    for book in [&trial.book, &snapshot::read(&snapshot::pieces(&trial.book)).unwrap()] {
        assert_eq!(typed(book, "ana").as_deref(), Some("ana"));
        assert_eq!(typed(book, "Ana").as_deref(), Some("Ana"));
        assert_eq!(typed(book, "BIA").as_deref(), Some("bia"));
        assert_eq!(typed(book, "b1a"), None, "only case is forgiven");
        assert_eq!(typed(book, "ANA"), None, "there are two of them");
    }
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

#[test]
fn a_password_is_replaced_for_the_customer_who_asks_and_in_snapshots_too() {
    let mut trial = Trial::with_customers();
    let hash = |text: &str| PasswordHash::parse(text).unwrap();
    let change = || Action::ChangePassword(PasswordChange { password_hash: hash("$argon2id$new") });
    let nobody = trial.request(None, None, change());
    assert_eq!(refusal(trial.apply(1, &nobody)), Refusal::NoCustomer);
    let before = trial.book.present();
    let request = trial.request(Some("ana"), None, change());
    let changed = done(trial.apply(1, &request));
    assert_eq!(changed, Done::PasswordChanged { user_name: user("ana") });
    let of = |book: &Book, name: &str| book.customer(&user(name)).unwrap().password_hash.clone();
    for book in [&trial.book, &snapshot::read(&snapshot::pieces(&trial.book)).unwrap()] {
        assert_eq!(
            (of(book, "ana"), of(book, "bia")),
            (hash("$argon2id$new"), hash("$argon2id$x"))
        );
    }
    let old = Book::from_snapshot(
        BANKS,
        crate::ledger::book::Pieces::of(before).collect::<Vec<_>>().iter().map(String::as_str),
    );
    assert_eq!(of(&old.unwrap(), "ana"), hash("$argon2id$x"), "a snapshot under way is unchanged");
}

#[test]
fn a_second_change_of_password_under_one_key_is_made_too() {
    let mut trial = Trial::with_customers();
    for text in ["$argon2id$one", "$argon2id$two"] {
        let password_hash = PasswordHash::parse(text).unwrap();
        let change = PasswordChange { password_hash: password_hash.clone() };
        let request = trial.request(Some("ana"), Some("k"), Action::ChangePassword(change));
        done(trial.apply(1, &request));
        assert_eq!(trial.book.customer(&user("ana")).unwrap().password_hash, password_hash);
    }
}
