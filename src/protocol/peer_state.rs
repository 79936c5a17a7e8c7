//! Whether a bank counts as one that answers, and if not, why.

use std::fmt;

use serde::Serialize;

use super::progress::Stage;
use super::time::Millis;

/// What is known of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "state", content = "cause", rename_all = "snake_case")]
pub enum PeerState {
    /// It answers.
    Up,
    /// It answers again, but not for long enough yet.
    Returning,
    /// It has not been heard at all.
    #[default]
    Unheard,
    /// It does not answer any more.
    Down(Cause),
}

/// For logs and traces.
impl fmt::Display for PeerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerState::Up => f.write_str("answers"),
            PeerState::Returning => f.write_str("answers again, is watched"),
            PeerState::Unheard => f.write_str("not heard yet"),
            PeerState::Down(cause) => cause.fmt(f),
        }
    }
}

/// Why a peer counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// It does not answer.
    Silent {
        /// For how long, in milliseconds.
        for_ms: Millis,
    },
    /// Its connection was refused or has ended.
    Lost,
    /// It alone kept the others waiting, too often or for too long.
    Slow {
        /// What for.
        stage: Stage,
        /// For how long most recently, in milliseconds.
        #[serde(rename = "lag_ms")]
        lag: Millis,
        /// Which part of the last half minute, in percent.
        percent: u8,
    },
    /// It answers, but takes part in another view or in none.
    Elsewhere,
    /// Its copy of the ledger differs.
    Diverged,
    /// Other members do not hear it.
    Unheard,
    /// It answers, but requests of this bank do not reach it.
    Unreached,
}

impl Cause {
    /// Whether it answers but does not keep up.
    #[must_use]
    pub fn is_slow(self) -> bool {
        matches!(self, Cause::Slow { .. })
    }
}

/// For logs and traces.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Silent { for_ms } => write!(f, "no answer for {} s", for_ms / 1_000),
            Cause::Lost => f.write_str("connection closed or refused"),
            Cause::Slow { stage, lag, percent } => {
                let (seconds, tenths) = (lag / 1_000, lag % 1_000 / 100);
                write!(
                    f,
                    "slow: the others have been waiting for it alone to {stage} for \
                     {seconds}.{tenths} s, in {percent} % of the last half minute"
                )
            }
            Cause::Elsewhere => f.write_str("restarted, or in another view"),
            Cause::Diverged => f.write_str("copy diverged"),
            Cause::Unheard => f.write_str("other banks do not hear it"),
            Cause::Unreached => f.write_str("answers, but this bank's requests do not reach it"),
        }
    }
}
