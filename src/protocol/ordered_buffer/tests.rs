use super::*;
use crate::ids::request::{Header, RawRequest, raw};
use crate::protocol::view::message::PreparePlan;
use crate::protocol::view::turn::Fates;

const VIEW: Ballot = Ballot { round: 1, coordinator: BankId(0) };

fn event(sender: u16, timestamp: [u64; 3]) -> Arc<Event> {
    let id = EventId::new(BankId(sender), &timestamp.map(|counter| counter.to_string()).join("-"));
    let request = RawRequest { id, type_msg: "X".into(), msg: raw(&1) };
    Arc::new(Event::stamp(
        VIEW,
        BankId(sender),
        timestamp.to_vec().into(),
        vec![request],
        Header::default(),
    ))
}

/// Bank 0 of three in a view that begins at zero.
fn buffer() -> OrderedBuffer {
    installed(OrderedBuffer::new(BankId(0), 3))
}

fn installed(mut buffer: OrderedBuffer) -> OrderedBuffer {
    let plan = PreparePlan {
        ballot: VIEW,
        members: BankSet::all(3),
        clock: VectorClock::zero(3),
        ..PreparePlan::default()
    };
    buffer.handle(
        BufferInput::Install(Installed { plan, flush: Vec::new(), fates: Fates::default() }),
        &mut Vec::new(),
    );
    buffer
}

fn envelope(events: &[Arc<Event>], clock: Option<[u64; 3]>) -> Envelope {
    Envelope {
        view: Some(VIEW),
        events: events.to_vec(),
        clock: clock.map(|clock| clock.to_vec().into()),
        gathered: None,
    }
}

/// Lets the clock notice and the disk write everything that is held.
fn settle(buffer: &mut OrderedBuffer, clock: [u64; 3], out: &mut Vec<Effect>) {
    buffer.handle(BufferInput::Merged(clock.to_vec().into()), out);
    buffer.handle(BufferInput::Persisted { view: VIEW, clock: clock.to_vec().into() }, out);
}

fn executed(out: &[Effect]) -> Vec<EventId> {
    let events = |effect: &Effect| match effect {
        Effect::Ledger(LedgerInput::Execute { events, .. }) => events.clone(),
        _ => Vec::new(),
    };
    out.iter().flat_map(events).map(|held| held.event.id.clone()).collect()
}

fn written(out: &[Effect]) -> usize {
    out.iter()
        .filter(|effect| matches!(effect, Effect::Journal(JournalInput::Append { .. })))
        .count()
}

#[test]
fn an_event_waits_for_everything_that_its_timestamp_names() {
    let (cause, consequence) = (event(2, [0, 0, 1]), event(1, [0, 1, 1]));
    let mut buffer = buffer();
    let answer = buffer.receive(BankId(1), envelope(&[consequence], None), &mut Vec::new());
    assert_eq!((answer.taken, answer.expected), (true, 1));
    assert_eq!(buffer.waiting().count(), 0);
    buffer.receive(BankId(2), envelope(&[cause], None), &mut Vec::new());
    assert_eq!(buffer.waiting().count(), 2);
}

#[test]
fn a_gap_is_answered_with_the_counter_expected_and_a_repetition_does_no_harm() {
    let mut buffer = buffer();
    let say = |buffer: &mut OrderedBuffer, counters: &[u64]| {
        let events: Vec<_> = counters.iter().map(|counter| event(1, [0, *counter, 0])).collect();
        buffer.receive(BankId(1), envelope(&events, None), &mut Vec::new()).expected
    };
    assert_eq!(say(&mut buffer, &[2]), 1);
    assert_eq!(say(&mut buffer, &[1, 1]), 3);
    assert_eq!(say(&mut buffer, &[2]), 3);
    assert_eq!(say(&mut buffer, &[3 + HOLD_BACK_MAX]), 3);
    assert_eq!(buffer.waiting().count(), 2, "too far ahead is dropped");
}

#[test]
fn nothing_is_written_before_the_clock_stamps_above_it() {
    let mut buffer = buffer();
    let mut out = Vec::new();
    buffer.receive(BankId(1), envelope(&[event(1, [0, 1, 0])], None), &mut out);
    assert_eq!(written(&out), 0);
    buffer.handle(BufferInput::Merged(vec![0, 1, 0].into()), &mut out);
    assert_eq!(written(&out), 1);
}

#[test]
fn an_event_is_executed_once_every_row_covers_it_including_this_banks_own() {
    let mut buffer = buffer();
    let first = event(1, [0, 1, 0]);
    let mut out = Vec::new();
    buffer.receive(BankId(1), envelope(&[Arc::clone(&first)], Some([0, 1, 0])), &mut out);
    buffer.receive(BankId(2), envelope(&[], Some([0, 1, 0])), &mut out);
    assert!(executed(&out).is_empty(), "not on the own disk yet");
    settle(&mut buffer, [0, 1, 0], &mut out);
    assert_eq!(executed(&out), std::slice::from_ref(&first.id));
}

#[test]
fn the_clock_learns_which_of_its_own_events_are_stable() {
    let mut buffer = buffer();
    let mut out = Vec::new();
    for own in [event(0, [1, 0, 0]), event(0, [2, 0, 0])] {
        buffer.handle(BufferInput::Own(own), &mut out);
    }
    settle(&mut buffer, [2, 0, 0], &mut out);
    buffer.receive(BankId(1), envelope(&[], Some([2, 0, 0])), &mut out);
    out.clear();
    buffer.receive(BankId(2), envelope(&[], Some([2, 0, 0])), &mut out);
    let is_stable = |effect: &Effect| matches!(effect, Effect::Clock(ClockInput::Stable(2)));
    assert_eq!(executed(&out).len(), 2);
    assert!(out.iter().any(is_stable), "{out:?}");
}

#[test]
fn an_acknowledgement_that_overtook_an_event_is_believed_once_that_event_is_here() {
    let mut buffer = buffer();
    let (late, early) = (event(2, [0, 0, 1]), event(1, [0, 1, 0]));
    let mut out = Vec::new();
    buffer.receive(BankId(1), envelope(&[Arc::clone(&early)], Some([0, 1, 1])), &mut out);
    settle(&mut buffer, [0, 1, 0], &mut out);
    // Bank 2 sent its own event before it acknowledged bank 1's; the envelopes changed places on
    // the way.
    buffer.receive(BankId(2), envelope(&[], Some([0, 1, 1])), &mut out);
    assert!(executed(&out).is_empty(), "an event with the same sum may still come");
    buffer.receive(BankId(2), envelope(&[Arc::clone(&late)], None), &mut out);
    settle(&mut buffer, [0, 1, 1], &mut out);
    assert_eq!(executed(&out), [early.id.clone(), late.id.clone()]);
}

#[test]
fn an_event_stamped_below_what_its_sender_said_before_is_refused_and_the_sender_named() {
    let mut buffer = buffer();
    let mut out = Vec::new();
    let honest = [event(1, [0, 1, 0]), event(2, [0, 1, 1])];
    buffer.receive(BankId(1), envelope(&honest[..1], None), &mut out);
    buffer.receive(BankId(2), envelope(&honest[1..], None), &mut out);
    buffer.receive(BankId(2), envelope(&[event(2, [0, 0, 2])], None), &mut out);
    assert_eq!(buffer.waiting().count(), 2);
    assert!(matches!(out.last(), Some(Effect::Notice(Notice::BrokenOrder(BankId(2))))), "{out:?}");
}

#[test]
fn the_requirements_single_acknowledgement_counts_even_before_the_event_comes() {
    let mut buffer = buffer();
    let first = event(1, [0, 1, 0]);
    let mut out = Vec::new();
    let ack = |from| BufferInput::Acknowledged { from: BankId(from), id: first.id.clone() };
    buffer.handle(ack(2), &mut out);
    buffer.receive(BankId(1), envelope(&[Arc::clone(&first)], None), &mut out);
    settle(&mut buffer, [0, 1, 0], &mut out);
    assert!(executed(&out).is_empty());
    buffer.handle(ack(1), &mut out);
    assert_eq!(executed(&out), std::slice::from_ref(&first.id));
}

#[test]
fn a_frozen_buffer_takes_nothing_and_tells_what_it_has_given_to_the_journal() {
    let mut buffer = buffer();
    let (noticed, unnoticed) = (event(1, [0, 1, 0]), event(1, [0, 2, 0]));
    let mut out = Vec::new();
    buffer.receive(BankId(1), envelope(&[Arc::clone(&noticed)], None), &mut out);
    buffer.handle(BufferInput::Merged(vec![0, 1, 0].into()), &mut out);
    buffer.receive(BankId(1), envelope(&[unnoticed], None), &mut out);
    buffer.handle(BufferInput::Freeze(Ballot { round: 2, coordinator: BankId(0) }), &mut out);
    let Some(Effect::Ledger(LedgerInput::Freeze(frozen))) = out.pop() else { panic!("{out:?}") };
    assert_eq!(frozen.held.len(), 1);
    assert_eq!((&frozen.held[0].event.id, &frozen.clock), (&noticed.id, &vec![0, 1, 0].into()));
    assert!(!buffer.receive(BankId(1), envelope(&[], None), &mut out).taken);
}

#[test]
fn a_bank_whose_disk_alone_lacks_what_all_others_have_is_behind() {
    let mut buffer = buffer();
    let mut out = Vec::new();
    let lags = |buffer: &mut OrderedBuffer, times: usize| {
        let mut out = Vec::new();
        (0..times).for_each(|_| buffer.handle(BufferInput::Tick, &mut out));
        match out.pop() {
            Some(Effect::Heartbeat(HeartbeatInput::Behind(lags))) => lags.behind,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(lags(&mut buffer, 100), [0, 0, 0], "nothing waits");
    buffer.receive(BankId(1), envelope(&[event(1, [0, 1, 0])], Some([0, 1, 0])), &mut out);
    assert_eq!(lags(&mut buffer, 50), [0, 0, 0], "neither on the own disk nor on that of bank 2");
    settle(&mut buffer, [0, 1, 0], &mut out);
    assert_eq!(lags(&mut buffer, 11), [0, 0, 1_000]);
    buffer.receive(BankId(2), envelope(&[], Some([0, 1, 0])), &mut out);
    assert_eq!(lags(&mut buffer, 1), [0, 0, 0], "executed");
}

#[test]
fn traffic_of_another_view_is_reported_to_the_view() {
    let mut buffer = buffer();
    let mut out = Vec::new();
    let next = Ballot { round: 9, coordinator: BankId(1) };
    buffer.receive(BankId(1), Envelope { view: Some(next), ..envelope(&[], None) }, &mut out);
    assert!(matches!(out[..], [Effect::View(ViewInput::Traffic(_, view))] if view == next));
}

#[test]
fn what_belongs_to_another_view_or_another_bank_is_not_taken() {
    let mut buffer = buffer();
    let other =
        Envelope { view: Some(Ballot { round: 9, coordinator: BankId(1) }), ..envelope(&[], None) };
    assert!(!buffer.receive(BankId(1), other, &mut Vec::new()).taken);
    buffer.receive(BankId(2), envelope(&[event(1, [0, 1, 0])], None), &mut Vec::new());
    assert_eq!(buffer.waiting().count(), 0, "each bank sends its own events");
}

/// The same, but acknowledgements are gathered.
fn gathering() -> OrderedBuffer {
    installed(OrderedBuffer::new(BankId(0), 3).gathering_from(2))
}

fn gathered(all: [u64; 3], own: [u64; 3]) -> Envelope {
    let gathered = Gathered { all: all.to_vec().into(), own: own.to_vec().into() };
    Envelope { gathered: Some(gathered), ..envelope(&[], None) }
}

/// Who is told something, and what.
fn told<T>(out: &[Effect], what: impl Fn(&PeerInput) -> Option<T>) -> Vec<(u16, T)> {
    let told = |effect: &Effect| match effect {
        Effect::Peer(bank, input) => what(input).map(|what| (bank.0, what)),
        _ => None,
    };
    out.iter().filter_map(told).collect()
}

#[test]
fn a_durable_clock_is_urgent_for_the_senders_of_what_it_newly_covers() {
    let urgent = |input: &PeerInput| match input {
        PeerInput::Durable { urgent, .. } => Some(*urgent),
        _ => None,
    };
    for (mut buffer, expected) in [(gathering(), [true, false]), (buffer(), [true, true])] {
        let mut out = Vec::new();
        buffer.receive(BankId(1), envelope(&[event(1, [0, 1, 0])], None), &mut out);
        settle(&mut buffer, [0, 1, 0], &mut out);
        assert_eq!(told(&out, urgent), [(1, expected[0]), (2, expected[1])]);
    }
}

#[test]
fn the_sender_tells_all_what_it_has_gathered_once_its_event_is_on_all_disks() {
    let (mut buffer, mut out) = (gathering(), Vec::new());
    let gathered = |input: &PeerInput| match input {
        PeerInput::Gathered(gathered) => Some((gathered.all.to_string(), gathered.own.to_string())),
        _ => None,
    };
    buffer.handle(BufferInput::Own(event(0, [1, 0, 0])), &mut out);
    buffer.receive(BankId(1), envelope(&[event(1, [0, 1, 0])], Some([1, 1, 0])), &mut out);
    buffer.receive(BankId(2), envelope(&[], Some([1, 0, 0])), &mut out);
    assert!(told(&out, gathered).is_empty() && executed(&out).is_empty());
    settle(&mut buffer, [1, 0, 0], &mut out);
    // Bank 2 lacks what bank 1 sent, and bank 1 had sent it when it made its claim.
    let expected = ("[1,0,0]".to_owned(), "[1,1,0]".to_owned());
    assert_eq!(told(&out, gathered), [(1, expected.clone()), (2, expected)]);
    assert_eq!(executed(&out).len(), 1);
    out.clear();
    settle(&mut buffer, [1, 1, 0], &mut out);
    assert!(told(&out, gathered).is_empty(), "nothing further of its own is on all disks");
}

#[test]
fn what_was_gathered_is_believed_of_a_bank_once_all_that_it_had_sent_is_here() {
    // Bank 1 had sent its event before it heard of bank 2's, so it comes first.
    let (first, second) = (event(1, [0, 1, 0]), event(2, [0, 0, 1]));
    let (mut buffer, mut out) = (gathering(), Vec::new());
    buffer.receive(BankId(2), envelope(&[Arc::clone(&second)], None), &mut out);
    settle(&mut buffer, [0, 0, 1], &mut out);
    buffer.receive(BankId(2), gathered([0, 0, 1], [0, 1, 1]), &mut out);
    assert!(executed(&out).is_empty(), "the event of bank 1 is still on its way");
    buffer.receive(BankId(1), envelope(&[Arc::clone(&first)], None), &mut out);
    settle(&mut buffer, [0, 1, 1], &mut out);
    assert!(executed(&out).is_empty(), "the event of bank 1 is not yet known to be on all disks");
    buffer.receive(BankId(1), gathered([0, 1, 1], [0, 1, 1]), &mut out);
    assert_eq!(executed(&out), [first.id.clone(), second.id.clone()]);
}

#[test]
fn what_nobody_gathers_is_told_to_all_after_a_while() {
    let (mut buffer, mut out) = (gathering(), Vec::new());
    let tell_all = |input: &PeerInput| matches!(input, PeerInput::TellAll).then_some(());
    buffer.receive(BankId(1), envelope(&[event(1, [0, 1, 0])], None), &mut out);
    settle(&mut buffer, [0, 1, 0], &mut out);
    buffer.handle(BufferInput::Tick, &mut out);
    assert!(told(&out, tell_all).is_empty(), "bank 1 may be about to tell");
    buffer.handle(BufferInput::Tick, &mut out);
    assert_eq!(told(&out, tell_all), [(1, ()), (2, ())]);
    let heard = |input: &PeerInput| match input {
        PeerInput::Gathered(gathered) => Some(gathered.own.to_string()),
        _ => None,
    };
    assert_eq!(told(&out, heard).len(), 2, "and what this bank knows of the others");
    out.clear();
    buffer.handle(BufferInput::Tick, &mut out);
    assert!(told(&out, tell_all).is_empty(), "once");
    buffer.receive(BankId(1), envelope(&[event(1, [0, 2, 0])], None), &mut out);
    settle(&mut buffer, [0, 2, 0], &mut out);
    buffer.receive(BankId(1), gathered([0, 2, 0], [0, 2, 0]), &mut out);
    (0..3).for_each(|_| buffer.handle(BufferInput::Tick, &mut out));
    assert!(told(&out, tell_all).is_empty(), "bank 1 has told all");
}

#[test]
fn what_was_gathered_for_another_number_of_banks_is_ignored() {
    let (mut buffer, mut out) = (gathering(), Vec::new());
    let other = Gathered { all: vec![9, 9].into(), own: vec![9, 9, 9].into() };
    let envelope = Envelope { gathered: Some(other), ..envelope(&[], None) };
    assert!(buffer.receive(BankId(1), envelope, &mut out).taken);
    assert!(buffer.known_durable().all(|(_, clock)| clock.sum() == 0));
}

#[test]
fn what_a_mad_bank_says_of_others_keeps_their_own_claims_from_nothing() {
    let (mut buffer, mut out) = (gathering(), Vec::new());
    buffer.receive(BankId(1), envelope(&[event(1, [0, 1, 0])], None), &mut out);
    settle(&mut buffer, [0, 1, 0], &mut out);
    for (all, own) in [
        ([0, 1, 0], [0, 1, u64::MAX]),
        ([0, u64::MAX, 0], [0, 1, 0]),
        ([0, 1, 0], [u64::MAX, 1, 0]),
    ] {
        buffer.receive(BankId(1), gathered(all, own), &mut out);
    }
    assert!(executed(&out).is_empty());
    buffer.receive(BankId(1), envelope(&[], Some([0, 1, 0])), &mut out);
    buffer.receive(BankId(2), envelope(&[], Some([0, 1, 0])), &mut out);
    assert_eq!(executed(&out).len(), 1);
}

fn large(counter: u64, bytes: usize) -> Arc<Event> {
    let id = EventId::new(BankId(1), &counter.to_string());
    let request = RawRequest { id, type_msg: "X".into(), msg: raw(&"x".repeat(bytes)) };
    let (timestamp, header) = (vec![0, counter, 0].into(), Header::default());
    Arc::new(Event::stamp(VIEW, BankId(1), timestamp, vec![request], header))
}

fn complaints(out: &[Effect]) -> Vec<Impossible> {
    let what = |effect: &Effect| match effect {
        Effect::Notice(Notice::Impossible { bank: BankId(1), what, .. }) => Some(*what),
        _ => None,
    };
    out.iter().filter_map(what).collect()
}

#[test]
fn the_memory_that_a_peers_events_take_is_bounded_and_all_that_it_may_have_under_way_fits() {
    let (mut buffer, mut out) = (buffer(), Vec::new());
    let size = EVENT_JSON_BYTES_MAX - 1_000;
    let kept = |buffer: &mut OrderedBuffer, out: &mut Vec<Effect>, counter| {
        buffer.receive(BankId(1), envelope(&[large(counter, size)], None), out).kept
    };
    let how_many = (1..=100).filter(|counter| kept(&mut buffer, &mut out, *counter)).count();
    assert_eq!(how_many, 8);
    assert_eq!(complaints(&out), [Impossible::Flood]);
    // Once they are executed there is room again.
    settle(&mut buffer, [0, 8, 0], &mut out);
    for peer in [1, 2] {
        buffer.receive(BankId(peer), envelope(&[], Some([0, 8, 0])), &mut out);
    }
    assert_eq!(executed(&out).len(), 8);
    assert!(kept(&mut buffer, &mut out, 9));
}

#[test]
fn many_small_events_that_nobody_can_execute_are_bounded_too() {
    let (mut buffer, mut out) = (buffer(), Vec::new());
    for counter in 1..3_000 {
        buffer.receive(BankId(1), envelope(&[large(counter, 1)], None), &mut out);
    }
    assert_eq!(buffer.waiting().count(), KEPT_EVENTS_MAX);
}

#[test]
fn an_event_that_is_too_large_or_of_another_bank_is_refused_alone() {
    let (mut buffer, mut out) = (buffer(), Vec::new());
    let of_63 = {
        let request =
            RawRequest { id: EventId::new(BankId(1), "x"), type_msg: "X".into(), msg: raw(&1) };
        let header = Header::default();
        Arc::new(Event::stamp(VIEW, BankId(63), vec![1; 64].into(), vec![request], header))
    };
    for wrong in [large(1, EVENT_JSON_BYTES_MAX), of_63, event(2, [0, 0, 1])] {
        let answer = buffer.receive(BankId(1), envelope(&[wrong], None), &mut out);
        assert!(answer.taken && !answer.kept && answer.expected == 1);
    }
    assert_eq!(complaints(&out), [Impossible::Event]);
    assert!(buffer.receive(BankId(1), envelope(&[large(1, 1)], None), &mut out).kept);
}

#[test]
fn a_claim_to_more_than_there_is_changes_nothing_and_the_next_true_one_counts() {
    for lie in [[0, u64::MAX, 0], [1, 1, 0], [0, 1, 1 << 62], [0, 1 + HOLD_BACK_MAX + 1, 0]] {
        let (mut buffer, mut out) = (buffer(), Vec::new());
        buffer.receive(BankId(1), envelope(&[event(1, [0, 1, 0])], Some(lie)), &mut out);
        settle(&mut buffer, [0, 1, 0], &mut out);
        for peer in [1, 2] {
            buffer.receive(BankId(peer), envelope(&[], Some([0, 1, 0])), &mut out);
        }
        assert_eq!(executed(&out).len(), 1, "{lie:?}");
        assert_eq!(complaints(&out), [Impossible::Durable]);
    }
}
