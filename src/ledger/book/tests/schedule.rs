//! A Pix of days to come is paid on each of its days exactly once, whoever asks for it, how often
//! and when.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::snapshot::{pieces, read};
use super::*;
use crate::ids::Position;
use crate::ledger::closing::Closing;
use crate::ledger::keys::{Email, KeyChange, NewKey};
use crate::ledger::limits::{Limit, LimitsChange, PartOfDay, Wish};
use crate::ledger::schedule::{
    DAYS_AHEAD_MAX, Day, Due, Every, Planned, SCHEDULES_MAX, ScheduleChange, TIMES_MAX,
};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// São Paulo.
const OFFSET_S: i32 = -3 * 3_600;

/// [`START_MS`] is 11:03 of this day.
fn today() -> Day {
    Day::at(START_MS, OFFSET_S)
}

fn after(days: i64) -> Day {
    Day::new(today().get() + days)
}

/// R$ 10.00 from Ana to Bia.
fn planned(first: Day, every: Every, times: u16) -> Planned {
    let note = Note { message: Some(Message::parse("aluguel").unwrap()), txid: None };
    Planned {
        bank: BankId(0),
        account: number(101),
        value: amount(1_000),
        pix: pix("1:bia"),
        note,
        first,
        every,
        times,
    }
}

fn once(days: i64) -> Planned {
    planned(after(days), Every::Month, 1)
}

impl Trial {
    fn ask_in_zone(&mut self, bank: u16, by: Option<&str>, action: Action) -> Executed {
        let request = self.request(by, None, action);
        self.apply(bank, &Request { offset_s: Some(OFFSET_S), ..request })
    }

    fn plan(&mut self, by: &str, planned: Planned) -> Executed {
        let change = ScheduleChange::Make(Box::new(planned));
        self.ask_in_zone(2, Some(by), Action::Schedule(change))
    }

    fn planned(&mut self, planned: Planned) -> Position {
        match done(self.plan("ana", planned)) {
            Done::Scheduled { number } => number,
            other => panic!("{other:?}"),
        }
    }

    fn run_due(&mut self, bank: u16, number: Position, day: Day) -> Executed {
        self.ask_in_zone(bank, None, Action::Due(Due { number, day }))
    }

    /// What bank 0 has to ask for.
    fn due(&self) -> Vec<Due> {
        self.book.due(BankId(0), self.at_ms, OFFSET_S).collect()
    }

    fn reach_hour(&mut self, days: i64, hour: i64) {
        let day_began_ms = today().get() * DAY_MS - i64::from(OFFSET_S) * 1_000;
        self.at_ms = day_began_ms + days * DAY_MS + hour * HOUR_MS;
    }
}

fn trial() -> Trial {
    let mut trial = Trial::with_customers();
    trial.headers = Some(false);
    trial
}

#[test]
fn a_pix_of_another_day_is_paid_at_six_of_that_day_and_not_again() {
    let mut trial = trial();
    let number = trial.planned(once(2));
    assert_eq!((trial.balance(0, 101), trial.due()), (10_000, vec![]));
    trial.reach_hour(2, 5);
    assert_eq!(trial.due(), vec![]);
    assert_eq!(refusal(trial.run_due(0, number, after(2))), Refusal::NotDue);
    trial.reach_hour(2, 6);
    assert_eq!(trial.due(), vec![Due { number, day: after(2) }]);
    assert_eq!(done(trial.run_due(0, number, after(2))), Done::ScheduleRan);
    for bank in 0..3 {
        assert_eq!(refusal(trial.run_due(bank, number, after(2))), Refusal::NoSuchSchedule);
    }
    assert_eq!([trial.balance(0, 101), trial.balance(1, 202)], [9_000, 11_000]);
    let sent = trial.statement(0, 101).pop().unwrap();
    assert_eq!((sent.made_by, sent.details.message.unwrap().as_str()), (user("ana"), "aluguel"));
    assert_eq!(trial.book.schedules_of(&user("ana")).count(), 0);
}

#[test]
fn days_that_were_missed_are_made_up_for_each_once_and_in_order() {
    let mut trial = trial();
    let number = trial.planned(planned(after(1), Every::Week, 3));
    trial.reach_hour(20, 12);
    for (days, week) in [(1, 0), (8, 1), (15, 2)] {
        assert_eq!(trial.due(), vec![Due { number, day: after(days) }]);
        if week < 2 {
            assert_eq!(refusal(trial.run_due(1, number, after(days + 7))), Refusal::NotDue);
        }
        assert_eq!(done(trial.run_due(1, number, after(days))), Done::ScheduleRan);
    }
    assert_eq!((trial.due(), trial.balance(1, 202)), (vec![], 13_000));
}

#[test]
fn what_cannot_be_paid_is_refused_for_that_day_and_its_customer_sees_why() {
    let mut trial = trial();
    let number = trial.planned(planned(after(1), Every::Day, 2));
    done(trial.operate("ana", vec![withdraw(0, 101, 9_500)]));
    trial.reach_hour(1, 8);
    let failed = done(trial.run_due(0, number, after(1)));
    assert_eq!(
        failed.descript(),
        "Pix agendado não foi feito: Falha na operação: Saldo da conta 101 insuficiente (5.00) no banco 0"
    );
    let last = |trial: &Trial| {
        let schedule = trial.book.schedules_of(&user("ana")).next().cloned();
        schedule.map(|schedule| (schedule.done, schedule.next(), schedule.last.unwrap().failed))
    };
    assert_eq!(last(&trial).unwrap().1, Some(after(2)));
    done(trial.operate("ana", vec![deposit(0, 101, 500)]));
    // That day is over, whatever comes in later.
    assert_eq!(refusal(trial.run_due(0, number, after(1))), Refusal::NotDue);
    done(trial.ask_in_zone(
        0,
        Some("ana"),
        Action::Limits(LimitsChange {
            day: Wish::Most(Limit::try_from(999).unwrap()),
            night: Wish::Keep,
            confirm: Wish::Keep,
        }),
    ));
    trial.reach_hour(2, 8);
    let why = done(trial.run_due(0, number, after(2))).descript();
    assert!(why.contains("Acima do seu limite diurno (das 6h às 20h), de 9.99"), "{why}");
    // It has ended, and stays until somebody has looked.
    assert_eq!(last(&trial).unwrap().0, 2);
    let text = pieces(&trial.book).concat();
    trial.book = read(std::slice::from_ref(&text)).unwrap();
    assert_eq!(pieces(&trial.book).concat(), text);
    let cancel = |number| Action::Schedule(ScheduleChange::Cancel { number });
    assert_eq!(refusal(trial.ask_in_zone(1, Some("bia"), cancel(number))), Refusal::NoSuchSchedule);
    assert_eq!(done(trial.ask_in_zone(1, Some("ana"), cancel(number))), Done::ScheduleEnded);
    assert_eq!(last(&trial), None);
}

#[test]
fn a_day_waits_for_a_bank_that_is_away() {
    let mut trial = trial();
    let number = trial.planned(once(1));
    trial.reach_hour(1, 8);
    trial.members.remove(BankId(1));
    assert_eq!(refusal(trial.run_due(0, number, after(1))), Refusal::BankOffline(BankId(1)));
    assert_eq!(trial.due().len(), 1);
    trial.members = BankSet::all(BANKS);
    trial.reach_hour(3, 23);
    assert_eq!(done(trial.run_due(0, number, after(1))), Done::ScheduleRan);
}

#[test]
fn it_is_cancelled_at_any_time_and_only_by_its_customer() {
    let mut trial = trial();
    let number = trial.planned(planned(after(1), Every::Day, 5));
    trial.reach_hour(1, 8);
    done(trial.run_due(0, number, after(1)));
    let cancel = Action::Schedule(ScheduleChange::Cancel { number });
    assert_eq!(refusal(trial.ask_in_zone(1, Some("bia"), cancel.clone())), Refusal::NoSuchSchedule);
    assert_eq!(refusal(trial.ask_in_zone(1, None, cancel.clone())), Refusal::NoCustomer);
    assert_eq!(done(trial.ask_in_zone(1, Some("ana"), cancel)), Done::ScheduleEnded);
    trial.reach_hour(9, 8);
    assert_eq!((trial.due(), trial.balance(1, 202)), (vec![], 11_000));
}

#[test]
fn nonsense_is_not_planned_and_nobody_plans_for_others_or_without_end() {
    let mut trial = trial();
    for (first, times) in [(0, 1), (-1, 1), (DAYS_AHEAD_MAX + 1, 1), (1, 0), (1, TIMES_MAX + 1)] {
        let refused = trial.plan("ana", planned(after(first), Every::Month, times));
        assert_eq!(refusal(refused), Refusal::ScheduleDays, "{first} {times}");
    }
    assert_eq!(
        refusal(trial.plan("ana", Planned { first: Day::new(i64::MAX), ..once(1) })),
        Refusal::ScheduleDays
    );
    assert_eq!(
        refusal(trial.plan("ana", Planned { first: Day::new(i64::MIN), ..once(1) })),
        Refusal::ScheduleDays
    );
    assert!(refusal(trial.plan("bia", once(1))).is_forbidden());
    let to_self = Planned { pix: pix("0:ana"), ..once(1) };
    assert!(matches!(refusal(trial.plan("ana", to_self)), Refusal::SameAccount { .. }));
    let nobody = Planned { pix: pix("0:nobody"), ..once(1) };
    assert_eq!(refusal(trial.plan("ana", nobody)), Refusal::UnknownPixKey(pix("0:nobody")));
    for _ in 0..SCHEDULES_MAX {
        trial.planned(once(1));
    }
    assert_eq!(refusal(trial.plan("ana", once(1))), Refusal::TooManySchedules);
}

#[test]
fn nobody_is_paid_but_who_had_the_key_when_the_pix_was_planned() {
    let mut trial = trial();
    let email = |bank: u16, account: u64| KeyChange::Add {
        bank: BankId(bank),
        account: number(account),
        key: NewKey::Email(Email::parse("loja@exemplo.com").unwrap()),
    };
    let key = pix("1:loja@exemplo.com");
    done(trial.ask_in_zone(1, Some("bia"), Action::Keys(email(1, 202))));
    let schedule = trial.planned(Planned { pix: key.clone(), ..planned(after(1), Every::Day, 3) });
    done(trial.ask_in_zone(1, Some("bia"), Action::Keys(KeyChange::Remove { key: key.clone() })));
    let why = |trial: &Trial| {
        let schedule = trial.book.schedules_of(&user("ana")).next();
        schedule.and_then(|schedule| schedule.last.clone()).unwrap().failed
    };
    trial.reach_hour(1, 8);
    done(trial.run_due(0, schedule, after(1)));
    assert_eq!(why(&trial), Some(Refusal::UnknownPixKey(key.clone())));
    // Somebody else takes the key.
    done(trial.ask(1, Action::CreateAccount(opening("ana", 204))));
    done(trial.ask_in_zone(1, Some("ana"), Action::Keys(email(1, 204))));
    trial.book = read(&pieces(&trial.book)).unwrap();
    trial.reach_hour(2, 8);
    done(trial.run_due(0, schedule, after(2)));
    assert_eq!(why(&trial), Some(Refusal::PayeeChanged));
    assert_eq!((trial.balance(0, 101), trial.balance(1, 204)), (10_000, 10_000));
    done(trial.ask_in_zone(1, Some("ana"), Action::Keys(KeyChange::Remove { key })));
    // The same payee with another account is the same payee.
    let second = Opening { pix_type: PixType::NumConta, ..opening("bia", 205) };
    done(trial.ask(1, Action::CreateAccount(second)));
    done(trial.ask_in_zone(1, Some("bia"), Action::Keys(email(1, 205))));
    trial.reach_hour(3, 8);
    assert_eq!(done(trial.run_due(0, schedule, after(3))), Done::ScheduleRan);
    assert_eq!(trial.balance(1, 205), 11_000);
}

#[test]
fn what_is_made_up_for_at_night_waits_for_the_morning_where_the_night_has_too_small_a_limit() {
    let mut trial = trial();
    let schedule = trial.planned(once(1));
    let night = Wish::Most(Limit::try_from(999).unwrap());
    let lower = LimitsChange { day: Wish::Keep, night, confirm: Wish::Keep };
    done(trial.ask_in_zone(0, Some("ana"), Action::Limits(lower)));
    trial.reach_hour(1, 21);
    let refused = refusal(trial.run_due(0, schedule, after(1)));
    assert!(matches!(refused, Refusal::AboveLimit { part: PartOfDay::Night, .. }), "{refused:?}");
    assert_eq!(trial.due().len(), 1);
    trial.reach_hour(2, 6);
    assert_eq!(done(trial.run_due(0, schedule, after(1))), Done::ScheduleRan);
}

#[test]
fn a_day_needs_the_password_above_the_customers_sum_unless_it_was_given_when_it_was_planned() {
    let mut trial = trial();
    let confirm = Wish::Most(Limit::try_from(1_500).unwrap());
    let ask = LimitsChange { day: Wish::Keep, night: Wish::Keep, confirm };
    done(trial.ask_in_zone(0, Some("ana"), Action::Limits(ask)));
    let needed = Refusal::NeedsPassword { most: Centavos::new(1_500) };
    let large = Planned { value: amount(1_501), ..once(1) };
    assert_eq!(refusal(trial.plan("ana", large.clone())), needed);
    let change = ScheduleChange::Make(Box::new(large));
    let request = trial.request(Some("ana"), None, Action::Schedule(change));
    let request = Request { offset_s: Some(OFFSET_S), confirmed: true, ..request };
    let Done::Scheduled { number: large } = done(trial.apply(0, &request)) else { panic!() };
    let small = [trial.planned(once(2)), trial.planned(once(2))];
    trial.book = read(&pieces(&trial.book)).unwrap();
    trial.reach_hour(1, 8);
    assert_eq!(done(trial.run_due(0, large, after(1))), Done::ScheduleRan);
    // Many small ones come to as much as a large one.
    trial.reach_hour(2, 8);
    assert_eq!(done(trial.run_due(0, small[0], after(2))), Done::ScheduleRan);
    let failed = Done::ScheduleFailed { why: Box::new(needed) };
    assert_eq!(done(trial.run_due(0, small[1], after(2))), failed);
}

#[test]
fn an_account_is_not_closed_while_money_is_to_leave_it_on_a_day_to_come() {
    let mut trial = trial();
    let schedule = trial.planned(planned(after(1), Every::Day, 2));
    done(trial.operate("ana", vec![withdraw(0, 101, 10_000)]));
    let close = || Action::Close(Closing { bank: BankId(0), account: number(101), close: true });
    let planned = Refusal::HasSchedules { bank: BankId(0), account: number(101) };
    assert_eq!(refusal(trial.ask_in_zone(2, Some("ana"), close())), planned);
    trial.reach_hour(2, 8);
    done(trial.run_due(0, schedule, after(1)));
    assert_eq!(refusal(trial.ask_in_zone(2, Some("ana"), close())), planned);
    done(trial.run_due(0, schedule, after(2)));
    // One that has ended, and is only still to be looked at, is in nobody's way.
    assert_eq!(trial.book.schedules_of(&user("ana")).count(), 1);
    assert_eq!(done(trial.ask_in_zone(2, Some("ana"), close())), Done::AccountClosed);
}

proptest! {
    /// Any bank asks for any day at any time, some many times over; in between the book is written
    /// down and read back, as a bank that was restarted does.
    #[test]
    fn every_day_of_every_schedule_is_run_exactly_once(
        plans in vec((1..4_i64, 1..6_u16, 1..30_i64), 1..4),
        asked in vec((0..3_u16, 0..20 * HOUR_MS, 0..4_usize, 0..8_i64, any::<bool>()), 0..60),
    ) {
        let mut trial = trial();
        let mut expected = BTreeMap::new();
        let mut numbers = Vec::new();
        for (first, times, value) in plans {
            let plan = Planned { value: amount(value), ..planned(after(first), Every::Day, times) };
            let number = trial.planned(plan);
            numbers.push(number);
            for time in 0..i64::from(times) {
                expected.insert((number, after(first + time)), 0);
            }
        }
        let mut ask = |trial: &mut Trial, bank, due: Due| {
            let executed = trial.run_due(bank, due.number, due.day);
            if executed.outcome.code() {
                *expected.get_mut(&(due.number, due.day)).unwrap() += 1;
                assert!(Day::at(trial.at_ms, OFFSET_S) >= due.day, "not before its day");
            }
        };
        for (bank, after_ms, which, days, restart) in asked {
            trial.at_ms += after_ms;
            let day = after(days);
            ask(&mut trial, bank, Due { number: numbers[which % numbers.len()], day });
            for due in trial.due() {
                if due.number.0 % 2 == u64::from(bank) % 2 {
                    ask(&mut trial, bank, due);
                    ask(&mut trial, 2 - bank, due);
                }
            }
            if restart {
                trial.book = read(&pieces(&trial.book)).unwrap();
            }
        }
        trial.reach_hour(30, 6);
        while let Some(due) = trial.due().first().copied() {
            ask(&mut trial, 1, due);
        }
        prop_assert!(expected.values().all(|times| *times == 1), "{expected:?}");
        prop_assert_eq!(trial.book.schedules_of(&user("ana")).count(), 0);
    }
}
