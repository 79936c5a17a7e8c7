//! What a user name looks like to somebody who does not look closely: `Ana1` and `anaI` look alike.
//!
//! Two customers must not have user names that look alike, so this is a rule of the ledger, and the
//! table is part of it. It is written out here, and not taken from a crate, because every bank and
//! every later version must come to the same result: to change it is to change what old journals
//! lead to. User names are ASCII, so it is short. It has what [Unicode TR39] lists for these
//! characters, upper and lower case taken as the same, and `w`, which the list leaves out.
//!
//! [Unicode TR39]: https://www.unicode.org/reports/tr39/#Confusable_Detection

use super::customer::UserName;

impl UserName {
    /// The same text for all user names that look alike, and only for them.
    #[must_use]
    pub(super) fn look(&self) -> String {
        let mut look = String::with_capacity(self.as_str().len());
        for char in self.as_str().chars() {
            match char.to_ascii_lowercase() {
                '0' => look.push('o'),
                '1' | 'i' => look.push('l'),
                'm' => look.push_str("rn"),
                'w' => look.push_str("vv"),
                other => look.push(other),
            }
        }
        look
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(text: &str) -> String {
        UserName::parse(text).unwrap().look()
    }

    #[test]
    fn case_and_letters_that_look_alike_make_no_difference() {
        for alike in [
            ["ana", "ANA"],
            ["paulo", "pau1o"],
            ["paulo", "PauI0"],
            ["amanda", "arnanda"],
            ["willian", "vviIlian"],
        ] {
            assert_eq!(look(alike[0]), look(alike[1]));
        }
    }

    #[test]
    fn names_that_people_tell_apart_differ() {
        let names =
            ["ana", "anna", "ana_", "ana-", "ana.", "an4", "aha", "user5", "users", "user10"];
        for (place, name) in names.iter().enumerate() {
            assert!(names[..place].iter().all(|other| look(other) != look(name)), "{name}");
        }
    }
}
