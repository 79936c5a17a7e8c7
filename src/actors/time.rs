//! The node's two clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::protocol::effect::Millis;
use crate::watch::Micros;

/// How often the parts that wait for something look at the time, in milliseconds.
pub const TICK_MS: u64 = 100;

/// A clock that only goes forward, the same for all actors of a node.
#[derive(Clone, Copy, Debug)]
pub struct Monotonic {
    start: Instant,
}

impl Monotonic {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Monotonic { start: Instant::now() }
    }

    /// Milliseconds since the start.
    #[must_use]
    pub fn now(self) -> Millis {
        u64::try_from(self.start.elapsed().as_millis()).expect("a node does not run for 500 million years")
    }

    /// Microseconds since the start.
    #[must_use]
    pub fn micros(self) -> Micros {
        u64::try_from(self.start.elapsed().as_micros()).expect("a node does not run for 500 thousand years")
    }
}

/// Milliseconds since 1970 in UTC, as the machine believes it: what a request is dated with.
#[must_use]
pub fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
