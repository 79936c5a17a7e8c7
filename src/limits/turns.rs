//! Who comes next where only a few are served at a time: everybody who waits has a line of their
//! own, and the lines take turns, so that a long one holds up nobody in another. No I/O, no clock.

use std::collections::{BTreeMap, VecDeque};

/// The lines in which people wait. `K` is who they are, `W` how they are told that it is their
/// turn; whoever uses it bounds how many wait.
#[derive(Debug)]
pub(crate) struct Turns<K, W> {
    /// How many more can be served at once.
    free: usize,
    lines: BTreeMap<K, VecDeque<W>>,
    /// Whose lines are not empty; the first comes next.
    next: VecDeque<K>,
}

impl<K: Ord + Clone, W> Turns<K, W> {
    /// Nobody is there; so many can be served at once.
    #[must_use]
    pub(crate) fn new(at_once: usize) -> Self {
        Turns { free: at_once, lines: BTreeMap::new(), next: VecDeque::new() }
    }

    /// Somebody wants to be served; whether it is their turn already. If so, they must leave.
    pub(crate) fn come(&mut self) -> bool {
        let is_now = self.free > 0;
        self.free = self.free.saturating_sub(1);
        is_now
    }

    /// Somebody whose turn it is not waits at the end of their line.
    pub(crate) fn wait(&mut self, who: &K, told: W) {
        let line = self.lines.entry(who.clone()).or_default();
        if line.is_empty() {
            self.next.push_back(who.clone());
        }
        line.push_back(told);
    }

    /// Somebody has been served. It is the turn of whoever is returned, and they must leave too.
    pub(crate) fn leave(&mut self) -> Option<W> {
        let first = self.next.pop_front().and_then(|who| {
            let line = self.lines.get_mut(&who)?;
            let first = line.pop_front();
            if line.is_empty() {
                self.lines.remove(&who);
            } else {
                self.next.push_back(who);
            }
            first
        });
        self.free += usize::from(first.is_none());
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_holds_up_nobody_in_another() {
        let mut turns = Turns::new(2);
        assert_eq!([(); 3].map(|()| turns.come()), [true, true, false]);
        (0..100).for_each(|number| turns.wait(&"mallory", ("mallory", number)));
        turns.wait(&"ana", ("ana", 0));
        turns.wait(&"ana", ("ana", 1));
        turns.wait(&"bia", ("bia", 0));
        let served: Vec<_> = (0..6).map_while(|_| turns.leave()).collect();
        let expected = ["mallory", "ana", "bia", "mallory", "ana", "mallory"];
        assert_eq!(served.iter().map(|(who, _)| *who).collect::<Vec<_>>(), expected);
        assert!(!turns.come(), "two are still being served");
        assert_eq!((0..200).map_while(|_| turns.leave()).count(), 97, "each once, in their order");
        assert_eq!(turns.leave(), None, "both have been served");
        assert_eq!([(); 3].map(|()| turns.come()), [true, true, false]);
        assert!(turns.lines.is_empty() && turns.next.is_empty(), "who is gone is forgotten");
    }
}
