//! Gray faults that stay: the second phase begins with one of them, and it lasts. A majority that can hear and work must
//! then take writes all the same, and a bank that knocks over a narrow line must not stop it for long.

use netbanking::protocol::ids::{BankId, BankSet, majority};
use netbanking::protocol::view::View;

use super::network::Wire;
use super::world::World;

/// Longest stop of the others by a bank that knocks, in looks of a tenth of a second: two seconds, and what the view
/// change itself takes on slow processes.
const STOPPED_LOOKS_MAX: u32 = 30;

/// What stays broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lasting {
    #[default]
    Nothing,
    /// Requests of one bank do not reach the other, heartbeats do.
    Unreached { from: BankId, to: BankId },
    /// Nothing of one bank reaches the other.
    OneWay { from: BankId, to: BankId },
    /// All lines of a bank carry so many bytes a second.
    Narrow { bank: BankId, rate: u64 },
}

impl Lasting {
    /// Banks of which one at least may be left out.
    pub(crate) fn touched(self) -> BankSet {
        match self {
            Lasting::Nothing => BankSet::default(),
            Lasting::Unreached { from, to } | Lasting::OneWay { from, to } => BankSet::default().with(from).with(to),
            Lasting::Narrow { bank, .. } => BankSet::default().with(bank),
        }
    }
}

impl World {
    /// Draws what stays broken among the healed banks, if any of them can be spared.
    pub(crate) fn break_for_good(&mut self, healed: BankSet) {
        if !self.random.per_mille(300) || self.judge.views() == 0 || healed.len() < 3 {
            return;
        }
        let banks: Vec<_> = healed.iter().collect();
        let from = self.random.pick(&banks);
        let others: Vec<_> = banks.into_iter().filter(|bank| *bank != from).collect();
        let to = self.random.pick(&others);
        let lasting = match self.random.below(3) {
            0 => Lasting::Unreached { from, to },
            1 => Lasting::OneWay { from, to },
            _ => Lasting::Narrow { bank: from, rate: self.random.skewed(20_000, 500_000) },
        };
        if !lasting.touched().iter().all(|bank| self.can_spare(bank, healed)) {
            return;
        }
        self.trace.line(self.now_us, None, || format!("STAYS: {lasting:?}"));
        self.lasting = lasting;
        self.tally.lasting[lasting.kind()] += 1;
        match lasting {
            Lasting::Nothing => {}
            Lasting::Unreached { from, to } => self.network.cut(from, to, Wire::Requests),
            Lasting::OneWay { from, to } => {
                self.network.cut(from, to, Wire::Requests);
                self.network.cut(from, to, Wire::Heartbeat);
            }
            Lasting::Narrow { bank, rate } => self.network.set_rate(bank, rate),
        }
    }

    fn can_spare(&mut self, bank: BankId, healed: BankSet) -> bool {
        let banks = self.scenario.banks;
        let rest = healed.without(BankSet::default().with(bank));
        let intact = rest.iter().filter(|bank| self.is_intact(*bank)).count();
        rest.len() >= majority(banks) && intact > banks - majority(banks)
    }

    /// Banks that nothing is wrong with.
    pub(crate) fn core(&self) -> BankSet {
        self.healed.without(self.lasting.touched())
    }

    /// Whether those that can hear and work are members of one view.
    pub(crate) fn core_is_in_force(&self) -> bool {
        let (core, healed) = (self.core(), self.healed);
        let active = |bank: BankId| {
            let view = self.machines[bank.index()].process.as_ref()?.view();
            view.active().filter(|_| View::is_ready(view))
        };
        let Some(first) = core.first().and_then(active) else { return false };
        let fits = core.without(first.1).is_empty() && first.1.len() + 1 >= healed.len();
        fits && core.iter().all(|bank| active(bank) == Some(first))
    }

    /// Looks whether a bank that knocks stops the others. One of them that is still watched, for what was before, may be
    /// outside; what counts is that writes are taken.
    pub(crate) fn look_for_stops(&mut self) {
        if !matches!(self.lasting, Lasting::Narrow { .. }) {
            return;
        }
        let takes_writes = |bank: BankId| {
            let process = self.machines[bank.index()].process.as_ref();
            process.is_some_and(|process| process.view().is_ready())
        };
        let is_stopped = !self.core().iter().any(takes_writes);
        self.stopped_looks = if is_stopped { self.stopped_looks + 1 } else { 0 };
        assert!(self.stopped_looks <= STOPPED_LOOKS_MAX, "{:?} stops the others: {}", self.lasting, self.standing());
    }
}

impl Lasting {
    fn kind(self) -> usize {
        match self {
            Lasting::Nothing => 0,
            Lasting::Unreached { .. } => 1,
            Lasting::OneWay { .. } => 2,
            Lasting::Narrow { .. } => 3,
        }
    }
}
