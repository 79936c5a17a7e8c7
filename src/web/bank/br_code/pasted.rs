//! What copying does to a code, undone: quotes around it, lines that a mail was wrapped into,
//! blanks that do not break, characters that nobody sees, accents taken apart. The CRC says which
//! of the readings is the code.

use unicode_normalization::UnicodeNormalization;

/// What the copied text may have been, the least changed first.
pub(super) fn as_pasted(text: &str) -> Vec<String> {
    let visible: String = text.chars().filter(|char| !invisible(*char)).collect();
    let around = |char: char| char.is_whitespace() || is_quote(char);
    let lines: Vec<_> = visible.trim_matches(around).lines().collect();
    let mut readings = Vec::new();
    // A line ends in the middle of a word, or where a blank was.
    for between in ["", " "] {
        let blank = |char: char| if char.is_whitespace() { ' ' } else { char };
        let reading: String = lines.join(between).chars().map(blank).collect();
        let composed = reading.nfc().collect();
        readings.extend([reading, composed]);
    }
    readings.dedup();
    readings
}

/// Characters that nobody sees, among them the byte order mark.
pub(super) fn invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}')
}

/// What people and programs put around a text that they quote.
pub(super) fn is_quote(char: char) -> bool {
    matches!(char, '"' | '\'' | '`' | '«' | '»' | '\u{2018}'..='\u{201f}' | '‹' | '›')
}
