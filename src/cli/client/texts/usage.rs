//! Mistakes in the command line, in Portuguese: clap finds what is wrong, this says it.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// One line that says what has to be corrected.
pub(in crate::cli::client) fn in_portuguese(refusal: &clap::Error) -> String {
    let argument = || said(refusal, ContextKind::InvalidArg);
    let value = || said(refusal, ContextKind::InvalidValue);
    let what = match refusal.kind() {
        ErrorKind::MissingRequiredArgument => format!("falta {}", argument()),
        ErrorKind::InvalidValue if value().is_empty() => format!("falta o valor de {}", argument()),
        ErrorKind::InvalidValue => {
            format!(
                "valor inválido «{}» para {}: use {}",
                value(),
                argument(),
                said(refusal, ContextKind::ValidValue)
            )
        }
        ErrorKind::ValueValidation => match std::error::Error::source(refusal) {
            Some(why) => format!("valor inválido «{}» para {}: {why}", value(), argument()),
            None => format!("valor inválido «{}» para {}", value(), argument()),
        },
        ErrorKind::UnknownArgument => format!("argumento desconhecido: {}", argument()),
        ErrorKind::InvalidSubcommand => {
            format!("comando desconhecido: {}", said(refusal, ContextKind::InvalidSubcommand))
        }
        ErrorKind::ArgumentConflict => {
            format!("{} não combina com o resto, ou aparece duas vezes", argument())
        }
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues | ErrorKind::NoEquals => {
            format!("falta o valor de {}", argument())
        }
        ErrorKind::InvalidUtf8 => "a linha de comando não é UTF-8".to_owned(),
        _ => "linha de comando inválida".to_owned(),
    };
    format!("{what} (veja netbanking client --help)")
}

fn said(refusal: &clap::Error, kind: ContextKind) -> String {
    match refusal.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}
