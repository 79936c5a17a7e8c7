//! Owns the vector clock.

use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message};

use super::routes::{Post, Wire};
use super::time::{Monotonic, TICK_MS, every};
use crate::protocol::clock::Clock;
use crate::protocol::effect::ClockInput;
use crate::protocol::time::Millis;
use crate::protocol::vector_clock::VectorClock;

impl Message for ClockInput {
    type Result = ();
}

/// The actor around [`Clock`].
pub struct ClockActor {
    clock: Clock,
    time: Monotonic,
    /// When this actor is going to look again, before the next tick.
    wakes_at: Option<Millis>,
    post: Post,
}

impl ClockActor {
    /// An actor that waits to be wired.
    #[must_use]
    pub fn new(clock: Clock, time: Monotonic) -> Self {
        ClockActor { clock, time, wakes_at: None, post: Post::default() }
    }
}

impl Actor for ClockActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        every(TICK_MS, context, |context| context.address().do_send(ClockInput::Tick));
    }
}

impl Handler<Wire> for ClockActor {
    type Result = ();

    fn handle(&mut self, Wire(routes): Wire, _: &mut Self::Context) {
        self.post.wire(routes);
    }
}

impl Handler<ClockInput> for ClockActor {
    type Result = ();

    fn handle(&mut self, input: ClockInput, context: &mut Self::Context) {
        let now = self.time.now();
        self.clock.handle(input, now, &mut self.post.out);
        self.post.deliver();
        let is_earlier = |at: &Millis| self.wakes_at.is_none_or(|earlier| *at < earlier);
        if let Some(at) = self.clock.wake_at().filter(is_earlier) {
            self.wakes_at = Some(at);
            let wait = Duration::from_millis(at.saturating_sub(now));
            context.run_later(wait, |actor, context| {
                actor.wakes_at = None;
                context.address().do_send(ClockInput::Tick);
            });
        }
    }
}

/// Asks for the clock as it stands.
#[derive(Message)]
#[rtype(result = "ClockState")]
pub(crate) struct ClockStatus;

/// The clock as it stands.
pub struct ClockState {
    /// The clock.
    pub clock: VectorClock,
    /// How many requests wait for their stamp.
    pub queued: usize,
    /// Whether own events are under way and none of them makes progress.
    pub is_stalled: bool,
}

impl Handler<ClockStatus> for ClockActor {
    type Result = actix::MessageResult<ClockStatus>;

    fn handle(&mut self, _: ClockStatus, _: &mut Self::Context) -> Self::Result {
        let (clock, queued) = (self.clock.now().clone(), self.clock.queued());
        actix::MessageResult(ClockState { clock, queued, is_stalled: self.clock.is_stalled() })
    }
}
