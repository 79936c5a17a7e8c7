//! Owns the outbox for one peer, the connection on which its contents leave, and the connection on
//! which the peer's contents come. This actor awaits the network, so that nothing else has to.
//!
//! Envelopes travel as frames of a WebSocket that stays open, one per direction: `outgoing` and
//! `incoming`. Messages about views, and the requirement's messages for a peer that knows no such
//! connection, are requests of their own.

mod incoming;
mod outgoing;

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, Handler, Message};
use actix_rt::task::JoinHandle;
use awc::error::SendRequestError;
use awc::http::header::{AUTHORIZATION, CONTENT_TYPE};
use awc::ws::Message as Frame;

pub(crate) use self::incoming::Accepted;
use self::incoming::Incoming;
use self::outgoing::Outgoing;
use super::laboratory::{Laboratory, Passage};
use super::routes::{Post, Wire};
use super::time::Monotonic;
use crate::ids::BankId;
use crate::protocol::effect::{Effect, PeerInput};
use crate::protocol::line::ANSWER_WITHIN_MS;
use crate::protocol::outbox::{Delivery, Outbox, SingleMessage, Transmission};
use crate::protocol::time::Millis;
use crate::protocol::view::{Bulk, ViewMessage};
use crate::tls::Credentials;
use crate::wire::{self, BANK_HEADER, EnvelopeOut, STREAM_PATH};

/// How long a large answer to a bank that is catching up may take: this long,
const BULK_WITHIN_MS: u64 = 5_000;
/// plus a millisecond for this many bytes, so that any line that carries bytes at all will do.
const BULK_BYTES_PER_MS: u64 = 2;
/// Connections kept open to one peer: for envelopes, and for some messages about views.
const CONNECTIONS: usize = 8;

impl Message for PeerInput {
    type Result = ();
}

/// Who calls whom.
#[derive(Clone)]
pub struct Line {
    /// This bank.
    pub me: BankId,
    /// The peer.
    pub peer: BankId,
    /// The peer's base URL, without a slash at the end.
    pub url: String,
    /// What banks prove themselves with.
    pub credentials: Credentials,
}

/// The actor around [`Outbox`].
pub struct PeerLinkActor {
    line: Line,
    client: awc::Client,
    /// For large answers, which must hold up nothing else; one is in flight at a time.
    bulk: awc::Client,
    bulk_under_way: Option<BulkUnderWay>,
    /// How many large answers have been sent.
    bulks: u64,
    /// The connection to the peer, while there is one or one is being opened.
    outgoing: Option<Outgoing>,
    /// Where the peer's frames go; known once this actor is wired.
    incoming: Option<Incoming>,
    /// Reads the connection that the peer opened last.
    reading: Option<JoinHandle<()>>,
    post: Post,
    outbox: Outbox,
    time: Monotonic,
    laboratory: Option<Laboratory>,
    pump_is_queued: bool,
    /// When the link is going to look again, whatever comes until then.
    wakes_at: Option<Millis>,
}

impl PeerLinkActor {
    /// A link that is silent until a view begins. Call it on the arbiter that will run it.
    #[must_use]
    pub fn new(line: Line, time: Monotonic, laboratory: Option<Laboratory>) -> Self {
        let client = |connections, within_ms| {
            let within = Duration::from_millis(within_ms);
            wire::client_of_peer(line.peer, &line.credentials.transport, connections, within)
        };
        let (client, bulk) = (client(CONNECTIONS, ANSWER_WITHIN_MS), client(1, BULK_WITHIN_MS));
        let outbox = Outbox::new(line.me, line.peer);
        let post = Post::default();
        PeerLinkActor {
            line,
            client,
            bulk,
            bulk_under_way: None,
            bulks: 0,
            outgoing: None,
            incoming: None,
            reading: None,
            post,
            outbox,
            time,
            laboratory,
            pump_is_queued: false,
            wakes_at: None,
        }
    }

    /// Sends once everything in the mailbox has been taken in, so that it travels together.
    fn queue_pump(&mut self, context: &mut Context<Self>) {
        if !std::mem::replace(&mut self.pump_is_queued, true) {
            context.address().do_send(Pump);
        }
    }

    /// Looks again when something must leave later, unless it is going to look earlier anyway.
    fn wake_later(&mut self, now: Millis, context: &mut Context<Self>) {
        let at = self.outbox.wake_at().filter(|at| *at > now);
        let Some(at) = at.filter(|at| self.wakes_at.is_none_or(|earlier| *at < earlier)) else {
            return;
        };
        self.wakes_at = Some(at);
        context.run_later(Duration::from_millis(at - now), |link, context| {
            link.wakes_at = None;
            link.queue_pump(context);
        });
    }

    fn report(&mut self) {
        self.post.out.extend(self.outbox.reports().map(Effect::Heartbeat));
        self.post.deliver();
    }

    fn request(&self, client: &awc::Client, path: &str) -> awc::ClientRequest {
        client
            .post(format!("{}{path}", self.line.url))
            .insert_header((AUTHORIZATION, format!("Bearer {}", self.line.credentials.secret)))
            .insert_header((BANK_HEADER, self.line.me.to_string()))
            .insert_header((CONTENT_TYPE, "application/json"))
    }

    fn passage(&self) -> Passage {
        let laboratory = self.laboratory.as_ref();
        laboratory.map_or(Passage::Free, |laboratory| laboratory.passage(self.line.peer))
    }

    fn transmit(&mut self, transmission: Transmission, context: &mut Context<Self>) {
        match transmission {
            Transmission::Open(line) => {
                if self.passage() == Passage::Closed {
                    return context.address().do_send(Delivered(Delivery::Ended(line)));
                }
                let request = self
                    .client
                    .ws(format!("{}{STREAM_PATH}", self.line.url))
                    .header(AUTHORIZATION, format!("Bearer {}", self.line.credentials.secret))
                    .header(BANK_HEADER, self.line.me.to_string());
                self.outgoing = Some(Outgoing::open(line, request, context.address()));
            }
            Transmission::Frame(line, parcel) => {
                let text = json(&EnvelopeOut::new(self.line.me, &parcel));
                self.send(line, Frame::Text(text.into()), context);
            }
            Transmission::Probe { line, frames } => {
                self.send(line, Frame::Ping(frames.to_string().into()), context);
            }
            Transmission::Close(_) => self.outgoing = None,
            Transmission::Single(era, message) => self.send_single(era, &message, context),
        }
    }

    fn send(&mut self, line: u64, frame: Frame, context: &mut Context<Self>) {
        let Some(outgoing) = self.outgoing.as_ref().filter(|outgoing| outgoing.line == line) else {
            return;
        };
        match self.passage() {
            Passage::Free => outgoing.send(frame, None),
            Passage::Slow(delay) => outgoing.send(frame, Some(delay)),
            Passage::Closed => {
                self.outgoing = None;
                context.address().do_send(Delivered(Delivery::Ended(line)));
            }
        }
    }

    fn send_single(&self, era: u64, message: &SingleMessage, context: &mut Context<Self>) {
        let (path, body) = match message {
            SingleMessage::Event(event) => ("/receive-message".to_owned(), json(&event)),
            SingleMessage::Ack(id) => (format!("/receiver_ack/{id}"), String::new()),
            SingleMessage::OwnCheck(id, check) => {
                let body = serde_json::json!({"code": check.code, "descript": check.descript});
                (format!("/init_check_queue/{id}"), body.to_string())
            }
            SingleMessage::PeerCheck(id, check) => {
                let body = serde_json::json!({"code": check.code, "descript": check.descript, "msg": "ONE_QUEUE"});
                (format!("/receiver_one_queue/{id}"), body.to_string())
            }
        };
        let sending = self.request(&self.client, &path).send_body(body);
        let link = context.address();
        let passage = self.passage();
        actix_rt::spawn(async move {
            match passage {
                Passage::Free => {}
                Passage::Slow(delay) => actix_rt::time::sleep(delay).await,
                Passage::Closed => {
                    return link.do_send(Delivered(Delivery::Failed { era, arrived: true }));
                }
            }
            link.do_send(Delivered(match sending.await {
                Ok(mut response) => {
                    // Every body is read; otherwise the connection cannot serve the next request.
                    let _ = response.body().await;
                    match response.status() {
                        status if status.is_success() => Delivery::Taken(era),
                        _ => Delivery::Failed { era, arrived: true },
                    }
                }
                Err(_) => Delivery::Failed { era, arrived: false },
            }));
        });
    }

    fn send_view(&mut self, message: &ViewMessage, context: &mut Context<Self>) {
        if self.laboratory.as_ref().is_some_and(|laboratory| laboratory.is_cut(self.line.peer)) {
            return;
        }
        if let Some(bulk) = message.bulk() {
            return self.send_bulk(bulk, message, context);
        }
        let sending = self.request(&self.client, "/peer/view").send_body(json(message));
        let link = context.address();
        // The view repeats what is not answered; a failure only tells how requests fare.
        actix_rt::spawn(async move {
            let began = Instant::now();
            let response = sending.await;
            link.do_send(Fared { arrived: response.is_ok(), began });
            if let Ok(mut response) = response {
                let _ = response.body().await;
            }
        });
    }

    fn send_bulk(&mut self, bulk: Bulk, message: &ViewMessage, context: &mut Context<Self>) {
        // A peer that asks the same again has the answer on the line already. One that asks for
        // something else, or for less, has received it or no longer waits for it: a line that was
        // cut, or a process that was restarted, must not keep the next answer waiting for as long
        // as a slow line may take.
        if self.bulk_under_way.as_ref().is_some_and(|under_way| under_way.bulk == bulk) {
            return;
        }
        if let Some(useless) = self.bulk_under_way.take() {
            useless.sending.abort();
        }
        let body = json(message);
        let within = BULK_WITHIN_MS + body.len() as u64 / BULK_BYTES_PER_MS;
        let request = self.request(&self.bulk, "/peer/view").timeout(Duration::from_millis(within));
        let sending = request.send_body(body);
        let link = context.address();
        self.bulks += 1;
        let number = self.bulks;
        let sending = actix_rt::spawn(async move {
            let began = Instant::now();
            match sending.await {
                Ok(mut response) => {
                    let _ = response.body().await;
                }
                // A narrow line says nothing about whether requests arrive.
                Err(SendRequestError::Timeout) => {}
                Err(_) => link.do_send(Fared { arrived: false, began }),
            }
            link.do_send(BulkEnded(number));
        });
        self.bulk_under_way = Some(BulkUnderWay { bulk, number, sending });
    }
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("the protocol's types are JSON")
}

/// A large answer on its way.
struct BulkUnderWay {
    bulk: Bulk,
    number: u64,
    sending: JoinHandle<()>,
}

impl Actor for PeerLinkActor {
    type Context = Context<Self>;
}

impl Handler<Wire> for PeerLinkActor {
    type Result = ();

    fn handle(&mut self, Wire(routes): Wire, _: &mut Self::Context) {
        self.incoming = Some(Incoming {
            line: Rc::new(self.line.clone()),
            buffer: routes.buffer.clone(),
            laboratory: self.laboratory.clone(),
        });
        self.post.wire(routes);
    }
}

impl Message for Accepted {
    type Result = ();
}

/// The peer has opened a connection: an older one is of no use any more, even if nobody has noticed
/// its end.
impl Handler<Accepted> for PeerLinkActor {
    type Result = ();

    fn handle(&mut self, accepted: Accepted, _: &mut Self::Context) {
        let incoming = self.incoming.clone().expect("every actor is wired by its first message");
        if let Some(older) = self.reading.replace(incoming.start(accepted)) {
            older.abort();
        }
    }
}

/// How a request to the peer fared.
#[derive(Message)]
#[rtype(result = "()")]
struct Fared {
    /// Whether any answer came.
    arrived: bool,
    began: Instant,
}

impl Handler<Fared> for PeerLinkActor {
    type Result = ();

    fn handle(&mut self, Fared { arrived, began }: Fared, _: &mut Self::Context) {
        let waited = began.elapsed().as_millis().try_into().unwrap_or(ANSWER_WITHIN_MS);
        self.outbox.fared(arrived, waited);
        self.report();
    }
}

/// The large answer of this number has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct BulkEnded(u64);

impl Handler<BulkEnded> for PeerLinkActor {
    type Result = ();

    fn handle(&mut self, BulkEnded(number): BulkEnded, _: &mut Self::Context) {
        self.bulk_under_way.take_if(|under_way| under_way.number == number);
    }
}

impl Handler<PeerInput> for PeerLinkActor {
    type Result = ();

    fn handle(&mut self, input: PeerInput, context: &mut Self::Context) {
        match input {
            PeerInput::View(message) => self.send_view(&message, context),
            input => {
                let now = self.time.now();
                self.outbox.handle(input, now);
                // Most of what a link is told need not leave by itself.
                if self.outbox.leaves_by(now) {
                    self.queue_pump(context);
                } else {
                    self.wake_later(now, context);
                }
            }
        }
    }
}

/// Sends what may be sent now.
#[derive(Message)]
#[rtype(result = "()")]
struct Pump;

impl Handler<Pump> for PeerLinkActor {
    type Result = ();

    fn handle(&mut self, _: Pump, context: &mut Self::Context) {
        self.pump_is_queued = false;
        let now = self.time.now();
        while let Some(transmission) = self.outbox.next(now) {
            self.transmit(transmission, context);
        }
        self.report();
        self.wake_later(now, context);
    }
}

/// Something has become of what was sent.
#[derive(Message)]
#[rtype(result = "()")]
struct Delivered(Delivery);

impl Handler<Delivered> for PeerLinkActor {
    type Result = ();

    fn handle(&mut self, Delivered(delivery): Delivered, context: &mut Self::Context) {
        self.outbox.delivered(delivery, self.time.now());
        self.queue_pump(context);
    }
}

/// Asks whether the peer has everything.
#[derive(Message)]
#[rtype(result = "bool")]
pub(crate) struct IsEmpty;

impl Handler<IsEmpty> for PeerLinkActor {
    type Result = bool;

    fn handle(&mut self, _: IsEmpty, context: &mut Self::Context) -> bool {
        self.outbox.hurry();
        self.queue_pump(context);
        self.outbox.is_empty()
    }
}
