//! How banks start, stop, grow and show what they do.

use serde_json::json;

use crate::cluster::Cluster;
use crate::customer::Customer;
use crate::processes::bank::SECRET;

#[actix_rt::test]
async fn sigterm_ends_a_bank_cleanly_and_nothing_accepted_is_lost() {
    let cluster = Cluster::start(3, "sessions").await;
    let customer = Customer::register(&cluster, "thiago003", 11).await;
    let account = customer.open(&cluster, 1, 60.0).await;
    for bank in 0..3 {
        assert!(cluster.terminate(bank), "{}", cluster.log(bank));
        assert!(cluster.log(bank).contains("stopped"));
    }
    cluster.start_all().await;
    let mut customer = customer;
    customer.log_in(&cluster).await;
    assert_eq!(customer.account(&cluster, &account).await.0, 6_000);
}

#[actix_rt::test]
async fn a_consortium_grows_by_an_entry_in_nodes_json_and_keeps_its_money() {
    let mut cluster = Cluster::start(2, "sessions").await;
    let mut customer = Customer::register(&cluster, "mara21", 14).await;
    let account = customer.open(&cluster, 1, 75.0).await;
    (0..2).for_each(|bank| assert!(cluster.stop(bank)));
    cluster.add_bank();
    cluster.start_all().await;
    customer.log_in(&cluster).await;
    let new = customer.open(&cluster, 2, 50.0).await;
    let transfer =
        json!({"type": "TRANSFER", "value": 25, "sender": account.number, "pix": new.key});
    let package = json!({"1": {account.number.to_string(): {"package": [transfer]}}}).to_string();
    assert_eq!(customer.operate(&cluster, 2, &package, "k").await.unwrap().status, 200);
    assert_eq!(customer.account(&cluster, &account).await.0, 5_000);
    assert_eq!(customer.account(&cluster, &new).await.0, 7_500);
    cluster.assert_same_everywhere().await;
}

#[actix_rt::test]
async fn every_bank_logs_every_event_in_the_same_order_and_one_line_when_it_is_ready() {
    let cluster = Cluster::start(3, "sessions").await;
    let customer = Customer::register(&cluster, "pedrinho234", 12).await;
    for bank in 0..3 {
        customer.open(&cluster, bank, 50.0).await;
    }
    cluster.assert_same_everywhere().await;
    let events = |bank: usize| -> Vec<String> {
        let log = cluster.log(bank);
        assert_eq!(log.lines().filter(|line| line.contains("ready")).count(), 1, "{log}");
        assert!(!log.contains("12345678"), "no password in a log");
        let executed = log
            .lines()
            .filter_map(|line| line.split_once("executed "))
            .map(|(_, event)| event.to_owned());
        executed.collect()
    };
    let first = events(0);
    assert_eq!(first.len(), 4, "{first:?}");
    assert!(first[0].contains("position=1 ") && first[0].contains("sender=0"), "{}", first[0]);
    assert_eq!(events(1), first);
    assert_eq!(events(2), first);
}

#[actix_rt::test]
async fn a_peer_request_without_the_secret_gets_401_and_changes_nothing() {
    let cluster = Cluster::start(3, "sessions").await;
    let customer = Customer::register(&cluster, "intruso", 13).await;
    let before = cluster.status(1).await;
    let event = json!({"sender": 0, "timestamp": [99, 0, 0], "type_msg": "REGISTER", "id": "EV0-x", "msg": {}});
    let bodies = [
        ("/receive-message", event.clone()),
        ("/receiver_ack/EV0-x", json!({})),
        ("/init_check_queue/EV0-x", json!({"code": true, "descript": ""})),
        ("/receiver_one_queue/EV0-x", json!({"code": true, "descript": "", "msg": "ONE_QUEUE"})),
        ("/peer/envelope", json!({"from": 0, "view": null, "events": [event]})),
        ("/peer/view", json!({"Stop": {"round": 99, "coordinator": 0}})),
    ];
    for (route, body) in bodies {
        let url = cluster.url(1, route);
        let client = customer.http.client();
        let wrong = client
            .post(&url)
            .insert_header(("netbanking-bank", "0"))
            .insert_header(("authorization", "Bearer x"));
        let nameless =
            client.post(&url).insert_header(("authorization", format!("Bearer {SECRET}")));
        for request in [client.post(&url), wrong, nameless] {
            let answer = customer.http.call(request, body.to_string()).await.unwrap();
            assert_eq!(answer.status, 401, "{route}: {answer:?}");
        }
    }
    let after = cluster.status(1).await;
    for what in ["view", "clock", "position", "hash", "buffer", "ready"] {
        assert_eq!(before[what], after[what]);
    }
}
