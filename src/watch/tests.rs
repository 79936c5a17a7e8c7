//! The history that comes of the facts of a small consortium: this bank is number 0 of three.

use super::history::EVENTS_MAX;
use super::shiviz::PARSER;
use super::snapshot::{EVENTS_SHOWN_MAX, Execution};
use super::*;

const VIEW: Ballot = Ballot { round: 1, coordinator: BankId(0) };
const NEXT_VIEW: Ballot = Ballot { round: 2, coordinator: BankId(1) };

fn clock(counters: [u64; 3]) -> VectorClock {
    counters.to_vec().into()
}

fn seen(sender: u16, timestamp: [u64; 3]) -> Seen {
    let timestamp = clock(timestamp);
    let key = OrderKey { view: VIEW, sum: timestamp.sum(), sender: BankId(sender) };
    Seen {
        key,
        id: EventId::new(BankId(sender), &timestamp.get(BankId(sender)).to_string()),
        timestamp,
        requests: 1,
    }
}

fn installed(view: Ballot, members: &[u16], counters: [u64; 3], flush: Vec<Seen>) -> Fact {
    let members = members.iter().copied().map(BankId).collect();
    Fact::Installed { view, members, clock: clock(counters), position: Position(0), flush }
}

fn durable(bank: u16, counters: [u64; 3]) -> Fact {
    Fact::Durable(BankId(bank), clock(counters))
}

fn executed(seen: Seen, position: u64) -> Fact {
    Fact::Executed { seen, position: Position(position), done: 1 }
}

/// A history in which a view of all three stands from time 1 on; the facts then happen one unit of
/// time apart, from 10 on.
fn history(facts: Vec<Fact>) -> History {
    let mut history = History::new(BankId(0), 3, Position(0));
    history.absorb(vec![Timed { at: 1, fact: installed(VIEW, &[0, 1, 2], [0; 3], Vec::new()) }]);
    history.absorb((10..).zip(facts).map(|(at, fact)| Timed { at, fact }).collect());
    history
}

fn event(history: &History, at: Micros, id: &str) -> EventNow {
    let snapshot = history.snapshot(at);
    let found = snapshot.events.iter().find(|event| event.id.as_str() == id);
    found.unwrap_or_else(|| panic!("{id} is not shown: {snapshot:?}")).clone()
}

fn waits(history: &History, at: Micros, id: &str) -> Vec<Wait> {
    event(history, at, id).waits
}

#[test]
fn an_event_shows_when_each_thing_happened_to_it_and_nothing_from_after_the_moment_shown() {
    let own = seen(0, [1, 0, 0]);
    let history = history(vec![
        Fact::Stamped(own.clone()),                 // 10
        durable(0, [1, 0, 0]),                      // 11
        durable(2, [1, 0, 0]),                      // 12
        durable(1, [1, 0, 0]),                      // 13
        executed(own, 1),                           // 14
        Fact::PeerExecuted(BankId(1), Position(1)), // 15
        Fact::PeerExecuted(BankId(2), Position(1)), // 16
        Fact::Agreed(1),                            // 17
    ]);
    let now = event(&history, 20, "EV0-1");
    assert_eq!((now.first, now.taken, now.agreed), (10, Some(10), Some(17)));
    assert_eq!(now.acknowledged, [(BankId(0), 11), (BankId(1), 13), (BankId(2), 12)]);
    assert_eq!(now.executed, Some(Execution { at: 14, position: Position(1), done: 1 }));
    assert_eq!(now.confirmed, [(BankId(1), 15), (BankId(2), 16)]);
    let then = event(&history, 12, "EV0-1");
    assert_eq!(then.acknowledged, [(BankId(0), 11), (BankId(2), 12)]);
    assert_eq!((then.executed, then.agreed, then.confirmed.len()), (None, None, 0));
    assert!(history.snapshot(9).events.is_empty());
}

#[test]
fn what_is_taken_in_has_the_clock_before_and_after_one_event_at_a_time() {
    let (second, third) = (seen(1, [0, 1, 0]), seen(2, [0, 1, 1]));
    let history = history(vec![
        Fact::Stamped(seen(0, [1, 0, 0])), // 10
        Fact::Received(third),             // 11
        Fact::Received(second),            // 12
        Fact::Taken(clock([1, 1, 1])),     // 13: the one that was missing brings the other
    ]);
    let clocks = |id| event(&history, 20, id).clocks.unwrap();
    assert_eq!(clocks("EV0-1"), (clock([0, 0, 0]), clock([1, 0, 0])));
    assert_eq!(clocks("EV1-1"), (clock([1, 0, 0]), clock([1, 1, 0])));
    assert_eq!(clocks("EV2-1"), (clock([1, 1, 0]), clock([1, 1, 1])));
    assert_eq!(event(&history, 12, "EV1-1").clocks, None, "not before it is taken in");
}

/// An event that was stamped and executed, which the others then said too.
fn history_of(own: Seen) -> History {
    history(vec![
        Fact::Stamped(own.clone()),
        executed(own, 1),
        Fact::PeerExecuted(BankId(1), Position(1)),
        Fact::Agreed(1),
    ])
}

#[test]
fn one_can_step_from_fact_to_fact_in_both_directions() {
    let own = seen(0, [1, 0, 0]);
    let history =
        history(vec![Fact::Stamped(own.clone()), durable(0, [1, 0, 0]), durable(1, [1, 0, 0])]);
    let mut moment = 100;
    let mut back = Vec::new();
    while let Some(previous) = history.snapshot(moment).previous {
        back.push(previous);
        moment = previous;
    }
    assert_eq!(back, [12, 11, 10, 1]);
    // What no picture shows is no step.
    let own = seen(0, [1, 0, 0]);
    let told = history_of(own);
    assert_eq!(told.snapshot(100).previous, Some(11), "the execution");
    assert_eq!(history.snapshot(10).next, Some(11));
    assert_eq!(history.snapshot(12).next, None);
}

#[test]
fn a_waiting_event_names_the_banks_whose_acknowledgement_is_missing() {
    let own = seen(0, [1, 0, 0]);
    let history = history(vec![Fact::Stamped(own), durable(0, [1, 0, 0]), durable(2, [1, 0, 0])]);
    let all = Wait::Acknowledgements { banks: vec![BankId(1), BankId(2)] };
    assert_eq!(waits(&history, 10, "EV0-1"), [Wait::Disk, all]);
    assert_eq!(waits(&history, 12, "EV0-1"), [Wait::Acknowledgements { banks: vec![BankId(1)] }]);
}

#[test]
fn an_event_that_all_have_waits_behind_the_earlier_one_that_some_lack() {
    let (first, second) = (seen(1, [0, 1, 0]), seen(2, [0, 0, 1]));
    let history = history(vec![
        Fact::Received(first.clone()),  // 10
        Fact::Taken(clock([0, 1, 0])),  // 11
        Fact::Received(second.clone()), // 12
        Fact::Taken(clock([0, 1, 1])),  // 13
        durable(0, [0, 1, 1]),          // 14
        durable(2, [0, 0, 1]),          // 15
        durable(1, [0, 1, 1]),          // 16
        durable(2, [0, 1, 1]),          // 17
        executed(first, 1),             // 18
    ]);
    let behind = Wait::Behind { id: EventId::new(BankId(1), "1"), sender: BankId(1), counter: 1 };
    assert_eq!(waits(&history, 16, "EV2-1"), [behind]);
    assert_eq!(waits(&history, 16, "EV1-1"), [Wait::Acknowledgements { banks: vec![BankId(2)] }]);
    assert_eq!(waits(&history, 18, "EV2-1"), [Wait::Execution]);
    assert_eq!(waits(&history, 18, "EV1-1"), []);
}

#[test]
fn an_event_that_came_too_early_names_what_is_missing_before_it() {
    let late = seen(2, [0, 3, 2]);
    let history = history(vec![Fact::Received(late)]);
    let missing = |bank, from, to| Wait::Before { bank: BankId(bank), from, to };
    assert_eq!(waits(&history, 10, "EV2-2"), [missing(1, 1, 3), missing(2, 1, 1)]);
}

#[test]
fn without_a_view_everything_waits_for_the_next_which_may_leave_an_event_behind() {
    let (kept, dropped) = (seen(0, [1, 0, 0]), seen(1, [0, 1, 0]));
    let history = history(vec![
        Fact::Stamped(kept.clone()),                                  // 10
        Fact::Received(dropped),                                      // 11
        Fact::Frozen,                                                 // 12
        installed(NEXT_VIEW, &[0, 2], [1, 0, 0], vec![kept.clone()]), // 13
        executed(kept, 1),                                            // 14
    ]);
    assert_eq!(waits(&history, 12, "EV0-1"), [Wait::NoView]);
    assert_eq!(history.snapshot(12).view, None);
    let dropped = event(&history, 14, "EV1-1");
    assert_eq!((dropped.void, dropped.waits.len()), (Some(13), 0));
    let kept = event(&history, 14, "EV0-1");
    assert_eq!(
        kept.acknowledged,
        [(BankId(0), 13), (BankId(2), 13)],
        "the flush gave it to all members"
    );
    assert!(!history.snapshot(14).banks[1].member);
}

/// A bank that was cut off learns, from the others and then from their view, what became of the
/// events that it held.
fn healed(recovered: Vec<Fact>) -> History {
    let (first, own) = (seen(1, [0, 1, 0]), seen(0, [1, 1, 0]));
    let cut_off = vec![
        Fact::Received(first),         // 10
        Fact::Taken(clock([0, 1, 0])), // 11
        Fact::Stamped(own),            // 12
        Fact::Frozen,                  // 13
    ];
    history([cut_off, recovered].concat())
}

fn recovered(seen: Seen, position: u64) -> Fact {
    Fact::Recovered { seen, position: Position(position), done: 1 }
}

#[test]
fn what_came_by_journal_was_executed_and_only_the_rest_never_existed() {
    let begins = || installed(NEXT_VIEW, &[0, 1, 2], [0, 1, 1], Vec::new());
    let (known, unknown) = (seen(1, [0, 1, 0]), seen(2, [0, 1, 1]));
    let by_journal = || [recovered(known.clone(), 1), recovered(unknown.clone(), 2)];
    let first = healed([by_journal().to_vec(), vec![begins()]].concat());
    // The parts of a node are asked one after the other.
    let last = healed([vec![begins()], by_journal().to_vec()].concat());
    for history in [first, last] {
        for (id, position) in [("EV1-1", 1), ("EV2-1", 2)] {
            let now = event(&history, 100, id);
            assert_eq!(
                now.executed.map(|executed| executed.position),
                Some(Position(position)),
                "{id}"
            );
            assert_eq!((now.void, now.waits.len()), (None, 0), "{id}");
        }
        assert!(event(&history, 100, "EV0-1").void.is_some());
        let snapshot = history.snapshot(100);
        assert_eq!((snapshot.banks[0].position, snapshot.rate), (Some(Position(2)), 0));
    }
}

#[test]
fn nothing_is_said_about_what_a_snapshot_covers() {
    let through = OrderKey { view: VIEW, sum: 9, sender: BankId(2) };
    let history = healed(vec![
        Fact::Restored { through, position: Position(7) },
        installed(NEXT_VIEW, &[0, 1, 2], [1, 1, 9], Vec::new()),
    ]);
    let snapshot = history.snapshot(100);
    assert!(snapshot.events.is_empty(), "neither executed nor never having existed: {snapshot:?}");
    assert_eq!(snapshot.banks[0].position, Some(Position(7)));
}

#[test]
fn a_bank_that_is_no_member_is_credited_with_nothing() {
    let history = history(vec![
        durable(2, [0, 0, 1]),                                // 10
        Fact::Frozen,                                         // 11
        installed(NEXT_VIEW, &[0, 1], [0, 0, 5], Vec::new()), // 12
        durable(1, [0, 0, 5]),                                // 13
    ]);
    let durable = |at, bank: usize| history.snapshot(at).banks[bank].durable.clone();
    assert_eq!(durable(11, 2), Some(clock([0, 0, 1])), "it was one until then");
    assert_eq!((durable(12, 2), durable(12, 1)), (None, Some(clock([0, 0, 5]))));
}

#[test]
fn an_acknowledgement_that_came_before_its_event_counts_from_when_it_came() {
    let late = seen(1, [0, 1, 0]);
    let history = history(vec![durable(2, [0, 1, 0]), durable(2, [0, 1, 1]), Fact::Received(late)]);
    assert_eq!(event(&history, 12, "EV1-1").acknowledged, [(BankId(2), 10)]);
}

#[test]
fn an_event_sent_again_after_it_was_taken_in_is_not_news() {
    let mut history =
        history(vec![Fact::Received(seen(1, [0, 1, 0])), Fact::Taken(clock([0, 1, 0]))]);
    history.absorb(vec![Timed { at: 50, fact: Fact::Lost(1) }]);
    history.absorb(vec![Timed { at: 51, fact: Fact::Received(seen(1, [0, 1, 0])) }]);
    assert!(history.snapshot(60).events.is_empty(), "it would be shown as waiting for ever");
    assert_eq!(history.snapshot(60).lost, 1);
}

#[test]
fn columns_follow_causality_and_concurrent_events_may_share_one() {
    let events = [seen(0, [1, 0, 0]), seen(1, [0, 1, 0]), seen(2, [1, 1, 1]), seen(0, [2, 1, 1])];
    let history = history(events.into_iter().map(Fact::Received).collect());
    let shown = history.snapshot(99).events;
    let drawn: Vec<_> =
        shown.iter().map(|event| (event.sender.0, event.column, event.concurrent)).collect();
    assert_eq!(drawn, [(0, 0, true), (1, 0, true), (2, 1, false), (0, 2, false)]);
}

#[test]
fn each_event_says_what_stands_before_it_and_what_decided_that() {
    let events = [seen(0, [1, 0, 0]), seen(1, [0, 1, 0]), seen(2, [1, 1, 1])];
    let history = history(events.into_iter().map(Fact::Received).collect());
    let after: Vec<_> = history.snapshot(99).events.into_iter().map(|event| event.after).collect();
    let behind =
        |id: &str, by, concurrent| Some(After { id: EventId::parse(id).unwrap(), by, concurrent });
    assert_eq!(after, [None, behind("EV0-1", By::Bank, true), behind("EV1-1", By::Sum, false)]);
}

#[test]
fn only_so_many_events_are_kept_and_shown_but_all_that_wait_are_among_them() {
    let mut history = history(Vec::new());
    let mut at = 10;
    for counter in 1..=2 * EVENTS_MAX as u64 {
        let own = seen(0, [counter, 0, 0]);
        let facts = vec![
            Fact::Stamped(own.clone()),
            durable(0, [counter, 0, 0]),
            durable(1, [counter, 0, 0]),
            durable(2, [counter, 0, 0]),
            executed(own, counter),
        ];
        let facts = facts.into_iter().map(|fact| {
            at += 1;
            Timed { at, fact }
        });
        history.absorb(facts.collect());
    }
    assert_eq!(history.events.len(), EVENTS_MAX);
    assert_eq!(history.snapshot(at).events.len(), EVENTS_SHOWN_MAX);
    let last = 2 * EVENTS_MAX as u64;
    for more in 1..=10 {
        let fact = Fact::Stamped(seen(0, [last + more, 0, 0]));
        history.absorb(vec![Timed { at: at + more, fact }]);
    }
    assert_eq!(history.snapshot(at + 10).events.len(), EVENTS_SHOWN_MAX + 10);
}

#[test]
fn rate_and_latency_are_those_of_the_last_seconds() {
    let own = seen(0, [1, 0, 0]);
    let history = history(vec![Fact::Stamped(own.clone()), executed(own, 1), Fact::Agreed(1)]);
    assert_eq!(history.snapshot(100).latency, Some((2, 2)));
    assert_eq!(history.snapshot(60_000_000).latency, None);
    let mut busy = History::new(BankId(0), 3, Position(0));
    let fact = |position| executed(Seen { requests: 10, ..seen(0, [position, 0, 0]) }, position);
    busy.absorb((1..=100).map(|each| Timed { at: each * 20_000, fact: fact(each) }).collect());
    assert_eq!(busy.snapshot(2_000_000).rate, 500);
    assert_eq!(busy.snapshot(9_000_000).rate, 0);
}

#[test]
fn a_bank_shows_its_clock_its_position_and_what_it_holds_and_has_not_executed() {
    let own = seen(0, [1, 0, 0]);
    let history = history(vec![
        Fact::Stamped(own.clone()),                 // 10
        durable(0, [1, 0, 0]),                      // 11
        durable(1, [1, 0, 0]),                      // 12
        durable(2, [1, 0, 0]),                      // 13
        executed(own, 7),                           // 14
        Fact::PeerExecuted(BankId(2), Position(7)), // 15
    ]);
    let bank = |at, bank: usize| history.snapshot(at).banks[bank].clone();
    assert_eq!((bank(12, 1).buffered, bank(12, 2).buffered), (1, 0));
    assert_eq!(bank(12, 1).durable, Some(clock([1, 0, 0])));
    assert_eq!((bank(15, 0).position, bank(15, 0).buffered), (Some(Position(7)), 0));
    assert_eq!((bank(15, 1).position, bank(15, 1).buffered), (Some(Position(0)), 1));
    assert_eq!((bank(15, 2).position, bank(15, 2).buffered), (Some(Position(7)), 0));
}

/// What ShiViz reads of two lines: host, clock, text.
fn shiviz_events(log: &str) -> Vec<(String, std::collections::BTreeMap<String, u64>, String)> {
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines[..2], [PARSER, ""]);
    let read = |pair: &[&str]| {
        let (host, clock) = pair[0].split_once(' ').unwrap();
        (host.to_owned(), serde_json::from_str(clock).unwrap(), pair[1].to_owned())
    };
    lines[2..].chunks(2).map(read).collect()
}

#[test]
fn the_log_keeps_the_rules_of_shiviz_although_events_were_forgotten_and_left_behind() {
    let mut facts: Vec<_> = (1..=EVENTS_MAX as u64 + 50)
        .map(|counter| {
            let sender = (counter % 3) as u16;
            let mut counters = [counter.div_ceil(3); 3];
            counters
                .iter_mut()
                .enumerate()
                .for_each(|(bank, own)| *own -= u64::from(bank > usize::from(sender)).min(*own));
            Fact::Received(seen(sender, counters))
        })
        .collect();
    facts.insert(0, Fact::Received(seen(1, [0, 9_000, 0])));
    let mut history = history(facts);
    history.absorb(vec![Timed { at: 9_999, fact: Fact::Taken(clock([9_999; 3])) }]);
    let log = history.shiviz();
    let events = shiviz_events(&log);
    assert_eq!(events.len(), EVENTS_MAX);
    let mut counts = std::collections::BTreeMap::<String, u64>::new();
    for (host, clock, text) in &events {
        let count = counts.entry(host.clone()).or_default();
        *count += 1;
        assert_eq!(clock[host], *count, "a host's counter begins at 1 and goes up by 1: {text}");
        assert!(clock.values().all(|counter| *counter > 0), "{clock:?}");
        assert!(!host.contains(' ') && text.contains("timestamp=["), "{host} {text}");
    }
    for (_, clock, _) in &events {
        assert!(
            clock.iter().all(|(host, counter)| *counter <= counts[host]),
            "a clock names only events of the log"
        );
    }
}

#[test]
fn facts_of_several_parts_are_put_in_the_order_in_which_they_happened() {
    let own = seen(0, [1, 0, 0]);
    let mut history = history(Vec::new());
    let timed = |at, fact| Timed { at, fact };
    history.absorb(vec![
        timed(30, Fact::Agreed(1)),
        timed(20, executed(own.clone(), 1)),
        timed(10, Fact::Stamped(own)),
    ]);
    assert_eq!(event(&history, 30, "EV0-1").agreed, Some(30));
}

#[test]
fn an_event_of_a_bank_that_is_not_there_is_no_news() {
    let of_63 = Seen {
        key: OrderKey { view: VIEW, sum: 64, sender: BankId(63) },
        id: EventId::new(BankId(63), "x"),
        timestamp: vec![1; 64].into(),
        requests: 1,
    };
    let history = history(vec![Fact::Taken(clock([0, 0, 0])), Fact::Received(of_63)]);
    assert!(history.snapshot(20).events.is_empty());
}
