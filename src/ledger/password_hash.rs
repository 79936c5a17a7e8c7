//! What a customer's password is checked against.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize, Serializer};

/// The most bytes of a password hash.
pub(crate) const PASSWORD_HASH_BYTES_MAX: usize = 512;
/// How every hash begins that this version makes: Argon2id with OWASP's parameters.
const USUAL: &str = "$argon2id$v=19$m=19456,t=2,p=1$";
/// Bytes of the usual salt,
const SALT_BYTES: usize = 16;
/// and of salt and hash together.
const USUAL_BYTES: usize = SALT_BYTES + 32;

/// A password's hash as PHC text (`$argon2id$…`), opaque to the ledger. `Debug` does not show it.
/// Cheap to clone.
///
/// Every customer has one, so those of the usual form are kept without what they have in common,
/// and their digits as the bytes that these stand for: 64 bytes instead of 113.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PasswordHash(Kept);

#[derive(Clone, PartialEq, Eq)]
enum Kept {
    /// Salt and hash of one that begins as usual.
    Usual(Arc<[u8; USUAL_BYTES]>),
    /// Any other, as it is.
    Text(Arc<str>),
}

impl PasswordHash {
    /// Takes a hash as PHC text.
    ///
    /// # Errors
    /// [`BadPasswordHash`] for a text that does not begin like one, so that no password can ever
    /// slip in here.
    pub fn parse(text: &str) -> Result<Self, BadPasswordHash> {
        let length_fits = text.len() <= PASSWORD_HASH_BYTES_MAX;
        if !length_fits
            || !text.starts_with('$')
            || !text.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(BadPasswordHash);
        }
        let usual = bytes_of(text).map(|bytes| Kept::Usual(Arc::new(bytes)));
        Ok(PasswordHash(usual.unwrap_or_else(|| Kept::Text(text.into()))))
    }

    /// The PHC text, for checking a password against it.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.0 {
            Kept::Usual(bytes) => text_of(bytes),
            Kept::Text(text) => text.to_string(),
        }
    }
}

/// Salt and hash, if the text is exactly what [`text_of`] makes of them.
fn bytes_of(text: &str) -> Option<[u8; USUAL_BYTES]> {
    let (salt, hash) = text.strip_prefix(USUAL)?.split_once('$')?;
    let mut bytes = [0; USUAL_BYTES];
    let (salt_bytes, hash_bytes) = bytes.split_at_mut(SALT_BYTES);
    let fills = |digits: &str, bytes: &mut [u8]| {
        STANDARD_NO_PAD.decode_slice(digits, bytes).is_ok_and(|length| length == bytes.len())
    };
    let is_usual = fills(salt, salt_bytes) && fills(hash, hash_bytes);
    (is_usual && text_of(&bytes) == text).then_some(bytes)
}

fn text_of(bytes: &[u8; USUAL_BYTES]) -> String {
    let (salt, hash) = bytes.split_at(SALT_BYTES);
    format!("{USUAL}{}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash))
}

impl TryFrom<String> for PasswordHash {
    type Error = BadPasswordHash;

    fn try_from(text: String) -> Result<Self, BadPasswordHash> {
        PasswordHash::parse(&text)
    }
}

impl Serialize for PasswordHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// A text that is not a password hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPasswordHash;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_usual(text: &str) -> bool {
        let hash = PasswordHash::parse(text).unwrap();
        assert_eq!(hash.text(), text);
        matches!(hash.0, Kept::Usual(_))
    }

    #[test]
    fn only_what_can_be_written_again_as_it_was_is_kept_as_bytes() {
        let (salt, hash) = ("A".repeat(22), "B".repeat(42));
        assert!(is_usual(&format!("{USUAL}{salt}${hash}A")));
        for text in [
            // Bits that no byte has, other parameters, lengths and alphabets, padding, parts.
            format!("{USUAL}{salt}${hash}B"),
            format!("$argon2id$v=19$m=65536,t=2,p=1${salt}${hash}A"),
            format!("{USUAL}{salt}${hash}"),
            format!("{USUAL}{salt}${hash}AA"),
            format!("{USUAL}{salt}${hash}A="),
            format!("{USUAL}{salt}${hash}A$"),
            format!("{USUAL}{salt}$-{}A", &hash[1..]),
            USUAL.to_owned(),
            "$".to_owned(),
        ] {
            assert!(!is_usual(&text), "{text}");
        }
    }

    #[test]
    fn a_hash_takes_two_words() {
        assert_eq!(size_of::<PasswordHash>(), 2 * size_of::<usize>());
    }

    #[test]
    fn a_password_is_not_accepted_as_a_hash_and_a_hash_is_never_shown() {
        assert_eq!(PasswordHash::parse("12345678"), Err(BadPasswordHash));
        assert_eq!(PasswordHash::parse("$argon2id$\n"), Err(BadPasswordHash));
        let hash = PasswordHash::parse("$argon2id$v=19$secret").unwrap();
        assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
    }

    proptest! {
        #[test]
        fn every_text_is_given_back_as_it_was(text in r"\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/=$]{0,80}") {
            prop_assert_eq!(PasswordHash::parse(&text).unwrap().text(), text);
        }

        #[test]
        fn usual_hashes_are_equal_when_their_texts_are(bytes: [u8; 32], more: [u8; 16]) {
            let mut whole = [0; USUAL_BYTES];
            whole[..32].copy_from_slice(&bytes);
            whole[32..].copy_from_slice(&more);
            let text = text_of(&whole);
            prop_assert!(is_usual(&text));
            prop_assert_eq!(PasswordHash::parse(&text), PasswordHash::parse(&text));
        }
    }
}
