//! How a view begins, from what the banks that answered hold: `P`, the longest executed journal;
//! `U`, the events held beyond it; `F`, the clock that covers `U`; and which banks take part.

use std::collections::BTreeMap;

use super::message::{PreparePlan, Stopped};
use crate::ids::{Ballot, BankId, BankSet, ChainHash, majority};
use crate::protocol::execution::Executions;
use crate::protocol::order_key::OrderKey;
use crate::protocol::vector_clock::VectorClock;

/// The most positions that a bank may be behind and still be taken in unasked although there is a
/// majority without it, for example after a power cut that hit all banks.
pub(super) const LAG_MAX: u64 = 5_000;

/// The answers of frozen banks.
pub(super) type Answers = BTreeMap<BankId, Stopped>;

/// Banks whose disk lacks what another bank's disk proves that it once had: what was executed in
/// its own view was on the disk of every member of that view.
///
/// Only a bank that has prepared no later view can prove that: what a flush executes need not have
/// reached all members of the view that it comes from. And a bank that has been outside since and
/// has fetched what was executed there has it again, though its clock, which is that of its own
/// view, need not show it after a restart. Nor does a bank whose process has acted in the view lack
/// anything that it had: if another has executed something in that view which never came here,
/// somebody has acknowledged it in this bank's name.
pub(super) fn lost_state(answers: &Answers) -> Vec<BankId> {
    let proof = |answer: &'_ Stopped| {
        answer.executed.clone().filter(|done| done.last.view == answer.prepared)
    };
    let Some(proof) = answers.values().filter_map(proof).max_by_key(|done| done.last) else {
        return Vec::new();
    };
    let lacks = |bank: &BankId, answer: &Stopped| {
        let was_on_disk = answer.voter && proof.members.contains(*bank);
        was_on_disk && !answer.acted && !has_still(answer, &proof)
    };
    answers.iter().filter(|(bank, answer)| lacks(bank, answer)).map(|(bank, _)| *bank).collect()
}

/// Whether a disk still has everything that was executed up to this proof.
fn has_still(answer: &Stopped, proof: &Executions) -> bool {
    let view = proof.last.view;
    let has_executed = answer.executed.as_ref().is_some_and(|done| done.last >= proof.last);
    let has_it = has_executed || answer.clock.covers(&proof.clock);
    answer.prepared > view || (answer.prepared == view && has_it)
}

/// Whether the answers suffice to know how the next view must begin.
///
/// Every view had a strict majority of the banks as members, and each of them had prepared it on
/// disk before it began. So any set of intact disks that shares a bank with every majority knows
/// the latest view (as in H. Howard et al., 'Flexible Paxos', 2016). New banks at the end of
/// `nodes.json` count once all the old ones have let them in.
pub(super) fn is_quorum(answers: &Answers, banks: usize) -> bool {
    let everybody = answers.len() == banks;
    // A disk that has lost what it knew has counted banks before but is not a voter: it is no
    // evidence that nothing was ever held.
    let has_lost = |answer: &Stopped| !answer.voter && answer.counted > 0;
    let nothing_was_ever_held = answers
        .values()
        .all(|answer| answer.position.0 == 0 && answer.held.is_empty() && !has_lost(answer));
    let rescue = answers.values().any(|answer| answer.voter && answer.rescue);
    let needs_no_voters = nothing_was_ever_held || rescue;
    (everybody && needs_no_voters) || voters_are_quorum(answers, banks)
}

fn voters_are_quorum(answers: &Answers, banks: usize) -> bool {
    let voters = || answers.values().filter(|answer| answer.voter);
    let counted = voters().map(|answer| answer.counted).max().unwrap_or_default();
    let enough_voters = match counted {
        0 => false,
        // If the list was shorter than now, all banks on it are needed.
        counted if counted < banks => voters().count() >= counted,
        _ => voters().count() > banks - majority(banks),
    };
    enough_voters && answers.len() >= majority(banks)
}

/// Banks that were not in the last view, or whose disk cannot tell.
pub(super) fn outsiders(answers: &Answers) -> BankSet {
    let voters = answers.values().filter(|answer| answer.voter);
    let Some(latest) = voters.map(|answer| answer.prepared).max() else {
        return BankSet::default();
    };
    let outside = |answer: &Stopped| !answer.voter || answer.prepared < latest;
    answers.iter().filter(|(_, answer)| outside(answer)).map(|(bank, _)| *bank).collect()
}

/// Banks that lack more than they could fetch while all others wait.
pub(super) fn far_behind(answers: &Answers) -> BankSet {
    let longest = answers.values().map(|answer| answer.position.0).max().unwrap_or_default();
    let is_far = |answer: &Stopped| longest - answer.position.0 > LAG_MAX;
    answers.iter().filter(|(_, answer)| is_far(answer)).map(|(bank, _)| *bank).collect()
}

/// How the view begins; `None` when the copies of the ledger differ and no majority says which is
/// right, when too few remain, or when a bank that still goes by a shorter list of banks could go
/// on without the others. The banks in `spare` take part only where there is no majority without
/// them, or while they know only such a shorter list. Call it only with answers that satisfy
/// [`is_quorum`].
pub(super) fn plan(
    ballot: Ballot,
    answers: &Answers,
    banks: usize,
    spare: BankSet,
) -> Option<PreparePlan> {
    let longest = answers.values().map(|answer| answer.position).max()?;
    let (source, hash) = right_copy(answers, banks)?;
    let longest_answer = &answers[&source];
    let last = longest_answer.executed.as_ref().map(|done| done.last);
    let (events, clock) = held_beyond(last, answers, banks);
    let fits = |answer: &Stopped| answer.position < longest || answer.hash == hash;
    let members = members(answers, longest.0, banks, spare, fits)?;
    // With the old list, those banks could go on among themselves until they have prepared a view
    // of the new one.
    let could_go_on = |(_, answer): &(&BankId, &Stopped)| knows_fewer(answer, banks);
    if !answers.iter().filter(could_go_on).all(|(bank, _)| members.contains(*bank)) {
        return None;
    }
    let founding = !voters_are_quorum(answers, banks);
    Some(PreparePlan {
        ballot,
        members,
        position: longest,
        hash,
        source,
        clock,
        events,
        founding,
        signed_from: None,
    })
}

/// What the banks that were in the latest view hold beyond the last executed event, each event with
/// a bank that has it; and the clock that covers all of it.
fn held_beyond(
    last: Option<OrderKey>,
    answers: &Answers,
    banks: usize,
) -> (Vec<(OrderKey, BankId)>, VectorClock) {
    let voters = || answers.iter().filter(|(_, answer)| answer.voter);
    let latest = voters().map(|(_, answer)| answer.prepared).max().unwrap_or_default();
    let mut clock = VectorClock::zero(banks);
    let mut events: BTreeMap<OrderKey, BankId> = BTreeMap::new();
    for (bank, answer) in voters().filter(|(_, answer)| answer.prepared == latest) {
        clock.merge(&answer.clock);
        // Keys are executed in order, so what is not above the last executed one is part of `P`.
        let beyond = answer.held.iter().filter(|key| last.is_none_or(|last| **key > last));
        for key in beyond {
            events.entry(*key).or_insert(*bank);
        }
    }
    (events.into_iter().collect(), clock)
}

/// Whether a disk counts, but still goes by a shorter list of banks.
fn knows_fewer(answer: &Stopped, banks: usize) -> bool {
    answer.voter && answer.counted < banks
}

/// The bank with the longest journal, and its hash. Where the longest ones differ, the majority
/// decides.
fn right_copy(answers: &Answers, banks: usize) -> Option<(BankId, ChainHash)> {
    let longest = answers.values().map(|answer| answer.position).max()?;
    let mut copies: BTreeMap<[u8; 32], Vec<BankId>> = BTreeMap::new();
    for (bank, answer) in answers.iter().filter(|(_, answer)| answer.position == longest) {
        copies.entry(answer.hash.0).or_default().push(*bank);
    }
    let (hash, holders) = copies.iter().max_by_key(|(_, holders)| holders.len())?;
    let undisputed = copies.len() == 1 || holders.len() >= majority(banks);
    undisputed.then(|| (holders[0], ChainHash(*hash)))
}

/// All banks but the spare ones. Of those, the banks that lack the least take part if they are
/// needed for a majority, and so do all that know fewer banks than there are now.
fn members(
    answers: &Answers,
    longest: u64,
    banks: usize,
    spare: BankSet,
    fits: impl Fn(&Stopped) -> bool,
) -> Option<BankSet> {
    let mut by_lag: Vec<_> = answers.iter().filter(|(_, answer)| fits(answer)).collect();
    by_lag.sort_by_key(|(bank, answer)| {
        (spare.contains(**bank), longest - answer.position.0, **bank)
    });
    let mut members = BankSet::default();
    for (bank, answer) in by_lag {
        let is_needed = members.len() < majority(banks) || knows_fewer(answer, banks);
        if !spare.contains(*bank) || is_needed {
            members.insert(*bank);
        }
    }
    (members.len() >= majority(banks)).then_some(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Position;

    fn ballot(round: u64) -> Ballot {
        Ballot { round, coordinator: BankId(0) }
    }

    fn key(view: u64, sum: u64, sender: u16) -> OrderKey {
        OrderKey { view: ballot(view), sum, sender: BankId(sender) }
    }

    /// An intact disk that prepared view `prepared` of three banks and executed `position`
    /// positions.
    fn answer(prepared: u64, position: u64, clock: [u64; 3], held: Vec<OrderKey>) -> Stopped {
        Stopped {
            ballot: ballot(9),
            prepared: ballot(prepared),
            voter: prepared > 0,
            acted: false,
            counted: if prepared > 0 { 3 } else { 0 },
            rescue: false,
            position: Position(position),
            hash: ChainHash([u8::try_from(position).unwrap(); 32]),
            executed: None,
            held,
            clock: clock.to_vec().into(),
        }
    }

    fn blank() -> Stopped {
        answer(0, 0, [0, 0, 0], Vec::new())
    }

    fn answers<const N: usize>(of: [(u16, Stopped); N]) -> Answers {
        of.into_iter().map(|(bank, answer)| (BankId(bank), answer)).collect()
    }

    #[test]
    fn only_a_first_start_with_every_bank_up_and_empty_forms_a_view_from_nothing() {
        assert!(is_quorum(&answers([(0, blank()), (1, blank()), (2, blank())]), 3));
        assert!(!is_quorum(&answers([(0, blank()), (1, blank())]), 3));
        let one_knows = answer(1, 5, [5, 0, 0], Vec::new());
        assert!(
            !is_quorum(&answers([(0, one_knows), (1, blank()), (2, blank())]), 3),
            "two of three disks are lost"
        );
    }

    #[test]
    fn damaged_disks_that_begin_anew_are_not_a_first_start() {
        let damaged = || Stopped { counted: 3, ..blank() };
        assert!(!is_quorum(&answers([(0, damaged()), (1, damaged()), (2, damaged())]), 3));
        assert!(!is_quorum(&answers([(0, damaged()), (1, blank()), (2, blank())]), 3));
    }

    #[test]
    fn a_first_start_that_was_interrupted_goes_on() {
        let prepared = answer(1, 0, [0, 0, 0], Vec::new());
        assert!(is_quorum(&answers([(0, prepared), (1, blank()), (2, blank())]), 3));
    }

    #[test]
    fn an_empty_disk_does_not_vote_and_two_intact_ones_of_three_suffice() {
        let intact = || answer(1, 5, [5, 0, 0], Vec::new());
        assert!(is_quorum(&answers([(0, intact()), (1, intact())]), 3));
        assert!(!is_quorum(&answers([(0, intact()), (1, blank())]), 3));
        assert!(is_quorum(&answers([(0, intact()), (1, blank()), (2, intact())]), 3));
    }

    #[test]
    fn of_two_banks_one_intact_disk_knows_everything_but_both_must_be_there() {
        let counted = |counted| Stopped { counted, ..answer(1, 5, [5, 0, 0], Vec::new()) };
        assert!(is_quorum(&answers([(0, counted(2)), (1, blank())]), 2));
        assert!(!is_quorum(&answers([(0, counted(2))]), 2));
    }

    #[test]
    fn new_banks_count_once_all_old_ones_have_let_them_in() {
        let old = || answer(1, 5, [5, 0, 0], Vec::new());
        assert!(!is_quorum(&answers([(0, old()), (1, old()), (3, blank())]), 4));
        assert!(is_quorum(&answers([(0, old()), (1, old()), (2, old())]), 4));
    }

    #[test]
    fn the_first_view_of_a_longer_list_needs_every_disk_of_the_shorter_one() {
        let hash = ChainHash([1; 32]);
        let at = |position| Stopped {
            position: Position(position),
            hash,
            ..answer(1, 1, [1, 0, 0], Vec::new())
        };
        let far = LAG_MAX + 10;
        let new = || Stopped { position: Position(far), hash, ..blank() };
        let old_ones = [(0, at(far)), (1, at(0)), (2, at(far)), (3, new()), (4, new())];
        let all = answers(old_ones.clone());
        assert!(is_quorum(&all, 5));
        assert_eq!(
            plan(ballot(9), &all, 5, far_behind(&all)).unwrap().members,
            BankSet::all(5),
            "bank 1 too, however far behind"
        );

        let mut differs = answers(old_ones);
        differs.get_mut(&BankId(1)).unwrap().position = Position(far);
        differs.get_mut(&BankId(1)).unwrap().hash = ChainHash([2; 32]);
        assert!(is_quorum(&differs, 5));
        assert!(
            plan(ballot(9), &differs, 5, far_behind(&differs)).is_none(),
            "it cannot be a member, and must not be left with the old list"
        );
    }

    #[test]
    fn a_person_may_let_a_survivor_decide_once_all_banks_are_there() {
        let survivor = || Stopped { rescue: true, ..answer(1, 5, [5, 0, 0], Vec::new()) };
        assert!(is_quorum(&answers([(0, survivor()), (1, blank()), (2, blank())]), 3));
        assert!(!is_quorum(&answers([(0, survivor()), (1, blank())]), 3));
    }

    #[test]
    fn a_view_begins_with_the_longest_journal_and_all_held_events_of_the_latest_view() {
        let last = Some(Executions {
            last: key(2, 3, 0),
            members: BankSet::all(3),
            clock: vec![1, 1, 1].into(),
        });
        let ahead = Stopped { executed: last, ..answer(2, 7, [1, 1, 1], vec![key(2, 4, 0)]) };
        let behind = answer(2, 6, [1, 1, 2], vec![key(2, 3, 0), key(2, 4, 2)]);
        let old = answer(1, 3, [9, 9, 9], vec![key(1, 20, 1)]);
        let plan =
            plan(ballot(9), &answers([(0, ahead), (1, behind), (2, old)]), 3, BankSet::default())
                .unwrap();
        assert_eq!((plan.position, plan.source), (Position(7), BankId(0)));
        assert_eq!(plan.events, [(key(2, 4, 0), BankId(0)), (key(2, 4, 2), BankId(1))]);
        assert_eq!(plan.clock, vec![1, 1, 2].into());
        assert_eq!(plan.members, BankSet::all(3));
    }

    #[test]
    fn a_fetched_journal_counts_for_what_is_executed_but_not_for_what_is_held() {
        let learner = Stopped { voter: false, ..answer(0, 8, [0, 0, 0], vec![key(1, 30, 2)]) };
        let intact = || answer(2, 7, [3, 2, 2], vec![key(2, 8, 0)]);
        let plan = plan(
            ballot(9),
            &answers([(0, intact()), (1, intact()), (2, learner)]),
            3,
            BankSet::default(),
        )
        .unwrap();
        assert_eq!((plan.position, plan.source), (Position(8), BankId(2)));
        assert_eq!(plan.events, [(key(2, 8, 0), BankId(0))]);
    }

    #[test]
    fn a_spare_bank_stays_outside_unless_there_is_no_majority_without_it() {
        let far = LAG_MAX + 10;
        let hash = ChainHash([1; 32]);
        let at = |position| Stopped {
            position: Position(position),
            hash,
            ..answer(2, 1, [1, 0, 0], Vec::new())
        };
        let all = answers([(0, at(far)), (1, at(far)), (2, at(0))]);
        assert_eq!(far_behind(&all), BankSet::default().with(BankId(2)));
        assert_eq!(plan(ballot(9), &all, 3, far_behind(&all)).unwrap().members, BankSet::all(2));
        let two = answers([(0, at(far)), (2, at(0))]);
        assert!(plan(ballot(9), &two, 3, far_behind(&two)).unwrap().members.contains(BankId(2)));
    }

    #[test]
    fn outsiders_are_those_that_were_not_in_the_latest_view_or_whose_disk_cannot_tell() {
        let inside = || answer(3, 7, [1, 1, 1], Vec::new());
        let learner = Stopped { voter: false, ..inside() };
        let all = answers([
            (0, inside()),
            (1, inside()),
            (2, answer(2, 7, [1, 1, 1], Vec::new())),
            (3, learner),
        ]);
        assert_eq!(outsiders(&all), [BankId(2), BankId(3)].into_iter().collect());
        assert!(
            outsiders(&answers([(0, blank()), (1, blank())])).is_empty(),
            "where nothing was nobody is outside"
        );
    }

    #[test]
    fn a_copy_that_differs_from_most_is_left_out_and_without_a_majority_no_view_begins() {
        let with =
            |hash| Stopped { hash: ChainHash([hash; 32]), ..answer(2, 5, [5, 0, 0], Vec::new()) };
        let outvoted = plan(
            ballot(9),
            &answers([(0, with(9)), (1, with(5)), (2, with(5))]),
            3,
            BankSet::default(),
        )
        .unwrap();
        assert_eq!(outvoted.members, [BankId(1), BankId(2)].into_iter().collect());
        assert!(
            plan(ballot(9), &answers([(0, with(9)), (1, with(5))]), 3, BankSet::default())
                .is_none()
        );
    }

    #[test]
    fn a_disk_that_lacks_what_another_has_executed_with_it_has_forgotten() {
        let done = Executions {
            last: key(2, 3, 0),
            members: BankSet::all(3),
            clock: vec![1, 1, 1].into(),
        };
        let witness = Stopped { executed: Some(done), ..answer(2, 7, [1, 1, 1], Vec::new()) };
        let holds = answer(2, 6, [1, 1, 1], vec![key(2, 3, 0)]);
        let lacks = answer(2, 6, [1, 1, 0], Vec::new());
        let older = answer(1, 3, [4, 4, 4], Vec::new());
        let found = |bank| lost_state(&answers([(0, witness.clone()), (1, bank)]));
        assert!(found(holds).is_empty());
        assert_eq!(found(lacks), [BankId(1)]);
        assert_eq!(found(older), [BankId(1)], "it was a member and does not know the view");
        assert!(found(blank()).is_empty(), "it does not vote anyway");
        let acted = Stopped { acted: true, ..answer(2, 6, [1, 1, 0], Vec::new()) };
        assert!(found(acted).is_empty(), "somebody has lied in its name");
    }

    #[test]
    fn an_outsider_that_has_fetched_past_what_its_clock_lacks_has_forgotten_nothing() {
        let done =
            |last| Some(Executions { last, members: BankSet::all(3), clock: vec![1, 1, 1].into() });
        let witness =
            Stopped { executed: done(key(2, 3, 0)), ..answer(2, 7, [1, 1, 1], Vec::new()) };
        let restarted =
            |last| Stopped { executed: done(last), ..answer(2, 9, [1, 0, 0], Vec::new()) };
        let found = |bank| lost_state(&answers([(0, witness.clone()), (1, bank)]));
        assert!(
            found(restarted(key(3, 5, 0))).is_empty(),
            "the snapshot of a later view holds all of it"
        );
        assert!(found(restarted(key(2, 3, 0))).is_empty());
        assert_eq!(found(restarted(key(2, 2, 0))), [BankId(1)]);
        let does_not_know_the_view = Stopped { prepared: ballot(1), ..restarted(key(3, 5, 0)) };
        assert_eq!(
            found(does_not_know_the_view),
            [BankId(1)],
            "a disk set back in time that has fetched since"
        );
    }

    #[test]
    fn what_a_flush_executed_proves_nothing_against_a_bank_that_it_never_reached() {
        let flushed = Executions {
            last: key(2, 3, 0),
            members: BankSet::all(3),
            clock: vec![1, 1, 1].into(),
        };
        let witness = Stopped { executed: Some(flushed), ..answer(3, 7, [1, 1, 1], Vec::new()) };
        let never_had_it = answer(2, 6, [1, 1, 0], Vec::new());
        assert!(lost_state(&answers([(0, witness), (1, never_had_it)])).is_empty());
    }
}
