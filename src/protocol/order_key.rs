//! The total order of events, and why it is one.
//!
//! An event that happened before another has a timestamp that is smaller in at least one component
//! and larger in none, hence a smaller sum: the order keeps causality. Concurrent events with equal
//! sums go by bank number, as the requirement asks. Comparing pairs 'by causality, else by bank
//! number' looks alike but is not transitive (the test below has three events that it orders in a
//! circle), so it is not an order at all.

use serde::{Deserialize, Serialize};

use crate::ids::{Ballot, BankId};

/// Where an event stands in the common order. Two events of one consortium never share a key: for
/// the same view and sender, the counter grows, and the sum with it.
///
/// ```
/// use netbanking::ids::{Ballot, BankId};
/// use netbanking::protocol::order_key::OrderKey;
///
/// let key = |sum, sender| OrderKey { view: Ballot::default(), sum, sender: BankId(sender) };
/// assert!(key(3, 2) < key(4, 0), "first the sum of the timestamp");
/// assert!(key(4, 0) < key(4, 1), "then the bank, for concurrent events");
/// let later = OrderKey { view: Ballot { round: 1, coordinator: BankId(0) }, ..key(1, 0) };
/// assert!(key(4, 1) < later, "and all of a view before all of the next");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderKey {
    /// Views follow one another.
    pub view: Ballot,
    /// Sum of the timestamp's components.
    pub sum: u64,
    /// The sender, for concurrent events.
    pub sender: BankId,
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;
    use crate::protocol::vector_clock::VectorClock;

    fn key(sender: u16, timestamp: [u64; 3]) -> OrderKey {
        OrderKey {
            view: Ballot::default(),
            sum: VectorClock::from(timestamp.to_vec()).sum(),
            sender: BankId(sender),
        }
    }

    #[test]
    fn the_requirements_example_of_four_events_is_executed_in_causal_order() {
        // Process 0 sends a; process 1 has it and sends b; process 2 has both and sends c; process
        // 0 has all three and sends d.
        let [a, b, c, d] =
            [key(0, [1, 0, 0]), key(1, [1, 1, 0]), key(2, [1, 1, 1]), key(0, [2, 1, 1])];
        let mut arrived = vec![d, b, a, c];
        arrived.sort();
        assert_eq!(arrived, [a, b, c, d]);
    }

    #[test]
    fn concurrent_events_with_equal_sums_go_by_bank_number() {
        assert!(key(0, [1, 0, 0]) < key(1, [0, 1, 0]));
        assert!(key(1, [0, 1, 0]) < key(2, [0, 0, 1]));
    }

    #[test]
    fn comparing_pairs_by_causality_then_bank_number_goes_in_a_circle_but_the_key_does_not() {
        let pairwise = |(sender_a, a): (u16, [u64; 3]), (sender_b, b): (u16, [u64; 3])| {
            let by_cause =
                VectorClock::from(a.to_vec()).partial_cmp(&VectorClock::from(b.to_vec()));
            by_cause.unwrap_or_else(|| sender_a.cmp(&sender_b))
        };
        // x happened before z; y is concurrent with both, and its bank's number lies between
        // theirs.
        let (x, y, z) = ((2, [0, 0, 1]), (1, [0, 1, 0]), (0, [1, 0, 1]));
        assert_eq!(pairwise(x, z), Ordering::Less);
        assert_eq!(pairwise(z, y), Ordering::Less);
        assert_eq!(pairwise(y, x), Ordering::Less, "x < z < y < x");

        let [x, y, z] = [x, y, z].map(|(sender, timestamp)| key(sender, timestamp));
        assert!(y < x && x < z && y < z);
    }
}
