//! A request as it travels, before anybody has read it, and what the event that carries it says
//! about the circumstances.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::EventId;

/// Latest time an event may carry, in Unix milliseconds: the end of the year 9999.
pub(crate) const AT_MS_MAX: i64 = 253_402_300_799_999;

/// What an event says about the circumstances in which its requests were taken, the same for every
/// bank that executes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Consortium time when it was stamped, in Unix milliseconds: 0 to [`AT_MS_MAX`].
    pub at_ms: i64,
    /// Whether the bank that sent it takes operations without a named customer.
    pub open: bool,
}

/// One request as it travels: what kind it is and its JSON, read only by the ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RawRequest {
    /// What the customer's answer and the statements call it. A single request shares its event's
    /// id.
    pub id: EventId,
    /// The kind, e.g. `REGISTER`.
    pub type_msg: String,
    /// The content.
    pub msg: Arc<RawValue>,
}

/// Writes a value as raw JSON, to be carried along unread.
///
/// # Panics
/// Only for types that JSON cannot hold (maps whose keys are not text); the protocol's own types
/// have none.
#[must_use]
pub fn raw<T: Serialize>(value: &T) -> Arc<RawValue> {
    // Not read again: it has just been written.
    Arc::from(serde_json::value::to_raw_value(value).expect("the protocol's types are JSON"))
}
