//! What customers have begun at this bank and not finished, so that a reload, another page or the
//! end of a session does not lose it. It is this bank's own: in memory only, ends with the process,
//! and decides nothing.

use std::collections::BTreeMap;

use crate::ledger::UserName;

/// The most bytes of all texts; the one that was kept the longest ago gives way.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Whose text it is, and what it is called.
type Name = (UserName, String);

/// Texts by customer and name.
#[derive(Default)]
pub(crate) struct Drafts {
    texts: BTreeMap<Name, (u64, String)>,
    /// The names by the turn at which they were last kept.
    by_age: BTreeMap<u64, Name>,
    turns: u64,
    bytes: usize,
}

impl Drafts {
    /// Keeps a text in place of the one that had this name.
    pub(crate) fn keep(&mut self, user: UserName, name: &str, text: String) {
        let name = (user, name.to_owned());
        self.remove(&name);
        self.turns += 1;
        self.bytes += text.len();
        self.by_age.insert(self.turns, name.clone());
        self.texts.insert(name, (self.turns, text));
        while self.bytes > BYTES_MAX
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.remove(&oldest);
        }
    }

    /// The text of this name.
    pub(crate) fn find(&self, user: &UserName, name: &str) -> Option<&str> {
        self.texts.get(&(user.clone(), name.to_owned())).map(|(_, text)| text.as_str())
    }

    /// Forgets the text of this name.
    pub(crate) fn forget(&mut self, user: UserName, name: &str) {
        self.remove(&(user, name.to_owned()));
    }

    fn remove(&mut self, name: &Name) {
        if let Some((turn, text)) = self.texts.remove(name) {
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
        drafts.keep(user("ana"), "a", "1".into());
        drafts.keep(user("ana"), "a", "2".into());
        drafts.keep(user("ana"), "b", "3".into());
        assert_eq!(drafts.find(&user("ana"), "a"), Some("2"));
        assert_eq!(drafts.find(&user("bia"), "a"), None);
        drafts.forget(user("ana"), "a");
        assert_eq!((drafts.find(&user("ana"), "a"), drafts.bytes), (None, 1));
    }

    #[test]
    fn the_oldest_texts_give_way_when_there_are_too_many() {
        let mut drafts = Drafts::default();
        let third = "x".repeat(BYTES_MAX / 3);
        for name in ["a", "b", "c", "a", "d"] {
            drafts.keep(user("ana"), name, third.clone());
        }
        let kept = ["a", "b", "c", "d"].map(|name| drafts.find(&user("ana"), name).is_some());
        assert_eq!(kept, [true, false, true, true]);
        assert_eq!((drafts.texts.len(), drafts.by_age.len()), (3, 3));
    }
}
