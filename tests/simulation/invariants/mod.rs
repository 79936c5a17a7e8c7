//! What must hold whatever breaks; one file a property.
//!
//! | property | source | file |
//! |---|---|---|
//! | all banks execute the same events at the same positions, with the same hash; keys only grow | `protocol.md`, Normal case 5 | `order.rs` |
//! | an answer tells what stands in the common order; a request takes effect once; what was 'not taken' never does | `protocol.md`, Customers | `answers.rs` |
//! | money is neither made nor lost, no balance is negative, a refused package leaves nothing | the 'sums' | `sums.rs` |
//! | once a view has begun, no earlier one executes anything beyond where it began | `protocol.md`, View change | `views.rs` |
//! | what was answered is on the disks of a majority | `protocol.md`, 'Why nothing executed is lost' | `durable.rs` |
//!
//! That writes go through again once the faults have ended is judged in `liveness.rs`.

pub(crate) mod answers;
pub(crate) mod durable;
pub(crate) mod order;
pub(crate) mod sums;
pub(crate) mod views;

use std::fmt;

use self::answers::Answers;
use self::order::CommonOrder;
use self::sums::Sums;
use self::views::Views;

/// A property that did not hold.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) invariant: &'static str,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

pub(crate) type Verdict = Result<(), Violation>;

/// Holds unless `is_so` is false.
pub(crate) fn must(is_so: bool, invariant: &'static str, what: impl FnOnce() -> String) -> Verdict {
    if is_so { Ok(()) } else { Err(Violation { invariant, what: what() }) }
}

/// All that the judges remember; nothing that breaks touches it.
#[derive(Debug, Default)]
pub(crate) struct Invariants {
    pub(crate) order: CommonOrder,
    pub(crate) answers: Answers,
    pub(crate) sums: Sums,
    pub(crate) views: Views,
}
