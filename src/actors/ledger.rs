//! Owns this bank's copy of the ledger.

use actix::{Actor, Context, Handler, Message, MessageResult};

use super::routes::{Post, Wire};
use super::time::Monotonic;
use super::watch::{Recorder, TakeFacts};
use crate::ledger::Book;
use crate::protocol::effect::{ExecutedEvent, LedgerInput};
use crate::protocol::executor::Executor;
use crate::protocol::ids::BankId;

impl Message for LedgerInput {
    type Result = ();
}

/// The actor around [`Executor`].
pub struct LedgerActor {
    me: BankId,
    executor: Executor,
    recorder: Recorder,
    post: Post,
}

impl LedgerActor {
    /// An actor that waits to be wired.
    #[must_use]
    pub fn new(me: BankId, executor: Executor, time: Monotonic) -> Self {
        LedgerActor { me, executor, recorder: Recorder::new(time), post: Post::default() }
    }

    /// One line per event, the same at every bank but for the first word: the order can be followed in the logs.
    fn log(&self, executed: &ExecutedEvent) {
        let event = &executed.event;
        let done = executed.outcomes.iter().filter(|executed| executed.outcome.code()).count();
        log::info!(
            "banco {} executou posição={} id={} carimbo={} remetente={} resultado={}/{}{}{}",
            self.me,
            executed.position,
            event.id,
            event.timestamp,
            event.sender,
            done,
            executed.outcomes.len(),
            if executed.check.code { "" } else { " recusa=" },
            executed.check.descript,
        );
    }
}

impl Actor for LedgerActor {
    type Context = Context<Self>;
}

impl Handler<Wire> for LedgerActor {
    type Result = ();

    fn handle(&mut self, Wire(routes): Wire, _: &mut Self::Context) {
        self.post.wire(routes);
    }
}

impl Handler<LedgerInput> for LedgerActor {
    type Result = ();

    fn handle(&mut self, input: LedgerInput, _: &mut Self::Context) {
        let executed = self.executor.handle(input, &mut self.post.out);
        // Noted before anybody can act on it, told at leisure.
        executed.iter().for_each(|event| self.recorder.executed(event));
        self.post.deliver();
        executed.iter().for_each(|event| self.log(event));
    }
}

impl Handler<TakeFacts> for LedgerActor {
    type Result = MessageResult<TakeFacts>;

    fn handle(&mut self, _: TakeFacts, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.recorder.take())
    }
}

/// A question to the ledger: it is read, never changed.
pub struct Ask<F>(pub F);

impl<F, R> Message for Ask<F>
where
    F: FnOnce(&Book) -> R,
    R: 'static,
{
    type Result = R;
}

impl<F, R> Handler<Ask<F>> for LedgerActor
where
    F: FnOnce(&Book) -> R,
    R: 'static,
{
    type Result = MessageResult<Ask<F>>;

    fn handle(&mut self, Ask(question): Ask<F>, _: &mut Self::Context) -> Self::Result {
        MessageResult(question(self.executor.book()))
    }
}
