//! When a view change is wanted, whose turn it is to coordinate it, and whether this bank grants it
//! to another.

use super::View;
use super::attempt::Attempt;
use super::hearing::largest_clique;
use super::message::ViewMessage;
use super::phase::PhaseName;
use super::ticks::Ticks;
use crate::ids::{Ballot, BankId, BankSet};
use crate::protocol::effect::Effect;
use crate::protocol::report::PeerReport;

/// How long each further bank waits before it takes over from those before it.
const TAKE_OVER: Ticks = 30;
/// For how long another bank's attempt is left alone while it makes progress.
const COURTESY: Ticks = 20;

/// Why a view change is wanted.
#[derive(Clone, Copy, Default)]
pub(super) struct Wish {
    /// Members of the view in force that have failed.
    pub(super) away: BankSet,
    /// Banks outside that are to be let in.
    pub(super) joining: BankSet,
}

impl View {
    /// The largest clique of banks that all hear each other, this one among them.
    pub(super) fn clique(&self) -> BankSet {
        let heard = self.heard();
        let row = |bank: BankId| {
            let peer = &self.peers[bank.index()];
            match peer.report {
                _ if bank == self.me => heard,
                _ if !heard.contains(bank) || peer.diverged || peer.is_distrusted() => {
                    BankSet::default()
                }
                Some(report) if !report.diverged => {
                    report.hears.with(bank).union(self.not_yet_said(bank, report))
                }
                _ => BankSet::default(),
            }
        };
        let rows: Vec<_> = BankId::all(self.banks).map(row).collect();
        largest_clique(self.me, &rows, self.preferred())
    }

    /// Whom a member of the last view hears even if its report, which is older than that view, does
    /// not say so: it has prepared the view with them. It has as long to send a newer report as it
    /// has to act in the view.
    fn not_yet_said(&self, bank: BankId, report: PeerReport) -> BankSet {
        match self.last_in_force {
            Some((view, members)) if members.contains(bank) && report.prepared < view => {
                let is_awaited = !self.peers[bank.index()].has_left();
                if is_awaited { members } else { BankSet::default() }
            }
            _ => BankSet::default(),
        }
    }

    /// Which banks decide between cliques of equal size: those that have stopped for an attempt of
    /// this bank; else the members of the view in force, or, if there is none, the banks whose
    /// disks count, because without them it may be unknown how the last view ended. After these,
    /// the banks that ask to join and were not waited for in vain.
    fn preferred(&self) -> [BankSet; 2] {
        let all = || BankId::all(self.banks);
        let may_join = |bank: &BankId| self.peers[bank.index()].may_join();
        let joining: BankSet = all().filter(may_join).collect();
        // A member no longer asks, although its wish still counts for a while.
        let last = self.last_in_force.map(|(_, members)| members).unwrap_or_default();
        let taking_part = self.coordination.attempt.as_ref().and_then(Attempt::taking_part);
        match (taking_part, self.active()) {
            (Some(taking_part), _) => [taking_part, joining.difference(last)],
            (None, Some((_, members))) => [members, joining.difference(members)],
            (None, None) => {
                [all().filter(|bank| self.counts(*bank)).collect(), joining.difference(last)]
            }
        }
    }

    /// What this bank wants a view change for, if it wants one.
    pub(super) fn wish(&self, clique: BankSet) -> Option<Wish> {
        if !self.is_majority(clique) {
            return None;
        }
        let Some((_, members)) = self.active() else {
            let acts = |bank: BankId| self.active_of(bank).is_some_and(|view| !self.is_over(view));
            let somebody_acts = clique.iter().any(acts);
            return (!self.is_in_a_step() && !somebody_acts).then(Wish::default);
        };
        let may_join = |bank: &BankId| self.peers[bank.index()].may_join();
        let away: BankSet = members.iter().filter(|bank| self.has_failed(*bank, clique)).collect();
        let joining: BankSet = clique.difference(members).iter().filter(may_join).collect();
        (!away.is_empty() || !joining.is_empty()).then_some(Wish { away, joining })
    }

    /// Whether a view that this bank was in last is known to have too few members left: those that
    /// still act in it have merely not noticed.
    fn is_over(&self, view: Ballot) -> bool {
        let Some((_, members)) = self.last_in_force.filter(|(last, _)| *last == view) else {
            return false;
        };
        let acts = |bank: &BankId| self.active_of(*bank) == Some(view);
        !self.is_majority(members.iter().filter(acts).collect())
    }

    /// Whether the node waits for its own parts or its disk: until these have answered, an attempt
    /// cannot begin.
    fn is_in_a_step(&self) -> bool {
        matches!(self.phase(), PhaseName::Freezing | PhaseName::Promising | PhaseName::Writing)
    }

    /// Whether a member counts as failed for this one.
    fn has_failed(&self, bank: BankId, clique: BankSet) -> bool {
        bank != self.me && (self.peers[bank.index()].has_left() || !clique.contains(bank))
    }

    /// Whether it is this bank's turn to begin an attempt now.
    pub(super) fn is_my_turn(&self, clique: BankSet) -> bool {
        let has_waited =
            self.turn(clique).is_some_and(|turn| self.coordination.wanting > turn * TAKE_OVER);
        let is_free = self.coordination.pause == 0 && !self.phase.is_replaying();
        has_waited && is_free && !self.another_is_at_it()
    }

    /// This bank's place among those that may coordinate: first banks that act, then those that
    /// prepared the latest view, by number. A bank whose disk has lost something never coordinates,
    /// unless all disks are empty.
    fn turn(&self, clique: BankSet) -> Option<Ticks> {
        let report = |bank: BankId| match self.peers[bank.index()].report {
            _ if bank == self.me => Some(self.report()),
            report => report,
        };
        let mut order: Vec<_> =
            clique.iter().filter_map(|bank| report(bank).map(|report| (report, bank))).collect();
        let voters = order.iter().any(|(report, _)| report.voter);
        order.retain(|(report, _)| report.voter || !voters);
        let latest = order.iter().map(|(report, _)| report.prepared).max()?;
        let acts = |report: &PeerReport| report.active == Some(latest);
        order.sort_by_key(|(report, bank)| (!acts(report), report.prepared != latest, *bank));
        let turn = order.iter().position(|(_, bank)| *bank == self.me)?;
        Ticks::try_from(turn).ok()
    }

    /// Whether another bank's attempt makes progress here.
    fn another_is_at_it(&self) -> bool {
        let in_attempt = matches!(
            self.phase(),
            PhaseName::Promised | PhaseName::Fetching | PhaseName::Writing | PhaseName::Ready
        );
        let coordinator = self.disk.promised.coordinator;
        let is_heard = coordinator != self.me && self.hears(coordinator);
        in_attempt && is_heard && self.headway.idle < COURTESY
    }

    /// Another bank wants to stop the network: granted if this bank sees the reason itself.
    pub(super) fn would_stop(
        &mut self,
        from: BankId,
        ballot: Ballot,
        away: BankSet,
        joining: BankSet,
        out: &mut Vec<Effect>,
    ) {
        let sees_reason = match self.active() {
            Some((_, members)) => {
                self.sees_failure(away.intersection(members)) || self.would_let_in(joining)
            }
            None => !self.others_act(from),
        };
        if ballot > self.disk.promised && sees_reason {
            self.send(from, ViewMessage::Granted(ballot), out);
        }
    }

    fn sees_failure(&self, of: BankSet) -> bool {
        let clique = self.clique();
        of.iter().any(|bank| self.has_failed(bank, clique))
    }

    fn would_let_in(&self, joining: BankSet) -> bool {
        let may_join = |bank: BankId| self.hears(bank) && !self.peers[bank.index()].is_barred();
        !joining.is_empty() && joining.iter().all(may_join)
    }

    /// Whether banks act in a view to which `from`, which wants to stop them, does not belong.
    fn others_act(&self, from: BankId) -> bool {
        let theirs = self.active_of(from);
        let acts_elsewhere =
            |bank: BankId| self.active_of(bank).is_some_and(|view| Some(view) != theirs);
        self.heard().iter().any(|bank| bank != from && acts_elsewhere(bank))
    }
}
