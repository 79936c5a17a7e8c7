//! Time as the view counts it, and how far a bank has come with a view change.

use crate::protocol::time::Millis;

/// How often the view hears that time has passed, in milliseconds.
pub const TICK_MS: Millis = 100;
/// A time in ticks; counters stop at [`TICKS_MAX`].
pub(super) type Ticks = u16;
/// Where counters of ticks stop: above everything that they are compared with.
pub(super) const TICKS_MAX: Ticks = 1_000;

/// One tick more.
pub(super) fn count(ticks: &mut Ticks) {
    *ticks = ticks.saturating_add(1).min(TICKS_MAX);
}

/// One tick less to wait.
pub(super) fn count_down(ticks: &mut Ticks) {
    *ticks = ticks.saturating_sub(1);
}

/// How far a bank has come with a view change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Headway {
    /// How many times something has come, or been done, for the plan.
    pub(super) progress: u32,
    /// Ticks since it last made progress.
    pub(super) idle: Ticks,
}

impl Headway {
    /// The headway of a node that has just started.
    pub(super) fn none() -> Self {
        Headway { progress: 0, idle: TICKS_MAX }
    }

    /// A step is done.
    pub(super) fn step(&mut self) {
        self.idle = 0;
    }

    /// Something has come that the plan needs: worth the others' patience.
    pub(super) fn go_on(&mut self) {
        self.idle = 0;
        self.progress = self.progress.saturating_add(1);
    }

    /// Another bank says how far it has come.
    pub(super) fn hear(&mut self, progress: u32) {
        if progress > self.progress {
            *self = Headway { progress, idle: 0 };
        }
    }
}
