//! `netbanking` without a command: a supervisor that runs every bank of `nodes.json` as a process
//! of its own.
//!
//! It shares nothing with the banks but their pipes: what they print is passed on with their number
//! in front, and the end of their standard input tells them to stop, even when the supervisor is
//! killed. A bank that ends by itself is reported and not started again: people who watch should
//! see how the others cope without it.

mod bank_log;
mod bank_process;
mod secret;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::bank_process::{BankProcess, Ended, Order};
use super::outlet::{self, FLUSH_WITHIN};
use super::{CommandError, certs};
use crate::config::Config;
use crate::ids::BankId;
use crate::wire;

/// How often the banks are asked whether they are ready, until all are.
const READY_POLL: Duration = Duration::from_millis(200);
/// How long a bank may take to answer that.
const READY_ANSWER_WAIT: Duration = Duration::from_secs(2);

/// What `netbanking` without a command is told.
#[derive(Debug, Args)]
pub(super) struct ConsortiumArgs {
    /// The banks to start
    #[arg(long, env = "NETBANKING_NODES", value_name = "FILE", default_value = "nodes.json")]
    nodes: PathBuf,
    /// Folder of all data: one folder a bank, and the secret and certificates of the banks
    #[arg(long, env = "NETBANKING_DATA", value_name = "DIR", default_value = "./data")]
    data: PathBuf,
}

/// Why the consortium is not running.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConsortiumError {
    #[error("{}: {why}; --data names a folder that this user may write to", .path.display())]
    Data { path: PathBuf, why: io::Error },
    #[error("bank {bank} cannot be started: {why}")]
    Start { bank: BankId, why: io::Error },
    #[error("the system does not let this program run others or wait for signals: {0}")]
    System(io::Error),
    #[error("all banks have ended; their last lines above say why")]
    AllEnded,
}

/// Runs all banks until Ctrl-C or SIGTERM.
pub(super) fn run(arguments: &ConsortiumArgs) -> Result<(), CommandError> {
    let config = Config::load(&arguments.nodes)?;
    let secret_file = arguments.data.join("peer-secret");
    let secret = secret::keep(&secret_file)
        .map_err(|why| ConsortiumError::Data { path: secret_file.clone(), why })?;
    let certificates = arguments.data.join("certificates");
    if !config.insecure_peers {
        certs::issue(&certificates, config.nodes.len())?;
    }
    let program = std::env::current_exe().map_err(ConsortiumError::System)?;
    let process = |bank: BankId| BankProcess {
        bank,
        program: program.clone(),
        nodes: arguments.nodes.clone(),
        data: arguments.data.join(format!("banco-{bank}")),
        secret_file: secret_file.clone(),
        certificates: (!config.insecure_peers).then(|| certs::folder_of(&certificates, bank)),
    };
    let processes = BankId::all(config.nodes.len()).map(process).collect();
    let urls = config.nodes.iter().map(crate::config::NodeAddress::url).collect();
    let ended = actix_rt::System::new().block_on(supervise(processes, secret, urls));
    outlet::stderr().flush(FLUSH_WITHIN);
    Ok(ended?)
}

async fn supervise(
    processes: Vec<BankProcess>,
    secret: String,
    urls: Vec<String>,
) -> Result<(), ConsortiumError> {
    let mut signals = StopSignals::listen().map_err(ConsortiumError::System)?;
    let (orders, _) = watch::channel(Order::Run);
    let mut running = JoinSet::new();
    for process in processes {
        let bank = process.bank;
        let child = process.start(&secret).map_err(|why| ConsortiumError::Start { bank, why })?;
        running.spawn_local(process.attend(child, orders.subscribe()));
    }
    let mut ready = std::pin::pin!(all_ready(&urls));
    let mut waiting = true;
    while !running.is_empty() {
        let order = *orders.borrow();
        tokio::select! {
            Some(ended) = running.join_next() => report(ended.expect("attending a bank does not panic"), order, running.len()),
            () = signals.next() => {
                say(if order == Order::Run { "stopping; press Ctrl-C again to stop at once" } else { "stopping at once" });
                orders.send_replace(if order == Order::Run { Order::Stop } else { Order::Kill });
            }
            () = &mut ready, if waiting && order == Order::Run => {
                waiting = false;
                say_plainly(&format!("consortium ready: {}", urls.join(" ")));
            }
        }
    }
    if *orders.borrow() == Order::Run { Err(ConsortiumError::AllEnded) } else { Ok(()) }
}

fn report(ended: Ended, order: Order, left: usize) {
    let Ended { process, status } = ended;
    let (bank, status) =
        (process.bank, status.map_or_else(|error| error.to_string(), |status| status.to_string()));
    if order == Order::Run {
        say(&format!(
            "BANK {bank} HAS ENDED BY ITSELF: {status}. Banks still running: {left}. Start it again \
             with:"
        ));
        say(&format!("  {}", process.by_hand()));
    } else {
        say(&format!("bank {bank} has ended: {status}"));
    }
}

/// Prints a line of the supervisor itself.
fn say(line: &str) {
    say_plainly(&format!("netbanking: {line}"));
}

fn say_plainly(line: &str) {
    outlet::stderr().put(format!("{line}\n").into_bytes());
}

/// Ctrl-C and SIGTERM.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    fn listen() -> io::Result<StopSignals> {
        Ok(StopSignals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Returns once every bank has said, within one round of asking, that it takes writes.
async fn all_ready(urls: &[String]) {
    let client = wire::client(urls.len(), READY_ANSWER_WAIT);
    loop {
        let mut ready = 0;
        for url in urls {
            match client.get(format!("{url}/ready")).send().await {
                Ok(mut answer) if answer.status().is_success() => {
                    ready += 1;
                    // Read to the end, so that the connection is kept.
                    let _ = answer.body().await;
                }
                _ => break,
            }
        }
        if ready == urls.len() {
            return;
        }
        actix_rt::time::sleep(READY_POLL).await;
    }
}
