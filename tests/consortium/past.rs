//! The past, which is kept on disk and comes to a bank behind its present.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::customer::{Customer, OwnAccount};

/// How soon the past of a small consortium is complete again.
const COMPLETE_WITHIN: Duration = Duration::from_secs(30);
/// A bank that is not the customer's own one, and comes back.
const AWAY: usize = 2;

/// Three banks, and a customer with an account at the first and the last one and a thousand entries
/// in each.
async fn with_a_past() -> (Cluster, Customer, [OwnAccount; 2]) {
    let cluster = Cluster::start(3, "sessions").await;
    let customer = Customer::register(&cluster, "helena77", 31).await;
    let accounts =
        [customer.open(&cluster, 0, 1_000.0).await, customer.open(&cluster, AWAY, 1_000.0).await];
    for round in 0..20 {
        let packages: serde_json::Map<String, Value> = accounts
            .iter()
            .map(|account| (account.bank.to_string(), deposits(account, 50)))
            .collect();
        let text = json!(packages).to_string();
        let answer = customer.operate(&cluster, 1, &text, &format!("{round}")).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    cluster.assert_same_everywhere().await;
    (cluster, customer, accounts)
}

fn deposits(account: &OwnAccount, count: usize) -> Value {
    let deposit = json!({"type": "DEPOSIT", "value": 0.01, "sender": account.number});
    json!({account.number.to_string(): {"package": vec![deposit; count]}})
}

/// Waits until no entry is missing at a bank; returns how many there are.
async fn complete(cluster: &Cluster, bank: usize) -> u64 {
    let deadline = Instant::now() + COMPLETE_WITHIN;
    loop {
        let past = cluster.status(bank).await["past"].clone();
        if past["missing"] == 0 {
            return past["entries"].as_u64().unwrap();
        }
        assert!(Instant::now() < deadline, "{past} {}", cluster.log(bank));
        actix_rt::time::sleep(Duration::from_millis(50)).await;
    }
}

fn compact(cluster: &Cluster, bank: usize) {
    let output = Command::new(env!("CARGO_BIN_EXE_netbanking"))
        .args(["compact", "--bank", &bank.to_string(), "--nodes"])
        .arg(cluster.nodes_json())
        .arg("--data")
        .arg(cluster.data(bank))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[actix_rt::test]
async fn a_bank_with_an_empty_disk_gets_the_present_as_a_snapshot_and_the_past_behind_it() {
    let (cluster, mut customer, accounts) = with_a_past().await;
    let before = customer.account(&cluster, &accounts[1]).await;
    assert_eq!(before.1.len(), 1_001);
    (0..3).for_each(|bank| assert!(cluster.stop(bank)));
    [0, 1].into_iter().for_each(|bank| compact(&cluster, bank));
    std::fs::remove_dir_all(cluster.data(AWAY)).unwrap();
    (0..3).for_each(|bank| cluster.start_bank(bank));
    cluster.wait_ready().await;
    cluster.wait_members(&[0, 1, 2]).await;
    cluster.wait_log(AWAY, "recovered positions up to").await;
    // While the past comes, the present goes on.
    customer.log_in(&cluster).await;
    let text = json!({"2": deposits(&accounts[1], 1)}).to_string();
    let answer = customer.operate(&cluster, AWAY, &text, "goes on").await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(complete(&cluster, AWAY).await, 2_003);
    cluster.wait_log(AWAY, "the past is complete through entry").await;
    let after = customer.account(&cluster, &accounts[1]).await;
    assert_eq!((after.0, after.1.len()), (before.0 + 1, 1_002));
    assert_eq!(after.1[..1_001], before.1[..]);

    assert!(cluster.stop(AWAY));
    cluster.start_bank(AWAY);
    cluster.wait_ready().await;
    cluster.wait_members(&[0, 1, 2]).await;
    customer.log_in(&cluster).await;
    assert_eq!(complete(&cluster, AWAY).await, 2_003, "it is on disk");
    assert_eq!(customer.account(&cluster, &accounts[1]).await, after);
}

#[actix_rt::test]
async fn a_damaged_block_of_the_past_is_noticed_when_it_is_read_and_fetched_again() {
    let (cluster, mut customer, accounts) = with_a_past().await;
    let before = customer.account(&cluster, &accounts[1]).await;
    assert!(cluster.stop(AWAY));
    let past = rusqlite::Connection::open(cluster.data(AWAY).join("past.sqlite")).unwrap();
    let flip = "UPDATE blocks SET content = CAST(substr(content, 1, 99) || 'x' || substr(content, 101) AS BLOB)
        WHERE first = 513";
    assert_eq!(past.execute(flip, []).unwrap(), 1);
    drop(past);
    cluster.start_bank(AWAY);
    cluster.wait_ready().await;
    cluster.wait_members(&[0, 1, 2]).await;
    customer.log_in(&cluster).await;
    let url = cluster.url(AWAY, &format!("/get_account/{}?limit=1000", accounts[1].number));
    let read = customer.http.client().get(url);
    let read = read.insert_header(("authorization", format!("Bearer {}", customer.tokens[AWAY])));
    let answer = customer.http.call(read, String::new()).await.unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    cluster.wait_log(AWAY, "PAST DAMAGED").await;
    complete(&cluster, AWAY).await;
    assert_eq!(customer.account(&cluster, &accounts[1]).await, before);
}

/// What the disk of a stopped bank says about its snapshot.
fn journal(cluster: &Cluster, bank: usize) -> rusqlite::Connection {
    rusqlite::Connection::open(cluster.data(bank).join("journal.sqlite")).unwrap()
}

/// Waits until a bank has made a snapshot.
async fn snapshot_made(cluster: &Cluster, bank: usize) {
    let deadline = Instant::now() + COMPLETE_WITHIN;
    let made = || {
        let sql = "SELECT content ->> '$.snapshot.head.position' FROM head";
        journal(cluster, bank).query_row(sql, [], |row| row.get::<_, Option<i64>>(0))
    };
    while !made().is_ok_and(|position| position.is_some()) {
        assert!(Instant::now() < deadline, "{}", cluster.log(bank));
        actix_rt::time::sleep(Duration::from_millis(50)).await;
    }
}

#[actix_rt::test]
async fn a_bank_that_is_alone_starts_from_a_snapshot_and_can_do_without_it_and_without_its_past() {
    let cluster = Cluster::prepare(1, "sessions");
    cluster.change_nodes_json(&cluster.nodes_json(), |config| {
        config["journal"] = json!({"snapshot_every": 1_000});
    });
    cluster.start_all().await;
    let mut customer = Customer::register(&cluster, "helena77", 31).await;
    let account = customer.open(&cluster, 0, 1_000.0).await;
    let text = json!({"0": deposits(&account, 1)}).to_string();
    for round in 0..1_050 {
        let answer = customer.operate(&cluster, 0, &text, &format!("{round}")).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    snapshot_made(&cluster, 0).await;
    let before = customer.account(&cluster, &account).await;
    assert_eq!(before.1.len(), 1_051);
    let no_past = || std::fs::remove_file(cluster.data(0).join("past.sqlite")).unwrap();
    let no_snapshot = || {
        let damage = "UPDATE pieces SET text = text || ' ' WHERE place = 0";
        assert_eq!(journal(&cluster, 0).execute(damage, []).unwrap(), 1);
    };
    for (harm, said) in [
        (&(|| ()) as &dyn Fn(), "up to position 1052"),
        (&no_past, "up to position 1052"),
        (&no_snapshot, "SNAPSHOT USELESS"),
    ] {
        assert!(cluster.stop(0));
        harm();
        cluster.start_all().await;
        cluster.wait_log(0, said).await;
        customer.log_in(&cluster).await;
        assert_eq!(customer.account(&cluster, &account).await, before);
    }
}
