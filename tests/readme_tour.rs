//! The README's tour, run as printed against a consortium of its own: what a newcomer pastes must
//! work, twice.

#![allow(clippy::unwrap_used)] // What cannot be started, read or written fails the test.

mod processes;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use processes::ports::free_pair;
use processes::signal;

/// The programs that the tour needs.
const PROGRAMS: [&str; 3] = ["bash", "curl", "jq"];
/// Stands on the line before the tour's fenced block.
const MARK: &str = "<!-- tour -->";
/// How long a consortium may take to become ready, or to end, and how long one run of the tour may
/// take.
const PATIENCE: Duration = Duration::from_secs(90);
const BANKS: usize = 3;
/// Lines of the log that a failure shows.
const LOG_LINES_SHOWN: usize = 60;

#[test]
fn the_readmes_tour_works_twice_as_printed_and_the_consortium_survives_a_restart() {
    for program in PROGRAMS {
        let found = Command::new(program).arg("--version").output();
        assert!(
            found.is_ok(),
            "THE README'S TOUR NEEDS {program}, WHICH IS NOT INSTALLED: apt-get install {program}"
        );
    }
    let readme = include_str!("../README.md");
    let folder = tempfile::tempdir().unwrap();
    let ports: Vec<_> = (0..BANKS).map(|_| free_pair()).collect();
    write_nodes_json(folder.path(), &ports);

    let mut consortium = Consortium::start(folder.path());
    consortium.wait_ready();
    let tour = tour_of(readme);
    let positions: Vec<u64> =
        (0..2).map(|_| judge(&run(&tour, &ports, folder.path()), &mut consortium)).collect();
    assert!(
        positions[0] < positions[1],
        "the second tour is ordered after the first: {positions:?}"
    );
    assert_eq!(
        consortium.terminate().code(),
        Some(0),
        "SIGTERM ends the supervisor cleanly\n{}",
        consortium.log()
    );

    let mut consortium = Consortium::start(folder.path());
    consortium.wait_ready();
    let statuses = run(
        "for bank in $BANK0 $BANK1 $BANK2; do curl -sS $bank/status; echo; done",
        &ports,
        folder.path(),
    );
    let found = the_one_state_in(&text(&statuses.stdout));
    assert_eq!(
        found.0,
        positions[1],
        "a second start goes on where the first ended\n{}",
        consortium.log()
    );
    assert_eq!(
        consortium.terminate().code(),
        Some(0),
        "SIGTERM ends the supervisor cleanly\n{}",
        consortium.log()
    );
}

/// The fenced block after the mark.
fn tour_of(readme: &str) -> String {
    let (_, after) = readme
        .split_once(&format!("{MARK}\n```bash\n"))
        .expect("the README has a tour behind its mark");
    let (tour, rest) = after.split_once("\n```\n").expect("the tour's fence is closed");
    assert!(!rest.contains(MARK), "the README has one tour");
    tour.to_owned()
}

/// Checks that a tour that went well says what the README promises; returns the position at which
/// all banks stood at its end.
fn judge(tour: &Output, consortium: &mut Consortium) -> u64 {
    let (said, complained) = (text(&tour.stdout), text(&tour.stderr));
    let all = || format!("--- the tour said\n{said}\n--- and complained\n{complained}");
    assert!(
        tour.status.success(),
        "the tour ends with {}\n{}\n{}",
        tour.status,
        all(),
        consortium.log()
    );
    assert_eq!(complained, "", "{}", all());
    let with = |words: &str| said.lines().filter(|line| line.contains(words)).collect::<Vec<_>>();
    let done = with("Pacote de operações executado com sucesso");
    assert!(done.len() == 2 && done[0] == done[1], "the same key gets the same answer\n{}", all());
    assert_eq!(with("criado com sucesso").len(), 1, "{}", all());
    assert_eq!(with("Conta criada com sucesso").len(), 2, "{}", all());
    assert_eq!(with("Chave Pix encontrada").len(), 1, "{}", all());
    let refused = with("insuficiente");
    assert!(
        refused.len() == 1 && refused[0].ends_with("400"),
        "the overdraft is refused\n{}",
        all()
    );
    assert_eq!(with("\"OPENING\"").len(), 1, "the statement is shown\n{}", all());
    the_one_state_in(&said).0
}

/// The position and hash that the statuses of all banks agree on.
fn the_one_state_in(said: &str) -> (u64, String) {
    let statuses = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let states: Vec<_> = statuses
        .filter_map(|status| {
            Some((status["position"].as_u64()?, status["hash"].as_str()?.to_owned()))
        })
        .collect();
    assert_eq!(states.len(), BANKS, "every bank tells its position and hash:\n{said}");
    assert!(states.iter().all(|state| *state == states[0]), "the banks agree: {states:?}");
    states[0].clone()
}

/// Runs commands with bash as a careful script does, with the banks of this test.
fn run(commands: &str, ports: &[(u16, u16)], folder: &Path) -> Output {
    let script = folder.join("tour.sh");
    std::fs::write(&script, format!("set -euo pipefail\n{commands}\n")).unwrap();
    let mut bash = Command::new("bash");
    // Nothing from the machine: neither its proxy nor its curl settings.
    bash.arg(script)
        .env("NO_PROXY", "*")
        .env("no_proxy", "*")
        .env("CURL_HOME", folder)
        .current_dir(folder);
    for (bank, (port, _)) in ports.iter().enumerate() {
        bash.env(format!("BANK{bank}"), format!("http://127.0.0.1:{port}"));
    }
    let (ended, end) = channel();
    thread::spawn(move || ended.send(bash.stdin(Stdio::null()).output()));
    end.recv_timeout(PATIENCE).expect("the tour comes to an end").unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn write_nodes_json(folder: &Path, ports: &[(u16, u16)]) {
    let node = |(bank, (port, heartbeat_port)): (usize, &(u16, u16))| json!({"name": format!("Banco {bank}"), "host": "127.0.0.1", "port": port, "heartbeat_port": heartbeat_port});
    let nodes: Vec<_> = ports.iter().enumerate().map(node).collect();
    let config =
        json!({"nodes": nodes, "heartbeat": {"interval_ms": 200}, "customer_auth": "sessions"});
    std::fs::write(folder.join("nodes.json"), config.to_string()).unwrap();
}

/// A running `netbanking` without a command, and what it says.
struct Consortium {
    supervisor: Child,
    lines: Receiver<String>,
    said: VecDeque<String>,
}

impl Consortium {
    fn start(folder: &Path) -> Consortium {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netbanking"));
        for (name, _) in std::env::vars()
            .filter(|(name, _)| name.starts_with("NETBANKING_") || name == "RUST_LOG")
        {
            command.env_remove(name);
        }
        command
            .arg("--nodes")
            .arg(folder.join("nodes.json"))
            .arg("--data")
            .arg(folder.join("data"));
        command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut supervisor = command.spawn().unwrap();
        let pipe = supervisor.stderr.take().unwrap();
        let (say, lines) = channel();
        thread::spawn(move || {
            let whole = BufReader::new(pipe).lines().map_while(Result::ok);
            whole.take_while(|line| say.send(line.clone()).is_ok()).for_each(drop);
        });
        Consortium { supervisor, lines, said: VecDeque::new() }
    }

    fn wait_ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line =
                self.next_line(deadline).unwrap_or_else(|| panic!("it has ended\n{}", self.log()));
            if line.starts_with("consortium ready:") {
                return;
            }
        }
    }

    /// The next line that it says; `None` once it has ended.
    fn next_line(&mut self, deadline: Instant) -> Option<String> {
        let line = match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing happens any more\n{}", self.log()),
        };
        self.said.push_back(line.clone());
        if self.said.len() > LOG_LINES_SHOWN {
            self.said.pop_front();
        }
        Some(line)
    }

    /// Stops it as an administrator would and waits until it has ended.
    fn terminate(&mut self) -> ExitStatus {
        assert!(signal("-TERM", &[self.supervisor.id()]));
        let deadline = Instant::now() + PATIENCE;
        while self.next_line(deadline).is_some() {}
        self.supervisor.wait().unwrap()
    }

    fn log(&mut self) -> String {
        self.said.extend(self.lines.try_iter());
        let from = self.said.len().saturating_sub(LOG_LINES_SHOWN);
        let shown: Vec<_> = self.said.iter().skip(from).map(String::as_str).collect();
        format!("--- the consortium said last\n{}", shown.join("\n"))
    }
}

impl Drop for Consortium {
    fn drop(&mut self) {
        // It may have ended already. Its banks end when their standard input does.
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
    }
}
