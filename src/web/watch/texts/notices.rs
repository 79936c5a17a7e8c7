//! What happened to the consortium, in words.

use super::banks::{cause, off, span, waited_for};
use crate::ids::{BankId, BankSet, Position};
use crate::protocol::notice::Notice;
use crate::protocol::pace::PaceNow;
use crate::protocol::possible::Impossible;
use crate::protocol::time::Millis;
use crate::protocol::view::Reach;

/// What people who watch are told by a notice.
pub(in crate::web::watch) fn notice(notice: &Notice) -> String {
    match notice {
        Notice::Ready(view, members) => {
            format!("ready (visão {view}, {} bancos: {members})", members.len())
        }
        Notice::NotReady(reach) => not_ready(*reach).into(),
        Notice::PeerUp(bank) => format!("banco {bank} responde"),
        Notice::PeerDown(bank, why) if why.is_slow() => {
            format!("banco {bank} não acompanha os outros ({})", cause(why))
        }
        Notice::PeerDown(bank, why) => format!("banco {bank} não responde ({})", cause(why)),
        Notice::Left(bank, Some(why)) => {
            format!("banco {bank} saiu do consórcio ({})", cause(why))
        }
        Notice::Left(bank, None) => format!("banco {bank} saiu do consórcio"),
        Notice::Joined(bank) => format!("banco {bank} entrou no consórcio"),
        Notice::Stopping(ballot) => format!("troca de visão: promessa à cédula {ballot}"),
        Notice::Slow(bank, pace, fsync) => slow(*bank, pace, *fsync),
        Notice::KeepsUp(bank) => format!("banco {bank} acompanha os outros de novo"),
        Notice::SlowAndNeeded(bank, why) => {
            let why = cause(why);
            format!("banco {bank} fica, embora lento, pois sem ele não há maioria ({why})")
        }
        Notice::Stalled(millis) => {
            let seconds = millis / 1_000;
            format!("os eventos deste banco não avançam há {seconds} s: /ready responde 503")
        }
        Notice::GoesForward => "os eventos deste banco avançam de novo".into(),
        Notice::CatchingUp(from, source) => {
            format!("recuperando o diário a partir da posição {from}, do banco {source}")
        }
        Notice::CaughtUp(position) => {
            format!("diário em dia na posição {position}; pede entrada no consórcio")
        }
        Notice::Restoring(position, source) => {
            format!("recebendo do banco {source} o instantâneo da posição {position}")
        }
        Notice::ClockRight(bank) => format!("relógio do banco {bank} está certo de novo"),
        Notice::ClocksAgree(one, other) => {
            format!("relógios dos bancos {one} e {other} concordam de novo")
        }
        Notice::ClockOff { bank, by_ms } => {
            let by = off(*by_ms);
            format!("RELÓGIO ERRADO: o do banco {bank} está {by}; vale a hora do consórcio")
        }
        Notice::ClocksDiffer { ahead, behind, by_ms } => clocks_differ(*ahead, *behind, *by_ms),
        Notice::Diverged(bank, position) => diverged(*bank, *position),
        Notice::PeerDiverged(bank, position) => {
            format!("CÓPIA DIVERGENTE no banco {bank}: a posição {position} difere da da maioria")
        }
        Notice::Forgotten(by) => incomplete(*by),
        Notice::TooFewDisks { answered, intact } => too_few_disks(*answered, *intact),
        Notice::BrokenOrder(bank) => not_taken(*bank, "abaixo do que já confirmou"),
        Notice::FromTheFuture { bank, taken } => from_the_future(*bank, *taken),
        Notice::OtherAuthority(bank) => other_authority(*bank),
        Notice::Impossible { bank, what, more } => impossible(*bank, *what, *more),
    }
}

fn not_ready(reach: Reach) -> &'static str {
    match reach {
        Reach::Minority => "isolado da maioria: leituras seguem, escritas recebem 503",
        Reach::Outside => {
            "fora da visão em vigor: leituras seguem, escritas recebem 503 até a entrada no consórcio"
        }
        Reach::Majority | Reach::Members => "escritas aguardam a troca de visão",
    }
}

fn slow(bank: BankId, pace: &PaceNow, fsync_ms: Option<Millis>) -> String {
    let mut parts = Vec::new();
    if let Some(stage) = pace.last_missing_for {
        let lag = pace.durable_lag_ms.max(pace.executed_lag_ms);
        parts.push(format!("{}, agora há {lag} ms; ", waited_for(stage)));
    }
    parts.extend(pace.round_trip_ms.map(|millis| format!("ida e volta {millis} ms, ")));
    parts.extend(fsync_ms.map(|millis| format!("fsync até {millis} ms, ")));
    let percent = pace.debt_percent;
    format!(
        "banco {bank} está lento: {}acima do limite em {percent} % do último meio minuto",
        parts.concat()
    )
}

fn clocks_differ(ahead: BankId, behind: BankId, by_ms: i64) -> String {
    let by = span(by_ms);
    format!(
        "RELÓGIOS DIFERENTES: o do banco {ahead} está {by} à frente do do banco {behind}, e não há \
         um terceiro; vale o menor"
    )
}

fn diverged(bank: BankId, position: Position) -> String {
    format!(
        "CÓPIA DIVERGENTE: a posição {position} difere da do banco {bank}; escritas suspensas, \
         dados mantidos"
    )
}

fn incomplete(by: BankId) -> String {
    format!(
        "DISCO INCOMPLETO: o banco {by} lembra mais do que está aqui; este banco reaprende o diário"
    )
}

fn too_few_disks(answered: BankSet, intact: BankSet) -> String {
    format!(
        "discos de menos para saber como a última visão terminou: respondem os bancos {answered}, \
         e só os discos de {intact} estão íntegros e a conhecem. Ligue os bancos que faltam; se os \
         discos deles se perderam de vez, pare um banco íntegro e use `netbanking rescue` (veja \
         docs/operations.md)"
    )
}

fn not_taken(bank: BankId, how: &str) -> String {
    format!("banco {bank} carimbou um evento {how}; o evento não foi aceito")
}

fn from_the_future(bank: BankId, taken: bool) -> String {
    let how = "com hora à frente da do consórcio";
    if taken {
        format!(
            "banco {bank} carimbou um evento {how}; o evento foi aceito, pois sem esse banco não \
             há maioria"
        )
    } else {
        not_taken(bank, how)
    }
}

fn impossible(bank: BankId, what: Impossible, more: u32) -> String {
    let what = match what {
        Impossible::Round => "uma cédula ou visão que não pode existir",
        Impossible::Holdings => "um relato do que tem que não pode ser verdade",
        Impossible::Plan => "um plano com que nenhuma visão pode começar",
        Impossible::Flush => "eventos que não podem fazer parte de um descarregamento",
        Impossible::Journal => "um trecho de diário que não pode sê-lo",
        Impossible::Snapshot => "um trecho de instantâneo que não pode sê-lo",
        Impossible::Question => "um pedido de mais do que pode haver",
        Impossible::Event => "um evento que não pode sê-lo",
        Impossible::Flood => "mais eventos do que pode ter em andamento",
        Impossible::Durable => "a afirmação de ter no disco mais do que há",
        Impossible::Executed => "a afirmação de ter executado mais do que há",
        Impossible::Signature => "um evento que o seu remetente não assinou",
        Impossible::Loss => "a notícia de que este disco perdeu algo, o que não ocorreu",
    };
    let more = match more {
        0 => String::new(),
        more => format!(" (e mais {more} mensagens desde o último aviso)"),
    };
    format!("IMPOSSÍVEL: o banco {bank} enviou {what}; foi recusado{more}")
}

fn other_authority(bank: BankId) -> String {
    format!(
        "banco {bank} trata clientes sem login de outro modo (customer_auth); o evento não foi \
         aceito"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::peer_state::Cause;
    use crate::protocol::progress::Stage;

    #[test]
    fn a_slow_bank_and_one_that_is_gone_are_told_apart() {
        let gone = Notice::PeerDown(BankId(2), Cause::Silent { for_ms: 5_400 });
        assert_eq!(notice(&gone), "banco 2 não responde (sem resposta há 5 s)");
        let why = Cause::Slow { stage: Stage::Durable, lag: 1_250, percent: 21 };
        assert_eq!(
            notice(&Notice::PeerDown(BankId(2), why)),
            "banco 2 não acompanha os outros (lento: os outros esperam só por ele para gravar há \
             1,2 s, em 21 % do último meio minuto)"
        );
        let pace = PaceNow { round_trip_ms: Some(7), debt_percent: 12, ..PaceNow::default() };
        assert_eq!(
            notice(&Notice::Slow(BankId(1), pace, None)),
            "banco 1 está lento: ida e volta 7 ms, acima do limite em 12 % do último meio minuto"
        );
    }
}
