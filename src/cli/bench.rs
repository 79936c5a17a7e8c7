//! `netbanking bench`: a load generator for a running consortium.
//!
//! It uses only the customer API, as one customer with many accounts. Every client has a connection
//! of its own to its bank. Without `--rate` the loop is closed: a client sends its next package
//! when the last one is answered. With `--rate` the loop is open: packages fall due by the clock
//! and their latency counts from then, however late they are sent. The generator shares the machine
//! with the banks, so it is one thread that does little more than send and count.

mod disk;
mod growth;
mod load;
mod pace;
mod package;
mod progress;
mod random;
mod readers;
mod report;
mod set_up;
mod sweep;
mod tally;

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;

use self::load::Load;
use self::pace::{Pace, Schedule};
use self::random::SplitMix64;
use self::report::{Disk, Report};
use self::set_up::Customer;
use self::tally::{Tally, Window};
use super::CommandError;
use super::base_url::BaseUrl;
use super::stdout;
use crate::config::Config;
use crate::ledger::package::OPERATIONS_MAX;

/// The most clients: each is an open connection at a bank and here.
const CLIENTS_MAX: i64 = 10_000;
/// Longest run, in seconds.
const SECONDS_MAX: i64 = 3_600;
/// Longest run of a given number of packages, in seconds: what is answered later does not count.
const PACKAGES_WITHIN_SECONDS: u32 = 7 * 24 * 3_600;
/// Fastest open loop, in packages/s.
const RATE_MAX: i64 = 1_000_000;
/// The most accounts: each costs the banks a password check when it is opened.
const ACCOUNTS_MAX: i64 = 10_000;

/// What `netbanking bench` is told.
#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// The consortium to measure
    #[arg(long, env = "NETBANKING_NODES", value_name = "FILE", default_value = "nodes.json")]
    nodes: PathBuf,
    /// Address of a bank, instead of nodes.json; once for every bank to be used
    #[arg(long, value_name = "URL")]
    url: Vec<BaseUrl>,
    /// Connections, each with at most one package under way
    #[arg(long, value_name = "N", default_value_t = 64,
        value_parser = clap::value_parser!(u32).range(1..=CLIENTS_MAX))]
    clients: u32,
    /// How long to measure
    #[arg(long, value_name = "SECONDS", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=SECONDS_MAX))]
    seconds: u32,
    /// How long to run before that
    #[arg(long, value_name = "SECONDS", default_value_t = 2,
        value_parser = clap::value_parser!(u32).range(0..=SECONDS_MAX))]
    warmup: u32,
    /// Open loop: packages/s in total, sent by the clock whether or not earlier ones are answered
    #[arg(long, value_name = "PACKAGES",
        value_parser = clap::value_parser!(u32).range(1..=RATE_MAX))]
    rate: Option<u32>,
    /// Send this many packages instead of measuring for a time, and then say how large the banks
    /// have become
    #[arg(long, value_name = "N", value_parser = growth::count,
        conflicts_with_all = ["seconds", "warmup", "rate", "sweep"])]
    packages: Option<u64>,
    /// Before that, register so many customers with an account each, at banks with a laboratory
    #[arg(long, value_name = "customers=N", value_parser = growth::customers,
        conflicts_with = "sweep")]
    fill: Option<u32>,
    /// Measure twice, the second time beside so many connections that read statements at the first
    /// bank as fast as they can; with --packages, after so many packages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=CLIENTS_MAX),
        conflicts_with_all = ["sweep", "fill"])]
    readers: Option<u32>,
    /// Transfers in each package
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=OPERATIONS_MAX as i64))]
    ops_per_package: u32,
    /// Accounts to open, spread over the banks
    #[arg(long, value_name = "N", default_value_t = 64,
        value_parser = clap::value_parser!(u32).range(2..=ACCOUNTS_MAX))]
    accounts: u32,
    /// Measure 1, 2, 4 and so on up to 256 clients, at the first bank alone and at all banks
    #[arg(long, conflicts_with_all = ["clients", "rate"])]
    sweep: bool,
    /// With --sweep, also draw packages/s as a curve into this file
    #[arg(long, value_name = "FILE", requires = "sweep")]
    svg: Option<PathBuf>,
    /// One JSON object on standard output, and nothing else
    #[arg(long)]
    json: bool,
    /// Folder whose disk is measured, best the one that holds the banks' data [default: the
    /// system's temporary folder]
    #[arg(long, value_name = "DIR")]
    disk: Option<PathBuf>,
}

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum BenchError {
    #[error("{url} does not answer: {why}. Is the consortium running?")]
    Silent { url: String, why: String },
    #[error("{url} answers {status} {descript:?}, so the accounts for the load cannot be set up")]
    SetUp { url: String, status: u16, descript: String },
    #[error("{url} answers something unexpected ({what}). Are all URLs banks of one consortium?")]
    Unexpected { url: String, what: String },
    #[error("{}: its disk cannot be measured: {why}. --disk names a folder that this user may write to", .folder.display())]
    Disk { folder: PathBuf, why: io::Error },
    #[error(
        "{url} has no laboratory, so it is not filled with customers. nodes.json has to say \"laboratory\": true"
    )]
    NoLaboratory { url: String },
    #[error("the system does not give what the load needs: {0}")]
    System(io::Error),
    #[error("no package was executed: {0}")]
    NothingExecuted(String),
    #[error("{}: the curve cannot be written: {why}", .file.display())]
    Curve { file: PathBuf, why: io::Error },
}

/// Measures and reports.
pub(super) fn run(arguments: &BenchArgs) -> Result<(), CommandError> {
    let urls = urls(arguments)?;
    let folder = arguments.disk.clone().unwrap_or_else(std::env::temp_dir);
    let fsyncs_per_second = disk::fsyncs_per_second(&folder)
        .map_err(|why| BenchError::Disk { folder: folder.clone(), why })?;
    let disk = Disk { folder, fsyncs_per_second };
    if !arguments.json {
        stdout::put(&format!("{disk}\n"));
    }
    let system = actix_rt::System::new();
    if arguments.sweep {
        let sweep = system.block_on(sweep::measure(arguments, urls, disk, &sweep::CLIENTS))?;
        stdout::put(&if arguments.json { sweep.to_json() } else { sweep.to_string() });
        return Ok(sweep.judge(arguments.svg.as_deref())?);
    }
    if let Some(readers) = arguments.readers {
        let beside = system.block_on(readers::measure(arguments, urls, disk, readers))?;
        stdout::put(&if arguments.json { beside.to_json() } else { beside.to_string() });
        return Ok(beside.judge()?);
    }
    let report = system.block_on(measure(arguments, urls, disk))?;
    stdout::put(&if arguments.json { report.to_json() } else { report.to_string() });
    if report.executed == 0 {
        return Err(BenchError::NothingExecuted(report.first_failure()).into());
    }
    Ok(())
}

fn urls(arguments: &BenchArgs) -> Result<Vec<BaseUrl>, CommandError> {
    if !arguments.url.is_empty() {
        return Ok(arguments.url.clone());
    }
    let config = Config::load(&arguments.nodes)?;
    let url = |node: &crate::config::NodeAddress| {
        let url = node.url();
        url.parse().map_err(|error| CommandError::Usage(format!("{url}: {error}")))
    };
    config.nodes.iter().map(url).collect()
}

async fn measure(
    arguments: &BenchArgs,
    urls: Vec<BaseUrl>,
    disk: Disk,
) -> Result<Report, BenchError> {
    let mut random = SplitMix64::from_system().map_err(BenchError::System)?;
    let customer = set_up::prepare(&urls, arguments.accounts as usize, &mut random).await?;
    if let Some(customers) = arguments.fill {
        growth::fill(&urls, customers, &mut random).await?;
    }
    let load = (arguments.clients, arguments.rate, arguments.packages);
    let began = Instant::now();
    let (tally, unsent) =
        put_under_load(arguments, &urls, customer.clone(), load, &mut random).await?;
    let time = match arguments.packages {
        Some(_) => began.elapsed(),
        None => Duration::from_secs(arguments.seconds.into()),
    };
    let sizes = match arguments.packages.is_some() || arguments.fill.is_some() {
        true => growth::sizes(&urls, &customer).await?,
        false => Vec::new(),
    };
    Ok(Report::new(arguments, &urls, disk, (&tally, unsent, time)).with_sizes(sizes))
}

/// Lets so many clients send to these banks, at the given rate if there is one, so many packages or
/// for a time; returns what came back, and how many packages were due and never sent.
async fn put_under_load(
    arguments: &BenchArgs,
    urls: &[BaseUrl],
    customer: Customer,
    (clients, rate, packages): (u32, Option<u32>, Option<u64>),
    random: &mut SplitMix64,
) -> Result<(Tally, u64), BenchError> {
    let start = Instant::now();
    let (warmup, seconds) = match packages {
        Some(_) => (0, PACKAGES_WITHIN_SECONDS),
        None => (arguments.warmup, arguments.seconds),
    };
    let from = start + Duration::from_secs(warmup.into());
    let until = from + Duration::from_secs(seconds.into());
    let pace = Rc::new(match (rate, packages) {
        (Some(rate), _) => Pace::open(Schedule { start, until, rate_per_second: rate }),
        (None, Some(packages)) => Pace::counted(packages),
        (None, None) => Pace::closed(until),
    });
    let load = Load {
        tally: Tally::new(urls.len(), Window { from, until }),
        urls: urls.to_vec(),
        customer,
        operations: arguments.ops_per_package as usize,
        pace: Rc::clone(&pace),
    };
    let tally = load.run(clients as usize, random).await?;
    Ok((tally, pace.unsent()))
}

#[cfg(test)]
mod tests;
