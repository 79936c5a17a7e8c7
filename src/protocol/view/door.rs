//! The door of the view: what another bank says about views must be possible before anything is
//! done about it.
//!
//! What could never be is refused here, whatever the node is doing; what cannot be right given what
//! this node knows is refused where it is used. Either way nothing else happens, nothing is
//! written, and people are told who sent it.

use super::View;
use super::message::{PreparePlan, Stopped, ViewMessage, WireEntry, WireHeld};
use super::phase::Interim;
use crate::ids::{Ballot, BankId, BankSet, Position, majority};
use crate::protocol::effect::Effect;
use crate::protocol::order_key::OrderKey;
use crate::protocol::possible::{
    Impossible, Possible, RUN_BYTES_MAX, SNAPSHOT_PIECE_BYTES_MAX, ascend,
};
use crate::protocol::report::PeerReport;
use crate::protocol::snapshot::SnapshotPiece;
use crate::protocol::vector_clock::VectorClock;

/// By how much the counters of a clock may add up to more than what this bank knows of and what was
/// executed since: each view change leaves behind a few events that never existed.
const CLOCK_AHEAD_MAX: u64 = 1 << 28;

impl View {
    pub(super) fn possible(&self) -> Possible {
        Possible { banks: self.banks }
    }

    /// People are told that a bank has sent something that cannot be.
    pub(super) fn complain(&mut self, bank: BankId, what: Impossible, out: &mut Vec<Effect>) {
        out.extend(self.complaints.about(bank, what).map(Effect::Notice));
    }

    /// What is impossible about a message, if anything is.
    pub(super) fn impossible(&self, message: &ViewMessage) -> Option<Impossible> {
        let unless = |holds: bool, what| (!holds).then_some(what);
        match message {
            ViewMessage::WouldStop { ballot, .. } => {
                unless(self.may_promise(*ballot), Impossible::Round)
            }
            ViewMessage::Stopped(stopped) => unless(self.may_hold(stopped), Impossible::Holdings),
            ViewMessage::FetchJournal { after, .. } => {
                unless(self.possible().position(*after), Impossible::Question)
            }
            ViewMessage::JournalPiece { after, entries, starts_after, .. } => {
                let fits = self.possible().position(*starts_after) && self.follow(*after, entries);
                unless(fits, Impossible::Journal)
            }
            ViewMessage::SnapshotPart { piece, from, of } => {
                unless(self.is_part(piece, *from, *of), Impossible::Snapshot)
            }
            ViewMessage::RunPart { from, of, content, .. } => {
                let ends = from.checked_add(content.len() as u64);
                let fits = *of <= RUN_BYTES_MAX && ends.is_some_and(|ends| ends <= *of);
                unless(fits, Impossible::Snapshot)
            }
            ViewMessage::Events { events, .. } => {
                let fits = events.iter().all(|WireHeld(held)| self.possible().held(held));
                unless(fits, Impossible::Flush)
            }
            // These are compared with what this node is doing, and mean nothing otherwise; `STOP`
            // and `PREPARE` are answered with a refusal.
            _ => None,
        }
    }

    /// Whether a ballot may be promised: somebody makes it, and it is not too far above what has
    /// been seen.
    pub(super) fn may_promise(&self, ballot: Ballot) -> bool {
        self.possible().ballot(ballot) && self.rounds.allow(ballot.round)
    }

    /// A bank has named a round that it has promised, or one that is out of reach here. It counts
    /// for as long as the bank answers.
    pub(super) fn names_round(&mut self, bank: BankId, round: u64) {
        let peer = &mut self.peers[bank.index()];
        peer.named = peer.named.max(round);
    }

    /// The highest round that this bank has promised, or that a bank which answers has named.
    pub(super) fn highest_round(&self) -> u64 {
        let others = self.peers.iter().filter(|peer| peer.answers());
        let named = others
            .map(|peer| peer.named.max(peer.report.map_or(0, |report| report.promised.round)));
        named.max().unwrap_or_default().max(self.disk.promised.round)
    }

    /// A report, unless it names a view or ballot that cannot be. What a bank says about itself
    /// then says nothing.
    pub(super) fn credible(
        &mut self,
        bank: BankId,
        report: Option<PeerReport>,
        out: &mut Vec<Effect>,
    ) -> Option<PeerReport> {
        let PeerReport { active, promised, prepared, .. } = report?;
        let ballots = [Some(promised), Some(prepared), active];
        if ballots.into_iter().flatten().all(|ballot| self.may_promise(ballot)) {
            return report;
        }
        self.names_round(bank, promised.round);
        self.complain(bank, Impossible::Round, out);
        None
    }

    /// Whether executed events follow one another from a position on.
    fn follow(&self, after: Position, entries: &[WireEntry]) -> bool {
        let possible = self.possible();
        let keys = entries.iter().map(|entry| entry.held.0.event.order_key());
        let mut last = after.0;
        entries.iter().all(|entry| {
            let WireHeld(held) = &entry.held;
            last = last.saturating_add(held.event.requests.len() as u64);
            let is_next = entry.position == Position(last) && possible.position(entry.position);
            is_next && possible.held(held) && self.rounds.allow(held.event.view.round)
        }) && ascend(keys)
    }

    fn is_part(&self, piece: &SnapshotPiece, from: u64, of: u64) -> bool {
        let ends = from.checked_add(piece.text.len() as u64);
        self.possible().snapshot(&piece.head)
            && self.rounds.allow(piece.head.executed.last.view.round)
            && piece.index < piece.head.pieces
            && of <= SNAPSHOT_PIECE_BYTES_MAX
            && ends.is_some_and(|ends| ends <= of)
    }

    /// Whether a bank that has frozen may hold what it says.
    fn may_hold(&self, stopped: &Stopped) -> bool {
        let possible = self.possible();
        let done = stopped.executed.as_ref();
        possible.position(stopped.position)
            && stopped.fits(self.banks)
            && stopped.prepared <= stopped.ballot
            && done.is_none_or(|done| possible.executions(done))
            && done.is_none_or(|done| done.last.view <= stopped.ballot)
            && self.are_held(stopped.held.iter().copied(), stopped.ballot)
            && self.may_have_counted(&stopped.clock, stopped.position)
    }

    /// Whether these may be the keys of events that were stamped before an attempt.
    fn are_held(&self, keys: impl Iterator<Item = OrderKey> + Clone, ballot: Ballot) -> bool {
        let is_before = |key: OrderKey| self.possible().key(key) && key.view < ballot;
        keys.clone().all(is_before) && ascend(keys)
    }

    /// Whether the events of a clock may have been counted by the time when a position was
    /// executed. Every event that was executed since what is known here has a position of its own.
    fn may_have_counted(&self, clock: &VectorClock, position: Position) -> bool {
        let Some(Interim { state, .. }) = self.phase.interim() else { return true };
        let done = state.executed.as_ref().map_or(0, |done| done.clock.sum());
        let known = state.clock.sum().max(done);
        let since = position.0.saturating_sub(state.position.0);
        let most = known.saturating_add(since).saturating_add(CLOCK_AHEAD_MAX);
        self.possible().clock(clock) && clock.sum() <= most
    }

    /// Whether a view may begin like this: a plan speaks only of what there is, its members are a
    /// majority with this bank among them, and its events are from before it.
    pub(super) fn may_begin(&self, plan: &PreparePlan) -> bool {
        let is_enough = |members: BankSet| members.len() >= majority(self.banks);
        plan.fits(self.banks)
            && plan.members.contains(self.me)
            && is_enough(plan.members)
            && self.possible().position(plan.position)
            && self.are_held(plan.events.iter().map(|(key, _)| *key), plan.ballot)
            && self.may_have_counted(&plan.clock, plan.position)
    }
}
