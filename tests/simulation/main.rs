//! The simulator: whole consortia in virtual time, with everything breaking that may break, all
//! derived from a seed number.
//!
//! ```text
//! cargo test --profile sim --test simulation -- --seeds 10000      seeds 0 to 9,999 on all cores
//! cargo test --profile sim --test simulation -- --seconds 3600     as many as an hour takes
//! cargo test --profile sim --test simulation -- --seed 17 --trace  one of them, told line by line
//! cargo test --profile sim --test simulation -- --mistakes         does it find mistakes?
//! cargo test --profile sim --test simulation -- --mad --seconds 60 what a bank gone mad breaks
//! ```
//!
//! The banks run the node's own parts (`src/protocol`, `src/ledger`, `src/store`); what actors do,
//! carry effects, is done here with the same guarantees and no more ([`node`]). [`world`] is the
//! run, [`scenario`] what a seed is about, [`faults`] what breaks and what the protocol does not
//! promise to survive, [`invariants`] what must be true. A run is a function of its seed alone: a
//! hash over everything that happened proves it. [`mad`] is a world of its own.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

mod agenda;
mod arguments;
mod customers;
mod disk;
mod faults;
mod gray;
mod invariants;
mod mad;
mod mending;
mod mistakes;
mod network;
mod node;
mod ordeal;
mod plans;
mod pulse;
#[path = "../random/mod.rs"]
mod random;
mod reads;
mod runner;
mod scenario;
mod seals;
mod tally;
mod trace;
mod world;

use std::process::ExitCode;

use arguments::{Arguments, What};

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)) {
        Ok(Arguments { what: What::List, .. }) => ExitCode::SUCCESS,
        Ok(Arguments { what: What::Mistakes(only), seeds, .. }) => {
            mistakes::try_all(only.as_deref(), seeds)
        }
        Ok(Arguments { what: What::One { seed, trace }, mad: true, .. }) => {
            mad::run_one(seed, trace)
        }
        Ok(Arguments { mad: true, from, seeds, seconds, all, .. }) => {
            mad::run_many(from, seeds, seconds, all)
        }
        Ok(Arguments { what: What::One { seed, trace }, banks, .. }) => {
            runner::run_one(seed, banks, trace)
        }
        // A plain `cargo test`, which gives no numbers.
        Ok(arguments) if arguments.is_plain => {
            match (runner::run_many(&arguments), mad::run_many(0, mad::SEEDS_DEFAULT, None, false))
            {
                (ExitCode::SUCCESS, mad) => mad,
                (failure, _) => failure,
            }
        }
        Ok(arguments) => runner::run_many(&arguments),
        Err(why) => {
            eprintln!("{why}\n{}", arguments::USAGE);
            ExitCode::FAILURE
        }
    }
}
