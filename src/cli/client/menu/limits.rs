//! How much may leave by day and by night: look at it, set it.

use super::super::api::{LimitWish, read};
use super::super::arguments::limit;
use super::super::commands::limits_text;
use super::super::screen::Tone;
use super::super::texts;
use super::{Menu, Step};

impl Menu {
    pub(super) async fn limits(&mut self) -> Step<()> {
        let answer = self.banks.limits(&mut self.session).await?;
        self.screen.say(Tone::Plain, &limits_text(&read(&answer)?));
        let choices = vec![texts::SET_BY_DAY.to_owned(), texts::SET_BY_NIGHT.to_owned()];
        let Some(chosen) = self.prompts.choose(texts::WHAT_WITH_KEYS, choices)? else {
            return Ok(None);
        };
        let help = Some(texts::LIMIT_HELP);
        let Some(most) = self.prompts.text(texts::LIMIT_VALUE, help, limit)? else {
            return Ok(None);
        };
        let wish: (Option<LimitWish>, Option<LimitWish>) =
            if chosen == 0 { (Some(most), None) } else { (None, Some(most)) };
        self.settle(async |banks, session, key| banks.set_limits(session, wish, key).await).await
    }
}
