//! What customers have begun at this bank and not finished, so that a reload, another page or the
//! end of a session does not lose it. It is this bank's own: in memory only, ends with the process,
//! and decides nothing.

use std::collections::BTreeMap;

use crate::ledger::UserName;
use crate::protocol::time::Millis;

/// The most bytes of all texts; the one that was kept the longest ago gives way.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long a text is kept, in milliseconds: shorter than the ledger remembers a package's key, so
/// that a package of unknown outcome is never offered to be sent again once that would execute it
/// twice.
const KEPT_MS: Millis = 20 * 60 * 60 * 1_000;

/// Whose text it is, and what it is called.
type Name = (UserName, String);

struct Kept {
    turn: u64,
    since: Millis,
    text: String,
}

/// Texts by customer and name.
#[derive(Default)]
pub(crate) struct Drafts {
    texts: BTreeMap<Name, Kept>,
    /// The names by the turn at which they were last kept.
    by_age: BTreeMap<u64, Name>,
    turns: u64,
    bytes: usize,
}

impl Drafts {
    /// Keeps a text in place of the one that had this name; the same text grows no younger.
    pub(crate) fn keep(&mut self, user: UserName, name: &str, text: String, now: Millis) {
        let name = (user, name.to_owned());
        if self.texts.get(&name).is_some_and(|kept| kept.text == text) {
            return;
        }
        self.remove(&name);
        self.turns += 1;
        self.bytes += text.len();
        self.by_age.insert(self.turns, name.clone());
        self.texts.insert(name, Kept { turn: self.turns, since: now, text });
        while self.bytes > BYTES_MAX
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.remove(&oldest);
        }
    }

    /// The text of this name.
    pub(crate) fn find(&self, user: &UserName, name: &str, now: Millis) -> Option<&str> {
        let kept = self.texts.get(&(user.clone(), name.to_owned()));
        kept.filter(|kept| now < kept.since + KEPT_MS).map(|kept| kept.text.as_str())
    }

    /// Forgets the text of this name.
    pub(crate) fn forget(&mut self, user: UserName, name: &str) {
        self.remove(&(user, name.to_owned()));
    }

    fn remove(&mut self, name: &Name) {
        if let Some(Kept { turn, text, .. }) = self.texts.remove(name) {
            self.by_age.remove(&turn);
            self.bytes -= text.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    #[test]
    fn a_text_belongs_to_its_customer_until_it_is_replaced_or_forgotten() {
        let mut drafts = Drafts::default();
        drafts.keep(user("ana"), "a", "1".into(), 0);
        drafts.keep(user("ana"), "a", "2".into(), 0);
        drafts.keep(user("ana"), "b", "3".into(), 0);
        assert_eq!(drafts.find(&user("ana"), "a", 1), Some("2"));
        assert_eq!(drafts.find(&user("bia"), "a", 1), None);
        drafts.forget(user("ana"), "a");
        assert_eq!((drafts.find(&user("ana"), "a", 1), drafts.bytes), (None, 1));
    }

    #[test]
    fn a_text_is_forgotten_before_the_ledger_forgets_the_key_in_it() {
        const { assert!(KEPT_MS < 24 * 60 * 60 * 1_000, "the ledger remembers keys for 24 hours") };
        let mut drafts = Drafts::default();
        drafts.keep(user("ana"), "a", "1".into(), 0);
        // Looking at it, and keeping it as it is, makes it no younger.
        drafts.keep(user("ana"), "a", "1".into(), KEPT_MS - 1);
        assert_eq!(drafts.find(&user("ana"), "a", KEPT_MS - 1), Some("1"));
        assert_eq!(drafts.find(&user("ana"), "a", KEPT_MS), None);
    }

    #[test]
    fn the_oldest_texts_give_way_when_there_are_too_many() {
        let mut drafts = Drafts::default();
        let third = "x".repeat(BYTES_MAX / 3);
        for (turn, name) in ["a", "b", "c", "a", "d"].into_iter().enumerate() {
            drafts.keep(user("ana"), name, format!("{turn}{}", &third[1..]), 0);
        }
        let kept = ["a", "b", "c", "d"].map(|name| drafts.find(&user("ana"), name, 1).is_some());
        assert_eq!(kept, [true, false, true, true]);
        assert_eq!((drafts.texts.len(), drafts.by_age.len()), (3, 3));
    }
}
