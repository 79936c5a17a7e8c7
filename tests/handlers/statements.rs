//! Statements that are longer than what fits into memory or an answer.

use crate::browser::{Browser, one_bank};
use crate::harness::{call, post, service};

#[actix_web::test]
async fn a_statement_of_any_length_is_exported_whole_and_in_order() {
    const ENTRIES: usize = 25_001;
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "111.111.111-11").await;
    let place = ana.open("100", "CPF").await;
    let login = r#"{"user_name": "ana", "password": "12345678"}"#;
    let token = call(&service, post("/login", login)).await.body["token"].clone();
    let number = place.split_once('-').unwrap().1;
    let deposit = serde_json::json!({"type": "DEPOSIT", "value": 0.01, "sender": number.parse::<u64>().unwrap()});
    let package = serde_json::json!({"0": {number: {"package": vec![deposit; 1_000]}}}).to_string();
    for key in 0..25 {
        let sent = post("/operations", &package)
            .insert_header(("authorization", format!("Bearer {}", token.as_str().unwrap())))
            .insert_header(("idempotency-key", format!("{key}")));
        assert_eq!(call(&service, sent).await.status, 200);
    }
    let csv = ana.get(&format!("/contas/{place}/extrato.csv")).await;
    let balances = csv.html.lines().skip(1).map(|line| {
        let balance = line.split(';').nth(5).unwrap().replace([',', '.'], "");
        balance.parse::<usize>().unwrap()
    });
    assert_eq!(balances.collect::<Vec<_>>(), (10_000..10_000 + ENTRIES).collect::<Vec<_>>());
    let ofx = ana.get(&format!("/contas/{place}/extrato.ofx")).await;
    assert_eq!(ofx.html.matches("<STMTTRN>").count(), ENTRIES);
    ofx.has(&format!("<FITID>{place}-{}</FITID>", ENTRIES - 1)).has("</OFX>");
    // A search for what is rare: it is far back, and the page leads there.
    let path = format!("/contas/{place}?tipo=OPENING");
    ana.get(&path).await.is(200).has("Abertura");
}
