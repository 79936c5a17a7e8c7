//! `netbanking node`: one bank. Everything it needs comes from the command line, the environment
//! and `nodes.json`.

use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use log::{Log, Metadata, Record};

use super::CommandError;
use super::outlet::{self, FLUSH_WITHIN};
use super::place::PlaceArgs;
use crate::actors::time::unix_ms;
use crate::config::Config;
use crate::ids::BankId;
use crate::ledger::book::is_guarded;
use crate::ledger::calendar::Moment;
use crate::node::{self, NodeOptions};
use crate::private;

/// Environment variable with the secret that peers share; never an argument, as everybody on the
/// machine can read those.
pub(super) const PEER_SECRET_VARIABLE: &str = "NETBANKING_PEER_SECRET";
/// Environment variable that names a file with the secret instead.
pub(super) const PEER_SECRET_FILE_VARIABLE: &str = "NETBANKING_PEER_SECRET_FILE";
/// Environment variable that names the folder with the bank's certificate.
pub(super) const CERTIFICATES_VARIABLE: &str = "NETBANKING_CERTIFICATES";
/// Environment variable that names the folder with the certificate that customers are shown.
pub(super) const HTTPS_VARIABLE: &str = "NETBANKING_HTTPS";
/// Environment variable with the address to listen on.
pub(super) const LISTEN_VARIABLE: &str = "NETBANKING_LISTEN";
/// Shortest secret, in characters.
const PEER_SECRET_CHARS_MIN: usize = 16;
/// Longest secret, in characters: it travels in a header of every peer request.
const PEER_SECRET_CHARS_MAX: usize = 256;
/// What is logged unless `RUST_LOG` says otherwise.
const LOG_FILTER_DEFAULT: &str = "info,actix_server=warn";

/// What `netbanking node` is told.
#[derive(Debug, Args)]
#[command(
    after_help = "The secret that the banks share comes from NETBANKING_PEER_SECRET or --peer-secret-file."
)]
pub(super) struct NodeArgs {
    /// Number of the bank: its index in nodes.json, counted from 0
    #[arg(long, env = "NETBANKING_BANK", value_name = "N")]
    bank: u16,
    /// The banks of the consortium
    #[arg(long, env = "NETBANKING_NODES", value_name = "FILE", default_value = "nodes.json")]
    nodes: PathBuf,
    /// Folder of this bank's own data; made if it is not there
    #[arg(long, env = "NETBANKING_DATA", value_name = "DIR")]
    data: PathBuf,
    /// IP address to listen on [default: the bank's own host in nodes.json]
    #[arg(long, env = LISTEN_VARIABLE, value_name = "ADDR")]
    listen: Option<IpAddr>,
    /// File with the secret that the banks share
    #[arg(long, env = PEER_SECRET_FILE_VARIABLE, value_name = "FILE")]
    peer_secret_file: Option<PathBuf>,
    /// Folder with this bank's certificate: ca.pem, bank.pem and bank.key
    #[arg(long, env = CERTIFICATES_VARIABLE, value_name = "DIR")]
    certificates: Option<PathBuf>,
    /// Folder with the certificate that customers are shown: fullchain.pem and privkey.pem
    #[arg(long, env = HTTPS_VARIABLE, value_name = "DIR")]
    https: Option<PathBuf>,
    #[command(flatten)]
    place: PlaceArgs,
    /// Stop cleanly when standard input ends, so that no bank outlives its supervisor
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
}

/// Runs the bank until it is told to stop.
pub(super) fn run(arguments: &NodeArgs) -> Result<(), CommandError> {
    let config = Config::load(&arguments.nodes)?;
    check_data(&arguments.data)?;
    let options = NodeOptions {
        bank: bank_of(arguments.bank, &config, &arguments.nodes)?,
        place: arguments.place.place(&config, &arguments.data)?,
        config,
        listen: arguments.listen.map(as_host),
        peer_secret: peer_secret(secret_of_environment()?, arguments.peer_secret_file.as_deref())?,
        certificates: folder(arguments.certificates.as_ref()),
        https: folder(arguments.https.as_ref()),
        stop_with_stdin: arguments.stop_with_stdin,
    };
    start_log();
    let ended = node::run(options);
    log::logger().flush();
    Ok(ended?)
}

/// A folder that was named; compose files and unit files pass on an empty text where they mean
/// none.
fn folder(named: Option<&PathBuf>) -> Option<PathBuf> {
    named.filter(|folder| !folder.as_os_str().is_empty()).cloned()
}

/// Refuses a data folder that others could change.
pub(super) fn check_data(data: &Path) -> Result<(), CommandError> {
    private::check_folder(data)
        .map_err(|why| CommandError::Usage(format!("--data {}: {why}", data.display())))
}

pub(super) fn bank_of(number: u16, config: &Config, nodes: &Path) -> Result<BankId, CommandError> {
    let banks = config.nodes.len();
    if usize::from(number) >= banks {
        let why = format!(
            "--bank {number}: {} has {banks} banks, numbered from 0 to {}",
            nodes.display(),
            banks - 1
        );
        return Err(CommandError::Usage(why));
    }
    Ok(BankId(number))
}

/// An address in the form that comes before `:port`.
fn as_host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

fn secret_of_environment() -> Result<Option<String>, CommandError> {
    let Some(secret) = std::env::var_os(PEER_SECRET_VARIABLE) else { return Ok(None) };
    let secret = secret.into_string().map_err(|_| bad_secret(PEER_SECRET_VARIABLE))?;
    // Compose files and unit files pass on an empty text where they mean none.
    Ok(Some(secret).filter(|secret| !secret.is_empty()))
}

fn peer_secret(
    of_environment: Option<String>,
    file: Option<&Path>,
) -> Result<String, CommandError> {
    let (secret, source) = match (of_environment, file) {
        (Some(secret), None) => (secret, PEER_SECRET_VARIABLE.to_owned()),
        (None, Some(file)) => (read_secret(file)?, file.display().to_string()),
        (None, None) => {
            let why = format!(
                "the secret that the banks share is missing: set {PEER_SECRET_VARIABLE} or --peer-secret-file"
            );
            return Err(CommandError::Usage(why));
        }
        (Some(_), Some(file)) => {
            let file = file.display();
            let why = format!(
                "{PEER_SECRET_VARIABLE} and --peer-secret-file {file} are both set; which one counts? Unset one"
            );
            return Err(CommandError::Usage(why));
        }
    };
    let fits = (PEER_SECRET_CHARS_MIN..=PEER_SECRET_CHARS_MAX).contains(&secret.len());
    // It travels in a header; a space inside one is fine.
    let printable = secret.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if fits && printable { Ok(secret) } else { Err(bad_secret(&source)) }
}

fn read_secret(file: &Path) -> Result<String, CommandError> {
    let text = private::read(file).map_err(|error| {
        CommandError::Usage(format!("--peer-secret-file {}: {error}", file.display()))
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Names where the secret came from, never the secret itself.
fn bad_secret(source: &str) -> CommandError {
    CommandError::Usage(format!(
        "{source}: the secret must have {PEER_SECRET_CHARS_MIN} to {PEER_SECRET_CHARS_MAX} printable ASCII characters; \
         `openssl rand -hex 32` makes one"
    ))
}

/// Logs to standard error, one line per record: `2026-11-23T10:00:00.123Z INFO bank 0: ready`.
/// Never waits for its reader. A panic becomes a record too: printed the usual way it could wait
/// for ever, and the process would never end.
fn start_log() {
    let lines = env_logger::Builder::from_env(
        env_logger::Env::default().default_filter_or(LOG_FILTER_DEFAULT),
    )
    .format(|out, record| {
        // The crate's own timestamp fails after the year 9999, and the line with it.
        writeln!(out, "{} {} {}", Moment(unix_ms()), record.level(), line_of(record))
    })
    .target(env_logger::Target::Pipe(Box::new(ToOutlet)))
    .build();
    let level = lines.filter();
    if log::set_boxed_logger(Box::new(NodeLog { lines })).is_ok() {
        log::set_max_level(level);
    }
    std::panic::set_hook(Box::new(report_panic));
}

/// A panic is a bug in this program. One in a rule of the ledger refuses the request, and the bank
/// goes on; any other ends the process wherever it happens, since without one of its actors a bank
/// would still answer but do nothing.
fn report_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let is_guarded = is_guarded();
    let meaning =
        if is_guarded { "the request is refused at all banks" } else { "the process ends" };
    log::error!("PROGRAM ERROR, {meaning}: {panic}");
    let backtrace = std::backtrace::Backtrace::capture();
    if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
        backtrace.to_string().lines().for_each(|line| log::error!("{line}"));
    }
    if !is_guarded {
        log::logger().flush();
        std::process::abort();
    }
}

/// The log's lines, on their way to the [`outlet`].
struct NodeLog {
    lines: env_logger::Logger,
}

impl Log for NodeLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.lines.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.lines.log(record);
    }

    /// Waits for a bounded time; called before the process ends.
    fn flush(&self) {
        outlet::stderr().flush(FLUSH_WITHIN);
    }
}

struct ToOutlet;

impl Write for ToOutlet {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        outlet::stderr().put(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A record in one line. Our own messages begin with the bank; those of other crates get the
/// crate's name.
fn line_of(record: &Record<'_>) -> String {
    let ours = record.target().split("::").next() == Some(env!("CARGO_PKG_NAME"));
    let message = if ours {
        record.args().to_string()
    } else {
        format!("{}: {}", record.target(), record.args())
    };
    // Text from a peer or a customer must not be able to forge log lines.
    if message.contains(char::is_control) {
        message
            .chars()
            .flat_map(
                |char| if char.is_control() { char.escape_default().collect() } else { vec![char] },
            )
            .collect()
    } else {
        message
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const SECRET: &str = "0123456789abcdef";

    fn refusal<T>(outcome: Result<T, CommandError>) -> String {
        match outcome {
            Ok(_) => "accepted".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_bank_that_nodes_json_does_not_list_is_refused() {
        let config = Config::parse(r#"{"nodes": [{"host": "a"}, {"host": "b"}]}"#).unwrap();
        let nodes = Path::new("nodes.json");
        assert_eq!(bank_of(1, &config, nodes).unwrap(), BankId(1));
        assert_eq!(
            refusal(bank_of(2, &config, nodes)),
            "--bank 2: nodes.json has 2 banks, numbered from 0 to 1"
        );
    }

    #[test]
    fn the_secret_comes_from_exactly_one_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, format!("{SECRET}\n")).unwrap();
        assert!(refusal(peer_secret(None, Some(&file))).contains("others may read"));
        fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(peer_secret(None, Some(&file)).unwrap(), SECRET);
        assert_eq!(peer_secret(Some(SECRET.into()), None).unwrap(), SECRET);
        assert!(refusal(peer_secret(Some(SECRET.into()), Some(&file))).contains("both set"));
        assert!(
            refusal(peer_secret(None, None))
                .contains("NETBANKING_PEER_SECRET or --peer-secret-file")
        );
        assert!(
            refusal(peer_secret(None, Some(Path::new("/nowhere"))))
                .starts_with("--peer-secret-file /nowhere: ")
        );
    }

    #[test]
    fn a_secret_of_the_wrong_length_or_unfit_for_a_header_is_refused_and_not_printed() {
        for secret in [&SECRET[1..], "0123456789abcdef\n", "0123456789abcdeé", &SECRET.repeat(17)]
        {
            let said = refusal(peer_secret(Some(secret.into()), None));
            assert!(
                said.starts_with("NETBANKING_PEER_SECRET: the secret must have 16 to 256"),
                "{said}"
            );
            assert!(!said.contains("0123456789"), "{said}");
        }
    }

    #[test]
    fn a_record_is_one_line_whatever_it_holds() {
        let line = |target: &str, message: &str| {
            line_of(&Record::builder().target(target).args(format_args!("{message}")).build())
        };
        assert_eq!(line("netbanking::actors::view", "bank 0: ready"), "bank 0: ready");
        assert_eq!(line("netbanking", "bank 0: é \"x\"\n2026 INFO"), "bank 0: é \"x\"\\n2026 INFO");
        assert_eq!(line("actix_server::worker", "stopping"), "actix_server::worker: stopping");
    }

    #[test]
    fn an_ipv6_address_is_put_in_brackets() {
        assert_eq!(as_host("::1".parse().unwrap()), "[::1]");
        assert_eq!(as_host("0.0.0.0".parse().unwrap()), "0.0.0.0");
    }

    /// Tells this very test what to do when it is run once more, as a process of its own.
    const PANICS: &str = "NETBANKING_TEST_PANICS";

    #[test]
    fn a_panic_on_any_thread_ends_the_process_and_is_logged_first() {
        use std::os::unix::process::ExitStatusExt;
        if std::env::var_os(PANICS).is_some() {
            start_log();
            // Somebody else's thread, whose end nobody would notice.
            let _ = std::thread::spawn(|| panic!("planted")).join();
            return;
        }
        let name = "cli::node::tests::a_panic_on_any_thread_ends_the_process_and_is_logged_first";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(PANICS, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(6), "SIGABRT, not {}: {said}", output.status);
        assert!(said.contains("the process ends: panicked at src/cli/node.rs:"), "{said}");
    }
}
