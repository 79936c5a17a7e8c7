//! The rules for Pix of days to come; see [`schedule`](crate::ledger::schedule).

use super::change::Change;
use super::operations::Draft;
use super::{Book, Turn};
use crate::ids::BankId;
use crate::ledger::customer::UserName;
use crate::ledger::limits::Period;
use crate::ledger::outcome::Refusal;
use crate::ledger::package::{Operation, OperationKind};
use crate::ledger::schedule::{
    DAYS_AHEAD_MAX, Day, Due, Planned, SCHEDULES_MAX, ScheduleChange, TIMES_MAX,
};
use crate::ledger::scheduled::{Run, Schedule};

impl Book {
    pub(super) fn decide_schedule(
        &self,
        turn: &Turn<'_>,
        change: &ScheduleChange,
    ) -> Result<Change, Refusal> {
        let by = turn.request.by.as_ref().ok_or(Refusal::NoCustomer)?;
        let by = &self.known_customer(by)?.user_name;
        match change {
            ScheduleChange::Make(planned) => self.decide_new_schedule(turn, by, planned),
            ScheduleChange::Cancel { number } => {
                let own = self.schedules.get(*number).filter(|schedule| schedule.by == *by);
                own.map(|_| Change::Unscheduled(*number)).ok_or(Refusal::NoSuchSchedule)
            }
        }
    }

    fn decide_new_schedule(
        &self,
        turn: &Turn<'_>,
        by: &UserName,
        planned: &Planned,
    ) -> Result<Change, Refusal> {
        self.check_online(planned.bank, turn.members)?;
        let slot = self.held(Some(by), planned.bank, planned.account)?;
        let to = self.slot_paid_by(&planned.pix);
        let to = to.ok_or_else(|| Refusal::UnknownPixKey(planned.pix.clone()))?;
        if slot == to {
            let (bank, account) = (planned.bank, planned.account);
            return Err(Refusal::SameAccount { bank, account });
        }
        let today = Day::at(turn.at_ms, turn.request.offset_s.unwrap_or_default());
        let ahead = planned.first.get().saturating_sub(today.get());
        if !(1..=DAYS_AHEAD_MAX).contains(&ahead) || !(1..=TIMES_MAX).contains(&planned.times) {
            return Err(Refusal::ScheduleDays);
        }
        if self.schedules.of(by).count() >= SCHEDULES_MAX {
            return Err(Refusal::TooManySchedules);
        }
        let (by, planned) = (by.clone(), planned.clone());
        let number = turn.position;
        Ok(Change::Scheduled(Box::new(Schedule { number, by, planned, done: 0, last: None })))
    }

    /// What cannot be paid today will not be paid; only where a bank is away, it waits for the bank.
    pub(super) fn decide_due(&self, turn: &Turn<'_>, due: Due) -> Result<Change, Refusal> {
        let schedule = self.schedules.get(due.number).ok_or(Refusal::NoSuchSchedule)?;
        let offset_s = turn.request.offset_s.unwrap_or_default();
        let has_come = Period::at(turn.at_ms, offset_s).day() >= due.day;
        if schedule.next() != Some(due.day) || !has_come {
            return Err(Refusal::NotDue);
        }
        let by = &self.known_customer(&schedule.by)?.user_name;
        let Planned { bank, account, value, pix, note, .. } = schedule.planned.clone();
        let kind = OperationKind::Transfer { value, pix, note: Some(note) };
        let mut draft = Draft::new(self, turn.members, Some(by), true);
        draft.outlay = self.outlay(by, turn.at_ms, offset_s);
        let mut postings = Vec::with_capacity(2);
        let ran = draft.run(&Operation { bank, account, kind }, &mut |leg| {
            postings.push(turn.posting(&self[leg.slot], leg));
        });
        let run = |failed| Run { day: due.day, at_ms: turn.at_ms, failed };
        match ran {
            Ok(()) => {
                let outlay = draft.outlay.filter(|outlay| outlay.has_grown);
                Ok(Change::Ran { number: due.number, run: run(None), postings, outlay })
            }
            Err(away @ Refusal::BankOffline(_)) => Err(away),
            Err(refusal) => Ok(Change::Ran {
                number: due.number,
                run: run(Some(refusal)),
                postings: Vec::new(),
                outlay: None,
            }),
        }
    }

    /// The schedules of a customer, oldest first.
    pub(crate) fn schedules_of(&self, user_name: &UserName) -> impl Iterator<Item = &Schedule> {
        self.schedules.of(user_name)
    }

    /// What the bank of the paying accounts has to ask for at a moment in Unix milliseconds, where
    /// clocks are so many seconds ahead of UTC.
    pub(crate) fn due(&self, bank: BankId, at_ms: i64, offset_s: i32) -> impl Iterator<Item = Due> {
        self.schedules.due(bank, Period::at(at_ms, offset_s).day())
    }
}
