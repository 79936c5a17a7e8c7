//! Passwords that many people have: whoever guesses begins with them.
//!
//! The list is that of `vendor/common-passwords`, in the order of its bytes.

use std::sync::LazyLock;

const LIST: &str = include_str!("../../vendor/common-passwords/list.txt");

static LINES: LazyLock<Vec<&str>> = LazyLock::new(|| LIST.lines().collect());

/// Whether it is one of them, whatever the case of its letters.
pub(crate) fn has(password: &str) -> bool {
    let small = password.to_lowercase();
    LINES.binary_search(&small.as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_people_have_is_found_whatever_its_case() {
        assert!(LINES.is_sorted() && LINES.len() > 8_000);
        assert!(["12345678", "Password", "QWERTYUIOP"].iter().all(|common| has(common)));
        assert!(["correct horse", "", "12345678 "].iter().all(|rare| !has(rare)));
        assert!(LINES.iter().all(|line| has(line)));
    }
}
