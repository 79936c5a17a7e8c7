//! Finding an element of a [`Chunks`](super::chunks::Chunks) by what it is called.
//!
//! A hash table that has only the places of the elements: the names stand in the elements
//! themselves, and there may be millions. It is cut into shards, so that growing stops nobody for
//! longer than one of them takes. Nothing depends on the order of its entries.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;

/// How many tables the entries are spread over.
const SHARDS: usize = 256;

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
    ((hash >> 40) % SHARDS as u64) as usize
}

impl<P: Copy> Index<P> {
    /// Makes room for this many places in an index that is empty, so that it need not grow step by
    /// step.
    pub(super) fn reserve(&mut self, count: usize) {
        let each = (count + count / 8) / SHARDS;
        (0..SHARDS).for_each(|shard| self.shards[shard].reserve(each, |_| 0));
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
                        index.insert(&name.as_str(), place, |place| names[place].as_str());
                        map.insert(name, place);
                    }
                    _ => {}
                }
            }
        }
    }
}
