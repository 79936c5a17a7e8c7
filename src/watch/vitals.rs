//! How well a bank is: a bank may answer every ping and still be too ill to work.

use std::fmt;

use serde::Serialize;

use crate::protocol::consortium_time::ClockState;
use crate::protocol::health::Health;
use crate::protocol::pace::PaceNow;

/// What this bank knows of how well one bank is. The text for people is its `Display`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Vitals {
    /// How well it keeps up with the others.
    pub pace: PaceNow,
    /// What it says of its disk and its sleep; nothing while it says nothing.
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

impl fmt::Display for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PaceNow { durable_lag_ms, executed_lag_ms, round_trip_ms, debt_percent, .. } =
            self.pace;
        let mut parts = Vec::new();
        if let Some(stage) = self.pace.last_missing_for {
            let lag = durable_lag_ms.max(executed_lag_ms);
            parts.push(format!("os outros esperam só por ele para {stage} há {lag} ms"));
        }
        if debt_percent > 0 {
            parts.push(format!("esperaram demais em {debt_percent} % do último meio minuto"));
        }
        if let Some(slow_for_ms) = self.pace.slow_for_ms {
            parts.push(format!("lento há {} s", slow_for_ms / 1_000));
        }
        parts.extend(round_trip_ms.map(|millis| format!("ida e volta {millis} ms")));
        if let Some(Health { fsync_ms, slept_ms, .. }) = self.health {
            parts.push(format!("disco {fsync_ms} ms"));
            if slept_ms >= ASLEEP_FROM_MS {
                parts.push(format!("dormiu {slept_ms} ms"));
            }
        }
        parts.extend(self.clock_offset_ms.map(|millis| format!("relógio {millis:+} ms")));
        f.write_str(&parts.join("; "))
    }
}

/// What is longer between two looks at the time is worth a word: they come ten times a second.
const ASLEEP_FROM_MS: u64 = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::pace::Stage;

    #[test]
    fn the_text_says_what_the_others_wait_for_first_and_keeps_quiet_about_what_is_well() {
        let well = Vitals {
            pace: PaceNow { round_trip_ms: Some(3), ..PaceNow::default() },
            health: Some(Health { fsync_ms: 5, slept_ms: 100, behind_ms: 0 }),
            clock_offset_ms: Some(-12),
        };
        assert_eq!(well.to_string(), "ida e volta 3 ms; disco 5 ms; relógio -12 ms");
        let ill = Vitals {
            pace: PaceNow {
                durable_lag_ms: 700,
                last_missing_for: Some(Stage::Durable),
                debt_percent: 23,
                slow_for_ms: Some(9_500),
                ..well.pace
            },
            health: Some(Health { fsync_ms: 2_000, slept_ms: 4_200, behind_ms: 0 }),
            ..well
        };
        assert_eq!(
            ill.to_string(),
            "os outros esperam só por ele para gravar há 700 ms; esperaram demais em 23 % do último meio minuto; lento \
             há 9 s; ida e volta 3 ms; disco 2000 ms; dormiu 4200 ms; relógio -12 ms"
        );
        assert_eq!(
            Vitals::default().to_string(),
            "",
            "of a bank that was never heard nothing is known"
        );
    }
}
