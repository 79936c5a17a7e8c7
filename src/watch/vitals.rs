//! A bank's health: a bank may answer every ping and still not be well enough to work.

use serde::Serialize;

use crate::protocol::consortium_time::ClockState;
use crate::protocol::health::Health;
use crate::protocol::pace::PaceNow;

/// What this bank knows about one bank's health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Vitals {
    /// How well it keeps up with the others.
    pub pace: PaceNow,
    /// What it says about its disk and its sleep; `None` while it says nothing.
    pub health: Option<Health>,
    /// How far its wall clock is ahead of consortium time, in milliseconds.
    pub clock_offset_ms: Option<i64>,
}

impl Vitals {
    /// Puts together what the parts know.
    #[must_use]
    pub fn new(pace: PaceNow, health: Option<Health>, clock: ClockState) -> Self {
        Vitals { pace, health, clock_offset_ms: clock.offset_ms }
    }
}
