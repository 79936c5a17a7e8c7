//! A rule that panics refuses the request instead of ending the bank: the same everywhere, since a
//! rule depends on nothing but book and request. Only what reads is guarded, so that nothing can be
//! half done.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread is going to be caught and to refuse a request. Any other must end
/// the process.
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
