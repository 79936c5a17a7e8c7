//! The idempotency keys of the last day, and what came of each: there may be millions, so each
//! takes little, whatever its length and that of the answer.
//!
//! Of a key, and of what was asked under it, half of a SHA-256 is kept. That is enough: two that
//! agree in it would get one answer, and nobody finds two in 2⁶⁴ attempts, nor one that agrees with
//! somebody else's in 2¹²⁸. The answer is not kept as it was given but made again: nearly all say
//! that a package was executed, and differ only in the request's id and position.

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use serde::{Deserialize, Serialize};

use super::chunks::Chunks;
use super::index::Index;
use crate::hex::{self, Hex};
use crate::ids::{BankId, EventId, Position};
use crate::ledger::outcome::{Done, Executed, Outcome};

/// How long a key is remembered, in milliseconds of the ledger's age: 24 hours, or longer where
/// little happens.
pub(crate) const IDEMPOTENCY_WINDOW_MS: i64 = 24 * 60 * 60 * 1_000;
/// The most keys in one line of a snapshot.
const PACKED_MAX: usize = 128;

/// The first half of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Half([u8; 16]);

impl Half {
    /// The first half of a whole one.
    pub(super) fn of(whole: [u8; 32]) -> Half {
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
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    /// The key and whose it is.
    pub(super) key: Half,
    /// What the customer asked for, without what their bank added.
    pub(super) asked: Half,
}

/// What is known of a claim.
#[derive(Debug)]
pub(super) enum Recalled {
    /// The key is new, or forgotten.
    Nothing,
    /// The same was asked before, with this result.
    Same(Executed),
    /// The key was used for a different request.
    Other,
}

/// A key that was used.
#[derive(Clone, Debug)]
pub(super) struct RememberedKey {
    claim: Claim,
    /// The age at which it came.
    age_ms: i64,
    position: Position,
    result: Kept,
}

/// What came of a request.
#[derive(Clone, Debug)]
enum Kept {
    /// A package was executed whose request has an id of the usual kind.
    Package(BankId, [u8; 16]),
    /// Anything else, which is rare.
    Other(Box<Executed>),
}

impl RememberedKey {
    fn new(claim: Claim, age_ms: i64, executed: Executed) -> RememberedKey {
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
    pub(super) fn executed(&self) -> Executed {
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

/// The keys of the last [`IDEMPOTENCY_WINDOW_MS`].
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered {
    /// Oldest first.
    keys: Chunks<RememberedKey>,
    /// The lower halves of places: there is no room in memory for 2³² keys.
    by_key: Index<u32>,
}

/// The place that is meant by the lower half of one, where the first is known.
fn place_of(half: u32, start: usize) -> usize {
    start + half.wrapping_sub(start as u32) as usize
}

impl Remembered {
    /// What is remembered of a key.
    pub(super) fn find(&self, key: &Half) -> Option<&RememberedKey> {
        let at = |half: u32| &self.keys[place_of(half, self.keys.start())];
        self.by_key.find(key, |half| at(half).claim.key == *key).map(at)
    }

    fn push(&mut self, key: RememberedKey) {
        let name = key.claim.key;
        let place = self.keys.push(key);
        let keys = &self.keys;
        let name_at = |half| keys[place_of(half, keys.start())].claim.key;
        self.by_key.insert(&name, place as u32, name_at);
    }

    /// Forgets keys that are a window old.
    pub(super) fn forget(&mut self, age_ms: i64) {
        let is_old = |key: &RememberedKey| age_ms - key.age_ms >= IDEMPOTENCY_WINDOW_MS;
        while let Some(oldest) = self.keys.get(self.keys.start()).filter(|key| is_old(key)) {
            let place = self.keys.start() as u32;
            self.by_key.remove(&oldest.claim.key, |other| other == place);
            self.keys.pop_front();
        }
    }

    /// All of them, oldest first.
    pub(super) fn keys(&self) -> &Chunks<RememberedKey> {
        &self.keys
    }

    /// The earlier result of the claim, if any.
    pub(super) fn recall(&self, claim: &Claim) -> Recalled {
        match self.find(&claim.key) {
            None => Recalled::Nothing,
            Some(found) if found.claim.asked == claim.asked => Recalled::Same(found.executed()),
            Some(_) => Recalled::Other,
        }
    }

    /// Remembers the result of a new claim.
    pub(super) fn keep(&mut self, claim: Claim, executed: Executed, age_ms: i64) {
        self.push(RememberedKey::new(claim, age_ms, executed));
    }

    /// Remembers keys of a snapshot, which come oldest first. Returns whether all were new and in
    /// order.
    pub(super) fn restore(&mut self, keys: Vec<RememberedKey>) -> bool {
        keys.into_iter().all(|key| {
            let last = self.keys.end().checked_sub(1).and_then(|last| self.keys.get(last));
            let is_later =
                |last: &RememberedKey| last.age_ms <= key.age_ms && last.position < key.position;
            let is_in_order = key.age_ms >= 0 && last.is_none_or(is_later);
            let is_new = is_in_order && self.find(&key.claim.key).is_none();
            if is_new {
                self.push(key);
            }
            is_new
        })
    }
}

/// A line of a snapshot.
pub(super) enum Line {
    One(OneKey),
    Many(ManyKeys),
}

/// A key: the age at which it came, the key, what was asked, and the result.
#[derive(Serialize, Deserialize)]
pub(super) struct OneKey(i64, Half, Half, Executed);

/// Keys under which packages were executed, one after another: their [`Packed`] in base64.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ManyKeys(String);

/// A key among many: how much later it came than the one before; the first one counts from zero.
#[derive(Serialize, Deserialize)]
struct Packed {
    age_ms: u64,
    position: u64,
    key: [u8; 16],
    asked: [u8; 16],
    bank: BankId,
    unique: [u8; 16],
}

impl Line {
    /// The line that begins with the key at a place, and the place that the next one begins with.
    pub(super) fn at(keys: &Chunks<RememberedKey>, place: usize) -> Option<(Line, usize)> {
        let first = keys.get(place)?;
        if let Kept::Other(executed) = &first.result {
            let Claim { key, asked } = first.claim;
            let line = OneKey(first.age_ms, key, asked, Executed::clone(executed));
            return Some((Line::One(line), place + 1));
        }
        let (mut packed, mut next, mut before) = (Vec::new(), place, (0, 0));
        while next < place + PACKED_MAX
            && let Some(RememberedKey { claim, age_ms, position, result }) = keys.get(next)
            && let Kept::Package(bank, unique) = *result
        {
            let at = (age_ms.unsigned_abs(), position.0);
            let (age_ms, position) = (at.0 - before.0, at.1 - before.1);
            let (key, asked) = (claim.key.0, claim.asked.0);
            let row = Packed { age_ms, position, key, asked, bank, unique };
            postcard::to_io(&row, &mut packed).expect("rows are plain data, and memory takes it");
            (before, next) = (at, next + 1);
        }
        Some((Line::Many(ManyKeys(BASE64_STANDARD_NO_PAD.encode(packed))), next))
    }
}

impl OneKey {
    pub(super) fn keys(self) -> Vec<RememberedKey> {
        let OneKey(age_ms, key, asked, executed) = self;
        vec![RememberedKey::new(Claim { key, asked }, age_ms, executed)]
    }
}

impl ManyKeys {
    /// The keys, if these are any.
    pub(super) fn keys(&self) -> Option<Vec<RememberedKey>> {
        let packed = BASE64_STANDARD_NO_PAD.decode(&self.0).ok()?;
        let (mut rest, mut keys, mut before) = (packed.as_slice(), Vec::new(), (0_u64, 0_u64));
        while !rest.is_empty() {
            let (row, left) = postcard::take_from_bytes::<Packed>(rest).ok()?;
            let Packed { age_ms, position, key, asked, bank, unique } = row;
            before = (before.0.checked_add(age_ms)?, before.1.checked_add(position)?);
            keys.push(RememberedKey {
                claim: Claim { key: Half(key), asked: Half(asked) },
                age_ms: i64::try_from(before.0).ok()?,
                position: Position(before.1),
                result: Kept::Package(bank, unique),
            });
            rest = left;
        }
        Some(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(number: u8) -> Claim {
        Claim { key: Half([number; 16]), asked: Half([number + 1; 16]) }
    }

    fn executed(position: u64, id: EventId) -> Executed {
        let outcome = Outcome::Done(Done::PackageExecuted);
        Executed { id, position: Position(position), outcome, operation: None }
    }

    #[test]
    fn a_key_takes_72_bytes_and_a_place_of_four() {
        assert_eq!(size_of::<RememberedKey>(), 72);
    }

    #[test]
    fn places_are_told_apart_beyond_what_four_bytes_count() {
        for (place, start) in [(5, 0), (5, 5), (1 << 32, (1 << 32) - 3), ((7 << 32) + 1, 7 << 32)] {
            assert_eq!(place_of(place as u32, start), place);
        }
    }

    #[test]
    fn keys_are_written_in_lines_and_read_back() {
        let mut remembered = Remembered::default();
        for number in 0..200 {
            let usual = EventId::of_drawn(BankId(number.into()), [number; 16]);
            let id = if number == 150 { EventId::new(BankId(0), "x") } else { usual };
            let position = 10 + u64::from(number) * 3;
            remembered.keep(claim(number), executed(position, id), i64::from(number / 7) * 1_000);
        }
        let (mut place, mut lines, mut read) = (0, Vec::new(), Remembered::default());
        while let Some((line, next)) = Line::at(remembered.keys(), place) {
            lines.push(next - place);
            let keys = match line {
                Line::One(one) => one.keys(),
                Line::Many(many) => many.keys().unwrap(),
            };
            assert!(read.restore(keys));
            place = next;
        }
        assert_eq!(lines, [PACKED_MAX, 22, 1, 49]);
        let all = |of: &Remembered| {
            let keys = of.keys().iter().map(|key| (key.age_ms, key.executed()));
            keys.collect::<Vec<_>>()
        };
        assert_eq!(all(&read), all(&remembered));
        for number in 0..200 {
            let known = matches!(read.recall(&claim(number)), Recalled::Same(same)
                if same.position.0 == 10 + u64::from(number) * 3);
            let other = Claim { asked: Half([0xff; 16]), ..claim(number) };
            assert!(known && matches!(read.recall(&other), Recalled::Other), "{number}");
        }
    }

    #[test]
    fn what_are_no_keys_is_refused_and_never_panics() {
        let mut remembered = Remembered::default();
        for number in 0..3 {
            let id = EventId::of_drawn(BankId(0), [number; 16]);
            remembered.keep(claim(number), executed(number.into(), id), i64::MAX - 1);
        }
        let Some((Line::Many(ManyKeys(text)), _)) = Line::at(remembered.keys(), 0) else {
            panic!("they are of the usual kind")
        };
        for end in 1..text.len() {
            let keys = ManyKeys(text[..end].into()).keys();
            assert!(keys.is_none_or(|keys| keys.len() < 3));
            let after = ManyKeys(format!("{}A{}", &text[..end - 1], &text[end..])).keys();
            let _ = after.map(|keys| Remembered::default().restore(keys));
        }
        let twice = ManyKeys(text.clone()).keys().unwrap();
        assert!(!remembered.restore(twice));
        assert!(ManyKeys("?".into()).keys().is_none());
    }
}
