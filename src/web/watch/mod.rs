//! The consortium page: events, stamps, acknowledgements and views as they happen at this bank, and
//! the laboratory.
//!
//! The page is drawn by `assets/watch.js` from snapshots, which all who watch get from one stream;
//! stepping back asks for the snapshot of a moment. Snapshots never contain what an event asks for.

mod laboratory;
mod texts;

use std::convert::Infallible;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, ContentType, HeaderName};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use askama::Template;
use futures_util::stream;
use serde::{Deserialize, Serialize};

use self::texts::{TEXTS, Words};
use super::frame::Frame;
use super::page;
use super::refused::resource;
use crate::actors::laboratory::{DELAY_MAX_MS, Weather};
use crate::actors::watch::{ShiViz, SnapshotAt, Subscribe, Told};
use crate::http::{Bank, Refused, at, origin};
use crate::ids::BankId;
use crate::watch::{BankNow, EventNow, Micros, Snapshot};

/// Tells proxies not to buffer a stream before they pass it on.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The page's routes.
pub(super) fn configure(app: &mut ServiceConfig) {
    app.service(resource(at("/consorcio").get(show)))
        .service(resource(at("/consorcio/eventos").get(stream_events)))
        .service(resource(at("/consorcio/estado").get(state)))
        .service(resource(at("/consorcio/shiviz.log").get(shiviz)))
        .service(resource(at("/consorcio/laboratorio/atraso").post(laboratory::slow_down)))
        .service(resource(at("/consorcio/laboratorio/ligacao").post(laboratory::set_link)))
        .service(resource(at("/consorcio/laboratorio/evento").post(laboratory::send_trial)))
        .service(resource(at("/consorcio/laboratorio/clientes").post(laboratory::crowd::enter)));
}

#[derive(Template)]
#[template(path = "watch/page.html")]
struct Page {
    frame: Frame,
    /// Names of the banks by number.
    names: Vec<String>,
    names_json: String,
    texts_json: String,
    me: BankId,
    now: Snapshot,
    laboratory: Option<Weather>,
    delays_ms: Vec<u64>,
}

impl Page {
    fn name(&self, bank: &BankId) -> &str {
        self.names.get(bank.index()).map_or("", String::as_str)
    }

    fn others(&self) -> impl Iterator<Item = (BankId, &String)> {
        BankId::all(self.names.len()).zip(&self.names).filter(|(bank, _)| *bank != self.me)
    }

    fn hears(&self, bank: &BankNow, other: &BankNow) -> bool {
        bank.hears.contains(other.bank)
    }

    fn waits(&self, event: &EventNow) -> String {
        texts::waits(&event.waits, &self.names)
    }

    fn state(&self, bank: &BankNow) -> String {
        texts::state(bank)
    }

    fn health(&self, bank: &BankNow) -> String {
        texts::health(&bank.vitals)
    }
}

fn gone() -> HttpResponse {
    HttpResponse::InternalServerError().finish()
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("texts, names and snapshots are JSON")
}

/// What the page's script is sent, as JSON: a snapshot, and in addition to its kinds the words for
/// people.
pub fn tell(told: &Told) -> String {
    #[derive(Serialize)]
    struct Message<'a> {
        #[serde(flatten)]
        told: &'a Told,
        words: Words,
    }
    json(&Message { told, words: Words::of(told) })
}

/// `GET /consorcio`
async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let Ok(told) = bank.actors.routes.watch.send(SnapshotAt(None)).await else { return gone() };
    let names: Vec<_> = bank.config.nodes.iter().map(|node| node.name.clone()).collect();
    let template = Page {
        frame: Frame::of(&bank, &request).await,
        names_json: json(&names),
        names,
        texts_json: json(&TEXTS.iter().copied().collect::<std::collections::BTreeMap<_, _>>()),
        me: bank.me,
        now: told.now,
        laboratory: bank.actors.laboratory.as_ref().map(|laboratory| laboratory.weather()),
        delays_ms: [0, 200, 500, 1_000, DELAY_MAX_MS].into(),
    };
    page(StatusCode::OK, &template)
}

/// `GET /consorcio/eventos`: a snapshot after every change, a few times a second. A slow reader
/// misses some of them.
async fn stream_events(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ACCEL_BUFFERING, "no"));
    // A body without end would keep open the connection of a client that asked only for the head.
    if request.method() == Method::HEAD {
        return response.finish();
    }
    let subscribe = Subscribe { from: origin(&request) };
    let seat = match bank.actors.routes.watch.send(subscribe).await {
        Ok(Ok(seat)) => seat,
        Ok(Err(full)) => return Refused::from(full).error_response(),
        Err(_) => return gone(),
    };
    let events = stream::unfold((seat, true), async |(mut seat, is_first)| {
        if !is_first {
            seat.latest.changed().await.ok()?;
        }
        let text = seat.latest.borrow_and_update().clone();
        Some((Ok::<_, Infallible>(text), (seat, false)))
    });
    response.streaming(events)
}

/// The moment that is asked for.
#[derive(Deserialize)]
struct Moment {
    /// Microseconds since the node started; now if absent.
    ate: Option<Micros>,
}

/// `GET /consorcio/estado?ate=`: the state of everything at a moment, as one message of the stream.
async fn state(bank: Data<Bank>, moment: Query<Moment>) -> HttpResponse {
    match bank.actors.routes.watch.send(SnapshotAt(moment.ate)).await {
        Ok(told) => HttpResponse::Ok()
            .content_type(ContentType::json())
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(tell(&told)),
        Err(_) => gone(),
    }
}

/// `GET /consorcio/shiviz.log`
async fn shiviz(bank: Data<Bank>) -> HttpResponse {
    let Ok(log) = bank.actors.routes.watch.send(ShiViz).await else { return gone() };
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"shiviz.log\""))
        .body(log)
}
