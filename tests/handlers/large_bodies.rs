//! What somebody sends is counted before it is read, and of many large bodies each customer's have
//! their turn.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use actix_http::error::PayloadError;
use actix_http::{Payload, Request};
use actix_web::test::{self, TestRequest};
use actix_web::web::Bytes;
use futures_util::future::{LocalBoxFuture, join_all};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use serde_json::{Value, json};

use crate::harness::{ready, service};
use crate::limits::{address, ask, customer, limited, package, post, with};

/// About what a package of a thousand Pix with messages takes.
const BODY_BYTES: usize = 128 * 1_024;

/// A request with a body of which it is noted whether any has been read.
fn watched(request: TestRequest, body: String) -> (Request, Rc<Cell<bool>>) {
    let is_read = Rc::new(Cell::new(false));
    let noticed = Rc::clone(&is_read);
    let chunk = async move {
        noticed.set(true);
        Ok::<_, PayloadError>(Bytes::from(body))
    };
    let payload = Payload::Stream { payload: stream::once(chunk).boxed_local() };
    let request = request.peer_addr(address(1)).to_request();
    (request.replace_payload(payload).0, is_read)
}

fn deposits(account: u64, count: usize) -> Value {
    let deposit = json!({"type": "DEPOSIT", "value": 0.01, "sender": account});
    package(account, &vec![deposit; count])
}

/// A package of 1,000 operations, the last of which is none.
fn broken(account: u64) -> String {
    let text = deposits(account, 1_000).to_string().replace("]}}}", ",0]}}}");
    let rest = BODY_BYTES.saturating_sub(text.len());
    text + &" ".repeat(rest)
}

/// A request with this customer's token that says how long its body is.
fn sized(token: &str, bytes: usize) -> TestRequest {
    to_operations(token).insert_header(("content-length", bytes.to_string()))
}

fn to_operations(token: &str) -> TestRequest {
    with(token, TestRequest::post().uri("/operations"))
}

#[actix_web::test]
async fn a_package_of_a_customer_without_operations_left_is_refused_before_it_is_read() {
    let (bank, _data) = limited(json!({"customer": {"operations_per_day": 1_000}})).await;
    let service = service(&bank).await;
    ready(&service).await;
    let (ana, account, _) = customer(&service, "ana", "111.111.111-11").await;
    let all = deposits(account, 999).to_string();
    for (expected, is_expected_to_be_read) in [(200, true), (429, false)] {
        let (request, is_read) = watched(sized(&ana, all.len()), all.clone());
        let answer = test::call_service(&service, request).await;
        assert_eq!(answer.status().as_u16(), expected);
        assert_eq!(is_read.get(), is_expected_to_be_read, "{expected}");
    }
}

#[actix_web::test]
async fn the_bytes_of_a_customers_bodies_are_counted_before_they_are_read() {
    // Room for two in a minute; one that does not say how long it is may become as long as both.
    let limits = json!({"customer": {"bytes_per_minute": 2 * BODY_BYTES}});
    for (is_length_known, expected) in [(true, 2), (false, 1)] {
        let (bank, _data) = limited(limits.clone()).await;
        let service = service(&bank).await;
        ready(&service).await;
        let (ana, account, _) = customer(&service, "ana", "111.111.111-11").await;
        let body = broken(account);
        let mut read = 0;
        for _ in 0..8 {
            let request = if is_length_known {
                sized(&ana, body.len())
            } else {
                to_operations(&ana).insert_header(("transfer-encoding", "chunked"))
            };
            let (request, is_read) = watched(request, body.clone());
            let status = test::call_service(&service, request).await.status().as_u16();
            assert_eq!(status, if is_read.get() { 400 } else { 429 });
            read += usize::from(is_read.get());
        }
        assert_eq!(read, expected);
    }
}

#[actix_web::test]
async fn a_basket_is_counted_before_it_is_read() {
    let limits = json!({"customer": {"bytes_per_minute": 2 * BODY_BYTES}});
    let (bank, _data) = limited(limits).await;
    let service = service(&bank).await;
    ready(&service).await;
    let (ana, _, _) = customer(&service, "ana", "111.111.111-11").await;
    let mut read = 0;
    for _ in 0..8 {
        let request = TestRequest::post()
            .uri("/pacote")
            .insert_header(("cookie", format!("netbanking-0={ana}")))
            .insert_header(("content-length", BODY_BYTES.to_string()));
        let (request, is_read) = watched(request, "+".repeat(BODY_BYTES));
        test::call_service(&service, request).await;
        read += usize::from(is_read.get());
    }
    assert_eq!(read, 2);
}

#[actix_web::test]
async fn a_body_without_a_package_may_not_be_as_large_as_one_with() {
    let (bank, _data) = limited(json!({})).await;
    let service = service(&bank).await;
    ready(&service).await;
    let padding = " ".repeat(16 * 1_024);
    for path in ["/login", "/register-customer", "/create_account", "/password"] {
        let request = post(path, &json!({"user_name": padding}));
        let (refused, _) = ask(&service, 1, request).await;
        assert_eq!(refused.status, 413, "{path}: {refused:?}");
        assert_eq!(refused.descript(), "Corpo maior que 16384 bytes");
    }
}

#[actix_web::test]
async fn a_customer_with_many_large_packages_holds_up_nobody_elses() {
    let (bank, _data) = limited(json!({})).await;
    let service = service(&bank).await;
    ready(&service).await;
    let (mallory, account, _) = customer(&service, "mallory", "111.111.111-11").await;
    let (ana, own, _) = customer(&service, "ana", "222.222.222-22").await;
    let answered = RefCell::new(Vec::new());
    let send = |who: &'static str, token: &str, body: String| -> LocalBoxFuture<'_, ()> {
        let (request, _) = watched(sized(token, body.len()), body);
        let (service, answered) = (&service, &answered);
        async move {
            let status = test::call_service(service, request).await.status().as_u16();
            assert_eq!(status, 400);
            answered.borrow_mut().push(who);
        }
        .boxed_local()
    };
    // Sessions that the worker knows are not asked about.
    join_all([send("mallory", &mallory, "{".into()), send("ana", &ana, "{".into())]).await;
    answered.borrow_mut().clear();
    let flood = (0..20).map(|_| send("mallory", &mallory, broken(account)));
    let mut all: Vec<_> = flood.collect();
    all.push(send("ana, large", &ana, broken(own)));
    all.push(send("ana, small", &ana, "{".into()));
    join_all(all).await;
    let answered = answered.borrow();
    for who in ["ana, large", "ana, small"] {
        let place = answered.iter().position(|it| *it == who).unwrap();
        assert!(place < 6, "{answered:?}");
    }
}
