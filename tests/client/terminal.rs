//! A person at a terminal: a pseudo-terminal with the program in it, and the screen that the person
//! would see.
//!
//! The screen is so long that nothing scrolls away, and the person reads it from top to bottom:
//! what has been read is not read again.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::Child;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use rustix::termios::{self, LocalModes, OptionalActions};

use crate::program::Machine;

const ROWS: u16 = 1_000;
/// So wide that no line is broken, for tests that look for texts.
const COLUMNS: u16 = 300;
/// How long the program may take to show what a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const ENTER: &str = "\r";
pub(crate) const ESCAPE: &str = "\x1b";

pub(crate) struct Terminal {
    pty: Arc<Pty>,
    program: Child,
    shown: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    columns: u16,
    raw: Vec<u8>,
    /// The first row that has not been read.
    from: usize,
}

impl Terminal {
    /// Starts the program as a person with this machine would.
    pub(crate) fn start(
        machine: &Machine,
        command: &[&str],
        environment: &[(&str, &str)],
    ) -> Terminal {
        Terminal::of_width(COLUMNS, machine, command, environment)
    }

    /// The same in a window of this many columns.
    pub(crate) fn of_width(
        columns: u16,
        machine: &Machine,
        command: &[&str],
        environment: &[(&str, &str)],
    ) -> Terminal {
        let (pty, pts) = open().unwrap();
        pty.resize(Size::new(ROWS, columns)).unwrap();
        keep_output_when_interrupted(&pty);
        let program = Command::new(env!("CARGO_BIN_EXE_netbanking"))
            .args(machine.arguments(command))
            .current_dir(machine.home())
            .env_clear()
            .envs(machine.environment())
            .envs(environment.iter().copied())
            .spawn(pts)
            .unwrap();
        let pty = Arc::new(pty);
        let (show, shown) = channel();
        let reader = Arc::clone(&pty);
        thread::spawn(move || {
            let mut chunk = [0; 4_096];
            // When the program ends, reading here fails.
            while let Ok(read @ 1..) = (&*reader).read(&mut chunk) {
                if show.send(chunk[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        let size = |length| NonZeroU16::new(length).unwrap();
        let screen = vt100::Parser::new(size(ROWS), size(columns), 0);
        Terminal { pty, program, shown, screen, columns, raw: Vec::new(), from: 0 }
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.program.id()
    }

    /// Waits until a row below what has been read shows this; returns the row.
    pub(crate) fn expect(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let rows: Vec<_> = self.screen.screen().rows(0, self.columns).collect();
            if let Some(row) = (self.from..rows.len()).find(|row| rows[*row].contains(text)) {
                self.from = row + 1;
                return rows[row].clone();
            }
            match self.shown.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{text:?} does not come:\n{}", self.contents())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("it has ended without {text:?}:\n{}", self.contents())
                }
            }
        }
    }

    /// Looks once more at the row that was read last: a question that is asked again is drawn in
    /// the same place.
    pub(crate) fn look_again(&mut self) -> &mut Terminal {
        self.from = self.from.saturating_sub(1);
        self
    }

    fn take(&mut self, bytes: &[u8]) {
        self.screen.process(bytes);
        self.raw.extend_from_slice(bytes);
    }

    pub(crate) fn press(&mut self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    /// Answers a question.
    pub(crate) fn answer(&mut self, question: &str, answer: &str) {
        self.expect(question);
        self.press(answer);
        self.press(ENTER);
    }

    /// Everything on the screen.
    pub(crate) fn contents(&self) -> String {
        self.screen.screen().contents()
    }

    /// Everything that was sent to the terminal, colours and all.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    /// Waits for the program's end; returns its exit code.
    pub(crate) fn end(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.shown.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.contents()),
                Err(RecvTimeoutError::Disconnected) => {
                    return self.program.wait().unwrap().code().unwrap();
                }
            }
        }
    }
}

/// Ctrl-C makes a terminal forget what the program has written and nobody has read, an end of line
/// perhaps: what comes next would then stand in the row before it. A person has read what there is
/// by the time they press it; this reader may not have had its turn.
fn keep_output_when_interrupted(pty: &Pty) {
    let mut modes = termios::tcgetattr(pty).unwrap();
    modes.local_modes |= LocalModes::NOFLSH;
    termios::tcsetattr(pty, OptionalActions::Now, &modes).unwrap();
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
