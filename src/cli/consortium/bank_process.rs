//! One bank's process: how it is started, supervised and ended.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

use super::super::node::{
    CERTIFICATES_VARIABLE, HTTPS_VARIABLE, LISTEN_VARIABLE, PEER_SECRET_FILE_VARIABLE,
    PEER_SECRET_VARIABLE,
};
use super::bank_log::{forward, label};
use super::say;
use crate::ids::BankId;

/// How long a bank that was told to stop may take, before it is killed; longer than a node drains.
const STOP_WAIT: Duration = Duration::from_secs(15);

/// What the supervisor wants of all banks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Go on.
    Run,
    /// End cleanly.
    Stop,
    /// End now.
    Kill,
}

/// A bank's process, running or not.
pub(super) struct BankProcess {
    /// The bank.
    pub(super) bank: BankId,
    /// This program.
    pub(super) program: PathBuf,
    /// `nodes.json`.
    pub(super) nodes: PathBuf,
    /// The bank's own folder.
    pub(super) data: PathBuf,
    /// Where the secret is kept; the process gets it through its environment.
    pub(super) secret_file: PathBuf,
    /// Where the bank's certificate is, if banks have any.
    pub(super) certificates: Option<PathBuf>,
}

/// A bank's process that has ended.
pub(super) struct Ended {
    /// Which one.
    pub(super) process: BankProcess,
    /// How it ended.
    pub(super) status: io::Result<ExitStatus>,
}

impl BankProcess {
    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![
            "node".into(),
            "--bank".into(),
            self.bank.to_string().into(),
            "--nodes".into(),
            self.nodes.clone().into(),
            "--data".into(),
            self.data.clone().into(),
        ];
        if let Some(folder) = &self.certificates {
            arguments.extend(["--certificates".into(), folder.clone().into()]);
        }
        arguments
    }

    /// The command with which a person starts this bank, ready to be pasted into a shell.
    pub(super) fn by_hand(&self) -> String {
        let mut words = vec![self.program.clone().into_os_string()];
        words.extend(self.arguments());
        words.extend(["--peer-secret-file".into(), self.secret_file.clone().into()]);
        words.iter().map(|word| shell_word(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
    }

    /// Starts the process.
    pub(super) fn start(&self, secret: &str) -> io::Result<Child> {
        Command::new(&self.program)
            .args(self.arguments())
            .arg("--stop-with-stdin")
            // These would be meant for a single bank, not for all.
            .env_remove(PEER_SECRET_FILE_VARIABLE)
            .env_remove(LISTEN_VARIABLE)
            .env_remove(CERTIFICATES_VARIABLE)
            .env_remove(HTTPS_VARIABLE)
            .env(PEER_SECRET_VARIABLE, secret)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C on the terminal is for the supervisor, which then stops the banks in an
            // orderly way.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    /// Passes on what the bank prints and carries out orders, until the process has ended.
    pub(super) async fn attend(self, mut child: Child, orders: watch::Receiver<Order>) -> Ended {
        let prefix = label(self.bank, io::stderr().is_terminal());
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let ((), (), status) = tokio::join!(
            forward(stdout, &prefix),
            forward(stderr, &prefix),
            end(self.bank, child, stdin, orders)
        );
        Ended { process: self, status }
    }
}

async fn end(
    bank: BankId,
    mut child: Child,
    stdin: Option<ChildStdin>,
    mut orders: watch::Receiver<Order>,
) -> io::Result<ExitStatus> {
    tokio::select! {
        status = child.wait() => return status,
        _ = orders.wait_for(|order| *order != Order::Run) => {}
    }
    drop(stdin);
    tokio::select! {
        status = child.wait() => return status,
        _ = orders.wait_for(|order| *order == Order::Kill) => {}
        () = tokio::time::sleep(STOP_WAIT) => {
            say(&format!("bank {bank} did not stop in {STOP_WAIT:?} and is killed"));
        }
    }
    child.kill().await?;
    child.wait().await
}

/// A word that a shell reads as one.
fn shell_word(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(program: &str, data: &str) -> BankProcess {
        BankProcess {
            bank: BankId(1),
            program: program.into(),
            nodes: "nodes.json".into(),
            data: data.into(),
            secret_file: "data/peer-secret".into(),
            certificates: Some("data/certificates/bank-1".into()),
        }
    }

    #[test]
    fn the_command_to_start_a_bank_by_hand_can_be_pasted() {
        assert_eq!(
            process("/opt/netbanking", "it's here/banco-1").by_hand(),
            r"/opt/netbanking node --bank 1 --nodes nodes.json --data 'it'\''s here/banco-1' --certificates data/certificates/bank-1 --peer-secret-file data/peer-secret"
        );
    }

    #[actix_rt::test]
    async fn a_bank_stops_when_its_standard_input_ends() {
        // `cat` ends when its standard input does; a node's arguments would mean nothing to it.
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let (orders, receiver) = watch::channel(Order::Run);
        let ended = actix_rt::spawn(end(BankId(0), child, stdin, receiver));
        actix_rt::time::sleep(Duration::from_millis(50)).await;
        assert!(!ended.is_finished());
        orders.send_replace(Order::Stop);
        assert!(ended.await.unwrap().unwrap().success());
    }

    #[actix_rt::test]
    async fn a_bank_that_does_not_stop_is_killed_by_the_second_order() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let (orders, receiver) = watch::channel(Order::Stop);
        let ended = actix_rt::spawn(end(BankId(0), child, stdin, receiver));
        actix_rt::time::sleep(Duration::from_millis(50)).await;
        assert!(!ended.is_finished());
        orders.send_replace(Order::Kill);
        assert_eq!(ended.await.unwrap().unwrap().to_string(), "signal: 9 (SIGKILL)");
    }

    #[actix_rt::test]
    async fn a_program_that_is_not_there_is_an_error() {
        assert!(process("/nowhere/netbanking", "data").start("secret").is_err());
    }
}
