//! Chaos on real processes: consortia under load whose banks are killed, paused, cut off, filled up
//! and wiped, then healed and judged. Without arguments there is one short run, so that `cargo
//! test` includes it; for more:
//!
//! ```text
//! cargo test --test chaos -- --banks 3 --runs 20 --seconds 60 --seed 1
//! cargo test --release --test chaos -- --measure-stops
//! cargo test --release --test chaos -- --banks 5 --restarts 30
//! cargo test --release --test chaos -- --measure-gray
//! ```

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

mod consortium;
#[path = "../customers/mod.rs"]
mod customers;
mod dates;
mod disk;
mod faults;
mod gray;
mod load;
#[path = "../processes/mod.rs"]
mod processes;
#[path = "../random/mod.rs"]
mod random;
mod restarts;
mod rights;
mod run;
#[path = "../consortium/slow_calls.rs"]
mod slow_calls;
mod stops;
mod verdict;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::run::Report;

/// Ill-treats consortia, and shows what comes of it.
#[derive(Parser)]
struct Options {
    /// Banks of the consortium
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(3..=9))]
    banks: u8,
    /// Runs, each with the next seed
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// How long faults happen in a run
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// What the faults of the first run are drawn from; the default draws many kinds of them in
    /// 15 seconds
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Measure how long customers wait when a bank fails, and how soon it is back; best with
    /// --release
    #[arg(long)]
    measure_stops: bool,
    /// Restart one bank this many times under load, and measure what that costs the customers of
    /// the others
    #[arg(long)]
    restarts: Option<u64>,
    /// Measure what a bank that limps or is hard to reach costs the others; with a word, only
    /// the illnesses whose name has it
    #[arg(long, num_args = 0..=1, default_missing_value = "")]
    measure_gray: Option<String>,
    /// Keep the logs of runs that pass, too
    #[arg(long)]
    keep_logs: bool,
    /// The program that the banks run, in place of the one of this build
    #[arg(long, default_value = env!("CARGO_BIN_EXE_netbanking"), hide_default_value = true)]
    program: PathBuf,
    /// Of `cargo test`: names of tests; unless one of them is part of "chaos", nothing runs
    #[arg(hide = true)]
    filters: Vec<String>,
    /// Of `cargo test`
    #[arg(long, hide = true)]
    nocapture: bool,
    /// Of `cargo test`
    #[arg(long, hide = true)]
    test_threads: Option<usize>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.filters.is_empty()
        && !options.filters.iter().any(|filter| "chaos".contains(filter.as_str()))
    {
        return ExitCode::SUCCESS;
    }
    verdict::check_rules();
    rights::check_rules();
    let keep_logs = options.keep_logs;
    if options.measure_stops {
        return in_folder("stops", keep_logs, |folder| {
            until_told_to_stop(stops::measure(folder, &options.program))
        });
    }
    if let Some(only) = &options.measure_gray {
        let only = Some(only.as_str()).filter(|word| !word.is_empty());
        return in_folder("gray", keep_logs, |folder| {
            until_told_to_stop(gray::measure(folder, &options.program, only))
        });
    }
    if let Some(restarts) = options.restarts {
        let measure = |folder: &Path| {
            until_told_to_stop(restarts::measure(
                folder,
                &options.program,
                options.banks.into(),
                restarts,
            ))
        };
        return in_folder("restarts", keep_logs, measure);
    }
    let (banks, lasts) = (usize::from(options.banks), Duration::from_secs(options.seconds));
    let mut all = BTreeMap::new();
    let mut failed = Vec::new();
    for seed in options.seed..options.seed + options.runs {
        let code = in_folder(&format!("seed-{seed}"), keep_logs, |folder| {
            let report =
                until_told_to_stop(run::run((folder, &options.program), banks, lasts, seed));
            report.faults.iter().for_each(|kind| *all.entry(*kind).or_insert(0) += 1);
            print(&report, banks);
            report.verdict.violations().is_empty()
        });
        if code != ExitCode::SUCCESS {
            failed.push(seed);
        }
    }
    let faults: i32 = all.values().sum();
    println!("{} runs with {banks} banks, {faults} faults: {all:?}", options.runs);
    if failed.is_empty() {
        println!("test result: ok. {} passed; 0 failed", options.runs);
        return ExitCode::SUCCESS;
    }
    println!(
        "test result: FAILED. {} passed; {} failed: seeds {failed:?}",
        options.runs - failed.len() as u64,
        failed.len()
    );
    ExitCode::FAILURE
}

/// Runs some work to its end. A signal ends it as a panic does, so that no process stays paused and
/// no disk stays mounted.
fn until_told_to_stop<T>(work: impl Future<Output = T>) -> T {
    use tokio::signal::unix::{SignalKind, signal};
    actix_rt::System::new().block_on(async {
        let mut terminate = signal(SignalKind::terminate()).unwrap();
        tokio::select! {
            done = work => done,
            _ = terminate.recv() => panic!("told to stop"),
            _ = tokio::signal::ctrl_c() => panic!("told to stop"),
        }
    })
}

/// Runs some work in a folder of its own, which is kept if the work fails or panics, or if logs are
/// to be kept.
fn in_folder(name: &str, keep_logs: bool, work: impl FnOnce(&Path) -> bool) -> ExitCode {
    let mut folder =
        tempfile::Builder::new().prefix(&format!("netbanking-chaos-{name}-")).tempdir().unwrap();
    folder.disable_cleanup(true);
    println!("logs: {}", folder.path().display());
    if work(folder.path()) {
        folder.disable_cleanup(keep_logs);
        ExitCode::SUCCESS
    } else {
        println!("FAILED; the logs are in {}", folder.path().display());
        ExitCode::FAILURE
    }
}

fn print(report: &Report, banks: usize) {
    let mut kinds = BTreeMap::new();
    report.faults.iter().for_each(|kind| *kinds.entry(*kind).or_insert(0) += 1);
    let told: Vec<_> = report.told.iter().map(|(what, count)| format!("{what}: {count}")).collect();
    let (verdict, findings) = (&report.verdict, &report.verdict.findings);
    let stop = |(from, to): (f64, f64)| format!("{:.1} s (from {from:.1} s on)", to - from);
    let rows = [
        ("run", format!("seed {}, {banks} banks", report.seed)),
        ("faults", format!("{} {kinds:?}", report.faults.len())),
        (
            "packages",
            format!(
                "{} sent, {} answered ({} only when asked again), {} refused as never taken",
                report.sent, verdict.answered, verdict.asked_again, verdict.refused
            ),
        ),
        ("answers", told.join(", ")),
        (
            "packages/s",
            format!(
                "{:.0}; {:.0} in the {:.0} s with a healthy majority",
                report.packages_per_second, report.healthy.1, report.healthy.0
            ),
        ),
        (
            "longest stop",
            format!(
                "{}; for customers of healthy banks {}, at most {} s",
                stop(report.longest_stops[0]),
                stop(report.longest_stops[1]),
                report.stop_max.as_secs()
            ),
        ),
        ("healed after", format!("{:.1} s", report.healed_after)),
        (
            "rights",
            format!(
                "{} requests; at most {} centavos left in a day or a night, {} were given back",
                report.kept.asked, report.kept.left, report.kept.given_back
            ),
        ),
        ("dates", format!("{} judged, at most {} s behind", verdict.dates.0, verdict.dates.1)),
        (
            "verdict",
            format!(
                "lost {}, doubled {}, overdrafts {}, wrong {}, others {}",
                findings.lost.len(),
                findings.doubled.len(),
                findings.overdrafts.len(),
                findings.wrong.len(),
                verdict.others.len()
            ),
        ),
    ];
    println!("{}", "-".repeat(100));
    rows.iter().for_each(|(what, text)| println!("{what:<13} {text}"));
    verdict.violations().iter().take(40).for_each(|violation| println!("VIOLATION {violation}"));
    println!("{}", "-".repeat(100));
}
