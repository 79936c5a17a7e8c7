//! `netbanking bench --readers N`: the load alone, and then beside connections that read statements
//! at the first bank as fast as they can: pages of 1,000 entries, CSV and OFX of a whole account.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde::Serialize;
use tokio::task::JoinSet;

use super::report::{Disk, Latency};
use super::set_up::{self, Customer};
use super::{BenchArgs, BenchError, SplitMix64, growth, put_under_load};
use crate::cli::base_url::BaseUrl;

/// The address of something about an account, from its bank and number.
type Address = fn(u16, u64) -> String;

/// What is read: a name, and where it is.
const READ: [(&str, Address); 3] = [
    ("pages", |_, number| format!("/get_account/{number}?limit=1000")),
    ("csv", |bank, number| format!("/contas/{bank}-{number}/extrato.csv")),
    ("ofx", |bank, number| format!("/contas/{bank}-{number}/extrato.ofx")),
];
/// How long an answer may take as a whole.
const ANSWER_WAIT: Duration = Duration::from_secs(600);

/// What became of the load.
#[derive(Debug, Serialize)]
struct Written {
    packages_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Packages that were refused or failed.
    not_executed: u64,
}

/// What was read of one kind.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Reads {
    kind: &'static str,
    /// Answers that were read to their end.
    whole: u64,
    bytes: u64,
}

/// The load alone and beside readers. Its JSON form is what `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Beside {
    readers: u32,
    clients: u32,
    seconds: u32,
    alone: Written,
    beside: Written,
    reads: Vec<Reads>,
    disk: Disk,
}

/// Sends the packages that are to make the past long, if any, and measures twice.
pub(super) async fn measure(
    arguments: &BenchArgs,
    urls: Vec<BaseUrl>,
    disk: Disk,
    readers: u32,
) -> Result<Beside, BenchError> {
    let mut random = SplitMix64::from_system().map_err(BenchError::System)?;
    let customer = set_up::prepare(&urls, arguments.accounts as usize, &mut random).await?;
    let load = (arguments.clients, arguments.rate);
    if arguments.packages.is_some() {
        let made = (load.0, load.1, arguments.packages);
        put_under_load(arguments, &urls, customer.clone(), made, &mut random).await?;
    }
    let load = (load.0, load.1, None);
    let alone = put_under_load(arguments, &urls, customer.clone(), load, &mut random).await?;
    let mut readings = JoinSet::new();
    let reads = Rc::new(RefCell::new(READ.map(|(kind, _)| Reads { kind, ..Reads::default() })));
    let bank = growth::number(&urls[0], &customer.tokens[0]).await?;
    let from = Instant::now() + Duration::from_secs(arguments.warmup.into());
    let until = from + Duration::from_secs(arguments.seconds.into());
    for index in 0..readers as usize {
        let reader = Reader {
            url: urls[0].clone(),
            client: urls[0].client(ANSWER_WAIT),
            bank,
            customer: customer.clone(),
            window: (from, until),
            reads: Rc::clone(&reads),
        };
        readings.spawn_local(reader.run(index));
    }
    let beside = put_under_load(arguments, &urls, customer, load, &mut random).await?;
    while let Some(ended) = readings.join_next().await {
        ended.expect("a reader does not panic")?;
    }
    let written = |(tally, _): &(super::Tally, u64)| {
        let latency = Latency::of(&tally.latency);
        let failed: u64 = tally.failed.values().map(|failures| failures.count).sum();
        Written {
            packages_per_second: tally.executed_in_window as f64 / f64::from(arguments.seconds),
            p50_ms: latency.p50,
            p99_ms: latency.p99,
            not_executed: tally.refused.count + failed,
        }
    };
    Ok(Beside {
        readers,
        clients: arguments.clients,
        seconds: arguments.seconds,
        alone: written(&alone),
        beside: written(&beside),
        reads: reads.borrow().to_vec(),
        disk,
    })
}

/// One connection.
struct Reader {
    url: BaseUrl,
    client: awc::Client,
    /// The number of the bank.
    bank: u16,
    customer: Customer,
    /// From when to when what is read counts.
    window: (Instant, Instant),
    reads: Rc<RefCell<[Reads; READ.len()]>>,
}

impl Reader {
    /// Reads one kind after the other, of one account after the other, until the time is over.
    async fn run(self, index: usize) -> Result<(), BenchError> {
        let accounts: Vec<_> =
            self.customer.accounts.iter().filter(|account| account.bank == self.bank).collect();
        let mut turn = index;
        while Instant::now() < self.window.1 && !accounts.is_empty() {
            let number = accounts[turn % accounts.len()].number;
            self.read(turn % READ.len(), number).await?;
            turn += 1;
        }
        Ok(())
    }

    /// Reads to the end, or until the time is over.
    async fn read(&self, kind: usize, number: u64) -> Result<(), BenchError> {
        let address = self.url.route(&READ[kind].1(self.bank, number));
        let silent = |why: String| BenchError::Silent { url: address.clone(), why };
        let token = &self.customer.tokens[0];
        let mut answer = self
            .client
            .get(&address)
            .insert_header(("authorization", format!("Bearer {token}")))
            .insert_header(("cookie", format!("netbanking-{}={token}", self.bank)))
            .send()
            .await
            .map_err(|error| silent(error.to_string()))?;
        if answer.status() != 200 {
            let status = answer.status().as_u16();
            return Err(BenchError::SetUp { url: address, status, descript: String::new() });
        }
        while let Some(chunk) = answer.next().await {
            let bytes = chunk.map_err(|error| silent(error.to_string()))?.len() as u64;
            let now = Instant::now();
            if now >= self.window.1 {
                return Ok(());
            }
            let counts = u64::from(now >= self.window.0);
            self.reads.borrow_mut()[kind].bytes += counts * bytes;
        }
        let counts = u64::from(Instant::now() >= self.window.0);
        self.reads.borrow_mut()[kind].whole += counts;
        Ok(())
    }
}

impl Beside {
    /// One object in one line.
    pub(super) fn to_json(&self) -> String {
        let json = serde_json::to_string(self).expect("numbers and texts can be written as JSON");
        format!("{json}\n")
    }

    /// An error where nothing was executed.
    pub(super) fn judge(&self) -> Result<(), BenchError> {
        if self.alone.packages_per_second > 0.0 && self.beside.packages_per_second > 0.0 {
            return Ok(());
        }
        Err(BenchError::NothingExecuted(format!("readers: {}", self.readers)))
    }
}

impl fmt::Display for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Beside { readers, clients, seconds, alone, beside, reads, .. } = self;
        writeln!(f, "load       closed loop; clients: {clients}; {seconds} s for each line")?;
        writeln!(f, "   readers packages/s     p50 ms     p99 ms not executed")?;
        for (readers, written) in [(0, alone), (*readers, beside)] {
            let Written { packages_per_second: rate, p50_ms, p99_ms, not_executed } = written;
            writeln!(
                f,
                "{readers:>10} {rate:>10.0} {p50_ms:>10.3} {p99_ms:>10.3} {not_executed:>12}"
            )?;
        }
        let left = 100.0 * beside.packages_per_second / alone.packages_per_second.max(1.0);
        writeln!(f, "left       {left:.0} % of the packages")?;
        for Reads { kind, whole, bytes } in reads {
            let (rate, megabytes) =
                (*whole as f64 / f64::from(*seconds), *bytes as f64 / 1e6 / f64::from(*seconds));
            writeln!(f, "read       {kind:<5} {rate:>10.1}/s {megabytes:>10.1} MB/s")?;
        }
        Ok(())
    }
}
