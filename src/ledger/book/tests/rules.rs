//! What happens when a rule is wrong: it panics, or decides something that must not be written.

use super::*;
use crate::ids::Position;
use crate::ledger::book::change::{Change, Posting};
use crate::ledger::book::guard;
use crate::ledger::statement::{Entry, EntryKind};

/// A customer for whom a rule panics.
const NOBODY_THOUGHT_OF: &str = "imprevisto";

/// Planted ahead of all rules, in tests only.
pub(in crate::ledger::book) fn planted(request: &Request) {
    if let Action::Register(registration) = &request.action {
        assert_ne!(registration.user_name.as_str(), NOBODY_THOUGHT_OF, "a rule that panics");
    }
}

#[test]
fn a_request_that_panics_is_rejected_in_the_same_way_everywhere() {
    let mut copies = [Trial::with_customers(), Trial::with_customers()];
    let hashes = copies.each_mut().map(|trial| {
        let before = trial.book.hash();
        let executed =
            trial.ask(0, Action::Register(registration(NOBODY_THOUGHT_OF, "000.000.000-09")));
        assert_eq!(executed.position, Position(6), "it has a place in the order");
        assert_eq!(
            refusal(executed).to_string(),
            "Falha na operação: Erro interno, nada foi executado"
        );
        assert_ne!(trial.book.hash(), before, "and is part of the chain");
        assert!(trial.book.customer(&user(NOBODY_THOUGHT_OF)).is_none() && !guard::is_guarded());
        done(trial.operate("ana", vec![deposit(0, 101, 1)]));
        trial.book.hash()
    });
    assert_eq!(hashes[0], hashes[1]);
}

#[test]
fn the_key_of_a_request_that_panicked_remembers_the_refusal() {
    let mut trial = Trial::with_customers();
    let action = || Action::Register(registration(NOBODY_THOUGHT_OF, "000.000.000-09"));
    let first = trial.ask_with_key(0, None, "k", action());
    assert_eq!(trial.ask_with_key(1, None, "k", action()), first);
}

#[test]
fn what_a_wrong_rule_decides_is_not_written() {
    let trial = Trial::with_customers();
    let ana = |value: i64, balance_after: i64, kind| {
        let slot = trial.book.slot(BankId(0), number(101)).unwrap();
        let mut entry: Entry = trial.statement(0, 101)[0].clone();
        (entry.value, entry.balance_after, entry.kind) =
            (Centavos::new(value), Centavos::new(balance_after), kind);
        Posting { slot, bank: BankId(0), account: number(101), entry }
    };
    let is_proved = |postings| {
        let change = Change::Posted { postings, outlay: None };
        guard::guarded(|| trial.book.prove(&change)).is_some()
    };
    assert!(is_proved(vec![
        ana(1, 10_001, EntryKind::Deposit),
        ana(-1, 10_000, EntryKind::Withdraw)
    ]));
    assert!(!is_proved(vec![ana(1, 10_002, EntryKind::Deposit)]), "an entry that does not follow");
    assert!(!is_proved(vec![ana(1, 10_001, EntryKind::Receive)]), "money from nowhere");
    assert!(!is_proved(vec![
        ana(1, 10_001, EntryKind::Deposit),
        ana(1, 10_001, EntryKind::Deposit)
    ]));
}
