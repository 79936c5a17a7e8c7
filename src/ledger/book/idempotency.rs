//! Idempotency keys: a customer who asks again, at any bank, gets the first answer, and nothing is
//! done twice.
//!
//! The keys are part of the replicated state. They are kept for a day of the ledger's age, which no
//! single clock can make pass (see `ledger_time`), and forgotten oldest first, so every bank
//! forgets the same key at the same request. Here: what a request is claimed by; how claims are
//! kept is in `remembered`.

use super::Book;
use super::fields::Fields;
use super::remembered::{Claim, Half, RememberedKey};
use crate::ledger::account::AccountNumber;
use crate::ledger::closing::Closing;
use crate::ledger::customer::UserName;
use crate::ledger::keys::{KeyChange, NewKey};
use crate::ledger::limits::{LimitsChange, Wish};
use crate::ledger::note::{Message, Note, Txid};
use crate::ledger::outcome::Executed;
use crate::ledger::package::{Operation, OperationKind};
use crate::ledger::profile::{Nickname, ProfileChange};
use crate::ledger::request::{Action, IdempotencyKey, JointAnswer, Request};
use crate::ledger::schedule::{Due, Every, Planned, ScheduleChange};

/// Comes before what a customer says about an operation.
const SAID: u8 = 1;

impl Claim {
    /// The claim of a request that has a key. A change of password has none: it is not known here
    /// whether the same password was asked for, and setting it twice does no harm.
    pub(super) fn of(request: &Request) -> Option<Claim> {
        let is_password = matches!(request.action, Action::ChangePassword(_));
        let key = request.key.as_ref().filter(|_| !is_password)?;
        Some(Claim { key: scoped(request, key), asked: digest(&request.action) })
    }
}

/// The key in its scope: the same key used by two customers counts as two keys.
fn scoped(request: &Request, key: &IdempotencyKey) -> Half {
    let tag = match (&request.action, &request.by) {
        // Somebody who registers is not a customer yet.
        (Action::Register(_), _) => 1,
        (Action::CreateAccount(opening), _) => return of_customer(&opening.user_name, key),
        (_, Some(user_name)) => return of_customer(user_name, key),
        // This happens only in a laboratory without sessions.
        (_, None) => 3,
    };
    let mut fields = Fields::new();
    fields.tag(tag).text(key.as_str());
    Half::of(fields.finish())
}

/// A customer's key.
fn of_customer(user_name: &UserName, key: &IdempotencyKey) -> Half {
    let mut fields = Fields::new();
    fields.tag(2).text(user_name.as_str()).text(key.as_str());
    Half::of(fields.finish())
}

/// What the customer asked for. Password hash, drawn numbers and random key are left out: the bank
/// draws them anew when the customer asks again.
fn digest(action: &Action) -> Half {
    let mut fields = Fields::new();
    match action {
        Action::Register(registration) => {
            fields.tag(1).text(registration.name.as_str()).text(registration.num_cadastro.as_str());
            fields.text(registration.user_name.as_str());
        }
        Action::CreateAccount(opening) => {
            fields.tag(2).text(opening.user_name.as_str()).text(opening.type_account.as_str());
            fields.text(opening.pix_type.as_str()).count(opening.users.len());
            for user in &opening.users {
                fields.text(user.as_str());
            }
            fields.signed(opening.value_init.into());
        }
        // Never asked for: see [`Claim::of`].
        Action::ChangePassword(_) => _ = fields.tag(5),
        Action::AnswerJoint(JointAnswer { bank, account, accept }) => {
            fields.tag(4).number(bank.0.into()).number(account.get()).tag((*accept).into());
        }
        Action::Keys(change) => add_keys(fields.tag(7), change),
        Action::Schedule(change) => add_schedule(fields.tag(9), change),
        Action::Close(Closing { bank, account, close }) => {
            let fields = fields.tag(11).number(bank.0.into()).number(account.get());
            fields.tag((*close).into());
        }
        Action::Profile(change) => add_profile(fields.tag(12), change),
        // Nobody's, so it has no key.
        Action::Due(Due { number, day }) => {
            fields.tag(10).number(number.0).signed(day.get());
        }
        Action::Limits(LimitsChange { day, night, confirm }) => {
            fields.tag(8);
            for wish in [day, night, confirm] {
                match wish {
                    Wish::Keep => _ = fields.tag(1),
                    Wish::Unlimited => _ = fields.tag(2),
                    Wish::Most(limit) => _ = fields.tag(3).signed((*limit).into()),
                }
            }
        }
        Action::Refund(refund) => {
            fields.tag(6).number(refund.bank.0.into()).number(refund.account.get());
            fields.number(refund.original.of.entry.0).signed(refund.value.into());
            fields.text(refund.message.as_ref().map_or("", Message::as_str));
        }
        Action::Operations(package) => {
            fields.tag(3).count(package.operations().len());
            for operation in package.operations() {
                add_operation(&mut fields, operation);
            }
        }
    }
    Half::of(fields.finish())
}

fn add_profile(fields: &mut Fields, change: &ProfileChange) {
    match change {
        ProfileChange::Nickname { bank, account, name } => {
            fields.tag(1).number(bank.0.into()).number(account.get());
            fields.text(name.as_ref().map_or("", Nickname::as_str));
        }
        ProfileChange::Favourite { pix, name } => {
            fields.tag(2).text(pix.as_str()).text(name.as_str());
        }
        ProfileChange::Forget { pix } => _ = fields.tag(3).text(pix.as_str()),
    }
}

fn add_schedule(fields: &mut Fields, change: &ScheduleChange) {
    match change {
        ScheduleChange::Make(planned) => {
            let Planned { bank, account, value, pix, note, first, every, times } = &**planned;
            fields.tag(1).number(bank.0.into()).number(account.get()).signed((*value).into());
            fields.text(pix.as_str()).signed(first.get()).number((*times).into());
            fields.tag(match every {
                Every::Day => 1,
                Every::Week => 2,
                Every::Month => 3,
            });
            add_note(fields, Some(note));
        }
        ScheduleChange::Cancel { number } => _ = fields.tag(2).number(number.0),
    }
}

/// The value of a random key is left out: the bank draws it anew.
fn add_keys(fields: &mut Fields, change: &KeyChange) {
    match change {
        KeyChange::Add { bank, account, key } => {
            fields.tag(1).number(bank.0.into()).number(account.get());
            match key {
                NewKey::Cpf => _ = fields.tag(1),
                NewKey::Cnpj => _ = fields.tag(2),
                NewKey::UserName => _ = fields.tag(3),
                NewKey::NumConta => _ = fields.tag(4),
                NewKey::Random(_) => _ = fields.tag(5),
                NewKey::Email(email) => _ = fields.tag(6).text(email.as_str()),
                NewKey::Telefone(telephone) => _ = fields.tag(7).text(telephone.as_str()),
            }
        }
        KeyChange::Remove { key } => _ = fields.tag(2).text(key.as_str()),
        KeyChange::Move { key, to } => _ = fields.tag(3).text(key.as_str()).number(to.get()),
    }
}

fn add_operation(fields: &mut Fields, operation: &Operation) {
    fields.number(operation.bank.0.into()).number(operation.account.get());
    match &operation.kind {
        OperationKind::Deposit { value, sender } => {
            fields.tag(1).signed((*value).into());
            add_sender(fields, *sender);
        }
        OperationKind::Withdraw { value, sender } => {
            fields.tag(2).signed((*value).into());
            add_sender(fields, *sender);
        }
        OperationKind::Transfer { value, pix, note } => {
            fields.tag(3).signed((*value).into()).text(pix.as_str());
            add_note(fields, note.as_ref());
        }
    }
}

/// Nothing where nothing is said, so that a request of a release that knew of no senders is the
/// same request. What follows an operation begins with a byte of zero, or nothing follows.
fn add_sender(fields: &mut Fields, sender: Option<AccountNumber>) {
    if let Some(sender) = sender {
        fields.tag(SAID).number(sender.get());
    }
}

/// As for a sender.
fn add_note(fields: &mut Fields, note: Option<&Note>) {
    let Some(Note { message, txid }) = note.filter(|note| **note != Note::default()) else {
        return;
    };
    fields.tag(SAID).text(message.as_ref().map_or("", Message::as_str));
    fields.text(txid.as_ref().map_or("", Txid::as_str));
}

impl Book {
    /// The result of what a customer asked for under a key, if it was executed and the key is
    /// remembered. Asking changes nothing.
    #[must_use]
    pub fn answered(&self, by: &UserName, key: &IdempotencyKey) -> Option<Executed> {
        self.remembered.find(&of_customer(by, key)).as_ref().map(RememberedKey::executed)
    }
}
