//! What waits for a hashing thread: not much, and only what somebody still waits for. No I/O, no
//! clock.

use std::collections::VecDeque;

/// Work that its customer may have given up.
pub(super) trait Work {
    /// Whether nobody waits for the result any more.
    fn is_abandoned(&self) -> bool;
}

/// A queue of limited length.
pub(super) struct Queue<W> {
    waiting: VecDeque<W>,
    length_max: usize,
}

impl<W: Work> Queue<W> {
    /// An empty queue.
    pub(super) fn new(length_max: usize) -> Self {
        Queue { waiting: VecDeque::new(), length_max }
    }

    /// Puts work at the end, if there is room once what was abandoned has made way; returns whether
    /// there was.
    pub(super) fn put(&mut self, work: W) -> bool {
        if self.waiting.len() >= self.length_max {
            self.waiting.retain(|work| !work.is_abandoned());
        }
        let has_room = self.waiting.len() < self.length_max;
        if has_room {
            self.waiting.push_back(work);
        }
        has_room
    }

    /// The next that somebody still waits for.
    pub(super) fn next(&mut self) -> Option<W> {
        while let Some(work) = self.waiting.pop_front() {
            if !work.is_abandoned() {
                return Some(work);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Job {
        number: u8,
        abandoned: bool,
    }

    impl Work for Job {
        fn is_abandoned(&self) -> bool {
            self.abandoned
        }
    }

    fn job(number: u8) -> Job {
        Job { number, abandoned: false }
    }

    #[test]
    fn what_nobody_waits_for_is_never_done() {
        let mut queue = Queue::new(3);
        assert!(queue.put(Job { number: 1, abandoned: true }) && queue.put(job(2)));
        assert_eq!(queue.next(), Some(job(2)));
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn a_full_queue_takes_nothing_more_until_something_in_it_is_done_or_abandoned() {
        let mut queue = Queue::new(2);
        assert!(queue.put(job(1)) && queue.put(Job { number: 2, abandoned: true }));
        assert!(queue.put(job(3)), "what was abandoned makes way");
        assert!(!queue.put(job(4)));
        assert_eq!(queue.next(), Some(job(1)));
        assert!(queue.put(job(4)));
        assert_eq!([queue.next(), queue.next()], [Some(job(3)), Some(job(4))]);
    }
}
