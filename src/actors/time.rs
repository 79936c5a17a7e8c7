//! The node's two clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

/// Milliseconds since 1970 in UTC, as the machine believes it; negative before. It may be wrong by any amount: what
/// anything is dated with is consortium time.
#[must_use]
pub fn unix_ms() -> i64 {
    let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => -millis(before.duration()),
    }
}
