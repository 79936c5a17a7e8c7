//! The process of one bank.

use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::{clocks, signal};

/// The secret with which the banks of the tests identify themselves.
pub(crate) const SECRET: &str = "the secret of the test consortium";
/// How often the test checks whether a process has ended.
const LOOKS_EVERY: Duration = Duration::from_millis(10);

/// How a bank is started.
pub(crate) struct Start<'a> {
    pub(crate) program: &'a Path,
    pub(crate) bank: usize,
    pub(crate) nodes_json: &'a Path,
    pub(crate) data: &'a Path,
    /// Where the bank listens, if not where `nodes.json` says.
    pub(crate) listen: Option<String>,
    /// Additional variables in its environment.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// Where its log goes.
    pub(crate) log: Stdio,
}

/// A running bank. It is killed when dropped, and ends by itself when the test does.
pub(crate) struct BankProcess(Child);

impl BankProcess {
    pub(crate) fn start(how: Start<'_>) -> BankProcess {
        let listen = how.listen.map(|address| ["--listen".to_owned(), address]);
        let child = Command::new(how.program)
            .args(["node", "--stop-with-stdin", "--bank", &how.bank.to_string()])
            .args(listen.into_iter().flatten())
            .arg("--nodes")
            .arg(how.nodes_json)
            .arg("--data")
            .arg(how.data)
            .env("NETBANKING_PEER_SECRET", SECRET)
            .envs(how.variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(how.log)
            .spawn();
        BankProcess(child.unwrap())
    }

    /// The operating system's number.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Its log, if the bank was started with a pipe for it; can be taken once.
    pub(crate) fn take_log(&mut self) -> Option<ChildStderr> {
        self.0.stderr.take()
    }

    /// Sends it a signal, such as `-STOP`; returns whether that reached it.
    pub(crate) fn signal(&self, which: &str) -> bool {
        signal(which, &[self.id()])
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }

    /// Asks it to stop, by closing its standard input.
    pub(crate) fn ask_to_stop(&mut self) {
        drop(self.0.stdin.take());
    }

    /// Waits until it has ended by itself; `None` if it does not in time, in which case it is
    /// killed.
    pub(crate) fn wait_end(mut self, at_most: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + at_most;
        loop {
            let ended = self.ended();
            if ended.is_some() || Instant::now() >= deadline {
                return ended;
            }
            std::thread::sleep(LOOKS_EVERY);
        }
    }
}

impl Drop for BankProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
        clocks::clear_up_after(self.id());
    }
}
