//! A PostgreSQL server of the test's own: on a free port of this machine, with its data in a
//! temporary folder, under another user if this one is root, which PostgreSQL refuses to be.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use netbanking::store::Database;
use tokio_postgres::NoTls;

use super::ports::free_port;

/// How long a server may take to come up or to end.
const PATIENCE: Duration = Duration::from_secs(120);
/// Whom root runs the server as.
const USER: &str = "postgres";
/// What is said where there is no server to start.
const MISSING: &str = "THE TESTS OF STORES IN A DATABASE NEED PostgreSQL: run .ci/run, which installs it, or \
                       apt-get install postgresql";

/// Ends the server and removes its folder when this process ends, however it does.
const GUARD: &str = r#"
cat > /dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2> /dev/null) && kill -QUIT "$pid" 2> /dev/null &&
    while kill -0 "$pid" 2> /dev/null; do sleep 0.05; done
rm -rf "$1""#;

pub(crate) struct Postgres {
    folder: PathBuf,
    port: u16,
    /// Holds the guard's standard input open.
    guard: Child,
}

impl Postgres {
    /// A new server, which answers.
    pub(crate) fn start() -> Postgres {
        let server = Postgres::prepare();
        let mut command = as_server(&program("initdb"));
        command.args(["--no-sync", "--auth=trust", "--username=bank", "--encoding=UTF8", "-D"]);
        server.fill(command.arg(server.data()));
        server.go_on();
        server
    }

    /// A server that follows this one, which from now on waits for it with every commit.
    pub(crate) fn start_replica(&self) -> Postgres {
        let replica = Postgres::prepare();
        // What else has its name chooses a version of its own.
        let mut command =
            as_server(&program("initdb").canonicalize().unwrap().with_file_name("pg_basebackup"));
        command.args([
            "--no-sync",
            "--checkpoint=fast",
            "--write-recovery-conf",
            "-h",
            "127.0.0.1",
        ]);
        command.args(["-U", "bank", "-p", &self.port.to_string(), "-D"]);
        replica.fill(command.arg(replica.data()));
        let follow = format!(
            "primary_conninfo = 'host=127.0.0.1 port={} user=bank application_name=replica'\n",
            self.port
        );
        let file = replica.data().join("postgresql.auto.conf");
        let mut settings = std::fs::read_to_string(&file).unwrap();
        settings.push_str(&follow);
        // The last of two counts.
        std::fs::write(&file, settings).unwrap();
        replica.go_on();
        self.set("synchronous_standby_names = 'replica'");
        let follows = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
        let deadline = Instant::now() + PATIENCE;
        while ask(&self.url("postgres"), follows) != Ok(1) {
            assert!(Instant::now() < deadline, "the replica does not follow");
            std::thread::sleep(Duration::from_millis(20));
        }
        replica
    }

    /// Lets a replica take the place of the server that it has followed.
    pub(crate) fn promote(&self) {
        self.ask("postgres", "SELECT pg_promote()");
    }

    /// A database of this server, and of another one that has the same.
    pub(crate) fn url_with(&self, other: &Postgres, url: &str) -> String {
        let [here, there] = [self, other].map(|server| format!("127.0.0.1:{}", server.port));
        url.replace(&here, &format!("{here},{there}")) + "?target_session_attrs=read-write"
    }

    /// A folder for a server, and who removes it.
    fn prepare() -> Postgres {
        let folder = tempfile::tempdir().unwrap().keep();
        let guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let data = folder.join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
        for of_server in [&folder, &data] {
            if let Some((user, group)) = server_user() {
                chown(of_server, Some(user), Some(group)).unwrap();
            }
        }
        std::fs::set_permissions(&data, PermissionsExt::from_mode(0o700)).unwrap();
        Postgres { folder, port: free_port(), guard }
    }

    /// Has a program put a server's data into its folder.
    fn fill(&self, command: &mut Command) {
        let made = command.current_dir(&self.folder).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// Starts the server where it has ended, and waits until it answers.
    pub(crate) fn go_on(&self) {
        let mut process = self.spawn();
        let deadline = Instant::now() + PATIENCE;
        while let Err(why) = ask(&self.url("postgres"), "SELECT 1") {
            assert!(Instant::now() < deadline, "the server does not answer: {why}");
            std::thread::sleep(Duration::from_millis(20));
            // It does not begin as long as one that was killed has not ended altogether.
            if process.is_finished() {
                process = self.spawn();
            }
        }
    }

    /// A server; the thread ends when it has ended, and does not leave it as a process that only
    /// seems to be there.
    fn spawn(&self) -> JoinHandle<()> {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("log"));
        let mut command = as_server(&program("postgres"));
        command.arg("-D").arg(self.data()).arg("-p").arg(self.port.to_string());
        command.arg("-k").arg(&self.folder).args(["-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", "max_connections=60", "-c", "shared_buffers=32MB"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.unwrap());
        let mut process = command.current_dir(&self.folder).spawn().unwrap();
        std::thread::spawn(move || _ = process.wait())
    }

    /// Ends the server at once, as a machine that loses its power does; when this returns, nothing
    /// of it runs any more.
    pub(crate) fn kill(&self) {
        self.end("-KILL");
    }

    /// Asks the server to stop; it ends all sessions.
    pub(crate) fn stop(&self) {
        self.end("-INT");
    }

    /// Sends a signal, such as `-STOP`, to all of the server's processes.
    pub(crate) fn signal_all(&self, signal: &str) {
        let first = self.process();
        let processes: Vec<_> = processes().filter(|(_, parent)| *parent == first).collect();
        let ids: Vec<_> = processes.iter().map(|(id, _)| *id).chain([first]).collect();
        assert!(super::signal(signal, &ids));
    }

    fn end(&self, signal: &str) {
        let process = self.process();
        assert!(super::signal(signal, &[process]));
        let deadline = Instant::now() + PATIENCE;
        // Processes of the server that are left hold its memory.
        while self.is_there(process) {
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        _ = std::fs::remove_file(self.data().join("postmaster.pid"));
    }

    /// Whether anything of a server with this first process runs. Those that have lost it belong to
    /// another parent, but say what they are of.
    fn is_there(&self, first: u32) -> bool {
        let data = self.data().display().to_string();
        let names_it = |id: u32| {
            let words = std::fs::read_to_string(format!("/proc/{id}/cmdline"));
            words.is_ok_and(|words| words.contains(&data))
        };
        processes().any(|(id, parent)| id == first || parent == first || names_it(id))
    }

    fn process(&self) -> u32 {
        let file = self.data().join("postmaster.pid");
        std::fs::read_to_string(file).unwrap().lines().next().unwrap().parse().unwrap()
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://bank@127.0.0.1:{}/{database}", self.port)
    }

    /// A new, empty database; its URL.
    pub(crate) fn make_database(&self) -> String {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("bank{}", MADE.fetch_add(1, Ordering::Relaxed));
        self.ask("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// Executes statements.
    pub(crate) fn ask(&self, database: &str, sql: &str) {
        ask(&self.url(database), sql).unwrap();
    }

    /// Gives the server this certificate, and lets nobody in who does not use it.
    pub(crate) fn encrypt(&self, certificate: &Path, key: &Path) {
        let put = |name: &str, text: &[u8]| {
            let file = self.data().join(name);
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
            if let Some((user, group)) = server_user() {
                chown(file, Some(user), Some(group)).unwrap();
            }
        };
        put("server.crt", &std::fs::read(certificate).unwrap());
        put("server.key", &std::fs::read(key).unwrap());
        put("pg_hba.conf", b"hostssl all all 127.0.0.1/32 trust\n");
        self.set("ssl = on");
        // It reads its files when it comes to it.
        while ask(&self.url("postgres"), "SELECT 1").is_ok() {}
    }

    /// What the server has said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap()
    }

    /// Sets something for all sessions from now on.
    pub(crate) fn set(&self, setting: &str) {
        self.ask("postgres", &format!("ALTER SYSTEM SET {setting}"));
        self.ask("postgres", "SELECT pg_reload_conf()");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        _ = self.guard.wait();
    }
}

/// The server that all tests of a program share, as long as they do it no harm.
pub(crate) fn shared() -> &'static Postgres {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    SHARED.get_or_init(Postgres::start)
}

/// Executes statements in a database; returns how many rows the last of them changed or found.
pub(crate) fn ask(url: &str, sql: &str) -> Result<u64, String> {
    let (url, sql) = (url.to_owned(), sql.to_owned());
    // On a thread of its own: a test may run within another runtime.
    let asking = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let connecting = tokio_postgres::connect(&url, NoTls);
            let (client, connection) = connecting.await.map_err(|error| error.to_string())?;
            let serving = tokio::spawn(connection);
            let said = client.simple_query(&sql).await.map_err(|error| format!("{error:?}"));
            drop(client);
            _ = serving.await;
            Ok(said?
                .iter()
                .filter_map(|message| match message {
                    tokio_postgres::SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
                    _ => None,
                })
                .next_back()
                .unwrap_or_default())
        })
    });
    asking.join().unwrap()
}

/// The database of a URL.
pub(crate) fn database(url: &str) -> Database {
    url.parse().unwrap()
}

/// All processes that have not ended, and their parents.
fn processes() -> impl Iterator<Item = (u32, u32)> {
    let read = |entry: std::fs::DirEntry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let (state, parent) = (fields.next()?, fields.next()?.parse().ok()?);
        (state != "Z").then_some((id, parent))
    };
    std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).filter_map(read)
}

/// A program of PostgreSQL's, which are often not where programs are looked for.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    folders.extend(versions.filter_map(Result::ok).map(|version| version.path().join("bin")));
    let found = folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file());
    found.expect(MISSING)
}

fn as_server(program: &Path) -> Command {
    let program = program.canonicalize().unwrap();
    match server_user() {
        None => Command::new(program),
        Some((user, group)) => {
            let mut command = Command::new("setpriv");
            command.arg(format!("--reuid={user}")).arg(format!("--regid={group}"));
            command.arg("--clear-groups").arg("--").arg(program);
            command
        }
    }
}

/// User and group that the server runs as, if they are others than those of this process.
fn server_user() -> Option<(u32, u32)> {
    let number = |arguments: &[&str]| -> u32 {
        let said = Command::new("id").args(arguments).output().unwrap();
        String::from_utf8(said.stdout).unwrap().trim().parse().unwrap()
    };
    (number(&["-u"]) == 0).then(|| (number(&["-u", USER]), number(&["-g", USER])))
}
