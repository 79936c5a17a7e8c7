//! Idempotency keys: a customer who asks again, at any bank, gets the first answer, and nothing is
//! done twice.
//!
//! The keys are part of the replicated state. They are kept for a day of the ledger's age, which no
//! single clock can make pass (see `ledger_time`), and forgotten oldest first, so every bank
//! forgets the same key at the same request.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::Book;
use super::fields::Fields;
use crate::ids::Sha256Digest;
use crate::ledger::customer::UserName;
use crate::ledger::outcome::Executed;
use crate::ledger::package::{Operation, OperationKind};
use crate::ledger::request::{Action, IdempotencyKey, Request};

/// How long a key is remembered, in milliseconds of the ledger's age: 24 hours, or longer where
/// little happens.
pub(crate) const IDEMPOTENCY_WINDOW_MS: i64 = 24 * 60 * 60 * 1_000;

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
    /// The claim of a request that has a key.
    pub(super) fn of(request: &Request) -> Option<Claim> {
        let key = request.key.as_ref()?;
        Some(Claim { key: scoped(request, key), digest: digest(&request.action) })
    }
}

/// The key in its scope: the same key used by two customers counts as two keys.
fn scoped(request: &Request, key: &IdempotencyKey) -> ScopedKey {
    let tag = match (&request.action, &request.by) {
        // Somebody who registers is not a customer yet.
        (Action::Register(_), _) => 1,
        (Action::CreateAccount(opening), _) => return of_customer(&opening.user_name, key),
        (Action::Operations(_), Some(user_name)) => return of_customer(user_name, key),
        // This happens only in a laboratory without sessions.
        (Action::Operations(_), None) => 3,
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
        OperationKind::Deposit { value } => fields.tag(1).signed((*value).into()),
        OperationKind::Withdraw { value } => fields.tag(2).signed((*value).into()),
        OperationKind::Transfer { value, pix } => {
            fields.tag(3).signed((*value).into()).text(pix.as_str())
        }
    };
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

#[derive(Clone, Debug)]
struct First {
    digest: [u8; 32],
    executed: Executed,
}

/// A key as a snapshot has it: the age at which it came, the key, the digest of what was asked, and
/// the result.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RememberedKey(i64, Sha256Digest, Sha256Digest, Executed);

/// The keys of the last [`IDEMPOTENCY_WINDOW_MS`].
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered {
    /// A tree, because a hash table with millions of keys would stop everything each time it grows.
    firsts: BTreeMap<ScopedKey, First>,
    /// The same keys with the ledger's age at which they came, oldest first.
    queue: VecDeque<(i64, ScopedKey)>,
}

impl Book {
    /// The result of what a customer asked for under a key, if it was executed and the key is
    /// remembered. Asking changes nothing.
    #[must_use]
    pub(crate) fn answered(&self, by: &UserName, key: &IdempotencyKey) -> Option<&Executed> {
        self.remembered.firsts.get(&of_customer(by, key)).map(|first| &first.executed)
    }
}

impl Remembered {
    /// Forgets keys that are a window old.
    pub(super) fn forget(&mut self, age_ms: i64) {
        while self.queue.front().is_some_and(|(at_ms, _)| age_ms - at_ms >= IDEMPOTENCY_WINDOW_MS) {
            let (_, key) = self.queue.pop_front().expect("just seen");
            self.firsts.remove(&key);
        }
        assert_eq!(self.firsts.len(), self.queue.len(), "every key is queued to be forgotten once");
    }

    /// How many keys are remembered.
    pub(super) fn count(&self) -> usize {
        self.firsts.len()
    }

    /// The key at a place, oldest first.
    pub(super) fn nth(&self, index: usize) -> Option<RememberedKey> {
        let (at_ms, key) = self.queue.get(index)?;
        let First { digest, executed } =
            self.firsts.get(key).expect("every key in the queue is known");
        Some(RememberedKey(*at_ms, Sha256Digest(*key), Sha256Digest(*digest), executed.clone()))
    }

    /// Remembers a key of a snapshot; keys come oldest first. Returns whether it was new and in
    /// order.
    pub(super) fn restore(
        &mut self,
        RememberedKey(at_ms, key, digest, executed): RememberedKey,
    ) -> bool {
        let in_order = self.queue.back().is_none_or(|(last_ms, _)| *last_ms <= at_ms);
        self.queue.push_back((at_ms, key.0));
        self.firsts.insert(key.0, First { digest: digest.0, executed }).is_none() && in_order
    }

    /// The earlier result of the claim, if any.
    pub(super) fn recall(&self, claim: &Claim) -> Recalled<'_> {
        match self.firsts.get(&claim.key) {
            None => Recalled::Nothing,
            Some(first) if first.digest == claim.digest => Recalled::Same(&first.executed),
            Some(_) => Recalled::Other,
        }
    }

    /// Remembers the result of a new claim.
    pub(super) fn keep(&mut self, claim: Claim, executed: Executed, age_ms: i64) {
        self.queue.push_back((age_ms, claim.key));
        self.firsts.insert(claim.key, First { digest: claim.digest, executed });
    }
}
