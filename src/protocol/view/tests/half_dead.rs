//! Half-dead banks among others that could go on without them.

use super::*;
use crate::ids::Sha256Digest;
use crate::ledger::book::RunName;
use crate::protocol::snapshot::{SnapshotHead, SnapshotPiece};
use crate::protocol::view::message::WireHeld;

const ME: BankId = BankId(2);

/// What bank 2 sends to others.
fn sent(out: Vec<Effect>) -> Vec<(BankId, ViewMessage)> {
    let message = |effect| match effect {
        Effect::Peer(to, PeerInput::View(message)) => Some((to, message)),
        _ => None,
    };
    out.into_iter().filter_map(message).collect()
}

fn handle(view: &mut View, input: ViewInput) -> Vec<Effect> {
    let mut out = Vec::new();
    view.handle(input, &mut out);
    out
}

/// Lets this many ticks pass; returns what was sent.
fn wait(view: &mut View, ticks: u16) -> Vec<(BankId, ViewMessage)> {
    (0..ticks).flat_map(|_| sent(handle(view, ViewInput::Tick))).collect()
}

/// Bank 2, outside, with one executed event; banks 0 and 1 act, and it hears them in these states.
fn outside(states: [PeerState; 2]) -> View {
    let done = entry(event(FIRST, 0, [1, 0, 0]), 1);
    let mut view = View::new(ME, 3, disk(FIRST, &[done], Vec::new()));
    let second = Ballot { round: 2, coordinator: BankId(1) };
    for (bank, state) in BankId::all(2).zip(states) {
        let report = PeerReport {
            active: Some(second),
            promised: second,
            prepared: second,
            voter: true,
            hears: BankSet::all(3),
            ..PeerReport::default()
        };
        handle(&mut view, ViewInput::Peer { bank, state, report: Some(report) });
    }
    view
}

/// The bank that it asks next for journal entries.
fn asked(view: &mut View) -> BankId {
    let asks = |(to, message): &(BankId, ViewMessage)| {
        matches!(message, ViewMessage::FetchJournal { .. }).then_some(*to)
    };
    wait(view, 5).iter().find_map(asks).expect("a bank outside asks for journal")
}

fn piece(starts_after: u64) -> ViewMessage {
    ViewMessage::JournalPiece {
        after: Position(1),
        entries: Vec::new(),
        hash_before: None,
        starts_after: Position(starts_after),
    }
}

#[test]
fn a_bank_that_is_ahead_of_the_member_it_asks_turns_to_another() {
    let mut view = outside([PeerState::Up; 2]);
    let behind = asked(&mut view);
    // The ledger of that bank is stuck: it has not executed what this bank has, and never will.
    handle(&mut view, ViewInput::Message(behind, piece(0)));
    assert_ne!(asked(&mut view), behind);
}

#[test]
fn only_answers_to_what_was_asked_are_looked_at() {
    let mut view = outside([PeerState::Up; 2]);
    let wants =
        |view: &View, from, message: &ViewMessage| view.wants(from, message.bulk().unwrap());
    assert!(!wants(&view, BankId(0), &piece(0)) && !wants(&view, BankId(1), &piece(0)));
    let from = asked(&mut view);
    let other = BankId(1 - from.0);
    assert!(wants(&view, from, &piece(0)) && !wants(&view, other, &piece(0)));
    let of_another_question = ViewMessage::JournalPiece {
        after: Position(0),
        entries: Vec::new(),
        hash_before: None,
        starts_after: Position(0),
    };
    assert!(!wants(&view, from, &of_another_question));
    // Nothing of a flush is being fetched.
    let flush = ViewMessage::Events { ballot: FIRST, events: Vec::new() };
    assert!(!wants(&view, from, &flush));
}

/// A snapshot of so many pieces at position 9.
fn head(pieces: u32) -> SnapshotHead {
    let executed = Executions {
        last: event(FIRST, 0, [9, 0, 0]).event.order_key(),
        members: BankSet::all(3),
        clock: VectorClock::zero(3),
    };
    let (position, hash) = (Position(9), ChainHash::default());
    SnapshotHead { position, hash, executed, pieces, digest: Sha256Digest::default() }
}

/// A whole piece of it.
fn part(head: &SnapshotHead, index: u32) -> ViewMessage {
    let text = "piece".to_owned();
    ViewMessage::SnapshotPart {
        piece: SnapshotPiece { head: head.clone(), index, text },
        from: 0,
        of: 5,
    }
}

#[test]
fn while_pieces_of_a_snapshot_are_not_on_disk_only_a_few_more_are_fetched_and_none_again() {
    let mut view = outside([PeerState::Up; 2]);
    let from = asked(&mut view);
    handle(&mut view, ViewInput::Message(from, piece(9)));
    let head = head(9);
    for index in 0..4 {
        let out = handle(&mut view, ViewInput::Message(from, part(&head, index)));
        let is_stored = matches!(out[0], Effect::Journal(JournalInput::StorePiece(_)));
        let wanted = sent(out);
        let asked = wanted.iter().all(|(_, message)| match message {
            ViewMessage::FetchSnapshot { index: next, .. } => *next == index + 1,
            _ => false,
        });
        assert!(is_stored && asked, "{wanted:?}");
        assert_eq!(wanted.len(), usize::from(index < 3));
    }
    // Its disk hangs: fetching the same pieces again would be no progress.
    assert_eq!(wait(&mut view, 500), []);
    assert_eq!(handle(&mut view, ViewInput::Message(from, part(&head, 3))).len(), 0);
    let next = sent(handle(&mut view, ViewInput::PieceStored { head, next: 1 }));
    assert!(matches!(next[..], [(_, ViewMessage::FetchSnapshot { index: 4, .. })]), "{next:?}");
}

#[test]
fn runs_that_a_snapshot_names_are_fetched_one_after_another_before_it_is_opened() {
    let mut view = outside([PeerState::Up; 2]);
    let from = asked(&mut view);
    handle(&mut view, ViewInput::Message(from, piece(9)));
    let head = head(1);
    handle(&mut view, ViewInput::Message(from, part(&head, 0)));
    let stored = || ViewInput::PieceStored { head: head.clone(), next: 1 };
    let opens = |out: &[Effect]| matches!(out, [Effect::Journal(JournalInput::OpenSnapshot(_))]);
    assert!(opens(&handle(&mut view, stored())));
    let runs: Vec<_> =
        (4..6).map(|number| RunName { number, digest: Sha256Digest([1; 32]) }).collect();
    let missing = || ViewInput::RunsMissing { head: head.clone(), runs: runs.clone() };
    let wanted = sent(handle(&mut view, missing()));
    let asks = |(_, message): &(BankId, ViewMessage), run: usize, at: u64| match message {
        ViewMessage::FetchRun { name, from, .. } => (*name, *from) == (runs[run], at),
        _ => false,
    };
    assert!(asks(&wanted[0], 0, 0), "{wanted:?}");
    let run_part = |run: usize, from: u64, of: u64, length: usize| {
        let content = vec![7; length];
        ViewInput::Message(BankId(1), ViewMessage::RunPart { name: runs[run], from, of, content })
    };
    let wanted = sent(handle(&mut view, run_part(0, 0, 5, 3)));
    assert!(asks(&wanted[0], 0, 3), "{wanted:?}");
    assert_eq!(handle(&mut view, run_part(0, 0, 5, 3)).len(), 0, "it is here already");
    assert_eq!(handle(&mut view, run_part(1, 0, 5, 5)).len(), 0, "it is not its turn");
    let out = handle(&mut view, run_part(0, 3, 5, 2));
    let whole = matches!(&out[0], Effect::Journal(JournalInput::StoreRun { content, .. })
        if content.len() == 5);
    assert!(whole && asks(&sent(out)[0], 1, 0));
    handle(&mut view, run_part(1, 0, 1, 1));
    assert_eq!(handle(&mut view, ViewInput::RunStored(runs[0])).len(), 0, "one is on its way");
    assert!(opens(&handle(&mut view, ViewInput::RunStored(runs[1]))));
    // Somebody who has a run no more has another snapshot: all begins anew.
    handle(&mut view, missing());
    handle(&mut view, run_part(0, 0, 0, 0));
    let again = wait(&mut view, 2);
    assert!(matches!(again[..], [(_, ViewMessage::FetchJournal { .. }), ..]), "{again:?}");
}

#[test]
fn an_outside_bank_lets_the_acting_members_judge_whether_a_bank_keeps_up() {
    let view = outside([PeerState::Returning, PeerState::Up]);
    assert_eq!(view.heard(), BankSet::all(3), "it could join nobody else's view otherwise");
}

#[test]
fn where_no_view_is_in_force_those_whose_disks_count_come_together_first() {
    let banks = 4;
    let plan = PreparePlan {
        ballot: FIRST,
        members: BankSet::all(banks),
        clock: VectorClock::zero(banks),
        ..PreparePlan::default()
    };
    let intact = || OnDisk { promised: FIRST, prepared: plan.clone(), ..blank(banks) };
    let mut consortium = Consortium::start(vec![blank(banks), blank(banks), intact(), intact()]);
    // Banks 0, 1 and 2 are as many as banks 0, 2 and 3, but do not know how the last view ended.
    consortium.cut.push((BankId(1), BankId(3)));
    consortium.run(15);
    consortium.assert_in_force(&[0, 2, 3]);
}

#[test]
fn an_event_sent_though_it_is_here_already_is_not_executed_twice() {
    let held = event(FIRST, 0, [1, 0, 0]);
    let mut view = View::new(ME, 3, disk(FIRST, &[], vec![held.clone()]));
    let ballot = Ballot { round: 2, coordinator: BankId(1) };
    let other = event(FIRST, 1, [0, 1, 0]);
    let keys = [held.event.order_key(), other.event.order_key()];
    let plan = PreparePlan {
        ballot,
        members: BankSet::all(3),
        clock: vec![1, 1, 0].into(),
        source: BankId(1),
        events: keys.into_iter().map(|key| (key, BankId(1))).collect(),
        ..PreparePlan::default()
    };
    let frozen = Frozen { ballot, ..state(3, &[], vec![held.clone()]) };
    let from_1 = |message| ViewInput::Message(BankId(1), message);
    handle(&mut view, from_1(ViewMessage::Stop(ballot)));
    handle(&mut view, ViewInput::Frozen(frozen));
    handle(&mut view, from_1(ViewMessage::Prepare(plan)));
    let events = vec![WireHeld(held), WireHeld(other)];
    let out = handle(&mut view, from_1(ViewMessage::Events { ballot, events }));
    let fetched = out.iter().find_map(|effect| match effect {
        Effect::Journal(JournalInput::Prepare { fetched, .. }) => Some(fetched.len()),
        _ => None,
    });
    assert_eq!(fetched, Some(1), "{out:?}");
}
