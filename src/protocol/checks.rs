//! The first-of-queue checks: a customer is answered when all members have executed the request and
//! agree on it.
//!
//! The requirement asks every bank, event by event, whether it could be executed there. Here a bank
//! reports cumulatively 'executed through position p, hash h', so nobody waits to be asked, and a
//! differing copy of the ledger is found before anyone is told that a request succeeded. The
//! requirement's single messages count the same way for the one event that they name.

use std::collections::{BTreeMap, VecDeque};

use super::effect::{ChecksInput, ClockInput, Effect, HeartbeatInput, PeerInput, ViewInput};
use super::execution::{Check, ExecutedEvent};
use super::progress::{Lags, Progress, Stage};
use super::reply::Reply;
use super::vector_clock::VectorClock;
use crate::ids::{Ballot, BankId, BankSet, ChainHash, EventId, Position, majority};

/// At most this many claims of one peer about positions that this bank has not reached are kept;
/// beyond that the oldest is dropped, as later ones cover it.
pub(crate) const CLAIMS_AHEAD_MAX: usize = 1_024;

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
    ahead: BTreeMap<BankId, VecDeque<(Position, ChainHash)>>,
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
        }
    }

    /// Executed events that some member has not confirmed.
    #[must_use]
    pub(crate) fn unconfirmed(&self) -> usize {
        self.executed.len()
    }

    /// Takes one input; see [`ChecksInput`].
    pub fn handle(&mut self, input: ChecksInput, out: &mut Vec<Effect>) {
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
                self.tell_what_nobody_told(out);
                return self.find_lags(out);
            }
        }
        self.judge_differences(out);
        self.answer_agreed(out);
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
        push_bounded(self.ahead.entry(from).or_default(), (position, hash));
        self.confirm_claims(from);
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
            if claimed_view == view {
                self.reach(from, position);
                self.ahead.entry(from).or_default().push_back((position, hash));
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
        while let Some((position, hash)) =
            claims.front().copied().filter(|claim| claim.0 <= self.last.0)
        {
            claims.pop_front();
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
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ids::request::{Header, RawRequest, raw};
    use crate::protocol::event::Event;

    const VIEW: Ballot = Ballot { round: 1, coordinator: BankId(0) };
    const DONE: Check = Check { code: true, descript: String::new() };

    /// Bank 0 of three in a view that begins at position 10.
    fn checks() -> Checks {
        let mut checks = Checks::new(BankId(0), 3);
        let (position, hash) = (Position(10), hash(10));
        let install = ChecksInput::Install { view: VIEW, members: BankSet::all(3), position, hash };
        checks.handle(install, &mut Vec::new());
        checks
    }

    fn hash(position: u8) -> ChainHash {
        ChainHash([position; 32])
    }

    fn executed(position: u8) -> ChecksInput {
        let id = EventId::new(BankId(0), &position.to_string());
        let request = RawRequest { id, type_msg: "X".into(), msg: raw(&1) };
        let counter = u64::from(position) - 10;
        let event = Event::stamp(
            VIEW,
            BankId(0),
            vec![counter, 0, 0].into(),
            vec![request],
            Header::default(),
        );
        let outcomes = vec![crate::ledger::Executed {
            operation: None,
            id: event.id.clone(),
            position: Position(position.into()),
            outcome: crate::ledger::Outcome::Done(crate::ledger::Done::PackageExecuted),
        }];
        let position_of_last = Position(position.into());
        ChecksInput::Executed(ExecutedEvent {
            event: Arc::new(event),
            position: position_of_last,
            hash: hash(position),
            check: DONE,
            outcomes,
        })
    }

    fn claim(from: u16, position: u8, hash: ChainHash) -> ChecksInput {
        ChecksInput::PeerExecuted {
            from: BankId(from),
            view: VIEW,
            position: Position(position.into()),
            hash,
        }
    }

    fn give(checks: &mut Checks, inputs: Vec<ChecksInput>) -> (usize, usize) {
        let mut out = Vec::new();
        inputs.into_iter().for_each(|input| checks.handle(input, &mut out));
        let replies = out.iter().filter(|effect| matches!(effect, Effect::Reply(..))).count();
        let diverged = |effect: &&Effect| {
            matches!(
                effect,
                Effect::View(ViewInput::Diverged { .. } | ViewInput::PeerDiverged { .. })
            )
        };
        (replies, out.iter().filter(diverged).count())
    }

    #[test]
    fn a_customer_is_answered_when_all_members_have_executed_and_agree() {
        let mut checks = checks();
        assert_eq!(give(&mut checks, vec![executed(11), claim(1, 11, hash(11))]), (0, 0));
        assert_eq!(give(&mut checks, vec![claim(2, 11, hash(11))]), (1, 0));
        assert_eq!(checks.unconfirmed(), 0);
    }

    #[test]
    fn members_may_be_ahead_and_one_claim_confirms_everything_before_it() {
        let mut checks = checks();
        let ahead = vec![claim(1, 12, hash(12)), claim(2, 11, hash(11)), claim(2, 13, hash(13))];
        assert_eq!(give(&mut checks, ahead), (0, 0));
        assert_eq!(
            give(&mut checks, vec![executed(11)]),
            (0, 0),
            "bank 1 has spoken of a later position only"
        );
        assert_eq!(give(&mut checks, vec![executed(12)]), (1, 0));
        assert_eq!(give(&mut checks, vec![executed(13), claim(1, 13, hash(13))]), (2, 0));
    }

    #[test]
    fn a_repeated_or_late_claim_is_not_a_divergence() {
        let mut checks = checks();
        let all = vec![executed(11), claim(1, 11, hash(11)), claim(2, 11, hash(11))];
        assert_eq!(give(&mut checks, all), (1, 0));
        let again = vec![claim(1, 11, hash(11)), claim(1, 10, hash(10)), claim(2, 9, hash(9))];
        assert_eq!(give(&mut checks, again), (0, 0));
    }

    #[test]
    fn a_copy_that_differs_is_found_before_anyone_is_told_success() {
        let mut checks = checks();
        let inputs = vec![executed(11), claim(1, 11, hash(99)), claim(2, 11, hash(11))];
        assert_eq!(give(&mut checks, inputs), (0, 1));
    }

    fn verdict(inputs: Vec<ChecksInput>) -> Vec<String> {
        let (mut checks, mut out) = (checks(), Vec::new());
        inputs.into_iter().for_each(|input| checks.handle(input, &mut out));
        let told = |effect: &Effect| match effect {
            Effect::View(ViewInput::Diverged { with, .. }) => {
                Some(format!("out: differs from {with}"))
            }
            Effect::View(ViewInput::PeerDiverged { bank, .. }) => Some(format!("{bank} is wrong")),
            _ => None,
        };
        out.iter().filter_map(told).collect()
    }

    #[test]
    fn the_majority_of_members_decides_whose_copy_is_wrong() {
        let wrong_peer = vec![executed(11), claim(1, 11, hash(99)), claim(2, 11, hash(11))];
        assert_eq!(verdict(wrong_peer), ["1 is wrong"]);
        let undecided = vec![executed(11), claim(1, 11, hash(99))];
        assert!(verdict(undecided).is_empty(), "bank 2 has not spoken");
        let wrong_here = vec![executed(11), claim(1, 11, hash(99)), claim(2, 11, hash(99))];
        assert_eq!(verdict(wrong_here), ["out: differs from 1"]);
    }

    #[test]
    fn the_requirements_single_checks_count_before_and_after_own_execution() {
        let mut checks = checks();
        let id = EventId::new(BankId(0), "11");
        let check =
            |from, check| ChecksInput::PeerChecked { from: BankId(from), id: id.clone(), check };
        assert_eq!(give(&mut checks, vec![check(1, DONE), executed(11)]), (0, 0));
        assert_eq!(give(&mut checks, vec![check(2, DONE)]), (1, 0));

        let mut checks = self::checks();
        let refused = Check { code: false, descript: "não".into() };
        assert_eq!(
            give(&mut checks, vec![executed(11), check(1, refused), check(2, DONE)]),
            (0, 1)
        );
    }

    #[test]
    fn a_claim_of_the_next_view_waits_until_that_view_begins_here() {
        let mut checks = Checks::new(BankId(0), 3);
        let (position, hash_there) = (Position(10), hash(10));
        assert_eq!(give(&mut checks, vec![claim(1, 11, hash(11)), claim(2, 11, hash(11))]), (0, 0));
        let install = ChecksInput::Install {
            view: VIEW,
            members: BankSet::all(3),
            position,
            hash: hash_there,
        };
        assert_eq!(give(&mut checks, vec![install, executed(11)]), (1, 0));
    }

    #[test]
    fn what_others_had_executed_first_is_answered_once_the_next_view_begins() {
        let mut checks = checks();
        let mut out = Vec::new();
        let ChecksInput::Executed(own) = executed(11) else { unreachable!("it says so") };
        checks.handle(ChecksInput::Fetched(own), &mut out);
        assert!(out.is_empty(), "not all may have it yet: {out:?}");
        let view = Ballot { round: 2, coordinator: BankId(0) };
        let (position, hash) = (Position(11), hash(11));
        checks.handle(
            ChecksInput::Install { view, members: BankSet::all(2), position, hash },
            &mut out,
        );
        assert!(
            matches!(out[..], [Effect::Clock(ClockInput::Agreed(_)), Effect::Reply(..)]),
            "{out:?}"
        );
    }

    fn told(checks: &mut Checks, inputs: Vec<ChecksInput>) -> Vec<String> {
        let mut out = Vec::new();
        inputs.into_iter().for_each(|input| checks.handle(input, &mut out));
        let told = |effect: Effect| match effect {
            Effect::Peer(bank, PeerInput::Agreed { position, .. }) => {
                Some(format!("{bank}: agreed {position}"))
            }
            Effect::Peer(bank, PeerInput::TellAll) => Some(format!("{bank}: tell")),
            _ => None,
        };
        out.into_iter().filter_map(told).collect()
    }

    #[test]
    fn the_sender_tells_all_members_that_all_agree() {
        let mut checks = checks();
        let first = vec![executed(11), claim(1, 11, hash(11))];
        assert!(told(&mut checks, first).is_empty());
        let last = vec![claim(2, 11, hash(11))];
        assert_eq!(told(&mut checks, last), ["1: agreed 11", "2: agreed 11"]);
        let nothing = vec![ChecksInput::Tick, ChecksInput::Tick];
        assert!(told(&mut checks, nothing).is_empty());
    }

    #[test]
    fn what_nobody_says_all_have_executed_is_told_to_all_after_a_while() {
        let mut checks = checks();
        assert!(told(&mut checks, vec![executed(11), ChecksInput::Tick]).is_empty());
        assert_eq!(told(&mut checks, vec![ChecksInput::Tick]), ["1: tell", "2: tell"]);
        assert!(told(&mut checks, vec![ChecksInput::Tick, executed(12)]).is_empty());
        let (position, hash) = (Position(12), hash(12));
        let all = ChecksInput::AllExecuted { from: BankId(1), view: VIEW, position, hash };
        assert!(told(&mut checks, vec![all, ChecksInput::Tick, ChecksInput::Tick]).is_empty());
    }

    #[test]
    fn news_that_all_have_executed_counts_as_if_each_member_had_said_so() {
        let all = |view, position: u8, hash| ChecksInput::AllExecuted {
            from: BankId(1),
            view,
            position: Position(position.into()),
            hash,
        };
        let mut checks = checks();
        let other_view = Ballot { round: 2, coordinator: BankId(0) };
        assert_eq!(give(&mut checks, vec![executed(11), all(other_view, 11, hash(11))]), (0, 0));
        assert_eq!(give(&mut checks, vec![all(VIEW, 11, hash(11))]), (1, 0));
        assert_eq!(give(&mut checks, vec![all(VIEW, 12, hash(12)), executed(12)]), (1, 0));
    }

    #[test]
    fn what_a_mad_bank_says_of_all_harms_nobody_but_itself() {
        let all = |position, hash| ChecksInput::AllExecuted {
            from: BankId(1),
            view: VIEW,
            position: Position(position),
            hash,
        };
        let mut checks = checks();
        assert_eq!(give(&mut checks, vec![all(u64::MAX, hash(1)), executed(11)]), (0, 0));
        let true_claims = vec![claim(1, 11, hash(11)), claim(2, 11, hash(11))];
        assert_eq!(give(&mut checks, true_claims), (1, 0));
        assert_eq!(give(&mut checks, vec![executed(12), all(12, hash(99))]), (0, 0));
        let mut out = Vec::new();
        checks.handle(claim(2, 12, hash(12)), &mut out);
        let of_bank_1 = |effect: &Effect| {
            matches!(effect, Effect::View(ViewInput::PeerDiverged { bank: BankId(1), .. }))
        };
        assert!(out.iter().any(of_bank_1), "{out:?}");
    }

    #[test]
    fn a_bank_that_alone_has_not_executed_what_all_others_have_is_behind() {
        let mut checks = checks();
        give(&mut checks, vec![executed(11), claim(1, 11, hash(11))]);
        let mut out = Vec::new();
        (0..11).for_each(|_| checks.handle(ChecksInput::Tick, &mut out));
        let Some(Effect::Heartbeat(HeartbeatInput::Behind(lags))) = out.pop() else {
            panic!("{out:?}")
        };
        assert_eq!((lags.behind, lags.stage), (vec![0, 0, 1_000], Stage::Executed));
        give(&mut checks, vec![claim(2, 11, hash(11))]);
        checks.handle(ChecksInput::Tick, &mut out);
        let Some(Effect::Heartbeat(HeartbeatInput::Behind(lags))) = out.pop() else {
            panic!("{out:?}")
        };
        assert_eq!(lags.behind, [0, 0, 0]);
    }
}
