//! When packages are sent: at once after the last answer (closed loop), or by the clock (open
//! loop).

use std::cell::Cell;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// How long after the schedule's end clients may still take packages that fell due before it: a
/// free client needs a moment to wake up.
const LAST_CALL: Duration = Duration::from_millis(100);

/// When the packages of an open loop fall due: evenly, from the start on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// When the first package falls due.
    pub(super) start: Instant,
    /// Nothing falls due from here on.
    pub(super) until: Instant,
    /// Packages per second; never 0.
    pub(super) rate_per_second: u32,
}

impl Schedule {
    /// When the package with this place in the schedule, counted from 0, falls due.
    fn due(&self, index: u64) -> Instant {
        let rate = u64::from(self.rate_per_second);
        let nanos = index % rate * 1_000_000_000 / rate;
        self.start + Duration::from_secs(index / rate) + Duration::from_nanos(nanos)
    }

    /// How many packages fall due.
    fn packages(&self) -> u64 {
        let time = self.until.saturating_duration_since(self.start);
        let nanos = time.as_nanos() * u128::from(self.rate_per_second);
        u64::try_from(nanos.div_ceil(1_000_000_000)).unwrap_or(u64::MAX)
    }

    /// Lets one more package go whenever one falls due, and says when there will be no more. Runs
    /// on a thread of its own, since the timers of the async runtime only have millisecond
    /// precision.
    fn follow(self, due: &Semaphore) {
        for index in 0..self.packages() {
            thread::sleep(self.due(index).saturating_duration_since(Instant::now()));
            due.add_permits(1);
        }
        thread::sleep((self.until + LAST_CALL).saturating_duration_since(Instant::now()));
        due.close();
    }
}

/// Tells clients when to send.
pub(super) enum Pace {
    /// At once, until the end.
    Closed {
        /// Nothing is sent from here on.
        until: Instant,
    },
    /// At once, so many.
    Counted {
        /// How many are still to be sent.
        left: Cell<u64>,
    },
    /// By a schedule that all clients share.
    Open {
        /// When packages fall due.
        schedule: Schedule,
        /// One permit for every package that is due and not yet sent; closed at the end.
        due: Arc<Semaphore>,
        /// The place of the next package to be sent.
        next: Cell<u64>,
    },
}

impl Pace {
    /// Every client sends when its last package is answered.
    pub(super) fn closed(until: Instant) -> Pace {
        Pace::Closed { until }
    }

    /// Every client sends when its last package is answered, so many in all.
    pub(super) fn counted(packages: u64) -> Pace {
        Pace::Counted { left: Cell::new(packages) }
    }

    /// Packages fall due by the schedule; a free client takes the one that has waited longest.
    pub(super) fn open(schedule: Schedule) -> Pace {
        let due = Arc::new(Semaphore::new(0));
        let of_thread = Arc::clone(&due);
        thread::spawn(move || schedule.follow(&of_thread));
        Pace::Open { schedule, due, next: Cell::new(0) }
    }

    /// Waits until a package may be sent and returns when it was due, from which its latency
    /// counts; `None` at the end.
    pub(super) async fn next(&self) -> Option<Instant> {
        match self {
            Pace::Closed { until } => Some(Instant::now()).filter(|now| now < until),
            Pace::Counted { left } => {
                left.set(left.get().checked_sub(1)?);
                Some(Instant::now())
            }
            Pace::Open { schedule, due, next } => {
                due.acquire().await.ok()?.forget();
                let index = next.get();
                next.set(index + 1);
                Some(schedule.due(index))
            }
        }
    }

    /// How many packages fell due and were never sent, because all clients were still waiting for
    /// answers.
    pub(super) fn unsent(&self) -> u64 {
        match self {
            Pace::Closed { .. } | Pace::Counted { .. } => 0,
            Pace::Open { schedule, next, .. } => schedule.packages() - next.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rate_per_second: u32, time: Duration) -> Schedule {
        let start = Instant::now();
        Schedule { start, until: start + time, rate_per_second }
    }

    #[test]
    fn packages_fall_due_evenly_and_do_not_drift() {
        let plan = schedule(3, Duration::from_secs(10));
        let due_ms = |index| (plan.due(index) - plan.start).as_millis();
        assert_eq!([0, 1, 2, 3, 3_000_000].map(due_ms), [0, 333, 666, 1_000, 1_000_000_000]);
        assert_eq!(plan.packages(), 30);
        assert!(plan.due(29) < plan.until && plan.due(30) >= plan.until);
        assert_eq!(schedule(1_000_000, Duration::from_secs(3_600)).packages(), 3_600_000_000);
        assert_eq!(schedule(1, Duration::from_millis(1)).packages(), 1);
    }

    #[actix_rt::test]
    async fn a_late_client_gets_the_time_at_which_the_package_was_due() {
        let plan = schedule(1_000, Duration::from_millis(300));
        let pace = Pace::open(plan);
        assert_eq!(pace.next().await, Some(plan.start));
        actix_rt::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(pace.next().await, Some(plan.due(1)));
        actix_rt::time::sleep(Duration::from_millis(300) + 2 * LAST_CALL).await;
        assert_eq!(pace.next().await, None, "at the end nothing more is sent");
        assert_eq!(pace.unsent(), 298);
    }

    #[actix_rt::test]
    async fn nothing_is_sent_before_it_is_due() {
        let plan = schedule(100, Duration::from_millis(100));
        let pace = Pace::open(plan);
        while let Some(due) = pace.next().await {
            assert!(due <= Instant::now());
        }
        assert_eq!(pace.unsent(), 0, "a client that is free takes everything");
    }

    #[actix_rt::test]
    async fn a_closed_loop_goes_on_until_the_end() {
        let now = Instant::now();
        assert!(Pace::closed(now + Duration::from_secs(60)).next().await.is_some());
        assert!(Pace::closed(now).next().await.is_none());
    }
}
