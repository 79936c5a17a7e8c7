//! Owns the checks: which member has executed what, and who waits for that.

use actix::{Actor, Context, Handler, Message};

use super::routes::{Post, Wire};
use crate::protocol::checks::Checks;
use crate::protocol::effect::ChecksInput;

impl Message for ChecksInput {
    type Result = ();
}

/// The actor around [`Checks`].
pub struct ChecksActor {
    checks: Checks,
    post: Post,
}

impl ChecksActor {
    /// An actor that waits to be wired.
    #[must_use]
    pub fn new(checks: Checks) -> Self {
        ChecksActor { checks, post: Post::default() }
    }
}

impl Actor for ChecksActor {
    type Context = Context<Self>;
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
        self.checks.handle(input, &mut self.post.out);
        self.post.deliver();
    }
}

/// Asks how many executed events some member has not confirmed.
#[derive(Message)]
#[rtype(result = "usize")]
pub struct Unconfirmed;

impl Handler<Unconfirmed> for ChecksActor {
    type Result = usize;

    fn handle(&mut self, _: Unconfirmed, _: &mut Self::Context) -> usize {
        self.checks.unconfirmed()
    }
}
