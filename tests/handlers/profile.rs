//! Nicknames, favourites and the end of an account, on pages and through the JSON routes.

use actix_web::test::TestRequest;
use serde_json::json;

use crate::browser::{Browser, one_bank};
use crate::harness::{post, service};
use crate::keys::ask;

fn number(place: &str) -> u64 {
    place.split_once('-').unwrap().1.parse().unwrap()
}

#[actix_web::test]
async fn accounts_and_payees_are_called_as_their_customer_likes() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    ana.register("Ana Souza", "ana", "111.222.333-11").await;
    bia.register("Bia Lima", "bia", "444.555.666-44").await;
    let place = ana.open("100", "CPF").await;
    bia.open("100", "USER_NAME").await;
    let name = |name: serde_json::Value| {
        let body = json!({"bank": 0, "num_account": number(&place), "name": name});
        post("/nickname", body.to_string())
    };
    assert_eq!(ask(&service, "ana", name(json!("Casa"))).await.descript(), "Nome guardado");
    assert_eq!(ask(&service, "bia", name(json!("Casa"))).await.status, 403);
    let long = ask(&service, "ana", name(json!("x".repeat(41)))).await;
    assert!(long.descript().contains("name: Apelido deve ter de 1 a 40"), "{long:?}");
    ana.get("/").await.has("Casa");
    let favourite = json!({"kay_pix": "0:bia", "name": "Bia do aluguel"}).to_string();
    assert_eq!(ask(&service, "ana", post("/favourites", favourite)).await.status, 200);
    let unknown = json!({"kay_pix": "0:nobody", "name": "x"}).to_string();
    assert_eq!(ask(&service, "ana", post("/favourites", unknown)).await.status, 400);
    let profile = || TestRequest::get().uri("/profile");
    let read = ask(&service, "ana", profile()).await.body["data"].clone();
    assert_eq!(
        read,
        json!({"nicknames": [{"bank": 0, "num_account": number(&place), "name": "Casa"}],
        "favourites": [{"kay_pix": "0:bia", "name": "Bia do aluguel"}]})
    );
    ana.get("/pagar").await.has("Bia do aluguel").has("href=\"/favoritos\"");
    let page = ana.get("/favoritos").await;
    page.has("Bia do aluguel").has("Bia Lima");
    let key = page.values("chave").remove(0);
    let take_off = [("chave", key.as_str()), ("acao", "tirar"), ("pix", "0:bia")];
    ana.post("/favoritos", &take_off).await.leads_to("/favoritos?feito=tirado");
    let key = ana.get("/favoritos").await.lacks("Bia do aluguel").values("chave").remove(0);
    let keep = |pix| [("chave", key.as_str()), ("acao", "guardar"), ("pix", pix), ("nome", "")];
    ana.post("/favoritos", &keep("ninguem")).await.is(400).has("value=\"ninguem\"");
    ana.post("/favoritos", &keep("bia")).await.leads_to("/favoritos?feito=guardado");
    ana.get("/favoritos?feito=guardado").await.has("Favorito guardado").has("Bia Lima");
    assert_eq!(ask(&service, "ana", name(json!(null))).await.status, 200);
    ana.get("/").await.lacks("Casa");
}

#[actix_web::test]
async fn an_empty_account_is_closed_with_the_password_and_its_statement_stays() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    ana.register("Ana Souza", "ana", "111.222.333-11").await;
    bia.register("Bia Lima", "bia", "444.555.666-44").await;
    let place = ana.open("100", "CPF").await;
    let path = format!("/contas/{place}/ajustes");
    ana.get(&format!("/contas/{place}")).await.has(&format!("href=\"{path}\""));
    bia.get(&path).await.is(404);
    let page = ana.get(&path).await;
    let key = page.is(200).values("chave").pop().unwrap();
    fn close<'a>(key: &'a str, password: &'a str) -> [(&'static str, &'a str); 3] {
        [("chave", key), ("acao", "encerrar"), ("senha", password)]
    }
    ana.post(&path, &close(&key, "87654321")).await.is(400).has("A senha não está certa");
    ana.post(&path, &close(&key, "12345678")).await.is(400).has("só pode ser encerrada sem saldo");
    let operation = json!({"type": "WITHDRAW", "value": 100, "sender": number(&place)});
    let withdraw = json!({"0": {number(&place).to_string(): {"package": [operation]}}});
    let withdrawn = ask(&service, "ana", post("/operations", withdraw.to_string())).await;
    assert_eq!(withdrawn.status, 200, "{withdrawn:?}");
    let key = ana.get(&path).await.values("chave").pop().unwrap();
    // Pressed twice, it is done once.
    for _ in 0..2 {
        let done = format!("{path}?feito=encerrada");
        ana.post(&path, &close(&key, "12345678")).await.leads_to(&done);
    }
    ana.get(&format!("{path}?feito=encerrada")).await.has("encerrada").lacks("Encerrar a conta");
    ana.get("/").await.has("Contas encerradas").has("Você ainda não tem conta");
    ana.get(&format!("/contas/{place}")).await.is(200).has("Saque");
    let again = json!({"bank": 0, "num_account": number(&place)}).to_string();
    let again = ask(&service, "ana", post("/close_account", again)).await;
    assert!(again.descript().contains("foi encerrada"), "{again:?}");
    let flag = json!({"bank": 0, "num_account": number(&place), "close": 1}).to_string();
    assert_eq!(ask(&service, "ana", post("/close_account", flag)).await.status, 400);
}
