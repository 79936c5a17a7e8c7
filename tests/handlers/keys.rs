//! Several Pix keys of an account, on pages and through the JSON routes.

use actix_http::Request;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::TestRequest;
use serde_json::{Value, json};

use crate::browser::{Browser, one_bank};
use crate::harness::{Answer, call, post, service};

/// Asks as a customer.
pub(crate) async fn ask<S, B>(service: &S, user: &str, request: TestRequest) -> Answer
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let login = json!({"user_name": user, "password": "12345678"}).to_string();
    let token = call(service, post("/login", login)).await.body["token"].clone();
    let token = format!("Bearer {}", token.as_str().unwrap());
    call(service, request.insert_header(("authorization", token))).await
}

fn number(place: &str) -> u64 {
    place.split_once('-').unwrap().1.parse().unwrap()
}

#[actix_web::test]
async fn an_account_gets_keys_loses_them_and_hands_them_on() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    ana.register("Ana Souza", "ana", "111.222.333-11").await;
    bia.register("Bia Lima", "bia", "444.555.666-44").await;
    let (first, second) = (ana.open("100", "CPF").await, ana.open("100", "NUM_CONTA").await);
    let theirs = bia.open("100", "CPF").await;
    let add = |place: &str, kind: &str, value: Value| {
        let body = json!({"bank": 0, "num_account": number(place), "type": kind, "value": value});
        post("/keys", body.to_string())
    };
    let added = ask(&service, "ana", add(&first, "EMAIL", json!("Ana@Exemplo.com"))).await;
    assert_eq!((added.status, added.descript()), (200, "Chave Pix cadastrada"));
    assert_eq!(added.body["kay_pix"], "0:ana@exemplo.com");
    let taken = ask(&service, "bia", add(&theirs, "EMAIL", json!("ana@exemplo.com"))).await;
    assert_eq!(taken.status, 400);
    let telephone = ask(&service, "ana", add(&first, "TELEFONE", json!("11 91234-5678"))).await;
    assert_eq!(telephone.body["kay_pix"], "0:+5511912345678");
    for (place, kind, value, status, why) in [
        (&first, "EMAIL", json!("ana"), 400, "value: E-mail deve ter a forma nome@exemplo.com"),
        (&first, "TELEFONE", json!("1"), 400, "value: Telefone deve ter a forma"),
        (&first, "PIX", json!(""), 400, "O campo type deve ser CPF, CNPJ"),
        (&first, "CNPJ", json!(""), 400, "não pode ter chave Pix CNPJ"),
        (&theirs, "RANDOM", json!(""), 403, "não pertence ao cliente ana"),
    ] {
        let refused = ask(&service, "ana", add(place, kind, value)).await;
        assert_eq!(refused.status, status, "{refused:?}");
        assert!(refused.descript().contains(why), "{refused:?}");
    }
    // Keys are found as people type them.
    for typed in ["ANA@exemplo.com", "(11)%2091234-5678", "%2B5511912345678"] {
        let found = call(&service, TestRequest::get().uri(&format!("/pix/{typed}"))).await;
        assert_eq!((found.status, found.body["data"]["name"].as_str()), (200, Some("Ana Souza")));
    }
    let moved = json!({"kay_pix": "0:ana@exemplo.com", "num_account": number(&second)});
    let moved = ask(&service, "ana", post("/keys/move", moved.to_string())).await;
    assert_eq!(moved.descript(), "Chave Pix passada para a outra conta");
    let remove = json!({"kay_pix": "0:111.222.333-11"}).to_string();
    assert_eq!(ask(&service, "bia", post("/keys/remove", &remove)).await.status, 400);
    assert_eq!(ask(&service, "ana", post("/keys/remove", &remove)).await.status, 200);
    let list = |place: &str| TestRequest::get().uri(&format!("/keys/0/{}", number(place)));
    let listed = ask(&service, "ana", list(&first)).await.body["data"].clone();
    assert_eq!(listed, json!(["0:+5511912345678"]));
    let listed = ask(&service, "ana", list(&second)).await.body["data"].clone();
    assert_eq!(listed, json!([format!("0:{}", number(&second)), "0:ana@exemplo.com"]));
    assert_eq!(ask(&service, "bia", list(&first)).await.status, 403);
}

#[actix_web::test]
async fn the_page_of_keys_adds_hands_on_and_removes_and_says_what_is_wrong() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "111.222.333-11").await;
    let (first, second) = (ana.open("100", "CPF").await, ana.open("100", "NUM_CONTA").await);
    let path = format!("/contas/{first}/chaves");
    ana.get(&format!("/contas/{first}")).await.has(&format!("href=\"{path}\""));
    let page = ana.get(&path).await;
    page.is(200).has("0:111.222.333-11").has("Passar para a conta");
    let key = page.values("chave").pop().unwrap();
    let add = |value| {
        [("chave", key.as_str()), ("acao", "cadastrar"), ("tipo", "EMAIL"), ("valor", value)]
    };
    let wrong = ana.post(&path, &add("ana")).await;
    wrong.is(400).has("E-mail deve ter a forma").has("value=\"ana\"");
    // Pressed twice, it is done once.
    for _ in 0..2 {
        let done = format!("{path}?feito=cadastrada");
        ana.post(&path, &add("ana@exemplo.com")).await.leads_to(&done);
    }
    let page = ana.get(&format!("{path}?feito=cadastrada")).await;
    page.has("Chave Pix cadastrada").has("0:ana@exemplo.com");
    let keys = page.values("chave");
    let hand_on = [
        ("chave", keys[1].as_str()),
        ("acao", "mover"),
        ("pix", "0:ana@exemplo.com"),
        ("para", second.split_once('-').unwrap().1),
    ];
    ana.post(&path, &hand_on).await.leads_to(&format!("{path}?feito=movida"));
    ana.get(&format!("/contas/{second}/chaves")).await.has("0:ana@exemplo.com");
    let remove = [("chave", keys[0].as_str()), ("acao", "remover"), ("pix", "0:111.222.333-11")];
    ana.post(&path, &remove).await.leads_to(&format!("{path}?feito=removida"));
    ana.get(&path).await.has("Nenhuma.").lacks("111.222");
    // It is paid all the same, by its number.
    ana.get(&format!("/contas/{first}")).await.has("0:@");
    ana.cookie = None;
    ana.get(&path).await.is(303);
}
