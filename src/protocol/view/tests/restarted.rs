//! Messages that reach a bank late, or again, after it was restarted. Most were found by the model.

use super::*;

#[test]
fn a_repeated_plan_does_not_bring_a_restarted_bank_into_its_old_view_again() {
    let mut consortium = Consortium::in_force();
    let plan = consortium.assert_in_force(&[0, 1, 2]).plan;
    let held = event(plan.ballot, 2, [0, 0, 1]);
    consortium.held[2] = vec![held.clone()];
    consortium.kill(2);
    consortium.restart(2);
    let from = plan.ballot.coordinator;
    for message in [
        ViewMessage::Stop(plan.ballot),
        ViewMessage::Prepare(plan.clone()),
        ViewMessage::Start(plan.ballot),
    ] {
        consortium.give(BankId(2), ViewInput::Message(from, message));
    }
    consortium.give(BankId(2), ViewInput::Traffic(BankId(0), plan.ballot));
    assert_eq!(consortium.views[2].active(), None, "it would stamp with the counters it has used");
    assert_eq!(
        keys(&held_by(&consortium.views[2]).held),
        keys(&[held]),
        "it may have acknowledged this"
    );
}

#[test]
fn an_attempt_whose_member_was_restarted_after_it_was_ready_is_given_up_for_a_higher_one() {
    let mut consortium = Consortium::empty(3);
    let mut first = None;
    consortium.run_losing(10, |_, message| {
        if let ViewMessage::Prepare(plan) = message {
            first.get_or_insert(plan.ballot);
        }
        matches!(message, ViewMessage::Ready(_))
    });
    let first = first.expect("a plan was made");
    consortium.restart(2);
    consortium.run(20);
    assert!(consortium.assert_in_force(&[0, 1, 2]).plan.ballot > first);
}

#[test]
fn an_attempt_whose_member_lost_its_disk_after_it_was_ready_is_given_up_for_a_higher_one() {
    let mut consortium = Consortium::in_force();
    consortium.kill(2);
    consortium.run(5);
    consortium.restart(2);
    let mut seen = false;
    while !seen {
        consortium.run_losing(1, |_, message| {
            seen |= matches!(message, ViewMessage::Ready(_));
            seen
        });
    }
    consortium.views[2] = View::new(BankId(2), 3, blank(3));
    consortium.heartbeat(); // So quickly that nobody notices that it was away.
    consortium.run(60);
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn a_member_that_dies_before_it_hears_of_the_start_does_not_hold_up_the_others() {
    let mut consortium = Consortium::empty(3);
    while consortium.views[0].active().is_none() {
        consortium.run_losing(1, |to, message| {
            to == BankId(2) && matches!(message, ViewMessage::Start(_))
        });
    }
    consortium.kill(2);
    consortium.run(5);
    consortium.assert_in_force(&[0, 1]);
}

#[test]
fn a_late_answer_to_an_earlier_journal_question_is_not_a_divergence() {
    let mut consortium = Consortium::in_force();
    let view = consortium.assert_in_force(&[0, 1, 2]).plan.ballot;
    consortium.kill(2);
    consortium.run(5);
    consortium.restart(2);
    consortium.run_losing(3, |_, message| matches!(message, ViewMessage::Join));
    let first = entry(event(view, 0, [1, 0, 0]), 1);
    let piece = |entries: &[JournalEntry]| ViewMessage::JournalPiece {
        after: Position(0),
        entries: entries.iter().cloned().map(WireEntry::from).collect(),
        hash_before: Some(ChainHash::default()),
        starts_after: Position(0),
    };
    for message in [piece(&[first]), piece(&[])] {
        consortium.give(BankId(2), ViewInput::Message(BankId(1), message));
    }
    assert_eq!(consortium.views[2].phase(), PhaseName::Outside);
    assert_eq!(held_by(&consortium.views[2]).position, Position(1));
}

#[test]
fn a_bank_that_lost_its_disk_counts_once_a_view_has_begun_with_it_and_not_before() {
    let mut consortium = Consortium::in_force();
    let old = Ballot { round: 0, coordinator: BankId(1) };
    consortium.kill(2);
    consortium.run(5);
    consortium.views[2] = View::new(BankId(2), 3, blank(3));
    // An earlier attempt, made of earlier answers, is still going on.
    let plan = PreparePlan {
        ballot: old,
        members: BankSet::all(3),
        clock: VectorClock::zero(3),
        source: BankId(1),
        ..PreparePlan::default()
    };
    for message in [ViewMessage::Stop(old), ViewMessage::Prepare(plan)] {
        consortium.give(BankId(2), ViewInput::Message(BankId(1), message));
    }
    assert_eq!(consortium.views[2].disk.prepared, old);
    assert!(!consortium.views[2].is_voter(), "it does not know what it promised after that");
    consortium.alive[2] = true;
    consortium.run(30);
    consortium.assert_in_force(&[0, 1, 2]);
    assert!(consortium.views[2].is_voter());
}

#[test]
fn a_snapshots_own_claims_prove_nothing() {
    let mut consortium = Consortium::in_force();
    let view = consortium.assert_in_force(&[0, 1, 2]).plan.ballot;
    consortium.kill(2);
    consortium.run(5);
    consortium.restart(2);
    // Its members are those of the view that the event comes from; a later flush may have executed
    // it.
    let last = entry(event(view, 0, [1, 0, 0]), 1);
    let executed = state(3, std::slice::from_ref(&last), Vec::new()).executed.unwrap();
    assert!(!executed.members.is_empty());
    consortium.give(
        BankId(2),
        ViewInput::Replayed { position: last.position, hash: last.hash, executed },
    );
    assert!(held_by(&consortium.views[2]).executed.as_ref().unwrap().members.is_empty());
}

#[test]
fn an_old_report_of_a_member_does_not_cause_another_view_change() {
    let mut consortium = Consortium::in_force();
    (0..3).for_each(|bank| consortium.kill(bank));
    consortium.restart(0);
    // For a while, bank 1 only has the report that bank 0 made before it heard anybody.
    consortium.last_heard.push((BankId(1), BankId(0), consortium.views[0].report()));
    consortium.restart(1);
    consortium.run(8);
    let view = consortium.assert_in_force(&[0, 1]).plan.ballot;
    consortium.restart(2);
    consortium.run(4);
    consortium.last_heard.clear();
    consortium.run(20);
    assert!(consortium.assert_in_force(&[0, 1, 2]).plan.ballot > view);
    let thrown_out = consortium.notices.iter().find(|notice| notice.contains("left"));
    assert_eq!(thrown_out, None);
}
