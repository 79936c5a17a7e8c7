//! Limits that customers set themselves, on the page and through the JSON routes. How they are kept
//! is for the ledger's own tests: here nobody knows whether it is day.

use actix_web::test::TestRequest;
use serde_json::{Value, json};

use crate::browser::{Browser, one_bank};
use crate::harness::{call, post, service};
use crate::keys::ask;

#[actix_web::test]
async fn a_customer_sets_limits_and_nothing_more_leaves_at_once() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "111.222.333-11").await;
    let place = ana.open("100", "CPF").await;
    let number = place.split_once('-').unwrap().1.to_owned();
    let get = || TestRequest::get().uri("/limits");
    let data = |answer: &Value| answer["data"].clone();
    let none = data(&ask(&service, "ana", get()).await.body);
    assert_eq!((&none["day"], &none["left"]), (&json!({"limit": null}), &json!(null)));
    let set = json!({"day": 10.5, "night": 10.50}).to_string();
    let set = ask(&service, "ana", post("/limits", set)).await;
    assert_eq!((set.status, set.descript()), (200, "Limites alterados"));
    let withdraw = |value: f64| {
        let operation = json!({"type": "WITHDRAW", "value": value, "sender": 1});
        let number = number.clone();
        let mut body = json!({"0": {}});
        body["0"][&number] = json!({"package": [operation]});
        body["0"][&number]["package"][0]["sender"] = number.parse::<u64>().unwrap().into();
        post("/operations", body.to_string())
    };
    let refused = ask(&service, "ana", withdraw(10.51)).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.descript().contains("Acima do seu limite"), "{refused:?}");
    assert!(refused.descript().contains("de 10.50: restam 10.50"), "{refused:?}");
    assert_eq!(ask(&service, "ana", withdraw(10.5)).await.status, 200);
    let read = data(&ask(&service, "ana", get()).await.body);
    assert_eq!((&read["spent"], &read["left"]), (&json!(10.5), &json!(0.0)));
    let raised = ask(&service, "ana", post("/limits", json!({"day": null}).to_string())).await;
    assert!(raised.descript().contains("só vale daqui a 24 horas"), "{raised:?}");
    let read = data(&ask(&service, "ana", get()).await.body);
    assert_eq!(read["day"]["limit"], json!(10.5));
    assert_eq!(read["day"]["next"]["limit"], json!(null));
    assert!(read["day"]["next"]["from"].as_str().unwrap().ends_with("-03:00"), "{read}");
    assert_eq!(read["night"], json!({"limit": 10.5}));
    for (body, why) in [
        (json!({"day": -1}), "day: Valor não pode ser negativo"),
        (json!({"night": "10"}), "night: Valor não é um número"),
        (json!({"week": 1}), "week"),
    ] {
        let refused = ask(&service, "ana", post("/limits", body.to_string())).await;
        assert_eq!(refused.status, 400);
        assert!(refused.descript().contains(why), "{refused:?}");
    }
    assert_eq!(call(&service, get()).await.status, 401);
}

#[actix_web::test]
async fn the_page_of_limits_sets_them_and_says_what_waits() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "111.222.333-11").await;
    ana.get("/seguranca").await.has("href=\"/limites\"");
    let page = ana.get("/limites").await;
    page.is(200).has("De dia: sem limite");
    let key = page.values("chave").pop().unwrap();
    fn set<'a>(key: &'a str, day: &'a str) -> [(&'static str, &'a str); 3] {
        [("chave", key), ("dia", day), ("noite", "0")]
    }
    let wrong = ana.post("/limites", &set(&key, "mil")).await;
    wrong.is(400).has("O valor deve ter a forma").has("value=\"mil\"");
    // Pressed twice, it is done once.
    for _ in 0..2 {
        ana.post("/limites", &set(&key, "1.000")).await.leads_to("/limites?feito=ja");
    }
    let page = ana.get("/limites?feito=ja").await;
    page.has("Limites alterados").has("R$\u{a0}1.000,00").has("value=\"1000,00\"");
    let key = page.values("chave").pop().unwrap();
    ana.post("/limites", &set(&key, "")).await.leads_to("/limites?feito=depois");
    let page = ana.get("/limites?feito=depois").await;
    page.has("só vale daqui a 24 horas").has("a partir de").has("R$\u{a0}1.000,00");
    ana.cookie = None;
    ana.get("/limites").await.is(303);
}
