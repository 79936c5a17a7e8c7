//! The internet bank: pages at `/`.

use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, get};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::frame::Frame;
use super::page;
use crate::http::Bank;

/// The pages' routes.
pub(super) fn configure(app: &mut ServiceConfig) {
    app.route("/", get().to(home));
}

#[derive(Template)]
#[template(path = "bank/home.html")]
struct Home {
    frame: Frame,
}

async fn home(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let frame = Frame::of(&bank, &request).await;
    page(StatusCode::OK, &Home { frame })
}
