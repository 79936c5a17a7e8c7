//! Pix of days to come, on the page and through the JSON routes, and the bank that pays them when
//! their day has come.

use std::time::{Duration, Instant};

use actix_web::test::TestRequest;
use netbanking::actors::replies::Submit;
use netbanking::actors::time::unix_ms;
use netbanking::ids::{BankId, EventId};
use netbanking::ledger::{
    AccountNumber, Action, Amount, Centavos, Day, Every, Note, PixKey, Planned, Request,
    ScheduleChange, UserName,
};
use serde_json::json;

use crate::browser::{Browser, one_bank, one_bank_with};
use crate::harness::{post, service};
use crate::keys::ask;

/// The offset of a zone in which it is still yesterday, or the day before.
const LATE_S: i32 = -26 * 3_600;
/// How long a bank may take to find out what is due.
const PATIENCE: Duration = Duration::from_secs(60);

fn number(place: &str) -> u64 {
    place.split_once('-').unwrap().1.parse().unwrap()
}

/// A day of the consortium's zone, as pages and routes name it.
pub(crate) fn after(days: i64) -> String {
    Day::new(Day::at(unix_ms(), -3 * 3_600).get() + days).date().to_string()
}

#[actix_web::test]
async fn a_pix_is_planned_listed_and_given_up() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    ana.register("Ana Souza", "ana", "111.222.333-11").await;
    bia.register("Bia Lima", "bia", "444.555.666-44").await;
    let place = ana.open("100", "CPF").await;
    bia.open("100", "USER_NAME").await;
    let plan = |day: &str, times: u16| {
        let body = json!({"bank": 0, "num_account": number(&place), "pix": "0:bia", "value": 12.5,
            "message": "aluguel", "day": day, "every": "WEEK", "times": times});
        post("/schedules", body.to_string())
    };
    let tomorrow = after(1);
    let planned = ask(&service, "ana", plan(&tomorrow, 3)).await;
    assert_eq!((planned.status, planned.descript()), (200, "Pix agendado"));
    let list = || TestRequest::get().uri("/schedules");
    let listed = ask(&service, "ana", list()).await.body["data"].clone();
    let schedule = listed[0]["number"].as_u64().unwrap();
    assert_eq!(planned.body["position"], json!(schedule));
    assert_eq!(
        listed,
        json!([{"number": schedule, "bank": 0, "num_account": number(&place),
        "pix": "0:bia", "value": 12.5, "message": "aluguel", "every": "WEEK", "times": 3, "done": 0,
        "next": tomorrow}])
    );
    assert_eq!(ask(&service, "bia", list()).await.body["data"], json!([]));
    for (day, times, why) in [
        (after(0).as_str(), 1, "a partir de amanhã"),
        (&tomorrow, 121, "de 1 a 120 vezes"),
        ("amanhã", 1, "day: A data deve ter a forma"),
    ] {
        let refused = ask(&service, "ana", plan(day, times)).await;
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(refused.descript().contains(why), "{refused:?}");
    }
    assert_eq!(ask(&service, "bia", plan(&tomorrow, 1)).await.status, 403);
    let cancel = || post(&format!("/schedules/{schedule}/cancel"), "{}");
    assert_eq!(ask(&service, "bia", cancel()).await.status, 400);
    let cancelled = ask(&service, "ana", cancel()).await;
    assert_eq!((cancelled.status, cancelled.descript()), (200, "Agendamento cancelado"));
    assert_eq!(ask(&service, "ana", list()).await.body["data"], json!([]));
}

#[actix_web::test]
async fn the_page_shows_who_is_going_to_be_paid_asks_for_the_password_and_gives_up_again() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    ana.register("Ana Souza", "ana", "111.222.333-11").await;
    bia.register("Bia Lima", "bia", "444.555.666-44").await;
    let place = ana.open("100", "CPF").await;
    bia.open("100", "USER_NAME").await;
    ana.get("/pagar").await.has("href=\"/agendados\"");
    let page = ana.get("/agendados").await;
    let key = page.is(200).values("chave").pop().unwrap();
    let day = after(3);
    let send = |action: &'static str, pix: &'static str, password: &'static str| {
        let fields = [("chave", key.clone()), ("acao", action.into()), ("pix", pix.into())];
        let fields =
            fields.into_iter().chain([("valor", "12,50".into()), ("conta", place.clone())]);
        let fields = fields.chain([("dia", day.clone()), ("repetir", "mes".into())]);
        fields.chain([("vezes", "2".into()), ("senha", password.into())]).collect::<Vec<_>>()
    };
    let as_fields = |fields: &[(&'static str, String)]| -> Vec<(String, String)> {
        fields.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect()
    };
    macro_rules! sent {
        ($fields:expr) => {{
            let fields = as_fields(&$fields);
            let fields: Vec<_> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            ana.post("/agendados", &fields).await
        }};
    }
    sent!(send("conferir", "ninguem", "")).is(400).has("value=\"ninguem\"");
    sent!(send("conferir", "bia", "")).is(200).has("Bia Lima").has("todo mês").has("Senha");
    sent!(send("agendar", "0:bia", "87654321"))
        .is(400)
        .has("A senha não está certa")
        .has("Bia Lima");
    // Pressed twice, it is done once.
    for _ in 0..2 {
        sent!(send("agendar", "0:bia", "12345678")).leads_to("/agendados?feito=agendado");
    }
    let page = ana.get("/agendados?feito=agendado").await;
    page.has("Pix agendado").has("Bia Lima").has("todo mês, 0 de 2 vezes").has("Próximo:");
    let (keys, numbers) = (page.values("chave"), page.values("numero"));
    assert_eq!(numbers.len(), 1, "{numbers:?}");
    let cancel = [("chave", keys[0].as_str()), ("acao", "cancelar"), ("numero", &numbers[0])];
    ana.post("/agendados", &cancel).await.leads_to("/agendados?feito=cancelado");
    ana.get("/agendados").await.lacks("Bia Lima");
}

/// What was planned where it was yesterday is due today: the bank finds it by itself.
#[actix_web::test]
async fn a_bank_pays_what_is_due_and_says_on_the_home_page_what_it_could_not_pay() {
    // Where clocks are furthest ahead.
    let (bank, _data) = one_bank_with(json!({"time_zone": "Pacific/Kiritimati"})).await;
    let service = service(&bank).await;
    let (mut ana, mut bia) = (Browser::new(&service), Browser::new(&service));
    ana.register("Ana Souza", "ana", "111.222.333-11").await;
    bia.register("Bia Lima", "bia", "444.555.666-44").await;
    let place = ana.open("100", "CPF").await;
    bia.open("100", "USER_NAME").await;
    let by = UserName::parse("ana").unwrap();
    for (index, centavos) in [1_250, 999_999].into_iter().enumerate() {
        let planned = Planned {
            bank: BankId(0),
            account: AccountNumber::parse(place.split_once('-').unwrap().1).unwrap(),
            value: Amount::parse(Centavos::new(centavos)).unwrap(),
            pix: PixKey::parse("0:bia").unwrap(),
            note: Note::default(),
            first: Day::new(Day::at(unix_ms(), LATE_S).get() + 1),
            every: Every::Month,
            times: 1,
        };
        let request = Request {
            id: EventId::new(BankId(0), &format!("planned-{index}")),
            at_ms: None,
            key: None,
            by: Some(by.clone()),
            own: false,
            offset_s: Some(LATE_S),
            confirmed: false,
            action: Action::Schedule(ScheduleChange::Make(Box::new(planned))),
        };
        let (submit, answer) = Submit::new(request.to_raw());
        bank.actors.routes.replies.do_send(submit);
        answer.await.unwrap();
    }
    let began = Instant::now();
    let listed = loop {
        let list = TestRequest::get().uri("/schedules");
        let listed = ask(&service, "ana", list).await.body["data"].clone();
        let listed = listed.as_array().unwrap().clone();
        if listed.len() == 1 && listed[0]["last"].is_object() {
            break listed;
        }
        assert!(began.elapsed() < PATIENCE, "{listed:?}");
        actix_rt::time::sleep(Duration::from_millis(100)).await;
    };
    let why = listed[0]["last"]["refused"].as_str().unwrap();
    assert!(why.contains("insuficiente (87.50)"), "{why}");
    ana.get("/").await.has("Um Pix agendado não foi feito").has("R$\u{a0}87,50");
    ana.get("/agendados").await.has("não foi feito").has("Terminou").has("Tirar da lista");
    bia.get("/").await.has("R$\u{a0}112,50").lacks("não foi feito");
}
