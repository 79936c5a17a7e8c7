//! What one peer has not acknowledged yet, and what is to be sent to it next.
//!
//! The idea is the sliding window of a reliable link: an event is kept until the peer's durable
//! clock covers it, a few envelopes are under way at once, and after an error everything from the
//! last acknowledged event on is sent again. Clock and position are cumulative, so only their
//! latest values travel. A peer that does not know envelopes is spoken to in the requirement's
//! single messages, one after the other.

use std::collections::VecDeque;
use std::sync::Arc;

use super::effect::PeerInput;
use super::envelope::{Envelope, EnvelopeAnswer};
use super::event::Event;
use super::execution::Check;
use super::time::Millis;
use super::vector_clock::VectorClock;
use crate::ids::{Ballot, BankId, ChainHash, EventId, Position};

/// Envelopes under way at once to a near peer. With more, each would carry less: by measurement,
/// two carry the most.
pub(crate) const ENVELOPES_UNDER_WAY: usize = 2;
/// The most envelopes under way at once to a peer that is far away.
pub(crate) const ENVELOPES_UNDER_WAY_MAX: usize = 16;
/// How long a further envelope waits after the last one left, in milliseconds per envelope under
/// way: so an event need not wait for an answer from far away, and a few envelopes span any
/// distance.
pub(crate) const SPACING_MS: Millis = 5;
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
/// The most single facts kept for a peer while it is not known whether it understands envelopes.
pub(crate) const SINGLE_FACTS_MAX: usize = 65_536;

/// How a peer is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    /// Not known before the first answer: envelopes are tried, single facts kept.
    Untried,
    /// `POST /peer/envelope`.
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

/// What the link is to send now.
#[derive(Clone, Debug)]
pub enum Transmission {
    /// One envelope; several may be under way.
    Envelope(Parcel),
    /// One of the requirement's messages; the next follows after its answer.
    Single(SingleMessage),
}

/// An envelope, and what is reported with it about execution.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// For the peer's buffer.
    pub envelope: Envelope,
    /// For the peer's checks: executed through a position, with its hash.
    pub executed: Option<(Position, ChainHash)>,
}

/// How a send ended.
#[derive(Clone, Copy, Debug)]
pub enum Delivery {
    /// The peer answered the envelope.
    Answered(EnvelopeAnswer),
    /// The peer took the single message.
    Taken,
    /// The peer is in another view at the moment.
    WrongView,
    /// The peer does not know envelopes.
    UnknownRoute,
    /// No answer, or none that makes sense.
    Failed,
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
    under_way: usize,
    /// When the last one left.
    left_at: Millis,
    /// Counts views, so that the answer to something sent in an earlier one is ignored.
    era: u64,
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
            under_way: 0,
            left_at: 0,
            era: 0,
            failures: 0,
            quiet_until: 0,
        }
    }

    /// Whether the peer has everything that this bank had to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && !self.has_news() && self.under_way == 0
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
        self.dialect = Dialect::Untried;
        self.events.clear();
        self.facts.clear();
        self.sent = 0;
        self.under_way = 0;
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

    fn has_news(&self) -> bool {
        self.is_due_at().is_some()
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
        let is_due_at = self.is_due_at().filter(|_| self.view.is_some())?;
        Some(self.may_leave_at()?.max(is_due_at).max(self.quiet_until))
    }

    /// When one more envelope may leave; `None` if only after an answer.
    fn may_leave_at(&self) -> Option<Millis> {
        match self.under_way {
            0 => Some(0),
            _ if self.dialect != Dialect::Envelopes => None,
            1..ENVELOPES_UNDER_WAY => Some(0),
            ENVELOPES_UNDER_WAY..ENVELOPES_UNDER_WAY_MAX => {
                Some(self.left_at + SPACING_MS * self.under_way as Millis)
            }
            _ => None,
        }
    }

    /// What to send now, with the era to hand back to [`Outbox::delivered`].
    pub fn next(&mut self, now: Millis) -> Option<(u64, Transmission)> {
        let view = self.view?;
        if self.executed_news == ExecutedNews::Deferred(None) {
            self.executed_news = ExecutedNews::Deferred(Some(now + EXECUTED_WITHIN_MS));
        }
        if now < self.wake_at()? {
            return None;
        }
        self.under_way += 1;
        self.left_at = now;
        let transmission = match self.dialect {
            Dialect::Singles => Transmission::Single(self.facts.front()?.clone()),
            _ => Transmission::Envelope(self.parcel(view)),
        };
        Some((self.era, transmission))
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

    /// How something sent in an era ended.
    pub fn delivered(&mut self, era: u64, delivery: Delivery, now: Millis) {
        if era != self.era {
            return;
        }
        self.under_way -= 1;
        match delivery {
            Delivery::Answered(answer) => {
                self.failures = 0;
                self.dialect = Dialect::Envelopes;
                self.facts.clear();
                self.rewind_to_gap(answer.expected);
            }
            Delivery::Taken => {
                self.failures = 0;
                self.facts.pop_front();
            }
            Delivery::UnknownRoute if self.dialect == Dialect::Untried => {
                self.dialect = Dialect::Singles
            }
            Delivery::WrongView | Delivery::UnknownRoute | Delivery::Failed => self.back_off(now),
        }
    }

    /// With nothing else under way, the event that the peer expects next is the first one it lacks.
    fn rewind_to_gap(&mut self, expected: u64) {
        if self.under_way == 0 {
            let before_gap =
                self.events.iter().take_while(|event| event.counter() < expected).count();
            self.sent = self.sent.min(before_gap);
        }
    }

    fn back_off(&mut self, now: Millis) {
        self.sent = 0;
        self.clock_is_news = self.clock.is_some();
        self.tell_executed_again();
        let wait = BACK_OFF_FIRST_MS << self.failures.min(10);
        self.failures += 1;
        self.quiet_until = now + wait.min(BACK_OFF_MAX_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::request::{Header, RawRequest, raw};

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

    fn counters(transmission: Option<(u64, Transmission)>) -> Vec<u64> {
        match transmission {
            Some((_, Transmission::Envelope(parcel))) => {
                parcel.envelope.events.iter().map(|e| e.counter()).collect()
            }
            other => panic!("an envelope expected: {other:?}"),
        }
    }

    fn answered(expected: u64) -> Delivery {
        Delivery::Answered(EnvelopeAnswer { taken: true, expected })
    }

    #[test]
    fn what_gathers_while_the_first_envelope_is_under_way_travels_together_in_the_next() {
        let mut outbox = installed();
        outbox.handle(event(1));
        assert_eq!(counters(outbox.next(0)), [1]);
        outbox.handle(event(2));
        outbox.handle(event(3));
        assert!(outbox.next(0).is_none(), "one at a time until the peer has answered once");
        outbox.delivered(1, answered(2), 0);
        assert_eq!(counters(outbox.next(0)), [2, 3]);
    }

    #[test]
    fn after_an_error_everything_that_is_not_covered_is_sent_again_after_a_pause() {
        let mut outbox = installed();
        (1..=3).for_each(|counter| outbox.handle(event(counter)));
        outbox.next(0);
        outbox.handle(PeerInput::Covered(1));
        outbox.delivered(1, Delivery::Failed, 0);
        assert!(outbox.next(BACK_OFF_FIRST_MS - 1).is_none());
        assert_eq!(counters(outbox.next(BACK_OFF_FIRST_MS)), [2, 3]);
    }

    #[test]
    fn events_for_a_distant_peer_do_not_wait_for_an_answer_and_share_a_few_envelopes() {
        let mut outbox = installed();
        outbox.handle(event(1));
        outbox.next(0);
        outbox.delivered(1, answered(2), 0);
        let mut left = Vec::new();
        for now in 0..1_000 {
            outbox.handle(event(2 + now));
            if outbox.next(now).is_some() {
                left.push(now);
            }
        }
        assert_eq!(left[..4], [0, 1, 11, 26], "two at once, then at growing distances");
        assert_eq!(left.len(), ENVELOPES_UNDER_WAY_MAX);
        assert!(*left.last().unwrap() > 500, "{left:?}");
        assert!(outbox.wake_at().is_none(), "only an answer wakes it");
        outbox.delivered(1, answered(3), 1_000);
        assert_eq!(outbox.wake_at(), Some(left.last().unwrap() + 15 * SPACING_MS));
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

    fn told(transmission: Option<(u64, Transmission)>) -> Option<u64> {
        match transmission {
            Some((_, Transmission::Envelope(parcel))) => Some(parcel.executed.expect("told").0.0),
            _ => None,
        }
    }

    #[test]
    fn the_report_of_execution_is_urgent_only_for_the_events_sender() {
        let mut outbox = installed();
        outbox.handle(executed(1, 1));
        assert_eq!(told(outbox.next(0)), Some(1), "the peer's customers wait for it");
        outbox.delivered(1, answered(1), 0);

        outbox.handle(executed(0, 2));
        assert!(outbox.next(10).is_none());
        outbox.handle(executed(2, 3));
        assert!(outbox.next(20).is_none() && !outbox.is_empty());
        assert_eq!(outbox.wake_at(), Some(10 + EXECUTED_WITHIN_MS), "counted from the first");
        assert_eq!(told(outbox.next(10 + EXECUTED_WITHIN_MS)), Some(3));
        outbox.delivered(1, answered(1), 30);

        outbox.handle(executed(0, 4));
        assert!(outbox.next(40).is_none());
        outbox.handle(event(1));
        assert_eq!(told(outbox.next(41)), Some(4), "with the next event");
        outbox.delivered(1, answered(2), 42);
        assert_eq!(outbox.wake_at(), None);
    }

    #[test]
    fn a_gap_at_the_peer_rewinds_the_link() {
        let mut outbox = installed();
        (1..=3).for_each(|counter| outbox.handle(event(counter)));
        outbox.next(0);
        outbox.delivered(1, answered(2), 0);
        assert_eq!(counters(outbox.next(0)), [2, 3]);
        outbox.delivered(1, answered(4), 0);
        assert!(outbox.next(0).is_none());
        assert!(!outbox.is_empty(), "kept until the peer has it on disk");
        outbox.handle(PeerInput::Covered(3));
        assert!(outbox.is_empty());
    }

    #[test]
    fn an_answer_from_an_earlier_view_changes_nothing() {
        let mut outbox = installed();
        outbox.handle(event(1));
        outbox.next(0);
        outbox.handle(PeerInput::Install(Ballot { round: 2, coordinator: BankId(0) }));
        outbox.delivered(1, Delivery::Failed, 0);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_peer_without_envelopes_gets_single_messages_in_turn_and_again_after_an_error() {
        let mut outbox = installed();
        outbox.handle(event(1));
        let id = EventId::new(BankId(1), "x");
        outbox.handle(PeerInput::Durable { clock: vec![1, 1].into(), events: [id.clone()].into() });
        outbox.next(0);
        outbox.delivered(1, Delivery::UnknownRoute, 0);
        let single = |outbox: &mut Outbox, now| match outbox.next(now) {
            Some((_, Transmission::Single(message))) => message,
            other => panic!("a single message expected: {other:?}"),
        };
        assert!(matches!(single(&mut outbox, 0), SingleMessage::Event(_)));
        outbox.delivered(1, Delivery::Failed, 0);
        assert!(matches!(single(&mut outbox, BACK_OFF_MAX_MS), SingleMessage::Event(_)));
        outbox.delivered(1, Delivery::Taken, 0);
        assert!(
            matches!(single(&mut outbox, BACK_OFF_MAX_MS), SingleMessage::Ack(ack) if ack == id)
        );
    }
}
