//! Banks that are alive enough to be counted but too ill to take part, and lines that let only part
//! of the traffic through.

use super::*;

/// Two banks in force, with a journal, and a third that comes back with none of it.
fn returning() -> Consortium {
    let mut consortium = Consortium::in_force();
    consortium.kill(2);
    consortium.run(5);
    let view = consortium.assert_in_force(&[0, 1]).plan.ballot;
    let journal: Vec<_> =
        (1..=7).map(|counter| entry(event(view, 0, [counter, 0, 0]), counter)).collect();
    consortium.journals = vec![journal.clone(), journal, Vec::new()];
    consortium.restart(2);
    consortium
}

/// Lets time pass and returns the largest number of ticks in a row for which the first two banks
/// did not act together.
fn longest_stop(consortium: &mut Consortium, ticks: usize) -> usize {
    let (mut longest, mut stopped) = (0, 0);
    for _ in 0..ticks {
        consortium.run(1);
        let act = |bank: usize| consortium.views[bank].is_ready();
        stopped = if act(0) && act(1) { 0 } else { stopped + 1 };
        longest = longest.max(stopped);
    }
    longest
}

#[test]
fn a_joiner_without_progress_stops_the_others_briefly_and_less_often_each_time() {
    let mut consortium = returning();
    consortium.stuck.push(BankId(2));
    let before = consortium.installed[0].len();
    let longest = longest_stop(&mut consortium, 600);
    assert!(longest <= 20, "the others were stopped for {longest} ticks");
    let views = consortium.installed[0].len() - before;
    assert!((2..=7).contains(&views), "{views} attempts in a minute");
    consortium.stuck.clear();
    consortium.restart(2);
    consortium.run(1_000);
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn a_joiner_that_is_asleep_when_asked_to_stop_is_asked_less_often_each_time() {
    let mut consortium = returning();
    let before = consortium.installed[0].len();
    let mut asked = 0;
    for _ in 0..600 {
        consortium.run_losing(1, |to, message| {
            let sleeps = to == BankId(2) && matches!(message, ViewMessage::Stop(_));
            asked += usize::from(sleeps);
            sleeps
        });
    }
    let views = consortium.installed[0].len() - before;
    // Each of the two members finds out for itself.
    assert!(asked > 0 && (2..=10).contains(&views), "{views} views in a minute");
    consortium.run(1_000);
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn a_member_whose_disk_never_finishes_is_left_out_and_waited_for_only_if_needed() {
    let mut consortium = Consortium::in_force();
    consortium.stuck.push(BankId(2));
    // A reason to change the view: bank 1 has been restarted.
    consortium.kill(1);
    consortium.heartbeat();
    consortium.restart(1);
    consortium.run(30);
    consortium.assert_in_force(&[0, 1]);
    consortium.kill(1);
    consortium.run(100);
    assert!(!consortium.views[0].is_ready(), "two of three are needed");
    consortium.stuck.clear();
    consortium.run(200);
    consortium.assert_in_force(&[0, 2]);
}

#[test]
fn another_bank_is_asked_for_what_a_blocked_source_cannot_send() {
    for (deaf, dumb) in [(2, 1), (2, 0)] {
        let mut consortium = returning();
        consortium.blocked.push((BankId(dumb), BankId(deaf)));
        let longest = longest_stop(&mut consortium, 300);
        assert_eq!(consortium.journals[2].len(), 7, "it caught up by the other line");
        assert!(longest <= 20, "{dumb} cannot reach {deaf}: stopped for {longest} ticks");
    }
}

#[test]
fn events_of_the_flush_are_fetched_from_any_member_that_has_them() {
    let mut consortium = Consortium::empty(5);
    consortium.run(10);
    let view = in_force_at(&consortium.views[0]);
    let id = EventId::new(BankId(1), "held");
    let request = RawRequest { id, type_msg: "X".into(), msg: raw(&1) };
    let stamped =
        Event::stamp(view, BankId(1), vec![0, 1, 0, 0, 0].into(), vec![request], Header::default());
    let held = Held { event: Arc::new(stamped), members: BankSet::all(5) };
    consortium.held[1] = vec![held.clone()];
    consortium.kill(4);
    consortium.blocked.push((BankId(1), BankId(3)));
    consortium.run(15);
    assert_eq!(keys(&consortium.assert_in_force(&[0, 1, 2, 3]).flush), keys(&[held]));
}

#[test]
fn the_refusal_of_an_earlier_attempt_does_not_end_a_later_one() {
    let mut consortium = Consortium::empty(3);
    consortium.run_losing(3, |_, message| matches!(message, ViewMessage::Ready(_)));
    let ballot = consortium.views[0].disk.promised;
    let refusal = |refused| ViewMessage::Refused { refused, promised: ballot };
    let old = Ballot { round: 0, coordinator: BankId(0) };
    consortium.give(BankId(0), ViewInput::Message(BankId(1), refusal(old)));
    consortium.run(5);
    assert_eq!(consortium.assert_in_force(&[0, 1, 2]).plan.ballot, ballot);
}

#[test]
fn a_plan_below_a_members_own_position_is_refused_at_once() {
    let done = entry(event(FIRST, 0, [1, 0, 0]), 1);
    let mut consortium =
        Consortium::start(vec![disk(FIRST, &[done], Vec::new()), blank(3), blank(3)]);
    let ballot = Ballot { round: 2, coordinator: BankId(1) };
    let plan = PreparePlan {
        ballot,
        members: BankSet::all(3),
        clock: VectorClock::zero(3),
        source: BankId(1),
        ..PreparePlan::default()
    };
    for message in [ViewMessage::Stop(ballot), ViewMessage::Prepare(plan)] {
        consortium.give(BankId(0), ViewInput::Message(BankId(1), message));
    }
    let last = consortium.network.back().map(|(_, to, message)| (*to, message.clone()));
    assert_eq!(last, Some((BankId(1), ViewMessage::Refused { refused: ballot, promised: ballot })));
}

#[test]
fn a_bank_among_lost_disks_says_once_what_helps_and_makes_few_promises() {
    let done = entry(event(FIRST, 0, [1, 0, 0]), 1);
    let mut consortium = Consortium::start(vec![
        disk(FIRST, std::slice::from_ref(&done), Vec::new()),
        blank(3),
        blank(3),
    ]);
    consortium.journals[0] = vec![done];
    consortium.run(600);
    let promised = consortium.views[0].disk.promised.round;
    assert!(promised < 15, "{promised} promises in a minute");
    let help = consortium.notices.iter().filter(|notice| notice.contains("rescue")).count();
    assert_eq!(help, 1);
}

#[test]
fn pieces_of_journal_begin_small_grow_with_the_line_and_shrink_when_none_comes() {
    let mut consortium = returning();
    let mut asked = Vec::new();
    let mut answers = true;
    for tick in 0..70 {
        answers &= tick < 10;
        consortium.run_losing(1, |to, message| {
            if let ViewMessage::FetchJournal { bytes, .. } = message {
                asked.push(*bytes);
            }
            matches!(message, ViewMessage::Join) || (to == BankId(2) && !answers)
        });
    }
    assert_eq!(asked[0], 4 * 1024);
    let times = asked.len();
    assert!((8..25).contains(&times), "asked {times} times, less often while no answer comes");
}
