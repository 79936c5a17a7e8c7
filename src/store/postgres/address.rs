//! Where a database is, how it is reached, and under which names a bank keeps what there.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::ids::BankId;

/// How long connecting to one host may take.
const CONNECT_WAIT: Duration = Duration::from_secs(3);
/// After how long without an acknowledgement of what was sent a connection is given up.
const UNACKNOWLEDGED_WAIT: Duration = Duration::from_secs(5);
/// How often a connection on which nothing is said is looked after.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(2);

/// A database in PostgreSQL, as its URL names it.
#[derive(Clone, PartialEq, Eq)]
pub struct Database {
    config: Arc<Config>,
}

/// Why a text does not name a database. It may have a password in it, so none of it is repeated.
#[derive(Debug, thiserror::Error)]
#[error("it must be like postgres://user@host:5432/database ({0})")]
pub struct BadDatabase(String);

impl FromStr for Database {
    type Err = BadDatabase;

    fn from_str(text: &str) -> Result<Self, BadDatabase> {
        let bad = |why: &str| BadDatabase(why.to_owned());
        if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(bad("another kind of URL"));
        }
        // What the parser says of a value may repeat it.
        let mut config: Config =
            text.parse().map_err(|_| bad("malformed, or an unknown option"))?;
        if config.get_hosts().is_empty() {
            return Err(bad("no host"));
        }
        if config.get_dbname().is_none() {
            return Err(bad("no database"));
        }
        if config.get_options().is_some() {
            return Err(bad("options are not taken: they could undo what durability depends on"));
        }
        let is_near = config.get_hosts().iter().all(is_on_this_machine);
        if config.get_ssl_mode() == SslMode::Prefer {
            // Whoever is on the way could pretend that the server has no certificate.
            config.ssl_mode(if is_near { SslMode::Disable } else { SslMode::Require });
        }
        if config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let connect = config.get_connect_timeout().copied().unwrap_or(CONNECT_WAIT);
        let unacknowledged = config.get_tcp_user_timeout().copied().unwrap_or(UNACKNOWLEDGED_WAIT);
        config
            .connect_timeout(connect)
            .tcp_user_timeout(unacknowledged)
            .keepalives_idle(KEEPALIVE_EVERY)
            .keepalives_interval(KEEPALIVE_EVERY)
            .keepalives_retries(2);
        Ok(Database { config: Arc::new(config) })
    }
}

fn is_on_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name.eq_ignore_ascii_case("localhost")
                || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

impl Database {
    /// Whether the URL has a password in it.
    #[must_use]
    pub(crate) fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// Whether there is another server that could take the place of the one in use.
    pub(super) fn has_spare_host(&self) -> bool {
        self.config.get_hosts().len() > 1
    }

    /// How to connect, under a name that the database's own pages show.
    pub(super) fn config(&self, application: &str) -> Config {
        let mut config = Config::clone(&self.config);
        config.application_name(application);
        config
    }
}

/// Without user and password.
impl std::fmt::Display for Database {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("postgres://")?;
        let ports = self.config.get_ports();
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => write!(out, "{comma}{name}:{port}")?,
                Host::Unix(folder) => write!(out, "{comma}{}:{port}", folder.display())?,
            }
        }
        write!(out, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{self}")
    }
}

/// Which of a bank's three sets of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Part {
    /// The journal.
    Journal,
    /// The past.
    Past,
    /// Sealed idempotency keys.
    Keys,
}

/// A bank's tables of one part in a database: a schema of their own.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    pub(super) database: Database,
    pub(super) bank: BankId,
    pub(super) part: Part,
}

impl Shelf {
    /// The name of the schema.
    pub(super) fn schema(&self) -> String {
        match self.part {
            Part::Journal => format!("netbanking_{}", self.bank),
            Part::Past => format!("netbanking_{}_past", self.bank),
            Part::Keys => format!("netbanking_{}_keys", self.bank),
        }
    }

    /// The number of the lock that whoever writes there holds.
    pub(super) fn lock(&self) -> i32 {
        let bank = i32::from(self.bank.0);
        match self.part {
            Part::Journal => 2 * bank,
            Part::Past => 2 * bank + 1,
            Part::Keys => -1 - bank,
        }
    }

    /// What the database's pages show.
    pub(super) fn application(&self) -> String {
        let part = match self.part {
            Part::Journal => "journal",
            Part::Past => "past",
            Part::Keys => "keys",
        };
        format!("netbanking bank {} {part}", self.bank)
    }

    /// What takes the place of a file's path in messages.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("{} ({})", self.database, self.schema()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_without_its_password() {
        let database: Database = "postgres://ana:s3cret@db.example:5433/bank".parse().unwrap();
        assert!(database.has_password());
        assert_eq!(database.to_string(), "postgres://db.example:5433/bank");
        assert_eq!(format!("{database:?}"), "postgres://db.example:5433/bank");
        for text in [
            "postgres://ana:s3cret@db.example:port/bank",
            "postgres://ana:s3cret@db.example/bank?x=s3cret",
            "postgres://ana:s3cret@db.example",
            "postgres://ana:s3cret@db.example/bank?options=-cfsync%3Doff",
            "mysql://ana:s3cret@db.example/bank",
        ] {
            let why = text.parse::<Database>().unwrap_err().to_string();
            assert!(why.contains("postgres://user@host") && !why.contains("s3cret"), "{why}");
        }
    }

    #[test]
    fn the_way_to_another_machine_is_encrypted_unless_the_url_says_otherwise() {
        let mode = |text: &str| {
            let database: Database = text.parse().unwrap();
            database.config("test").get_ssl_mode()
        };
        for near in ["postgres://a@127.0.0.1/b", "postgres://a@localhost/b"] {
            assert_eq!(mode(near), SslMode::Disable);
        }
        assert_eq!(mode("postgres:///b?host=/run/postgresql&user=a"), SslMode::Disable);
        assert_eq!(mode("postgres://a@db.example/b"), SslMode::Require);
        assert_eq!(mode("postgres://a@127.0.0.1,db.example/b"), SslMode::Require);
        assert_eq!(mode("postgres://a@db.example/b?sslmode=disable"), SslMode::Disable);
    }
}
