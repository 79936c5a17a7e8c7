//! The view: which banks act together, and how they change over without losing or doubling
//! anything.
//!
//! Source: the requirement's two phases, stop the network and release it, made safe in the manner
//! of L. Lamport's Paxos (promises to ballots, a prepared view is carried on by whoever comes next)
//! and of the flush in virtual synchrony (K. Birman, T. Joseph, 1987):
//!
//! ```text
//! coordinator  WOULD STOP ──▶ those who see the fault themselves grant it; nobody is disturbed
//!              STOP ──▶       promise and freeze, both on disk ──▶ STOPPED what I executed and hold
//!              PREPARE ──▶    fetch what is missing of P and U; fsync ──▶ READY
//!              START ──▶      execute U, set clock and matrix to F, go on
//! a bank outside  fetches the journal of a member, then asks to JOIN
//! ```
//!
//! - `hearing`: the largest clique of banks that hear each other; the lowest-numbered bank of the
//!   latest view in it coordinates.
//! - `attempt`, `coordinator`: the steps of an attempt; `plan`: how a view begins, from what the banks hold.
//! - `flush`: what a bank does for an attempt of another.
//! - `catch_up`: what a bank outside does.
//!
//! While no view is in force here, `state` is the authority on what the node holds; while one is,
//! its parts are. Time is counted in ticks of [`TICK_MS`].

mod attempt;
mod catch_up;
mod coordinator;
mod flush;
mod hearing;
mod message;
mod plan;
mod turn;

use std::collections::{BTreeMap, VecDeque};

pub use catch_up::{PIECE_BYTES_MAX, PIECE_EVENTS_MAX};
pub use message::{Bulk, PreparePlan, Stopped, ViewMessage, WireEntry, WireHeld};
pub use turn::{Fates, Frozen, Installed, Reach};

use self::attempt::Coordination;
use self::catch_up::CatchUp;
use super::effect::{ClockInput, Effect, JournalInput, PeerInput, ViewInput};
use super::event::Held;
use super::health::Health;
use super::notice::Notice;
use super::order_key::OrderKey;
use super::peer_state::{Cause, PeerState};
use super::report::PeerReport;
use super::snapshot::SnapshotHead;
use super::time::Millis;
use crate::ids::{Ballot, BankId, BankSet, Position, majority};

/// How often the view hears that time has passed, in milliseconds.
pub const TICK_MS: Millis = 100;
/// A time in ticks; counters stop at [`TICKS_MAX`].
type Ticks = u16;
/// Where counters of ticks stop: above everything that they are compared with.
const TICKS_MAX: Ticks = 1_000;
/// How often an unanswered message of the view change is said again.
const RESEND: Ticks = 3;
/// How long a member may report another view before it counts as away: its report may be older than
/// the view.
const DOUBT: Ticks = 30;
/// How long the members may take to agree on who of them is too slow.
const SLOW_AGREED_WITHIN: Ticks = 60;
/// Highest round that is promised: a broken peer must not use up all numbers.
pub const ROUND_MAX: u64 = 1 << 62;

/// Where this node stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// In no view; catches up with one, or waits for a `STOP`.
    Outside,
    /// The node's parts are freezing for the promised ballot.
    Freezing,
    /// The promise is on its way to the disk.
    Promising,
    /// Promised and answered.
    Promised,
    /// Fetching what the plan names and this bank lacks.
    Fetching,
    /// The plan is on its way to the disk.
    Writing,
    /// Everything is on disk; waits for `START`.
    Ready,
    /// The view is in force.
    Active,
    /// This copy of the ledger is not to be trusted: this bank takes part in nothing any more.
    Diverged,
}

/// What is known of a member of the view in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum MemberStatus {
    Here,
    /// Reports another view, for so long.
    Doubtful(Ticks),
    Away(Cause),
}

/// What the heartbeat says of a bank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Peer {
    state: PeerState,
    report: Option<PeerReport>,
    /// Whether most members say that its copy of the ledger differs.
    diverged: bool,
    /// For how many more ticks its wish to join counts.
    joining: Ticks,
    /// For how many more ticks it takes part only if it is needed: others waited for it in vain.
    barred: Ticks,
    /// How often that happened in succession.
    bars: u16,
    /// For how many ticks it has been too slow in the view in force.
    slow: Ticks,
    /// Whether it was heard when the view in force began, and has not been lost since: then its
    /// return is no matter.
    trusted: bool,
}

/// What a node's disk holds of views and events when the node starts.
#[derive(Clone, Debug, Default)]
pub struct OnDisk {
    /// The highest promise.
    pub promised: Ballot,
    /// The last prepared view.
    pub prepared: PreparePlan,
    /// Whether the disk counts for nothing until a view has begun with it,
    pub learner: bool,
    /// and this because it is new, not because it lacks something that it once had.
    pub fresh: bool,
    /// Whether a person has declared that this bank decides alone how the next view begins.
    pub rescue: bool,
    /// A snapshot of which so many pieces have arrived.
    pub arriving: Option<(SnapshotHead, u32)>,
    /// Executed part, and events held beyond.
    pub state: Frozen,
}

/// One node's part in views.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    me: BankId,
    banks: usize,
    promised: Ballot,
    /// The last prepared view.
    prepared: Ballot,
    /// How many banks it counted; none where the disk has never counted.
    counted: usize,
    learner: bool,
    rescue: bool,
    phase: Phase,
    /// What the node holds, while no view is in force here.
    state: Frozen,
    /// The plan that is being fetched, written, ready or in force.
    plan: PreparePlan,
    /// Events of the plan that were fetched.
    fetched: BTreeMap<OrderKey, Held>,
    /// How often something has come for the plan.
    progress: u32,
    /// How often others than the plan names were asked for its events.
    turn: u16,
    /// Members of plans that were fetched since a view last began here.
    not_begun: BankSet,
    /// Attempts in succession that found too few intact disks.
    fruitless: u16,
    /// Fetched journal entries, or a snapshot, are being executed.
    replaying: bool,
    /// A `STOP` that came while entries were being executed.
    stop_later: Option<Ballot>,
    /// Ticks since something was last asked for.
    since_asked: Ticks,
    /// Ticks since a view change last went forward here.
    idle: Ticks,
    /// For how many ticks a view change has been wanted here.
    wanting: Ticks,
    /// Ticks to wait before the next attempt.
    pause: Ticks,
    peers: Vec<Peer>,
    statuses: Vec<MemberStatus>,
    /// What the clock was told last.
    reach: Reach,
    /// Members of the last view that was in force here.
    members_before: BankSet,
    /// That view.
    last_in_force: Ballot,
    /// What became of the own events in it.
    fates: Fates,
    catch_up: CatchUp,
    coordination: Option<Coordination>,
    /// Highest round heard of.
    round_seen: u64,
    /// Messages to itself, handled before anything else.
    inbox: VecDeque<ViewMessage>,
}

impl View {
    /// A node that has just started, with what its disk holds.
    #[must_use]
    pub fn new(me: BankId, banks: usize, disk: OnDisk) -> Self {
        View {
            me,
            banks,
            promised: disk.promised,
            prepared: disk.prepared.ballot,
            counted: match (disk.learner, disk.fresh) {
                (false, _) => disk.prepared.clock.len(),
                (true, true) => 0,
                // Although it may have lost even its view, it knows that there was one.
                (true, false) => banks,
            },
            learner: disk.learner,
            rescue: disk.rescue,
            phase: Phase::Outside,
            state: disk.state,
            plan: PreparePlan::default(),
            fetched: BTreeMap::new(),
            progress: 0,
            turn: 0,
            not_begun: BankSet::default(),
            fruitless: 0,
            replaying: false,
            stop_later: None,
            since_asked: TICKS_MAX,
            idle: TICKS_MAX,
            wanting: 0,
            pause: 0,
            peers: vec![Peer::default(); banks],
            statuses: vec![MemberStatus::Here; banks],
            reach: Reach::Minority,
            members_before: BankSet::default(),
            last_in_force: Ballot::default(),
            fates: Fates::default(),
            catch_up: CatchUp::new(disk.arriving),
            coordination: None,
            round_seen: 0,
            inbox: VecDeque::new(),
        }
    }

    /// This bank.
    #[must_use]
    pub fn me(&self) -> BankId {
        self.me
    }

    /// Where the node stands.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The view in force, if any, with its members.
    #[must_use]
    pub fn active(&self) -> Option<(Ballot, BankSet)> {
        (self.phase == Phase::Active).then_some((self.plan.ballot, self.plan.members))
    }

    /// Whether the node takes writes: a view is in force and all its members answer.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Active && self.reach == Reach::Members
    }

    /// Whom this bank reaches.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// What is known of a bank: whether it answers, and what it said of itself last.
    #[must_use]
    pub fn peer(&self, bank: BankId) -> (PeerState, Option<PeerReport>) {
        let peer = &self.peers[bank.index()];
        (peer.state, peer.report)
    }

    /// Banks that count as answering, this one included. One whose return is watched does not, so
    /// that it drags nobody along, unless nothing works without it.
    #[must_use]
    pub fn heard(&self) -> BankSet {
        let steady: BankSet =
            BankId::all(self.banks).filter(|bank| self.is_steady(*bank)).collect();
        if self.could_act(steady) {
            return steady;
        }
        let returns = |bank: &BankId| self.peers[bank.index()].state == PeerState::Returning;
        BankId::all(self.banks).filter(|bank| steady.contains(*bank) || returns(bank)).collect()
    }

    /// Banks that count as answering for others. Members of a view find out one after the other who
    /// of them is too slow; would one say at once that it does not hear that member, the others
    /// might take itself for the one to be left out.
    fn answers(&self) -> BankSet {
        let members = self.active().map(|(_, members)| members).unwrap_or_default();
        let is_slow =
            |bank: &BankId| (1..=SLOW_AGREED_WITHIN).contains(&self.peers[bank.index()].slow);
        let slow: BankSet = members.iter().filter(is_slow).collect();
        self.heard().iter().chain(slow.iter()).collect()
    }

    fn is_steady(&self, bank: BankId) -> bool {
        let peer = &self.peers[bank.index()];
        bank == self.me
            || peer.state == PeerState::Up
            || (peer.state == PeerState::Returning && peer.trusted)
    }

    /// Whether these banks are enough for a view: a majority, and enough disks that have lost
    /// nothing.
    fn could_act(&self, banks: BankSet) -> bool {
        let counts = |bank: &BankId| match self.peers[bank.index()].report {
            _ if *bank == self.me => self.is_voter(),
            report => report.is_some_and(|report| report.voter),
        };
        let disks = banks.iter().filter(counts).count();
        banks.len() >= majority(self.banks) && disks > self.banks - majority(self.banks)
    }

    fn hears(&self, bank: BankId) -> bool {
        bank.index() < self.banks && self.heard().contains(bank)
    }

    /// Whether this bank's disk counts in the decision how a view begins.
    #[must_use]
    pub fn is_voter(&self) -> bool {
        !self.learner && self.prepared != Ballot::default()
    }

    /// What this node says of itself to others.
    #[must_use]
    pub fn report(&self) -> PeerReport {
        PeerReport {
            active: self.active().map(|(ballot, _)| ballot),
            promised: self.promised,
            prepared: self.prepared,
            voter: self.is_voter(),
            diverged: self.phase == Phase::Diverged,
            hears: self.answers(),
            // The heartbeat knows, and adds it.
            health: Health::default(),
        }
    }

    /// Takes one input; see [`ViewInput`].
    pub fn handle(&mut self, input: ViewInput, out: &mut Vec<Effect>) {
        match input {
            ViewInput::Peer { bank, state, report } => self.heartbeat(bank, state, report, out),
            _ if self.phase == Phase::Diverged => {}
            ViewInput::Message(from, message) => self.message(from, message, out),
            ViewInput::Traffic(view) => self.evidence_of(view, out),
            ViewInput::Frozen(frozen) => self.frozen(frozen, out),
            ViewInput::Replayed { position, hash, executed } => {
                self.replayed(position, hash, executed, out)
            }
            ViewInput::Prepared(ballot) => self.prepared_on_disk(ballot, out),
            ViewInput::JournalRead { to, after, entries, hash_before, starts_after } => {
                let entries = entries.into_iter().map(WireEntry::from).collect();
                self.send(
                    to,
                    ViewMessage::JournalPiece { after, entries, hash_before, starts_after },
                    out,
                );
            }
            ViewInput::SnapshotRead { to, piece, from, bytes } => {
                let part = piece.and_then(|piece| message::part_of(piece, from, bytes));
                part.into_iter().for_each(|part| self.send(to, part, out));
            }
            ViewInput::PieceStored { head, next } => self.piece_stored(head, next, out),
            ViewInput::SnapshotRefused => self.snapshot_refused(out),
            ViewInput::PeerDiverged { bank, position } => self.peer_diverged(bank, position, out),
            ViewInput::Diverged { with, position } => self.diverged(with, position, out),
            ViewInput::Tick => self.tick(out),
        }
        while let Some(message) = self.inbox.pop_front() {
            self.message(self.me, message, out);
        }
        self.tell_reach(out);
    }

    fn send(&mut self, to: BankId, message: ViewMessage, out: &mut Vec<Effect>) {
        if to == self.me {
            self.inbox.push_back(message);
        } else {
            out.push(Effect::Peer(to, PeerInput::View(message)));
        }
    }

    fn message(&mut self, from: BankId, message: ViewMessage, out: &mut Vec<Effect>) {
        if from.index() >= self.banks {
            return;
        }
        match message {
            ViewMessage::Join => self.peers[from.index()].joining = coordinator::JOIN_COUNTS,
            ViewMessage::Probe => {}
            ViewMessage::WouldStop { ballot, away, joining } => {
                self.would_stop(from, ballot, away, joining, out)
            }
            ViewMessage::Granted(ballot) => self.coordinate_granted(from, ballot),
            ViewMessage::Stop(ballot) => self.stop(from, ballot, out),
            ViewMessage::Stopped(stopped) => self.coordinate_stopped(from, stopped, out),
            ViewMessage::Refused { refused, promised } => {
                self.coordinate_refused(from, refused, promised)
            }
            ViewMessage::Forgotten(ballot) => self.forgotten(from, ballot, out),
            ViewMessage::Prepare(plan) => self.prepare(from, plan, out),
            ViewMessage::Working { ballot, progress } => {
                self.coordinate_working(from, ballot, progress)
            }
            ViewMessage::Ready(ballot) => self.coordinate_ready(from, ballot, out),
            ViewMessage::Start(ballot) => self.start(ballot, out),
            ViewMessage::FetchJournal { after, bytes } => {
                out.push(Effect::Journal(JournalInput::Read { to: from, after, bytes }));
            }
            ViewMessage::JournalPiece { after, entries, hash_before, starts_after } => {
                self.journal_piece(from, after, (entries, hash_before), starts_after, out);
            }
            ViewMessage::FetchSnapshot { index, from: at, bytes } => {
                out.push(Effect::Journal(JournalInput::ReadSnapshot {
                    to: from,
                    index,
                    from: at,
                    bytes,
                }));
            }
            ViewMessage::SnapshotPart { piece, from: at, of } => {
                self.snapshot_part(from, piece, at, of, out)
            }
            ViewMessage::FetchEvents { ballot, keys } if ballot == self.promised => {
                let events = self.held_among(&keys);
                self.send(from, ViewMessage::Events { ballot, events }, out);
            }
            ViewMessage::FetchEvents { .. } => {}
            ViewMessage::Events { ballot, events } => self.events(ballot, events, out),
        }
    }

    fn heartbeat(
        &mut self,
        bank: BankId,
        state: PeerState,
        report: Option<PeerReport>,
        out: &mut Vec<Effect>,
    ) {
        let peer = &mut self.peers[bank.index()];
        let before = std::mem::replace(&mut peer.state, state);
        peer.report = report;
        match state {
            PeerState::Up if before != PeerState::Up => {
                out.push(Effect::Notice(Notice::PeerUp(bank)))
            }
            PeerState::Down(cause) if !matches!(before, PeerState::Down(_)) => {
                out.push(Effect::Notice(Notice::PeerDown(bank, cause)));
            }
            _ => {}
        }
        if matches!(state, PeerState::Down(_)) {
            // Whatever it was, it begins anew.
            peer.diverged = false;
            peer.joining = 0;
        }
        if state == PeerState::Up && before != state {
            // It may be the one that was missing.
            self.catch_up.hope();
            (self.fruitless, self.pause) = (0, self.pause.min(coordinator::PAUSE_FOR_NEWS));
        }
        peer.trusted &= matches!(state, PeerState::Up | PeerState::Returning);
        let Some(report) = report.filter(|_| self.hears(bank)) else {
            return self.is_away(bank, state);
        };
        self.round_seen = self.round_seen.max(report.promised.round.min(ROUND_MAX));
        match (report.active, self.active()) {
            _ if report.diverged => self.set_status(bank, MemberStatus::Away(Cause::Diverged)),
            (Some(theirs), Some((ours, _))) if theirs == ours => {
                self.set_status(bank, MemberStatus::Here)
            }
            _ if self.statuses[bank.index()] == MemberStatus::Here => {
                self.set_status(bank, MemberStatus::Doubtful(0))
            }
            _ => {}
        }
        if let Some(view) = report.active {
            self.evidence_of(view, out);
        }
    }

    /// What it was lost for stands until it counts as heard again.
    fn is_away(&mut self, bank: BankId, state: PeerState) {
        match (state, self.statuses[bank.index()]) {
            (PeerState::Down(cause), _) => {
                self.peers[bank.index()].slow = u16::from(matches!(cause, Cause::Slow { .. }));
                self.set_status(bank, MemberStatus::Away(cause));
            }
            (_, MemberStatus::Away(_)) => {}
            _ => self.set_status(bank, MemberStatus::Away(Cause::Elsewhere)),
        }
    }

    fn set_status(&mut self, bank: BankId, status: MemberStatus) {
        self.statuses[bank.index()] = status;
    }

    /// Somebody acts in a view. If it is the one prepared here, it has begun; if it is above the
    /// one in force here, that one has ended without this bank.
    fn evidence_of(&mut self, view: Ballot, out: &mut Vec<Effect>) {
        if view == self.promised {
            self.start(view, out);
        } else if view > self.promised && self.phase == Phase::Active && view.round <= ROUND_MAX {
            self.promise(view, out);
        }
    }

    fn tell_reach(&mut self, out: &mut Vec<Effect>) {
        let here = |bank: BankId| !matches!(self.statuses[bank.index()], MemberStatus::Away(_));
        let reach = match self.active() {
            Some((_, members)) if members.iter().all(|bank| bank == self.me || here(bank)) => {
                Reach::Members
            }
            _ if self.phase == Phase::Diverged => Reach::Outside,
            _ if self.heard().len() < majority(self.banks) => Reach::Minority,
            None if self.is_left_out() => Reach::Outside,
            _ => Reach::Majority,
        };
        if reach == self.reach {
            return;
        }
        let before = std::mem::replace(&mut self.reach, reach);
        out.push(Effect::Clock(ClockInput::Reach(reach)));
        match self.active().filter(|_| reach == Reach::Members) {
            Some((ballot, members)) => out.push(Effect::Notice(Notice::Ready(ballot, members))),
            None if before == Reach::Members
                || matches!(reach, Reach::Minority | Reach::Outside) =>
            {
                out.push(Effect::Notice(Notice::NotReady(reach)));
            }
            None => {}
        }
    }

    fn peer_diverged(&mut self, bank: BankId, position: Position, out: &mut Vec<Effect>) {
        if !std::mem::replace(&mut self.peers[bank.index()].diverged, true) {
            out.push(Effect::Notice(Notice::PeerDiverged(bank, position)));
            self.set_status(bank, MemberStatus::Away(Cause::Diverged));
        }
    }

    fn diverged(&mut self, with: BankId, position: Position, out: &mut Vec<Effect>) {
        self.phase = Phase::Diverged;
        self.coordination = None;
        out.push(Effect::Clock(ClockInput::Freeze(self.promised)));
        out.push(Effect::Notice(Notice::Diverged(with, position)));
    }

    fn tick(&mut self, out: &mut Vec<Effect>) {
        for counter in [&mut self.since_asked, &mut self.idle] {
            *counter = (*counter + 1).min(TICKS_MAX);
        }
        self.pause = self.pause.saturating_sub(1);
        for peer in &mut self.peers {
            peer.joining = peer.joining.saturating_sub(1);
            peer.barred = peer.barred.saturating_sub(1);
        }
        for (peer, status) in self.peers.iter_mut().zip(&self.statuses) {
            let is_slow = matches!(status, MemberStatus::Away(Cause::Slow { .. }));
            peer.slow = if is_slow { (peer.slow + 1).min(TICKS_MAX) } else { 0 };
        }
        for status in &mut self.statuses {
            *status = match *status {
                MemberStatus::Doubtful(ticks) if ticks >= DOUBT => {
                    MemberStatus::Away(Cause::Elsewhere)
                }
                MemberStatus::Doubtful(ticks) => MemberStatus::Doubtful(ticks + 1),
                other => other,
            };
        }
        self.fetch_elsewhere_if_overdue(out);
        self.catch_up_further(out);
        self.coordinate(out);
    }
}

#[cfg(test)]
mod tests;
