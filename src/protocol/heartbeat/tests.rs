//! Peers that are heard, fall silent, are lost, are slow and come back.

use super::*;
use crate::ids::Ballot;
use crate::protocol::report::Answered;

const PEER: BankId = BankId(1);

/// A heartbeat that looks at the clock every 100 ms.
struct Watched {
    heartbeat: Heartbeat,
    now: Millis,
}

impl Watched {
    fn new() -> Self {
        let patience = Patience { failure_after: 5_000, rejoin_after: 5_000, slow_after: 500 };
        Watched { heartbeat: Heartbeat::new(BankId(0), 3, patience), now: 0 }
    }

    fn give(&mut self, input: HeartbeatInput) -> PeerState {
        self.heartbeat.handle(input, self.now, &mut Vec::new());
        self.heartbeat.state(PEER)
    }

    fn hear(&mut self) -> PeerState {
        let active = Some(Ballot { round: 1, coordinator: PEER });
        self.give(heard(PEER, PeerReport { active, ..PeerReport::default() }))
    }

    fn lose(&mut self) -> PeerState {
        self.give(HeartbeatInput::Lost(PEER))
    }

    /// Lets time pass; the peer answers every second if it is there.
    fn pass(&mut self, millis: Millis, peer_answers: bool) -> PeerState {
        for _ in 0..millis / 100 {
            self.now += 100;
            self.give(HeartbeatInput::Tick);
            if peer_answers && self.now.is_multiple_of(1_000) {
                self.hear();
            }
        }
        self.heartbeat.state(PEER)
    }
}

fn heard(peer: BankId, report: PeerReport) -> HeartbeatInput {
    HeartbeatInput::Heard(peer, report, Answered::default())
}

#[test]
fn a_first_answer_counts_at_once() {
    let mut watched = Watched::new();
    assert_eq!(watched.pass(100, false), PeerState::Unheard);
    assert_eq!(watched.hear(), PeerState::Up);
}

#[test]
fn five_seconds_of_silence_are_a_failure_and_its_cause_says_so() {
    let mut watched = Watched::new();
    watched.hear();
    assert_eq!(watched.pass(4_900, false), PeerState::Up);
    let state = watched.pass(100, false);
    assert_eq!(state, PeerState::Down(Cause::Silent { for_ms: 5_000 }));
    assert_eq!(Cause::Silent { for_ms: 5_000 }.to_string(), "no answer for 5 s");
    let said = serde_json::to_string(&state).unwrap();
    assert_eq!(said, r#"{"state":"down","cause":{"kind":"silent","for_ms":5000}}"#);
}

#[test]
fn a_refused_connection_is_a_failure_at_once_and_the_return_is_watched() {
    let mut watched = Watched::new();
    watched.hear();
    assert_eq!(watched.lose(), PeerState::Down(Cause::Lost));
    assert_eq!(watched.pass(5_900, true), PeerState::Returning, "answers since 1 s");
    assert_eq!(watched.pass(100, true), PeerState::Up);
}

#[test]
fn a_break_while_returning_starts_the_watch_again() {
    let mut watched = Watched::new();
    watched.hear();
    watched.pass(20_000, false);
    watched.hear();
    watched.pass(4_000, true);
    watched.lose();
    watched.hear();
    assert_eq!(watched.pass(4_900, true), PeerState::Returning);
}

#[test]
fn the_watch_is_longer_each_time_a_bank_flaps_and_short_again_after_a_quiet_minute() {
    let mut watched = Watched::new();
    watched.hear();
    let return_takes = |watched: &mut Watched| {
        watched.lose();
        watched.hear();
        let start = watched.now;
        while watched.pass(100, true) != PeerState::Up {}
        (watched.now - start) / 1_000
    };
    let takes: Vec<_> = (0..4).map(|_| return_takes(&mut watched)).collect();
    assert_eq!(takes, [5, 10, 20, 40]);
    watched.pass(2 * 40_000 + 1_000, true);
    assert_eq!(return_takes(&mut watched), 5);
}

#[test]
fn a_bank_that_wakes_up_for_a_moment_every_few_seconds_is_not_let_in_again_and_again() {
    let patience = Patience { failure_after: 1_000, rejoin_after: 0, slow_after: 500 };
    let mut watched =
        Watched { heartbeat: Heartbeat::new(BankId(0), 3, patience), ..Watched::new() };
    watched.hear();
    let wake = |watched: &mut Watched, answers: u32| {
        for _ in 0..answers {
            watched.now += 100;
            watched.hear();
        }
        watched.heartbeat.state(PEER) == PeerState::Up
    };
    let mut let_in = 0;
    for _ in 0..10 {
        watched.pass(4_200, false);
        let_in += usize::from(wake(&mut watched, 4));
    }
    assert!(let_in <= 2, "{let_in} times");
    assert!(wake(&mut watched, 20));
}

#[test]
fn the_watch_itself_does_not_count_as_quiet_time() {
    let mut watched = Watched::new();
    watched.hear();
    for watch in [5_000, 10_000, 20_000, 40_000, 80_000, 80_000] {
        watched.lose();
        watched.hear();
        assert_eq!(watched.pass(watch - 1_000, true), PeerState::Returning);
        assert_eq!(watched.pass(2_000, true), PeerState::Up);
    }
}

#[test]
fn a_bank_refused_before_it_was_ever_heard_was_not_lost() {
    let mut watched = Watched::new();
    assert_eq!(watched.lose(), PeerState::Unheard);
    assert_eq!(watched.hear(), PeerState::Up);
}

#[test]
fn a_bank_that_was_itself_stopped_does_not_count_the_silence_against_others() {
    let mut watched = Watched::new();
    watched.hear();
    watched.now += 20_000;
    assert_eq!(watched.give(HeartbeatInput::Tick), PeerState::Up);
}

const VIEW: Ballot = Ballot { round: 1, coordinator: PEER };
const THIRD: BankId = BankId(2);

impl Watched {
    /// One tick in which the others wait for the peer and have waited this long by now; bank 2 is
    /// here.
    fn behind(&mut self, lag: Millis) -> PeerState {
        self.behind_in(BankSet::all(3), lag)
    }

    fn behind_in(&mut self, members: BankSet, lag: Millis) -> PeerState {
        let behind = vec![0, lag, 0];
        self.give(HeartbeatInput::Behind(Lags {
            view: VIEW,
            members,
            stage: Stage::Durable,
            behind,
        }))
    }

    /// Lets time pass in which both others answer and the peer has this lag.
    fn wait(&mut self, millis: Millis, lag: impl Fn(Millis) -> Millis) -> PeerState {
        for passed in 1..=millis / 100 {
            self.now += 100;
            self.give(HeartbeatInput::Tick);
            if self.now.is_multiple_of(1_000) {
                self.hear();
                self.hear_third(Some(VIEW));
            }
            if self.behind(lag(passed * 100)) != PeerState::Up {
                break;
            }
        }
        self.heartbeat.state(PEER)
    }

    fn hear_third(&mut self, active: Option<Ballot>) {
        self.give(heard(THIRD, PeerReport { active, ..PeerReport::default() }));
    }

    fn both_up() -> Watched {
        let mut watched = Watched::new();
        watched.hear();
        watched.hear_third(Some(VIEW));
        watched
    }
}

fn is_slow(state: PeerState) -> bool {
    matches!(state, PeerState::Down(Cause::Slow { .. }))
}

#[test]
fn a_bank_that_stands_still_while_the_others_wait_has_failed_although_it_answers() {
    let mut watched = Watched::both_up();
    assert!(!is_slow(watched.wait(4_900, |passed| passed)));
    let state = watched.wait(300, |passed| 4_900 + passed);
    assert!(is_slow(state), "{state:?}");
    assert_eq!(watched.hear(), PeerState::Returning);
}

#[test]
fn a_limping_bank_is_out_within_seven_seconds() {
    let mut watched = Watched::both_up();
    let state =
        watched.wait(7_000, |passed| if passed % 4_500 < 4_200 { passed % 4_500 } else { 0 });
    let PeerState::Down(cause @ Cause::Slow { .. }) = state else { panic!("{state:?}") };
    assert!(
        cause
            .to_string()
            .starts_with("slow: the others have been waiting for it alone to write for 2.0 s"),
        "{cause}"
    );
}

#[test]
fn a_limping_bank_is_heard_again_only_some_time_after_it_has_stopped_limping() {
    let mut watched = Watched::both_up();
    watched.wait(7_000, |passed| if passed % 4_500 < 4_200 { passed % 4_500 } else { 0 });
    let answer = |watched: &mut Watched, round_trip, slept_ms| {
        let health = Health { slept_ms, ..Health::default() };
        watched.now += 1_000;
        let report = PeerReport { health, ..PeerReport::default() };
        watched.give(HeartbeatInput::Heard(
            PEER,
            report,
            Answered { round_trip, ..Answered::default() },
        ))
    };
    for _ in 0..20 {
        assert_eq!(answer(&mut watched, 0, 4_200), PeerState::Returning);
        assert_eq!(answer(&mut watched, 3_500, 0), PeerState::Returning);
    }
    // There is a second between two answers, half of which counts as awake.
    for _ in 0..9 {
        assert_eq!(answer(&mut watched, 0, 3), PeerState::Returning);
    }
    assert_eq!(answer(&mut watched, 0, 3), PeerState::Up);
}

#[test]
fn a_bank_slow_only_under_load_is_out_after_a_second_and_longer_each_time() {
    let mut watched = Watched::both_up();
    assert!(is_slow(watched.wait(7_000, |passed| passed)));
    let here = PeerReport { active: Some(VIEW), ..PeerReport::default() };
    for doublings in 0..14 {
        let began = watched.heartbeat.awake;
        while watched.give(heard(PEER, here)) != PeerState::Up {
            watched.now += 100;
            watched.hear_third(Some(VIEW));
        }
        let watch = watched.heartbeat.awake - began;
        assert_eq!(watch, 5_000 << doublings.min(SLOW_FLAPS_MAX));
        let began = watched.now;
        assert!(is_slow(watched.wait(7_000, |passed| passed)));
        assert!(watched.now - began <= 1_200, "after {} ms", watched.now - began);
    }
}

#[test]
fn a_bank_that_keeps_up_for_longer_than_it_was_watched_is_no_longer_on_probation() {
    let mut watched = Watched::both_up();
    watched.wait(7_000, |passed| passed);
    watched.hear();
    watched.pass(6_000, true);
    watched.pass(FLAPS_FORGOTTEN_AFTER_MS, true);
    watched.hear_third(Some(VIEW));
    assert_eq!(watched.wait(3_000, |passed| passed), PeerState::Up);
}

#[test]
fn a_steady_distance_is_not_a_fault() {
    let mut watched = Watched::both_up();
    for _ in 0..30 {
        let report = PeerReport { active: Some(VIEW), ..PeerReport::default() };
        watched.give(HeartbeatInput::Heard(
            PEER,
            report,
            Answered { round_trip: 600, ..Answered::default() },
        ));
    }
    for _ in 0..1_000 {
        assert_eq!(watched.behind(700), PeerState::Up);
    }
}

#[test]
fn a_bank_without_which_nothing_works_is_not_left_out() {
    let mut watched = Watched::both_up();
    let two = BankSet::all(3).difference(BankSet::default().with(THIRD));
    let mut out = Vec::new();
    for lag in 0..1_000 {
        let behind = vec![0, lag * 100, 0];
        let lags = Lags { view: VIEW, members: two, stage: Stage::Durable, behind };
        watched.heartbeat.handle(HeartbeatInput::Behind(lags), watched.now, &mut out);
    }
    assert_eq!(watched.heartbeat.state(PEER), PeerState::Up);
    let said = out
        .iter()
        .filter(|effect| matches!(effect, Effect::Notice(Notice::SlowAndNeeded(PEER, _))))
        .count();
    assert_eq!(said, 1, "{out:?}");
}

#[test]
fn debt_from_when_a_bank_was_needed_counts_later_only_if_it_is_slow_again() {
    let mut watched = Watched::both_up();
    let two = BankSet::all(3).difference(BankSet::default().with(THIRD));
    (0..100).for_each(|tick| _ = watched.behind_in(two, tick * 100));
    assert_eq!(watched.wait(10_000, |_| 0), PeerState::Up);
    assert!(is_slow(watched.wait(600, |passed| passed)));
}

#[test]
fn a_slow_bank_is_named_once_and_once_more_when_it_keeps_up_again() {
    let mut watched = Watched::both_up();
    let mut told = Vec::new();
    for tick in 0..500 {
        // Slow for four seconds, and then for half a second once more.
        let lag = if tick < 40 || (350..355).contains(&tick) { 300 } else { 0 };
        let lags = Lags {
            view: VIEW,
            members: BankSet::all(3),
            stage: Stage::Durable,
            behind: vec![0, lag, 0],
        };
        watched.heartbeat.handle(HeartbeatInput::Behind(lags), watched.now, &mut told);
    }
    told.retain(|effect| matches!(effect, Effect::Notice(_)));
    assert!(matches!(
        told[..],
        [Effect::Notice(Notice::Slow(PEER, ..)), Effect::Notice(Notice::KeepsUp(PEER))]
    ));
}

#[test]
fn waiting_while_another_member_is_away_or_elsewhere_is_not_a_fault() {
    let mut watched = Watched::new();
    watched.hear();
    let long =
        |watched: &mut Watched| (0..100).map(|tick| watched.behind(tick * 100)).last().unwrap();
    assert_eq!(long(&mut watched), PeerState::Up, "bank 2 is away");
    watched.hear_third(None);
    assert_eq!(long(&mut watched), PeerState::Up, "it is elsewhere");
    watched.hear_third(Some(VIEW));
    assert!(is_slow(long(&mut watched)));
}

#[test]
fn in_a_view_that_the_others_have_left_this_bank_keeps_nobody_waiting() {
    let mut watched = Watched::both_up();
    let mut behind = |active| {
        for bank in [PEER, THIRD] {
            watched.give(heard(bank, PeerReport { active, ..PeerReport::default() }));
        }
        watched.now += 20_000;
        let members = BankSet::all(3);
        let lags = Lags { view: VIEW, members, stage: Stage::Durable, behind: vec![9_000, 0, 0] };
        watched.give(HeartbeatInput::Behind(lags));
        watched.heartbeat.health(watched.now).behind_ms
    };
    assert_eq!(behind(Some(VIEW)), 9_000);
    assert_eq!(behind(None), 0);
}

#[test]
fn a_bank_in_no_view_or_another_keeps_nobody_waiting() {
    let mut watched = Watched::both_up();
    watched.give(heard(PEER, PeerReport::default()));
    assert_eq!((0..100).map(|tick| watched.behind(tick * 100)).last(), Some(PeerState::Up));
}

#[test]
fn a_returning_bank_is_not_blamed_for_waits_while_it_was_away() {
    let mut watched = Watched::both_up();
    watched.wait(4_000, |passed| passed);
    watched.lose();
    watched.hear();
    assert_eq!(watched.behind(9_000), PeerState::Returning);
    watched.give(HeartbeatInput::Began(BankSet::all(3)));
    assert_eq!(watched.wait(1_000, |passed| passed), PeerState::Up);
}

#[test]
fn a_member_of_a_view_that_begins_counts_as_heard_until_it_is_lost_again() {
    let mut watched = Watched::both_up();
    watched.lose();
    assert_eq!(watched.hear(), PeerState::Returning);
    assert_eq!(watched.give(HeartbeatInput::Began(BankSet::all(3))), PeerState::Up);
    assert!(matches!(watched.lose(), PeerState::Down(Cause::Lost)));
    watched.hear();
    assert_eq!(
        watched.pass(9_000, true),
        PeerState::Returning,
        "the second watch is twice as long"
    );
}

fn requests(arrive: bool) -> HeartbeatInput {
    HeartbeatInput::Requests { bank: PEER, arrive, waited: 3_000 }
}

#[test]
fn a_bank_that_answers_but_gets_no_requests_has_failed_until_one_reaches_it() {
    let mut watched = Watched::new();
    watched.hear();
    watched.pass(10_000, true);
    assert_eq!(watched.give(requests(false)), PeerState::Up);
    assert_eq!(watched.pass(4_000, true), PeerState::Up, "one request may be lost");
    assert_eq!(watched.give(requests(false)), PeerState::Down(Cause::Unreached));
    assert_eq!(watched.pass(20_000, true), PeerState::Down(Cause::Unreached));
    assert_eq!(watched.give(requests(true)), PeerState::Returning);
    assert_eq!(watched.pass(4_000, true), PeerState::Returning);
    assert_eq!(watched.pass(2_000, true), PeerState::Up);
}

#[test]
fn requests_that_this_bank_slept_through_are_not_held_against_others() {
    let mut watched = Watched::new();
    watched.hear();
    watched.now += 20_000;
    for _ in 0..3 {
        let requests = HeartbeatInput::Requests { bank: PEER, arrive: false, waited: 20_000 };
        assert_eq!(watched.give(requests), PeerState::Up);
    }
}

#[test]
fn what_fails_while_a_bank_is_gone_is_not_held_against_it_when_it_returns() {
    let mut watched = Watched::new();
    watched.hear();
    watched.lose();
    watched.give(requests(false));
    watched.give(requests(false));
    watched.pass(20_000, false);
    watched.hear();
    assert_eq!(watched.pass(6_000, true), PeerState::Up);
}

#[test]
fn a_bank_is_probed_again_and_again_while_requests_to_it_fail() {
    let mut watched = Watched::new();
    watched.hear();
    watched.give(requests(false));
    let mut out = Vec::new();
    for _ in 0..20 {
        watched.now += 100;
        watched.heartbeat.handle(HeartbeatInput::Tick, watched.now, &mut out);
    }
    let probe = |effect: &&Effect| {
        matches!(effect, Effect::Peer(PEER, PeerInput::View(ViewMessage::Probe)))
    };
    assert_eq!(out.iter().filter(probe).count(), 4, "two seconds");
    watched.give(requests(true));
    out.clear();
    for tick in 0..100 {
        watched.now += 100;
        watched.heartbeat.handle(HeartbeatInput::Tick, watched.now, &mut out);
        if tick % 10 == 0 {
            watched.hear();
        }
    }
    assert_eq!(out.iter().filter(probe).count(), 2, "ten seconds, while all is well");
}

#[test]
fn a_bank_that_just_woke_up_says_that_it_slept_before_its_next_tick() {
    let watched = Watched::both_up();
    assert_eq!(watched.heartbeat.health(4_200).slept_ms, 4_200);
}

#[test]
fn silence_counts_as_a_loss_even_when_the_connection_is_given_up_because_of_it() {
    let mut watched = Watched::new();
    watched.hear();
    for watch in [5_000, 10_000] {
        watched.pass(6_000, false);
        watched.lose();
        watched.hear();
        assert_eq!(watched.pass(watch - 1_000, true), PeerState::Returning);
        watched.pass(2_000, true);
        assert_eq!(watched.heartbeat.state(PEER), PeerState::Up);
    }
}
