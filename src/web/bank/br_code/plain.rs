//! Text in plain letters, which is all that every reader of a BR Code understands.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Letters without their accents, letters of other languages as they are commonly written without
/// them, and anything else that is not plain as a blank; at most `chars_max` characters.
pub(in crate::web::bank) fn plain(text: &str, chars_max: usize) -> String {
    let mut plain = String::new();
    for char in text.nfkd().filter(|char| !is_combining_mark(*char)) {
        match commonly_written(char) {
            Some(written) => plain += written,
            None if char.is_ascii_graphic() => plain.push(char),
            None => plain.push(' '),
        }
    }
    let words: Vec<_> = plain.split_whitespace().collect();
    words.join(" ").chars().take(chars_max).collect::<String>().trim_end().to_owned()
}

/// Letters that are not a plain letter with an accent, and marks.
fn commonly_written(char: char) -> Option<&'static str> {
    Some(match char {
        'ø' => "o",
        'Ø' => "O",
        'ł' => "l",
        'Ł' => "L",
        'ß' => "ss",
        'ẞ' => "SS",
        'æ' => "ae",
        'Æ' => "AE",
        'œ' => "oe",
        'Œ' => "OE",
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        'þ' => "th",
        'Þ' => "Th",
        'ħ' => "h",
        'Ħ' => "H",
        'ı' => "i",
        'ŋ' => "n",
        'Ŋ' => "N",
        'ŧ' => "t",
        'Ŧ' => "T",
        '‘' | '’' | '´' => "'",
        '“' | '”' | '«' | '»' => "\"",
        '‐' | '‑' | '‒' | '–' | '—' | '−' => "-",
        '⁄' => "/",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_accents_and_what_does_not_fit() {
        assert_eq!(plain("  João da Silva  Çelik ", 25), "Joao da Silva Celik");
        assert_eq!(plain("Ünïcödé <script>", 25), "Unicode <script>");
        assert_eq!(plain("漢字 abc def", 5), "abc d");
        assert_eq!(plain("abcd efgh", 5), "abcd");
    }

    #[test]
    fn letters_in_pieces_and_letters_of_other_languages_stay_letters() {
        assert_eq!(plain("Joa\u{303}o Conceic\u{327}a\u{303}o", 25), "Joao Conceicao");
        assert_eq!(plain("Bjørn Łukasz Groß", 25), "Bjorn Lukasz Gross");
        assert_eq!(plain("Ærø Þór D’Ávila – Œuvre", 30), "AEro Thor D'Avila - OEuvre");
        assert_eq!(plain("ŽIŽKA Nguyễn Đặng", 25), "ZIZKA Nguyen Dang");
    }
}
