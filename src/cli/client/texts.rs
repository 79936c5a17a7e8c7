//! Everything that a customer reads, in Brazilian Portuguese; the help for the command line is in
//! [`help`], the mistakes in a command line are in [`usage`].

pub(super) mod help;
mod usage;

use std::io;
use std::path::Path;

pub(super) use self::usage::in_portuguese;
use crate::brazilian::{self, BadAmount, parse_date};
pub(super) use crate::brazilian::{entry_kind, entry_title, pix_type};
use crate::ids::BankId;
use crate::ledger::{Document, PixType, TypeAccount, TypePerson, UserName};

// The outcome of a request.
pub(super) const NO_CONNECTION: &str = "não aceita conexões";
pub(super) const CONNECT_TIMEOUT: &str = "não foi alcançado a tempo";
pub(super) const ANSWER_TIMEOUT: &str = "não respondeu a tempo";
pub(super) const CONNECTION_LOST: &str = "a conexão caiu antes da resposta";
pub(super) const CUT_ANSWER: &str = "a resposta chegou incompleta ou ilegível";
pub(super) const NO_SESSION: &str = "não há sessão nele nem senha à mão";
pub(super) const ASKING_AGAIN: &str =
    "Nenhum banco disse ainda o que aconteceu; continuo perguntando, sempre com a mesma chave…";
pub(super) const NO_BANK_ANSWERS: &str = "Nenhum banco responde";
pub(super) const NOTHING_DONE: &str = "Nenhum banco aceitou o pedido; nada foi feito";
pub(super) const LOG_IN_FIRST: &str = "É preciso entrar: use «netbanking client login», ou informe --user e a senha (--password-file ou NETBANKING_PASSWORD)";

pub(super) fn unreadable(status: u16) -> String {
    format!("O banco deu uma resposta que este programa não entende (HTTP {status})")
}

pub(super) fn bank_silent(bank: &str, why: &str) -> String {
    format!("{bank} não atendeu: {why}.")
}

pub(super) fn trying_next(bank: &str, key: Option<&str>) -> String {
    match key {
        Some(key) => {
            format!(" Repito o pedido em {bank} com a mesma chave de idempotência ({key}).")
        }
        None => format!(" Pergunto a {bank}."),
    }
}

pub(super) fn served_by(bank: &str) -> String {
    format!("Agora quem atende é {bank}.")
}

pub(super) fn stale(bank: &str) -> String {
    format!("{bank} não alcança os outros bancos agora: o que ele mostra pode estar desatualizado.")
}

pub(super) fn outcome_unknown(key: &str) -> String {
    format!(
        "Resultado desconhecido: o pedido pode ter sido executado. Para saber, repita-o com a mesma chave, em qualquer banco: --key {key}"
    )
}

pub(super) fn still_unknown(bank: &str, said: &str) -> String {
    format!("Resultado desconhecido: {bank} não sabe o que aconteceu com o pedido ({said})")
}

pub(super) fn unknown_because(error: &str) -> String {
    format!("Resultado desconhecido, e não foi possível perguntar a outro banco: {error}")
}

pub(super) fn bank_not_found(bank: BankId) -> String {
    format!("O banco {bank} não está entre os que respondem agora")
}

pub(super) fn bank_not_given(bank: BankId) -> String {
    format!("O banco {bank} não está entre os bancos informados (--bank ou --nodes)")
}

// Files, passwords, the terminal.
pub(super) const EMPTY: &str = "está vazio";
pub(super) const TOO_LARGE: &str = "é grande demais";
pub(super) const NO_TERMINAL: &str =
    "O menu precisa de um terminal; para scripts há comandos, veja «netbanking client --help»";
pub(super) const PASSWORD_NEEDED: &str =
    "Falta a senha: use um terminal, --password-file ou a variável NETBANKING_PASSWORD";
pub(super) const USER_NEEDED: &str =
    "Falta o nome de usuário: use --user, ou entre antes com «netbanking client login»";
pub(super) const NOT_CONFIRMED: &str = "não confirmado; nada foi enviado";
pub(super) const INTERRUPTED: &str = "interrompido";
pub(super) const CANCELED: &str = "(voltar)";
pub(super) const NO_SESSION_FILE: &str = "Não sei onde guardar a sessão: informe --session ARQUIVO";

pub(super) fn password_not_text() -> String {
    "NETBANKING_PASSWORD não é um texto UTF-8".to_owned()
}

/// The system's common errors, in words.
pub(super) fn io_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "não existe".to_owned(),
        io::ErrorKind::PermissionDenied => "falta permissão".to_owned(),
        io::ErrorKind::IsADirectory => "é uma pasta".to_owned(),
        io::ErrorKind::NotADirectory => "o caminho passa por algo que não é uma pasta".to_owned(),
        io::ErrorKind::InvalidData => "não é um texto UTF-8".to_owned(),
        io::ErrorKind::StorageFull => "o disco está cheio".to_owned(),
        _ => error.to_string(),
    }
}

/// The bank did what was asked, but its answer is lost.
pub(super) fn answer_lost(error: &io::Error) -> String {
    format!("feito, mas a resposta não pôde ser escrita na saída padrão: {}", io_error(error))
}

pub(super) fn file_unreadable(file: &Path, why: &str) -> String {
    format!("{}: não é possível ler o arquivo: {why}", file.display())
}

pub(super) fn no_banks(nodes: &Path) -> String {
    format!(
        "Não sei onde estão os bancos: informe --bank URL, uma vez para cada um ({} não existe)",
        nodes.display()
    )
}

pub(super) fn bad_nodes(why: &str) -> String {
    format!("A lista de bancos não serve: {why}")
}

pub(super) fn not_json(file: &Path, line: usize, column: usize) -> String {
    format!("{}: não é JSON válido (linha {line}, coluna {column})", file.display())
}

pub(super) fn session_file_open_to_others(file: &Path) -> String {
    format!(
        "{}: outros usuários podem ler este arquivo de sessão; ele deve ter a permissão 0600",
        file.display()
    )
}

pub(super) fn session_file_damaged(file: &Path) -> String {
    format!("{}: não é um arquivo de sessão; apague-o e entre de novo", file.display())
}

pub(super) fn session_file_unwritable(file: &Path, why: &str) -> String {
    format!("{}: não é possível guardar a sessão: {why}", file.display())
}

pub(super) fn terminal_failed(why: &str) -> String {
    format!("O terminal não funciona como esperado: {why}")
}

// Input.
pub(super) const BAD_URL: &str = "deve ter a forma http://HOST:PORTA";
pub(super) const BAD_BANK: &str = "deve ser o número de um banco, como 0";
pub(super) const BAD_AMOUNT: &str = "escreva o valor como 1.234,56";

pub(super) fn not_within(least: u32, most: u32) -> String {
    format!("deve ser um número inteiro de {least} a {most}")
}

pub(super) fn bad_amount(bad: BadAmount) -> &'static str {
    match bad {
        BadAmount::Form => BAD_AMOUNT,
        BadAmount::Ambiguous => {
            "não está claro quanto é; escreva os centavos com vírgula e duas casas: 1.050,00 ou 1,05"
        }
        BadAmount::NotPositive => "o valor deve ser maior que zero",
        BadAmount::TooLarge => "o valor é grande demais",
    }
}

pub(super) fn parse_yes_no(text: &str) -> Result<bool, ()> {
    match text.trim().to_lowercase().as_str() {
        "s" | "sim" => Ok(true),
        "n" | "não" | "nao" => Ok(false),
        _ => Err(()),
    }
}

pub(super) fn yes_no(yes: bool) -> &'static str {
    if yes { "Sim" } else { "Não" }
}

// Questions.
pub(super) const CHOOSE_HELP: &str = "↑↓ escolhem, Enter confirma, letras filtram, Esc volta";
pub(super) const NO_IS_DEFAULT: &str = "s/N";
pub(super) const ANSWER_YES_OR_NO: &str = "Responda s (sim) ou n (não)";
pub(super) const PASSWORD: &str = "Senha:";
pub(super) const NEW_PASSWORD: &str = "Nova senha:";
pub(super) const NEW_PASSWORD_AGAIN: &str = "Repita a senha:";
pub(super) const PASSWORDS_DIFFER: &str = "As senhas são diferentes";
pub(super) const PASSWORD_TOO_SHORT: &str = "A senha deve ter pelo menos 8 caracteres";
pub(super) const USER_NAME: &str = "Nome de usuário:";
pub(super) const WHICH_BANK: &str = "Qual banco?";
pub(super) const PERSON: &str = "Pessoa:";
pub(super) const FULL_NAME: &str = "Nome completo:";
pub(super) const ACCOUNT_TYPE: &str = "Tipo de conta:";
pub(super) const HOLDERS: &str = "Outros titulares (nomes de usuário, separados por vírgula):";
pub(super) const PIX_TYPE: &str = "Chave Pix:";
pub(super) const OPENING_VALUE: &str = "Valor inicial (no mínimo R$ 50,00):";
pub(super) const AMOUNT: &str = "Valor:";
pub(super) const MESSAGE: &str = "Mensagem a quem recebe (Enter: nenhuma):";
pub(super) const AMOUNT_HELP: &str =
    "por exemplo 1.234,56; 10.50 são dez e cinquenta, 1.050 são mil e cinquenta";
pub(super) const WHICH_ACCOUNT: &str = "De qual conta?";
pub(super) const WHICH_PIX: &str = "Chave Pix de quem recebe:";
pub(super) const PIX_HELP: &str =
    "por exemplo 123.456.789-01 ou maria; banco:valor, como 0:maria, se houver mais de uma";
pub(super) const WHICH_LINE: &str = "Qual operação sai do pacote?";
pub(super) const OLDER: &str = "Mostrar operações mais antigas?";

pub(super) fn password_for(user: &UserName, bank: &str) -> String {
    format!("Senha de {user} para entrar em {bank}:")
}

pub(super) fn document(person: TypePerson) -> &'static str {
    match person {
        TypePerson::Pf => "CPF:",
        TypePerson::Pj => "CNPJ:",
    }
}

pub(super) const IS_IT_RIGHT: &str = "O número é esse mesmo?";

pub(super) fn pay_to(name: &str) -> String {
    format!("Pagar a {name}?")
}

pub(super) fn send_package(operations: usize) -> String {
    match operations {
        1 => "Enviar o pacote com 1 operação?".to_owned(),
        _ => format!("Enviar o pacote com {operations} operações?"),
    }
}

// The menu.
pub(super) const WELCOME: &str = "NetBanking";
pub(super) const GOODBYE: &str = "Até logo!";
pub(super) const WHAT_NEXT: &str = "O que deseja fazer?";
pub(super) const LOG_IN: &str = "Entrar";
pub(super) const REGISTER: &str = "Cadastrar-se";
pub(super) const CHANGE_BANK: &str = "Trocar de banco";
pub(super) const QUIT: &str = "Sair";
pub(super) const OVERVIEW: &str = "Minhas contas";
pub(super) const OPEN_ACCOUNT: &str = "Abrir conta";
pub(super) const CHANGE_PASSWORD: &str = "Senha nova";
pub(super) const NEW_PASSWORD_NEEDED: &str = "a senha nova não veio: informe --new-password-file";
pub(super) const NO_KEYS: &str =
    "Nenhuma chave Pix. Pelo número da conta ela recebe Pix assim mesmo.";
pub(super) const KEYS: &str = "Chaves Pix";
pub(super) const WHAT_WITH_KEYS: &str = "O que fazer?";
pub(super) const ADD_KEY: &str = "Cadastrar uma chave";
pub(super) const WHICH_KEY_KIND: &str = "Que tipo de chave?";
pub(super) const KEY_VALUE: &str = "Qual:";

pub(super) fn remove_key(key: &str) -> String {
    format!("Remover {key}")
}

/// A kind of further key, by its word in requests.
pub(super) fn key_kind(word: &str) -> &'static str {
    match word {
        "EMAIL" => "E-mail",
        "TELEFONE" => "Telefone",
        "CPF" => pix_type(PixType::Cpf),
        "CNPJ" => pix_type(PixType::Cnpj),
        "USER_NAME" => pix_type(PixType::UserName),
        "NUM_CONTA" => pix_type(PixType::NumConta),
        _ => pix_type(PixType::Random),
    }
}

pub(super) const NO_FAVOURITES: &str = "Nenhum favorito.";
pub(super) const FAVOURITES_HEADER: [&str; 2] = ["Apelido", "Chave Pix"];
pub(super) const NO_SCHEDULES: &str = "Nenhum Pix agendado.";
pub(super) const ENDED: &str = "terminou";
pub(super) const BAD_DAY: &str = "use a forma 23/11/2026";
pub(super) const SCHEDULES_HEADER: [&str; 6] =
    ["Número", "Próximo", "Chave Pix", "Valor", "Feitos", "Último"];

/// A day of an answer.
pub(super) fn date(written: &str) -> String {
    date_and_time(written).0
}

/// What became of the latest day.
pub(super) fn last_run(day: &str, refused: Option<&str>) -> String {
    match refused {
        None => format!("{} feito", date(day)),
        Some(why) => format!("{} não feito: {}", date(day), why),
    }
}

pub(super) const LIMITS: &str = "Limites de Pix e saque";
pub(super) const BY_DAY: &str = "Das 6h às 20h";
pub(super) const BY_NIGHT: &str = "Das 20h às 6h";
pub(super) const SET_BY_DAY: &str = "Mudar o limite das 6h às 20h";
pub(super) const SET_BY_NIGHT: &str = "Mudar o limite das 20h às 6h";
pub(super) const SET_CONFIRM_ABOVE: &str = "Mudar acima de quanto a senha é pedida de novo";
pub(super) const LIMIT_VALUE: &str = "Novo limite:";
pub(super) const CONFIRM_HELP: &str =
    "Um valor por dia ou por noite como 500,00, ou «sem» para nunca";
/// The word for no limit.
pub(super) const WITHOUT: &str = "sem";
pub(super) const NO_LIMIT: &str = "sem limite";
pub(super) const LIMIT_HELP: &str =
    "Um valor como 1.000,00, ou «sem». Um limite maior só vale depois de 24 horas";

pub(super) fn limit(title: &str, most: &str, next: Option<&str>) -> String {
    format!("{title}: {most}{}", next.unwrap_or_default())
}

pub(super) fn limit_later(most: &str, from: &str) -> String {
    let (date, time) = date_and_time(from);
    format!("; a partir de {date} {time}: {most}")
}

pub(super) fn confirmed_above(sum: &str) -> String {
    format!("Acima de {sum} por dia ou por noite, a senha é pedida de novo")
}

pub(super) fn confirm_password(sum: &str) -> String {
    format!("Sua senha, se isto passa de {sum} no dia ou na noite (Esc se não):")
}

pub(super) fn spent_now(spent: &str, left: Option<&str>) -> String {
    match left {
        Some(left) => format!("Agora: já saíram {spent}, ainda podem sair {left}"),
        None => format!("Agora: já saíram {spent}, e não há limite"),
    }
}

pub(super) const REFUND: &str = "Devolver um Pix recebido";
pub(super) const NO_REFUNDABLE: &str =
    "Nenhum Pix recebido entre os últimos lançamentos desta conta.";
pub(super) const WHICH_RECEIVED: &str = "Qual Pix?";
pub(super) const REFUND_VALUE: &str = "Quanto devolver:";

/// A Pix that was received, as one line of a choice.
pub(super) fn received(at: &str, value: &str, name: &str) -> String {
    let (date, time) = date_and_time(at);
    format!("{date} {time} · {value} · {name}")
}

pub(super) fn refundable(left: &str) -> String {
    format!("Deste Pix pode-se devolver ainda {left}.")
}

pub(super) fn give_back(value: &str, name: &str) -> String {
    format!("Devolver {value} a {name}?")
}

pub(super) const JOINT: &str = "Contas conjuntas que esperam";
pub(super) const NO_JOINT: &str = "Nenhuma conta conjunta espera os titulares.";
pub(super) const WHICH_JOINT: &str = "Qual conta conjunta?";
pub(super) const ACCEPT_OR_DECLINE: &str = "O que responder?";
pub(super) const ACCEPT: &str = "Aceitar";
pub(super) const DECLINE: &str = "Recusar";
pub(super) const PACKAGE: &str = "Montar pacote de operações";
pub(super) const STATEMENT: &str = "Extrato";
pub(super) const LOG_OUT: &str = "Encerrar sessão";
pub(super) const LOGGED_OUT: &str = "Sessão encerrada.";
pub(super) const NO_ACCOUNTS: &str = "Ainda não há contas: abra uma.";
pub(super) const ADD_DEPOSIT: &str = "Adicionar depósito";
pub(super) const ADD_WITHDRAWAL: &str = "Adicionar saque";
pub(super) const ADD_PIX: &str = "Adicionar Pix";
pub(super) const REMOVE_LINE: &str = "Retirar uma operação";
pub(super) const SEND: &str = "Enviar o pacote";
pub(super) const DISCARD: &str = "Descartar e voltar";
pub(super) const WHAT_NOW: &str = "O que fazer agora?";
pub(super) const ASK_AGAIN: &str = "Perguntar de novo, com a mesma chave";
pub(super) const GIVE_UP: &str = "Desistir de saber e voltar";
pub(super) const BASKET: &str = "O que fazer com o pacote?";
pub(super) const BASKET_EMPTY: &str = "O pacote está vazio.";
pub(super) const BASKET_NOTE: &str = "As operações são executadas nesta ordem, todas ou nenhuma.";
pub(super) const OVERDRAWN: &str =
    "Atenção: falta saldo em alguma conta; como está, o banco recusaria o pacote todo.";
pub(super) const NOTHING_CHANGED: &str = "Nada do pacote foi executado.";

pub(super) fn bank_in_use(bank: &str) -> String {
    format!("Banco em uso: {bank}")
}

pub(super) fn greeting(name: &str, user: &UserName, person: TypePerson) -> String {
    format!("Bem-vindo(a), {name} ({user}, {person}).")
}

pub(super) fn account(bank: &str, number: u64) -> String {
    format!("conta {number} no {bank}")
}

pub(super) fn recipient(
    name: &str,
    person: TypePerson,
    document: &str,
    bank: &str,
    key: &str,
) -> String {
    format!("Quem recebe: {name}, {} {document}, {bank}, chave {key}", person.document_name())
}

pub(super) fn odd_check_digits(document: &Document) -> String {
    let name = document.type_person().document_name();
    format!("Os dígitos verificadores do {name} {document} não conferem.")
}

pub(super) fn opened(number: u64, key: &str) -> String {
    format!("Conta {number} aberta; a chave Pix dela é {key}.")
}

/// A joint account waits for these.
pub(super) fn waits_for(number: u64, waiting_for: &[String]) -> String {
    let names = waiting_for.join(", ");
    format!("A conta {number} abre quando todos os titulares aceitarem. Faltam: {names}.")
}

/// A joint account that waits, as one line of a choice.
pub(super) fn joint_label(number: u64, bank: &str, opener: &str) -> String {
    format!("Conta {number} no {bank}, pedida por {opener}")
}

pub(super) fn done_at(descript: &str, position: u64) -> String {
    format!("{descript} (posição {position} na ordem comum).")
}

pub(super) fn sessions_begun(banks: &[String]) -> String {
    format!("Sessão aberta em: {}.", banks.join(", "))
}

pub(super) fn statement_head(
    number: u64,
    name: &str,
    users: &str,
    kind: &str,
    key: &str,
    balance: &str,
) -> String {
    format!(
        "Conta {number} · {kind}\nTitular: {name} · usuários: {users}\nChave Pix: {key}\nSaldo atual: {balance}"
    )
}

pub(super) const WATCH: &str = "Acompanhar o que chega";

pub(super) fn watching(bank: &str) -> String {
    format!("Acompanhando o que chega, em {bank}. Ctrl-C termina.")
}

pub(super) fn watch_cut(bank: &str) -> String {
    format!("{bank} não diz mais o que chega.")
}

/// A Pix that has just arrived.
pub(super) fn arrived(at: &str, value: &str, who: &str, said: Option<&str>) -> String {
    let (date, time) = date_and_time(at);
    let said = said.map(|said| format!(" · {said}")).unwrap_or_default();
    format!("{date} {time} · Você recebeu {value} de {who}{said}")
}

/// Where it has arrived.
pub(super) fn arrived_in(account: &str, balance: &str) -> String {
    format!(" · na conta {account}, que tem agora {balance}")
}

pub(super) fn by(user: &str) -> String {
    format!("por {user}")
}

pub(super) fn charge(txid: &str) -> String {
    format!("cobrança {txid}")
}

pub(super) fn bank_label(bank: BankId) -> String {
    format!("Banco {bank}")
}

// Tables.
pub(super) const TOTAL: &str = "Total";
pub(super) const ACCOUNTS_HEADER: [&str; 4] = ["Banco", "Conta", "Chave Pix", "Saldo"];
pub(super) const SESSIONS_HEADER: [&str; 5] = ["Sessão", "Desde", "Usada por último", "De", "Esta"];
pub(super) const LOGINS_HEADER: [&str; 2] = ["Últimas entradas", "De"];
pub(super) const THIS: &str = "sim";
pub(super) const JOINT_HEADER: [&str; 7] =
    ["Banco", "Conta", "Chave Pix", "Pedida por", "Titulares", "Faltam", "Valor inicial"];
pub(super) const BANKS_HEADER: [&str; 4] = ["Banco", "Nome", "Endereço", "Estado"];
pub(super) const STATEMENT_HEADER: [&str; 7] =
    ["Data", "Hora", "Operação", "Quem", "Valor", "Saldo", "Mensagem"];
pub(super) const NARROW_STATEMENT_HEADER: [&str; 4] = ["Quando", "Operação", "Valor", "Saldo"];
pub(super) const BASKET_HEADER: [&str; 6] =
    ["Nº", "Conta", "Operação", "Quem recebe", "Valor", "Saldo depois"];
pub(super) const UNKNOWN: &str = "?";
pub(super) const NOTHING: &str = "–";
pub(super) const READY: &str = "atende";
pub(super) const CUT_OFF: &str = "só consulta: não alcança a maioria";
pub(super) const SILENT: &str = "não responde";
pub(super) const OUTSIDE: &str = "fora do consórcio";
pub(super) const NO_ADDRESS: &str = "(endereço não informado)";

pub(super) fn person(person: TypePerson) -> &'static str {
    match person {
        TypePerson::Pf => "Física (PF)",
        TypePerson::Pj => "Jurídica (PJ)",
    }
}

pub(super) fn type_account(type_account: TypeAccount) -> &'static str {
    match type_account {
        TypeAccount::Pf => "Pessoa física (PF)",
        TypeAccount::Pj => "Pessoa jurídica (PJ)",
        TypeAccount::Conjunta => "Conjunta",
    }
}

/// `2026-11-23T11:03:22-03:00` as `23/11/2026` and `11:03:22`; anything else as it is.
pub(super) fn date_and_time(written: &str) -> (String, String) {
    let (date, time) = written.split_once('T').unwrap_or((written, ""));
    let date = parse_date(date).map_or_else(|| date.to_owned(), brazilian::date);
    (date, time.chars().take_while(|char| char.is_ascii_digit() || *char == ':').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_day_first() {
        let (date, time) = date_and_time("2026-11-23T11:03:22-03:00");
        assert_eq!((date.as_str(), time.as_str()), ("23/11/2026", "11:03:22"));
        assert_eq!(date_and_time("ontem"), ("ontem".to_owned(), String::new()));
    }

    #[test]
    fn yes_and_no_are_understood_in_portuguese_only() {
        for (text, meant) in [
            ("s", Ok(true)),
            (" SIM ", Ok(true)),
            ("não", Ok(false)),
            ("N", Ok(false)),
            ("y", Err(())),
        ] {
            assert_eq!(parse_yes_no(text), meant, "{text:?}");
        }
    }
}
