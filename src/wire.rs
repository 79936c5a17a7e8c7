//! How this program calls others over HTTP: one kind of client for peer links and command line, and
//! the JSON that travels between banks.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_rt::net::{ActixStream, TcpStream};
use actix_service::{Service, ServiceExt as _, fn_service};
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ids::bounded::at_most;
use crate::ids::signature::Signature;
use crate::ids::{Ballot, BankId, ChainHash, Position};
use crate::ledger::past::EntryNumber;
use crate::protocol::envelope::{Envelope, EnvelopeAnswer, Gathered};
use crate::protocol::event::{Event, MalformedEvent};
use crate::protocol::outbox::{EVENTS_PER_ENVELOPE_MAX, Parcel};
use crate::protocol::vector_clock::VectorClock;
use crate::tls::{Called, Transport, call_site};

/// Names the calling bank in a request from a peer; the secret comes as `Authorization: Bearer`.
pub const BANK_HEADER: &str = "netbanking-bank";
/// Where a peer opens the connection for its envelopes.
pub const STREAM_PATH: &str = "/peer/stream";
/// Version of the protocol between banks; banks of different versions refuse one another.
pub const PROTOCOL_VERSION: u32 = 7;
/// In answers about the past: which of its first entries are in archive files of the bank that was
/// asked, as JSON.
pub(crate) const PAST_ARCHIVED_HEADER: &str = "netbanking-past-archived";
/// Where a bank asks for a part of the past.
pub(crate) const PAST_PATH: &str = "/peer/past";
/// Where a bank asks for a certificate by which an event was signed.
pub(crate) const CERTIFICATE_PATH: &str = "/peer/certificate";
/// Largest body between banks, in bytes; more than the largest piece of journal, of a snapshot or
/// of a flush, with the largest event behind it, takes as JSON.
pub(crate) const PEER_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest frame between banks, in bytes; more than the largest envelope.
pub(crate) const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Largest body of one of the requirement's single facts about an event, in bytes.
pub(crate) const FACT_BYTES_MAX: usize = 16 * 1024;

/// Idle connections are closed before the server closes them (it waits 75 s).
const KEEP_ALIVE: Duration = Duration::from_secs(50);
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Everything but the characters that stay as they are in an address or a form: the unreserved ones
/// of RFC 3986, section 2.3.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as a part of an address or of a form.
pub(crate) fn escaped(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, ESCAPED)
}

/// A client that keeps up to `connections` open to each server, sends small requests at once and
/// follows no redirect.
#[must_use]
pub fn client(connections: usize, answer_within: Duration) -> awc::Client {
    client_that_connects(CONNECT_TIMEOUT, connections, answer_within)
}

/// A [`client`] that waits as long as it is told for a connection, a free one included.
#[must_use]
pub fn client_that_connects(
    connect_within: Duration,
    connections: usize,
    answer_within: Duration,
) -> awc::Client {
    finished(connect(), connect_within, connections, answer_within)
}

/// A [`client`] of one peer, at whichever address that is.
#[must_use]
pub fn client_of_peer(
    peer: BankId,
    transport: &Transport,
    connections: usize,
    answer_within: Duration,
) -> awc::Client {
    let (connect, transport) = (Rc::new(connect()), Rc::new(transport.clone()));
    let call = fn_service(move |to: ConnectInfo<Uri>| {
        let (connect, transport) = (Rc::clone(&connect), Rc::clone(&transport));
        async move {
            let (stream, address) = connect.call(to).await?.into_parts();
            let channel = transport.call(peer, stream).await.map_err(ConnectError::Io)?;
            Ok(Connection::new(address, Called::on(channel, transport)))
        }
    });
    finished(call, CONNECT_TIMEOUT, connections, answer_within)
}

/// A [`client`] of banks that customers reach by HTTPS; for it, their addresses begin with `http`.
#[must_use]
pub(crate) fn client_of_site(connections: usize, answer_within: Duration) -> awc::Client {
    let connect = Rc::new(connect());
    let call = fn_service(move |to: ConnectInfo<Uri>| {
        let connect = Rc::clone(&connect);
        async move {
            let (stream, address) = connect.call(to).await?.into_parts();
            let host = address.host().unwrap_or_default();
            let channel = call_site(host, stream).await.map_err(ConnectError::Io)?;
            Ok(Connection::new(address, channel))
        }
    });
    finished(call, CONNECT_TIMEOUT, connections, answer_within)
}

/// A connection that was opened to an address.
type Opened<Io> = Connection<Uri, Io>;

/// Opens connections on which small requests leave at once.
fn connect()
-> impl Service<ConnectInfo<Uri>, Response = Opened<TcpStream>, Error = ConnectError> + Clone {
    let resolver = actix_tls::connect::Resolver::default();
    actix_tls::connect::Connector::new(resolver).service().map(|connection: Opened<TcpStream>| {
        // A request is two writes, head and body; Nagle's algorithm would hold back the second
        // one.
        if let Err(error) = connection.io_ref().set_nodelay(true) {
            log::debug!("TCP_NODELAY: {error}");
        }
        connection
    })
}

fn finished<S, Io>(
    connect: S,
    connect_within: Duration,
    connections: usize,
    answer_within: Duration,
) -> awc::Client
where
    Io: ActixStream + std::fmt::Debug + 'static,
    S: Service<ConnectInfo<Uri>, Response = Opened<Io>, Error = ConnectError> + Clone + 'static,
{
    let connector = awc::Connector::new()
        .connector(connect)
        .limit(connections)
        .conn_keep_alive(KEEP_ALIVE)
        .conn_lifetime(LIFETIME)
        .timeout(connect_within);
    awc::Client::builder().connector(connector).timeout(answer_within).disable_redirects().finish()
}

/// `POST /peer/envelope`, as it is written.
#[derive(Serialize)]
pub struct EnvelopeOut<'a> {
    from: BankId,
    view: Option<Ballot>,
    events: &'a [Arc<Event>],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signatures: Vec<Option<&'a Signature>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<&'a VectorClock>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<ChainHash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gathered: Option<&'a Gathered>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agreed: Option<AgreedJson>,
}

/// All members have executed through a position and agree.
#[derive(Serialize, Deserialize)]
struct AgreedJson {
    position: Position,
    hash: ChainHash,
}

impl<'a> EnvelopeOut<'a> {
    /// The JSON form of a parcel from bank `from`.
    #[must_use]
    pub fn new(from: BankId, parcel: &'a Parcel) -> Self {
        let events = &parcel.envelope.events;
        let is_signed = events.iter().any(|event| event.signature().is_some());
        let signatures = events.iter().map(|event| event.signature()).filter(|_| is_signed);
        EnvelopeOut {
            from,
            view: parcel.envelope.view,
            events,
            signatures: signatures.collect(),
            clock: parcel.envelope.clock.as_ref(),
            position: parcel.executed.map(|(position, _)| position),
            hash: parcel.executed.map(|(_, hash)| hash),
            gathered: parcel.envelope.gathered.as_ref(),
            agreed: parcel.agreed.map(|(position, hash)| AgreedJson { position, hash }),
        }
    }
}

/// `POST /peer/envelope`, as it is read.
#[derive(Deserialize)]
pub struct EnvelopeIn {
    /// The sending bank; must be the one that the request names.
    pub from: BankId,
    /// The view in which it sends.
    pub view: Option<Ballot>,
    /// Its events.
    #[serde(default, deserialize_with = "at_most::<_, _, EVENTS_PER_ENVELOPE_MAX>")]
    pub events: Vec<Arc<RawValue>>,
    /// The signature of each, if they are signed.
    #[serde(default, deserialize_with = "at_most::<_, _, EVENTS_PER_ENVELOPE_MAX>")]
    signatures: Vec<Option<Signature>>,
    /// Its durable clock.
    pub clock: Option<VectorClock>,
    /// Executed through,
    pub position: Option<Position>,
    /// with this chain hash.
    pub hash: Option<ChainHash>,
    /// What it knows of the durable clocks of all members.
    pub gathered: Option<Gathered>,
    /// How far all members have executed and agree.
    agreed: Option<AgreedJson>,
}

impl EnvelopeIn {
    /// What the bank is told, or the reason why an event in it is not valid.
    ///
    /// # Errors
    /// [`MalformedEvent`] for the first event that is not valid.
    pub fn read(self) -> Result<Parcel, MalformedEvent> {
        let view = self.view;
        let read = |(text, signature)| {
            let event = Event::from_text(text, view.unwrap_or_default())?;
            Ok(Arc::new(event.with_signature(signature)))
        };
        let signatures = self.signatures.into_iter().chain(std::iter::repeat(None));
        let events = self.events.into_iter().zip(signatures).map(read).collect::<Result<_, _>>()?;
        let executed = self.position.zip(self.hash);
        let agreed = self.agreed.map(|AgreedJson { position, hash }| (position, hash));
        let envelope = Envelope { view, events, clock: self.clock, gathered: self.gathered };
        Ok(Parcel { envelope, executed, agreed })
    }
}

/// The answer to an envelope.
#[derive(Serialize)]
pub(crate) struct EnvelopeAnswerJson {
    /// Whether it was taken.
    pub taken: bool,
    /// The counter of the caller's next event expected here.
    pub expected: u64,
}

impl From<EnvelopeAnswer> for EnvelopeAnswerJson {
    fn from(answer: EnvelopeAnswer) -> Self {
        EnvelopeAnswerJson { taken: answer.taken, expected: answer.expected }
    }
}

/// What a bank says about a frame that it did not take, or not wholly.
#[derive(Serialize, Deserialize)]
pub(crate) struct NotTakenJson {
    /// The number of the frame on its connection, counted from 1.
    pub frame: u64,
    /// The counter of the sender's next event expected here; 0 in another view.
    pub expected: u64,
}

/// A block of entries on its way to a bank that lacks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PastBlock {
    /// The number of its first entry.
    pub first: EntryNumber,
    /// Its bytes, as they are stored.
    pub content: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_one_part_of_an_address() {
        assert_eq!(escaped("0:a/b?c#d%e é-._~").to_string(), "0%3Aa%2Fb%3Fc%23d%25e%20%C3%A9-._~");
    }
}
