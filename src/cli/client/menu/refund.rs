//! Giving back a Pix: which one, and how much.

use super::super::answers::{Counterparty, Entry, RefundRead, StatementRead};
use super::super::api::{GiveBack, Part, read};
use super::super::arguments::amount;
use super::super::money::Brl;
use super::super::screen::{Tone, plain};
use super::super::texts;
use super::{Menu, Step};
use crate::ledger::{EntryKind, Reais};

/// How many of the newest entries are looked through.
const NEWEST: usize = 200;

impl Menu {
    pub(super) async fn refund(&mut self) -> Step<()> {
        let Some(account) = self.choose_account()? else { return Ok(None) };
        let place = self.banks.place_of(account.bank).await?;
        let part = Part { limit: NEWEST, before: None, txid: None };
        let answer = self.banks.statement(&mut self.session, place, account.number, part).await?;
        let StatementRead { data, .. } = read(&answer)?;
        let received: Vec<_> = data.transactions.iter().rev().filter(|it| is_pix(it)).collect();
        if received.is_empty() {
            self.screen.say(Tone::Plain, texts::NO_REFUNDABLE);
            return Ok(None);
        }
        let labels = received.iter().map(|entry| label(entry)).collect();
        let Some(chosen) = self.prompts.choose(texts::WHICH_RECEIVED, labels)? else {
            return Ok(None);
        };
        let (of, entry) = ((account.bank, account.number), received[chosen].entry);
        let answer = self.banks.refundable(&mut self.session, of, entry).await?;
        let left = read::<RefundRead>(&answer)?.data.left.0;
        self.screen.say(Tone::Plain, &texts::refundable(&Brl(left).to_string()));
        let help = Some(texts::AMOUNT_HELP);
        let Some(value) = self.prompts.text(texts::REFUND_VALUE, help, amount)? else {
            return Ok(None);
        };
        let question = texts::give_back(&Brl(value.get()).to_string(), &name(received[chosen]));
        if !self.prompts.confirm(&question)? {
            return Ok(None);
        }
        let value = Reais(value.get());
        let refund = GiveBack { bank: of.0, num_account: of.1, entry, value, message: None };
        let refund = &refund;
        self.settle(async |banks, session, key| banks.refund(session, refund, key).await).await
    }
}

fn is_pix(entry: &Entry) -> bool {
    entry.kind == EntryKind::Receive && entry.refund_of.is_none()
}

fn name(entry: &Entry) -> String {
    let other = entry.counterparty.as_ref();
    other.map(|Counterparty { name, .. }| plain(name)).unwrap_or_default()
}

fn label(entry: &Entry) -> String {
    texts::received(&entry.at, &Brl(entry.value.0).to_string(), &name(entry))
}
