//! Where the keys are makes no difference to what is executed.

use super::*;
use crate::ledger::book::tests::snapshot::pieces;

/// A book with customers that seals the keys of so many positions together.
fn sealing(span: u64) -> Trial {
    let mut trial = Trial::with_customers();
    let pieces = pieces(&trial.book);
    let blank = Book::sealing(BANKS, span);
    trial.book = blank.restored(pieces.iter().map(String::as_str)).unwrap();
    trial
}

#[test]
fn a_package_is_answered_as_the_first_time_also_when_its_key_is_sealed() {
    let mut trial = sealing(10);
    let pay = |centavos| package(vec![deposit(0, 101, centavos)]);
    let first = trial.ask_with_key(0, Some("ana"), "k", pay(1));
    let refused = trial.ask_with_key(0, Some("ana"), "r", package(vec![withdraw(0, 101, 90_000)]));
    for number in 0..100 {
        done(trial.ask_with_key(0, Some("ana"), &number.to_string(), pay(1)));
    }
    let sealed = trial.book.take_sealed();
    assert!(sealed.len() > 5 && trial.book.take_sealed().is_empty(), "{}", sealed.len());
    assert!(trial.book.remembered.keys().len() <= 20);
    assert_eq!(trial.ask_with_key(1, Some("ana"), "k", pay(1)), first);
    let again = package(vec![withdraw(0, 101, 90_000)]);
    assert_eq!(trial.ask_with_key(1, Some("ana"), "r", again), refused);
    let key = IdempotencyKey::parse("k").unwrap();
    assert_eq!(trial.book.answered(&user("ana"), &key), Some(first));
    let other = trial.ask_with_key(2, Some("ana"), "k", pay(2));
    assert_eq!(refusal(other), Refusal::KeyReused);
}

#[test]
fn runs_are_dropped_when_their_keys_are_forgotten() {
    let mut trial = sealing(10);
    for number in 0..100 {
        let name = format!("old {number}");
        done(trial.ask_with_key(0, Some("ana"), &name, package(vec![deposit(0, 101, 1)])));
    }
    assert!(trial.book.remembered.runs().len() > 5);
    // Each request makes the ledger older by a minute at most.
    for _ in 0..24 * 60 + 1 {
        trial.at_ms += 60_000;
        trial.ask(0, package(vec![deposit(0, 101, 1)]));
    }
    assert_eq!((trial.book.remembered.runs().len(), trial.book.remembered.len()), (0, 0));
}
