//! How much may leave by day and by night: look at it, set it.

use super::super::api::{LimitWishes, read};
use super::super::arguments::limit;
use super::super::commands::limits_text;
use super::super::screen::Tone;
use super::super::texts;
use super::{Menu, Step};

impl Menu {
    pub(super) async fn limits(&mut self) -> Step<()> {
        let answer = self.banks.limits(&mut self.session).await?;
        self.screen.say(Tone::Plain, &limits_text(&read(&answer)?));
        let choices = [texts::SET_BY_DAY, texts::SET_BY_NIGHT, texts::SET_CONFIRM_ABOVE];
        let choices = choices.map(str::to_owned).to_vec();
        let Some(chosen) = self.prompts.choose(texts::WHAT_WITH_KEYS, choices)? else {
            return Ok(None);
        };
        let help = if chosen == 2 { texts::CONFIRM_HELP } else { texts::LIMIT_HELP };
        let Some(most) = self.prompts.text(texts::LIMIT_VALUE, Some(help), limit)? else {
            return Ok(None);
        };
        let wishes = match chosen {
            0 => LimitWishes { day: Some(most), ..LimitWishes::default() },
            1 => LimitWishes { night: Some(most), ..LimitWishes::default() },
            _ => {
                let Some(password) = self.prompts.password(texts::PASSWORD)? else {
                    return Ok(None);
                };
                LimitWishes { confirm: Some((most, password)), ..LimitWishes::default() }
            }
        };
        self.settle(async |banks, session, key| banks.set_limits(session, &wishes, key).await).await
    }
}
