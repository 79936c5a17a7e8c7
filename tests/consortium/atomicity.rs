//! Packages happen completely or not at all, whoever else moves money at the same time.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::Cluster;
use crate::customer::Customer;
use crate::load::Load;

#[actix_rt::test]
async fn a_package_over_three_banks_that_fails_at_its_last_operation_leaves_no_trace() {
    let cluster = Cluster::start(3, "sessions").await;
    let customer = Customer::register(&cluster, "renata332", 7).await;
    let mut accounts = Vec::new();
    for bank in 0..3 {
        accounts.push(customer.open(&cluster, bank, 80.0).await);
    }
    let [a, b, c] = [&accounts[0], &accounts[1], &accounts[2]];
    let transfer = |from: &crate::customer::OwnAccount,
                    to: &crate::customer::OwnAccount,
                    value: f64| json!({"type": "TRANSFER", "value": value, "sender": from.number, "pix": to.key});
    let package = json!({
        "0": {a.number.to_string(): {"package": [transfer(a, b, 30.0), {"type": "DEPOSIT", "value": 10.0, "sender": a.number}]}},
        "1": {b.number.to_string(): {"package": [transfer(b, c, 100.0)]}},
        "2": {c.number.to_string(): {"package": [{"type": "WITHDRAW", "value": 180.01, "sender": c.number}]}},
    });
    let answer = customer.operate(&cluster, 1, &package.to_string(), "chave").await.unwrap();
    let why =
        format!("Falha na operação: Saldo da conta {} insuficiente (180.00) no banco 2", c.number);
    assert_eq!((answer.status, answer.descript()), (400, why.as_str()));
    for account in &accounts {
        let (balance, statement) = customer.account(&cluster, account).await;
        assert_eq!((balance, statement.len()), (8_000, 1));
    }
}

#[actix_rt::test]
async fn sixty_four_clients_moving_money_for_a_minute_neither_lose_nor_create_any() {
    let cluster = Cluster::start(3, "sessions").await;
    let load = Load::prepare(&cluster, 50).await;
    load.run(&cluster, 64, Instant::now() + Duration::from_secs(60)).await;
    let lost = load.ask_again(&cluster).await;
    let judged = load.judge(&cluster).await;
    cluster.assert_same_everywhere().await;
    println!("{judged} packages judged, {lost} asked again");
    assert!(judged > 1_000, "only {judged} packages in a minute");
}
