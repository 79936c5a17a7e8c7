//! A new password, and the sessions of a customer.

use actix_http::Request;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::TestRequest;
use serde_json::{Value, json};

use crate::browser::{Browser, one_bank, one_bank_with};
use crate::harness::{Answer, call, post, service};

async fn log_in<S, B>(service: &S, password: &str) -> Answer
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let body = json!({"user_name": "ana", "password": password}).to_string();
    call(service, post("/login", body)).await
}

fn bearer(answer: &Answer) -> (&'static str, String) {
    ("authorization", format!("Bearer {}", answer.body["token"].as_str().unwrap()))
}

async fn sessions<S, B>(service: &S, token: &(&'static str, String)) -> Answer
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let asked = TestRequest::get().uri("/sessions").insert_header(token.clone());
    call(service, asked.peer_addr("192.0.2.9:1".parse().unwrap())).await
}

#[actix_web::test]
async fn a_new_password_replaces_the_old_one_and_ends_every_session() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    browser.register("Ana Souza", "ana", "111.111.111-11").await;
    let token = bearer(&log_in(&service, "12345678").await);
    let change = |password: &str, new: &str| {
        let body = json!({"user_name": "ana", "password": password, "new_password": new});
        post("/password", body.to_string()).insert_header(("idempotency-key", "k"))
    };
    let wrong = call(&service, change("87654321", "outra senha")).await;
    assert_eq!((wrong.status, wrong.descript()), (400, "Nome de usuário ou senha incorretos"));
    let short = call(&service, change("12345678", "curta")).await;
    assert_eq!(short.descript(), "A senha deve ter pelo menos 8 caracteres");
    assert_eq!(sessions(&service, &token).await.status, 200, "nothing has changed so far");

    let changed = call(&service, change("12345678", "outra senha")).await;
    assert_eq!((changed.status, changed.descript()), (200, "Senha trocada"));
    assert!(changed.body["position"].is_number(), "it is part of the common order");
    assert_eq!(sessions(&service, &token).await.status, 401);
    browser.get("/pacote").await.is(303);
    assert_eq!(log_in(&service, "12345678").await.status, 400);
    assert_eq!(log_in(&service, "outra senha").await.status, 200);
}

#[actix_web::test]
async fn people_change_their_password_and_stay_logged_in_where_they_did_it() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    browser.register("Ana Souza", "ana", "111.111.111-11").await;
    let other = bearer(&log_in(&service, "12345678").await);
    let page = browser.get("/seguranca").await;
    page.is(200).has("Últimas entradas").has("Trocar a senha");
    let key = page.value("chave");
    let fields = |new2: &'static str| {
        [("chave", key.as_str()), ("senha", "12345678"), ("nova", "senha nova 1"), ("nova2", new2)]
    };
    browser.post("/seguranca", &fields("senha nova 2")).await.is(400).has("não são iguais");
    let before = browser.cookie.clone();
    browser.post("/seguranca", &fields("senha nova 1")).await.leads_to("/seguranca?trocada=sim");
    assert_ne!(browser.cookie, before, "a new session");
    browser.get("/seguranca?trocada=sim").await.is(200).has("Senha trocada");
    assert_eq!(sessions(&service, &other).await.status, 401);
    browser.cookie = before;
    browser.get("/seguranca").await.is(303);
}

#[actix_web::test]
async fn a_session_that_has_ended_orders_nothing_although_it_has_ordered_before() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    Browser::new(&service).register("Ana Souza", "ana", "111.111.111-11").await;
    let token = bearer(&log_in(&service, "12345678").await);
    let deposit = json!({"0": {"99999": {"package": [
        {"type": "DEPOSIT", "value": 1.0, "sender": 99999}
    ]}}});
    let order = || post("/operations", deposit.to_string()).insert_header(token.clone());
    for _ in 0..2 {
        assert_eq!(call(&service, order()).await.status, 403, "it was executed, and is refused");
    }
    let end = post("/logout", "").insert_header(token.clone());
    assert_eq!(call(&service, end).await.status, 200);
    let answer = call(&service, order()).await;
    assert_eq!((answer.status, answer.body.get("position")), (401, None), "{answer:?}");
}

#[actix_web::test]
async fn a_customer_sees_and_ends_their_own_sessions_only() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    browser.register("Bia Lima", "bia", "222.222.222-22").await;
    let bia = browser.cookie.clone();
    browser.register("Ana Souza", "ana", "111.111.111-11").await;
    let token = bearer(&log_in(&service, "12345678").await);
    let seen = sessions(&service, &token).await;
    let listed = seen.body["data"]["sessions"].as_array().unwrap();
    let is_this: Vec<_> = listed.iter().map(|it| it["is_this"].as_bool().unwrap()).collect();
    assert_eq!(
        (is_this, seen.body["data"]["logins"].as_array().unwrap().len()),
        (vec![true, false], 2)
    );
    let end = |body: Value| post("/sessions/end", body.to_string()).insert_header(token.clone());
    let none = call(&service, end(json!({"session": "0123456789ab"}))).await;
    assert_eq!((none.status, none.descript()), (400, "Não há tal sessão neste banco"));
    let page = call(&service, end(json!({"session": listed[1]["session"]}))).await;
    assert_eq!((page.status, page.descript()), (200, "Sessão encerrada"));
    browser.get("/pacote").await.is(303);

    // On a page: the program's session, then all.
    let fields = [("usuario", "ana"), ("senha", "12345678"), ("destino", "/seguranca")];
    browser.post("/entrar", &fields).await.leads_to("/seguranca");
    let names = browser.get("/seguranca").await.values("sessao");
    assert_eq!(names.len(), 3, "and the button for all");
    browser.site = "cross-site";
    browser.post("/seguranca/sessoes", &[("sessao", &names[1])]).await.is(403);
    browser.site = "same-origin";
    browser.post("/seguranca/sessoes", &[("sessao", &names[1])]).await.leads_to("/seguranca");
    assert_eq!(sessions(&service, &token).await.status, 401);
    browser.post("/seguranca/sessoes", &[("sessao", "todas")]).await.leads_to("/seguranca");
    browser.get("/seguranca").await.is(303);
    browser.cookie = bia;
    browser.get("/seguranca").await.is(200);
}

#[actix_web::test]
async fn who_chooses_a_password_that_many_people_have_is_warned_or_refused() {
    let registration = |user: &str, document: &str, password: &str| {
        let body = json!({"name": "Ana Souza", "num_cadastro": document, "user_name": user,
            "password": password, "type_person": "PF"});
        post("/register-customer", body.to_string())
    };
    let change = |old: &str, new: &str| {
        let body = json!({"user_name": "ana", "password": old, "new_password": new});
        post("/password", body.to_string())
    };
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let warned = |answer: &Answer| answer.body["warning"].is_string();
    let common = call(&service, registration("ana", "111.111.111-11", "12345678")).await;
    assert!(common.status == 200 && warned(&common), "{common:?}");
    let rare = call(&service, change("12345678", "correct horse")).await;
    assert!(rare.status == 200 && !warned(&rare), "{rare:?}");
    let common = call(&service, change("correct horse", "Password1")).await;
    assert!(common.status == 200 && warned(&common), "{common:?}");
    // Who is refused for something else is not warned.
    let refused = call(&service, registration("ana", "111.111.111-11", "12345678")).await;
    assert!(refused.status == 400 && !warned(&refused), "{refused:?}");
    let mut browser = Browser::new(&service);
    browser.register("Bia Souza", "bia", "222.222.222-22").await.leads_to("/?senha=comum");
    browser.get("/?senha=comum").await.has("Muita gente tem a senha");
    browser.get("/").await.lacks("Muita gente tem a senha");

    let (bank, _data) = one_bank_with(json!({"common_passwords": "refuse"})).await;
    let service = crate::harness::service(&bank).await;
    let why = "Muita gente tem esta senha, e quem tenta entrar começa por ela: escolha outra";
    let common = call(&service, registration("ana", "111.111.111-11", "12345678")).await;
    assert_eq!((common.status, common.descript()), (400, why));
    let rare = call(&service, registration("ana", "111.111.111-11", "correct horse")).await;
    assert_eq!(rare.status, 200, "{rare:?}");
    let common = call(&service, change("correct horse", "QWERTYUIOP")).await;
    assert_eq!((common.status, common.descript()), (400, why));
    let mut browser = Browser::new(&service);
    browser.register("Bia Souza", "bia", "222.222.222-22").await.is(400).has(why);
}
