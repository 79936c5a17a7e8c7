//! A CPF or CNPJ whose check digits do not fit, where `nodes.json` lets it pass: whoever types it
//! is told, and confirms that it is the right one.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::form::Form;
use super::{FROM_SCRIPT, see_other, shown};
use crate::http::{Bank, Refused};
use crate::ledger::{Document, TypePerson};
use crate::web::page;

/// Whose document a form names.
pub(super) fn person(form: &Form) -> Option<TypePerson> {
    match form.text("tipo") {
        "PF" => Some(TypePerson::Pf),
        "PJ" => Some(TypePerson::Pj),
        _ => None,
    }
}

/// A document to be confirmed.
pub(super) struct Doubt {
    /// CPF or CNPJ.
    pub(super) name: &'static str,
    pub(super) document: Document,
    pub(super) confirmed: bool,
}

impl Doubt {
    /// Whether there is one about the document in these fields.
    pub(super) fn of(bank: &Bank, form: &Form) -> Option<Doubt> {
        let person = person(form).filter(|_| !bank.config.check_digits)?;
        let document = Document::typed(person, form.text("documento"), false).ok()?;
        let confirmed = form.text("confirmado") == document.as_str();
        (!document.check_digits_fit()).then(|| Doubt {
            name: person.document_name(),
            document,
            confirmed,
        })
    }
}

/// The part of the registration page that asks for the confirmation.
#[derive(Template)]
#[template(path = "bank/document.html")]
struct DocumentPart {
    doubt: Option<Doubt>,
}

/// `GET /cadastro/documento`: while a document is being typed.
pub(super) async fn check(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    if !request.headers().contains_key(FROM_SCRIPT) {
        return see_other("/cadastro");
    }
    let part = Form::of_query(&request).map(|form| DocumentPart { doubt: Doubt::of(&bank, &form) });
    let answer = part.map(|part| page(StatusCode::OK, &part));
    shown(&bank, &request, answer).await
}

impl From<&Doubt> for Refused {
    fn from(doubt: &Doubt) -> Refused {
        let Doubt { name, document, .. } = doubt;
        Refused::bad(format!(
            "Os dígitos verificadores do {name} {document} não conferem. Corrija o número, ou confirme abaixo que é esse mesmo; por segurança, digite a senha de novo"
        ))
    }
}
