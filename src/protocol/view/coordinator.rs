//! The coordinator's side of a view change.

use std::collections::BTreeMap;

use super::{Phase, PreparePlan, RESEND_MS, Standing, Stopped, View, ViewMessage};
use crate::protocol::effect::{Effect, Millis};
use crate::protocol::ids::{Ballot, BankId, BankSet};
use crate::protocol::order_key::OrderKey;
use crate::protocol::vector_clock::VectorClock;

/// How long a coordinator waits for one ballot to come through before it tries a higher one, in milliseconds;
/// a member that is still fetching says so and is waited for.
const PATIENCE_MS: Millis = 5_000;

/// One attempt at a view.
#[derive(Debug)]
pub(super) struct Coordination {
    ballot: Ballot,
    /// When something last went forward.
    moved: Millis,
    last_sent: Millis,
    answers: BTreeMap<BankId, Stopped>,
    plan: Option<PreparePlan>,
    ready: BankSet,
    started: bool,
}

impl View {
    fn all_answer(&self) -> bool {
        BankId::all(self.banks).all(|bank| self.hears(bank))
    }

    fn needs_change(&self) -> bool {
        match self.phase {
            Phase::Active => self.standings.contains(&Standing::Away),
            Phase::Freezing | Phase::Promising | Phase::Writing | Phase::Diverged => false,
            _ => true,
        }
    }

    /// Starts, repeats or gives up an attempt. Only the lowest-numbered bank coordinates.
    pub(super) fn coordinate(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if self.me != BankId(0) || !self.all_answer() {
            self.coordination = None;
            return;
        }
        let working = matches!(self.phase, Phase::Fetching | Phase::Writing);
        let Some(attempt) = &mut self.coordination else {
            if self.needs_change() {
                self.begin(now);
            }
            return;
        };
        if working {
            attempt.moved = now;
        }
        if now.saturating_sub(attempt.moved) >= PATIENCE_MS {
            self.coordination = None;
        } else if now.saturating_sub(attempt.last_sent) >= RESEND_MS {
            attempt.last_sent = now;
            self.say_again(out);
        }
    }

    fn others(&self) -> Vec<BankId> {
        BankId::all(self.banks).filter(|bank| *bank != self.me).collect()
    }

    fn begin(&mut self, now: Millis) {
        let seen = self.reports.iter().flatten().map(|report| report.promised.round);
        let round = seen.chain([self.promised.round, self.round_seen]).max().unwrap_or_default() + 1;
        let ballot = Ballot { round, coordinator: self.me };
        self.coordination = Some(Coordination {
            ballot,
            moved: now,
            last_sent: now,
            answers: BTreeMap::new(),
            plan: None,
            ready: BankSet::default(),
            started: false,
        });
        // The others hear of the ballot once the own promise is on disk, so that no ballot is ever used twice.
        self.inbox.push_back(ViewMessage::Stop(ballot));
    }

    pub(super) fn coordinate_stop_others(&mut self, out: &mut Vec<Effect>) {
        let ballot = self.promised;
        for bank in self.others() {
            self.send(bank, ViewMessage::Stop(ballot), out);
        }
    }

    fn say_again(&mut self, out: &mut Vec<Effect>) {
        let Some(attempt) = &self.coordination else { return };
        let ballot = attempt.ballot;
        if self.promised != ballot || matches!(self.phase, Phase::Freezing | Phase::Promising) {
            return;
        }
        let in_force = |bank: BankId| self.reports[bank.index()].is_some_and(|report| report.active == Some(ballot));
        let peers = self.others().into_iter();
        let (message, to): (_, Vec<BankId>) = match &attempt.plan {
            None => (ViewMessage::Stop(ballot), peers.filter(|bank| !attempt.answers.contains_key(bank)).collect()),
            Some(plan) if !attempt.started => {
                (ViewMessage::Prepare(plan.clone()), peers.filter(|bank| !attempt.ready.contains(*bank)).collect())
            }
            Some(_) => (ViewMessage::Start(ballot), peers.filter(|bank| !in_force(*bank)).collect()),
        };
        if to.is_empty() && attempt.started {
            self.coordination = None;
        }
        for bank in to {
            self.send(bank, message.clone(), out);
        }
    }

    pub(super) fn coordinate_refused(&mut self, promised: Ballot) {
        if self.coordination.as_ref().is_some_and(|attempt| promised > attempt.ballot) {
            self.coordination = None;
        }
        // The next attempt goes above it.
        self.round_seen = self.round_seen.max(promised.round);
    }

    pub(super) fn coordinate_stopped(&mut self, from: BankId, stopped: Stopped, now: Millis, out: &mut Vec<Effect>) {
        let banks = self.banks;
        let Some(attempt) = self.coordination.as_mut().filter(|attempt| attempt.ballot == stopped.ballot) else {
            return;
        };
        if stopped.clock.len() != banks || attempt.plan.is_some() {
            return;
        }
        attempt.moved = now;
        attempt.answers.insert(from, stopped);
        if attempt.answers.len() < banks {
            return;
        }
        let plan = plan(attempt.ballot, &attempt.answers, banks);
        attempt.plan = Some(plan.clone());
        for bank in plan.members.iter() {
            self.send(bank, ViewMessage::Prepare(plan.clone()), out);
        }
    }

    pub(super) fn coordinate_ready(&mut self, from: BankId, ballot: Ballot, now: Millis, out: &mut Vec<Effect>) {
        let Some(attempt) = self.coordination.as_mut().filter(|attempt| attempt.ballot == ballot) else { return };
        let Some(plan) = &attempt.plan else { return };
        let members = plan.members;
        attempt.moved = now;
        attempt.ready.insert(from);
        if attempt.started || !members.iter().all(|bank| attempt.ready.contains(bank)) {
            return;
        }
        attempt.started = true;
        for bank in members.iter() {
            self.send(bank, ViewMessage::Start(ballot), out);
        }
    }

    pub(super) fn coordinate_working(&mut self, ballot: Ballot, now: Millis) {
        if let Some(attempt) = self.coordination.as_mut().filter(|attempt| attempt.ballot == ballot) {
            attempt.moved = now;
        }
    }
}

/// How the view begins, from what the banks have: see `protocol.md`, 'View change', step 2.
fn plan(ballot: Ballot, answers: &BTreeMap<BankId, Stopped>, banks: usize) -> PreparePlan {
    let prepared = answers.values().map(|answer| answer.prepared).max().unwrap_or_default();
    let latest = || answers.iter().filter(|(_, answer)| answer.prepared == prepared);
    let (source, longest) =
        latest().max_by_key(|(_, answer)| answer.position).expect("a coordinator has its own answer");
    let mut clock = VectorClock::zero(banks);
    let mut events: BTreeMap<OrderKey, BankId> = BTreeMap::new();
    for (bank, answer) in latest() {
        clock.merge(&answer.clock);
        // Keys are executed in order, so what is not above the last executed one is part of `P`.
        let beyond = answer.held.iter().filter(|key| longest.last.is_none_or(|last| **key > last));
        for key in beyond {
            events.entry(*key).or_insert(*bank);
        }
    }
    PreparePlan {
        ballot,
        members: answers.keys().copied().collect(),
        position: longest.position,
        hash: longest.hash,
        source: *source,
        clock,
        events: events.into_iter().collect(),
    }
}
