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

use super::effect::{HeartbeatInput, PeerInput};
use super::envelope::Envelope;
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
/// How long the report of what this bank has executed may wait for something to travel with,
/// in milliseconds, unless the peer's customers wait for it.
pub(crate) const EXECUTED_WITHIN_MS: Millis = 20;
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

/// Whether the peer has to hear how far this bank has executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExecutedNews {
    /// It has been told.
    None,
    /// With whatever leaves next, and at this time at the latest, once that is set.
    Deferred(Option<Millis>),
    /// Its customers wait for it.
    Urgent,
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
    /// For the peer's checks: executed through a position, with its hash.
    pub executed: Option<(Position, ChainHash)>,
}

impl Parcel {
    /// About how many bytes it is on the line.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let events = self.envelope.events.iter().map(|event| event.wire().get().len());
        PARCEL_BYTES + events.sum::<usize>() as u64
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
    clock_is_news: bool,
    executed: Option<(Ballot, Position, ChainHash)>,
    executed_news: ExecutedNews,
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
            clock_is_news: false,
            executed: None,
            executed_news: ExecutedNews::None,
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

    /// Whether the peer has everything that this bank had to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_under_way = !self.line.is_idle() || self.single_since.is_some();
        self.events.is_empty() && self.is_due_at().is_none() && !is_under_way
    }

    /// Whether the peer has everything matters now: it is to be asked without delay.
    pub(crate) fn hurry(&mut self) {
        self.line.hurry();
    }

    /// Takes one input; see [`PeerInput`]. Messages about views do not come here.
    pub fn handle(&mut self, input: PeerInput) {
        match input {
            PeerInput::Install(view) => self.install(view),
            PeerInput::Freeze => self.reset(None),
            PeerInput::Event(event) => {
                self.keep_fact(SingleMessage::Event(Arc::clone(&event)));
                self.events.push_back(event);
            }
            PeerInput::Durable { clock, events } => {
                events.iter().for_each(|id| self.keep_fact(SingleMessage::Ack(id.clone())));
                self.clock = Some(clock);
                self.clock_is_news = true;
            }
            PeerInput::Executed { view, position, hash, event, check } => {
                let id = event.id.clone();
                let own = event.sender == self.me;
                self.keep_fact(if own {
                    SingleMessage::OwnCheck(id, check)
                } else {
                    SingleMessage::PeerCheck(id, check)
                });
                self.executed = Some((view, position, hash));
                self.executed_news = match self.executed_news {
                    _ if event.sender == self.peer => ExecutedNews::Urgent,
                    ExecutedNews::None => ExecutedNews::Deferred(None),
                    before => before,
                };
            }
            PeerInput::Covered(counter) => {
                while self.events.front().is_some_and(|event| event.counter() <= counter) {
                    self.events.pop_front();
                    self.sent = self.sent.saturating_sub(1);
                }
            }
            PeerInput::View(_) => {}
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
        self.clock_is_news = false;
        self.executed_news = ExecutedNews::None;
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
        self.executed_news = if is_of_view { ExecutedNews::Urgent } else { ExecutedNews::None };
    }

    /// When what there is to say is to leave, if there is anything.
    fn is_due_at(&self) -> Option<Millis> {
        if self.dialect == Dialect::Singles {
            return (!self.facts.is_empty()).then_some(0);
        }
        match self.executed_news {
            _ if self.sent < self.events.len() || self.clock_is_news => Some(0),
            ExecutedNews::None => None,
            ExecutedNews::Deferred(at) => Some(at.unwrap_or(0)),
            ExecutedNews::Urgent => Some(0),
        }
    }

    /// When to call [`Outbox::next`] again although nothing new came, if at all.
    #[must_use]
    pub fn wake_at(&self) -> Option<Millis> {
        [self.leaves_at(), self.line.probes_at(), self.line.breaks_at()].into_iter().flatten().min()
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
        if self.executed_news == ExecutedNews::Deferred(None) {
            self.executed_news = ExecutedNews::Deferred(Some(now + EXECUTED_WITHIN_MS));
        }
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
        let clock = self.clock.clone().filter(|_| std::mem::take(&mut self.clock_is_news));
        let news = std::mem::replace(&mut self.executed_news, ExecutedNews::None);
        let executed = self.executed.filter(|_| news != ExecutedNews::None);
        let executed = executed.map(|(_, position, hash)| (position, hash));
        Parcel { envelope: Envelope { view: Some(view), events, clock }, executed }
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
        self.clock_is_news = self.clock.is_some();
        self.tell_executed_again();
    }

    fn back_off(&mut self, now: Millis) {
        let wait = BACK_OFF_FIRST_MS << self.failures.min(10);
        self.failures += 1;
        self.quiet_until = now + wait.min(BACK_OFF_MAX_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::request::{Header, RawRequest, raw};
    use crate::protocol::line::{FRAMES_MAX, PROBE_FRAMES};

    const VIEW: Ballot = Ballot { round: 1, coordinator: BankId(0) };

    fn event(counter: u64) -> PeerInput {
        let id = EventId::new(BankId(0), &counter.to_string());
        let request = RawRequest { id, type_msg: "X".into(), msg: raw(&counter) };
        PeerInput::Event(Arc::new(Event::stamp(
            VIEW,
            BankId(0),
            vec![counter, 0].into(),
            vec![request],
            Header::default(),
        )))
    }

    fn installed() -> Outbox {
        let mut outbox = Outbox::new(BankId(0), BankId(1));
        outbox.handle(PeerInput::Install(VIEW));
        outbox
    }

    fn counters(transmission: Option<Transmission>) -> Vec<u64> {
        match transmission {
            Some(Transmission::Frame(_, parcel)) => {
                parcel.envelope.events.iter().map(|e| e.counter()).collect()
            }
            other => panic!("a frame expected: {other:?}"),
        }
    }

    /// An outbox whose connection number 1 is open.
    fn connected() -> Outbox {
        let mut outbox = installed();
        outbox.handle(event(1));
        assert!(matches!(outbox.next(0), Some(Transmission::Open(1))));
        assert!(outbox.next(0).is_none(), "nothing leaves before it is open");
        outbox.delivered(Delivery::Opened(1), 0);
        assert_eq!(counters(outbox.next(0)), [1]);
        assert!(matches!(outbox.next(0), Some(Transmission::Probe { line: 1, frames: 1 })));
        outbox
    }

    fn confirmed(frames: u64) -> Delivery {
        Delivery::Confirmed { line: 1, frames }
    }

    fn not_taken(frame: u64, expected: u64) -> Delivery {
        Delivery::NotTaken { line: 1, frame, expected }
    }

    #[test]
    fn events_leave_at_once_and_what_has_gathered_travels_together() {
        let mut outbox = connected();
        outbox.handle(event(2));
        assert_eq!(counters(outbox.next(0)), [2], "although the first is not confirmed");
        outbox.handle(event(3));
        outbox.handle(event(4));
        assert_eq!(counters(outbox.next(0)), [3, 4]);
        assert!(outbox.next(0).is_none());
    }

    #[test]
    fn a_deaf_peer_costs_no_more_than_the_bounds_of_a_line() {
        let mut outbox = connected();
        let mut left = 1;
        for counter in 2..10_000 {
            outbox.handle(event(counter));
            while let Some(transmission) = outbox.next(0) {
                left += u64::from(matches!(transmission, Transmission::Frame(..)));
            }
        }
        assert_eq!(left, FRAMES_MAX);
        outbox.delivered(confirmed(PROBE_FRAMES), 0);
        assert_eq!(counters(outbox.next(0)).len(), EVENTS_PER_ENVELOPE_MAX);
    }

    #[test]
    fn when_the_connection_breaks_everything_that_is_not_covered_is_sent_again_after_a_pause() {
        let mut outbox = connected();
        outbox.handle(event(2));
        outbox.handle(event(3));
        outbox.next(0);
        outbox.handle(PeerInput::Covered(1));
        outbox.delivered(Delivery::Ended(1), 100);
        assert!(outbox.next(100 + BACK_OFF_FIRST_MS - 1).is_none());
        let now = outbox.wake_at().unwrap();
        assert!(matches!(outbox.next(now), Some(Transmission::Open(2))));
        outbox.delivered(Delivery::Opened(1), now);
        assert!(outbox.next(now).is_none(), "only the current connection counts");
        outbox.delivered(Delivery::Opened(2), now);
        assert_eq!(counters(outbox.next(now)), [2, 3]);
    }

    #[test]
    fn a_connection_without_an_echo_is_given_up_and_the_monitor_hears_of_it() {
        let mut outbox = connected();
        let breaks_at = outbox.wake_at().unwrap();
        assert_eq!(breaks_at, ANSWER_WITHIN_MS);
        assert!(matches!(outbox.next(breaks_at), Some(Transmission::Close(1))));
        assert!(matches!(
            outbox.reports().next(),
            Some(HeartbeatInput::Requests { arrive: false, waited: ANSWER_WITHIN_MS, .. })
        ));
        let now = outbox.wake_at().unwrap();
        assert!(matches!(outbox.next(now), Some(Transmission::Open(2))));
        outbox.delivered(Delivery::Ended(2), now + 500);
        assert!(matches!(
            outbox.reports().next(),
            Some(HeartbeatInput::Requests { arrive: false, waited: 500, .. })
        ));
        let now = outbox.wake_at().unwrap();
        assert!(matches!(outbox.next(now), Some(Transmission::Open(3))));
        outbox.delivered(Delivery::Opened(3), now);
        assert_eq!(counters(outbox.next(now)), [1]);
        assert!(outbox.reports().next().is_none(), "a connection alone proves nothing");
        outbox.next(now);
        outbox.delivered(Delivery::Confirmed { line: 3, frames: 1 }, now);
        assert!(matches!(
            outbox.reports().next(),
            Some(HeartbeatInput::Requests { arrive: true, .. })
        ));
    }

    #[test]
    fn the_end_of_a_connection_on_which_nothing_is_under_way_needs_no_further_one() {
        let mut outbox = connected();
        outbox.delivered(confirmed(1), 10);
        outbox.handle(PeerInput::Covered(1));
        outbox.delivered(Delivery::Ended(1), 1_000);
        assert!(outbox.is_empty() && outbox.wake_at().is_none());
        assert!(outbox.reports().next().is_none());
        outbox.handle(event(2));
        let now = outbox.wake_at().unwrap();
        assert!(matches!(outbox.next(now), Some(Transmission::Open(2))));
    }

    fn executed(sender: u16, position: u64) -> PeerInput {
        let id = EventId::new(BankId(sender), &position.to_string());
        let request = RawRequest { id, type_msg: "X".into(), msg: raw(&1) };
        let (timestamp, header) = (vec![position; 3].into(), Header::default());
        PeerInput::Executed {
            view: VIEW,
            position: Position(position),
            hash: ChainHash::default(),
            event: Arc::new(Event::stamp(VIEW, BankId(sender), timestamp, vec![request], header)),
            check: Check { code: true, descript: String::new() },
        }
    }

    fn told(transmission: Option<Transmission>) -> Option<u64> {
        match transmission {
            Some(Transmission::Frame(_, parcel)) => Some(parcel.executed.expect("told").0.0),
            _ => None,
        }
    }

    #[test]
    fn the_report_of_execution_is_urgent_only_for_the_events_sender() {
        let mut outbox = connected();
        outbox.delivered(confirmed(1), 0);
        outbox.handle(PeerInput::Covered(1));
        outbox.handle(executed(1, 1));
        assert_eq!(told(outbox.next(0)), Some(1), "the peer's customers wait for it");

        outbox.handle(executed(0, 2));
        assert!(outbox.next(10).is_none());
        outbox.handle(executed(2, 3));
        assert!(outbox.next(20).is_none() && !outbox.is_empty());
        assert_eq!(outbox.wake_at(), Some(10 + EXECUTED_WITHIN_MS), "counted from the first");
        assert_eq!(told(outbox.next(10 + EXECUTED_WITHIN_MS)), Some(3));

        outbox.handle(executed(0, 4));
        assert!(outbox.next(40).is_none());
        outbox.handle(event(2));
        assert_eq!(told(outbox.next(41)), Some(4), "with the next event");
    }

    #[test]
    fn what_the_peer_did_not_take_is_sent_again_and_only_once() {
        let mut outbox = connected();
        (2..=4).for_each(|counter| {
            outbox.handle(event(counter));
            outbox.next(0);
        });
        // The second frame found no room, and so neither did those behind it.
        outbox.delivered(not_taken(2, 2), 10);
        assert!(outbox.next(10).is_none());
        assert_eq!(counters(outbox.next(10 + BACK_OFF_FIRST_MS)), [2, 3, 4]);
        outbox.delivered(not_taken(3, 2), 40);
        outbox.delivered(not_taken(4, 2), 40);
        assert!(
            !matches!(outbox.next(1_000), Some(Transmission::Frame(..))),
            "the frames behind it are on their way again already"
        );
        outbox.delivered(not_taken(5, 0), 1_000);
        assert!(outbox.next(1_000 + 2 * BACK_OFF_FIRST_MS - 1).is_none(), "it waits for longer");
        assert_eq!(counters(outbox.next(1_000 + 2 * BACK_OFF_FIRST_MS)), [1, 2, 3, 4]);
        assert!(!outbox.is_empty(), "kept until the peer has it on disk");
    }

    #[test]
    fn what_the_peer_says_of_frames_from_an_earlier_view_changes_nothing() {
        let mut outbox = connected();
        outbox.handle(PeerInput::Install(Ballot { round: 2, coordinator: BankId(0) }));
        outbox.delivered(not_taken(1, 0), 0);
        outbox.delivered(confirmed(1), 0);
        assert!(outbox.is_empty() && outbox.wake_at().is_none());
    }

    #[test]
    fn a_stopping_bank_asks_at_once_whether_the_peer_has_everything() {
        let mut outbox = connected();
        outbox.delivered(confirmed(1), 0);
        outbox.handle(PeerInput::Covered(1));
        outbox.handle(executed(1, 1));
        outbox.next(100);
        assert!(outbox.next(100).is_none() && !outbox.is_empty());
        outbox.hurry();
        assert!(matches!(outbox.next(100), Some(Transmission::Probe { line: 1, frames: 2 })));
        outbox.delivered(confirmed(2), 101);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_peer_without_connections_gets_single_messages_in_turn_and_again_after_an_error() {
        let mut outbox = installed();
        outbox.handle(event(1));
        let id = EventId::new(BankId(1), "x");
        outbox.handle(PeerInput::Durable { clock: vec![1, 1].into(), events: [id.clone()].into() });
        outbox.next(0);
        outbox.delivered(Delivery::UnknownRoute(1), 0);
        let single = |outbox: &mut Outbox, now| match outbox.next(now) {
            Some(Transmission::Single(era, message)) => (era, message),
            other => panic!("a single message expected: {other:?}"),
        };
        let (era, message) = single(&mut outbox, 0);
        assert!(matches!(message, SingleMessage::Event(_)));
        assert!(outbox.next(0).is_none(), "one at a time");
        outbox.delivered(Delivery::Failed { era, arrived: false }, 0);
        assert!(matches!(single(&mut outbox, BACK_OFF_MAX_MS).1, SingleMessage::Event(_)));
        outbox.delivered(Delivery::Taken(era - 1), 0);
        assert!(outbox.next(BACK_OFF_MAX_MS).is_none(), "the answer is of an earlier view");
        outbox.delivered(Delivery::Taken(era), 0);
        let (_, message) = single(&mut outbox, BACK_OFF_MAX_MS);
        assert!(matches!(message, SingleMessage::Ack(ack) if ack == id));
    }
}
