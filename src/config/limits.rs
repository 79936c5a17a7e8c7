//! `limits` of `nodes.json`: how much of this machine its customers may use. Each bank has its own,
//! as each has its own machine.

use serde::Deserialize;

use super::{ConfigError, refused};

/// The most connections that customers have at once unless `limits.connections` says otherwise.
pub(crate) const CONNECTIONS_DEFAULT: u32 = 8_192;
/// The most that may be asked for.
pub(crate) const CONNECTIONS_MAX: u32 = 1_000_000;
/// Memory for bodies, in bytes: unless `limits.body_bytes` says otherwise, and the least.
pub(crate) const BODY_BYTES_DEFAULT: u64 = 64 * 1_024 * 1_024;
pub(crate) const BODY_BYTES_MIN: u64 = 4 * 1_024 * 1_024;
/// The most that may be allowed of anything in a minute or a day: so much that it is no limit.
const COUNT_MAX: u64 = 1_000_000_000_000;
/// The least that must be allowed: the largest request,
const REQUEST_BYTES: u64 = 256 * 1_024;
/// and the largest package.
const PACKAGE: u64 = 1_000;
/// The most threads of a kind that may be asked for.
pub(crate) const THREADS_MAX: u16 = 512;

/// What a bank's customers may use of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Whether what is limited by address or customer is so for this machine's own programs too;
    /// tours and benchmarks run there.
    pub loopback: bool,
    /// The most connections of customers at once; fewer where the system does not grant as many
    /// file descriptors.
    pub connections: u32,
    /// The most memory for the bodies of customers' requests, in bytes.
    pub body_bytes: u64,
    /// Threads that serve customers; 0 for half as many as cores.
    pub http_threads: u16,
    /// Threads that hash passwords; 0 for half as many as cores, and at least two.
    pub password_threads: u16,
    /// What a single address may use.
    pub address: AddressLimits,
    /// What a single customer may use.
    pub customer: CustomerLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            loopback: false,
            connections: CONNECTIONS_DEFAULT,
            body_bytes: BODY_BYTES_DEFAULT,
            http_threads: 0,
            password_threads: 0,
            address: AddressLimits::default(),
            customer: CustomerLimits::default(),
        }
    }
}

/// What a single address may use: an IPv4 address, or the first half of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AddressLimits {
    /// The most connections at once.
    pub connections: u32,
    /// The most streams of the consortium page at once.
    pub streams: u32,
    /// Requests.
    pub requests_per_minute: u64,
    /// Bytes in the bodies of requests.
    pub bytes_per_minute: u64,
    /// What goes into the common order: operations, openings, registrations.
    pub operations_per_day: u64,
    /// Registrations among them: each tells whether a user name or a document is taken.
    pub registrations_per_day: u64,
}

impl Default for AddressLimits {
    fn default() -> Self {
        AddressLimits {
            connections: 256,
            streams: 8,
            requests_per_minute: 6_000,
            bytes_per_minute: 64 * 1_024 * 1_024,
            operations_per_day: 100_000,
            registrations_per_day: 100,
        }
    }
}

/// What a single customer may use. Look-ups are of Pix keys; those without a session have an
/// address's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CustomerLimits {
    /// Requests.
    pub requests_per_minute: u64,
    /// Bytes in the bodies of requests.
    pub bytes_per_minute: u64,
    /// What goes into the common order.
    pub operations_per_day: u64,
    /// Its size there.
    pub bytes_per_day: u64,
    /// Accounts that a customer may come to hold at all banks together; those that were closed
    /// count.
    pub accounts: u64,
    /// Keys that a person may look up, of those that exist; one that does not costs twenty.
    pub lookups: u64,
    /// The same for a company.
    pub company_lookups: u64,
    /// How many of them come back in a minute.
    pub lookups_per_minute: u64,
}

impl Default for CustomerLimits {
    fn default() -> Self {
        CustomerLimits {
            requests_per_minute: 1_200,
            bytes_per_minute: 8 * 1_024 * 1_024,
            operations_per_day: 10_000,
            bytes_per_day: 16 * 1_024 * 1_024,
            accounts: 100,
            lookups: 100,
            company_lookups: 1_000,
            lookups_per_minute: 2,
        }
    }
}

pub(super) fn check(limits: &Limits) -> Result<(), ConfigError> {
    let bounded = |field: &str, value: u64, least: u64, most: u64| {
        let why = || format!("must be {least} to {most}, not {value}");
        let fits = (least..=most).contains(&value);
        if fits { Ok(()) } else { Err(refused(format!("limits.{field}"), why())) }
    };
    let (connections_max, threads_max) = (CONNECTIONS_MAX.into(), THREADS_MAX.into());
    bounded("connections", limits.connections.into(), 1, connections_max)?;
    bounded("body_bytes", limits.body_bytes, BODY_BYTES_MIN, u64::MAX)?;
    bounded("http_threads", limits.http_threads.into(), 0, threads_max)?;
    bounded("password_threads", limits.password_threads.into(), 0, threads_max)?;
    let AddressLimits {
        connections,
        streams,
        requests_per_minute,
        bytes_per_minute,
        operations_per_day,
        registrations_per_day,
    } = limits.address;
    bounded("address.connections", connections.into(), 1, connections_max)?;
    bounded("address.streams", streams.into(), 1, connections_max)?;
    bounded("address.requests_per_minute", requests_per_minute, 1, COUNT_MAX)?;
    bounded("address.bytes_per_minute", bytes_per_minute, REQUEST_BYTES, COUNT_MAX)?;
    bounded("address.operations_per_day", operations_per_day, PACKAGE, COUNT_MAX)?;
    bounded("address.registrations_per_day", registrations_per_day, 1, COUNT_MAX)?;
    let CustomerLimits {
        requests_per_minute,
        bytes_per_minute,
        operations_per_day,
        bytes_per_day,
        accounts,
        lookups,
        company_lookups,
        lookups_per_minute,
    } = limits.customer;
    bounded("customer.requests_per_minute", requests_per_minute, 1, COUNT_MAX)?;
    bounded("customer.bytes_per_minute", bytes_per_minute, REQUEST_BYTES, COUNT_MAX)?;
    bounded("customer.operations_per_day", operations_per_day, PACKAGE, COUNT_MAX)?;
    bounded("customer.bytes_per_day", bytes_per_day, REQUEST_BYTES, COUNT_MAX)?;
    bounded("customer.accounts", accounts, 1, COUNT_MAX)?;
    bounded("customer.lookups", lookups, 1, COUNT_MAX)?;
    bounded("customer.company_lookups", company_lookups, 1, COUNT_MAX)?;
    bounded("customer.lookups_per_minute", lookups_per_minute, 1, COUNT_MAX)
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn said(limits: &str) -> String {
        let text = format!(r#"{{"nodes":[{{"host":"a"}}],"limits":{limits}}}"#);
        Config::parse(&text).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn a_limit_out_of_bounds_is_refused_with_its_place() {
        assert_eq!(said(r#"{"connections":0}"#), "limits.connections: must be 1 to 1000000, not 0");
        assert_eq!(
            said(r#"{"http_threads":513}"#),
            "limits.http_threads: must be 0 to 512, not 513"
        );
        assert_eq!(
            said(r#"{"address":{"connections":0}}"#),
            "limits.address.connections: must be 1 to 1000000, not 0"
        );
        assert!(said(r#"{"address":{"connects":1}}"#).contains("unknown field `connects`"));
        assert_eq!(said(r#"{"loopback":true,"connections":1,"password_threads":1}"#), "");
    }
}
