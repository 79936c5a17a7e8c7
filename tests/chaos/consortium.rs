//! The processes of one consortium, each behind the proxies of `links.rs`, and what a test does to
//! them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use netbanking::wire;
use serde_json::{Value, json};

use crate::disk::SmallDisk;
use crate::processes::bank::{BankProcess, Start};
use crate::processes::clocks::{Clocks, RIGHT};
use crate::processes::links::{Links, Passage, own_address};
use crate::processes::ports::free_pair;

/// How long a bank may take to report its status.
const STATUS_WITHIN: Duration = Duration::from_millis(1_500);
/// How long a bank may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// How patient the banks are with one another, as `nodes.json` has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) interval_ms: u64,
    pub(crate) failure_after_ms: u64,
    pub(crate) rejoin_after_ms: u64,
}

/// The times that hold where `nodes.json` says nothing.
pub(crate) const DEFAULT_TIMES: Times =
    Times { interval_ms: 1_000, failure_after_ms: 5_000, rejoin_after_ms: 5_000 };
/// Shorter times, with which more faults fit into a minute.
pub(crate) const SHORT_TIMES: Times =
    Times { interval_ms: 200, failure_after_ms: 2_000, rejoin_after_ms: 500 };

/// When banks make snapshots and drop the oldest part of their journals, in positions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Journal {
    positions_max: u64,
    snapshot_every: u64,
}

/// Where `nodes.json` says nothing.
pub(crate) const WHOLE_JOURNAL: Journal = Journal { positions_max: 0, snapshot_every: 250_000 };
/// All the time.
pub(crate) const SHORT_JOURNAL: Journal = Journal { positions_max: 1_000, snapshot_every: 1_000 };

struct Bank {
    port: u16,
    data: PathBuf,
    log: PathBuf,
    disk: Option<SmallDisk>,
    process: Option<BankProcess>,
    paused: bool,
    limping: bool,
    /// Whether somebody reads what it logs.
    log_is_read: Arc<AtomicBool>,
    disk_is_full: bool,
    /// Whether its disk was emptied and it has not been a voter since.
    wiped: bool,
    /// Whether its process has not answered anything yet.
    starting: bool,
}

/// The banks whose wall clocks can be set, and what each is off by unless a fault says otherwise.
pub(crate) type Shifts = BTreeMap<usize, &'static str>;

pub(crate) struct Consortium {
    folder: PathBuf,
    program: PathBuf,
    banks: RefCell<Vec<Bank>>,
    pub(crate) links: Links,
    clocks: Clocks,
    shifts: RefCell<Shifts>,
    client: awc::Client,
    began: Instant,
    /// What has been seen that must not happen.
    findings: RefCell<Vec<String>>,
    /// The hash reported for each position, and the bank that reported it.
    hashes: RefCell<BTreeMap<u64, (Value, usize)>>,
}

impl Consortium {
    /// Writes `nodes.json`, opens the proxies and gives bank `small_disk` a disk that can be
    /// filled, if this process may mount one.
    pub(crate) fn prepare(
        (folder, program): (&Path, &Path),
        banks: usize,
        times: Times,
        Journal { positions_max, snapshot_every }: Journal,
        small_disk: Option<usize>,
    ) -> Consortium {
        let ports: Vec<_> = (0..banks).map(|_| free_pair()).collect();
        let node = |(bank, (port, heartbeat_port)): (usize, &(u16, u16))| json!({"name": format!("Banco {bank}"), "host": "127.0.0.1", "port": port, "heartbeat_port": heartbeat_port});
        let nodes = json!({
            "nodes": ports.iter().enumerate().map(node).collect::<Vec<_>>(),
            "heartbeat": {
                "interval_ms": times.interval_ms,
                "failure_after_ms": times.failure_after_ms,
                "rejoin_after_ms": times.rejoin_after_ms,
            },
            "journal": {"positions_max": positions_max, "snapshot_every": snapshot_every},
        });
        std::fs::write(folder.join("nodes.json"), nodes.to_string()).unwrap();
        let links = Links::start(&ports);
        let bank = |(bank, (port, _)): (usize, &(u16, u16))| {
            let data = folder.join(format!("banco-{bank}"));
            let disk = if small_disk == Some(bank) { SmallDisk::mount(&data) } else { None };
            let log = folder.join(format!("banco-{bank}.log"));
            let (paused, limping, disk_is_full, wiped, starting) =
                (false, false, false, false, true);
            let log_is_read = Arc::new(AtomicBool::new(true));
            Bank {
                port: *port,
                data,
                log,
                disk,
                process: None,
                paused,
                limping,
                log_is_read,
                disk_is_full,
                wiped,
                starting,
            }
        };
        Consortium {
            folder: folder.to_owned(),
            program: program.to_owned(),
            banks: RefCell::new(ports.iter().enumerate().map(bank).collect()),
            links,
            clocks: Clocks::in_folder(folder),
            shifts: RefCell::default(),
            client: wire::client(64, STATUS_WITHIN),
            began: Instant::now(),
            findings: RefCell::default(),
            hashes: RefCell::default(),
        }
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    pub(crate) fn len(&self) -> usize {
        self.banks.borrow().len()
    }

    /// One line on standard output and in `chaos.log`, with the time since the consortium began.
    pub(crate) fn note(&self, text: &str) {
        let line = format!("{:7.2} s  {text}", self.began.elapsed().as_secs_f64());
        println!("{line}");
        let mut log =
            File::options().create(true).append(true).open(self.folder.join("chaos.log")).unwrap();
        let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        writeln!(log, "{}.{:03} {line}", clock.as_secs(), clock.subsec_millis()).unwrap();
    }

    pub(crate) fn find(&self, text: String) {
        self.note(&format!("VIOLATION {text}"));
        self.findings.borrow_mut().push(text);
    }

    pub(crate) fn take_findings(&self) -> Vec<String> {
        std::mem::take(&mut self.findings.borrow_mut())
    }

    /// Where customers reach a bank: not through the proxies, which are between banks.
    pub(crate) fn url(&self, bank: usize, path: &str) -> String {
        format!("http://{}:{}{path}", own_address(bank), self.banks.borrow()[bank].port)
    }

    pub(crate) fn start(&self, bank: usize) {
        let place = &mut self.banks.borrow_mut()[bank];
        if place.process.is_some() {
            return;
        }
        let log = File::options().create(true).append(true).open(&place.log).unwrap();
        let shifted = self.shifts.borrow().contains_key(&bank);
        let clock = shifted.then(|| self.clocks.variables(bank));
        let mut process = BankProcess::start(Start {
            program: &self.program,
            bank,
            nodes_json: &self.folder.join("nodes.json"),
            data: &place.data,
            listen: Some(own_address(bank)),
            variables: clock.into_iter().flatten().collect(),
            log: Stdio::piped(),
        });
        copy_log(process.take_log().unwrap(), log, place.log_is_read.clone());
        place.process = Some(process);
        place.starting = true;
        place.paused = false;
    }

    /// SIGKILL, which ends a stopped process too.
    pub(crate) fn kill(&self, bank: usize) {
        drop(self.banks.borrow_mut()[bank].process.take());
    }

    /// Puts banks that are not running yet under clocks that can be set.
    pub(crate) fn put_under_clocks(&self, shifts: Shifts) {
        shifts.iter().for_each(|(bank, shift)| self.clocks.set(*bank, shift));
        *self.shifts.borrow_mut() = shifts;
    }

    pub(crate) fn shifts(&self) -> Shifts {
        self.shifts.borrow().clone()
    }

    /// The wall clock of a bank jumps.
    pub(crate) fn set_clock(&self, bank: usize, shift: &str) {
        self.clocks.set(bank, shift);
    }

    /// The wall clock of a bank jumps back to its usual error.
    pub(crate) fn reset_clock(&self, bank: usize) {
        self.clocks.set(bank, self.shifts.borrow().get(&bank).unwrap_or(&RIGHT));
    }

    /// Lets all banks end by themselves; returns those that did not end cleanly.
    pub(crate) async fn stop_all(&self) -> Vec<usize> {
        let mut ending: Vec<_> =
            self.banks.borrow_mut().iter_mut().map(|bank| bank.process.take()).collect();
        ending.iter_mut().flatten().for_each(BankProcess::ask_to_stop);
        let is_unclean = |process: BankProcess| {
            let status = process.wait_end(ENDS_WITHIN);
            !status.is_some_and(|status| status.success())
        };
        let ended = ending.into_iter().map(|process| process.is_some_and(is_unclean));
        let unclean = ended.enumerate().filter(|(_, unclean)| *unclean).map(|(bank, _)| bank);
        unclean.collect()
    }

    /// The operating system's number of a bank's process, if it runs.
    pub(crate) fn process_id(&self, bank: usize) -> Option<u32> {
        self.banks.borrow()[bank].process.as_ref().map(BankProcess::id)
    }

    fn signal(&self, bank: usize, signal: &str) -> bool {
        let banks = self.banks.borrow();
        banks[bank].process.as_ref().is_some_and(|process| process.signal(signal))
    }

    /// SIGSTOP.
    pub(crate) fn pause(&self, bank: usize) {
        let paused = self.signal(bank, "-STOP");
        self.banks.borrow_mut()[bank].paused = paused;
    }

    /// SIGCONT.
    pub(crate) fn go_on(&self, bank: usize) {
        self.signal(bank, "-CONT");
        self.banks.borrow_mut()[bank].paused = false;
    }

    /// Notes whether a bank limps, which it does even while it is awake.
    pub(crate) fn set_limping(&self, bank: usize, limping: bool) {
        self.banks.borrow_mut()[bank].limping = limping;
    }

    /// Sets whether somebody reads what a bank logs.
    pub(crate) fn read_log(&self, bank: usize, read: bool) {
        self.banks.borrow()[bank].log_is_read.store(read, Ordering::Relaxed);
    }

    pub(crate) fn runs(&self, bank: usize) -> bool {
        self.banks.borrow()[bank].process.is_some()
    }

    /// Notices processes that have ended although nobody asked them to. One whose disk is full may
    /// end, and is not started again before the disk is freed.
    pub(crate) fn notice_ends(&self) {
        for bank in 0..self.len() {
            let ended = {
                let place = &mut self.banks.borrow_mut()[bank];
                let ended = place.process.as_mut().and_then(BankProcess::ended);
                if ended.is_some() {
                    place.process = None;
                }
                ended.map(|status| (status, place.disk_is_full))
            };
            match ended {
                Some((status, true)) => {
                    self.note(&format!("bank {bank}, whose disk is full, has ended: {status}"))
                }
                Some((status, false)) => {
                    self.find(format!("bank {bank} has ended by itself: {status}"))
                }
                None => {}
            }
        }
    }

    /// How many views in which it took writes a bank has reported in its log.
    pub(crate) fn views_seen(&self, bank: usize) -> usize {
        let log = std::fs::read_to_string(&self.banks.borrow()[bank].log).unwrap();
        log.lines().filter(|line| line.contains(": ready (view ")).count()
    }

    pub(crate) fn small_disk(&self) -> Option<usize> {
        self.banks.borrow().iter().position(|bank| bank.disk.is_some())
    }

    pub(crate) async fn fill_disk(&self, bank: usize) {
        let filling = {
            let place = &mut self.banks.borrow_mut()[bank];
            place.disk_is_full = true;
            place.disk.as_ref().expect("a bank with a small disk").filling()
        };
        actix_rt::task::spawn_blocking(filling).await.unwrap();
    }

    pub(crate) fn free_disk(&self, bank: usize) {
        if let Some(disk) = &self.banks.borrow()[bank].disk {
            disk.free();
        }
    }

    pub(crate) fn disk_is_full(&self, bank: usize) -> bool {
        self.banks.borrow()[bank].disk_is_full
    }

    /// From now on the end of this bank's process would be a surprise.
    pub(crate) fn disk_is_well(&self, bank: usize) {
        self.banks.borrow_mut()[bank].disk_is_full = false;
    }

    /// Kills a bank and empties its data folder.
    pub(crate) fn wipe(&self, bank: usize) {
        self.kill(bank);
        let place = &mut self.banks.borrow_mut()[bank];
        place.wiped = true;
        for entry in std::fs::read_dir(&place.data).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap()
            } else {
                std::fs::remove_file(path).unwrap()
            }
        }
    }

    pub(crate) fn set_all(&self, bank: usize, there: Passage, back: Passage) {
        for peer in (0..self.len()).filter(|peer| *peer != bank) {
            self.links.set(bank, peer, there);
            self.links.set(peer, bank, back);
        }
    }

    /// Whether a majority of the banks are as they should be, with a free path between any two of
    /// them.
    pub(crate) fn majority_is_healthy(&self) -> bool {
        let banks = self.banks.borrow();
        let well = |bank: &Bank| {
            !bank.paused && !bank.limping && !bank.disk_is_full && !bank.wiped && !bank.starting
        };
        let fit = |bank: &Bank| bank.process.is_some() && well(bank);
        let fit: Vec<_> = (0..banks.len()).filter(|bank| fit(&banks[*bank])).collect();
        let all_linked = |set: usize| {
            let of_set: Vec<_> = fit.iter().filter(|bank| set >> **bank & 1 == 1).collect();
            of_set.len() > banks.len() / 2
                && of_set.iter().all(|one| {
                    of_set.iter().all(|other| one == other || self.links.both_open(**one, **other))
                })
        };
        (0..1usize << banks.len()).any(all_linked)
    }

    /// Whether some bank is still heard but slow: all members wait for the slowest.
    pub(crate) fn any_is_slow(&self) -> bool {
        self.links.any_slow() || self.banks.borrow().iter().any(|bank| bank.limping)
    }

    /// What a bank says about itself; `None` if it does not answer.
    pub(crate) async fn status(&self, bank: usize) -> Option<Value> {
        let mut answer = self.client.get(self.url(bank, "/status")).send().await.ok()?;
        let status: Value = answer.json().await.ok()?;
        self.banks.borrow_mut()[bank].starting = false;
        let (position, hash) = (status["position"].as_u64()?, status["hash"].clone());
        let known =
            self.hashes.borrow_mut().entry(position).or_insert((hash.clone(), bank)).clone();
        if known.0 != hash {
            self.find(format!(
                "banks differ at position {position}: {} has {}, {bank} has {hash}",
                known.1, known.0
            ));
        }
        if status["voter"] == json!(true) {
            self.banks.borrow_mut()[bank].wiped = false;
        }
        Some(status)
    }

    /// What all banks say about themselves, if all of them answer.
    pub(crate) async fn statuses(&self) -> Option<Vec<Value>> {
        let asked = (0..self.len()).map(|bank| self.status(bank));
        futures_util::future::join_all(asked).await.into_iter().collect()
    }

    /// Whether all banks are members of one view and take writes.
    pub(crate) async fn all_are_members(&self) -> bool {
        self.statuses().await.is_some_and(|statuses| {
            let members = |status: &Value| status["view"]["members"].as_array().map_or(0, Vec::len);
            let here =
                |status: &Value| status["ready"] == json!(true) && status["voter"] == json!(true);
            let all = |status: &Value| here(status) && members(status) == self.len();
            statuses.iter().all(all)
                && statuses.iter().all(|status| status["view"] == statuses[0]["view"])
        })
    }

    /// Waits until all banks are members; returns whether they were in time.
    pub(crate) async fn wait_members(&self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        while !self.all_are_members().await {
            if Instant::now() > deadline {
                return false;
            }
            actix_rt::time::sleep(Duration::from_millis(100)).await;
        }
        true
    }

    /// Waits until all have executed the same; returns the position, or `None` if that does not
    /// happen in time.
    pub(crate) async fn wait_same(&self, at_most: Duration) -> Option<u64> {
        let deadline = Instant::now() + at_most;
        loop {
            if let Some(statuses) = self.statuses().await {
                let same =
                    |what: &str| statuses.iter().all(|status| status[what] == statuses[0][what]);
                if same("position") && same("hash") {
                    return statuses[0]["position"].as_u64();
                }
            }
            if Instant::now() > deadline {
                return None;
            }
            actix_rt::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Copies what a process logs into its file, as long as it lives and while somebody reads.
fn copy_log(mut words: ChildStderr, mut log: File, is_read: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let mut chunk = [0; 4_096];
        loop {
            while !is_read.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
            }
            match words.read(&mut chunk) {
                Ok(length @ 1..) => log.write_all(&chunk[..length]).unwrap(),
                _ => return,
            }
        }
    });
}
