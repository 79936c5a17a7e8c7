//! `netbanking completion` and `netbanking manual`: what a shell and its reader want to know of the
//! commands, written from the commands themselves, so that it is never out of date.

use clap::{Args, Command};
use clap_complete::Shell;

use super::{CommandError, stdout};

/// What `netbanking completion` is told.
#[derive(Debug, Args)]
pub(super) struct CompletionArgs {
    /// For which shell
    shell: Shell,
}

/// What `netbanking manual` is told.
#[derive(Debug, Args)]
pub(super) struct ManualArgs {
    /// Of which command, such as `client pay`; of the whole program if none is named
    #[arg(value_name = "COMMAND")]
    path: Vec<String>,
}

/// Prints a script that makes the shell complete commands and options.
pub(super) fn complete(program: Command, arguments: &CompletionArgs) {
    stdout::put(&script(program, arguments.shell));
}

fn script(mut program: Command, shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, "netbanking", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Prints a page for `man`.
pub(super) fn explain(program: Command, arguments: &ManualArgs) -> Result<(), CommandError> {
    page(program, &arguments.path).map(|page| stdout::put(&page))
}

fn page(mut program: Command, path: &[String]) -> Result<String, CommandError> {
    // Commands of commands learn their whole name, and the options that count for all.
    program.build();
    let mut command = &program;
    for name in path {
        command = command.find_subcommand(name).ok_or_else(|| {
            let path = path.join(" ");
            CommandError::Usage(format!("there is no command `{path}` (see netbanking --help)"))
        })?;
    }
    let title = std::iter::once("netbanking").chain(path.iter().map(String::as_str));
    let title = title.collect::<Vec<_>>().join("-");
    let mut page = Vec::new();
    let manual = clap_mangen::Man::new(command.clone()).title(title);
    manual.render(&mut page).expect("a vector takes everything");
    Ok(String::from_utf8_lossy(&page).into_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::CommandLine;

    #[test]
    fn every_shell_completes_commands_of_commands_and_their_options() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(CommandLine::command(), shell);
            for word in ["client", "schedules", "cancel", "completion"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn every_command_has_a_manual_page_and_nothing_else_has_one() {
        let of = |path: &str| {
            let path: Vec<_> = path.split_whitespace().map(str::to_owned).collect();
            page(CommandLine::command(), &path)
        };
        let client = of("client").unwrap();
        assert!(client.contains(".TH netbanking-client") && client.contains("favourites"));
        assert!(of("client pay").unwrap().contains("message"));
        assert!(of("").unwrap().contains("rescue"));
        assert!(of("fly").is_err() && of("client fly").is_err());
    }
}
