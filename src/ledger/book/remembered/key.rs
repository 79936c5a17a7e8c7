//! A key that was used, and what came of it.

use serde::{Deserialize, Serialize};

use crate::hex::{self, Hex};
use crate::ids::{BankId, EventId, Position};
use crate::ledger::outcome::{Done, Executed, Outcome};

/// The first half of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::ledger::book) struct Half(pub(super) [u8; 16]);

impl Half {
    /// The first half of a whole one.
    pub(in crate::ledger::book) fn of(whole: [u8; 32]) -> Half {
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        Half(half)
    }
}

impl Serialize for Half {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Hex(&self.0))
    }
}

/// Snapshots of earlier releases have whole ones.
impl<'de> Deserialize<'de> for Half {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let half = hex::parse(&text).map(Half).or_else(|| hex::parse(&text).map(Half::of));
        half.ok_or_else(|| serde::de::Error::custom("32 or 64 hexadecimal digits expected"))
    }
}

/// A request's key, and what was asked for under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger::book) struct Claim {
    /// The key and whose it is.
    pub(in crate::ledger::book) key: Half,
    /// What the customer asked for, without what their bank added.
    pub(in crate::ledger::book) asked: Half,
}

/// A key that was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ledger::book) struct RememberedKey {
    pub(super) claim: Claim,
    /// The age at which it came.
    pub(super) age_ms: i64,
    pub(super) position: Position,
    pub(super) result: Kept,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// A package was executed whose request has an id of the usual kind.
    Package(BankId, [u8; 16]),
    /// Anything else, which is rare.
    Other(Box<Executed>),
}

impl RememberedKey {
    pub(super) fn new(claim: Claim, age_ms: i64, executed: Executed) -> RememberedKey {
        let position = executed.position;
        let is_usual = executed.outcome == Outcome::Done(Done::PackageExecuted)
            && executed.operation.is_none();
        let result = match executed.id.drawn().filter(|_| is_usual) {
            Some((bank, unique)) => Kept::Package(bank, unique),
            None => Kept::Other(Box::new(executed)),
        };
        RememberedKey { claim, age_ms, position, result }
    }

    /// The result, as it was given.
    pub(in crate::ledger::book) fn executed(&self) -> Executed {
        match &self.result {
            Kept::Package(bank, unique) => Executed {
                id: EventId::of_drawn(*bank, *unique),
                position: self.position,
                outcome: Outcome::Done(Done::PackageExecuted),
                operation: None,
            },
            Kept::Other(executed) => Executed::clone(executed),
        }
    }
}
