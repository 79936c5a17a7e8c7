//! What a payer says about a Pix: a message to the payee, and the name of the charge that it pays.
//!
//! Both are texts of a stranger that the payee's bank shows, so nothing in them may break a line or
//! turn the direction of what is written beside them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The most characters of a message, as in Brazil's Pix.
pub(crate) const MESSAGE_CHARS_MAX: usize = 140;
/// The most characters of a charge's name, as in Brazil's Pix.
pub(crate) const TXID_CHARS_MAX: usize = 35;

/// What a payer says to the payee, on one line. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Message(Arc<str>);

impl Message {
    /// Reads a message and drops blanks around it.
    ///
    /// # Errors
    /// [`BadMessage`] unless 1 to 140 characters remain, none of which controls a terminal, ends a
    /// line or turns the direction of writing.
    pub fn parse(text: &str) -> Result<Self, BadMessage> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > MESSAGE_CHARS_MAX {
            return Err(BadMessage::Length);
        }
        if text.chars().any(|char| char.is_control() || ends_line(char) || turns(char)) {
            return Err(BadMessage::Character);
        }
        Ok(Message(text.into()))
    }

    /// The message as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn ends_line(char: char) -> bool {
    matches!(char, '\u{2028}' | '\u{2029}')
}

/// Whether it is one of Unicode's marks, embeddings, overrides and isolates of direction.
fn turns(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl TryFrom<String> for Message {
    type Error = BadMessage;

    fn try_from(text: String) -> Result<Self, BadMessage> {
        Message::parse(&text)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadMessage {
    /// Nothing, or too much.
    Length,
    /// A character that is not text.
    Character,
}

/// The name of a charge, chosen by the payee. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Txid(Arc<str>);

impl Txid {
    /// Reads the name of a charge.
    ///
    /// # Errors
    /// [`BadTxid`] unless it is 1 to 35 letters without accents and digits.
    pub fn parse(text: &str) -> Result<Self, BadTxid> {
        let fits = (1..=TXID_CHARS_MAX).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            Ok(Txid(text.into()))
        } else {
            Err(BadTxid)
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Txid {
    type Error = BadTxid;

    fn try_from(text: String) -> Result<Self, BadTxid> {
        Txid::parse(&text)
    }
}

impl fmt::Display for Txid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that cannot be the name of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTxid;

/// What the payer says; either may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// To the payee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// The charge that is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txid: Option<Txid>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_of_text() {
        let parsed = |text: &str| Message::parse(text).map(|message| message.to_string());
        assert_eq!(parsed("  almoço de sexta 🍕 \n"), Ok("almoço de sexta 🍕".into()));
        assert_eq!(parsed(&"é".repeat(140)), Ok("é".repeat(140)));
        for text in ["", "  ", &"é".repeat(141)] {
            assert_eq!(parsed(text), Err(BadMessage::Length), "{text:?}");
        }
        for char in ['\n', '\t', '\u{1b}', '\u{85}', '\u{2028}', '\u{202e}', '\u{2066}', '\u{200f}']
        {
            assert_eq!(parsed(&format!("a{char}b")), Err(BadMessage::Character), "{char:?}");
        }
    }

    #[test]
    fn the_name_of_a_charge_is_letters_and_digits() {
        assert_eq!(Txid::parse(&"aZ9".repeat(11)).unwrap().as_str(), "aZ9".repeat(11));
        for text in ["", "a b", "***", "é", &"a".repeat(36)] {
            assert_eq!(Txid::parse(text), Err(BadTxid), "{text:?}");
        }
    }
}
