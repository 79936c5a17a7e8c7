//! What people type: documents with and without their punctuation, keys with and without their
//! bank.
//!
//! The ledger knows one spelling of each document and key. A text from a person is brought into
//! that spelling here, once, before anything else looks at it.

use super::account_number::{ACCOUNT_MARK, AccountNumber};
use super::customer::{BadDocument, Document, TypePerson};
use super::keys::{Email, Telephone};
use super::pix::{BadPixKey, PixKey, is_pix_value};
use crate::ids::BankId;

/// Characters of a random key; its letters are small.
const RANDOM_CHARS: usize = 36;

impl Document {
    /// Reads a document as people type it: with or without points, dashes, slash and blanks, and
    /// with small letters.
    ///
    /// # Errors
    /// [`BadDocument`] says what does not fit.
    pub fn typed(
        type_person: TypePerson,
        text: &str,
        check_digits: bool,
    ) -> Result<Self, BadDocument> {
        let printed = printed(type_person, text);
        Document::parse(type_person, printed.as_deref().unwrap_or(text), check_digits)
    }
}

/// The printed form of a document, whatever stands between its digits; `None` for a text that has
/// more or fewer of them.
fn printed(type_person: TypePerson, text: &str) -> Option<String> {
    let text = text.trim_matches(is_blank);
    if text.starts_with(is_mark) || text.ends_with(is_mark) {
        return None;
    }
    let digits = text.chars().filter(|char| !is_blank(*char) && !is_mark(*char));
    let mut digits = digits.map(|char| char.to_ascii_uppercase());
    let form = type_person.document_form().chars();
    let mark_or_digit = |place| if is_mark(place) { Some(place) } else { digits.next() };
    let printed = form.map(mark_or_digit).collect::<Option<String>>()?;
    digits.next().is_none().then_some(printed)
}

/// Points, slashes and all the dashes that keyboards and other programs make.
fn is_mark(char: char) -> bool {
    matches!(char, '.' | '/' | '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Blanks, and characters that nobody sees, as they come along with a text that was copied.
fn is_blank(char: char) -> bool {
    char.is_whitespace()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}')
}

/// A key as people type it: perhaps without its bank, and a document in it perhaps without its
/// punctuation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TypedKey {
    /// Any, if it was not typed.
    bank: Option<BankId>,
    /// What may be meant; what was typed comes first.
    spellings: Vec<String>,
}

impl TypedKey {
    /// Reads what was typed.
    ///
    /// # Errors
    /// [`BadPixKey`] for a text that cannot be a key in any spelling.
    pub(crate) fn parse(text: &str) -> Result<TypedKey, BadPixKey> {
        let text = text.trim_matches(is_blank);
        let (bank, value) = match text.split_once(':') {
            Some((bank, value)) => (Some(number(bank.trim_matches(is_blank))?), value),
            None => (None, text),
        };
        let spellings = spellings(value.trim_matches(is_blank));
        if spellings.is_empty() { Err(BadPixKey) } else { Ok(TypedKey { bank, spellings }) }
    }

    /// The keys that exist and may be meant. A spelling counts only if none before it exists, so
    /// that what is typed in full is never taken for something else.
    pub(crate) fn found(&self, banks: usize, exists: impl Fn(&PixKey) -> bool) -> Vec<PixKey> {
        let at = |spelling: &String| {
            let banks =
                BankId::all(banks).filter(|bank| self.bank.is_none_or(|only| only == *bank));
            let keys = banks.filter_map(|bank| PixKey::of(bank, spelling).ok());
            keys.filter(&exists).collect::<Vec<_>>()
        };
        self.spellings.iter().map(at).find(|keys| !keys.is_empty()).unwrap_or_default()
    }
}

/// A bank's number, without leading zeros.
fn number(text: &str) -> Result<BankId, BadPixKey> {
    let number = text.parse().ok().filter(|number: &u16| number.to_string() == text);
    number.map(BankId).ok_or(BadPixKey)
}

fn spellings(value: &str) -> Vec<String> {
    let together: String = value.chars().filter(|char| !is_blank(*char)).collect();
    let document = |person| {
        let document = Document::typed(person, value, false).ok();
        document.map(|document| document.to_string())
    };
    let email = Email::parse(value).ok().map(|email| email.to_string());
    let telephone = Telephone::parse(value).ok().map(|telephone| telephone.to_string());
    let random = Some(&together).filter(|text| text.len() == RANDOM_CHARS);
    let random = random.map(|text| text.to_ascii_lowercase());
    let mut spellings = vec![value.to_owned(), together.clone()];
    spellings.extend(document(TypePerson::Pf));
    spellings.extend(document(TypePerson::Pj));
    spellings.extend(random);
    spellings.extend(email);
    spellings.extend(telephone);
    // The number of an account whose key is another one.
    let number = AccountNumber::parse(&together).ok();
    spellings.extend(number.map(|number| format!("{ACCOUNT_MARK}{number}")));
    spellings.retain(|spelling| is_pix_value(spelling));
    spellings.dedup();
    spellings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_however_it_is_punctuated() {
        for text in [
            "52998224725",
            "529.982.247-25",
            " 529 982 247 25 ",
            "529982247-25",
            "529.982.247–25",
            "\u{feff}529.982.247-25\u{200b}",
        ] {
            let document = Document::typed(TypePerson::Pf, text, true);
            assert_eq!(document.unwrap().as_str(), "529.982.247-25", "{text:?}");
        }
        for text in ["12abc34501de35", "12.abc.345/01de-35", "12 ABC 345 / 01DE - 35"] {
            let document = Document::typed(TypePerson::Pj, text, true);
            assert_eq!(document.unwrap().as_str(), "12.ABC.345/01DE-35", "{text:?}");
        }
    }

    #[test]
    fn a_document_of_another_length_or_with_other_characters_is_refused() {
        for text in [
            "",
            "5299822472",
            "529982247255",
            "5299822472A",
            "52998224725é",
            "529_982_247_25",
            "52998224725/",
        ] {
            let refused = Document::typed(TypePerson::Pf, text, false);
            assert_eq!(refused, Err(BadDocument::Form(TypePerson::Pf)), "{text:?}");
        }
        assert!(Document::typed(TypePerson::Pj, "12abc34501deXX", false).is_err());
    }

    /// What is found of a text where these keys exist.
    fn found(text: &str, existing: &[&str]) -> Vec<String> {
        let exists = |key: &PixKey| existing.contains(&key.as_str());
        let found = TypedKey::parse(text).unwrap().found(3, exists);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_key_is_found_with_and_without_bank_and_punctuation() {
        let existing = ["1:529.982.247-25", "2:12.ABC.345/01DE-35", "0:mara21", "2:740358"];
        for (text, key) in [
            ("1:529.982.247-25", existing[0]),
            ("52998224725", existing[0]),
            (" 1 : 529 982 247 25", existing[0]),
            ("12abc34501de35", existing[1]),
            ("mara21\n", existing[2]),
            ("740 358", existing[3]),
        ] {
            assert_eq!(found(text, &existing), [key], "{text:?}");
        }
        for text in ["0:52998224725", "Mara21", "9:mara21"] {
            assert!(found(text, &existing).is_empty(), "{text:?}");
        }
        let random = "1:7a1a21c8-c6f6-4ea7-b5cc-ea86d7df920d";
        assert_eq!(found("7A1A21C8-C6F6-4EA7-B5CC-EA86D7DF920D", &[random]), [random]);
    }

    #[test]
    fn what_is_typed_in_full_is_never_taken_for_something_else() {
        let existing = ["0:52998224725", "1:529.982.247-25"];
        assert_eq!(found("52998224725", &existing), [existing[0]]);
        assert_eq!(found("529.982.247-25", &existing), [existing[1]]);
        assert_eq!(found("7", &["0:7", "2:7"]), ["0:7", "2:7"]);
        assert_eq!(found("2:7", &["0:7", "2:7"]), ["2:7"]);
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        for text in ["", "  ", ":", "1:", ":a", "01:a", "x:a", "65536:a", "é", "1:é"] {
            assert_eq!(TypedKey::parse(text), Err(BadPixKey), "{text:?}");
        }
    }
}
