//! Where every effect goes: one exhaustive match.

use std::sync::Arc;

use actix::{Addr, Message};

use super::buffer::BufferActor;
use super::checks::ChecksActor;
use super::clock::ClockActor;
use super::heartbeat::HeartbeatActor;
use super::journal::JournalActor;
use super::ledger::LedgerActor;
use super::peer_link::PeerLinkActor;
use super::replies::{Answer, RepliesActor};
use super::view::ViewActor;
use super::watch::{Noticed, WatchActor};
use crate::ids::BankId;
use crate::protocol::effect::Effect;
use crate::protocol::notice::{Notice, Weight};

/// The addresses of all parts of a node. `do_send` enqueues at once, so what one part tells another
/// arrives in order.
#[derive(Clone)]
pub struct Routes {
    /// This bank.
    pub me: BankId,
    /// The vector clock.
    pub clock: Addr<ClockActor>,
    /// The ordered buffer.
    pub buffer: Addr<BufferActor>,
    /// The journal writer.
    pub journal: Addr<JournalActor>,
    /// The ledger.
    pub ledger: Addr<LedgerActor>,
    /// The checks.
    pub checks: Addr<ChecksActor>,
    /// The view.
    pub view: Addr<ViewActor>,
    /// The heartbeat monitor.
    pub heartbeat: Addr<HeartbeatActor>,
    /// The waiting customers.
    pub replies: Addr<RepliesActor>,
    /// The history for people who watch.
    pub watch: Addr<WatchActor>,
    /// Per bank, the link to it; none to itself.
    pub links: Arc<[Option<Addr<PeerLinkActor>>]>,
}

/// The first message to every actor: where the others are.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct Wire(pub Routes);

impl Routes {
    /// Hands every effect to the part it names, in order.
    pub fn deliver(&self, out: &mut Vec<Effect>) {
        for effect in out.drain(..) {
            match effect {
                Effect::Clock(input) => self.clock.do_send(input),
                Effect::Buffer(input) => self.buffer.do_send(input),
                Effect::Journal(input) => self.journal.do_send(input),
                Effect::Ledger(input) => self.ledger.do_send(input),
                Effect::Checks(input) => self.checks.do_send(input),
                Effect::View(input) => self.view.do_send(input),
                Effect::Heartbeat(input) => self.heartbeat.do_send(input),
                Effect::Peer(bank, input) => {
                    let link = self.links.get(bank.index()).and_then(Option::as_ref);
                    link.expect("effects name peers of nodes.json").do_send(input);
                }
                Effect::Reply(id, reply) => self.replies.do_send(Answer { id, reply }),
                Effect::Notice(notice) => self.log(notice),
            }
        }
    }

    fn log(&self, notice: Notice) {
        match notice.weight() {
            Weight::Alarm => log::error!("bank {}: {notice}", self.me),
            Weight::Warning => log::warn!("bank {}: {notice}", self.me),
            Weight::News => log::info!("bank {}: {notice}", self.me),
        }
        self.watch.do_send(Noticed(notice));
    }
}

/// An actor's outgoing mail: effects gather in `out` and leave together.
#[derive(Default)]
pub struct Post {
    /// Effects of the input being handled.
    pub out: Vec<Effect>,
    routes: Option<Routes>,
}

impl Post {
    /// Learns where the others are.
    pub fn wire(&mut self, routes: Routes) {
        self.routes = Some(routes);
    }

    /// Hands over what has gathered.
    pub fn deliver(&mut self) {
        self.routes
            .as_ref()
            .expect("every actor is wired by its first message")
            .deliver(&mut self.out);
    }
}
