//! A bank that returns over a bad line: it is let in if the line carries more than the consortium
//! writes, and costs the others next to nothing meanwhile.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::Cluster;
use crate::customer::{Customer, OwnAccount};
use crate::processes::links::{Links, Passage, Port};

/// Longest time without an answer at the other banks.
const STOP_MAX: Duration = Duration::from_secs(2);
/// How soon the others write again when one bank cannot be reached by another.
const WRITES_AGAIN_WITHIN: Duration = Duration::from_secs(10);
/// How long packages go on before a bank returns, and while it does.
const AWAY: Duration = Duration::from_secs(3);
const UNDER_LOAD: Duration = Duration::from_secs(12);

/// Three banks, the last behind a proxy and no longer running, and a customer with two accounts.
async fn without_the_third() -> (Rc<Cluster>, Customer, [OwnAccount; 2]) {
    let cluster = Cluster::start_behind_links(3).await;
    let customer = Customer::register(&cluster, "karen123", 5).await;
    let accounts =
        [customer.open(&cluster, 0, 1_000.0).await, customer.open(&cluster, 1, 1_000.0).await];
    cluster.kill(2);
    cluster.wait_members(&[0, 1]).await;
    (Rc::new(cluster), customer, accounts)
}

/// A package of `operations` deposits of one centavo each.
fn package(account: &OwnAccount, operations: usize) -> String {
    let deposits =
        vec![json!({"type": "DEPOSIT", "value": 0.01, "sender": account.number}); operations];
    json!({account.bank.to_string(): {account.number.to_string(): {"package": deposits}}})
        .to_string()
}

/// Packages of one client, sent at intervals of `every`, none before the previous one is answered.
struct Deposits {
    account: OwnAccount,
    client: usize,
    operations: usize,
    every: Duration,
    /// When to begin to look at the answers.
    from: Instant,
}

impl Deposits {
    /// Sends them until `ended`; returns the longest time without an answer.
    async fn go_on(
        self,
        cluster: Rc<Cluster>,
        customer: Customer,
        ended: Rc<Cell<bool>>,
    ) -> Duration {
        let (mut last, mut longest) = (self.from, Duration::ZERO);
        let text = package(&self.account, self.operations);
        let mut turns = actix_rt::time::interval(self.every);
        for number in 0.. {
            turns.tick().await;
            let answer = customer
                .operate(&cluster, 0, &text, &format!("deposits {} {number}", self.client))
                .await;
            if answer.is_ok_and(|answer| answer.status == 200) {
                let now = Instant::now();
                longest = longest.max(now.saturating_duration_since(last));
                last = now.max(self.from);
            }
            if ended.get() {
                longest = longest.max(Instant::now().saturating_duration_since(last));
                break;
            }
        }
        longest
    }
}

fn narrow(links: &Links, bytes_per_second: u32) {
    for bank in [0, 1] {
        links.set_both(bank, 2, Passage::Narrow(bytes_per_second));
    }
}

/// How long the third bank needs to become a member again over a line of 64 kbit/s, with `missing`
/// bytes of journal to fetch.
async fn returns_over_64_kbit(missing: u64) -> Duration {
    let (cluster, customer, accounts) = without_the_third().await;
    let text = package(&accounts[0], 20);
    // A package of 20 deposits is an event of two and a half kilobytes.
    for key in 0..missing / 2_500 {
        let answer = customer.operate(&cluster, 0, &text, &format!("missing {key}")).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    narrow(cluster.links(), 8_000);
    let began = Instant::now();
    cluster.start_bank(2);
    while cluster.status(0).await["view"]["members"] != json!([0, 1, 2]) {
        assert!(began.elapsed() < Duration::from_secs(240), "{}", cluster.log(2));
        actix_rt::time::sleep(Duration::from_millis(200)).await;
    }
    began.elapsed()
}

#[actix_rt::test]
async fn a_bank_can_return_over_a_line_of_64_kbit_per_second() {
    let took = returns_over_64_kbit(96 * 1_024).await;
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[actix_rt::test]
#[ignore = "three minutes: cargo test --test consortium -- --ignored a_megabyte"]
async fn a_megabyte_of_journal_comes_over_64_kbit_per_second_within_four_minutes() {
    println!("{:?}", returns_over_64_kbit(1_024 * 1_024).await);
}

/// What became of a bank that returned while packages of 500 operations went on.
struct Return {
    /// How many bytes a second the line of a member had to carry meanwhile.
    written_per_second: f64,
    /// Whether it was a member before the packages ended.
    is_member: bool,
}

/// The third bank returns over lines of `line` bytes a second. `clients` clients send packages of
/// 500 deposits, two or three a second each; another one sends small packages, which show when the
/// others stop. In the end all banks are members.
async fn returns_under_load(line: u32, clients: usize) -> Return {
    let (cluster, customer, [large, small]) = without_the_third().await;
    narrow(cluster.links(), line);
    let (began, ended) = (Instant::now(), Rc::new(Cell::new(false)));
    let deposits = |account: &OwnAccount, client, operations, every| {
        let deposits =
            Deposits { account: account.clone(), client, operations, every, from: began };
        actix_rt::spawn(deposits.go_on(cluster.clone(), customer.clone(), ended.clone()))
    };
    let packages: Vec<_> = (0..clients)
        .map(|client| deposits(&large, client, 500, Duration::from_millis(400)))
        .collect();
    let answers = deposits(&small, clients, 1, Duration::from_millis(20));
    actix_rt::time::sleep(AWAY).await;
    cluster.start_bank(2);
    actix_rt::time::sleep(UNDER_LOAD).await;
    let is_member = cluster.status(0).await["view"]["members"] == json!([0, 1, 2]);
    let written_per_second = cluster.links().carried(0, 1) as f64 / began.elapsed().as_secs_f64();
    ended.set(true);
    for package in packages {
        package.await.unwrap();
    }
    let longest_stop = answers.await.unwrap();
    println!(
        "{line} bytes/s: {longest_stop:?}, {written_per_second:.0} bytes/s were written, member: {is_member}"
    );
    let from = Instant::now();
    cluster.wait_members(&[0, 1, 2]).await;
    println!("member {:?} after the packages had ended", from.elapsed());
    cluster.assert_same_everywhere().await;
    assert!(longest_stop < STOP_MAX, "no answer for {longest_stop:?}");
    Return { written_per_second, is_member }
}

#[actix_rt::test]
async fn a_line_of_50_kilobytes_per_second_stops_the_others_for_two_seconds_at_most() {
    let back = returns_under_load(50_000, 1).await;
    assert!(back.written_per_second > 1.5 * 50_000.0, "{} bytes/s", back.written_per_second);
    assert!(!back.is_member);
}

#[actix_rt::test]
async fn a_line_of_500_kilobytes_per_second_stops_the_others_for_two_seconds_at_most() {
    // The clients write more than the line carries, if the machine can do that.
    returns_under_load(500_000, 8).await;
}

#[actix_rt::test]
async fn over_a_line_of_1500_kilobytes_per_second_a_bank_returns_under_load() {
    let back = returns_under_load(1_500_000, 4).await;
    assert!(back.written_per_second < 1_000_000.0, "{} bytes/s", back.written_per_second);
    assert!(back.is_member);
}

#[actix_rt::test]
async fn one_blocked_port_leaves_one_bank_out_and_stops_the_others_once() {
    let (cluster, customer, accounts) = without_the_third().await;
    cluster.links().set_calls(1, 2, Port::Http, Passage::Closed);
    std::fs::remove_dir_all(cluster.data(2)).unwrap();
    let (began, ended) = (Instant::now(), Rc::new(Cell::new(false)));
    let deposits = |client: usize, from| {
        let account = accounts[client].clone();
        let deposits =
            Deposits { account, client, operations: 1, every: Duration::from_millis(20), from };
        actix_rt::spawn(deposits.go_on(cluster.clone(), customer.clone(), ended.clone()))
    };
    let (at_first, later) = (deposits(0, began), deposits(1, began + WRITES_AGAIN_WITHIN));
    cluster.start_bank(2);
    actix_rt::time::sleep(WRITES_AGAIN_WITHIN + Duration::from_secs(15)).await;
    ended.set(true);
    let (at_first, later) = (at_first.await.unwrap(), later.await.unwrap());
    assert!(
        at_first < WRITES_AGAIN_WITHIN && later < STOP_MAX,
        "no answer for {at_first:?} and then {later:?}"
    );
    cluster.wait_log(1, "this bank's requests do not reach it").await;
    cluster.wait_members(&[0, 1]).await;
    cluster.links().open_all();
    cluster.wait_members(&[0, 1, 2]).await;
}
