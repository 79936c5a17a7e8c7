//! Who received a Pix gives it back, on pages and through the JSON routes.

use actix_http::Request;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::TestRequest;
use serde_json::{Value, json};

use crate::browser::{Browser, Page, one_bank};
use crate::harness::{Answer, call, post, service};

const PASSWORD: &str = "12345678";

/// The header of a customer's session.
async fn token<S, B>(service: &S, user: &str) -> String
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let login = json!({"user_name": user, "password": PASSWORD}).to_string();
    let token = call(service, post("/login", login)).await.body["token"].clone();
    format!("Bearer {}", token.as_str().unwrap())
}

async fn ask<S, B>(service: &S, token: &str, request: TestRequest) -> Answer
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    call(service, request.insert_header(("authorization", token))).await
}

/// Ana and Bia with R$ 100.00 each, and Ana has paid Bia R$ 10.00 twice in one package; returns
/// their accounts as addresses name them.
async fn paid<S, B>(
    service: &S,
    ana: &mut Browser<'_, S>,
    bia: &mut Browser<'_, S>,
) -> (String, String)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    ana.register("Ana Souza", "ana", "111.222.333-11").await;
    bia.register("Bia Lima", "bia", "444.555.666-44").await;
    let (from, to) = (ana.open("100", "RANDOM").await, bia.open("100", "CPF").await);
    let number = number(&from);
    let pay = json!({"type": "TRANSFER", "value": 10, "sender": number, "pix": "0:444.555.666-44"});
    let package = json!({"0": {number.to_string(): {"package": [pay, pay]}}}).to_string();
    let token = token(service, "ana").await;
    assert_eq!(ask(service, &token, post("/operations", package)).await.status, 200);
    (from, to)
}

fn number(place: &str) -> u64 {
    place.split_once('-').unwrap().1.parse().unwrap()
}

#[actix_web::test]
async fn what_was_received_is_given_back_in_parts_and_both_statements_say_of_what() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    let (from, to) = paid(&service, &mut ana, &mut bia).await;
    let (payer, payee) = (number(&from), number(&to));
    let tokens = [token(&service, "ana").await, token(&service, "bia").await];
    let refundable = |entry: u64| TestRequest::get().uri(&format!("/refunds/0/{payee}/{entry}"));
    let give_back = |entry: u64, value: Value| {
        let body = json!({"bank": 0, "num_account": payee, "entry": entry, "value": value,
            "message": "veio em dobro"});
        post("/refunds", body.to_string())
    };
    let found = ask(&service, &tokens[1], refundable(2)).await;
    assert_eq!((found.status, found.descript()), (200, "Pix recebido"));
    assert_eq!(found.body["data"]["left"], json!(10.0));

    let again = give_back(2, json!(2.5)).insert_header(("idempotency-key", "k"));
    let first = ask(&service, &tokens[1], again).await;
    assert_eq!((first.status, first.descript()), (200, "Devolução feita"));
    let again = give_back(2, json!(2.5)).insert_header(("idempotency-key", "k"));
    assert_eq!(ask(&service, &tokens[1], again).await, first);
    let found = ask(&service, &tokens[1], refundable(2)).await;
    assert_eq!(found.body["data"]["refunded"], json!(2.5));
    let more = ask(&service, &tokens[1], give_back(2, json!(7.51))).await;
    assert_eq!(more.status, 400);
    assert_eq!(more.descript(), "Falha na operação: Deste Pix só se pode devolver ainda 7.50");
    // The other Pix of the same package is one of its own.
    let other = ask(&service, &tokens[1], refundable(1)).await;
    assert_eq!(other.body["data"]["refunded"], json!(0.0));

    for (account, token, kind) in [(payer, 0, "RECEIVE"), (payee, 1, "TRANSFER")] {
        let read = TestRequest::get().uri(&format!("/get_account/{account}"));
        let read = ask(&service, &tokens[token], read).await.body;
        let last = read["data"]["transactions"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&last["type"], &last["entry"]), (&json!(kind), &json!(3)));
        assert_eq!(last["refund_of"]["id"], found.body["data"]["id"]);
        assert_eq!(last["message"], "veio em dobro");
    }
}

#[actix_web::test]
async fn only_who_holds_the_account_gives_back_and_only_a_pix() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    let (from, to) = paid(&service, &mut ana, &mut bia).await;
    let tokens = [token(&service, "ana").await, token(&service, "bia").await];
    let give_back = |place: &str, entry: Value, value: Value| {
        let body = json!({"bank": 0, "num_account": number(place), "entry": entry, "value": value});
        post("/refunds", body.to_string())
    };
    let own = ask(&service, &tokens[0], give_back(&from, json!(1), json!(1))).await;
    assert_eq!((own.status, own.descript()), (400, "Só um Pix recebido pode ser devolvido"));
    for entry in [0, 7] {
        let none = ask(&service, &tokens[1], give_back(&to, json!(entry), json!(1))).await;
        assert_eq!(none, own);
    }
    let stranger = ask(&service, &tokens[0], give_back(&to, json!(1), json!(1))).await;
    assert_eq!(stranger.status, 403);
    let nobody = call(&service, give_back(&to, json!(1), json!(1))).await;
    assert_eq!(nobody.status, 401);
    for (entry, value, why) in [
        (json!("1"), json!(1), "O campo entry deve ser um número inteiro"),
        (json!(-1), json!(1), "O campo entry deve ser um número inteiro"),
        (json!(1), json!(0), "value: Valor deve ser maior que zero"),
    ] {
        let bad = ask(&service, &tokens[1], give_back(&to, entry, value)).await;
        assert_eq!((bad.status, bad.descript()), (400, why));
    }
    assert_eq!(ask(&service, &tokens[1], give_back(&to, json!(1), json!(10))).await.status, 200);
    // What came back is not given back again.
    let back = ask(&service, &tokens[0], give_back(&from, json!(3), json!(1))).await;
    assert_eq!(back, own);
}

/// Sends the form that gives back.
async fn send<S, B>(
    bia: &mut Browser<'_, S>,
    path: &str,
    form: &Page,
    value: &str,
    password: &str,
) -> Page
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let key = form.value("chave");
    let fields = [("chave", key.as_str()), ("valor", value), ("mensagem", "troco <1>")];
    bia.post(path, &[&fields[..], &[("senha", password)]].concat()).await
}

#[actix_web::test]
async fn a_receipt_leads_to_the_refund_and_each_receipt_to_the_other() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    let (from, to) = paid(&service, &mut ana, &mut bia).await;
    let received = format!("/contas/{to}/comprovante/2");
    let path = format!("{received}/devolver");
    bia.get(&received).await.is(200).has(&format!("href=\"{path}\"")).lacks("Devolvido");
    let form = bia.get(&path).await;
    form.is(200).has("Ana Souza").has("***.222.333-**").has("R$\u{a0}10,00, até");
    send(&mut bia, &path, &form, "4", "errada").await.is(400).has("A senha não está certa");
    let over = send(&mut bia, &path, &form, "10,01", PASSWORD).await;
    over.is(400).has("só se pode devolver ainda R$\u{a0}10,00").has("value=\"10,01\"");
    // Pressed twice, it is done once.
    let receipt = format!("/contas/{to}/comprovante/3?novo=sim");
    for _ in 0..2 {
        send(&mut bia, &path, &over, "4", PASSWORD).await.leads_to(&receipt);
    }
    let original = format!("href=\"{received}\"");
    let given = bia.get(&receipt).await;
    given.is(200).has("Devolução feita").has("Devolução enviada").has(&original);
    given.has("troco &#60;1&#62;").lacks("Devolver");
    bia.get(&received).await.has("<dt>Devolvido</dt><dd>R$\u{a0}4,00").has("Devolver</a>");
    let came = ana.get(&format!("/contas/{from}/comprovante/3")).await;
    // The second of the two transfers, on both sides.
    came.is(200).has("Devolução recebida").has(&format!("href=\"/contas/{from}/comprovante/2\""));
    let sent = ana.get(&format!("/contas/{from}/comprovante/2")).await;
    sent.has("<dt>Devolvido</dt><dd>R$\u{a0}4,00").lacks("Devolver</a>");
    ana.get(&format!("/contas/{from}/comprovante/1")).await.lacks("Devolvido");
    let statement = ana.get(&format!("/contas/{from}")).await;
    statement.has("Devolução recebida").has("R$\u{a0}84,00");
    ana.get(&format!("/contas/{from}/extrato.csv")).await.has(";Devolução recebida;4,00;");
    // All of it back, and there is nothing left to give.
    let rest = bia.get(&path).await;
    assert_eq!(rest.value("chave").len(), 36);
    send(&mut bia, &path, &rest, "6,00", PASSWORD).await.is(303);
    bia.get(&received).await.has("R$\u{a0}10,00").lacks("Devolver</a>");
    ana.get(&path).await.is(404);
    ana.get(&format!("/contas/{from}/comprovante/1/devolver")).await.is(400);
}
