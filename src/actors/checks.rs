//! Owns the checks: which member has executed what, and who waits for that.

use actix::{Actor, AsyncContext, Context, Handler, Message, MessageResult};

use super::routes::{Post, Wire};
use super::time::{Monotonic, every};
use super::watch::{Recorder, TakeFacts};
use crate::protocol::checks::Checks;
use crate::protocol::effect::ChecksInput;
use crate::protocol::progress::TICK_MS;

impl Message for ChecksInput {
    type Result = ();
}

/// The actor around [`Checks`].
pub struct ChecksActor {
    checks: Checks,
    recorder: Recorder,
    post: Post,
}

impl ChecksActor {
    /// An actor that waits to be wired.
    #[must_use]
    pub fn new(checks: Checks, time: Monotonic) -> Self {
        ChecksActor { checks, recorder: Recorder::new(time), post: Post::default() }
    }
}

impl Actor for ChecksActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        every(TICK_MS, context, |context| context.address().do_send(ChecksInput::Tick));
    }
}

impl Handler<Wire> for ChecksActor {
    type Result = ();

    fn handle(&mut self, Wire(routes): Wire, _: &mut Self::Context) {
        self.post.wire(routes);
    }
}

impl Handler<ChecksInput> for ChecksActor {
    type Result = ();

    fn handle(&mut self, input: ChecksInput, _: &mut Self::Context) {
        self.recorder.told_checks(&input);
        self.checks.handle(input, &mut self.post.out);
        self.recorder.checks_decided(&self.post.out);
        self.post.deliver();
    }
}

impl Handler<TakeFacts> for ChecksActor {
    type Result = MessageResult<TakeFacts>;

    fn handle(&mut self, _: TakeFacts, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.recorder.take())
    }
}

/// Asks how many executed events some member has not confirmed.
#[derive(Message)]
#[rtype(result = "usize")]
pub(crate) struct Unconfirmed;

impl Handler<Unconfirmed> for ChecksActor {
    type Result = usize;

    fn handle(&mut self, _: Unconfirmed, _: &mut Self::Context) -> usize {
        self.checks.unconfirmed()
    }
}
