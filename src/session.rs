//! Who is logged in at this bank. Sessions are this bank's own: they are in memory only and end
//! with the process.
//!
//! Only a digest of each token is kept, so that neither a memory dump nor the timing of a look-up
//! gives a token away. A session ends when it was not used for a while, and at the latest some
//! hours after the login; when its customer ends it, here or from another session; and when the
//! customer's password changes, at any bank.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::hex::Hex;
use crate::ledger::UserName;
use crate::protocol::time::Millis;

/// The most sessions at one bank; the oldest ends when one more begins.
pub(crate) const SESSIONS_MAX: usize = 1_000_000;
/// The most sessions of one customer; the oldest ends when one more begins, so that nobody ends
/// those of others by logging in.
pub(crate) const SESSIONS_OF_ONE_MAX: usize = 32;
/// How many logins are remembered of a customer who has a session.
const LOGINS_KEPT: usize = 5;
/// How many ended sessions may stand in the order of ages whatever the number of open ones.
const ENDED_KEPT: usize = 64;
/// Digits of the name that a session has where its customer sees it.
const NAME_DIGITS: usize = 12;

/// What is kept of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Of a token as its customer sends it.
    #[must_use]
    pub(crate) fn of(token: &str) -> Self {
        TokenDigest(Sha256::digest(token).into())
    }
}

/// How long a session lasts, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// Without being used.
    pub idle_ms: Millis,
    /// After the login.
    pub most_ms: Millis,
}

/// A moment as this bank's own two clocks know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// By the clock that only goes forward.
    pub now: Millis,
    /// In Unix milliseconds, for people.
    pub unix_ms: i64,
}

/// A login, as its customer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Login {
    /// In Unix milliseconds.
    pub at_ms: i64,
    /// The address it came from.
    pub from: String,
}

/// A session as its customer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// What it is called where it is to be ended; not its token, and of no use to anybody else.
    pub name: String,
    pub began: Login,
    /// When it was last used, in Unix milliseconds.
    pub used_ms: i64,
    /// Whether it is the one that asks.
    pub is_this: bool,
}

/// What a customer sees of all this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Overview {
    /// Newest first.
    pub sessions: Vec<Shown>,
    /// The last logins at this bank, newest first.
    pub logins: Vec<Login>,
}

struct Session {
    user: UserName,
    began: Login,
    ends: Millis,
    used: Moment,
}

#[derive(Default)]
struct OfUser {
    /// Oldest first; some may have ended.
    open: VecDeque<TokenDigest>,
    /// Newest first.
    logins: VecDeque<Login>,
}

/// The sessions of one bank.
pub(crate) struct Sessions {
    lifetime: Lifetime,
    open: BTreeMap<TokenDigest, Session>,
    /// In the order in which they began, and so in which they end at the latest; some, but not many
    /// more than half, may have ended.
    by_age: VecDeque<TokenDigest>,
    /// Of customers who have a session.
    users: BTreeMap<UserName, OfUser>,
}

impl Sessions {
    /// No sessions yet.
    #[must_use]
    pub(crate) fn new(lifetime: Lifetime) -> Self {
        let (open, by_age, users) = Default::default();
        Sessions { lifetime, open, by_age, users }
    }

    /// Begins a session; the token must be unguessable.
    pub(crate) fn begin(&mut self, token: &str, user: UserName, from: String, at: Moment) {
        self.end_overdue(at.now);
        self.forget_ended();
        while self.open.len() >= SESSIONS_MAX
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.remove(&oldest);
        }
        let digest = TokenDigest::of(token);
        let began = Login { at_ms: at.unix_ms, from };
        let of_user = self.users.entry(user.clone()).or_default();
        of_user.logins.push_front(began.clone());
        of_user.logins.truncate(LOGINS_KEPT);
        of_user.open.push_back(digest);
        let ends = at.now + self.lifetime.most_ms;
        self.open.insert(digest, Session { user: user.clone(), began, ends, used: at });
        self.by_age.push_back(digest);
        let one_more =
            (self.users[&user].open.len() > SESSIONS_OF_ONE_MAX).then(|| self.users[&user].open[0]);
        if let Some(oldest) = one_more {
            self.remove(&oldest);
        }
    }

    /// The user whose session it is, if there is such a session; it counts as used.
    #[must_use]
    pub(crate) fn user(&mut self, token: TokenDigest, at: Moment) -> Option<UserName> {
        let session = self.open.get_mut(&token)?;
        if is_over(session, self.lifetime, at.now) {
            self.remove(&token);
            return None;
        }
        session.used = at;
        Some(session.user.clone())
    }

    /// Whether there is such a session; it does not count as used.
    #[must_use]
    pub(crate) fn is_open(&self, token: TokenDigest, at: Moment) -> bool {
        let session = self.open.get(&token);
        session.is_some_and(|session| !is_over(session, self.lifetime, at.now))
    }

    /// Ends a session; returns whose it was.
    pub(crate) fn end(&mut self, token: &str) -> Option<UserName> {
        self.remove(&TokenDigest::of(token))
    }

    /// Ends the customer's session of this name; returns whether there was one.
    pub(crate) fn end_named(&mut self, user: &UserName, name: &str) -> bool {
        let of_user = self.users.get(user);
        let found = of_user.and_then(|of| of.open.iter().find(|digest| named(digest) == name));
        let found = found.copied();
        found.is_some_and(|digest| self.remove(&digest).is_some())
    }

    /// Ends all of a customer's sessions; returns how many there were.
    pub(crate) fn end_all_of(&mut self, user: &UserName) -> usize {
        let Some(of_user) = self.users.remove(user) else { return 0 };
        of_user.open.iter().filter(|digest| self.open.remove(*digest).is_some()).count()
    }

    /// Ends all sessions.
    pub(crate) fn end_all(&mut self) {
        *self = Sessions::new(self.lifetime);
    }

    /// What a customer sees, asking with this token.
    #[must_use]
    pub(crate) fn overview(&self, user: &UserName, token: &str, now: Millis) -> Overview {
        let Some(of_user) = self.users.get(user) else { return Overview::default() };
        let this = TokenDigest::of(token);
        let shown = of_user.open.iter().rev().filter_map(|digest| {
            let session = self.open.get(digest)?;
            (!is_over(session, self.lifetime, now)).then(|| Shown {
                name: named(digest),
                began: session.began.clone(),
                used_ms: session.used.unix_ms,
                is_this: *digest == this,
            })
        });
        Overview { sessions: shown.collect(), logins: of_user.logins.iter().cloned().collect() }
    }

    fn remove(&mut self, digest: &TokenDigest) -> Option<UserName> {
        let Session { user, .. } = self.open.remove(digest)?;
        if let Some(of_user) = self.users.get_mut(&user) {
            of_user.open.retain(|other| other != digest);
            if of_user.open.is_empty() {
                self.users.remove(&user);
            }
        }
        Some(user)
    }

    /// Takes those that have ended out of the order of ages once they are more than half of it:
    /// whoever logs in and out again and again takes no memory, and ends nobody else's session.
    fn forget_ended(&mut self) {
        if self.by_age.len() > 2 * self.open.len() + ENDED_KEPT {
            self.by_age.retain(|digest| self.open.contains_key(digest));
        }
    }

    fn end_overdue(&mut self, now: Millis) {
        while let Some(oldest) = self.by_age.front().copied() {
            match self.open.get(&oldest) {
                Some(session) if now < session.ends => break,
                _ => self.remove(&oldest),
            };
            self.by_age.pop_front();
        }
    }
}

fn is_over(session: &Session, lifetime: Lifetime, now: Millis) -> bool {
    now >= session.ends || now.saturating_sub(session.used.now) >= lifetime.idle_ms
}

/// The name of a session: a digest of what is kept, so that it says nothing about the token.
fn named(digest: &TokenDigest) -> String {
    let twice: [u8; 32] = Sha256::digest(digest.0).into();
    Hex(&twice).to_string().chars().take(NAME_DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Lifetime = Lifetime { idle_ms: 100, most_ms: 250 };

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn at(now: Millis) -> Moment {
        Moment { now, unix_ms: 1_000_000 + now as i64 }
    }

    fn sessions() -> Sessions {
        let mut sessions = Sessions::new(LIFETIME);
        sessions.begin("t1", user("ana"), "192.0.2.1".into(), at(0));
        sessions.begin("t2", user("bia"), "192.0.2.2".into(), at(10));
        sessions
    }

    #[test]
    fn a_session_lasts_until_it_is_ended_or_too_old() {
        let mut sessions = sessions();
        assert_eq!(sessions.user(TokenDigest::of("t1"), at(5)), Some(user("ana")));
        assert_eq!(sessions.user(TokenDigest::of("t3"), at(5)), None);
        assert!(sessions.end("t1").is_some() && sessions.end("t1").is_none());
        assert_eq!(sessions.user(TokenDigest::of("t1"), at(5)), None);
        for now in [100, 180, 259] {
            assert_eq!(
                sessions.user(TokenDigest::of("t2"), at(now)),
                Some(user("bia")),
                "it is used"
            );
        }
        assert_eq!(sessions.user(TokenDigest::of("t2"), at(260)), None, "however often it is used");
    }

    #[test]
    fn a_session_that_is_not_used_ends_earlier() {
        let mut sessions = sessions();
        assert_eq!(sessions.user(TokenDigest::of("t1"), at(99)), Some(user("ana")));
        assert_eq!(sessions.user(TokenDigest::of("t1"), at(198)), Some(user("ana")));
        assert_eq!(sessions.user(TokenDigest::of("t2"), at(110)), None);
        assert_eq!(sessions.user(TokenDigest::of("t2"), at(110)), None);
    }

    #[test]
    fn overdue_sessions_leave_no_trace() {
        let mut sessions = sessions();
        sessions.begin("t3", user("bia"), String::new(), at(LIFETIME.most_ms + 10));
        let Sessions { open, by_age, users, .. } = &sessions;
        assert_eq!((open.len(), by_age.len(), users.len()), (1, 1, 1));
    }

    #[test]
    fn who_logs_in_and_out_again_and_again_takes_no_memory() {
        let mut sessions = sessions();
        for index in 0..10_000 {
            sessions.begin(&index.to_string(), user("bia"), String::new(), at(20));
            assert!(sessions.end(&index.to_string()).is_some());
            assert!(sessions.by_age.len() <= 2 * sessions.open.len() + ENDED_KEPT + 1);
        }
        assert_eq!(sessions.user(TokenDigest::of("t1"), at(21)), Some(user("ana")));
        // They still end in the order of their ages.
        sessions.begin("t3", user("bia"), String::new(), at(LIFETIME.most_ms + 10));
        assert_eq!((sessions.open.len(), sessions.users.len()), (1, 1));
    }

    #[test]
    fn a_customer_sees_all_sessions_and_the_last_logins_and_ends_any_of_them() {
        let mut sessions = sessions();
        sessions.begin("t3", user("ana"), "192.0.2.3".into(), at(20));
        assert!(sessions.user(TokenDigest::of("t1"), at(30)).is_some());
        let seen = sessions.overview(&user("ana"), "t1", 40);
        let froms: Vec<_> = seen.sessions.iter().map(|shown| shown.began.from.as_str()).collect();
        assert_eq!(froms, ["192.0.2.3", "192.0.2.1"]);
        assert_eq!(seen.sessions.iter().map(|it| it.is_this).collect::<Vec<_>>(), [false, true]);
        assert_eq!(seen.sessions[1].used_ms, 1_000_030);
        assert_eq!(seen.logins.len(), 2);
        let other = seen.sessions[0].name.clone();
        assert!(!sessions.end_named(&user("bia"), &other), "not somebody else's");
        assert!(sessions.end_named(&user("ana"), &other));
        assert!(
            sessions.user(TokenDigest::of("t3"), at(41)).is_none()
                && sessions.user(TokenDigest::of("t1"), at(41)).is_some()
        );
        assert_eq!(sessions.end_all_of(&user("ana")), 1);
        assert!(
            sessions.user(TokenDigest::of("t1"), at(42)).is_none()
                && sessions.user(TokenDigest::of("t2"), at(42)).is_some()
        );
        sessions.end_all();
        assert!(sessions.user(TokenDigest::of("t2"), at(43)).is_none());
    }

    #[test]
    fn a_customer_who_logs_in_often_ends_only_their_own_oldest_session() {
        let mut sessions = sessions();
        for index in 0..SESSIONS_OF_ONE_MAX {
            sessions.begin(&format!("a{index}"), user("ana"), String::new(), at(20));
        }
        assert!(
            sessions.user(TokenDigest::of("t1"), at(21)).is_none()
                && sessions.user(TokenDigest::of("t2"), at(21)).is_some()
        );
        assert!(sessions.user(TokenDigest::of("a0"), at(21)).is_some());
        assert_eq!(sessions.overview(&user("ana"), "", 22).logins.len(), LOGINS_KEPT);
    }
}
