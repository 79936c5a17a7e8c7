use std::sync::Arc;

use super::*;
use crate::ids::request::{Header, RawRequest, raw};
use crate::protocol::event::Event;
use crate::protocol::notice::Notice;

const VIEW: Ballot = Ballot { round: 1, coordinator: BankId(0) };
const DONE: Check = Check { code: true, descript: String::new() };

/// Bank 0 of three in a view that begins at position 10.
fn checks() -> Checks {
    let mut checks = Checks::new(BankId(0), 3);
    let (position, hash) = (Position(10), hash(10));
    let install = ChecksInput::Install { view: VIEW, members: BankSet::all(3), position, hash };
    checks.handle(install, &mut Vec::new());
    checks
}

fn hash(position: u8) -> ChainHash {
    ChainHash([position; 32])
}

fn executed(position: u8) -> ChecksInput {
    let id = EventId::new(BankId(0), &position.to_string());
    let request = RawRequest { id, type_msg: "X".into(), msg: raw(&1) };
    let counter = u64::from(position) - 10;
    let event =
        Event::stamp(VIEW, BankId(0), vec![counter, 0, 0].into(), vec![request], Header::default());
    let outcomes = vec![crate::ledger::Executed {
        operation: None,
        id: event.id.clone(),
        position: Position(position.into()),
        outcome: crate::ledger::Outcome::Done(crate::ledger::Done::PackageExecuted),
    }];
    let position_of_last = Position(position.into());
    ChecksInput::Executed(ExecutedEvent {
        event: Arc::new(event),
        position: position_of_last,
        hash: hash(position),
        check: DONE,
        outcomes,
    })
}

fn claim(from: u16, position: u8, hash: ChainHash) -> ChecksInput {
    ChecksInput::PeerExecuted {
        from: BankId(from),
        view: VIEW,
        position: Position(position.into()),
        hash,
    }
}

fn give(checks: &mut Checks, inputs: Vec<ChecksInput>) -> (usize, usize) {
    let mut out = Vec::new();
    inputs.into_iter().for_each(|input| checks.handle(input, &mut out));
    let replies = out.iter().filter(|effect| matches!(effect, Effect::Reply(..))).count();
    let diverged = |effect: &&Effect| {
        matches!(effect, Effect::View(ViewInput::Diverged { .. } | ViewInput::PeerDiverged { .. }))
    };
    (replies, out.iter().filter(diverged).count())
}

#[test]
fn a_customer_is_answered_when_all_members_have_executed_and_agree() {
    let mut checks = checks();
    assert_eq!(give(&mut checks, vec![executed(11), claim(1, 11, hash(11))]), (0, 0));
    assert_eq!(give(&mut checks, vec![claim(2, 11, hash(11))]), (1, 0));
    assert_eq!(checks.unconfirmed(), 0);
}

#[test]
fn members_may_be_ahead_and_one_claim_confirms_everything_before_it() {
    let mut checks = checks();
    let ahead = vec![claim(1, 12, hash(12)), claim(2, 11, hash(11)), claim(2, 13, hash(13))];
    assert_eq!(give(&mut checks, ahead), (0, 0));
    assert_eq!(
        give(&mut checks, vec![executed(11)]),
        (0, 0),
        "bank 1 has spoken of a later position only"
    );
    assert_eq!(give(&mut checks, vec![executed(12)]), (1, 0));
    assert_eq!(give(&mut checks, vec![executed(13), claim(1, 13, hash(13))]), (2, 0));
}

#[test]
fn a_repeated_or_late_claim_is_not_a_divergence() {
    let mut checks = checks();
    let all = vec![executed(11), claim(1, 11, hash(11)), claim(2, 11, hash(11))];
    assert_eq!(give(&mut checks, all), (1, 0));
    let again = vec![claim(1, 11, hash(11)), claim(1, 10, hash(10)), claim(2, 9, hash(9))];
    assert_eq!(give(&mut checks, again), (0, 0));
}

#[test]
fn a_copy_that_differs_is_found_before_anyone_is_told_success() {
    let mut checks = checks();
    let inputs = vec![executed(11), claim(1, 11, hash(99)), claim(2, 11, hash(11))];
    assert_eq!(give(&mut checks, inputs), (0, 1));
}

fn verdict(inputs: Vec<ChecksInput>) -> Vec<String> {
    let (mut checks, mut out) = (checks(), Vec::new());
    inputs.into_iter().for_each(|input| checks.handle(input, &mut out));
    let told = |effect: &Effect| match effect {
        Effect::View(ViewInput::Diverged { with, .. }) => Some(format!("out: differs from {with}")),
        Effect::View(ViewInput::PeerDiverged { bank, .. }) => Some(format!("{bank} is wrong")),
        _ => None,
    };
    out.iter().filter_map(told).collect()
}

#[test]
fn the_majority_of_members_decides_whose_copy_is_wrong() {
    let wrong_peer = vec![executed(11), claim(1, 11, hash(99)), claim(2, 11, hash(11))];
    assert_eq!(verdict(wrong_peer), ["1 is wrong"]);
    let undecided = vec![executed(11), claim(1, 11, hash(99))];
    assert!(verdict(undecided).is_empty(), "bank 2 has not spoken");
    let wrong_here = vec![executed(11), claim(1, 11, hash(99)), claim(2, 11, hash(99))];
    assert_eq!(verdict(wrong_here), ["out: differs from 1"]);
}

#[test]
fn the_requirements_single_checks_count_before_and_after_own_execution() {
    let mut checks = checks();
    let id = EventId::new(BankId(0), "11");
    let check =
        |from, check| ChecksInput::PeerChecked { from: BankId(from), id: id.clone(), check };
    assert_eq!(give(&mut checks, vec![check(1, DONE), executed(11)]), (0, 0));
    assert_eq!(give(&mut checks, vec![check(2, DONE)]), (1, 0));

    let mut checks = self::checks();
    let refused = Check { code: false, descript: "não".into() };
    assert_eq!(give(&mut checks, vec![executed(11), check(1, refused), check(2, DONE)]), (0, 1));
}

#[test]
fn a_claim_of_the_next_view_waits_until_that_view_begins_here() {
    let mut checks = Checks::new(BankId(0), 3);
    let (position, hash_there) = (Position(10), hash(10));
    assert_eq!(give(&mut checks, vec![claim(1, 11, hash(11)), claim(2, 11, hash(11))]), (0, 0));
    let install =
        ChecksInput::Install { view: VIEW, members: BankSet::all(3), position, hash: hash_there };
    assert_eq!(give(&mut checks, vec![install, executed(11)]), (1, 0));
}

#[test]
fn what_others_had_executed_first_is_answered_once_the_next_view_begins() {
    let mut checks = checks();
    let mut out = Vec::new();
    let ChecksInput::Executed(own) = executed(11) else { unreachable!("it says so") };
    checks.handle(ChecksInput::Fetched(own), &mut out);
    assert!(out.is_empty(), "not all may have it yet: {out:?}");
    let view = Ballot { round: 2, coordinator: BankId(0) };
    let (position, hash) = (Position(11), hash(11));
    checks
        .handle(ChecksInput::Install { view, members: BankSet::all(2), position, hash }, &mut out);
    assert!(
        matches!(out[..], [Effect::Clock(ClockInput::Agreed(_)), Effect::Reply(..)]),
        "{out:?}"
    );
}

fn told(checks: &mut Checks, inputs: Vec<ChecksInput>) -> Vec<String> {
    let mut out = Vec::new();
    inputs.into_iter().for_each(|input| checks.handle(input, &mut out));
    let told = |effect: Effect| match effect {
        Effect::Peer(bank, PeerInput::Agreed { position, .. }) => {
            Some(format!("{bank}: agreed {position}"))
        }
        Effect::Peer(bank, PeerInput::TellAll) => Some(format!("{bank}: tell")),
        _ => None,
    };
    out.into_iter().filter_map(told).collect()
}

#[test]
fn the_sender_tells_all_members_that_all_agree() {
    let mut checks = checks();
    let first = vec![executed(11), claim(1, 11, hash(11))];
    assert!(told(&mut checks, first).is_empty());
    let last = vec![claim(2, 11, hash(11))];
    assert_eq!(told(&mut checks, last), ["1: agreed 11", "2: agreed 11"]);
    let nothing = vec![ChecksInput::Tick, ChecksInput::Tick];
    assert!(told(&mut checks, nothing).is_empty());
}

#[test]
fn what_nobody_says_all_have_executed_is_told_to_all_after_a_while() {
    let mut checks = checks();
    assert!(told(&mut checks, vec![executed(11), ChecksInput::Tick]).is_empty());
    assert_eq!(told(&mut checks, vec![ChecksInput::Tick]), ["1: tell", "2: tell"]);
    assert!(told(&mut checks, vec![ChecksInput::Tick, executed(12)]).is_empty());
    let (position, hash) = (Position(12), hash(12));
    let all = ChecksInput::AllExecuted { from: BankId(1), view: VIEW, position, hash };
    assert!(told(&mut checks, vec![all, ChecksInput::Tick, ChecksInput::Tick]).is_empty());
}

#[test]
fn news_that_all_have_executed_counts_as_if_each_member_had_said_so() {
    let all = |view, position: u8, hash| ChecksInput::AllExecuted {
        from: BankId(1),
        view,
        position: Position(position.into()),
        hash,
    };
    let mut checks = checks();
    let other_view = Ballot { round: 2, coordinator: BankId(0) };
    assert_eq!(give(&mut checks, vec![executed(11), all(other_view, 11, hash(11))]), (0, 0));
    assert_eq!(give(&mut checks, vec![all(VIEW, 11, hash(11))]), (1, 0));
    assert_eq!(give(&mut checks, vec![all(VIEW, 12, hash(12)), executed(12)]), (1, 0));
}

#[test]
fn what_a_mad_bank_says_of_all_harms_nobody_but_itself() {
    let all = |position, hash| ChecksInput::AllExecuted {
        from: BankId(1),
        view: VIEW,
        position: Position(position),
        hash,
    };
    let mut checks = checks();
    assert_eq!(give(&mut checks, vec![all(u64::MAX, hash(1)), executed(11)]), (0, 0));
    let true_claims = vec![claim(1, 11, hash(11)), claim(2, 11, hash(11))];
    assert_eq!(give(&mut checks, true_claims), (1, 0));
    assert_eq!(give(&mut checks, vec![executed(12), all(12, hash(99))]), (0, 0));
    let mut out = Vec::new();
    checks.handle(claim(2, 12, hash(12)), &mut out);
    let of_bank_1 = |effect: &Effect| {
        matches!(effect, Effect::View(ViewInput::PeerDiverged { bank: BankId(1), .. }))
    };
    assert!(out.iter().any(of_bank_1), "{out:?}");
}

#[test]
fn a_bank_that_alone_has_not_executed_what_all_others_have_is_behind() {
    let mut checks = checks();
    give(&mut checks, vec![executed(11), claim(1, 11, hash(11))]);
    let mut out = Vec::new();
    (0..11).for_each(|_| checks.handle(ChecksInput::Tick, &mut out));
    let Some(Effect::Heartbeat(HeartbeatInput::Behind(lags))) = out.pop() else {
        panic!("{out:?}")
    };
    assert_eq!((lags.behind, lags.stage), (vec![0, 0, 1_000], Stage::Executed));
    give(&mut checks, vec![claim(2, 11, hash(11))]);
    checks.handle(ChecksInput::Tick, &mut out);
    let Some(Effect::Heartbeat(HeartbeatInput::Behind(lags))) = out.pop() else {
        panic!("{out:?}")
    };
    assert_eq!(lags.behind, [0, 0, 0]);
}

#[test]
fn a_claim_about_a_position_that_never_comes_hides_no_later_one() {
    let claims = |position| ChecksInput::PeerExecuted {
        from: BankId(1),
        view: VIEW,
        position: Position(position),
        hash: hash(1),
    };
    for position in [1_000, 10 + POSITIONS_AHEAD_MAX, 1 << 62, u64::MAX] {
        let mut checks = checks();
        let true_claims = [executed(11), claim(1, 11, hash(11)), claim(2, 11, hash(11))];
        let inputs = [claims(position)].into_iter().chain(true_claims).collect();
        assert_eq!(give(&mut checks, inputs), (1, 0), "{position}");
    }
}

#[test]
fn whoever_claims_to_have_executed_more_than_there_can_be_is_named_once() {
    let (mut checks, mut out) = (checks(), Vec::new());
    for position in [u64::MAX, 11 + POSITIONS_AHEAD_MAX] {
        let (from, view, hash) = (BankId(1), VIEW, hash(1));
        let position = Position(position);
        checks.handle(ChecksInput::PeerExecuted { from, view, position, hash }, &mut out);
        checks.handle(ChecksInput::AllExecuted { from, view, position, hash }, &mut out);
    }
    let what = Impossible::Executed;
    let expected = Notice::Impossible { bank: BankId(1), what, more: 0 };
    assert!(matches!(&out[..], [Effect::Notice(notice)] if *notice == expected), "{out:?}");
}
