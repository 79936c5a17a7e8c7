//! Owns the seats of those who look at what arrives: how many there are, and for how long.

use std::sync::{Arc, Weak};

use actix::{Actor, Context, Handler, Message, MessageResult};
use tokio::sync::watch;

use crate::ledger::UserName;

/// The most who look at a bank.
const SEATS_MAX: usize = 1_000;
/// The most pages of one customer.
const SEATS_OF_ONE_MAX: usize = 8;

/// The actor.
#[derive(Default)]
pub(crate) struct ArrivalsActor {
    seats: Vec<(UserName, Weak<()>)>,
    /// Dropped when the node stops.
    open: watch::Sender<()>,
}

impl Actor for ArrivalsActor {
    type Context = Context<Self>;
}

/// A customer wants to look. `None` if there is no seat.
#[derive(Message)]
#[rtype(result = "Option<Seat>")]
pub(crate) struct Sit(pub UserName);

/// A seat; it is free again when this is dropped.
pub(crate) struct Seat {
    /// Changes, or is closed, when the node stops.
    pub(crate) ends: watch::Receiver<()>,
    _taken: Arc<()>,
}

impl Handler<Sit> for ArrivalsActor {
    type Result = MessageResult<Sit>;

    fn handle(&mut self, Sit(user): Sit, _: &mut Self::Context) -> Self::Result {
        self.seats.retain(|(_, taken)| taken.strong_count() > 0);
        let own = self.seats.iter().filter(|(other, _)| *other == user).count();
        if self.seats.len() >= SEATS_MAX || own >= SEATS_OF_ONE_MAX {
            return MessageResult(None);
        }
        let taken = Arc::new(());
        self.seats.push((user, Arc::downgrade(&taken)));
        MessageResult(Some(Seat { ends: self.open.subscribe(), _taken: taken }))
    }
}

/// The node is about to stop: nobody who looks must hold it up.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct EndLooking;

impl Handler<EndLooking> for ArrivalsActor {
    type Result = ();

    fn handle(&mut self, _: EndLooking, _: &mut Self::Context) {
        self.open = watch::Sender::default();
    }
}
