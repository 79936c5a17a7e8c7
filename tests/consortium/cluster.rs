//! Starts, kills and watches the processes of one consortium.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use netbanking::wire;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::processes::bank::{BankProcess, Start};
use crate::processes::links::{Links, own_address};
use crate::processes::ports::free_pair;

/// How long a consortium may take to become ready, and a process to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// One consortium at a time: each has as many processes as the machine can bear.
static TURN: Mutex<()> = Mutex::new(());

pub(crate) struct Cluster {
    folder: TempDir,
    customer_auth: String,
    /// What starts a bank.
    program: PathBuf,
    processes: RefCell<Vec<Option<BankProcess>>>,
    ports: Vec<(u16, u16)>,
    /// Proxies between the banks, if a test wants them.
    links: Option<Links>,
    /// Per bank, additional environment variables of its process.
    variables: RefCell<BTreeMap<usize, Vec<(&'static str, String)>>>,
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// Writes a `nodes.json` for this many banks; nothing runs yet.
    pub(crate) fn prepare(banks: usize, customer_auth: &str) -> Cluster {
        let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let customer_auth = customer_auth.to_owned();
        let folder = tempfile::tempdir().unwrap();
        let (processes, ports, links) = (RefCell::default(), Vec::new(), None);
        let variables = RefCell::default();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_netbanking"));
        let mut cluster = Cluster {
            folder,
            customer_auth,
            program,
            processes,
            ports,
            links,
            variables,
            _turn: turn,
        };
        (0..banks).for_each(|_| cluster.add_bank());
        cluster
    }

    /// From their next start on, banks are started by this.
    pub(crate) fn set_program(&mut self, program: PathBuf) {
        self.program = program;
    }

    /// From its next start on, a bank's process has this in its environment.
    pub(crate) fn set_variable(&self, bank: usize, name: &'static str, value: String) {
        self.variables.borrow_mut().entry(bank).or_default().push((name, value));
    }

    /// What a bank's process has in its environment from its next start on.
    pub(crate) fn variables(&self, bank: usize) -> Vec<(&'static str, String)> {
        self.variables.borrow().get(&bank).cloned().unwrap_or_default()
    }

    /// Gives every bank a certificate; from their next start on they use it.
    pub(crate) fn certify(&self) {
        self.certs(&[]);
        for bank in 0..self.banks() {
            let folder = self.certificates().join(format!("bank-{bank}"));
            self.set_variable(bank, "NETBANKING_CERTIFICATES", folder.display().to_string());
        }
    }

    /// Where the certificates are.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.folder.path().join("certificates")
    }

    /// `netbanking certs`.
    pub(crate) fn certs(&self, more: &[&str]) {
        self.certs_into(&self.certificates(), more);
    }

    /// The same with a folder, and so an authority, of its own.
    pub(crate) fn certs_into(&self, folder: &Path, more: &[&str]) {
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_netbanking"))
            .arg("certs")
            .arg("--nodes")
            .arg(self.nodes_json())
            .arg("--out")
            .arg(folder)
            .args(more)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// One more entry in `nodes.json`.
    pub(crate) fn add_bank(&mut self) {
        self.ports.push(free_pair());
        self.processes.get_mut().push(None);
        let node = |(bank, (port, heartbeat_port)): (usize, &(u16, u16))| {
            json!({"name": format!("Banco {bank}"), "host": "127.0.0.1", "port": port,
        "heartbeat_port": heartbeat_port})
        };
        let config = json!({
            "nodes": self.ports.iter().enumerate().map(node).collect::<Vec<_>>(),
            "heartbeat": {"interval_ms": 200, "failure_after_ms": 3000, "rejoin_after_ms": 500},
            "customer_auth": self.customer_auth,
        });
        std::fs::write(self.nodes_json(), config.to_string()).unwrap();
    }

    /// Uses the heartbeat times that hold where `nodes.json` says nothing.
    pub(crate) fn with_default_times(self) -> Cluster {
        let text = std::fs::read_to_string(self.nodes_json()).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        config.as_object_mut().unwrap().remove("heartbeat");
        std::fs::write(self.nodes_json(), config.to_string()).unwrap();
        self
    }

    /// Starts all banks and waits until each takes writes.
    pub(crate) async fn start(banks: usize, customer_auth: &str) -> Cluster {
        let cluster = Cluster::prepare(banks, customer_auth);
        cluster.start_all().await;
        cluster
    }

    /// Starts a consortium with proxies between the banks, which customers bypass, and waits until
    /// each bank takes writes.
    pub(crate) async fn start_behind_links(banks: usize) -> Cluster {
        let mut cluster = Cluster::prepare(banks, "sessions");
        cluster.links = Some(Links::start(&cluster.ports));
        cluster.start_all().await;
        cluster
    }

    pub(crate) fn links(&self) -> &Links {
        self.links.as_ref().unwrap()
    }

    /// Starts a consortium with a laboratory and waits until all its banks take writes.
    pub(crate) async fn start_laboratory(banks: usize) -> Cluster {
        let cluster = Cluster::prepare(banks, "sessions");
        cluster
            .change_nodes_json(&cluster.nodes_json(), |config| config["laboratory"] = true.into());
        cluster.start_all().await;
        cluster
    }

    /// Writes a changed copy of `nodes.json`, or changes it in its place.
    pub(crate) fn change_nodes_json(&self, into: &Path, change: impl FnOnce(&mut Value)) {
        let text = std::fs::read_to_string(self.nodes_json()).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        change(&mut config);
        std::fs::write(into, config.to_string()).unwrap();
    }

    pub(crate) async fn start_all(&self) {
        for bank in 0..self.banks() {
            self.start_bank(bank);
        }
        self.wait_ready().await;
    }

    pub(crate) fn start_bank(&self, bank: usize) {
        self.start_bank_with(bank, &self.nodes_json());
    }

    /// Starts a bank on a `nodes.json` of its own.
    pub(crate) fn start_bank_with(&self, bank: usize, nodes_json: &Path) {
        let log = File::options().create(true).append(true).open(self.log_path(bank)).unwrap();
        self.spawn(bank, nodes_json, log);
    }

    pub(crate) fn start_bank_that_logs_to(&self, bank: usize, log: impl Into<Stdio>) {
        self.spawn(bank, &self.nodes_json(), log);
    }

    fn spawn(&self, bank: usize, nodes_json: &Path, log: impl Into<Stdio>) {
        let process = BankProcess::start(Start {
            program: &self.program,
            bank,
            nodes_json,
            data: &self.data(bank),
            listen: self.links.as_ref().map(|_| own_address(bank)),
            variables: self.variables(bank),
            log: log.into(),
        });
        self.processes.borrow_mut()[bank] = Some(process);
    }

    pub(crate) fn data(&self, bank: usize) -> PathBuf {
        self.folder.path().join(format!("banco-{bank}"))
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A `nodes.json` for one bank alone.
    pub(crate) fn own_nodes_json(&self, bank: usize) -> PathBuf {
        self.folder.path().join(format!("nodes-{bank}.json"))
    }

    fn log_path(&self, bank: usize) -> PathBuf {
        self.folder.path().join(format!("banco-{bank}.log"))
    }

    pub(crate) fn nodes_json(&self) -> PathBuf {
        self.folder.path().join("nodes.json")
    }

    /// Waits until a bank has logged this.
    pub(crate) async fn wait_log(&self, bank: usize, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log(bank).contains(text) {
            assert!(
                Instant::now() < deadline,
                "bank {bank} does not say {text}:\n{}",
                self.log(bank)
            );
            actix_rt::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn log(&self, bank: usize) -> String {
        std::fs::read_to_string(self.log_path(bank)).unwrap()
    }

    pub(crate) fn banks(&self) -> usize {
        self.ports.len()
    }

    pub(crate) fn url(&self, bank: usize, path: &str) -> String {
        let host =
            self.links.as_ref().map_or_else(|| "127.0.0.1".to_owned(), |_| own_address(bank));
        format!("http://{host}:{}{path}", self.ports[bank].0)
    }

    pub(crate) fn ports(&self, bank: usize) -> (u16, u16) {
        self.ports[bank]
    }

    pub(crate) fn process_id(&self, bank: usize) -> u32 {
        self.processes.borrow()[bank].as_ref().unwrap().id()
    }

    /// SIGKILL.
    pub(crate) fn kill(&self, bank: usize) {
        drop(self.take(bank));
    }

    /// SIGSTOP or SIGCONT: the process hangs, or goes on.
    pub(crate) fn signal(&self, bank: usize, signal: &str) {
        assert!(self.processes.borrow()[bank].as_ref().unwrap().signal(signal));
    }

    fn take(&self, bank: usize) -> BankProcess {
        self.processes.borrow_mut()[bank].take().unwrap()
    }

    /// Asks a bank to stop and waits until it has; returns whether it ended cleanly.
    pub(crate) fn stop(&self, bank: usize) -> bool {
        let mut process = self.take(bank);
        process.ask_to_stop();
        process.wait_end(PATIENCE).expect("the process ends").success()
    }

    /// SIGTERM, then as for [`Cluster::stop`].
    pub(crate) fn terminate(&self, bank: usize) -> bool {
        let process = self.take(bank);
        assert!(process.signal("-TERM"));
        process.wait_end(PATIENCE).expect("the process ends").success()
    }

    pub(crate) async fn wait_ready(&self) {
        let runs = |bank: &usize| self.processes.borrow()[*bank].is_some();
        let banks: Vec<_> = (0..self.banks()).filter(runs).collect();
        self.wait_banks_ready(&banks).await;
    }

    pub(crate) async fn wait_banks_ready(&self, banks: &[usize]) {
        let client = wire::client(8, Duration::from_secs(2));
        let deadline = Instant::now() + PATIENCE;
        for bank in banks.iter().copied() {
            loop {
                let answer = client.get(self.url(bank, "/ready")).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    break;
                }
                assert!(
                    Instant::now() < deadline,
                    "bank {bank} does not get ready:\n{}",
                    self.log(bank)
                );
                actix_rt::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Waits until these banks are the members of the view in force at each of them.
    pub(crate) async fn wait_members(&self, members: &[usize]) {
        let deadline = Instant::now() + PATIENCE;
        for bank in members {
            loop {
                let status = self.status(*bank).await;
                if status["ready"] == true && status["view"]["members"] == json!(members) {
                    break;
                }
                assert!(Instant::now() < deadline, "bank {bank} stays at {status}");
                actix_rt::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    pub(crate) async fn status(&self, bank: usize) -> Value {
        let client = wire::client(8, Duration::from_secs(5));
        client.get(self.url(bank, "/status")).send().await.unwrap().json().await.unwrap()
    }

    /// Waits until all banks have executed the same, and checks that they agree on it; returns the
    /// position.
    pub(crate) async fn assert_same_everywhere(&self) -> u64 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut states = Vec::new();
            for bank in 0..self.banks() {
                let status = self.status(bank).await;
                states.push((status["position"].as_u64().unwrap(), status["hash"].to_string()));
            }
            if states.iter().all(|state| state.0 == states[0].0) {
                assert!(
                    states.iter().all(|state| state == &states[0]),
                    "the copies differ: {states:?}"
                );
                return states[0].0;
            }
            assert!(
                Instant::now() < deadline,
                "the banks do not come to the same position: {states:?}"
            );
            actix_rt::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.processes.get_mut().clear();
        if std::thread::panicking() {
            for bank in 0..self.banks() {
                let log = std::fs::read_to_string(self.log_path(bank)).unwrap_or_default();
                let tail: Vec<_> =
                    log.lines().filter(|line| !line.contains(" executed position=")).collect();
                let from = tail.len().saturating_sub(25);
                eprintln!("--- log of bank {bank}\n{}", tail[from..].join("\n"));
            }
        }
    }
}
