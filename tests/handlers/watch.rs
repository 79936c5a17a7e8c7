//! The consortium page's routes: what they show, what they never show, and who may turn the
//! laboratory's switches.

use std::time::Duration;

use actix_http::Request;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION, ORIGIN};
use actix_web::test::{self, TestRequest};
use actix_web::{App, Error, web};
use futures_util::future::poll_fn;
use netbanking::actors::watch::{EndStreams, STREAMS_MAX, Subscribe};
use netbanking::http::Bank;
use netbanking::ids::{BankId, BankSet};
use netbanking::wire::BANK_HEADER;
use serde_json::{Value, json};

use super::harness::{SECRET, bank, call, laboratory, post, ready};

async fn pages(
    bank: &Bank,
) -> impl Service<Request, Response = ServiceResponse<impl MessageBody>, Error = Error> {
    test::init_service(
        App::new().configure(netbanking::web::configure(web::Data::new(bank.clone()))),
    )
    .await
}

async fn text<S, B>(service: &S, path: &str) -> (u16, String)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let response = test::call_service(service, TestRequest::get().uri(path).to_request()).await;
    let status = response.status().as_u16();
    (status, String::from_utf8(test::read_body(response).await.to_vec()).unwrap())
}

async fn state<S, B>(service: &S) -> Value
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    serde_json::from_str(&text(service, "/consorcio/estado").await.1).unwrap()
}

/// Waits until the state that the page shows satisfies a condition.
async fn until<S, B>(service: &S, what: impl Fn(&Value) -> bool) -> Value
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    for _ in 0..250 {
        let told = state(service).await;
        if what(&told) {
            return told;
        }
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it does not come about: {}", state(service).await)
}

/// The request by which a page of this bank operates a switch.
fn turn(switch: &str, form: &str) -> TestRequest {
    TestRequest::post()
        .uri(&format!("/consorcio/laboratorio/{switch}"))
        .insert_header((CONTENT_TYPE, "application/x-www-form-urlencoded"))
        .insert_header((HOST, "bank.example:3050"))
        .insert_header((ORIGIN, "http://bank.example:3050"))
        .insert_header((ACCEPT, "application/json"))
        .set_payload(form.to_owned())
}

async fn status_of<S, B>(service: &S, request: TestRequest) -> u16
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    test::call_service(service, request.to_request()).await.status().as_u16()
}

#[actix_web::test]
async fn a_trial_event_is_ordered_and_refused_and_its_story_told() {
    let (bank, _data) = laboratory(0, 1).await;
    let service = pages(&bank).await;
    ready(&service).await;
    assert_eq!(status_of(&service, turn("evento", "onde=aqui")).await, 200);
    let told = until(&service, |told| !told["now"]["events"][0]["agreed"].is_null()).await;
    let event = &told["now"]["events"][0];
    assert_eq!(
        (&event["sender"], &event["timestamp"], &event["sum"]),
        (&json!(0), &json!([1]), &json!(1))
    );
    assert_eq!(
        (&event["executed"]["position"], &event["executed"]["done"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(event["acknowledged"].as_array().unwrap().len(), 1);
    assert_eq!(told["now"]["banks"][0]["position"], 1);
    assert_eq!(told["now"]["view"]["members"], json!([0]));

    let before = told["now"]["previous"].as_u64().unwrap();
    let (_, back) = text(&service, &format!("/consorcio/estado?ate={}", before - 1)).await;
    let back: Value = serde_json::from_str(&back).unwrap();
    assert!(
        back["now"]["events"][0]["agreed"].is_null(),
        "a step back shows what was before: {back}"
    );

    let (_, page) = text(&service, "/consorcio").await;
    assert!(
        page.contains(event["id"].as_str().unwrap()),
        "without a script the order is there too"
    );
    let (_, log) = text(&service, "/consorcio/shiviz.log").await;
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(
        lines[..3],
        [r"(?<host>\S*) (?<clock>{.*})\n(?<event>.*)", "", r#"bank-0 {"bank-0":1}"#]
    );
    assert!(lines[3].contains("position=1 done=0/1"), "{log}");
}

#[actix_web::test]
async fn the_health_of_each_bank_is_told_in_numbers_and_in_words() {
    let (bank, _data) = bank(0, 1, "sessions").await;
    let service = pages(&bank).await;
    ready(&service).await;
    let told = until(&service, |told| !told["now"]["banks"][0]["vitals"]["health"].is_null()).await;
    let own = &told["now"]["banks"][0];
    assert_eq!(own["vitals"]["pace"]["debt_percent"], 0, "{own}");
    assert!(own["vitals"]["health"]["fsync_ms"].is_u64(), "{own}");
    assert_eq!((&own["state"], &own["clock_off"]), (&json!("up"), &json!(false)), "{own}");
    let words = &told["words"];
    assert_eq!(words["banks"][0]["state"], "responde", "{words}");
    assert!(words["banks"][0]["health"].as_str().unwrap().starts_with("disco "), "{words}");
    let first = &told["now"]["notices"][0][1];
    assert_eq!((&first["kind"], &first["of"][1]), (&json!("ready"), &json!([0])), "{first}");
    assert!(words["notices"][0].as_str().unwrap().starts_with("ready (visão "), "{words}");
    let (_, page) = text(&service, "/consorcio").await;
    assert!(page.contains("Saúde") && page.contains("<td>disco "), "without a script too: {page}");
}

#[actix_web::test]
async fn programs_get_codes_for_why_a_bank_takes_no_writes_and_how_the_others_are() {
    let (bank, _data) = bank(0, 3, "sessions").await;
    let service = pages(&bank).await;
    let ready = call(&service, TestRequest::get().uri("/ready")).await;
    assert_eq!((ready.status, &ready.body["ready"]), (503, &json!(false)));
    assert_eq!(ready.body["reason"], "cut_off");
    assert!(ready.descript().contains("não alcança a maioria"), "{ready:?}");
    let status = call(&service, TestRequest::get().uri("/status")).await.body;
    assert_eq!((&status["phase"], &status["reach"]), (&json!("outside"), &json!("minority")));
    assert_eq!(status["banks"][0]["state"], "up");
    assert_eq!(status["banks"][1]["state"], "unheard");
}

#[actix_web::test]
async fn nothing_of_a_customer_is_shown_anywhere() {
    let (bank, _data) = bank(0, 1, "sessions").await;
    let service = pages(&bank).await;
    ready(&service).await;
    let customer = json!({"name": "Zulmira Quaresma", "num_cadastro": "111.222.333-44", "user_name": "zulmira77",
        "password": "secret-12345", "type_person": "PF"});
    assert_eq!(call(&service, post("/register-customer", customer.to_string())).await.status, 200);
    until(&service, |told| !told["now"]["events"][0]["executed"].is_null()).await;
    let mut seat = bank.actors.routes.watch.send(Subscribe::default()).await.unwrap().unwrap();
    let streamed = String::from_utf8(seat.latest.borrow_and_update().to_vec()).unwrap();
    let mut shown = vec![streamed];
    for path in ["/consorcio", "/consorcio/estado", "/consorcio/shiviz.log"] {
        shown.push(text(&service, path).await.1);
    }
    for text in shown {
        assert!(text.contains("EV0-"), "the event itself is shown: {text}");
        for secret in ["Zulmira", "zulmira", "222.333", "argon2"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[actix_web::test]
async fn the_stream_begins_at_once_tells_of_what_happens_and_ends_when_the_bank_stops() {
    let (bank, _data) = laboratory(0, 1).await;
    let service = pages(&bank).await;
    ready(&service).await;
    let response =
        test::call_service(&service, TestRequest::get().uri("/consorcio/eventos").to_request())
            .await;
    assert_eq!(response.headers().get(CONTENT_TYPE).unwrap(), "text/event-stream");
    let mut body = Box::pin(response.into_body());
    let mut next = async || {
        let chunk = poll_fn(|context| body.as_mut().poll_next(context)).await;
        chunk.map(|bytes| String::from_utf8(bytes.ok().unwrap().to_vec()).unwrap())
    };
    let first = next().await.unwrap();
    assert!(
        first.starts_with("data: {") && first.ends_with("}\n\n") && first.lines().count() == 2,
        "{first}"
    );
    assert_eq!(status_of(&service, turn("evento", "onde=aqui")).await, 200);
    let mut told = next().await.unwrap();
    while !told.contains("\"executed\":{") {
        told = next().await.unwrap();
    }
    bank.actors.routes.watch.do_send(EndStreams);
    while next().await.is_some() {}
}

#[actix_web::test]
async fn only_so_many_may_watch_at_once() {
    let (bank, _data) = bank(0, 1, "sessions").await;
    let service = pages(&bank).await;
    let mut watching = Vec::new();
    for _ in 0..STREAMS_MAX {
        watching.push(bank.actors.routes.watch.send(Subscribe::default()).await.unwrap().unwrap());
    }
    let stream = || TestRequest::get().uri("/consorcio/eventos");
    assert_eq!(status_of(&service, stream()).await, 503);
    watching.pop();
    assert_eq!(status_of(&service, stream()).await, 200);
}

#[actix_web::test]
async fn without_a_laboratory_there_are_no_switches() {
    let (bank, _data) = bank(0, 1, "sessions").await;
    let service = pages(&bank).await;
    for (switch, form) in [
        ("evento", "onde=aqui"),
        ("atraso", "atraso_ms=100"),
        ("ligacao", "banco=1&estado=cut"),
        ("clientes", "primeiro=1&quantos=1"),
    ] {
        assert_eq!(status_of(&service, turn(switch, form)).await, 404, "{switch}");
    }
    let (status, page) = text(&service, "/consorcio").await;
    assert!(status == 200 && !page.contains("laboratorio/"), "{page}");
    assert_eq!(state(&service).await["weather"], Value::Null);
}

#[actix_web::test]
async fn only_a_page_of_the_bank_itself_turns_a_switch() {
    let (bank, _data) = laboratory(0, 3).await;
    let service = pages(&bank).await;
    let cut = || turn("ligacao", "banco=1&estado=cut");
    let mut without_origin = TestRequest::post().uri("/consorcio/laboratorio/ligacao");
    without_origin =
        without_origin.insert_header((CONTENT_TYPE, "application/x-www-form-urlencoded"));
    assert_eq!(status_of(&service, without_origin.set_payload("banco=1&estado=cut")).await, 403);
    let foreign = cut().insert_header((ORIGIN, "http://evil.example"));
    assert_eq!(status_of(&service, foreign).await, 403);
    let other_port = cut().insert_header((ORIGIN, "http://bank.example:3051"));
    assert_eq!(status_of(&service, other_port).await, 403);
    assert_eq!(state(&service).await["weather"]["cut"], json!([]));

    assert_eq!(status_of(&service, cut()).await, 200);
    assert_eq!(state(&service).await["weather"]["cut"], json!([1]));
    for (banco, estado) in [("0", "cut"), ("3", "cut"), ("1", "broken")] {
        let refused =
            status_of(&service, turn("ligacao", &format!("banco={banco}&estado={estado}"))).await;
        assert_eq!(refused, 400, "{banco} {estado}");
    }
    let plain = test::call_service(
        &service,
        turn("atraso", "atraso_ms=300").insert_header((ACCEPT, "text/html")).to_request(),
    )
    .await;
    assert_eq!(
        (plain.status().as_u16(), plain.headers().get(LOCATION).unwrap().to_str().unwrap()),
        (303, "/consorcio")
    );
    assert_eq!(state(&service).await["weather"]["delay_ms"], 300);
}

#[actix_web::test]
async fn a_laboratory_is_filled_with_customers_who_have_an_account_each() {
    let (bank, _data) = laboratory(0, 1).await;
    let service = pages(&bank).await;
    let filled = turn("clientes", "primeiro=111444777&quantos=3").to_request();
    let filled = test::call_and_read_body(&service, filled).await;
    assert_eq!(filled, r#"{"abertas":3}"#);
    // Whose CPFs are there already gets no second account.
    let again = turn("clientes", "primeiro=111444778&quantos=3").to_request();
    assert_eq!(test::call_and_read_body(&service, again).await, r#"{"abertas":1}"#);
    for form in ["primeiro=1&quantos=0", "primeiro=1&quantos=1001", "primeiro=999999999&quantos=2"]
    {
        assert_eq!(status_of(&service, turn("clientes", form)).await, 400, "{form}");
    }
    let foreign =
        turn("clientes", "primeiro=1&quantos=1").insert_header((ORIGIN, "http://evil.example"));
    assert_eq!(status_of(&service, foreign).await, 403);
}

#[actix_web::test]
async fn another_bank_passes_on_a_delay_and_may_not_cut_a_link_here() {
    let (bank, _data) = laboratory(0, 3).await;
    let service = pages(&bank).await;
    let passed_on = |switch: &str, form: &'static str, secret: &str| {
        TestRequest::post()
            .uri(&format!("/consorcio/laboratorio/{switch}"))
            .insert_header((CONTENT_TYPE, "application/x-www-form-urlencoded"))
            .insert_header((AUTHORIZATION, format!("Bearer {secret}")))
            .insert_header((BANK_HEADER, "2"))
            .set_payload(form)
    };
    assert_eq!(
        status_of(&service, passed_on("atraso", "atraso_ms=700", "a wrong secret, sadly")).await,
        403
    );
    assert_eq!(status_of(&service, passed_on("atraso", "atraso_ms=700", SECRET)).await, 303);
    assert_eq!(status_of(&service, passed_on("ligacao", "banco=1&estado=cut", SECRET)).await, 400);
    let weather = bank.actors.laboratory.as_ref().unwrap().weather();
    assert_eq!((weather.delay_ms, weather.cut), (700, BankSet::default()));
}

#[actix_web::test]
async fn what_comes_over_a_closed_link_is_refused_and_messages_about_views_pass_a_stopped_one() {
    let (bank, _data) = laboratory(0, 3).await;
    let service = pages(&bank).await;
    let from_peer = |path: &str, body: &str| {
        post(path, body.to_owned())
            .insert_header((AUTHORIZATION, format!("Bearer {SECRET}")))
            .insert_header((BANK_HEADER, "1"))
    };
    let envelope = || from_peer("/peer/envelope", r#"{"from": 1}"#);
    let view = || from_peer("/peer/view", r#"{"Stop": {"round": 1, "coordinator": 1}}"#);
    let links = bank.actors.laboratory.clone().unwrap();
    links.set(BankId(1), netbanking::actors::laboratory::Link::Stopped);
    assert_eq!(
        (status_of(&service, envelope()).await, status_of(&service, view()).await),
        (503, 200)
    );
    links.set(BankId(1), netbanking::actors::laboratory::Link::Cut);
    assert_eq!(
        (status_of(&service, envelope()).await, status_of(&service, view()).await),
        (503, 503)
    );
    links.set(BankId(1), netbanking::actors::laboratory::Link::Healed);
    assert_eq!(status_of(&service, envelope()).await, 409, "no view is in force here");
}

#[actix_web::test]
async fn a_first_view_of_the_page_weighs_little() {
    let (bank, _data) = laboratory(0, 3).await;
    let service = pages(&bank).await;
    let (_, page) = text(&service, "/consorcio").await;
    let mut bytes = page.len();
    for asset in page.split("\"/assets/").skip(1) {
        let (status, content) =
            text(&service, &format!("/assets/{}", asset.split('"').next().unwrap())).await;
        assert_eq!(status, 200, "{asset}");
        bytes += content.len();
    }
    assert!((20_000..150_000).contains(&bytes), "{bytes} bytes");
}
