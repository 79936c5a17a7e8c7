//! What one customer or one address may ask of a bank, and what they are told when it was too much.

use std::net::SocketAddr;

use actix_http::Request;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::{self, TestRequest};
use netbanking::http::Bank;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Answer, ready, service, start};

/// A bank alone, with these limits.
pub(crate) async fn limited(limits: Value) -> (Bank, TempDir) {
    start(0, 1, json!({ "limits": limits })).await
}

pub(crate) fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 40_000))
}

/// What is answered to somebody at an address, and after how many seconds they may come again.
pub(crate) async fn ask<S, B>(service: &S, from: u8, request: TestRequest) -> (Answer, Option<u64>)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let request = request.peer_addr(address(from)).to_request();
    let response = test::call_service(service, request).await;
    let status = response.status().as_u16();
    let wait = response.headers().get("retry-after").map(|wait| wait.to_str().unwrap().to_owned());
    let bytes = test::read_body(response).await;
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    (Answer { status, body }, wait.map(|wait| wait.parse().unwrap()))
}

pub(crate) fn post(path: &str, body: &Value) -> TestRequest {
    TestRequest::post().uri(path).set_payload(body.to_string())
}

fn login(user: &str, password: &str) -> TestRequest {
    post("/login", &json!({"user_name": user, "password": password}))
}

/// Registers somebody with an account of 1,000 reais; returns their token, account and Pix key.
pub(crate) async fn customer<S, B>(service: &S, user: &str, document: &str) -> (String, u64, String)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let newcomer = json!({"name": "Cliente de Teste", "num_cadastro": document,
        "user_name": user, "password": "12345678", "type_person": "PF"});
    let opening = json!({"user_name": user, "password": "12345678", "type_account": "PF",
        "pix_type": "USER_NAME", "users": [], "value_init": 1_000});
    let (registered, _) = ask(service, 200, post("/register-customer", &newcomer)).await;
    assert_eq!(registered.status, 200, "{registered:?}");
    let (opened, _) = ask(service, 200, post("/create_account", &opening)).await;
    assert_eq!(opened.status, 200, "{opened:?}");
    let (entered, _) = ask(service, 200, login(user, "12345678")).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let number = opened.body["num_account"].as_u64().unwrap();
    (text(&entered.body["token"]), number, text(&opened.body["kay_pix"]))
}

pub(crate) fn with(token: &str, request: TestRequest) -> TestRequest {
    request.insert_header(("authorization", format!("Bearer {token}")))
}

pub(crate) fn package(account: u64, operations: &[Value]) -> Value {
    json!({"0": {account.to_string(): {"package": operations}}})
}

fn transfer(account: u64, key: &str) -> Value {
    json!({"type": "TRANSFER", "value": 1, "sender": account, "pix": key})
}

#[actix_web::test]
async fn a_customer_can_look_up_many_keys_but_not_search_for_them() {
    let (bank, _data) = limited(json!({})).await;
    let service = service(&bank).await;
    ready(&service).await;
    let (ana, account, _) = customer(&service, "ana", "111.111.111-11").await;
    let (bia, _, key) = customer(&service, "bia", "222.222.222-22").await;
    let find = |token: &str, key: &str| with(token, TestRequest::get().uri(&format!("/pix/{key}")));
    for guess in 0..5 {
        let (answer, _) = ask(&service, 1, find(&ana, &format!("0:nobody{guess}"))).await;
        assert_eq!(answer.descript(), "Chave Pix não encontrada");
    }
    let (refused, wait) = ask(&service, 1, find(&ana, &key)).await;
    assert_eq!((refused.status, wait), (429, Some(30)), "{refused:?}");
    assert_eq!(refused.descript(), "Consultas demais a chaves Pix. Tente de novo em 30 segundos");
    let (refused, _) = ask(&service, 2, find(&ana, &key)).await;
    assert_eq!(refused.status, 429, "the share is the customer's, wherever they are");
    // Neither by paying nor by a basket can more be found out.
    let payment = package(account, &[transfer(account, "0:nobody9")]);
    let (refused, _) = ask(&service, 1, with(&ana, post("/operations", &payment))).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    let basket = TestRequest::post()
        .uri("/pacote")
        .insert_header(("cookie", format!("netbanking-0={ana}")))
        .insert_header(("hx-request", "true"))
        .set_payload(format!("acao=x&op=T.0.{account}.100.{key}"));
    assert_eq!(ask(&service, 1, basket).await.0.status, 429);
    // What exists costs little, and nothing the second time.
    for _ in 0..150 {
        assert_eq!(ask(&service, 1, find(&bia, &key)).await.0.status, 200);
    }
    // A stranger has the share of an address, and this machine's own programs have no limit.
    let stranger = |guess: u32| TestRequest::get().uri(&format!("/pix/0:no{guess}"));
    for guess in 0..6 {
        let expected = if guess < 5 { 400 } else { 429 };
        assert_eq!(ask(&service, 9, stranger(guess)).await.0.status, expected);
        let own = stranger(guess).peer_addr("127.0.0.1:1".parse().unwrap()).to_request();
        assert_eq!(test::call_service(&service, own).await.status().as_u16(), 400);
    }
}

#[actix_web::test]
async fn payments_to_keys_that_do_not_exist_are_look_ups_and_others_give_some_back() {
    let (bank, _data) = limited(json!({"customer": {"lookups": 21}})).await;
    let service = service(&bank).await;
    ready(&service).await;
    let (ana, account, _) = customer(&service, "ana", "111.111.111-11").await;
    let (_, _, key) = customer(&service, "bia", "222.222.222-22").await;
    let pay =
        |key: &str| with(&ana, post("/operations", &package(account, &[transfer(account, key)])));
    assert_eq!(ask(&service, 1, pay(&key)).await.0.status, 200);
    let (refused, _) = ask(&service, 1, pay("0:nobody")).await;
    assert!(refused.descript().contains("0:nobody não encontrada"), "{refused:?}");
    assert_eq!(ask(&service, 1, pay(&key)).await.0.status, 200, "one token is left");
    assert_eq!(ask(&service, 1, pay("0:nobody")).await.0.status, 400);
    assert_eq!(ask(&service, 1, pay(&key)).await.0.status, 429);
}

/// What somebody with this account asks to find out whether there is a key.
type Guess = fn(account: u64, guess: u32) -> (&'static str, Value);

#[actix_web::test]
async fn keys_cannot_be_searched_for_by_favourites_by_plans_or_by_claiming_them() {
    let (bank, _data) = limited(json!({})).await;
    let service = service(&bank).await;
    ready(&service).await;
    let (_, _, key) = customer(&service, "eva", "999.999.999-99").await;
    let ways: [(&str, &str, Guess); 3] = [
        ("ana", "111.111.111-11", |_, guess| {
            ("/favourites", json!({"kay_pix": format!("0:nobody{guess}"), "name": "Alguém"}))
        }),
        ("bia", "222.222.222-22", |account, guess| {
            let plan = json!({"bank": 0, "num_account": account, "value": 1, "day": "2099-01-01",
                "pix": format!("0:nobody{guess}")});
            ("/schedules", plan)
        }),
        ("davi", "333.333.333-33", |account, guess| {
            let email = format!("nobody{}@example.com", guess / 2);
            if guess % 2 == 1 {
                return ("/keys/remove", json!({"kay_pix": format!("0:{email}")}));
            }
            ("/keys", json!({"bank": 0, "num_account": account, "type": "EMAIL", "value": email}))
        }),
    ];
    for (user, document, guessed) in ways {
        let (token, account, _) = customer(&service, user, document).await;
        let mut guesses = 0;
        for guess in 0..20 {
            let (path, body) = guessed(account, guess);
            let (answer, _) = ask(&service, 1, with(&token, post(path, &body))).await;
            let asks = path != "/keys/remove";
            if answer.status == 429 {
                let told = "Consultas demais a chaves Pix. Tente de novo em 30 segundos";
                assert_eq!((answer.descript(), asks), (told, true));
                break;
            }
            let expected = if user == "davi" { 200 } else { 400 };
            assert_eq!(answer.status, expected, "{path}: {answer:?}");
            guesses += u32::from(asks);
        }
        assert_eq!(guesses, 5, "{user}");
    }
    // Whom one pays can be kept, as often as one likes.
    let (gil, _, _) = customer(&service, "gil", "444.444.444-44").await;
    for name in 0..120 {
        let body = json!({"kay_pix": key, "name": format!("Eva {name}")});
        assert_eq!(ask(&service, 1, with(&gil, post("/favourites", &body))).await.0.status, 200);
    }
}

#[actix_web::test]
async fn a_customer_has_no_more_accounts_than_fit_on_their_pages() {
    let (bank, _data) = limited(json!({"customer": {"accounts": 2}})).await;
    let service = service(&bank).await;
    ready(&service).await;
    let (ana, account, _) = customer(&service, "ana", "111.111.111-11").await;
    let open = |holders: &[&str]| {
        let kind = if holders.is_empty() { "PF" } else { "CONJUNTA" };
        let opening = json!({"user_name": "ana", "password": "12345678", "type_account": kind,
            "pix_type": "RANDOM", "users": holders, "value_init": 50});
        post("/create_account", &opening)
    };
    assert_eq!(ask(&service, 1, open(&[])).await.0.status, 200);
    // Neither a closed one makes room,
    let empty = json!({"0": {account.to_string(): {"package": [
        {"type": "WITHDRAW", "value": 1_000, "sender": account}]}}});
    assert_eq!(ask(&service, 1, with(&ana, post("/operations", &empty))).await.0.status, 200);
    let close = post("/close_account", &json!({"bank": 0, "num_account": account}));
    let (closed, _) = ask(&service, 1, with(&ana, close)).await;
    assert_eq!(closed.status, 200, "{closed:?}");
    let (refused, _) = ask(&service, 1, open(&[])).await;
    let told = "No máximo 2 contas, com as encerradas";
    assert_eq!((refused.status, refused.descript()), (400, told));
    // nor is one held that somebody else has opened.
    let (_, _, _) = customer(&service, "bia", "222.222.222-22").await;
    let opening = json!({"user_name": "bia", "password": "12345678", "type_account": "CONJUNTA",
        "pix_type": "RANDOM", "users": ["ana"], "value_init": 50});
    let (asked, _) = ask(&service, 1, post("/create_account", &opening)).await;
    assert_eq!(asked.status, 200, "{asked:?}");
    let path = format!("/joint_requests/0/{}", asked.body["num_account"]);
    let (refused, _) = ask(&service, 1, with(&ana, post(&path, &json!({"accept": true})))).await;
    assert_eq!((refused.status, refused.descript()), (400, told));
    let (declined, _) = ask(&service, 1, with(&ana, post(&path, &json!({"accept": false})))).await;
    assert_eq!(declined.status, 200, "{declined:?}");
}

#[actix_web::test]
async fn each_wrong_password_makes_wait_longer() {
    let (bank, _data) = limited(json!({})).await;
    let service = service(&bank).await;
    ready(&service).await;
    customer(&service, "ana", "111.111.111-11").await;
    for name in ["ana", "nobody"] {
        for from in 0..6 {
            let (answer, _) = ask(&service, from, login(name, "a wrong password")).await;
            assert_eq!(answer.descript(), "Nome de usuário ou senha incorretos");
        }
        let (refused, wait) = ask(&service, 7, login(name, "12345678")).await;
        assert_eq!((refused.status, wait), (429, Some(1)), "{refused:?}");
        assert_eq!(
            refused.descript(),
            "Tentativas demais de entrar. Tente de novo em 1 segundo",
            "it makes no difference whether there is such a customer"
        );
    }
    let form = "usuario=ana&senha=12345678";
    let page = TestRequest::post().uri("/entrar").set_payload(form);
    let (refused, wait) = ask(&service, 7, page).await;
    assert_eq!((refused.status, wait), (429, Some(1)), "the page says the same");
    // Where she has been before, strangers do not lock her out.
    assert_eq!(ask(&service, 200, login("ana", "12345678")).await.0.status, 200);
    let own = login("ana", "12345678").peer_addr("127.0.0.1:1".parse().unwrap()).to_request();
    assert_eq!(test::call_service(&service, own).await.status().as_u16(), 200);
}

#[actix_web::test]
async fn a_customer_orders_no_more_in_a_day_than_the_bank_allows() {
    let (bank, _data) = limited(json!({"customer": {"operations_per_day": 1_000}})).await;
    let service = service(&bank).await;
    ready(&service).await;
    let (ana, account, _) = customer(&service, "ana", "111.111.111-11").await;
    let (bia, other, _) = customer(&service, "bia", "222.222.222-22").await;
    let deposits = |account: u64, count: usize| {
        let deposit = json!({"type": "DEPOSIT", "value": 0.01, "sender": account});
        post("/operations", &package(account, &vec![deposit; count]))
    };
    // The opening of the account counts too.
    assert_eq!(ask(&service, 1, with(&ana, deposits(account, 998))).await.0.status, 200);
    let (refused, wait) = ask(&service, 1, with(&ana, deposits(account, 1_000))).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(wait.is_some_and(|wait| wait > 3_600), "{wait:?}");
    assert_eq!(
        refused.descript(),
        "O limite de operações de hoje foi atingido. Tente de novo em 24 horas"
    );
    assert_eq!(ask(&service, 1, with(&bia, deposits(other, 10))).await.0.status, 200);
}

#[actix_web::test]
async fn a_customer_asks_no_more_in_a_minute_than_the_bank_allows() {
    let (bank, _data) = limited(json!({"customer": {"requests_per_minute": 10}})).await;
    let service = service(&bank).await;
    ready(&service).await;
    let (ana, account, _) = customer(&service, "ana", "111.111.111-11").await;
    let read = || with(&ana, TestRequest::get().uri(&format!("/get_account/{account}")));
    for _ in 0..10 {
        assert_eq!(ask(&service, 1, read()).await.0.status, 200);
    }
    let (refused, wait) = ask(&service, 1, read()).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(wait.is_some_and(|wait| (1..=6).contains(&wait)), "{wait:?}");
    let page = TestRequest::get().uri("/pacote");
    let page = page.insert_header(("cookie", format!("netbanking-0={ana}")));
    assert_eq!(ask(&service, 1, page).await.0.status, 429, "pages are requests too");
}

#[actix_web::test]
async fn names_and_documents_cannot_be_searched_for_by_registering() {
    let (bank, _data) = limited(json!({"address": {"registrations_per_day": 3}})).await;
    let service = service(&bank).await;
    ready(&service).await;
    customer(&service, "ana", "111.111.111-11").await;
    let guess = |name: &str| {
        let newcomer = json!({"name": "Eva Lima", "num_cadastro": "333.333.333-33",
            "user_name": name, "password": "12345678", "type_person": "PF"});
        post("/register-customer", &newcomer)
    };
    for name in ["ana", "ana", "eva"] {
        assert_ne!(ask(&service, 1, guess(name)).await.0.status, 429);
    }
    let (refused, wait) = ask(&service, 1, guess("ana")).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(wait.is_some_and(|wait| wait > 3_600), "{wait:?}");
    assert_ne!(ask(&service, 2, guess("ana")).await.0.status, 429);
}

#[actix_web::test]
async fn one_address_cannot_take_all_the_streams() {
    let (bank, _data) = limited(json!({"address": {"streams": 2}})).await;
    let service = service(&bank).await;
    ready(&service).await;
    let watch = async |from: u8| {
        let request = TestRequest::get().uri("/consorcio/eventos").peer_addr(address(from));
        test::call_service(&service, request.to_request()).await
    };
    let first = watch(1).await;
    let second = watch(1).await;
    assert_eq!([first.status().as_u16(), second.status().as_u16()], [200, 200]);
    assert_eq!(watch(1).await.status().as_u16(), 429);
    assert_eq!(watch(2).await.status().as_u16(), 200);
    drop(second);
    assert_eq!(watch(1).await.status().as_u16(), 200, "a page that was closed makes room");
}
