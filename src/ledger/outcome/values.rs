//! Why a value is not taken, in the words that the customer reads. The kinds of refusal are defined
//! next to the types that refuse. Nothing here is part of the hash chain: what is refused this way
//! is never ordered.

use std::error::Error;
use std::fmt;

use crate::ledger::account_number::BadAccountNumber;
use crate::ledger::customer::{BadDocument, BadPersonName, BadUserName};
use crate::ledger::keys::{BadEmail, BadTelephone};
use crate::ledger::money::BadMoney;
use crate::ledger::note::{BadMessage, BadTxid, MESSAGE_CHARS_MAX, TXID_CHARS_MAX};
use crate::ledger::package::{BadPackage, OPERATIONS_MAX};
use crate::ledger::password_hash::BadPasswordHash;
use crate::ledger::pix::BadPixKey;
use crate::ledger::profile::{BadNickname, NICKNAME_CHARS_MAX};
use crate::ledger::request::BadIdempotencyKey;

impl Error for BadAccountNumber {}
impl Error for BadDocument {}
impl Error for BadEmail {}
impl Error for BadIdempotencyKey {}
impl Error for BadMessage {}
impl Error for BadMoney {}
impl Error for BadNickname {}
impl Error for BadPackage {}
impl Error for BadPasswordHash {}
impl Error for BadPersonName {}
impl Error for BadPixKey {}
impl Error for BadTelephone {}
impl Error for BadTxid {}
impl Error for BadUserName {}

impl fmt::Display for BadAccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Número de conta inválido")
    }
}

impl fmt::Display for BadDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadDocument::Form(person) => {
                write!(f, "{} deve ter a forma {}", person.document_name(), person.document_form())
            }
            BadDocument::CheckDigits(person) => {
                write!(f, "{} com dígitos verificadores errados", person.document_name())
            }
        }
    }
}

impl fmt::Display for BadEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("E-mail deve ter a forma nome@exemplo.com")
    }
}

impl fmt::Display for BadTelephone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "Telefone deve ter a forma (11) 91234-5678, ou começar com + e o código do país",
        )
    }
}

impl fmt::Display for BadIdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chave de idempotência deve ter de 1 a 255 caracteres ASCII imprimíveis")
    }
}

impl fmt::Display for BadMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadMessage::Length => {
                write!(f, "Mensagem deve ter de 1 a {MESSAGE_CHARS_MAX} caracteres")
            }
            BadMessage::Character => f.write_str(
                "Mensagem deve ser um texto de uma linha, sem caracteres de controle ou de direção",
            ),
        }
    }
}

impl fmt::Display for BadMoney {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadMoney::NotANumber => "Valor não é um número",
            BadMoney::Exponent => "Valor não pode ter expoente",
            BadMoney::TooManyDecimals => "Valor tem mais de duas casas decimais",
            BadMoney::TooLarge => "Valor grande demais",
            BadMoney::NotPositive => "Valor deve ser maior que zero",
            BadMoney::Negative => "Valor não pode ser negativo",
        })
    }
}

impl fmt::Display for BadNickname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Apelido deve ter de 1 a {NICKNAME_CHARS_MAX} caracteres visíveis")
    }
}

impl fmt::Display for BadPackage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadPackage::Empty => f.write_str("Pacote sem operações"),
            BadPackage::TooLong => write!(f, "Pacote com mais de {OPERATIONS_MAX} operações"),
        }
    }
}

impl fmt::Display for BadPasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resumo de senha inválido")
    }
}

impl fmt::Display for BadPersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nome deve ter de 3 a 200 caracteres")
    }
}

impl fmt::Display for BadPixKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chave Pix deve ter a forma banco:valor")
    }
}

impl fmt::Display for BadTxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identificador deve ter de 1 a {TXID_CHARS_MAX} letras sem acento e algarismos")
    }
}

impl fmt::Display for BadUserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "Nome de usuário deve ter de 3 a 64 letras sem acento, algarismos, '.', '_' ou '-', e \
             ao menos uma letra",
        )
    }
}
