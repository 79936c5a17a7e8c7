//! How much each customer and each address may ask of the bank, and how many Pix keys they may look
//! up.
//!
//! Look-ups are counted as the directory of Pix itself counts them (Bacen, *Manual Operacional do
//! DICT*, on the limits of queries): a key that exists costs little, one that does not costs much,
//! and paying gives something back; so one can pay many people but not search for them.

use std::collections::VecDeque;

use super::bucket::{Bucket, Rate};
use super::table::Table;
use super::{Excess, Origin, Wait};
use crate::config::{AddressLimits, CustomerLimits};
use crate::ledger::UserName;
use crate::protocol::time::Millis;

const MINUTE_MS: Millis = 60_000;
const DAY_MS: Millis = 24 * 60 * MINUTE_MS;
/// What a look-up costs: of a key that exists,
const FOUND: u64 = 1;
/// and of one that does not.
const NOT_FOUND: u64 = 20;
/// How many found keys of a customer are remembered, so that showing them again costs nothing: as
/// many as a package may have.
const KEYS_MAX: usize = 1_000;
/// How many customers and how many addresses are remembered.
const ENTRIES_MAX: usize = 16_384;

/// A Pix key, as far as it has to be recognised.
pub(crate) type KeyDigest = u64;

/// Who asks: an address, and the customer if it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) from: Origin,
    pub(crate) customer: Option<UserName>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) requests: u64,
    /// In the body of a request.
    pub(crate) bytes: u64,
    /// What goes into the common order: operations, openings, registrations.
    pub(crate) operations: u64,
    /// Their size there.
    pub(crate) ordered_bytes: u64,
    /// Registrations among them, which tell whose name or document is taken.
    pub(crate) registrations: u64,
}

#[derive(Default)]
struct OfAddress {
    requests: Bucket,
    bytes: Bucket,
    operations: Bucket,
    registrations: Bucket,
    lookups: Lookups,
}

#[derive(Default)]
struct OfCustomer {
    requests: Bucket,
    bytes: Bucket,
    operations: Bucket,
    ordered_bytes: Bucket,
    lookups: Lookups,
}

#[derive(Default)]
struct Lookups {
    bucket: Bucket,
    is_company: bool,
    /// Keys that were found, the newest last.
    found: VecDeque<KeyDigest>,
}

/// What everybody has used.
pub(crate) struct Shares {
    address: AddressLimits,
    customer: CustomerLimits,
    addresses: Table<Origin, OfAddress>,
    customers: Table<UserName, OfCustomer>,
}

impl Shares {
    /// Nobody has used anything.
    #[must_use]
    pub(crate) fn new(address: AddressLimits, customer: CustomerLimits) -> Self {
        let (addresses, customers) = (Table::new(ENTRIES_MAX), Table::new(ENTRIES_MAX));
        Shares { address, customer, addresses, customers }
    }

    /// Takes what an address asks for, all or nothing.
    ///
    /// # Errors
    /// What there is too little of.
    pub(crate) fn take_of_address(
        &mut self,
        from: Origin,
        cost: Cost,
        now: Millis,
    ) -> Result<(), Wait> {
        take(self.for_address(from, cost, now), now)
    }

    /// Takes what a customer asks for, all or nothing.
    ///
    /// # Errors
    /// What there is too little of.
    pub(crate) fn take_of_customer(
        &mut self,
        customer: &UserName,
        cost: Cost,
        now: Millis,
    ) -> Result<(), Wait> {
        take(self.for_customer(customer, cost, now), now)
    }

    /// Whether there is anything left of what goes into the common order, so that what would be
    /// refused in the end need not be read first. Takes nothing.
    ///
    /// # Errors
    /// When there is not.
    pub(crate) fn may_order(&mut self, asker: &Asker, now: Millis) -> Result<(), Wait> {
        let least = Cost { operations: 1, ordered_bytes: 1, ..Cost::default() };
        if let Some(customer) = &asker.customer {
            check(&self.for_customer(customer, least, now), now)?;
        }
        check(&self.for_address(asker.from, least, now), now)
    }

    /// Whether anybody at an address may still register. Takes nothing.
    ///
    /// # Errors
    /// When nobody may.
    pub(crate) fn may_register(&mut self, from: Origin, now: Millis) -> Result<(), Wait> {
        let least = Cost { operations: 1, registrations: 1, ..Cost::default() };
        check(&self.for_address(from, least, now), now)
    }

    fn for_address(&mut self, from: Origin, cost: Cost, now: Millis) -> [Taking<'_>; 4] {
        let limits = self.address;
        let OfAddress { requests, bytes, operations, registrations, .. } =
            self.addresses.of(&from, now);
        let per_minute = |tokens: u64| Rate::full_in(tokens, MINUTE_MS);
        let per_day = |tokens: u64| Rate::full_in(tokens, DAY_MS);
        let daily = per_day(limits.operations_per_day);
        let newcomers = per_day(limits.registrations_per_day);
        [
            (requests, per_minute(limits.requests_per_minute), cost.requests, Excess::Requests),
            (bytes, per_minute(limits.bytes_per_minute), cost.bytes, Excess::Bytes),
            (operations, daily, cost.operations, Excess::Operations),
            (registrations, newcomers, cost.registrations, Excess::Registrations),
        ]
    }

    fn for_customer(&mut self, customer: &UserName, cost: Cost, now: Millis) -> [Taking<'_>; 4] {
        let limits = self.customer;
        let OfCustomer { requests, bytes, operations, ordered_bytes, .. } =
            self.customers.of(customer, now);
        let per_minute = |tokens: u64| Rate::full_in(tokens, MINUTE_MS);
        let per_day = |tokens: u64| Rate::full_in(tokens, DAY_MS);
        let (daily, daily_bytes) =
            (per_day(limits.operations_per_day), per_day(limits.bytes_per_day));
        [
            (requests, per_minute(limits.requests_per_minute), cost.requests, Excess::Requests),
            (bytes, per_minute(limits.bytes_per_minute), cost.bytes, Excess::Bytes),
            (operations, daily, cost.operations, Excess::Operations),
            (ordered_bytes, daily_bytes, cost.ordered_bytes, Excess::Operations),
        ]
    }

    /// Takes what the look-up of these keys costs if they exist; those that the customer has found
    /// before cost nothing.
    ///
    /// # Errors
    /// When there is too little left.
    pub(crate) fn look_up(
        &mut self,
        asker: &Asker,
        keys: &[KeyDigest],
        now: Millis,
    ) -> Result<(), Wait> {
        let (lookups, rate) = self.lookups(asker, now);
        let unknown = keys.iter().filter(|key| !lookups.found.contains(key)).count();
        let unknown = u64::try_from(unknown).unwrap_or(u64::MAX);
        let all = [(&mut lookups.bucket, rate, unknown.saturating_mul(FOUND), Excess::Lookups)];
        take(all, now)
    }

    /// Whether there is anything left for looking up keys, as paying to one that does not exist
    /// looks it up.
    ///
    /// # Errors
    /// When there is not.
    pub(crate) fn may_pay(&mut self, asker: &Asker, now: Millis) -> Result<(), Wait> {
        let (lookups, rate) = self.lookups(asker, now);
        wait(lookups.bucket.wait_ms(rate, FOUND, now), Excess::Lookups)
    }

    /// What came of looking up keys.
    pub(crate) fn looked_up(&mut self, asker: &Asker, looked_up: &LookedUp, now: Millis) {
        let (lookups, _) = self.lookups(asker, now);
        lookups.is_company |= looked_up.by_company;
        for key in looked_up.found.iter().take(KEYS_MAX) {
            if !lookups.found.contains(key) {
                lookups.found.push_back(*key);
            }
        }
        while lookups.found.len() > KEYS_MAX {
            lookups.found.pop_front();
        }
        let (lookups, rate) = self.lookups(asker, now);
        lookups.bucket.take(rate, looked_up.missing.saturating_mul(NOT_FOUND - FOUND), now);
    }

    /// Payments by Pix have been made.
    pub(crate) fn paid(&mut self, asker: &Asker, payments: u64, now: Millis) {
        let (lookups, rate) = self.lookups(asker, now);
        lookups.bucket.give(rate, payments, now);
    }

    /// A payment to a key that does not exist has looked it up.
    pub(crate) fn paid_to_nobody(&mut self, asker: &Asker, now: Millis) {
        let (lookups, rate) = self.lookups(asker, now);
        lookups.bucket.take(rate, NOT_FOUND, now);
    }

    fn lookups(&mut self, asker: &Asker, now: Millis) -> (&mut Lookups, Rate) {
        let limits = self.customer;
        let lookups = match &asker.customer {
            Some(customer) => &mut self.customers.of(customer, now).lookups,
            None => &mut self.addresses.of(&asker.from, now).lookups,
        };
        let tokens_max = if lookups.is_company { limits.company_lookups } else { limits.lookups };
        let back = limits.lookups_per_minute;
        (lookups, Rate { tokens_max, back, per_ms: MINUTE_MS })
    }
}

/// What came of looking up keys that had been taken for found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LookedUp {
    /// Those that exist.
    pub(crate) found: Vec<KeyDigest>,
    /// How many do not.
    pub(crate) missing: u64,
    /// Whether a company asked.
    pub(crate) by_company: bool,
}

/// A bucket, how it fills, what to take of it, and what it is short of if that is too much.
type Taking<'a> = (&'a mut Bucket, Rate, u64, Excess);

fn check(all: &[Taking<'_>], now: Millis) -> Result<(), Wait> {
    let short = |(bucket, rate, tokens, excess): &Taking<'_>| {
        wait(bucket.wait_ms(*rate, *tokens, now), *excess)
    };
    all.iter().try_for_each(short)
}

fn take<const N: usize>(all: [Taking<'_>; N], now: Millis) -> Result<(), Wait> {
    check(&all, now)?;
    all.into_iter().for_each(|(bucket, rate, tokens, _)| bucket.take(rate, tokens, now));
    Ok(())
}

fn wait(wait_ms: Millis, excess: Excess) -> Result<(), Wait> {
    if wait_ms == 0 { Ok(()) } else { Err(Wait::new(excess, wait_ms)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares() -> Shares {
        Shares::new(AddressLimits::default(), CustomerLimits::default())
    }

    fn asker(name: Option<&str>) -> Asker {
        let from = Origin::of([192, 0, 2, 1].into(), false).unwrap();
        Asker { from, customer: name.map(|name| UserName::parse(name).unwrap()) }
    }

    fn find(shares: &mut Shares, asker: &Asker, key: KeyDigest, exists: bool) -> bool {
        let is_allowed = shares.look_up(asker, &[key], 0).is_ok();
        if is_allowed {
            let (found, missing) = if exists { (vec![key], 0) } else { (Vec::new(), 1) };
            shares.looked_up(asker, &LookedUp { found, missing, by_company: false }, 0);
        }
        is_allowed
    }

    #[test]
    fn keys_that_do_not_exist_cost_twenty_times_as_much_as_those_that_do() {
        let (mut shares, ana) = (shares(), asker(Some("ana")));
        assert_eq!((0..200).filter(|key| find(&mut shares, &ana, *key, false)).count(), 5);
        let bia = asker(Some("bia"));
        assert_eq!((0..200).filter(|key| find(&mut shares, &bia, *key, true)).count(), 100);
        assert!(find(&mut shares, &bia, 7, true), "it was found before");
        let stranger = asker(None);
        assert_eq!((0..200).filter(|key| find(&mut shares, &stranger, *key, true)).count(), 100);
    }

    #[test]
    fn look_ups_come_back_with_time_and_with_payments() {
        let (mut shares, ana) = (shares(), asker(Some("ana")));
        (0..5).for_each(|key| assert!(find(&mut shares, &ana, key, false)));
        let refused = shares.look_up(&ana, &[9], 0);
        assert_eq!(refused, Err(Wait { excess: Excess::Lookups, seconds: 30 }));
        assert_eq!(shares.may_pay(&ana, 0), refused);
        assert_eq!(shares.look_up(&ana, &[9], 30_000), Ok(()));
        assert!(shares.look_up(&ana, &[8], 30_000).is_err());
        shares.paid(&ana, 1, 30_000);
        assert_eq!(shares.look_up(&ana, &[8], 30_000), Ok(()));
    }

    #[test]
    fn a_company_may_look_up_ten_times_as_many() {
        let (mut shares, firm) = (shares(), asker(Some("firm")));
        let by_company = LookedUp { by_company: true, ..LookedUp::default() };
        shares.looked_up(&firm, &by_company, 0);
        assert_eq!((0..2_000).filter(|key| find(&mut shares, &firm, *key, true)).count(), 1_000);
    }

    #[test]
    fn a_customer_has_a_share_of_every_minute_and_of_every_day() {
        let (mut shares, ana) = (shares(), UserName::parse("ana").unwrap());
        let limits = CustomerLimits::default();
        let request = Cost { requests: 1, ..Cost::default() };
        for _ in 0..limits.requests_per_minute {
            assert_eq!(shares.take_of_customer(&ana, request, 0), Ok(()));
        }
        let refused = shares.take_of_customer(&ana, request, 0);
        assert_eq!(refused, Err(Wait { excess: Excess::Requests, seconds: 1 }));
        assert_eq!(shares.take_of_customer(&ana, request, 1_000), Ok(()));
        let package = Cost { operations: 1_000, ..Cost::default() };
        let taken = (0..100).filter(|_| shares.take_of_customer(&ana, package, 0).is_ok());
        assert_eq!(taken.count() as u64, limits.operations_per_day / 1_000);
        let refused = shares.take_of_customer(&ana, package, 0).unwrap_err();
        assert!(refused.excess == Excess::Operations && refused.seconds > 3_600, "{refused:?}");
        let bia = UserName::parse("bia").unwrap();
        assert_eq!(shares.take_of_customer(&bia, package, 0), Ok(()));
    }

    #[test]
    fn who_has_no_operation_left_is_known_before_anything_is_read() {
        let (mut shares, ana) = (shares(), asker(Some("ana")));
        let limits = CustomerLimits::default();
        for _ in 0..2 * limits.operations_per_day {
            assert_eq!(shares.may_order(&ana, 0), Ok(()), "looking takes nothing");
        }
        let all = Cost { operations: limits.operations_per_day, ..Cost::default() };
        shares.take_of_customer(ana.customer.as_ref().unwrap(), all, 0).unwrap();
        let refused = shares.may_order(&ana, 0).unwrap_err();
        assert_eq!(refused.excess, Excess::Operations);
        assert_eq!(shares.may_order(&asker(Some("bia")), 0), Ok(()));
        let from = asker(None).from;
        let newcomer = Cost { operations: 1, registrations: 1, ..Cost::default() };
        for _ in 0..AddressLimits::default().registrations_per_day {
            assert_eq!(shares.may_register(from, 0), Ok(()));
            shares.take_of_address(from, newcomer, 0).unwrap();
        }
        assert_eq!(shares.may_register(from, 0).unwrap_err().excess, Excess::Registrations);
        let left = AddressLimits::default().operations_per_day - 100;
        let all = Cost { operations: left, ..all };
        shares.take_of_address(ana.from, all, 0).unwrap();
        assert!(shares.may_order(&asker(None), 0).is_err(), "an address has a share too");
    }

    #[test]
    fn what_is_refused_costs_nothing() {
        let (mut shares, from) = (shares(), asker(None).from);
        let limits = AddressLimits::default();
        let all = Cost { bytes: limits.bytes_per_minute, ..Cost::default() };
        shares.take_of_address(from, all, 0).unwrap();
        let request = Cost { requests: 1, bytes: 1, ..Cost::default() };
        for _ in 0..2 * limits.requests_per_minute {
            assert!(shares.take_of_address(from, request, 0).is_err());
        }
        let without_a_body = Cost { requests: 1, ..Cost::default() };
        assert_eq!(shares.take_of_address(from, without_a_body, 0), Ok(()));
    }
}
