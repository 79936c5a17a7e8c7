//! Owns the heartbeat monitor: asks every peer for a sign of life over a connection kept open, and
//! answers theirs.
//!
//! It lives on a thread of its own, so that work elsewhere does not delay pings. The content of its
//! answers comes from the view's actor, so that a node that hangs is noticed although its kernel
//! still accepts connections. For a read that wants to be proved fresh all banks are asked at once;
//! while a question is under way, further reads gather for the next one. One JSON text per line:
//!
//! ```text
//! ▶ {"bank":0,"secret":"…","protocol":2,"settings":{"check_digits":false,…}}
//! ◀ {"welcome":true}                                   or {"refused":"…"} and the end
//! ▶ {"ping":17}
//! ◀ {"pong":17,"wall_ms":1795651200000,"active":{"round":3,"coordinator":0},"promised":{…},…,"hears":[0,1,2],
//!    "health":{"fsync_ms":3,"slept_ms":100,"behind_ms":0}}
//! ```
//!
//! This file is the asking side. `answers` is the other one, `door` says who may be connected
//! there, `lines` what travels, and `proofs` holds the reads that wait for their proof.

mod answers;
mod door;
mod lines;
mod proofs;

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, MessageResult};
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::sync::watch;

pub(crate) use self::answers::Answering;
pub use self::answers::answer_pings;
use self::door::{Repeats, in_one_line};
use self::lines::{HELLO_BYTES_MAX, Hello, LINE_BYTES_MAX, Lines, Ping, Pong, Welcome, hear, say};
pub(crate) use self::proofs::Prove;
use self::proofs::{Acts, Proofs, ask_myself};
use super::laboratory::{self, Laboratory};
use super::routes::{Post, Wire};
use super::time::{Monotonic, TICK_MS, unix_ms};
use crate::config::{HeartbeatTimes, Settings};
use crate::ids::BankId;
use crate::protocol::confirmation::{ConfirmationInput, ReadNumber};
use crate::protocol::consortium_time::{ClockState, ConsortiumTime};
use crate::protocol::effect::HeartbeatInput;
use crate::protocol::health::Health;
use crate::protocol::heartbeat::{Heartbeat, Patience};
use crate::protocol::pace::PaceNow;
use crate::protocol::report::{Answered, PeerReport};
use crate::tls::{Credentials, Proof, Transport};
use crate::wire::PROTOCOL_VERSION;

/// How soon a refused connection is tried again, in milliseconds, unless pings are more frequent.
const RETRY_MS: u64 = 200;

/// How the node introduces itself to its peers.
#[derive(Clone)]
pub struct Introduction {
    /// This bank.
    pub me: BankId,
    /// What banks prove themselves with.
    pub credentials: Credentials,
    /// The settings that must be the same on both sides.
    pub settings: Settings,
}

/// A peer's heartbeat port.
#[derive(Clone)]
pub struct PeerAddress {
    /// The peer.
    pub bank: BankId,
    /// Host and port.
    pub address: String,
}

/// The actor around [`Heartbeat`], and around the proofs of reads.
pub struct HeartbeatActor {
    introduction: Introduction,
    times: HeartbeatTimes,
    peers: Vec<PeerAddress>,
    heartbeat: Heartbeat,
    proofs: Proofs,
    consortium_time: ConsortiumTime,
    time: Monotonic,
    transport: Rc<Transport>,
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
        let patience = Patience {
            failure_after: times.failure_after_ms,
            rejoin_after: times.rejoin_after_ms,
            // In a laboratory slow motion is not a sign of ill health.
            slow_after: if laboratory.is_some() {
                times.slow_after_ms.max(times.failure_after_ms)
            } else {
                times.slow_after_ms
            },
        };
        let heartbeat = Heartbeat::new(introduction.me, peers.len() + 1, patience);
        let transport = Rc::new(introduction.credentials.transport.clone());
        let proofs = Proofs::new(introduction.me, peers.len() + 1);
        let consortium_time = ConsortiumTime::new(introduction.me, peers.len() + 1);
        HeartbeatActor {
            introduction,
            times,
            peers,
            heartbeat,
            consortium_time,
            proofs,
            time,
            transport,
            laboratory,
            post: Post::default(),
        }
    }
}

impl Actor for HeartbeatActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let tick = |_: &mut Self, context: &mut Self::Context| {
            context.address().do_send(HeartbeatInput::Tick)
        };
        context.run_interval(Duration::from_millis(TICK_MS), tick);
    }
}

impl Message for HeartbeatInput {
    type Result = ();
}

impl Handler<Wire> for HeartbeatActor {
    type Result = ();

    fn handle(&mut self, Wire(routes): Wire, context: &mut Self::Context) {
        let asked = self.proofs.asked();
        actix_rt::spawn(ask_myself(
            self.introduction.me,
            routes.ledger.clone(),
            context.address(),
            asked,
        ));
        self.post.wire(routes);
        for peer in self.peers.clone() {
            let laboratory = self.laboratory.clone();
            let asking = Asking {
                peer,
                introduction: self.introduction.clone(),
                times: self.times,
                monitor: context.address(),
                reads: self.proofs.asked(),
                transport: Rc::clone(&self.transport),
                time: self.time,
            };
            actix_rt::spawn(asking.watch(laboratory));
        }
    }
}

impl Handler<HeartbeatInput> for HeartbeatActor {
    type Result = ();

    fn handle(&mut self, input: HeartbeatInput, _: &mut Self::Context) {
        let of_proofs = match &input {
            HeartbeatInput::Lost(bank) => Some(ConfirmationInput::Lost(*bank)),
            HeartbeatInput::Tick => Some(ConfirmationInput::Tick),
            _ => None,
        };
        let now = self.time.now();
        if matches!(input, HeartbeatInput::Tick) {
            let own = HeartbeatInput::OwnClock { wall_ms: unix_ms(), at: now };
            self.consortium_time.handle(own, now, &mut self.post.out);
        }
        // What the clocks say is passed on before who answers.
        self.consortium_time.handle(input.clone(), now, &mut self.post.out);
        self.heartbeat.handle(input, now, &mut self.post.out);
        self.post.deliver();
        if let Some(input) = of_proofs {
            self.proofs.confirm(input, self.time.now());
        }
    }
}

/// Asks what time it is in the consortium, and what is known of each bank's clock.
#[derive(Message)]
#[rtype(result = "ConsortiumClock")]
pub(crate) struct ClocksStatus;

/// Consortium time and the clocks that it rests on.
pub(crate) struct ConsortiumClock {
    /// In Unix milliseconds; `None` until a clock has been read.
    pub now_ms: Option<i64>,
    /// Per bank.
    pub clocks: Vec<ClockState>,
}

impl Handler<ClocksStatus> for HeartbeatActor {
    type Result = MessageResult<ClocksStatus>;

    fn handle(&mut self, _: ClocksStatus, _: &mut Self::Context) -> Self::Result {
        let now_ms = self.consortium_time.now_ms(self.time.now());
        MessageResult(ConsortiumClock { now_ms, clocks: self.consortium_time.states() })
    }
}

/// Asks for this bank's own health.
#[derive(Message)]
#[rtype(result = "Health")]
pub(crate) struct OwnHealth;

impl Handler<OwnHealth> for HeartbeatActor {
    type Result = MessageResult<OwnHealth>;

    fn handle(&mut self, _: OwnHealth, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.heartbeat.health(self.time.now()))
    }
}

/// Asks how well each bank keeps up, this one included.
#[derive(Message)]
#[rtype(result = "Vec<PaceNow>")]
pub(crate) struct Paces;

impl Handler<Paces> for HeartbeatActor {
    type Result = Vec<PaceNow>;

    fn handle(&mut self, _: Paces, _: &mut Self::Context) -> Vec<PaceNow> {
        BankId::all(self.peers.len() + 1).map(|bank| self.heartbeat.pace(bank)).collect()
    }
}

/// What asking one peer takes.
struct Asking {
    peer: PeerAddress,
    introduction: Introduction,
    times: HeartbeatTimes,
    monitor: Addr<HeartbeatActor>,
    /// The number of the last read that waits for its proof.
    reads: watch::Receiver<ReadNumber>,
    transport: Rc<Transport>,
    time: Monotonic,
}

impl Asking {
    /// Keeps asking for a sign of life.
    async fn watch(mut self, laboratory: Option<Laboratory>) {
        let mut said = Repeats::default();
        loop {
            let began = self.time.now();
            let ended = tokio::select! {
                biased;
                () = laboratory::cut(&laboratory, self.peer.bank) => Ok(laboratory::CUT.to_owned()),
                ended = self.converse() => ended,
            };
            self.monitor.do_send(HeartbeatInput::Lost(self.peer.bank));
            let now = self.time.now();
            said.forget_after(began, now);
            let why = in_one_line(&ended.unwrap_or_else(|error| error.to_string()));
            if let Some(repeated) = said.say(None, &why, now) {
                let PeerAddress { bank, address } = &self.peer;
                log::info!(
                    "bank {}: no heartbeat from bank {bank} at {address}: {why}{repeated}",
                    self.introduction.me
                );
            }
            actix_rt::time::sleep(Duration::from_millis(self.times.interval_ms.min(RETRY_MS)))
                .await;
        }
    }

    /// Runs one connection to its end; returns why the peer refused it.
    async fn converse(&mut self) -> std::io::Result<String> {
        let patience = Duration::from_millis(self.times.failure_after_ms);
        let stream =
            actix_rt::time::timeout(patience, TcpStream::connect(&self.peer.address)).await??;
        stream.set_nodelay(true)?;
        let calling = self.transport.call(self.peer.bank, stream);
        let mut lines = BufReader::new(actix_rt::time::timeout(patience, calling).await??);
        if let Welcome::Refused(why) =
            actix_rt::time::timeout(patience, self.introduce(&mut lines)).await??
        {
            return Ok(why);
        }
        let proof = Proof::shown_on(lines.get_ref());
        let mut told = None;
        for ping in 0.. {
            if proof.as_ref().is_some_and(|proof| !proof.holds(&self.transport)) {
                return Ok("its certificate does not hold any more".into());
            }
            let (asked, through) = (self.time.now(), *self.reads.borrow_and_update());
            say(&mut lines, &Ping { ping }).await?;
            let pong: Pong =
                actix_rt::time::timeout(patience, hear(&mut lines, LINE_BYTES_MAX)).await??;
            if pong.pong != ping {
                break;
            }
            let at = self.time.now();
            let round_trip = at - asked;
            let (bank, active) = (self.peer.bank, pong.report.active);
            self.monitor.do_send(Acts(ConfirmationInput::Answered {
                bank,
                through,
                active,
                round_trip,
            }));
            // While the peer is in no view things change fast.
            let interval_ms = self.times.interval_ms;
            let pause = Duration::from_millis(if active.is_some() {
                interval_ms
            } else {
                interval_ms.min(RETRY_MS)
            });
            if is_news(&mut told, pong.report, pause) {
                let answered = Answered { round_trip, wall_ms: pong.wall_ms, at };
                self.monitor.do_send(HeartbeatInput::Heard(bank, pong.report, answered));
            }
            tokio::select! {
                changed = self.reads.changed() => changed.map_err(std::io::Error::other)?,
                () = actix_rt::time::sleep(pause) => {}
            }
        }
        Ok("an answer out of order".into())
    }

    async fn introduce(&self, lines: &mut Lines) -> std::io::Result<Welcome> {
        let Introduction { me, credentials, settings } = self.introduction.clone();
        let secret = credentials.secret;
        say(lines, &Hello { bank: me, secret, protocol: PROTOCOL_VERSION, settings }).await?;
        hear(lines, HELLO_BYTES_MAX).await
    }
}

/// However often reads ask, a sign of life is passed on only about as often as without them, but at
/// once when it says something new.
fn is_news(told: &mut Option<(Instant, PeerReport)>, report: PeerReport, pause: Duration) -> bool {
    let is_old = told.is_some_and(|(when, before)| before == report && when.elapsed() < pause / 2);
    if !is_old {
        *told = Some((Instant::now(), report));
    }
    !is_old
}
