//! Remembered keys as lines of a snapshot.

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use serde::{Deserialize, Serialize};

use super::key::{Claim, Half, Kept, RememberedKey};
use crate::ids::{BankId, Position};
use crate::ledger::outcome::Executed;

/// The most keys in one line of a snapshot.
pub(super) const PACKED_MAX: usize = 128;

/// A line of a snapshot.
pub(in crate::ledger::book) enum Line {
    One(OneKey),
    Many(ManyKeys),
}

/// A key: the age at which it came, the key, what was asked, and the result.
#[derive(Serialize, Deserialize)]
pub(in crate::ledger::book) struct OneKey(i64, Half, Half, Executed);

/// Keys under which packages were executed, one after another: their [`Packed`] in base64.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::ledger::book) struct ManyKeys(pub(super) String);

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
    pub(in crate::ledger::book) fn at<'a>(
        keys: impl Fn(usize) -> Option<&'a RememberedKey>,
        place: usize,
    ) -> Option<(Line, usize)> {
        let first = keys(place)?;
        if let Kept::Other(executed) = &first.result {
            let Claim { key, asked } = first.claim;
            let line = OneKey(first.age_ms, key, asked, Executed::clone(executed));
            return Some((Line::One(line), place + 1));
        }
        let (mut packed, mut next, mut before) = (Vec::new(), place, (0, 0));
        while next < place + PACKED_MAX
            && let Some(RememberedKey { claim, age_ms, position, result }) = keys(next)
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
    pub(in crate::ledger::book) fn keys(self) -> Vec<RememberedKey> {
        let OneKey(age_ms, key, asked, executed) = self;
        vec![RememberedKey::new(Claim { key, asked }, age_ms, executed)]
    }
}

impl ManyKeys {
    /// The keys, if these are any.
    pub(in crate::ledger::book) fn keys(&self) -> Option<Vec<RememberedKey>> {
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
