//! What the heartbeat port withstands: connections that say nothing, fall silent, come again and
//! again, or belong to no peer.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use netbanking::config::{Config, Settings};
use netbanking::wire::PROTOCOL_VERSION;
use serde_json::json;

use crate::cluster::Cluster;
use crate::processes::bank::SECRET;

/// The silence after which a peer is given up, where a test waits for that.
const SOON: Duration = Duration::from_millis(500);
/// The same for tests in which nobody is to be given up, however busy the machine is.
const LATE: Duration = Duration::from_secs(30);
/// How long a new connection may take to introduce itself.
const HELLO_WAIT: Duration = Duration::from_secs(3);

/// One bank of two, which gives up a peer after `failure_after` of silence; the other one is played
/// by the test.
fn bank(failure_after: Duration) -> Cluster {
    let cluster = Cluster::prepare(2, "sessions");
    cluster.change_nodes_json(&cluster.nodes_json(), |config| {
        let failure_after = failure_after.as_millis() as u64;
        config["heartbeat"] =
            json!({"interval_ms": 100, "failure_after_ms": failure_after, "rejoin_after_ms": 0});
    });
    cluster.start_bank(0);
    cluster
}

async fn connect(cluster: &Cluster) -> TcpStream {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match TcpStream::connect(("127.0.0.1", cluster.ports(0).1)) {
            Ok(stream) => {
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                return stream;
            }
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        actix_rt::time::sleep(Duration::from_millis(10)).await;
    }
}

fn hello(cluster: &Cluster, secret: &str) -> String {
    let settings = Settings::of(&Config::load(&cluster.nodes_json()).unwrap());
    json!({"bank": 1, "secret": secret, "protocol": PROTOCOL_VERSION, "settings": settings})
        .to_string()
}

/// Sends a line and returns the next one received; empty at the end of the connection.
fn exchange(stream: &mut BufReader<TcpStream>, line: &str) -> String {
    stream.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_line(&mut answer).unwrap();
    answer
}

async fn introduced(cluster: &Cluster) -> BufReader<TcpStream> {
    let mut stream = BufReader::new(connect(cluster).await);
    assert_eq!(exchange(&mut stream, &hello(cluster, SECRET)), "{\"welcome\":true}\n");
    assert!(exchange(&mut stream, r#"{"ping":7}"#).starts_with("{\"pong\":7,"));
    stream
}

/// Waits for the end of a connection.
fn ends(stream: &mut impl Read) -> bool {
    match stream.read(&mut [0; 64]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// Whether a connection is over already.
fn has_ended(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let ended = ends(&mut &*stream);
    stream.set_nonblocking(false).unwrap();
    ended
}

#[actix_rt::test]
async fn a_connection_that_says_nothing_or_falls_silent_ends() {
    let cluster = bank(SOON);
    let mut mute = connect(&cluster).await;
    let connected = Instant::now();
    let mut silent = introduced(&cluster).await;
    let heard = Instant::now();
    assert!(ends(&mut silent));
    assert!(heard.elapsed() >= SOON, "{:?}", heard.elapsed());
    assert!(ends(&mut mute));
    assert!(connected.elapsed() >= HELLO_WAIT / 2, "{:?}", connected.elapsed());
}

#[actix_rt::test]
async fn a_peer_that_connects_again_and_again_keeps_only_its_newest_connections() {
    let cluster = bank(LATE);
    let mut older = introduced(&cluster).await;
    let mut newest = Vec::new();
    for _ in 0..5 {
        newest = vec![introduced(&cluster).await];
    }
    // A read waits for less than the silence would last.
    assert!(ends(&mut older), "it does not end for those that came later");
    assert!(exchange(&mut newest[0], r#"{"ping":8}"#).starts_with("{\"pong\":8,"));
}

#[actix_rt::test]
async fn a_crowd_of_silent_connections_keeps_no_peer_out() {
    let cluster = bank(LATE);
    let mut peer = introduced(&cluster).await;
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(connect(&cluster).await);
    }
    assert!(exchange(&mut peer, r#"{"ping":8}"#).starts_with("{\"pong\":8,"));
    introduced(&cluster).await;
    let still_there = crowd.iter().filter(|stream| !has_ended(stream)).count();
    assert!(still_there <= 128, "{still_there} of 300 strangers are still there");
}

#[actix_rt::test]
async fn wrong_introductions_are_logged_once_each() {
    let cluster = bank(LATE);
    for _ in 0..30 {
        let mut stream = BufReader::new(connect(&cluster).await);
        assert_eq!(
            exchange(&mut stream, &hello(&cluster, "wrong")),
            "{\"refused\":\"wrong secret\"}\n"
        );
        let mut stream = BufReader::new(connect(&cluster).await);
        assert_eq!(exchange(&mut stream, "GET / HTTP/1.1"), "");
        let mut stream = BufReader::new(connect(&cluster).await);
        let other = hello(&cluster, SECRET).replace("\"sessions\"", "\"open\"");
        let refusal = r#"customer_auth differs: \"open\" at bank 1, \"sessions\" at bank 0"#;
        assert_eq!(exchange(&mut stream, &other), format!("{{\"refused\":\"{refusal}\"}}\n"));
    }
    for what in [
        "refused: wrong secret",
        "refused: its introduction cannot be understood",
        "refused: customer_auth differs",
    ] {
        let log = cluster.log(0);
        assert_eq!(log.lines().filter(|line| line.contains(what)).count(), 1, "{log}");
    }
}
