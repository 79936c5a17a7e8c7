//! A route with one of its methods, as it is described, put together bit by bit.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, Header, RefOr, Required, Response, ResponseBuilder};

use super::kinds::{named, number, text};

pub(super) const JSON: &str = "application/json";
pub(super) const HTML: &str = "text/html";
const FORM: &str = "application/x-www-form-urlencoded";

/// How a customer proves who they are.
pub(super) const TOKEN: &str = "token";
/// How a browser does.
pub(super) const COOKIE: &str = "cookie";
/// How a bank does.
pub(super) const SECRET: &str = "secret";

/// A route with one of its methods.
pub(super) struct Told {
    path: &'static str,
    method: HttpMethod,
    says: &'static str,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
    by: Vec<SecurityRequirement>,
    /// What refusals are written in.
    refusals: &'static [&'static str],
    refused: BTreeSet<u16>,
    answers: BTreeMap<u16, Response>,
}

/// `GET`, and with it `HEAD`.
pub(super) fn get(path: &'static str, says: &'static str) -> Told {
    Told::new(path, HttpMethod::Get, says).refuses(&[308])
}

/// `POST`.
pub(super) fn post(path: &'static str, says: &'static str) -> Told {
    Told::new(path, HttpMethod::Post, says).refuses(&[403])
}

fn meaning(status: u16) -> &'static str {
    match status {
        303 => "done, or to be done elsewhere: see the page that is named",
        304 => "the browser has it already",
        308 => "the bank is reached by HTTPS, and this came in the open",
        400 => "refused; decided by the common order if there is a position",
        401 => "no session, or one that has ended; a peer without the secret",
        403 => "not yours; or sent in the open to a bank that is reached by HTTPS",
        404 => "no such address",
        408 => "the body did not arrive in time",
        409 => "another view is in force",
        410 => "in the bank's archive: the text says from which day on entries are here",
        413 => "the body is too large",
        429 => "too much: of the address, of the customer, or of the bank",
        503 => "not now; it will not take effect",
        504 => "not known yet: ask again with the same Idempotency-Key",
        _ => "done",
    }
}

impl Told {
    fn new(path: &'static str, method: HttpMethod, says: &'static str) -> Told {
        let (parameters, body, by) = Default::default();
        let (refusals, refused, answers) = (&[JSON][..], BTreeSet::new(), BTreeMap::new());
        let told = Told { path, method, says, parameters, body, by, refusals, refused, answers };
        // Whoever asks too often, or comes when the bank is full.
        told.refuses(&[429, 503])
    }

    /// What is answered when all is well.
    pub(super) fn answers(self, kind: &str) -> Told {
        self.answers_in(200, JSON, named(kind).into())
    }

    /// The same, as anything but JSON.
    pub(super) fn answers_in(
        mut self,
        status: u16,
        content_type: &str,
        schema: RefOr<Schema>,
    ) -> Told {
        let content = Content::new(Some(schema));
        let response = ResponseBuilder::new().description(meaning(status));
        let response = response.content(content_type, content);
        self.answers.insert(status, response.build());
        self
    }

    /// A status without a body.
    pub(super) fn answers_empty(mut self, status: u16) -> Told {
        let response = ResponseBuilder::new().description(meaning(status));
        self.answers.insert(status, response.build());
        self
    }

    /// With which statuses it can refuse.
    pub(super) fn refuses(mut self, statuses: &[u16]) -> Told {
        self.refused.extend(statuses);
        self
    }

    /// A refusal with this status.
    fn refusal(&self, status: u16) -> Response {
        let mut response = ResponseBuilder::new().description(meaning(status));
        for content_type in self.refusals {
            let schema: RefOr<Schema> = match *content_type {
                JSON => named("Refused").into(),
                _ => text().into(),
            };
            response = response.content(*content_type, Content::new(Some(schema)));
        }
        let header = |says: &str, schema: ObjectBuilder| {
            let mut header = Header::new(schema);
            header.description = Some(says.into());
            header
        };
        let seconds = number().minimum(Some(1));
        let response = match status {
            429 | 503 => response.header("Retry-After", header("In how many seconds.", seconds)),
            401 => response.header("WWW-Authenticate", header("How to prove it.", text())),
            _ => response,
        };
        response.build()
    }

    fn parameter(
        mut self,
        place: ParameterIn,
        name: &str,
        schema: impl Into<RefOr<Schema>>,
        says: &str,
    ) -> Told {
        let required = match place {
            ParameterIn::Path => Required::True,
            _ => Required::False,
        };
        let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(required);
        let parameter = parameter.description(Some(says)).schema(Some(schema.into()));
        self.parameters.push(parameter.build());
        self
    }

    /// A part of the address. Whatever does not fit is no address, or refused.
    pub(super) fn part(self, name: &str, schema: impl Into<RefOr<Schema>>, says: &str) -> Told {
        self.parameter(ParameterIn::Path, name, schema, says).refuses(&[400, 404])
    }

    /// What may stand after the address.
    pub(super) fn query(self, name: &str, schema: impl Into<RefOr<Schema>>, says: &str) -> Told {
        self.parameter(ParameterIn::Query, name, schema, says).refuses(&[400])
    }

    /// What may stand in a header.
    pub(super) fn header(self, name: &str, schema: impl Into<RefOr<Schema>>, says: &str) -> Told {
        self.parameter(ParameterIn::Header, name, schema, says).refuses(&[400])
    }

    fn proved_by(mut self, how: &str) -> Told {
        self.by.push(SecurityRequirement::new(how, [] as [&str; 0]));
        self
    }

    /// A customer asks, with a token.
    pub(super) fn by_customer(self) -> Told {
        self.proved_by(TOKEN).refuses(&[401])
    }

    /// Another bank asks.
    pub(super) fn by_bank(self) -> Told {
        self.proved_by(SECRET).refuses(&[400, 401])
    }

    /// What is sent, in JSON.
    pub(super) fn body(self, kind: &str) -> Told {
        self.body_in(JSON, named(kind).into())
    }

    fn body_in(mut self, content_type: &str, schema: RefOr<Schema>) -> Told {
        let content = Content::new(Some(schema));
        let body = RequestBodyBuilder::new().content(content_type, content);
        self.body = Some(body.required(Some(Required::True)).build());
        self.refuses(&[400, 408, 413])
    }

    /// The body is what another bank says, in a form of its own.
    pub(super) fn said(self, schema: ObjectBuilder) -> Told {
        self.body_in(JSON, schema.into())
    }

    /// It is executed in the common order.
    pub(super) fn ordered(self) -> Told {
        let key = text().min_length(Some(1)).max_length(Some(255)).pattern(Some("^[!-~]+$"));
        self.header("Idempotency-Key", key, "The same request with the same key is executed once.")
            .refuses(&[400, 403, 504])
            .answers("Ordered")
    }

    /// It reads the ledger, and says if that may be old.
    pub(super) fn read(self, kind: &str) -> Told {
        let position = || number().minimum(Some(0));
        let told = self.answers(kind).marked();
        told.query("min_position", position(), "Show everything through this position.").header(
            "Netbanking-Min-Position",
            position(),
            "The same.",
        )
    }

    /// The answer says as of which position it is, and whether that may be old.
    fn marked(mut self) -> Told {
        if let Some(answer) = self.answers.get_mut(&200) {
            let mut position = Header::new(number());
            position.description = Some("The position of the ledger that is shown.".into());
            answer.headers.insert("Netbanking-Position".into(), position.into());
        }
        self
    }

    /// A page.
    pub(super) fn page(mut self) -> Told {
        self.refusals = &[HTML, JSON];
        self.answers_in(200, HTML, text().into()).refuses(&[400])
    }

    /// A page for who is logged in; others are led to the login.
    pub(super) fn page_of_customer(self) -> Told {
        self.page().proved_by(COOKIE).answers_empty(303)
    }

    /// What a form of a page sends: to be found on the page itself.
    pub(super) fn form(mut self, fields: &[&str]) -> Told {
        self.refusals = &[HTML, JSON];
        let form = |form: ObjectBuilder, name: &&str| form.property(*name, text());
        let form = fields.iter().fold(ObjectBuilder::new().schema_type(Type::Object), form);
        let statuses = [400, 401, 403, 404, 408, 413, 504];
        self.body_in(FORM, form.into()).refuses(&statuses).answers_empty(303)
    }

    /// The part of the description that this is.
    pub(super) fn done(self, tag: &str) -> (String, PathItem) {
        let method = match self.method {
            HttpMethod::Get => "get",
            _ => "post",
        };
        let id = format!("{method} {}", self.path);
        // What is answered when all is well says more of a status.
        let refusals = self.refused.iter().map(|status| (*status, self.refusal(*status)));
        let answers: BTreeMap<_, _> = refusals.chain(self.answers.clone()).collect();
        let mut operation = OperationBuilder::new()
            .tag(tag)
            .summary(Some(self.says))
            .operation_id(Some(id))
            .request_body(self.body);
        operation = self.parameters.into_iter().fold(operation, OperationBuilder::parameter);
        for (status, answer) in answers {
            operation = operation.response(status.to_string(), answer);
        }
        if !self.by.is_empty() {
            operation = operation.securities(Some(self.by));
        }
        (self.path.to_owned(), PathItem::new(self.method, operation))
    }
}
