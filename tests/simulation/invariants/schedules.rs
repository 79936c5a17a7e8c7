//! Each day of a Pix of days to come is run once, and none after it was given up; nothing happens
//! to an account that is closed.

use std::collections::{BTreeMap, BTreeSet};

use netbanking::ids::{BankId, Position};
use netbanking::ledger::past::PastEntry;
use netbanking::ledger::{
    AccountNumber, Action, Closing, Day, Done, Due, Executed, Outcome, Planned, Request,
    ScheduleChange, UserName,
};

use super::Judge;

/// What is known of schedules, and of accounts.
#[derive(Default)]
pub(super) struct Agreed {
    /// As long as nobody has given them up.
    schedules: BTreeMap<Position, (UserName, Box<Planned>)>,
    run: BTreeSet<(Position, Day)>,
    /// In the order of openings.
    opened: Vec<(BankId, AccountNumber)>,
    /// Where the order closed them.
    closed: BTreeMap<(BankId, AccountNumber), Position>,
    /// Of the latest entries, in centavos.
    balances: BTreeMap<(BankId, AccountNumber), i128>,
}

impl Judge {
    /// A request has been done.
    pub(super) fn count_schedules(&mut self, request: &Request, executed: &Executed) {
        let (agreed, id, position) = (&mut self.agreed, &request.id, executed.position);
        let Outcome::Done(done) = &executed.outcome else { return };
        match (&request.action, done) {
            (Action::CreateAccount(_), Done::AccountCreated { number, key }) => {
                agreed.opened.push((key.bank(), *number));
            }
            (Action::Schedule(ScheduleChange::Make(planned)), _) => {
                let by = request.by.clone().expect("a customer plans");
                agreed.schedules.insert(position, (by, planned.clone()));
            }
            (Action::Schedule(ScheduleChange::Cancel { number }), _) => {
                let given_up = agreed.schedules.remove(number);
                assert!(given_up.is_some(), "{id} gives up schedule {number}, which is none");
            }
            (Action::Due(Due { number, day }), done) => {
                let first = agreed.run.insert((*number, *day));
                assert!(first, "{id} runs schedule {number} once more on {day:?}");
                let planned = agreed.schedules.get(number).cloned();
                let (by, planned) = planned.expect("nobody has given up what runs");
                if *done == Done::ScheduleRan {
                    self.count_paid(&by, &planned, id);
                }
            }
            (Action::Close(Closing { bank, account, .. }), Done::AccountClosed) => {
                let before = agreed.closed.insert((*bank, *account), position);
                assert!(before.is_none(), "{id} closes account {account} once more");
            }
            _ => {}
        }
    }

    /// A bank was the first to make an entry.
    pub(super) fn count_balance(&mut self, past: &PastEntry) {
        let (agreed, entry) = (&mut self.agreed, &past.entry);
        let account = agreed.opened[past.account as usize];
        let closed = agreed.closed.get(&account);
        assert!(
            closed.is_none_or(|closed| entry.position < *closed),
            "{} is booked in {account:?}, which is closed",
            entry.id
        );
        agreed.balances.insert(account, entry.balance_after.get());
    }

    /// What an account holds, in centavos, after the latest entry.
    pub(crate) fn balance(&self, account: (BankId, AccountNumber)) -> u64 {
        let balance = self.agreed.balances.get(&account).copied().unwrap_or_default();
        u64::try_from(balance).expect("no balance is below zero")
    }
}
