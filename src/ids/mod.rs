//! The names that everything else uses: banks, sets of banks, events, positions, ballots.
//!
//! Newtypes; text from outside becomes one only through its `parse`. Nothing here knows what an
//! event means.

pub(crate) mod bounded;
pub mod request;
pub mod signature;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::hex::{self, Hex};

/// The most banks that a consortium may have: a [`BankSet`] is one machine word.
pub const BANKS_MAX: usize = 64;
/// How long a UUID is.
const UUID_BYTES: usize = 16;
/// Longest event id in bytes that is taken from a peer.
pub(crate) const EVENT_ID_BYTES_MAX: usize = 96;

/// A bank's number: its index in `nodes.json`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct BankId(pub u16);

impl BankId {
    /// The bank's place in every vector that has one component per bank.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// All banks of a consortium of `count`, by number.
    pub fn all(count: usize) -> impl Iterator<Item = BankId> {
        assert!(count <= BANKS_MAX, "a consortium has at most {BANKS_MAX} banks");
        (0..count).map(|index| BankId(u16::try_from(index).expect("BANKS_MAX fits u16")))
    }
}

impl fmt::Display for BankId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many of `banks` are a strict majority: any two such sets share a bank.
#[must_use]
pub fn majority(banks: usize) -> usize {
    banks / 2 + 1
}

/// A set of banks, such as the members of a view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "BankNumbers", into = "Vec<BankId>")]
pub struct BankSet(u64);

impl BankSet {
    /// One bit for each bank, the lowest for bank 0.
    #[must_use]
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// Reads what [`BankSet::bits`] gave.
    #[must_use]
    pub(crate) fn from_bits(bits: u64) -> Self {
        BankSet(bits)
    }

    /// Every bank of a consortium of `count`.
    #[must_use]
    pub fn all(count: usize) -> Self {
        BankId::all(count).collect()
    }

    /// Adds a bank; adding it twice changes nothing.
    pub fn insert(&mut self, bank: BankId) {
        assert!(bank.index() < BANKS_MAX, "bank {bank} is beyond BANKS_MAX");
        self.0 |= 1 << bank.0;
    }

    /// Takes a bank out, if it is in.
    pub fn remove(&mut self, bank: BankId) {
        if bank.index() < BANKS_MAX {
            self.0 &= !(1 << bank.0);
        }
    }

    /// Whether the bank is in the set.
    #[must_use]
    pub fn contains(self, bank: BankId) -> bool {
        bank.index() < BANKS_MAX && self.0 & (1 << bank.0) != 0
    }

    /// How many banks are in the set.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether no bank is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The banks that are in both sets.
    #[must_use]
    pub(crate) fn intersection(self, other: BankSet) -> BankSet {
        BankSet(self.0 & other.0)
    }

    /// The banks that are in either set.
    #[must_use]
    pub(crate) fn union(self, other: BankSet) -> BankSet {
        BankSet(self.0 | other.0)
    }

    /// The banks of this set that are not in the other.
    #[must_use]
    pub fn difference(self, other: BankSet) -> BankSet {
        BankSet(self.0 & !other.0)
    }

    /// This set and one bank more.
    #[must_use]
    pub fn with(mut self, bank: BankId) -> BankSet {
        self.insert(bank);
        self
    }

    /// The lowest-numbered bank of the set.
    #[must_use]
    pub fn first(self) -> Option<BankId> {
        self.iter().next()
    }

    /// The banks of the set by number.
    pub fn iter(self) -> impl Iterator<Item = BankId> {
        (0..BANKS_MAX as u16).map(BankId).filter(move |bank| self.contains(*bank))
    }
}

impl fmt::Display for BankSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, bank) in self.iter().enumerate() {
            write!(f, "{}{bank}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl FromIterator<BankId> for BankSet {
    fn from_iter<I: IntoIterator<Item = BankId>>(banks: I) -> Self {
        let mut set = BankSet::default();
        for bank in banks {
            set.insert(bank);
        }
        set
    }
}

/// A set as it is read.
#[derive(Deserialize)]
#[serde(transparent)]
struct BankNumbers(#[serde(deserialize_with = "bounded::at_most::<_, _, BANKS_MAX>")] Vec<BankId>);

impl From<BankNumbers> for BankSet {
    fn from(BankNumbers(banks): BankNumbers) -> Self {
        // These numbers come from a peer: any beyond the bound is not a bank of ours and is left
        // out.
        banks.into_iter().filter(|bank| bank.index() < BANKS_MAX).collect()
    }
}

impl From<BankSet> for Vec<BankId> {
    fn from(set: BankSet) -> Self {
        set.iter().collect()
    }
}

/// The name of an event and of a request in it: `EV{bank}-{uuid}`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct EventId(Arc<str>);

impl EventId {
    /// A new id of a bank from a random, unique text (a UUID).
    #[must_use]
    pub fn new(bank: BankId, unique: &str) -> Self {
        EventId(format!("EV{bank}-{unique}").into())
    }

    /// Reads an id that came from outside.
    ///
    /// # Errors
    /// [`BadEventId`] unless it is 1 to [`EVENT_ID_BYTES_MAX`] bytes of letters, digits, `.`, `_`,
    /// `:` and `-`.
    pub fn parse(text: &str) -> Result<Self, BadEventId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        if text.is_empty() || text.len() > EVENT_ID_BYTES_MAX || !text.bytes().all(allowed) {
            return Err(BadEventId);
        }
        Ok(EventId(text.into()))
    }

    /// A name for an event whose first request has this id and was stamped before, in an event that
    /// never existed.
    #[must_use]
    pub(crate) fn again_in(&self, view: Ballot) -> Self {
        EventId(format!("{self}:{view}").into())
    }

    /// The bank and the UUID of an id that was drawn in the usual way; `None` for any other.
    #[must_use]
    pub(crate) fn drawn(&self) -> Option<(BankId, [u8; UUID_BYTES])> {
        let (bank, unique) = self.0.strip_prefix("EV")?.split_once('-')?;
        let bank = BankId(bank.parse().ok()?);
        let unique = hex::parse(&unique.replace('-', ""))?;
        // It must be what is made of the two again, to the letter.
        (EventId::of_drawn(bank, unique) == *self).then_some((bank, unique))
    }

    /// The id that was drawn for a request to a bank: see [`EventId::drawn`].
    #[must_use]
    pub(crate) fn of_drawn(bank: BankId, unique: [u8; UUID_BYTES]) -> Self {
        let [a, b, c, d, e] = [0..4, 4..6, 6..8, 8..10, 10..16]
            .map(|part: std::ops::Range<usize>| Hex(&unique[part]));
        EventId(format!("EV{bank}-{a}-{b}-{c}-{d}-{e}").into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        EventId::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A text that is not a valid event id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no event id")]
pub struct BadEventId;

/// A request's place in the common order, counted from 1 over the consortium's whole life; 0 is
/// 'nothing yet'.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Position {
        Position(self.0 + 1)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a view, unique by construction: no two coordinators share a number. Ordered by
/// round, then coordinator.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Ballot {
    /// Counts attempts; higher than any the coordinator has seen.
    pub round: u64,
    /// The bank that proposed it.
    pub coordinator: BankId,
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.round, self.coordinator)
    }
}

/// 32 bytes that are written as 64 hexadecimal digits.
macro_rules! digest {
    ($(#[$meaning:meta])* $name:ident) => {
        $(#[$meaning])*
        #[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// Reads 64 hexadecimal digits.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                hex::parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Hex(&self.0).fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom("64 hexadecimal digits expected"))
            }
        }
    };
}

digest! {
    /// A value of the hash chain over event, results and the state they leave (SHA-256).
    ChainHash
}

digest! {
    /// The SHA-256 of something other than the hash chain: a snapshot's text, a row, the
    /// definitions of the tables.
    Sha256Digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bank_set_lists_its_banks_by_number_and_survives_json() {
        let set: BankSet = [BankId(5), BankId(0), BankId(63)].into_iter().collect();
        assert_eq!(serde_json::to_string(&set).unwrap(), "[0,5,63]");
        assert_eq!(serde_json::from_str::<BankSet>("[63,5,0,5,900]").unwrap(), set);
        assert_eq!(set.len(), 3);
    }

    #[test]
    fn the_requirements_event_id_is_read_and_a_hostile_one_is_not() {
        assert!(EventId::parse("EV192.168.0.1-1584").is_ok());
        for text in ["", "EV 1", "EV\n1", "EVé", &"E".repeat(EVENT_ID_BYTES_MAX + 1)] {
            assert_eq!(EventId::parse(text), Err(BadEventId), "{text:?}");
        }
    }

    #[test]
    fn an_id_that_was_drawn_is_made_again_of_its_parts_and_any_other_is_not() {
        let drawn = EventId::new(BankId(12), "8d0f4c1e-0a2b-4c3d-9e8f-00ff10ef01fe");
        let (bank, unique) = drawn.drawn().unwrap();
        assert_eq!((bank, unique[0], unique[15]), (BankId(12), 0x8d, 0xfe));
        assert_eq!(EventId::of_drawn(bank, unique), drawn);
        for text in [
            "EV012-8d0f4c1e-0a2b-4c3d-9e8f-00ff10ef01fe",
            "EV12-8D0F4C1E-0a2b-4c3d-9e8f-00ff10ef01fe",
            "EV12-8d0f4c1e0a2b-4c3d-9e8f-00ff10ef01fe-",
            "EV12-8d0f4c1e-0a2b-4c3d-9e8f-00ff10ef01f",
            "EV12-1",
            "8d0f4c1e-0a2b-4c3d-9e8f-00ff10ef01fe",
        ] {
            assert_eq!(EventId::parse(text).unwrap().drawn(), None, "{text}");
        }
    }

    #[test]
    fn a_hash_is_printed_and_read_back() {
        let hash = ChainHash(std::array::from_fn(|index| index as u8 * 7));
        assert_eq!(ChainHash::parse(&hash.to_string()), Some(hash));
        assert_eq!(ChainHash::parse("zz"), None);
    }

    #[test]
    fn a_ballot_is_ordered_by_round_and_then_by_coordinator() {
        let ballot = |round, bank| Ballot { round, coordinator: BankId(bank) };
        assert!(ballot(1, 2) < ballot(2, 0));
        assert!(ballot(2, 0) < ballot(2, 1));
    }
}
