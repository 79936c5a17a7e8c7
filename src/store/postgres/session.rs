//! One connection: made, proved to keep what is committed, locked against a second writer, asked.
//!
//! The connection's own bytes are carried by a thread of its own, so that whoever asks may simply
//! wait. Nothing is asked again here: that is up to whoever knows whether it does harm.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row, Socket, Statement};

use super::address::{Part, Shelf};
use super::tls::Tls;
use super::trouble::Trouble;
use super::wait::wait;
use crate::machine::name_thread;

/// How long connecting may take, to all hosts that the URL names.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// After how long without an answer a connection is given up.
const ANSWER_WAIT: Duration = Duration::from_secs(20);
/// The same where a person waits for the whole of a table.
const LONG_WAIT: Duration = Duration::from_secs(24 * 3_600);
/// How often a database that is away is called again.
const CALL_EVERY: Duration = Duration::from_millis(200);
/// For how long the lock of a process that has just ended, perhaps with its machine, may still be
/// held: longer than a server takes to notice, as [`FOR_THIS_SESSION`] tells it to.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// The first half of the locks' numbers ("NtBk").
const LOCK_SPACE: i32 = 0x4e74_426b;
/// The oldest server that this was made for.
const SERVER_VERSION_MIN: i32 = 140_000;

/// What a server must say of itself, and which values are fine: that a commit that is reported is
/// on disk, and that what is damaged is not handed out as if it were not.
const SETTINGS: [(&str, &[&str]); 6] = [
    ("fsync", &["on"]),
    ("full_page_writes", &["on"]),
    ("synchronous_commit", &["on", "remote_apply"]),
    ("data_sync_retry", &["off"]),
    ("zero_damaged_pages", &["off"]),
    ("ignore_checksum_failure", &["off"]),
];

/// What a session sets for itself. A server would find out only after two hours that the machine at
/// the other end is gone, and keep its lock as long.
const FOR_THIS_SESSION: &str = "
SET tcp_keepalives_idle = 3; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3;
SET tcp_user_timeout = 6000; SET enable_seqscan = off;
SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout',
    'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout');";

/// A server that is told otherwise later goes on with this session as it was promised.
const KEPT_AS_IT_IS: &str =
    "SELECT set_config('synchronous_commit', current_setting('synchronous_commit'), false)";

/// A server's process, and when it began: numbers of processes come again.
#[derive(Clone, Debug)]
pub(super) struct Backend {
    number: i32,
    since: String,
}

/// One connection.
pub(super) struct Session {
    client: Client,
    prepared: RefCell<HashMap<&'static str, Statement>>,
    backend: Backend,
}

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To write, alone.
    Write,
    /// To read, beside others.
    Read,
}

impl Session {
    /// Calls a database until it answers, but not for longer than `at_most`. The session that was
    /// lost, if there was one, is ended first: it may hold the lock, and its last commit must not
    /// come later.
    pub(super) fn open(
        shelf: &Shelf,
        purpose: Purpose,
        lost: Option<&Backend>,
        at_most: Duration,
    ) -> Result<Session, Trouble> {
        let began = Instant::now();
        let mut told = false;
        loop {
            let trouble = match Session::open_once(shelf, purpose, lost) {
                Err(trouble @ (Trouble::Away(_) | Trouble::Locked)) => trouble,
                opened => return opened,
            };
            let limit = match (&trouble, lost) {
                (Trouble::Locked, None) => at_most.min(LOCK_WAIT),
                _ => at_most,
            };
            if began.elapsed() >= limit {
                return Err(trouble);
            }
            if !std::mem::replace(&mut told, true) {
                log::warn!("DATABASE AWAY: {}: {trouble}", shelf.path().display());
            }
            std::thread::sleep(CALL_EVERY);
        }
    }

    fn open_once(
        shelf: &Shelf,
        purpose: Purpose,
        lost: Option<&Backend>,
    ) -> Result<Session, Trouble> {
        let client = connect(shelf.database.config(&shelf.application()))?;
        let backend = Backend { number: 0, since: String::new() };
        let mut session = Session { client, prepared: RefCell::default(), backend };
        session
            .execute_batch(&format!("SET search_path TO {}; {FOR_THIS_SESSION}", shelf.schema()))?;
        session.check_settings()?;
        session.execute_batch(KEPT_AS_IT_IS)?;
        let me = "SELECT pid, extract(epoch FROM backend_start)::text FROM pg_stat_activity
            WHERE pid = pg_backend_pid()";
        let me = session.one(me, &[])?;
        session.backend = Backend { number: get(&me, 0)?, since: get(&me, 1)? };
        if purpose == Purpose::Write {
            session.end(lost)?;
            let lock = "SELECT pg_try_advisory_lock($1, $2)";
            let locked = session.one(lock, &[&LOCK_SPACE, &shelf.lock()])?;
            if !get::<bool>(&locked, 0)? {
                return Err(Trouble::Locked);
            }
            if shelf.part == Part::Journal && shelf.database.has_spare_host() {
                session.check_replica(shelf)?;
            }
        }
        Ok(session)
    }

    /// Says so where a replica may take the place of a server that does not wait for it. A bank is
    /// not kept from going on after such a change, when there is no other replica yet.
    fn check_replica(&self, shelf: &Shelf) -> Result<(), Trouble> {
        let waits = "SELECT current_setting('synchronous_standby_names') <> ''";
        if !get::<bool>(&self.one(waits, &[])?, 0)? {
            let path = shelf.path();
            log::warn!(
                "REPLICA NOT SYNCHRONOUS: {}: the URL names several hosts, and synchronous_standby_names is \
                 empty at the one in use: if another one takes its place, commits may be lost",
                path.display()
            );
        }
        Ok(())
    }

    fn check_settings(&self) -> Result<(), Trouble> {
        let state = "SELECT current_setting('server_version_num')::int, pg_is_in_recovery()";
        let state = self.one(state, &[])?;
        let version: i32 = get(&state, 0)?;
        if version < SERVER_VERSION_MIN {
            let (is, least) = (version / 10_000, SERVER_VERSION_MIN / 10_000);
            return Err(Trouble::Unsafe(format!("it is version {is}, and {least} is the least")));
        }
        if get(&state, 1)? {
            return Err(Trouble::Away("it is a replica that only follows".into()));
        }
        for (name, fine) in SETTINGS {
            let sql = "SELECT current_setting($1, true)";
            let is: Option<String> = get(&self.one(sql, &[&name])?, 0)?;
            let is = is.unwrap_or_else(|| "unknown".to_owned());
            if !fine.contains(&is.as_str()) {
                let fine = fine.join(" or ");
                return Err(Trouble::Unsafe(format!("{name} is {is} there and must be {fine}")));
            }
        }
        Ok(())
    }

    /// Ends a session that was lost, in case the server does not know yet.
    fn end(&self, lost: Option<&Backend>) -> Result<(), Trouble> {
        let Some(Backend { number, since }) = lost else { return Ok(()) };
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE pid = $1 AND extract(epoch FROM backend_start)::text = $2";
        self.query(sql, &[number, since]).map(|_| ())
    }

    /// The server's process.
    pub(super) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The rows that a statement answers.
    pub(super) fn query(
        &self,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Trouble> {
        let statement = self.prepared(sql)?;
        self.ask(self.client.query(&statement, params))
    }

    /// The row that a statement answers.
    pub(super) fn one(
        &self,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, Trouble> {
        let row = self.query(sql, params)?.into_iter().next();
        row.ok_or_else(|| Trouble::Strange("a statement has no answer".into()))
    }

    /// Executes a statement and commits, with one wait for both.
    pub(super) fn execute_and_commit(
        &self,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<(), Trouble> {
        let statement = self.prepared(sql)?;
        let executed = self.client.query(&statement, params);
        let committed = self.client.batch_execute("COMMIT");
        // If the first fails, the second undoes everything.
        self.ask(async {
            let (executed, committed) = futures_util::future::join(executed, committed).await;
            executed.and(committed)
        })
    }

    /// Executes statements that take no values.
    pub(super) fn execute_batch(&self, sql: &str) -> Result<(), Trouble> {
        self.ask(self.client.batch_execute(sql))
    }

    /// The same with something that may take long.
    pub(super) fn execute_at_leisure(&self, sql: &str) -> Result<(), Trouble> {
        self.ask_for(self.client.batch_execute(sql), LONG_WAIT)
    }

    fn prepared(&self, sql: &'static str) -> Result<Statement, Trouble> {
        if let Some(statement) = self.prepared.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.ask(self.client.prepare(sql))?;
        self.prepared.borrow_mut().insert(sql, statement.clone());
        Ok(statement)
    }

    fn ask<R>(
        &self,
        asked: impl Future<Output = Result<R, tokio_postgres::Error>>,
    ) -> Result<R, Trouble> {
        self.ask_for(asked, ANSWER_WAIT)
    }

    fn ask_for<R>(
        &self,
        asked: impl Future<Output = Result<R, tokio_postgres::Error>>,
        at_most: Duration,
    ) -> Result<R, Trouble> {
        match wait(asked, at_most) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => Err(Trouble::of(&error, self.client.is_closed())),
            None => Err(Trouble::Away(format!("no answer for {} s", at_most.as_secs()))),
        }
    }
}

/// A column's value.
pub(super) fn get<'a, R: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    column: usize,
) -> Result<R, Trouble> {
    row.try_get(column).map_err(|error| Trouble::Strange(error.to_string()))
}

/// Connects, and leaves a thread behind that carries what is said until the client is dropped or
/// the server is gone.
fn connect(config: Config) -> Result<Client, Trouble> {
    let (tell, told) = sync_channel(1);
    let serving = move || {
        name_thread("postgres");
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                _ = tell.send(Err(Trouble::Away(error.to_string())));
                return;
            }
        };
        match config.get_ssl_mode() {
            SslMode::Disable => runtime.block_on(serve(config, NoTls, tell)),
            _ => runtime.block_on(serve(config, Tls::of_the_system(), tell)),
        }
    };
    std::thread::Builder::new().spawn(serving).map_err(|error| Trouble::Away(error.to_string()))?;
    match told.recv_timeout(CONNECT_WAIT) {
        Ok(connected) => connected,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            Err(Trouble::Away(format!("no connection within {} s", CONNECT_WAIT.as_secs())))
        }
    }
}

async fn serve<T: MakeTlsConnect<Socket>>(
    config: Config,
    tls: T,
    tell: SyncSender<Result<Client, Trouble>>,
) {
    match config.connect(tls).await {
        Ok((client, connection)) => {
            // Whoever has given up waiting drops the client, which ends the connection.
            _ = tell.send(Ok(client));
            // Whoever asks next learns that it has ended.
            _ = connection.await;
        }
        Err(error) => _ = tell.send(Err(Trouble::of(&error, true))),
    }
}
