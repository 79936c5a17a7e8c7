//! The routes that banks call each other by. What is said on them is described in
//! `docs/protocol.md`; here it is whatever is no nonsense.

use utoipa::openapi::path::PathItem;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use super::kinds::{named, number, text};
use super::told::{JSON, get, post};

/// All of them.
pub(super) fn routes() -> Vec<(String, PathItem)> {
    let object = || ObjectBuilder::new().schema_type(Type::Object);
    let any = || ObjectBuilder::new().schema_type(SchemaType::AnyValue);
    let id = || text().pattern(Some("^[A-Za-z0-9._:-]{1,96}$"));
    let bytes = || text().into();
    let check = || object().property("code", ObjectBuilder::new().schema_type(Type::Boolean));
    let check = || check().property("descript", text()).property("msg", text());
    let taken = || named("Taken").into();
    let peers = vec![
        get("/peer/stream", "A WebSocket for envelopes")
            .by_bank()
            .answers_empty(101)
            .refuses(&[404]),
        post("/peer/envelope", "A single envelope")
            .by_bank()
            .said(object().property("from", number()))
            .answers_in(200, JSON, taken())
            .refuses(&[409]),
        post("/peer/view", "A step of a view change, or of catching up")
            .by_bank()
            .said(any())
            .answers("Said"),
        get("/peer/certificate/{id}", "A certificate by which an event is signed")
            .part("id", text().pattern(Some("^[0-9a-f]{32}$")), "The certificate's name.")
            .by_bank()
            .answers_in(200, "application/x-pem-file", bytes()),
        get("/peer/past/{first}/{what}", "What a bank lacks of the past")
            .part("first", number().minimum(Some(0)), "The first entry.")
            .part("what", text().enum_values(Some(["blocks", "digests"])), "Which of them.")
            .query("blocks", number().minimum(Some(1)).maximum(Some(32)), "How many.")
            .by_bank()
            .answers_in(200, "application/octet-stream", bytes()),
        post("/receive-message", "The requirement's: one event")
            .by_bank()
            .said(object())
            .answers_in(200, JSON, taken())
            .refuses(&[409]),
        post("/receiver_ack/{event_id}", "The requirement's: the event is on the caller's disk")
            .part("event_id", id(), "The event.")
            .by_bank()
            .answers("Said"),
        post("/init_check_queue/{event_id}", "The requirement's: what the caller's ledger said")
            .part("event_id", id(), "The event.")
            .by_bank()
            .said(check())
            .answers("Said"),
        post("/receiver_one_queue/{event_id}", "The requirement's: the same")
            .part("event_id", id(), "The event.")
            .by_bank()
            .said(check())
            .answers("Said"),
    ];
    peers.into_iter().map(|told| told.done("between banks")).collect()
}
