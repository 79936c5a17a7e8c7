//! Owns this bank's copy of the ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt as _, Addr, AsyncContext, Context, Handler, MailboxError, Message,
    MessageResult, WrapFuture as _,
};
use tokio::sync::oneshot;

use super::past::{Append, Keep, PastActor, Reaches, Settled};
use super::routes::{Post, Wire};
use super::sessions::{EndAll, EndAllOf, SessionsActor};
use super::shelf::{AllShelved, Sealed, ShelfActor, Shelved};
use super::time::Monotonic;
use super::watch::{Recorder, TakeFacts};
use crate::ids::{Ballot, BankId, Position};
use crate::ledger::past::{EntryNumber, PastEntry};
use crate::ledger::{Book, Done, Outcome};
use crate::protocol::effect::{Effect, JournalInput, LedgerInput};
use crate::protocol::execution::ExecutedEvent;
use crate::protocol::executor::Executor;

/// How often readers that have given up waiting are forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How long the log may wait for more journal pieces, so that many of them make one line.
const SPAN_WAIT: Duration = Duration::from_secs(1);

/// Entries that are handed over at once, without waiting for more.
const HANDED_OVER: usize = 1_024;
/// How long an entry may wait for others to be handed over with it.
const HAND_OVER_EVERY: Duration = Duration::from_millis(200);
/// The most entries that may be handed over and not on disk; a bank whose disk does not keep up
/// with them executes no faster than it writes. About 200 bytes each.
const UNWRITTEN_MAX: u64 = 250_000;

/// Positions that did not come one by one and that the log has not been told of yet.
struct Span {
    /// The first of them; `None` if they came as a snapshot, together with everything before.
    from: Option<Position>,
    to: Position,
}

impl Message for LedgerInput {
    type Result = ();
}

/// The actor around [`Executor`].
pub struct LedgerActor {
    me: BankId,
    executor: Executor,
    recorder: Recorder,
    /// Reads that wait until the ledger has executed through a position.
    waiting: BTreeMap<Position, Vec<oneshot::Sender<()>>>,
    span: Option<Span>,
    span_is_due: bool,
    past: Past,
    /// Keeps what the ledger seals.
    shelf: Addr<ShelfActor>,
    /// Told when a password has changed.
    sessions: Addr<SessionsActor>,
    post: Post,
}

/// What is on its way to the past.
struct Past {
    address: Addr<PastActor>,
    /// Entries that were made and not handed over.
    fresh: Vec<PastEntry>,
    /// The last entry that was handed over,
    handed: EntryNumber,
    /// and the last one that is known to be on disk.
    kept: EntryNumber,
}

impl Past {
    fn hand_over(&mut self) {
        let Some(last) = self.fresh.last() else { return };
        self.handed = last.number;
        self.address.do_send(Append(std::mem::take(&mut self.fresh)));
        if self.handed.0.saturating_sub(self.kept.0) > UNWRITTEN_MAX {
            let (sender, written) = std::sync::mpsc::sync_channel(1);
            self.address.do_send(Settled(sender));
            // An actor that is gone keeps nothing waiting.
            let _ = written.recv();
            self.kept = self.handed;
        }
    }
}

impl LedgerActor {
    /// An actor that waits to be wired.
    #[must_use]
    pub fn new(
        me: BankId,
        executor: Executor,
        time: Monotonic,
        address: Addr<PastActor>,
        shelf: Addr<ShelfActor>,
        sessions: Addr<SessionsActor>,
    ) -> Self {
        let handed = executor.book().entries();
        LedgerActor {
            past: Past { address, fresh: Vec::new(), handed, kept: handed },
            me,
            executor,
            recorder: Recorder::new(time),
            span: None,
            span_is_due: false,
            waiting: BTreeMap::new(),
            shelf,
            sessions,
            post: Post::default(),
        }
    }

    /// Tells waiting readers how far the ledger has come, whether by execution, by replay or by a
    /// snapshot.
    fn tell_reached(&mut self) {
        let position = self.executor.book().position();
        while let Some(first) = self.waiting.first_entry().filter(|first| *first.key() <= position)
        {
            for reader in first.remove() {
                // A reader that has given up waiting need not be told.
                let _ = reader.send(());
            }
        }
    }

    /// Whoever has changed their password ends all their sessions, at every bank: told before
    /// anybody can hear that it has changed, so that a session of the new password stays.
    fn end_sessions(&self, executed: &[ExecutedEvent]) {
        let outcomes = executed.iter().flat_map(|event| &event.outcomes);
        for executed in outcomes {
            if let Outcome::Done(Done::PasswordChanged { user_name }) = &executed.outcome {
                self.sessions.do_send(EndAllOf(user_name.clone()));
            }
        }
    }

    fn sweep(&mut self) {
        self.waiting.retain(|_, readers| {
            readers.retain(|reader| !reader.is_closed());
            !readers.is_empty()
        });
    }

    /// One line per event, the same at every bank but for the first word, so that the order can be
    /// followed in the logs.
    fn log(&self, executed: &ExecutedEvent) {
        let event = &executed.event;
        let done = executed.outcomes.iter().filter(|executed| executed.outcome.code()).count();
        let refused = executed.outcomes.iter().find_map(|executed| match &executed.outcome {
            Outcome::Refused(refusal) => Some(format!(" refused={}", refusal.logged())),
            Outcome::Done(_) => None,
        });
        log::info!(
            "bank {} executed position={} id={} timestamp={} sender={} done={}/{}{}",
            self.me,
            executed.position,
            event.id,
            event.timestamp,
            event.sender,
            done,
            executed.outcomes.len(),
            refused.unwrap_or_default(),
        );
    }
}

impl LedgerActor {
    /// A snapshot lets the journal forget what led to it, so its past has to be on disk first; and
    /// it names the keys that are sealed, so they have to be there, too.
    fn hold_snapshot(&mut self, context: &mut Context<Self>) {
        let is_snapshot =
            |effect: &Effect| matches!(effect, Effect::Journal(JournalInput::Snapshot { .. }));
        let Some(place) = self.post.out.iter().position(is_snapshot) else { return };
        let snapshot = self.post.out.remove(place);
        self.past.hand_over();
        let (shelved, kept) = (self.shelf.send(AllShelved), self.past.address.send(Keep));
        let kept = async { shelved.await.and(kept.await) };
        context.spawn(kept.into_actor(self).map(|kept, actor, _| {
            if kept.is_ok() {
                actor.post.out.push(snapshot);
                actor.post.deliver();
            }
        }));
    }
}

/// What came by journal or snapshot has no lines of its own.
impl LedgerActor {
    fn recovered(&mut self, from: Option<Position>, context: &mut Context<Self>) {
        let to = self.executor.book().position();
        let from = self.span.take().map_or(from, |span| from.and(span.from));
        self.span = Some(Span { from, to });
        if !std::mem::replace(&mut self.span_is_due, true) {
            context.run_later(SPAN_WAIT, |actor, _| {
                actor.span_is_due = false;
                actor.log_span();
            });
        }
    }

    fn log_span(&mut self) {
        match self.span.take() {
            Some(Span { from: Some(from), to }) => {
                log::info!(
                    "bank {} recovered positions {from} to {to} from the journal of another bank",
                    self.me
                );
            }
            Some(Span { from: None, to }) => {
                log::info!(
                    "bank {} recovered positions up to {to} from the snapshot of another bank",
                    self.me
                );
            }
            None => {}
        }
    }
}

impl Actor for LedgerActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(SWEEP_EVERY, |actor, _| actor.sweep());
        context.run_interval(HAND_OVER_EVERY, |actor, _| actor.past.hand_over());
    }
}

impl Handler<Wire> for LedgerActor {
    type Result = ();

    fn handle(&mut self, Wire(routes): Wire, _: &mut Self::Context) {
        self.post.wire(routes);
    }
}

impl Handler<LedgerInput> for LedgerActor {
    type Result = ();

    fn handle(&mut self, input: LedgerInput, context: &mut Self::Context) {
        let before = self.executor.book().position();
        let snapshot = match &input {
            LedgerInput::Restore { head, .. } => Some((head.executed.last, head.position)),
            _ => None,
        };
        let executed = self.executor.handle(input, &mut self.post.out);
        self.past.fresh.append(&mut self.executor.take_fresh());
        if self.past.fresh.len() >= HANDED_OVER {
            self.past.hand_over();
        }
        self.executor.take_sealed().into_iter().for_each(|run| self.shelf.do_send(Sealed(run)));
        // Noted before anybody can act on it, and passed on later.
        executed.iter().for_each(|event| self.recorder.executed(event));
        let replayed = self.executor.take_replayed();
        replayed.iter().for_each(|event| self.recorder.recovered(event));
        self.end_sessions(&executed);
        self.end_sessions(&replayed);
        let restored =
            snapshot.filter(|(_, position)| *position == self.executor.book().position());
        if let Some((through, position)) = restored {
            self.recorder.restored(through, position);
            // Whose passwords have changed meanwhile, a snapshot does not say.
            self.sessions.do_send(EndAll);
            self.past.hand_over();
            self.past.address.do_send(Reaches(self.executor.book().entries()));
        }
        self.hold_snapshot(context);
        self.post.deliver();
        self.tell_reached();
        match (restored, replayed.is_empty()) {
            (Some(_), _) => self.recovered(None, context),
            (None, false) => self.recovered(Some(before.next()), context),
            (None, true) if !executed.is_empty() => self.log_span(),
            _ => {}
        }
        executed.iter().for_each(|event| self.log(event));
    }
}

/// All entries through this one are on disk.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Kept(pub EntryNumber);

impl Handler<Kept> for LedgerActor {
    type Result = ();

    fn handle(&mut self, Kept(kept): Kept, _: &mut Self::Context) {
        self.past.kept = kept;
    }
}

impl Handler<Shelved> for LedgerActor {
    type Result = ();

    fn handle(&mut self, Shelved(run): Shelved, _: &mut Self::Context) {
        self.executor.shelve(run);
    }
}

/// A read wants to see everything through a position; answered once the ledger has executed that
/// far.
#[derive(Message)]
#[rtype(result = "oneshot::Receiver<()>")]
pub struct Reach(pub Position);

impl Handler<Reach> for LedgerActor {
    type Result = MessageResult<Reach>;

    fn handle(&mut self, Reach(position): Reach, _: &mut Self::Context) -> Self::Result {
        let (reader, reached) = oneshot::channel();
        self.waiting.entry(position).or_default().push(reader);
        self.tell_reached();
        MessageResult(reached)
    }
}

/// Asks for the view in force; answered with it only once everything that it begins with is
/// executed.
#[derive(Message)]
#[rtype(result = "Option<Ballot>")]
pub(crate) struct InForce;

impl Handler<InForce> for LedgerActor {
    type Result = Option<Ballot>;

    fn handle(&mut self, _: InForce, _: &mut Self::Context) -> Self::Result {
        self.executor.in_force()
    }
}

impl Handler<TakeFacts> for LedgerActor {
    type Result = MessageResult<TakeFacts>;

    fn handle(&mut self, _: TakeFacts, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.recorder.take())
    }
}

/// A question to the ledger, which is only read, never changed.
pub(crate) struct Ask<F>(pub F);

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

/// Asks the ledger where to read the past, which has everything to which that leads when this is
/// answered: what is executed meanwhile is handed over too.
pub(crate) async fn ask_before_past<R: Send + 'static>(
    ledger: &Addr<LedgerActor>,
    question: impl FnOnce(&Book) -> R + Send + 'static,
) -> Result<R, MailboxError> {
    let answer = ledger.send(Ask(question)).await?;
    ledger.send(HandOver).await?;
    Ok(answer)
}

/// Everything that was made is to be handed over to the past.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct HandOver;

impl Handler<HandOver> for LedgerActor {
    type Result = ();

    fn handle(&mut self, _: HandOver, _: &mut Self::Context) {
        self.past.hand_over();
    }
}
