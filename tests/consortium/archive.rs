//! Old entries that two of three banks have moved into archive files: what their customers read,
//! and what the third bank makes of it.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::customer::{Answer, Customer, OwnAccount};
use crate::processes::clocks::{Clocks, RIGHT};

/// How soon a bank has heard what the others have moved.
const TOLD_WITHIN: Duration = Duration::from_secs(60);
/// Whole blocks of 256, of the 1,002 old entries.
const MOVED: u64 = 768;

fn netbanking(cluster: &Cluster, bank: usize, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netbanking"))
        .args(arguments)
        .args(["--bank", &bank.to_string(), "--nodes"])
        .arg(cluster.nodes_json())
        .arg("--data")
        .arg(cluster.data(bank))
        .output()
        .unwrap()
}

fn done(cluster: &Cluster, bank: usize, arguments: &[&str]) -> String {
    let output = netbanking(cluster, bank, arguments);
    assert!(output.status.success(), "{arguments:?} {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn deposits(account: &OwnAccount, count: usize) -> String {
    let deposit = json!({"type": "DEPOSIT", "value": 0.01, "sender": account.number});
    let package = json!({account.number.to_string(): {"package": vec![deposit; count]}});
    json!({account.bank.to_string(): package}).to_string()
}

async fn read(cluster: &Cluster, customer: &Customer, bank: usize, path: &str) -> Answer {
    let token = format!("Bearer {}", customer.tokens[bank]);
    let read = customer.http.client().get(cluster.url(bank, path));
    let read = read.insert_header(("authorization", token));
    customer.http.call(read, String::new()).await.unwrap()
}

/// The status of a page and what it says.
async fn page(cluster: &Cluster, customer: &Customer, bank: usize, path: &str) -> (u16, String) {
    let cookie = format!("netbanking-{bank}={}", customer.tokens[bank]);
    let page = customer.http.client().get(cluster.url(bank, path));
    let mut page = page.insert_header(("cookie", cookie)).send().await.unwrap();
    let text = page.body().limit(16 << 20).await.unwrap();
    (page.status().as_u16(), String::from_utf8_lossy(&text).into_owned())
}

/// Waits until a bank says that it has, or has given up, everything; returns what it says.
async fn settled(cluster: &Cluster, bank: usize) -> Value {
    let deadline = Instant::now() + TOLD_WITHIN;
    loop {
        let past = cluster.status(bank).await["past"].clone();
        if past["missing"] == 0 {
            return past;
        }
        assert!(Instant::now() < deadline, "{past} {}", cluster.log(bank));
        actix_rt::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Three banks whose clocks were 200 days behind while a customer made a thousand entries, and are
/// right since; all are stopped.
async fn with_an_old_past() -> (Cluster, Customer, OwnAccount) {
    let cluster = Cluster::prepare(3, "sessions");
    let clocks = Clocks::in_folder(cluster.folder());
    for bank in 0..3 {
        clocks.set(bank, "-200d");
        let variables = clocks.variables(bank).into_iter();
        variables.for_each(|(name, value)| cluster.set_variable(bank, name, value));
    }
    cluster.start_all().await;
    let mut customer = Customer::register(&cluster, "helena77", 31).await;
    let account = customer.open(&cluster, 0, 1_000.0).await;
    customer.open(&cluster, 2, 1_000.0).await;
    for round in 0..4 {
        let package = deposits(&account, 250);
        let answer = customer.operate(&cluster, 1, &package, &format!("{round}")).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    cluster.assert_same_everywhere().await;
    (0..3).for_each(|bank| assert!(cluster.stop(bank)));
    (0..3).for_each(|bank| clocks.set(bank, RIGHT));
    cluster.start_all().await;
    customer.log_in(&cluster).await;
    let answer = customer.operate(&cluster, 1, &deposits(&account, 1), "now").await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    cluster.assert_same_everywhere().await;
    (0..3).for_each(|bank| assert!(cluster.stop(bank)));
    (cluster, customer, account)
}

fn has_audited(cluster: &Cluster, moved_to: &Path) {
    let whole = done(cluster, 2, &["audit"]);
    let line = |text: &str| text.lines().nth(1).unwrap().to_owned();
    assert!(line(&whole).contains("1003 entries of 2 accounts lead to the balances"), "{whole}");
    assert_eq!(line(&done(cluster, 0, &["audit"])), line(&whole), "with the files");
    let folder = cluster.data(0).join("archive");
    std::fs::rename(&folder, moved_to).unwrap();
    let without = done(cluster, 0, &["audit"]);
    assert!(without.contains("NOT LOOKED AT: entries 1 to 768"), "{without}");
    let there = moved_to.to_str().unwrap();
    assert_eq!(line(&done(cluster, 0, &["audit", "--archive", there])), line(&whole));
    std::fs::rename(moved_to, folder).unwrap();
}

/// What the archive's own command prints of the account.
fn in_files(cluster: &Cluster, account: &OwnAccount, more: &[&str]) -> Vec<String> {
    let folder = cluster.data(0).join("archive");
    let mut read = Command::new(env!("CARGO_BIN_EXE_netbanking"));
    let of = format!("{}-{}", account.bank, account.number);
    let read = read.args(["archive", "read", "--account", &of, "--folder"]).arg(folder).args(more);
    let output = read.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[actix_rt::test]
async fn what_is_old_is_read_from_files_and_every_bank_says_from_which_day_on_it_has_all() {
    let (cluster, mut customer, account) = with_an_old_past().await;
    let age = ["archive", "write", "--older-than", "100d"];
    for bank in [0, 1] {
        let said = done(&cluster, bank, &age);
        assert!(said.contains("entries 1 to 768 are in"), "{said}");
        assert!(done(&cluster, bank, &age).contains("no whole block of entries is that old"));
    }
    has_audited(&cluster, &cluster.folder().join("elsewhere"));
    let lines = in_files(&cluster, &account, &[]);
    let first: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!((&first["kind"], &first["value"]), (&json!("OPENING"), &json!("1000.00")));
    let csv = in_files(&cluster, &account, &["--csv", "--from", "2020-01-01"]);
    assert_eq!(csv.len(), lines.len() + 1);
    assert!(in_files(&cluster, &account, &["--to", "2020-01-01"]).is_empty());

    // The third bank begins anew; what the others have moved does not come.
    [0, 1].into_iter().for_each(|bank| drop(done(&cluster, bank, &["compact"])));
    std::fs::remove_dir_all(cluster.data(2)).unwrap();
    (0..3).for_each(|bank| cluster.start_bank(bank));
    cluster.wait_ready().await;
    cluster.wait_members(&[0, 1, 2]).await;
    cluster.wait_log(2, "are in archive files of all other banks").await;
    for bank in [0, 2] {
        let past = settled(&cluster, bank).await;
        assert_eq!((&past["entries"], &past["archived_through"]), (&json!(1_003), &json!(MOVED)));
    }
    customer.log_in(&cluster).await;
    let path = format!("/get_account/{}?limit=1000", account.number);
    let answer = read(&cluster, &customer, 0, &path).await;
    assert_eq!((answer.status, &answer.body["older_missing"]), (200, &Value::Null), "{answer:?}");
    let here = answer.body["transactions"].as_array().unwrap().len();
    assert_eq!(here + lines.len(), 1_002, "nothing is lost and nothing is doubled");
    let older = &answer.body["older_archived"];
    let from = older["complete_from"].as_str().unwrap();
    assert!(older["descript"].as_str().unwrap().contains("estão no arquivo do banco"), "{older}");

    let place = format!("/contas/0-{}", account.number);
    for (bank, path, status) in [
        (0, format!("{place}/extrato.csv"), 410),
        (2, format!("{place}/extrato.ofx"), 410),
        (0, format!("{place}/extrato.csv?de={from}"), 200),
        (2, format!("{place}/extrato.csv?de={from}"), 200),
        (0, format!("{place}/comprovante/0"), 410),
        (0, format!("{place}/comprovante/1001"), 200),
        (0, format!("{place}?antes=780"), 200),
    ] {
        let (found, text) = page(&cluster, &customer, bank, &path).await;
        assert_eq!(found, status, "{path} {text}");
        let says = text.contains("Os lançamentos anteriores estão no arquivo do banco");
        assert_eq!(says, status == 410 || path.contains("antes"), "{path} {text}");
    }
    // The banks still agree, and go on.
    let answer = customer.operate(&cluster, 2, &deposits(&account, 1), "on").await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    cluster.assert_same_everywhere().await;
}
