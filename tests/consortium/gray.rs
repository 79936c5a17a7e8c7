//! Banks that are alive enough to be counted and too ill to work must stop nobody.

use std::process::{Command, Stdio};

use crate::cluster::Cluster;
use crate::customer::Customer;

/// A pipe that is full and that nobody reads.
fn unread_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    // As much as a pipe of Linux holds.
    let fill = ["if=/dev/zero", "bs=4096", "count=16", "status=none"];
    assert!(Command::new("dd").args(fill).stdout(writer.try_clone().unwrap()).status().unwrap().success());
    (reader, writer)
}

#[actix_rt::test]
async fn a_log_that_nobody_reads_stops_nobody_not_even_the_bank_that_writes_it() {
    let cluster = Cluster::prepare(3, "sessions");
    let (reader, writer) = unread_pipe();
    cluster.start_bank(0);
    cluster.start_bank(1);
    cluster.start_bank_that_logs_to(2, writer);
    cluster.wait_ready().await;
    let customer = Customer::register(&cluster, "silvia77", 9).await;
    for bank in [0, 1, 2, 2] {
        customer.open(&cluster, bank, 50.0).await;
    }
    cluster.assert_same_everywhere().await;
    cluster.wait_members(&[0, 1, 2]).await;
    assert!(cluster.terminate(2), "it ends although its last words are not read");
    drop(reader);
}

#[actix_rt::test]
async fn a_supervisor_whose_lines_nobody_reads_goes_on_reading_those_of_its_banks() {
    let cluster = Cluster::prepare(3, "sessions");
    let (reader, writer) = unread_pipe();
    let mut supervisor = Command::new(env!("CARGO_BIN_EXE_netbanking"))
        .arg("--nodes")
        .arg(cluster.nodes_json())
        .arg("--data")
        .arg(cluster.data(0).with_file_name("dados"))
        .stdin(Stdio::null())
        .stderr(writer)
        .spawn()
        .unwrap();
    cluster.wait_banks_ready(&[0, 1, 2]).await;
    let customer = Customer::register(&cluster, "silvia77", 9).await;
    for bank in 0..3 {
        customer.open(&cluster, bank, 50.0).await;
    }
    assert!(Command::new("kill").args(["-TERM", &supervisor.id().to_string()]).status().unwrap().success());
    assert!(supervisor.wait().unwrap().success());
    drop(reader);
}
