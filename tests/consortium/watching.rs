//! What it costs a bank when many people watch it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::cluster::Cluster;

/// How many pages are open at one bank.
const PAGES: usize = 100;
/// How often the load is measured with and without them, one after the other.
const ROUNDS: usize = 4;
/// The share of the throughput that the pages may cost.
const COST_MAX: f64 = 0.10;

/// Open consortium pages: connections on which somebody reads everything that comes.
struct Pages {
    open: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
    reader: std::thread::JoinHandle<()>,
}

impl Pages {
    fn open(cluster: &Cluster, bank: usize) -> Pages {
        let address = SocketAddr::from(([127, 0, 0, 1], cluster.ports(bank).0));
        let mut streams: Vec<_> = (0..PAGES)
            .map(|_| {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(b"GET /consorcio/eventos HTTP/1.1\r\nhost: bank\r\n\r\n").unwrap();
                stream.set_nonblocking(true).unwrap();
                stream
            })
            .collect();
        let (open, bytes) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
        let (reads_on, counted) = (Arc::clone(&open), Arc::clone(&bytes));
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 256 * 1024];
            while reads_on.load(Ordering::Relaxed) {
                for stream in &mut streams {
                    if let Ok(read) = stream.read(&mut buffer) {
                        counted.fetch_add(read as u64, Ordering::Relaxed);
                    }
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        Pages { open, bytes, reader }
    }

    /// Closes all of them; returns how many bytes came.
    fn close(self) -> u64 {
        self.open.store(false, Ordering::Relaxed);
        self.reader.join().unwrap();
        self.bytes.load(Ordering::Relaxed)
    }
}

fn packages_per_second(cluster: &Cluster, seconds: u32) -> f64 {
    let output = Command::new(env!("CARGO_BIN_EXE_netbanking"))
        .args(["bench", "--json", "--warmup", "1", "--seconds", &seconds.to_string(), "--nodes"])
        .arg(cluster.nodes_json())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["packages_per_second"].as_f64().unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[actix_rt::test]
#[ignore = "a measurement: `cargo test --release --test consortium -- --ignored --nocapture a_hundred_open_pages`"]
async fn a_hundred_open_pages_cost_less_than_a_tenth_of_the_throughput() {
    let cluster = Cluster::start(3, "sessions").await;
    let seconds =
        std::env::var("NETBANKING_MEASURE_SECONDS").map_or(6, |text| text.parse().unwrap());
    packages_per_second(&cluster, 2);
    let mut shares = Vec::new();
    for round in 1..=ROUNDS {
        let alone = packages_per_second(&cluster, seconds);
        let pages = Pages::open(&cluster, 0);
        let watched = packages_per_second(&cluster, seconds);
        let bytes = pages.close();
        assert!(bytes > PAGES as u64 * 10_000, "nobody was told anything: {bytes} bytes");
        println!(
            "round {round}: {alone:.0} packages/s alone, {watched:.0} with {PAGES} pages open, {bytes} bytes sent"
        );
        shares.push(watched / alone);
    }
    let share = median(shares);
    println!("with {PAGES} pages open: {:.1} % of the throughput", 100.0 * share);
    assert!(share > 1.0 - COST_MAX);
}

#[actix_rt::test]
async fn a_reader_that_never_reads_holds_up_nobody_and_a_stopping_bank_waits_for_no_reader() {
    let cluster = Cluster::start(1, "sessions").await;
    let address = SocketAddr::from(([127, 0, 0, 1], cluster.ports(0).0));
    let mut asleep = TcpStream::connect(address).unwrap();
    asleep.write_all(b"GET /consorcio/eventos HTTP/1.1\r\nhost: bank\r\n\r\n").unwrap();
    assert!(packages_per_second(&cluster, 1) > 0.0);
    let before = std::time::Instant::now();
    assert!(cluster.terminate(0));
    assert!(before.elapsed() < Duration::from_secs(15), "{:?}", before.elapsed());
}
