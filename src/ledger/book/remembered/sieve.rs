//! Which runs may have a key: nearly always none, and then none of them is looked at.
//!
//! It is a Bloom filter for each run (B. Bloom, 'Space/Time Trade-offs in Hash Coding with
//! Allowable Errors', 1970), and the filters of 64 runs stand across each other, a bit of each in
//! one word. So asking all of them takes as many words as asking one. Keys are halves of a SHA-256:
//! their own bytes choose the words.

use std::collections::VecDeque;
use std::sync::Arc;

use super::key::Half;

/// How many words there are for each key of a full run: of each run, a bit.
const BITS_OF_A_KEY: usize = 20;
/// How many of them a key sets. With a full run, one key in 11,000 is taken for one of it.
const BITS_SET: u64 = 10;
/// Runs that share words.
const GROUP: usize = u64::BITS as usize;

/// The words that the keys of one run set, a bit for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marks(Vec<u64>);

impl Marks {
    /// Those of these keys, in a sieve for runs of so many.
    pub(super) fn of<'a>(keys_max: usize, keys: impl Iterator<Item = &'a Half>) -> Marks {
        let words = words(keys_max);
        let mut marks = vec![0; words.div_ceil(GROUP)];
        for place in keys.flat_map(|key| places(words, key)) {
            marks[place / GROUP] |= 1 << (place % GROUP);
        }
        Marks(marks)
    }

    /// Whether they are those of a sieve for runs of so many keys.
    pub(super) fn are_for(&self, keys_max: usize) -> bool {
        self.are_for_words(words(keys_max))
    }

    fn are_for_words(&self, words: usize) -> bool {
        let beyond =
            self.0.last().map_or(0, |last| last.checked_shr(words as u32 % u64::BITS).unwrap_or(0));
        self.0.len() == words.div_ceil(GROUP) && (words.is_multiple_of(GROUP) || beyond == 0)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// `None` if these bytes are no whole words.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Marks> {
        let (words, rest) = bytes.as_chunks();
        let words = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        rest.is_empty().then_some(Marks(words))
    }

    /// The places that are marked.
    fn places(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            let left = std::iter::successors(Some(*word), |left| Some(left & left.wrapping_sub(1)));
            let bits = left.take_while(|left| *left != 0).map(u64::trailing_zeros);
            bits.map(move |bit| index * GROUP + bit as usize)
        })
    }
}

/// How many words a group of runs of so many keys has.
fn words(keys_max: usize) -> usize {
    keys_max.saturating_mul(BITS_OF_A_KEY).max(1)
}

/// The words of a key. The second half decides how far apart they are; two that are equal take one
/// bit less (A. Kirsch, M. Mitzenmacher, 'Less Hashing, Same Performance', 2006).
fn places(words: usize, Half(key): &Half) -> impl Iterator<Item = usize> + use<> {
    let (first, apart) = key.split_at(8);
    let number = |half: &[u8]| half.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let (first, apart) = (number(first), number(apart) | 1);
    (0..BITS_SET).map(move |step| {
        let hash = first.wrapping_add(step.wrapping_mul(apart));
        // The upper half of the product: evenly spread, and without a division.
        ((u128::from(hash) * words as u128) >> u64::BITS) as usize
    })
}

/// Filters of runs, the oldest first.
#[derive(Clone, Debug)]
pub(super) struct Sieve {
    /// How many words a group of runs has.
    words: usize,
    groups: VecDeque<Arc<Vec<u64>>>,
    /// How many runs have ever come before the first group,
    base: usize,
    /// before the oldest run,
    start: usize,
    /// and in all.
    end: usize,
}

impl Sieve {
    /// For runs of this many keys.
    pub(super) fn new(keys: usize) -> Sieve {
        Sieve { words: words(keys), groups: VecDeque::new(), base: 0, start: 0, end: 0 }
    }

    /// Adds a run with these keys.
    pub(super) fn push<'a>(&mut self, keys: impl Iterator<Item = &'a Half>) {
        let words = self.words;
        self.push_places(keys.flat_map(|key| places(words, key)));
    }

    /// Adds a run with these marks; returns whether they are for a sieve like this, and does
    /// nothing if they are not.
    pub(super) fn push_marks(&mut self, marks: &Marks) -> bool {
        let are_alike = marks.are_for_words(self.words);
        if are_alike {
            self.push_places(marks.places());
        }
        are_alike
    }

    fn push_places(&mut self, places: impl Iterator<Item = usize>) {
        let (group, bit) = ((self.end - self.base) / GROUP, (self.end - self.base) % GROUP);
        if group == self.groups.len() {
            self.groups.push_back(Arc::new(vec![0; self.words]));
        }
        let words = Arc::make_mut(&mut self.groups[group]);
        places.for_each(|place| words[place] |= 1 << bit);
        self.end += 1;
    }

    /// Takes the oldest run out.
    pub(super) fn pop(&mut self) {
        assert!(self.start < self.end, "there is a run");
        self.start += 1;
        if self.start - self.base == GROUP {
            self.groups.pop_front();
            self.base = self.start;
        }
    }

    /// Which runs may have a key, counted from the oldest; the newest comes first.
    pub(super) fn candidates(&self, key: &Half) -> impl Iterator<Item = usize> {
        let places: Vec<_> = places(self.words, key).collect();
        let before = self.start - self.base;
        let groups = self.groups.iter().enumerate().rev();
        groups
            .flat_map(move |(group, words)| {
                let may_have = places.iter().fold(u64::MAX, |bits, place| bits & words[*place]);
                let bits = (0..GROUP).rev().filter(move |bit| may_have & 1 << bit != 0);
                bits.map(move |bit| group * GROUP + bit)
            })
            // Runs that were taken out have left their bits.
            .filter_map(move |place| place.checked_sub(before))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    fn key(number: u64) -> Half {
        Half::of(Sha256::digest(number.to_be_bytes()).into())
    }

    fn run(number: u64, keys: u64) -> impl Iterator<Item = Half> {
        (number * keys..(number + 1) * keys).map(key)
    }

    #[test]
    fn hardly_any_key_is_taken_for_one_of_a_run() {
        let (keys, runs) = (1_000, 150);
        let mut sieve = Sieve::new(keys);
        for number in 0..runs {
            sieve.push(run(number, keys as u64).collect::<Vec<_>>().iter());
        }
        let strangers = 20_000;
        let taken: usize =
            (0..strangers).map(|number| sieve.candidates(&key(1_000_000 + number)).count()).sum();
        // One in 11,000, times 150 runs: 1.35 % of all.
        assert!((100..500).contains(&taken), "{taken}");
    }

    #[test]
    fn marks_lead_to_the_same_sieve_as_keys_and_are_refused_by_another() {
        let keys: Vec<_> = run(3, 100).collect();
        let marks = Marks::of(100, keys.iter());
        assert_eq!(Marks::from_bytes(&marks.to_bytes()), Some(marks.clone()));
        assert_eq!(Marks::from_bytes(&marks.to_bytes()[1..]), None);
        let (mut by_keys, mut by_marks) = (Sieve::new(100), Sieve::new(100));
        by_keys.push(keys.iter());
        assert!(by_marks.push_marks(&marks));
        assert_eq!(by_keys.groups, by_marks.groups);
        assert!(!Sieve::new(200).push_marks(&marks));
        // The last word has bits that no place has.
        let beyond = Marks(vec![u64::MAX; marks.0.len()]);
        assert!(!Sieve::new(100).push_marks(&beyond));
    }

    proptest! {
        #[test]
        fn a_key_is_always_found_among_the_runs_that_are_left(
            steps in prop::collection::vec(prop::bool::weighted(0.6), 0..400),
        ) {
            let (mut sieve, mut runs) = (Sieve::new(3), VecDeque::new());
            for (number, adds) in steps.into_iter().enumerate() {
                if adds {
                    sieve.push(run(number as u64, 3).collect::<Vec<_>>().iter());
                    runs.push_back(number as u64);
                } else if runs.pop_front().is_some() {
                    sieve.pop();
                }
                for (place, number) in runs.iter().enumerate() {
                    for key in run(*number, 3) {
                        let candidates: Vec<_> = sieve.candidates(&key).collect();
                        prop_assert!(candidates.contains(&place));
                        prop_assert!(candidates.iter().all(|place| *place < runs.len()));
                        prop_assert!(candidates.is_sorted_by(|newer, older| newer > older));
                    }
                }
            }
        }
    }
}
