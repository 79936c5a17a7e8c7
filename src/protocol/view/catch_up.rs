//! What a bank outside does: it fetches a member's journal, or its snapshot where the journal no longer reaches back
//! far enough, executes it, and when nothing is missing any more asks to be let in.
//!
//! What a member has executed is final, so none of this needs a ballot. One piece is under way at a time and the next
//! is asked for when it is executed and on disk, so a bank that catches up costs the members no more than it can take.

use super::{Phase, TICKS_MAX, Ticks, View, ViewMessage, WireEntry};
use crate::protocol::effect::{Effect, JournalEntry, JournalInput, LedgerInput, Notice};
use crate::protocol::ids::{BankId, ChainHash, Position};
use crate::protocol::order_key::OrderKey;
use crate::protocol::snapshot::{SnapshotHead, SnapshotPiece};

/// How long an answer is waited for before another member is asked.
const ANSWER_WITHIN: Ticks = 20;
/// How often a bank that has caught up looks for more.
const LOOK_EVERY: Ticks = 2;
/// How often it asks to join.
const JOIN_EVERY: Ticks = 5;
/// A piece with fewer events than this means that little is missing.
const NEAR_EVENTS: usize = 100;
/// How long after its promise a bank that hears members acting waits for the attempt before it goes on catching up.
const ATTEMPT_OVER: Ticks = 50;

/// How far a bank outside has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CatchUp {
    /// The member that is asked.
    source: Option<BankId>,
    /// Whether an answer is awaited.
    waiting: bool,
    /// Whether the last answer brought so little that the bank may ask to join.
    near: bool,
    /// Ticks since it asked.
    since_join: Ticks,
    /// A snapshot of which so many pieces are here.
    arriving: Option<(SnapshotHead, u32)>,
}

impl CatchUp {
    pub(super) fn new(arriving: Option<(SnapshotHead, u32)>) -> Self {
        CatchUp { source: None, waiting: false, near: false, since_join: 0, arriving }
    }
}

impl View {
    /// Members that act, the lowest number first.
    fn acting(&self) -> Vec<BankId> {
        let acts = |bank: &BankId| self.hears(*bank) && self.active_of(*bank).is_some();
        BankId::all(self.banks).filter(acts).collect()
    }

    /// Whether the bank is outside while others act.
    fn is_left_out(&self) -> bool {
        let latest = self.acting().iter().filter_map(|bank| self.active_of(*bank)).max();
        match self.phase {
            Phase::Outside => latest.is_some(),
            Phase::Promised => latest.is_some_and(|view| view >= self.promised || self.still >= ATTEMPT_OVER),
            Phase::Fetching | Phase::Ready => {
                latest.is_some_and(|view| view > self.promised || self.still >= ATTEMPT_OVER)
            }
            _ => false,
        }
    }

    pub(super) fn catch_up_further(&mut self, out: &mut Vec<Effect>) {
        if !self.is_left_out() {
            if self.phase != Phase::Fetching {
                (self.catch_up.source, self.catch_up.waiting, self.catch_up.near) = (None, false, false);
            }
            return;
        }
        // A prepared view that begins without this bank has begun for others at most; they know how it went on.
        self.phase = Phase::Outside;
        if self.replaying {
            return;
        }
        let acting = self.acting();
        let source = self.catch_up.source.filter(|source| acting.contains(source));
        let overdue = self.catch_up.waiting && self.asked >= ANSWER_WITHIN;
        if source.is_none() || overdue {
            // The next lower member, so that the coordinator is asked last.
            let lower = |bank: &&BankId| self.catch_up.source.is_none_or(|before| **bank < before);
            let next = acting.iter().rev().find(lower).or(acting.last()).copied();
            self.catch_up.source = next;
            out.extend(next.map(|next| Effect::Notice(Notice::CatchingUp(self.state.position, next))));
            return self.ask_further(out);
        }
        if !self.catch_up.waiting && self.asked >= LOOK_EVERY {
            self.ask_further(out);
        }
        self.catch_up.since_join = (self.catch_up.since_join + 1).min(TICKS_MAX);
        if self.catch_up.near && self.catch_up.since_join >= JOIN_EVERY {
            self.catch_up.since_join = 0;
            acting.iter().for_each(|bank| self.send(*bank, ViewMessage::Join, out));
        }
    }

    fn ask_further(&mut self, out: &mut Vec<Effect>) {
        if let Some(source) = self.catch_up.source {
            self.catch_up.waiting = true;
            self.asked = 0;
            self.ask_journal(source, out);
        }
    }

    pub(super) fn ask_journal(&mut self, source: BankId, out: &mut Vec<Effect>) {
        let after = self.state.position;
        self.send(source, ViewMessage::FetchJournal { after }, out);
    }

    /// Whom the bank takes journal from now, if from anybody.
    fn takes_from(&self, from: BankId) -> bool {
        match self.phase {
            _ if self.replaying => false,
            Phase::Fetching => from == self.plan.source,
            Phase::Outside => self.catch_up.source == Some(from),
            _ => false,
        }
    }

    pub(super) fn journal_piece(
        &mut self,
        from: BankId,
        after: Position,
        (entries, hash_before): (Vec<WireEntry>, Option<ChainHash>),
        starts_after: Position,
        out: &mut Vec<Effect>,
    ) {
        // An answer to an earlier question says nothing about this copy as it is now.
        if !self.takes_from(from) || after != self.state.position {
            return;
        }
        self.catch_up.waiting = false;
        if starts_after > self.state.position {
            out.push(Effect::Notice(Notice::Restoring(starts_after, from)));
            return self.fetch_snapshot(from, out);
        }
        if entries.is_empty() && hash_before.is_some_and(|hash| hash != self.state.hash) {
            // Everybody who acts agrees with the source, and this copy does not.
            return self.diverged(from, self.state.position, out);
        }
        self.near_if(entries.len() < NEAR_EVENTS && hash_before.is_some(), out);
        let entries: Vec<_> = entries.into_iter().map(JournalEntry::from).collect();
        let starts_here =
            |entry: &JournalEntry| entry.position.0 == self.state.position.0 + entry.held.event.requests.len() as u64;
        // A piece asked for twice may come twice; only one that goes on from here is taken.
        if entries.first().is_some_and(starts_here) {
            self.replaying = true;
            let own = |key: &OrderKey| key.sender == self.me && key.view == self.last_in_force;
            let keys = entries.iter().map(|entry| entry.held.event.order_key());
            self.fates.fetched.extend(keys.filter(own));
            out.push(Effect::Ledger(LedgerInput::Replay(entries)));
        }
    }

    fn near_if(&mut self, near: bool, out: &mut Vec<Effect>) {
        if near && !self.catch_up.near && self.phase == Phase::Outside {
            out.push(Effect::Notice(Notice::CaughtUp(self.state.position)));
            self.catch_up.since_join = TICKS_MAX;
        }
        self.catch_up.near = near;
    }

    /// A piece is executed and on disk: ask for the next one, at once unless little is missing.
    pub(super) fn caught_up_further(&mut self, out: &mut Vec<Effect>) {
        if self.phase == Phase::Outside && !self.catch_up.near {
            self.ask_further(out);
        }
    }

    /// Asks for the next piece of the snapshot that is arriving, or opens it when all are here.
    fn fetch_snapshot(&mut self, source: BankId, out: &mut Vec<Effect>) {
        self.asked = 0;
        self.still = 0;
        let index = match &self.catch_up.arriving {
            Some((head, next)) if *next == head.pieces && head.position > self.state.position => {
                self.replaying = true;
                self.fates.unknown = true;
                return out.push(Effect::Journal(JournalInput::OpenSnapshot(head.clone())));
            }
            Some((head, next)) if *next < head.pieces => *next,
            _ => 0,
        };
        self.catch_up.waiting = true;
        self.send(source, ViewMessage::FetchSnapshot { index }, out);
    }

    pub(super) fn snapshot_piece(&mut self, from: BankId, piece: SnapshotPiece, out: &mut Vec<Effect>) {
        if !self.takes_from(from) || piece.head.position <= self.state.position {
            return;
        }
        let next = match &self.catch_up.arriving {
            Some((head, next)) if *head == piece.head => *next,
            _ => 0,
        };
        if piece.index == next {
            out.push(Effect::Journal(JournalInput::StorePiece(piece)));
        } else if piece.index > next {
            // Of another snapshot than the one of which pieces are here.
            self.catch_up.arriving = None;
            self.fetch_snapshot(from, out);
        }
    }

    pub(super) fn piece_stored(&mut self, head: SnapshotHead, next: u32, out: &mut Vec<Effect>) {
        self.catch_up.arriving = Some((head, next));
        let source = match self.phase {
            Phase::Fetching => Some(self.plan.source),
            Phase::Outside => self.catch_up.source,
            _ => None,
        };
        if let Some(source) = source.filter(|_| !self.replaying) {
            self.fetch_snapshot(source, out);
        }
    }

    /// What arrived was no snapshot: begin again, with another member if there is one.
    pub(super) fn snapshot_refused(&mut self, out: &mut Vec<Effect>) {
        self.replaying = false;
        self.catch_up.arriving = None;
        self.catch_up.waiting = true;
        self.asked = ANSWER_WITHIN;
        if let Some(ballot) = self.stop_later.take().filter(|ballot| *ballot > self.promised) {
            self.promise(ballot, out);
        }
    }
}
