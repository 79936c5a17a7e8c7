use super::*;
use crate::ids::request::{Header, RawRequest, raw};
use crate::protocol::line::{FRAMES_MAX, PROBE_FRAMES};

const VIEW: Ballot = Ballot { round: 1, coordinator: BankId(0) };

fn event(counter: u64) -> PeerInput {
    let id = EventId::new(BankId(0), &counter.to_string());
    let request = RawRequest { id, type_msg: "X".into(), msg: raw(&counter) };
    PeerInput::Event(Arc::new(Event::stamp(
        VIEW,
        BankId(0),
        vec![counter, 0].into(),
        vec![request],
        Header::default(),
    )))
}

fn installed() -> Outbox {
    let mut outbox = Outbox::new(BankId(0), BankId(1));
    outbox.handle(PeerInput::Install(VIEW), 0);
    outbox
}

fn counters(transmission: Option<Transmission>) -> Vec<u64> {
    match transmission {
        Some(Transmission::Frame(_, parcel)) => {
            parcel.envelope.events.iter().map(|e| e.counter()).collect()
        }
        other => panic!("a frame expected: {other:?}"),
    }
}

/// An outbox whose connection number 1 is open.
fn connected() -> Outbox {
    let mut outbox = installed();
    outbox.handle(event(1), 0);
    assert!(matches!(outbox.next(0), Some(Transmission::Open(1))));
    assert!(outbox.next(0).is_none(), "nothing leaves before it is open");
    outbox.delivered(Delivery::Opened(1), 0);
    assert_eq!(counters(outbox.next(0)), [1]);
    assert!(matches!(outbox.next(0), Some(Transmission::Probe { line: 1, frames: 1 })));
    outbox
}

fn confirmed(frames: u64) -> Delivery {
    Delivery::Confirmed { line: 1, frames }
}

fn not_taken(frame: u64, expected: u64) -> Delivery {
    Delivery::NotTaken { line: 1, frame, expected }
}

#[test]
fn events_leave_at_once_and_what_has_gathered_travels_together() {
    let mut outbox = connected();
    outbox.handle(event(2), 0);
    assert_eq!(counters(outbox.next(0)), [2], "although the first is not confirmed");
    outbox.handle(event(3), 0);
    outbox.handle(event(4), 0);
    assert_eq!(counters(outbox.next(0)), [3, 4]);
    assert!(outbox.next(0).is_none());
}

#[test]
fn a_deaf_peer_costs_no_more_than_the_bounds_of_a_line() {
    let mut outbox = connected();
    let mut left = 1;
    for counter in 2..10_000 {
        outbox.handle(event(counter), 0);
        while let Some(transmission) = outbox.next(0) {
            left += u64::from(matches!(transmission, Transmission::Frame(..)));
        }
    }
    assert_eq!(left, FRAMES_MAX);
    outbox.delivered(confirmed(PROBE_FRAMES), 0);
    assert_eq!(counters(outbox.next(0)).len(), EVENTS_PER_ENVELOPE_MAX);
}

#[test]
fn when_the_connection_breaks_everything_that_is_not_covered_is_sent_again_after_a_pause() {
    let mut outbox = connected();
    outbox.handle(event(2), 0);
    outbox.handle(event(3), 0);
    outbox.next(0);
    outbox.handle(PeerInput::Covered(1), 0);
    outbox.delivered(Delivery::Ended(1), 100);
    assert!(outbox.next(100 + BACK_OFF_FIRST_MS - 1).is_none());
    let now = outbox.wake_at().unwrap();
    assert!(matches!(outbox.next(now), Some(Transmission::Open(2))));
    outbox.delivered(Delivery::Opened(1), now);
    assert!(outbox.next(now).is_none(), "only the current connection counts");
    outbox.delivered(Delivery::Opened(2), now);
    assert_eq!(counters(outbox.next(now)), [2, 3]);
}

#[test]
fn a_connection_without_an_echo_is_given_up_and_the_monitor_hears_of_it() {
    let mut outbox = connected();
    let breaks_at = outbox.wake_at().unwrap();
    assert_eq!(breaks_at, ANSWER_WITHIN_MS);
    assert!(matches!(outbox.next(breaks_at), Some(Transmission::Close(1))));
    assert!(matches!(
        outbox.reports().next(),
        Some(HeartbeatInput::Requests { arrive: false, waited: ANSWER_WITHIN_MS, .. })
    ));
    let now = outbox.wake_at().unwrap();
    assert!(matches!(outbox.next(now), Some(Transmission::Open(2))));
    outbox.delivered(Delivery::Ended(2), now + 500);
    assert!(matches!(
        outbox.reports().next(),
        Some(HeartbeatInput::Requests { arrive: false, waited: 500, .. })
    ));
    let now = outbox.wake_at().unwrap();
    assert!(matches!(outbox.next(now), Some(Transmission::Open(3))));
    outbox.delivered(Delivery::Opened(3), now);
    assert_eq!(counters(outbox.next(now)), [1]);
    assert!(outbox.reports().next().is_none(), "a connection alone proves nothing");
    outbox.next(now);
    outbox.delivered(Delivery::Confirmed { line: 3, frames: 1 }, now);
    assert!(matches!(outbox.reports().next(), Some(HeartbeatInput::Requests { arrive: true, .. })));
}

#[test]
fn the_end_of_a_connection_on_which_nothing_is_under_way_needs_no_further_one() {
    let mut outbox = connected();
    outbox.delivered(confirmed(1), 10);
    outbox.handle(PeerInput::Covered(1), 0);
    outbox.delivered(Delivery::Ended(1), 1_000);
    assert!(outbox.is_empty() && outbox.wake_at().is_none());
    assert!(outbox.reports().next().is_none());
    outbox.handle(event(2), 0);
    let now = outbox.wake_at().unwrap();
    assert!(matches!(outbox.next(now), Some(Transmission::Open(2))));
}

fn executed(sender: u16, position: u64) -> PeerInput {
    let id = EventId::new(BankId(sender), &position.to_string());
    let request = RawRequest { id, type_msg: "X".into(), msg: raw(&1) };
    let (timestamp, header) = (vec![position; 3].into(), Header::default());
    PeerInput::Executed {
        view: VIEW,
        position: Position(position),
        hash: ChainHash::default(),
        event: Arc::new(Event::stamp(VIEW, BankId(sender), timestamp, vec![request], header)),
        check: Check { code: true, descript: String::new() },
    }
}

fn told(transmission: Option<Transmission>) -> Option<u64> {
    match transmission {
        Some(Transmission::Frame(_, parcel)) => Some(parcel.executed.expect("told").0.0),
        _ => None,
    }
}

#[test]
fn the_report_of_execution_is_urgent_only_for_the_events_sender() {
    let mut outbox = connected();
    outbox.delivered(confirmed(1), 0);
    outbox.handle(PeerInput::Covered(1), 0);
    outbox.handle(executed(1, 1), 0);
    assert_eq!(told(outbox.next(0)), Some(1), "the peer's customers wait for it");

    outbox.handle(executed(0, 2), 0);
    outbox.handle(executed(2, 3), 0);
    assert!(outbox.next(10).is_none());
    outbox.handle(event(2), 0);
    assert_eq!(told(outbox.next(41)), Some(3), "with the next event");

    outbox.handle(executed(0, 4), 0);
    assert!(outbox.next(50).is_none());
    outbox.handle(PeerInput::TellAll, 0);
    assert_eq!(told(outbox.next(50)), Some(4));
}

#[test]
fn a_clock_for_which_the_peer_does_not_wait_rides_along() {
    let mut outbox = connected();
    let durable = |counter: u64, urgent| PeerInput::Durable {
        clock: vec![counter, 0].into(),
        events: [].into(),
        urgent,
    };
    let clock = |transmission: Option<Transmission>| match transmission {
        Some(Transmission::Frame(_, parcel)) => parcel.envelope.clock.map(|clock| clock.sum()),
        _ => None,
    };
    outbox.handle(durable(1, false), 0);
    assert!(outbox.next(0).is_none());
    outbox.handle(durable(2, true), 0);
    assert_eq!(clock(outbox.next(0)), Some(2));
    outbox.handle(durable(3, false), 0);
    outbox.handle(event(2), 0);
    assert_eq!(clock(outbox.next(0)), Some(3));
}

#[test]
fn news_that_all_agree_waits_for_something_to_travel_with_but_not_for_long() {
    let mut outbox = connected();
    outbox.delivered(confirmed(1), 0);
    outbox.handle(PeerInput::Covered(1), 0);
    let agreed = |round, position| PeerInput::Agreed {
        view: Ballot { round, coordinator: BankId(0) },
        position: Position(position),
        hash: ChainHash::default(),
    };
    let told = |transmission: Option<Transmission>| match transmission {
        Some(Transmission::Frame(_, parcel)) => parcel.agreed.map(|(position, _)| position.0),
        _ => None,
    };
    outbox.handle(agreed(1, 5), 100);
    assert!(outbox.next(100).is_none());
    outbox.handle(agreed(1, 6), 110);
    assert!(outbox.next(110).is_none());
    assert_eq!(outbox.wake_at(), Some(100 + AGREED_WITHIN_MS), "counted from the first");
    assert_eq!(told(outbox.next(100 + AGREED_WITHIN_MS)), Some(6));
    outbox.handle(agreed(1, 7), 200);
    outbox.handle(event(2), 0);
    assert_eq!(told(outbox.next(200)), Some(7), "with the next event");
    outbox.handle(agreed(2, 8), 200);
    assert!(told(outbox.next(1_000)).is_none(), "it is of another view");
}

#[test]
fn what_the_peer_did_not_take_is_sent_again_and_only_once() {
    let mut outbox = connected();
    (2..=4).for_each(|counter| {
        outbox.handle(event(counter), 0);
        outbox.next(0);
    });
    // The second frame found no room, and so neither did those behind it.
    outbox.delivered(not_taken(2, 2), 10);
    assert!(outbox.next(10).is_none());
    assert_eq!(counters(outbox.next(10 + BACK_OFF_FIRST_MS)), [2, 3, 4]);
    outbox.delivered(not_taken(3, 2), 40);
    outbox.delivered(not_taken(4, 2), 40);
    assert!(
        !matches!(outbox.next(1_000), Some(Transmission::Frame(..))),
        "the frames behind it are on their way again already"
    );
    outbox.delivered(not_taken(5, 0), 1_000);
    assert!(outbox.next(1_000 + 2 * BACK_OFF_FIRST_MS - 1).is_none(), "it waits for longer");
    assert_eq!(counters(outbox.next(1_000 + 2 * BACK_OFF_FIRST_MS)), [1, 2, 3, 4]);
    assert!(!outbox.is_empty(), "kept until the peer has it on disk");
}

#[test]
fn what_the_peer_says_of_frames_from_an_earlier_view_changes_nothing() {
    let mut outbox = connected();
    outbox.handle(PeerInput::Install(Ballot { round: 2, coordinator: BankId(0) }), 0);
    outbox.delivered(not_taken(1, 0), 0);
    outbox.delivered(confirmed(1), 0);
    assert!(outbox.is_empty() && outbox.wake_at().is_none());
}

#[test]
fn a_stopping_bank_asks_at_once_whether_the_peer_has_everything() {
    let mut outbox = connected();
    outbox.delivered(confirmed(1), 0);
    outbox.handle(PeerInput::Covered(1), 0);
    outbox.handle(executed(1, 1), 0);
    outbox.next(100);
    assert!(outbox.next(100).is_none() && !outbox.is_empty());
    outbox.hurry();
    assert!(matches!(outbox.next(100), Some(Transmission::Probe { line: 1, frames: 2 })));
    outbox.delivered(confirmed(2), 101);
    assert!(outbox.is_empty());
}

#[test]
fn a_peer_without_connections_gets_single_messages_in_turn_and_again_after_an_error() {
    let mut outbox = installed();
    outbox.handle(event(1), 0);
    let id = EventId::new(BankId(1), "x");
    outbox.handle(
        PeerInput::Durable { clock: vec![1, 1].into(), events: [id.clone()].into(), urgent: true },
        0,
    );
    outbox.next(0);
    outbox.delivered(Delivery::UnknownRoute(1), 0);
    let single = |outbox: &mut Outbox, now| match outbox.next(now) {
        Some(Transmission::Single(era, message)) => (era, message),
        other => panic!("a single message expected: {other:?}"),
    };
    let (era, message) = single(&mut outbox, 0);
    assert!(matches!(message, SingleMessage::Event(_)));
    assert!(outbox.next(0).is_none(), "one at a time");
    outbox.delivered(Delivery::Failed { era, arrived: false }, 0);
    assert!(matches!(single(&mut outbox, BACK_OFF_MAX_MS).1, SingleMessage::Event(_)));
    outbox.delivered(Delivery::Taken(era - 1), 0);
    assert!(outbox.next(BACK_OFF_MAX_MS).is_none(), "the answer is of an earlier view");
    outbox.delivered(Delivery::Taken(era), 0);
    let (_, message) = single(&mut outbox, BACK_OFF_MAX_MS);
    assert!(matches!(message, SingleMessage::Ack(ack) if ack == id));
}
