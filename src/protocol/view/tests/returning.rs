//! Banks that came back and are watched: they must neither drag others out of the view nor keep
//! anybody waiting.

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
fn a_bank_without_which_nothing_works_is_heard_at_once_however_often_it_was_lost() {
    let mut consortium = one_is_dead_and_one_returns();
    consortium.run(30);
    assert_eq!(consortium.installed[0].len(), 3);
    consortium.assert_in_force(&[0, 1]);
}

#[test]
fn the_return_of_a_bank_is_watched_where_the_others_can_act_without_it() {
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
fn a_bank_that_still_watches_another_when_a_view_begins_does_not_throw_that_one_out() {
    let mut consortium = Consortium::empty(5);
    consortium.run(10);
    let views = |consortium: &Consortium| consortium.installed.iter().map(Vec::len).max();
    assert_eq!(views(&consortium), Some(1));
    // The others had heard bank 4 for long enough a moment before bank 3 had.
    consortium.returning.push((BankId(3), BankId(4)));
    consortium.run(100);
    consortium.assert_in_force(&[0, 1, 2, 3, 4]);
    assert_eq!(views(&consortium), Some(1), "{:?}", consortium.notices);
    // Lost again, it is watched.
    consortium.kill(4);
    consortium.run(3);
    consortium.alive[4] = true;
    consortium.run(100);
    assert_ne!(views(&consortium), Some(1));
}

#[test]
fn the_first_bank_to_find_a_member_too_slow_is_not_left_out_in_its_place() {
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

#[test]
fn a_member_needed_for_the_views_majority_is_heard_at_once() {
    let mut consortium = Consortium::in_force();
    consortium.kill(2);
    consortium.run(5);
    consortium.restart(2);
    let keep_outside = |_: BankId, message: &ViewMessage| matches!(message, ViewMessage::Join);
    consortium.run_losing(20, keep_outside);
    let views = consortium.installed[0].len();
    // Lost for a moment, so that its return would be watched.
    let lost = PeerState::Down(Cause::Lost);
    consortium.give(BankId(0), ViewInput::Peer { bank: BankId(1), state: lost, report: None });
    consortium.returning.push((BankId(0), BankId(1)));
    consortium.run_losing(40, keep_outside);
    assert_eq!(consortium.installed[0].len(), views, "bank 2 may have far to come");
    consortium.assert_in_force(&[0, 1]);
}

#[test]
fn the_others_stop_waiting_for_a_fetching_bank_once_a_member_is_heard_again() {
    let mut consortium = Consortium::empty(4);
    consortium.run(10);
    consortium.kill(0);
    consortium.run(10);
    let view = consortium.assert_in_force(&[1, 2, 3]).plan.ballot;
    let journal: Vec<_> =
        (1..=7).map(|counter| entry(event(view, 1, [0, counter, 0]), counter)).collect();
    (1..4).for_each(|bank| consortium.journals[bank] = journal.clone());
    consortium.restart(0);
    let slow = |_: BankId, message: &ViewMessage| {
        matches!(message, ViewMessage::Join | ViewMessage::JournalPiece { .. })
    };
    consortium.run_losing(10, slow);
    consortium.kill(3);
    consortium.run_losing(4, slow);
    let ballot = consortium.views[1].disk.promised;
    assert_eq!(consortium.views[1].phase(), PhaseName::Ready, "they wait for bank 0");
    consortium.alive[3] = true;
    for progress in 1..=15 {
        let working = ViewMessage::Working { ballot, progress };
        consortium.give(BankId(1), ViewInput::Message(BankId(0), working));
        consortium.run_losing(1, slow);
    }
    consortium.assert_in_force(&[1, 2, 3]);
}

#[test]
fn a_bank_that_has_just_joined_is_not_preferred_to_a_member_that_does_not_hear_it() {
    let mut consortium = Consortium::in_force();
    consortium.kill(2);
    consortium.run(10);
    consortium.restart(2);
    while consortium.installed[2].is_empty() || !consortium.views[2].is_ready() {
        consortium.run(1);
    }
    let lost = PeerState::Down(Cause::Unreached);
    consortium.give(BankId(1), ViewInput::Peer { bank: BankId(2), state: lost, report: None });
    consortium.returning.push((BankId(1), BankId(2)));
    consortium.run(20);
    consortium.assert_in_force(&[0, 1]);
}
