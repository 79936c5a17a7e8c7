//! Idempotency keys: a customer who asks again, at any bank, gets the first answer, and nothing is
//! done twice.
//!
//! The keys are part of the replicated state. They are kept for a day of the ledger's age, which no
//! single clock can make pass (see `ledger_time`), and forgotten oldest first, so every bank
//! forgets the same key at the same request.

use serde::{Deserialize, Serialize};

use super::Book;
use super::chunks::Chunks;
use super::fields::Fields;
use super::index::Index;
use crate::ids::Sha256Digest;
use crate::ledger::account::AccountNumber;
use crate::ledger::customer::UserName;
use crate::ledger::note::{Message, Note, Txid};
use crate::ledger::outcome::Executed;
use crate::ledger::package::{Operation, OperationKind};
use crate::ledger::request::{Action, IdempotencyKey, JointAnswer, Request};

/// How long a key is remembered, in milliseconds of the ledger's age: 24 hours, or longer where
/// little happens.
pub(crate) const IDEMPOTENCY_WINDOW_MS: i64 = 24 * 60 * 60 * 1_000;

/// Comes before what a customer says about an operation.
const SAID: u8 = 1;

/// A key and whose it is, hashed: there may be millions, and this takes 32 bytes whatever their
/// length.
type ScopedKey = [u8; 32];

/// A request's key, and what was asked for under it.
#[derive(Debug)]
pub(super) struct Claim {
    key: ScopedKey,
    /// The digest of what the customer asked for, without what their bank added.
    digest: [u8; 32],
}

impl Claim {
    /// The claim of a request that has a key. A change of password has none: it is not known here
    /// whether the same password was asked for, and setting it twice does no harm.
    pub(super) fn of(request: &Request) -> Option<Claim> {
        let is_password = matches!(request.action, Action::ChangePassword(_));
        let key = request.key.as_ref().filter(|_| !is_password)?;
        Some(Claim { key: scoped(request, key), digest: digest(&request.action) })
    }
}

/// The key in its scope: the same key used by two customers counts as two keys.
fn scoped(request: &Request, key: &IdempotencyKey) -> ScopedKey {
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
    fields.finish()
}

/// A customer's key.
fn of_customer(user_name: &UserName, key: &IdempotencyKey) -> ScopedKey {
    let mut fields = Fields::new();
    fields.tag(2).text(user_name.as_str()).text(key.as_str());
    fields.finish()
}

/// What the customer asked for. Password hash, drawn numbers and random key are left out: the bank
/// draws them anew when the customer asks again.
fn digest(action: &Action) -> [u8; 32] {
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
        Action::Operations(package) => {
            fields.tag(3).count(package.operations().len());
            for operation in package.operations() {
                add_operation(&mut fields, operation);
            }
        }
    }
    fields.finish()
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

/// What is known of a claim.
#[derive(Debug)]
pub(super) enum Recalled<'a> {
    /// The key is new, or forgotten.
    Nothing,
    /// The same was asked before, with this result.
    Same(&'a Executed),
    /// The key was used for a different request.
    Other,
}

/// A key, as it is kept and as a snapshot has it: the age at which it came, the key, the digest of
/// what was asked, and the result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RememberedKey(i64, Sha256Digest, Sha256Digest, Executed);

/// The keys of the last [`IDEMPOTENCY_WINDOW_MS`].
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered {
    /// Oldest first.
    keys: Chunks<RememberedKey>,
    by_key: Index<usize>,
}

impl Book {
    /// The result of what a customer asked for under a key, if it was executed and the key is
    /// remembered. Asking changes nothing.
    #[must_use]
    pub(crate) fn answered(&self, by: &UserName, key: &IdempotencyKey) -> Option<&Executed> {
        self.remembered.find(&of_customer(by, key)).map(|RememberedKey(.., executed)| executed)
    }
}

impl Remembered {
    fn find(&self, key: &ScopedKey) -> Option<&RememberedKey> {
        let is_it = |place: usize| self.keys[place].1.0 == *key;
        self.by_key.find(key, is_it).map(|place| &self.keys[place])
    }

    fn push(&mut self, key: RememberedKey) {
        let scoped = key.1.0;
        let place = self.keys.push(key);
        let keys = &self.keys;
        self.by_key.insert(&scoped, place, |place| keys[place].1.0);
    }

    /// Forgets keys that are a window old.
    pub(super) fn forget(&mut self, age_ms: i64) {
        let is_old = |key: &RememberedKey| age_ms - key.0 >= IDEMPOTENCY_WINDOW_MS;
        while let Some(RememberedKey(_, key, ..)) =
            self.keys.get(self.keys.start()).filter(|key| is_old(key))
        {
            let place = self.keys.start();
            self.by_key.remove(&key.0, |other| other == place);
            self.keys.pop_front();
        }
    }

    /// All of them, oldest first.
    pub(super) fn keys(&self) -> &Chunks<RememberedKey> {
        &self.keys
    }

    /// Remembers a key of a snapshot; keys come oldest first. Returns whether it was new and in
    /// order.
    pub(super) fn restore(&mut self, key: RememberedKey) -> bool {
        let last = self.keys.end().checked_sub(1).and_then(|last| self.keys.get(last));
        let in_order = last.is_none_or(|last| last.0 <= key.0);
        let is_new = self.find(&key.1.0).is_none();
        if is_new {
            self.push(key);
        }
        is_new && in_order
    }

    /// The earlier result of the claim, if any.
    pub(super) fn recall(&self, claim: &Claim) -> Recalled<'_> {
        match self.find(&claim.key) {
            None => Recalled::Nothing,
            Some(RememberedKey(_, _, digest, executed)) if digest.0 == claim.digest => {
                Recalled::Same(executed)
            }
            Some(_) => Recalled::Other,
        }
    }

    /// Remembers the result of a new claim.
    pub(super) fn keep(&mut self, claim: Claim, executed: Executed, age_ms: i64) {
        let Claim { key, digest } = claim;
        self.push(RememberedKey(age_ms, Sha256Digest(key), Sha256Digest(digest), executed));
    }
}
