//! How fast it goes: requests executed per second, and how long this bank's events take until all
//! agree.

use std::collections::VecDeque;

use super::Micros;

/// The time over which requests are counted.
const COUNTED_US: Micros = 2_000_000;
/// How long a latency counts.
const LATENCY_US: Micros = 10_000_000;
/// The most latencies that are kept.
const LATENCIES_MAX: usize = 512;
/// Executions within this time are counted together.
const MOMENT_US: Micros = 50_000;

/// Counts what was executed lately.
#[derive(Debug, Default)]
pub(super) struct Pace {
    executed: VecDeque<(Micros, u64)>,
    latencies: VecDeque<(Micros, Micros)>,
}

impl Pace {
    pub(super) fn executed(&mut self, at: Micros, requests: u32) {
        match self.executed.back_mut() {
            Some((moment, count)) if at < *moment + MOMENT_US => *count += u64::from(requests),
            _ => self.executed.push_back((at, requests.into())),
        }
        while self.executed.front().is_some_and(|(moment, _)| *moment + COUNTED_US < at) {
            self.executed.pop_front();
        }
    }

    pub(super) fn agreed(&mut self, at: Micros, latency: Micros) {
        if self.latencies.len() == LATENCIES_MAX {
            self.latencies.pop_front();
        }
        self.latencies.push_back((at, latency));
    }

    /// Requests per second.
    pub(super) fn rate(&self, now: Micros) -> u64 {
        let lately = self
            .executed
            .iter()
            .filter(|(moment, _)| *moment + COUNTED_US >= now && *moment <= now);
        lately.map(|(_, count)| count).sum::<u64>() * 1_000_000 / COUNTED_US
    }

    /// Median and 99th percentile, if anything was agreed lately.
    pub(super) fn latency(&self, now: Micros) -> Option<(Micros, Micros)> {
        let lately = self.latencies.iter().filter(|(at, _)| *at + LATENCY_US >= now && *at <= now);
        let mut sorted: Vec<_> = lately.map(|(_, latency)| *latency).collect();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        Some((sorted[last / 2], sorted[last * 99 / 100]))
    }
}
