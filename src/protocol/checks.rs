//! The first-of-queue checks: a customer is answered when all members have executed the request and
//! agree on it.
//!
//! The requirement asks every bank, event by event, whether it could be executed there. Here a bank
//! reports cumulatively 'executed through position p, hash h', so nobody waits to be asked, and a
//! differing copy of the ledger is found before anyone is told that a request succeeded. The
//! requirement's single messages count the same way for the one event that they name.

use std::collections::{BTreeMap, VecDeque};

use super::complaints::Complaints;
use super::effect::{ChecksInput, ClockInput, Effect, HeartbeatInput, PeerInput, ViewInput};
use super::execution::{Check, ExecutedEvent};
use super::possible::Impossible;
use super::progress::{Lags, Progress, Stage};
use super::reply::Reply;
use super::vector_clock::VectorClock;
use crate::ids::{Ballot, BankId, BankSet, ChainHash, EventId, Position, majority};

/// At most this many claims of one peer about positions that this bank has not reached are kept;
/// beyond that the oldest is dropped, as later ones cover it.
pub(crate) const CLAIMS_AHEAD_MAX: usize = 1_024;
/// How many positions a peer may be ahead of this bank. In one view it can have executed only what
/// is on this bank's disk too: the flush, and eight events of each bank.
pub(crate) const POSITIONS_AHEAD_MAX: u64 = 1 << 25;

/// What the members have executed, and who waits for it.
#[derive(Debug)]
pub struct Checks {
    me: BankId,
    banks: usize,
    view: Ballot,
    members: BankSet,
    /// Executed here and not yet confirmed by all, in order; of what was fetched between two views,
    /// only this bank's own events.
    executed: VecDeque<ExecutedEvent>,
    /// Executed here through this position, with this hash.
    last: (Position, ChainHash),
    /// Per bank, the position through which it is known to agree.
    confirmed: BTreeMap<BankId, Position>,
    /// Per bank, claims about positions that this bank has not reached yet, in order.
    ahead: BTreeMap<BankId, BTreeMap<Position, ChainHash>>,
    /// Per bank, single checks of events that this bank has not executed yet.
    checks_ahead: BTreeMap<BankId, VecDeque<(EventId, Check)>>,
    /// For each bank whose copy differs, the first position where that was noticed.
    differ: BTreeMap<BankId, Position>,
    /// Per bank, its last claim in a view that this bank has not installed yet.
    of_next_view: BTreeMap<BankId, (Ballot, Position, ChainHash)>,
    /// Per bank, how far it says all have executed, if this bank has not come that far yet.
    said_of_all: BTreeMap<BankId, (Position, ChainHash)>,
    /// Per bank, how far it says it has executed, whether or not it agrees.
    reached: BTreeMap<BankId, Position>,
    /// All members know that this one has executed through this position,
    told: Position,
    /// and this is how far it was at the last look.
    executed_before: Position,
    /// Tracks which member alone keeps the others waiting.
    progress: Progress,
    complaints: Complaints,
}

impl Checks {
    /// Checks that wait for the first view.
    #[must_use]
    pub fn new(me: BankId, banks: usize) -> Self {
        Checks {
            me,
            banks,
            view: Ballot::default(),
            members: BankSet::default(),
            executed: VecDeque::new(),
            last: Default::default(),
            confirmed: BTreeMap::new(),
            ahead: BTreeMap::new(),
            checks_ahead: BTreeMap::new(),
            differ: BTreeMap::new(),
            of_next_view: BTreeMap::new(),
            said_of_all: BTreeMap::new(),
            reached: BTreeMap::new(),
            told: Position::default(),
            executed_before: Position::default(),
            progress: Progress::new(banks),
            complaints: Complaints::default(),
        }
    }

    /// Executed events that some member has not confirmed.
    #[must_use]
    pub(crate) fn unconfirmed(&self) -> usize {
        self.executed.len()
    }

    /// Takes one input; see [`ChecksInput`].
    pub fn handle(&mut self, input: ChecksInput, out: &mut Vec<Effect>) {
        if let Some(from) = self.claims_too_much(&input) {
            return out
                .extend(self.complaints.about(from, Impossible::Executed).map(Effect::Notice));
        }
        match input {
            ChecksInput::Install { view, members, position, hash } => {
                self.install(view, members, (position, hash))
            }
            ChecksInput::Executed(event) => {
                self.last = (event.position, event.hash);
                self.executed.push_back(event);
                self.believe_of_all();
                for peer in self.peers() {
                    self.confirm_claims(peer);
                    self.confirm_checks(peer);
                }
            }
            // Nobody is waiting for an answer about the events of earlier processes.
            ChecksInput::Fetched(event) if event.event.view == self.view => {
                self.executed.push_back(event)
            }
            ChecksInput::Fetched(_) => {}
            ChecksInput::PeerExecuted { from, view, position, hash } => {
                if view > self.view {
                    self.of_next_view.insert(from, (view, position, hash));
                } else if view == self.view {
                    self.claim(from, position, hash);
                }
            }
            ChecksInput::AllExecuted { from, view, position, hash } if view == self.view => {
                self.said_of_all.insert(from, (position, hash));
                self.believe_of_all();
            }
            ChecksInput::AllExecuted { .. } => {}
            ChecksInput::PeerChecked { from, id, check } => {
                push_bounded(self.checks_ahead.entry(from).or_default(), (id, check));
                self.confirm_checks(from);
            }
            ChecksInput::Tick => {
                self.complaints.tick();
                self.tell_what_nobody_told(out);
                return self.find_lags(out);
            }
        }
        self.judge_differences(out);
        self.answer_agreed(out);
    }

    /// The peer that claims to have executed, in the view in force, more than it can have.
    fn claims_too_much(&self, input: &ChecksInput) -> Option<BankId> {
        let (from, view, position) = match input {
            ChecksInput::PeerExecuted { from, view, position, .. } => (from, view, position),
            ChecksInput::AllExecuted { from, view, position, .. } => (from, view, position),
            _ => return None,
        };
        let most = self.last.0.0.saturating_add(POSITIONS_AHEAD_MAX);
        (*view == self.view && position.0 > most).then_some(*from)
    }

    /// What one member says of all counts as if each had said so itself, and so each knows it of
    /// this one. It includes what this bank has said: so it is looked at only once this bank has
    /// come that far, and where the hash is another one, it is that member alone that differs.
    fn believe_of_all(&mut self) {
        for (from, (position, hash)) in std::mem::take(&mut self.said_of_all) {
            if position > self.last.0 {
                self.said_of_all.insert(from, (position, hash));
                continue;
            }
            self.claim(from, position, hash);
            if self.confirmed.get(&from).is_none_or(|agreed| *agreed < position) {
                continue;
            }
            self.told = position.max(self.told);
            for peer in self.peers() {
                self.reach(peer, position);
                let confirmed = self.confirmed.entry(peer).or_default();
                *confirmed = position.max(*confirmed);
            }
        }
    }

    /// A peer says in the view in force that it has executed through a position.
    fn claim(&mut self, from: BankId, position: Position, hash: ChainHash) {
        self.reach(from, position);
        self.keep_claim(from, position, hash);
        self.confirm_claims(from);
    }

    /// Claims are kept by position, so that one about a position that never comes hides no other.
    fn keep_claim(&mut self, from: BankId, position: Position, hash: ChainHash) {
        let claims = self.ahead.entry(from).or_default();
        if claims.len() == CLAIMS_AHEAD_MAX {
            claims.pop_first();
        }
        claims.insert(position, hash);
    }

    fn reach(&mut self, bank: BankId, position: Position) {
        let reached = self.reached.entry(bank).or_default();
        *reached = position.max(*reached);
    }

    /// What this bank had executed at the last look, and nobody has said since that all members
    /// have: some member has not. Everybody has to be able to see who that is.
    fn tell_what_nobody_told(&mut self, out: &mut Vec<Effect>) {
        if self.executed_before > self.told {
            self.told = self.last.0;
            out.extend(self.peers().into_iter().map(|peer| Effect::Peer(peer, PeerInput::TellAll)));
        }
        self.executed_before = self.last.0;
    }

    /// Time has passed: is there one member that alone has not executed what all others have?
    fn find_lags(&mut self, out: &mut Vec<Effect>) {
        let (view, members, stage) = (self.view, self.members, Stage::Executed);
        if members.is_empty() {
            return;
        }
        let position = |bank: BankId| match bank {
            bank if bank == self.me => self.last.0,
            // The requirement's single checks confirm without a claim.
            bank => self
                .reached
                .get(&bank)
                .copied()
                .max(self.confirmed.get(&bank).copied())
                .unwrap_or_default(),
        };
        let rows: Vec<_> =
            BankId::all(self.banks).map(|bank| VectorClock::from(vec![position(bank).0])).collect();
        let behind = self.progress.tick(members, &rows);
        out.push(Effect::Heartbeat(HeartbeatInput::Behind(Lags { view, members, stage, behind })));
    }

    /// A copy that differs from those of most members is the wrong one: a peer with such a copy is
    /// voted out; a bank whose own copy differs takes itself out. Where no majority can agree any
    /// more, nobody goes on.
    fn judge_differences(&mut self, out: &mut Vec<Effect>) {
        let Some((&with, &position)) = self.differ.iter().min_by_key(|(_, position)| **position)
        else {
            return;
        };
        let confirmed =
            |bank: &BankId| self.confirmed.get(bank).is_some_and(|agreed| *agreed >= position);
        let agree = 1 + self.peers().iter().filter(|bank| confirmed(bank)).count();
        let most = majority(self.members.len());
        if agree >= most {
            for (bank, position) in std::mem::take(&mut self.differ) {
                out.push(Effect::View(ViewInput::PeerDiverged { bank, position }));
            }
        } else if self.members.len() - self.differ.len() < most {
            self.differ.clear();
            out.push(Effect::View(ViewInput::Diverged { with, position }));
        }
    }

    fn peers(&self) -> Vec<BankId> {
        self.members.iter().filter(|bank| *bank != self.me).collect()
    }

    fn install(&mut self, view: Ballot, members: BankSet, last: (Position, ChainHash)) {
        self.view = view;
        self.members = members;
        self.last = last;
        self.ahead.clear();
        self.checks_ahead.clear();
        self.differ.clear();
        self.reached.clear();
        self.said_of_all.clear();
        (self.told, self.executed_before) = (last.0, last.0);
        self.progress.begin();
        for (from, (claimed_view, position, hash)) in std::mem::take(&mut self.of_next_view) {
            let most = last.0.0.saturating_add(POSITIONS_AHEAD_MAX);
            if claimed_view == view && position.0 <= most {
                self.reach(from, position);
                self.keep_claim(from, position, hash);
            }
        }
        // All members of a view have the same state where it begins: what was executed before is
        // agreed.
        self.confirmed = members.iter().map(|bank| (bank, last.0)).collect();
        for peer in self.peers() {
            self.confirm_claims(peer);
        }
    }

    /// Compares every claim about a position that has been reached here.
    fn confirm_claims(&mut self, peer: BankId) {
        let Some(claims) = self.ahead.get_mut(&peer) else { return };
        while let Some(claim) = claims.first_entry().filter(|claim| *claim.key() <= self.last.0) {
            let (position, hash) = claim.remove_entry();
            let confirmed = self.confirmed.entry(peer).or_default();
            if position <= *confirmed {
                continue;
            }
            let own = self.executed.binary_search_by_key(&position, |event| event.position);
            // No bank can have stopped at a position inside an event.
            if own.is_ok_and(|index| self.executed[index].hash == hash) {
                *confirmed = position;
            } else {
                self.differ.entry(peer).or_insert(position);
            }
        }
    }

    /// Compares every single check of an event that has been executed here.
    fn confirm_checks(&mut self, peer: BankId) {
        let Some(checks) = self.checks_ahead.get_mut(&peer).filter(|checks| !checks.is_empty())
        else {
            return;
        };
        let mut still_ahead = VecDeque::new();
        for (id, check) in checks.drain(..) {
            let Some(own) = self.executed.iter().find(|event| event.event.id == id) else {
                still_ahead.push_back((id, check));
                continue;
            };
            let confirmed = self.confirmed.entry(peer).or_default();
            if own.check == check {
                *confirmed = own.position.max(*confirmed);
            } else {
                self.differ.entry(peer).or_insert(own.position);
            }
        }
        *checks = still_ahead;
    }

    /// Answers the customers of every event that all members agree on, and tells the members of
    /// that: they need not hear it from each other.
    fn answer_agreed(&mut self, out: &mut Vec<Effect>) {
        let confirmed = |bank: BankId| self.confirmed.get(&bank).copied().unwrap_or_default();
        let agreed = self.peers().into_iter().map(confirmed).min().unwrap_or(self.last.0);
        let mut own = None;
        while self.executed.front().is_some_and(|event| event.position <= agreed) {
            let executed = self.executed.pop_front().expect("just seen");
            if executed.event.sender != self.me {
                continue;
            }
            own = Some((executed.position, executed.hash));
            out.push(Effect::Clock(ClockInput::Agreed(executed.event.counter())));
            for (request, outcome) in executed.event.requests.iter().zip(executed.outcomes) {
                out.push(Effect::Reply(request.id.clone(), Reply::Executed(outcome)));
            }
        }
        let Some((position, hash)) = own.filter(|(position, _)| *position > self.told) else {
            return;
        };
        self.told = position;
        let view = self.view;
        for peer in self.peers() {
            out.push(Effect::Peer(peer, PeerInput::Agreed { view, position, hash }));
        }
    }
}

fn push_bounded<T>(claims: &mut VecDeque<T>, claim: T) {
    if claims.len() == CLAIMS_AHEAD_MAX {
        claims.pop_front();
    }
    claims.push_back(claim);
}

#[cfg(test)]
mod tests;
