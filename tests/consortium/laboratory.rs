//! The laboratory's switches between real banks: they do what a bad network would do, and the
//! effect can be seen.

use std::time::{Duration, Instant};

use netbanking::wire;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::customer::{Http, cpf, registration};

const PATIENCE: Duration = Duration::from_secs(30);

/// Operates a switch on the page of a bank.
async fn turn(cluster: &Cluster, bank: usize, switch: &str, form: &str) {
    let origin = cluster.url(bank, "");
    let answer = wire::client(1, Duration::from_secs(5))
        .post(cluster.url(bank, &format!("/consorcio/laboratorio/{switch}")))
        .insert_header(("origin", origin))
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .send_body(form.to_owned())
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 303, "{switch} {form}");
}

async fn told(cluster: &Cluster, bank: usize) -> Value {
    let client = wire::client(1, Duration::from_secs(5));
    let mut answer = client.get(cluster.url(bank, "/consorcio/estado")).send().await.unwrap();
    serde_json::from_slice(&answer.body().limit(1 << 20).await.unwrap()).unwrap()
}

/// Waits until something can be seen on the page of a bank.
async fn until(cluster: &Cluster, bank: usize, what: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = told(cluster, bank).await;
        if what(&told) {
            return told;
        }
        assert!(Instant::now() < deadline, "bank {bank} shows {told}");
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The ids of the executed events that a page shows, in order.
fn order(told: &Value) -> Vec<String> {
    let events = told["now"]["events"].as_array().unwrap().iter();
    events
        .filter(|event| !event["executed"].is_null())
        .map(|event| event["id"].to_string())
        .collect()
}

#[actix_rt::test]
async fn an_event_waits_for_the_bank_behind_a_stopped_link_and_says_so_until_it_comes_through() {
    let cluster = Cluster::start_laboratory(3).await;
    turn(&cluster, 0, "ligacao", "banco=2&estado=stopped").await;
    turn(&cluster, 0, "evento", "onde=aqui").await;
    let waits = json!([{"kind": "acknowledgements", "banks": [2]}]);
    until(&cluster, 0, |told| told["now"]["events"][0]["waits"] == waits).await;
    turn(&cluster, 0, "ligacao", "banco=2&estado=healed").await;
    for bank in 0..3 {
        until(&cluster, bank, |told| order(told).len() == 1).await;
    }
}

#[actix_rt::test]
async fn a_cut_link_is_noticed_on_both_sides_as_a_broken_one_and_heals() {
    let cluster = Cluster::start_laboratory(3).await;
    turn(&cluster, 0, "ligacao", "banco=1&estado=cut").await;
    let up = |told: &Value, bank: usize| told["now"]["banks"][bank]["state"] == "up";
    until(&cluster, 0, |told| !up(told, 1) && up(told, 2)).await;
    until(&cluster, 1, |told| !up(told, 0) && up(told, 2)).await;
    turn(&cluster, 0, "ligacao", "banco=1&estado=healed").await;
    cluster.wait_members(&[0, 1, 2]).await;
}

#[actix_rt::test]
async fn a_bank_that_the_others_act_without_refuses_each_write_at_once_and_says_why() {
    let cluster = Cluster::start_laboratory(3).await;
    turn(&cluster, 0, "ligacao", "banco=2&estado=cut").await;
    cluster.wait_members(&[0, 1]).await;
    let deadline = Instant::now() + PATIENCE;
    while cluster.status(2).await["reach"] != "outside" {
        assert!(Instant::now() < deadline, "{}", cluster.status(2).await);
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    }
    let (http, url) = (Http::new(), cluster.url(2, "/register-customer"));
    let newcomer = registration("ana", &cpf(1));
    let asked = Instant::now();
    let answer = http.post(&url, &newcomer).await;
    let took = asked.elapsed();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.descript().contains("fora da visão em vigor"), "{answer:?}");
    assert!(took < Duration::from_millis(1_500), "it was held for {took:?}");
    turn(&cluster, 0, "ligacao", "banco=2&estado=healed").await;
    cluster.wait_members(&[0, 1, 2]).await;
    assert_eq!(http.post(&url, &newcomer).await.status, 200);
}

#[actix_rt::test]
async fn a_bank_that_was_cut_off_shows_what_was_executed_and_credits_nobody_with_more() {
    let cluster = Cluster::start_laboratory(3).await;
    // Bank 2 holds an event that bank 1 lacks, and learns only from the journal that it was
    // executed.
    turn(&cluster, 0, "ligacao", "banco=1&estado=stopped").await;
    turn(&cluster, 0, "evento", "onde=aqui").await;
    until(&cluster, 2, |told| told["now"]["events"][0]["taken"].is_u64()).await;
    for other in [0, 1] {
        turn(&cluster, 2, "ligacao", &format!("banco={other}&estado=cut")).await;
    }
    turn(&cluster, 0, "ligacao", "banco=1&estado=healed").await;
    cluster.wait_members(&[0, 1]).await;
    turn(&cluster, 1, "evento", "onde=aqui").await;
    let executed = order(&until(&cluster, 0, |told| order(told).len() == 2).await);
    let status = cluster.status(0).await;
    assert_eq!(status["durable_clocks"][2], json!(null), "{status}");
    assert!(status["durable_clocks"][1].is_array(), "{status}");
    until(&cluster, 0, |told| told["now"]["banks"][2]["durable"].is_null()).await;

    for other in [0, 1] {
        turn(&cluster, 2, "ligacao", &format!("banco={other}&estado=healed")).await;
    }
    cluster.wait_members(&[0, 1, 2]).await;
    let told = until(&cluster, 2, |told| order(told).len() == 2).await;
    assert_eq!(order(&told), executed);
    assert!(
        told["now"]["events"].as_array().unwrap().iter().all(|event| event["void"].is_null()),
        "{told}"
    );
    assert_eq!(told["now"]["banks"][2]["position"], 2);
    cluster.wait_log(2, "bank 2 recovered positions 1 to 2 from the journal of another bank").await;
}

#[actix_rt::test]
async fn in_slow_motion_concurrent_events_come_in_one_order_everywhere() {
    let cluster = Cluster::start_laboratory(3).await;
    turn(&cluster, 1, "atraso", "atraso_ms=400").await;
    for bank in 0..3 {
        until(&cluster, bank, |told| told["weather"]["delay_ms"] == 400).await;
    }
    turn(&cluster, 0, "evento", "onde=todos").await;
    let mut orders = Vec::new();
    for bank in 0..3 {
        let told = until(&cluster, bank, |told| order(told).len() == 3).await;
        let events = told["now"]["events"].as_array().unwrap();
        let own = events.iter().find(|event| event["sender"] == bank).unwrap();
        let took = own["executed"]["at"].as_u64().unwrap() - own["first"].as_u64().unwrap();
        assert!(took >= 800_000, "there and back again are two messages, not {took} µs");
        assert!(events.iter().all(|event| event["concurrent"] == true), "{told}");
        orders.push(order(&told));
    }
    assert!(orders.iter().all(|order| order == &orders[0]), "{orders:?}");
}
