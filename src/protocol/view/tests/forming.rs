//! How views form, end and succeed one another, when all goes well and when it does not.

use super::*;

#[test]
fn a_first_start_forms_a_view_from_nothing_once_all_banks_answer() {
    let mut consortium = Consortium::empty(3);
    consortium.kill(2);
    consortium.run(100);
    assert!(consortium.installed.iter().all(Vec::is_empty), "nobody acts before all are there");
    consortium.alive[2] = true;
    consortium.run(15);
    assert_eq!(consortium.assert_in_force(&[0, 1, 2]).plan.clock, VectorClock::zero(3));
}

#[test]
fn one_bank_alone_and_fourteen_together_form_a_view() {
    for banks in [1_u16, 2, 14] {
        let mut consortium = Consortium::empty(usize::from(banks));
        consortium.run(10);
        consortium.assert_in_force(&(0..banks).collect::<Vec<_>>());
    }
}

#[test]
fn a_view_that_stands_is_left_alone() {
    let mut consortium = Consortium::in_force();
    consortium.run(200);
    consortium.assert_in_force(&[0, 1, 2]);
    assert!(consortium.installed.iter().all(|installed| installed.len() == 1));
}

#[test]
fn after_a_power_cut_all_flush_the_union_of_what_they_hold_in_key_order() {
    let done = entry(event(FIRST, 0, [1, 0, 0]), 1);
    let [a, b, c] =
        [event(FIRST, 1, [1, 1, 0]), event(FIRST, 2, [1, 0, 1]), event(FIRST, 0, [2, 1, 1])];
    let mut consortium = Consortium::start(vec![
        disk(FIRST, std::slice::from_ref(&done), vec![a.clone(), b.clone(), c.clone()]),
        disk(FIRST, std::slice::from_ref(&done), vec![a.clone()]),
        disk(FIRST, std::slice::from_ref(&done), vec![b.clone()]),
    ]);
    consortium.run(10);
    let installed = consortium.assert_in_force(&[0, 1, 2]);
    assert_eq!(keys(&installed.flush), keys(&[a, b, c]));
    assert_eq!(installed.plan.clock, vec![2, 1, 1].into());
}

#[test]
fn what_one_bank_has_executed_already_is_fetched_by_the_others_and_not_flushed_again() {
    let events: Vec<_> = (1..=5).map(|counter| event(FIRST, 0, [counter, 0, 0])).collect();
    let executed: Vec<_> =
        events.iter().cloned().zip(1..).map(|(held, position)| entry(held, position)).collect();
    let mut consortium = Consortium::start(vec![
        disk(FIRST, &executed[..1], events[1..].to_vec()),
        disk(FIRST, &executed, Vec::new()),
        blank(3),
    ]);
    consortium.journals = vec![executed[..1].to_vec(), executed.clone(), Vec::new()];
    consortium.run(10);
    let installed = consortium.assert_in_force(&[0, 1, 2]);
    assert!(installed.flush.is_empty());
    assert_eq!(installed.plan.position, Position(5));
    assert!(consortium.journals.iter().all(|journal| journal.len() == 5));
}

#[test]
fn events_of_a_view_that_a_later_one_left_behind_never_existed() {
    let later = Ballot { round: 2, coordinator: BankId(0) };
    let (dropped, kept) = (event(FIRST, 2, [0, 0, 1]), event(later, 1, [0, 1, 0]));
    let mut consortium = Consortium::start(vec![
        disk(later, &[], vec![kept.clone()]),
        disk(later, &[], Vec::new()),
        disk(FIRST, &[], vec![dropped]),
    ]);
    consortium.run(10);
    assert_eq!(keys(&consortium.assert_in_force(&[0, 1, 2]).flush), keys(&[kept]));
}

#[test]
fn a_view_forms_although_half_of_the_messages_are_lost() {
    let mut consortium = Consortium::empty(3);
    let mut sent: u32 = 0;
    consortium.run_losing(300, |_, _| {
        sent += 1;
        // The Thue–Morse sequence: half of all, and never a pattern three times in a row.
        sent.count_ones().is_multiple_of(2)
    });
    consortium.run(20);
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn when_a_member_dies_the_others_go_on_without_it_and_say_why() {
    let mut consortium = Consortium::in_force();
    consortium.kill(2);
    consortium.run(5);
    consortium.assert_in_force(&[0, 1]);
    assert!(
        consortium
            .notices
            .contains(&"0: bank 2 left the consortium (connection closed or refused)".to_owned())
    );
}

#[test]
fn a_bank_that_returns_catches_up_and_is_let_in() {
    let mut consortium = Consortium::in_force();
    consortium.kill(2);
    consortium.run(5);
    let view = consortium.assert_in_force(&[0, 1]).plan.ballot;
    let journal: Vec<_> =
        (1..=7).map(|counter| entry(event(view, 0, [counter, 0, 0]), counter)).collect();
    consortium.journals = vec![journal.clone(), journal, Vec::new()];
    consortium.restart(2);
    consortium.run(30);
    consortium.assert_in_force(&[0, 1, 2]);
    assert_eq!(consortium.journals[2].len(), 7);
    assert!(
        consortium.notices.contains(&"1: bank 2 joined the consortium".to_owned()),
        "{:?}",
        consortium.notices
    );
}

#[test]
fn an_empty_disk_in_a_bank_that_returns_is_filled_and_counts_again() {
    let mut consortium = Consortium::in_force();
    consortium.kill(2);
    consortium.run(5);
    consortium.views[2] = View::new(BankId(2), 3, blank(3));
    consortium.alive[2] = true;
    consortium.run(30);
    consortium.assert_in_force(&[0, 1, 2]);
    assert!(consortium.views[2].is_voter());
}

#[test]
fn of_three_banks_one_empty_and_one_intact_disk_wait_for_the_third() {
    let mut consortium = Consortium::in_force();
    for bank in 0..3 {
        consortium.kill(bank);
    }
    consortium.restart(0);
    consortium.views[1] = View::new(BankId(1), 3, blank(3));
    consortium.alive[1] = true;
    consortium.run(300);
    assert!(consortium.views[..2].iter().all(|view| !view.is_ready()));
    consortium.restart(2);
    consortium.run(100);
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn two_banks_of_five_killed_together_are_left_behind_together() {
    let mut consortium = Consortium::empty(5);
    consortium.run(10);
    consortium.kill(0);
    consortium.kill(3);
    consortium.run(5);
    consortium.assert_in_force(&[1, 2, 4]);
}

#[test]
fn a_new_bank_is_let_in_by_the_old_ones_whose_journal_knows_fewer_banks() {
    let id = EventId::new(BankId(0), "old");
    let request = RawRequest { id, type_msg: "X".into(), msg: raw(&1) };
    let old = Event::stamp(FIRST, BankId(0), vec![1, 0].into(), vec![request], Header::default());
    let done = entry(Held { event: Arc::new(old), members: BankSet::all(2) }, 1);
    let prepared =
        PreparePlan { ballot: FIRST, clock: VectorClock::zero(2), ..PreparePlan::default() };
    let disk = || OnDisk {
        prepared: prepared.clone(),
        ..disk(FIRST, std::slice::from_ref(&done), Vec::new())
    };
    let mut consortium = Consortium::start(vec![disk(), disk(), blank(3)]);
    consortium.journals = vec![vec![done.clone()], vec![done], Vec::new()];
    consortium.run(20);
    consortium.assert_in_force(&[0, 1, 2]);
    assert_eq!(consortium.journals[2].len(), 1);
}

#[test]
fn without_a_majority_nobody_acts_and_writes_are_refused_at_once() {
    let mut consortium = Consortium::in_force();
    consortium.kill(0);
    consortium.kill(1);
    consortium.run(100);
    assert_eq!(consortium.views[2].reach(), Reach::Minority);
    assert_eq!(consortium.installed[2].len(), 1);
    consortium.restart(1);
    consortium.run(30);
    consortium.assert_in_force(&[1, 2]);
}

#[test]
fn a_cut_between_two_banks_leaves_a_clique_in_which_all_hear_each_other() {
    let mut consortium = Consortium::in_force();
    consortium.cut.push((BankId(1), BankId(2)));
    consortium.run(20);
    consortium.assert_in_force(&[0, 1]);
    let installed = consortium.installed[0].len();
    consortium.run(200);
    assert_eq!(consortium.installed[0].len(), installed, "the bank outside disturbs nobody");
    assert_eq!(consortium.views[2].reach(), Reach::Outside, "no write need wait for a view there");
    consortium.cut.clear();
    consortium.run(30);
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn a_bank_that_others_left_behind_while_it_was_paused_notices_and_joins_again() {
    let mut consortium = Consortium::in_force();
    // Paused: the bank neither hears nor is heard, and does not know it.
    consortium.kill(0);
    consortium.run(5);
    consortium.assert_in_force(&[1, 2]);
    consortium.alive[0] = true;
    assert_eq!(consortium.views[0].phase(), PhaseName::Active);
    consortium.run(30);
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn banks_that_start_again_do_not_wait_for_one_that_acts_in_a_view_they_have_left_behind() {
    let mut consortium = Consortium::in_force();
    // Paused while the others go on, and resumed when they have just been killed.
    consortium.kill(1);
    consortium.run(5);
    consortium.assert_in_force(&[0, 2]);
    consortium.alive[1] = true;
    consortium.watching.push(BankId(1));
    [0, 2].into_iter().for_each(|bank| consortium.restart(bank));
    consortium.run(10);
    assert_eq!(consortium.views[1].active().map(|(view, _)| view), Some(FIRST), "it does not know");
    consortium.assert_in_force(&[0, 2]);
    consortium.watching.clear();
    consortium.run(30);
    consortium.assert_in_force(&[0, 1, 2]);
}

/// Kills the coordinator at the first message of a kind, lets the others go on, and brings it back.
fn killed_at(kind: fn(&ViewMessage) -> bool) {
    let mut consortium = Consortium::in_force();
    let held = event(FIRST, 1, [0, 1, 0]);
    let view = in_force_at(&consortium.views[0]);
    let held = Held {
        event: Arc::new(Event::stamp(
            view,
            BankId(1),
            vec![0, 1, 0].into(),
            held.event.requests.clone(),
            Header::default(),
        )),
        ..held
    };
    consortium.held[1].push(held.clone());
    // Bank 2 dies, bank 0 coordinates, and dies on the way.
    consortium.kill(2);
    let mut seen = false;
    for _ in 0..30 {
        consortium.run_losing(1, |_, message| {
            seen |= kind(message);
            seen
        });
        if seen {
            break;
        }
    }
    assert!(seen, "the phase was reached");
    consortium.kill(0);
    consortium.restart(2);
    consortium.run(100);
    consortium.assert_in_force(&[1, 2]);
    consortium.restart(0);
    consortium.run(100);
    consortium.assert_in_force(&[0, 1, 2]);
    for journal in &consortium.journals {
        let executed: Vec<_> = journal.iter().map(|entry| entry.held.event.order_key()).collect();
        assert_eq!(executed, [held.event.order_key()], "what was held is executed once everywhere");
    }
}

#[test]
fn a_coordinator_killed_while_it_asks_is_replaced() {
    killed_at(|message| matches!(message, ViewMessage::WouldStop { .. }));
}

#[test]
fn a_coordinator_killed_while_it_stops_the_others_is_replaced() {
    killed_at(|message| matches!(message, ViewMessage::Stop(_)));
    killed_at(|message| matches!(message, ViewMessage::Stopped(_)));
}

#[test]
fn a_coordinator_killed_while_it_prepares_is_replaced() {
    killed_at(|message| matches!(message, ViewMessage::Prepare(_)));
    killed_at(|message| matches!(message, ViewMessage::Ready(_)));
}

#[test]
fn a_coordinator_killed_while_it_starts_the_view_is_replaced() {
    killed_at(|message| matches!(message, ViewMessage::Start(_)));
}

#[test]
fn a_bank_that_missed_the_start_learns_from_the_others_that_the_view_has_begun() {
    let mut consortium = Consortium::empty(3);
    consortium.run_losing(20, |_, message| matches!(message, ViewMessage::Start(_)));
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn a_ballot_below_the_promise_is_refused_and_the_next_attempt_goes_above_the_promise() {
    let high = Ballot { round: 7, coordinator: BankId(0) };
    let mut consortium =
        Consortium::start(vec![blank(3), OnDisk { promised: high, ..blank(3) }, blank(3)]);
    consortium.run(20);
    assert!(consortium.assert_in_force(&[0, 1, 2]).plan.ballot > high);
}

#[test]
fn a_bank_whose_disk_lost_what_another_proves_is_filled_like_an_empty_one() {
    let events: Vec<_> = (1..=3).map(|counter| event(FIRST, 0, [counter, 0, 0])).collect();
    let executed: Vec<_> =
        events.iter().cloned().zip(1..).map(|(held, position)| entry(held, position)).collect();
    let mut consortium = Consortium::start(vec![
        disk(FIRST, &executed, Vec::new()),
        disk(FIRST, &executed[..2], vec![events[2].clone()]),
        disk(FIRST, &executed[..1], Vec::new()),
    ]);
    consortium.journals = vec![executed.clone(), executed[..2].to_vec(), executed[..1].to_vec()];
    consortium.run(20);
    consortium.assert_in_force(&[0, 1, 2]);
    assert!(consortium.notices.iter().any(|notice| notice.starts_with("2: DISK INCOMPLETE")));
    assert_eq!(consortium.journals[2].len(), 3);
}

#[test]
fn a_copy_that_differs_from_most_is_left_out() {
    let right = entry(event(FIRST, 0, [1, 0, 0]), 1);
    let wrong = JournalEntry { hash: ChainHash([9; 32]), ..right.clone() };
    let disk = |entry: &JournalEntry| disk(FIRST, std::slice::from_ref(entry), Vec::new());
    let mut consortium = Consortium::start(vec![disk(&right), disk(&right), disk(&wrong)]);
    consortium.journals = vec![vec![right.clone()], vec![right], vec![wrong]];
    consortium.run(100);
    consortium.assert_in_force(&[0, 1]);
    assert_eq!(consortium.views[2].phase(), PhaseName::Diverged);
    assert!(consortium.installed[0].len() <= 2, "it does not knock for ever");
}
