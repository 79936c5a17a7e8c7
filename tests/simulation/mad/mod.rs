//! A bank gone mad: in a consortium that otherwise works, one bank's messages are changed on their
//! way ([`mutation`]), and others are made up from what was said before, by itself or between
//! others. Whatever it says, no other bank panics or ends; and once it is silent, or restarted,
//! the others take writes again, and their copies of the ledger agree.
//!
//! In half of the runs events are signed, and the mad bank also makes up events in others' names
//! and passes them on ([`forgery`]): no other bank ever executes one.
//!
//! This finds what breaks a bank; it does not judge what a plausible lie may achieve while it is
//! told (`docs/protocol.md` names these lies). So it has no invariants but the end.

mod forgery;
mod lies;
mod mutation;
mod verdict;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use self::world::{Tally, World};
use super::trace::Reader;

/// Seeds in a plain `cargo test`: some seconds.
pub(crate) const SEEDS_DEFAULT: u64 = 60;
/// How many lines of the trace are shown with a violation.
const LAST_LINES: usize = 80;

/// Runs one seed.
fn checked(seed: u64, reader: Reader) -> Result<Tally, (String, Vec<String>)> {
    let mut world = World::new(seed, reader);
    catch_unwind(AssertUnwindSafe(|| world.run())).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let why = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        (why.unwrap_or_default(), world.lines())
    })
}

/// One seed, told line by line if `trace`.
pub(crate) fn run_one(seed: u64, trace: bool) -> ExitCode {
    match checked(seed, if trace { Reader::Everything } else { Reader::Last(LAST_LINES) }) {
        Ok(tally) => {
            println!("seed {seed} of a mad bank holds: {tally:?}");
            ExitCode::SUCCESS
        }
        Err((why, lines)) => {
            lines.iter().for_each(|line| println!("{line}"));
            println!("\nVIOLATION with seed {seed} of a mad bank: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Seeds from `from` on, `seeds` of them or as many as `seconds` allow, on all cores.
pub(crate) fn run_many(from: u64, seeds: u64, seconds: Option<u64>, all: bool) -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    let started = Instant::now();
    let next = AtomicU64::new(from);
    let goes_on = |seed: u64| match seconds {
        Some(seconds) => started.elapsed().as_secs() < seconds,
        None => seed < from + seeds,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (tell, hear) = mpsc::channel();
    let (mut sum, mut count, mut failed) = (Tally::default(), 0, Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..cores {
            let (tell, next, goes_on) = (tell.clone(), &next, &goes_on);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !goes_on(seed) {
                        return;
                    }
                    let outcome = checked(seed, Reader::Nobody).map_err(|(why, _)| why);
                    if tell.send((seed, outcome)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(tell);
        for (seed, outcome) in hear {
            match outcome {
                Ok(tally) => (sum, count) = (sum + tally, count + 1),
                Err(why) => {
                    println!("VIOLATION with seed {seed} of a mad bank: {why}");
                    failed.push(seed);
                    if !all {
                        next.store(u64::MAX / 2, Ordering::Relaxed);
                    }
                }
            }
        }
    });
    if let Some(seed) = failed.iter().min() {
        println!(
            "see it again: cargo test --profile sim --test simulation -- --mad --seed {seed} --trace"
        );
        return ExitCode::FAILURE;
    }
    println!("{count} seeds of a mad bank in {} s: {sum:?}", started.elapsed().as_secs());
    // A test that tells no lies, or whose lies nobody notices, proves nothing.
    if sum.proves_something() || count < 20 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
