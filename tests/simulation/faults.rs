//! What breaks, and what the protocol does not promise to survive and therefore never happens here:
//!
//! - More disks lost (wiped, or damaged and not filled again) at one time than leave a set of
//!   intact ones that shares a bank with every majority. A lost disk counts until a view was
//!   prepared on the one that replaced it, and so does a new one: it knows of no view yet, and
//!   nobody can tell it from one that was wiped.
//! - A disk that silently forgets the end of what it had acknowledged, as one restored from an old
//!   copy would. Others can prove it by what they have executed; but if they crash together with
//!   it, nobody can.
//! - A first start without all banks, or with a disk lost before the first view began, forms no
//!   view: nothing is lost before there was one, and the second phase waits for all banks when
//!   there was none.

use netbanking::ids::{BankId, BankSet, majority};

use super::agenda::Item;
use super::disk::NextWrite;
use super::network::Wire;
use super::node::STALLING;
use super::scenario::Scenario;
use super::world::{Death, World};

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A process is killed; its machine closes its connections.
    Kill,
    /// A machine loses power: nobody is told.
    PowerLoss,
    /// All machines lose power.
    PowerCut,
    /// A process dies in the middle of a commit, which is on disk or is not.
    TornWrite,
    FullDisk,
    /// An fsync fails, and with it the process.
    FailedFsync,
    /// A bit flips on a disk.
    FlippedBit,
    /// A disk is lost and replaced by an empty one.
    WipedDisk,
    /// A process stands still, for up to 20 s.
    Pause,
    /// One thread of a process stands still.
    Stall,
    CutPair,
    CutOneWay,
    /// Only heartbeats, or only requests, do not get through.
    CutPartly,
    Isolate,
    Split,
    SlowLink,
    /// A wall clock is set wrong, by an hour or by thousands of years; some stay wrong to the end.
    WrongClock,
    /// A process dies right after it has said something about views.
    DeathInViewChange,
}

/// All kinds, both those that are drawn and those that are not.
pub(crate) const ALL: [Kind; KINDS] = [
    Kind::Kill,
    Kind::PowerLoss,
    Kind::PowerCut,
    Kind::TornWrite,
    Kind::FullDisk,
    Kind::FailedFsync,
    Kind::FlippedBit,
    Kind::WipedDisk,
    Kind::Pause,
    Kind::Stall,
    Kind::CutPair,
    Kind::CutOneWay,
    Kind::CutPartly,
    Kind::Isolate,
    Kind::Split,
    Kind::SlowLink,
    Kind::WrongClock,
    Kind::DeathInViewChange,
];
pub(crate) const KINDS: usize = 18;

/// What ends a fault.
#[derive(Debug)]
pub(crate) enum Healing {
    Uncut(Vec<(BankId, BankId, Wire)>),
    Fast(BankId, BankId),
    NotFull(BankId),
    ClockRight(BankId),
}

const HOUR_MS: i64 = 3_600_000;
/// By how much clocks are wrong: an hour, 25 hours, 64 years, beyond all calendars.
const WRONG_BY_MS: [i64; 4] = [HOUR_MS, 25 * HOUR_MS, 64 * 365 * 24 * HOUR_MS, i64::MAX];
const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;

impl World {
    /// Breaks something, and plans the next fault.
    pub(crate) fn fault(&mut self) {
        if self.is_mended() {
            return;
        }
        let all = self.scenario.weights.iter().sum();
        if all > 0 {
            let mut ticket = self.random.below(all);
            let kind = ALL.into_iter().find(|kind| {
                let weight = self.scenario.weights[*kind as usize];
                let chosen = ticket < weight;
                ticket = ticket.saturating_sub(weight);
                chosen
            });
            self.strike(kind.expect("a ticket is below the sum of all weights"));
        }
        let gap_us = self.random.between(10 * MS, self.scenario.fault_gap_max_us);
        self.put_in(gap_us, Item::Fault);
    }

    fn strike(&mut self, kind: Kind) {
        let bank = BankId(self.random.below(self.scenario.banks as u64) as u16);
        let happened = match kind {
            Kind::Kill => self.die(bank, Death::Killed),
            Kind::PowerLoss => self.die(bank, Death::PowerLost),
            Kind::PowerCut => {
                let banks: Vec<_> = BankId::all(self.scenario.banks).collect();
                banks
                    .into_iter()
                    .map(|bank| self.die(bank, Death::PowerLost))
                    .fold(false, |any, died| any | died)
            }
            Kind::TornWrite => {
                let is_there = self.random.coin();
                self.machines[bank.index()].disk.set_next_write(NextWrite::Torn { is_there });
                true
            }
            Kind::FullDisk => {
                self.machines[bank.index()].disk.set_full(true);
                self.heal_later(6 * SECOND, Healing::NotFull(bank));
                true
            }
            Kind::FailedFsync => {
                self.may_lose(bank) && {
                    self.machines[bank.index()].disk.set_next_write(NextWrite::FsyncFails);
                    true
                }
            }
            Kind::FlippedBit => {
                self.may_lose(bank) && {
                    self.machines[bank.index()].disk.damage();
                    true
                }
            }
            Kind::WipedDisk => {
                self.may_lose(bank) && {
                    self.die(bank, Death::PowerLost);
                    self.machines[bank.index()].disk.wipe();
                    self.judge.forgets(bank);
                    true
                }
            }
            Kind::Pause => self.pause(bank),
            Kind::Stall => self.stall(bank),
            Kind::CutPair | Kind::CutOneWay | Kind::CutPartly => self.cut_pair(bank, kind),
            Kind::Isolate => self.cut_off(BankSet::default().with(bank)),
            Kind::Split => {
                let side =
                    BankId::all(self.scenario.banks).filter(|_| self.random.coin()).collect();
                self.cut_off(side)
            }
            Kind::SlowLink => self.slow_link(bank),
            Kind::WrongClock => self.set_clock(bank),
            Kind::DeathInViewChange => false,
        };
        if happened {
            self.struck(kind, bank);
        }
    }

    pub(crate) fn struck(&mut self, kind: Kind, bank: BankId) {
        self.tally.faults[kind as usize] += 1;
        self.trace.mix(kind as u64);
        self.trace.line(self.now_us, Some(bank), || format!("FAULT: {kind:?}"));
    }

    /// Whether there is something to lose, with enough intact disks left without this one.
    fn may_lose(&mut self, bank: BankId) -> bool {
        let banks = self.scenario.banks;
        let left =
            BankId::all(banks).filter(|other| *other != bank && self.is_intact(*other)).count();
        self.judge.views() > 0 && left > banks - majority(banks)
    }

    fn pause(&mut self, bank: BankId) -> bool {
        let longest = if self.random.per_mille(100) { 20 * SECOND } else { 4 * SECOND };
        let pause_us = self.random.skewed(10 * MS, longest);
        let machine = &mut self.machines[bank.index()];
        if machine.process.is_none() {
            return false;
        }
        machine.paused_until_us = machine.paused_until_us.max(self.now_us + pause_us);
        true
    }

    fn stall(&mut self, bank: BankId) -> bool {
        let until_us = self.now_us + self.random.skewed(MS, 8 * SECOND);
        let part = self.random.pick(&STALLING);
        let Some(process) = &mut self.machines[bank.index()].process else { return false };
        process.stall(part, until_us);
        true
    }

    fn other(&mut self, bank: BankId) -> Option<BankId> {
        let others: Vec<_> =
            BankId::all(self.scenario.banks).filter(|other| *other != bank).collect();
        (!others.is_empty()).then(|| self.random.pick(&others))
    }

    fn cut_pair(&mut self, bank: BankId, kind: Kind) -> bool {
        let Some(other) = self.other(bank) else { return false };
        let wires: &[Wire] = match kind {
            Kind::CutPartly if self.random.coin() => &[Wire::Requests],
            Kind::CutPartly => &[Wire::Heartbeat],
            _ => &[Wire::Requests, Wire::Heartbeat],
        };
        let one_way = kind == Kind::CutOneWay || (kind == Kind::CutPartly && self.random.coin());
        let mut cuts: Vec<_> = wires.iter().map(|wire| (bank, other, *wire)).collect();
        if !one_way {
            cuts.extend(wires.iter().map(|wire| (other, bank, *wire)));
        }
        self.cut(cuts)
    }

    fn cut_off(&mut self, side: BankSet) -> bool {
        let banks = self.scenario.banks;
        let mut cuts = Vec::new();
        for bank in side.iter() {
            for other in BankId::all(banks).filter(|other| !side.contains(*other)) {
                for wire in [Wire::Requests, Wire::Heartbeat] {
                    cuts.extend([(bank, other, wire), (other, bank, wire)]);
                }
            }
        }
        self.cut(cuts)
    }

    fn cut(&mut self, cuts: Vec<(BankId, BankId, Wire)>) -> bool {
        if cuts.is_empty() {
            return false;
        }
        self.trace.line(self.now_us, None, || format!("cut: {cuts:?}"));
        cuts.iter().for_each(|(from, to, wire)| self.network.cut(*from, *to, *wire));
        self.heal_later(8 * SECOND, Healing::Uncut(cuts));
        true
    }

    fn slow_link(&mut self, bank: BankId) -> bool {
        let Some(other) = self.other(bank) else { return false };
        let slow_us = self.random.skewed(10 * MS, 2 * SECOND);
        self.network.set_slow(bank, other, slow_us);
        self.heal_later(4 * SECOND, Healing::Fast(bank, other));
        true
    }

    /// Sets one clock wrong. Where perhaps only two banks know each other, the lower clock rules,
    /// so it must be the right one.
    fn set_clock(&mut self, bank: BankId) -> bool {
        let Scenario { banks, clock_victim, clocks_of_many, .. } = self.scenario;
        let bank = if clocks_of_many { bank } else { clock_victim };
        if banks == 1 && !clocks_of_many {
            return false;
        }
        let is_ahead = self.random.coin() || (banks <= 3 && !clocks_of_many);
        let by_ms = self.random.pick(&WRONG_BY_MS);
        let machine = &mut self.machines[bank.index()];
        machine.wrong_ms = if is_ahead { by_ms } else { by_ms.wrapping_neg() };
        machine.was_wrong = true;
        self.trace.line(self.now_us, Some(bank), || {
            format!("its clock is {by_ms} ms off, ahead: {is_ahead}")
        });
        self.heal_later(15 * SECOND, Healing::ClockRight(bank));
        true
    }

    fn heal_later(&mut self, longest_us: u64, healing: Healing) {
        let after_us = self.random.skewed(50 * MS, longest_us);
        self.put_in(after_us, Item::Heal(healing));
    }

    pub(crate) fn heal(&mut self, healing: Healing) {
        // In the second phase everything is whole already.
        if self.is_mended() {
            return;
        }
        self.trace.line(self.now_us, None, || format!("healed: {healing:?}"));
        match healing {
            Healing::Uncut(cuts) => {
                cuts.into_iter().for_each(|(from, to, wire)| self.network.uncut(from, to, wire));
            }
            Healing::Fast(from, to) => self.network.set_slow(from, to, 0),
            Healing::ClockRight(bank) => self.machines[bank.index()].wrong_ms = 0,
            Healing::NotFull(bank) => self.machines[bank.index()].disk.set_full(false),
        }
    }
}
