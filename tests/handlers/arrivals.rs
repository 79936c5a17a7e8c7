//! What arrives while a customer looks at a page.

use std::future::poll_fn;

use actix_web::body::MessageBody as _;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::test::{self, TestRequest};
use serde_json::json;

use crate::browser::{Browser, one_bank};
use crate::harness::{post, service};
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
    assert_eq!(next().await.unwrap(), ": \n\n");
    let pay = |value: f64| {
        let pay = json!([{"type": "TRANSFER", "value": value, "sender": number(&from),
            "pix": "0:bia", "message": "oi"}]);
        post("/operations", json!({"0": {number(&from).to_string(): {"package": pay}}}).to_string())
    };
    let paid = ask(&service, "ana", pay(12.5)).await;
    assert_eq!(paid.status, 200, "{paid:?}");
    let told = next().await.unwrap();
    let told: serde_json::Value =
        serde_json::from_str(told.strip_prefix("data: ").unwrap().trim_end()).unwrap();
    assert_eq!(
        told,
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
