//! Who banks here: customers, their names and their documents (CPF and CNPJ).
//!
//! Each name is a newtype that can be made only by its `parse`. A document knows by its form
//! whether it belongs to a person or a company, so the two can never contradict each other.
//! Passwords never come here, only their hashes.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::password_hash::PasswordHash;

/// The fewest characters of a name or a user name.
pub(crate) const NAME_CHARS_MIN: usize = 3;
/// The most characters of a name.
pub(crate) const NAME_CHARS_MAX: usize = 200;
/// The most characters of a user name.
pub(crate) const USER_NAME_CHARS_MAX: usize = 64;

/// A person or a company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TypePerson {
    /// Pessoa física: a person.
    Pf,
    /// Pessoa jurídica: a company.
    Pj,
}

impl TypePerson {
    /// `PF` or `PJ`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TypePerson::Pf => "PF",
            TypePerson::Pj => "PJ",
        }
    }

    /// What the document is called: `CPF` or `CNPJ`.
    #[must_use]
    pub(crate) fn document_name(self) -> &'static str {
        match self {
            TypePerson::Pf => "CPF",
            TypePerson::Pj => "CNPJ",
        }
    }

    /// The form of the document: `0` is a digit, `X` a digit or a capital letter.
    pub(super) fn document_form(self) -> &'static str {
        match self {
            TypePerson::Pf => "000.000.000-00",
            // Letters since July 2026; the check digits stay digits.
            TypePerson::Pj => "XX.XXX.XXX/XXXX-00",
        }
    }

    /// The largest weight of the check digits; from right to left the weights go up from 2 to this
    /// one and then start again at 2.
    fn weight_max(self) -> u32 {
        match self {
            TypePerson::Pf => 11,
            TypePerson::Pj => 9,
        }
    }
}

impl fmt::Display for TypePerson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A customer's `num_cadastro`: a CPF or a CNPJ, in its printed form. It is in the value itself:
/// there is one for each customer, and a text apart would take twice as much memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Document {
    /// ASCII; a CPF is followed by zeros.
    text: [u8; DOCUMENT_BYTES_MAX],
    length: u8,
}

/// The bytes of the longer document.
const DOCUMENT_BYTES_MAX: usize = "XX.XXX.XXX/XXXX-00".len();

impl Document {
    /// Reads a document in its printed form; `check_digits` asks whether its last two digits must
    /// fit the others.
    ///
    /// # Errors
    /// [`BadDocument`] says what does not fit.
    pub fn parse(
        type_person: TypePerson,
        text: &str,
        check_digits: bool,
    ) -> Result<Self, BadDocument> {
        if !has_form(text, type_person.document_form()) {
            return Err(BadDocument::Form(type_person));
        }
        if check_digits && !check_digits_fit(type_person, text) {
            return Err(BadDocument::CheckDigits(type_person));
        }
        let length = text.len() as u8;
        let mut document = Document { text: [0; DOCUMENT_BYTES_MAX], length };
        document.text[..text.len()].copy_from_slice(text.as_bytes());
        Ok(document)
    }

    /// The CPF whose first nine digits are this number, with the check digits that fit it; `None`
    /// if the number has more.
    #[must_use]
    pub(crate) fn cpf_of_number(number: u32) -> Option<Self> {
        let mut digits: Vec<u32> =
            format!("{number:09}").bytes().map(|digit| u32::from(digit - b'0')).collect();
        for _ in 0..2 {
            digits.push(check_digit(&digits, TypePerson::Pf.weight_max()));
        }
        let text: String = digits.iter().map(u32::to_string).collect();
        let printed = format!("{}.{}.{}-{}", &text[..3], &text[3..6], &text[6..9], text.get(9..)?);
        Document::parse(TypePerson::Pf, &printed, false).ok()
    }

    /// The document as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = &self.text[..usize::from(self.length)];
        std::str::from_utf8(text).expect("what has the form of a document is ASCII")
    }

    /// Whether its last two digits follow from the others.
    #[must_use]
    pub(crate) fn check_digits_fit(&self) -> bool {
        check_digits_fit(self.type_person(), self.as_str())
    }

    /// Whose kind of document it is.
    #[must_use]
    pub(crate) fn type_person(&self) -> TypePerson {
        if usize::from(self.length) == TypePerson::Pf.document_form().len() {
            TypePerson::Pf
        } else {
            TypePerson::Pj
        }
    }

    /// What a payer may see of it, its middle six digits: `***.123.123-**` or `**.345.678/****-**`.
    #[must_use]
    pub(crate) fn masked(&self) -> String {
        let visible = match self.type_person() {
            TypePerson::Pf => 4..11,
            TypePerson::Pj => 3..10,
        };
        let masked = |(place, char): (usize, char)| {
            if char.is_ascii_alphanumeric() && !visible.contains(&place) { '*' } else { char }
        };
        self.as_str().chars().enumerate().map(masked).collect()
    }
}

fn has_form(text: &str, form: &str) -> bool {
    let fits = |(byte, place): (u8, u8)| match place {
        b'0' => byte.is_ascii_digit(),
        b'X' => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
        mark => byte == mark,
    };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}

/// Whether the last two digits of a well-formed document follow from the others.
fn check_digits_fit(type_person: TypePerson, text: &str) -> bool {
    // A letter counts as its ASCII code less 48, so that digits count as themselves.
    let value = |byte: u8| u32::from(byte - b'0');
    let values: Vec<u32> = text.bytes().filter(u8::is_ascii_alphanumeric).map(value).collect();
    // A document that repeats one digit passes the check sum but was never issued.
    let monotonous = values.iter().all(|value| *value == values[0]);
    let last_two = [values.len() - 2, values.len() - 1];
    !monotonous
        && last_two
            .iter()
            .all(|place| values[*place] == check_digit(&values[..*place], type_person.weight_max()))
}

fn check_digit(values: &[u32], weight_max: u32) -> u32 {
    let weighted: u32 = values
        .iter()
        .rev()
        .zip((2..=weight_max).cycle())
        .map(|(value, weight)| value * weight)
        .sum();
    match weighted % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    }
}

impl TryFrom<String> for Document {
    type Error = BadDocument;

    /// The form alone says which kind it is. Check digits are checked where requests come in, not
    /// in the ledger.
    fn try_from(text: String) -> Result<Self, BadDocument> {
        Document::parse(TypePerson::Pf, &text, false)
            .or_else(|_| Document::parse(TypePerson::Pj, &text, false))
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Document").field(&self.as_str()).finish()
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is not a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadDocument {
    /// Not the printed form.
    Form(TypePerson),
    /// The last two digits do not follow from the others.
    CheckDigits(TypePerson),
}

/// The name a customer logs in with, unique in the consortium. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct UserName(Arc<str>);

impl UserName {
    /// Reads a user name.
    ///
    /// # Errors
    /// [`BadUserName`] unless it is 3 to 64 ASCII letters, digits, `.`, `_` and `-`, at least one
    /// of them a letter: a user name can be a Pix key and must not be mistaken for somebody's CPF
    /// or account number there.
    pub fn parse(text: &str) -> Result<Self, BadUserName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let length_fits = (NAME_CHARS_MIN..=USER_NAME_CHARS_MAX).contains(&text.len());
        if !length_fits
            || !text.bytes().all(allowed)
            || !text.bytes().any(|byte| byte.is_ascii_alphabetic())
        {
            return Err(BadUserName);
        }
        Ok(UserName(text.into()))
    }

    /// The user name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserName {
    type Error = BadUserName;

    fn try_from(text: String) -> Result<Self, BadUserName> {
        UserName::parse(&text)
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is not a user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadUserName;

/// A customer's full name, without surrounding blanks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct PersonName(Arc<str>);

impl PersonName {
    /// Reads a name and drops blanks around it.
    ///
    /// # Errors
    /// [`BadPersonName`] unless 3 to 200 characters remain, none of them a control character.
    pub fn parse(text: &str) -> Result<Self, BadPersonName> {
        let name = text.trim();
        let length_fits = (NAME_CHARS_MIN..=NAME_CHARS_MAX).contains(&name.chars().count());
        if !length_fits || name.chars().any(char::is_control) {
            return Err(BadPersonName);
        }
        Ok(PersonName(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PersonName {
    type Error = BadPersonName;

    fn try_from(text: String) -> Result<Self, BadPersonName> {
        PersonName::parse(&text)
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that cannot be a person's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPersonName;

/// A customer of the consortium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Unique in the consortium.
    pub user_name: UserName,
    /// Full name.
    pub name: PersonName,
    /// CPF or CNPJ, unique in the consortium.
    pub num_cadastro: Document,
    /// What the login checks against.
    pub password_hash: PasswordHash,
}

impl Customer {
    /// A person or a company, as the document says.
    #[must_use]
    pub(crate) fn type_person(&self) -> TypePerson {
        self.num_cadastro.type_person()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(
        type_person: TypePerson,
        text: &str,
        check_digits: bool,
    ) -> Result<String, BadDocument> {
        Document::parse(type_person, text, check_digits).map(|document| document.to_string())
    }

    #[test]
    fn the_requirements_documents_are_accepted_where_check_digits_are_not_asked_for() {
        for text in ["123.123.123-00", "123.123.123-01"] {
            assert_eq!(document(TypePerson::Pf, text, false).as_deref(), Ok(text));
            assert_eq!(
                document(TypePerson::Pf, text, true),
                Err(BadDocument::CheckDigits(TypePerson::Pf))
            );
        }
    }

    #[test]
    fn a_cpf_is_made_of_its_first_nine_digits() {
        let cpf = |number| Document::cpf_of_number(number).map(|cpf| cpf.to_string());
        assert_eq!(cpf(111_444_777).as_deref(), Some("111.444.777-35"));
        assert_eq!(cpf(1).as_deref(), Some("000.000.001-91"));
        assert_eq!(cpf(1_000_000_000), None);
        for number in (1..1_000_000_000).step_by(999_983) {
            let cpf = cpf(number).unwrap();
            assert!(Document::parse(TypePerson::Pf, &cpf, true).is_ok(), "{cpf}");
        }
    }

    #[test]
    fn check_digits_of_cpf_and_cnpj_are_computed() {
        for text in ["529.982.247-25", "111.444.777-35"] {
            assert!(document(TypePerson::Pf, text, true).is_ok(), "{text}");
        }
        // The last is the Receita Federal's own example of a CNPJ with letters.
        for text in ["11.222.333/0001-81", "00.000.000/0001-91", "12.ABC.345/01DE-35"] {
            assert!(document(TypePerson::Pj, text, true).is_ok(), "{text}");
        }
        assert!(document(TypePerson::Pj, "12.ABC.345/01DF-35", true).is_err());
        assert!(document(TypePerson::Pf, "529.982.247-52", true).is_err());
    }

    #[test]
    fn one_repeated_digit_fits_the_checksum_but_is_not_a_document() {
        assert!(document(TypePerson::Pf, "111.111.111-11", true).is_err());
        assert!(document(TypePerson::Pj, "00.000.000/0000-00", true).is_err());
    }

    #[test]
    fn a_document_of_another_form_is_refused() {
        for text in [
            "",
            "12312312300",
            "123.123.123-0A",
            "123.123.123-000",
            "12A.123.123-00",
            "123-123-123.00",
        ] {
            assert_eq!(
                document(TypePerson::Pf, text, false),
                Err(BadDocument::Form(TypePerson::Pf)),
                "{text}"
            );
        }
        for text in
            ["12.abc.345/01DE-35", "12.ABC.345/01DE-3A", "12.ABC.34É/01D-35", "123.123.123-00"]
        {
            assert_eq!(
                document(TypePerson::Pj, text, false),
                Err(BadDocument::Form(TypePerson::Pj)),
                "{text}"
            );
        }
        let text = document(TypePerson::Pj, "1", false).unwrap_err().to_string();
        assert_eq!(text, "CNPJ deve ter a forma XX.XXX.XXX/XXXX-00");
    }

    #[test]
    fn a_document_knows_its_type_of_person_even_after_json() {
        for (text, type_person) in
            [("123.123.123-00", TypePerson::Pf), ("12.ABC.345/01DE-35", TypePerson::Pj)]
        {
            let document: Document = serde_json::from_str(&format!("{text:?}")).unwrap();
            assert_eq!((document.type_person(), document.as_str()), (type_person, text));
        }
        assert!(serde_json::from_str::<Document>("\"123\"").is_err());
    }

    #[test]
    fn a_payer_sees_only_the_middle_six_digits() {
        let masked =
            |type_person, text| Document::parse(type_person, text, false).unwrap().masked();
        assert_eq!(masked(TypePerson::Pf, "456.123.123-00"), "***.123.123-**");
        assert_eq!(masked(TypePerson::Pj, "12.345.678/0001-95"), "**.345.678/****-**");
    }

    #[test]
    fn a_user_name_is_short_ascii_with_a_letter() {
        for text in ["abc", "pedrinho234", "a.b_c-d", &"x".repeat(64)] {
            assert!(UserName::parse(text).is_ok(), "{text}");
        }
        for text in ["", "ab", "a b", "joão", "a:b", "a/b", "abc\n", &"x".repeat(65)] {
            assert_eq!(UserName::parse(text), Err(BadUserName), "{text:?}");
        }
    }

    #[test]
    fn a_user_name_cannot_pass_for_a_cpf_or_an_account_number() {
        assert_eq!(UserName::parse("123.123.123-00"), Err(BadUserName));
        assert_eq!(UserName::parse("740358"), Err(BadUserName));
    }

    #[test]
    fn a_name_is_trimmed_and_counted_in_characters() {
        assert_eq!(PersonName::parse("  Pedro Silva \n").unwrap().as_str(), "Pedro Silva");
        assert!(PersonName::parse(&"é".repeat(200)).is_ok());
        for text in ["", "  a  ", "ab", "Pedro\u{7}Silva", &"é".repeat(201)] {
            assert_eq!(PersonName::parse(text), Err(BadPersonName), "{text:?}");
        }
    }
}
