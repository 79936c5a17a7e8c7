//! What is remembered of many, of whom only so many: when the table is full, the half that was
//! quiet for longest is forgotten.

use std::collections::BTreeMap;

use crate::protocol::time::Millis;

/// A table of limited size.
pub(crate) struct Table<K, V> {
    entries: BTreeMap<K, (V, Millis)>,
    entries_max: usize,
}

impl<K: Ord + Clone, V: Default> Table<K, V> {
    /// An empty table.
    #[must_use]
    pub(crate) fn new(entries_max: usize) -> Self {
        Table { entries: BTreeMap::new(), entries_max }
    }

    /// What is known of somebody; the default of somebody new.
    pub(crate) fn of(&mut self, key: &K, now: Millis) -> &mut V {
        if !self.entries.contains_key(key) && self.entries.len() >= self.entries_max {
            self.forget_half();
        }
        let (value, touched) =
            self.entries.entry(key.clone()).or_insert_with(|| (V::default(), now));
        *touched = now;
        value
    }

    fn forget_half(&mut self) {
        let mut times: Vec<_> = self.entries.values().map(|(_, touched)| *touched).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let (median, mut among_equals) = (*median, middle + 1);
        // Many may have been touched at the same time.
        let earlier = self.entries.values().filter(|(_, touched)| *touched < median).count();
        among_equals -= earlier;
        self.entries.retain(|_, (_, touched)| {
            let is_median = *touched == median;
            among_equals -= usize::from(is_median && among_equals > 0);
            *touched > median || is_median && among_equals == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_forgets_those_who_were_quiet_for_longest() {
        let mut table: Table<u32, u32> = Table::new(4);
        (0..4).for_each(|key| *table.of(&key, key.into()) = key + 1);
        table.of(&0, 10);
        *table.of(&4, 11) = 5;
        assert!(table.entries.len() <= 3);
        assert_eq!((*table.of(&0, 12), *table.of(&4, 12)), (1, 5));
        assert_eq!(*table.of(&1, 12), 0, "it was forgotten");
    }

    #[test]
    fn it_never_grows_beyond_its_bound_whenever_its_entries_come() {
        for step in [0, 1] {
            let mut table: Table<u32, u32> = Table::new(8);
            for key in 0..100 {
                table.of(&key, (key * step).into());
                assert!(table.entries.len() <= 8);
            }
            assert!(table.entries.len() >= 3);
        }
    }
}
