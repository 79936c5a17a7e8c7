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
        }
    }
}

/// What a single address may use: an IPv4 address, or the first half of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AddressLimits {
    /// The most connections at once.
    pub connections: u32,
}

impl Default for AddressLimits {
    fn default() -> Self {
        AddressLimits { connections: 256 }
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
    bounded("address.connections", limits.address.connections.into(), 1, connections_max)
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
