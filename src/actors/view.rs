//! Owns the view.

use actix::{Actor, AsyncContext, Context, Handler, Message, MessageResult};

use super::routes::{Post, Wire};
use super::time::every;
use crate::ids::{Ballot, BankId, BankSet};
use crate::protocol::effect::ViewInput;
use crate::protocol::peer_state::PeerState;
use crate::protocol::report::PeerReport;
use crate::protocol::view::{Bulk, PhaseName, Reach, TICK_MS, View};

impl Message for ViewInput {
    type Result = ();
}

/// The actor around [`View`].
pub struct ViewActor {
    banks: usize,
    view: View,
    draining: bool,
    post: Post,
}

impl ViewActor {
    /// An actor that waits to be wired.
    #[must_use]
    pub fn new(view: View, banks: usize) -> Self {
        ViewActor { banks, view, draining: false, post: Post::default() }
    }
}

impl ViewActor {
    fn peer(&self, bank: BankId) -> (PeerState, Option<PeerReport>) {
        if bank == self.view.me() {
            (PeerState::Up, Some(self.view.report()))
        } else {
            self.view.peer(bank)
        }
    }
}

impl Actor for ViewActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        every(TICK_MS, context, |context| context.address().do_send(ViewInput::Tick));
    }
}

impl Handler<Wire> for ViewActor {
    type Result = ();

    fn handle(&mut self, Wire(routes): Wire, _: &mut Self::Context) {
        self.post.wire(routes);
    }
}

impl Handler<ViewInput> for ViewActor {
    type Result = ();

    fn handle(&mut self, input: ViewInput, _: &mut Self::Context) {
        self.view.handle(input, &mut self.post.out);
        self.post.deliver();
    }
}

/// Asks what this node says of itself to its peers: the answer to a ping.
#[derive(Message)]
#[rtype(result = "PeerReport")]
pub struct Report;

impl Handler<Report> for ViewActor {
    type Result = MessageResult<Report>;

    fn handle(&mut self, _: Report, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.view.report())
    }
}

/// Asks whether a large answer from a bank is of use.
#[derive(Message)]
#[rtype(result = "bool")]
pub(crate) struct Wants {
    /// Who has sent it.
    pub from: BankId,
    /// Which question it answers.
    pub bulk: Bulk,
}

impl Handler<Wants> for ViewActor {
    type Result = bool;

    fn handle(&mut self, Wants { from, bulk }: Wants, _: &mut Self::Context) -> bool {
        self.view.wants(from, bulk)
    }
}

/// The node is about to stop: it is not ready any more.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Draining;

impl Handler<Draining> for ViewActor {
    type Result = ();

    fn handle(&mut self, _: Draining, _: &mut Self::Context) {
        self.draining = true;
    }
}

/// Asks for the state of the view.
#[derive(Message)]
#[rtype(result = "ViewState")]
pub(crate) struct ViewStatus;

/// The state of the view.
pub(crate) struct ViewState {
    /// Whether writes are taken.
    pub ready: bool,
    /// Whether the node is stopping.
    pub draining: bool,
    /// Where the node stands.
    pub phase: PhaseName,
    /// The view in force with its members.
    pub active: Option<(Ballot, BankSet)>,
    /// Which banks this bank reaches.
    pub reach: Reach,
    /// Whether this bank's disk counts in deciding how a view begins.
    pub voter: bool,
    /// What is known of each bank; for this bank, what it tells others.
    pub peers: Vec<(PeerState, Option<PeerReport>)>,
}

impl Handler<ViewStatus> for ViewActor {
    type Result = MessageResult<ViewStatus>;

    fn handle(&mut self, _: ViewStatus, _: &mut Self::Context) -> Self::Result {
        MessageResult(ViewState {
            ready: self.view.is_ready() && !self.draining,
            draining: self.draining,
            phase: self.view.phase(),
            active: self.view.active(),
            reach: self.view.reach(),
            voter: self.view.is_voter(),
            peers: BankId::all(self.banks).map(|bank| self.peer(bank)).collect(),
        })
    }
}
