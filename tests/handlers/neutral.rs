//! No answer tells a customer what another customer has.

use actix_http::Request;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::TestRequest;
use netbanking::http::Bank;
use tempfile::TempDir;

use crate::browser::{Browser, one_bank, one_bank_with};
use crate::harness::{call, post, service};

/// The most that a bank can be told to allow, in whole reais.
const MOST_REAIS: u64 = i64::MAX as u64 / 100;

/// A bank that allows every amount, also into strangers' accounts.
async fn any_amount() -> (Bank, TempDir) {
    let written = serde_json::json!({"operation_max": MOST_REAIS, "stranger_deposits": true});
    one_bank_with(written).await
}

/// Ana has R$ 1.234,56; it is Bia who looks at the page. Returns Ana's account as a hidden field
/// names it, and Bia's.
async fn ana_and_bia<S, B>(browser: &mut Browser<'_, S>) -> (String, String)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    browser.register("Ana Souza", "ana", "111.111.111-11").await;
    let ana = browser.open("1.234,56", "USER_NAME").await.replace('-', ".");
    browser.register("Bia Lima", "bia", "222.222.222-22").await;
    let bia = browser.open("100", "USER_NAME").await.replace('-', ".");
    (ana, bia)
}

/// What the page says when a package would bring Ana from `guess` to one more than an `i64` holds.
async fn preview<S, B>(browser: &mut Browser<'_, S>, (ana, bia): (&str, &str), guess: i64) -> bool
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let rest = i64::MAX - guess + 1;
    let by_deposit = vec![format!("D.{ana}.{rest}")];
    let by_pix = vec![format!("D.{bia}.{rest}"), format!("T.{bia}.{rest}.0:ana")];
    let mut refused = Vec::new();
    for operations in [by_deposit, by_pix] {
        let mut fields = vec![("chave", "k"), ("acao", "adicionar")];
        fields.extend(operations.iter().map(|operation| ("op", operation.as_str())));
        let page = browser.package(&fields).await;
        page.lacks("1.234,56");
        refused.push(page.html.contains("Falha na operação"));
    }
    assert_eq!(refused[0], refused[1]);
    refused[0]
}

#[actix_web::test]
async fn no_number_of_previews_tells_what_a_stranger_has() {
    let (bank, _data) = any_amount().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    let (ana, bia) = ana_and_bia(&mut browser).await;
    // Bisection: a balance of `guess` or more is refused.
    let (mut least, mut most) = (0, 1 << 41);
    for _ in 0..41 {
        let guess = (least + most) / 2;
        if preview(&mut browser, (&ana, &bia), guess).await { least = guess } else { most = guess }
    }
    assert_eq!((least, most), (0, 1), "every guess got the same answer");
}

#[actix_web::test]
async fn nobody_can_fill_a_strangers_account_to_the_brim() {
    let (bank, _data) = any_amount().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    let (ana, bia) = ana_and_bia(&mut browser).await;
    let most = MOST_REAIS * 100;
    let to_the_brim = [format!("D.{bia}.{most}"), format!("T.{bia}.{most}.0:ana")];
    for key in ["k1", "k2"] {
        let mut fields = vec![("chave", key), ("acao", "confirmar")];
        fields.extend(to_the_brim.iter().map(|operation| ("op", operation.as_str())));
        browser.package(&fields).await.is(200).has("Pacote executado");
    }
    // What Ana is paid still arrives, and is shown exactly.
    let pays = format!("T.{bia}.1.0:ana");
    browser.package(&[("chave", "k3"), ("acao", "confirmar"), ("op", &pays)]).await.is(200);
    let fields = [("usuario", "ana"), ("senha", "12345678"), ("destino", "/")];
    browser.post("/entrar", &fields).await.leads_to("/");
    browser.get("/").await.has("184.467.440.737.096.750,57");
    let (_, number) = ana.split_once('.').unwrap();
    let login = r#"{"user_name": "ana", "password": "12345678"}"#;
    let token = call(&service, post("/login", login)).await.body["token"].clone();
    let path = format!("/get_account/{number}?limit=1");
    let asked = TestRequest::get()
        .uri(&path)
        .insert_header(("authorization", format!("Bearer {}", token.as_str().unwrap())));
    let answer = actix_web::test::call_service(&service, asked.to_request()).await;
    let text = actix_web::test::read_body(answer).await;
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(text.contains(r#""balance":184467440737096750.57"#), "{text}");
}

#[actix_web::test]
async fn one_operation_moves_no_more_than_the_bank_allows() {
    let (bank, _data) = one_bank_with(serde_json::json!({"operation_max": 500})).await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    browser.register("Ana Souza", "ana", "111.111.111-11").await;
    let above = "Valor acima do máximo por operação, R$\u{a0}500,00";
    let opening = crate::browser::opening("k1", "0", "500,01", "RANDOM");
    browser.post("/contas/nova", &opening).await.is(400).has(above);
    let place = browser.open("500", "USER_NAME").await;
    let add = [
        ("chave", "k2"),
        ("acao", "adicionar"),
        ("tipo", "D"),
        ("conta", place.as_str()),
        ("valor", "500,01"),
    ];
    browser.package(&add).await.is(400).has(above);
    let hidden = format!("D.{}.50001", place.replace('-', "."));
    let confirm = [("chave", "k3"), ("acao", "confirmar"), ("op", hidden.as_str())];
    browser.package(&confirm).await.is(400).has(above);
    let (_, number) = place.split_once('-').unwrap();
    for (value, status) in [("500.01", 400), ("500.0", 200)] {
        let login = r#"{"user_name": "ana", "password": "12345678"}"#;
        let token = call(&service, post("/login", login)).await.body["token"].clone();
        let package = format!(
            r#"{{"0": {{"{number}": {{"package": [{{"type": "DEPOSIT", "value": {value}, "sender": {number}}}]}}}}}}"#
        );
        let token = format!("Bearer {}", token.as_str().unwrap());
        let request = post("/operations", package).insert_header(("authorization", token));
        let answer = call(&service, request).await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 400 {
            let place = format!("0.{number}.package[0].value: {above}");
            assert_eq!(answer.descript(), place);
        }
    }
}

#[actix_web::test]
async fn a_deposit_into_anothers_account_is_answered_as_if_there_were_none() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    let (ana, bia) = ana_and_bia(&mut browser).await;
    let free = if ana.ends_with('1') { "0.100002" } else { "0.100001" };
    for place in [ana.as_str(), free] {
        let (_, number) = place.split_once('.').unwrap();
        let why =
            format!("Falha na operação: Conta {number} não pertence ao cliente bia no Banco 0");
        for kind in ["D", "S"] {
            let op = format!("{kind}.{place}.1");
            let preview = [("chave", "k"), ("acao", "adicionar"), ("op", op.as_str())];
            browser.package(&preview).await.has(&why);
            let key = format!("{kind}{number}");
            let confirm = [("chave", key.as_str()), ("acao", "confirmar"), ("op", op.as_str())];
            browser.package(&confirm).await.is(403).has(&why);
        }
    }
    let own = format!("D.{bia}.1");
    let confirm = [("chave", "k2"), ("acao", "confirmar"), ("op", own.as_str())];
    browser.package(&confirm).await.is(200).has("R$\u{a0}100,01");
}
