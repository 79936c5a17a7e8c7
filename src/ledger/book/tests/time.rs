use super::*;
use crate::ledger::book::remembered::IDEMPOTENCY_WINDOW_MS;

/// Ana's and Bia's consortium, whose events, from banks 0 and 1, have carried consortium time from
/// the first one on.
fn dated() -> Trial {
    let mut trial = Trial { headers: Some(false), ..Trial::new() };
    for (bank, name, document) in [(0, "ana", "000.000.000-01"), (1, "bia", "000.000.000-02")] {
        done(trial.ask(bank, Action::Register(registration(name, document))));
    }
    done(trial.ask(0, Action::CreateAccount(opening("ana", 101))));
    done(trial.ask(1, Action::CreateAccount(opening("bia", 202))));
    trial
}

fn pay(trial: &mut Trial, bank: u16) -> Executed {
    trial.ask_with_key(bank, Some("ana"), "k", package(vec![transfer(0, 101, 1_000, "1:bia")]))
}

/// A request at a bank whose clock is wrong; it is refused, but carries the time all the same.
fn ask_at(trial: &mut Trial, bank: u16, at_ms: i64) -> Executed {
    let right_ms = std::mem::replace(&mut trial.at_ms, at_ms);
    let request = trial.request(Some("nobody"), None, package(vec![deposit(0, 101, 1)]));
    let executed = trial.apply(bank, &request);
    trial.at_ms = right_ms;
    executed
}

#[test]
fn one_wrong_clock_forgets_no_key_and_dates_nothing_but_its_own_requests() {
    for wrong_ms in
        [25 * 3_600_000, 64 * 365 * 86_400_000_i64, -25 * 3_600_000, crate::ids::request::AT_MS_MAX]
    {
        let mut trial = dated();
        let first = pay(&mut trial, 0);
        for _ in 0..1_000 {
            ask_at(&mut trial, 2, START_MS.saturating_add(wrong_ms));
            trial.at_ms += 1_000;
            let request = trial.request(Some("ana"), None, package(vec![deposit(0, 101, 1)]));
            done(trial.apply(1, &request));
            assert_eq!(trial.statement(0, 101).last().unwrap().at_ms, trial.at_ms);
        }
        assert_eq!(pay(&mut trial, 1), first, "a clock {wrong_ms} ms ahead");
        assert_eq!(trial.balance(1, 202), 11_000);
    }
}

#[test]
fn two_wrong_clocks_spoil_dates_and_still_forget_no_key() {
    let mut trial = dated();
    let first = pay(&mut trial, 0);
    for bank in [2, 1, 2, 1] {
        ask_at(&mut trial, bank, START_MS + 64 * 365 * 86_400_000);
    }
    assert_eq!(pay(&mut trial, 0), first);
}

#[test]
fn a_key_is_forgotten_after_a_day_in_which_requests_came_every_minute() {
    let mut trial = dated();
    let first = pay(&mut trial, 0);
    for minute in 1..IDEMPOTENCY_WINDOW_MS / 60_000 {
        trial.at_ms = START_MS + minute * 60_000;
        ask_at(&mut trial, (minute % 3) as u16, START_MS + minute * 60_000);
    }
    assert_eq!(pay(&mut trial, 0), first);
    trial.at_ms = START_MS + IDEMPOTENCY_WINDOW_MS;
    assert_ne!(pay(&mut trial, 0), first);
}

#[test]
fn after_a_week_without_a_request_keys_are_still_known_and_dates_are_right() {
    let mut trial = dated();
    let first = pay(&mut trial, 0);
    trial.at_ms += 7 * 86_400_000;
    assert_eq!(pay(&mut trial, 1), first);
    for bank in [2, 0, 1] {
        trial.at_ms += 100;
        let request = trial.request(Some("ana"), None, package(vec![deposit(0, 101, 1)]));
        done(trial.apply(bank, &request));
        assert_eq!(trial.statement(0, 101).last().unwrap().at_ms, trial.at_ms);
    }
}

#[test]
fn operations_without_a_customer_need_an_event_that_says_none_are_named() {
    let mut trial = dated();
    let draw = || package(vec![withdraw(0, 101, 10_000)]);
    let refused = trial.ask(2, draw());
    assert_eq!(refusal(refused), Refusal::NoCustomer);
    assert_eq!(trial.balance(0, 101), 10_000);
    trial.headers = Some(true);
    done(trial.ask(2, draw()));
}

#[test]
fn a_snapshot_keeps_ledger_time_with_a_jump_that_nobody_has_confirmed_yet() {
    let mut trial = dated();
    let first = pay(&mut trial, 0);
    ask_at(&mut trial, 2, START_MS + 86_400_000);
    let pieces: Vec<String> = crate::ledger::book::Pieces::of(trial.book.present()).collect();
    assert!(pieces[0].contains("pending") && pieces[0].contains("age_ms"));
    let restored = Book::from_snapshot(BANKS, pieces.iter().map(String::as_str)).unwrap();
    assert_eq!(restored.time, trial.book.time);
    let mut restored = Trial { book: restored, ..trial };
    assert_eq!(pay(&mut restored, 1), first);
}
