//! The second phase: everything is mended, for all banks or for as many as are needed, and within a
//! bounded time they must be members of one view, serve every customer once more, and agree.

use netbanking::ids::{Ballot, BankId, BankSet, majority};
use netbanking::store::Store;

use super::agenda::Item;
use super::disk::NextWrite;
use super::gray::Lasting;
use super::node::Process;
use super::world::{Death, Machine, World};

const MS: u64 = 1_000;
/// How long what was under way before may stay unanswered once a view of all stands.
const ANSWERED_WITHIN_US: u64 = 5_000 * MS;
/// The same where a disk without which nothing works needs a second for each commit that an answer
/// takes.
const ANSWERED_SLOWLY_WITHIN_US: u64 = 20_000 * MS;
/// How often the state is looked at.
const LOOK_US: u64 = 100 * MS;

/// How far the second phase has come.
#[derive(Debug)]
pub(crate) enum Mending {
    NotYet,
    /// Until all healed banks are members of one view.
    Gathering {
        until_us: u64,
    },
    /// Until every customer was served once more.
    Serving {
        since_us: u64,
        until_us: u64,
    },
    /// Until all books are equal, and every request that a process has taken is answered.
    Levelling {
        since_us: u64,
        until_us: u64,
    },
    /// Until everybody knows whose clock is wrong, if one is.
    Naming {
        until_us: u64,
    },
    /// Until it is certain that all is well.
    Resting {
        until_us: u64,
    },
    /// A gray fault has set in, and the others go on.
    Enduring {
        since_us: u64,
    },
    Done,
}

impl World {
    /// Whether customers ask for one thing more, and then rest.
    pub(crate) fn customers_rest(&self) -> bool {
        self.is_mended() && self.ordeal.is_none()
    }

    pub(crate) fn is_mended(&self) -> bool {
        !matches!(self.mending, Mending::NotYet)
    }

    pub(crate) fn mend(&mut self) {
        let until_us = self.now_us + self.scenario.settles_within_us();
        let healed = self.choose_healed();
        self.trace.line(self.now_us, None, || format!("MENDED for {healed}"));
        self.mending = Mending::Gathering { until_us };
        self.network.heal();
        self.healed = healed;
        self.open_banks = healed.iter().collect();
        for bank in BankId::all(self.scenario.banks) {
            self.wake(bank);
            let machine = &mut self.machines[bank.index()];
            machine.disk.set_full(false);
            machine.disk.set_next_write(NextWrite::Succeeds);
            if let Some(process) = &mut machine.process {
                process.stop_stalling();
            }
            if !healed.contains(bank) {
                self.die(bank, Death::PowerLost);
            } else if self.machines[bank.index()].process.is_none() {
                let life = self.life_of(bank);
                let after_us = self.random.between(10 * MS, 500 * MS);
                self.put_in(after_us, Item::Restart(life));
            } else {
                self.plan_work(bank);
            }
        }
        self.break_for_good();
        self.tally.lasting[self.lasting.kind()] += 1;
        self.put_in(LOOK_US, Item::Look);
    }

    /// All banks; or, once there was a view, as few as are promised to suffice.
    fn choose_healed(&mut self) -> BankSet {
        let banks = self.scenario.banks;
        let mut healed = BankSet::all(banks);
        if !self.scenario.heals_only_some || self.judge.latest_view() == Ballot::default() {
            return healed;
        }
        for _ in 0..banks {
            let bank = BankId(self.random.below(banks as u64) as u16);
            let mut fewer = healed;
            fewer.remove(bank);
            let intact = fewer.iter().filter(|bank| self.is_intact(*bank)).count();
            if fewer.len() >= majority(banks) && intact > banks - majority(banks) {
                healed = fewer;
            }
        }
        healed
    }

    /// Whether a bank's disk has all it ever had and knows of a view.
    pub(crate) fn is_intact(&mut self, bank: BankId) -> bool {
        let disk = &mut self.machines[bank.index()].disk;
        let prepared =
            disk.remembered().map(|remembered| remembered.prepared.ballot).unwrap_or_default();
        !disk.is_lost() && !disk.is_learner() && prepared != Ballot::default()
    }

    pub(crate) fn look(&mut self) {
        match self.mending {
            Mending::NotYet | Mending::Done => {}
            Mending::Gathering { until_us } => {
                let is_whole = self.lasting == Lasting::Nothing;
                if if is_whole { self.all_are_members() } else { self.core_is_in_force() } {
                    self.open_banks = self.core().iter().collect();
                    self.tally.gathered(self.now_us + self.scenario.settles_within_us() - until_us);
                    self.trace
                        .line(self.now_us, None, || "all healed banks are members".to_owned());
                    self.mending = Mending::Serving { since_us: self.now_us, until_us };
                    self.ask_once_more();
                } else {
                    assert!(
                        self.now_us < until_us,
                        "no view of all healed banks came to stand: {}",
                        self.where_they_stand()
                    );
                }
            }
            Mending::Serving { since_us, until_us } => {
                self.check_owed(since_us);
                self.look_for_stops();
                self.look_for_strangers();
                if self.customers.iter().all(|customer| customer.is_served) {
                    self.mending = Mending::Levelling { since_us, until_us };
                } else {
                    assert!(
                        self.now_us < until_us,
                        "a customer is not served although all is well"
                    );
                }
            }
            Mending::Levelling { since_us, until_us } => {
                self.check_owed(since_us);
                self.look_for_stops();
                self.look_for_strangers();
                let books =
                    self.open_banks.iter().map(|bank| self.machines[bank.index()].process.as_ref());
                let books: Vec<_> = books.map(|process| process.map(Process::book)).collect();
                let owed = self.owed(self.now_us);
                if self.judge.all_are_level(&books) && owed.is_none() {
                    self.mending = Mending::Naming { until_us };
                } else {
                    assert!(
                        self.now_us < until_us,
                        "the books do not agree or {owed:?} is open: {}",
                        self.where_they_stand()
                    );
                }
            }
            Mending::Naming { until_us } => match self.not_named() {
                None => self.mending = self.rest(),
                Some(why) => assert!(self.now_us < until_us, "{why}"),
            },
            Mending::Resting { until_us } => {
                if self.now_us >= until_us {
                    self.mending = self.begin_ordeal();
                }
            }
            Mending::Enduring { since_us } => {
                self.check_owed(since_us);
                self.look_for_strangers();
                self.look_at_ordeal();
            }
        }
        self.put_in(LOOK_US, Item::Look);
    }

    /// A view change delays the requests under way by no more than its own duration.
    fn check_owed(&self, since_us: u64) {
        let since_us = since_us.max(self.installed_us);
        // What stays broken ends, once it is noticed, the view that stood when everything else was
        // mended.
        let in_force = self.view_of_core().is_some_and(|members| self.core_is_rid(members));
        let within_us = match self.lasting {
            Lasting::SlowAndNeeded { .. } => ANSWERED_SLOWLY_WITHIN_US,
            _ => ANSWERED_WITHIN_US,
        };
        if in_force
            && self.now_us >= since_us + within_us
            && let Some(owed) = self.owed(since_us)
        {
            panic!("{owed} is never answered although a view stands");
        }
    }

    /// With three banks or more everybody can tell whose clock is wrong.
    fn not_named(&self) -> Option<String> {
        let victim = self.scenario.clock_victim;
        let is_wrong =
            self.machines[victim.index()].wrong_ms != 0 && self.open_banks.contains(&victim);
        if !is_wrong || self.scenario.clocks_of_many || self.open_banks.len() < 3 {
            return None;
        }
        let named = |bank: BankId| {
            let clocks = self.machines[bank.index()]
                .process
                .as_ref()
                .map(Process::clocks)
                .unwrap_or_default();
            BankId::all(clocks.len())
                .filter(|other| clocks[other.index()].is_off)
                .collect::<Vec<_>>()
        };
        let otherwise = self.open_banks.iter().find(|bank| named(**bank) != [victim])?;
        let named = named(*otherwise);
        Some(format!(
            "bank {otherwise} says that the clocks of {named:?} are off; it is {victim}'s"
        ))
    }

    pub(crate) fn all_are_members(&self) -> bool {
        let healed: BankSet = self.open_banks.iter().copied().collect();
        let active = |bank: &BankId| {
            let view = self.machines[bank.index()].process.as_ref()?.view();
            view.active().filter(|_| view.is_ready())
        };
        let first = active(&self.open_banks[0]);
        first.is_some_and(|(_, members)| members == healed)
            && self.open_banks.iter().all(|bank| active(bank) == first)
    }

    pub(crate) fn where_they_stand(&self) -> String {
        let of = |machine: &Machine| match &machine.process {
            None => "dead".to_owned(),
            Some(process) => {
                let view = process.view();
                let (phase, report) = (view.phase(), view.report());
                format!(
                    "{phase:?} at {} hears {} promised {}",
                    process.book().position(),
                    report.hears,
                    report.promised
                )
            }
        };
        self.machines.iter().map(of).collect::<Vec<_>>().join("; ")
    }
}
