//! How much of the time a peer alone kept the others waiting: a debt that grows while it does so
//! and is forgotten after half a minute. This reveals a peer that limps, not only one that stands
//! still.

use std::collections::VecDeque;

use super::progress::TICK_MS;
use super::time::Millis;

/// How far back the debt is counted, in milliseconds.
pub(crate) const WINDOW_MS: Millis = 30_000;
/// One part in so many of the window may be spent waiting for one peer: a fifth.
pub(crate) const PART_MAX: usize = 5;

const WINDOW: usize = (WINDOW_MS / TICK_MS) as usize;
/// How long a peer that was let in on probation may keep the others waiting within the window, in
/// milliseconds.
pub(crate) const ON_PROBATION_MS: Millis = 1_000;

/// The debt of one peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Debt {
    /// Whether the others waited for it, tick by tick; the newest last.
    ticks: VecDeque<bool>,
    slow: usize,
    /// For how many ticks in a row they have waited.
    run: usize,
}

impl Debt {
    /// Counts one tick. When waiting begins to count, the time that led up to it, this tick
    /// included, is counted too.
    pub(crate) fn count(&mut self, is_slow: bool, led_up: Millis) {
        if is_slow && self.run == 0 {
            let led_up = usize::try_from(led_up / TICK_MS).unwrap_or(WINDOW).clamp(1, WINDOW) - 1;
            let already = self.ticks.len().min(led_up);
            self.ticks.iter_mut().rev().take(already).for_each(|tick| *tick = true);
            (already..led_up).for_each(|_| self.ticks.push_back(true));
            self.run = led_up;
        }
        self.run = if is_slow { self.run + 1 } else { 0 };
        self.ticks.push_back(is_slow);
        while self.ticks.len() > WINDOW {
            self.ticks.pop_front();
        }
        self.slow = self.ticks.iter().filter(|tick| **tick).count();
    }

    /// This tick proves nothing about any bank.
    pub(crate) fn interrupt(&mut self) {
        self.run = 0;
    }

    /// Whether the others have waited for it for more than a fifth of the window, or for at least
    /// `standing_after` without a break.
    #[must_use]
    pub(crate) fn is_due(&self, standing_after: Millis) -> bool {
        self.slow * PART_MAX > WINDOW || (self.run > 0 && self.waited() >= standing_after)
    }

    /// The same for a peer on probation: it has to show that it keeps up, and is allowed less of
    /// the others' time.
    #[must_use]
    pub(crate) fn is_due_on_probation(&self) -> bool {
        self.slow as Millis * TICK_MS > ON_PROBATION_MS
    }

    /// For how long the others have waited without a break, in milliseconds.
    #[must_use]
    pub(crate) fn waited(&self) -> Millis {
        self.run as Millis * TICK_MS
    }

    /// Whether nobody has waited for it in the last `millis` milliseconds.
    #[must_use]
    pub(crate) fn is_clear_for(&self, millis: Millis) -> bool {
        let ticks = usize::try_from(millis / TICK_MS).unwrap_or(WINDOW);
        self.ticks.iter().rev().take(ticks).all(|tick| !tick)
    }

    /// The part of the window that the others have waited, in percent.
    #[must_use]
    pub(crate) fn percent(&self) -> u8 {
        u8::try_from(self.slow * 100 / WINDOW).unwrap_or(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many ticks a peer is due that is slow for the first `slow` of every `every` ticks.
    fn due_after(slow: usize, every: usize, standing_after: Millis) -> Option<usize> {
        let mut debt = Debt::default();
        (0..10_000).find(|tick| {
            // The first half second of each wait is below the bound.
            debt.count(tick % every >= 5 && tick % every < slow, 500);
            debt.is_due(standing_after)
        })
    }

    #[test]
    fn a_limping_bank_is_due_within_seven_seconds_and_a_standing_one_as_soon_as_ever() {
        assert!(due_after(42, 45, 5_000).unwrap() < 70, "{:?}", due_after(42, 45, 5_000));
        assert!(due_after(42, 45, 3_600_000).unwrap() < 70);
        assert_eq!(due_after(10_000, 10_000, 5_000), Some(50));
        assert_eq!(due_after(10_000, 10_000, 3_600_000), Some(61));
    }

    #[test]
    fn a_fifth_of_half_a_minute_is_borne_but_no_more() {
        assert_eq!(due_after(8, 45, 5_000), None);
        assert!(due_after(11, 45, 5_000).is_some());
    }

    #[test]
    fn on_probation_a_second_is_too_much() {
        let mut debt = Debt::default();
        for _ in 0..6 {
            debt.count(true, 500);
            assert!(!debt.is_due_on_probation());
        }
        debt.count(true, 500);
        assert!(debt.is_due_on_probation());
    }

    #[test]
    fn debt_from_long_ago_is_forgotten() {
        let mut debt = Debt::default();
        (0..40).for_each(|_| debt.count(true, 500));
        assert_eq!(debt.percent(), 14);
        (0..WINDOW).for_each(|_| debt.count(false, 500));
        assert_eq!((debt.percent(), debt.waited()), (0, 0));
    }
}
