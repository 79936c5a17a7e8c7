//! The command line, one file per command: reads the arguments, runs the command, turns its outcome
//! into an exit code.
//!
//! 0 is success; 1 is a failure while running; 2 is a command line or a configuration that somebody
//! has to correct; 4 is an answer that could not be written to standard output. `netbanking client`
//! has some more. Whatever goes wrong is reported in one line on standard error, `netbanking: what
//! and where`.

mod archive;
mod audit;
mod base_url;
mod bench;
mod certs;
mod check;
mod client;
mod compact;
mod consortium;
mod disk;
mod move_store;
mod node;
mod outlet;
mod place;
mod rescue;
mod shell;
mod stdout;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::config::ConfigError;
use crate::node::NodeError;
use crate::store::StoreError;
use crate::store::past::archive::ArchiveError;

/// Something failed while the command ran.
const EXIT_FAILED: u8 = 1;
/// The command line or the configuration has to be corrected.
const EXIT_USAGE: u8 = 2;
/// What was to be done is done, but the answer is lost.
const EXIT_OUTPUT_LOST: u8 = 4;

/// Instant payments for a country without a central bank: banks that execute every operation in one
/// agreed order.
///
/// Without a command: starts every bank of nodes.json on this machine, each as a process of its
/// own, and stops all of them on Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "netbanking", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    consortium: consortium::ConsortiumArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one bank
    Node(node::NodeArgs),
    /// Measure a running consortium: packages per second, latency, errors
    Bench(bench::BenchArgs),
    /// Ask a bank whether it takes writes: exit code 0 if so, 1 if not
    Check(check::CheckArgs),
    Client(client::ClientArgs),
    /// Replace the journal of a stopped bank by a snapshot of the ledger
    Compact(compact::CompactArgs),
    /// Carry a stopped bank's store from its folder into a database, or back
    MoveStore(move_store::MoveStoreArgs),
    /// Move old entries of a stopped bank's statements into archive files, and read such files
    Archive(archive::ArchiveArgs),
    /// Prove that all entries on a stopped bank's disk lead to the balances of its ledger
    Audit(audit::AuditArgs),
    /// Make the consortium's own authority and a certificate for every bank
    Certs(certs::CertsArgs),
    /// Let a stopped bank's disk decide alone, when more than half of all disks are lost
    Rescue(rescue::RescueArgs),
    /// Print a script that makes a shell complete commands and options
    Completion(shell::CompletionArgs),
    /// Print the manual page of a command, for man
    Manual(shell::ManualArgs),
}

/// Why a command ends without success.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    Consortium(#[from] consortium::ConsortiumError),
    #[error(transparent)]
    Bench(#[from] bench::BenchError),
    #[error(transparent)]
    Check(#[from] check::NotReady),
    #[error(transparent)]
    Client(#[from] client::ClientError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Audit(#[from] audit::AuditFailed),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Certs(#[from] certs::CertsError),
    #[error(transparent)]
    Rescue(#[from] rescue::UnfitForRescue),
    #[error(transparent)]
    Output(#[from] stdout::OutputLost),
}

impl CommandError {
    fn exit_code(&self) -> u8 {
        match self {
            CommandError::Usage(_) | CommandError::Config(_) => EXIT_USAGE,
            CommandError::Store(error) | CommandError::Node(NodeError::Store(error))
                if error.is_misplaced() =>
            {
                EXIT_USAGE
            }
            CommandError::Client(error) => error.exit_code(),
            CommandError::Output(_) => EXIT_OUTPUT_LOST,
            CommandError::Node(_)
            | CommandError::Consortium(_)
            | CommandError::Bench(_)
            | CommandError::Check(_)
            | CommandError::Store(_)
            | CommandError::Audit(_)
            | CommandError::Archive(_)
            | CommandError::Certs(_)
            | CommandError::Rescue(_) => EXIT_FAILED,
        }
    }
}

/// Runs the command that the arguments, the program's name first, ask for.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match obey(arguments).and_then(|()| Ok(stdout::check()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed or unread, only the exit code is left to report it.
            outlet::stderr().put(format!("netbanking: {error}\n").into_bytes());
            outlet::stderr().flush(outlet::FLUSH_WITHIN);
            ExitCode::from(error.exit_code())
        }
    }
}

fn obey(arguments: impl Iterator<Item = OsString>) -> Result<(), CommandError> {
    let arguments: Vec<_> = arguments.collect();
    let of_customer = arguments.get(1).is_some_and(|command| command == "client");
    let command_line = match CommandLine::try_parse_from(&arguments) {
        Ok(command_line) => command_line,
        Err(answer) if !answer.use_stderr() => {
            // --help and --version.
            stdout::keep(answer.print().and_then(|()| std::io::stdout().flush()));
            return Ok(());
        }
        Err(refusal) if of_customer => return Err(client::refuse(&arguments, &refusal).into()),
        Err(refusal) => {
            return Err(CommandError::Usage(in_one_line(&refusal.render().to_string())));
        }
    };
    match command_line.command {
        None => consortium::run(&command_line.consortium),
        Some(Command::Node(arguments)) => node::run(&arguments),
        Some(Command::Bench(arguments)) => bench::run(&arguments),
        Some(Command::Certs(arguments)) => certs::run(&arguments),
        Some(Command::Check(arguments)) => check::run(&arguments),
        Some(Command::Client(arguments)) => Ok(client::run(&arguments)?),
        Some(Command::Compact(arguments)) => compact::run(&arguments),
        Some(Command::MoveStore(arguments)) => move_store::run(&arguments),
        Some(Command::Archive(arguments)) => archive::run(&arguments),
        Some(Command::Audit(arguments)) => audit::run(&arguments),
        Some(Command::Rescue(arguments)) => rescue::run(&arguments),
        Some(Command::Completion(arguments)) => {
            shell::complete(CommandLine::command(), &arguments);
            Ok(())
        }
        Some(Command::Manual(arguments)) => shell::explain(CommandLine::command(), &arguments),
    }
}

/// What clap says before its usage text, joined from several lines into one.
fn in_one_line(rendered: &str) -> String {
    let said: Vec<_> =
        rendered.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let said = said.join(" ");
    format!("{} (see netbanking --help)", said.strip_prefix("error: ").unwrap_or(&said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::BankId;
    use crate::store::{Owner, SqliteStore};

    fn parse(arguments: &[&str]) -> Result<CommandLine, String> {
        let arguments = ["netbanking"].iter().chain(arguments);
        CommandLine::try_parse_from(arguments)
            .map_err(|refusal| in_one_line(&refusal.render().to_string()))
    }

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn without_a_command_the_consortium_runs() {
        assert!(parse(&[]).unwrap().command.is_none());
        assert!(parse(&["--data", "x", "--nodes", "y"]).unwrap().command.is_none());
        assert!(
            parse(&["--data", "x", "check"]).is_err(),
            "the consortium's options mean nothing to a command"
        );
    }

    #[test]
    fn a_refusal_is_one_line() {
        assert_eq!(
            parse(&["node", "--bank", "x", "--data", "d"]).unwrap_err(),
            "invalid value 'x' for '--bank <N>': invalid digit found in string (see netbanking --help)"
        );
        let missing = parse(&["node"]).unwrap_err();
        assert!(missing.contains("--bank <N> --data <DIR>"), "{missing}");
        assert!(!missing.contains('\n'), "{missing}");
    }

    #[test]
    fn what_a_person_must_correct_exits_with_2() {
        let exit_code = |arguments: &[&str]| {
            let arguments = ["netbanking"].iter().chain(arguments);
            obey(arguments.map(OsString::from)).map_or_else(|error| error.exit_code(), |()| 0)
        };
        assert_eq!(exit_code(&["--nodes", "/nowhere/nodes.json"]), 2);
        assert_eq!(exit_code(&["bench", "--nodes", "/nowhere/nodes.json"]), 2);
        assert_eq!(exit_code(&["fly"]), 2);
        for command in ["audit", "compact", "rescue"] {
            let nodes = concat!(env!("CARGO_MANIFEST_DIR"), "/nodes.json");
            let exit_code = |bank: &str| {
                exit_code(&[command, "--bank", bank, "--nodes", nodes, "--data", "/nowhere/at/all"])
            };
            assert_eq!((exit_code("0"), exit_code("3")), (2, 2), "no folder, no bank");
        }
        assert_eq!(exit_code(&["check", "--url", "http://127.0.0.1:1"]), 1);
    }

    #[test]
    fn a_data_folder_of_another_bank_is_a_mistake_in_the_command_line() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Owner { bank: BankId(1), banks: 3 };
        drop(SqliteStore::open(folder.path(), owner).unwrap());
        let nodes = concat!(env!("CARGO_MANIFEST_DIR"), "/nodes.json");
        let data = folder.path().to_str().unwrap();
        let error = obey(
            ["netbanking", "compact", "--bank", "0", "--nodes", nodes, "--data", data]
                .map(OsString::from)
                .into_iter(),
        )
        .unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
        assert!(error.to_string().contains("the journal of bank 1"), "{error}");
    }
}
