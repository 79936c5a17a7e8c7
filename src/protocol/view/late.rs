//! Members that make no progress with a plan: how long the others wait for them, and when they go
//! on without them.

use super::View;
use super::attempt::{FRUITLESS_PAUSE_MAX, PATIENCE, Preparing, Step};
use super::ticks::Ticks;
use crate::ids::{BankId, BankSet};

/// How long the others wait for a member of the last view that makes no progress, if they can do
/// without it.
const STALLED: Ticks = 20;
/// How long, in all, they wait for a bank that was not in the last view: while it fetches, they do
/// nothing else.
const JOINER_WITHIN: Ticks = 10;

/// What is done about members that make no progress.
enum Verdict {
    /// All are ready, or may still become so.
    Wait,
    /// The others go on at once without these.
    LeaveOut(BankSet),
    /// The others cannot do without these: all are asked again after a while, because another
    /// source or coordinator may help.
    AskAnew(BankSet),
}

impl View {
    /// Gives up the plan if members make no progress with it. Returns whether it has.
    pub(super) fn go_on_without_the_late(&mut self, clique: BankSet) -> bool {
        match self.judge_the_late(clique) {
            Verdict::Wait => return false,
            Verdict::LeaveOut(late) if late.contains(self.me) => {
                self.bar(late);
                self.give_up(true);
                // Let another bank try.
                self.coordination.pause = FRUITLESS_PAUSE_MAX;
            }
            Verdict::LeaveOut(late) => {
                self.bar(late);
                self.begin();
            }
            Verdict::AskAnew(late) => {
                self.bar(late);
                self.give_up(true);
            }
        }
        true
    }

    fn judge_the_late(&self, clique: BankSet) -> Verdict {
        let Some(attempt) = &self.coordination.attempt else { return Verdict::Wait };
        let Step::Preparing(preparing) = &attempt.step else { return Verdict::Wait };
        let unready = preparing.unready();
        if unready.is_empty() {
            return Verdict::Wait;
        }
        let late = late_members(preparing, attempt.age);
        let stalled = self.stalled(preparing);
        // Members of the last view that the plan left out and that are heard again.
        let last = self.last_in_force.map(|(_, members)| members).unwrap_or_default();
        let back = clique.intersection(last).difference(preparing.plan.members);
        let ready_without_late = preparing.plan.members.difference(late).union(back);
        if unready.difference(late).is_empty() && self.is_majority(ready_without_late) {
            return Verdict::LeaveOut(late);
        }
        // Together with banks that are not in the plan, the others may be enough.
        let there_without_stalled = clique.difference(stalled);
        if unready.difference(stalled).is_empty() && self.is_majority(there_without_stalled) {
            return Verdict::LeaveOut(stalled);
        }
        let is_hopeless = |bank: &BankId| preparing.headway[bank.index()].idle >= PATIENCE;
        let hopeless: BankSet = stalled.iter().filter(is_hopeless).collect();
        if hopeless.is_empty() { Verdict::Wait } else { Verdict::AskAnew(hopeless) }
    }

    /// Members that have made no progress for longer than the others wait.
    fn stalled(&self, preparing: &Preparing) -> BankSet {
        let has_stalled =
            |bank: &BankId| preparing.headway[bank.index()].idle >= self.patience_with(*bank);
        preparing.unready().iter().filter(has_stalled).collect()
    }

    /// How long a member may stand still: longer each time, because it may be needed and merely
    /// slow.
    fn patience_with(&self, bank: BankId) -> Ticks {
        match self.peers[bank.index()].bars {
            0 => STALLED,
            bars => PATIENCE << (bars - 1).min(3),
        }
    }

    /// The others waited in vain for these: for a while, longer each time, they take part only if
    /// they are needed.
    pub(super) fn bar(&mut self, banks: BankSet) {
        banks.iter().for_each(|bank| self.peers[bank.index()].bar());
    }

    pub(super) fn barred(&self) -> BankSet {
        BankId::all(self.banks).filter(|bank| self.peers[bank.index()].is_barred()).collect()
    }
}

/// Members that the others no longer wait for, if the others are enough.
fn late_members(preparing: &Preparing, age: Ticks) -> BankSet {
    let joiners = if age >= JOINER_WITHIN { preparing.joiners } else { BankSet::default() };
    let is_late =
        |bank: &BankId| preparing.headway[bank.index()].idle >= STALLED || joiners.contains(*bank);
    preparing.unready().iter().filter(is_late).collect()
}
