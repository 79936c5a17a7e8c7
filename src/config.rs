//! `nodes.json`: which banks there are, how patient they are with one another, and what customers
//! must show.
//!
//! Text goes in, a validated [`Config`] comes out; what is missing gets a default from here, and
//! what is wrong is refused with its place in the file. What only a single node needs (its number,
//! its folder, the secret) is not in this file: all banks of a consortium read the same file, and
//! refuse a bank whose [`Settings`] differ.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::limits::{AddressLimits, CustomerLimits, Limits};
pub use self::settings::Settings;
use crate::civil::{ZONE_DEFAULT, Zone};
use crate::ids::BANKS_MAX;
use crate::ledger::Amount;

mod limits;
mod settings;
#[cfg(test)]
mod tests;

/// TCP port for customers and peers, unless the entry says otherwise.
pub(crate) const PORT_DEFAULT: u16 = 3050;
/// TCP port for heartbeats, unless the entry says otherwise.
pub(crate) const HEARTBEAT_PORT_DEFAULT: u16 = 2050;
/// How often a peer is asked for a sign of life, in milliseconds.
pub(crate) const HEARTBEAT_INTERVAL_DEFAULT_MS: u64 = 1_000;
/// Silence after which a peer counts as failed, in milliseconds.
pub(crate) const FAILURE_AFTER_DEFAULT_MS: u64 = 5_000;
/// How long a failed peer must answer before it counts as back, in milliseconds.
pub(crate) const REJOIN_AFTER_DEFAULT_MS: u64 = 5_000;
/// For how long a member alone may keep the others waiting before it is counted against it, in
/// milliseconds.
pub(crate) const SLOW_AFTER_DEFAULT_MS: u64 = 500;
/// Shortest heartbeat interval, in milliseconds: below it the pings themselves are a load.
pub(crate) const HEARTBEAT_INTERVAL_MIN_MS: u64 = 10;
/// Upper bound of the heartbeat's times, in milliseconds: one hour.
pub(crate) const HEARTBEAT_TIME_MAX_MS: u64 = 3_600_000;
/// The fewest positions to which a journal may be limited: each time it is full, the whole ledger
/// is written out.
pub(crate) const JOURNAL_POSITIONS_MIN: u64 = 1_000;
/// After how many positions a bank makes a snapshot for its next start: executing them takes a
/// second.
const SNAPSHOT_EVERY_DEFAULT: u64 = 250_000;
/// Longest host, in characters, as for names in the domain name system.
pub(crate) const HOST_CHARS_MAX: usize = 253;
/// Longest name of a bank, in characters.
pub(crate) const BANK_NAME_CHARS_MAX: usize = 100;
/// The largest amount of one operation unless the file says otherwise, in whole reais: more than
/// has ever been paid in Brazil at once.
pub(crate) const OPERATION_MAX_DEFAULT: u64 = 100_000_000_000;
/// The largest amount that `operation_max` may allow, in whole reais: what an [`Amount`] can hold.
pub(crate) const OPERATION_MAX_MAX: u64 = i64::MAX as u64 / 100;
/// The longest that a login may last, in minutes: a month.
pub(crate) const SESSION_MINUTES_MAX: u32 = 31 * 24 * 60;
/// Largest `nodes.json`, in bytes; the largest consortium needs a tenth of it.
pub(crate) const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// A consortium, as `nodes.json` describes it. [`Config::parse`] checks what must hold for every
/// value of this type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The banks; a bank's number is its index. 1 to [`BANKS_MAX`] banks, no name and no address
    /// twice.
    pub nodes: Vec<NodeAddress>,
    /// When a silent peer counts as failed.
    pub heartbeat: HeartbeatTimes,
    /// Whether customers must log in.
    pub customer_auth: CustomerAuth,
    /// Whether the check digits of CPF and CNPJ must fit.
    pub check_digits: bool,
    /// The most money that one operation may move, and that an account may be opened with. The bank
    /// that is asked sees to it; the ledger executes whatever has been ordered.
    pub operation_max: Amount,
    /// Whether who is to hold a joint account must accept before it opens.
    pub joint_consent: bool,
    /// Whether customers may deposit into accounts that they do not hold.
    pub stranger_deposits: bool,
    /// By whose days and hours customers live.
    pub time_zone: Zone,
    /// How much journal is kept.
    pub journal: JournalLimits,
    /// Whether anybody may slow down, stop and cut the links between the banks and send trial
    /// events.
    pub laboratory: bool,
    /// Whether banks on different machines may talk in the open, without certificates.
    pub insecure_peers: bool,
    /// How much of this bank its customers may use.
    pub limits: Limits,
    /// How long a login lasts at this bank.
    pub sessions: SessionTimes,
    /// What becomes of a new password that many people have.
    pub common_passwords: CommonPasswords,
    /// The database in which banks keep their journals, unless a bank is told of another one; where
    /// there is none, each keeps its own in files.
    pub store: Option<String>,
}

/// One bank: its name and where it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeAddress {
    /// What customers read; `Banco {number}` unless given.
    pub name: String,
    /// Host name, IPv4 address, or IPv6 address in brackets.
    pub host: String,
    /// TCP port for customers and peers; never 0.
    pub port: u16,
    /// TCP port for heartbeats; never 0.
    pub heartbeat_port: u16,
}

impl NodeAddress {
    /// Where customers and peers reach the bank: `http://host:port`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}:{}", self.host, self.port)
    }

    /// Whether only this machine reaches it.
    #[must_use]
    pub(crate) fn is_on_loopback(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// How patient the banks are with one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeartbeatTimes {
    /// Between two pings of a peer, in milliseconds; [`HEARTBEAT_INTERVAL_MIN_MS`] or more.
    pub interval_ms: u64,
    /// Silence after which a peer counts as failed, in milliseconds; more than the interval.
    pub failure_after_ms: u64,
    /// How long a failed peer must answer before it counts as back, in milliseconds.
    pub rejoin_after_ms: u64,
    /// For how long a member alone may keep the others waiting before it is counted against it, in
    /// milliseconds; one that does so in more than a fifth of half a minute is left out. More than
    /// 0.
    pub slow_after_ms: u64,
}

impl Default for HeartbeatTimes {
    fn default() -> Self {
        HeartbeatTimes {
            interval_ms: HEARTBEAT_INTERVAL_DEFAULT_MS,
            failure_after_ms: FAILURE_AFTER_DEFAULT_MS,
            rejoin_after_ms: REJOIN_AFTER_DEFAULT_MS,
            slow_after_ms: SLOW_AFTER_DEFAULT_MS,
        }
    }
}

/// How much journal each bank keeps, and when it makes snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JournalLimits {
    /// The most positions before the bank makes a snapshot and drops older ones, down to half of
    /// this; [`JOURNAL_POSITIONS_MIN`] or more, or 0 to keep everything.
    pub positions_max: u64,
    /// After how many positions the bank makes a snapshot beside the journal, so that its next
    /// start executes only what came after; [`JOURNAL_POSITIONS_MIN`] or more, or 0 for never.
    pub snapshot_every: u64,
}

impl Default for JournalLimits {
    fn default() -> Self {
        JournalLimits { positions_max: 0, snapshot_every: SNAPSHOT_EVERY_DEFAULT }
    }
}

/// How long a login lasts, in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionTimes {
    /// While it is not used; 1 or more.
    pub idle_minutes: u32,
    /// However much it is used; [`SESSION_MINUTES_MAX`] at most.
    pub most_minutes: u32,
}

impl Default for SessionTimes {
    fn default() -> Self {
        SessionTimes { idle_minutes: 60, most_minutes: 8 * 60 }
    }
}

/// What customers must show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CustomerAuth {
    /// The token of a login.
    #[default]
    Sessions,
    /// Nothing; for laboratories.
    Open,
}

/// What becomes of a new password that many people have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommonPasswords {
    /// It is taken, and its customer is warned.
    #[default]
    Warn,
    /// It is refused.
    Refuse,
}

/// `nodes.json` as it is written, before anything is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    nodes: Vec<WrittenNode>,
    #[serde(default)]
    heartbeat: HeartbeatTimes,
    #[serde(default)]
    customer_auth: CustomerAuth,
    #[serde(default)]
    check_digits: bool,
    operation_max: Option<u64>,
    joint_consent: Option<bool>,
    stranger_deposits: Option<bool>,
    time_zone: Option<String>,
    #[serde(default)]
    journal: JournalLimits,
    #[serde(default)]
    laboratory: bool,
    #[serde(default)]
    insecure_peers: bool,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    sessions: SessionTimes,
    #[serde(default)]
    common_passwords: CommonPasswords,
    store: Option<String>,
}

/// An entry of `nodes` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenNode {
    name: Option<String>,
    host: String,
    port: Option<u16>,
    heartbeat_port: Option<u16>,
}

impl WrittenNode {
    fn completed(self, index: usize) -> NodeAddress {
        NodeAddress {
            name: self.name.unwrap_or_else(|| format!("Banco {index}")),
            host: self.host,
            port: self.port.unwrap_or(PORT_DEFAULT),
            heartbeat_port: self.heartbeat_port.unwrap_or(HEARTBEAT_PORT_DEFAULT),
        }
    }
}

/// Why there is no configuration: what is wrong, and where.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{file}: cannot be read: {why}; write it, or name another with --nodes")]
    Unreadable {
        /// The file.
        file: String,
        /// The system's error text.
        why: io::Error,
    },
    /// The text is not JSON, or as a whole not of the expected form.
    #[error("{0}")]
    Malformed(serde_json::Error),
    /// A field has a value that it must not have.
    #[error("{field}: {why}")]
    Field {
        /// The path of the field, such as `nodes[1].port`.
        field: String,
        /// What it must be.
        why: String,
    },
    /// One of these errors, found in a file.
    #[error("{file}: {problem}")]
    InFile {
        /// The file.
        file: String,
        /// What is wrong in it.
        problem: Box<ConfigError>,
    },
}

fn refused(field: impl Into<String>, why: impl Into<String>) -> ConfigError {
    ConfigError::Field { field: field.into(), why: why.into() }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`], which names the file.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let file = || path.display().to_string();
        let text =
            read_bounded(path).map_err(|why| ConfigError::Unreadable { file: file(), why })?;
        Config::parse(&text)
            .map_err(|problem| ConfigError::InFile { file: file(), problem: Box::new(problem) })
    }

    /// Reads and checks the text of a `nodes.json`.
    ///
    /// # Errors
    /// [`ConfigError`] for what does not parse, fields that are unknown or occur twice, and values
    /// out of bounds.
    pub fn parse(text: &str) -> Result<Config, ConfigError> {
        // Some editors put a byte order mark first, which JSON does not allow.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let written: Written =
            serde_path_to_error::deserialize(&mut deserializer).map_err(located)?;
        deserializer.end().map_err(ConfigError::Malformed)?;
        let nodes = written.nodes.into_iter().enumerate();
        // The requirement opens joint accounts at once and takes anybody's deposits.
        let as_printed = written.laboratory || written.customer_auth == CustomerAuth::Open;
        let config = Config {
            nodes: nodes.map(|(index, node)| node.completed(index)).collect(),
            heartbeat: written.heartbeat,
            customer_auth: written.customer_auth,
            check_digits: written.check_digits,
            operation_max: operation_max(written.operation_max.unwrap_or(OPERATION_MAX_DEFAULT))?,
            joint_consent: written.joint_consent.unwrap_or(!as_printed),
            stranger_deposits: written.stranger_deposits.unwrap_or(as_printed),
            time_zone: zone(written.time_zone.as_deref().unwrap_or(ZONE_DEFAULT))?,
            journal: written.journal,
            laboratory: written.laboratory,
            insecure_peers: written.insecure_peers,
            limits: written.limits,
            sessions: written.sessions,
            common_passwords: written.common_passwords,
            store: written.store,
        };
        check_nodes(&config.nodes)?;
        check_times(&config.heartbeat)?;
        check_journal(config.journal)?;
        limits::check(&config.limits)?;
        check_sessions(config.sessions)?;
        Ok(config)
    }
}

fn read_bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let bytes = File::open(path)?.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text)?;
    if bytes as u64 > CONFIG_BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {CONFIG_BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn located(error: serde_path_to_error::Error<serde_json::Error>) -> ConfigError {
    let field = error.path().to_string();
    let why = error.into_inner();
    // The path "." means the text as a whole.
    if field == "." { ConfigError::Malformed(why) } else { refused(field, why.to_string()) }
}

fn operation_max(reais: u64) -> Result<Amount, ConfigError> {
    let centavos = i64::try_from(reais).ok().and_then(|reais| reais.checked_mul(100));
    let amount = centavos.and_then(|centavos| Amount::try_from(centavos).ok());
    let bounds = format!("must be 1 to {OPERATION_MAX_MAX} (whole reais), not {reais}");
    amount.ok_or_else(|| refused("operation_max", bounds))
}

fn zone(name: &str) -> Result<Zone, ConfigError> {
    Zone::named(name).ok_or_else(|| {
        refused(
            "time_zone",
            "must be a name of the IANA time zone database, such as America/Manaus",
        )
    })
}

fn check_nodes(nodes: &[NodeAddress]) -> Result<(), ConfigError> {
    if nodes.is_empty() || nodes.len() > BANKS_MAX {
        return Err(refused(
            "nodes",
            format!("must list 1 to {BANKS_MAX} banks, not {}", nodes.len()),
        ));
    }
    let mut names = BTreeMap::new();
    let mut addresses = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        let name = format!("nodes[{index}].name");
        check_name(&node.name).map_err(|why| refused(&name, why))?;
        check_host(&node.host).map_err(|why| refused(format!("nodes[{index}].host"), why))?;
        if let Some(other) = names.insert(&node.name, name.clone()) {
            return Err(refused(name, format!("is the same as {other} ({:?})", node.name)));
        }
        for (port, field) in [(node.port, "port"), (node.heartbeat_port, "heartbeat_port")] {
            let field = format!("nodes[{index}].{field}");
            if port == 0 {
                return Err(refused(field, "must be 1 to 65535"));
            }
            let address = format!("{}:{port}", node.host.to_ascii_lowercase());
            if let Some(other) = addresses.insert(address.clone(), field.clone()) {
                return Err(refused(field, format!("is the same address as {other} ({address})")));
            }
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), String> {
    let chars = name.chars().count();
    if name.trim() != name
        || chars == 0
        || chars > BANK_NAME_CHARS_MAX
        || name.contains(char::is_control)
    {
        return Err(format!(
            "must be 1 to {BANK_NAME_CHARS_MAX} printable characters without spaces around them"
        ));
    }
    Ok(())
}

fn check_host(host: &str) -> Result<(), &'static str> {
    let in_brackets = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let name_or_ipv4 = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    };
    let allowed =
        in_brackets.map_or_else(|| name_or_ipv4(host), |inner| inner.parse::<Ipv6Addr>().is_ok());
    if allowed && host.len() <= HOST_CHARS_MAX {
        Ok(())
    } else {
        Err("must be a host name, an IPv4 address, or an IPv6 address in brackets")
    }
}

fn check_times(times: &HeartbeatTimes) -> Result<(), ConfigError> {
    let HeartbeatTimes { interval_ms, failure_after_ms, rejoin_after_ms, slow_after_ms } = *times;
    if slow_after_ms == 0 {
        return Err(refused("heartbeat.slow_after_ms", "must be more than 0"));
    }
    if interval_ms < HEARTBEAT_INTERVAL_MIN_MS {
        let why = format!("must be at least {HEARTBEAT_INTERVAL_MIN_MS}, not {interval_ms}");
        return Err(refused("heartbeat.interval_ms", why));
    }
    if interval_ms >= failure_after_ms {
        let why =
            format!("must be smaller than failure_after_ms ({interval_ms} >= {failure_after_ms})");
        return Err(refused("heartbeat.interval_ms", why));
    }
    // The interval is bounded by the failure time.
    let times = [
        (failure_after_ms, "failure_after_ms"),
        (rejoin_after_ms, "rejoin_after_ms"),
        (slow_after_ms, "slow_after_ms"),
    ];
    for (time_ms, field) in times {
        if time_ms > HEARTBEAT_TIME_MAX_MS {
            let why = format!("must be at most {HEARTBEAT_TIME_MAX_MS}, not {time_ms}");
            return Err(refused(format!("heartbeat.{field}"), why));
        }
    }
    Ok(())
}

fn check_sessions(times: SessionTimes) -> Result<(), ConfigError> {
    let SessionTimes { idle_minutes, most_minutes } = times;
    if !(1..=SESSION_MINUTES_MAX).contains(&most_minutes) {
        let why = format!("must be 1 to {SESSION_MINUTES_MAX}, not {most_minutes}");
        return Err(refused("sessions.most_minutes", why));
    }
    if !(1..=most_minutes).contains(&idle_minutes) {
        let why = format!("must be 1 to most_minutes ({most_minutes}), not {idle_minutes}");
        return Err(refused("sessions.idle_minutes", why));
    }
    Ok(())
}

fn check_journal(journal: JournalLimits) -> Result<(), ConfigError> {
    let JournalLimits { positions_max, snapshot_every } = journal;
    let fields =
        [("positions_max", positions_max, "no limit"), ("snapshot_every", snapshot_every, "never")];
    for (field, positions, zero) in fields {
        if (1..JOURNAL_POSITIONS_MIN).contains(&positions) {
            let why =
                format!("must be 0 ({zero}) or at least {JOURNAL_POSITIONS_MIN}, not {positions}");
            return Err(refused(format!("journal.{field}"), why));
        }
    }
    Ok(())
}
