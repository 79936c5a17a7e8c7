//! A run: the keys of one span of positions, which do not change any more. All banks make the same
//! bytes of them.
//!
//! Its keys are sorted and stand in blocks. A look-up knows from memory which block a key would be
//! in, reads that one, and finds out from it alone whether it is what was written. The bytes are in
//! memory until they are on disk; from then on they are there only, behind [`Rows`].

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::key::{Claim, Half, Kept, RememberedKey};
use super::sieve::Marks;
use super::{SPAN, outline};
use crate::ids::{BankId, Position, Sha256Digest};
use crate::ledger::outcome::Executed;

/// Version of what the bytes mean.
const FORMAT: u32 = 1;
/// Keys of a block: about 3.5 KB.
const BLOCK: usize = 64;
/// Bytes of the digest that follows the keys of a block.
const PROOF: usize = 8;
/// Bytes that say how long the heading is.
const LENGTH: usize = 4;

/// Where the bytes of a run are.
pub trait Rows: fmt::Debug + Send + Sync {
    /// Some of them. Ends the process if they cannot be read: a ledger that does not know whether
    /// a key was used cannot go on.
    fn read(&self, range: Range<usize>) -> Cow<'_, [u8]>;

    /// What was read is not what was written: ends the process.
    fn give_up(&self, why: &str) -> !;
}

/// Bytes in memory.
#[derive(Debug)]
struct InMemory(Vec<u8>);

impl Rows for InMemory {
    fn read(&self, range: Range<usize>) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.0[range])
    }

    fn give_up(&self, why: &str) -> ! {
        panic!("a run in memory is what was written: {why}")
    }
}

/// Which run: all banks make the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunName {
    /// Which span of positions it is about, from 0.
    pub number: u64,
    /// What its bytes hash to.
    pub digest: Sha256Digest,
}

/// A run, and of its keys only what leads to them.
#[derive(Clone, Debug)]
pub struct Run {
    heading: Arc<Heading>,
    digest: Sha256Digest,
    /// Where the blocks begin.
    blocks_at: usize,
    rows: Arc<dyn Rows>,
    /// What it marks in the sieve, where that is known from an outline and not in the sieve yet.
    marks: Option<Arc<Marks>>,
}

/// What stands before the blocks.
#[derive(Debug, Serialize, Deserialize)]
struct Heading {
    format: u32,
    /// Which span of positions it is about, from 0.
    number: u64,
    /// How many keys there are.
    count: usize,
    first: Stamp,
    last: Stamp,
    blocks: Vec<Fence>,
}

/// When a key came: the age of the ledger, and the position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    age_ms: i64,
    position: Position,
}

/// A block: its first key, and where it ends, counted from the end of the heading.
#[derive(Debug, Serialize, Deserialize)]
struct Fence {
    first: [u8; 16],
    end: usize,
}

/// A key in a block; age and position are counted from those of the run's first.
#[derive(Serialize, Deserialize)]
struct Row<'a> {
    key: [u8; 16],
    asked: [u8; 16],
    age_ms: u64,
    position: u64,
    #[serde(borrow)]
    result: Written<'a>,
}

#[derive(Serialize, Deserialize)]
enum Written<'a> {
    Package(BankId, [u8; 16]),
    /// An [`Executed`] as JSON.
    Other(Cow<'a, str>),
}

impl Run {
    /// Makes a run of keys in the order in which they came.
    pub(super) fn seal(number: u64, keys: &[RememberedKey]) -> Run {
        let stamp = |key: &RememberedKey| Stamp { age_ms: key.age_ms, position: key.position };
        let ends = keys.first().zip(keys.last()).map(|(first, last)| (stamp(first), stamp(last)));
        let (first, last) = ends.expect("a run has keys");
        let mut sorted: Vec<_> = keys.iter().collect();
        sorted.sort_unstable_by_key(|key| key.claim.key);
        let (mut blocks, mut rows) = (Vec::new(), Vec::new());
        for (index, block) in sorted.chunks(BLOCK).enumerate() {
            let start = rows.len();
            for key in block {
                let row = Row::of(key, first);
                postcard::to_io(&row, &mut rows).expect("rows are plain data, and memory takes it");
            }
            let proof = proof(number, index, &rows[start..]);
            rows.extend(proof);
            blocks.push(Fence { first: block[0].claim.key.0, end: rows.len() });
        }
        let count = keys.len();
        let heading = Heading { format: FORMAT, number, count, first, last, blocks };
        let encoded = postcard::to_stdvec(&heading).expect("a heading is plain data");
        let length = u32::try_from(encoded.len()).expect("a heading is short").to_le_bytes();
        let content = [&length[..], &encoded, &rows].concat();
        let digest = Sha256Digest(Sha256::digest(&content).into());
        let blocks_at = LENGTH + encoded.len();
        let rows = Arc::new(InMemory(content));
        Run { heading: Arc::new(heading), digest, blocks_at, rows, marks: None }
    }

    /// Reads a run whose bytes have this digest; `None` if these have not, or are none.
    #[must_use]
    pub fn read(content: &[u8], digest: Sha256Digest, rows: Arc<dyn Rows>) -> Option<Run> {
        if Sha256::digest(content)[..] != digest.0[..] {
            return None;
        }
        Run::begun(content, digest, rows).filter(|run| run.end() == Some(content.len()))
    }

    /// Takes the run of this name from somebody who may have made up the name, too: `None` unless
    /// these are exactly the bytes that a ledger makes of some keys.
    #[must_use]
    pub fn received(content: Vec<u8>, name: RunName) -> Option<Run> {
        let rows = Arc::new(InMemory(content));
        let run = Run::read(&rows.0, name.digest, Arc::<InMemory>::clone(&rows))?;
        let blocks = &rows.0[run.blocks_at..];
        let decoded = (0..run.heading.blocks.len())
            .map(|index| run.decode(index, &blocks[run.range(index)]))
            .collect::<Option<Vec<_>>>()?;
        let mut keys = decoded.concat();
        keys.sort_unstable_by_key(|key| key.position);
        let are_apart = |key: &RememberedKey, next: &RememberedKey| {
            key.position < next.position && key.age_ms <= next.age_ms
        };
        let are_sound = !keys.is_empty() && keys.is_sorted_by(are_apart);
        (are_sound && Run::seal(run.number(), &keys).name() == name).then_some(run)
    }

    /// Reads a run of which [`Run::outline`] is known, without reading its keys: what is wrong with
    /// them is found when they are looked at. `None` if this is not its outline.
    #[must_use]
    pub(crate) fn outlined(
        outline: &[u8],
        digest: Sha256Digest,
        rows: Arc<dyn Rows>,
    ) -> Option<Run> {
        let (beginning, marks) = outline::read(outline, digest)?;
        let run = Run::begun(beginning, digest, rows)?;
        Some(Run { marks: Some(Arc::new(marks)), ..run })
    }

    /// What a start has to know of it.
    #[must_use]
    pub fn outline(&self) -> Vec<u8> {
        let keys_max = usize::try_from(SPAN).expect("a span of keys fits into memory");
        let marks = Marks::of(keys_max, self.halves().iter());
        outline::written(self.digest, &self.rows.read(0..self.blocks_at), &marks)
    }

    /// The run that begins like this.
    fn begun(content: &[u8], digest: Sha256Digest, rows: Arc<dyn Rows>) -> Option<Run> {
        let (length, rest) = content.split_first_chunk::<LENGTH>()?;
        let blocks_at = LENGTH + u32::from_le_bytes(*length) as usize;
        let encoded = rest.get(..blocks_at - LENGTH)?;
        let (heading, left) = postcard::take_from_bytes::<Heading>(encoded).ok()?;
        let is_sound = heading.format == FORMAT
            && left.is_empty()
            && !heading.blocks.is_empty()
            && heading.blocks.is_sorted_by(|block, next| {
                block.first < next.first && block.end.saturating_add(PROOF) < next.end
            })
            && heading.blocks[0].end > PROOF
            && heading.first.age_ms >= 0
            && heading.first.age_ms <= heading.last.age_ms
            && heading.first.position <= heading.last.position;
        is_sound.then(|| Run { heading: Arc::new(heading), digest, blocks_at, rows, marks: None })
    }

    /// Whether a ledger that seals so many positions together can do with what is known of it, or
    /// needs all of it to be read.
    pub(crate) fn is_of_use(&self, span: u64) -> bool {
        let keys_max = usize::try_from(span).unwrap_or(usize::MAX);
        self.marks.as_ref().is_none_or(|marks| marks.are_for(keys_max))
    }

    /// Where its bytes end.
    fn end(&self) -> Option<usize> {
        self.blocks_at.checked_add(self.heading.blocks.last()?.end)
    }

    /// The run as it stays in memory, and its marks, if they are known.
    pub(super) fn without_marks(mut self) -> (Run, Option<Arc<Marks>>) {
        let marks = self.marks.take();
        (self, marks)
    }

    /// The same run, whose bytes are there now.
    #[must_use]
    pub fn kept_in(&self, rows: Arc<dyn Rows>) -> Run {
        Run { rows, ..self.clone() }
    }

    /// Which span of positions it is about, from 0.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.heading.number
    }

    /// What its bytes hash to.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        self.digest
    }

    /// What a snapshot calls it.
    #[must_use]
    pub fn name(&self) -> RunName {
        RunName { number: self.number(), digest: self.digest }
    }

    /// All of its bytes.
    #[must_use]
    pub fn content(&self) -> Cow<'_, [u8]> {
        self.rows.read(0..self.end().expect("a run has blocks"))
    }

    /// How many keys it has.
    pub(in crate::ledger::book) fn len(&self) -> usize {
        self.heading.count
    }

    /// The age at which its last key came.
    pub(super) fn last_age_ms(&self) -> i64 {
        self.heading.last.age_ms
    }

    /// Whether a key came after all of its own.
    pub(super) fn ends_before(&self, key: &RememberedKey) -> bool {
        let Stamp { age_ms, position } = self.heading.last;
        position < key.position && age_ms <= key.age_ms
    }

    /// Whether all of it came after all of another one, and within this span of positions.
    pub(super) fn follows(&self, before: Option<&Run>, span: &Range<u64>) -> bool {
        let Heading { first, last, .. } = &*self.heading;
        let is_later = before.is_none_or(|before| {
            before.heading.last.position < first.position
                && before.heading.last.age_ms <= first.age_ms
        });
        is_later && span.contains(&first.position.0) && span.contains(&last.position.0)
    }

    /// The key, if it is one of the run's.
    pub(super) fn find(&self, key: &Half) -> Option<RememberedKey> {
        let blocks = &self.heading.blocks;
        let index = blocks.partition_point(|block| block.first <= key.0).checked_sub(1)?;
        self.block(index).into_iter().find(|found| found.claim.key == *key)
    }

    /// All its keys, in the order in which they came.
    pub(in crate::ledger::book) fn keys(&self) -> Vec<RememberedKey> {
        let mut keys = self.sorted_keys();
        keys.sort_unstable_by_key(|key| key.position);
        keys
    }

    /// What its keys are called, in their order.
    pub(super) fn halves(&self) -> Vec<Half> {
        self.sorted_keys().into_iter().map(|key| key.claim.key).collect()
    }

    fn sorted_keys(&self) -> Vec<RememberedKey> {
        let content = self.content();
        let rows = &content[self.blocks_at..];
        let blocks = 0..self.heading.blocks.len();
        blocks.flat_map(|index| self.decoded(index, &rows[self.range(index)])).collect()
    }

    /// Where a block is, counted from the end of the heading.
    fn range(&self, index: usize) -> Range<usize> {
        let blocks = &self.heading.blocks;
        index.checked_sub(1).map_or(0, |before| blocks[before].end)..blocks[index].end
    }

    fn block(&self, index: usize) -> Vec<RememberedKey> {
        let Range { start, end } = self.range(index);
        let bytes = self.rows.read(self.blocks_at + start..self.blocks_at + end);
        self.decoded(index, &bytes)
    }

    fn decoded(&self, index: usize, bytes: &[u8]) -> Vec<RememberedKey> {
        let damaged = || format!("block {index} of run {} of idempotency keys", self.number());
        self.decode(index, bytes).unwrap_or_else(|| self.rows.give_up(&damaged()))
    }

    fn decode(&self, index: usize, bytes: &[u8]) -> Option<Vec<RememberedKey>> {
        let Heading { number, first, .. } = *self.heading;
        let (mut rest, proved) = bytes.split_last_chunk::<PROOF>()?;
        if proof(number, index, rest) != *proved {
            return None;
        }
        let mut keys = Vec::with_capacity(BLOCK);
        while !rest.is_empty() {
            let (row, left) = postcard::take_from_bytes::<Row<'_>>(rest).ok()?;
            keys.push(row.key(first)?);
            rest = left;
        }
        Some(keys)
    }
}

impl<'a> Row<'a> {
    fn of(key: &'a RememberedKey, first: Stamp) -> Row<'a> {
        let json = |executed: &Executed| serde_json::to_string(executed).expect("it is JSON");
        Row {
            key: key.claim.key.0,
            asked: key.claim.asked.0,
            age_ms: key.age_ms.abs_diff(first.age_ms),
            position: key.position.0 - first.position.0,
            result: match &key.result {
                Kept::Package(bank, unique) => Written::Package(*bank, *unique),
                Kept::Other(executed) => Written::Other(json(executed).into()),
            },
        }
    }

    fn key(self, first: Stamp) -> Option<RememberedKey> {
        Some(RememberedKey {
            claim: Claim { key: Half(self.key), asked: Half(self.asked) },
            age_ms: first.age_ms.checked_add_unsigned(self.age_ms)?,
            position: Position(first.position.0.checked_add(self.position)?),
            result: match self.result {
                Written::Package(bank, unique) => Kept::Package(bank, unique),
                Written::Other(json) => Kept::Other(Box::new(serde_json::from_str(&json).ok()?)),
            },
        })
    }
}

/// What proves a block: it is this one, of this run, and nothing of it has changed.
fn proof(number: u64, index: usize, rows: &[u8]) -> [u8; PROOF] {
    let place =
        Sha256::new().chain_update(number.to_be_bytes()).chain_update((index as u64).to_be_bytes());
    let whole: [u8; 32] = place.chain_update(rows).finalize().into();
    std::array::from_fn(|byte| whole[byte])
}
