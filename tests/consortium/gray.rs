//! Banks that are alive enough to be counted and too ill to work must stop nobody.

use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::Cluster;
use crate::customer::Customer;

/// A process that sleeps 4.2 of every 4.5 seconds, until this is dropped.
struct Limp {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Limp {
    fn of(cluster: &Cluster, bank: usize) -> Limp {
        let id = cluster.process_id(bank).to_string();
        let signal = move |signal: &str| _ = Command::new("kill").args([signal, &id]).status();
        let (end, ends) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            for (is, millis) in [("-STOP", 4_200), ("-CONT", 300)].into_iter().cycle() {
                signal(is);
                if ends.recv_timeout(Duration::from_millis(millis)) != Err(RecvTimeoutError::Timeout) {
                    return signal("-CONT");
                }
            }
        });
        Limp { end: Some(end), thread: Some(thread) }
    }
}

impl Drop for Limp {
    fn drop(&mut self) {
        drop(self.end.take());
        self.thread.take().into_iter().for_each(|thread| thread.join().unwrap());
    }
}

#[actix_rt::test]
async fn a_bank_that_limps_is_left_out_within_ten_seconds_and_comes_back_when_it_is_well() {
    let cluster = Cluster::prepare(3, "sessions").with_default_times();
    cluster.start_all().await;
    let customer = Customer::register(&cluster, "silvia77", 9).await;
    let account = customer.open(&cluster, 0, 50.0).await;
    let limp = Limp::of(&cluster, 2);
    let began = Instant::now();
    for number in 0.. {
        let asked = began.elapsed();
        if asked >= Duration::from_secs(25) {
            break;
        }
        let deposit = json!({"type": "DEPOSIT", "value": 1, "sender": account.number});
        let package = json!({"0": {account.number.to_string(): {"package": [deposit]}}}).to_string();
        let answer = customer.operate(&cluster, 0, &package, &format!("k{number}")).await;
        if asked >= Duration::from_secs(10) {
            let answer = answer.unwrap();
            assert_eq!(answer.status, 200, "{answer:?} after {asked:?}");
            let took = began.elapsed() - asked;
            assert!(took < Duration::from_secs(2), "{took:?} after {asked:?}");
        }
    }
    assert!(cluster.log(0).contains("banco 2 saiu do consórcio (lento: "), "{}", cluster.log(0));
    cluster.wait_members(&[0, 1]).await;
    drop(limp);
    cluster.wait_members(&[0, 1, 2]).await;
    cluster.assert_same_everywhere().await;
}

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
