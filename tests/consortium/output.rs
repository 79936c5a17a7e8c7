//! A command's answer is written, or the exit code says that it was not.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use crate::cluster::Cluster;

/// Runs a command whose standard output is a full disk; returns its exit code and standard error.
fn on_a_full_disk(arguments: &[&str]) -> (Option<i32>, String) {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_netbanking"));
    command.args(arguments).stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[actix_rt::test]
async fn a_command_that_finds_no_space_for_its_answer_says_so_and_fails() {
    let cluster = Cluster::start(1, "open").await;
    let url = cluster.url(0, "");
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["node", "--help"],
        &["client", "--help"],
        &[
            "bench",
            "--url",
            &url,
            "--clients",
            "1",
            "--seconds",
            "1",
            "--warmup",
            "0",
            "--accounts",
            "2",
        ],
        &[
            "bench",
            "--url",
            &url,
            "--clients",
            "1",
            "--seconds",
            "1",
            "--warmup",
            "0",
            "--accounts",
            "2",
            "--json",
        ],
    ] {
        let (code, said) = on_a_full_disk(arguments);
        assert_eq!(code, Some(4), "{arguments:?}: {said}");
        assert!(
            said.contains("could not be written to standard output: No space left"),
            "{arguments:?}: {said}"
        );
    }
    for arguments in
        [&["client", "banks", "--bank", &url][..], &["client", "banks", "--json", "--bank", &url]]
    {
        let (code, said) = on_a_full_disk(arguments);
        assert_eq!(code, Some(4), "{arguments:?}: {said}");
        assert!(said.contains("a resposta não pôde ser escrita"), "{arguments:?}: {said}");
    }
    assert!(cluster.terminate(0));
    let (data, nodes) = (cluster.data(0), cluster.nodes_json());
    let (data, nodes) = (data.to_str().unwrap(), nodes.to_str().unwrap());
    for command in [&["rescue"][..], &["compact"], &["rescue", "--yes"]] {
        let (code, said) =
            on_a_full_disk(&[command, &["--bank", "0", "--nodes", nodes, "--data", data]].concat());
        assert_eq!(code, Some(4), "{command:?}: {said}");
        assert!(said.contains("What was done remains done"), "{command:?}: {said}");
    }
}

#[test]
fn a_reader_that_has_gone_is_not_a_failure() {
    let (read, write) = std::io::pipe().unwrap();
    drop(read);
    let mut command = Command::new(env!("CARGO_BIN_EXE_netbanking"));
    let status = command.arg("--help").stdin(Stdio::null()).stdout(write).status().unwrap();
    assert!(status.success(), "{status}");
}
