//! The first-of-queue checks: a customer is answered when all members have executed the request and agree on it.
//!
//! The seed asks every bank, event by event, whether it could be executed there. Here a bank says cumulatively
//! 'executed through position p, hash h', so nobody waits to be asked, and a copy of the ledger that differs is found
//! before anyone is told success. The seed's single messages count the same for the one event that they name.

use std::collections::{BTreeMap, VecDeque};

use super::effect::{Check, ChecksInput, ClockInput, Effect, ExecutedEvent, Reply, ViewInput};
use super::ids::{Ballot, BankId, BankSet, ChainHash, EventId, Position};

/// Most claims of one peer about positions that this bank has not reached; the oldest is dropped, as later ones
/// cover it.
pub const CLAIMS_AHEAD_MAX: usize = 1_024;

/// What the members have executed, and who waits for it.
#[derive(Debug)]
pub struct Checks {
    me: BankId,
    view: Ballot,
    members: BankSet,
    /// Executed here and not yet confirmed by all, in order.
    executed: VecDeque<ExecutedEvent>,
    /// Executed here through this position, with this hash.
    last: (Position, ChainHash),
    /// Per bank, the position through which it is known to agree.
    confirmed: BTreeMap<BankId, Position>,
    /// Per bank, claims about positions that this bank has not reached yet, in order.
    ahead: BTreeMap<BankId, VecDeque<(Position, ChainHash)>>,
    /// Per bank, single checks of events that this bank has not executed yet.
    checks_ahead: BTreeMap<BankId, VecDeque<(EventId, Check)>>,
    /// The last claim of a view that this bank has not installed yet.
    of_next_view: BTreeMap<BankId, (Ballot, Position, ChainHash)>,
}

impl Checks {
    /// Checks that wait for the first view.
    #[must_use]
    pub fn new(me: BankId) -> Self {
        Checks {
            me,
            view: Ballot::default(),
            members: BankSet::default(),
            executed: VecDeque::new(),
            last: Default::default(),
            confirmed: BTreeMap::new(),
            ahead: BTreeMap::new(),
            checks_ahead: BTreeMap::new(),
            of_next_view: BTreeMap::new(),
        }
    }

    /// Executed events that some member has not confirmed.
    #[must_use]
    pub fn unconfirmed(&self) -> usize {
        self.executed.len()
    }

    /// Takes one input; see [`ChecksInput`].
    pub fn handle(&mut self, input: ChecksInput, out: &mut Vec<Effect>) {
        match input {
            ChecksInput::Install { view, members, position, hash } => {
                self.install(view, members, (position, hash), out)
            }
            ChecksInput::Executed(event) => {
                self.last = (event.position, event.hash);
                self.executed.push_back(event);
                for peer in self.peers() {
                    self.confirm_claims(peer, out);
                    self.confirm_checks(peer, out);
                }
            }
            ChecksInput::PeerExecuted { from, view, position, hash } => {
                if view > self.view {
                    self.of_next_view.insert(from, (view, position, hash));
                } else if view == self.view {
                    push_bounded(self.ahead.entry(from).or_default(), (position, hash));
                    self.confirm_claims(from, out);
                }
            }
            ChecksInput::PeerChecked { from, id, check } => {
                push_bounded(self.checks_ahead.entry(from).or_default(), (id, check));
                self.confirm_checks(from, out);
            }
        }
        self.answer_agreed(out);
    }

    fn peers(&self) -> Vec<BankId> {
        self.members.iter().filter(|bank| *bank != self.me).collect()
    }

    fn install(&mut self, view: Ballot, members: BankSet, last: (Position, ChainHash), out: &mut Vec<Effect>) {
        self.view = view;
        self.members = members;
        self.last = last;
        self.ahead.clear();
        self.checks_ahead.clear();
        for (from, (claimed_view, position, hash)) in std::mem::take(&mut self.of_next_view) {
            if claimed_view == view {
                self.ahead.entry(from).or_default().push_back((position, hash));
            }
        }
        // All members of a view have the same state where it begins: what was executed before is agreed.
        self.confirmed = members.iter().map(|bank| (bank, last.0)).collect();
        for peer in self.peers() {
            self.confirm_claims(peer, out);
        }
    }

    /// Compares every claim about a position that has been reached here.
    fn confirm_claims(&mut self, peer: BankId, out: &mut Vec<Effect>) {
        let Some(claims) = self.ahead.get_mut(&peer) else { return };
        while let Some((position, hash)) = claims.front().copied().filter(|claim| claim.0 <= self.last.0) {
            claims.pop_front();
            let confirmed = self.confirmed.entry(peer).or_default();
            if position <= *confirmed {
                continue;
            }
            let own = self.executed.binary_search_by_key(&position, |event| event.position);
            // A position inside an event is none that a bank can have stopped at.
            if own.is_ok_and(|index| self.executed[index].hash == hash) {
                *confirmed = position;
            } else {
                out.push(Effect::View(ViewInput::Diverged { with: peer, position }));
            }
        }
    }

    /// Compares every single check of an event that has been executed here.
    fn confirm_checks(&mut self, peer: BankId, out: &mut Vec<Effect>) {
        let Some(checks) = self.checks_ahead.get_mut(&peer).filter(|checks| !checks.is_empty()) else { return };
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
                out.push(Effect::View(ViewInput::Diverged { with: peer, position: own.position }));
            }
        }
        *checks = still_ahead;
    }

    /// Answers the customers of every event that all members agree on.
    fn answer_agreed(&mut self, out: &mut Vec<Effect>) {
        let confirmed = |bank: BankId| self.confirmed.get(&bank).copied().unwrap_or_default();
        let agreed = self.peers().into_iter().map(confirmed).min().unwrap_or(self.last.0);
        while self.executed.front().is_some_and(|event| event.position <= agreed) {
            let executed = self.executed.pop_front().expect("just seen");
            if executed.event.sender != self.me {
                continue;
            }
            out.push(Effect::Clock(ClockInput::Agreed(executed.event.counter())));
            for (request, outcome) in executed.event.requests.iter().zip(executed.outcomes) {
                out.push(Effect::Reply(request.id.clone(), Reply::Executed(outcome)));
            }
        }
    }
}

fn push_bounded<T>(claims: &mut VecDeque<T>, claim: T) {
    if claims.len() == CLAIMS_AHEAD_MAX {
        claims.pop_front();
    }
    claims.push_back(claim);
}
