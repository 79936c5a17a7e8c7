//! `GET /api`: the description as a page, rendered at the bank.

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde_json::Value;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{Content, OpenApi, RefOr, Schema};

use super::described;
use crate::http::Bank;
use crate::web::frame::Frame;
use crate::web::page;

#[derive(Template)]
#[template(path = "api.html")]
struct ApiPage {
    frame: Frame,
    groups: &'static [Group],
    kinds: &'static [Kind],
}

struct Group {
    name: String,
    routes: Vec<Route>,
}

/// A route with one of its methods.
struct Route {
    method: &'static str,
    path: String,
    says: String,
    /// Who may ask: the names of what proves it.
    by: String,
    parameters: Vec<Line>,
    body: Option<String>,
    answers: Vec<Line>,
}

/// A name, what it is and what it means.
struct Line {
    name: String,
    kind: String,
    says: String,
}

/// What a body or an answer is made of.
struct Kind {
    name: String,
    schema: String,
}

static LISTED: LazyLock<(Vec<Group>, Vec<Kind>)> = LazyLock::new(|| {
    let described = described();
    let kinds = described.components.iter().flat_map(|known| &known.schemas);
    let kinds = kinds.map(|(name, schema)| Kind {
        name: name.clone(),
        schema: serde_json::to_string_pretty(schema).unwrap_or_default(),
    });
    (groups(&described), kinds.collect())
});

/// `GET /api`
pub(super) async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let frame = Frame::of(&bank, &request).await;
    let (groups, kinds) = &*LISTED;
    page(StatusCode::OK, &ApiPage { frame, groups, kinds })
}

fn groups(described: &OpenApi) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (path, item) in &described.paths.paths {
        for (method, operation) in [("GET", &item.get), ("POST", &item.post)] {
            let Some(operation) = operation else { continue };
            let name = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
            let route = route(method, path, operation);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.routes.push(route),
                None => groups.push(Group { name, routes: vec![route] }),
            }
        }
    }
    groups
}

fn route(method: &'static str, path: &str, operation: &Operation) -> Route {
    let parameters =
        operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(line_of(parameter)),
            RefOr::Ref(_) => None,
        });
    let body = operation.request_body.as_ref().and_then(|body| match body {
        RefOr::T(body) => Some(written(&body.content)),
        RefOr::Ref(_) => None,
    });
    let answers = operation.responses.responses.iter().filter_map(|(name, answer)| match answer {
        RefOr::T(answer) => Some(Line {
            name: name.clone(),
            kind: written(&answer.content),
            says: answer.description.clone(),
        }),
        RefOr::Ref(_) => None,
    });
    let by = serde_json::to_value(&operation.security).unwrap_or_default();
    let by = by.as_array().into_iter().flatten().filter_map(Value::as_object);
    let by: Vec<_> = by.flat_map(|by| by.keys().cloned()).collect();
    Route {
        method,
        path: path.to_owned(),
        says: operation.summary.clone().unwrap_or_default(),
        by: by.join(", "),
        parameters: parameters.collect(),
        body,
        answers: answers.collect(),
    }
}

fn line_of(parameter: &Parameter) -> Line {
    let kind = match parameter.parameter_in {
        ParameterIn::Path => "address",
        ParameterIn::Header => "header",
        _ => "query",
    };
    Line {
        name: parameter.name.clone(),
        kind: kind.into(),
        says: parameter.description.clone().unwrap_or_default(),
    }
}

/// In which forms something comes, and what it is made of.
fn written<'a>(content: impl IntoIterator<Item = (&'a String, &'a RefOr<Content>)>) -> String {
    let written = content.into_iter().map(|(form, content)| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(kind)), .. }) => {
            let name = kind.ref_location.rsplit('/').next().unwrap_or_default();
            format!("{form}: {name}")
        }
        RefOr::T(Content { schema: Some(RefOr::T(Schema::Object(object))), .. })
            if !object.properties.is_empty() =>
        {
            let names: Vec<_> = object.properties.keys().map(String::as_str).collect();
            format!("{form}: {}", names.join(", "))
        }
        _ => form.clone(),
    });
    written.collect::<Vec<_>>().join("; ")
}
