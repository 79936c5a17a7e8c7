//! Joint accounts that wait for their holders: look at them, accept, decline.

use super::super::answers::{JointLine, JointRead};
use super::super::api::read;
use super::super::commands::joint_table;
use super::super::screen::{Tone, plain};
use super::super::texts;
use super::{Menu, Step};

impl Menu {
    pub(super) async fn joint(&mut self) -> Step<()> {
        let answer = self.banks.joint_requests(&mut self.session).await?;
        let JointRead { data } = read(&answer)?;
        let name = |bank| self.banks.label(bank);
        self.screen.say(Tone::Plain, &joint_table(self.screen, &data, name));
        if data.is_empty() {
            return Ok(None);
        }
        let label = |joint: &JointLine| {
            let bank = self.banks.label(joint.bank);
            plain(&texts::joint_label(joint.num_account.get(), &bank, &joint.opener.user_name))
        };
        let labels = data.iter().map(label).collect();
        let Some(chosen) = self.prompts.choose(texts::WHICH_JOINT, labels)? else {
            return Ok(None);
        };
        let Some(accept) = self.ask_whether(&data[chosen])? else { return Ok(None) };
        let place = (data[chosen].bank, data[chosen].num_account);
        self.settle(async |banks, session, key| {
            banks.answer_joint(session, place, accept, key).await
        })
        .await
    }

    /// Who has accepted before can only decline.
    fn ask_whether(&self, joint: &JointLine) -> Step<bool> {
        let mut answers = vec![(texts::DECLINE.to_owned(), false)];
        if joint.your_answer {
            answers.insert(0, (texts::ACCEPT.to_owned(), true));
        }
        let labels = answers.iter().map(|(label, _)| label.clone()).collect();
        let chosen = self.prompts.choose(texts::ACCEPT_OR_DECLINE, labels)?;
        Ok(chosen.map(|chosen| answers[chosen].1))
    }
}
