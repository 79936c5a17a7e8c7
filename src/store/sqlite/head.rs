//! The store's head: one small record with a digest of its own, against which everything else on
//! the disk is checked.
//!
//! It says whose disk this is, what was promised and prepared, and how many rows there must be:
//! each commit rewrites it, so a row that vanishes, appears or changes without a commit is noticed
//! when the rows are read.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::{Ballot, BankId, ChainHash, Position, Sha256Digest};
use crate::protocol::order_key::OrderKey;
use crate::protocol::snapshot::SnapshotHead;
use crate::protocol::vector_clock::VectorClock;

/// First half of a SHA-256: enough against damage, which is not deliberate.
pub(super) type RowDigest = [u8; 16];

/// What the disk knows about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub(super) bank: BankId,
    /// How many banks the disk's consortium has, going by the views and events that it knows of;
    /// zero before the first of them.
    pub(super) banks: usize,
    /// Drawn at the first start: names this disk and no other.
    pub(super) disk: String,
    /// Version of the protocol between the banks when the disk was last used.
    pub(super) protocol: u32,
    /// Digest of the definitions of the tables, which decide how SQLite reads columns.
    pub(super) tables: Sha256Digest,
    /// How many commits there were.
    pub(super) commits: u64,
    pub(super) promised: Ballot,
    /// Digest of the prepared plan, which has a row of its own because it may be long.
    pub(super) plan: Sha256Digest,
    pub(super) learner: bool,
    /// Whether it is a learner because it is new, not because it has lost something.
    #[serde(default)]
    pub(super) fresh: bool,
    /// Whether it is a learner only because an fsync has failed: it may not have lost anything.
    #[serde(default)]
    pub(super) in_doubt: bool,
    pub(super) rescue: bool,
    /// Whether what was executed last, since that view was prepared, is known only from others.
    // The alias is its name in older journals.
    #[serde(default, alias = "hearsay")]
    pub(super) unverified: bool,
    /// The ledger as it was, from which the journal goes on.
    pub(super) snapshot: Option<Stored>,
    /// A snapshot that is on its way.
    pub(super) arriving: Option<Stored>,
    /// The last position that is no longer in the journal, and the chain hash there.
    pub(super) starts_after: (Position, ChainHash),
    pub(super) events: Seal,
    pub(super) executed: Seal,
    /// The old part of the journal, which a start from the snapshot need not read.
    #[serde(default)]
    pub(super) settled: Option<Settled>,
}

/// A part of the journal that was proved and does not change any more, except that it is dropped:
/// from its beginning through an executed event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settled {
    /// The event's key, and its position.
    pub(super) key: OrderKey,
    pub(super) position: Position,
    /// What is here of it.
    pub(super) events: Seal,
    pub(super) executed: Seal,
}

/// A snapshot whose pieces are on this disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    /// The number under which its pieces are stored.
    pub(super) number: i64,
    pub(super) head: SnapshotHead,
    /// How many of the pieces are here, from the first without a gap.
    pub(super) here: u32,
}

/// How many rows a table has, and the sum of their digests: the same whatever the order in which
/// they came and went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seal {
    rows: u64,
    #[serde(with = "hexadecimal")]
    sum: u128,
}

impl Seal {
    /// How many rows there are.
    pub(super) fn rows(self) -> u64 {
        self.rows
    }

    pub(super) fn add(&mut self, row: RowDigest) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(u128::from_be_bytes(row));
    }

    pub(super) fn take(&mut self, row: RowDigest) {
        self.rows = self.rows.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(u128::from_be_bytes(row));
    }
}

/// Not every JSON reader can read 128-bit numbers.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::hex::{self, Hex};

    pub(super) fn serialize<S: Serializer>(sum: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Hex(&sum.to_be_bytes()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<u128, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let bytes = hex::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("32 hexadecimal digits expected"))?;
        Ok(u128::from_be_bytes(bytes))
    }
}

impl Head {
    /// The settled part, if an event is of it.
    fn settled_with(&mut self, key: OrderKey) -> Option<&mut Settled> {
        self.settled.as_mut().filter(|settled| key <= settled.key)
    }

    /// An event was written.
    pub(super) fn add_event(&mut self, key: OrderKey, row: RowDigest) {
        self.events.add(row);
        self.settled_with(key).into_iter().for_each(|settled| settled.events.add(row));
    }

    /// An event was deleted.
    pub(super) fn take_event(&mut self, key: OrderKey, row: RowDigest) {
        self.events.take(row);
        self.settled_with(key).into_iter().for_each(|settled| settled.events.take(row));
    }

    /// A mark of execution was written.
    pub(super) fn add_mark(&mut self, key: OrderKey, row: RowDigest) {
        self.executed.add(row);
        self.settled_with(key).into_iter().for_each(|settled| settled.executed.add(row));
    }

    /// A mark of execution was deleted.
    pub(super) fn take_mark(&mut self, key: OrderKey, row: RowDigest) {
        self.executed.take(row);
        self.settled_with(key).into_iter().for_each(|settled| settled.executed.take(row));
    }

    /// A view or event of this many banks is on the disk: from now on the disk belongs to a
    /// consortium of all of them. Not earlier, since until the banks have agreed on a longer
    /// `nodes.json`, the old one may come back; and not only once the view has begun, since it may
    /// begin, and go on, with other banks without this disk hearing of it.
    pub(super) fn belongs_to(&mut self, clock: &VectorClock) {
        self.banks = self.banks.max(clock.len());
    }

    /// Reads the head; the inner error says what is wrong with one that is there or should be.
    pub(super) fn read(db: &Connection) -> rusqlite::Result<Result<Head, String>> {
        let columns =
            |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?));
        let row = db
            .query_row("SELECT content, digest FROM head WHERE one = 1", [], columns)
            .optional()?;
        let Some((content, digest)) = row else { return Ok(Err("the head is missing".into())) };
        if sha256(&content).0[..] != digest[..] {
            return Ok(Err("the head's digest".into()));
        }
        Ok(serde_json::from_str(&content).map_err(|error| format!("the head: {error}")))
    }

    /// Writes the head.
    pub(super) fn write(&self, db: &Connection) -> rusqlite::Result<()> {
        let content = serde_json::to_string(self).expect("the head is JSON");
        let digest = sha256(&content);
        let mut statement = db.prepare_cached("INSERT OR REPLACE INTO head VALUES (1, ?1, ?2)")?;
        statement.execute(params![content, &digest.0[..]]).map(|_| ())
    }
}

pub(super) fn sha256(text: &str) -> Sha256Digest {
    Sha256Digest(Sha256::digest(text).into())
}

/// The digest of the fields of a row. None of them but the last has a zero byte, or all have a
/// fixed length.
pub(super) fn row_digest(fields: &[&[u8]]) -> RowDigest {
    let mut whole = Sha256::new();
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            whole.update([0]);
        }
        whole.update(field);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&whole.finalize()[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_counts_rows_regardless_of_their_order() {
        let [one, two] = [[1; 16], [0xff; 16]];
        let mut left = Seal::default();
        left.add(one);
        left.add(two);
        let mut right = Seal::default();
        right.add(two);
        assert_ne!(left, right);
        right.add(one);
        assert_eq!(left, right);
        left.take(one);
        left.add([2; 16]);
        assert_ne!(left, right);
        let text = serde_json::to_string(&left).unwrap();
        assert_eq!(serde_json::from_str::<Seal>(&text).unwrap(), left, "{text}");
    }

    #[test]
    fn a_head_of_an_earlier_release_has_its_own_word_for_unverified() {
        let head = r#"{"bank":0,"banks":3,"disk":"d","protocol":1,"tables":"T","commits":1,
            "promised":{"round":1,"coordinator":0},"plan":"T","learner":false,"rescue":false,"hearsay":true,
            "snapshot":null,"arriving":null,"starts_after":[0,"T"],"events":{"rows":0,"sum":"S"},
            "executed":{"rows":0,"sum":"S"}}"#;
        let head = head.replace("\"T\"", &format!("\"{}\"", "0".repeat(64)));
        let head = head.replace("\"S\"", &format!("\"{}\"", "0".repeat(32)));
        let head: Head = serde_json::from_str(&head).unwrap();
        assert!(head.unverified);
    }
}
