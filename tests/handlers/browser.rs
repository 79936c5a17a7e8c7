//! A browser without scripts, before the handlers of a bank.

use std::collections::BTreeMap;

use actix_http::Request;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::{self, TestRequest};
use actix_web::{Error, http::Method};
use netbanking::http::Bank;

use crate::harness::{ready, service, start};

/// What browsers say that they read.
pub(crate) const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// The answer to a request for a page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) html: String,
}

impl Page {
    pub(crate) fn has(&self, text: &str) -> &Self {
        assert!(
            self.html.contains(text),
            "{text:?} is not on the page {}:\n{}",
            self.status,
            self.html
        );
        self
    }

    pub(crate) fn lacks(&self, text: &str) -> &Self {
        assert!(!self.html.contains(text), "{text:?} is on the page:\n{}", self.html);
        self
    }

    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{:?}\n{}", self.location, self.html);
        self
    }

    pub(crate) fn leads_to(&self, path: &str) -> &Self {
        assert_eq!((self.status, self.location.as_deref()), (303, Some(path)), "{}", self.html);
        self
    }

    /// The values of the fields of this name, unescaped.
    pub(crate) fn values(&self, name: &str) -> Vec<String> {
        let mark = format!("name=\"{name}\" value=\"");
        let values = self.html.split(&mark).skip(1).map(|rest| rest.split('"').next().unwrap());
        values.map(unescape).collect()
    }

    pub(crate) fn value(&self, name: &str) -> String {
        self.values(name)
            .first()
            .unwrap_or_else(|| panic!("no field {name}:\n{}", self.html))
            .clone()
    }
}

pub(crate) fn unescape(text: &str) -> String {
    text.replace("&#38;", "&")
        .replace("&amp;", "&")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#34;", "\"")
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let encode =
        |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
    fields
        .iter()
        .map(|(name, text)| format!("{name}={}", encode(text)))
        .collect::<Vec<_>>()
        .join("&")
}

/// A browser: it keeps cookies and says where its forms come from.
pub(crate) struct Browser<'a, S> {
    service: &'a S,
    pub(crate) cookie: Option<String>,
    pub(crate) site: &'static str,
}

impl<'a, S, B> Browser<'a, S>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    pub(crate) fn new(service: &'a S) -> Self {
        Browser { service, cookie: None, site: "same-origin" }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.send(TestRequest::get().uri(path)).await
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let request =
            TestRequest::default().method(Method::POST).uri(path).set_payload(encoded(fields));
        self.send(request.insert_header(("content-type", "application/x-www-form-urlencoded")))
            .await
    }

    /// Sends the package's form and goes where it leads.
    pub(crate) async fn package(&mut self, fields: &[(&str, &str)]) -> Page {
        let answer = self.post("/pacote", fields).await;
        match &answer.location {
            Some(path) if path.starts_with("/pacote") => self.get(path).await,
            _ => answer,
        }
    }

    /// A part of a page, as a script asks for it.
    pub(crate) async fn part(&mut self, path: &str) -> Page {
        self.send(TestRequest::get().uri(path).insert_header(("hx-request", "true"))).await
    }

    pub(crate) async fn send(&mut self, request: TestRequest) -> Page {
        let request =
            request.insert_header(("sec-fetch-site", self.site)).insert_header(("accept", ACCEPT));
        let request = match &self.cookie {
            Some(cookie) => request.insert_header(("cookie", cookie.as_str())),
            None => request,
        };
        let response = test::call_service(self.service, request.to_request()).await;
        let header =
            |value: &actix_web::http::header::HeaderValue| value.to_str().unwrap().to_owned();
        let headers: BTreeMap<_, _> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), header(value)))
            .collect();
        if let Some(set) = headers.get("set-cookie") {
            let pair = set.split(';').next().unwrap();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        let status = response.status().as_u16();
        let body = test::read_body(response).await.to_vec();
        // A file to keep may be anything; a page is text.
        let is_pdf = headers.get("content-type").is_some_and(|kind| kind == "application/pdf");
        let html = if is_pdf { String::new() } else { String::from_utf8(body).unwrap() };
        Page { status, location: headers.get("location").cloned(), headers, html }
    }

    pub(crate) async fn register(&mut self, name: &str, user: &str, cpf: &str) -> Page {
        let key = self.get("/cadastro").await.value("chave");
        self.post("/cadastro", &registration(&key, name, user, cpf)).await
    }

    pub(crate) async fn open(&mut self, value: &str, pix: &str) -> String {
        let key = self.get("/contas/nova").await.value("chave");
        let fields = opening(&key, "0", value, pix);
        let opened = self.post("/contas/nova", &fields).await;
        let location = opened.location.unwrap_or_else(|| panic!("{}", opened.html));
        location.strip_prefix("/?aberta=").unwrap().to_owned()
    }
}

pub(crate) fn registration<'a>(
    key: &'a str,
    name: &'a str,
    user: &'a str,
    cpf: &'a str,
) -> [(&'static str, &'a str); 8] {
    [
        ("chave", key),
        ("tipo", "PF"),
        ("nome", name),
        ("documento", cpf),
        ("usuario", user),
        ("senha", "12345678"),
        ("senha2", "12345678"),
        // The tests' documents were never issued.
        ("confirmado", cpf),
    ]
}

pub(crate) fn opening<'a>(
    key: &'a str,
    bank: &'a str,
    value: &'a str,
    pix: &'a str,
) -> [(&'static str, &'a str); 7] {
    [
        ("chave", key),
        ("banco", bank),
        ("tipo", "PF"),
        ("titulares", ""),
        ("pix", pix),
        ("valor", value),
        ("senha", "12345678"),
    ]
}

/// One bank with these fields in `nodes.json`, which takes writes.
pub(crate) async fn one_bank_with(written: serde_json::Value) -> (Bank, tempfile::TempDir) {
    let (bank, data) = start(0, 1, written).await;
    ready(&service(&bank).await).await;
    (bank, data)
}

/// One bank that takes writes.
pub(crate) async fn one_bank() -> (Bank, tempfile::TempDir) {
    one_bank_with(serde_json::json!({})).await
}
