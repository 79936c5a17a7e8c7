//! What Brazilians take for granted: documents and keys however they are typed, days and hours by
//! the clock on the wall.

use actix_web::test::TestRequest;
use netbanking::ledger::calendar::Date;

use crate::browser::{Browser, one_bank, one_bank_with, opening, registration};
use crate::harness::{call, post, service};

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[actix_web::test]
async fn documents_and_keys_are_taken_as_people_type_them() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut shop = Browser::new(&service);
    let mut fields = registration("k1", "Padaria", "padaria", " 12abc345 / 01de-35");
    fields[1].1 = "PJ";
    shop.post("/cadastro", &fields).await.leads_to("/?senha=comum");
    let key = shop.get("/contas/nova").await.value("chave");
    let mut account = opening(&key, "0", "50", "CNPJ");
    account[2].1 = "PJ";
    shop.post("/contas/nova", &account).await.is(303);
    shop.get("/").await.has("0:12.ABC.345/01DE-35");

    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "52998224725").await.leads_to("/?senha=comum");
    let place = ana.open("100", "CPF").await;
    ana.get("/").await.has("0:529.982.247-25");
    let again = ana.register("Ana Outra", "ana2", "529 982 247–25").await;
    again.is(400).has("CPF já cadastrado");
    for typed in
        ["12abc34501de35", "12.ABC.345/01DE-35", "0:12abc34501de35", " 0 : 12abc345/01de35"]
    {
        let part = ana.part(&format!("/pacote/destinatario?pix={}", escaped(typed))).await;
        part.has("<strong><bdi>Padaria</bdi></strong>").has("value=\"0:12.ABC.345/01DE-35\"");
        let mut draft =
            vec![("chave", "k"), ("acao", "adicionar"), ("tipo", "T"), ("conta", place.as_str())];
        draft.extend([("valor", "1,00"), ("pix", typed), ("conferido", "0:12.ABC.345/01DE-35")]);
        let page = ana.package(&draft).await;
        let op = format!("T.{}.100.0:12.ABC.345/01DE-35", place.replace('-', "."));
        assert_eq!(page.is(200).values("op"), [op], "{typed}");
    }

    let json = r#"{"name":"Bia Lima","num_cadastro":"11144477735","user_name":"bia","password":"12345678","type_person":"PF"}"#;
    assert_eq!(call(&service, post("/register-customer", json)).await.status, 200);
    let found = call(&service, TestRequest::get().uri("/pix/52998224725")).await;
    assert_eq!(found.body["kay_pix"], "0:529.982.247-25");
    assert_eq!(found.body["data"]["name"], "Ana Souza");
}

#[actix_web::test]
async fn check_digits_that_do_not_fit_are_confirmed_once_or_refused() {
    let (bank, _data) = one_bank().await;
    let lenient = service(&bank).await;
    let mut ana = Browser::new(&lenient);
    let fields = registration("k", "Ana Souza", "ana", "11111111111");
    let asked = ana.post("/cadastro", &fields[..7]).await;
    asked.is(400).has("CPF 111.111.111-11 não conferem").has("value=\"Ana Souza\"");
    assert_eq!((asked.value("confirmado"), ana.cookie.clone()), ("111.111.111-11".into(), None));
    asked.lacks("value=\"111.111.111-11\" checked");
    let typing = "/cadastro/documento?tipo=PF&documento=";
    assert_eq!(
        ana.part(&format!("{typing}11111111111")).await.value("confirmado"),
        "111.111.111-11"
    );
    for fine in ["52998224725", "1111111111", ""] {
        ana.part(&format!("{typing}{fine}")).await.is(200).lacks("confirmado");
    }
    ana.get(&format!("{typing}1")).await.leads_to("/cadastro");
    let mut other = fields;
    other[3].1 = "222.222.222-22";
    ana.post("/cadastro", &other).await.is(400).has("222.222.222-22 não conferem");
    let mut confirmed = fields;
    confirmed[7].1 = "111.111.111-11";
    ana.post("/cadastro", &confirmed).await.leads_to("/?senha=comum");

    let (bank, _data) = one_bank_with(serde_json::json!({"check_digits": true})).await;
    let strict = service(&bank).await;
    let mut bia = Browser::new(&strict);
    let refused = bia.post("/cadastro", &confirmed).await;
    refused.is(400).has("CPF com dígitos verificadores errados").lacks("confirmado");
}

#[actix_web::test]
async fn banks_are_called_by_their_names_in_forms_and_refusals() {
    let node = |name, port| serde_json::json!({"name": name, "host": "127.0.0.1", "port": port, "heartbeat_port": port + 1});
    let nodes = serde_json::json!({"nodes": [node("Banco do Sul", 1)]});
    let (bank, _data) = one_bank_with(nodes).await;
    let service = service(&bank).await;
    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "111.111.111-11").await;
    let place = ana.open("100", "CPF").await;
    let number = place.split_once('-').unwrap().1;
    for form in ["/pacote", "/cobranca"] {
        ana.get(form).await.has(&format!(">Banco do Sul · {number} · ")).lacks("Banco 0");
    }
    let op = format!("S.{}.10001", place.replace('-', "."));
    let refused = ana.package(&[("chave", "k"), ("op", &op), ("acao", "confirmar")]).await;
    refused.is(400).has(&format!("Saldo da conta {number} insuficiente")).has("no Banco do Sul");
    refused.lacks("banco 0").lacks("Banco 0");
}

/// A zone where it is another day now than in UTC, and that day.
fn another_day() -> (&'static str, Date) {
    const HOUR_MS: i64 = 3_600_000;
    let now_ms = netbanking::actors::time::unix_ms();
    if now_ms.rem_euclid(24 * HOUR_MS) < 12 * HOUR_MS {
        ("Etc/GMT+12", Date::at(now_ms - 12 * HOUR_MS))
    } else {
        ("Pacific/Kiritimati", Date::at(now_ms + 14 * HOUR_MS))
    }
}

#[actix_web::test]
async fn days_are_those_of_the_consortiums_time_zone_everywhere() {
    let (zone, today) = another_day();
    let (bank, _data) = one_bank_with(serde_json::json!({"time_zone": zone})).await;
    let service = service(&bank).await;
    let mut ana = Browser::new(&service);
    ana.register("Ana Souza", "ana", "111.111.111-11").await;
    let place = ana.open("100", "CPF").await;
    let path = format!("/contas/{place}");
    let written = format!("{:02}/{:02}/{}", today.day, today.month, today.year);
    let page = ana.get(&format!("{path}?de={today}&ate={today}")).await;
    page.is(200).has(&format!(">Hoje, {written}</th>")).has("Abertura").lacks("UTC");
    let tomorrow = bank.config.time_zone.date(bank.config.time_zone.end_of(today));
    ana.get(&format!("{path}?de={tomorrow}")).await.is(200).has("Nenhum lançamento");
    let csv = ana.get(&format!("{path}/extrato.csv?de={today}&ate={today}")).await;
    csv.has(&format!("\r\n{written};")).has("Data;Hora;").lacks("UTC");
    let ofx = ana.get(&format!("{path}/extrato.ofx")).await;
    let digits = today.to_string().replace('-', "");
    ofx.has(&format!("<DTPOSTED>{digits}"));

    let login = r#"{"user_name": "ana", "password": "12345678"}"#;
    let token = call(&service, post("/login", login)).await.body["token"].clone();
    let number = place.split_once('-').unwrap().1;
    let asked = TestRequest::get()
        .uri(&format!("/get_account/{number}"))
        .insert_header(("authorization", format!("Bearer {}", token.as_str().unwrap())));
    let read = call(&service, asked).await.body;
    let entry = &read["data"]["transactions"][0];
    let at = entry["at"].as_str().unwrap();
    assert!(at.starts_with(&format!("{today}T")), "{entry}");
    assert_ne!(entry["date"].as_str().unwrap(), today.to_string(), "UTC, as it always was");
}
