//! The whole command against a stand-in for a bank, which answers as it is told and remembers what
//! it was sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use clap::Parser;
use serde_json::{Value, json};

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: BenchArgs,
}

fn arguments(line: &str) -> BenchArgs {
    Line::try_parse_from(std::iter::once("bench").chain(line.split_whitespace())).unwrap().arguments
}

fn disk() -> Disk {
    Disk { folder: "/tmp".into(), fsyncs_per_second: 1.0 }
}

/// The requests that the stand-in received.
#[derive(Default)]
struct Asked {
    accounts: AtomicU64,
    packages: AtomicU64,
}

/// What the stand-in says about itself.
fn status() -> Value {
    let footprint = json!({"memory_bytes": 77_000_000, "disk_bytes": 5_000_000, "start_ms": 12});
    json!({"bank": 2, "position": 40, "past": {"entries": 80}, "footprint": footprint})
}

/// A stand-in that answers every third package 200, the next 400 and the last 503, unless `always`
/// says otherwise.
fn bank(always: Option<u16>) -> (BaseUrl, Arc<Asked>) {
    let asked = Arc::new(Asked::default());
    let of_server = Arc::clone(&asked);
    let open = |asked: web::Data<Asked>, body: web::Json<Value>| async move {
        assert_eq!((&body["pix_type"], body["value_init"].is_u64()), (&json!("RANDOM"), true));
        let number = asked.accounts.fetch_add(1, Ordering::Relaxed);
        web::Json(json!({"num_account": number, "kay_pix": format!("2:{number}")}))
    };
    type Body = web::Json<Value>;
    let operate = move |asked: web::Data<Asked>, request: HttpRequest, body: Body| async move {
        let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header("authorization"), "Bearer t0ken");
        assert_eq!(header("idempotency-key").len(), 36);
        assert!(body["2"].is_object(), "{body}");
        let turn = asked.packages.fetch_add(1, Ordering::Relaxed);
        let status = always.unwrap_or([200, 400, 503][turn as usize % 3]);
        let status = actix_web::http::StatusCode::from_u16(status).unwrap();
        HttpResponse::build(status).json(json!({"descript": format!("disse {status}")}))
    };
    let export = |request: HttpRequest| async move {
        assert_eq!(request.cookie("netbanking-2").unwrap().value(), "t0ken");
        let is_known = ["extrato.csv", "extrato.ofx"].contains(&request.match_info().query("file"));
        assert!(is_known && request.match_info().query("account").starts_with("2-"));
        HttpResponse::Ok().body("x".repeat(1_000))
    };
    type Crowd = web::Form<HashMap<String, u32>>;
    let enter = |asked: web::Data<Asked>, crowd: Crowd| async move {
        asked.accounts.fetch_add(crowd["quantos"].into(), Ordering::Relaxed);
        web::Json(json!({"abertas": crowd["quantos"]}))
    };
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::from(Arc::clone(&of_server)))
            .route(
                "/register-customer",
                web::post().to(|| async { web::Json(json!({"descript": "ok"})) }),
            )
            .route("/login", web::post().to(|| async { web::Json(json!({"token": "t0ken"})) }))
            .route("/accounts_user/{user}", web::post().to(open))
            .route("/consorcio/laboratorio/clientes", web::post().to(enter))
            .route("/operations", web::post().to(operate))
            .route("/status", web::get().to(|| async { web::Json(status()) }))
            .route("/get_account/{number}", web::get().to(|| async { web::Json(json!({})) }))
            .route("/contas/{account}/{file}", web::get().to(export))
    });
    let server = server.workers(1).bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", server.addrs()[0]).parse().unwrap();
    actix_rt::spawn(server.run());
    (url, asked)
}

#[actix_rt::test]
async fn every_package_is_counted_once_by_its_outcome() {
    let (url, asked) = bank(None);
    let arguments = arguments("--clients 3 --accounts 5 --seconds 1 --warmup 0");
    let report = measure(&arguments, vec![url], disk()).await.unwrap();
    let report: Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(asked.accounts.load(Ordering::Relaxed), 5);
    let count = |value: &Value| value.as_u64().unwrap();
    let counted =
        [&report["executed"], &report["refused"]["count"], &report["failed"]["503"]["count"]]
            .map(count);
    assert!(counted.iter().all(|count| *count > 0), "{report}");
    assert_eq!(counted.iter().sum::<u64>(), asked.packages.load(Ordering::Relaxed), "{report}");
    assert_eq!(report["refused"]["first"], "disse 400 Bad Request");
    assert_eq!(report["answered_by"][0]["fraction"], 1.0);
    assert!(report["latency_corrected_ms"].is_object());
}

#[actix_rt::test]
async fn so_many_packages_are_sent_after_so_many_customers_and_then_the_banks_are_measured() {
    let (url, asked) = bank(Some(200));
    let arguments = arguments("--clients 4 --accounts 2 --packages 1e3 --fill customers=2503");
    let report = measure(&arguments, vec![url], disk()).await.unwrap();
    assert_eq!(asked.packages.load(Ordering::Relaxed), 1_000);
    assert_eq!(asked.accounts.load(Ordering::Relaxed), 2_505);
    assert_eq!(report.executed, 1_000);
    let json: Value = serde_json::from_str(&report.to_json()).unwrap();
    let size = &json["sizes"][0];
    assert_eq!((&size["memory_bytes"], &size["entries"]), (&json!(77_000_000), &json!(80)));
    let text = report.to_string();
    let line = text.lines().skip_while(|line| !line.starts_with("size ")).nth(1).unwrap();
    let words: Vec<_> = line.split_whitespace().take(5).collect();
    assert_eq!(words, ["40", "80", "77", "5", "12"]);
}

#[actix_rt::test]
async fn an_open_loop_sends_what_falls_due_and_no_more() {
    let (url, asked) = bank(Some(200));
    let arguments =
        arguments("--clients 8 --accounts 2 --seconds 1 --warmup 0 --rate 200 --ops-per-package 2");
    let report = measure(&arguments, vec![url], disk()).await.unwrap();
    assert_eq!(asked.packages.load(Ordering::Relaxed), 200);
    assert_eq!(report.executed, 200);
    let text = report.to_string();
    assert!(
        text.contains("unsent     0 ")
            && text.contains("since due ")
            && !text.contains("corrected"),
        "{text}"
    );
}

#[actix_rt::test]
async fn a_bank_that_executes_nothing_is_a_failure_that_says_why() {
    let (url, _) = bank(Some(503));
    let arguments = arguments("--clients 1 --accounts 2 --seconds 1 --warmup 0");
    let report = measure(&arguments, vec![url], disk()).await.unwrap();
    assert_eq!(
        (report.executed, report.first_failure().as_str()),
        (0, "503: disse 503 Service Unavailable")
    );
}

#[actix_rt::test]
async fn a_consortium_that_is_not_there_is_named() {
    let url: BaseUrl = "http://127.0.0.1:1".parse().unwrap();
    let error = measure(&arguments(""), vec![url], disk()).await.unwrap_err().to_string();
    assert!(error.starts_with("http://127.0.0.1:1/register-customer does not answer: "), "{error}");
}

#[test]
fn arguments_out_of_bounds_are_refused() {
    for line in [
        "--clients 0",
        "--seconds 0",
        "--rate 0",
        "--ops-per-package 1001",
        "--accounts 1",
        "--packages 0",
        "--packages 5 --seconds 3",
        "--fill 5",
        "--fill customers=1e9",
        "--url 127.0.0.1",
    ] {
        assert!(
            Line::try_parse_from(std::iter::once("bench").chain(line.split_whitespace())).is_err(),
            "{line}"
        );
    }
}

#[test]
fn the_banks_are_those_of_nodes_json_unless_urls_are_given() {
    let nodes = concat!(env!("CARGO_MANIFEST_DIR"), "/nodes.json");
    let named = |line: &str| {
        urls(&arguments(line)).unwrap().iter().map(BaseUrl::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        named(&format!("--nodes {nodes}")),
        ["http://127.0.0.1:3050", "http://127.0.0.1:3051", "http://127.0.0.1:3052"]
    );
    assert_eq!(named("--url http://a:1/ --url http://b:2"), ["http://a:1", "http://b:2"]);
}

#[actix_rt::test]
async fn a_sweep_measures_every_number_of_clients_at_one_bank_and_at_all() {
    let urls = vec![bank(Some(200)).0, bank(Some(200)).0];
    let arguments = arguments("--sweep --seconds 1 --warmup 0 --accounts 2");
    let sweep = sweep::measure(&arguments, urls, disk(), &[1, 2]).await.unwrap();
    let json: Value = serde_json::from_str(&sweep.to_json()).unwrap();
    let points = json["points"].as_array().unwrap().iter();
    let of: Vec<_> =
        points.map(|at| (at["banks"].as_u64().unwrap(), at["clients"].as_u64().unwrap())).collect();
    assert_eq!(of, [(1, 1), (1, 2), (2, 1), (2, 2)]);
    let table = sweep.to_string();
    assert!(table.contains("all clients at one bank\n") && table.contains("spread over 2 banks\n"));
    let folder = tempfile::tempdir().unwrap();
    let curve = folder.path().join("curve.svg");
    sweep.judge(Some(&curve)).unwrap();
    let svg = std::fs::read_to_string(curve).unwrap();
    assert_eq!(svg.matches("<polyline").count(), 2);
    assert!(svg.ends_with("</svg>\n") && svg.contains(">spread over 2 banks<"));
    let nowhere = sweep.judge(Some(&folder.path().join("no/curve.svg"))).unwrap_err();
    assert!(nowhere.to_string().contains("the curve cannot be written"), "{nowhere}");
}

#[actix_rt::test]
async fn readers_read_every_kind_and_the_load_is_measured_without_and_with_them() {
    let (url, asked) = bank(Some(200));
    let arguments = arguments("--readers 3 --packages 20 --clients 2 --accounts 2");
    let arguments = BenchArgs { seconds: 1, warmup: 0, ..arguments };
    let beside = readers::measure(&arguments, vec![url], disk(), 3).await.unwrap();
    beside.judge().unwrap();
    let json: Value = serde_json::from_str(&beside.to_json()).unwrap();
    let rate = |of: &str| json[of]["packages_per_second"].as_f64().unwrap();
    assert!(asked.packages.load(Ordering::Relaxed) as f64 >= 20.0 + rate("alone") + rate("beside"));
    for reads in json["reads"].as_array().unwrap() {
        assert!(reads["whole"].as_u64() > Some(0) && reads["bytes"].as_u64() > Some(0), "{json}");
    }
    let table = beside.to_string();
    assert!(table.contains("left ") && table.contains("read       ofx"), "{table}");
}

#[test]
fn a_sweep_chooses_its_clients_itself_and_a_curve_needs_one() {
    for line in ["--sweep --clients 3", "--sweep --rate 3", "--svg curve.svg"] {
        let words = std::iter::once("bench").chain(line.split_whitespace());
        assert!(Line::try_parse_from(words).is_err(), "{line}");
    }
}
