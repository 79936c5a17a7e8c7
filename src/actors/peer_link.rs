//! Owns the outbox for one peer and delivers its contents over HTTP. This actor awaits the network,
//! so that nothing else has to.

use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, Handler, Message};
use actix_rt::task::JoinHandle;
use awc::error::SendRequestError;
use awc::http::StatusCode;
use awc::http::header::{AUTHORIZATION, CONTENT_TYPE};

use super::laboratory::{Laboratory, Passage};
use super::routes::{Post, Wire};
use super::time::Monotonic;
use crate::ids::BankId;
use crate::protocol::effect::{Effect, HeartbeatInput, PeerInput};
use crate::protocol::outbox::{
    Delivery, ENVELOPES_UNDER_WAY_MAX, Outbox, SingleMessage, Transmission,
};
use crate::protocol::time::Millis;
use crate::protocol::view::{Bulk, ViewMessage};
use crate::wire::{self, BANK_HEADER, EnvelopeAnswerJson, EnvelopeOut};

/// How long a peer may take to answer one request, in milliseconds.
const ANSWER_WITHIN_MS: u64 = 3_000;
/// How long a large answer to a bank that is catching up may take: this long,
const BULK_WITHIN_MS: u64 = 5_000;
/// plus a millisecond for this many bytes, so that any line that carries bytes at all will do.
const BULK_BYTES_PER_MS: u64 = 2;
/// Connections kept open to one peer: for all envelopes in flight, and some messages about views.
const CONNECTIONS: usize = ENVELOPES_UNDER_WAY_MAX + 6;

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
    /// The secret with which peers authenticate.
    pub secret: String,
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
    /// Whether the last request went unanswered.
    is_failing: bool,
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
        let client = wire::client(CONNECTIONS, Duration::from_millis(ANSWER_WITHIN_MS));
        let bulk = wire::client(1, Duration::from_millis(BULK_WITHIN_MS));
        let outbox = Outbox::new(line.me, line.peer);
        let (is_failing, pump_is_queued) = (false, false);
        let post = Post::default();
        PeerLinkActor {
            line,
            client,
            bulk,
            bulk_under_way: None,
            bulks: 0,
            is_failing,
            post,
            outbox,
            time,
            laboratory,
            pump_is_queued,
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

    fn request(&self, client: &awc::Client, path: &str) -> awc::ClientRequest {
        client
            .post(format!("{}{path}", self.line.url))
            .insert_header((AUTHORIZATION, format!("Bearer {}", self.line.secret)))
            .insert_header((BANK_HEADER, self.line.me.to_string()))
            .insert_header((CONTENT_TYPE, "application/json"))
    }

    fn transmit(&self, era: u64, transmission: &Transmission, context: &mut Context<Self>) {
        let (path, body) = match transmission {
            Transmission::Envelope(parcel) => {
                ("/peer/envelope".to_owned(), json(&EnvelopeOut::new(self.line.me, parcel)))
            }
            Transmission::Single(SingleMessage::Event(event)) => {
                ("/receive-message".to_owned(), json(&event))
            }
            Transmission::Single(SingleMessage::Ack(id)) => {
                (format!("/receiver_ack/{id}"), String::new())
            }
            Transmission::Single(SingleMessage::OwnCheck(id, check)) => {
                let body = serde_json::json!({"code": check.code, "descript": check.descript});
                (format!("/init_check_queue/{id}"), body.to_string())
            }
            Transmission::Single(SingleMessage::PeerCheck(id, check)) => {
                let body = serde_json::json!({"code": check.code, "descript": check.descript, "msg": "ONE_QUEUE"});
                (format!("/receiver_one_queue/{id}"), body.to_string())
            }
        };
        let sending = self.request(&self.client, &path).send_body(body);
        let is_envelope = matches!(transmission, Transmission::Envelope(_));
        let link = context.address();
        let passage = self
            .laboratory
            .as_ref()
            .map_or(Passage::Free, |laboratory| laboratory.passage(self.line.peer));
        actix_rt::spawn(async move {
            match passage {
                Passage::Free => {}
                Passage::Slow(delay) => actix_rt::time::sleep(delay).await,
                Passage::Closed => {
                    return link.do_send(Delivered { era, delivery: Delivery::Failed });
                }
            }
            let began = Instant::now();
            let delivery = match sending.await {
                Ok(mut response) => {
                    link.do_send(Fared { arrived: true, began });
                    // Every body is read; otherwise the connection cannot serve the next request.
                    let body = response.body().await.unwrap_or_default();
                    delivery(response.status(), is_envelope, &body)
                }
                Err(_) => {
                    link.do_send(Fared { arrived: false, began });
                    Delivery::Failed
                }
            };
            link.do_send(Delivered { era, delivery });
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

fn delivery(status: StatusCode, is_envelope: bool, body: &[u8]) -> Delivery {
    match status {
        StatusCode::CONFLICT => Delivery::WrongView,
        StatusCode::NOT_FOUND => Delivery::UnknownRoute,
        status if !status.is_success() => Delivery::Failed,
        _ if !is_envelope => Delivery::Taken,
        _ => match serde_json::from_slice::<EnvelopeAnswerJson>(body) {
            Ok(answer) => Delivery::Answered(answer.into()),
            Err(_) => Delivery::Failed,
        },
    }
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
        self.post.wire(routes);
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
        let was_failing = std::mem::replace(&mut self.is_failing, !arrived);
        if arrived && !was_failing {
            return;
        }
        let waited = began.elapsed().as_millis().min(ANSWER_WITHIN_MS.into());
        let waited = u64::try_from(waited).expect("at most ANSWER_WITHIN_MS");
        let input = HeartbeatInput::Requests { bank: self.line.peer, arrive: arrived, waited };
        self.post.out.push(Effect::Heartbeat(input));
        self.post.deliver();
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
                self.outbox.handle(input);
                self.queue_pump(context);
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
        while let Some((era, transmission)) = self.outbox.next(now) {
            self.transmit(era, &transmission, context);
        }
        self.wake_later(now, context);
    }
}

/// A request to the peer has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct Delivered {
    era: u64,
    delivery: Delivery,
}

impl Handler<Delivered> for PeerLinkActor {
    type Result = ();

    fn handle(&mut self, delivered: Delivered, context: &mut Self::Context) {
        self.outbox.delivered(delivered.era, delivered.delivery, self.time.now());
        self.queue_pump(context);
    }
}

/// Asks whether the peer has everything.
#[derive(Message)]
#[rtype(result = "bool")]
pub(crate) struct IsEmpty;

impl Handler<IsEmpty> for PeerLinkActor {
    type Result = bool;

    fn handle(&mut self, _: IsEmpty, _: &mut Self::Context) -> bool {
        self.outbox.is_empty()
    }
}
