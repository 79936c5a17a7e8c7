//! Attempts that a later one overtakes while some of their messages are still on their way. All of
//! these were found by the simulator.

use super::*;

/// A consortium in which a bank has been asked to stop and to prepare a plan that begins after the
/// first of three executed events.
fn preparing() -> (Consortium, Vec<JournalEntry>) {
    let events = (1..=3).map(|counter| event(FIRST, 0, [counter, 0, 0]));
    let journal: Vec<_> = events.zip(1..).map(|(held, position)| entry(held, position)).collect();
    let mut consortium =
        Consortium::start(vec![blank(3), disk(FIRST, &journal, Vec::new()), blank(3)]);
    let ballot = Ballot { round: 2, coordinator: BankId(1) };
    let plan = PreparePlan {
        ballot,
        members: BankSet::all(3),
        position: Position(1),
        hash: journal[0].hash,
        source: BankId(1),
        clock: vec![1, 0, 0].into(),
        events: Vec::new(),
        founding: false,
        signed_from: None,
    };
    for message in [ViewMessage::Stop(ballot), ViewMessage::Prepare(plan)] {
        consortium.give(BankId(0), ViewInput::Message(BankId(1), message));
    }
    assert_eq!(consortium.views[0].phase(), PhaseName::Fetching);
    (consortium, journal)
}

#[test]
fn a_plan_whose_source_has_meanwhile_executed_more_is_given_up_without_a_divergence() {
    let (mut consortium, journal) = preparing();
    let piece = ViewMessage::JournalPiece {
        after: Position(0),
        entries: journal.into_iter().map(WireEntry::from).collect(),
        hash_before: Some(ChainHash::default()),
        starts_after: Position(0),
    };
    consortium.give(BankId(0), ViewInput::Message(BankId(1), piece));
    assert_eq!(consortium.views[0].phase(), PhaseName::Outside);
    assert_eq!(
        held_by(&consortium.views[0]).position,
        Position(3),
        "what was executed elsewhere is kept"
    );
}
