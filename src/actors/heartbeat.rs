//! Owns the heartbeat monitor: asks every peer for a sign of life over a connection kept open, and answers theirs.
//!
//! It lives on a thread of its own, so that work elsewhere delays no ping. What it answers comes from the view's
//! actor, so that a node that hangs is noticed although its kernel still accepts connections. One JSON text a line:
//!
//! ```text
//! ▶ {"bank":0,"secret":"…","protocol":2,"consortium":"<fingerprint of nodes.json>"}
//! ◀ {"welcome":true}                                   or {"refused":"…"} and the end
//! ▶ {"ping":17}
//! ◀ {"pong":17,"wall_ms":1795651200000,"active":{"round":3,"coordinator":0},"promised":{…},…,"hears":[0,1,2]}
//! ```

use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::laboratory::{self, Laboratory};
use super::routes::{Post, Wire};
use super::time::{Monotonic, TICK_MS, unix_ms};
use super::view::{Report, ViewActor};
use crate::config::HeartbeatTimes;
use crate::protocol::effect::{Answered, HeartbeatInput, PeerReport};
use crate::protocol::heartbeat::{Heartbeat, Patience};
use crate::protocol::ids::BankId;
use crate::wire::PROTOCOL_VERSION;

/// Longest line that is read, in bytes.
const LINE_BYTES_MAX: u64 = 4_096;
/// How soon a refused connection is tried again, in milliseconds, unless pings come more often.
const RETRY_MS: u64 = 200;

/// Who the node is and whom it listens for.
#[derive(Clone)]
pub struct Introduction {
    /// This bank.
    pub me: BankId,
    /// What peers prove themselves with.
    pub secret: String,
    /// Tells whether both read the same `nodes.json`.
    pub consortium: String,
}

/// A peer's heartbeat port.
#[derive(Clone)]
pub struct PeerAddress {
    /// The peer.
    pub bank: BankId,
    /// Host and port.
    pub address: String,
}

/// The actor around [`Heartbeat`].
pub struct HeartbeatActor {
    introduction: Introduction,
    times: HeartbeatTimes,
    peers: Vec<PeerAddress>,
    heartbeat: Heartbeat,
    time: Monotonic,
    laboratory: Option<Laboratory>,
    post: Post,
}

impl HeartbeatActor {
    /// A monitor that begins once it is wired.
    #[must_use]
    pub fn new(
        introduction: Introduction,
        times: HeartbeatTimes,
        peers: Vec<PeerAddress>,
        time: Monotonic,
        laboratory: Option<Laboratory>,
    ) -> Self {
        let patience = Patience { failure_after: times.failure_after_ms, rejoin_after: times.rejoin_after_ms };
        let heartbeat = Heartbeat::new(peers.len() + 1, patience);
        HeartbeatActor { introduction, times, peers, heartbeat, time, laboratory, post: Post::default() }
    }
}

impl Actor for HeartbeatActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let tick = |_: &mut Self, context: &mut Self::Context| context.address().do_send(HeartbeatInput::Tick);
        context.run_interval(Duration::from_millis(TICK_MS), tick);
    }
}

impl Message for HeartbeatInput {
    type Result = ();
}

impl Handler<Wire> for HeartbeatActor {
    type Result = ();

    fn handle(&mut self, Wire(routes): Wire, context: &mut Self::Context) {
        self.post.wire(routes);
        for peer in self.peers.clone() {
            let laboratory = self.laboratory.clone();
            actix_rt::spawn(watch(peer, self.introduction.clone(), self.times, context.address(), laboratory));
        }
    }
}

impl Handler<HeartbeatInput> for HeartbeatActor {
    type Result = ();

    fn handle(&mut self, input: HeartbeatInput, _: &mut Self::Context) {
        self.heartbeat.handle(input, self.time.now(), &mut self.post.out);
        self.post.deliver();
    }
}

#[derive(Serialize, Deserialize)]
struct Hello {
    bank: BankId,
    secret: String,
    protocol: u32,
    consortium: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Welcome {
    Welcome(bool),
    Refused(String),
}

#[derive(Serialize, Deserialize)]
struct Ping {
    ping: u64,
}

#[derive(Serialize, Deserialize)]
struct Pong {
    pong: u64,
    /// What this bank's wall clock says, in Unix milliseconds.
    wall_ms: i64,
    #[serde(flatten)]
    report: PeerReport,
}

type Lines = BufReader<TcpStream>;

async fn say<T: Serialize>(lines: &mut Lines, value: &T) -> std::io::Result<()> {
    let mut text = serde_json::to_vec(value).map_err(std::io::Error::other)?;
    text.push(b'\n');
    lines.get_mut().write_all(&text).await
}

/// The next line; an end of the connection, a line too long and one that does not parse are all errors.
async fn hear<T: serde::de::DeserializeOwned>(lines: &mut Lines) -> std::io::Result<T> {
    let mut text = Vec::new();
    lines.take(LINE_BYTES_MAX).read_until(b'\n', &mut text).await?;
    if text.last() != Some(&b'\n') {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    serde_json::from_slice(&text).map_err(std::io::Error::other)
}

/// Keeps asking one peer for a sign of life.
async fn watch(
    peer: PeerAddress,
    introduction: Introduction,
    times: HeartbeatTimes,
    monitor: Addr<HeartbeatActor>,
    laboratory: Option<Laboratory>,
) {
    let mut said = String::new();
    loop {
        let ended = tokio::select! {
            biased;
            () = laboratory::cut(&laboratory, peer.bank) => Ok(laboratory::CUT.to_owned()),
            ended = converse(&peer, &introduction, times, &monitor) => ended,
        };
        let why = ended.unwrap_or_else(|error| error.to_string());
        monitor.do_send(HeartbeatInput::Lost(peer.bank));
        if why != said {
            log::info!("banco {}: sem batimento do banco {} em {}: {why}", introduction.me, peer.bank, peer.address);
            said = why;
        }
        actix_rt::time::sleep(Duration::from_millis(times.interval_ms.min(RETRY_MS))).await;
    }
}

/// One connection's life; answers why the peer refused it.
async fn converse(
    peer: &PeerAddress,
    introduction: &Introduction,
    times: HeartbeatTimes,
    monitor: &Addr<HeartbeatActor>,
) -> std::io::Result<String> {
    let patience = Duration::from_millis(times.failure_after_ms);
    let stream = actix_rt::time::timeout(patience, TcpStream::connect(&peer.address)).await??;
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream);
    let hello = Hello {
        bank: introduction.me,
        secret: introduction.secret.clone(),
        protocol: PROTOCOL_VERSION,
        consortium: introduction.consortium.clone(),
    };
    say(&mut lines, &hello).await?;
    if let Welcome::Refused(why) = actix_rt::time::timeout(patience, hear(&mut lines)).await?? {
        return Ok(why);
    }
    for ping in 0.. {
        let asked = Instant::now();
        say(&mut lines, &Ping { ping }).await?;
        let pong: Pong = actix_rt::time::timeout(patience, hear(&mut lines)).await??;
        if pong.pong != ping {
            break;
        }
        let round_trip = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
        let answered = Answered { round_trip, wall_ms: pong.wall_ms };
        monitor.do_send(HeartbeatInput::Heard(peer.bank, pong.report, answered));
        // While the peer is in no view things change fast.
        let pause_ms = if pong.report.active.is_some() { times.interval_ms } else { times.interval_ms.min(RETRY_MS) };
        actix_rt::time::sleep(Duration::from_millis(pause_ms)).await;
    }
    Ok("resposta fora de ordem".into())
}

/// Answers the pings of all peers, for as long as the node lives.
pub async fn answer_pings(
    listener: TcpListener,
    introduction: Introduction,
    banks: usize,
    view: Addr<ViewActor>,
    laboratory: Option<Laboratory>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (introduction, view, laboratory) = (introduction.clone(), view.clone(), laboratory.clone());
                actix_rt::spawn(async move {
                    // However a connection ends, the peer makes a new one.
                    let _ = answer_peer(stream, &introduction, banks, &view, &laboratory).await;
                });
            }
            Err(error) => {
                log::warn!("banco {}: porta de batimento: {error}", introduction.me);
                actix_rt::time::sleep(Duration::from_millis(RETRY_MS)).await;
            }
        }
    }
}

async fn answer_peer(
    stream: TcpStream,
    introduction: &Introduction,
    banks: usize,
    view: &Addr<ViewActor>,
    laboratory: &Option<Laboratory>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream);
    let hello: Hello = hear(&mut lines).await?;
    if let Some(why) = why_refused(&hello, introduction, banks) {
        log::warn!("banco {}: batimento do banco {} recusado: {why}", introduction.me, hello.bank);
        return say(&mut lines, &Welcome::Refused(why)).await;
    }
    say(&mut lines, &Welcome::Welcome(true)).await?;
    tokio::select! {
        biased;
        () = laboratory::cut(laboratory, hello.bank) => Ok(()),
        ended = answer_each(&mut lines, view) => ended,
    }
}

async fn answer_each(lines: &mut Lines, view: &Addr<ViewActor>) -> std::io::Result<()> {
    loop {
        let Ping { ping } = hear(lines).await?;
        let report = view.send(Report).await.map_err(std::io::Error::other)?;
        say(lines, &Pong { pong: ping, wall_ms: unix_ms(), report }).await?;
    }
}

fn why_refused(hello: &Hello, introduction: &Introduction, banks: usize) -> Option<String> {
    if !bool::from(hello.secret.as_bytes().ct_eq(introduction.secret.as_bytes())) {
        Some("segredo errado".into())
    } else if hello.protocol != PROTOCOL_VERSION {
        Some(format!("versão {} do protocolo; aqui fala-se a {PROTOCOL_VERSION}", hello.protocol))
    } else if hello.consortium != introduction.consortium {
        Some("nodes.json diferente".into())
    } else if hello.bank.index() >= banks || hello.bank == introduction.me {
        Some(format!("banco {} não é um par", hello.bank))
    } else {
        None
    }
}
