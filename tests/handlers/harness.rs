//! A bank inside the test: its actors on a disk of its own, its routes as a service.

use std::sync::Arc;
use std::time::Duration;

use actix_http::Request;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::{self, TestRequest};
use actix_web::{App, Error, web};
use netbanking::actors;
use netbanking::config::Config;
use netbanking::http::{Bank, PeerRoom, draw_at_random};
use netbanking::ids::BankId;
use netbanking::tls::{Credentials, Transport};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::description::assert_described;

pub(crate) const SECRET: &str = "the secret of the harness";

/// What a handler answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn descript(&self) -> &str {
        self.body["descript"].as_str().unwrap_or_default()
    }
}

/// A consortium of `banks` of which only bank `me` exists.
pub(crate) async fn bank(me: u16, banks: usize, customer_auth: &str) -> (Bank, TempDir) {
    start(me, banks, serde_json::json!({"customer_auth": customer_auth})).await
}

/// The same with a laboratory.
pub(crate) async fn laboratory(me: u16, banks: usize) -> (Bank, TempDir) {
    start(me, banks, serde_json::json!({"laboratory": true})).await
}

/// The same with these fields in `nodes.json`.
pub(crate) async fn start(me: u16, banks: usize, mut written: Value) -> (Bank, TempDir) {
    let nodes: Vec<_> = (0..banks)
        .map(|index| serde_json::json!({"name": format!("Banco {index}"), "host": "127.0.0.1", "port": 1 + 2 * index, "heartbeat_port": 2 + 2 * index}))
        .collect();
    if written["nodes"].is_null() {
        written["nodes"] = nodes.into();
    }
    let config = Config::parse(&written.to_string()).unwrap();
    let data = tempfile::tempdir().unwrap();
    let pings = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tell = netbanking::web::tell;
    let credentials = Credentials { secret: SECRET.to_owned(), transport: Transport::Open };
    let actors =
        actors::node::start(BankId(me), &config, &data.path().into(), &credentials, pings, tell)
            .unwrap();
    let bank = Bank {
        me: BankId(me),
        config: Arc::new(config),
        secret: SECRET.into(),
        certificates: None,
        https: false,
        actors,
        draw: draw_at_random(),
        peer_room: PeerRoom::new(banks),
    };
    (bank, data)
}

/// The bank's routes; that each answer is one of those described is checked on the way.
pub(crate) async fn service(
    bank: &Bank,
) -> impl Service<Request, Response = ServiceResponse<impl MessageBody>, Error = Error> {
    let app = App::new().wrap_fn(|request, routes| {
        let answer = routes.call(request);
        async {
            let answer = answer.await?;
            assert_described(answer.request(), answer.status().as_u16());
            Ok(answer)
        }
    });
    let routes = netbanking::web::configure(web::Data::new(bank.clone()));
    test::init_service(app.configure(routes)).await
}

/// Sends a request; every answer must be JSON.
pub(crate) async fn call<S, B>(service: &S, request: TestRequest) -> Answer
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let response = test::call_service(service, request.to_request()).await;
    let status = response.status().as_u16();
    let bytes = test::read_body(response).await;
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|error| panic!("{status}: {error}: {bytes:?}"));
    Answer { status, body }
}

pub(crate) fn post(path: &str, body: impl Into<String>) -> TestRequest {
    TestRequest::post().uri(path).set_payload(body.into())
}

/// Waits until the bank takes writes.
pub(crate) async fn ready<S, B>(service: &S)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    for _ in 0..500 {
        if call(service, TestRequest::get().uri("/ready")).await.status == 200 {
            return;
        }
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the bank does not get ready");
}
