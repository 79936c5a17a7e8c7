//! What the seeds went through, so that the code cannot pass for safe just because nothing
//! happened.

use super::faults::{ALL, KINDS};
use super::gray::{LASTING_KINDS, LASTING_NAMES};
use super::invariants::Judge;
use super::network::Network;

#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) seeds: u64,
    pub(crate) faults: [u64; KINDS],
    /// Second phases in which something stayed broken, by kind.
    pub(crate) lasting: [u64; LASTING_KINDS],
    /// Third phases, by what set in.
    pub(crate) ordeals: [u64; LASTING_KINDS],
    /// The longest time without an answer after a gray fault had set in, and how often there was
    /// one of more than a second once that first one had been borne.
    pub(crate) stopped_max_us: u64,
    pub(crate) stopped_again: u64,
    /// Heartbeats refused because settings differ.
    pub(crate) refused_settings: u64,
    /// Messages lost, repeated, late.
    pub(crate) troubles: [u64; 3],
    /// Connections that broke without a word.
    pub(crate) broken: u64,
    /// Processes started.
    pub(crate) starts: u64,
    /// Views that began, and how often one began at a bank.
    pub(crate) views: u64,
    pub(crate) installed: u64,
    /// Requests in the common order, answers with a position in it, those of them that say 'done',
    /// and refusals without a position.
    pub(crate) executed: u64,
    pub(crate) answered: u64,
    pub(crate) done: u64,
    pub(crate) refused: u64,
    /// Reads, and those of them that were marked as possibly old.
    pub(crate) reads: u64,
    pub(crate) marked: u64,
    /// Seeds in which nobody ever got a view.
    pub(crate) idle: u64,
    pub(crate) virtual_us: u64,
    /// The longest time, and the sum of the times, from mending until all were members.
    pub(crate) gathered_max_us: u64,
    pub(crate) gathered_sum_us: u64,
}

impl Tally {
    pub(crate) fn gathered(&mut self, after_us: u64) {
        self.gathered_max_us = after_us;
        self.gathered_sum_us = after_us;
    }

    pub(crate) fn finish(&mut self, now_us: u64, network: &Network, judge: &Judge) {
        self.seeds = 1;
        self.virtual_us = now_us;
        self.troubles = network.troubles;
        self.broken = network.broken;
        self.views = judge.views() as u64;
        self.executed = judge.requests() as u64;
        self.idle = u64::from(judge.requests() == 0);
    }

    pub(crate) fn add(&mut self, other: &Tally) {
        self.seeds += other.seeds;
        self.faults.iter_mut().zip(other.faults).for_each(|(mine, theirs)| *mine += theirs);
        self.broken += other.broken;
        self.troubles.iter_mut().zip(other.troubles).for_each(|(mine, theirs)| *mine += theirs);
        self.lasting.iter_mut().zip(other.lasting).for_each(|(mine, theirs)| *mine += theirs);
        self.ordeals.iter_mut().zip(other.ordeals).for_each(|(mine, theirs)| *mine += theirs);
        self.starts += other.starts;
        self.views += other.views;
        self.installed += other.installed;
        self.executed += other.executed;
        self.answered += other.answered;
        self.done += other.done;
        self.refused += other.refused;
        self.reads += other.reads;
        self.marked += other.marked;
        self.idle += other.idle;
        self.virtual_us += other.virtual_us;
        self.stopped_max_us = self.stopped_max_us.max(other.stopped_max_us);
        self.stopped_again += other.stopped_again;
        self.refused_settings += other.refused_settings;
        self.gathered_max_us = self.gathered_max_us.max(other.gathered_max_us);
        self.gathered_sum_us += other.gathered_sum_us;
    }

    /// Checks that a run of many seeds has gone through what it must for it to prove anything.
    pub(crate) fn check(&self, banks: Option<usize>) -> Result<(), String> {
        // A consortium of one has no network; and a few seeds may lack anything.
        if self.seeds < 100 || banks.is_some_and(|banks| banks < 3) {
            return Ok(());
        }
        if let Some(missing) = ALL.iter().find(|kind| self.faults[**kind as usize] == 0) {
            return Err(format!("not one fault of kind {missing:?} happened"));
        }
        let missing =
            (1..LASTING_KINDS).find(|kind| self.lasting[*kind] == 0 || self.ordeals[*kind] == 0);
        if let Some(missing) = missing.filter(|_| self.seeds >= 1_000) {
            return Err(format!(
                "'{}' never stayed from the second phase on, or never set in",
                LASTING_NAMES[missing]
            ));
        }
        if self.troubles.contains(&0) || self.broken == 0 {
            return Err(format!("the network was never bad: {:?}", self.troubles));
        }
        let (least_answered, least_views) = (self.seeds * 10, self.seeds * 2);
        if self.answered < least_answered
            || self.done * 2 < self.answered
            || self.views < least_views
        {
            return Err(format!(
                "too little happened: {} answers, {} of them 'done', {} views",
                self.answered, self.done, self.views
            ));
        }
        if self.marked == 0 || self.marked * 5 > self.reads * 4 {
            return Err(format!(
                "{} of {} reads were marked: too many or none",
                self.marked, self.reads
            ));
        }
        Ok(())
    }

    pub(crate) fn print(&self, seconds: f64) {
        let seeds = self.seeds.max(1);
        println!(
            "{} seeds in {seconds:.1} s: {:.1} seeds/s",
            self.seeds,
            self.seeds as f64 / seconds
        );
        println!("  virtual time     {:>10.1} h", self.virtual_us as f64 / 3.6e9);
        println!("  requests ordered {:>10}", self.executed);
        println!(
            "  answered         {:>10}, of them done {}; refused unstamped {}",
            self.answered, self.done, self.refused
        );
        println!(
            "  reads            {:>10}, of them marked as perhaps old {}",
            self.reads, self.marked
        );
        println!(
            "  views            {:>10}, begun at a bank {} times; {} starts",
            self.views, self.installed, self.starts
        );
        let (max_s, mean_s) =
            (self.gathered_max_us as f64 / 1e6, self.gathered_sum_us as f64 / 1e6 / seeds as f64);
        println!(
            "  mended to one view in {mean_s:.1} s on average, {max_s:.1} s at most; {} seeds without any request",
            self.idle
        );
        let [lost, repeated, late] = self.troubles;
        let lasting = LASTING_NAMES.iter().zip(self.lasting.iter().zip(self.ordeals));
        for (name, (stayed, set_in)) in lasting.skip(1) {
            println!("  {name:<17} {stayed:>9} stayed to the end, {set_in} set in afterwards");
        }
        let stopped_s = self.stopped_max_us as f64 / 1e6;
        println!(
            "  stops by what set in: {stopped_s:.1} s at most at first, {} later ones",
            self.stopped_again
        );
        println!("  heartbeats refused because settings differ {}", self.refused_settings);
        println!("  messages lost {lost}, repeated {repeated}, late {late}");
        println!("  connections broken without a word {}", self.broken);
        for kind in ALL {
            println!("  {:<17} {:>9}", format!("{kind:?}"), self.faults[kind as usize]);
        }
    }
}
