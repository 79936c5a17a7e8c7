//! Asks for the Pix of days to come whose day has come: those of this bank's accounts.
//!
//! What is due stands in the ledger, and the ledger runs each day once. So this actor may forget
//! everything, end at any moment, and ask for the same day twice.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt as _, Addr, AsyncContext, Context, Handler, Message, WrapFuture as _,
};
use uuid::Uuid;

use super::ledger::{Ask, LedgerActor};
use super::replies::{RepliesActor, Submit, Told};
use super::time::{Monotonic, unix_ms};
use crate::civil::Zone;
use crate::ids::{BankId, EventId, Position};
use crate::ledger::{Action, Book, Due, Request};
use crate::protocol::reply::Reply;
use crate::protocol::time::Millis;

/// How often the ledger is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The most that is asked for at a time.
const AT_ONCE_MAX: usize = 64;
/// How long after it was refused, or nobody answered, the same is asked for again.
const AGAIN_MS: Millis = 60_000;
/// How long an answer is waited for.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// The actor that asks.
pub(crate) struct SchedulesActor {
    me: BankId,
    zone: Zone,
    ledger: Addr<LedgerActor>,
    replies: Addr<RepliesActor>,
    time: Monotonic,
    /// What was asked for lately, and until when it is not asked for again. At most
    /// [`AT_ONCE_MAX`] under way, and what was refused within [`AGAIN_MS`].
    rests: HashMap<Position, Millis>,
    under_way: usize,
}

impl SchedulesActor {
    /// An actor of a bank that has asked for nothing yet.
    #[must_use]
    pub(crate) fn new(
        me: BankId,
        zone: Zone,
        (ledger, replies): (Addr<LedgerActor>, Addr<RepliesActor>),
        time: Monotonic,
    ) -> Self {
        SchedulesActor { me, zone, ledger, replies, time, rests: HashMap::new(), under_way: 0 }
    }

    fn offset_s(&self) -> i32 {
        let offset_s = self.zone.offset_s(unix_ms());
        i32::try_from(offset_s).expect("no zone is days ahead of UTC")
    }

    /// Asks the ledger what is due; the answer comes as [`Found`].
    fn look(&mut self, context: &mut Context<Self>) {
        let now = self.time.now();
        self.rests.retain(|_, until| *until > now);
        let room = AT_ONCE_MAX.saturating_sub(self.under_way);
        if room == 0 {
            return;
        }
        let (me, at_ms, offset_s) = (self.me, unix_ms(), self.offset_s());
        let rest: HashSet<_> = self.rests.keys().copied().collect();
        let asked = Ask(move |book: &Book| {
            // A clock that is behind does not hold up what others have dated already.
            let due = book.due(me, at_ms.max(book.time_ms()), offset_s);
            due.filter(|due| !rest.contains(&due.number)).take(room).collect::<Vec<_>>()
        });
        let found = self.ledger.send(asked).into_actor(self);
        context.spawn(found.map(|found, _, context| {
            // A ledger that has ended has nothing due.
            context.notify(Found(found.unwrap_or_default()));
        }));
    }

    fn ask(&mut self, due: Due, context: &mut Context<Self>) {
        let id = EventId::new(self.me, &Uuid::new_v4().to_string());
        let offset_s = Some(self.offset_s());
        let action = Action::Due(due);
        let request = Request {
            id,
            at_ms: None,
            key: None,
            by: None,
            own: false,
            offset_s,
            confirmed: false,
            action,
        };
        let (submit, waiting) = Submit::new(request.to_raw());
        self.replies.do_send(submit);
        self.rests.insert(due.number, self.time.now() + AGAIN_MS);
        self.under_way += 1;
        let answered = actix_rt::time::timeout(ANSWER_WAIT, waiting).into_actor(self);
        context.spawn(answered.map(move |told, actor, context| {
            actor.under_way -= 1;
            let told = told.ok().and_then(Result::ok);
            let is_done = matches!(&told, Some(Told::Reply(Reply::Executed(executed)))
                if executed.outcome.code());
            if is_done {
                // Its next day may have come as well.
                actor.rests.remove(&due.number);
            }
            // At six in the morning there are many.
            if is_done && actor.under_way == AT_ONCE_MAX / 2 {
                actor.look(context);
            }
        }));
    }
}

impl Actor for SchedulesActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(LOOK_EVERY, Self::look);
    }
}

/// What is due.
#[derive(Message)]
#[rtype(result = "()")]
struct Found(Vec<Due>);

impl Handler<Found> for SchedulesActor {
    type Result = ();

    fn handle(&mut self, Found(due): Found, context: &mut Self::Context) {
        let asked = |due: &Due| self.rests.contains_key(&due.number);
        let new: Vec<_> = due.into_iter().filter(|due| !asked(due)).collect();
        new.into_iter().for_each(|due| self.ask(due, context));
    }
}
