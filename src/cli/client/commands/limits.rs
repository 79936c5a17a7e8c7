//! How much may leave by day and by night.

use super::super::answers::{LimitLine, LimitsRead};
use super::super::api::{LimitWishes, read};
use super::super::arguments::Limits;
use super::super::money::Brl;
use super::super::{ClientError, texts};
use super::Work;

impl Work<'_> {
    /// Sets limits, if that is wanted, or shows them.
    pub(super) async fn limits(&mut self, arguments: &Limits) -> Result<(), ClientError> {
        let Limits { day, night, confirm_above, key } = arguments;
        let confirm = confirm_above
            .map(|wish| self.password().map(|password| (wish, password)))
            .transpose()?;
        let wishes = LimitWishes { day: *day, night: *night, confirm };
        if day.is_some() || night.is_some() || confirm_above.is_some() {
            let key = key.or_new();
            let answer = self.banks.set_limits(&mut self.session, &wishes, &key).await?;
            return self.tell_done(&answer, &key);
        }
        let answer = self.banks.limits(&mut self.session).await?;
        let text = limits_text(&read(&answer)?);
        self.tell(&answer, None, &text);
        Ok(())
    }
}

/// What counts, and what is going to.
pub(in super::super) fn limits_text(LimitsRead { data }: &LimitsRead) -> String {
    let line = |title: &str, LimitLine { limit, next }: &LimitLine| {
        let sum = |sum: Option<super::super::money::Answered>| {
            sum.map_or_else(|| texts::NO_LIMIT.to_owned(), |sum| Brl(sum.0).to_string())
        };
        let next = next.as_ref().map(|next| texts::limit_later(&sum(next.limit), &next.from));
        texts::limit(title, &sum(*limit), next.as_deref())
    };
    let left = data.left.map(|left| Brl(left.0).to_string());
    let mut lines = vec![
        line(texts::BY_DAY, &data.day),
        line(texts::BY_NIGHT, &data.night),
        texts::spent_now(&Brl(data.spent.0).to_string(), left.as_deref()),
    ];
    let confirmed = data.confirm_above.map(|sum| Brl(sum.0).to_string());
    lines.extend(confirmed.map(|sum| texts::confirmed_above(&sum)));
    lines.join("\n")
}
