//! Who is logged in at this bank. Sessions are this bank's own: they are in memory only and end
//! with the process.
//!
//! Only a digest of each token is kept, so that neither a memory dump nor the timing of a look-up
//! gives a token away.

use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest, Sha256};

use crate::ledger::UserName;
use crate::protocol::time::Millis;

/// How long a login lasts, in milliseconds.
pub(crate) const SESSION_MS: Millis = 8 * 60 * 60 * 1_000;
/// The most sessions at one bank; the oldest ends when one more begins.
pub(crate) const SESSIONS_MAX: usize = 1_000_000;

type TokenDigest = [u8; 32];

/// The sessions of one bank.
#[derive(Default)]
pub(crate) struct Sessions {
    open: BTreeMap<TokenDigest, (UserName, Millis)>,
    /// In the order in which they began, and so in which they end.
    by_age: VecDeque<TokenDigest>,
}

impl Sessions {
    /// Begins a session; the token must be unguessable.
    pub(crate) fn begin(&mut self, token: &str, user: UserName, now: Millis) {
        self.end_overdue(now);
        if self.by_age.len() >= SESSIONS_MAX
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.open.remove(&oldest);
        }
        let digest = digest(token);
        self.open.insert(digest, (user, now + SESSION_MS));
        self.by_age.push_back(digest);
    }

    /// The user whose session it is, if there is such a session.
    #[must_use]
    pub(crate) fn user(&self, token: &str, now: Millis) -> Option<UserName> {
        let (user, ends) = self.open.get(&digest(token))?;
        (now < *ends).then(|| user.clone())
    }

    /// Ends a session; returns whether there was one.
    pub(crate) fn end(&mut self, token: &str) -> bool {
        self.open.remove(&digest(token)).is_some()
    }

    fn end_overdue(&mut self, now: Millis) {
        while let Some(oldest) = self.by_age.front() {
            match self.open.get(oldest) {
                Some((_, ends)) if now < *ends => break,
                _ => self.open.remove(oldest),
            };
            self.by_age.pop_front();
        }
    }
}

fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    #[test]
    fn a_session_lasts_until_it_is_ended_or_too_old() {
        let mut sessions = Sessions::default();
        sessions.begin("t1", user("ana"), 0);
        sessions.begin("t2", user("bia"), 10);
        assert_eq!(sessions.user("t1", 5), Some(user("ana")));
        assert_eq!(sessions.user("t3", 5), None);
        assert!(sessions.end("t1") && !sessions.end("t1"));
        assert_eq!(sessions.user("t1", 5), None);
        assert_eq!(sessions.user("t2", 9 + SESSION_MS), Some(user("bia")));
        assert_eq!(sessions.user("t2", 10 + SESSION_MS), None);
    }

    #[test]
    fn overdue_sessions_leave_no_trace() {
        let mut sessions = Sessions::default();
        sessions.begin("t1", user("ana"), 0);
        sessions.begin("t2", user("bia"), SESSION_MS);
        assert_eq!((sessions.open.len(), sessions.by_age.len()), (1, 1));
    }
}
