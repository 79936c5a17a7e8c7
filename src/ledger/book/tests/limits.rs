//! No more leaves in a day or a night than its customer allows, whatever is asked in which order at
//! which bank.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::snapshot::{pieces, read};
use super::*;
use crate::ledger::limits::{Limit, LimitsChange, PartOfDay, Period, RAISE_WAIT_MS, Wish};

const HOUR_MS: i64 = 3_600_000;
/// São Paulo.
const OFFSET_S: i32 = -3 * 3_600;
/// [`START_MS`] is 11:03 there.
const TO_NIGHT_MS: i64 = 9 * HOUR_MS;

fn most(centavos: i64) -> Wish {
    Wish::Most(Limit::try_from(centavos).unwrap())
}

fn limits(day: Wish, night: Wish) -> Action {
    Action::Limits(LimitsChange { day, night, confirm: Wish::Keep })
}

impl Trial {
    /// As a bank asks today.
    fn ask_by_day(&mut self, bank: u16, by: &str, action: Action) -> Executed {
        let request = self.request(Some(by), None, action);
        self.apply(bank, &Request { offset_s: Some(OFFSET_S), ..request })
    }

    fn let_leave(&mut self, by: &str, operations: Vec<Operation>) -> Executed {
        self.ask_by_day(2, by, package(operations))
    }

    fn spent(&self, by: &str) -> i128 {
        self.book.spent(&user(by), self.at_ms, OFFSET_S).get()
    }
}

/// Ana lets leave R$ 30.00 by day and R$ 5.00 by night.
fn limited() -> Trial {
    let mut trial = Trial::with_customers();
    trial.headers = Some(false);
    let set = done(trial.ask_by_day(0, "ana", limits(most(3_000), most(500))));
    assert_eq!(set, Done::LimitsSet { waits: false });
    trial
}

fn above(part: PartOfDay, most: i64, left: i64) -> Refusal {
    Refusal::AboveLimit { part, most: Centavos::new(most), left: Centavos::new(left) }
}

#[test]
fn pix_and_withdrawals_of_all_accounts_add_up_within_a_package_and_over_many() {
    let mut trial = limited();
    done(trial.ask(
        1,
        Action::CreateAccount(Opening { pix_type: PixType::NumConta, ..opening("ana", 102) }),
    ));
    done(trial.let_leave("ana", vec![withdraw(0, 101, 1_000), transfer(1, 102, 500, "1:bia")]));
    let refused = trial.let_leave("ana", vec![withdraw(0, 101, 1_499), withdraw(1, 102, 2)]);
    assert_eq!(refused.operation, Some(1));
    let why = refusal(refused);
    assert_eq!(why, above(PartOfDay::Day, 3_000, 1));
    assert_eq!(
        why.to_string(),
        "Falha na operação: Acima do seu limite diurno (das 6h às 20h), de 30.00: restam 0.01"
    );
    assert_eq!(trial.spent("ana"), 1_500, "a package that is refused counts for nothing");
    done(trial.let_leave("ana", vec![withdraw(1, 102, 1_500)]));
    assert_eq!(trial.spent("ana"), 3_000);
    // What she has received, deposited, and sent to herself is hers still.
    let own = vec![transfer(0, 101, 5_000, "1:@102"), deposit(0, 101, 5_000)];
    let note = Some(Note::default());
    let own = own.into_iter().map(|operation| match operation.kind {
        OperationKind::Transfer { value, pix, .. } => Operation {
            kind: OperationKind::Transfer { value, pix, note: note.clone() },
            ..operation
        },
        _ => operation,
    });
    done(trial.let_leave("ana", own.collect()));
    assert_eq!(
        refusal(trial.let_leave("ana", vec![withdraw(0, 101, 1)])),
        above(PartOfDay::Day, 3_000, 0)
    );
    // Nobody else is bounded by that.
    done(trial.let_leave("bia", vec![withdraw(1, 202, 10_000)]));
    assert_eq!(trial.spent("bia"), 10_000);
}

#[test]
fn what_goes_to_a_joint_account_counts() {
    let mut trial = limited();
    let joint = Opening {
        type_account: TypeAccount::Conjunta,
        users: vec![user("bia")],
        pix_type: PixType::NumConta,
        ..opening("ana", 303)
    };
    done(trial.ask(2, Action::CreateAccount(joint)));
    let pay = |centavos| vec![transfer(0, 101, centavos, "2:303")];
    assert_eq!(refusal(trial.let_leave("ana", pay(3_001))), above(PartOfDay::Day, 3_000, 3_000));
    done(trial.let_leave("ana", pay(3_000)));
    // Each holder has limits of their own.
    done(trial.let_leave("bia", vec![withdraw(2, 303, 10_000)]));
}

#[test]
fn the_night_has_its_own_limit_and_every_day_begins_anew() {
    let mut trial = limited();
    done(trial.let_leave("ana", vec![withdraw(0, 101, 3_000)]));
    trial.at_ms += TO_NIGHT_MS;
    assert_eq!(
        refusal(trial.let_leave("ana", vec![withdraw(0, 101, 501)])),
        above(PartOfDay::Night, 500, 500)
    );
    done(trial.let_leave("ana", vec![withdraw(0, 101, 500)]));
    // After midnight it is still the same night.
    trial.at_ms += 6 * HOUR_MS;
    assert_eq!(
        refusal(trial.let_leave("ana", vec![withdraw(0, 101, 1)])),
        above(PartOfDay::Night, 500, 0)
    );
    trial.at_ms += 6 * HOUR_MS;
    done(trial.let_leave("ana", vec![withdraw(0, 101, 3_000)]));
    assert_eq!(trial.spent("ana"), 3_000);
}

#[test]
fn a_limit_is_lowered_at_once_and_raised_a_day_later_at_whichever_bank_it_is_asked() {
    let mut trial = limited();
    let raised = done(trial.ask_by_day(1, "ana", limits(most(9_000), Wish::Keep)));
    assert_eq!(raised, Done::LimitsSet { waits: true });
    assert_eq!(raised.descript(), "Limites alterados: o que aumenta só vale daqui a 24 horas");
    assert_eq!(
        refusal(trial.let_leave("ana", vec![withdraw(0, 101, 3_001)])),
        above(PartOfDay::Day, 3_000, 3_000)
    );
    trial.at_ms += RAISE_WAIT_MS;
    done(trial.let_leave("ana", vec![withdraw(0, 101, 9_000)]));
    let lowered = done(trial.ask_by_day(2, "ana", limits(most(0), Wish::Keep)));
    assert_eq!(lowered, Done::LimitsSet { waits: false });
    assert_eq!(
        refusal(trial.let_leave("ana", vec![withdraw(0, 101, 1)])),
        above(PartOfDay::Day, 0, 0)
    );
    assert_eq!(
        refusal(trial.ask(0, limits(Wish::Unlimited, Wish::Unlimited))),
        Refusal::NoCustomer
    );
}

#[test]
fn a_preview_says_what_the_limit_is_going_to_refuse() {
    let trial = limited();
    let tried = |at| {
        let (by, members) = (user("ana"), BankSet::all(BANKS));
        trial.book.try_out(&by, &[withdraw(0, 101, 3_001)], members, true, at).failed
    };
    assert_eq!(tried(Some((trial.at_ms, OFFSET_S))), Some(above(PartOfDay::Day, 3_000, 3_000)));
    assert_eq!(tried(None), None);
}

#[test]
fn limits_and_what_has_left_survive_a_snapshot_and_nonsense_does_not() {
    let mut trial = limited();
    done(trial.ask_by_day(1, "ana", limits(Wish::Unlimited, Wish::Keep)));
    done(trial.let_leave("ana", vec![withdraw(0, 101, 2_000)]));
    done(trial.let_leave("bia", vec![withdraw(1, 202, 1)]));
    let text = pieces(&trial.book).concat();
    trial.book = read(std::slice::from_ref(&text)).unwrap();
    assert_eq!(pieces(&trial.book).concat(), text);
    assert_eq!(
        refusal(trial.let_leave("ana", vec![withdraw(0, 101, 1_001)])),
        above(PartOfDay::Day, 3_000, 1_000)
    );
    let limits = text.lines().find(|line| line.contains("Limits")).unwrap();
    for (from, to) in [
        (limits.to_owned(), format!("{limits}\n{limits}")),
        ("3000".to_owned(), "-1".to_owned()),
        (",2000]".to_owned(), ",0]".to_owned()),
    ] {
        assert!(text.contains(&from), "{from} stands in\n{text}");
        assert!(read(&[text.replacen(&from, &to, 1)]).is_err(), "{to}");
    }
}

/// A withdrawal or a change of limits at a moment.
#[derive(Clone, Debug)]
enum Asked {
    Withdraw(Vec<i64>),
    Limits(Wish, Wish),
}

fn any_wish() -> impl Strategy<Value = Wish> {
    prop_oneof![Just(Wish::Keep), Just(Wish::Unlimited), (0..40_i64).prop_map(|of| most(of * 100))]
}

proptest! {
    /// Against a count that knows nothing of the book.
    #[test]
    fn no_more_leaves_than_the_highest_limit_that_could_have_counted(
        asked in vec((0..6 * HOUR_MS, 0..3_u16, prop_oneof![
            3 => vec(1..2_000_i64, 1..4).prop_map(Asked::Withdraw),
            1 => (any_wish(), any_wish()).prop_map(|(day, night)| Asked::Limits(day, night)),
        ]), 1..40),
    ) {
        let mut trial = limited();
        let mut sums: BTreeMap<Period, i64> = BTreeMap::new();
        // When each limit was wished, in centavos; it never counts before a day has passed.
        let mut wished = [vec![(i64::MIN, 3_000)], vec![(i64::MIN, 500)]];
        for (after_ms, bank, asked) in asked {
            trial.at_ms += after_ms;
            let now_ms = trial.at_ms;
            match asked {
                Asked::Limits(day, night) => {
                    done(trial.ask_by_day(bank, "ana", limits(day, night)));
                    for (wishes, wish) in wished.iter_mut().zip([day, night]) {
                        match wish {
                            Wish::Keep => {}
                            Wish::Unlimited => wishes.push((now_ms, i64::MAX)),
                            Wish::Most(limit) => wishes.push((now_ms, limit.into())),
                        }
                    }
                }
                Asked::Withdraw(values) => {
                    let operations = values.iter().map(|value| withdraw(0, 101, *value));
                    let mut operations: Vec<_> = operations.collect();
                    operations.insert(0, deposit(0, 101, 10_000));
                    let executed = trial.ask_by_day(bank, "ana", package(operations));
                    if !executed.outcome.code() {
                        continue;
                    }
                    let period = Period::at(now_ms, OFFSET_S);
                    let sum = sums.entry(period).or_default();
                    *sum += values.iter().sum::<i64>();
                    let wishes = &wished[usize::from(period.part() == PartOfDay::Night)];
                    let is_old = |at_ms: i64| at_ms.saturating_add(RAISE_WAIT_MS) <= now_ms;
                    let old = wishes.iter().filter(|(at_ms, _)| is_old(*at_ms));
                    let highest = old.map(|(_, limit)| *limit).max().unwrap();
                    prop_assert!(*sum <= highest, "{sum} of {highest}");
                    prop_assert_eq!(trial.spent("ana"), i128::from(*sum));
                }
            }
        }
    }
}

/// Ana lets leave R$ 10.00 a day or a night without giving her password again.
fn confirming() -> Trial {
    let mut trial = Trial::with_customers();
    trial.headers = Some(false);
    let (day, night) = (Wish::Keep, Wish::Keep);
    let change = LimitsChange { day, night, confirm: most(1_000) };
    done(trial.ask_by_day(0, "ana", Action::Limits(change)));
    trial
}

impl Trial {
    fn confirm(&mut self, by: &str, operations: Vec<Operation>) -> Executed {
        let request = self.request(Some(by), None, package(operations));
        let (offset_s, confirmed) = (Some(OFFSET_S), true);
        self.apply(1, &Request { offset_s, confirmed, ..request })
    }
}

#[test]
fn above_a_sum_of_all_banks_that_the_customer_has_set_a_package_needs_the_password() {
    let mut trial = confirming();
    let needed = Refusal::NeedsPassword { most: Centavos::new(1_000) };
    done(trial.let_leave("ana", vec![withdraw(0, 101, 600)]));
    // At whichever bank, and summed within a package.
    assert_eq!(refusal(trial.let_leave("ana", vec![withdraw(0, 101, 401)])), needed);
    let two = vec![withdraw(0, 101, 300), withdraw(0, 101, 101)];
    assert_eq!(refusal(trial.let_leave("ana", two.clone())), needed);
    done(trial.let_leave("ana", vec![withdraw(0, 101, 400)]));
    done(trial.confirm("ana", two));
    assert_eq!(trial.spent("ana"), 1_401);
    // What was confirmed has left too.
    assert_eq!(refusal(trial.let_leave("ana", vec![withdraw(0, 101, 1)])), needed);
    trial.at_ms += TO_NIGHT_MS;
    done(trial.let_leave("ana", vec![withdraw(0, 101, 1_000)]));
    // A limit holds whether the password was given or not.
    done(trial.ask_by_day(0, "ana", limits(most(0), most(0))));
    assert!(matches!(
        refusal(trial.confirm("ana", vec![withdraw(0, 101, 1)])),
        Refusal::AboveLimit { .. }
    ));
}

#[test]
fn a_snapshot_has_the_sum_above_which_the_password_is_needed() {
    let trial = confirming();
    assert_eq!(trial.book.confirm_above(&user("ana")), Some(Centavos::new(1_000)));
    let restored = read(&pieces(&trial.book)).unwrap();
    assert_eq!(restored.confirm_above(&user("ana")), Some(Centavos::new(1_000)));
    assert_eq!(restored.confirm_above(&user("bia")), None);
}
