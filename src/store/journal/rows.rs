//! What a row must be to be believed, and keys as columns.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::digest::{RowDigest, row_digest};
use crate::ids::signature::Signature;
use crate::ids::{Ballot, BankId, BankSet, Sha256Digest};
use crate::protocol::event::{Event, Held};
use crate::protocol::execution::ExecutedMark;
use crate::protocol::order_key::OrderKey;
use crate::protocol::snapshot::digest_of;
use crate::store::packed::unpack;

/// Larger than every key there is.
const ABOVE_ALL: OrderKey = OrderKey {
    view: Ballot { round: i64::MAX as u64, coordinator: BankId(u16::MAX) },
    sum: i64::MAX as u64,
    sender: BankId(u16::MAX),
};

/// A key as four columns: round, coordinator, sum, sender.
pub(in crate::store) type KeyColumns = (i64, i64, i64, i64);

/// Columns of a key that is smaller than every key there is.
pub(in crate::store) const BELOW_ALL: KeyColumns = (-1, 0, 0, 0);

pub(in crate::store) fn key_columns(key: OrderKey) -> KeyColumns {
    (to_sql(key.view.round), key.view.coordinator.0.into(), to_sql(key.sum), key.sender.0.into())
}

/// The key that has these columns; `None` if none has.
pub(in crate::store) fn key_of_columns(columns: KeyColumns) -> Option<OrderKey> {
    let (round, coordinator, sum, sender) = columns;
    let bank = |number: i64| u16::try_from(number).ok().map(BankId);
    let view = Ballot { round: round.unsigned_abs(), coordinator: bank(coordinator)? };
    Some(OrderKey { view, sum: sum.unsigned_abs(), sender: bank(sender)? })
}

/// The columns of a lower and an upper bound; without one, all keys are within.
pub(in crate::store) fn columns_between(
    lower: Option<OrderKey>,
    upper: Option<OrderKey>,
) -> (KeyColumns, KeyColumns) {
    (lower.map_or(BELOW_ALL, key_columns), key_columns(upper.unwrap_or(ABOVE_ALL)))
}

/// An event on its way into its table.
pub(in crate::store) struct NewEvent<'a> {
    pub(in crate::store) key: OrderKey,
    pub(in crate::store) members: String,
    pub(in crate::store) body: &'a str,
    pub(in crate::store) digest: RowDigest,
    pub(in crate::store) signature: Option<Vec<u8>>,
}

impl<'a> NewEvent<'a> {
    pub(in crate::store) fn of(held: &'a Held) -> Self {
        let (members, body) = (as_json(&held.members), held.event.wire().get());
        let signature = held.event.signature().map(Signature::to_bytes);
        let digest = event_digest(&members, body, signature.as_deref());
        NewEvent { key: held.event.order_key(), members, body, digest, signature }
    }
}

/// An event's row as it is stored, its body unpacked: if that is not possible there is none, which
/// no digest fits.
pub(in crate::store) struct EventRow {
    pub(in crate::store) key: OrderKey,
    pub(in crate::store) members: String,
    pub(in crate::store) body: String,
    pub(in crate::store) digest: RowDigest,
    pub(in crate::store) signature: Option<Vec<u8>>,
}

impl EventRow {
    /// The row as it goes into another table.
    pub(in crate::store) fn as_new(&self) -> NewEvent<'_> {
        NewEvent {
            key: self.key,
            members: self.members.clone(),
            body: &self.body,
            digest: self.digest,
            signature: self.signature.clone(),
        }
    }

    /// Whether the row is what was written.
    pub(in crate::store) fn is_whole(&self) -> bool {
        event_digest(&self.members, &self.body, self.signature.as_deref()) == self.digest
    }

    /// The event, if the row is what was written.
    pub(in crate::store) fn held(&mut self) -> Option<Held> {
        if !self.is_whole() {
            return None;
        }
        let signature = self.signature.as_deref().map(Signature::from_bytes);
        if signature == Some(None) {
            return None;
        }
        let held = held_of(&self.members, std::mem::take(&mut self.body), signature.flatten())?;
        (held.event.order_key() == self.key).then_some(held)
    }
}

fn held_of(members: &str, body: String, signature: Option<Signature>) -> Option<Held> {
    let text = RawValue::from_string(body).ok()?;
    let event = Event::from_text(text.into(), Ballot::default()).ok()?;
    let members: BankSet = serde_json::from_str(members).ok()?;
    Some(Held { event: Arc::new(event.with_signature(signature)), members })
}

/// An event of all of the first three banks, from bytes as they are stored.
pub(crate) fn read_record(stored: &[u8], is_packed: bool) -> Option<Held> {
    let plain = if is_packed { unpack(stored)? } else { stored.to_vec() };
    held_of("[0,1,2]", String::from_utf8(plain).ok()?, None)
}

/// Rows from before events were signed have no signature, and the same digest as then.
fn event_digest(members: &str, body: &str, signature: Option<&[u8]>) -> RowDigest {
    let (members, body) = (members.as_bytes(), body.as_bytes());
    match signature {
        Some(signature) => row_digest(&[members, body, signature]),
        None => row_digest(&[members, body]),
    }
}

pub(in crate::store) fn mark_digest(mark: &ExecutedMark) -> RowDigest {
    let OrderKey { view, sum, sender } = mark.key;
    let numbers = [mark.position.0, view.round, view.coordinator.0.into(), sum, sender.0.into()];
    row_digest(&[numbers.map(u64::to_be_bytes).as_flattened(), &mark.hash.0])
}

/// That of a piece whose text has this digest.
pub(super) fn piece_digest(number: i64, index: u32, text: Sha256Digest) -> RowDigest {
    row_digest(&[&number.to_be_bytes(), &index.to_be_bytes(), &text.0])
}

/// Whether a row that has this digest has the text of a piece.
pub(super) fn is_piece(number: i64, index: u32, text: &str, digest: &[u8]) -> bool {
    // Up to protocol version 6, the text itself was hashed.
    let as_before = || row_digest(&[&number.to_be_bytes(), &index.to_be_bytes(), text.as_bytes()]);
    piece_digest(number, index, digest_of(text))[..] == *digest || as_before()[..] == *digest
}

pub(super) fn as_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("the protocol's types are JSON")
}

pub(in crate::store) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).expect("counters stay far below 2^63")
}
