//! What one peer has not acknowledged yet, and what is to be sent to it next.
//!
//! The idea is the sliding window of a reliable link: an event is kept until the peer's durable
//! clock covers it, and when the connection breaks or the peer does not take something, everything
//! from the first event that it lacks is sent again. Clock and position are cumulative, so only
//! their latest values travel. How much may be under way is up to the [`line`](super::line). A peer
//! that does not know such connections is spoken to in the requirement's single messages, one after
//! the other.

use std::collections::VecDeque;
use std::sync::Arc;

use super::effect::{ChecksInput, HeartbeatInput, PeerInput};
use super::envelope::{Envelope, Gathered};
use super::event::Event;
use super::execution::Check;
use super::line::{ANSWER_WITHIN_MS, Line};
use super::time::Millis;
use super::vector_clock::VectorClock;
use crate::ids::{Ballot, BankId, ChainHash, EventId, Position};

/// The most events in one envelope.
pub(crate) const EVENTS_PER_ENVELOPE_MAX: usize = 64;
/// The most bytes of events in one envelope, unless a single event is larger.
pub(crate) const ENVELOPE_BYTES_MAX: usize = 1024 * 1024;
/// Wait after a first failed send, in milliseconds; doubles with every further failure.
pub(crate) const BACK_OFF_FIRST_MS: Millis = 20;
/// The longest wait after a failed send, in milliseconds.
pub(crate) const BACK_OFF_MAX_MS: Millis = 1_000;
/// How long the news that all members agree may wait for something to travel with, in milliseconds.
pub(crate) const AGREED_WITHIN_MS: Millis = 20;
/// About how many bytes a parcel has besides its events.
const PARCEL_BYTES: u64 = 300;
/// The most single facts kept for a peer while it is not known whether it understands envelopes.
pub(crate) const SINGLE_FACTS_MAX: usize = 65_536;

/// How a peer is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    /// Not known before the first connection: one is tried, single facts are kept.
    Untried,
    /// Envelopes, as frames of a connection.
    Envelopes,
    /// The requirement's four routes.
    Singles,
}

/// Whether the peer has to hear the latest of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// It has been told.
    None,
    /// With whatever leaves next.
    RidesAlong,
    /// It waits for it.
    Urgent,
}

impl News {
    /// Something newer is to be told.
    fn add(&mut self, urgent: bool) {
        if urgent {
            *self = News::Urgent;
        } else if *self == News::None {
            *self = News::RidesAlong;
        }
    }

    /// It must not wait any longer.
    fn hurry(&mut self) {
        if *self == News::RidesAlong {
            *self = News::Urgent;
        }
    }

    /// Whether it is to be told with what leaves now.
    fn take(&mut self) -> bool {
        std::mem::replace(self, News::None) != News::None
    }
}

/// One of the requirement's messages.
#[derive(Clone, Debug)]
pub enum SingleMessage {
    /// `POST /receive-message`.
    Event(Arc<Event>),
    /// `POST /receiver_ack/{id}`.
    Ack(EventId),
    /// `POST /init_check_queue/{id}`: this bank sent the event.
    OwnCheck(EventId, Check),
    /// `POST /receiver_one_queue/{id}`: another bank sent it.
    PeerCheck(EventId, Check),
}

/// What the link is to do now.
#[derive(Clone, Debug)]
pub enum Transmission {
    /// Open the connection of this number.
    Open(u64),
    /// Send an envelope as the next frame of this connection.
    Frame(u64, Parcel),
    /// Ask the peer, behind the frames sent so far, to confirm that it has processed them.
    Probe {
        /// The connection.
        line: u64,
        /// How many frames that is.
        frames: u64,
    },
    /// Give up this connection.
    Close(u64),
    /// One of the requirement's messages, of this era; the next follows after its answer.
    Single(u64, SingleMessage),
}

/// An envelope, and what is reported with it about execution.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// For the peer's buffer.
    pub envelope: Envelope,
    /// For the peer's checks: executed through a position, with its hash,
    pub executed: Option<(Position, ChainHash)>,
    /// and through which all members have executed and agree.
    pub agreed: Option<(Position, ChainHash)>,
}

impl Parcel {
    /// About how many bytes it is on the line.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let events = self.envelope.events.iter().map(|event| event.wire().get().len());
        PARCEL_BYTES + events.sum::<usize>() as u64
    }

    /// What it tells the checks of the bank that receives it, once its envelope was taken.
    #[must_use]
    pub fn for_checks(&self, from: BankId) -> [Option<ChecksInput>; 2] {
        let view = self.envelope.view;
        let executed = view.zip(self.executed);
        let agreed = view.zip(self.agreed);
        [
            executed.map(|(view, (position, hash))| ChecksInput::PeerExecuted {
                from,
                view,
                position,
                hash,
            }),
            agreed.map(|(view, (position, hash))| ChecksInput::AllExecuted {
                from,
                view,
                position,
                hash,
            }),
        ]
    }
}

/// What has become of something that was sent.
#[derive(Clone, Copy, Debug)]
pub enum Delivery {
    /// The connection of this number is open.
    Opened(u64),
    /// It has ended, or could not be opened.
    Ended(u64),
    /// The peer does not know such connections.
    UnknownRoute(u64),
    /// The peer has processed frames of a connection.
    Confirmed {
        /// The connection.
        line: u64,
        /// How many.
        frames: u64,
    },
    /// The peer did not take a frame, or not all of its events.
    NotTaken {
        /// The connection.
        line: u64,
        /// The number of the frame, counted from 1.
        frame: u64,
        /// The counter of the event that the peer expects next; 0 when it acts in another view.
        expected: u64,
    },
    /// The peer took the single message of this era.
    Taken(u64),
    /// It did not: it gave no answer, or one that makes no sense, or is in another view.
    Failed {
        /// Of this era.
        era: u64,
        /// Whether any answer came.
        arrived: bool,
    },
}

/// The sending side of one link.
#[derive(Debug)]
pub struct Outbox {
    me: BankId,
    peer: BankId,
    view: Option<Ballot>,
    dialect: Dialect,
    /// Own events that the peer's durable clock does not cover, in order.
    events: VecDeque<Arc<Event>>,
    /// How many of `events` are under way or delivered.
    sent: usize,
    clock: Option<VectorClock>,
    clock_news: News,
    gathered: Option<Arc<Gathered>>,
    gathered_news: News,
    executed: Option<(Ballot, Position, ChainHash)>,
    executed_news: News,
    agreed: Option<(Ballot, Position, ChainHash)>,
    agreed_news: News,
    /// When news that all agree is to leave, at the latest.
    agreed_at: Option<Millis>,
    /// Single facts in order, for a peer that speaks only the requirement's routes.
    facts: VecDeque<SingleMessage>,
    line: Line,
    /// What the peer says of frames up to this one means nothing any more: they are of an earlier
    /// view, or are sent again anyway.
    void_through: u64,
    /// When the single message under way left.
    single_since: Option<Millis>,
    /// Counts views, so that the answer to a single message of an earlier one is ignored.
    era: u64,
    /// Whether the last thing sent went unanswered.
    is_failing: bool,
    /// For the heartbeat monitor.
    reports: Vec<HeartbeatInput>,
    failures: u32,
    quiet_until: Millis,
}

impl Outbox {
    /// The outbox of bank `me` for a peer; silent until a view is installed.
    #[must_use]
    pub fn new(me: BankId, peer: BankId) -> Self {
        Outbox {
            me,
            peer,
            view: None,
            dialect: Dialect::Untried,
            events: VecDeque::new(),
            sent: 0,
            clock: None,
            clock_news: News::None,
            gathered: None,
            gathered_news: News::None,
            executed: None,
            executed_news: News::None,
            agreed: None,
            agreed_news: News::None,
            agreed_at: None,
            facts: VecDeque::new(),
            line: Line::new(),
            void_through: 0,
            single_since: None,
            era: 0,
            is_failing: false,
            reports: Vec::new(),
            failures: 0,
            quiet_until: 0,
        }
    }

    /// Whether the peer has everything that it waits for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_under_way = !self.line.is_idle() || self.single_since.is_some();
        self.events.is_empty() && self.is_due_at().is_none() && !is_under_way
    }

    /// Whether the peer has everything matters now: it is to be asked without delay.
    pub(crate) fn hurry(&mut self) {
        self.tell_all();
        self.line.hurry();
    }

    fn tell_all(&mut self) {
        self.clock_news.hurry();
        self.executed_news.hurry();
        self.agreed_news.hurry();
    }

    /// Takes one input; see [`PeerInput`]. Messages about views do not come here.
    pub fn handle(&mut self, input: PeerInput, now: Millis) {
        match input {
            PeerInput::Install(view) => self.install(view),
            PeerInput::Freeze => self.reset(None),
            PeerInput::Event(event) => {
                self.keep_fact(SingleMessage::Event(Arc::clone(&event)));
                self.events.push_back(event);
            }
            PeerInput::Durable { clock, events, urgent } => {
                events.iter().for_each(|id| self.keep_fact(SingleMessage::Ack(id.clone())));
                self.clock = Some(clock);
                self.clock_news.add(urgent);
            }
            PeerInput::Gathered(gathered) => {
                self.gathered = Some(gathered);
                self.gathered_news = News::Urgent;
            }
            PeerInput::Agreed { view, position, hash } if self.view == Some(view) => {
                self.agreed = Some((view, position, hash));
                self.agreed_news.add(false);
                self.agreed_at.get_or_insert(now + AGREED_WITHIN_MS);
            }
            PeerInput::TellAll => self.tell_all(),
            PeerInput::Executed { view, position, hash, event, check } => {
                let id = event.id.clone();
                let own = event.sender == self.me;
                self.keep_fact(if own {
                    SingleMessage::OwnCheck(id, check)
                } else {
                    SingleMessage::PeerCheck(id, check)
                });
                self.executed = Some((view, position, hash));
                self.executed_news.add(event.sender == self.peer);
            }
            PeerInput::Covered(counter) => {
                while self.events.front().is_some_and(|event| event.counter() <= counter) {
                    self.events.pop_front();
                    self.sent = self.sent.saturating_sub(1);
                }
            }
            PeerInput::Agreed { .. } | PeerInput::View(_) => {}
        }
    }

    fn install(&mut self, view: Ballot) {
        self.reset(Some(view));
        // The ledger's report from the new view may have come before the buffer's.
        self.tell_executed_again();
    }

    fn reset(&mut self, view: Option<Ballot>) {
        self.view = view;
        self.dialect = if self.line.is_open() { Dialect::Envelopes } else { Dialect::Untried };
        self.events.clear();
        self.facts.clear();
        self.sent = 0;
        self.void_through = self.line.frames();
        self.single_since = None;
        self.era += 1;
        self.clock = None;
        self.clock_news = News::None;
        self.gathered = None;
        self.gathered_news = News::None;
        self.executed_news = News::None;
        self.agreed = None;
        self.agreed_news = News::None;
        self.agreed_at = None;
        self.failures = 0;
        self.quiet_until = 0;
    }

    fn keep_fact(&mut self, fact: SingleMessage) {
        if self.dialect != Dialect::Envelopes && self.facts.len() < SINGLE_FACTS_MAX {
            self.facts.push_back(fact);
        }
    }

    /// What was executed in the view in force may not have arrived.
    fn tell_executed_again(&mut self) {
        let is_of_view = self.executed.is_some_and(|(view, ..)| Some(view) == self.view);
        self.executed_news = if is_of_view { News::Urgent } else { News::None };
    }

    /// When what there is to say is to leave, if there is anything.
    fn is_due_at(&self) -> Option<Millis> {
        if self.dialect == Dialect::Singles {
            return (!self.facts.is_empty()).then_some(0);
        }
        let news = [self.clock_news, self.gathered_news, self.executed_news, self.agreed_news];
        if self.sent < self.events.len() || news.contains(&News::Urgent) {
            return Some(0);
        }
        self.agreed_at.filter(|_| self.agreed_news == News::RidesAlong)
    }

    /// When to call [`Outbox::next`] again although nothing new came, if at all.
    #[must_use]
    pub fn wake_at(&self) -> Option<Millis> {
        [self.leaves_at(), self.line.probes_at(), self.line.breaks_at()].into_iter().flatten().min()
    }

    /// Whether there is something to send that may leave now.
    pub(crate) fn leaves_by(&self, now: Millis) -> bool {
        self.leaves_at().is_some_and(|at| at <= now)
    }

    /// When there is something to send that may leave, or to open a connection for.
    fn leaves_at(&self) -> Option<Millis> {
        let may_leave = match self.dialect {
            Dialect::Singles => self.single_since.is_none(),
            _ => self.line.is_closed() || self.line.has_room(),
        };
        let is_due_at = self.is_due_at().filter(|_| self.view.is_some() && may_leave)?;
        Some(is_due_at.max(self.quiet_until))
    }

    /// What to do now, if anything; to be asked again until there is nothing.
    pub fn next(&mut self, now: Millis) -> Option<Transmission> {
        let is_due = |at: Option<Millis>| at.is_some_and(|at| at <= now);
        if is_due(self.line.breaks_at()) {
            let number = self.line.number();
            self.lose_line(now);
            return Some(Transmission::Close(number));
        }
        if is_due(self.leaves_at()) {
            return self.leave(now);
        }
        if is_due(self.line.probes_at()) {
            let (line, frames) = self.line.probe(now);
            return Some(Transmission::Probe { line, frames });
        }
        None
    }

    fn leave(&mut self, now: Millis) -> Option<Transmission> {
        if self.dialect == Dialect::Singles {
            let fact = self.facts.front()?.clone();
            self.single_since = Some(now);
            return Some(Transmission::Single(self.era, fact));
        }
        if self.line.is_closed() {
            self.void_through = 0;
            return Some(Transmission::Open(self.line.open(now)));
        }
        let parcel = self.parcel(self.view?);
        let number = self.line.send(parcel.bytes(), now);
        Some(Transmission::Frame(number, parcel))
    }

    fn parcel(&mut self, view: Ballot) -> Parcel {
        let mut bytes = 0;
        let mut events = Vec::new();
        for event in self.events.iter().skip(self.sent).take(EVENTS_PER_ENVELOPE_MAX) {
            bytes += event.wire().get().len();
            if !events.is_empty() && bytes > ENVELOPE_BYTES_MAX {
                break;
            }
            events.push(Arc::clone(event));
        }
        self.sent += events.len();
        let of_view = |(_, position, hash)| (position, hash);
        let clock = self.clock.clone().filter(|_| self.clock_news.take());
        let gathered = self.gathered.as_deref().cloned().filter(|_| self.gathered_news.take());
        let executed = self.executed.filter(|_| self.executed_news.take()).map(of_view);
        let agreed = self.agreed.filter(|_| self.agreed_news.take()).map(of_view);
        self.agreed_at = None;
        let envelope = Envelope { view: Some(view), events, clock, gathered };
        Parcel { envelope, executed, agreed }
    }

    /// Learns what has become of something that was sent.
    pub fn delivered(&mut self, delivery: Delivery, now: Millis) {
        match delivery {
            Delivery::Opened(line) if self.line.is_current(line) => {
                self.line.opened();
                self.dialect = Dialect::Envelopes;
                self.facts.clear();
            }
            Delivery::Ended(line) if self.line.is_current(line) => self.lose_line(now),
            Delivery::UnknownRoute(line) if self.line.is_current(line) => {
                self.line.end(now);
                self.fared(true, 0);
                self.dialect = Dialect::Singles;
            }
            Delivery::Confirmed { line, frames } if self.line.is_current(line) => {
                self.line.confirm(frames);
                self.fared(true, 0);
                if frames > self.void_through {
                    self.failures = 0;
                }
            }
            Delivery::NotTaken { line, frame, expected }
                if self.line.is_current(line) && frame > self.void_through =>
            {
                self.send_again(expected);
                self.back_off(now);
            }
            Delivery::Taken(era) if era == self.era => {
                self.single_since = None;
                self.failures = 0;
                self.facts.pop_front();
                self.fared(true, 0);
            }
            Delivery::Failed { era, arrived } if era == self.era => {
                let since = self.single_since.take().unwrap_or(now);
                self.fared(arrived, now.saturating_sub(since));
                self.back_off(now);
            }
            _ => {}
        }
    }

    /// How something that is not the outbox's own business fared on its way to the peer: whether
    /// any answer came, and how long it was waited for.
    pub fn fared(&mut self, arrive: bool, waited: Millis) {
        let was_failing = std::mem::replace(&mut self.is_failing, !arrive);
        if !arrive || was_failing {
            let waited = waited.min(ANSWER_WITHIN_MS);
            self.reports.push(HeartbeatInput::Requests { bank: self.peer, arrive, waited });
        }
    }

    /// What the heartbeat monitor is to hear.
    pub fn reports(&mut self) -> std::vec::Drain<'_, HeartbeatInput> {
        self.reports.drain(..)
    }

    /// The connection is gone, and perhaps what was under way on it.
    fn lose_line(&mut self, now: Millis) {
        let is_confirmed = self.line.is_idle();
        if let Some(waited) = self.line.end(now) {
            self.fared(false, waited);
        }
        self.dialect = Dialect::Untried;
        if !is_confirmed {
            self.send_again(0);
        }
        self.back_off(now);
    }

    /// Sends everything again, but for the events before the one that the peer expects.
    fn send_again(&mut self, expected: u64) {
        let before_gap = self.events.iter().take_while(|event| event.counter() < expected).count();
        self.sent = self.sent.min(before_gap);
        self.void_through = self.line.frames();
        let again = |is_known| if is_known { News::Urgent } else { News::None };
        self.clock_news = again(self.clock.is_some());
        self.gathered_news = again(self.gathered.is_some());
        self.agreed_news = again(self.agreed.is_some());
        self.tell_executed_again();
    }

    fn back_off(&mut self, now: Millis) {
        let wait = BACK_OFF_FIRST_MS << self.failures.min(10);
        self.failures += 1;
        self.quiet_until = now + wait.min(BACK_OFF_MAX_MS);
    }
}

#[cfg(test)]
mod tests;
