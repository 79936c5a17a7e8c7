//! What a bank knows about its own ill health and tells its peers: a bank may answer every ping and
//! still be too slow to work.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::time::Millis;

/// For how long the worst is remembered, in milliseconds.
pub(crate) const REMEMBERED_MS: Millis = 10_000;

/// The worst of the last [`REMEMBERED_MS`], in milliseconds each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// How long its disk took for an fsync.
    pub fsync_ms: Millis,
    /// How long it slept past the moment when it should have looked at the time.
    pub slept_ms: Millis,
    /// For how long the other members waited for it alone.
    pub behind_ms: Millis,
}

impl Health {
    /// Whether everything took less time than this.
    #[must_use]
    pub(crate) fn is_below(&self, bound: Millis) -> bool {
        self.fsync_ms.max(self.slept_ms).max(self.behind_ms) < bound
    }
}

/// The largest of the values noted lately.
#[derive(Clone, Debug, Default)]
pub(crate) struct Worst {
    /// When and what; only values that no later value exceeds.
    noted: VecDeque<(Millis, Millis)>,
}

impl Worst {
    /// Notes a value.
    pub(crate) fn note(&mut self, now: Millis, value: Millis) {
        while self.noted.back().is_some_and(|(_, before)| *before <= value) {
            self.noted.pop_back();
        }
        self.noted.push_back((now, value));
        while self.noted.front().is_some_and(|(at, _)| at + REMEMBERED_MS < now) {
            self.noted.pop_front();
        }
    }

    /// The largest, 0 if nothing was noted.
    #[must_use]
    pub(crate) fn get(&self, now: Millis) -> Millis {
        self.noted.iter().find(|(at, _)| at + REMEMBERED_MS >= now).map_or(0, |(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_remembered_for_a_while() {
        let mut worst = Worst::default();
        assert_eq!(worst.get(0), 0);
        worst.note(0, 4_000);
        worst.note(100, 7);
        worst.note(200, 9);
        assert_eq!(worst.get(200), 4_000);
        assert_eq!(worst.get(REMEMBERED_MS), 4_000);
        assert_eq!(worst.get(REMEMBERED_MS + 1), 9);
        assert_eq!(worst.get(3 * REMEMBERED_MS), 0);
    }
}
