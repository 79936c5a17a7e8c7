//! What a form or a query brought: names and texts, in their order on the page.

use actix_web::HttpRequest;
use actix_web::web::{Payload, Query};
use zeroize::Zeroize as _;

use crate::http::{Refused, read_body, receive_large};
use crate::ledger::IdempotencyKey;
use crate::ledger::package::OPERATIONS_MAX;
use crate::wire::escaped;

/// The most fields of a form: those of a full basket, and some more.
const FIELDS_MAX: usize = OPERATIONS_MAX + 24;

/// The fields of a form.
#[derive(Clone, Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

/// There may be a password in it.
impl Drop for Form {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|(_, text)| text.zeroize());
    }
}

impl Form {
    /// Reads the body of a request.
    pub(super) async fn receive(request: &HttpRequest, body: Payload) -> Result<Form, Refused> {
        let body = receive_large(request, body).await?;
        read_body(request, None, body, Form::of_body).await
    }

    fn of_body(body: &[u8]) -> Result<Form, Refused> {
        let text =
            std::str::from_utf8(body).map_err(|_| Refused::bad("O formulário não é UTF-8"))?;
        Form::parse(text)
    }

    /// Reads the part of an address after its question mark.
    pub(super) fn of_query(request: &HttpRequest) -> Result<Form, Refused> {
        Form::parse(request.query_string())
    }

    /// Reads `name=text&…`.
    pub(super) fn parse(text: &str) -> Result<Form, Refused> {
        if text.split('&').count() > FIELDS_MAX {
            return Err(Refused::TooManyFields(FIELDS_MAX));
        }
        let read = Query::<Vec<(String, String)>>::from_query(text);
        read.map(|fields| Form(fields.into_inner()))
            .map_err(|_| Refused::bad("Formulário inválido"))
    }

    /// A field's text without blanks around it; empty where the field is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// A field's exact text, for passwords; empty where the field is missing.
    pub(super) fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, text)| text)
    }

    /// All texts of a field that occurs several times.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, text)| text.as_str())
    }

    /// Some of the fields as they were sent, to be kept in a field of another form.
    pub(super) fn written(&self, names: &[&str]) -> String {
        let kept = self.0.iter().filter(|(name, _)| names.contains(&name.as_str()));
        encoded(kept.map(|(name, text)| (name.as_str(), text.as_str())))
    }

    /// The key that was drawn when the form was rendered, so that sending it twice does it once.
    pub(super) fn key(&self) -> Result<IdempotencyKey, Refused> {
        IdempotencyKey::parse(self.text("chave"))
            .map_err(|_| Refused::bad("Formulário incompleto: abra a página de novo"))
    }
}

/// Fields as a form sends them: `name=text&…`.
pub(super) fn encoded<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    fields.map(|(name, text)| format!("{name}={}", escaped(text))).collect::<Vec<_>>().join("&")
}

/// A key for a form that is about to be rendered.
pub(super) fn new_key() -> String {
    uuid::Uuid::new_v4().to_string()
}
