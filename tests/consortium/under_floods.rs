//! What other customers notice of a flood, and what it takes of a bank's memory and disk. It prints
//! what it measured; run it as
//! `cargo test --release --test consortium under_floods -- --ignored --nocapture`; with
//! `FLOOD=logins` before it, only the floods with that in their names; with `PROGRAM=FILE`, another
//! build of `netbanking`.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_rt::time::sleep;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::customer::{Customer, OwnAccount};
use crate::floods::{on_disk, resident_kib};

/// Where the floods come from, each from another address; the other customers are at none of them.
const ATTACKERS: [u8; 4] = [127, 0, 1, 0];
/// How long writes are measured without a flood, and under one.
const MEASURED: Duration = Duration::from_secs(8);
/// How long a flood goes on before anything is measured.
const SETTLING: Duration = Duration::from_secs(2);
/// Between two writes of a customer.
const PAUSE: Duration = Duration::from_millis(50);
/// What a write may take under a flood, against the quiet.
const SLOWER_MAX: u32 = 10;
/// What the quiet is taken for where it is quicker: a machine with two cores that also runs the
/// flood cannot do better.
const QUIET_MIN: Duration = Duration::from_millis(10);
/// The longest that a customer's writes may stop.
const STOP_MAX: Duration = Duration::from_secs(2);
const MEMORY_KIB_MAX: u64 = 256 * 1_024;
/// How long one of the flood's requests is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What each of the flood's connections does, over and over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Asks and reads the answer.
    Asks,
    /// Asks and leaves.
    Leaves,
    /// Says this much, and then nothing more.
    Stays,
    /// Says this much, and then goes on for as long as anybody listens, whatever is answered.
    Pours,
}

#[derive(Clone)]
pub(crate) struct Flood {
    name: &'static str,
    manner: Manner,
    connections: usize,
    /// The last byte of its address.
    from: u8,
    /// At the heartbeat port rather than at the customers'.
    heartbeat: bool,
    said: Vec<u8>,
}

/// What the flood has been answered.
#[derive(Default)]
struct Answered {
    done: AtomicU64,
    refused: AtomicU64,
}

/// A flood that goes on until it is dropped.
pub(crate) struct Flowing {
    over: Arc<AtomicBool>,
    answered: Arc<Answered>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Flood {
    pub(crate) fn begin(&self, cluster: &Cluster) -> Flowing {
        let (http, heartbeat) = cluster.ports(0);
        let port = if self.heartbeat { heartbeat } else { http };
        let to = SocketAddr::from(([127, 0, 0, 1], port));
        let over = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(Answered::default());
        let (manner, connections) = (self.manner, self.connections);
        let [one, two, three, _] = ATTACKERS;
        let from = SocketAddr::from(([one, two, three, self.from], 0));
        let said: Arc<[u8]> = self.said.clone().into();
        let (ends, counts) = (Arc::clone(&over), Arc::clone(&answered));
        let thread = std::thread::spawn(move || {
            let yields = less_urgent();
            assert!(yields, "the flood's thread cannot be made less urgent");
            let many = async {
                let one = |_| {
                    let (said, over, counts) =
                        (Arc::clone(&said), Arc::clone(&ends), Arc::clone(&counts));
                    actix_rt::spawn(async move {
                        while !over.load(Ordering::Relaxed) {
                            let _ =
                                timeout(PATIENCE, once((from, to), manner, &said, &over, &counts))
                                    .await;
                        }
                    })
                };
                futures_util::future::join_all((0..connections).map(one)).await;
            };
            actix_rt::Runtime::new().unwrap().block_on(many);
        });
        Flowing { over, answered, thread: Some(thread) }
    }
}

impl Flowing {
    /// How many answers it has had.
    pub(crate) fn answers(&self) -> u64 {
        let Answered { done, refused } = &*self.answered;
        done.load(Ordering::Relaxed) + refused.load(Ordering::Relaxed)
    }
}

impl Drop for Flowing {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(std::thread::JoinHandle::join);
        assert!(ended.is_none_or(|ended| ended.is_ok()), "the flood broke off");
    }
}

/// Lets the banks and their customers run first: a flood comes from other machines.
fn less_urgent() -> bool {
    let thread = std::fs::read_link("/proc/thread-self").unwrap();
    let thread = thread.file_name().unwrap().to_str().unwrap().to_owned();
    Command::new("renice").args(["-n", "10", "-p", &thread]).output().unwrap().status.success()
}

async fn once(
    (from, to): (SocketAddr, SocketAddr),
    manner: Manner,
    said: &[u8],
    over: &AtomicBool,
    counts: &Answered,
) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(from)?;
    let mut stream: TcpStream = match socket.connect(to).await {
        Ok(stream) => stream,
        Err(error) => {
            sleep(Duration::from_millis(10)).await;
            return Err(error);
        }
    };
    let sent = stream.write_all(said).await;
    match manner {
        Manner::Leaves => return Ok(()),
        Manner::Asks => {}
        Manner::Pours => {
            let more = [b' '; 64 * 1_024];
            while !over.load(Ordering::Relaxed) {
                stream.write_all(&more).await?;
            }
            return Ok(());
        }
        Manner::Stays => {
            while !over.load(Ordering::Relaxed) {
                sleep(Duration::from_millis(200)).await;
            }
            return Ok(());
        }
    }
    // Who has been refused half way has an answer too.
    let mut answer = [0; 16 * 1_024];
    let mut first = true;
    loop {
        let bytes = stream.read(&mut answer).await?;
        if bytes == 0 {
            return sent;
        }
        if first {
            let count =
                if answer.starts_with(b"HTTP/1.1 2") { &counts.done } else { &counts.refused };
            count.fetch_add(1, Ordering::Relaxed);
            first = false;
        }
    }
}

/// A customer who pays in a centavo at a bank again and again.
struct Writer {
    customer: Customer,
    account: OwnAccount,
    written: u64,
}

impl Writer {
    /// How long each write took, until the time is over. One that fails counts as a stop.
    async fn write(&mut self, cluster: &Cluster, during: Duration) -> Vec<Duration> {
        let (bank, number) = (self.account.bank, self.account.number);
        let package = json!({bank.to_string(): {number.to_string(): {"package": [
            {"type": "DEPOSIT", "value": 0.01, "sender": number}]}}})
        .to_string();
        let began = Instant::now();
        let mut taken = Vec::new();
        while began.elapsed() < during {
            self.written += 1;
            let key = format!("{bank}/{}", self.written);
            let asked = Instant::now();
            let answer = self.customer.operate(cluster, bank, &package, &key).await;
            let is_done = answer.as_ref().is_ok_and(|answer| answer.status == 200);
            if !is_done {
                println!("a customer of bank {bank} is not served: {answer:?}");
            }
            taken.push(if is_done { asked.elapsed() } else { STOP_MAX + asked.elapsed() });
            sleep(PAUSE).await;
        }
        taken
    }
}

/// What part of the writes took at most this.
fn quantile(taken: &mut [Duration], per_mille: usize) -> Duration {
    taken.sort();
    taken[(taken.len() - 1) * per_mille / 1_000]
}

async fn measured(cluster: &Cluster, writers: &mut [Writer], during: Duration) -> Vec<Duration> {
    let all = writers.iter_mut().map(|writer| writer.write(cluster, during));
    futures_util::future::join_all(all).await.concat()
}

pub(crate) fn request(head: &str, headers: &str, body: &str) -> Vec<u8> {
    let length =
        if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    format!("{head} HTTP/1.1\r\nhost: bank\r\nconnection: close\r\n{headers}{length}\r\n{body}")
        .into()
}

pub(crate) fn flood(
    name: &'static str,
    manner: Manner,
    connections: usize,
    said: Vec<u8>,
) -> Flood {
    Flood { name, manner, connections, from: 0, heartbeat: false, said }
}

/// A customer with a long account, and what they and strangers can do with it.
async fn floods(cluster: &Cluster) -> Vec<Flood> {
    [of_a_customer(cluster).await, of_strangers()].concat()
}

async fn of_a_customer(cluster: &Cluster) -> Vec<Flood> {
    let mad = Customer::register(cluster, "mallory", 7).await;
    let number = mad.open(cluster, 0, 50.0).await.number;
    let deposit = json!({"type": "DEPOSIT", "value": 0.01, "sender": number});
    let package = |operations: usize| {
        json!({"0": {number.to_string(): {"package": vec![deposit.clone(); operations]}}})
            .to_string()
    };
    for turn in 0..8 {
        let answer =
            mad.operate(cluster, 0, &package(1_000), &format!("long/{turn}")).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let token = &mad.tokens[0];
    let bearer = format!("authorization: Bearer {token}\r\n");
    let cookie = format!("cookie: netbanking-0={token}\r\n");
    let form = format!("{cookie}content-type: application/x-www-form-urlencoded\r\n");
    let basket = format!("chave=k&acao=adicionar{}", format!("&op=D.0.{number}.1").repeat(16_375));
    let refused = package(1_000).replacen("DEPOSIT", "WITHDRAW", 999);
    let broken = package(1_000).replace("]}}}", ",0]}}}");
    let page = |path: &str| request(&format!("GET /contas/0-{number}{path}"), &cookie, "");
    let entries = request(&format!("GET /get_account/{number}?limit=1000"), &bearer, "");
    vec![
        flood("statements", Manner::Asks, 600, page("?tipo=DEPOSIT&busca=nada")),
        flood("pages of entries", Manner::Asks, 600, entries),
        flood("abandoned exports", Manner::Leaves, 600, page("/extrato.csv")),
        flood("statements on paper", Manner::Asks, 600, page("/extrato.pdf")),
        flood("baskets", Manner::Asks, 64, request("POST /pacote", &form, &basket)),
        flood("refused packages", Manner::Asks, 64, request("POST /operations", &bearer, &refused)),
        flood("broken packages", Manner::Asks, 64, request("POST /operations", &bearer, &broken)),
        flood("guessed keys", Manner::Asks, 256, request("GET /pix/0:nobody", &bearer, "")),
    ]
}

fn of_strangers() -> Vec<Flood> {
    let login = request("POST /login", "", r#"{"user_name":"ninguem","password":"12345678"}"#);
    let unfinished = request("POST /entrar", "content-length: 262144\r\n", "");
    let unfinished = [unfinished, vec![b' '; 250_000]].concat();
    let endless = request("POST /login", "content-length: 1000000000000\r\n", "");
    let piece = request("POST /login", "transfer-encoding: chunked\r\n", "");
    let piece = [piece, b"fffffff\r\n".into()].concat();
    let past = request("GET /consorcio/estado?ate=1000000", "", "");
    let history = request("GET /consorcio/shiviz.log", "", "");
    let stream = request("GET /consorcio/eventos", "", "");
    let heartbeat = |name, manner, connections, said| Flood {
        heartbeat: true,
        ..flood(name, manner, connections, said)
    };
    vec![
        flood("abandoned logins", Manner::Leaves, 1_000, login.clone()),
        flood("logins", Manner::Asks, 1_000, login),
        flood("unfinished bodies", Manner::Stays, 1_000, unfinished),
        flood("poured bodies", Manner::Pours, 256, endless),
        flood("poured pieces", Manner::Pours, 256, piece),
        flood("states of the past", Manner::Asks, 600, past),
        flood("histories", Manner::Asks, 600, history),
        flood("streams", Manner::Asks, 512, stream),
        heartbeat("silence at the heartbeat port", Manner::Stays, 1_000, Vec::new()),
        heartbeat("wrong hellos", Manner::Asks, 256, b"{\"bank\": 77}\n".to_vec()),
    ]
}

#[actix_rt::test]
#[ignore = "three minutes, and means something in a release build on a quiet machine only"]
async fn no_flood_from_one_address_stops_other_customers() {
    netbanking::machine::raise_descriptors();
    let mut cluster = Cluster::prepare(3, "sessions");
    if let Ok(program) = std::env::var("PROGRAM") {
        cluster.set_program(program.into());
    }
    cluster.change_nodes_json(&cluster.nodes_json(), |config| {
        config["limits"] = json!({"loopback": true});
    });
    cluster.start_all().await;
    let mut writers = Vec::new();
    for bank in 0..cluster.banks() {
        let number = u32::try_from(bank).unwrap() + 20;
        let customer = Customer::register(&cluster, &format!("writer{bank}"), number).await;
        let account = customer.open(&cluster, bank, 50.0).await;
        writers.push(Writer { customer, account, written: 0 });
    }
    let mut floods = floods(&cluster).await;
    let wanted = std::env::var("FLOOD").unwrap_or_default();
    floods.retain(|flood| flood.name.contains(&wanted));
    (1..).zip(&mut floods).for_each(|(from, flood)| flood.from = from);
    measured(&cluster, &mut writers, SETTLING).await;
    println!(
        "{:<30} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10} {:>10} {:>12}",
        "flood",
        "quiet p99",
        "p50",
        "p99",
        "longest",
        "answered",
        "refused",
        "memory KiB",
        "disk B"
    );
    let mut broken = Vec::new();
    for flood in &floods {
        let mut quiet = measured(&cluster, &mut writers, MEASURED).await;
        let quiet = quantile(&mut quiet, 990);
        let (memory, disk) = (resident_kib(cluster.process_id(0)), on_disk(&cluster, 0));
        let flowing = flood.begin(&cluster);
        sleep(SETTLING).await;
        let mut taken = measured(&cluster, &mut writers, MEASURED).await;
        let grown = resident_kib(cluster.process_id(0)).saturating_sub(memory);
        let written = on_disk(&cluster, 0).saturating_sub(disk);
        let answered = Arc::clone(&flowing.answered);
        drop(flowing);
        let (p50, p99, longest) =
            (quantile(&mut taken, 500), quantile(&mut taken, 990), quantile(&mut taken, 1_000));
        println!(
            "{:<30} {quiet:>9.1?} {p50:>9.1?} {p99:>9.1?} {longest:>9.1?} {:>9} {:>10} {grown:>10} {written:>12}",
            flood.name,
            answered.done.load(Ordering::Relaxed),
            answered.refused.load(Ordering::Relaxed)
        );
        if p99 > SLOWER_MAX * quiet.max(QUIET_MIN) || longest > STOP_MAX || grown > MEMORY_KIB_MAX {
            broken.push(flood.name);
        }
    }
    cluster.assert_same_everywhere().await;
    assert!(broken.is_empty(), "held up by {broken:?}");
}
