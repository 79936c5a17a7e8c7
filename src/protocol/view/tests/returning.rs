//! Banks that came back and are watched: they must drag nobody along, and keep nobody waiting.

use super::*;

/// Three banks, of which the last is dead and the second has just been restarted, again.
fn one_is_dead_and_one_returns() -> Consortium {
    let mut consortium = Consortium::in_force();
    consortium.kill(2);
    consortium.run(30);
    consortium.assert_in_force(&[0, 1]);
    consortium.kill(1);
    consortium.run(5);
    consortium.restart(1);
    consortium.returning.push((BankId(0), BankId(1)));
    consortium
}

#[test]
fn where_nothing_works_without_it_a_bank_is_heard_at_once_however_often_it_was_lost() {
    let mut consortium = one_is_dead_and_one_returns();
    consortium.run(30);
    assert_eq!(consortium.installed[0].len(), 3);
    consortium.assert_in_force(&[0, 1]);
}

#[test]
fn where_the_others_can_act_without_it_the_return_of_a_bank_is_watched() {
    let mut consortium = Consortium::in_force();
    consortium.kill(2);
    consortium.run(30);
    consortium.restart(2);
    consortium.returning.extend([(BankId(0), BankId(2)), (BankId(1), BankId(2))]);
    consortium.run(100);
    consortium.assert_in_force(&[0, 1]);
    consortium.returning.clear();
    consortium.run(30);
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn who_still_watches_a_bank_when_a_view_begins_with_it_does_not_throw_it_out() {
    let mut consortium = Consortium::empty(5);
    consortium.run(10);
    let views = |consortium: &Consortium| consortium.installed.iter().map(Vec::len).max();
    assert_eq!(views(&consortium), Some(1));
    // As the others had heard it for long enough a moment before it had.
    consortium.returning.push((BankId(3), BankId(4)));
    consortium.run(100);
    consortium.assert_in_force(&[0, 1, 2, 3, 4]);
    assert_eq!(views(&consortium), Some(1), "{:?}", consortium.notices);
    // Lost anew, it is watched.
    consortium.kill(4);
    consortium.run(3);
    consortium.alive[4] = true;
    consortium.run(100);
    assert_ne!(views(&consortium), Some(1));
}

#[test]
fn who_finds_a_member_too_slow_before_the_others_do_is_not_left_out_in_its_place() {
    let mut consortium = Consortium::in_force();
    consortium.slow.push((BankId(2), BankId(1)));
    consortium.run(1);
    consortium.slow.clear();
    consortium.returning.push((BankId(2), BankId(1)));
    consortium.run(30);
    assert!(
        consortium.installed.iter().all(|installed| installed.len() == 1),
        "{:?}",
        consortium.notices
    );
    consortium.slow.push((BankId(0), BankId(1)));
    consortium.run(1);
    consortium.slow.clear();
    consortium.returning.push((BankId(0), BankId(1)));
    consortium.run(20);
    consortium.assert_in_force(&[0, 2]);
}
