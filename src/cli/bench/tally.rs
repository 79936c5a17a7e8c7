//! The results of the packages: counts, latencies, and the first message of every kind of failure.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// The longest latency that can be recorded, in microseconds: one hour.
const LATENCY_MAX_US: u64 = 3_600_000_000;
/// Decimal digits to which latencies are exact.
const LATENCY_DIGITS: u8 = 3;

/// The time that is measured, after the warm-up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// What is answered earlier does not count.
    pub(super) from: Instant,
    /// What is answered later counts for the latency but not for the rate: otherwise the slowest
    /// would be left out of the latency.
    pub(super) until: Instant,
}

/// The result of one package.
#[derive(Debug)]
pub(super) enum Answer {
    /// 200
    Executed,
    /// 400, and why.
    Refused(String),
    /// Anything else.
    Failed {
        /// What kind of failure: a status, `timeout`, `connection`, …
        kind: Cow<'static, str>,
        /// What the bank or the system said.
        said: String,
    },
}

/// How often something happened, and the message from the first time.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct Failures {
    /// How often.
    pub(super) count: u64,
    /// The message from the first time.
    pub(super) first: String,
}

impl Failures {
    fn add(&mut self, said: String) {
        if self.count == 0 {
            self.first = said;
        }
        self.count += 1;
    }
}

/// The sum of all answers.
pub(super) struct Tally {
    window: Window,
    /// The latencies of the executed packages, in microseconds.
    pub(super) latency: Histogram<u64>,
    /// Executed and answered before the window's end.
    pub(super) executed_in_window: u64,
    /// Executed packages by the bank that was asked.
    pub(super) executed_by_bank: Vec<u64>,
    /// Packages that the ledger refused.
    pub(super) refused: Failures,
    /// Packages without an outcome, by kind.
    pub(super) failed: BTreeMap<Cow<'static, str>, Failures>,
    /// Executed since the start, warm-up included: what the progress shows.
    pub(super) executed_so_far: u64,
    /// When the last package was executed,
    last: Option<Instant>,
    /// and the longest time between two of them within the window.
    pub(super) longest_pause: Duration,
}

impl Tally {
    /// Nothing yet.
    pub(super) fn new(banks: usize, window: Window) -> Self {
        let latency = Histogram::new_with_max(LATENCY_MAX_US, LATENCY_DIGITS)
            .expect("the bounds are constants that fit");
        Tally {
            window,
            latency,
            executed_in_window: 0,
            executed_by_bank: vec![0; banks],
            refused: Failures::default(),
            failed: BTreeMap::new(),
            executed_so_far: 0,
            last: None,
            longest_pause: Duration::ZERO,
        }
    }

    /// The time that is measured.
    pub(super) fn window(&self) -> Window {
        self.window
    }

    /// Counts the answer to a package that was due at one moment and answered at another.
    pub(super) fn record(&mut self, bank: usize, due: Instant, answered: Instant, answer: Answer) {
        if matches!(answer, Answer::Executed) {
            self.executed_so_far += 1;
        }
        if answered < self.window.from {
            return;
        }
        match answer {
            Answer::Executed => {
                let latency_us = answered.saturating_duration_since(due).as_micros();
                self.latency.saturating_record(u64::try_from(latency_us).unwrap_or(u64::MAX));
                self.executed_by_bank[bank] += 1;
                if answered < self.window.until {
                    let last = self.last.replace(answered).unwrap_or(answered);
                    let pause = answered.saturating_duration_since(last);
                    self.longest_pause = self.longest_pause.max(pause);
                }
                self.executed_in_window += u64::from(answered < self.window.until);
            }
            Answer::Refused(descript) => self.refused.add(descript),
            Answer::Failed { kind, said } => self.failed.entry(kind).or_default().add(said),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_answers_count_towards_latency_but_not_towards_the_rate() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut tally = Tally::new(2, Window { from: at(100), until: at(200) });
        tally.record(0, at(0), at(99), Answer::Executed);
        tally.record(0, at(50), at(100), Answer::Executed);
        tally.record(1, at(150), at(199), Answer::Executed);
        tally.record(1, at(150), at(1_150), Answer::Executed);
        assert_eq!(
            (tally.executed_so_far, tally.executed_in_window, tally.latency.len()),
            (4, 2, 3)
        );
        assert_eq!(tally.executed_by_bank, [1, 2]);
        assert!(tally.latency.equivalent(tally.latency.max(), 1_000_000));
        assert_eq!(tally.longest_pause, Duration::from_millis(99));
    }

    #[test]
    fn failures_are_counted_by_kind_with_the_first_words_and_never_as_latency() {
        let now = Instant::now();
        let mut tally = Tally::new(1, Window { from: now, until: now + Duration::from_secs(1) });
        for (kind, said) in [("503", "a"), ("timeout", "b"), ("503", "c")] {
            tally.record(0, now, now, Answer::Failed { kind: kind.into(), said: said.into() });
        }
        tally.record(0, now, now, Answer::Refused("d".into()));
        assert_eq!(tally.failed["503"], Failures { count: 2, first: "a".into() });
        assert_eq!(tally.failed["timeout"].count, 1);
        assert_eq!(tally.refused, Failures { count: 1, first: "d".into() });
        assert_eq!(tally.latency.len(), 0);
    }
}
