//! What a bank outside does: it fetches a member's journal, or its snapshot where the journal no
//! longer reaches back far enough, executes it, and when nothing is missing any more asks to be let
//! in.
//!
//! What a member has executed is final, so none of this needs a ballot. One piece is under way at a
//! time and the next is asked for when it is executed and on disk, so a bank that catches up costs
//! the members no more than it can take.

use super::{Phase, TICKS_MAX, Ticks, View, ViewMessage, WireEntry};
use crate::ids::{BankId, BankSet, ChainHash, Position};
use crate::protocol::effect::{Effect, JournalInput, LedgerInput};
use crate::protocol::execution::JournalEntry;
use crate::protocol::notice::Notice;
use crate::protocol::order_key::OrderKey;
use crate::protocol::snapshot::{SnapshotHead, SnapshotPiece};

/// Most events in one answer to a bank that catches up.
pub const PIECE_EVENTS_MAX: usize = 500;
/// Bytes of events after which an answer to a bank that catches up ends: read in a few
/// milliseconds, since the journal's thread reads it, which others wait for.
pub const PIECE_BYTES_MAX: usize = 512 * 1024;
/// How much is asked for while nothing is known of the line, and the least.
const PIECE_BYTES_MIN: u32 = 4 * 1024;
/// An answer that took so long tells that the line carries more,
const QUICK: Ticks = 2;
/// what it was asked for,
const FITTING: Ticks = 5;
/// or less.
const SLOW: Ticks = 8;
/// How long the answer is waited for while nothing is known of the line; doubles with each that
/// does not come.
const ANSWER_WITHIN: Ticks = 10;
/// Longest wait for an answer.
const ANSWER_WITHIN_MAX: Ticks = 300;
/// How often a bank that has caught up looks for more.
const LOOK_EVERY: Ticks = 2;
/// How often it asks to join.
const JOIN_EVERY: Ticks = 5;
/// How long after its promise a bank that hears members acting waits for the attempt before it goes
/// on catching up.
const ATTEMPT_OVER: Ticks = 50;

/// How far a bank outside has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CatchUp {
    /// The member that is asked.
    source: Option<BankId>,
    /// Banks that were asked: what they answer counts, however late.
    sources: BankSet,
    /// Whether an answer is awaited.
    waiting: bool,
    /// How long it is waited for.
    within: Ticks,
    /// How much the line carries in half a second, as far as is known.
    bytes: u32,
    /// Whether the last answer brought so little that the bank may ask to join.
    near: bool,
    /// Ticks since it asked.
    since_join: Ticks,
    /// A snapshot of which so many pieces are here.
    arriving: Option<(SnapshotHead, u32)>,
    /// The beginning of the next piece.
    part: Option<SnapshotPiece>,
}

impl CatchUp {
    pub(super) fn new(arriving: Option<(SnapshotHead, u32)>) -> Self {
        CatchUp {
            source: None,
            sources: BankSet::default(),
            waiting: false,
            within: ANSWER_WITHIN,
            bytes: PIECE_BYTES_MIN,
            near: false,
            since_join: 0,
            arriving,
            part: None,
        }
    }

    /// An answer of so many bytes has come after so long: the next question asks for what the line
    /// carries in about half a second, and is not said again before it can have been answered.
    fn learn(&mut self, got: usize, after: Ticks) {
        let was_full = got as u64 * 2 >= u64::from(self.bytes);
        if after <= QUICK && was_full {
            self.bytes = (self.bytes * 2).min(PIECE_BYTES_MAX as u32);
        } else if after >= SLOW {
            self.bytes = (self.bytes / 2).max(PIECE_BYTES_MIN);
        }
        self.within = ANSWER_WITHIN.max(after * 3).min(ANSWER_WITHIN_MAX);
        self.waiting = false;
    }

    /// Another bank is heard: perhaps the line is better now.
    pub(super) fn hope(&mut self) {
        self.within = ANSWER_WITHIN;
    }

    /// No answer has come in time.
    fn wait_longer(&mut self) {
        self.within = (self.within * 2).min(ANSWER_WITHIN_MAX);
        self.bytes = (self.bytes / 2).max(PIECE_BYTES_MIN);
        self.waiting = false;
    }
}

impl View {
    /// Members that act, the lowest number first.
    fn acting(&self) -> Vec<BankId> {
        let acts = |bank: &BankId| self.hears(*bank) && self.active_of(*bank).is_some();
        BankId::all(self.banks).filter(acts).collect()
    }

    /// Whether the bank is outside while others act.
    pub(super) fn is_left_out(&self) -> bool {
        let latest = self.acting().iter().filter_map(|bank| self.active_of(*bank)).max();
        match self.phase {
            Phase::Outside => latest.is_some(),
            Phase::Promised => {
                latest.is_some_and(|view| view >= self.promised || self.idle >= ATTEMPT_OVER)
            }
            Phase::Fetching | Phase::Ready => {
                latest.is_some_and(|view| view > self.promised || self.idle >= ATTEMPT_OVER)
            }
            _ => false,
        }
    }

    pub(super) fn catch_up_further(&mut self, out: &mut Vec<Effect>) {
        if !self.is_left_out() {
            if self.phase != Phase::Fetching {
                (self.catch_up.source, self.catch_up.waiting, self.catch_up.near) =
                    (None, false, false);
                self.catch_up.sources = BankSet::default();
            }
            return;
        }
        // A prepared view that begins without this bank has begun for others at most; they know how
        // it went on.
        self.phase = Phase::Outside;
        if self.replaying {
            return;
        }
        let acting = self.acting();
        let source = self.catch_up.source.filter(|source| acting.contains(source));
        let overdue = self.is_overdue();
        if source.is_none() || overdue {
            if overdue {
                self.catch_up.wait_longer();
            }
            // The next lower member, so that the coordinator is asked last.
            let lower = |bank: &&BankId| self.catch_up.source.is_none_or(|before| **bank < before);
            let next = acting.iter().rev().find(lower).or(acting.last()).copied();
            self.catch_up.source = next;
            out.extend(
                next.map(|next| Effect::Notice(Notice::CatchingUp(self.state.position, next))),
            );
            return self.ask_further(out);
        }
        if !self.catch_up.waiting && self.since_asked >= LOOK_EVERY {
            self.ask_further(out);
        }
        self.catch_up.since_join = (self.catch_up.since_join + 1).min(TICKS_MAX);
        if self.catch_up.near && self.catch_up.since_join >= JOIN_EVERY {
            self.catch_up.since_join = 0;
            acting.iter().for_each(|bank| self.send(*bank, ViewMessage::Join, out));
        }
    }

    /// A question has left whose answer is awaited.
    pub(super) fn wait_for_answer(&mut self) {
        self.since_asked = 0;
        self.catch_up.waiting = true;
    }

    /// It was answered with something new.
    pub(super) fn answered(&mut self) {
        self.catch_up.waiting = false;
        self.catch_up.within = ANSWER_WITHIN.max(self.since_asked * 3).min(ANSWER_WITHIN_MAX);
    }

    fn is_overdue(&self) -> bool {
        self.catch_up.waiting && self.since_asked >= self.catch_up.within
    }

    fn ask_further(&mut self, out: &mut Vec<Effect>) {
        if let Some(source) = self.catch_up.source {
            self.wait_for_answer();
            self.catch_up.sources.insert(source);
            let (after, bytes) = (self.state.position, self.catch_up.bytes);
            self.send(source, ViewMessage::FetchJournal { after, bytes }, out);
        }
    }

    /// Asks for journal that a plan needs: whoever answered last, else the bank that the plan
    /// names.
    pub(super) fn ask_for_plan(&mut self, out: &mut Vec<Effect>) {
        let takes_part = |bank: &BankId| self.plan.members.contains(*bank) && *bank != self.me;
        self.catch_up.source = self.catch_up.source.filter(takes_part).or(Some(self.plan.source));
        self.ask_further(out);
    }

    /// Time has passed while something that a plan needs is fetched: what was not answered in time
    /// another is asked for.
    pub(super) fn fetch_elsewhere_if_overdue(&mut self, out: &mut Vec<Effect>) {
        if self.phase != Phase::Fetching || self.replaying {
            return;
        }
        let over =
            if self.catch_up.waiting { self.is_overdue() } else { self.since_asked >= LOOK_EVERY };
        if !over {
            return;
        }
        if self.catch_up.waiting {
            self.catch_up.wait_longer();
        }
        self.catch_up.source = self.next_in_plan(self.catch_up.source.unwrap_or(self.plan.source));
        self.turn = self.turn.wrapping_add(1);
        self.fetch(out);
    }

    /// The next bank that may have what the plan names: all members do in the end, the coordinator
    /// among them.
    pub(super) fn next_in_plan(&self, before: BankId) -> Option<BankId> {
        let mut all = self.plan.members.with(self.plan.source);
        all.remove(self.me);
        all.iter().find(|bank| *bank > before).or(all.first())
    }

    /// Whether what a bank says of journal or snapshot is taken now. What is executed is final, so
    /// a late answer is as good as any.
    fn takes_from(&self, from: BankId) -> bool {
        let fetches = matches!(self.phase, Phase::Fetching | Phase::Outside);
        fetches && !self.replaying && self.catch_up.sources.contains(from)
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
        if starts_after > self.state.position {
            out.push(Effect::Notice(Notice::Restoring(starts_after, from)));
            self.catch_up.source = Some(from);
            return self.fetch_snapshot(out);
        }
        if entries.is_empty() && hash_before.is_some_and(|hash| hash != self.state.hash) {
            // Everybody who acts agrees with the source, and this copy does not.
            return self.diverged(from, self.state.position, out);
        }
        let got: usize = entries.iter().map(|entry| entry.held.0.event.wire().get().len()).sum();
        let is_all = got < self.catch_up.bytes as usize && entries.len() < PIECE_EVENTS_MAX;
        let in_time = self.since_asked <= FITTING;
        self.catch_up.learn(got, self.since_asked);
        self.near_if(is_all && in_time && hash_before.is_some(), out);
        let entries: Vec<_> = entries.into_iter().map(JournalEntry::from).collect();
        let starts_here = |entry: &JournalEntry| {
            entry.position.0 == self.state.position.0 + entry.held.event.requests.len() as u64
        };
        // A piece asked for twice may come twice; only one that goes on from here is taken.
        if entries.first().is_some_and(starts_here) {
            self.catch_up.source = Some(from);
            self.went_on();
            self.replaying = true;
            let own = |key: &OrderKey| key.sender == self.me && key.view == self.last_in_force;
            let keys = entries.iter().map(|entry| entry.held.event.order_key());
            self.fates.fetched.extend(keys.filter(own));
            out.push(Effect::Ledger(LedgerInput::Replay(entries)));
        }
    }

    /// Something has come that the plan needs: worth the others' patience.
    pub(super) fn went_on(&mut self) {
        self.idle = 0;
        self.progress = self.progress.saturating_add(1);
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

    /// Asks for more of the snapshot that is arriving, or opens it when all is here.
    fn fetch_snapshot(&mut self, out: &mut Vec<Effect>) {
        let Some(source) = self.catch_up.source else { return };
        self.since_asked = 0;
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
        self.catch_up.sources.insert(source);
        let begun = self.catch_up.part.as_ref().filter(|part| part.index == index);
        let (from, bytes) = (begun.map_or(0, |part| part.text.len() as u64), self.catch_up.bytes);
        self.send(source, ViewMessage::FetchSnapshot { index, from, bytes }, out);
    }

    /// A part of a piece has come: with the last one the piece goes to disk.
    pub(super) fn snapshot_part(
        &mut self,
        bank: BankId,
        part: SnapshotPiece,
        from: u64,
        of: u64,
        out: &mut Vec<Effect>,
    ) {
        if !self.takes_from(bank) || part.head.position <= self.state.position {
            return;
        }
        let next = match &self.catch_up.arriving {
            Some((head, next)) if *head == part.head => *next,
            _ => 0,
        };
        if part.index > next {
            // Of another snapshot than the one of which pieces are here.
            self.catch_up.arriving = None;
            self.catch_up.part = None;
            return self.fetch_snapshot(out);
        }
        let begun = self
            .catch_up
            .part
            .take()
            .filter(|begun| begun.head == part.head && begun.index == next);
        let here = begun.as_ref().map_or(0, |begun| begun.text.len() as u64);
        if part.index != next || from != here {
            self.catch_up.part = begun;
            // What is here is of another snapshot than the one that is sent now: it begins anew.
            return if part.index == next && here == 0 {
                self.fetch_snapshot(out)
            };
        }
        self.catch_up.source = Some(bank);
        self.catch_up.learn(part.text.len(), self.since_asked);
        self.went_on();
        let piece = match begun {
            Some(mut begun) => {
                begun.text.push_str(&part.text);
                begun
            }
            None => part,
        };
        if piece.text.len() as u64 >= of {
            out.push(Effect::Journal(JournalInput::StorePiece(piece)));
        } else {
            self.catch_up.part = Some(piece);
            self.fetch_snapshot(out);
        }
    }

    pub(super) fn piece_stored(&mut self, head: SnapshotHead, next: u32, out: &mut Vec<Effect>) {
        self.catch_up.arriving = Some((head, next));
        if matches!(self.phase, Phase::Fetching | Phase::Outside) && !self.replaying {
            self.went_on();
            self.fetch_snapshot(out);
        }
    }

    /// What arrived was no snapshot: begin again, with another member if there is one.
    pub(super) fn snapshot_refused(&mut self, out: &mut Vec<Effect>) {
        self.replaying = false;
        self.catch_up.arriving = None;
        self.catch_up.part = None;
        self.catch_up.waiting = true;
        self.since_asked = TICKS_MAX;
        if let Some(ballot) = self.stop_later.take().filter(|ballot| *ballot > self.promised) {
            self.promise(ballot, out);
        }
    }
}
