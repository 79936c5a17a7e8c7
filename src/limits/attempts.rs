//! How long somebody has to wait before the next password may be tried: longer after each failure,
//! by user name and by address.
//!
//! A stranger's failures must not lock a customer out: from an address at which the customer has
//! logged in before, only that address's own failures count. Whether there is such a customer makes
//! no difference.

use std::collections::VecDeque;

use super::Origin;
use super::table::Table;
use crate::ledger::UserName;
use crate::protocol::time::Millis;

/// Failures that cost nothing: by user name,
const FREE_OF_USER: u32 = 5;
/// and by address, behind which there may be many.
const FREE_OF_ADDRESS: u32 = 20;
/// How long the first failure makes wait that costs something, in milliseconds; each further one
/// twice as long,
const DELAY_MS_MIN: Millis = 1_000;
/// up to this.
const DELAY_MS_MAX: Millis = 60_000;
/// which is reached after no more doublings than this.
const DOUBLINGS_MAX: u32 = 6;
/// After how long without a failure all of them are forgotten, in milliseconds.
const FORGET_MS: Millis = 15 * 60_000;
/// How many addresses are remembered at which a customer has logged in.
const KNOWN_MAX: usize = 4;
/// How many user names and how many addresses are remembered.
const ENTRIES_MAX: usize = 65_536;

#[derive(Default)]
struct Failures {
    count: u32,
    /// When the next attempt may be made.
    free_at: Millis,
    last: Millis,
}

impl Failures {
    fn settle(&mut self, now: Millis) {
        if now.saturating_sub(self.last) > FORGET_MS {
            *self = Failures::default();
        }
    }

    fn add(&mut self, free: u32, now: Millis) {
        self.count = self.count.saturating_add(1);
        self.last = now;
        if let Some(beyond) = self.count.checked_sub(free + 1) {
            let delay = DELAY_MS_MIN << beyond.min(DOUBLINGS_MAX);
            self.free_at = now + delay.min(DELAY_MS_MAX);
        }
    }
}

#[derive(Default)]
struct OfUser {
    failures: Failures,
    /// Where this customer has logged in.
    known: VecDeque<Origin>,
}

/// The attempts at logging in.
pub(crate) struct Attempts {
    users: Table<UserName, OfUser>,
    addresses: Table<Origin, Failures>,
}

impl Attempts {
    /// No attempts so far.
    #[must_use]
    pub(crate) fn new() -> Self {
        Attempts { users: Table::new(ENTRIES_MAX), addresses: Table::new(ENTRIES_MAX) }
    }

    /// Somebody wants to try a password. It counts as a failure until it has succeeded, so that
    /// many attempts at the same time gain nothing.
    ///
    /// # Errors
    /// How long to wait, in milliseconds.
    pub(crate) fn begin(
        &mut self,
        user: &UserName,
        from: Origin,
        now: Millis,
    ) -> Result<(), Millis> {
        let (address, user) = (self.addresses.of(&from, now), self.users.of(user, now));
        address.settle(now);
        user.failures.settle(now);
        let is_known = user.known.contains(&from);
        let free_at = if is_known { 0 } else { user.failures.free_at };
        let wait_ms = free_at.max(address.free_at).saturating_sub(now);
        if wait_ms > 0 {
            return Err(wait_ms);
        }
        address.add(FREE_OF_ADDRESS, now);
        if !is_known {
            user.failures.add(FREE_OF_USER, now);
        }
        Ok(())
    }

    /// The password was right.
    pub(crate) fn succeed(&mut self, user: &UserName, from: Origin, now: Millis) {
        let of_user = self.users.of(user, now);
        of_user.failures = Failures::default();
        if !of_user.known.contains(&from) {
            of_user.known.push_front(from);
            of_user.known.truncate(KNOWN_MAX);
        }
        // Only this attempt is taken back: who knows one password may be guessing others.
        let address = self.addresses.of(&from, now);
        address.count = address.count.saturating_sub(1);
        if address.count <= FREE_OF_ADDRESS {
            address.free_at = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn address(last: u8) -> Origin {
        Origin::of([192, 0, 2, last].into(), false).unwrap()
    }

    #[test]
    fn each_failure_for_a_user_makes_wait_longer_wherever_it_comes_from() {
        let (mut attempts, ana) = (Attempts::new(), user("ana"));
        let mut now = 0;
        for number in 0..=FREE_OF_USER {
            assert_eq!(attempts.begin(&ana, address(number as u8), now), Ok(()));
        }
        for wait_ms in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
            assert_eq!(attempts.begin(&ana, address(99), now), Err(wait_ms));
            now += wait_ms;
            assert_eq!(attempts.begin(&ana, address(99), now), Ok(()));
        }
        assert_eq!(attempts.begin(&user("bia"), address(98), now), Ok(()));
        now += FORGET_MS + 1;
        for number in 0..=FREE_OF_USER {
            assert_eq!(attempts.begin(&ana, address(100 + number as u8), now), Ok(()));
        }
    }

    #[test]
    fn each_failure_at_an_address_makes_wait_longer_whoever_is_tried() {
        let mut attempts = Attempts::new();
        for number in 0..=FREE_OF_ADDRESS {
            assert_eq!(attempts.begin(&user(&format!("user{number}")), address(1), 0), Ok(()));
        }
        assert_eq!(attempts.begin(&user("another"), address(1), 0), Err(1_000));
        assert_eq!(attempts.begin(&user("another"), address(2), 0), Ok(()));
    }

    #[test]
    fn a_password_of_ones_own_does_not_buy_guesses_at_others() {
        let (mut attempts, own) = (Attempts::new(), user("own"));
        for number in 0..=FREE_OF_ADDRESS {
            attempts.begin(&user(&format!("user{number}")), address(1), 0).unwrap();
        }
        let mut now = 1_000;
        for _ in 0..3 {
            attempts.begin(&own, address(1), now).unwrap();
            attempts.succeed(&own, address(1), now);
            assert!(attempts.begin(&user("victim"), address(1), now).is_err());
            now += DELAY_MS_MAX;
        }
    }

    #[test]
    fn strangers_failures_do_not_lock_a_customer_out_where_they_are_known() {
        let (mut attempts, ana) = (Attempts::new(), user("ana"));
        attempts.begin(&ana, address(1), 0).unwrap();
        attempts.succeed(&ana, address(1), 0);
        for number in 0..=FREE_OF_USER {
            attempts.begin(&ana, address(10 + number as u8), 0).unwrap();
        }
        assert!(attempts.begin(&ana, address(2), 0).is_err());
        assert_eq!(attempts.begin(&ana, address(1), 0), Ok(()));
    }

    #[test]
    fn many_attempts_at_the_same_time_are_no_more_than_one_after_the_other() {
        let (mut attempts, ana) = (Attempts::new(), user("ana"));
        let begun = (0..1_000).filter(|_| attempts.begin(&ana, address(1), 0).is_ok()).count();
        assert_eq!(begun, FREE_OF_USER as usize + 1);
    }
}
