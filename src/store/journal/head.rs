//! The store's head: one small record with a digest of its own, against which everything else on
//! the disk is checked.
//!
//! It says whose disk this is, what was promised and prepared, and how many rows there must be:
//! each commit rewrites it, so a row that vanishes, appears or changes without a commit is noticed
//! when the rows are read.

use serde::{Deserialize, Serialize};

use super::digest::{RowDigest, sha256};
use super::tables::Tables;
use crate::ids::{Ballot, BankId, ChainHash, Position, Sha256Digest};
use crate::protocol::order_key::OrderKey;
use crate::protocol::snapshot::SnapshotHead;
use crate::protocol::vector_clock::VectorClock;
use crate::protocol::view::PreparePlan;
use crate::store::{Owner, Remembered};
use crate::wire::PROTOCOL_VERSION;

/// What the disk knows about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::store) struct Head {
    pub(in crate::store) bank: BankId,
    /// How many banks the disk's consortium has, going by the views and events that it knows of;
    /// zero before the first of them.
    pub(in crate::store) banks: usize,
    /// Drawn at the first start: names this disk and no other.
    pub(in crate::store) disk: String,
    /// Version of the protocol between the banks when the disk was last used.
    pub(in crate::store) protocol: u32,
    /// Digest of the definitions of the tables, which decide how SQLite reads columns.
    pub(in crate::store) tables: Sha256Digest,
    /// How many commits there were.
    pub(in crate::store) commits: u64,
    pub(in crate::store) promised: Ballot,
    /// Digest of the prepared plan, which has a row of its own because it may be long.
    pub(in crate::store) plan: Sha256Digest,
    pub(in crate::store) learner: bool,
    /// Whether it is a learner because it is new, not because it has lost something.
    #[serde(default)]
    pub(in crate::store) fresh: bool,
    /// Whether it is a learner only because an fsync has failed: it may not have lost anything.
    #[serde(default)]
    pub(in crate::store) in_doubt: bool,
    pub(in crate::store) rescue: bool,
    /// Whether what was executed last, since that view was prepared, is known only from others.
    // The alias is its name in older journals.
    #[serde(default, alias = "hearsay")]
    pub(in crate::store) unverified: bool,
    /// The ledger as it was, from which the journal goes on.
    pub(in crate::store) snapshot: Option<Stored>,
    /// A snapshot that is on its way.
    pub(in crate::store) arriving: Option<Stored>,
    /// The last position that is no longer in the journal, and the chain hash there.
    pub(in crate::store) starts_after: (Position, ChainHash),
    pub(in crate::store) events: Seal,
    pub(in crate::store) executed: Seal,
    /// The old part of the journal, which a start from the snapshot need not read.
    #[serde(default)]
    pub(in crate::store) settled: Option<Settled>,
}

/// A part of the journal that was proved and does not change any more, except that it is dropped:
/// from its beginning through an executed event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::store) struct Settled {
    /// The event's key, and its position.
    pub(in crate::store) key: OrderKey,
    pub(in crate::store) position: Position,
    /// What is here of it.
    pub(in crate::store) events: Seal,
    pub(in crate::store) executed: Seal,
}

/// What a new head is made of.
pub(in crate::store) struct Beginning {
    pub(in crate::store) owner: Owner,
    pub(in crate::store) promised: Ballot,
    /// Digest of the definitions of the tables.
    pub(in crate::store) tables: Sha256Digest,
    pub(in crate::store) events: Seal,
    pub(in crate::store) executed: Seal,
}

/// A snapshot whose pieces are on this disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::store) struct Stored {
    /// The number under which its pieces are stored.
    pub(in crate::store) number: i64,
    pub(in crate::store) head: SnapshotHead,
    /// How many of the pieces are here, from the first without a gap.
    pub(in crate::store) here: u32,
}

/// How many rows a table has, and the sum of their digests: the same whatever the order in which
/// they came and went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::store) struct Seal {
    rows: u64,
    #[serde(with = "hexadecimal")]
    sum: u128,
}

impl Seal {
    /// How many rows there are.
    pub(in crate::store) fn rows(self) -> u64 {
        self.rows
    }

    pub(in crate::store) fn add(&mut self, row: RowDigest) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(u128::from_be_bytes(row));
    }

    pub(in crate::store) fn take(&mut self, row: RowDigest) {
        self.rows = self.rows.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(u128::from_be_bytes(row));
    }
}

/// Not every JSON reader can read 128-bit numbers.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::hex::{self, Hex};

    pub(in crate::store) fn serialize<S: Serializer>(
        sum: &u128,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Hex(&sum.to_be_bytes()))
    }

    pub(in crate::store) fn deserialize<'de, D: Deserializer<'de>>(
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
    pub(in crate::store) fn add_event(&mut self, key: OrderKey, row: RowDigest) {
        self.events.add(row);
        self.settled_with(key).into_iter().for_each(|settled| settled.events.add(row));
    }

    /// An event was deleted.
    pub(in crate::store) fn take_event(&mut self, key: OrderKey, row: RowDigest) {
        self.events.take(row);
        self.settled_with(key).into_iter().for_each(|settled| settled.events.take(row));
    }

    /// A mark of execution was written.
    pub(in crate::store) fn add_mark(&mut self, key: OrderKey, row: RowDigest) {
        self.executed.add(row);
        self.settled_with(key).into_iter().for_each(|settled| settled.executed.add(row));
    }

    /// A mark of execution was deleted.
    pub(in crate::store) fn take_mark(&mut self, key: OrderKey, row: RowDigest) {
        self.executed.take(row);
        self.settled_with(key).into_iter().for_each(|settled| settled.executed.take(row));
    }

    /// A view or event of this many banks is on the disk: from now on the disk belongs to a
    /// consortium of all of them. Not earlier, since until the banks have agreed on a longer
    /// `nodes.json`, the old one may come back; and not only once the view has begun, since it may
    /// begin, and go on, with other banks without this disk hearing of it.
    pub(in crate::store) fn belongs_to(&mut self, clock: &VectorClock) {
        self.banks = self.banks.max(clock.len());
    }

    /// What a new journal begins with, of a disk that gets its name now.
    pub(in crate::store) fn beginning(beginning: Beginning) -> Head {
        let Beginning { owner, promised, tables, events, executed } = beginning;
        Head {
            bank: owner.bank,
            banks: owner.banks,
            disk: uuid::Uuid::new_v4().to_string(),
            protocol: PROTOCOL_VERSION,
            tables,
            commits: 0,
            promised,
            plan: Sha256Digest::default(),
            learner: false,
            fresh: false,
            in_doubt: false,
            unverified: false,
            rescue: false,
            snapshot: None,
            arriving: None,
            starts_after: (Position::default(), ChainHash::default()),
            events,
            executed,
            settled: None,
        }
    }

    /// Reads the head; the inner error says what is wrong with one that is there or should be.
    pub(in crate::store) fn read<T: Tables>(tables: &T) -> Result<Result<Head, String>, T::Error> {
        let Some((content, digest)) = tables.read_head()? else {
            return Ok(Err("the head is missing".into()));
        };
        if sha256(&content).0[..] != digest[..] {
            return Ok(Err("the head's digest".into()));
        }
        Ok(serde_json::from_str(&content).map_err(|error| format!("the head: {error}")))
    }

    /// Writes the head.
    pub(in crate::store) fn write<T: Tables>(&self, tables: &T) -> Result<(), T::Error> {
        let (content, digest) = self.as_row();
        tables.write_head(&content, &digest)
    }

    /// Its content, and the digest of it.
    pub(in crate::store) fn as_row(&self) -> (String, [u8; 32]) {
        let content = serde_json::to_string(self).expect("the head is JSON");
        let digest = sha256(&content).0;
        (content, digest)
    }

    /// The snapshot that is arriving from another bank: one that this bank was making itself is of
    /// no use any more when it has ended.
    pub(in crate::store) fn arriving(&self) -> Option<&Stored> {
        self.arriving.as_ref().filter(|stored| stored.head.is_finished())
    }

    /// What a store remembers, with the plan that its head goes with.
    pub(in crate::store) fn remembered(&self, prepared: PreparePlan) -> Remembered {
        Remembered {
            promised: self.promised,
            prepared,
            learner: self.learner,
            fresh: self.fresh,
            rescue: self.rescue,
            unverified: self.unverified,
            arriving: self.arriving().map(|stored| (stored.head.clone(), stored.here)),
            snapshot: self.snapshot.as_ref().map(|stored| stored.head.clone()),
        }
    }

    /// The position through which the journal is settled.
    pub(in crate::store) fn settled_through(&self) -> Position {
        self.settled.map_or(Position::default(), |settled| settled.position)
    }
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
