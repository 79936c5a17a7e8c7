//! What arrives while a customer looks at a page.

use std::future::poll_fn;

use actix_web::body::MessageBody as _;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::test::{self, TestRequest};
use serde_json::{Value, json};

use crate::browser::{Browser, one_bank};
use crate::harness::{call, post, service};
use crate::keys::ask;

fn number(place: &str) -> u64 {
    place.split_once('-').unwrap().1.parse().unwrap()
}

#[actix_web::test]
async fn a_pix_is_shown_when_it_arrives_until_the_session_ends() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    ana.register("Ana Souza", "ana", "111.222.333-11").await;
    bia.register("Bia Lima", "bia", "444.555.666-44").await;
    let (from, place) = (ana.open("100", "CPF").await, bia.open("100", "USER_NAME").await);
    bia.get("/").await.has("id=\"chegadas\"").has(&format!("data-balance=\"{place}\""));
    bia.get(&format!("/contas/{place}")).await.has("id=\"chegadas\"");
    let stream = || TestRequest::get().uri("/chegadas");
    assert_eq!(Browser::new(&service).send(stream()).await.status, 303, "only for who is known");
    let with_cookie = stream().insert_header(("cookie", bia.cookie.clone().unwrap()));
    let response = test::call_service(&service, with_cookie.to_request()).await;
    assert_eq!(response.headers().get(CONTENT_TYPE).unwrap(), "text/event-stream");
    let mut body = Box::pin(response.into_body());
    let mut next = async || {
        let chunk = poll_fn(|context| body.as_mut().poll_next(context)).await;
        chunk.map(|bytes| String::from_utf8(bytes.ok().unwrap().to_vec()).unwrap())
    };
    assert_eq!(next().await.unwrap(), format!("id: {place}:1\n\n"));
    let pay = |value: f64| {
        let pay = json!([{"type": "TRANSFER", "value": value, "sender": number(&from),
            "pix": "0:bia", "message": "oi"}]);
        post("/operations", json!({"0": {number(&from).to_string(): {"package": pay}}}).to_string())
    };
    let paid = ask(&service, "ana", pay(12.5)).await;
    assert_eq!(paid.status, 200, "{paid:?}");
    let told = next().await.unwrap();
    let (told, name) = told.strip_prefix("data: ").unwrap().split_once('\n').unwrap();
    assert_eq!(name, format!("id: {place}:2\n\n"));
    assert_eq!(
        serde_json::from_str::<Value>(told).unwrap(),
        json!({"text": "Você recebeu R$\u{a0}12,50 de Ana Souza.",
            "receipt": format!("/contas/{place}/comprovante/1"),
            "account": place, "balance": "R$\u{a0}112,50", "total": "R$\u{a0}112,50"})
    );
    // What others get is not told, and nothing twice.
    ask(&service, "ana", pay(1.0)).await;
    assert!(next().await.unwrap().contains("1,00 de Ana Souza"));
    assert!(bia.post("/sair", &[]).await.status == 303);
    assert_eq!(next().await, None);
}

/// The data of the events in a piece of a stream, and the name of the last.
fn events(piece: &str) -> (Vec<Value>, &str) {
    let data = piece.lines().filter_map(|line| line.strip_prefix("data: "));
    let name = piece.lines().rev().find_map(|line| line.strip_prefix("id: ")).unwrap();
    (data.map(|data| serde_json::from_str(data).unwrap()).collect(), name)
}

#[actix_web::test]
async fn a_program_that_comes_back_is_told_what_it_has_missed_and_nothing_twice() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    ana.register("Ana Souza", "ana", "111.222.333-11").await;
    bia.register("Bia Lima", "bia", "444.555.666-44").await;
    let (from, place) = (ana.open("100", "CPF").await, bia.open("100", "USER_NAME").await);
    let pay = |value: f64| {
        let pay =
            json!([{"type": "TRANSFER", "value": value, "sender": number(&from), "pix": "0:bia"}]);
        post("/operations", json!({"0": {number(&from).to_string(): {"package": pay}}}).to_string())
    };
    let login = json!({"user_name": "bia", "password": "12345678"}).to_string();
    let token = call(&service, post("/login", login)).await.body["token"].clone();
    let token = format!("Bearer {}", token.as_str().unwrap());
    let look = async |last: &str| {
        let request = TestRequest::get().uri("/arrivals");
        let request = request.insert_header(("authorization", token.clone()));
        let request = request.insert_header(("last-event-id", last.to_owned()));
        test::call_service(&service, request.to_request()).await
    };
    let unknown = TestRequest::get().uri("/arrivals");
    assert_eq!(call(&service, unknown).await.status, 401, "only for who is known");
    assert_eq!(ask(&service, "ana", pay(1.0)).await.status, 200);
    assert_eq!(ask(&service, "ana", pay(2.5)).await.status, 200);
    // All that came after the opening, and after the first Pix; what makes no sense is ignored.
    for (last, missed) in [(format!("{place}:1;x;9-1:7"), 2), (format!("{place}:2"), 1)] {
        let mut body = Box::pin(look(&last).await.into_body());
        let mut next = async || {
            let chunk = poll_fn(|context| body.as_mut().poll_next(context)).await;
            String::from_utf8(chunk.unwrap().ok().unwrap().to_vec()).unwrap()
        };
        assert_eq!(next().await, format!("id: {place}:{}\n\n", 3 - missed));
        let piece = next().await;
        let (told, name) = events(&piece);
        assert_eq!((told.len(), name), (missed, format!("{place}:3").as_str()), "{piece}");
        let Some(latest) = told.last() else { panic!("{piece}") };
        assert_eq!(
            (&latest["bank"], &latest["num_account"], latest["balance"].to_string()),
            (&json!(0), &json!(number(&place)), "103.5".to_owned())
        );
        let transaction = &latest["transaction"];
        assert_eq!(
            (&transaction["type"], &transaction["entry"], &transaction["counterparty"]["name"]),
            (&json!("RECEIVE"), &json!(2), &json!("Ana Souza"))
        );
    }
}
