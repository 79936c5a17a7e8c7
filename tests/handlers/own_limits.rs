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

#[actix_web::test]
async fn above_the_sum_that_a_customer_has_set_the_password_is_asked_for_again() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "111.222.333-11").await;
    let place = ana.open("100", "CPF").await;
    let number = place.split_once('-').unwrap().1.to_owned();
    let set = |body: Value| post("/limits", body.to_string());
    // Whoever has only a session does not decide when the password is asked for.
    let without = ask(&service, "ana", set(json!({"confirm_above": 10}))).await;
    assert_eq!((without.status, without.descript()), (400, "Falta o campo password"));
    let wrong = ask(&service, "ana", set(json!({"confirm_above": 10, "password": "87654321"})));
    let wrong = wrong.await;
    assert_eq!((wrong.status, wrong.descript()), (400, "A senha não está certa. Nada foi enviado"));
    let set_to_10 = set(json!({"confirm_above": 10, "password": "12345678"}));
    assert_eq!(ask(&service, "ana", set_to_10).await.status, 200);
    let read = ask(&service, "ana", TestRequest::get().uri("/limits")).await;
    assert_eq!(read.body["data"]["confirm_above"], json!(10.0));
    let withdraw = || {
        let operation =
            json!({"type": "WITHDRAW", "value": 10.01, "sender": number.parse::<u64>().unwrap()});
        let mut body = json!({"0": {}});
        body["0"][&number] = json!({"package": [operation]});
        post("/operations", body.to_string())
    };
    let refused = ask(&service, "ana", withdraw()).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(refused.descript().contains("é preciso confirmar com a senha"), "{refused:?}");
    let with = |password: &'static str| withdraw().insert_header(("netbanking-password", password));
    let wrong = ask(&service, "ana", with("87654321")).await;
    assert_eq!((wrong.status, wrong.descript()), (400, "A senha não está certa. Nada foi enviado"));
    let unreadable = ask(&service, "ana", with("%ff")).await;
    assert!(unreadable.status == 400 && unreadable.body["position"] == Value::Null);
    assert_eq!(ask(&service, "ana", with("1234%35678")).await.status, 200);
    // On the page of packages.
    let op = format!("S.{}.500", place.replace('-', "."));
    let send = |key: String, password: &'static str| {
        [
            ("chave", key),
            ("op", op.clone()),
            ("acao", "confirmar".into()),
            ("senha", password.into()),
        ]
    };
    for (password, status, says) in [
        ("", 403, "é preciso confirmar com a senha"),
        ("87654321", 400, "A senha não está certa"),
        ("12345678", 200, "Pacote executado"),
    ] {
        let key = ana.get("/pacote").await.value("chave");
        let fields = send(key, password);
        let fields: Vec<_> = fields.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let page = ana.package(&fields).await;
        page.is(status).has(says);
        if status != 200 {
            page.has("name=\"senha\"");
        }
    }
}

#[actix_web::test]
async fn the_page_of_limits_changes_that_sum_with_the_password_only() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "111.222.333-11").await;
    for (password, status) in [("", 400), ("12345678", 303)] {
        let key = ana.get("/limites").await.values("chave").pop().unwrap();
        let fields = [("chave", key.as_str()), ("confirmar", "500,00"), ("senha", password)];
        ana.post("/limites", &fields).await.is(status);
    }
    let page = ana.get("/limites").await;
    page.has("acima de <span class=\"amount\">R$\u{a0}500,00</span>").has("value=\"500,00\"");
    // Without a change of it no password is asked for.
    let key = page.values("chave").pop().unwrap();
    let fields = [("chave", key.as_str()), ("dia", "1.000"), ("confirmar", "500,00")];
    ana.post("/limites", &fields).await.leads_to("/limites?feito=ja");
}
