//! Whom this bank hears and reaches, and what it concludes from what others report about
//! themselves.

use super::View;
use super::peer::MemberStatus;
use super::turn::Reach;
use crate::ids::{Ballot, BankId, BankSet, Position, majority};
use crate::protocol::effect::{ClockInput, Effect};
use crate::protocol::notice::Notice;
use crate::protocol::peer_state::{Cause, PeerState};
use crate::protocol::possible::Impossible;
use crate::protocol::report::PeerReport;

impl View {
    /// Banks that count as answering, this one included. A bank whose return is watched does not,
    /// so that it cannot drag others along, unless nothing works without it, or it acts with others
    /// while this bank is outside. While a view is in force, only its members count towards what
    /// works: a bank outside may have far to catch up.
    #[must_use]
    pub fn heard(&self) -> BankSet {
        let steady: BankSet =
            BankId::all(self.banks).filter(|bank| self.is_steady(*bank)).collect();
        let at_work = self.active().map_or(steady, |(_, members)| steady.intersection(members));
        if self.could_act(at_work) {
            return steady;
        }
        let returns = |bank: &BankId| self.peers[bank.index()].state == PeerState::Returning;
        BankId::all(self.banks).filter(|bank| steady.contains(*bank) || returns(bank)).collect()
    }

    /// Banks that this bank reports as answering. Members of a view find out one after another
    /// which of them is too slow; if the first to find out said at once that it does not hear that
    /// member, the others might leave it out instead.
    pub(super) fn answers(&self) -> BankSet {
        let members = self.active().map(|(_, members)| members).unwrap_or_default();
        let is_slow = |bank: &BankId| self.peers[bank.index()].is_being_found_slow();
        self.heard().union(members.iter().filter(is_slow).collect())
    }

    fn is_steady(&self, bank: BankId) -> bool {
        let peer = &self.peers[bank.index()];
        let is_left_to_others = peer.answers() && self.leaves_to_others(bank);
        bank == self.me || peer.is_steady() || is_left_to_others
    }

    /// Whether the bank acts with others while this one is outside: whether they can work with it
    /// is for them to judge, and they let in no bank that does not hear them all.
    fn leaves_to_others(&self, bank: BankId) -> bool {
        self.active().is_none() && self.active_of(bank).is_some()
    }

    /// Whether these banks are enough for a view: a majority, and enough disks that have lost
    /// nothing.
    fn could_act(&self, banks: BankSet) -> bool {
        let disks = banks.iter().filter(|bank| self.counts(*bank)).count();
        self.is_majority(banks) && disks > self.banks - majority(self.banks)
    }

    /// Whether the bank's disk has lost nothing, as far as is known.
    pub(super) fn counts(&self, bank: BankId) -> bool {
        match self.peers[bank.index()].report {
            _ if bank == self.me => self.is_voter(),
            report => report.is_some_and(|report| report.voter),
        }
    }

    pub(super) fn is_majority(&self, banks: BankSet) -> bool {
        banks.len() >= majority(self.banks)
    }

    pub(super) fn hears(&self, bank: BankId) -> bool {
        bank.index() < self.banks && self.heard().contains(bank)
    }

    /// The view in which another bank says it acts. A view below the one prepared here has ended,
    /// whether that bank knows it or not: a majority froze before this one was planned, so some
    /// member of the other view will never move in it again.
    pub(super) fn active_of(&self, bank: BankId) -> Option<Ballot> {
        let active = self.peers[bank.index()].report.and_then(|report| report.active);
        active.filter(|view| *view >= self.disk.prepared)
    }

    pub(super) fn heartbeat(
        &mut self,
        bank: BankId,
        state: PeerState,
        report: Option<PeerReport>,
        out: &mut Vec<Effect>,
    ) {
        let report = self.credible(bank, report, out);
        let before = self.peers[bank.index()].hear(state, report);
        match (state, before) {
            (PeerState::Up, PeerState::Up) | (PeerState::Down(_), PeerState::Down(_)) => {}
            (PeerState::Up, _) => {
                out.push(Effect::Notice(Notice::PeerUp(bank)));
                // It may be the bank that was missing.
                self.transfer.hope();
                self.coordination.hope();
            }
            (PeerState::Down(cause), _) => out.push(Effect::Notice(Notice::PeerDown(bank, cause))),
            _ => {}
        }
        match report {
            Some(report) if self.hears(bank) => self.learn_from(bank, report, out),
            _ => self.peers[bank.index()].is_not_heard(),
        }
    }

    fn learn_from(&mut self, bank: BankId, report: PeerReport, out: &mut Vec<Effect>) {
        let acts_with_us =
            report.active.is_some() && report.active == self.active().map(|(ours, _)| ours);
        let status = &mut self.peers[bank.index()].status;
        if report.diverged {
            *status = MemberStatus::Away(Cause::Diverged);
        } else if acts_with_us {
            *status = MemberStatus::Here;
        } else if *status == MemberStatus::Here {
            *status = MemberStatus::Doubtful(0);
        }
        if let Some(view) = report.active {
            self.evidence_of(view, out);
        }
    }

    /// A bank sends in a view that is not in force here.
    pub(super) fn traffic(&mut self, from: BankId, view: Ballot, out: &mut Vec<Effect>) {
        if self.may_promise(view) {
            return self.evidence_of(view, out);
        }
        self.names_round(from, view.round);
        self.complain(from, Impossible::Round, out);
    }

    /// Somebody acts in a view. If it is the one prepared here, it has begun; if it is above the
    /// one in force here, that one has ended without this bank.
    pub(super) fn evidence_of(&mut self, view: Ballot, out: &mut Vec<Effect>) {
        let ends_ours = self.active().is_some() && view > self.disk.promised;
        if view == self.disk.promised {
            self.start(view, out);
        } else if ends_ours && self.may_promise(view) {
            self.promise(view, out);
        }
    }

    /// Most members say that a member's copy of the ledger differs.
    pub(super) fn peer_diverged(
        &mut self,
        bank: BankId,
        position: Position,
        out: &mut Vec<Effect>,
    ) {
        let peer = &mut self.peers[bank.index()];
        if !std::mem::replace(&mut peer.diverged, true) {
            peer.status = MemberStatus::Away(Cause::Diverged);
            out.push(Effect::Notice(Notice::PeerDiverged(bank, position)));
        }
    }

    fn reach_now(&self) -> Reach {
        let is_here = |bank: BankId| bank == self.me || !self.peers[bank.index()].has_left();
        let active = self.active();
        if active.is_some_and(|(_, members)| members.iter().all(is_here)) {
            Reach::Members
        } else if self.has_diverged() {
            Reach::Outside
        } else if !self.is_majority(self.heard()) {
            Reach::Minority
        } else if active.is_none() && self.is_left_out() {
            Reach::Outside
        } else {
            Reach::Majority
        }
    }

    /// Tells the clock, and the log, whom this bank reaches, if that has changed.
    pub(super) fn tell_reach(&mut self, out: &mut Vec<Effect>) {
        let reach = self.reach_now();
        if reach == self.reach {
            return;
        }
        let before = std::mem::replace(&mut self.reach, reach);
        out.push(Effect::Clock(ClockInput::Reach(reach)));
        let was_ready = before == Reach::Members;
        match (reach, self.active()) {
            (Reach::Members, Some((ballot, members))) => {
                out.push(Effect::Notice(Notice::Ready(ballot, members)));
            }
            (Reach::Majority, _) if !was_ready => {}
            _ => out.push(Effect::Notice(Notice::NotReady(reach))),
        }
    }
}
