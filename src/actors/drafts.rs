//! Owns what customers have begun and not finished.

use actix::{Actor, Context, Handler, Message, MessageResult};

use crate::drafts::Drafts;
use crate::ledger::UserName;

/// The actor around [`Drafts`].
#[derive(Default)]
pub struct DraftsActor(Drafts);

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
            Some(text) => self.0.keep(user, &name, text),
            None => self.0.forget(user, &name),
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
        MessageResult(self.0.find(&user, &name).map(str::to_owned))
    }
}
