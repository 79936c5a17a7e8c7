//! Pay by a code: it is read into a package, which shows whom it pays before anything is confirmed.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::{customer, shown};
use crate::http::Bank;
use crate::web::frame::Frame;
use crate::web::page;

#[derive(Template)]
#[template(path = "bank/pay.html")]
struct PayPage {
    frame: Frame,
}

/// `GET /pagar`
pub(super) async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let answer = async {
        customer(&bank, &request).await?;
        Ok(page(StatusCode::OK, &PayPage { frame: Frame::of(&bank, &request).await }))
    };
    shown(&bank, &request, answer.await).await
}
