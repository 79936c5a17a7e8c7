//! Whom an event is worth waiting for.
//!
//! Customers who are answered together mostly ask again together, a moment later. If the first of
//! them left alone, the others would wait for its whole round, and every event costs each bank an
//! fsync and some messages, whatever it carries. So the first waits until as many are there as were
//! answered. Where they do not come, as when nobody waits for an answer before asking again, nobody
//! is waited for any more for a while, longer each time.

use super::time::Millis;

/// The longest that a request waits for others, in milliseconds.
pub(crate) const WAIT_MS: Millis = 2;
/// For how many rounds nobody is waited for at most: two to this power.
const PAUSE_MAX: u32 = 10;

/// The requests that are expected, from what came before.
#[derive(Debug, Default)]
pub(crate) struct Companions {
    /// How many requests are expected to wait.
    expected: usize,
    /// Since when a request has waited for the others.
    since: Option<Millis>,
    /// How many times in succession they did not come.
    misses: u32,
    /// For how many rounds nobody is waited for.
    pause: u32,
}

impl Companions {
    /// Everything in flight has been answered: so many ask again soon, or wait already.
    pub(crate) fn expect(&mut self, requests: usize) {
        (self.expected, self.since) = (requests, None);
        self.pause = self.pause.saturating_sub(1);
    }

    /// Whether it is known how many come.
    pub(crate) fn are_known(&self) -> bool {
        self.pause == 0 && self.expected > 0
    }

    /// Whether an event may leave, with as many requests as are waiting now.
    pub(crate) fn are_here(&mut self, waiting: usize, now: Millis) -> bool {
        if self.pause > 0 {
            return true;
        }
        if waiting >= self.expected {
            self.misses = 0;
            return true;
        }
        let since = *self.since.get_or_insert(now);
        let gives_up = now >= since + WAIT_MS;
        if gives_up {
            self.misses = (self.misses + 1).min(PAUSE_MAX);
            self.pause = 1 << self.misses;
        }
        gives_up
    }

    /// Until when a request waits for others, if it does.
    pub(crate) fn awaited_until(&self) -> Option<Millis> {
        self.since.filter(|_| self.pause == 0).map(|since| since + WAIT_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_waits_for_as_many_as_were_answered_but_not_for_long() {
        let mut companions = Companions::default();
        assert!(companions.are_here(1, 0), "nothing came before");
        companions.expect(3);
        assert!(!companions.are_here(1, 10));
        assert!(!companions.are_here(2, 11));
        assert_eq!(companions.awaited_until(), Some(10 + WAIT_MS));
        assert!(companions.are_here(3, 11));
        companions.expect(3);
        assert!(!companions.are_here(2, 20));
        assert!(companions.are_here(2, 20 + WAIT_MS));
        assert_eq!(companions.awaited_until(), None);
    }

    #[test]
    fn where_nobody_comes_back_nobody_is_waited_for_longer_each_time() {
        let (mut companions, mut waits) = (Companions::default(), Vec::new());
        for round in 0..100 {
            companions.expect(2);
            let now = round * 10;
            if !companions.are_here(1, now) {
                waits.push(round);
                assert!(companions.are_here(1, now + WAIT_MS));
            }
        }
        assert_eq!(waits, [0, 2, 6, 14, 30, 62]);
        (0..200).for_each(|_| companions.expect(2));
        assert!(!companions.are_here(1, 5_000) && companions.are_here(2, 5_000));
        companions.expect(2);
        assert!(!companions.are_here(1, 6_000), "they came, so they are waited for again");
    }
}
