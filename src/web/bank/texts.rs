//! What the internet bank's code tells customers; the rest of its texts are in `templates/bank/`.

use super::money::reais;
use crate::brazilian::entry_title;
use crate::brazilian::{BadAmount, date};
pub(super) use crate::brazilian::{entry_kind, pix_type};
use crate::ids::{BankId, Position};
use crate::ledger::calendar::Date;
use crate::ledger::outcome::limit_name;
use crate::ledger::request::OPENING_MIN;
use crate::ledger::{Entry, Every, Refusal, TypeAccount};

pub(super) const NO_SUCH_PAGE: &str = "Página não encontrada";
pub(super) const NO_SUCH_ACCOUNT: &str = "Não há tal conta entre as suas";
const COMMON_PASSWORD: &str = "Muita gente tem a senha que você escolheu, e quem tenta entrar começa por ela. Troque-a em Segurança";
pub(super) const PASSWORD_CHANGED: &str =
    "Senha trocada. As suas outras sessões, em todos os bancos, terminaram";
pub(super) const PASSWORDS_DIFFER: &str = "As duas senhas não são iguais";
pub(super) const CHOOSE_PERSON: &str = "Escolha pessoa física ou pessoa jurídica";
pub(super) const CHOOSE_BANK: &str = "Escolha um banco";
pub(super) const CHOOSE_TYPE: &str = "Escolha o tipo da conta";
pub(super) const CHOOSE_KEY: &str = "Escolha o tipo da chave Pix";
pub(super) const CHOOSE_ACCOUNT: &str = "Escolha uma conta";
pub(super) const ACCEPT_OR_DECLINE: &str = "Escolha aceitar ou recusar";
pub(super) const LOG_IN_TO_GO_ON: &str =
    "A sua sessão terminou. Entre de novo para continuar; o que você montou não se perdeu";
pub(super) const NOT_KNOWN_YET: &str = "O pacote foi enviado, mas a resposta dos outros bancos não chegou a tempo. Pergunte o que aconteceu: perguntar não executa nada";
pub(super) const NOT_EXECUTED_SO_FAR: &str = "Até agora este banco não executou o pacote. Se ele estiver a caminho, pode ser executado em instantes: pergunte de novo. Enviá-lo de novo também é seguro: nunca é executado duas vezes";
pub(super) const NOT_SENT: &str =
    "A sua sessão tinha terminado. Nada foi enviado: confira o pacote e confirme";
pub(super) const NO_SUCH_PACKAGE: &str =
    "Não há entre os seus pacotes das últimas 24 horas um com este endereço";
pub(super) const CHARGE_OPEN: &str = "Em aberto";
pub(super) const CHARGE_PAID: &str = "Paga";
pub(super) const CHARGE_EXPIRED: &str = "Vencida";
/// A charge of which older payments were not found.
pub(super) const CHARGE_UNKNOWN: &str = "Não se sabe: pagamentos antigos podem faltar";
pub(super) const WHOLE_STATEMENT: &str = "Tudo";
const MONTHS: [&str; 12] = [
    "janeiro",
    "fevereiro",
    "março",
    "abril",
    "maio",
    "junho",
    "julho",
    "agosto",
    "setembro",
    "outubro",
    "novembro",
    "dezembro",
];
pub(super) const KEY_ADDED: &str = "Chave Pix cadastrada";
pub(super) const KEY_REMOVED: &str = "Chave Pix removida";
pub(super) const KEY_MOVED: &str = "Chave Pix passada para a outra conta";
pub(super) const NICKNAME_KEPT: &str = "Apelido guardado";
pub(super) const ACCOUNT_CLOSED: &str = "Conta encerrada";
pub(super) const CLOSE_AGREED: &str =
    "Pedido feito: a conta é encerrada quando os outros titulares também pedirem";
pub(super) const CLOSE_TAKEN_BACK: &str = "A conta continua aberta";
pub(super) const FAVOURITE_KEPT: &str = "Favorito guardado";
pub(super) const FAVOURITE_GONE: &str = "Favorito tirado";
pub(super) const SCHEDULED: &str = "Pix agendado";
pub(super) const SCHEDULE_ENDED: &str = "Agendamento cancelado";
pub(super) const NO_SUCH_SCHEDULE: &str = "Não há tal agendamento";
pub(super) const TIMES_FORM: &str = "Diga quantas vezes, como 12";

/// How often a Pix is paid, and how often it has been.
pub(super) fn repeated(every: Every, times: u16, done: u16) -> String {
    let often = match every {
        _ if times == 1 => return "uma vez".to_owned(),
        Every::Day => "todo dia",
        Every::Week => "toda semana",
        Every::Month => "todo mês",
    };
    format!("{often}, {done} de {times} vezes")
}

pub(super) const LIMITS_SET: &str = "Limites alterados";
pub(super) const LIMITS_WAIT: &str = "Limites alterados. O que aumenta só vale daqui a 24 horas";
pub(super) const NO_LIMIT: &str = "sem limite";
pub(super) const REFUND_NOT_KNOWN_YET: &str = "A devolução foi enviada, mas a resposta dos outros bancos não chegou a tempo. Envie de novo para saber: ela nunca é feita duas vezes";
pub(super) const NO_SUCH_RECEIPT: &str = "Não há comprovante com este endereço";
pub(super) const BASKET_EMPTY: &str = "O pacote está vazio: acrescente ao menos uma operação";
pub(super) const BASKET_DAMAGED: &str = "O pacote chegou incompleto. Abra a página de novo";
pub(super) const CHECK_RECIPIENT: &str = "Confira quem vai receber e acrescente de novo";
pub(super) const WHICH_WAY: &str = "A data inicial vem depois da final";
pub(super) const DATE_FORM: &str = "A data deve ter a forma 23/11/2026";
pub(super) const TXID_FORM: &str = "O identificador tem de 1 a 25 letras e algarismos";

/// What a customer should know who has just chosen a password, as the address says.
pub(super) fn common_password(said: &str) -> Option<&'static str> {
    (said == "comum").then_some(COMMON_PASSWORD)
}

/// What an entry is.
pub(super) fn entry_name(entry: &Entry) -> &'static str {
    entry_title(entry.kind, entry.details.refund_of.is_some())
}

pub(super) fn today(date: &str) -> String {
    format!("Hoje, {date}")
}

/// A month, from 1 to 12.
pub(super) fn month(month: u8, year: i64) -> String {
    let name = MONTHS.get(usize::from(month).wrapping_sub(1)).unwrap_or(&"");
    format!("{name} de {year}")
}

pub(super) fn bad_amount(bad: BadAmount) -> &'static str {
    match bad {
        BadAmount::Form => "O valor deve ter a forma 1.234,56",
        BadAmount::Ambiguous => {
            "Não está claro quanto é. Escreva os centavos com vírgula e duas casas: 1.050,00 ou 1,05"
        }
        BadAmount::NotPositive => "O valor deve ser maior que zero",
        BadAmount::TooLarge => "O valor é grande demais",
    }
}

/// Why the ledger refused a request; it knows banks by their numbers and writes money as programs
/// do.
pub(super) fn refusal(refusal: &Refusal, name: impl Fn(BankId) -> String) -> String {
    let (bank, why) = match refusal {
        Refusal::BankOffline(bank) => {
            return format!("Falha na operação: {} não está online", name(*bank));
        }
        Refusal::InsufficientBalance { bank, account, balance } => {
            (bank, format!("Saldo da conta {account} insuficiente ({})", reais(*balance)))
        }
        Refusal::UnknownAccount { bank, account } => {
            (bank, format!("Conta {account} não encontrada"))
        }
        Refusal::NotHolder { bank, account, user_name } => {
            (bank, format!("Conta {account} não pertence ao cliente {user_name}"))
        }
        Refusal::NoJointRequest { bank, account } => {
            (bank, format!("Não há conta conjunta {account} que espere a sua resposta"))
        }
        Refusal::AccountClosed { bank, account } => {
            (bank, format!("A conta {account} foi encerrada"))
        }
        Refusal::SameAccount { bank, account } => {
            (bank, format!("Transferência da conta {account} para ela mesma"))
        }
        Refusal::BalanceTooLarge { bank, account } => {
            (bank, format!("Saldo da conta {account} grande demais"))
        }
        Refusal::AboveLimit { part, most, left } => {
            let (name, most, left) = (limit_name(*part), reais(*most), reais(*left));
            return format!(
                "Falha na operação: Acima do seu limite {name}, de {most}: restam {left}"
            );
        }
        Refusal::NotEmpty { bank, account } => {
            let bank = name(*bank);
            return format!(
                "A conta {account} no {bank} só pode ser encerrada sem saldo: transfira o que há nela"
            );
        }
        Refusal::HasSchedules { bank, account } => {
            let bank = name(*bank);
            return format!(
                "Há Pix agendados na conta {account} no {bank}: cancele-os antes de encerrar a conta"
            );
        }
        Refusal::RefundTooLarge { left } => {
            return format!("Deste Pix só se pode devolver ainda {}", reais(*left));
        }
        other => return other.to_string(),
    };
    format!("Falha na operação: {why} no {}", name(*bank))
}

/// Too little to open an account with.
pub(super) fn opening_too_small() -> String {
    format!("O valor inicial deve ser de pelo menos {}", reais(OPENING_MIN))
}

/// The bank that should have opened an account cannot be reached.
pub(super) fn bank_away(name: &str) -> String {
    format!("{name} não responde agora. Nada foi feito; tente mais tarde ou escolha outro banco")
}

/// The bank that should have opened an account was asked and did not answer.
pub(super) fn bank_lost(name: &str) -> String {
    format!(
        "{name} não respondeu a tempo. A conta pode ter sido aberta: envie de novo para saber, sem medo de abrir duas"
    )
}

/// A joint account waits for its holders.
pub(super) fn account_waits(number: impl std::fmt::Display, bank: &str) -> String {
    format!("A conta {number} abre no {bank} quando todos os titulares aceitarem")
}

pub(super) const RECEIPT: &str = "Comprovante";
pub(super) const NO_ENTRIES: &str = "Não há lançamentos neste período";
pub(super) const OLDER_NOT_ARRIVED: &str =
    "Os lançamentos mais antigos ainda não chegaram a este banco, que os está buscando nos outros";
pub(super) const OLDER_NOT_PRINTED: &str =
    "Há lançamentos mais antigos, que não cabem aqui: escolha um período menor ou baixe o CSV";

/// The period of a statement on paper.
pub(super) fn period((from, to): (Option<Date>, Option<Date>)) -> String {
    match (from.map(date), to.map(date)) {
        (Some(from), Some(to)) => format!("De {from} a {to}"),
        (Some(from), None) => format!("Desde {from}"),
        (None, Some(to)) => format!("Até {to}"),
        (None, None) => "Todos os lançamentos".to_owned(),
    }
}

/// A position of the common order, for whoever asks elsewhere.
pub(super) fn same_everywhere(position: Position) -> String {
    format!("{position}, a mesma em todos os bancos")
}

/// By which bank and when something was put on paper.
pub(super) fn printed(bank: &str, moment: &str) -> String {
    format!("Emitido por {bank} em {moment}")
}

/// A Pix that has arrived.
pub(super) fn arrived(value: &str, payer: Option<&str>) -> String {
    payer.map_or_else(
        || format!("Você recebeu {value}."),
        |payer| format!("Você recebeu {value} de {payer}."),
    )
}

pub(super) fn account_opened(number: impl std::fmt::Display, bank: &str) -> String {
    format!("Conta {number} aberta no {bank}")
}

pub(super) fn type_account(kind: TypeAccount) -> &'static str {
    match kind {
        TypeAccount::Pf => "Pessoa física",
        TypeAccount::Pj => "Pessoa jurídica",
        TypeAccount::Conjunta => "Conjunta",
    }
}
