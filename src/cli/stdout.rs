//! What a command answers, on standard output. A reader that has closed the pipe wants no more; but
//! on a full disk the answer is lost, and a script that reads it later must learn that from the
//! exit code.

use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The first failure of this process to write its answer.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Whether nobody reads any more.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// The answer, or a part of it, could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the answer could not be written to standard output: {0}. What was done remains done")]
pub(super) struct OutputLost(&'static io::Error);

impl OutputLost {
    /// The reason alone.
    pub(super) fn why(&self) -> &io::Error {
        self.0
    }
}

/// Writes a text, colours included, as it is.
pub(super) fn put(text: &str) {
    let mut out = io::stdout().lock();
    keep(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Remembers that something could not be written.
pub(super) fn keep(written: io::Result<()>) {
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => CLOSED.store(true, Relaxed),
        // Only the first is reported.
        Err(error) => drop(LOST.set(error)),
    }
}

/// Whether the reader has closed the pipe, and wants no more.
pub(super) fn is_closed() -> bool {
    CLOSED.load(Relaxed)
}

/// Whether everything so far has been written.
pub(super) fn check() -> Result<(), OutputLost> {
    LOST.get().map_or(Ok(()), |error| Err(OutputLost(error)))
}
