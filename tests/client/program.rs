//! One customer's machine: a home folder, the banks' addresses, and the program.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cluster::Cluster;

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) struct Machine {
    home: TempDir,
    banks: Vec<String>,
}

/// The outcome of a command.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// The one JSON object that `--json` promises, and nothing beside it.
    pub(crate) fn json(&self) -> Value {
        let object: Value =
            serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert!(object.is_object() && self.out.trim_end().lines().count() == 1, "{self:?}");
        assert_eq!(object["ok"], json!(self.code == 0), "{self:?}");
        object
    }

    pub(crate) fn expect(self, code: i32) -> Ended {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

impl Machine {
    pub(crate) fn with_banks(banks: Vec<String>) -> Machine {
        Machine { home: tempfile::tempdir().unwrap(), banks }
    }

    /// Knows all banks of the consortium, in their order.
    pub(crate) fn of(cluster: &Cluster) -> Machine {
        Machine::with_banks((0..cluster.banks()).map(|bank| cluster.url(bank, "")).collect())
    }

    /// The same customer with other addresses.
    pub(crate) fn set_banks(&mut self, banks: Vec<String>) {
        self.banks = banks;
    }

    pub(crate) fn session_file(&self) -> PathBuf {
        self.home.path().join("state/netbanking/session.json")
    }

    /// Where the program is started.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A file in the customer's folder.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Arguments that name the banks, after the command.
    pub(crate) fn arguments(&self, command: &[&str]) -> Vec<String> {
        let banks = self.banks.iter().flat_map(|bank| ["--bank".to_owned(), bank.clone()]);
        // A machine under load may be slow; only tests that say so rely on a bank's silence.
        let patient =
            if command.contains(&"--answer-wait") { &[][..] } else { &["--answer-wait", "30"] };
        let command =
            ["client"].iter().chain(command).chain(patient).map(|argument| (*argument).to_owned());
        command.chain(banks).collect()
    }

    /// The environment that the program gets, with nothing from the machine that runs the test.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let home = self.home.path().display().to_string();
        vec![
            ("XDG_STATE_HOME".into(), format!("{home}/state")),
            ("HOME".into(), home),
            ("TERM".into(), "xterm".into()),
        ]
    }

    /// Runs a command with the password in the environment.
    pub(crate) fn run(&self, command: &[&str]) -> Ended {
        self.run_with(command, &[("NETBANKING_PASSWORD", PASSWORD)], "")
    }

    pub(crate) fn run_with(
        &self,
        command: &[&str],
        environment: &[(&str, &str)],
        input: &str,
    ) -> Ended {
        let mut child = self.spawn(command, environment);
        // The program may end without reading.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        ended(child)
    }

    /// Begins a command that goes on until something happens.
    pub(crate) fn begin(&self, command: &[&str]) -> Running {
        Running(self.spawn(command, &[("NETBANKING_PASSWORD", PASSWORD)]))
    }

    fn spawn(&self, command: &[&str], environment: &[(&str, &str)]) -> Child {
        let mut program = Command::new(env!("CARGO_BIN_EXE_netbanking"));
        program
            .args(self.arguments(command))
            .env_clear()
            .envs(self.environment())
            .envs(environment.iter().copied());
        program.current_dir(self.home.path());
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        program.spawn().unwrap()
    }

    /// Registers a person and logs in at all banks.
    pub(crate) fn register(&self, user: &str, document: &str) {
        let name = format!("Cliente {user}");
        self.run(&[
            "register",
            "--user",
            user,
            "--name",
            &name,
            "--person",
            "PF",
            "--document",
            document,
        ])
        .expect(0);
        self.run(&["login", "--user", user]).expect(0);
    }

    /// Opens an account with R$ 100,00; returns its number and Pix key.
    pub(crate) fn open(&self, bank: usize) -> (u64, String) {
        let bank = bank.to_string();
        let opened = self.run(&[
            "open",
            "--at",
            &bank,
            "--type",
            "PF",
            "--pix",
            "NUM_CONTA",
            "--value",
            "100,00",
            "--json",
        ]);
        let answer = &opened.expect(0).json()["answer"];
        (answer["num_account"].as_u64().unwrap(), answer["kay_pix"].as_str().unwrap().to_owned())
    }

    /// The balance of an account, as the digits that the bank wrote.
    pub(crate) fn balance(&self, account: u64) -> String {
        let accounts = self.run(&["accounts", "--json"]).expect(0).json();
        let is_it = |own: &&Value| own["num_account"] == json!(account);
        accounts["accounts"].as_array().unwrap().iter().find(is_it).unwrap()["balance"].to_string()
    }
}

/// A command under way.
pub(crate) struct Running(Child);

impl Running {
    /// Waits until it has remarked this.
    pub(crate) fn after(mut self, remark: &str) -> Running {
        let mut remarks = self.0.stderr.take().unwrap();
        let (mut said, mut byte) = (Vec::new(), [0]);
        while !String::from_utf8_lossy(&said).contains(remark) {
            let read = remarks.read(&mut byte).unwrap();
            assert!(read > 0, "it ends without {remark:?}: {}", String::from_utf8_lossy(&said));
            said.push(byte[0]);
        }
        self.0.stderr = Some(remarks);
        self
    }

    pub(crate) fn end(self) -> Ended {
        ended(self.0)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

fn ended(child: Child) -> Ended {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended {
        code: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// A package of one deposit.
pub(crate) fn deposit(bank: usize, account: u64, value: &str) -> String {
    format!(
        r#"{{"{bank}": {{"{account}": {{"package": [{{"type": "DEPOSIT", "value": {value}, "sender": {account}}}]}}}}}}"#
    )
}
