//! Customers who read: each asks some bank, which asks the others for proof as
//! `actors/heartbeat.rs` does, and then reads its ledger. An answer without a mark shows everything
//! that was answered anywhere before they asked.

use netbanking::ids::BankId;
use netbanking::protocol::confirmation::{ConfirmationInput, ReadNumber, Verdict};

use super::agenda::Item;
use super::node::{Part, Post, Process, Said};
use super::world::World;

const MS: u64 = 1_000;
/// Longest time between two reads.
const READ_GAP_MAX_US: u64 = 400 * MS;

/// A read that has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    /// The highest position that had been answered anywhere when it began.
    pub(crate) answered: u64,
    pub(crate) fresh: bool,
}

impl World {
    pub(crate) fn read_soon(&mut self) {
        let gap_us = self.random.skewed(5 * MS, READ_GAP_MAX_US);
        let bank = self.random.pick(&self.open_banks);
        self.put_in(gap_us, Item::Read { bank });
    }

    /// A customer reads at a bank, and another one soon after.
    pub(crate) fn read(&mut self, bank: BankId) {
        self.read_soon();
        let (now_us, answered) = (self.now_us, self.judge.answered_through());
        let Some(process) = &mut self.machines[bank.index()].process else { return };
        process.begin_read(answered, now_us);
        for peer in BankId::all(self.scenario.banks).filter(|peer| *peer != bank) {
            self.ping_for_reads(bank, peer);
        }
        self.plan_work(bank);
    }

    pub(crate) fn hear_read(&mut self, bank: BankId, read: Read, position: u64) {
        self.trace.line(self.now_us, Some(bank), || format!("{read:?} shows {position}"));
        self.judge.read(bank, read, position);
        self.tally.reads += 1;
        self.tally.marked += u64::from(!read.fresh);
    }
}

impl Process {
    /// The last read that a ping leaving now would prove.
    pub(crate) fn asked(&self) -> ReadNumber {
        self.confirmation.asked()
    }

    fn begin_read(&mut self, answered: u64, now_us: u64) {
        let mut verdicts = Vec::new();
        let number = self.confirmation.ask(self.now_ms(now_us), &mut verdicts);
        self.reads.insert(number, answered);
        self.put(Part::Heartbeat, Part::Ledger, Post::AskMyself(number));
        self.read_after(verdicts);
    }

    /// The ledger says in which view it executes.
    pub(crate) fn answer_myself(&mut self, through: ReadNumber) {
        let (bank, active) = (self.settings.me, self.executor_in_force());
        let word = ConfirmationInput::Answered { bank, through, active, round_trip: 0 };
        self.put(Part::Ledger, Part::Heartbeat, Post::Word(word));
    }

    /// Something was learnt about a bank, or could not be learnt.
    pub(crate) fn word(&mut self, word: ConfirmationInput) {
        self.put(Part::Http, Part::Heartbeat, Post::Word(word));
    }

    pub(crate) fn confirm(&mut self, word: ConfirmationInput, now_us: u64) {
        let mut verdicts = Vec::new();
        self.confirmation.handle(word, self.now_ms(now_us), &mut verdicts);
        self.read_after(verdicts);
    }

    fn read_after(&mut self, verdicts: Vec<Verdict>) {
        for Verdict { read, fresh } in verdicts {
            let answered = self.reads.remove(&read).expect("a read has one verdict");
            self.put(Part::Heartbeat, Part::Ledger, Post::Read(Read { answered, fresh }));
        }
    }

    pub(crate) fn read_ledger(&self, read: Read, said: &mut Vec<Said>) {
        said.push(Said::Read(read, self.book().position().0));
    }
}
