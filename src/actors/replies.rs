//! Owns the waiting customers, each under the id of the request they wait for.

use std::collections::HashMap;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use tokio::sync::oneshot;

use super::routes::{Post, Wire};
use crate::ids::EventId;
use crate::ids::request::RawRequest;
use crate::protocol::effect::{ClockInput, Effect};
use crate::protocol::reply::Reply;

/// How often customers who have given up waiting are forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The actor that hands outcomes to those who wait.
#[derive(Default)]
pub struct RepliesActor {
    waiting: HashMap<EventId, oneshot::Sender<Told>>,
    post: Post,
}

impl Actor for RepliesActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(SWEEP_EVERY, |actor, _| {
            actor.waiting.retain(|_, waiting| !waiting.is_closed())
        });
    }
}

impl Handler<Wire> for RepliesActor {
    type Result = ();

    fn handle(&mut self, Wire(routes): Wire, _: &mut Self::Context) {
        self.post.wire(routes);
    }
}

/// What the sender of a request is told.
#[derive(Debug)]
pub enum Told {
    /// What became of it.
    Reply(Reply),
    /// It was not put into the order: the session in whose name it came is over.
    SessionIsOver,
}

/// A customer's request for the common order, and who is to be told of its result. Nobody waits for
/// this message itself: a thread that is woken twice for one request costs more than the request.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Submit {
    request: RawRequest,
    reply: oneshot::Sender<Told>,
}

impl Submit {
    /// The message, and what its sender waits for.
    #[must_use]
    pub fn new(request: RawRequest) -> (Self, oneshot::Receiver<Told>) {
        let (reply, waiting) = oneshot::channel();
        (Submit { request, reply }, waiting)
    }

    /// Tells the sender that the request goes nowhere.
    pub(super) fn session_is_over(self) {
        // A customer who has given up waiting need not be told.
        let _ = self.reply.send(Told::SessionIsOver);
    }
}

impl Handler<Submit> for RepliesActor {
    type Result = ();

    fn handle(&mut self, Submit { request, reply }: Submit, _: &mut Self::Context) {
        self.waiting.insert(request.id.clone(), reply);
        self.post.out.push(Effect::Clock(ClockInput::Submit(request)));
        self.post.deliver();
    }
}

/// The result of a request.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Answer {
    /// The request.
    pub id: EventId,
    /// Its result.
    pub reply: Reply,
}

impl Handler<Answer> for RepliesActor {
    type Result = ();

    fn handle(&mut self, answer: Answer, _: &mut Self::Context) {
        if let Some(waiting) = self.waiting.remove(&answer.id) {
            // A customer who has given up waiting can ask again with the same Idempotency-Key.
            let _ = waiting.send(Told::Reply(answer.reply));
        }
    }
}

/// Asks how many customers wait.
#[derive(Message)]
#[rtype(result = "usize")]
pub(crate) struct Waiting;

impl Handler<Waiting> for RepliesActor {
    type Result = usize;

    fn handle(&mut self, _: Waiting, _: &mut Self::Context) -> usize {
        self.waiting.len()
    }
}
