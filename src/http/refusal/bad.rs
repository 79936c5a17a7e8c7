//! What can be wrong with a request before anything is ordered: each mistake is a variant, and its
//! text is defined here. A text that belongs to a value's own type, or to a page, is defined there.

use std::fmt;

use super::super::names::BadName;
use crate::brazilian::{ON_PAGES, reais};
use crate::ids::BankId;
use crate::ledger::{AccountNumber, Amount, PixKey};
use crate::protocol::event::MalformedEvent;

/// What is wrong with a request, or which thing that it names does not exist. A `String` without a
/// name is a place in the body, such as `0.932836.package[2].value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// The body did not arrive completely.
    Unfinished,
    /// The body is not text.
    NotUtf8,
    /// The body is not JSON.
    NotJson {
        /// Where reading ended.
        line: usize,
        /// The column there.
        column: usize,
    },
    /// The body is JSON but not an object.
    NotAnObject,
    /// A field occurs twice.
    Twice(String),
    /// A field means nothing here.
    Unknown(String),
    /// A field is missing.
    Missing(String),
    /// A field is something other than it must be.
    NotA(String, Kind),
    /// A text has control characters.
    ControlCharacters(String),
    /// A value is not taken, for the reason that its type gives.
    Value(String, String),
    /// One operation is to move more than this, which is the most.
    AboveMax(Amount),
    /// A text from the value's type or from the page that asks for it.
    Said(String),
    /// The path cannot be read.
    Path,
    /// The query cannot be read.
    Query,
    /// The form cannot be read.
    Form,
    /// `min_position` is not a position.
    MinPosition,
    /// `limit` is not between 1 and this.
    Limit(usize),
    /// The header `Idempotency-Key` is not a valid key.
    IdempotencyKey,
    /// The body names another customer than the route.
    OtherUserName,
    /// `users` has more names than will be read.
    TooManyUsers,
    /// A new password is shorter than this many characters.
    PasswordTooShort(usize),
    /// A new password is longer than this many bytes.
    PasswordTooLong(usize),
    /// A new password is one that many people have.
    PasswordTooCommon,
    /// Whoever is logged in has not given their password.
    WrongPassword,
    /// The header `Netbanking-Password` cannot be read.
    PasswordHeader,
    /// User name or password is wrong; which of the two is never told.
    WrongLogin,
    /// There is no such customer.
    NoSuchCustomer,
    /// A customer has come to this many accounts.
    TooManyAccounts(u64),
    /// The customer has no such session at this bank.
    NoSuchSession,
    /// There is no such bank.
    NoSuchBank(String),
    /// The bank has no such account.
    NoSuchAccount(AccountNumber, BankId),
    /// An entry that does not exist, or is no Pix that was received and says from where.
    NotRefundable,
    /// Nobody has this Pix key.
    NoSuchKey,
    /// A key without its bank may be one of these.
    SeveralKeys(Vec<PixKey>),
    /// The sender of a transfer is not the account under which the transfer is listed.
    OtherSender {
        /// Where it is listed.
        place: String,
        /// Who is named.
        sender: AccountNumber,
        /// The account under which it is listed.
        account: AccountNumber,
    },
    /// A peer's message cannot be read.
    Message(String),
    /// The path of a peer's request does not name an event.
    EventId,
    /// A peer's message is not an event.
    Event(MalformedEvent),
    /// A peer sends in the name of another.
    OtherSpeaker {
        /// Who calls.
        caller: BankId,
        /// In whose name.
        named: BankId,
    },
    /// A peer's timestamp does not have a component for each bank.
    Timestamp,
}

/// What a field must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A list.
    List,
    /// A text.
    Text,
    /// An object.
    Object,
    /// A whole number.
    Number,
    /// The number of an account.
    AccountNumber,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// In the customer's language.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::List => f.write_str("uma lista"),
            Kind::Text => f.write_str("um texto"),
            Kind::Object => f.write_str("um objeto"),
            Kind::Number => f.write_str("um número inteiro"),
            Kind::AccountNumber => f.write_str("um número de conta"),
            Kind::OneOf([words @ .., last]) => write!(f, "{} ou {last}", words.join(", ")),
            Kind::OneOf([]) => Ok(()),
        }
    }
}

/// In the customer's language.
impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bad::Unfinished => f.write_str("O corpo do pedido não chegou inteiro"),
            Bad::NotUtf8 => f.write_str("O corpo não é UTF-8"),
            Bad::NotJson { line, column } => {
                write!(f, "O corpo não é JSON válido (linha {line}, coluna {column})")
            }
            Bad::NotAnObject => f.write_str("O corpo deve ser um objeto JSON"),
            Bad::Twice(place) => write!(f, "O campo {place} aparece duas vezes"),
            Bad::Unknown(place) => write!(f, "Campo desconhecido: {place}"),
            Bad::Missing(place) => write!(f, "Falta o campo {place}"),
            Bad::NotA(place, kind) => write!(f, "O campo {place} deve ser {kind}"),
            Bad::ControlCharacters(place) => {
                write!(f, "O campo {place} tem caracteres de controle")
            }
            Bad::Value(place, why) => write!(f, "{place}: {why}"),
            Bad::AboveMax(most) => {
                let most = reais(most.get().get(), ON_PAGES);
                write!(f, "Valor acima do máximo por operação, {most}")
            }
            Bad::Said(why) => f.write_str(why),
            Bad::Path => f.write_str("Caminho inválido"),
            Bad::Query => f.write_str("Parâmetros da consulta inválidos"),
            Bad::Form => f.write_str("Formulário inválido"),
            Bad::MinPosition => {
                write!(f, "min_position deve ser um número inteiro entre 0 e {}", u64::MAX)
            }
            Bad::Limit(most) => write!(f, "limit deve estar entre 1 e {most}"),
            Bad::IdempotencyKey => {
                f.write_str("Idempotency-Key deve ter de 1 a 255 caracteres ASCII visíveis")
            }
            Bad::OtherUserName => f.write_str("O campo user_name difere do nome na rota"),
            Bad::TooManyUsers => f.write_str("O campo users tem nomes demais"),
            Bad::PasswordTooShort(least) => {
                write!(f, "A senha deve ter pelo menos {least} caracteres")
            }
            Bad::PasswordTooLong(most) => write!(f, "A senha deve ter no máximo {most} bytes"),
            Bad::PasswordTooCommon => f.write_str(
                "Muita gente tem esta senha, e quem tenta entrar começa por ela: escolha outra",
            ),
            Bad::WrongPassword => f.write_str("A senha não está certa. Nada foi enviado"),
            Bad::PasswordHeader => f.write_str(
                "Netbanking-Password deve ser a senha, com %XX no lugar de caracteres especiais",
            ),
            Bad::WrongLogin => f.write_str("Nome de usuário ou senha incorretos"),
            Bad::NoSuchSession => f.write_str("Não há tal sessão neste banco"),
            Bad::TooManyAccounts(most) => write!(f, "No máximo {most} contas, com as encerradas"),
            Bad::NoSuchCustomer => f.write_str("Cliente não encontrado"),
            Bad::NoSuchBank(bank) => write!(f, "Banco {bank} não existe"),
            Bad::NoSuchAccount(number, bank) => {
                write!(f, "Conta {number} não existe no banco {bank}")
            }
            Bad::NotRefundable => f.write_str("Só um Pix recebido pode ser devolvido"),
            Bad::NoSuchKey => f.write_str("Chave Pix não encontrada"),
            Bad::SeveralKeys(keys) => {
                let keys: Vec<_> = keys.iter().map(PixKey::as_str).collect();
                write!(f, "Esta chave existe em mais de um banco: escreva {}", keys.join(" ou "))
            }
            Bad::OtherSender { place, sender, account } => {
                write!(f, "{place}: o remetente {sender} não é a conta {account}")
            }
            Bad::EventId => f.write_str("identificador de evento inválido"),
            Bad::Message(why) => write!(f, "Mensagem malformada: {why}"),
            Bad::OtherSpeaker { caller, named } => {
                write!(f, "O banco {caller} fala em nome do banco {named}")
            }
            Bad::Timestamp => f.write_str("O campo timestamp deve ter um componente por banco"),
            Bad::Event(event) => f.write_str(said_of(*event)),
        }
    }
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadName::Character(char) => {
                write!(f, "Nome não pode ter o caractere U+{:04X}", u32::from(*char))
            }
            BadName::Scripts => f.write_str("Nome não pode misturar alfabetos"),
            BadName::Lookalike => {
                f.write_str("Nome não pode imitar letras latinas com as de outro alfabeto")
            }
            BadName::Marks => f.write_str("Nome com acentos demais sobre uma letra"),
        }
    }
}

fn said_of(event: MalformedEvent) -> &'static str {
    match event {
        MalformedEvent::Event => "Não é um evento",
        MalformedEvent::Batch => "O campo msg não é um lote de pedidos válido",
        MalformedEvent::Timestamp => "O campo timestamp não conta a própria mensagem",
        MalformedEvent::Time => "O campo at_ms não é uma hora entre 1970 e 9999",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_listed_as_people_list_them() {
        let kind = |words| Bad::NotA("type".into(), Kind::OneOf(words)).to_string();
        assert_eq!(kind(&["PF", "PJ"]), "O campo type deve ser PF ou PJ");
        assert_eq!(kind(&["A", "B", "C"]), "O campo type deve ser A, B ou C");
    }
}
