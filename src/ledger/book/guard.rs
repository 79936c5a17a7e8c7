//! A rule that panics refuses the request instead of ending the process: the same at every bank,
//! since a rule depends on nothing but the book and the request. Only code that reads is guarded,
//! so nothing can be left half done.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread will be caught and turned into a refusal. Any other panic must
/// end the process.
#[must_use]
pub(crate) fn is_guarded() -> bool {
    GUARDED.get()
}

/// What `decide` answers; `None` if it panics. It must write nothing.
pub(super) fn guarded<T>(decide: impl FnOnce() -> T) -> Option<T> {
    GUARDED.set(true);
    let decided = catch_unwind(AssertUnwindSafe(decide));
    GUARDED.set(false);
    decided.ok()
}
