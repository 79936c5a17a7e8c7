//! Gray faults that stay. The second phase begins with one of them, or a third phase follows in
//! which one sets in while all is well ([`super::ordeal`]); it lasts to the end. The banks that can
//! hear and work must take writes all the same.

use netbanking::ids::{BankId, BankSet, majority};
use netbanking::protocol::heartbeat::Patience;
use netbanking::protocol::notice::Notice;
use netbanking::protocol::view::{View, ViewMessage};

use super::agenda::Item;
use super::network::Wire;
use super::node::Part;
use super::world::{Death, World};

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;
/// How often the second phase begins with a gray fault.
const CHANCE_PER_MILLE: u64 = 300;
/// Longest time for which a bank that knocks may stop the others, in looks of a tenth of a second:
/// two seconds, plus what the view change itself takes on slow processes.
const STOPPED_LOOKS_MAX: u32 = 30;
/// How long a bank that limps sleeps,
const SLEEPS_US: u64 = 4_200 * MS;
/// and out of how much.
const LIMPS_EVERY_US: u64 = 4_500 * MS;
/// How long a slow disk takes for an fsync.
const SLOW_FSYNC_US: (u64, u64) = (2 * SECOND, 5 * SECOND);
/// How long the disk of a bank that is needed takes: longer than is borne of one that is not.
const BORNE_FSYNC_US: (u64, u64) = (600 * MS, 1_200 * MS);
/// Longer than any run.
const FOR_GOOD_US: u64 = 24 * 3_600 * SECOND;

/// What stays broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lasting {
    #[default]
    Nothing,
    /// Requests of one bank do not reach the other, heartbeats do.
    Unreached { from: BankId, to: BankId },
    /// Nothing of one bank reaches the other.
    OneWay { from: BankId, to: BankId },
    /// All lines of a bank carry this many bytes a second.
    Narrow { bank: BankId, rate: u64 },
    /// A bank sleeps most of the time.
    Limps { bank: BankId },
    /// A bank's ledger no longer does anything; all its other parts do.
    StuckLedger { bank: BankId },
    /// A bank's disk takes seconds for an fsync.
    SlowDisk { bank: BankId },
    /// A bank was started again with other settings than the others have.
    OtherSettings { bank: BankId },
    /// A bank's disk no longer does anything, from the moment when the bank has promised to take
    /// part in a view.
    StuckDisk { bank: BankId },
    /// A bank's disk is too slow, and nothing works without it.
    SlowAndNeeded { bank: BankId },
}

/// How many kinds there are, including nothing.
pub(crate) const LASTING_KINDS: usize = 10;
/// What they are called in the tally.
pub(crate) const LASTING_NAMES: [&str; LASTING_KINDS] = [
    "nothing",
    "unreached",
    "one way",
    "narrow",
    "limps",
    "stuck ledger",
    "slow disk",
    "other settings",
    "slow and needed",
    "stuck disk",
];

impl Lasting {
    pub(crate) fn kind(self) -> usize {
        match self {
            Lasting::Nothing => 0,
            Lasting::Unreached { .. } => 1,
            Lasting::OneWay { .. } => 2,
            Lasting::Narrow { .. } => 3,
            Lasting::Limps { .. } => 4,
            Lasting::StuckLedger { .. } => 5,
            Lasting::SlowDisk { .. } => 6,
            Lasting::OtherSettings { .. } => 7,
            Lasting::SlowAndNeeded { .. } => 8,
            Lasting::StuckDisk { .. } => 9,
        }
    }

    /// Banks of which at least one may be left out.
    pub(crate) fn touched(self) -> BankSet {
        match self {
            Lasting::Nothing | Lasting::SlowAndNeeded { .. } => BankSet::default(),
            Lasting::Unreached { from, to } | Lasting::OneWay { from, to } => {
                BankSet::default().with(from).with(to)
            }
            Lasting::Narrow { bank, .. }
            | Lasting::Limps { bank }
            | Lasting::StuckLedger { bank }
            | Lasting::SlowDisk { bank }
            | Lasting::StuckDisk { bank }
            | Lasting::OtherSettings { bank } => BankSet::default().with(bank),
        }
    }
}

impl World {
    /// Draws what stays broken from the second phase on, if it is to be anything and a bank can be
    /// spared.
    pub(crate) fn break_for_good(&mut self) {
        if self.random.per_mille(CHANCE_PER_MILLE) {
            self.fall_ill();
        }
    }

    /// Draws what stays broken among the healed banks from now on; returns whether any can be
    /// spared.
    pub(crate) fn fall_ill(&mut self) -> bool {
        if self.judge.views() == 0 || self.healed.len() < 2 {
            return false;
        }
        let banks: Vec<_> = self.healed.iter().collect();
        let bank = self.random.pick(&banks);
        if self.healed.len() == majority(self.scenario.banks) {
            return self.stays(Lasting::SlowAndNeeded { bank });
        }
        let others: Vec<_> = banks.into_iter().filter(|other| *other != bank).collect();
        let to = self.random.pick(&others);
        let lasting = match self.random.between(1, 8) {
            1 => Lasting::Unreached { from: bank, to },
            2 => Lasting::OneWay { from: bank, to },
            3 if self.gathers_as_banks_do() => {
                Lasting::Narrow { bank, rate: self.random.skewed(20_000, 500_000) }
            }
            3 | 4 => Lasting::Limps { bank },
            5 => Lasting::StuckLedger { bank },
            6 => Lasting::SlowDisk { bank },
            7 => Lasting::StuckDisk { bank },
            _ => Lasting::OtherSettings { bank },
        };
        lasting.touched().iter().all(|bank| self.can_spare(bank)) && self.stays(lasting)
    }

    fn stays(&mut self, lasting: Lasting) -> bool {
        self.trace.line(self.now_us, None, || format!("STAYS: {lasting:?}"));
        self.lasting = lasting;
        self.set_in();
        true
    }

    fn set_in(&mut self) {
        match self.lasting {
            Lasting::Nothing => {}
            Lasting::Unreached { from, to } => self.network.cut(from, to, Wire::Requests),
            Lasting::OneWay { from, to } => {
                self.network.cut(from, to, Wire::Requests);
                self.network.cut(from, to, Wire::Heartbeat);
            }
            Lasting::Narrow { bank, rate } => self.network.set_rate(bank, rate),
            Lasting::Limps { bank } => self.put_in(0, Item::Limp(bank)),
            Lasting::StuckLedger { bank }
            | Lasting::SlowDisk { bank }
            | Lasting::SlowAndNeeded { bank } => {
                self.afflict(bank);
            }
            Lasting::StuckDisk { .. } => {}
            // It is started again, as any dead bank is.
            Lasting::OtherSettings { bank } => {
                self.die(bank, Death::Killed);
            }
        }
    }

    /// Few banks gather acknowledgements only here, where that is to be proved safe. How long the
    /// others may wait for a narrow line is promised for what banks do.
    fn gathers_as_banks_do(&self) -> bool {
        self.scenario.gather_from >= 5 || self.scenario.banks >= 5
    }

    /// A bank's process runs, or runs again: what ails it ails this process too.
    pub(crate) fn afflict(&mut self, bank: BankId) {
        let Some(process) = self.machines[bank.index()].process.as_mut() else { return };
        match self.lasting {
            Lasting::StuckLedger { bank: ill } if ill == bank => {
                process.stall(Part::Ledger, self.now_us + FOR_GOOD_US)
            }
            Lasting::SlowDisk { bank: ill } if ill == bank => process.set_fsync_us(SLOW_FSYNC_US),
            Lasting::SlowAndNeeded { bank: ill } if ill == bank => {
                process.set_fsync_us(BORNE_FSYNC_US)
            }
            _ => {}
        }
    }

    /// A bank says something about views.
    pub(crate) fn speaks_of_views(&mut self, bank: BankId, message: &ViewMessage) {
        let gets_stuck = self.lasting == (Lasting::StuckDisk { bank })
            && matches!(message, ViewMessage::Stopped(_));
        if gets_stuck && let Some(process) = self.machines[bank.index()].process.as_mut() {
            process.stall(Part::Journal, self.now_us + FOR_GOOD_US);
        }
    }

    /// The heartbeat times with which a bank is started.
    pub(crate) fn patience_of(&self, bank: BankId) -> Patience {
        let Patience { failure_after, .. } = self.scenario.patience;
        let differs = self.lasting == (Lasting::OtherSettings { bank });
        Patience { failure_after: failure_after + u64::from(differs), ..self.scenario.patience }
    }

    /// A bank that limps falls asleep again.
    pub(crate) fn limp(&mut self, bank: BankId) {
        self.machines[bank.index()].paused_until_us = self.now_us + SLEEPS_US;
        self.put_in(LIMPS_EVERY_US, Item::Limp(bank));
    }

    fn can_spare(&mut self, bank: BankId) -> bool {
        let banks = self.scenario.banks;
        let rest = self.healed.difference(BankSet::default().with(bank));
        let intact = rest.iter().filter(|bank| self.is_intact(*bank)).count();
        rest.len() >= majority(banks) && intact > banks - majority(banks)
    }

    /// Banks that nothing is wrong with.
    pub(crate) fn core(&self) -> BankSet {
        self.healed.difference(self.lasting.touched())
    }

    /// Whether those that can hear and work are members of one view.
    pub(crate) fn core_is_in_force(&self) -> bool {
        self.view_of_core().is_some()
    }

    /// The members of the view in which all that can hear and work act.
    pub(crate) fn view_of_core(&self) -> Option<BankSet> {
        let (core, healed) = (self.core(), self.healed);
        let active = |bank: BankId| {
            let view = self.machines[bank.index()].process.as_ref()?.view();
            view.active().filter(|_| View::is_ready(view))
        };
        let first = core.first().and_then(active)?;
        let fits = core.difference(first.1).is_empty() && first.1.len() + 1 >= healed.len();
        (fits && core.iter().all(|bank| active(bank) == Some(first))).then_some(first.1)
    }

    /// Whether the view of the others contains no bank with which it cannot go on.
    pub(crate) fn core_is_rid(&self, members: BankSet) -> bool {
        match self.lasting {
            // It keeps up, or nearly.
            Lasting::Nothing | Lasting::Narrow { .. } | Lasting::SlowAndNeeded { .. } => true,
            lasting => !lasting.touched().difference(members).is_empty(),
        }
    }

    /// Slow is better than nothing: no bank without which nothing works is left out for being slow.
    pub(crate) fn judge_blame(&self, bank: BankId, notice: &Notice) {
        let is_needed =
            self.ordeal.is_some() && matches!(self.lasting, Lasting::SlowAndNeeded { .. });
        if let Notice::PeerDown(peer, cause) = notice {
            assert!(
                !(is_needed && cause.is_slow()),
                "bank {bank} blames bank {peer}, which is needed: {notice}"
            );
        }
    }

    /// A bank with other settings is let in by nobody, and is told which settings differ.
    pub(crate) fn look_for_strangers(&mut self) {
        let Lasting::OtherSettings { bank } = self.lasting else { return };
        let members = self.view_of_core().unwrap_or_default();
        assert!(
            !members.contains(bank),
            "bank {bank} is a member with other settings: {}",
            self.where_they_stand()
        );
    }

    /// Looks whether a bank that knocks stops the others. One of them may be outside, because it is
    /// still watched for something earlier; what counts is that writes are taken.
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
        assert!(
            self.stopped_looks <= STOPPED_LOOKS_MAX,
            "{:?} stops the others: {}",
            self.lasting,
            self.where_they_stand()
        );
    }
}
