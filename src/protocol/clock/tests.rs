use std::cell::Cell;

use super::*;
use crate::ids::request::raw;
use crate::ids::signature::{CertificateId, Signature};
use crate::ids::{BankSet, EventId};
use crate::protocol::companions::WAIT_MS;
use crate::protocol::event::Held;
use crate::protocol::rounds::PART;
use crate::protocol::view::message::PreparePlan;
use crate::protocol::view::turn::Fates;

fn request(name: &str) -> RawRequest {
    RawRequest { id: EventId::new(BankId(1), name), type_msg: "X".into(), msg: raw(&name) }
}

fn installed(clock: [u64; 3]) -> ClockInput {
    let plan = PreparePlan {
        ballot: Ballot { round: 1, coordinator: BankId(0) },
        members: BankSet::all(3),
        clock: clock.to_vec().into(),
        ..PreparePlan::default()
    };
    ClockInput::Install(Installed { plan, flush: Vec::new(), fates: Fates::default() })
}

fn events(out: &[Effect]) -> Vec<&Event> {
    let own = |effect| match effect {
        &Effect::Buffer(BufferInput::Own(ref event)) => Some(&**event),
        _ => None,
    };
    out.iter().filter_map(own).collect()
}

fn time(base_ms: i64) -> ClockInput {
    ClockInput::Time { base_ms, known: BankSet::all(3) }
}

/// A clock that knows what time it is.
fn timed(me: u16) -> Clock {
    let mut clock = Clock::new(BankId(me), 3);
    clock.handle(time(1_000), 0, &mut Vec::new());
    clock
}

fn give(clock: &mut Clock, inputs: Vec<ClockInput>, now: Millis) -> Vec<Effect> {
    let mut out = Vec::new();
    inputs.into_iter().for_each(|input| clock.handle(input, now, &mut out));
    out
}

#[test]
fn requests_queued_before_a_view_are_stamped_in_one_event_above_the_flushed_clock() {
    let mut clock = timed(1);
    give(&mut clock, vec![ClockInput::Reach(Reach::Majority)], 0);
    let submitted = ["a", "b", "c"].map(|name| ClockInput::Submit(request(name)));
    assert!(events(&give(&mut clock, submitted.into(), 0)).is_empty());
    let out = give(&mut clock, vec![installed([4, 7, 2]), ClockInput::Reach(Reach::Members)], 0);
    let events = events(&out);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].timestamp, vec![4, 8, 2].into());
    assert_eq!(events[0].requests.len(), 3);
    assert!(
        matches!(out[0], Effect::Buffer(BufferInput::Install(_))),
        "the buffer learns of the view first"
    );
}

#[test]
fn a_lone_request_leaves_at_once_and_those_that_come_meanwhile_share_the_next_event() {
    let mut clock = timed(0);
    give(&mut clock, vec![installed([0, 0, 0]), ClockInput::Reach(Reach::Members)], 0);
    let submit = |names: std::ops::Range<usize>| {
        names.map(|name| ClockInput::Submit(request(&name.to_string()))).collect::<Vec<_>>()
    };
    assert_eq!(events(&give(&mut clock, submit(0..1), 0)).len(), 1);
    assert!(events(&give(&mut clock, submit(1..WORTH_A_FURTHER_EVENT), 0)).is_empty());
    let out = give(&mut clock, submit(100..101), 0);
    assert_eq!(events(&out)[0].requests.len(), WORTH_A_FURTHER_EVENT, "so many are worth an event");
    give(&mut clock, submit(101..103), 0);
    assert!(events(&give(&mut clock, vec![ClockInput::Agreed(1)], 0)).is_empty());
    assert!(
        events(&give(&mut clock, vec![ClockInput::Agreed(2)], 0)).is_empty(),
        "those that were answered may ask again"
    );
    assert_eq!(clock.wake_at(), Some(WAIT_MS));
    let out = give(&mut clock, vec![ClockInput::Tick], WAIT_MS);
    assert_eq!(events(&out)[0].requests.len(), 2, "they do not");
}

#[test]
fn those_that_were_answered_together_and_those_that_waited_leave_together() {
    let mut clock = timed(0);
    give(&mut clock, vec![installed([0, 0, 0]), ClockInput::Reach(Reach::Members)], 0);
    let submit = |name: &str| vec![ClockInput::Submit(request(name))];
    let sizes = |out: &[Effect]| -> Vec<usize> {
        events(out).iter().map(|event| event.requests.len()).collect()
    };
    assert_eq!(sizes(&give(&mut clock, submit("a"), 0)), [1], "nobody is known yet");
    assert_eq!(sizes(&give(&mut clock, submit("b"), 0)), [0; 0]);
    assert_eq!(sizes(&give(&mut clock, vec![ClockInput::Agreed(1)], 1)), [0; 0]);
    assert_eq!(sizes(&give(&mut clock, submit("a again"), 1)), [2]);
    assert_eq!(sizes(&give(&mut clock, vec![ClockInput::Stable(2)], 1)), [0; 0]);
    assert_eq!(sizes(&give(&mut clock, vec![ClockInput::Agreed(2)], 2)), [0; 0]);
    assert_eq!(sizes(&give(&mut clock, submit("b again"), 2)), [0; 0]);
    assert_eq!(sizes(&give(&mut clock, submit("a once more"), 2)), [2]);
}

#[test]
fn once_the_last_event_is_stable_as_many_waiting_as_in_flight_justify_another() {
    let mut clock = timed(0);
    give(&mut clock, vec![installed([0, 0, 0]), ClockInput::Reach(Reach::Members)], 0);
    let submit = |clock: &mut Clock, names: std::ops::Range<usize>| {
        let names = names.map(|name| ClockInput::Submit(request(&name.to_string()))).collect();
        events(&give(clock, names, 0)).len()
    };
    assert_eq!(submit(&mut clock, 0..4), 1, "the first is alone, three wait");
    let stable = |counter| vec![ClockInput::Stable(counter)];
    assert_eq!(events(&give(&mut clock, stable(1), 0))[0].requests.len(), 3);
    assert_eq!(submit(&mut clock, 4..7), 0);
    assert!(
        events(&give(&mut clock, stable(2), 0)).is_empty(),
        "three wait and four are in flight"
    );
    assert_eq!(submit(&mut clock, 7..8), 1);
    assert!(events(&give(&mut clock, stable(3), 0)).is_empty(), "nothing waits");
}

#[test]
fn where_members_are_far_apart_a_request_waits_for_a_part_of_a_round_only() {
    let mut clock = timed(0);
    give(&mut clock, vec![installed([0, 0, 0]), ClockInput::Reach(Reach::Members)], 0);
    let submit = |name: &str| vec![ClockInput::Submit(request(name))];
    let far = 30 * PART;
    assert_eq!(events(&give(&mut clock, submit("a"), 0)).len(), 1);
    assert!(events(&give(&mut clock, submit("b"), far - 1)).is_empty(), "who knows how far it is");
    give(&mut clock, vec![ClockInput::Agreed(1)], far);
    assert_eq!(events(&give(&mut clock, vec![ClockInput::Tick], far + WAIT_MS)).len(), 1);
    let left = far + WAIT_MS;
    assert!(events(&give(&mut clock, submit("c"), left + 5)).is_empty());
    assert_eq!(clock.wake_at(), Some(left + 30));
    assert_eq!(events(&give(&mut clock, vec![ClockInput::Tick], left + 30)).len(), 1);
    assert_eq!(events(&give(&mut clock, submit("d"), left + 59)).len(), 0);
    assert_eq!(events(&give(&mut clock, submit("e"), left + 60)).len(), 1, "both leave");
    // One round that was short: the others were long for another reason than distance.
    give(&mut clock, vec![ClockInput::Agreed(4)], left + 61);
    assert_eq!(events(&give(&mut clock, submit("f"), left + 70)).len(), 1);
    assert!(events(&give(&mut clock, submit("g"), left + 500)).is_empty());
    assert_eq!(clock.wake_at(), None);
}

/// Fails as often as it still has to.
#[derive(Debug)]
struct Failing(Cell<u32>);

impl Signer for Failing {
    fn sign(&self, _: &str, members: BankSet) -> Option<Signature> {
        let fails = self.0.get() > 0;
        self.0.set(self.0.get().saturating_sub(1));
        (!fails).then(|| Signature { by: CertificateId([7; 16]), members, seal: Arc::from([1]) })
    }
}

#[test]
fn what_cannot_be_signed_goes_on_waiting_and_never_leaves_without_a_signature() {
    let mut clock = timed(0).with_signer(Some(Box::new(Failing(Cell::new(2)))));
    give(&mut clock, vec![installed([0, 0, 0]), ClockInput::Reach(Reach::Members)], 0);
    let submit = |name: &str| vec![ClockInput::Submit(request(name))];
    assert!(give(&mut clock, submit("a"), 0).is_empty());
    assert!(give(&mut clock, submit("b"), 1).is_empty(), "it is not tried all the time");
    assert_eq!(clock.now(), &VectorClock::zero(3), "no number is used up");
    assert!(give(&mut clock, vec![ClockInput::Tick], SIGN_AGAIN_MS).is_empty());
    let out = give(&mut clock, vec![ClockInput::Tick], 2 * SIGN_AGAIN_MS);
    let left = events(&out);
    assert_eq!((left.len(), left[0].requests.len()), (1, 2));
    assert_eq!(left[0].requests[0].id, EventId::new(BankId(1), "a"), "in their order");
    assert!(left[0].signature().is_some());
}

#[test]
fn where_signing_fails_for_long_customers_are_told_so() {
    let mut clock = timed(0).with_signer(Some(Box::new(Failing(Cell::new(u32::MAX)))));
    give(&mut clock, vec![installed([0, 0, 0]), ClockInput::Reach(Reach::Members)], 0);
    give(&mut clock, vec![ClockInput::Submit(request("a"))], STAMP_WAIT_MS - 1);
    let mut out = Vec::new();
    for now in (STAMP_WAIT_MS..=2 * STAMP_WAIT_MS).step_by(50) {
        out.extend(give(&mut clock, vec![ClockInput::Tick], now));
    }
    assert!(matches!(&out[..], [Effect::Reply(_, Reply::NotTaken(NotTaken::Stalled))]), "{out:?}");
}

#[test]
fn nothing_is_looked_at_again_while_nothing_can_be_stamped() {
    let mut clock = timed(0);
    give(&mut clock, vec![installed([0, 0, 0]), ClockInput::Reach(Reach::Members)], 0);
    let submit = |name: &str| vec![ClockInput::Submit(request(name))];
    give(&mut clock, submit("a"), 0);
    give(&mut clock, vec![ClockInput::Agreed(1)], 80);
    give(&mut clock, submit("b"), 80);
    give(&mut clock, submit("c"), 81);
    assert!(clock.wake_at().is_some());
    give(&mut clock, vec![ClockInput::Reach(Reach::Majority)], 82);
    assert_eq!(clock.wake_at(), None, "it would be looked at again and again");
    give(&mut clock, vec![ClockInput::Reach(Reach::Members)], 99);
    assert!(clock.wake_at().is_none_or(|at| at > 99));
}

#[test]
fn only_so_many_own_events_are_under_way() {
    let mut clock = timed(0);
    give(&mut clock, vec![installed([0, 0, 0]), ClockInput::Reach(Reach::Members)], 0);
    for index in 0..1_000 {
        give(&mut clock, vec![ClockInput::Submit(request(&index.to_string()))], 0);
    }
    assert_eq!(clock.now().get(BankId(0)), EVENTS_UNDER_WAY_MAX);
}

#[test]
fn a_request_that_found_no_view_in_time_is_answered_as_not_taken_and_never_stamped() {
    let mut clock = timed(0);
    give(
        &mut clock,
        vec![ClockInput::Reach(Reach::Majority), ClockInput::Submit(request("a"))],
        100,
    );
    assert!(give(&mut clock, vec![ClockInput::Tick], 100 + STAMP_WAIT_MS - 1).is_empty());
    let out = give(&mut clock, vec![ClockInput::Tick], 100 + STAMP_WAIT_MS);
    assert!(matches!(out[..], [Effect::Reply(_, Reply::NotTaken(NotTaken::CutOff))]));
    let later = vec![installed([0, 0, 0]), ClockInput::Reach(Reach::Members)];
    assert!(events(&give(&mut clock, later, 9_000)).is_empty());
}

#[test]
fn a_request_behind_a_member_that_hangs_is_not_taken_but_reported_as_stalled() {
    let mut clock = timed(0);
    give(&mut clock, vec![installed([0, 0, 0]), ClockInput::Reach(Reach::Members)], 0);
    give(&mut clock, vec![ClockInput::Submit(request("a"))], 0);
    give(&mut clock, vec![ClockInput::Submit(request("b"))], 100);
    let out = give(&mut clock, vec![ClockInput::Tick], 2_100);
    let refused =
        |effect: &Effect| matches!(effect, Effect::Reply(_, Reply::NotTaken(NotTaken::Stalled)));
    assert!(out.iter().any(refused), "{out:?}");
    assert!(
        out.iter().any(|effect| matches!(effect, Effect::Notice(Notice::Stalled(_)))),
        "{out:?}"
    );
    assert!(clock.is_stalled());
    let out = give(&mut clock, vec![ClockInput::Agreed(1)], 2_200);
    assert!(matches!(out[..], [Effect::Notice(Notice::GoesForward)]), "{out:?}");
    assert!(!clock.is_stalled());
}

#[test]
fn more_work_than_can_be_done_is_overload() {
    let mut clock = timed(0);
    give(&mut clock, vec![installed([0, 0, 0]), ClockInput::Reach(Reach::Members)], 0);
    for index in 0..3_000 {
        give(&mut clock, vec![ClockInput::Submit(request(&index.to_string()))], 100);
    }
    give(&mut clock, vec![ClockInput::Agreed(1)], 1_000);
    let out = give(&mut clock, vec![ClockInput::Tick], 2_100);
    assert!(
        matches!(out[0], Effect::Reply(_, Reply::NotTaken(NotTaken::Overloaded))),
        "{:?}",
        out[0]
    );
}

#[test]
fn a_bank_cut_off_from_the_majority_refuses_at_once() {
    let mut clock = timed(0);
    let cut_off =
        |out: &[Effect]| matches!(out, [Effect::Reply(_, Reply::NotTaken(NotTaken::CutOff))]);
    assert!(cut_off(&give(&mut clock, vec![ClockInput::Submit(request("a"))], 0)));
    let waits = vec![ClockInput::Reach(Reach::Majority), ClockInput::Submit(request("b"))];
    assert!(give(&mut clock, waits, 0).is_empty());
    assert!(cut_off(&give(&mut clock, vec![ClockInput::Reach(Reach::Minority)], 0)));
}

#[test]
fn a_bank_that_others_act_without_refuses_waiting_and_new_requests_at_once() {
    let mut clock = Clock::new(BankId(0), 3);
    give(&mut clock, vec![ClockInput::Reach(Reach::Majority), ClockInput::Submit(request("a"))], 0);
    let out = give(
        &mut clock,
        vec![ClockInput::Reach(Reach::Outside), ClockInput::Submit(request("b"))],
        0,
    );
    let outside =
        |effect: &Effect| matches!(effect, Effect::Reply(_, Reply::NotTaken(NotTaken::Outside)));
    assert_eq!(out.iter().filter(|effect| outside(effect)).count(), 2);
    let let_in = vec![ClockInput::Reach(Reach::Majority), ClockInput::Submit(request("c"))];
    assert!(give(&mut clock, let_in, 0).is_empty(), "a view change is under way that includes it");
}

#[test]
fn a_draining_clock_refuses_waiting_and_new_requests() {
    let mut clock = timed(0);
    let mut inputs = vec![ClockInput::Reach(Reach::Majority), ClockInput::Submit(request("a"))];
    inputs.extend([ClockInput::Drain, ClockInput::Submit(request("b"))]);
    let out = give(&mut clock, inputs, 0);
    let stopping =
        |effect: &Effect| matches!(effect, Effect::Reply(_, Reply::NotTaken(NotTaken::Stopping)));
    assert_eq!(out.iter().filter(|effect| stopping(effect)).count(), 2);
}

#[test]
fn events_carry_consortium_time_which_does_not_step_back_and_follows_a_correction() {
    let mut clock = timed(0);
    give(&mut clock, vec![installed([0, 0, 0]), ClockInput::Reach(Reach::Members)], 0);
    let mut counter = 0;
    let mut stamped = |base_ms: i64, now: Millis| {
        counter += 1;
        let inputs =
            vec![time(base_ms), ClockInput::Submit(request("a")), ClockInput::Agreed(counter)];
        events(&give(&mut clock, inputs, now))[0].header.map(|header| header.at_ms)
    };
    assert_eq!(stamped(5_000, 10), Some(5_010));
    assert_eq!(stamped(4_000, 20), Some(5_010));
    assert_eq!(stamped(4_000, 1_900), Some(5_900));
    assert_eq!(stamped(i64::MAX, 2_000), Some(crate::ids::request::AT_MS_MAX));
    assert_eq!(stamped(4_000, 3_000), Some(7_000), "it had been set wrong by more than a step");
    assert_eq!(stamped(i64::MIN, 4_000), Some(7_000));
}

#[test]
fn nothing_is_stamped_before_the_clocks_of_all_members_are_known() {
    let mut clock = Clock::new(BankId(0), 3).with_open_customers(true);
    let inputs = vec![
        installed([0, 0, 0]),
        ClockInput::Reach(Reach::Members),
        ClockInput::Submit(request("a")),
    ];
    assert!(events(&give(&mut clock, inputs, 0)).is_empty());
    let some = ClockInput::Time { base_ms: 7, known: BankSet::all(2) };
    assert!(events(&give(&mut clock, vec![some], 0)).is_empty());
    let header = events(&give(&mut clock, vec![time(9)], 0))[0].header;
    assert_eq!(header, Some(Header { at_ms: 9, open: true }));
}

#[test]
fn a_merged_event_raises_the_next_stamp_above_it() {
    let mut clock = timed(0);
    let inputs = vec![
        installed([0, 0, 0]),
        ClockInput::Reach(Reach::Members),
        ClockInput::Held {
            view: Ballot { round: 1, coordinator: BankId(0) },
            clock: vec![0, 5, 0].into(),
        },
        ClockInput::Submit(request("a")),
    ];
    let out = give(&mut clock, inputs, 0);
    assert_eq!(events(&out)[0].timestamp, vec![1, 5, 0].into());
}

fn begun(fates: Fates, flush: Vec<Held>) -> ClockInput {
    let plan = PreparePlan {
        ballot: Ballot { round: 2, coordinator: BankId(0) },
        members: BankSet::all(3),
        clock: vec![1, 0, 0].into(),
        ..PreparePlan::default()
    };
    ClockInput::Install(Installed { plan, flush, fates })
}

/// A clock with two events under way, one of a single request and one of as many as justify a
/// second event, and with one request that waits.
fn with_events_under_way() -> (Clock, Vec<Event>) {
    let mut clock = timed(0);
    let mut inputs = vec![installed([0, 0, 0]), ClockInput::Reach(Reach::Members)];
    inputs.extend(
        (0..=WORTH_A_FURTHER_EVENT).map(|name| ClockInput::Submit(request(&name.to_string()))),
    );
    inputs.extend([ClockInput::Submit(request("waits")), ClockInput::Freeze(Ballot::default())]);
    let out = give(&mut clock, inputs, 0);
    let stamped = events(&out).into_iter().cloned().collect();
    (clock, stamped)
}

fn names(event: &Event) -> Vec<&str> {
    event.requests.iter().map(|request| request.id.as_str()).collect()
}

#[test]
fn requests_of_events_that_never_existed_are_stamped_anew_before_all_others() {
    let (mut clock, before) = with_events_under_way();
    assert_eq!(before.len(), 2);
    let out = give(&mut clock, vec![begun(Fates::default(), Vec::new())], 7_900);
    let again = events(&out);
    let expected: Vec<_> =
        before.iter().flat_map(|event| names(event)).chain(["EV1-waits"]).collect();
    assert_eq!(names(again[0]), expected);
    assert_ne!(again[0].id, before[0].id, "late word of the old event is none of the new one");
    assert!(out.iter().all(|effect| !matches!(effect, Effect::Reply(..))));
}

#[test]
fn what_nobody_waits_for_any_more_is_not_stamped_again() {
    let (mut clock, before) = with_events_under_way();
    let out = give(&mut clock, vec![begun(Fates::default(), Vec::new())], 8_000);
    let not_taken =
        |effect: &&Effect| matches!(effect, Effect::Reply(_, Reply::NotTaken(NotTaken::CutOff)));
    let under_way: usize = before.iter().map(|event| event.requests.len()).sum();
    assert_eq!(out.iter().filter(not_taken).count(), under_way);
    assert_eq!(names(events(&out)[0]), ["EV1-waits"]);
}

#[test]
fn what_was_executed_or_is_flushed_is_not_stamped_again() {
    for fetched in [false, true] {
        let (mut clock, before) = with_events_under_way();
        let key = before[0].order_key();
        let executed = Fates { executed: Some(key), ..Fates::default() };
        let fates =
            if fetched { Fates { fetched: vec![key], ..Fates::default() } } else { executed };
        let flush = vec![Held { event: Arc::new(before[1].clone()), members: BankSet::all(3) }];
        let out = give(&mut clock, vec![begun(fates, flush)], 0);
        assert_eq!(names(events(&out)[0]), ["EV1-waits"]);
    }
}

#[test]
fn what_a_snapshot_may_hold_is_neither_stamped_again_nor_refused() {
    let (mut clock, _) = with_events_under_way();
    let out =
        give(&mut clock, vec![begun(Fates { unknown: true, ..Fates::default() }, Vec::new())], 0);
    assert_eq!(names(events(&out)[0]), ["EV1-waits"]);
    assert!(out.iter().all(|effect| !matches!(effect, Effect::Reply(..))));
}

#[test]
fn a_draining_clock_refuses_requests_of_events_that_never_existed_at_once() {
    let (mut clock, before) = with_events_under_way();
    give(&mut clock, vec![ClockInput::Drain], 0);
    let out = give(&mut clock, vec![begun(Fates::default(), Vec::new())], 0);
    let stopping =
        |effect: &&Effect| matches!(effect, Effect::Reply(_, Reply::NotTaken(NotTaken::Stopping)));
    let under_way: usize = before.iter().map(|event| event.requests.len()).sum();
    assert_eq!(out.iter().filter(stopping).count(), under_way);
    assert!(events(&out).is_empty());
}
