//! Waiting for an answer on a thread that does nothing else meanwhile: that of the journal, which
//! belongs to an actor, and on which no other runtime may be entered.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::Thread;
use std::time::{Duration, Instant};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for something that another thread does; `None` if it takes longer than this.
pub(super) fn wait<F: Future>(future: F, at_most: Duration) -> Option<F::Output> {
    let until = Instant::now() + at_most;
    let mut future = pin!(future);
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return Some(done);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        std::thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_another_thread_is_waited_for_and_none_that_does_not_come() {
        let (tell, told) = tokio::sync::oneshot::channel();
        let other = std::thread::spawn(move || tell.send(7));
        assert_eq!(wait(told, Duration::from_secs(60)), Some(Ok(7)));
        other.join().unwrap().unwrap();
        assert_eq!(wait(std::future::pending::<()>(), Duration::from_millis(1)), None);
    }
}
