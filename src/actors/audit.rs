//! Writes down who did what at this bank.

use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message};

use super::time::Monotonic;
use crate::audit::{Actor, AuditLog, Event};
use crate::ids::BankId;

/// How often the log hears how much of a flood was left out.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The actor around [`AuditLog`].
pub struct AuditActor {
    me: BankId,
    log: AuditLog,
    time: Monotonic,
}

impl AuditActor {
    /// An actor that has seen nothing yet.
    #[must_use]
    pub(crate) fn new(me: BankId, time: Monotonic) -> Self {
        AuditActor { me, log: AuditLog::default(), time }
    }

    fn write(&self, event: Event, line: &str) {
        if event.is_warning() {
            log::warn!("bank {}: {line}", self.me);
        } else {
            log::info!("bank {}: {line}", self.me);
        }
    }
}

impl actix::Actor for AuditActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(TELL_EVERY, |actor, _| {
            let now = actor.time.now();
            for (event, line) in actor.log.dropped(now) {
                actor.write(event, &line);
            }
        });
    }
}

/// Something has happened.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Audit(pub Event, pub Actor);

impl Handler<Audit> for AuditActor {
    type Result = ();

    fn handle(&mut self, Audit(event, actor): Audit, _: &mut Self::Context) {
        if let Some(line) = self.log.line(event, &actor, self.time.now()) {
            self.write(event, &line);
        }
    }
}
