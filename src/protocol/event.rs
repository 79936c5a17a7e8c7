//! An event: what one bank multicasts to all, stamped with its clock. The requirement calls it a
//! message.
//!
//! To the protocol a request is opaque JSON; only the ledger reads it. On the wire an event is the
//! requirement's message `{sender, timestamp, type_msg, id, msg}` plus its view: `msg` is one
//! request, or with `type_msg` `BATCH` the list `[{id, type_msg, msg}, …]`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::order_key::OrderKey;
use super::vector_clock::VectorClock;
use crate::ids::bounded::at_most;
use crate::ids::request::{AT_MS_MAX, Header, RawRequest, raw};
use crate::ids::signature::Signature;
use crate::ids::{Ballot, BankId, BankSet, EventId};

/// The `type_msg` of an event that carries a list of requests.
pub(crate) const BATCH: &str = "BATCH";
/// The largest timestamp sum accepted from a peer: what a store can hold.
pub(crate) const SUM_MAX: u64 = i64::MAX as u64;
/// Largest event from a peer as JSON, in bytes. A bank gathers less than a megabyte: a quarter of
/// one in requests unless a single one is larger, a thousand of them at most, and a customer's
/// request is a quarter of a megabyte at most before it is written in full.
pub(crate) const EVENT_JSON_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The most requests in one event; a longer batch from a peer is refused.
pub(crate) const REQUESTS_PER_EVENT_MAX: usize = 1_000;

/// An event as the banks order it. Immutable once stamped, so it is shared, not copied.
#[derive(Clone, Debug)]
pub struct Event {
    /// The view it was sent in.
    pub view: Ballot,
    /// Who sent it.
    pub sender: BankId,
    /// The sender's clock after it counted this event: component `sender` is the event's counter.
    pub timestamp: VectorClock,
    /// Unique name.
    pub id: EventId,
    /// What is to be done, in this order; never empty.
    pub requests: Vec<RawRequest>,
    /// Absent in events from journals written before consortium time existed.
    pub header: Option<Header>,
    /// The event as JSON, written once for journal and links.
    wire: Arc<RawValue>,
    /// Its sender's signature under this text. There is none in events from before events were
    /// signed, or where banks have no certificates.
    signature: Option<Signature>,
    /// Whether the signature was checked at the door and is the sender's. Never said by another
    /// bank.
    is_proved: bool,
}

/// View, requests and header of a wire form.
type Content = (Ballot, Vec<RawRequest>, Option<Header>);

impl Event {
    /// Stamps requests into one event, named after the first of them.
    #[must_use]
    pub fn stamp(
        view: Ballot,
        sender: BankId,
        timestamp: VectorClock,
        requests: Vec<RawRequest>,
        header: Header,
    ) -> Self {
        let id = requests.first().expect("an event carries at least one request").id.clone();
        Event::stamped(view, sender, timestamp, (id, requests), header)
    }

    /// Stamps requests of which the first was already in an event that never existed: a bank that
    /// hears of that event late must not mistake the new one for it, so the new one's name includes
    /// its view.
    #[must_use]
    pub(crate) fn stamp_again(
        view: Ballot,
        sender: BankId,
        timestamp: VectorClock,
        requests: Vec<RawRequest>,
        header: Header,
    ) -> Self {
        let id = requests.first().expect("an event carries at least one request").id.again_in(view);
        Event::stamped(view, sender, timestamp, (id, requests), header)
    }

    fn stamped(
        view: Ballot,
        sender: BankId,
        timestamp: VectorClock,
        (id, requests): (EventId, Vec<RawRequest>),
        header: Header,
    ) -> Self {
        assert!(timestamp.get(sender) > 0, "the sender counts an event before it stamps it");
        assert!(
            (0..=AT_MS_MAX).contains(&header.at_ms),
            "the clock keeps its stamps within the calendar"
        );
        let mut event = Event::unwritten(view, (sender, timestamp), id, requests, Some(header));
        event.write();
        event
    }

    fn unwritten(
        view: Ballot,
        (sender, timestamp): (BankId, VectorClock),
        id: EventId,
        requests: Vec<RawRequest>,
        header: Option<Header>,
    ) -> Self {
        let (wire, signature, is_proved) = (raw(&()), None, false);
        Event { view, sender, timestamp, id, requests, header, wire, signature, is_proved }
    }

    /// The same event with a signature beside it, which is not checked yet.
    #[must_use]
    pub fn with_signature(self, signature: Option<Signature>) -> Self {
        Event { signature, is_proved: false, ..self }
    }

    /// The signature beside it.
    #[must_use]
    pub fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }

    /// The signature was checked, and is the sender's own under this very text.
    pub fn set_proved(&mut self) {
        assert!(self.signature.is_some(), "only a signature proves who sent an event");
        self.is_proved = true;
    }

    /// Whether it is certain that its sender put it into the order, just so and in a view of these
    /// members.
    #[must_use]
    pub(crate) fn is_proved(&self, members: BankSet) -> bool {
        let signed_for = self.signature.as_ref().map(|signature| signature.members);
        self.is_proved && signed_for == Some(members)
    }

    /// Writes the wire form.
    fn write(&mut self) {
        let (type_msg, msg) = match self.requests.as_slice() {
            [single] if single.id == self.id => (single.type_msg.clone(), Arc::clone(&single.msg)),
            batch => (BATCH.to_owned(), raw(&batch)),
        };
        self.wire = raw(&WireEvent {
            view: Some(self.view),
            sender: self.sender,
            timestamp: self.timestamp.clone(),
            at_ms: self.header.map(|header| header.at_ms),
            open: self.header.is_some_and(|header| header.open),
            type_msg,
            id: self.id.clone(),
            msg,
        });
    }

    /// Dates a message of the requirement, which has no header: the time is the one that its
    /// request names, if any, and whether customers are named is taken from `nodes.json`, where all
    /// banks of the consortium have the same setting. Every bank reads the same text and comes to
    /// the same result.
    #[must_use]
    pub fn dated(mut self, at_ms: Option<i64>, open: bool) -> Self {
        if self.header.is_none() {
            self.header =
                Some(Header { at_ms: at_ms.unwrap_or_default().clamp(0, AT_MS_MAX), open });
            self.write();
        }
        self
    }

    /// Reads an event from its wire form.
    ///
    /// # Errors
    /// [`MalformedEvent`] says what does not fit.
    pub fn from_wire(wire: WireEvent, view_when_absent: Ballot) -> Result<Self, MalformedEvent> {
        let (view, requests, header) = Event::content(&wire, view_when_absent)?;
        let WireEvent { sender, timestamp, id, .. } = wire;
        let mut event = Event::unwritten(view, (sender, timestamp), id, requests, header);
        event.write();
        Ok(event)
    }

    /// Reads an event from its text. Unless the text leaves out the view, it is kept unchanged: an
    /// event is written once, by its sender, and sent, kept and read as it is.
    ///
    /// # Errors
    /// [`MalformedEvent`] says what does not fit.
    pub fn from_text(
        text: Arc<RawValue>,
        view_when_absent: Ballot,
    ) -> Result<Self, MalformedEvent> {
        let wire: WireEvent =
            serde_json::from_str(text.get()).map_err(|_| MalformedEvent::Event)?;
        if wire.view.is_none() {
            return Event::from_wire(wire, view_when_absent);
        }
        let (view, requests, header) = Event::content(&wire, view_when_absent)?;
        let WireEvent { sender, timestamp, id, .. } = wire;
        let event = Event::unwritten(view, (sender, timestamp), id, requests, header);
        Ok(Event { wire: text, ..event })
    }

    /// What a wire form says, checked.
    fn content(wire: &WireEvent, view_when_absent: Ballot) -> Result<Content, MalformedEvent> {
        let requests = if wire.type_msg == BATCH {
            let mut batch = serde_json::Deserializer::from_str(wire.msg.get());
            at_most::<_, RawRequest, REQUESTS_PER_EVENT_MAX>(&mut batch)
                .map_err(|_| MalformedEvent::Batch)?
        } else {
            vec![RawRequest {
                id: wire.id.clone(),
                type_msg: wire.type_msg.clone(),
                msg: Arc::clone(&wire.msg),
            }]
        };
        if requests.is_empty() {
            return Err(MalformedEvent::Batch);
        }
        let counted =
            wire.timestamp.len() > wire.sender.index() && wire.timestamp.get(wire.sender) > 0;
        if !counted || wire.timestamp.sum() > SUM_MAX {
            return Err(MalformedEvent::Timestamp);
        }
        let header = wire.at_ms.map(|at_ms| Header { at_ms, open: wire.open });
        let is_time = header.is_none_or(|header| (0..=AT_MS_MAX).contains(&header.at_ms));
        if !is_time || (wire.open && header.is_none()) {
            return Err(MalformedEvent::Time);
        }
        Ok((wire.view.unwrap_or(view_when_absent), requests, header))
    }

    /// The event's number among those of its sender, without gaps.
    #[must_use]
    pub fn counter(&self) -> u64 {
        self.timestamp.get(self.sender)
    }

    /// The event's place in the common order, and its identity.
    #[must_use]
    pub fn order_key(&self) -> OrderKey {
        OrderKey { view: self.view, sum: self.timestamp.sum(), sender: self.sender }
    }

    /// The wire form.
    #[must_use]
    pub fn to_wire(&self) -> WireEvent {
        serde_json::from_str(self.wire.get()).expect("the event wrote it")
    }

    /// The event as JSON.
    #[must_use]
    pub fn wire(&self) -> &RawValue {
        &self.wire
    }
}

/// Events are equal when they have the same place in the order and the same name: nothing else in a
/// stamped event ever changes.
impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        (self.order_key(), &self.id) == (other.order_key(), &other.id)
    }
}

impl Eq for Event {}

impl Hash for Event {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.order_key(), &self.id).hash(state);
    }
}

impl Serialize for Event {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.wire.serialize(serializer)
    }
}

/// An event that a bank has taken in, with the members of the view it belongs to: its execution
/// depends on them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// The event.
    pub event: Arc<Event>,
    /// Members of the event's own view.
    pub members: BankSet,
}

/// An event as it is written in JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WireEvent {
    /// The view; absent in the requirement's own messages, which belong to the view in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<Ballot>,
    /// The bank that sent it.
    pub sender: BankId,
    /// The sender's clock.
    pub timestamp: VectorClock,
    /// Consortium time, in Unix milliseconds; absent in the requirement's own messages and in older
    /// journals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<i64>,
    /// Whether its sender takes operations without a named customer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// Kind of the request, or [`BATCH`].
    pub type_msg: String,
    /// Unique name.
    pub id: EventId,
    /// The request or the list of requests.
    pub msg: Arc<RawValue>,
}

/// Why a peer's message is not an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MalformedEvent {
    /// Fields are missing, or are of another kind.
    Event,
    /// `BATCH` without a list of 1 to [`REQUESTS_PER_EVENT_MAX`] requests.
    Batch,
    /// The timestamp does not count the event itself, or its sum is too large.
    Timestamp,
    /// The time lies outside the calendar, or is missing where there must be one.
    Time,
}

impl fmt::Display for MalformedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MalformedEvent::Event => "it is no event",
            MalformedEvent::Batch => "msg is no valid batch of requests",
            MalformedEvent::Timestamp => "timestamp does not count the message itself",
            MalformedEvent::Time => "at_ms is no time between 1970 and 9999",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED_EXAMPLE: &str = r#"{"sender":0,"timestamp":[5,9,1],"type_msg":"REGISTER","id":"EV192.168.0.1-1584","msg":{"mensagem":"mensagem"}}"#;

    #[test]
    fn the_requirements_message_is_an_event_of_the_view_in_force() {
        let view = Ballot { round: 3, coordinator: BankId(1) };
        let event =
            Event::from_wire(serde_json::from_str(REQUIRED_EXAMPLE).unwrap(), view).unwrap();
        assert_eq!((event.view, event.counter()), (view, 5));
        assert_eq!(event.requests[0].id, event.id);
    }

    #[test]
    fn a_batch_keeps_its_requests_over_the_wire() {
        let view = Ballot::default();
        let mut event =
            Event::from_wire(serde_json::from_str(REQUIRED_EXAMPLE).unwrap(), view).unwrap();
        let mut second = event.requests[0].clone();
        second.id = EventId::new(BankId(0), "x");
        event.requests.push(second);
        let header = Header { at_ms: 1_795_442_602_999, open: true };
        let event = Event::stamp(view, event.sender, event.timestamp, event.requests, header);
        let text = serde_json::to_string(&event).unwrap();
        let back =
            Event::from_wire(serde_json::from_str(&text).unwrap(), Ballot::default()).unwrap();
        assert_eq!((back.requests.len(), back.header), (2, Some(header)));
        assert_eq!(back.requests[1].msg.get(), r#"{"mensagem":"mensagem"}"#);
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
        assert_eq!(back, event);
    }

    #[test]
    fn an_events_text_is_kept_as_its_sender_wrote_it_unless_it_names_no_view() {
        let read = |text: &str, view| {
            Event::from_text(RawValue::from_string(text.to_owned()).unwrap().into(), view)
        };
        let view = Ballot { round: 3, coordinator: BankId(1) };
        let text = r#"{ "view": {"round":3,"coordinator":1}, "sender":0,"timestamp":[5,9,1],"at_ms":7,"type_msg":"X","id":"a","msg":{"b": 2}}"#;
        let event = read(text, Ballot::default()).unwrap();
        assert_eq!((event.view, event.wire().get()), (view, text));
        let event = read(REQUIRED_EXAMPLE, view).unwrap();
        assert_eq!((event.view, event.to_wire().view), (view, Some(view)));
        assert!(matches!(read("{}", view), Err(MalformedEvent::Event)));
    }

    #[test]
    fn a_message_of_the_requirement_has_the_time_of_its_request_within_the_calendar() {
        let required = || {
            Event::from_wire(serde_json::from_str(REQUIRED_EXAMPLE).unwrap(), Ballot::default())
                .unwrap()
        };
        assert_eq!(required().header, None);
        for (said, at_ms) in
            [(Some(5), 5), (Some(i64::MAX), AT_MS_MAX), (Some(i64::MIN), 0), (None, 0)]
        {
            let dated = required().dated(said, false);
            assert_eq!(dated.header, Some(Header { at_ms, open: false }));
            assert_eq!(dated.to_wire().at_ms, Some(at_ms));
            assert_eq!(
                dated.dated(Some(7), true).header.map(|header| header.at_ms),
                Some(at_ms),
                "once"
            );
        }
    }

    #[test]
    fn a_time_outside_the_calendar_and_an_authority_without_time_are_refused() {
        for header in [r#""at_ms":-1"#, r#""at_ms":253402300800000"#, r#""open":true"#] {
            let text = REQUIRED_EXAMPLE.replacen('{', &format!("{{{header},"), 1);
            let read = Event::from_wire(serde_json::from_str(&text).unwrap(), Ballot::default());
            assert_eq!(read.map(|_| ()), Err(MalformedEvent::Time), "{header}");
        }
    }

    #[test]
    fn an_empty_batch_and_a_short_timestamp_are_refused() {
        let read = |text: &str| {
            Event::from_wire(serde_json::from_str(text).unwrap(), Ballot::default()).map(|_| ())
        };
        let empty = r#"{"sender":0,"timestamp":[1],"type_msg":"BATCH","id":"a","msg":[]}"#;
        assert_eq!(read(empty), Err(MalformedEvent::Batch));
        let short = r#"{"sender":2,"timestamp":[1,1],"type_msg":"X","id":"a","msg":1}"#;
        assert_eq!(read(short), Err(MalformedEvent::Timestamp));
        let huge =
            r#"{"sender":1,"timestamp":[18446744073709551615,1],"type_msg":"X","id":"a","msg":1}"#;
        assert_eq!(read(huge), Err(MalformedEvent::Timestamp));
    }
}
