//! The figures, as text for people and as one JSON object for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::BenchArgs;
use super::growth::{Size, Table};
use super::tally::{Failures, Tally};
use crate::cli::base_url::BaseUrl;

/// The speed of the disk, for comparison with the figures.
#[derive(Debug, Serialize)]
pub(super) struct Disk {
    /// The folder that was written to.
    pub(super) folder: PathBuf,
    /// Durable appends of 4 KiB per second by one writer.
    pub(super) fsyncs_per_second: f64,
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Disk { folder, fsyncs_per_second } = self;
        write!(
            f,
            "disk       {fsyncs_per_second:.0} fsync/s (one writer, 4 KiB each, in {})",
            folder.display()
        )
    }
}

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    p90: f64,
    pub(super) p99: f64,
    #[serde(rename = "p99.9")]
    p99_9: f64,
    max: f64,
}

impl Latency {
    /// The latencies of a histogram of microseconds.
    pub(super) fn of(histogram: &Histogram<u64>) -> Latency {
        let millis = |micros: u64| micros as f64 / 1_000.0;
        let at = |quantile| millis(histogram.value_at_quantile(quantile));
        Latency {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: millis(histogram.max()),
        }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency { p50, p90, p99, p99_9, max } = self;
        write!(f, "{p50:>10.3} {p90:>10.3} {p99:>10.3} {p99_9:>10.3} {max:>10.3}")
    }
}

/// What one bank has executed.
#[derive(Debug, Serialize)]
struct Share {
    url: String,
    executed: u64,
    /// The share of all executed packages, 0 to 1.
    fraction: f64,
}

/// What a run was and what it measured. Its JSON form is what `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// `closed` or `open`.
    r#loop: &'static str,
    clients: u32,
    seconds: u32,
    warmup_seconds: u32,
    /// Packages/s that fell due, in an open loop.
    rate: Option<u32>,
    ops_per_package: u32,
    accounts: u32,
    packages_per_second: f64,
    /// Executed packages whose latency counts.
    pub(super) executed: u64,
    refused: Failures,
    failed: BTreeMap<String, Failures>,
    /// Packages that fell due in an open loop and were never sent.
    unsent: u64,
    latency_ms: Latency,
    /// In a closed loop, the latency including the packages that a slow answer kept from being
    /// sent; `None` in an open one.
    latency_corrected_ms: Option<Latency>,
    /// The longest time in which no package was executed.
    longest_pause_ms: f64,
    answered_by: Vec<Share>,
    /// How large the banks have become, where that was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sizes: Vec<Size>,
    disk: Disk,
}

impl Report {
    /// The figures of a finished run.
    pub(super) fn new(
        arguments: &BenchArgs,
        urls: &[BaseUrl],
        disk: Disk,
        (tally, unsent, time): (&Tally, u64, Duration),
    ) -> Report {
        let closed = arguments.rate.is_none();
        let executed = tally.latency.len();
        let share = |(url, executed_here): (&BaseUrl, &u64)| Share {
            url: url.to_string(),
            executed: *executed_here,
            fraction: *executed_here as f64 / executed.max(1) as f64,
        };
        Report {
            r#loop: if closed { "closed" } else { "open" },
            clients: arguments.clients,
            seconds: time.as_secs_f64().round() as u32,
            warmup_seconds: if arguments.packages.is_some() { 0 } else { arguments.warmup },
            rate: arguments.rate,
            ops_per_package: arguments.ops_per_package,
            accounts: arguments.accounts,
            packages_per_second: tally.executed_in_window as f64 / time.as_secs_f64(),
            executed,
            refused: tally.refused.clone(),
            failed: tally
                .failed
                .iter()
                .map(|(kind, failures)| (kind.to_string(), failures.clone()))
                .collect(),
            unsent,
            latency_ms: Latency::of(&tally.latency),
            latency_corrected_ms: closed.then(|| Latency::of(&corrected(&tally.latency))),
            longest_pause_ms: tally.longest_pause.as_secs_f64() * 1_000.0,
            answered_by: urls.iter().zip(&tally.executed_by_bank).map(share).collect(),
            sizes: Vec::new(),
            disk,
        }
    }

    /// The same with what the banks have become.
    pub(super) fn with_sizes(self, sizes: Vec<Size>) -> Report {
        Report { sizes, ..self }
    }

    /// One object in one line.
    pub(super) fn to_json(&self) -> String {
        let json = serde_json::to_string(self).expect("numbers and texts can be written as JSON");
        format!("{json}\n")
    }

    /// The reason given for the first package that was not executed.
    pub(super) fn first_failure(&self) -> String {
        let failed =
            self.failed.iter().map(|(kind, failures)| format!("{kind}: {}", failures.first));
        let refused = (self.refused.count > 0).then(|| format!("refused: {}", self.refused.first));
        failed
            .chain(refused)
            .next()
            .unwrap_or_else(|| "nothing was answered after the warm-up".into())
    }
}

/// A client that waits for a slow answer does not send the packages that would have waited with it.
/// They are added, as if one had been due every median latency.
fn corrected(latency: &Histogram<u64>) -> Histogram<u64> {
    latency.clone_correct(latency.value_at_quantile(0.5).max(1))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.rate {
            None => "closed loop".to_owned(),
            Some(rate) => format!("open loop of {rate} packages/s"),
        };
        let (clients, operations, accounts) = (self.clients, self.ops_per_package, self.accounts);
        writeln!(
            f,
            "load       {how}; clients: {clients}, transfers per package: {operations}, accounts: {accounts}"
        )?;
        writeln!(f, "time       {} s after {} s of warm-up", self.seconds, self.warmup_seconds)?;
        writeln!(f, "executed   {:.1} packages/s", self.packages_per_second)?;
        for Share { url, fraction, .. } in &self.answered_by {
            writeln!(f, "           {:5.1} % by {url}", fraction * 100.0)?;
        }
        self.write_failures(f)?;
        let titles =
            ["p50", "p90", "p99", "p99.9", "max"].map(|title| format!("{title:>10}")).join(" ");
        writeln!(f, "latency ms {titles}")?;
        match self.latency_corrected_ms {
            None => writeln!(f, "since due  {}", self.latency_ms)?,
            Some(corrected) => {
                writeln!(f, "measured   {}", self.latency_ms)?;
                writeln!(
                    f,
                    "corrected  {corrected}  for coordinated omission, a package due every median"
                )?;
            }
        }
        writeln!(f, "pause      {:.1} ms at the longest", self.longest_pause_ms)?;
        if self.sizes.is_empty() { Ok(()) } else { write!(f, "{}", Table(&self.sizes)) }
    }
}

impl Report {
    fn write_failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = |failures: &Failures| match failures.count {
            0 => String::new(),
            _ => format!(", first: {}", failures.first),
        };
        writeln!(f, "refused    {}{}", self.refused.count, first(&self.refused))?;
        let failed: u64 = self.failed.values().map(|failures| failures.count).sum();
        writeln!(f, "failed     {failed}")?;
        for (kind, failures) in &self.failed {
            writeln!(f, "           {} {kind}{}", failures.count, first(failures))?;
        }
        if self.rate.is_some() {
            writeln!(
                f,
                "unsent     {} fell due while all clients waited for answers",
                self.unsent
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(micros: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_max(3_600_000_000, 3).unwrap();
        micros.into_iter().for_each(|micros| histogram.record(micros).unwrap());
        histogram
    }

    #[test]
    fn latencies_are_reported_in_milliseconds() {
        let latency = Latency::of(&histogram(1..=1_000));
        let expected = Latency { p50: 0.5, p90: 0.9, p99: 0.99, p99_9: 0.999, max: 1.0 };
        assert_eq!(latency, expected);
        assert_eq!(Latency::of(&histogram([])).max, 0.0);
    }

    #[test]
    fn a_pause_weighs_as_much_as_the_packages_that_it_held_up() {
        // 999 packages took 1 ms and one waited a second: during that second 999 more would have
        // waited.
        let measured = histogram(std::iter::repeat_n(1_000, 999).chain([1_000_000]));
        let (before, after) = (Latency::of(&measured), Latency::of(&corrected(&measured)));
        assert_eq!(before.p99, 1.0);
        assert!(after.p99 > 900.0, "{after:?}");
        assert_eq!(after.max, before.max);
    }

    #[test]
    fn an_empty_histogram_is_still_empty_after_correction() {
        assert_eq!(corrected(&histogram([])).len(), 0);
    }
}
