//! Owns what customers have begun and not finished.

use actix::{Actor, Context, Handler, Message, MessageResult};

use super::time::Monotonic;
use crate::drafts::Drafts;
use crate::ledger::UserName;

/// The actor around [`Drafts`].
pub struct DraftsActor {
    drafts: Drafts,
    time: Monotonic,
}

impl DraftsActor {
    /// An actor without texts.
    #[must_use]
    pub(crate) fn new(time: Monotonic) -> Self {
        DraftsActor { drafts: Drafts::default(), time }
    }
}

impl Actor for DraftsActor {
    type Context = Context<Self>;
}

/// Keeps a customer's text under a name, or forgets it.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Keep {
    pub(crate) user: UserName,
    pub(crate) name: String,
    pub(crate) text: Option<String>,
}

impl Handler<Keep> for DraftsActor {
    type Result = ();

    fn handle(&mut self, Keep { user, name, text }: Keep, _: &mut Self::Context) {
        match text {
            Some(text) => self.drafts.keep(user, &name, text, self.time.now()),
            None => self.drafts.forget(user, &name),
        }
    }
}

/// Asks for a customer's text.
#[derive(Message)]
#[rtype(result = "Option<String>")]
pub(crate) struct Find(pub UserName, pub String);

impl Handler<Find> for DraftsActor {
    type Result = MessageResult<Find>;

    fn handle(&mut self, Find(user, name): Find, _: &mut Self::Context) -> Self::Result {
        let found = self.drafts.find(&user, &name, self.time.now());
        MessageResult(found.map(str::to_owned))
    }
}
