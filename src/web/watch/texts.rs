//! The words of the consortium page, kept in one place: people who watch read Portuguese, while the
//! snapshots that the page is drawn from describe the state by kinds.
//!
//! Texts that the page's script puts together itself are in [`TEXTS`], where `{…}` marks what is
//! filled in; the words for a bank's state and for a notice are made here and sent along with the
//! snapshot.

mod banks;
mod notices;

pub(super) use banks::{health, state};
use serde::Serialize;

use crate::actors::watch::Told;
use crate::ids::BankId;
use crate::watch::Wait;

/// Every text by its name.
pub(super) const TEXTS: &[(&str, &str)] = &[
    ("live", "Ao vivo"),
    ("paused", "Pausado há {tempo}"),
    ("offline", "Sem ligação com este banco; tentando de novo"),
    ("pause", "Pausar"),
    ("resume", "Continuar ao vivo"),
    ("no_view", "nenhuma: troca de visão em andamento"),
    ("members", "{visao} com {membros}"),
    ("member", "membro"),
    ("outside", "fora"),
    ("none_waits", "Nenhum evento espera."),
    ("none_executed", "Nenhum evento executado desde que este banco começou a observar."),
    ("no_latency", "sem medida"),
    ("latency", "{mediana} (mediana), {p99} (p99)"),
    ("wait_no_view", "nenhuma visão está em vigor; a próxima decide"),
    ("wait_before", "chegou antes do evento {eventos} de {banco}, que ainda falta aqui"),
    ("wait_before_many", "chegou antes dos eventos {eventos} de {banco}, que ainda faltam aqui"),
    ("wait_disk", "ainda não está no disco deste banco"),
    ("wait_acknowledgements", "falta a confirmação de {bancos}"),
    ("wait_behind", "vem depois de {evento}, que também espera"),
    ("wait_execution", "nada mais falta: será executado em seguida"),
    ("wait_arrival", "acaba de chegar"),
    ("and", " e "),
    ("waits", "Espera: {motivos}."),
    ("executed", "Executado na posição {posicao}: {feitos} de {pedidos} pedidos feitos"),
    ("void", "Nunca existiu: a visão seguinte começou sem ele"),
    ("event_title", "Evento {nome} de {banco}"),
    ("event_label", "Evento {nome} de {banco}, carimbo {carimbo}, {situacao}"),
    ("label_executed", "executado na posição {posicao}"),
    ("label_waits", "espera: {motivos}"),
    ("label_void", "nunca existiu"),
    ("label_concurrent", "concorrente com outro evento mostrado"),
    ("relation_past", "já conhecido por {nome}"),
    ("relation_future", "sabia de {nome}"),
    ("relation_concurrent", "concorrente com {nome}"),
    ("what", "{id}: carimbo {carimbo}, soma {soma}, visão {visao}, pedidos: {pedidos}"),
    ("stamped", "Carimbado neste banco"),
    ("received", "Chegou de {banco}"),
    ("taken", "Admitido: tudo o que o carimbo nomeia está aqui"),
    ("clocks", "relógio antes {antes}, carimbo {carimbo}, relógio depois {depois}"),
    ("hears", "{banco} ouve {outro}"),
    ("deaf", "{banco} não ouve {outro}"),
    ("acknowledged", "{banco} tem o evento em disco (confirmação)"),
    ("executed_here", "Executado aqui na posição {posicao}: {feitos} de {pedidos} pedidos feitos"),
    ("confirmed", "{banco} executou o evento"),
    ("agreed", "Todos concordam com o resultado; o cliente é respondido"),
    ("after_view", "Vem depois de {antes} porque pertence a uma visão posterior."),
    ("after_sum", "Vem depois de {antes} porque a soma do seu carimbo é maior ({soma})."),
    (
        "after_bank",
        "Vem depois de {antes}: as somas dos carimbos são iguais ({soma}), e o banco de número menor vem primeiro.",
    ),
    ("after_first", "É o primeiro dos eventos mostrados."),
    (
        "after_concurrent",
        "Os dois são concorrentes: nenhum dos remetentes sabia do evento do outro.",
    ),
    ("after_caused", "O remetente já sabia de {antes} quando carimbou este."),
    ("link_healed", "aberta"),
    ("link_stopped", "parada: só batimentos passam"),
    ("link_cut", "cortada"),
    ("delay", "Atraso agora: {atraso} ms"),
    ("lost", "{fatos} fatos não couberam na memória de observação."),
];

/// In words, what a snapshot says by kinds.
#[derive(Serialize)]
pub(super) struct Words {
    /// The words for every bank, by number.
    banks: Vec<BankWords>,
    /// One for each notice.
    notices: Vec<String>,
}

#[derive(Serialize)]
struct BankWords {
    state: String,
    health: String,
}

impl Words {
    /// The words for what those who watch are told.
    pub(super) fn of(told: &Told) -> Self {
        let now = &told.now;
        let bank = |bank| BankWords { state: state(bank), health: health(&bank.vitals) };
        Words {
            banks: now.banks.iter().map(bank).collect(),
            notices: now.notices.iter().map(|(_, notice)| notices::notice(notice)).collect(),
        }
    }
}

/// A text with the gaps filled in.
fn fill(name: &str, gaps: &[(&str, &str)]) -> String {
    let (_, text) = TEXTS
        .iter()
        .find(|(other, _)| *other == name)
        .expect("every text that is used is in the table");
    gaps.iter().fold((*text).to_owned(), |text, (gap, filling)| {
        text.replace(&format!("{{{gap}}}"), filling)
    })
}

/// `a, b e c`.
fn list(parts: &[String]) -> String {
    match parts {
        [rest @ .., before, last] => {
            let before =
                rest.iter().chain([before]).map(String::as_str).collect::<Vec<_>>().join(", ");
            format!("{before}{}{last}", fill("and", &[]))
        }
        few => few.concat(),
    }
}

/// Why an event waits, for readers without a script.
pub(super) fn waits(waits: &[Wait], names: &[String]) -> String {
    let name = |bank: &BankId| names.get(bank.index()).map_or_else(String::new, Clone::clone);
    let reason = |wait: &Wait| match wait {
        Wait::NoView => fill("wait_no_view", &[]),
        Wait::Before { bank, from, to } if from == to => {
            fill("wait_before", &[("eventos", &format!("{bank}·{from}")), ("banco", &name(bank))])
        }
        Wait::Before { bank, from, to } => {
            let events = format!("{bank}·{from} a {bank}·{to}");
            fill("wait_before_many", &[("eventos", &events), ("banco", &name(bank))])
        }
        Wait::Disk => fill("wait_disk", &[]),
        Wait::Acknowledgements { banks } => {
            let names: Vec<_> = banks.iter().map(name).collect();
            fill("wait_acknowledgements", &[("bancos", &list(&names))])
        }
        Wait::Behind { sender, counter, .. } => {
            fill("wait_behind", &[("evento", &format!("{sender}·{counter}"))])
        }
        Wait::Execution => fill("wait_execution", &[]),
    };
    if waits.is_empty() {
        return fill("wait_arrival", &[]);
    }
    waits.iter().map(reason).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = include_str!("../../../assets/watch.js");

    #[test]
    fn every_text_that_the_script_asks_for_is_there_and_every_text_is_used() {
        let asked: Vec<_> =
            SCRIPT.split("text('").skip(1).filter_map(|rest| rest.split('\'').next()).collect();
        assert!(asked.len() > 20, "the script asks otherwise");
        for name in &asked {
            assert!(TEXTS.iter().any(|(other, _)| other == name), "no text {name}");
        }
        for (name, _) in TEXTS {
            assert!(asked.contains(name), "nobody asks for {name}");
        }
    }

    #[test]
    fn a_reason_names_the_banks_by_their_names() {
        let names = ["Norte", "Sul", "Leste"].map(str::to_owned);
        let of = |banks: &[u16]| Wait::Acknowledgements {
            banks: banks.iter().copied().map(BankId).collect(),
        };
        assert_eq!(waits(&[of(&[1])], &names), "falta a confirmação de Sul");
        assert_eq!(waits(&[of(&[0, 1, 2])], &names), "falta a confirmação de Norte, Sul e Leste");
        let missing = Wait::Before { bank: BankId(1), from: 3, to: 5 };
        assert_eq!(
            waits(&[missing], &names),
            "chegou antes dos eventos 1·3 a 1·5 de Sul, que ainda faltam aqui"
        );
    }
}
