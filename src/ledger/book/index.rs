//! Finding an element of a [`Chunks`](super::chunks::Chunks) by what it is called.
//!
//! A hash table that has only the places of the elements: the names stand in the elements
//! themselves, and there may be millions. It is cut into shards, so that growing stops nobody for
//! longer than one of them takes. Nothing depends on the order of its entries.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// How many tables the entries are spread over. The first gets twice as many of them as the last:
/// tables double when they are full, and so they do not all at once, and memory grows with what is
/// in them.
const SHARDS: usize = 256;
/// The bits of a hash that choose the table.
const CHOICES: u64 = 1 << 16;

/// Places by name.
#[derive(Clone, Debug)]
pub(super) struct Index<P> {
    shards: Vec<HashTable<P>>,
    /// Names are chosen by customers, who must not be able to make them collide. What is found does
    /// not depend on it.
    hasher: RandomState,
}

impl<P> Default for Index<P> {
    fn default() -> Self {
        let shards = std::iter::repeat_with(HashTable::new).take(SHARDS).collect();
        Index { shards, hasher: RandomState::new() }
    }
}

/// Which shard an entry is in, by bits that the tables do not use: they choose a place by the
/// lowest ones, and keep the highest seven to tell apart what has come to the same place.
fn shard(hash: u64) -> usize {
    let choice = (hash >> 40) % CHOICES;
    (SHARDS as u64 * choice * (2 * CHOICES + choice) / (3 * CHOICES * CHOICES)) as usize
}

/// How many of the choices [`shard`] maps to a table, more or less.
fn choices(shard: usize) -> u64 {
    let first = |shard: usize| {
        (CHOICES * CHOICES + 3 * CHOICES * CHOICES / SHARDS as u64 * shard as u64).isqrt()
    };
    first(shard + 1) - first(shard)
}

impl<P: Copy> Index<P> {
    /// Makes room for this many places in an index that is empty, so that it need not grow step by
    /// step.
    pub(super) fn reserve(&mut self, count: usize) {
        for shard in 0..SHARDS {
            // A little more than comes on average: few tables grow then.
            let expected = (count as u64 * choices(shard) / CHOICES) as usize;
            self.shards[shard].reserve(expected + 2 * expected.isqrt(), |_| 0);
        }
    }

    /// The place of the element with this name; `is_it` says whether the element at a place has it.
    pub(super) fn find(&self, name: &impl Hash, is_it: impl Fn(P) -> bool) -> Option<P> {
        let hash = self.hasher.hash_one(name);
        self.shards[shard(hash)].find(hash, |place| is_it(*place)).copied()
    }

    /// Shows the places of all elements that may have this name.
    pub(super) fn each(&self, name: &impl Hash, mut show: impl FnMut(P)) {
        let hash = self.hasher.hash_one(name);
        self.shards[shard(hash)].iter_hash(hash).for_each(|place| show(*place));
    }

    /// Adds the place of an element whose name is new; `name_at` gives the names at other places.
    pub(super) fn insert<N: Hash>(&mut self, name: &N, place: P, name_at: impl Fn(P) -> N) {
        let Index { shards, hasher } = self;
        let hash = hasher.hash_one(name);
        shards[shard(hash)].insert_unique(hash, place, |place| hasher.hash_one(name_at(*place)));
    }

    /// Adds the place of an element unless there is one with this name; returns whether there was
    /// none. `is_it` says whether the element at a place has the name, `name_at` gives the names.
    pub(super) fn insert_new<N: Hash>(
        &mut self,
        name: &N,
        place: P,
        is_it: impl Fn(P) -> bool,
        name_at: impl Fn(P) -> N,
    ) -> bool {
        let Index { shards, hasher } = self;
        let hash = hasher.hash_one(name);
        let name_at = |place: &P| hasher.hash_one(name_at(*place));
        match shards[shard(hash)].entry(hash, |place| is_it(*place), name_at) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(place);
                true
            }
        }
    }

    /// Takes the place of the element with this name out.
    pub(super) fn remove(&mut self, name: &impl Hash, is_it: impl Fn(P) -> bool) {
        let hash = self.hasher.hash_one(name);
        let found = self.shards[shard(hash)].find_entry(hash, |place| is_it(*place));
        if let Ok(entry) = found {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hardly_any_name_is_looked_at_but_the_one_that_is_sought() {
        let mut index = Index::default();
        (0..100_000_usize).for_each(|name| index.insert(&name, name, |place| place));
        let looked_at = Cell::new(0);
        for name in 0..100_000 {
            let found = index.find(&name, |place| {
                looked_at.set(looked_at.get() + 1);
                place == name
            });
            assert_eq!(found, Some(name));
        }
        assert!(looked_at.get() < 120_000, "{}", looked_at.get());
    }

    #[test]
    fn tables_get_the_share_that_is_reserved_for_them_and_the_first_twice_that_of_the_last() {
        let mut counts = [0_u32; SHARDS];
        (0..CHOICES).for_each(|choice| counts[shard(choice << 40)] += 1);
        for (shard, count) in counts.into_iter().enumerate() {
            assert!(u64::from(count).abs_diff(choices(shard)) <= 2, "{shard}: {count}");
        }
        assert!(counts[0].abs_diff(2 * counts[SHARDS - 1]) <= 4, "{counts:?}");
    }

    proptest! {
        #[test]
        fn it_finds_what_a_map_finds(
            steps in prop::collection::vec((0..3_u8, 0..500_u32), 0..2_000),
        ) {
            let (mut index, mut map) = (Index::default(), BTreeMap::new());
            let mut names = Vec::new();
            for (step, number) in steps {
                let name = format!("name {number}");
                let found = index.find(&name.as_str(), |place: usize| names[place] == name);
                prop_assert_eq!(found, map.get(&name).copied());
                match step {
                    0 => {
                        index.remove(&name.as_str(), |place| names[place] == name);
                        map.remove(&name);
                    }
                    _ if found.is_none() => {
                        let place = names.len();
                        names.push(name.clone());
                        let name_at = |place: usize| names[place].as_str();
                        if step == 1 {
                            index.insert(&name.as_str(), place, name_at);
                        } else {
                            let is_it = |other: usize| other != place && names[other] == name;
                            prop_assert!(index.insert_new(&name.as_str(), place, is_it, name_at));
                        }
                        map.insert(name, place);
                    }
                    2 => {
                        let is_it = |place: usize| names[place] == name;
                        let name_at = |place: usize| names[place].as_str();
                        prop_assert!(!index.insert_new(&name.as_str(), usize::MAX, is_it, name_at));
                    }
                    _ => {}
                }
            }
        }
    }
}
