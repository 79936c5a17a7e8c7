//! Names as people may read them: nobody's name may look like another's, hide characters or turn
//! the text around it.
//!
//! This runs only at the bank that takes a registration, before anything is ordered. The tables of
//! Unicode that it reads belong to a version of two crates; if the ledger asked them, banks with
//! different versions could decide differently on the same request. So the ledger takes every name
//! that has been ordered ([`PersonName::parse`]), and names in older journals stay as they are.
//! Whether a user name looks like another one depends on who has registered, and is a rule of the
//! ledger with tables of its own: see `UserName::look`.
//!
//! [`PersonName::parse`]: crate::ledger::PersonName::parse

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::{GeneralSecurityProfile, MixedScript, skeleton};

/// The most marks on one letter; Vietnamese needs two, and NFC leaves few of them apart.
const MARKS_MAX: usize = 2;
/// Signs in names of companies and people that Unicode does not list for identifiers.
const SIGNS: [char; 8] = ['’', '‘', '“', '”', '–', 'º', 'ª', '°'];

/// Why a text is not taken as a name; what people are told is with the other texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadName {
    /// A character that nobody sees, that turns text around, or that has no meaning.
    Character(char),
    /// Letters of several scripts together.
    Scripts,
    /// Letters of one script that look like those of another.
    Lookalike,
    /// More accents on a letter than any language has.
    Marks,
}

/// A name in its one spelling: composed (NFC), with single blanks between its words.
///
/// # Errors
/// [`BadName`] for what could deceive a reader.
pub(crate) fn readable(text: &str) -> Result<String, BadName> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let name: String = name.nfc().collect();
    if let Some(odd) = name.chars().find(|char| !is_readable(*char)) {
        return Err(BadName::Character(odd));
    }
    if has_many_marks(&name) {
        return Err(BadName::Marks);
    }
    let letters: String = name.chars().filter(|char| char.is_alphanumeric()).collect();
    if !letters.as_str().is_single_script() {
        return Err(BadName::Scripts);
    }
    // A whole name in Cyrillic, say, of letters that all look Latin.
    let is_latin = letters.nfd().any(|char| char.is_ascii_alphanumeric());
    let seems_latin = || skeleton(&letters).all(|char| char.is_ascii() || is_combining_mark(char));
    if !is_latin && !letters.is_empty() && seems_latin() {
        return Err(BadName::Lookalike);
    }
    Ok(name)
}

/// Letters, digits and marks that Unicode recommends for identifiers, all printable ASCII, and a
/// few signs. That leaves out everything invisible, unassigned, private or turned around.
fn is_readable(char: char) -> bool {
    char == ' ' || char.is_ascii_graphic() || SIGNS.contains(&char) || char.identifier_allowed()
}

fn has_many_marks(name: &str) -> bool {
    let mut marks = 0;
    name.chars().any(|char| {
        marks = if is_combining_mark(char) { marks + 1 } else { 0 };
        marks > MARKS_MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_and_companies_are_taken() {
        for name in [
            "Pedro Silva",
            "João D’Ávila Gonçalves",
            "Ana-Maria d'Ângelo",
            "Padaria Pão & Cia. (Filial 2) Ltda.",
            "A3 S/A – Nº 1º",
            "Nguyễn Thị Ánh",
            "田中 太郎",
            "さくら 商店",
            "Иван Щукин",
            "ליאור כהן",
            "محمد علي",
        ] {
            assert_eq!(readable(name).as_deref(), Ok(name));
        }
    }

    #[test]
    fn a_name_has_one_spelling() {
        assert_eq!(readable("Joa\u{303}o").as_deref(), Ok("João"));
        assert_eq!(readable("  Ana \u{a0} \u{3000} Souza ").as_deref(), Ok("Ana Souza"));
    }

    #[test]
    fn what_nobody_sees_or_what_turns_text_around_is_refused() {
        for char in [
            '\u{200b}',
            '\u{200d}',
            '\u{200f}',
            '\u{202e}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{ad}',
            '\u{34f}',
            '\u{e000}',
            '\u{378}',
            '\u{fffe}',
            '\u{3164}',
            '\u{115f}',
            '\u{e0061}',
            '\u{7f}',
            '\u{1}',
            '\u{2800}',
            '\u{fe0f}',
            '😀',
        ] {
            let name = format!("Ana{char} Souza");
            assert_eq!(readable(&name), Err(BadName::Character(char)), "{name:?}");
        }
    }

    #[test]
    fn letters_that_pass_for_others_are_refused() {
        // Cyrillic а in a Latin name, Greek Α, and a name all in Cyrillic that reads as Latin.
        for mixed in ["P\u{430}ulo Souza", "\u{391}na Souza", "Ana \u{421}\u{43e}\u{441}\u{43e}"] {
            assert_eq!(readable(mixed), Err(BadName::Scripts), "{mixed}");
        }
        let lookalike = "\u{421}\u{43e}\u{441}\u{43e} \u{420}\u{43e}\u{441}\u{430}";
        assert_eq!(readable(lookalike), Err(BadName::Lookalike));
        assert_eq!(readable("a\u{300}\u{301}\u{301}\u{301}na"), Err(BadName::Marks));
    }
}
