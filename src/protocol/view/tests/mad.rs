//! What a bank gone mad may say about views without harming the others.

use super::*;
use crate::ids::Sha256Digest;
use crate::ledger::book::RunName;
use crate::protocol::event::SUM_MAX;
use crate::protocol::possible::ROUND_MAX;
use crate::protocol::report::PeerReport;
use crate::protocol::view::message::WireHeld;
use crate::protocol::view::rounds::AHEAD_MAX;

const MAD: BankId = BankId(2);

fn ballot(round: u64, coordinator: BankId) -> Ballot {
    Ballot { round, coordinator }
}

impl Consortium {
    fn says(&mut self, to: u16, message: ViewMessage) {
        self.give(BankId(to), ViewInput::Message(MAD, message));
    }

    fn promised(&self, bank: u16) -> Ballot {
        self.views[usize::from(bank)].disk.promised
    }

    /// Bank 2 stops another one, for the next round.
    fn stop(&mut self, bank: u16) -> Ballot {
        let next = ballot(self.promised(bank).round + 1, MAD);
        self.says(bank, ViewMessage::Stop(next));
        assert_eq!(self.views[usize::from(bank)].phase(), PhaseName::Promised);
        next
    }

    /// A plan by which a view can begin at a bank that bank 2 has stopped.
    fn plan_for(&self, bank: u16, ballot: Ballot) -> PreparePlan {
        let state = held_by(&self.views[usize::from(bank)]);
        PreparePlan {
            ballot,
            members: BankSet::all(3),
            position: state.position,
            hash: state.hash,
            source: MAD,
            clock: state.clock.clone(),
            ..PreparePlan::default()
        }
    }

    /// Bank 2 is gone, and the others go on.
    fn go_on_without_the_mad_one(&mut self) {
        self.kill(MAD.0);
        self.run(80);
        self.assert_in_force(&[0, 1]);
    }
}

#[test]
fn a_round_near_the_largest_is_promised_by_nobody_however_it_comes() {
    for round in [AHEAD_MAX + 100, 1 << 61, ROUND_MAX - 1, ROUND_MAX, ROUND_MAX + 1, u64::MAX] {
        let mut consortium = Consortium::in_force();
        let (joining, away) = (BankSet::default(), BankSet::all(3));
        let highest = ballot(round, MAD);
        for bank in [0, 1] {
            consortium.says(bank, ViewMessage::Stop(highest));
            consortium.says(bank, ViewMessage::WouldStop { ballot: highest, away, joining });
            let refused = consortium.promised(bank);
            consortium.says(bank, ViewMessage::Refused { refused, promised: highest });
            consortium.give(BankId(bank), ViewInput::Traffic(MAD, highest));
            let report = PeerReport {
                active: Some(highest),
                promised: highest,
                prepared: highest,
                voter: true,
                hears: BankSet::all(3),
                ..PeerReport::default()
            };
            let (state, report) = (PeerState::Up, Some(report));
            consortium.give(BankId(bank), ViewInput::Peer { bank: MAD, state, report });
            assert_eq!(consortium.promised(bank).round, 1, "{round}");
        }
        consortium.go_on_without_the_mad_one();
        assert!(consortium.promised(0).round < 10, "{}", consortium.promised(0));
        let complaints = consortium.notices.iter().filter(|notice| notice.contains("IMPOSSIBLE"));
        assert_eq!(complaints.count(), 2, "one at each bank: {:?}", consortium.notices);
    }
}

#[test]
fn a_view_of_a_coordinator_that_is_not_there_is_promised_by_nobody() {
    let mut consortium = Consortium::in_force();
    for bank in [0, 1] {
        consortium.give(BankId(bank), ViewInput::Traffic(MAD, ballot(2, BankId(60_000))));
        assert_eq!(consortium.promised(bank).round, 1);
    }
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn a_bank_that_was_driven_as_high_as_it_goes_still_acts_with_the_others() {
    let mut consortium = Consortium::in_force();
    // Bank 0 promises whatever it may, for a minute; the others hear how far it has got.
    for _ in 0..600 {
        let next = consortium.promised(0).round.saturating_add(AHEAD_MAX);
        for round in [next, consortium.promised(0).round + AHEAD_MAX / 2 + 1] {
            consortium.says(0, ViewMessage::Stop(ballot(round, MAD)));
        }
        consortium.run(1);
    }
    let reached = consortium.promised(0).round;
    assert!(reached > 4 * AHEAD_MAX, "it has got nowhere: {reached}");
    consortium.go_on_without_the_mad_one();
}

#[test]
fn a_bank_that_was_away_through_many_rounds_comes_back() {
    let many = 40 * AHEAD_MAX;
    let mut disks = vec![disk(FIRST, &[], Vec::new()), disk(FIRST, &[], Vec::new())];
    disks.iter_mut().for_each(|disk| {
        disk.promised = ballot(many, BankId(0));
        disk.prepared.ballot = ballot(many, BankId(0));
        disk.prepared.members = BankSet::all(3);
    });
    disks.push(disk(FIRST, &[], Vec::new()));
    let mut consortium = Consortium::start(disks);
    consortium.run(20);
    consortium.assert_in_force(&[0, 1]);
    // A hundred and sixty million rounds take some minutes.
    consortium.run(3_000);
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn a_plan_that_cannot_be_is_refused_and_written_nowhere() {
    let key = |round, sum, sender| OrderKey {
        view: ballot(round, BankId(0)),
        sum,
        sender: BankId(sender),
    };
    type Lie = Box<dyn Fn(&mut PreparePlan)>;
    let clock =
        |counters: Vec<u64>| -> Lie { Box::new(move |plan| plan.clock = counters.clone().into()) };
    let event = |key: OrderKey| -> Lie { Box::new(move |plan| plan.events = vec![(key, MAD)]) };
    let lies: Vec<(&str, Lie)> = vec![
        ("a clock near 2^62", clock(vec![0, 0, (1 << 62) - 5])),
        ("a clock of 2^64", clock(vec![u64::MAX, 0, 0])),
        ("a clock that nothing explains", clock(vec![0, 1 << 40, 0])),
        ("a clock of other banks", clock(vec![0; 64])),
        ("an event of sender 63", event(key(1, 1, 63))),
        ("an event of a coordinator that is not there", {
            let view = ballot(1, BankId(60_000));
            event(OrderKey { view, ..key(1, 1, 0) })
        }),
        ("an event of the view itself", {
            let view = ballot(2, MAD);
            event(OrderKey { view, ..key(2, 1, 0) })
        }),
        ("an event with an endless sum", event(key(1, SUM_MAX + 1, 0))),
        ("an event twice", Box::new(move |plan| plan.events = vec![(key(1, 1, 0), MAD); 2])),
        ("too few members", Box::new(|plan| plan.members = BankSet::default().with(BankId(0)))),
        ("members that are not there", {
            Box::new(|plan| plan.members = BankSet::all(3).with(BankId(40)))
        }),
        ("a source that is not there", Box::new(|plan| plan.source = BankId(60_000))),
        ("a position that cannot be", Box::new(|plan| plan.position = Position(u64::MAX))),
        ("another history", Box::new(|plan| plan.hash = ChainHash([9; 32]))),
    ];
    for (what, lie) in lies {
        let mut consortium = Consortium::in_force();
        for bank in [0, 1] {
            let next = consortium.stop(bank);
            let mut plan = consortium.plan_for(bank, next);
            lie(&mut plan);
            consortium.says(bank, ViewMessage::Prepare(plan));
            let phase = consortium.views[usize::from(bank)].phase();
            assert!(matches!(phase, PhaseName::Promised | PhaseName::Outside), "{what}: {phase:?}");
            assert_eq!(consortium.prepared[usize::from(bank)].ballot.round, 1, "{what}");
        }
        consortium.go_on_without_the_mad_one();
    }
}

#[test]
fn planned_events_below_what_was_executed_are_refused() {
    let mut consortium = Consortium::in_force();
    let view = in_force_at(&consortium.views[0]);
    let journal: Vec<_> =
        (1..=3).map(|counter| entry(event(view, 0, [counter, 0, 0]), counter)).collect();
    consortium.journals = vec![journal.clone(); 3];
    let next = consortium.stop(0);
    let mut plan = consortium.plan_for(0, next);
    plan.events = vec![(journal[1].held.event.order_key(), MAD)];
    consortium.says(0, ViewMessage::Prepare(plan));
    let events = vec![WireHeld(journal[1].held.clone())];
    consortium.says(0, ViewMessage::Events { ballot: next, events });
    assert_eq!(consortium.views[0].phase(), PhaseName::Outside);
    consortium.go_on_without_the_mad_one();
}

#[test]
fn an_event_that_the_plans_clock_does_not_cover_is_not_written() {
    let mut consortium = Consortium::in_force();
    let view = in_force_at(&consortium.views[0]);
    let next = consortium.stop(0);
    let held = event(view, 1, [0, 1, 0]);
    let mut plan = consortium.plan_for(0, next);
    plan.events = vec![(held.event.order_key(), MAD)];
    consortium.says(0, ViewMessage::Prepare(plan));
    consortium.says(0, ViewMessage::Events { ballot: next, events: vec![WireHeld(held)] });
    assert_eq!(consortium.views[0].phase(), PhaseName::Outside);
    assert_eq!(consortium.prepared[0].ballot.round, 1);
    consortium.go_on_without_the_mad_one();
}

#[test]
fn what_a_frozen_bank_cannot_hold_spoils_no_plan() {
    type Lie = Box<dyn Fn(&mut Stopped)>;
    let held = |view: Ballot, sum, sender| -> Lie {
        let key = OrderKey { view, sum, sender: BankId(sender) };
        Box::new(move |stopped| stopped.held = vec![key])
    };
    let first = FIRST;
    let lies: Vec<Lie> = vec![
        Box::new(|stopped| stopped.clock = vec![0, 1 << 61, 0].into()),
        Box::new(|stopped| stopped.position = Position(u64::MAX)),
        Box::new(|stopped| stopped.prepared = ballot(1 << 61, MAD)),
        held(first, 1, 63),
        held(ballot(1 << 61, MAD), 1, 0),
        held(first, u64::MAX, 0),
        Box::new(|stopped| {
            let last = OrderKey { view: ballot(1 << 61, MAD), sum: 1, sender: BankId(0) };
            let clock = VectorClock::zero(3);
            stopped.executed = Some(Executions { last, members: BankSet::all(3), clock });
        }),
    ];
    for lie in lies {
        let mut consortium = Consortium::in_force();
        // Something happens that needs a new view: bank 2 is slow.
        consortium.slow.extend([(BankId(0), MAD), (BankId(1), MAD)]);
        consortium.stuck.push(MAD);
        consortium.tick_until(|from, _, message| {
            from == BankId(0) && matches!(message, ViewMessage::Stop(_))
        });
        let ballot = consortium.promised(0);
        let mut stopped = Stopped {
            ballot,
            prepared: FIRST,
            voter: true,
            acted: true,
            counted: 3,
            rescue: false,
            position: Position(0),
            hash: ChainHash::default(),
            executed: None,
            held: Vec::new(),
            clock: VectorClock::zero(3),
        };
        lie(&mut stopped);
        consortium.says(0, ViewMessage::Stopped(stopped));
        consortium.go_on_without_the_mad_one();
    }
}

#[test]
fn a_bank_that_acted_in_a_view_is_not_talked_into_having_lost_it() {
    let mut consortium = Consortium::in_force();
    for bank in [0, 1] {
        let next = consortium.stop(bank);
        consortium.says(bank, ViewMessage::Forgotten(next));
        assert!(consortium.views[usize::from(bank)].is_voter());
    }
    consortium.go_on_without_the_mad_one();
}

#[test]
fn one_source_with_another_history_does_not_put_a_bank_out() {
    let mut consortium = Consortium::in_force();
    consortium.kill(1);
    consortium.run(5);
    consortium.assert_in_force(&[0, 2]);
    let hash_before = Some(ChainHash([9; 32]));
    let lie = || ViewMessage::JournalPiece {
        after: Position(0),
        entries: Vec::new(),
        hash_before,
        starts_after: Position(0),
    };
    consortium.restart(1);
    consortium.tick_until(|_, _, message| matches!(message, ViewMessage::FetchJournal { .. }));
    consortium.says(1, lie());
    assert_ne!(consortium.views[1].phase(), PhaseName::Diverged);
    consortium.run(30);
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn a_piece_of_journal_or_snapshot_that_cannot_be_is_not_executed() {
    let mut consortium = Consortium::in_force();
    consortium.kill(1);
    consortium.run(5);
    let view = consortium.assert_in_force(&[0, 2]).plan.ballot;
    consortium.restart(1);
    consortium.tick_until(|_, _, message| matches!(message, ViewMessage::FetchJournal { .. }));
    let piece = |entries: Vec<JournalEntry>| ViewMessage::JournalPiece {
        after: Position(0),
        entries: entries.into_iter().map(WireEntry::from).collect(),
        hash_before: Some(ChainHash::default()),
        starts_after: Position(0),
    };
    let of_63 = {
        let (id, header) = (EventId::new(MAD, "1"), Header::default());
        let request = RawRequest { id, type_msg: "X".into(), msg: raw(&1) };
        let event = Event::stamp(view, BankId(63), vec![1; 64].into(), vec![request], header);
        Held { event: Arc::new(event), members: BankSet::all(3) }
    };
    let far = ballot(ROUND_MAX, BankId(0));
    let lies = vec![
        vec![entry(of_63, 1)],
        vec![entry(event(far, 0, [1, 0, 0]), 1)],
        vec![entry(event(view, 0, [1, 0, 0]), 1), entry(event(view, 0, [2, 0, 0]), 3)],
        vec![entry(event(view, 0, [2, 0, 0]), 1), entry(event(view, 0, [1, 0, 0]), 2)],
    ];
    for entries in lies {
        consortium.says(1, piece(entries));
        assert!(consortium.journals[1].is_empty());
    }
    // Keys that nobody has asked for, and more of them than there can be.
    let name = RunName { number: u64::MAX, digest: Sha256Digest::default() };
    for (from, of, length) in [(0, 1, 1), (u64::MAX, 1, 1), (0, u64::MAX, 9), (5, 3, 9), (0, 0, 0)]
    {
        let content = vec![0; length];
        consortium.says(1, ViewMessage::RunPart { name, from, of, content });
    }
    consortium.run(30);
    consortium.assert_in_force(&[0, 1, 2]);
}
