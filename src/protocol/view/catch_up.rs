//! What a bank outside does: it fetches a member's journal, or its snapshot where the journal no
//! longer reaches back far enough, executes it, and asks to be let in once nothing is missing any
//! more.
//!
//! What a member has executed is final, so none of this needs a ballot. Only one piece is under way
//! at a time; the next one of the journal is asked for once it is executed and on disk, and the
//! next of a snapshot while few are on their way there, so a bank that catches up asks the members
//! for no more than it can take in.

use super::View;
use super::genuine::first_signed;
use super::message::{Bulk, PIECE_EVENTS_MAX, PreparePlan, ViewMessage, WireEntry};
use super::phase::{Interim, PhaseName};
use super::ticks::Ticks;
use super::transfer::{Arrived, Transfer, Wanted};
use crate::ids::{BankId, BankSet, ChainHash, Position};
use crate::ledger::book::RunName;
use crate::protocol::effect::{Effect, JournalInput, LedgerInput};
use crate::protocol::execution::JournalEntry;
use crate::protocol::notice::Notice;
use crate::protocol::order_key::OrderKey;
use crate::protocol::possible::Impossible;
use crate::protocol::snapshot::{SnapshotHead, SnapshotPiece};

/// How long after its promise a bank that hears members acting waits for the attempt before it goes
/// on catching up.
const ATTEMPT_OVER: Ticks = 50;

impl View {
    /// Members that act, the lowest number first.
    fn acting(&self) -> Vec<BankId> {
        let acts = |bank: &BankId| self.hears(*bank) && self.active_of(*bank).is_some();
        BankId::all(self.banks).filter(acts).collect()
    }

    /// Whether the bank is outside while others act.
    pub(super) fn is_left_out(&self) -> bool {
        let latest = self.acting().iter().filter_map(|bank| self.active_of(*bank)).max();
        let Some(latest) = latest else { return false };
        let promised = self.disk.promised;
        let attempt_is_over = self.headway.idle >= ATTEMPT_OVER;
        match self.phase() {
            PhaseName::Outside => true,
            PhaseName::Promised => latest >= promised || attempt_is_over,
            PhaseName::Fetching | PhaseName::Ready => latest > promised || attempt_is_over,
            _ => false,
        }
    }

    /// One tick of a bank that may be outside.
    pub(super) fn catch_up_further(&mut self, out: &mut Vec<Effect>) {
        if !self.is_left_out() {
            if self.phase() != PhaseName::Fetching {
                self.transfer.end();
            }
            return;
        }
        // If the prepared view has begun, then without this bank; the others know how it went on.
        let Some(interim) = self.phase.interim_mut() else { return };
        interim.go_outside();
        if self.is_digesting() {
            return;
        }
        let acting = self.acting();
        if self.needs_other_source(&acting) {
            return self.ask_next_of(&acting, out);
        }
        if self.transfer.may_look() {
            self.ask_further(out);
        }
        if self.transfer.is_to_join() {
            acting.iter().for_each(|bank| self.send(*bank, ViewMessage::Join, out));
        }
    }

    /// Whether a member other than the one before is to be asked.
    fn needs_other_source(&self, acting: &[BankId]) -> bool {
        let acts = self.transfer.source.is_some_and(|source| acting.contains(&source));
        !acts || self.transfer.is_overdue()
    }

    fn ask_next_of(&mut self, acting: &[BankId], out: &mut Vec<Effect>) {
        if self.transfer.is_overdue() {
            self.transfer.give_up_waiting();
        }
        let next = self.transfer.next_of(acting);
        self.transfer.source = next;
        let position = self.position();
        out.extend(next.map(|next| Effect::Notice(Notice::CatchingUp(position, next))));
        self.ask_further(out);
    }

    /// The position executed through, as far as a node that is in no view knows.
    fn position(&self) -> Position {
        self.phase.interim().map(|interim| interim.state.position).unwrap_or_default()
    }

    fn ask_further(&mut self, out: &mut Vec<Effect>) {
        if let Some(source) = self.transfer.source {
            let (after, bytes) = (self.position(), self.transfer.ask(source));
            self.send(source, ViewMessage::FetchJournal { after, bytes }, out);
        }
    }

    /// Asks for journal entries that a plan needs: from the bank that answered last, or else from
    /// the one that the plan names.
    pub(super) fn ask_for_plan(&mut self, out: &mut Vec<Effect>) {
        let Some(fetching) = self.phase.fetching() else { return };
        let plan = &fetching.plan;
        let takes_part = |bank: &BankId| plan.members.contains(*bank) && *bank != self.me;
        self.transfer.source = self.transfer.source.filter(takes_part).or(Some(plan.source));
        self.ask_further(out);
    }

    /// Time has passed while something that a plan needs is fetched: what one bank did not send in
    /// time is asked of another.
    pub(super) fn fetch_elsewhere_if_overdue(&mut self, out: &mut Vec<Effect>) {
        let is_over = self.transfer.is_overdue() || self.transfer.may_look();
        if !is_over || self.is_digesting() {
            return;
        }
        let Some(fetching) = self.phase.fetching_mut() else { return };
        self.transfer.give_up_waiting();
        let before = self.transfer.source.unwrap_or(fetching.plan.source);
        self.transfer.source = fetching.next_source(before, self.me);
        fetching.ask_others();
        self.fetch(out);
    }

    /// Whether journal or snapshot parts from a bank are taken now. What is executed is final, so a
    /// late answer is as good as any.
    fn takes_from(&self, from: BankId) -> bool {
        self.phase.can_replay() && self.transfer.has_asked(from)
    }

    /// Whether a large answer is one to what this bank has asked, and so worth a closer look.
    #[must_use]
    pub fn wants(&self, from: BankId, bulk: Bulk) -> bool {
        match bulk {
            Bulk::Journal(after, _) => self.takes_from(from) && after == self.position(),
            Bulk::Snapshot(..) | Bulk::Run(..) => self.takes_from(from),
            Bulk::Events(ballot, first, _) => {
                let planned = |plan: &PreparePlan| {
                    first.is_none_or(|first| plan.events.iter().any(|(key, _)| *key == first))
                };
                let fetching = self.phase.fetching().map(|fetching| &fetching.plan);
                ballot == self.disk.promised && fetching.is_some_and(planned)
            }
        }
    }

    /// Whether something that was fetched is being executed or written.
    fn is_digesting(&self) -> bool {
        self.phase.is_replaying() || self.transfer.is_storing()
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
        if !self.takes_from(from) || after != self.position() {
            return;
        }
        if starts_after > after {
            out.push(Effect::Notice(Notice::Restoring(starts_after, from)));
            self.transfer.source = Some(from);
            return self.fetch_snapshot(out);
        }
        if self.is_of_another_history(&entries, hash_before) {
            return self.differs_from(from, out);
        }
        self.transfer.differing.remove(from);
        let got: usize = entries.iter().map(|entry| entry.held.0.event.wire().get().len()).sum();
        let came_quickly = self.transfer.learn_of_journal(got);
        let is_all = hash_before.is_some() && entries.len() < PIECE_EVENTS_MAX;
        self.near_if(came_quickly && is_all, out);
        let is_behind_me = entries.is_empty() && hash_before.is_none();
        if is_behind_me && self.phase() == PhaseName::Outside {
            // The source may stay behind for ever: its ledger may be stuck.
            self.transfer.source = self.transfer.next_of(&self.acting());
        }
        // A piece asked for twice may come twice; only one that continues from here is taken.
        if entries.first().is_some_and(|entry| begins_after(entry, after)) {
            if !self.are_genuine(&entries) {
                self.complain(from, Impossible::Signature, out);
                return self.transfer.ask_another();
            }
            self.transfer.source = Some(from);
            self.replay(entries.into_iter().map(JournalEntry::from).collect(), out);
        }
    }

    /// Whether a piece of journal does not go on from what was executed here.
    fn is_of_another_history(&self, entries: &[WireEntry], hash_before: Option<ChainHash>) -> bool {
        let Some(Interim { state, .. }) = self.phase.interim() else { return false };
        let last = state.executed.as_ref().map(|done| done.last);
        let first = entries.first().map(|entry| entry.held.0.event.order_key());
        let is_below = first.zip(last).is_some_and(|(first, last)| first <= last);
        is_below || hash_before.is_some_and(|hash| hash != state.hash)
    }

    /// A bank has another history than this one. If most of those that can be asked have, this
    /// copy is the wrong one; one alone may be wrong itself, so the next is asked.
    fn differs_from(&mut self, from: BankId, out: &mut Vec<Effect>) {
        self.transfer.differing.insert(from);
        let asked = self.who_can_be_asked();
        if 2 * self.transfer.differing.intersection(asked).len() > asked.len() {
            return self.diverged(from, self.position(), out);
        }
        self.transfer.ask_another();
    }

    /// The banks from which a history can be fetched: those that act, or else those of the plan.
    fn who_can_be_asked(&self) -> BankSet {
        let acting: BankSet = self.acting().into_iter().collect();
        let planned = self.phase.fetching().map(|fetching| fetching.plan.members);
        let mut asked = if acting.is_empty() { planned.unwrap_or_default() } else { acting };
        asked.remove(self.me);
        asked
    }

    /// Has fetched journal entries executed.
    fn replay(&mut self, entries: Vec<JournalEntry>, out: &mut Vec<Effect>) {
        let (me, last) = (self.me, self.last_in_force);
        let Some(interim) = self.phase.interim_mut() else { return };
        interim.begin_replay();
        let signed = entries.iter().find_map(|entry| first_signed(&entry.held.event));
        self.disk.signed_from = self.disk.signed_from.or(signed);
        let is_own =
            |key: &OrderKey| key.sender == me && last.is_some_and(|(view, _)| key.view == view);
        let keys = entries.iter().map(|entry| entry.held.event.order_key());
        interim.fates.fetched.extend(keys.filter(is_own));
        self.headway.go_on();
        out.push(Effect::Ledger(LedgerInput::Replay(entries)));
    }

    fn near_if(&mut self, near: bool, out: &mut Vec<Effect>) {
        let came_near = self.transfer.set_near(near);
        if came_near && self.phase() == PhaseName::Outside {
            out.push(Effect::Notice(Notice::CaughtUp(self.position())));
            self.transfer.join_soon();
        }
    }

    /// A piece is executed and on disk: ask for the next one, at once unless little is left to
    /// fetch.
    pub(super) fn caught_up_further(&mut self, out: &mut Vec<Effect>) {
        if self.phase() == PhaseName::Outside && !self.transfer.is_near() {
            self.ask_further(out);
        }
    }

    /// Asks for more of the snapshot that is arriving, or opens it when all is here.
    fn fetch_snapshot(&mut self, out: &mut Vec<Effect>) {
        let Some(source) = self.transfer.source else { return };
        match self.transfer.wanted(self.position()) {
            Wanted::Opening(head) => self.open_snapshot(head, out),
            Wanted::Piece { index, from } => {
                let bytes = self.transfer.ask(source);
                self.send(source, ViewMessage::FetchSnapshot { index, from, bytes }, out);
            }
            Wanted::Run { name, from } => {
                let bytes = self.transfer.ask(source);
                self.send(source, ViewMessage::FetchRun { name, from, bytes }, out);
            }
            Wanted::Nothing => {}
        }
    }

    fn open_snapshot(&mut self, head: SnapshotHead, out: &mut Vec<Effect>) {
        self.transfer.open();
        if let Some(interim) = self.phase.interim_mut() {
            interim.begin_replay();
            interim.fates.unknown = true;
        }
        out.push(Effect::Journal(JournalInput::OpenSnapshot(head)));
    }

    /// A part of a piece has come: with its last part, the piece goes to disk.
    pub(super) fn snapshot_part(
        &mut self,
        bank: BankId,
        part: SnapshotPiece,
        from: u64,
        of: u64,
        out: &mut Vec<Effect>,
    ) {
        let is_news = part.head.position > self.position();
        if !is_news || !self.takes_from(bank) {
            return;
        }
        let arrived = self.transfer.take(part, from, of);
        if matches!(arrived, Arrived::Part | Arrived::Piece(_)) {
            self.transfer.source = Some(bank);
            self.headway.go_on();
        }
        match arrived {
            Arrived::Nothing => {}
            Arrived::OfAnother | Arrived::Part => self.fetch_snapshot(out),
            Arrived::Piece(piece) => {
                out.push(Effect::Journal(JournalInput::StorePiece(piece)));
                self.fetch_snapshot(out);
            }
        }
    }

    pub(super) fn piece_stored(&mut self, head: &SnapshotHead, next: u32, out: &mut Vec<Effect>) {
        self.stored(|transfer| transfer.stored(head, next), out);
    }

    pub(super) fn run_stored(&mut self, name: RunName, out: &mut Vec<Effect>) {
        self.stored(|transfer| transfer.run_stored(name), out);
    }

    /// More of the snapshot is on disk.
    fn stored(&mut self, note: impl FnOnce(&mut Transfer), out: &mut Vec<Effect>) {
        let was_waiting = self.transfer.is_storing();
        note(&mut self.transfer);
        if self.phase.can_replay() {
            self.headway.go_on();
            // Otherwise the next part is under way already.
            if was_waiting {
                self.fetch_snapshot(out);
            }
        }
    }

    /// A part of a run of keys has come: with its last part, the run goes to disk.
    pub(super) fn run_part(
        &mut self,
        bank: BankId,
        name: RunName,
        content: &[u8],
        (from, of): (u64, u64),
        out: &mut Vec<Effect>,
    ) {
        if !self.takes_from(bank) {
            return;
        }
        let Some(taken) = self.transfer.take_run(name, content, (from, of)) else { return };
        self.transfer.source = Some(bank);
        self.headway.go_on();
        match taken {
            // It has dropped the run, as no snapshot of its own names it any more.
            _ if of == 0 => return self.transfer.refuse_snapshot(),
            Some(content) => out.push(Effect::Journal(JournalInput::StoreRun { name, content })),
            None => {}
        }
        self.fetch_snapshot(out);
    }

    /// All pieces of a snapshot are here, and it names runs that are not.
    pub(super) fn runs_missing(
        &mut self,
        head: &SnapshotHead,
        runs: Vec<RunName>,
        out: &mut Vec<Effect>,
    ) {
        self.transfer.lack(head, runs);
        match self.phase.interim_mut().and_then(Interim::end_replay) {
            Some(ballot) => self.stop_now(ballot, out),
            None => self.fetch_snapshot(out),
        }
    }

    /// What arrived was not a valid snapshot: start again, with another member if there is one.
    pub(super) fn snapshot_refused(&mut self, out: &mut Vec<Effect>) {
        self.transfer.refuse_snapshot();
        if let Some(ballot) = self.phase.interim_mut().and_then(Interim::end_replay) {
            self.stop_now(ballot, out);
        }
    }
}

/// Whether a fetched event is the next one for a bank that has executed through this position.
fn begins_after(entry: &WireEntry, position: Position) -> bool {
    entry.position.0 == position.0 + entry.held.0.event.requests.len() as u64
}
