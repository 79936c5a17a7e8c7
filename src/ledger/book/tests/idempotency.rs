use super::*;
use crate::ledger::book::remembered::IDEMPOTENCY_WINDOW_MS;

#[test]
fn a_repeated_package_is_executed_once_and_answered_as_the_first_time() {
    let mut trial = Trial::with_customers();
    let pay = || package(vec![transfer(0, 101, 1_000, "1:bia")]);
    let first = trial.ask_with_key(0, Some("ana"), "k", pay());
    // Another bank, another moment, another id.
    trial.at_ms += 60_000;
    let (position, hash) = (trial.book.position(), trial.book.hash());
    assert_eq!(trial.ask_with_key(1, Some("ana"), "k", pay()), first);
    assert_eq!(trial.balance(0, 101), 9_000);
    assert_eq!(trial.book.position(), position.next(), "the repetition has a place of its own");
    assert_ne!(trial.book.hash(), hash);
}

#[test]
fn asking_what_became_of_a_key_changes_nothing() {
    let mut trial = Trial::with_customers();
    let key = IdempotencyKey::parse("k").unwrap();
    assert_eq!(trial.book.answered(&user("ana"), &key), None);
    let first = trial.ask_with_key(0, Some("ana"), "k", package(vec![withdraw(0, 101, 1)]));
    assert_eq!(trial.book.answered(&user("ana"), &key), Some(first));
    assert_eq!(trial.book.answered(&user("bia"), &key), None);
    assert_eq!(trial.balance(0, 101), 9_999);
}

#[test]
fn a_refusal_is_remembered_too() {
    let mut trial = Trial::with_customers();
    let draw = || package(vec![withdraw(0, 101, 10_001)]);
    let first = trial.ask_with_key(0, Some("ana"), "k", draw());
    done(trial.operate("ana", vec![deposit(0, 101, 1)]));
    assert_eq!((first.outcome.code(), first.operation), (false, Some(0)));
    assert_eq!(trial.ask_with_key(0, Some("ana"), "k", draw()), first);
}

#[test]
fn a_key_stands_for_one_request_and_keeps_standing_for_it() {
    let mut trial = Trial::with_customers();
    let first = trial.ask_with_key(0, Some("ana"), "k", package(vec![deposit(0, 101, 1)]));
    let other = trial.ask_with_key(0, Some("ana"), "k", package(vec![deposit(0, 101, 2)]));
    assert_eq!(other.position, trial.book.position());
    assert_eq!(refusal(other), Refusal::KeyReused);
    assert_eq!(trial.ask_with_key(0, Some("ana"), "k", package(vec![deposit(0, 101, 1)])), first);
    assert_eq!(trial.balance(0, 101), 10_001);
}

#[test]
fn every_part_of_a_package_counts_when_requests_are_compared() {
    let first = vec![transfer(0, 101, 1, "1:bia"), deposit(0, 101, 1)];
    let others = [
        vec![transfer(0, 101, 1, "1:bia")],
        vec![deposit(0, 101, 1), transfer(0, 101, 1, "1:bia")],
        vec![transfer(0, 101, 2, "1:bia"), deposit(0, 101, 1)],
        vec![transfer(0, 101, 1, "0:bia"), deposit(0, 101, 1)],
        vec![transfer(0, 101, 1, "1:bia"), withdraw(0, 101, 1)],
        vec![transfer(0, 101, 1, "1:bia"), deposit(1, 101, 1)],
        vec![transfer(0, 101, 1, "1:bia"), deposit(0, 202, 1)],
    ];
    let mut trial = Trial::with_customers();
    done(trial.ask_with_key(0, Some("ana"), "k", package(first)));
    for other in others {
        let executed = trial.ask_with_key(0, Some("ana"), "k", package(other.clone()));
        assert_eq!(refusal(executed), Refusal::KeyReused, "{other:?}");
    }
}

#[test]
fn every_customer_has_keys_of_their_own() {
    let mut trial = Trial::with_customers();
    for by in [Some("ana"), Some("bia"), None] {
        done(trial.ask_with_key(0, by, "k", package(vec![deposit(0, 101, 1)])));
    }
    assert_eq!(trial.balance(0, 101), 10_003);
}

#[test]
fn a_repeated_registration_is_recognised_although_its_hash_is_salted_anew() {
    let mut trial = Trial::new();
    let first =
        trial.ask_with_key(0, None, "k", Action::Register(registration("ana", "000.000.000-01")));
    let salted = PasswordHash::parse("$argon2id$y").unwrap();
    let again = Registration { password_hash: salted, ..registration("ana", "000.000.000-01") };
    assert_eq!(trial.ask_with_key(1, None, "k", Action::Register(again)), first);
    assert_eq!(trial.book.customer(&user("ana")).unwrap().password_hash.text(), "$argon2id$x");
}

#[test]
fn every_part_of_a_registration_counts_when_requests_are_compared() {
    let mut trial = Trial::new();
    let first = registration("ana", "000.000.000-01");
    done(trial.ask_with_key(0, None, "k", Action::Register(first.clone())));
    let others = [
        Registration { name: PersonName::parse("Ana Lima").unwrap(), ..first },
        registration("bia", "000.000.000-01"),
        registration("ana", "000.000.000-02"),
    ];
    for other in others {
        let executed = trial.ask_with_key(0, None, "k", Action::Register(other.clone()));
        assert_eq!(refusal(executed), Refusal::KeyReused, "{other:?}");
    }
}

#[test]
fn a_repeated_opening_is_recognised_although_its_numbers_and_key_are_drawn_anew() {
    let mut trial = Trial::with_customers();
    let drawn = |account: u64, random_key: &str| {
        let random_key = random_key.to_owned();
        Action::CreateAccount(Opening {
            random_key,
            pix_type: PixType::Random,
            ..opening("ana", account)
        })
    };
    let first = trial.ask_with_key(0, None, "k", drawn(700, "aaaa"));
    assert_eq!(trial.ask_with_key(1, None, "k", drawn(800, "bbbb")), first);
    assert_eq!(trial.book.accounts_of(&user("ana")).count(), 2);
}

#[test]
fn every_part_of_an_opening_counts_when_requests_are_compared() {
    let mut trial = Trial::with_customers();
    let joint = |users: &[&str]| Opening {
        type_account: TypeAccount::Conjunta,
        users: users.iter().map(|name| user(name)).collect(),
        ..opening("ana", 700)
    };
    let first = joint(&["bia", "cia"]);
    done(trial.ask_with_key(2, None, "k", Action::CreateAccount(first.clone())));
    let others = [
        Opening { type_account: TypeAccount::Pf, ..first.clone() },
        Opening { pix_type: PixType::Cpf, ..first.clone() },
        Opening { value_init: amount(10_001), ..first },
        joint(&["cia", "bia"]),
        joint(&["bia"]),
    ];
    for other in others {
        let executed = trial.ask_with_key(2, None, "k", Action::CreateAccount(other.clone()));
        assert_eq!(refusal(executed), Refusal::KeyReused, "{other:?}");
    }
}

#[test]
fn a_customers_openings_and_packages_share_keys_and_other_customers_have_their_own() {
    let mut trial = Trial::with_customers();
    done(trial.ask_with_key(2, None, "k", Action::CreateAccount(opening("ana", 700))));
    done(trial.ask_with_key(2, None, "k", Action::CreateAccount(opening("bia", 701))));
    let executed = trial.ask_with_key(2, Some("ana"), "k", package(vec![deposit(0, 101, 1)]));
    assert_eq!(refusal(executed), Refusal::KeyReused);
}

#[test]
fn a_key_is_forgotten_after_a_day_of_ledger_time() {
    let mut trial = Trial::with_customers();
    let pay = || package(vec![deposit(0, 101, 1)]);
    let first = trial.ask_with_key(0, Some("ana"), "k", pay());
    trial.at_ms = START_MS + IDEMPOTENCY_WINDOW_MS - 1;
    assert_eq!(trial.ask_with_key(0, Some("ana"), "k", pay()), first);
    trial.at_ms += 1;
    assert_ne!(trial.ask_with_key(0, Some("ana"), "k", pay()), first);
    assert_eq!(trial.balance(0, 101), 10_002);
}

#[test]
fn forgetting_begins_with_the_oldest_key_and_frees_its_memory() {
    let mut trial = Trial::with_customers();
    let ask = |trial: &mut Trial, key: &str| {
        trial.ask_with_key(0, None, key, package(vec![deposit(0, 101, 1)]))
    };
    ask(&mut trial, "old");
    trial.at_ms += 1_000;
    let young = ask(&mut trial, "young");
    trial.at_ms = START_MS + IDEMPOTENCY_WINDOW_MS;
    assert_eq!(ask(&mut trial, "young"), young);
    assert_eq!(trial.book.remembered.keys().len(), 1);
}

#[test]
fn without_a_key_the_same_request_is_executed_again() {
    let mut trial = Trial::with_customers();
    for _ in 0..2 {
        done(trial.operate("ana", vec![deposit(0, 101, 1)]));
    }
    assert_eq!(trial.balance(0, 101), 10_002);
}
