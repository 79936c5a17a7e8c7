//! How a bank is, in words.

use crate::protocol::health::Health;
use crate::protocol::pace::PaceNow;
use crate::protocol::peer_state::{Cause, PeerState};
use crate::protocol::progress::Stage;
use crate::watch::{BankNow, Vitals};

/// A longer time than this between two looks at the clock is mentioned: they normally come ten
/// times a second.
const ASLEEP_FROM_MS: u64 = 500;

/// Whether a bank answers, and whether its clock is right.
pub(in crate::web::watch) fn state(bank: &BankNow) -> String {
    let answers = match bank.state {
        PeerState::Up => "responde".to_owned(),
        PeerState::Returning => "voltou a responder, em observação".to_owned(),
        PeerState::Unheard => "ainda não ouvido".to_owned(),
        PeerState::Down(why) => cause(&why),
    };
    match bank.vitals.clock_offset_ms.filter(|_| bank.clock_off) {
        Some(by_ms) => format!("{answers}; relógio {}", off(by_ms)),
        None => answers,
    }
}

/// Why a bank counts as failed.
pub(super) fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Silent { for_ms } => format!("sem resposta há {} s", for_ms / 1_000),
        Cause::Lost => "conexão encerrada ou recusada".into(),
        Cause::Slow { stage, lag, percent } => format!(
            "lento: {} há {},{} s, em {percent} % do último meio minuto",
            waited_for(*stage),
            lag / 1_000,
            lag % 1_000 / 100
        ),
        Cause::Elsewhere => "recomeçou ou está em outra visão".into(),
        Cause::Diverged => "cópia divergente".into(),
        Cause::Unheard => "outros bancos não o ouvem".into(),
        Cause::Unreached => "responde, mas os pedidos deste banco não chegam a ele".into(),
    }
}

/// That the others wait for a bank alone.
pub(super) fn waited_for(stage: Stage) -> String {
    let what = match stage {
        Stage::Durable => "gravar",
        Stage::Executed => "executar",
    };
    format!("os outros esperam só por ele para {what}")
}

/// How far a clock is off; ahead if positive.
pub(super) fn off(by_ms: i64) -> String {
    format!("{} {}", span(by_ms), if by_ms < 0 { "atrasado" } else { "adiantado" })
}

/// A length of time, rounded to the unit that suits it; without its sign.
pub(super) fn span(millis: i64) -> String {
    let millis = millis.unsigned_abs();
    let rounded = |unit_ms: u64| millis.saturating_add(unit_ms / 2) / unit_ms;
    match millis {
        0..120_000 => format!("{} s", rounded(1_000)),
        120_000..7_200_000 => format!("{} min", rounded(60_000)),
        7_200_000..172_800_000 => format!("{} h", rounded(3_600_000)),
        _ => format!("{} dias", rounded(86_400_000)),
    }
}

/// A bank's health: first what the others wait for; anything that is well is left out.
pub(in crate::web::watch) fn health(vitals: &Vitals) -> String {
    let PaceNow { durable_lag_ms, executed_lag_ms, round_trip_ms, debt_percent, .. } = vitals.pace;
    let mut parts = Vec::new();
    if let Some(stage) = vitals.pace.last_missing_for {
        let lag = durable_lag_ms.max(executed_lag_ms);
        parts.push(format!("{} há {lag} ms", waited_for(stage)));
    }
    if debt_percent > 0 {
        parts.push(format!("esperaram demais em {debt_percent} % do último meio minuto"));
    }
    if let Some(slow_for_ms) = vitals.pace.slow_for_ms {
        parts.push(format!("lento há {} s", slow_for_ms / 1_000));
    }
    parts.extend(round_trip_ms.map(|millis| format!("ida e volta {millis} ms")));
    if let Some(Health { fsync_ms, slept_ms, .. }) = vitals.health {
        parts.push(format!("disco {fsync_ms} ms"));
        if slept_ms >= ASLEEP_FROM_MS {
            parts.push(format!("dormiu {slept_ms} ms"));
        }
    }
    parts.extend(vitals.clock_offset_ms.map(|millis| format!("relógio {millis:+} ms")));
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_first_says_what_the_others_wait_for_and_leaves_out_what_is_well() {
        let well = Vitals {
            pace: PaceNow { round_trip_ms: Some(3), ..PaceNow::default() },
            health: Some(Health { fsync_ms: 5, slept_ms: 100, behind_ms: 0 }),
            clock_offset_ms: Some(-12),
        };
        assert_eq!(health(&well), "ida e volta 3 ms; disco 5 ms; relógio -12 ms");
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
            health(&ill),
            "os outros esperam só por ele para gravar há 700 ms; esperaram demais em 23 % do último meio minuto; lento \
             há 9 s; ida e volta 3 ms; disco 2000 ms; dormiu 4200 ms; relógio -12 ms"
        );
        assert_eq!(health(&Vitals::default()), "", "of a bank never heard nothing is known");
    }

    #[test]
    fn how_far_a_clock_is_off_is_given_in_a_suitable_unit() {
        let said = [-4_600, 119_999, 180_000, -7_200_000, 259_200_000].map(off);
        assert_eq!(
            said,
            [
                "5 s atrasado",
                "120 s adiantado",
                "3 min adiantado",
                "2 h atrasado",
                "3 dias adiantado"
            ]
        );
    }
}
