//! The path of lines to standard error, which never holds up their writers.
//!
//! Standard error may be a pipe that nobody reads: a stopped pager, a log collector that hangs. A
//! writer then blocks, and a ledger or a core thread that waits for its log stops the whole
//! consortium. So lines wait in a bounded queue that a thread of its own empties; what does not fit
//! is dropped and counted, and the count is printed when the lines flow again.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender, TryRecvError, TrySendError};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// The most texts in the queue.
const TEXTS_MAX: usize = 8_192;
/// The most bytes in the queue: a few seconds of a busy bank's log.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most bytes in one write to the system, unless a single text is longer.
const BATCH_BYTES: usize = 64 * 1024;
/// How long lines gather after a write. What a process logs in its last milliseconds is lost when
/// it is killed.
const GATHER: Duration = Duration::from_millis(10);
/// How often a full queue is tried again while somebody waits for it to be emptied.
const RETRY: Duration = Duration::from_millis(5);
/// How long a process that ends waits for lines that have not been written yet.
pub(super) const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// The queue in front of one writer.
pub(super) struct Outlet {
    queue: SyncSender<Post>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    bytes_waiting: AtomicUsize,
    /// How many dropped lines have not been reported yet.
    lines_lost: AtomicU64,
}

enum Post {
    Text(Vec<u8>),
    /// To be answered once everything before this is written.
    Flush(Sender<()>),
}

/// The process's standard error.
pub(super) fn stderr() -> &'static Outlet {
    static STDERR: OnceLock<Outlet> = OnceLock::new();
    STDERR.get_or_init(|| Outlet::to(io::stderr()))
}

impl Outlet {
    fn to(writer: impl Write + Send + 'static) -> Outlet {
        let (queue, posts) = mpsc::sync_channel(TEXTS_MAX);
        let counts = Arc::new(Counts::default());
        let seen = Arc::clone(&counts);
        // Without a thread the queue fills and the lines are lost, but that is no reason to stop a
        // bank.
        let _ = thread::Builder::new()
            .name("log".into())
            .spawn(move || write_all(writer, &posts, &seen));
        Outlet { queue, counts }
    }

    /// Puts whole lines into the queue, or drops them.
    pub(super) fn put(&self, mut lines: Vec<u8>) {
        let new = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
        let lost = self.counts.lines_lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            lines.splice(..0, said_of_lost(lost));
        }
        let bytes = lines.len();
        let waiting = self.counts.bytes_waiting.fetch_add(bytes, Ordering::Relaxed);
        if waiting + bytes > BYTES_MAX || self.queue.try_send(Post::Text(lines)).is_err() {
            self.counts.bytes_waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.counts.lines_lost.fetch_add(lost + new, Ordering::Relaxed);
        }
    }

    /// Waits until everything has been written, but no longer than this; returns whether it has.
    pub(super) fn flush(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let (tell, hear) = mpsc::channel();
        let mut post = Post::Flush(tell);
        while let Err(TrySendError::Full(back)) = self.queue.try_send(post) {
            if Instant::now() >= deadline {
                return false;
            }
            post = back;
            thread::sleep(RETRY);
        }
        hear.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
    }
}

fn said_of_lost(lines: u64) -> Vec<u8> {
    format!("netbanking: {lines} log lines lost: standard error was not read\n").into_bytes()
}

/// The thread behind the queue: writes what there is at once, then lets the next lines gather.
///
/// Waking a thread costs the writer several microseconds, and a bank logs several lines per event.
fn write_all(mut writer: impl Write, posts: &Receiver<Post>, counts: &Counts) {
    while let Some(first) = next(&mut writer, posts, counts) {
        let mut batch = Batch::default();
        batch.add(first);
        let mut emptied = false;
        while !emptied && batch.text.len() < BATCH_BYTES && batch.flushed.is_none() {
            match posts.try_recv() {
                Ok(post) => batch.add(post),
                Err(_) => emptied = true,
            }
        }
        // Nobody reads any more, but that is no reason to stop a bank.
        let _ = writer.write_all(&batch.text);
        counts.bytes_waiting.fetch_sub(batch.text.len(), Ordering::Relaxed);
        match batch.flushed {
            // The caller may have stopped waiting.
            Some(tell) => _ = tell.send(()),
            None if emptied => thread::sleep(GATHER),
            None => {}
        }
    }
}

/// The contents of one write.
#[derive(Default)]
struct Batch {
    text: Vec<u8>,
    /// Who waits for it.
    flushed: Option<Sender<()>>,
}

impl Batch {
    fn add(&mut self, post: Post) {
        match post {
            Post::Text(text) if self.text.is_empty() => self.text = text,
            Post::Text(text) => self.text.extend_from_slice(&text),
            Post::Flush(tell) => self.flushed = Some(tell),
        }
    }
}

/// The next post in the queue; if the queue is empty, so that no text can carry the count of lost
/// lines, prints it first. `None` when there are no more senders.
fn next(writer: &mut impl Write, posts: &Receiver<Post>, counts: &Counts) -> Option<Post> {
    match posts.try_recv() {
        Ok(post) => return Some(post),
        Err(TryRecvError::Disconnected) => return None,
        Err(TryRecvError::Empty) => {}
    }
    let lost = counts.lines_lost.swap(0, Ordering::Relaxed);
    if lost > 0 {
        let _ = writer.write_all(&said_of_lost(lost));
    }
    posts.recv().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe on which every write waits until somebody reads.
    struct Pipe(SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn unread() -> (Outlet, Receiver<Vec<u8>>) {
        let (send, read) = mpsc::sync_channel(0);
        (Outlet::to(Pipe(send)), read)
    }

    #[test]
    fn an_unread_pipe_blocks_nobody_and_lost_lines_are_counted_once_it_is_read() {
        let (outlet, read) = unread();
        for line in 0..8 * TEXTS_MAX {
            outlet.put(format!("{line}\n").into_bytes());
        }
        assert!(!outlet.flush(Duration::from_millis(20)), "nobody reads");
        let mut text = String::new();
        while let Ok(bytes) = read.recv_timeout(Duration::from_millis(500)) {
            text.push_str(&String::from_utf8(bytes).unwrap());
        }
        // The lines that were kept are in order, and every gap says how long it is.
        let mut next = 0;
        for line in text.lines() {
            match line
                .strip_prefix("netbanking: ")
                .and_then(|line| line.split_once(" log lines lost: "))
            {
                Some((lost, _)) => next += lost.parse::<usize>().unwrap(),
                None => {
                    assert_eq!(line.parse(), Ok(next));
                    next += 1;
                }
            }
        }
        assert_eq!(next, 8 * TEXTS_MAX);
        // The lines that wait, the lines being written, and a gap after each of the two.
        assert!(text.lines().count() < 2 * TEXTS_MAX + BATCH_BYTES / 5, "{}", text.lines().count());
    }

    #[test]
    fn a_few_huge_texts_do_not_fill_the_memory() {
        let (outlet, _read) = unread();
        for _ in 0..100 {
            outlet.put(vec![b'\n'; 1024 * 1024]);
        }
        assert!(outlet.counts.bytes_waiting.load(Ordering::Relaxed) <= BYTES_MAX);
        assert!(outlet.counts.lines_lost.load(Ordering::Relaxed) >= 95 * 1024 * 1024);
    }

    /// Waking a thread and making a system call for every line cost a lone request a tenth of its
    /// time.
    #[test]
    fn lines_that_come_one_after_the_other_are_written_together() {
        struct Writes(Arc<AtomicUsize>);
        impl Write for Writes {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.fetch_add(1, Ordering::Relaxed);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let writes = Arc::new(AtomicUsize::new(0));
        let outlet = Outlet::to(Writes(Arc::clone(&writes)));
        let begun = Instant::now();
        for line in 0..1_000 {
            outlet.put(format!("{line}\n").into_bytes());
            thread::yield_now();
        }
        assert!(outlet.flush(Duration::from_secs(10)));
        let rounds = begun.elapsed().as_millis() / GATHER.as_millis() + 3;
        assert!(
            writes.load(Ordering::Relaxed) as u128 <= rounds,
            "{writes:?} writes in {:?}",
            begun.elapsed()
        );
    }

    #[test]
    fn a_flush_waits_until_all_is_written() {
        let (outlet, read) = unread();
        outlet.put(b"one\n".to_vec());
        let reader = thread::spawn(move || read.recv().unwrap());
        assert!(outlet.flush(Duration::from_secs(10)));
        assert_eq!(reader.join().unwrap(), b"one\n");
    }
}
