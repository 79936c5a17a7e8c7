//! The memory that bodies of requests may take while they arrive and are read.
//!
//! Large bodies may fill half of it: what somebody sends slowly and without end leaves room for the
//! small requests of all others.

use std::collections::BTreeMap;

use super::Origin;

/// A body up to this size may use the memory that is kept from larger ones, in bytes.
const SMALL_BYTES: usize = 16 * 1_024;
/// The part of the memory that a single address may use.
const ADDRESS_PART: usize = 4;

/// Why a body finds no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// All bodies together take too much.
    AtTheBank,
    /// Those from this address do.
    ForTheAddress,
}

/// How much of the memory is in use.
#[derive(Debug)]
pub(crate) struct Bodies {
    bytes: usize,
    bytes_max: usize,
    per_address: BTreeMap<Origin, usize>,
}

impl Bodies {
    /// A memory of that many bytes.
    #[must_use]
    pub(crate) fn new(bytes_max: usize) -> Self {
        Bodies { bytes: 0, bytes_max, per_address: BTreeMap::new() }
    }

    /// A body that has come to `size` bytes takes `more` of the memory.
    pub(crate) fn take(
        &mut self,
        from: Option<Origin>,
        size: usize,
        more: usize,
    ) -> Result<(), NoRoom> {
        let is_small = size <= SMALL_BYTES;
        let bytes_max = if is_small { self.bytes_max } else { self.bytes_max / 2 };
        if self.bytes + more > bytes_max {
            return Err(NoRoom::AtTheBank);
        }
        if let Some(from) = from {
            let of_address = self.per_address.get(&from).copied().unwrap_or(0);
            if of_address + more > self.bytes_max / ADDRESS_PART {
                return Err(NoRoom::ForTheAddress);
            }
            self.per_address.insert(from, of_address + more);
        }
        self.bytes += more;
        Ok(())
    }

    /// A body of that size is no longer needed.
    pub(crate) fn give_back(&mut self, from: Option<Origin>, size: usize) {
        self.bytes = self.bytes.saturating_sub(size);
        if let Some(from) = from
            && let Some(of_address) = self.per_address.get_mut(&from)
        {
            *of_address = of_address.saturating_sub(size);
            if *of_address == 0 {
                self.per_address.remove(&from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: usize = 64 * SMALL_BYTES;

    fn from(last: u8) -> Option<Origin> {
        Origin::of([192, 0, 2, last].into(), false)
    }

    #[test]
    fn large_bodies_leave_room_for_small_ones() {
        let mut bodies = Bodies::new(MEMORY);
        let large = 4 * SMALL_BYTES;
        (0..8).for_each(|_| assert_eq!(bodies.take(None, large, large), Ok(())));
        assert_eq!(bodies.take(None, large, large), Err(NoRoom::AtTheBank));
        (0..32).for_each(|_| assert_eq!(bodies.take(None, SMALL_BYTES, SMALL_BYTES), Ok(())));
        assert_eq!(bodies.take(None, 1, 1), Err(NoRoom::AtTheBank));
        bodies.give_back(None, SMALL_BYTES);
        assert_eq!(bodies.take(None, 1, 1), Ok(()));
    }

    #[test]
    fn one_address_leaves_room_for_others() {
        let mut bodies = Bodies::new(MEMORY);
        let share = MEMORY / ADDRESS_PART;
        (0..16).for_each(|_| bodies.take(from(1), SMALL_BYTES, SMALL_BYTES).unwrap());
        assert_eq!(bodies.take(from(1), 1, 1), Err(NoRoom::ForTheAddress));
        assert_eq!(bodies.take(from(2), 1, 1), Ok(()));
        bodies.give_back(from(2), 1);
        bodies.give_back(from(1), share);
        assert_eq!(bodies.take(from(1), 1, 1), Ok(()));
        bodies.give_back(from(1), 1);
        assert!(bodies.per_address.is_empty() && bodies.bytes == 0);
    }
}
