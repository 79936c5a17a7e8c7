//! System calls of a running bank that take longer than they should: a disk that needs seconds, a
//! thread that is stuck. strace delays them, as a tracer that is attached to the process and leaves
//! when the fault is over.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

const MISSING: &str = "THE TESTS OF SLOW DISKS AND STUCK THREADS NEED strace: run .ci/run, which installs it, or \
                       apt-get install strace";
/// Longer than any test.
const STUCK: Duration = Duration::from_secs(3_600);

/// Lasts until it is dropped.
pub(crate) struct SlowCalls {
    strace: Child,
    /// Kept open, so that strace may go on speaking.
    _words: BufReader<ChildStderr>,
}

impl SlowCalls {
    /// Every fsync of a process takes `delay` longer.
    pub(crate) fn fsyncs(process_id: u32, delay: Duration) -> SlowCalls {
        SlowCalls::attach(&["--follow-forks"], process_id, "fsync,fdatasync", delay)
    }

    /// The thread of that name does not return from its next system call, whichever that is; the
    /// others go on.
    pub(crate) fn stuck_thread(process_id: u32, name: &str) -> SlowCalls {
        SlowCalls::attach(&[], thread_id(process_id, name), "all", STUCK)
    }

    /// Returns when the fault has begun.
    fn attach(options: &[&str], id: u32, calls: &str, delay: Duration) -> SlowCalls {
        let mut strace = Command::new("strace")
            .args(options)
            .args(["--attach", &id.to_string(), "--output", "/dev/null", "--trace", calls])
            .arg(format!("--inject={calls}:delay_enter={}", delay.as_micros()))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect(MISSING);
        let mut words = BufReader::new(strace.stderr.take().unwrap());
        let mut first = String::new();
        words.read_line(&mut first).unwrap();
        assert!(
            first.contains(" attached"),
            "strace must be allowed to trace a process that is not its child (root, CAP_SYS_PTRACE, or \
             kernel.yama.ptrace_scope = 0): {first}"
        );
        SlowCalls { strace, _words: words }
    }
}

impl Drop for SlowCalls {
    fn drop(&mut self) {
        // A traced process goes on at once when the tracer is gone. The tracer may have ended
        // already, with the bank.
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

fn thread_id(process_id: u32, name: &str) -> u32 {
    let tasks = std::fs::read_dir(format!("/proc/{process_id}/task"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let is_called = |path: &std::path::PathBuf| {
        // A thread may end meanwhile.
        std::fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    };
    let mut found = tasks.filter(is_called);
    let thread = found
        .next()
        .unwrap_or_else(|| panic!("no thread of process {process_id} is called {name}"));
    assert_eq!(found.next(), None, "two threads are called {name}");
    thread.file_name().unwrap().to_str().unwrap().parse().unwrap()
}
