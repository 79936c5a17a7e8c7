//! `GET /openapi.json` describes the route tables, and every answer that a test gets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::LazyLock;

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, read_body};
use serde_json::Value;

use crate::harness::{bank, call, service};

/// The files with route tables.
const TABLES: [&str; 4] =
    ["src/http/routes.rs", "src/web/mod.rs", "src/web/bank/mod.rs", "src/web/watch/mod.rs"];
/// What is no route of the tables: it is handed over before they are asked.
const UPGRADE: &str = "/peer/stream";

/// The description, as those read it who ask for it.
pub(crate) static DESCRIBED: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(netbanking::web::described()).unwrap());

/// A path of the route table as the description has it: `{key:.+}` is `{key}` there.
fn plain(pattern: &str) -> String {
    let mut parts = pattern.split('}').map(|part| match part.split_once(':') {
        Some((name, _)) if part.contains('{') => name.to_owned(),
        _ => part.to_owned(),
    });
    let first = parts.next().unwrap_or_default();
    parts.fold(first, |path, part| format!("{path}}}{part}"))
}

/// Fails if an answer is not one that the description names.
pub(crate) fn assert_described(request: &HttpRequest, status: u16) {
    // Where there is no route, and no such method, there is nothing to describe.
    let Some(pattern) = request.match_pattern().filter(|_| status != 405) else { return };
    let method = match *request.method() {
        Method::HEAD => "get".to_owned(),
        ref method => method.as_str().to_lowercase(),
    };
    let answers = &DESCRIBED["paths"][plain(&pattern)][&method]["responses"];
    let known: Vec<_> = answers.as_object().into_iter().flat_map(|known| known.keys()).collect();
    assert!(
        answers.get(status.to_string()).is_some(),
        "{method} {pattern} answers {status}, and is described with {known:?} (src/web/api/)"
    );
}

/// The paths in the route tables, as they are written there.
fn in_the_tables() -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for table in TABLES.iter().copied().chain(["src/web/api/mod.rs"]) {
        let text = fs::read_to_string(table).unwrap();
        let quoted = text.split("at(\"").skip(1).filter_map(|rest| rest.split('"').next());
        paths.extend(quoted.map(str::to_owned));
    }
    assert!(paths.len() > 40, "{paths:?}");
    paths
}

/// An address that fits a path.
fn example(path: &str) -> String {
    let mut parts = path.split('}').map(|part| match part.split_once('{') {
        Some((before, _)) => format!("{before}1"),
        None => part.to_owned(),
    });
    parts.by_ref().collect()
}

#[actix_web::test]
async fn the_description_has_the_routes_of_the_tables_and_no_others() {
    let (bank, _data) = bank(0, 3, "sessions").await;
    let service = service(&bank).await;
    let mut routes = BTreeMap::new();
    for path in in_the_tables() {
        let request = TestRequest::with_uri(&example(&path)).method(Method::DELETE).to_request();
        let answer = call_service(&service, request).await;
        assert_eq!(answer.status().as_u16(), 405, "{path}");
        let allowed = answer.headers().get("allow").unwrap().to_str().unwrap().to_lowercase();
        let methods = allowed.split(", ").filter(|method| *method != "head");
        routes.insert(plain(&path), methods.map(str::to_owned).collect::<BTreeSet<_>>());
    }
    routes.insert(UPGRADE.into(), BTreeSet::from(["get".into()]));
    let described = DESCRIBED["paths"].as_object().unwrap().iter().map(|(path, methods)| {
        (path.clone(), methods.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>())
    });
    assert_eq!(described.collect::<BTreeMap<_, _>>(), routes);
}

#[actix_web::test]
async fn the_description_is_served_for_programs_and_as_a_page() {
    let (bank, _data) = bank(0, 3, "sessions").await;
    let service = service(&bank).await;
    let served = call(&service, TestRequest::get().uri("/openapi.json")).await;
    assert_eq!((served.status, &served.body), (200, &*DESCRIBED));
    let page = call_service(&service, TestRequest::get().uri("/api").to_request()).await;
    assert_eq!(page.status().as_u16(), 200);
    let page = String::from_utf8(read_body(page).await.to_vec()).unwrap();
    for path in DESCRIBED["paths"].as_object().unwrap().keys() {
        assert!(page.contains(path), "{path}");
    }
    let kinds = DESCRIBED["components"]["schemas"].as_object().unwrap();
    let text = DESCRIBED.to_string();
    for kind in text.split("#/components/schemas/").skip(1) {
        let kind = kind.split('"').next().unwrap();
        assert!(kinds.contains_key(kind), "{kind} is not described");
    }
}
