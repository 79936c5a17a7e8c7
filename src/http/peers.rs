//! What peers send: the requirement's four routes with one fact each, the envelope with many, and
//! the messages of the view change. All of them end in the same messages to the same actors.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::Bank;
use super::auth::{Caller, opened_by, peer_or_noted};
use super::refusal::{Bad, Kind, Refused};
use super::texts;
use crate::actors::buffer::FromPeer;
use crate::actors::laboratory::Passage;
use crate::actors::proofs::{Giver, prove};
use crate::actors::view::Wants;
use crate::config::CustomerAuth;
use crate::ids::signature::CertificateId;
use crate::ids::{BankId, EventId};
use crate::ledger::Request;
use crate::protocol::effect::{BufferInput, ChecksInput, ViewInput};
use crate::protocol::envelope::Envelope;
use crate::protocol::event::{Event, WireEvent};
use crate::protocol::execution::Check;
use crate::protocol::outbox::Parcel;
use crate::protocol::view::ViewMessage;
use crate::wire::{EnvelopeAnswerJson, EnvelopeIn, FACT_BYTES_MAX, PEER_BODY_BYTES_MAX};

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| Bad::Message(error.to_string()).into())
}

fn event_id(path: &str) -> Result<EventId, Refused> {
    EventId::parse(path).map_err(|_| Bad::EventId.into())
}

/// The peer that calls, unless the laboratory has cut the link to it.
fn speaker(bank: &Bank, caller: Caller<'_>) -> Result<BankId, Refused> {
    let from = peer_or_noted(bank, caller)?;
    let is_cut = bank.actors.laboratory.as_ref().is_some_and(|laboratory| laboratory.is_cut(from));
    if is_cut { Err(Refused::CutInLaboratory) } else { Ok(from) }
}

/// The peer that calls with events, acknowledgements or checks, unless the laboratory has closed
/// the link to it.
pub(super) fn correspondent(bank: &Bank, caller: Caller<'_>) -> Result<BankId, Refused> {
    let from = speaker(bank, caller)?;
    let passage = bank.actors.laboratory.as_ref().map(|laboratory| laboratory.passage(from));
    if passage == Some(Passage::Closed) { Err(Refused::CutInLaboratory) } else { Ok(from) }
}

fn speaks_for_itself(caller: BankId, named: BankId) -> Result<(), Refused> {
    if caller == named { Ok(()) } else { Err(Bad::OtherSpeaker { caller, named }.into()) }
}

/// `POST /peer/envelope`
pub(super) async fn envelope(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    let from = correspondent(&bank, Caller::from(&request))?;
    let (body, _room) = bank.peer_room.receive(from, &request, body, PEER_BODY_BYTES_MAX).await?;
    let said: EnvelopeIn = read(&body)?;
    speaks_for_itself(from, said.from)?;
    let mut parcel = said.read().map_err(Bad::Event)?;
    let own = parcel.envelope.events.iter_mut().filter(|event| event.sender == from);
    prove_events(&bank, &request, own).await;
    let answer = bank.actors.routes.buffer.send(FromPeer { from, parcel }).await?;
    if !answer.taken {
        return Err(Refused::OtherView);
    }
    Ok(HttpResponse::Ok().json(EnvelopeAnswerJson::from(answer)))
}

/// `POST /peer/view`
pub(super) async fn view(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    let from = speaker(&bank, Caller::from(&request))?;
    let (body, _room) = bank.peer_room.receive(from, &request, body, PEER_BODY_BYTES_MAX).await?;
    let mut message: ViewMessage = read(&body)?;
    let bulk = message.bulk();
    let is_large = bulk.is_some();
    // To check signatures is work: it is done for answers to what this bank has asked.
    if let Some(bulk) = bulk
        && !bank.actors.routes.view.send(Wants { from, bulk }).await?
    {
        return Ok(taken());
    }
    prove_events(&bank, &request, message.events_mut()).await;
    let message = ViewInput::Message(from, message);
    if is_large {
        // It takes its room until it has been dealt with.
        bank.actors.routes.view.send(message).await?;
    } else {
        bank.actors.routes.view.do_send(message);
    }
    Ok(taken())
}

/// Finds out which events their senders have signed.
async fn prove_events(
    bank: &Bank,
    request: &HttpRequest,
    events: impl Iterator<Item = &mut Arc<Event>>,
) {
    // Where banks have certificates, a peer has shown one.
    let Some((from, entrance)) = opened_by(request) else { return };
    let url = bank.config.nodes[from.index()].url();
    let (me, secret, transport) = (bank.me, &*bank.secret, &entrance.transport);
    prove(&Giver { me, from, url, secret, transport }, events).await;
}

/// `GET /peer/certificate/{id}`: a certificate by which some bank signs or has signed, in PEM.
pub(super) async fn certificate(
    bank: web::Data<Bank>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, Refused> {
    speaker(&bank, Caller::from(&request))?;
    let id = CertificateId::parse(&id).ok_or(Bad::Path)?;
    let (_, entrance) = opened_by(&request).ok_or(Refused::NoSuchRoute)?;
    let found = entrance.transport.certificate(id).ok_or(Refused::NoSuchRoute)?;
    Ok(HttpResponse::Ok().content_type("application/x-pem-file").body(found))
}

fn taken() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"descript": texts::MESSAGE_TAKEN}))
}

/// `POST /receive-message`
pub(super) async fn receive_message(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    let from = correspondent(&bank, Caller::from(&request))?;
    let (body, _room) = bank.peer_room.receive(from, &request, body, PEER_BODY_BYTES_MAX).await?;
    let wire: WireEvent = read(&body)?;
    speaks_for_itself(from, wire.sender)?;
    if wire.timestamp.len() != bank.config.nodes.len() {
        return Err(Bad::Timestamp.into());
    }
    // The requirement's message names no view: it belongs to the one in force.
    let in_force = bank.actors.routes.view.send(crate::actors::view::Report).await?.active;
    let in_force = in_force.ok_or(Refused::OtherView)?;
    let event = Event::from_wire(wire, in_force).map_err(Bad::Event)?;
    // Nor does it say when it was stamped: the time is taken from its first request.
    let at_ms = event.requests.first().and_then(|request| Request::parse(request).ok()?.at_ms);
    let event = event.dated(at_ms, bank.config.customer_auth == CustomerAuth::Open);
    let (view, events) = (Some(event.view), vec![Arc::new(event)]);
    let envelope = Envelope { view, events, clock: None, gathered: None };
    let parcel = Parcel { envelope, executed: None, agreed: None };
    let answer = bank.actors.routes.buffer.send(FromPeer { from, parcel }).await?;
    if !answer.taken {
        return Err(Refused::OtherView);
    }
    Ok(HttpResponse::Ok().json(EnvelopeAnswerJson::from(answer)))
}

/// `POST /receiver_ack/{event_id}`
pub(super) async fn acknowledge(
    bank: web::Data<Bank>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Refused> {
    let from = correspondent(&bank, Caller::from(&request))?;
    bank.actors.routes.buffer.do_send(BufferInput::Acknowledged { from, id: event_id(&path)? });
    Ok(taken())
}

#[derive(Deserialize)]
struct CheckBody {
    code: bool,
    descript: String,
    msg: Option<String>,
}

/// `POST /init_check_queue/{event_id}` and `POST /receiver_one_queue/{event_id}`
pub(super) async fn check(
    bank: web::Data<Bank>,
    request: HttpRequest,
    path: web::Path<String>,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    let from = correspondent(&bank, Caller::from(&request))?;
    let id = event_id(&path)?;
    let (body, _room) = bank.peer_room.receive(from, &request, body, FACT_BYTES_MAX).await?;
    let CheckBody { code, descript, msg } = read(&body)?;
    match msg.as_deref() {
        // Not first in its queue yet: it will say so when it is.
        Some("NOT_ONE_QUEUE") => {}
        Some("ONE_QUEUE") | None => {
            let check = Check { code, descript };
            bank.actors.routes.checks.do_send(ChecksInput::PeerChecked { from, id, check });
        }
        Some(_) => {
            let kinds = Kind::OneOf(&["ONE_QUEUE", "NOT_ONE_QUEUE"]);
            return Err(Bad::NotA("msg".into(), kinds).into());
        }
    }
    Ok(taken())
}
