//! Bytes as hexadecimal digits, and back.

use std::fmt;

/// Prints bytes as lower-case digits, two for each.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads exactly two digits for each byte, in either case.
pub(crate) fn parse<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    parse_up_to(text, BYTES)?.try_into().ok()
}

/// Reads two digits for each byte, in either case, of at most so many bytes.
pub(crate) fn parse_up_to(text: &str, bytes_max: usize) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    // A sign is not a digit, although the number parser would accept one.
    let fits = digits.len() <= 2 * bytes_max && digits.len().is_multiple_of(2);
    if !fits || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_back_as_they_were_printed() {
        assert_eq!(Hex(&[0, 0x0a, 0xff]).to_string(), "000aff");
        assert_eq!(parse("000AfF"), Some([0, 0x0a, 0xff]));
        for text in ["000af", "000aff0", "+00aff", "000ag0", "00é0f"] {
            assert_eq!(parse::<3>(text), None, "{text}");
        }
    }
}
