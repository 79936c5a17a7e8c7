//! The coordinator's side of a view change: the steps of an attempt.

use super::View;
use super::attempt::{Attempt, Preparing, Step};
use super::message::{PreparePlan, Stopped, ViewMessage};
use super::phase::PhaseName;
use super::plan::{Answers, far_behind, is_quorum, lost_state, outsiders, plan};
use super::ticks::{Headway, Ticks, count};
use super::wish::Wish;
use crate::ids::{Ballot, BankId, BankSet};
use crate::protocol::effect::Effect;
use crate::protocol::notice::Notice;
use crate::protocol::report::PeerReport;
use crate::protocol::vector_clock::VectorClock;

/// How long the coordinator waits for the last answers to `STOP` once a majority has answered.
const STRAGGLERS: Ticks = 10;
/// How long it waits for the answer of a bank that was not in the last view.
const JOINER_STOPS_WITHIN: Ticks = 4;
/// The longest wait after an attempt that came to nothing.
const PAUSE_MAX: Ticks = 8;
/// How many attempts must have found too few intact disks before a person is told.
const FRUITLESS_TOLD: u16 = 3;

impl View {
    /// Starts, repeats or gives up an attempt.
    pub(super) fn coordinate(&mut self, out: &mut Vec<Effect>) {
        let clique = self.clique();
        if self.coordination.attempt.is_some() {
            return self.carry_on(clique, out);
        }
        let Some(wish) = self.wish(clique) else {
            self.coordination.wanting = 0;
            return;
        };
        count(&mut self.coordination.wanting);
        if self.is_my_turn(clique) {
            self.ask_all(wish, clique, out);
        }
    }

    /// Asks the others whether they see the fault too.
    fn ask_all(&mut self, wish: Wish, clique: BankSet, out: &mut Vec<Effect>) {
        let ballot = self.next_ballot();
        let granted = BankSet::default().with(self.me);
        self.coordination.enter(ballot, Step::Asking { granted }, 0);
        self.ask(ballot, wish, clique.difference(granted), out);
        self.begin_if_granted();
    }

    fn next_ballot(&self) -> Ballot {
        let promised = self.disk.promised.round;
        // Above all that it has heard of, as far as the others will follow.
        let above = self.highest_round().min(self.rounds.proposed_above()).max(promised);
        Ballot { round: above + 1, coordinator: self.me }
    }

    fn ask(&mut self, ballot: Ballot, wish: Wish, others: BankSet, out: &mut Vec<Effect>) {
        let Wish { away, joining } = wish;
        self.tell(others, &ViewMessage::WouldStop { ballot, away, joining }, out);
    }

    fn tell(&mut self, banks: BankSet, message: &ViewMessage, out: &mut Vec<Effect>) {
        banks.iter().for_each(|bank| self.send(bank, message.clone(), out));
    }

    pub(super) fn coordinate_granted(&mut self, from: BankId, ballot: Ballot) {
        if let Some(Attempt { step: Step::Asking { granted }, .. }) = self.coordination.at(ballot) {
            granted.insert(from);
            self.begin_if_granted();
        }
    }

    fn begin_if_granted(&mut self) {
        if let Some(Attempt { step: Step::Asking { granted }, .. }) = &self.coordination.attempt
            && self.is_majority(*granted)
        {
            self.begin();
        }
    }

    /// Stops the banks that hear each other.
    pub(super) fn begin(&mut self) {
        let ballot = self.next_ballot();
        if !self.may_promise(ballot) {
            // In a while it may.
            return self.give_up(true);
        }
        self.coordination.enter(ballot, Step::stopping(self.clique()), 0);
        // The others hear of the ballot only once this bank's own promise is on disk, so that no
        // ballot is ever used twice.
        self.inbox.push_back(ViewMessage::Stop(ballot));
    }

    /// This bank's own promise is on disk.
    pub(super) fn coordinate_stop_others(&mut self, out: &mut Vec<Effect>) {
        let ballot = self.disk.promised;
        if let Some(Attempt { step: Step::Stopping { invited, .. }, .. }) =
            self.coordination.at(ballot)
        {
            let mut others = *invited;
            others.remove(self.me);
            self.tell(others, &ViewMessage::Stop(ballot), out);
        }
    }

    /// One tick of an attempt.
    fn carry_on(&mut self, clique: BankSet, out: &mut Vec<Effect>) {
        let wish = self.wish(clique);
        let Some(attempt) = &mut self.coordination.attempt else { return };
        attempt.tick(self.me, self.headway.progress);
        let is_due = attempt.is_to_be_said_again();
        let ballot = attempt.ballot;
        let is_asking = matches!(attempt.step, Step::Asking { .. });
        let has_stood_still = attempt.has_stood_still();
        if has_stood_still || self.is_hopeless(wish, clique) {
            return self.give_up(has_stood_still);
        }
        if self.go_on_without_the_late(clique) {
            return;
        }
        if is_due && (is_asking || self.has_stopped_for(ballot)) {
            self.say_again(wish, clique, out);
        }
        self.plan_if_known(clique, out);
    }

    /// Whether the attempt can no longer succeed.
    fn is_hopeless(&self, wish: Option<Wish>, clique: BankSet) -> bool {
        let Some(Attempt { ballot, step, .. }) = &self.coordination.attempt else { return false };
        let too_few = !self.is_majority(clique);
        let is_overtaken = self.disk.promised > *ballot;
        is_overtaken
            || match step {
                Step::Asking { .. } => too_few || wish.is_none(),
                Step::Stopping { .. } => too_few,
                Step::Preparing(preparing) => !preparing.plan.members.difference(clique).is_empty(),
                // A member may be gone before it has heard `START`: the next view change does not
                // wait for it.
                Step::Starting { .. } => self.active().is_none() || wish.is_some(),
            }
    }

    /// Whether this bank's own promise to this ballot, and with it its own state, is on disk.
    fn has_stopped_for(&self, ballot: Ballot) -> bool {
        let is_on_its_way = matches!(self.phase(), PhaseName::Freezing | PhaseName::Promising);
        self.disk.promised == ballot && !is_on_its_way
    }

    pub(super) fn give_up(&mut self, wait: bool) {
        self.coordination.attempt = None;
        if wait {
            // Spread by bank and round, so that two coordinators do not collide again and again.
            let round = self.disk.promised.round;
            let spread = round.wrapping_mul(7).wrapping_add(u64::from(self.me.0) * 3);
            self.coordination.pause =
                1 + Ticks::try_from(spread % u64::from(PAUSE_MAX)).expect("below PAUSE_MAX");
        }
    }

    /// Sends the message of the attempt's step again to the banks that have not answered it.
    fn say_again(&mut self, wish: Option<Wish>, clique: BankSet, out: &mut Vec<Effect>) {
        let Some(Attempt { ballot, step, .. }) = self.coordination.attempt.clone() else { return };
        match step {
            Step::Asking { granted } => {
                if let Some(wish) = wish {
                    self.ask(ballot, wish, clique.difference(granted), out);
                }
            }
            Step::Stopping { mut invited, answers } => {
                invited.remove(self.me);
                let answered = answers.keys().copied().collect();
                self.tell(invited.difference(answered), &ViewMessage::Stop(ballot), out);
            }
            // Also to those that are ready, so that they know that the attempt goes on.
            Step::Preparing(Preparing { plan, .. }) => {
                let mut members = plan.members;
                members.remove(self.me);
                self.tell(members, &ViewMessage::Prepare(plan), out);
            }
            Step::Starting { members } => self.start_the_rest(ballot, members, out),
        }
    }

    /// Tells members that do not act yet that the view is in force; when all do, the attempt is
    /// over.
    fn start_the_rest(&mut self, ballot: Ballot, members: BankSet, out: &mut Vec<Effect>) {
        let has_heard = |bank: &BankId| self.active_of(*bank) == Some(ballot);
        let mut rest = members.difference(members.iter().filter(has_heard).collect());
        rest.remove(self.me);
        if rest.is_empty() {
            self.coordination.attempt = None;
        }
        self.tell(rest, &ViewMessage::Start(ballot), out);
    }

    pub(super) fn coordinate_refused(&mut self, from: BankId, refused: Ballot, promised: Ballot) {
        // The next attempt goes above it.
        self.names_round(from, promised.round);
        // The refusal of an earlier attempt says nothing about this one.
        let Some(attempt) = self.coordination.at(refused) else { return };
        // A bank that had promised this and now refuses the plan has been restarted, or has lost
        // its disk, meanwhile.
        let cannot_take_part = match &attempt.step {
            Step::Preparing(preparing) => preparing.plan.members.contains(from),
            _ => false,
        };
        if promised > refused || cannot_take_part {
            self.give_up(true);
        }
    }

    pub(super) fn coordinate_stopped(
        &mut self,
        from: BankId,
        mut stopped: Stopped,
        out: &mut Vec<Effect>,
    ) {
        let banks = self.banks;
        let Some(attempt) = self.coordination.at(stopped.ballot) else { return };
        let Step::Stopping { answers, .. } = &mut attempt.step else { return };
        if !stopped.fits(banks) {
            return;
        }
        // What was executed before the consortium grew knows fewer banks.
        stopped.executed.iter_mut().for_each(|done| done.clock.merge(&VectorClock::zero(banks)));
        answers.insert(from, stopped);
        attempt.idle = 0;
        let clique = self.clique();
        self.plan_if_known(clique, out);
    }

    /// Makes the plan once everybody who can be reached has answered, or enough have and the others
    /// are late.
    fn plan_if_known(&mut self, clique: BankSet, out: &mut Vec<Effect>) {
        let Some(Attempt { ballot, step: Step::Stopping { invited, answers }, idle, age, .. }) =
            &self.coordination.attempt
        else {
            return;
        };
        let (ballot, age) = (*ballot, *age);
        let answered: BankSet = answers.keys().copied().collect();
        let awaited = invited.intersection(clique).difference(answered);
        let all_here = !awaited.iter().any(|bank| self.waits_for_answer_of(bank, age));
        let has_waited = all_here || *idle >= STRAGGLERS;
        if !(has_waited && self.is_majority(answered)) {
            return;
        }
        let answers = self.without_lost_votes(ballot, answers.clone(), out);
        // What a bank that has fallen out of the clique meanwhile has told is taken note of, but
        // the bank cannot take part.
        let is_present = |bank: &BankId| clique.contains(*bank);
        let present: Answers = answers.into_iter().filter(|(bank, _)| is_present(bank)).collect();
        let enough = is_quorum(&present, self.banks);
        let plan = enough.then(|| plan(ballot, &present, self.banks, self.spare(&present)));
        if let Some(plan) = plan.flatten() {
            // The wish of such a bank to join still counts: if it were not barred, the others would
            // stop for it again at once.
            self.bar(awaited.iter().filter(|bank| self.seems_outside(*bank)).collect());
            let joiners = plan.members.intersection(outsiders(&present));
            self.prepare_all(plan, joiners, age, out);
        } else if all_here {
            // All have answered, and that is not enough: other banks have to turn up first.
            self.give_up(true);
            if !enough {
                self.found_too_few_disks(&present, out);
            }
        }
    }

    fn waits_for_answer_of(&self, bank: BankId, age: Ticks) -> bool {
        let is_in_time = age < JOINER_STOPS_WITHIN || !self.seems_outside(bank);
        is_in_time && !self.peers[bank.index()].is_barred()
    }

    /// Whether a bank seems not to have been in the last view.
    fn seems_outside(&self, bank: BankId) -> bool {
        let was_in_it = |report: PeerReport| report.voter && report.prepared >= self.disk.prepared;
        bank != self.me && !self.peers[bank.index()].report.is_some_and(was_in_it)
    }

    /// The answers, without the votes of disks that lack what another bank proves they once had;
    /// the banks of those disks are told.
    fn without_lost_votes(
        &mut self,
        ballot: Ballot,
        mut answers: Answers,
        out: &mut Vec<Effect>,
    ) -> Answers {
        for bank in lost_state(&answers) {
            answers.entry(bank).and_modify(|answer| answer.voter = false);
            self.send(bank, ViewMessage::Forgotten(ballot), out);
        }
        answers
    }

    /// Banks that take part only if there is no majority without them: those that were waited for
    /// in vain lately; and also, if a view was in force here, those that were not in it and have
    /// not asked to join, or if none was, those that are far behind.
    fn spare(&self, answers: &Answers) -> BankSet {
        let has_asked = |bank: &BankId| self.peers[bank.index()].has_asked_to_join();
        let outside = match self.last_in_force {
            None => far_behind(answers),
            Some(_) => outsiders(answers).iter().filter(|bank| !has_asked(bank)).collect(),
        };
        self.barred().union(outside)
    }

    fn found_too_few_disks(&mut self, answers: &Answers, out: &mut Vec<Effect>) {
        self.coordination.was_fruitless();
        // A first start that waits for all banks has lost nothing.
        let something_was = answers.values().any(|answer| answer.counted > 0);
        if something_was && self.coordination.fruitless == FRUITLESS_TOLD {
            let intact =
                answers.iter().filter(|(_, answer)| answer.voter).map(|(bank, _)| *bank).collect();
            out.push(Effect::Notice(Notice::TooFewDisks {
                answered: answers.keys().copied().collect(),
                intact,
            }));
        }
    }

    /// Sends the plan to its members.
    fn prepare_all(
        &mut self,
        plan: PreparePlan,
        joiners: BankSet,
        age: Ticks,
        out: &mut Vec<Effect>,
    ) {
        let (ballot, members) = (plan.ballot, plan.members);
        let plan = PreparePlan { signed_from: self.signed_from(&plan), ..plan };
        let prepare = ViewMessage::Prepare(plan.clone());
        let (ready, headway) = (BankSet::default(), vec![Headway::default(); self.banks]);
        let preparing = Preparing { plan, ready, joiners, headway };
        self.coordination.enter(ballot, Step::Preparing(preparing), age);
        self.tell(members, &prepare, out);
    }

    pub(super) fn coordinate_working(&mut self, from: BankId, ballot: Ballot, progress: u32) {
        if let Some(Attempt { step: Step::Preparing(preparing), .. }) = self.coordination.at(ballot)
        {
            preparing.headway[from.index()].hear(progress);
        }
    }

    /// A member has the plan on disk: once all have, the view begins.
    pub(super) fn coordinate_ready(&mut self, from: BankId, ballot: Ballot, out: &mut Vec<Effect>) {
        let Some(attempt) = self.coordination.at(ballot) else { return };
        let Step::Preparing(preparing) = &mut attempt.step else { return };
        let members = preparing.plan.members;
        if !members.contains(from) {
            return;
        }
        attempt.idle = 0;
        preparing.ready.insert(from);
        let (all_ready, age) = (preparing.unready().is_empty(), attempt.age);
        self.peers[from.index()].bars = 0;
        if all_ready {
            self.coordination.enter(ballot, Step::Starting { members }, age);
            self.tell(members, &ViewMessage::Start(ballot), out);
        }
    }
}
