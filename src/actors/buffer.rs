//! Owns the ordered buffer.

use std::collections::BTreeMap;

use actix::{Actor, AsyncContext, Context, Handler, Message, MessageResult};

use super::routes::{Post, Wire};
use super::time::{Monotonic, every};
use super::watch::{Recorder, TakeFacts};
use crate::ids::BankId;
use crate::protocol::effect::{BufferInput, Effect};
use crate::protocol::envelope::EnvelopeAnswer;
use crate::protocol::event::Event;
use crate::protocol::ordered_buffer::OrderedBuffer;
use crate::protocol::outbox::Parcel;
use crate::protocol::progress::TICK_MS;
use crate::protocol::vector_clock::VectorClock;

impl Message for BufferInput {
    type Result = ();
}

/// The actor around [`OrderedBuffer`].
pub struct BufferActor {
    buffer: OrderedBuffer,
    recorder: Recorder,
    post: Post,
}

impl BufferActor {
    /// An actor that waits to be wired.
    #[must_use]
    pub fn new(buffer: OrderedBuffer, time: Monotonic) -> Self {
        BufferActor { buffer, recorder: Recorder::new(time), post: Post::default() }
    }
}

impl Actor for BufferActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        every(TICK_MS, context, |context| context.address().do_send(BufferInput::Tick));
    }
}

impl Handler<Wire> for BufferActor {
    type Result = ();

    fn handle(&mut self, Wire(routes): Wire, _: &mut Self::Context) {
        self.post.wire(routes);
    }
}

impl Handler<BufferInput> for BufferActor {
    type Result = ();

    fn handle(&mut self, input: BufferInput, _: &mut Self::Context) {
        self.recorder.told_buffer(&input);
        self.buffer.handle(input, &mut self.post.out);
        self.recorder.buffer_decided(&self.buffer, &self.post.out);
        self.post.deliver();
    }
}

/// What a peer says, from whoever read it.
#[derive(Message)]
#[rtype(result = "EnvelopeAnswer")]
pub(crate) struct FromPeer {
    /// The peer.
    pub from: BankId,
    /// What it says; how far it has executed is for the checks.
    pub parcel: Parcel,
}

impl Handler<FromPeer> for BufferActor {
    type Result = MessageResult<FromPeer>;

    fn handle(&mut self, message: FromPeer, _: &mut Self::Context) -> Self::Result {
        let FromPeer { from, parcel } = message;
        let (events, of_checks) = (parcel.envelope.events.clone(), parcel.for_checks(from));
        let answer = self.buffer.receive(from, parcel.envelope, &mut self.post.out);
        if answer.taken {
            self.recorder.received(&events);
            self.post.out.extend(of_checks.into_iter().flatten().map(Effect::Checks));
        }
        self.recorder.buffer_decided(&self.buffer, &self.post.out);
        self.post.deliver();
        MessageResult(answer)
    }
}

impl Handler<TakeFacts> for BufferActor {
    type Result = MessageResult<TakeFacts>;

    fn handle(&mut self, _: TakeFacts, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.recorder.take())
    }
}

/// Asks what is waiting in the buffer.
#[derive(Message)]
#[rtype(result = "BufferState")]
pub(crate) struct BufferStatus;

/// What is waiting in the buffer.
pub(crate) struct BufferState {
    /// Events in the order in which they will be executed.
    pub waiting: Vec<std::sync::Arc<Event>>,
    /// The durable clock that is known of each member.
    pub durable: BTreeMap<BankId, VectorClock>,
}

impl Handler<BufferStatus> for BufferActor {
    type Result = MessageResult<BufferStatus>;

    fn handle(&mut self, _: BufferStatus, _: &mut Self::Context) -> Self::Result {
        MessageResult(BufferState {
            waiting: self.buffer.waiting().cloned().collect(),
            durable: self
                .buffer
                .known_durable()
                .map(|(bank, clock)| (bank, clock.clone()))
                .collect(),
        })
    }
}
