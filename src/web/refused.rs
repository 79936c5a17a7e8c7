//! What is answered where there is no such page or method, or nothing to show: people get a page,
//! programs get JSON.

use actix_web::http::header::{Accept, Header};
use actix_web::web::{Data, to};
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError};
use askama::Template;

use super::frame::Frame;
use super::page;
use crate::http::{Bank, Methods, Refused};

const NO_SUCH_PAGE: &str = "Não há página neste endereço";

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage {
    frame: Frame,
    title: &'static str,
    message: String,
}

/// A refusal as a page.
pub(super) async fn refused_page(
    bank: &Bank,
    request: &HttpRequest,
    refused: Refused,
) -> HttpResponse {
    let title = match refused {
        Refused::NoSuchRoute | Refused::NoSuchPage(_) => "Página não encontrada",
        _ => "Não foi possível",
    };
    let frame = Frame::of(bank, request).await;
    let response =
        page(refused.status(), &RefusedPage { frame, title, message: refused.to_string() });
    with_header(response, &refused)
}

/// Adds to a page the header that the refusal it shows requires.
pub(super) fn with_header(mut response: HttpResponse, refused: &Refused) -> HttpResponse {
    if let Some((name, value)) = refused.header()
        && let Ok(value) = value.parse()
    {
        response.headers_mut().insert(name, value);
    }
    response
}

/// A refusal as a page for people and as JSON for everybody else.
async fn refused_for(bank: &Bank, request: &HttpRequest, refused: Refused) -> HttpResponse {
    if wants_page(request) {
        refused_page(bank, request, refused).await
    } else {
        refused.error_response()
    }
}

/// Whether the client prefers a page to JSON. A program that accepts anything has not asked for a
/// page.
fn wants_page(request: &HttpRequest) -> bool {
    let Ok(accept) = Accept::parse(request) else { return false };
    accept.ranked().iter().find_map(|media| match media.essence_str() {
        "text/html" => Some(true),
        "application/json" => Some(false),
        _ => None,
    }) == Some(true)
}

/// Answers an address that no route has.
pub(super) async fn no_such_page(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let refused =
        if wants_page(&request) { Refused::NoSuchPage(NO_SUCH_PAGE) } else { Refused::NoSuchRoute };
    refused_for(&bank, &request, refused).await
}

/// A resource for people: other methods are refused by a page.
pub(super) fn resource(methods: Methods) -> Resource {
    let (resource, refused) = methods.parts();
    resource.default_service(to(move |bank: Data<Bank>, request: HttpRequest| {
        let refused = refused.clone();
        async move { refused_for(&bank, &request, refused).await }
    }))
}
