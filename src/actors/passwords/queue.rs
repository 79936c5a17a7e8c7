//! What waits for a hashing thread: not much, and only what somebody still waits for. Every address
//! has a line of its own, and the lines take turns, so that whoever logs in again and again keeps
//! out nobody who comes from elsewhere. No I/O, no clock.

use std::collections::{BTreeMap, VecDeque};

use crate::limits::Origin;

/// The part of the queue that a single address may fill.
const ADDRESS_PART: usize = 4;

/// Work that its customer may have given up.
pub(super) trait Work {
    /// Whether nobody waits for the result any more.
    fn is_abandoned(&self) -> bool;
}

/// A queue of limited length.
pub(super) struct Queue<W> {
    /// None is empty.
    lines: BTreeMap<Option<Origin>, VecDeque<W>>,
    /// Whose turn it is, one after another.
    turns: VecDeque<Option<Origin>>,
    length_max: usize,
}

impl<W: Work> Queue<W> {
    /// An empty queue.
    pub(super) fn new(length_max: usize) -> Self {
        Queue { lines: BTreeMap::new(), turns: VecDeque::new(), length_max }
    }

    /// Puts work at the end of its line, if there is room once what was abandoned has made way;
    /// returns whether there was. Who comes from no address that is limited has the whole queue.
    pub(super) fn put(&mut self, from: Option<Origin>, work: W) -> bool {
        if !self.has_room(from) {
            self.lines.values_mut().for_each(|line| line.retain(|work| !work.is_abandoned()));
            self.lines.retain(|_, line| !line.is_empty());
            self.turns.retain(|whose| self.lines.contains_key(whose));
        }
        let has_room = self.has_room(from);
        if has_room {
            let line = self.lines.entry(from).or_default();
            if line.is_empty() {
                self.turns.push_back(from);
            }
            line.push_back(work);
        }
        has_room
    }

    fn has_room(&self, from: Option<Origin>) -> bool {
        let most = if from.is_some() { self.length_max / ADDRESS_PART } else { self.length_max };
        let length: usize = self.lines.values().map(VecDeque::len).sum();
        length < self.length_max && self.lines.get(&from).map_or(0, VecDeque::len) < most
    }

    /// The next that somebody still waits for.
    pub(super) fn next(&mut self) -> Option<W> {
        while let Some(from) = self.turns.pop_front() {
            let Some(line) = self.lines.get_mut(&from) else { continue };
            let work = std::iter::from_fn(|| line.pop_front()).find(|work| !work.is_abandoned());
            if line.is_empty() {
                self.lines.remove(&from);
            } else {
                self.turns.push_back(from);
            }
            if work.is_some() {
                return work;
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

    fn from(last: u8) -> Option<Origin> {
        Origin::of([192, 0, 2, last].into(), false)
    }

    #[test]
    fn what_nobody_waits_for_is_never_done() {
        let mut queue = Queue::new(3);
        assert!(queue.put(None, Job { number: 1, abandoned: true }) && queue.put(None, job(2)));
        assert_eq!(queue.next(), Some(job(2)));
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn a_full_queue_takes_nothing_more_until_something_in_it_is_done_or_abandoned() {
        let mut queue = Queue::new(2);
        assert!(queue.put(None, job(1)) && queue.put(None, Job { number: 2, abandoned: true }));
        assert!(queue.put(None, job(3)), "what was abandoned makes way");
        assert!(!queue.put(None, job(4)));
        assert_eq!(queue.next(), Some(job(1)));
        assert!(queue.put(None, job(4)));
        assert_eq!([queue.next(), queue.next()], [Some(job(3)), Some(job(4))]);
    }

    #[test]
    fn one_address_fills_a_part_of_the_queue_and_the_others_do_not_wait_behind_it() {
        let mut queue = Queue::new(16);
        let taken = (0..16).filter(|number| queue.put(from(1), job(*number))).count();
        assert_eq!(taken, 4);
        assert!(queue.put(from(2), job(20)) && queue.put(from(3), job(30)));
        assert!(queue.put(from(2), job(21)));
        let done: Vec<_> = std::iter::from_fn(|| queue.next()).map(|job| job.number).collect();
        assert_eq!(done, [0, 20, 30, 1, 21, 2, 3]);
        assert!(queue.lines.is_empty() && queue.turns.is_empty());
        assert!(queue.put(from(1), Job { number: 1, abandoned: true }));
        (0..3).for_each(|number| assert!(queue.put(from(1), job(number))));
        assert!(queue.put(from(1), job(3)), "what was abandoned makes way");
        let done: Vec<_> = std::iter::from_fn(|| queue.next()).map(|job| job.number).collect();
        assert_eq!(done, [0, 1, 2, 3]);
    }
}
