//! Pix of days to come.

use super::super::answers::{RecipientRead, ScheduleLine, SchedulesRead};
use super::super::api::{Plan, read};
use super::super::arguments::{Schedule, Schedules};
use super::super::prompts::Prompts;
use super::super::screen::{Tone, plain};
use super::super::table::{Field, table};
use super::super::{ClientError, texts};
use super::Work;
use super::show::recipient_line;
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
        let answer = self.banks.recipient(&arguments.payee).await?;
        let RecipientRead { data, kay_pix } = read(&answer)?;
        if self.screen.has_person && !self.options.json {
            self.screen.remark(Tone::Title, &recipient_line(&data, &kay_pix));
            if !Prompts(self.screen).confirm(&texts::pay_to(&plain(&data.name)))? {
                return Err(ClientError::Usage(texts::NOT_CONFIRMED.to_owned()));
            }
        }
        let plan = Plan {
            bank: arguments.at,
            num_account: arguments.from,
            pix: &kay_pix,
            value: Reais(arguments.value.get()),
            message: arguments.message.as_ref(),
            day: &arguments.day,
            every: arguments.every.word(),
            times: arguments.times,
        };
        let key = arguments.key.or_new();
        let confirmed = arguments.confirm.then(|| self.password()).transpose()?;
        let answer =
            self.banks.schedule(&mut self.session, &plan, confirmed.as_ref(), &key).await?;
        self.tell_done(&answer, &key)
    }
}
