//! Pix of days to come.

use super::super::answers::{RecipientRead, ScheduleLine, SchedulesRead};
use super::super::api::{Plan, read};
use super::super::arguments::{Paid, Schedule, Schedules};
use super::super::screen::plain;
use super::super::table::{Field, table};
use super::super::{ClientError, texts};
use super::Work;
use crate::ledger::Reais;

impl Work<'_> {
    /// Lists them, or gives one up.
    pub(super) async fn schedules(&mut self, arguments: &Schedules) -> Result<(), ClientError> {
        if let Some(number) = arguments.cancel {
            let key = arguments.key.or_new();
            let answer = self.banks.cancel_schedule(&mut self.session, number, &key).await?;
            return self.tell_done(&answer, &key);
        }
        let answer = self.banks.schedules(&mut self.session).await?;
        let SchedulesRead { data } = read(&answer)?;
        if data.is_empty() {
            self.tell(&answer, None, texts::NO_SCHEDULES);
            return Ok(());
        }
        let row = |line: &ScheduleLine| {
            let next = line.next.as_deref().map_or(texts::ENDED.to_owned(), texts::date);
            let done = format!("{}/{}", line.done, line.times);
            let fields = [line.number.to_string(), next, plain(&line.pix)];
            let value = Field::money(line.value.0);
            let last = line.last.as_ref().map(|last| {
                texts::last_run(&last.day, last.refused.as_deref().map(plain).as_deref())
            });
            let fields = fields.iter().map(Field::text);
            let rest = [value, Field::text(&done), Field::text(last.unwrap_or_default())];
            fields.chain(rest).collect()
        };
        let rows = data.iter().map(row).collect();
        self.tell(&answer, None, &table(self.screen, &texts::SCHEDULES_HEADER, rows));
        Ok(())
    }

    /// Plans one. A person sees who is going to be paid and confirms it.
    pub(super) async fn schedule(&mut self, arguments: &Schedule) -> Result<(), ClientError> {
        let Paid { payee, value, from, at, message, confirm } = &arguments.paid;
        let RecipientRead { kay_pix, .. } = self.payee(payee).await?;
        let plan = Plan {
            bank: *at,
            num_account: *from,
            pix: &kay_pix,
            value: Reais(value.get()),
            message: message.as_ref(),
            day: &arguments.day,
            every: arguments.every.word(),
            times: arguments.times,
        };
        let key = arguments.key.or_new();
        let confirmed = confirm.then(|| self.password()).transpose()?;
        let answer =
            self.banks.schedule(&mut self.session, &plan, confirmed.as_ref(), &key).await?;
        self.tell_done(&answer, &key)
    }
}
