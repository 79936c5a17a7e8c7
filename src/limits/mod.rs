//! How much of a bank each of its customers gets, so that one of them takes nothing from the
//! others. No I/O, no clock: time is fed in.
//!
//! Whoever comes from this machine itself has no [`Origin`] and is not limited, unless `nodes.json`
//! wants it.

pub(crate) mod attempts;
pub(crate) mod bodies;
pub(crate) mod bucket;
pub(crate) mod shares;
mod table;
pub(crate) mod turns;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::protocol::time::Millis;

/// Where a request comes from, if that is limited: an IPv4 address, or the first half of an IPv6
/// address, which is what its owner was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin(IpAddr);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Origin {
    /// The origin of whoever has this address.
    #[must_use]
    pub(crate) fn of(address: IpAddr, limits_loopback: bool) -> Option<Origin> {
        let address = address.to_canonical();
        let is_limited = limits_loopback || !address.is_loopback();
        is_limited.then(|| match address {
            IpAddr::V6(address) => {
                let first_half = Ipv6Addr::from_bits(u128::from(u64::MAX) << 64);
                Origin(IpAddr::from(address & first_half))
            }
            address => Origin(address),
        })
    }
}

/// What somebody has asked too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Excess {
    /// Requests.
    Requests,
    /// Bytes in requests.
    Bytes,
    /// What goes into the common order.
    Operations,
    /// Registrations.
    Registrations,
    /// Look-ups of Pix keys.
    Lookups,
    /// Passwords.
    Attempts,
}

impl Excess {
    /// What the log calls it.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Excess::Requests => "requests",
            Excess::Bytes => "bytes",
            Excess::Operations => "operations",
            Excess::Registrations => "registrations",
            Excess::Lookups => "lookups",
            Excess::Attempts => "attempts",
        }
    }
}

/// Somebody has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) excess: Excess,
    /// For how long; at least one.
    pub(crate) seconds: u64,
}

impl Wait {
    #[must_use]
    pub(crate) fn new(excess: Excess, wait_ms: Millis) -> Self {
        Wait { excess, seconds: wait_ms.div_ceil(1_000).max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(address: &str) -> Option<Origin> {
        Origin::of(address.parse().unwrap(), false)
    }

    #[test]
    fn the_machines_own_programs_have_no_origin_unless_they_are_limited_too() {
        for own in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(origin(own), None, "{own}");
            assert!(Origin::of(own.parse().unwrap(), true).is_some(), "{own}");
        }
    }

    #[test]
    fn addresses_of_one_owner_are_one_origin() {
        assert_eq!(origin("2001:db8::1"), origin("2001:db8::ffff:0:0:2"));
        assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
        assert_ne!(origin("192.0.2.1"), origin("192.0.2.2"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
    }
}
