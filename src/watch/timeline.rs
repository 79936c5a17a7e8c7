//! A value that changes, with its latest changes.

use std::collections::VecDeque;

use super::Micros;

/// The latest values of something, each with the moment from which it held.
#[derive(Debug)]
pub(super) struct Timeline<T> {
    changes: VecDeque<(Micros, T)>,
    changes_max: usize,
}

impl<T> Timeline<T> {
    pub(super) fn new(changes_max: usize) -> Self {
        Timeline { changes: VecDeque::new(), changes_max }
    }

    /// The value changes; the oldest change is forgotten when there are too many.
    pub(super) fn push(&mut self, at: Micros, value: T) {
        if self.changes.len() == self.changes_max {
            self.changes.pop_front();
        }
        self.changes.push_back((at, value));
    }

    /// The value now.
    pub(super) fn last(&self) -> Option<&T> {
        self.changes.back().map(|(_, value)| value)
    }

    /// The value as it was.
    pub(super) fn at(&self, moment: Micros) -> Option<&T> {
        let until = self.changes.partition_point(|(at, _)| *at <= moment);
        self.changes.get(until.checked_sub(1)?).map(|(_, value)| value)
    }

    /// Since when a condition has held for a value that only grows.
    pub(super) fn since(&self, holds: impl Fn(&T) -> bool) -> Option<Micros> {
        let from = self.changes.partition_point(|(_, value)| !holds(value));
        self.changes.get(from).map(|(at, _)| *at)
    }

    /// The changes that are remembered, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &(Micros, T)> {
        self.changes.iter()
    }
}
