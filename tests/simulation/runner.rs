//! Runs seeds on all cores, reports its progress, and shows the first violation in a way that lets
//! it be reproduced.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::arguments::Arguments;
use super::mistakes::check_list;
use super::tally::Tally;
use super::trace::Reader;
use super::world::{Finished, World, run};

/// One seed in this many is run twice, and both runs must give the same trace.
const TWICE_EVERY: u64 = 16;
/// How many lines of the trace are shown with a violation.
const LAST_LINES: usize = 60;
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

struct Violation {
    seed: u64,
    why: String,
    lines: Vec<String>,
}

/// Runs one seed; a violation is an error with the last lines of the trace.
fn run_seed(seed: u64, banks: Option<usize>, reader: Reader) -> Result<Finished, Box<Violation>> {
    let mut world = World::new(seed, banks, reader);
    let outcome = catch_unwind(AssertUnwindSafe(|| run(&mut world)));
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let why = text
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        Box::new(Violation { seed, why, lines: world.trace.lines().cloned().collect() })
    })
}

fn checked(seed: u64, banks: Option<usize>) -> Result<Tally, Box<Violation>> {
    let finished = run_seed(seed, banks, Reader::Nobody)?;
    if seed.is_multiple_of(TWICE_EVERY) {
        let again = run_seed(seed, banks, Reader::Nobody)?;
        if again.hash != finished.hash {
            let why = format!(
                "the run is not repeatable: {:016x} and {:016x}",
                finished.hash, again.hash
            );
            return Err(Box::new(Violation { seed, why, lines: Vec::new() }));
        }
    }
    Ok(finished.tally)
}

fn show(violation: &Violation, banks: Option<usize>, brief: bool) {
    let Violation { seed, why, .. } = violation;
    if brief {
        return println!("VIOLATION seed {seed}: {why}");
    }
    // Once more with a trace: the run is the same.
    let lines = run_seed(*seed, banks, Reader::Last(LAST_LINES))
        .err()
        .map(|again| again.lines)
        .unwrap_or_default();
    lines.iter().for_each(|line| println!("{line}"));
    let of_banks = banks.map(|banks| format!(" --banks {banks}")).unwrap_or_default();
    println!("\nVIOLATION with seed {seed}: {why}");
    println!(
        "see it again: cargo test --profile sim --test simulation -- --seed {seed}{of_banks} --trace"
    );
}

/// A panic is a violation and is reported with its seed.
fn silence_panics() {
    std::panic::set_hook(Box::new(|_| {}));
}

pub(crate) fn run_one(seed: u64, banks: Option<usize>, trace: bool) -> ExitCode {
    silence_panics();
    let reader = if trace { Reader::Everything } else { Reader::Nobody };
    match run_seed(seed, banks, reader) {
        Ok(finished) => {
            println!("seed {seed} holds, trace hash {:016x}", finished.hash);
            ExitCode::SUCCESS
        }
        Err(violation) => {
            show(&violation, banks, trace);
            ExitCode::FAILURE
        }
    }
}

/// Seeds beyond those of the gate that found something in an earlier version of the program.
const ONCE_FAILED: [u64; 9] =
    [12_772, 37_240, 58_851, 61_248, 68_886, 96_176, 98_542, 139_032, 232_057];

pub(crate) fn run_many(arguments: &Arguments) -> ExitCode {
    // In a copy with one of the mistakes in it, the list naturally does not fit.
    if !arguments.brief
        && let Err(why) = check_list()
    {
        println!("the list of mistakes does not fit the source any more: {why}");
        return ExitCode::FAILURE;
    }
    silence_panics();
    let Arguments { from, seeds, seconds, banks, brief, all, .. } = *arguments;
    let started = Instant::now();
    let (next, stop) = (AtomicU64::new(from), AtomicBool::new(false));
    let goes_on = |seed: u64| match seconds {
        Some(seconds) => started.elapsed().as_secs() < seconds,
        None => seed < from + seeds,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (tell, hear) = mpsc::channel();
    let mut tally = Tally::default();
    let again = ONCE_FAILED.iter().filter(|_| from == 0 && !brief);
    let mut violations: Vec<_> = again.filter_map(|seed| checked(*seed, banks).err()).collect();
    std::thread::scope(|scope| {
        for _ in 0..cores {
            let (tell, next, stop, goes_on) = (tell.clone(), &next, &stop, &goes_on);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if stop.load(Ordering::Relaxed) || !goes_on(seed) {
                        return;
                    }
                    if tell.send(checked(seed, banks)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(tell);
        let mut said = Instant::now();
        for outcome in hear {
            match outcome {
                Ok(of_seed) => tally.add(&of_seed),
                Err(violation) => {
                    stop.store(!all, Ordering::Relaxed);
                    if all {
                        println!("VIOLATION seed {}: {}", violation.seed, violation.why);
                    }
                    violations.push(violation);
                }
            }
            if said.elapsed() >= PROGRESS_EVERY && !brief {
                said = Instant::now();
                let seconds = started.elapsed().as_secs();
                println!("{} seeds, {} answers, {seconds} s", tally.seeds, tally.answered);
            }
        }
    });
    violations.sort_by_key(|violation| violation.seed);
    if let Some(violation) = violations.first() {
        show(violation, banks, brief);
        return ExitCode::FAILURE;
    }
    tally.print(started.elapsed().as_secs_f64());
    match tally.check(banks).or_else(|why| if brief { Ok(()) } else { Err(why) }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("THIS PROVES NOTHING: {why}");
            ExitCode::FAILURE
        }
    }
}
