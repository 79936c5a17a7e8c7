//! How well a bank keeps up with the others: its lag at each stage, how far away it is, and its
//! debt.

use std::collections::VecDeque;

use serde::Serialize;

use super::debt::Debt;
use super::peer_state::Cause;
use super::progress::Stage;
use super::time::Millis;

/// How many round trips are kept: the shortest of them is mere distance.
const ROUND_TRIPS: usize = 30;
/// Lag from which a bank is called slow, in milliseconds, though it is left alone.
pub(crate) const WARNED_AFTER_MS: Millis = 200;
/// After how long without a warning it counts as keeping up again, in milliseconds.
const WELL_AFTER_MS: Millis = 10_000;
/// How much of the window must be slow before it is reported, in percent.
const WARNED_PERCENT: u8 = 10;

/// The pace of one bank.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace {
    /// By stage.
    lags: [Millis; 2],
    round_trips: VecDeque<Millis>,
    debt: Debt,
    warnings: Debt,
    /// Since when it has been called slow.
    slow_since: Option<Millis>,
}

/// The pace of a bank as people are shown it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PaceNow {
    /// For how long the others have waited for it to have an event on disk.
    pub durable_lag_ms: Millis,
    /// For how long they have waited for it to execute one.
    pub executed_lag_ms: Millis,
    /// From the last ping to its answer.
    pub round_trip_ms: Option<Millis>,
    /// During which part of the last half minute they waited for it longer than is tolerated.
    pub debt_percent: u8,
    /// What the others currently wait for it alone to do.
    pub last_missing_for: Option<Stage>,
    /// For how long it has been slow.
    pub slow_for_ms: Option<Millis>,
}

impl Pace {
    /// A ping was answered.
    pub(crate) fn answered(&mut self, round_trip: Millis) {
        if self.round_trips.len() == ROUND_TRIPS {
            self.round_trips.pop_front();
        }
        self.round_trips.push_back(round_trip);
    }

    /// How far behind it is.
    pub(crate) fn behind(&mut self, stage: Stage, lag: Millis) {
        self.lags[stage as usize] = lag;
    }

    /// The larger lag.
    #[must_use]
    pub(crate) fn worst(&self) -> (Stage, Millis) {
        let [durable, executed] = self.lags;
        if executed > durable { (Stage::Executed, executed) } else { (Stage::Durable, durable) }
    }

    /// How much of a lag is mere distance: an event and its acknowledgement must travel. A bank
    /// that sleeps is not far away, so no more than the bound itself is excused.
    #[must_use]
    pub(crate) fn distance(&self, slow_after: Millis) -> Millis {
        self.round_trips.iter().copied().min().unwrap_or(0).min(slow_after)
    }

    /// One tick has passed; `proves` says whether a lag now is the bank's own fault. Returns
    /// whether it has begun to be slow, or to keep up again.
    pub(crate) fn tick(&mut self, proves: bool, slow_after: Millis, now: Millis) -> Option<bool> {
        let lag = self.worst().1;
        let bound = slow_after + self.distance(slow_after);
        let warned = WARNED_AFTER_MS.min(slow_after);
        if proves {
            self.debt.count(lag >= bound, bound);
            self.warnings.count(lag >= warned, warned);
        } else {
            self.debt.interrupt();
        }
        let is_well = self.warnings.is_clear_for(WELL_AFTER_MS);
        let began =
            self.slow_since.is_none() && self.warnings.percent() >= WARNED_PERCENT && !is_well;
        let ended = self.slow_since.is_some() && is_well;
        if began || ended {
            self.slow_since = began.then_some(now);
        }
        (began || ended).then_some(began)
    }

    /// Whether it has kept the others waiting too often, or for `standing_after` without a break;
    /// the bounds for a bank on probation are tighter.
    #[must_use]
    pub(crate) fn is_due(&self, standing_after: Millis, on_probation: bool) -> bool {
        self.debt.is_due(standing_after) || (on_probation && self.debt.is_due_on_probation())
    }

    /// Whether it keeps the others waiting at this moment.
    #[must_use]
    pub(crate) fn is_slow_now(&self) -> bool {
        self.debt.waited() > 0
    }

    /// Why it counts as failed.
    #[must_use]
    pub(crate) fn cause(&self) -> Cause {
        let (stage, lag) = self.worst();
        Cause::Slow { stage, lag, percent: self.debt.percent() }
    }

    /// Starts over, but keeps what is known about the distance.
    pub(crate) fn forget(&mut self) {
        let round_trips = std::mem::take(&mut self.round_trips);
        *self = Pace { round_trips, ..Pace::default() };
    }

    /// What people are shown.
    #[must_use]
    pub(crate) fn now(&self, now: Millis) -> PaceNow {
        let [durable_lag_ms, executed_lag_ms] = self.lags;
        let (stage, lag) = self.worst();
        PaceNow {
            durable_lag_ms,
            executed_lag_ms,
            round_trip_ms: self.round_trips.back().copied(),
            debt_percent: self.debt.percent(),
            last_missing_for: (lag > 0).then_some(stage),
            slow_for_ms: self.slow_since.map(|since| now.saturating_sub(since)),
        }
    }
}
