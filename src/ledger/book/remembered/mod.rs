//! The idempotency keys of the last day, and what came of each: there may be millions, so each
//! takes little, whatever its length and that of the answer.
//!
//! Of a key, and of what was asked under it, half of a SHA-256 is kept. That is enough: two that
//! agree in it would get one answer, and nobody finds two in 2⁶⁴ attempts, nor one that agrees with
//! somebody else's in 2¹²⁸. The answer is not kept as it was given but made again: nearly all say
//! that a package was executed, and differ only in the request's id and position.
//!
//! Only the newest keys are in memory. When a span of positions is over, the keys of the one before
//! it are sealed: they become a [`Run`], which is handed over to be kept on disk, and memory has of
//! it only a `sieve`, which nearly always knows that a key is none of it. What is sealed depends on
//! positions alone, so all banks seal the same; whether a key is remembered does not depend on
//! where it is.

mod key;
mod lines;
mod outline;
mod run;
mod sieve;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub(super) use self::key::{Claim, Half, RememberedKey};
pub(super) use self::lines::{Line, ManyKeys, OneKey};
pub use self::run::{Rows, Run, RunName};
use self::sieve::Sieve;
use super::chunks::Chunks;
use super::index::Index;
use crate::ids::Position;
use crate::ledger::outcome::Executed;

/// How long a key is remembered, in milliseconds of the ledger's age: 24 hours, or longer where
/// little happens.
pub(crate) const IDEMPOTENCY_WINDOW_MS: i64 = 24 * 60 * 60 * 1_000;
/// Positions whose keys are sealed together: the newest one to two spans are in memory. All banks
/// must have the same number.
pub(super) const SPAN: u64 = 1 << 16;

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

/// The keys of the last [`IDEMPOTENCY_WINDOW_MS`].
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    /// Those that are not sealed, oldest first.
    keys: Chunks<RememberedKey>,
    /// The lower halves of places: there is no room in memory for 2³² keys.
    by_key: Index<u32>,
    /// How many positions are sealed together.
    span: u64,
    /// Older keys, oldest first; some of the first run's may be forgotten.
    runs: VecDeque<Run>,
    sieve: Sieve,
    /// Runs that were made and not handed over yet.
    fresh: Vec<Run>,
    /// The age at which keys were last forgotten.
    age_ms: i64,
}

/// The place that is meant by the lower half of one, where the first is known.
fn place_of(half: u32, start: usize) -> usize {
    start + half.wrapping_sub(start as u32) as usize
}

/// Whether a key that came at this age is forgotten at a later one.
fn is_forgotten(came_ms: i64, age_ms: i64) -> bool {
    age_ms - came_ms >= IDEMPOTENCY_WINDOW_MS
}

impl Remembered {
    /// Nothing yet; the keys of so many positions will be sealed together.
    pub(super) fn new(span: u64) -> Remembered {
        let keys_max = usize::try_from(span).unwrap_or(usize::MAX);
        Remembered {
            keys: Chunks::default(),
            by_key: Index::default(),
            span,
            runs: VecDeque::new(),
            sieve: Sieve::new(keys_max),
            fresh: Vec::new(),
            age_ms: 0,
        }
    }

    /// How many positions are sealed together.
    pub(super) fn span(&self) -> u64 {
        self.span
    }

    /// What is remembered of a key.
    pub(super) fn find(&self, key: &Half) -> Option<RememberedKey> {
        self.unsealed(key).cloned().or_else(|| self.sealed(key, self.age_ms))
    }

    fn unsealed(&self, key: &Half) -> Option<&RememberedKey> {
        let at = |half: u32| &self.keys[place_of(half, self.keys.start())];
        self.by_key.find(key, |half| at(half).claim.key == *key).map(at)
    }

    /// What is known of a key from the runs, unless it is forgotten at this age.
    fn sealed(&self, key: &Half, age_ms: i64) -> Option<RememberedKey> {
        let mut candidates = self.sieve.candidates(key);
        let found = candidates.find_map(|place| self.runs[place].find(key));
        found.filter(|found| !is_forgotten(found.age_ms, age_ms))
    }

    fn push(&mut self, key: RememberedKey) {
        let name = key.claim.key;
        let place = self.keys.push(key);
        let keys = &self.keys;
        let name_at = |half| keys[place_of(half, keys.start())].claim.key;
        self.by_key.insert(&name, place as u32, name_at);
    }

    fn pop(&mut self) -> Option<RememberedKey> {
        let place = self.keys.start();
        let oldest = self.keys.get(place)?;
        self.by_key.remove(&oldest.claim.key, |other| other == place as u32);
        self.keys.pop_front()
    }

    fn oldest(&self) -> Option<&RememberedKey> {
        self.keys.get(self.keys.start())
    }

    /// Forgets keys that are a window old.
    pub(super) fn forget(&mut self, age_ms: i64) {
        self.age_ms = age_ms;
        while self.runs.front().is_some_and(|run| is_forgotten(run.last_age_ms(), age_ms)) {
            self.runs.pop_front();
            self.sieve.pop();
        }
        while self.oldest().is_some_and(|key| is_forgotten(key.age_ms, age_ms)) {
            self.pop();
        }
    }

    /// Those that are not sealed, oldest first.
    pub(super) fn keys(&self) -> &Chunks<RememberedKey> {
        &self.keys
    }

    /// The sealed ones, oldest first.
    pub(super) fn runs(&self) -> &VecDeque<Run> {
        &self.runs
    }

    /// How many keys there are, with those of the first run that are forgotten.
    pub(super) fn len(&self) -> usize {
        self.keys.len() + self.runs.iter().map(Run::len).sum::<usize>()
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
}

/// Sealing.
impl Remembered {
    /// Which span a position belongs to.
    fn number_of(&self, position: Position) -> u64 {
        position.0.saturating_sub(1) / self.span
    }

    /// Which spans are sealed once everything through a position is executed: those before this.
    fn sealed_before(&self, position: Position) -> u64 {
        (position.0 / self.span).saturating_sub(1)
    }

    /// Everything through a position is executed: if that ends a span, the one before is sealed.
    pub(super) fn seal(&mut self, position: Position) {
        if position.0.is_multiple_of(self.span) {
            self.seal_before(self.sealed_before(position));
        }
    }

    /// Runs before this one are forgotten, once everything through a position is executed.
    pub(super) fn first_run(&self, executed: Position) -> u64 {
        self.runs.front().map_or_else(|| self.sealed_before(executed), Run::number)
    }

    /// Seals all spans before this one.
    fn seal_before(&mut self, end: u64) {
        while let Some(number) = self.oldest().map(|key| self.number_of(key.position))
            && number < end
        {
            let mut keys = Vec::new();
            while self.oldest().is_some_and(|key| self.number_of(key.position) == number) {
                keys.extend(self.pop());
            }
            let run = Run::seal(number, &keys);
            self.fresh.push(run.clone());
            self.add(run, &keys);
        }
    }

    fn add(&mut self, run: Run, keys: &[RememberedKey]) {
        self.sieve.push(keys.iter().map(|key| &key.claim.key));
        self.runs.push_back(run);
    }

    /// Hands over the runs that were made since the last call.
    pub(super) fn take_fresh(&mut self) -> Vec<Run> {
        std::mem::take(&mut self.fresh)
    }

    /// A run is kept elsewhere now; nothing changes if it is not one of these any more.
    pub(super) fn shelve(&mut self, kept: Run) {
        let is_it = |run: &&mut Run| (run.number(), run.digest()) == (kept.number(), kept.digest());
        if let Some(run) = self.runs.iter_mut().find(is_it) {
            *run = kept;
        }
    }

    /// Remembers keys of a snapshot of a ledger that has executed through a position; they come
    /// oldest first. Returns whether all were new and in order.
    pub(super) fn restore(&mut self, keys: Vec<RememberedKey>, executed: Position) -> bool {
        let end = self.sealed_before(executed);
        keys.into_iter().all(|key| {
            let last = self.keys.end().checked_sub(1).and_then(|last| self.keys.get(last));
            let is_later =
                |last: &RememberedKey| last.age_ms <= key.age_ms && last.position < key.position;
            let is_behind_runs = self.runs.back().is_none_or(|run| run.ends_before(&key));
            let is_in_order = key.age_ms >= 0 && last.is_none_or(is_later) && is_behind_runs;
            let name = &key.claim.key;
            let is_new = is_in_order
                && self.unsealed(name).is_none()
                && self.sealed(name, key.age_ms).is_none();
            if is_new {
                // Spans that are over are sealed as they come: memory does not hold all of them.
                self.seal_before(end.min(self.number_of(key.position)));
                self.push(key);
            }
            is_new
        })
    }

    /// Everything of a snapshot was restored.
    pub(super) fn restored(&mut self, executed: Position, age_ms: i64) {
        self.seal_before(self.sealed_before(executed));
        self.age_ms = age_ms;
    }

    /// Remembers a run of a snapshot, as it is kept; returns whether it is the next one.
    pub(super) fn restore_run(&mut self, run: Run, executed: Position) -> bool {
        let number = run.number();
        let starts = number.checked_mul(self.span).and_then(|start| start.checked_add(1));
        let span = starts.map_or(0..0, |start| start..start.saturating_add(self.span));
        let is_next = number < self.sealed_before(executed)
            && self.keys.len() == 0
            && run.follows(self.runs.back(), &span);
        if is_next {
            let (run, marks) = run.without_marks();
            let is_marked = marks.is_some_and(|marks| self.sieve.push_marks(&marks));
            if !is_marked {
                self.sieve.push(run.halves().iter());
            }
            self.runs.push_back(run);
        }
        is_next
    }
}
