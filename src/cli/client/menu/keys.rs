//! The Pix keys of an account: look at them, add one, remove one.

use super::super::answers::KeysRead;
use super::super::api::{KeyWish, read};
use super::super::screen::{Tone, plain};
use super::super::texts;
use super::{Menu, Step};
use crate::ids::BankId;
use crate::ledger::{AccountNumber, TypePerson};

impl Menu {
    pub(super) async fn keys(&mut self) -> Step<()> {
        let Some(account) = self.choose_account()? else { return Ok(None) };
        let place = (account.bank, account.number);
        let answer = self.banks.keys(&mut self.session, place).await?;
        let KeysRead { data } = read(&answer)?;
        if data.is_empty() {
            self.screen.say(Tone::Plain, texts::NO_KEYS);
        }
        let removals = data.iter().map(|key| texts::remove_key(&plain(key)));
        let choices = std::iter::once(texts::ADD_KEY.to_owned()).chain(removals).collect();
        match self.prompts.choose(texts::WHAT_WITH_KEYS, choices)? {
            None => Ok(None),
            Some(0) => self.add_key(place).await,
            Some(chosen) => self.change_key(place, &KeyWish::Remove(&data[chosen - 1])).await,
        }
    }

    async fn add_key(&mut self, place: (BankId, AccountNumber)) -> Step<()> {
        let person = self.customer.as_ref().map(|customer| customer.person);
        let document = if person == Some(TypePerson::Pj) { "CNPJ" } else { "CPF" };
        let kinds = ["EMAIL", "TELEFONE", document, "USER_NAME", "NUM_CONTA", "RANDOM"];
        let labels = kinds.iter().map(|kind| texts::key_kind(kind).to_owned()).collect();
        let Some(chosen) = self.prompts.choose(texts::WHICH_KEY_KIND, labels)? else {
            return Ok(None);
        };
        let kind = kinds[chosen];
        if !matches!(kind, "EMAIL" | "TELEFONE") {
            return self.change_key(place, &KeyWish::Add { kind, value: None }).await;
        }
        let said = |text: &str| Ok(text.to_owned());
        let Some(value) = self.prompts.text(texts::KEY_VALUE, None, said)? else {
            return Ok(None);
        };
        self.change_key(place, &KeyWish::Add { kind, value: Some(&value) }).await
    }

    async fn change_key(&mut self, place: (BankId, AccountNumber), wish: &KeyWish<'_>) -> Step<()> {
        self.settle(async |banks, session, key| banks.change_key(session, place, wish, key).await)
            .await
    }
}
