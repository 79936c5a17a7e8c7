//! Owns the sessions.

use actix::{Actor, Context, Handler, Message, MessageResult};

use super::time::Monotonic;
use crate::hex::Hex;
use crate::ledger::UserName;
use crate::session::Sessions;

/// The actor around [`Sessions`].
pub struct SessionsActor {
    sessions: Sessions,
    time: Monotonic,
}

impl SessionsActor {
    /// An actor without sessions.
    #[must_use]
    pub fn new(time: Monotonic) -> Self {
        SessionsActor { sessions: Sessions::default(), time }
    }
}

impl Actor for SessionsActor {
    type Context = Context<Self>;
}

/// A customer has proved who they are; returns the token of the new session.
#[derive(Message)]
#[rtype(result = "String")]
pub(crate) struct Begin(pub UserName);

impl Handler<Begin> for SessionsActor {
    type Result = String;

    fn handle(&mut self, Begin(user): Begin, _: &mut Self::Context) -> String {
        let mut random = [0; 32];
        getrandom::fill(&mut random).expect("the system gives random bytes");
        let token = Hex(&random).to_string();
        self.sessions.begin(&token, user, self.time.now());
        token
    }
}

/// Asks whose session a token belongs to.
#[derive(Message)]
#[rtype(result = "Option<UserName>")]
pub struct Whose(pub String);

impl Handler<Whose> for SessionsActor {
    type Result = MessageResult<Whose>;

    fn handle(&mut self, Whose(token): Whose, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.sessions.user(&token, self.time.now()))
    }
}

/// The customer leaves; returns whether there was such a session.
#[derive(Message)]
#[rtype(result = "bool")]
pub(crate) struct End(pub String);

impl Handler<End> for SessionsActor {
    type Result = bool;

    fn handle(&mut self, End(token): End, _: &mut Self::Context) -> bool {
        self.sessions.end(&token)
    }
}
