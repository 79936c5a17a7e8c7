//! The view: which banks act together, and how they change from one view to the next without losing
//! or duplicating anything.
//!
//! Source: the requirement's two phases, stop the network and release it, made safe in the manner
//! of L. Lamport's Paxos (banks make promises to ballots, and the next coordinator carries on a
//! prepared view) and of the flush in virtual synchrony (K. Birman, T. Joseph, 1987):
//!
//! ```text
//! coordinator  WOULD STOP ──▶ those who see the fault themselves grant it; nobody is disturbed
//!              STOP ──▶       promise and freeze, both on disk ──▶ STOPPED what I have and hold
//!              PREPARE ──▶    fetch what is missing of P and U; fsync ──▶ READY
//!              START ──▶      execute U, set clock and matrix to F, go on
//! a bank outside  fetches the journal of a member, then asks to JOIN
//! ```
//!
//! [`View`] is the whole of it, one field for each of the data below; each file of the upper group
//! adds methods to it. The lower files know nothing of the upper ones.
//!
//! - `reach`: whom this bank hears, and what others say of themselves.
//! - `wish`: when a change is wanted, and whose turn it is; `coordinator`: the steps of an attempt;
//!   `late`: members that make no progress.
//! - `door`: what others say is refused if it cannot be.
//! - `genuine`: what is passed on of others' events must be signed by these.
//! - `flush`: what a bank does for an attempt of another; `catch_up`: what a bank outside does.
//!
//! - `phase`: where the node stands, with what exists only there.
//! - `disk`: what it has promised and prepared. `rounds`: how high a round may be. `peer`: what is
//!   known of a bank. `transfer`: what is fetched from others. `attempt`: an attempt at a view, and
//!   what remains of those before.
//! - `plan`: how a view begins, from what the banks hold; `hearing`: the largest clique of banks
//!   that hear each other; `message`: what banks say; `turn`: what is passed through a node's parts
//!   between two views; `ticks`: time.

mod attempt;
mod catch_up;
mod coordinator;
mod disk;
mod door;
mod flush;
mod genuine;
mod hearing;
mod late;
pub mod message;
mod peer;
mod phase;
mod plan;
mod reach;
mod rounds;
mod ticks;
mod transfer;
pub mod turn;
mod wish;

use std::collections::VecDeque;

pub use disk::OnDisk;
pub(crate) use genuine::first_signed;
pub(crate) use message::WireEntry;
pub use message::{Bulk, PIECE_EVENTS_MAX, PreparePlan, Stopped, ViewMessage};
pub use phase::PhaseName;
pub use ticks::TICK_MS;
pub use transfer::PIECE_BYTES_MAX;
pub use turn::{Fates, Frozen, Installed, Reach};

use self::attempt::Coordination;
use self::disk::Disk;
use self::message::part_of;
use self::peer::Peer;
use self::phase::{Interim, Phase};
use self::rounds::Rounds;
use self::ticks::{Headway, count};
use self::transfer::Transfer;
use super::complaints::Complaints;
use super::effect::{ClockInput, Effect, JournalInput, PeerInput, ViewInput};
use super::health::Health;
use super::notice::Notice;
use super::peer_state::PeerState;
use super::report::PeerReport;
use crate::ids::{Ballot, BankId, BankSet, Position};

/// One node's part in view changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    me: BankId,
    banks: usize,
    phase: Phase,
    disk: Disk,
    rounds: Rounds,
    /// How far the node has come with the view change that is under way, as others see it.
    headway: Headway,
    transfer: Transfer,
    coordination: Coordination,
    peers: Vec<Peer>,
    /// What the clock was told last.
    reach: Reach,
    /// The view that was last in force here, with its members.
    last_in_force: Option<(Ballot, BankSet)>,
    /// Messages from this node to itself, handled before anything else.
    inbox: VecDeque<ViewMessage>,
    complaints: Complaints,
    /// Whether banks sign their events.
    signs: bool,
}

impl View {
    /// A node that has just started, with what its disk holds.
    #[must_use]
    pub fn new(me: BankId, banks: usize, disk: OnDisk) -> Self {
        View {
            me,
            banks,
            disk: Disk::found(&disk, banks),
            rounds: Rounds::new(disk.promised.round),
            phase: Phase::Between(Box::new(Interim::outside(disk.state))),
            headway: Headway::none(),
            transfer: Transfer::new(disk.arriving),
            coordination: Coordination::default(),
            peers: vec![Peer::default(); banks],
            reach: Reach::Minority,
            last_in_force: None,
            inbox: VecDeque::new(),
            complaints: Complaints::default(),
            signs: false,
        }
    }

    /// This bank.
    #[must_use]
    pub fn me(&self) -> BankId {
        self.me
    }

    /// Where the node stands.
    #[must_use]
    pub fn phase(&self) -> PhaseName {
        self.phase.name()
    }

    /// The view in force, if any, with its members.
    #[must_use]
    pub fn active(&self) -> Option<(Ballot, BankSet)> {
        match &self.phase {
            Phase::Active(plan) => Some((plan.ballot, plan.members)),
            _ => None,
        }
    }

    /// Whether the node takes writes: a view is in force and all its members answer.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.active().is_some() && self.reach == Reach::Members
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

    /// Whether this bank's disk counts in deciding how a view begins.
    #[must_use]
    pub(crate) fn is_voter(&self) -> bool {
        self.disk.is_voter()
    }

    /// What this node tells others about itself.
    #[must_use]
    pub fn report(&self) -> PeerReport {
        PeerReport {
            active: self.active().map(|(ballot, _)| ballot),
            promised: self.disk.promised,
            prepared: self.disk.prepared,
            voter: self.is_voter(),
            diverged: self.has_diverged(),
            hears: self.answers(),
            // The heartbeat knows it, and fills it in.
            health: Health::default(),
        }
    }

    fn has_diverged(&self) -> bool {
        self.phase == Phase::Diverged
    }

    /// Takes one input; see [`ViewInput`].
    pub fn handle(&mut self, input: ViewInput, out: &mut Vec<Effect>) {
        match input {
            ViewInput::Peer { bank, state, report } => self.heartbeat(bank, state, report, out),
            _ if self.has_diverged() => {}
            ViewInput::Message(from, message) => self.message(from, message, out),
            ViewInput::Traffic(from, view) => self.traffic(from, view, out),
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
                let part = piece.and_then(|piece| part_of(piece, from, bytes));
                part.into_iter().for_each(|part| self.send(to, part, out));
            }
            ViewInput::PieceStored { head, next } => self.piece_stored(&head, next, out),
            ViewInput::RunRead { to, name, from, of, content } => {
                self.send(to, ViewMessage::RunPart { name, from, of, content }, out);
            }
            ViewInput::RunsMissing { head, runs } => self.runs_missing(&head, runs, out),
            ViewInput::RunStored(name) => self.run_stored(name, out),
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
        } else if self.possible().bank(to) {
            // Other promises may still be on a disk from before they were refused.
            out.push(Effect::Peer(to, PeerInput::View(message)));
        }
    }

    fn message(&mut self, from: BankId, message: ViewMessage, out: &mut Vec<Effect>) {
        if from.index() >= self.banks {
            return;
        }
        if let Some(what) = self.impossible(&message) {
            if let ViewMessage::WouldStop { ballot, .. } = message {
                // The bound follows it.
                self.names_round(from, ballot.round);
            }
            return self.complain(from, what, out);
        }
        match message {
            ViewMessage::Join => self.peers[from.index()].wants_to_join(),
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
                let (to, from) = (from, at);
                out.push(Effect::Journal(JournalInput::ReadSnapshot { to, index, from, bytes }));
            }
            ViewMessage::SnapshotPart { piece, from: at, of } => {
                self.snapshot_part(from, piece, at, of, out)
            }
            ViewMessage::FetchRun { name, from: at, bytes } => {
                let (to, from) = (from, at);
                out.push(Effect::Journal(JournalInput::ReadRun { to, name, from, bytes }));
            }
            ViewMessage::RunPart { name, from: at, of, content } => {
                self.run_part(from, name, &content, (at, of), out)
            }
            ViewMessage::FetchEvents { ballot, keys } => self.give_events(from, ballot, &keys, out),
            ViewMessage::Events { ballot, events } => self.events(from, ballot, events, out),
        }
    }

    /// This copy of the ledger differs from most.
    fn diverged(&mut self, with: BankId, position: Position, out: &mut Vec<Effect>) {
        self.phase = Phase::Diverged;
        self.coordination.attempt = None;
        out.push(Effect::Clock(ClockInput::Freeze(self.disk.promised)));
        out.push(Effect::Notice(Notice::Diverged(with, position)));
    }

    fn tick(&mut self, out: &mut Vec<Effect>) {
        count(&mut self.headway.idle);
        self.transfer.tick();
        self.coordination.tick();
        self.complaints.tick();
        self.rounds.follow(self.highest_round());
        self.peers.iter_mut().for_each(Peer::tick);
        self.fetch_elsewhere_if_overdue(out);
        self.catch_up_further(out);
        self.coordinate(out);
    }
}

#[cfg(test)]
mod tests;
