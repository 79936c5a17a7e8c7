//! The package in the menu: a basket to put operations into, one confirmation, and the real
//! outcome.

use super::super::answers::{LimitsRead, Recipient, RecipientRead, Said};
use super::super::api::{new_key, read};
use super::super::arguments::{amount, message, pix_key};
use super::super::commands::recipient_line;
use super::super::money::Brl;
use super::super::package::{Basket, Line};
use super::super::screen::{Tone, plain};
use super::super::session::Password;
use super::super::table::{Field, table};
use super::super::{ClientError, texts};
use super::{Menu, Step};
use crate::ledger::{Centavos, EntryKind, Note, OperationKind, PixKey};

/// What can be done with the basket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    Deposit,
    Withdraw,
    Pix,
    Remove,
    Send,
    Discard,
}

impl Choice {
    const EMPTY: [Choice; 4] = [Choice::Deposit, Choice::Withdraw, Choice::Pix, Choice::Discard];
    const FILLED: [Choice; 6] = [
        Choice::Deposit,
        Choice::Withdraw,
        Choice::Pix,
        Choice::Remove,
        Choice::Send,
        Choice::Discard,
    ];

    fn label(self) -> &'static str {
        match self {
            Choice::Deposit => texts::ADD_DEPOSIT,
            Choice::Withdraw => texts::ADD_WITHDRAWAL,
            Choice::Pix => texts::ADD_PIX,
            Choice::Remove => texts::REMOVE_LINE,
            Choice::Send => texts::SEND,
            Choice::Discard => texts::DISCARD,
        }
    }
}

impl Menu {
    /// Fills a basket and sends it.
    pub(super) async fn package(&mut self) -> Step<()> {
        self.refresh().await?;
        if self.customer.as_ref().is_none_or(|customer| customer.accounts.is_empty()) {
            self.screen.say(Tone::Plain, texts::NO_ACCOUNTS);
            return Ok(None);
        }
        // Known before anything is confirmed: what is confirmed is sent, and nothing else is asked.
        let confirm_above = self.confirm_above().await?;
        let mut basket = Basket::default();
        loop {
            self.show(&basket);
            let choices: &[Choice] =
                if basket.is_empty() { &Choice::EMPTY } else { &Choice::FILLED };
            let labels = choices.iter().map(|choice| choice.label().to_owned()).collect();
            let Some(chosen) = self.prompts.choose(texts::BASKET, labels)? else { continue };
            match choices[chosen] {
                Choice::Discard => return Ok(None),
                Choice::Remove => {
                    let label = |line: &Line| label(line, &self.banks.label(line.bank));
                    let labels = basket.lines().iter().map(label).collect();
                    if let Some(line) = self.prompts.choose(texts::WHICH_LINE, labels)? {
                        basket.remove(line);
                    }
                }
                Choice::Send => {
                    let sent = self.send(&basket, confirm_above).await;
                    if self.survive(sent)?.is_some() {
                        return Ok(Some(()));
                    }
                }
                adding => {
                    let added = self.ask_line(adding).await;
                    if let Some(line) = self.survive(added)? {
                        basket.add(line);
                    }
                }
            }
        }
    }

    async fn ask_line(&mut self, choice: Choice) -> Step<Line> {
        let Some(account) = self.choose_account()? else { return Ok(None) };
        let payee = if choice == Choice::Pix {
            let Some(payee) = self.ask_payee().await? else { return Ok(None) };
            Some(payee)
        } else {
            None
        };
        let Some(value) = self.prompts.text(texts::AMOUNT, Some(texts::AMOUNT_HELP), amount)?
        else {
            return Ok(None);
        };
        let (kind, recipient) = match (choice, payee) {
            (_, Some((pix, recipient))) => {
                let Some(message) = self.prompts.text(texts::MESSAGE, None, message)? else {
                    return Ok(None);
                };
                let note = Some(Note { message, txid: None });
                (OperationKind::Transfer { value, pix, note }, Some(recipient))
            }
            (Choice::Withdraw, None) => (OperationKind::Withdraw { value, sender: None }, None),
            _ => (OperationKind::Deposit { value, sender: None }, None),
        };
        Ok(Some(Line { bank: account.bank, account: account.number, kind, recipient }))
    }

    /// Asks whom to pay: the bank tells the payee's name, and the person confirms it.
    async fn ask_payee(&mut self) -> Step<(PixKey, Recipient)> {
        let Some(key) = self.prompts.text(texts::WHICH_PIX, Some(texts::PIX_HELP), pix_key)? else {
            return Ok(None);
        };
        let answer = self.banks.recipient(&key).await?;
        let RecipientRead { data, kay_pix } = read(&answer)?;
        self.screen.say(Tone::Title, &recipient_line(&data, &kay_pix));
        let pays = self.prompts.confirm(&texts::pay_to(&plain(&data.name)))?;
        Ok(pays.then_some((kay_pix, data)))
    }

    fn show(&self, basket: &Basket) {
        if basket.is_empty() {
            self.screen.say(Tone::Plain, texts::BASKET_EMPTY);
            return;
        }
        let accounts =
            self.customer.as_ref().map(|customer| customer.accounts.as_slice()).unwrap_or_default();
        let after = basket.balances_after(accounts);
        let row = |(index, (line, after)): (usize, (&Line, &Option<Centavos>))| {
            let recipient =
                line.recipient.as_ref().map_or(texts::NOTHING, |recipient| recipient.name.as_str());
            vec![
                Field::number(index + 1),
                Field::text(texts::account(&self.banks.label(line.bank), line.account.get())),
                Field::text(kind_label(&line.kind)),
                Field::text(recipient),
                Field::money(change(&line.kind)),
                after.map_or_else(|| Field::text(texts::UNKNOWN), Field::money),
            ]
        };
        let rows = basket.lines().iter().zip(&after).enumerate().map(row).collect();
        self.screen.say(Tone::Plain, &table(self.screen, &texts::BASKET_HEADER, rows));
        self.screen.say(Tone::Plain, texts::BASKET_NOTE);
        if after.iter().flatten().any(|balance| *balance < Centavos::ZERO) {
            self.screen.say(Tone::Remark, texts::OVERDRAWN);
        }
    }

    /// Above which sum the customer wants to be asked for the password.
    async fn confirm_above(&mut self) -> Step<Centavos> {
        let answer = self.banks.limits(&mut self.session).await?;
        let LimitsRead { data } = read(&answer)?;
        Ok(data.confirm_above.map(|above| above.0))
    }

    /// The password, where it may be needed and the customer gives it.
    fn confirmation(&self, above: Option<Centavos>) -> Step<Password> {
        let Some(above) = above else { return Ok(None) };
        let given = self.prompts.password(&texts::confirm_password(&Brl(above).to_string()))?;
        Ok(given.filter(|password| !password.reveal().is_empty()))
    }

    /// Sends the basket under a key of its own. While the outcome is unknown it can only be asked
    /// for again, under the same key: what may have been done must not be sent under another key.
    async fn send(&mut self, basket: &Basket, confirm_above: Option<Centavos>) -> Step<()> {
        if !self.prompts.confirm(&texts::send_package(basket.lines().len()))? {
            return Ok(None);
        }
        let confirmed = self.confirmation(confirm_above)?;
        let key = new_key();
        loop {
            let package = basket.to_json();
            match self.banks.operate(&mut self.session, package, confirmed.as_ref(), &key).await {
                Ok(answer) => {
                    let Said { descript, position } = read(&answer)?;
                    let descript = plain(&descript);
                    let text = position
                        .map_or(descript.clone(), |position| texts::done_at(&descript, position));
                    self.screen.say(Tone::Good, &text);
                    // The package remains done, whether or not the bank can show the result now.
                    let shown = self.overview().await;
                    return self.survive(shown).map(|_| Some(()));
                }
                Err(error) if error.leaves_unknown() => {
                    if !self.asks_again(&error)? {
                        return Ok(Some(()));
                    }
                }
                Err(ClientError::Refused(descript)) => {
                    self.screen.say(Tone::Bad, &descript);
                    self.screen.say(Tone::Plain, texts::NOTHING_CHANGED);
                    self.refresh().await?;
                    return Ok(None);
                }
                Err(other) => return Err(other),
            }
        }
    }
}

fn label(line: &Line, bank: &str) -> String {
    let account = texts::account(bank, line.account.get());
    format!("{} · {} · {account}", kind_label(&line.kind), Brl(change(&line.kind)))
}

fn kind_label(kind: &OperationKind) -> &'static str {
    texts::entry_kind(match kind {
        OperationKind::Deposit { .. } => EntryKind::Deposit,
        OperationKind::Withdraw { .. } => EntryKind::Withdraw,
        OperationKind::Transfer { .. } => EntryKind::Transfer,
    })
}

/// How it changes the balance of its account.
fn change(kind: &OperationKind) -> Centavos {
    match kind {
        OperationKind::Deposit { value, .. } => value.get(),
        OperationKind::Withdraw { value, .. } | OperationKind::Transfer { value, .. } => {
            value.negated()
        }
    }
}
