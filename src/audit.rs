//! Who did what at this bank, for its log: one line each, with fields that a program can read. A
//! flood of one kind is cut short and counted, and hides no other kind.
//!
//! Here are user names and addresses, and nothing else about customers: no balances, documents or
//! passwords. A user name is told only where there is such a customer: what does not exist may be
//! a password that was typed into the wrong field.

use std::collections::BTreeMap;
use std::fmt;

use crate::ledger::UserName;
use crate::limits::Excess;
use crate::limits::bucket::{Bucket, Rate};
use crate::protocol::time::Millis;

/// How many lines of one kind there may be: two hundred at once, and twenty a second.
const RATE: Rate = Rate { tokens_max: 200, back: 20, per_ms: 1_000 };

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A session has begun.
    Login,
    /// A password was wrong, or there is no such customer.
    LoginRefused,
    /// A customer has ended sessions.
    Logout,
    /// There is a new customer.
    Registered,
    /// A customer has another password.
    PasswordChanged,
    /// Somebody has used up a share.
    Limit(Excess),
    /// Somebody who asks as a bank is none.
    PeerRefused,
}

impl Event {
    /// Whether somebody should look into it.
    #[must_use]
    pub(crate) fn is_warning(self) -> bool {
        match self {
            Event::LoginRefused | Event::Limit(_) | Event::PeerRefused => true,
            Event::Login | Event::Logout | Event::Registered | Event::PasswordChanged => false,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Login => f.write_str("event=login"),
            Event::LoginRefused => f.write_str("event=login_refused"),
            Event::Logout => f.write_str("event=logout"),
            Event::Registered => f.write_str("event=registered"),
            Event::PasswordChanged => f.write_str("event=password_changed"),
            Event::Limit(excess) => write!(f, "event=limit what={}", excess.as_str()),
            Event::PeerRefused => f.write_str("event=peer_refused"),
        }
    }
}

/// Who it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Actor {
    /// The customer, if there is one.
    pub user: Option<UserName>,
    /// The address, if it is known.
    pub from: Option<String>,
}

/// What may be written, and what was not.
#[derive(Debug, Default)]
pub(crate) struct AuditLog {
    kinds: BTreeMap<Event, (Bucket, u64)>,
}

impl AuditLog {
    /// The line about an event, unless there are too many of its kind.
    pub(crate) fn line(&mut self, event: Event, actor: &Actor, now: Millis) -> Option<String> {
        let (bucket, dropped) = self.kinds.entry(event).or_default();
        if bucket.wait_ms(RATE, 1, now) > 0 {
            *dropped += 1;
            return None;
        }
        bucket.take(RATE, 1, now);
        let mut line = format!("audit {event}");
        if let Some(user) = &actor.user {
            line += &format!(" user={user}");
        }
        if let Some(from) = &actor.from {
            line += &format!(" from={from}");
        }
        let dropped = std::mem::take(dropped);
        if dropped > 0 {
            line += &format!(" dropped={dropped}");
        }
        Some(line)
    }

    /// What was dropped since the last line of its kind, if nothing has come since.
    pub(crate) fn dropped(&mut self, now: Millis) -> Vec<(Event, String)> {
        let quiet = |(event, (bucket, dropped)): (&Event, &mut (Bucket, u64))| {
            if *dropped == 0 || bucket.wait_ms(RATE, 1, now) > 0 {
                return None;
            }
            Some((*event, format!("audit {event} dropped={}", std::mem::take(dropped))))
        };
        self.kinds.iter_mut().filter_map(quiet).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ana() -> Actor {
        let user = Some(UserName::parse("ana").unwrap());
        Actor { user, from: Some("192.0.2.7".into()) }
    }

    #[test]
    fn a_line_has_fields_for_programs() {
        let mut log = AuditLog::default();
        assert_eq!(
            log.line(Event::Login, &ana(), 0).as_deref(),
            Some("audit event=login user=ana from=192.0.2.7")
        );
        let nobody = Actor::default();
        assert_eq!(
            log.line(Event::Limit(Excess::Lookups), &nobody, 0).as_deref(),
            Some("audit event=limit what=lookups")
        );
    }

    #[test]
    fn a_flood_is_cut_short_and_counted_and_hides_nothing_else() {
        let mut log = AuditLog::default();
        let written =
            (0..1_000).filter(|_| log.line(Event::LoginRefused, &ana(), 0).is_some()).count();
        assert_eq!(written, 200);
        assert!(log.line(Event::Login, &ana(), 0).is_some());
        assert_eq!(log.dropped(0), []);
        let later = log.line(Event::LoginRefused, &ana(), 100).unwrap();
        assert!(later.ends_with(" dropped=800"), "{later}");
        assert!(log.line(Event::LoginRefused, &ana(), 100).is_some());
        assert!(log.line(Event::LoginRefused, &ana(), 100).is_none());
        let said = "audit event=login_refused dropped=1".to_owned();
        assert_eq!(log.dropped(10_000), [(Event::LoginRefused, said)]);
        assert_eq!(log.dropped(20_000), [], "once");
    }
}
