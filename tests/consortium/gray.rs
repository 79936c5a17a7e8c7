//! Banks that are alive enough to be counted but too ill to work must not stop the others.

use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::cluster::Cluster;
use crate::customer::{Answer, Customer, OwnAccount};
use crate::processes::signal;
use crate::slow_calls::SlowCalls;

/// A process that sleeps 4.2 of every 4.5 seconds, until this is dropped.
struct Limp {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Limp {
    fn of(cluster: &Cluster, bank: usize) -> Limp {
        let id = cluster.process_id(bank);
        let (end, ends) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            for (is, millis) in [("-STOP", 4_200), ("-CONT", 300)].into_iter().cycle() {
                signal(is, &[id]);
                if ends.recv_timeout(Duration::from_millis(millis))
                    != Err(RecvTimeoutError::Timeout)
                {
                    signal("-CONT", &[id]);
                    return;
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

/// How soon the others take writes again after a bank has fallen ill, with default times.
const WRITES_AGAIN_WITHIN: Duration = Duration::from_secs(10);
/// Longest that one of their writes may take from then on.
const WRITE_MAX: Duration = Duration::from_secs(2);

/// A deposit: when it was sent, as time since the start, how long it took, and its answer.
type Deposit = (Duration, Duration, Result<Answer, String>);

/// A consortium of three with default times, and a customer with an account at bank 0. Bank 2 is
/// the one that falls ill.
struct Scene {
    cluster: Cluster,
    customer: Customer,
    account: OwnAccount,
}

impl Scene {
    async fn begins() -> Scene {
        let cluster = Cluster::prepare(3, "sessions").with_default_times();
        cluster.start_all().await;
        let customer = Customer::register(&cluster, "silvia77", 9).await;
        let account = customer.open(&cluster, 0, 50.0).await;
        Scene { cluster, customer, account }
    }

    fn ill_process(&self) -> u32 {
        self.cluster.process_id(2)
    }

    /// Deposits of eight clients at the banks that are well, each one after the other, for the
    /// given time.
    async fn deposits(&self, lasts: Duration) -> Vec<Deposit> {
        join_all((0..8).map(|client| self.deposits_of(client, lasts))).await.concat()
    }

    async fn deposits_of(&self, client: usize, lasts: Duration) -> Vec<Deposit> {
        let began = Instant::now();
        let mut deposits = Vec::new();
        while began.elapsed() < lasts {
            let asked = began.elapsed();
            let deposit = json!({"type": "DEPOSIT", "value": 1, "sender": self.account.number});
            let package =
                json!({"0": {self.account.number.to_string(): {"package": [deposit]}}}).to_string();
            let key = format!("{client}-{}", deposits.len());
            let answer = self.customer.operate(&self.cluster, client % 2, &package, &key).await;
            let answer = answer.map_err(|error| error.to_string());
            deposits.push((asked, began.elapsed() - asked, answer));
        }
        deposits
    }

    /// Bank 2 is ill from now on: the others take writes again in time and go on, and say why it is
    /// left out.
    async fn goes_on_without_the_ill(&self, lasts: Duration) {
        for (asked, took, answer) in self.deposits(lasts).await {
            if asked >= WRITES_AGAIN_WITHIN {
                let answer = answer.unwrap();
                assert_eq!(answer.status, 200, "{answer:?} after {asked:?}");
                assert!(took < WRITE_MAX, "{took:?} after {asked:?}");
            }
        }
        // Whoever wants it out says why; on a busy machine, one that sleeps most of the time may be
        // silent for so long that this is the reason.
        let reasons = ["slow: ", "no answer for "];
        let says = |log: &String| {
            reasons.iter().any(|why| log.contains(&format!("bank 2 left the consortium ({why}")))
        };
        let logs = [0, 1].map(|bank| self.cluster.log(bank));
        assert!(logs.iter().any(says), "{logs:?}");
        self.cluster.wait_members(&[0, 1]).await;
    }

    /// Bank 2 is well again.
    async fn is_whole_again(&self) {
        self.cluster.wait_members(&[0, 1, 2]).await;
        self.cluster.assert_same_everywhere().await;
    }
}

#[actix_rt::test]
async fn a_bank_that_limps_is_left_out_within_ten_seconds_and_comes_back_when_it_is_well() {
    let scene = Scene::begins().await;
    let limp = Limp::of(&scene.cluster, 2);
    scene.goes_on_without_the_ill(Duration::from_secs(25)).await;
    drop(limp);
    scene.is_whole_again().await;
}

#[actix_rt::test]
async fn a_bank_with_a_two_second_fsync_is_left_out_within_ten_seconds_and_comes_back() {
    let scene = Scene::begins().await;
    let slow = SlowCalls::fsyncs(scene.ill_process(), Duration::from_secs(2));
    scene.goes_on_without_the_ill(Duration::from_secs(20)).await;
    drop(slow);
    scene.is_whole_again().await;
}

#[actix_rt::test]
async fn a_bank_with_a_stuck_ledger_is_left_out_within_ten_seconds_and_comes_back() {
    let scene = Scene::begins().await;
    let stuck = SlowCalls::stuck_thread(scene.ill_process(), "ledger");
    scene.goes_on_without_the_ill(Duration::from_secs(15)).await;
    let http = scene.customer.http.client();
    let ready = http.get(scene.cluster.url(2, "/ready")).send().await.unwrap().status();
    assert_eq!(ready, 503);
    drop(stuck);
    scene.is_whole_again().await;
}

#[actix_rt::test]
async fn a_bank_whose_disk_needs_a_fifth_of_a_second_is_named_and_stays_in() {
    let scene = Scene::begins().await;
    let slow = SlowCalls::fsyncs(scene.ill_process(), Duration::from_millis(200));
    for (asked, took, answer) in scene.deposits(Duration::from_secs(20)).await {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200, "{answer:?} after {asked:?}");
        assert!(took < WRITE_MAX, "{took:?} after {asked:?}");
    }
    scene
        .cluster
        .wait_log(0, "bank 2 is slow: the others have been waiting for it alone to write")
        .await;
    scene.cluster.wait_members(&[0, 1, 2]).await;
    let log = scene.cluster.log(0);
    assert!(!log.contains("bank 2 left the consortium"), "{log}");
    drop(slow);
    scene.cluster.wait_log(0, "bank 2 keeps up again").await;
    scene.cluster.assert_same_everywhere().await;
}

/// A pipe that is full and that nobody reads.
fn unread_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    // As much as a pipe holds on Linux.
    let fill = ["if=/dev/zero", "bs=4096", "count=16", "status=none"];
    assert!(
        Command::new("dd")
            .args(fill)
            .stdout(writer.try_clone().unwrap())
            .status()
            .unwrap()
            .success()
    );
    (reader, writer)
}

#[actix_rt::test]
async fn a_log_that_nobody_reads_stops_no_bank_not_even_the_one_that_writes_it() {
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
async fn a_supervisor_whose_output_nobody_reads_goes_on_reading_its_banks_output() {
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
    assert!(signal("-TERM", &[supervisor.id()]));
    assert!(supervisor.wait().unwrap().success());
    drop(reader);
}
