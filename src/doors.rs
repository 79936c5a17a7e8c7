//! What comes in from outside, each kind as a function of its bytes alone: for the fuzzers in
//! `fuzz/`, and for the test that gives every door what they once found.
//!
//! A door takes any bytes: it reads them as the bank does and hands what is read to the part that
//! it is meant for. A panic is a finding, and so is an answer that contradicts another.

use std::sync::LazyLock;

use actix_codec::Decoder as _;
use actix_http::ws::{Codec, Frame};
use actix_web::web::BytesMut;

use crate::http::read_package;
use crate::ids::request::{RawRequest, raw};
use crate::ids::{Ballot, BankId, BankSet, EventId};
use crate::ledger::book::Pieces;
use crate::ledger::past::EntryNumber;
use crate::ledger::{Action, Amount, Book, Centavos, Circumstances, Request, UserName};
use crate::protocol::effect::{BufferInput, ClockInput, Effect, JournalInput, ViewInput};
use crate::protocol::executor::apply;
use crate::protocol::ordered_buffer::OrderedBuffer;
use crate::protocol::peer_state::PeerState;
use crate::protocol::report::PeerReport;
use crate::protocol::view::{Fates, Installed, OnDisk, PreparePlan, View};
use crate::store::past::block::{bounds, read_block, written};
use crate::wire::{EnvelopeIn, FRAME_BYTES_MAX};

/// How many banks the consortium behind the doors has.
const BANKS: usize = 3;
/// This bank.
const ME: BankId = BankId(0);
/// The view in force.
const VIEW: Ballot = Ballot { round: 4, coordinator: ME };

/// A bank's ledger with two customers, as those before them have left it.
static BOOK: LazyLock<Book> = LazyLock::new(|| {
    let mut book = Book::new(BANKS);
    let customers = [("ana", "111.111.111-11"), ("bia", "222.222.222-22")];
    for (number, (name, document)) in (0..).zip(customers) {
        let registration = serde_json::json!({"action": {"REGISTER": {"name": "Ana Souza",
            "num_cadastro": document, "user_name": name, "password_hash": "$argon2id$"}}});
        let opening = serde_json::json!({"action": {"CREATE_ACCOUNT": {"user_name": name,
            "type_account": "PF", "pix_type": "USER_NAME", "users": [], "value_init": 10_000,
            "numbers": [100_000 + number], "random_key": name}}});
        for (kind, said) in [("REGISTER", registration), ("CREATE_ACCOUNT", opening)] {
            execute(&mut book, kind, &said);
        }
    }
    book
});

fn circumstances() -> Circumstances {
    Circumstances { sender: ME, members: BankSet::all(BANKS), header: Some(Default::default()) }
}

fn execute(book: &mut Book, kind: &str, said: &serde_json::Value) {
    let id = EventId::new(ME, &(book.position().0 + 1).to_string());
    let msg = raw(said);
    book.apply(&circumstances(), &RawRequest { id, type_msg: kind.into(), msg });
}

/// The body of `POST /operations`, tried out by a customer who has an account.
pub fn package(bytes: &[u8]) {
    let Ok(most) = Amount::parse(Centavos::new(1_000_000_000)) else { return };
    let Ok(package) = read_package(BANKS, most, bytes) else { return };
    let by = UserName::parse("ana").ok();
    let id = EventId::new(ME, "package");
    let action = Action::Operations(package);
    let request = Request {
        id,
        at_ms: None,
        key: None,
        by,
        own: true,
        offset_s: Some(0),
        confirmed: false,
        action,
    };
    let mut book = BOOK.clone();
    // It travels as text.
    book.apply(&circumstances(), &request.to_raw());
    assert!(book.verify().is_ok(), "the book does not add up any more");
}

/// A charge that somebody has copied.
pub fn br_code(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        crate::web::is_code(text);
    }
}

/// What comes on a peer's connection: frames, or, where the bytes begin like JSON, the envelopes in
/// them, one a line.
pub fn frames(bytes: &[u8]) {
    let mut buffer = buffer();
    if bytes.first() == Some(&b'{') {
        bytes.split(|byte| *byte == b'\n').for_each(|line| envelope(&mut buffer, line));
        return;
    }
    let (mut codec, mut bytes) = (Codec::new().max_size(FRAME_BYTES_MAX), BytesMut::from(bytes));
    while let Ok(Some(frame)) = codec.decode(&mut bytes) {
        if let Frame::Text(text) = frame {
            envelope(&mut buffer, &text);
        }
    }
}

/// A buffer in a view of all banks.
fn buffer() -> OrderedBuffer {
    let (mut buffer, mut out) = (OrderedBuffer::new(ME, BANKS), Vec::new());
    let (members, clock) = (BankSet::all(BANKS), vec![0; BANKS].into());
    let plan = PreparePlan { ballot: VIEW, members, clock, ..PreparePlan::default() };
    let begin = Installed { plan, flush: Vec::new(), fates: Fates::default() };
    buffer.handle(BufferInput::Install(begin), &mut out);
    buffer
}

fn envelope(buffer: &mut OrderedBuffer, text: &[u8]) {
    let Ok(said) = serde_json::from_slice::<EnvelopeIn>(text) else { return };
    let from = said.from;
    let Ok(parcel) = said.read() else { return };
    // Who it is from is known by the connection.
    if from == ME || from.index() >= BANKS {
        return;
    }
    let mut out = Vec::new();
    buffer.receive(from, parcel.envelope, &mut out);
    // What the clock answers, and then the disk.
    while let Some(effect) = out.pop() {
        if let Effect::Clock(ClockInput::Held { view, clock }) = effect {
            buffer.handle(BufferInput::Merged(clock.clone()), &mut out);
            buffer.handle(BufferInput::Persisted { view, clock }, &mut out);
        }
    }
}

/// Messages of view changes, one a line: the bank that says it, then what it says; time passes with
/// every line.
pub fn view_messages(bytes: &[u8]) {
    let mut view = View::new(ME, BANKS, OnDisk::default()).with_signatures(false);
    let report = PeerReport { voter: true, hears: BankSet::all(BANKS), ..PeerReport::default() };
    for bank in BankId::all(BANKS).filter(|bank| *bank != ME) {
        give(&mut view, ViewInput::Peer { bank, state: PeerState::Up, report: Some(report) });
    }
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Some((bank, said)) = line.split_first()
            && let Ok(message) = serde_json::from_slice(said)
        {
            let from = BankId(u16::from(*bank) % BANKS as u16);
            give(&mut view, ViewInput::Message(from, message));
        }
        give(&mut view, ViewInput::Tick);
    }
}

/// The disk answers at once.
fn give(view: &mut View, input: ViewInput) {
    let (mut inputs, mut out) = (vec![input], Vec::new());
    while let Some(input) = inputs.pop() {
        view.handle(input, &mut out);
        inputs.extend(out.drain(..).filter_map(|effect| match effect {
            Effect::Journal(JournalInput::Promise(frozen)) => Some(ViewInput::Frozen(frozen)),
            Effect::Journal(JournalInput::Prepare { prepared, .. }) => {
                Some(ViewInput::Prepared(prepared.ballot))
            }
            _ => None,
        }));
    }
}

/// An event as it lies on the disk, and what it does to the ledger. The first byte says whether
/// the rest is packed.
pub fn journal_record(bytes: &[u8]) {
    let Some((packs, rest)) = bytes.split_first() else { return };
    let record = crate::store::read_record(rest, *packs == 0);
    let Some(held) = record else { return };
    let mut book = BOOK.clone();
    apply(&mut book, &held);
    assert!(book.verify().is_ok(), "the book does not add up any more");
}

/// A snapshot of the ledger. One that is taken can be written again.
pub fn snapshot(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(book) = Book::from_snapshot(BANKS, std::iter::once(text)) else { return };
    let pieces: Vec<_> = Pieces::of(book.present()).collect();
    let again = Book::from_snapshot(BANKS, pieces.iter().map(String::as_str));
    assert_eq!(again.map(|book| book.hash()), Ok(book.hash()));
}

/// A block of the past, packed or not as the first byte says. One that is taken can be written
/// again.
pub fn past_block(bytes: &[u8]) {
    let Some((packs, rest)) = bytes.split_first() else { return };
    // Links can lead back from there.
    let first = bounds(EntryNumber(1_000_000)).0;
    let Some(entries) = read_block(first, rest, *packs == 0) else { return };
    assert_eq!(read_block(first, &written(&entries), false), Some(entries));
}
