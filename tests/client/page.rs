//! The commands of `docs/client.md`, run as printed.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cluster::Cluster;
use crate::program::Machine;

/// Stands on the line before the fenced block of commands.
const MARK: &str = "<!-- client -->";
/// The programs that the commands need.
const PROGRAMS: [&str; 3] = ["bash", "jq", "shuf"];

#[actix_rt::test]
async fn the_commands_of_the_page_for_customers_work_as_printed_and_again() {
    for program in PROGRAMS {
        let found = Command::new(program).arg("--version").output();
        assert!(
            found.is_ok(),
            "THE COMMANDS OF docs/client.md NEED {program}, WHICH IS NOT INSTALLED"
        );
    }
    let (_, after) =
        include_str!("../../docs/client.md").split_once(&format!("{MARK}\n```bash\n")).unwrap();
    let (commands, _) = after.split_once("\n```\n").unwrap();
    let cluster = Cluster::start(3, "sessions").await;
    let machine = Machine::of(&cluster);
    let script = machine.file("commands.sh", &format!("set -euo pipefail\n{commands}\n"));
    let banks: Vec<_> = (0..3).map(|bank| cluster.url(bank, "")).collect();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_netbanking"));
    let path =
        format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    for _ in 0..2 {
        let mut bash = Command::new("bash");
        bash.arg(&script).current_dir(machine.home()).env_clear().envs(machine.environment());
        bash.env("PATH", &path)
            .env("NETBANKING_CLIENT_BANKS", banks.join(","))
            .stdin(Stdio::null());
        let ran = bash.output().unwrap();
        let (said, complained) =
            (String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap());
        // The document is drawn at random.
        let remarked = |line: &str| line.contains("dígitos verificadores");
        assert!(
            ran.status.success() && complained.lines().all(remarked),
            "{}\n{said}\n{complained}",
            ran.status
        );
        let sent: Value = said.lines().find_map(|line| serde_json::from_str(line).ok()).unwrap();
        let again = format!(
            "executado com sucesso (posição {} na ordem comum)",
            sent["answer"]["position"]
        );
        assert!(said.contains(&again), "the same key gets the same answer:\n{said}");
        assert!(said.contains("R$ 1.299,50") && said.contains("Sessão encerrada."), "{said}");
    }
}
