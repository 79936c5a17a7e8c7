//! The coordinator's side of a view change.

use std::collections::BTreeMap;

use super::attempt::{Coordination, Moves, Step};
use super::hearing::largest_clique;
use super::plan::{Answers, far_behind, is_quorum, lost_state, outsiders, plan};
use super::{MemberStatus, Phase, RESEND, Stopped, Ticks, View, ViewMessage};
use crate::ids::{Ballot, BankId, BankSet, majority};
use crate::protocol::effect::Effect;
use crate::protocol::notice::Notice;
use crate::protocol::report::PeerReport;
use crate::protocol::vector_clock::VectorClock;

/// For how long a bank's wish to join counts.
pub(super) const JOIN_COUNTS: Ticks = 30;
/// How long a step of an attempt may stand still before the coordinator gives up and tries a higher
/// ballot.
const PATIENCE: Ticks = 50;
/// How long grants are waited for.
const ASK_WITHIN: Ticks = 10;
/// How long the last answers to `STOP` are waited for once a majority has answered.
const STRAGGLERS: Ticks = 10;
/// How long each further bank waits before it takes over from those before it.
const TAKE_OVER: Ticks = 30;
/// For how long an attempt of another that goes forward is left alone.
const COURTESY: Ticks = 20;
/// Longest wait after an attempt that came to nothing.
const PAUSE_MAX: Ticks = 8;
/// Longest wait once another bank is heard.
pub(super) const PAUSE_FOR_NEWS: Ticks = 2;
/// How many attempts must have found too few intact disks before a person is told.
const FRUITLESS_TOLD: u16 = 3;
/// Longest wait after attempts that all found too few intact disks.
const FRUITLESS_PAUSE_MAX: Ticks = 100;
/// How long the others wait for a member of the last view with which nothing goes forward, if they
/// can do without it.
const STALLED: Ticks = 20;
/// How long, all in all, they wait for a bank that was not in the last view: it fetches, and they
/// do nothing meanwhile.
const JOINER_WITHIN: Ticks = 10;
/// How long its answer to `STOP` is waited for.
const JOINER_STOPS_WITHIN: Ticks = 4;
/// How long a bank that was waited for in vain takes part only if it is needed; doubles each time,
/// so many times.
const BAR_FIRST: Ticks = 30;
const BARS_MAX: u16 = 5;

/// Why a view change is wanted.
#[derive(Clone, Copy)]
struct Wish {
    /// Members of the view in force that have failed.
    away: BankSet,
    /// Banks outside that are to be let in.
    joining: BankSet,
}

impl View {
    /// The largest clique of banks that all hear each other, this one among them.
    fn clique(&self) -> BankSet {
        let heard = self.heard();
        let row = |bank: BankId| {
            let peer = &self.peers[bank.index()];
            match peer.report {
                _ if bank == self.me => heard,
                Some(report) if heard.contains(bank) && !report.diverged && !peer.diverged => {
                    report.hears.with(bank)
                }
                _ => BankSet::default(),
            }
        };
        let rows: Vec<_> = BankId::all(self.banks).map(row).collect();
        let members = self.active().map(|(_, members)| members).unwrap_or_default();
        largest_clique(self.me, &rows, members)
    }

    fn wish(&self, clique: BankSet) -> Option<Wish> {
        if clique.len() < majority(self.banks) {
            return None;
        }
        let Some((_, members)) = self.active() else {
            let in_a_step =
                matches!(self.phase, Phase::Freezing | Phase::Promising | Phase::Writing);
            let somebody_acts = clique.iter().any(|bank| self.active_of(bank).is_some());
            let wish = Wish { away: BankSet::default(), joining: BankSet::default() };
            return (!in_a_step && !somebody_acts).then_some(wish);
        };
        let failed = |bank: &BankId| {
            *bank != self.me && matches!(self.statuses[bank.index()], MemberStatus::Away(_))
        };
        let wishes = |bank: &BankId| self.peers[bank.index()].joining > 0 && !self.is_barred(*bank);
        let away: BankSet =
            members.iter().filter(|bank| failed(bank) || !clique.contains(*bank)).collect();
        let joining: BankSet = clique.difference(members).iter().filter(wishes).collect();
        (!away.is_empty() || !joining.is_empty()).then_some(Wish { away, joining })
    }

    /// The view in which another bank says it acts. One below that prepared here has ended, whether
    /// that bank knows it or not: a majority froze before this one was planned, so some member of
    /// the other will never move in it again.
    pub(super) fn active_of(&self, bank: BankId) -> Option<Ballot> {
        let active = self.peers[bank.index()].report.and_then(|report| report.active);
        active.filter(|view| *view >= self.prepared)
    }

    /// This bank's turn among those who may coordinate: first who acts, then who prepared the
    /// latest view, by number. A bank whose disk has lost something never does, unless nobody's has
    /// anything.
    fn turn(&self, clique: BankSet) -> Option<Ticks> {
        let report = |bank: BankId| match self.peers[bank.index()].report {
            _ if bank == self.me => Some(self.report()),
            report => report,
        };
        let mut order: Vec<_> =
            clique.iter().filter_map(|bank| report(bank).map(|report| (report, bank))).collect();
        let voters = order.iter().any(|(report, _)| report.voter);
        order.retain(|(report, _)| report.voter || !voters);
        let latest = order.iter().map(|(report, _)| report.prepared).max()?;
        let acts = |report: &PeerReport| report.active == Some(latest);
        order.sort_by_key(|(report, bank)| (!acts(report), report.prepared != latest, *bank));
        let turn = order.iter().position(|(_, bank)| *bank == self.me)?;
        Ticks::try_from(turn).ok()
    }

    /// Whether another bank's attempt goes forward here.
    fn another_is_at_it(&self) -> bool {
        let in_attempt =
            matches!(self.phase, Phase::Promised | Phase::Fetching | Phase::Writing | Phase::Ready);
        let coordinator = self.promised.coordinator;
        in_attempt && coordinator != self.me && self.hears(coordinator) && self.idle < COURTESY
    }

    /// Starts, repeats or gives up an attempt.
    pub(super) fn coordinate(&mut self, out: &mut Vec<Effect>) {
        let clique = self.clique();
        if self.coordination.is_some() {
            return self.carry_on(clique, out);
        }
        let Some(wish) = self.wish(clique) else {
            self.wanting = 0;
            return;
        };
        self.wanting = self.wanting.saturating_add(1).min(super::TICKS_MAX);
        let Some(turn) = self.turn(clique) else { return };
        if self.pause > 0
            || self.wanting <= turn * TAKE_OVER
            || self.another_is_at_it()
            || self.replaying
        {
            return;
        }
        let ballot =
            Ballot { round: self.round_seen.max(self.promised.round) + 1, coordinator: self.me };
        let granted = BankSet::default().with(self.me);
        self.attempt(ballot, Step::Asking { granted }, 0);
        self.ask(ballot, wish, clique.difference(granted), out);
        self.begin_if_granted();
    }

    fn attempt(&mut self, ballot: Ballot, step: Step, age: Ticks) {
        self.coordination = Some(Coordination { ballot, step, idle: 0, since_said: 0, age });
    }

    fn is_barred(&self, bank: BankId) -> bool {
        self.peers[bank.index()].barred > 0
    }

    fn barred(&self) -> BankSet {
        BankId::all(self.banks).filter(|bank| self.is_barred(*bank)).collect()
    }

    /// Others waited for these in vain: for a while, longer each time, they take part only if they
    /// are needed.
    pub(super) fn bar(&mut self, banks: BankSet) {
        for bank in banks.iter() {
            let peer = &mut self.peers[bank.index()];
            if peer.barred == 0 {
                peer.barred = BAR_FIRST << peer.bars.min(BARS_MAX);
                peer.bars = (peer.bars + 1).min(BARS_MAX);
            }
        }
    }

    fn ask(
        &mut self,
        ballot: Ballot,
        Wish { away, joining }: Wish,
        others: BankSet,
        out: &mut Vec<Effect>,
    ) {
        for bank in others.iter() {
            self.send(bank, ViewMessage::WouldStop { ballot, away, joining }, out);
        }
    }

    /// Another bank wants to stop the network: granted if this bank sees the reason itself.
    pub(super) fn would_stop(
        &mut self,
        from: BankId,
        ballot: Ballot,
        away: BankSet,
        joining: BankSet,
        out: &mut Vec<Effect>,
    ) {
        let granted = ballot > self.promised
            && match self.active() {
                Some((_, members)) => {
                    let clique = self.clique();
                    let failed = |bank: BankId| {
                        bank != self.me
                            && (matches!(self.statuses[bank.index()], MemberStatus::Away(_))
                                || !clique.contains(bank))
                    };
                    let sees_failure = away.intersection(members).iter().any(failed);
                    let may_join = |bank: BankId| self.hears(bank) && !self.is_barred(bank);
                    sees_failure || (!joining.is_empty() && joining.iter().all(may_join))
                }
                None => {
                    let theirs = self.active_of(from);
                    let others_act = |bank: BankId| {
                        self.active_of(bank).is_some_and(|view| Some(view) != theirs)
                    };
                    !self.heard().iter().any(|bank| bank != from && others_act(bank))
                }
            };
        if granted {
            self.send(from, ViewMessage::Granted(ballot), out);
        }
    }

    pub(super) fn coordinate_granted(&mut self, from: BankId, ballot: Ballot) {
        if let Some(attempt) = &mut self.coordination
            && attempt.ballot == ballot
            && let Step::Asking { granted } = &mut attempt.step
        {
            granted.insert(from);
            self.begin_if_granted();
        }
    }

    fn begin_if_granted(&mut self) {
        let Some(Coordination { step: Step::Asking { granted }, .. }) = &self.coordination else {
            return;
        };
        if granted.len() >= majority(self.banks) {
            self.begin();
        }
    }

    fn begin(&mut self) {
        let ballot =
            Ballot { round: self.round_seen.max(self.promised.round) + 1, coordinator: self.me };
        let invited = self.clique();
        self.attempt(ballot, Step::Stopping { invited, answers: BTreeMap::new() }, 0);
        // The others hear of the ballot once the own promise is on disk, so that no ballot is ever
        // used twice.
        self.inbox.push_back(ViewMessage::Stop(ballot));
    }

    pub(super) fn coordinate_stop_others(&mut self, out: &mut Vec<Effect>) {
        let ballot = self.promised;
        if let Some(Coordination {
            ballot: attempted, step: Step::Stopping { invited, .. }, ..
        }) = &self.coordination
            && *attempted == ballot
        {
            for bank in invited.iter().filter(|bank| *bank != self.me).collect::<Vec<_>>() {
                self.send(bank, ViewMessage::Stop(ballot), out);
            }
        }
    }

    /// One tick of an attempt.
    fn carry_on(&mut self, clique: BankSet, out: &mut Vec<Effect>) {
        let wish = self.wish(clique);
        let (me, own_progress) = (self.me, self.progress);
        let Some(attempt) = &mut self.coordination else { return };
        attempt.idle += 1;
        attempt.age += 1;
        attempt.since_said += 1;
        if let Step::Preparing { moves, .. } = &mut attempt.step {
            moves.iter_mut().for_each(|moves| moves.idle += 1);
            moves[me.index()].hear(own_progress);
        }
        let (ballot, idle) = (attempt.ballot, attempt.idle);
        let say_again = attempt.since_said >= RESEND;
        if say_again {
            attempt.since_said = 0;
        }
        let too_few = clique.len() < majority(self.banks);
        let (hopeless, over) = match &attempt.step {
            Step::Asking { .. } => (too_few || wish.is_none(), idle >= ASK_WITHIN),
            Step::Stopping { .. } => (too_few, idle >= PATIENCE),
            Step::Preparing { plan, .. } => (!plan.members.difference(clique).is_empty(), false),
            // A member may be gone before it has heard: the next view change does not wait for it.
            Step::Starting { .. } => {
                (self.phase != Phase::Active || wish.is_some(), idle >= PATIENCE)
            }
        };
        let overtaken = self.promised > ballot;
        if hopeless || over || overtaken {
            return self.give_up(over);
        }
        if self.go_on_without_the_late(clique) {
            return;
        }
        let own_step_first =
            self.promised != ballot || matches!(self.phase, Phase::Freezing | Phase::Promising);
        if say_again && (self.is_asking() || !own_step_first) {
            self.say_again(wish, clique, out);
        }
        self.plan_if_known(clique, out);
    }

    /// Whether the plan is given up because members do not come forward. Where the others are ready
    /// and suffice, or may with banks that are not in the plan, they go on at once without those;
    /// where not, all are asked anew in a while, as another source or coordinator may help.
    fn go_on_without_the_late(&mut self, clique: BankSet) -> bool {
        let Some(Coordination {
            step: Step::Preparing { plan, ready, joiners, moves }, age, ..
        }) = &self.coordination
        else {
            return false;
        };
        let unready = plan.members.difference(*ready);
        let idle = |bank: BankId| moves[bank.index()].idle;
        let late = |bank: &BankId| {
            idle(*bank) >= STALLED || (joiners.contains(*bank) && *age >= JOINER_WITHIN)
        };
        let late: BankSet = unready.iter().filter(late).collect();
        let stalled: BankSet =
            unready.iter().filter(|bank| idle(*bank) >= self.patience_with(*bank)).collect();
        let is_majority = |banks: BankSet| banks.len() >= majority(self.banks);
        let left_out = match () {
            () if unready.is_empty() => return false,
            () if unready.difference(late).is_empty()
                && is_majority(plan.members.difference(late)) =>
            {
                late
            }
            () if unready.difference(stalled).is_empty()
                && is_majority(clique.difference(stalled)) =>
            {
                stalled
            }
            () => {
                let hopeless: BankSet =
                    stalled.iter().filter(|bank| idle(*bank) >= PATIENCE).collect();
                if !hopeless.is_empty() {
                    self.bar(hopeless);
                    self.give_up(true);
                }
                return !hopeless.is_empty();
            }
        };
        self.bar(left_out);
        if left_out.contains(self.me) {
            self.give_up(true);
            // Let another bank try.
            self.pause = FRUITLESS_PAUSE_MAX;
        } else {
            self.begin();
        }
        true
    }

    /// How long a member may stand still: longer each time, as it may be needed and only slow.
    fn patience_with(&self, bank: BankId) -> Ticks {
        match self.peers[bank.index()].bars {
            0 => STALLED,
            bars => PATIENCE << (bars - 1).min(3),
        }
    }

    fn is_asking(&self) -> bool {
        matches!(self.coordination, Some(Coordination { step: Step::Asking { .. }, .. }))
    }

    fn give_up(&mut self, wait: bool) {
        self.coordination = None;
        if wait {
            // Spread by bank and round, so that two coordinators do not meet again and again.
            let spread = self.promised.round.wrapping_mul(7).wrapping_add(u64::from(self.me.0) * 3);
            self.pause =
                1 + Ticks::try_from(spread % u64::from(PAUSE_MAX)).expect("below PAUSE_MAX");
        }
    }

    fn say_again(&mut self, wish: Option<Wish>, clique: BankSet, out: &mut Vec<Effect>) {
        let Some(attempt) = self.coordination.clone() else { return };
        let ballot = attempt.ballot;
        let in_force = |bank: &BankId| self.active_of(*bank) == Some(ballot);
        let (message, to) = match &attempt.step {
            Step::Asking { granted } => {
                if let Some(wish) = wish {
                    self.ask(ballot, wish, clique.difference(*granted), out);
                }
                return;
            }
            Step::Stopping { invited, answers } => {
                (ViewMessage::Stop(ballot), invited.difference(answers.keys().copied().collect()))
            }
            // Also to those who are ready: then they know that the attempt goes on.
            Step::Preparing { plan, .. } => (ViewMessage::Prepare(plan.clone()), plan.members),
            Step::Starting { members } => {
                let heard: BankSet = members.iter().filter(in_force).collect();
                (ViewMessage::Start(ballot), members.difference(heard))
            }
        };
        let mut to = to;
        to.remove(self.me);
        if to.is_empty() && matches!(attempt.step, Step::Starting { .. }) {
            self.coordination = None;
        }
        for bank in to.iter() {
            self.send(bank, message.clone(), out);
        }
    }

    pub(super) fn coordinate_refused(&mut self, from: BankId, refused: Ballot, promised: Ballot) {
        // The next attempt goes above it.
        self.round_seen = self.round_seen.max(promised.round.min(super::ROUND_MAX));
        // The refusal of an earlier attempt says nothing about this one.
        let Some(attempt) = self.coordination.as_ref().filter(|attempt| attempt.ballot == refused)
        else {
            return;
        };
        // Whoever had promised this and refuses the plan has been restarted, or has lost its disk,
        // meanwhile.
        let cannot_take_part = match &attempt.step {
            Step::Preparing { plan, .. } => plan.members.contains(from),
            _ => false,
        };
        if promised > attempt.ballot || cannot_take_part {
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
        let Some(attempt) =
            self.coordination.as_mut().filter(|attempt| attempt.ballot == stopped.ballot)
        else {
            return;
        };
        let Step::Stopping { answers, .. } = &mut attempt.step else { return };
        if stopped.clock.len() != banks
            || stopped.executed.as_ref().is_some_and(|done| done.clock.len() > banks)
        {
            return;
        }
        // What was executed before the consortium grew knows fewer banks.
        stopped.executed.iter_mut().for_each(|done| done.clock.merge(&VectorClock::zero(banks)));
        attempt.idle = 0;
        answers.insert(from, stopped);
        let clique = self.clique();
        self.plan_if_known(clique, out);
    }

    /// Makes the plan once everybody who can be reached has answered, or enough have and the others
    /// are late.
    fn plan_if_known(&mut self, clique: BankSet, out: &mut Vec<Effect>) {
        let banks = self.banks;
        let Some(Coordination {
            ballot, step: Step::Stopping { invited, answers }, idle, age, ..
        }) = &self.coordination
        else {
            return;
        };
        let (ballot, age) = (*ballot, *age);
        let answered: BankSet = answers.keys().copied().collect();
        let waits_for = |bank: &BankId| {
            !self.is_barred(*bank) && (age < JOINER_STOPS_WITHIN || !self.seems_outside(*bank))
        };
        let awaited = invited.intersection(clique).difference(answered);
        let all_here = awaited.iter().filter(waits_for).count() == 0;
        if answered.len() < majority(banks) || !(all_here || *idle >= STRAGGLERS) {
            return;
        }
        let mut answers = answers.clone();
        for bank in lost_state(&answers) {
            answers.entry(bank).and_modify(|answer| answer.voter = false);
            self.send(bank, ViewMessage::Forgotten(ballot), out);
        }
        // Whoever has fallen out of the clique meanwhile is heard as a witness, but cannot take
        // part.
        let present: Answers = answers
            .iter()
            .filter(|(bank, _)| clique.contains(**bank))
            .map(|(bank, answer)| (*bank, answer.clone()))
            .collect();
        let enough = is_quorum(&present, banks);
        let decided =
            if enough { plan(ballot, &present, banks, self.spare(&present)) } else { None };
        match decided {
            Some(plan) => {
                // Its wish to join still counts: without this the others would stop for it again at
                // once.
                self.bar(awaited.iter().filter(|bank| self.seems_outside(*bank)).collect());
                let joiners = plan.members.intersection(outsiders(&present));
                let (ready, moves) = (BankSet::default(), vec![Moves::default(); banks]);
                self.attempt(
                    ballot,
                    Step::Preparing { plan: plan.clone(), ready, joiners, moves },
                    age,
                );
                for bank in plan.members.iter() {
                    self.send(bank, ViewMessage::Prepare(plan.clone()), out);
                }
            }
            // All have answered, and it is not enough: others must come first.
            None if all_here => {
                self.give_up(true);
                if !enough {
                    self.found_too_few_disks(&present, out);
                }
            }
            None => {}
        }
    }

    /// Whether a bank seems not to have been in the last view.
    fn seems_outside(&self, bank: BankId) -> bool {
        let report = self.peers[bank.index()].report;
        bank != self.me
            && report.is_none_or(|report| !report.voter || report.prepared < self.prepared)
    }

    /// Banks that take part only if there is no majority without them: whoever was waited for in
    /// vain lately, and while a view was in force here whoever was not in it and has not asked to
    /// join, else whoever is far behind.
    fn spare(&self, answers: &Answers) -> BankSet {
        let has_asked = |bank: &BankId| self.peers[bank.index()].joining > 0;
        let outside = match self.members_before.is_empty() {
            true => far_behind(answers),
            false => outsiders(answers).iter().filter(|bank| !has_asked(bank)).collect(),
        };
        self.barred().union(outside)
    }

    /// Nothing but another disk, or a person, can help: asking again and again only wears the disks
    /// out.
    fn found_too_few_disks(&mut self, answers: &Answers, out: &mut Vec<Effect>) {
        self.fruitless = (self.fruitless + 1).min(16);
        self.pause = self.pause.max((2 << self.fruitless.min(8)).min(FRUITLESS_PAUSE_MAX));
        // A first start that waits for all banks has lost nothing.
        let something_was = answers.values().any(|answer| answer.counted > 0);
        if something_was && self.fruitless == FRUITLESS_TOLD {
            let intact =
                answers.iter().filter(|(_, answer)| answer.voter).map(|(bank, _)| *bank).collect();
            out.push(Effect::Notice(Notice::TooFewDisks {
                answered: answers.keys().copied().collect(),
                intact,
            }));
        }
    }

    pub(super) fn coordinate_ready(&mut self, from: BankId, ballot: Ballot, out: &mut Vec<Effect>) {
        let Some(attempt) = self.coordination.as_mut().filter(|attempt| attempt.ballot == ballot)
        else {
            return;
        };
        let Step::Preparing { plan, ready, .. } = &mut attempt.step else { return };
        if !plan.members.contains(from) {
            return;
        }
        attempt.idle = 0;
        ready.insert(from);
        let (members, ready, age) = (plan.members, *ready, attempt.age);
        self.peers[from.index()].bars = 0;
        if !members.difference(ready).is_empty() {
            return;
        }
        self.attempt(ballot, Step::Starting { members }, age);
        for bank in members.iter() {
            self.send(bank, ViewMessage::Start(ballot), out);
        }
    }

    pub(super) fn coordinate_working(&mut self, from: BankId, ballot: Ballot, progress: u32) {
        if let Some(attempt) = self.coordination.as_mut().filter(|attempt| attempt.ballot == ballot)
            && let Step::Preparing { moves, .. } = &mut attempt.step
        {
            moves[from.index()].hear(progress);
        }
    }
}
