//! The rules for Pix of days to come; see [`schedule`](crate::ledger::schedule).

use super::change::{AccountSlot, Change};
use super::operations::Draft;
use super::{Book, Turn};
use crate::ids::BankId;
use crate::ledger::customer::UserName;
use crate::ledger::limits::{PartOfDay, Period};
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
        let unconfirmed = self.confirm_above(by).filter(|_| !turn.request.confirmed);
        if let Some(most) = unconfirmed.filter(|most| planned.value.get() > *most) {
            return Err(Refusal::NeedsPassword { most });
        }
        if self.schedules.of(by).count() >= SCHEDULES_MAX {
            return Err(Refusal::TooManySchedules);
        }
        let (by, payee, planned) = (by.clone(), self[to].opener().clone(), planned.clone());
        let number = turn.position;
        let confirmed = turn.request.confirmed;
        let schedule = Schedule { number, by, payee, planned, confirmed, done: 0, last: None };
        Ok(Change::Scheduled(Box::new(schedule)))
    }

    /// What cannot be paid today will not be paid. It waits only for a bank that is away, and for
    /// the morning where the bank could ask no sooner than at night and the limit of the night is
    /// too small.
    pub(super) fn decide_due(&self, turn: &Turn<'_>, due: Due) -> Result<Change, Refusal> {
        let schedule = self.schedules.get(due.number).ok_or(Refusal::NoSuchSchedule)?;
        let offset_s = turn.request.offset_s.unwrap_or_default();
        let has_come = Period::at(turn.at_ms, offset_s).day() >= due.day;
        if schedule.next() != Some(due.day) || !has_come {
            return Err(Refusal::NotDue);
        }
        let by = &self.known_customer(&schedule.by)?.user_name;
        let Planned { bank, account, value, pix, note, .. } = schedule.planned.clone();
        let mut draft = Draft::new(self, turn.members, Some(by), true);
        let outlay = self.outlay(by, turn.at_ms, offset_s);
        draft.outlay = match schedule.confirmed {
            true => outlay.map(|outlay| outlay.asking_above(None)),
            false => outlay,
        };
        let mut postings = Vec::with_capacity(2);
        let same_payee = match self.slot_paid_by(&pix) {
            Some(to) if *self[to].opener() != schedule.payee => Err(Refusal::PayeeChanged),
            // That there is none any more is found out like all else.
            _ => Ok(()),
        };
        let kind = OperationKind::Transfer { value, pix, note: Some(note) };
        let ran = same_payee.and_then(|()| {
            draft.run(&Operation { bank, account, kind }, &mut |leg| {
                postings.push(turn.posting(&self[leg.slot], leg));
            })
        });
        let run = |failed| Run { day: due.day, at_ms: turn.at_ms, failed };
        match ran {
            Ok(()) => {
                let outlay = draft.outlay.filter(|outlay| outlay.has_grown);
                Ok(Change::Ran { number: due.number, run: run(None), postings, outlay })
            }
            Err(
                later @ (Refusal::BankOffline(_)
                | Refusal::AboveLimit { part: PartOfDay::Night, .. }),
            ) => Err(later),
            Err(refusal) => Ok(Change::Ran {
                number: due.number,
                run: run(Some(refusal)),
                postings: Vec::new(),
                outlay: None,
            }),
        }
    }

    /// Whether money is still to leave an account on a day to come.
    pub(super) fn is_to_pay(&self, slot: AccountSlot) -> bool {
        let account = &self[slot];
        let of = |schedule: &Schedule| {
            let Planned { bank, account: number, .. } = schedule.planned;
            (bank, number) == (account.bank, account.number) && schedule.next().is_some()
        };
        account.holders.iter().any(|holder| self.schedules.of(holder).any(of))
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
