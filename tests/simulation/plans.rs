//! In some seeds customers also plan Pix of days to come, and close accounts. The part of a bank
//! that asks for what is due (`actors/schedules.rs`) may forget everything at any moment and asks
//! twice: here any customer asks at any bank, under a new key each time.

use netbanking::ids::Position;
use netbanking::ledger::{
    Action, Closing, Day, Done, Due, Every, Executed, Note, Operation, OperationKind, Outcome,
    Package, Planned, ScheduleChange,
};

use super::customers::{What, amount};
use super::world::{EPOCH_MS, World};

/// The zone of São Paulo, in which runs take place on the evening of one day,
pub(crate) const OFFSET_S: i32 = -10_800;
/// and one in which it is still the day before: what is planned there for tomorrow is due here.
const LATE_S: i32 = -93_600;
/// How many schedules are asked for: the latest ones.
const ASKED_FOR_MAX: usize = 8;

/// What customers do besides, and what they know of it.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    /// Whether there are any in this seed.
    are_made: bool,
    /// Of anybody, as long as nobody has given them up.
    schedules: Vec<(usize, Position)>,
}

impl Plans {
    /// In a tenth of the seeds, and in none of those that are known for what they found.
    pub(crate) fn of(seed: u64) -> Plans {
        Plans { are_made: seed % 10 == 4, schedules: Vec::new() }
    }
}

/// In whose zone a customer asks.
pub(crate) fn offset_s(action: &Action) -> i32 {
    if matches!(action, Action::Schedule(_)) { LATE_S } else { OFFSET_S }
}

impl World {
    /// What a customer with an account wants of this, if anything.
    pub(crate) fn plan_next(&mut self, number: usize) -> Option<What> {
        if !self.plans.are_made {
            return None;
        }
        match self.random.below(1_000) {
            0..80 => Some(self.plan(number)),
            80..230 => self.ask_for_due(),
            230..250 => {
                let own = self.plans.schedules.iter().find(|(by, _)| *by == number);
                let number = own.map(|(_, schedule)| *schedule)?;
                Some(What::Plain(Action::Schedule(ScheduleChange::Cancel { number })))
            }
            250..300 => Some(self.close(number)),
            _ => None,
        }
    }

    fn plan(&mut self, number: usize) -> What {
        let (bank, account) = self.random.pick(&self.customers[number].accounts);
        let planned = Planned {
            bank,
            account,
            value: amount(self.random.skewed(1, 20_000)),
            pix: self.directory[self.random.index(self.directory.len())].clone(),
            note: Note::default(),
            first: Day::at(EPOCH_MS, OFFSET_S),
            every: Every::Day,
            times: 1 + self.random.below(2) as u16,
        };
        What::Plain(Action::Schedule(ScheduleChange::Make(Box::new(planned))))
    }

    /// Today, or tomorrow, which does not come.
    fn ask_for_due(&mut self) -> Option<What> {
        let latest = self.plans.schedules.len().min(ASKED_FOR_MAX);
        if latest == 0 {
            return None;
        }
        let place = self.plans.schedules.len() - 1 - self.random.index(latest);
        let today = Day::at(EPOCH_MS, OFFSET_S).get();
        let day = Day::new(today + i64::from(self.random.per_mille(100)));
        let number = self.plans.schedules[place].1;
        Some(What::Plain(Action::Due(Due { number, day })))
    }

    /// Takes out what is in an account, or closes it.
    fn close(&mut self, number: usize) -> What {
        let (bank, account) = self.random.pick(&self.customers[number].accounts);
        match self.judge.balance((bank, account)) {
            0 => What::Plain(Action::Close(Closing { bank, account, close: true })),
            balance => {
                let kind = OperationKind::Withdraw { value: amount(balance), sender: None };
                let operations = vec![Operation { bank, account, kind }];
                What::Package(Package::parse(operations).expect("one operation"))
            }
        }
    }

    /// What a customer has learnt from an answer.
    pub(crate) fn learn(&mut self, number: usize, what: &What, executed: &Executed) {
        let What::Plain(action) = what else { return };
        match (action, &executed.outcome) {
            (_, Outcome::Done(Done::Scheduled { number: schedule })) => {
                self.plans.schedules.push((number, *schedule));
            }
            (Action::Schedule(ScheduleChange::Cancel { number }), _) => {
                self.plans.schedules.retain(|(_, schedule)| schedule != number);
            }
            (Action::Close(Closing { bank, account, .. }), Outcome::Done(Done::AccountClosed)) => {
                self.customers[number].give_up((*bank, *account));
            }
            _ => {}
        }
    }
}
