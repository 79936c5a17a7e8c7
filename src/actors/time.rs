//! The node's two clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use actix::{Actor, AsyncContext, Context};

use crate::protocol::heartbeat::AWAKE_GAP_MAX_MS;
use crate::protocol::time::Millis;
use crate::watch::Micros;

/// How often the parts that wait for something look at the time, in milliseconds.
pub const TICK_MS: u64 = 100;

/// Calls `tick` every `period_ms` milliseconds during which this process is awake. An actor's timer
/// makes up at once for all ticks that it missed while the process slept: the parts that count
/// ticks would mistake those for time in which nobody else made progress.
pub(super) fn every<A>(
    period_ms: u64,
    context: &mut Context<A>,
    tick: impl Fn(&mut Context<A>) + 'static,
) where
    A: Actor<Context = Context<A>>,
{
    let mut turns = Turns { period_ms, last: Instant::now(), missed: 0 };
    context.run_interval(Duration::from_millis(period_ms), move |_, context| {
        if turns.counts(Instant::now()) {
            tick(context);
        }
    });
}

/// Tells regular ticks of a timer from those that only make up for missed ones.
struct Turns {
    period_ms: u64,
    last: Instant,
    /// How many missed ones are still to come.
    missed: u64,
}

impl Turns {
    fn counts(&mut self, now: Instant) -> bool {
        let gap = now.saturating_duration_since(self.last).as_millis() as u64;
        self.last = now;
        if gap > AWAKE_GAP_MAX_MS {
            self.missed = gap / self.period_ms;
        }
        let counts = self.missed == 0;
        self.missed = self.missed.saturating_sub(1);
        counts
    }
}

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
        u64::try_from(self.start.elapsed().as_millis())
            .expect("a node does not run for 500 million years")
    }

    /// Microseconds since the start.
    #[must_use]
    pub(crate) fn micros(self) -> Micros {
        u64::try_from(self.start.elapsed().as_micros())
            .expect("a node does not run for 500 thousand years")
    }
}

/// Milliseconds since 1970 in UTC, according to the machine; negative before. It may be wrong by
/// any amount: everything is dated with consortium time instead.
#[must_use]
pub fn unix_ms() -> i64 {
    let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => -millis(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_slept_through_do_not_count_and_a_short_delay_is_made_up_for() {
        let start = Instant::now();
        let mut turns = Turns { period_ms: 100, last: start, missed: 0 };
        let mut counted =
            |at_ms: u64| u64::from(turns.counts(start + Duration::from_millis(at_ms)));
        assert_eq!((1..=10).map(|turn| counted(turn * 100)).sum::<u64>(), 10);
        // Four turns come late.
        assert_eq!((0..4).map(|_| counted(1_400)).sum::<u64>(), 4);
        // Asleep for five seconds, and then a turn every 100 ms again.
        assert_eq!((0..50).map(|turn| counted(6_400 + turn / 10)).sum::<u64>(), 0);
        assert_eq!((1..=10).map(|turn| counted(6_400 + turn * 100)).sum::<u64>(), 10);
    }
}
