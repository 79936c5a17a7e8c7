//! The schedules under way, found by number, customer and day.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ids::{BankId, Position};
use crate::ledger::customer::UserName;
use crate::ledger::schedule::{Day, Due};
use crate::ledger::scheduled::{Run, Schedule};

/// All of them, as a snapshot has them. Each is shared, so that the whole is copied fast.
pub(super) type All = Arc<BTreeMap<Position, Arc<Schedule>>>;

/// The schedules and what they are found by.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedules {
    /// Shared with snapshots that are being written.
    all: All,
    by_customer: BTreeSet<(UserName, Position)>,
    /// By the bank of the account that pays.
    by_day: BTreeSet<(BankId, Day, Position)>,
}

impl Schedules {
    /// What a snapshot has.
    pub(super) fn all(&self) -> &All {
        &self.all
    }

    pub(super) fn get(&self, number: Position) -> Option<&Schedule> {
        self.all.get(&number).map(Arc::as_ref)
    }

    /// Those of a customer, oldest first.
    pub(super) fn of<'a>(&'a self, user_name: &UserName) -> impl Iterator<Item = &'a Schedule> {
        let first = (user_name.clone(), Position::default());
        let user_name = user_name.clone();
        let numbers = self.by_customer.range(first..);
        let own = numbers.take_while(move |(name, _)| *name == user_name);
        own.filter_map(|(_, number)| self.get(*number))
    }

    /// What is due at a bank up to a day, longest due first.
    pub(super) fn due(&self, bank: BankId, day: Day) -> impl Iterator<Item = Due> {
        let first = (bank, Day::new(i64::MIN), Position::default());
        let all =
            self.by_day.range(first..).take_while(move |(of, on, _)| *of == bank && *on <= day);
        all.map(|(_, day, number)| Due { number: *number, day: *day })
    }

    /// Adds one whose number is new.
    pub(super) fn add(&mut self, schedule: Schedule) {
        self.by_customer.insert((schedule.by.clone(), schedule.number));
        if let Some(day) = schedule.next() {
            self.by_day.insert((schedule.planned.bank, day, schedule.number));
        }
        Arc::make_mut(&mut self.all).insert(schedule.number, Arc::new(schedule));
    }

    /// Takes one away.
    pub(super) fn end(&mut self, number: Position) -> Option<Schedule> {
        let ended = Arc::make_mut(&mut self.all).remove(&number)?;
        self.by_customer.remove(&(ended.by.clone(), number));
        if let Some(day) = ended.next() {
            self.by_day.remove(&(ended.planned.bank, day, number));
        }
        Some(Arc::unwrap_or_clone(ended))
    }

    /// Its next day has been run.
    pub(super) fn ran(&mut self, number: Position, run: Run) {
        let schedule = self.end(number).expect("what runs is there");
        let schedule = Schedule { done: schedule.done + 1, last: Some(run), ..schedule };
        if !schedule.is_over() {
            self.add(schedule);
        }
    }
}
