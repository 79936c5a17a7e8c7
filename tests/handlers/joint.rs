//! Who is to hold a joint account is asked first, on pages and through the JSON routes.

use actix_http::Request;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::TestRequest;
use serde_json::{Value, json};

use crate::browser::{Browser, one_bank, one_bank_with, opening};
use crate::harness::{Answer, call, post, service};

async fn register<S, B>(service: &S, names: &[&str])
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    for (place, name) in names.iter().enumerate() {
        let body = json!({"name": format!("Cliente {name}"), "num_cadastro": format!("111.111.111-0{place}"),
            "user_name": name, "password": "12345678", "type_person": "PF"});
        let answer = call(service, post("/register-customer", body.to_string())).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// Asks for a joint account of the first of these with the others.
async fn ask<S, B>(service: &S, names: &[&str]) -> Answer
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let body = json!({"user_name": names[0], "password": "12345678", "type_account": "CONJUNTA",
        "pix_type": "USER_NAME", "users": &names[1..], "value_init": 50});
    call(service, post("/create_account", body.to_string())).await
}

async fn token<S, B>(service: &S, name: &str) -> String
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let body = json!({"user_name": name, "password": "12345678"}).to_string();
    let answer = call(service, post("/login", body)).await;
    format!("Bearer {}", answer.body["token"].as_str().unwrap())
}

async fn answer<S, B>(service: &S, name: &str, number: &Value, accept: bool) -> Answer
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let token = token(service, name).await;
    let body = json!({"accept": accept}).to_string();
    let path = format!("/joint_requests/0/{number}");
    call(service, post(&path, body).insert_header(("authorization", token))).await
}

async fn listed<S, B>(service: &S, name: &str) -> Vec<Value>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let token = token(service, name).await;
    let asked = TestRequest::get().uri("/joint_requests").insert_header(("authorization", token));
    call(service, asked).await.body["data"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn a_joint_account_opens_when_all_have_accepted() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    register(&service, &["ana", "bia", "caio", "davi"]).await;
    let asked = ask(&service, &["ana", "bia", "caio"]).await;
    assert_eq!((asked.status, &asked.body["waiting_for"]), (200, &json!(["bia", "caio"])));
    assert_eq!(asked.descript(), "A conta conjunta abre quando todos os titulares aceitarem");
    let number = &asked.body["num_account"];

    // Nobody sees it who is not asked, and as yet it is no account.
    assert_eq!(listed(&service, "davi").await, Vec::<Value>::new());
    let seen = &listed(&service, "bia").await[0];
    assert_eq!(
        seen["opener"],
        json!({"name": "Cliente ana", "user_name": "ana",
        "num_cadastro": "***.111.111-**"})
    );
    assert_eq!(
        (&seen["your_answer"], seen["value_init"].to_string()),
        (&json!(true), "50.0".into())
    );
    assert_eq!(listed(&service, "ana").await[0]["your_answer"], json!(false));
    let key = call(&service, TestRequest::get().uri("/pix/0:ana")).await;
    assert_eq!((key.status, key.descript()), (400, "Chave Pix não encontrada"));
    let stranger = answer(&service, "davi", number, true).await;
    assert_eq!(stranger.status, 400, "{stranger:?}");

    let first = answer(&service, "bia", number, true).await;
    assert_eq!((first.status, &first.body["waiting_for"]), (200, &json!(["caio"])), "{first:?}");
    let last = answer(&service, "caio", number, true).await;
    assert_eq!((last.descript(), &last.body["num_account"]), ("Conta criada com sucesso", number));
    assert_eq!(listed(&service, "ana").await, Vec::<Value>::new());
    let path = format!("/get_account/{number}");
    let token = token(&service, "caio").await;
    let read = TestRequest::get().uri(&path).insert_header(("authorization", token));
    let read = call(&service, read).await;
    assert_eq!(read.body["data"]["user_names"], json!(["ana", "bia", "caio"]));
}

#[actix_web::test]
async fn an_answer_needs_a_session_and_says_what_it_means() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    register(&service, &["ana"]).await;
    let path = "/joint_requests/0/123456";
    assert_eq!(call(&service, post(path, "{\"accept\": true}")).await.status, 401);
    let list = call(&service, TestRequest::get().uri("/joint_requests")).await;
    assert_eq!(list.status, 401);
    let token = token(&service, "ana").await;
    for (body, why) in [
        ("{}", "Falta o campo accept"),
        ("{\"accept\": 1}", "O campo accept deve ser true ou false"),
        (
            "{\"accept\": true}",
            "Falha na operação: Não há conta conjunta 123456 no banco 0 que espere a sua resposta",
        ),
    ] {
        let request = post(path, body).insert_header(("authorization", token.clone()));
        let answer = call(&service, request).await;
        assert_eq!((answer.status, answer.descript()), (400, why));
    }
}

#[actix_web::test]
async fn in_a_laboratory_a_joint_account_opens_at_once() {
    let (bank, _data) = one_bank_with(json!({"laboratory": true})).await;
    let service = service(&bank).await;
    register(&service, &["ana", "bia"]).await;
    let opened = ask(&service, &["ana", "bia"]).await;
    assert_eq!((opened.status, opened.descript()), (200, "Conta criada com sucesso"));
    assert_eq!(opened.body["waiting_for"], Value::Null);
}

#[actix_web::test]
async fn people_accept_and_decline_on_their_overview() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    register(&service, &["ana", "bia"]).await;
    let mut browser = Browser::new(&service);
    let enter = |name: &'static str| [("usuario", name), ("senha", "12345678"), ("destino", "/")];
    for (key, decision) in [("NUM_CONTA", "recusar"), ("RANDOM", "aceitar")] {
        browser.post("/entrar", &enter("ana")).await.leads_to("/");
        let form_key =
            browser.get("/contas/nova").await.has("quando todos aceitarem").value("chave");
        let mut fields = opening(&form_key, "0", "80", key);
        fields[2].1 = "CONJUNTA";
        fields[3].1 = "bia";
        let asked = browser.post("/contas/nova", &fields).await;
        let page = browser.get(asked.location.as_deref().unwrap()).await;
        page.has("quando todos os titulares aceitarem").has("pedida por você").has("Desistir");
        page.lacks(">Aceitar<").has("ainda não tem conta");

        browser.post("/entrar", &enter("bia")).await.leads_to("/");
        let page = browser.get("/").await;
        page.has("<bdi>Cliente ana</bdi></strong> (<bdi>ana</bdi>, ***.111.111-**) quer abrir");
        let (form_key, place) = (page.value("chave"), page.value("conta"));
        let answer =
            [("chave", form_key.as_str()), ("conta", place.as_str()), ("resposta", decision)];
        browser.site = "cross-site";
        browser.post("/contas/conjunta", &answer).await.is(403);
        browser.site = "same-origin";
        let answered = browser.post("/contas/conjunta", &answer).await;
        let page = browser.get(answered.is(303).location.as_deref().unwrap()).await;
        page.lacks("esperam os titulares");
        if decision == "aceitar" {
            page.has("aberta no Banco 0").has("R$\u{a0}80,00").has("com <bdi>ana</bdi>");
        } else {
            page.has("ainda não tem conta");
        }
        // The form that was sent before does nothing new.
        browser.post("/contas/conjunta", &answer).await.is(303);
    }
    browser.post("/contas/conjunta", &[("chave", "x"), ("resposta", "?")]).await.is(400);
}

#[actix_web::test]
async fn nobody_fills_the_list_of_another_and_whose_list_is_full_is_not_told() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    register(&service, &["ana", "bia", "cia"]).await;
    let ask = async |opener: &str, holder: &str| {
        let body = json!({"user_name": opener, "password": "12345678", "type_account": "CONJUNTA",
            "pix_type": "NUM_CONTA", "users": [holder], "value_init": 50});
        call(&service, post("/create_account", body.to_string())).await
    };
    let mut opened = Vec::new();
    for _ in 0..3 {
        let asked = ask("ana", "bia").await;
        assert_eq!(asked.status, 200, "{asked:?}");
        opened.push(asked.body["num_account"].clone());
    }
    let more = ask("ana", "bia").await;
    let said = "Falha na operação: Já há contas conjuntas demais esperando os titulares";
    assert_eq!((more.status, more.descript()), (400, said));
    // It was not ordered.
    assert_eq!(more.body["position"], Value::Null);
    assert_eq!(listed(&service, "bia").await.len(), 3);
    // Others can still ask her, she can ask, and who declines makes room.
    assert_eq!(ask("cia", "bia").await.status, 200);
    assert_eq!(ask("bia", "ana").await.status, 200);
    assert_eq!(answer(&service, "bia", &opened[0], false).await.status, 200);
    assert_eq!(ask("ana", "bia").await.status, 200);
}
