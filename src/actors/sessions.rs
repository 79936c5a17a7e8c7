//! Owns the sessions.

use actix::{Actor, Addr, Context, Handler, Message, MessageResult};

use super::replies::{RepliesActor, Submit};
use super::time::{Monotonic, unix_ms};
use crate::hex::Hex;
use crate::ledger::UserName;
use crate::session::{Lifetime, Moment, Overview, Sessions, TokenDigest};

/// The actor around [`Sessions`].
pub struct SessionsActor {
    sessions: Sessions,
    time: Monotonic,
    /// Where requests of customers who are logged in go on to.
    replies: Addr<RepliesActor>,
}

impl SessionsActor {
    /// An actor without sessions.
    #[must_use]
    pub(crate) fn new(lifetime: Lifetime, time: Monotonic, replies: Addr<RepliesActor>) -> Self {
        SessionsActor { sessions: Sessions::new(lifetime), time, replies }
    }

    fn at(&self) -> Moment {
        Moment { now: self.time.now(), unix_ms: unix_ms() }
    }
}

impl Actor for SessionsActor {
    type Context = Context<Self>;
}

/// A customer has proved who they are, from this address; returns the token of the new session.
#[derive(Message)]
#[rtype(result = "String")]
pub(crate) struct Begin(pub UserName, pub String);

impl Handler<Begin> for SessionsActor {
    type Result = String;

    fn handle(&mut self, Begin(user, from): Begin, _: &mut Self::Context) -> String {
        let mut random = [0; 32];
        getrandom::fill(&mut random).expect("the system gives random bytes");
        let token = Hex(&random).to_string();
        let at = self.at();
        self.sessions.begin(&token, user, from, at);
        token
    }
}

/// Asks whose session a token belongs to.
#[derive(Message)]
#[rtype(result = "Option<UserName>")]
pub(crate) struct Whose(pub TokenDigest);

impl Handler<Whose> for SessionsActor {
    type Result = MessageResult<Whose>;

    fn handle(&mut self, Whose(token): Whose, _: &mut Self::Context) -> Self::Result {
        let at = self.at();
        MessageResult(self.sessions.user(token, at))
    }
}

/// Asks whether a session lasts; that is no use of it.
#[derive(Message)]
#[rtype(result = "bool")]
pub(crate) struct IsOpen(pub TokenDigest);

impl Handler<IsOpen> for SessionsActor {
    type Result = bool;

    fn handle(&mut self, IsOpen(token): IsOpen, _: &mut Self::Context) -> bool {
        self.sessions.is_open(token, self.at())
    }
}

/// A request for the common order in the name of a customer whose session somebody has asked about
/// before: it goes on if the session is still theirs. So a request costs the bank's handlers one
/// message out and one back, and a session that has ended orders nothing.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct OnBehalf {
    /// The session,
    pub token: TokenDigest,
    /// and whose it was.
    pub user: UserName,
    /// The request.
    pub submit: Submit,
}

impl Handler<OnBehalf> for SessionsActor {
    type Result = ();

    fn handle(&mut self, asked: OnBehalf, _: &mut Self::Context) {
        let OnBehalf { token, user, submit } = asked;
        let at = self.at();
        if self.sessions.user(token, at) == Some(user) {
            self.replies.do_send(submit);
        } else {
            submit.session_is_over();
        }
    }
}

/// The customer leaves; returns who it was, if there was such a session.
#[derive(Message)]
#[rtype(result = "Option<UserName>")]
pub(crate) struct End(pub String);

impl Handler<End> for SessionsActor {
    type Result = MessageResult<End>;

    fn handle(&mut self, End(token): End, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.sessions.end(&token))
    }
}

/// The customer ends one of their sessions by its name; returns whether there was one.
#[derive(Message)]
#[rtype(result = "bool")]
pub(crate) struct EndNamed(pub UserName, pub String);

impl Handler<EndNamed> for SessionsActor {
    type Result = bool;

    fn handle(&mut self, EndNamed(user, name): EndNamed, _: &mut Self::Context) -> bool {
        self.sessions.end_named(&user, &name)
    }
}

/// All of a customer's sessions end; returns how many there were.
#[derive(Message)]
#[rtype(result = "usize")]
pub(crate) struct EndAllOf(pub UserName);

impl Handler<EndAllOf> for SessionsActor {
    type Result = usize;

    fn handle(&mut self, EndAllOf(user): EndAllOf, _: &mut Self::Context) -> usize {
        self.sessions.end_all_of(&user)
    }
}

/// All sessions end: some passwords may have changed, and nobody knows whose.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct EndAll;

impl Handler<EndAll> for SessionsActor {
    type Result = ();

    fn handle(&mut self, _: EndAll, _: &mut Self::Context) {
        self.sessions.end_all();
    }
}

/// Asks what a customer sees of their sessions; the token says which one is asking.
#[derive(Message)]
#[rtype(result = "Overview")]
pub(crate) struct Look(pub UserName, pub String);

impl Handler<Look> for SessionsActor {
    type Result = MessageResult<Look>;

    fn handle(&mut self, Look(user, token): Look, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.sessions.overview(&user, &token, self.time.now()))
    }
}
