//! Wall clocks that are wrong, from the start or after a jump, at a minority of the banks: no key
//! is forgotten, no date is off, and every log says whose clock it is.

use std::time::{Duration, Instant};

use netbanking::actors::time::unix_ms;
use netbanking::ledger::calendar::{Date, TimeOfDay};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::customer::{Answer, Customer, OwnAccount};
use crate::processes::clocks::{Clocks, RIGHT};

/// How far a date may be from the truth, in seconds.
const OFF_MAX_S: i64 = 5;
const PATIENCE: Duration = Duration::from_secs(30);

/// Puts these banks' processes, from their next start on, under clocks that can be set; they are
/// right at first.
///
/// All have certificates, which must not take a wrong clock for the end of their time.
fn clocks_of(cluster: &Cluster, banks: &[usize]) -> Clocks {
    cluster.certify();
    let clocks = Clocks::in_folder(cluster.folder());
    for bank in banks {
        clocks.set(*bank, RIGHT);
        clocks
            .variables(*bank)
            .into_iter()
            .for_each(|(name, value)| cluster.set_variable(*bank, name, value));
    }
    clocks
}

/// Ana with an account at bank 0 and a payment that she sends again and again.
struct Payer {
    customer: Customer,
    account: OwnAccount,
    first: Answer,
    deposits: u32,
}

impl Payer {
    async fn pays(cluster: &Cluster) -> Payer {
        let customer = Customer::register(cluster, "ana123", 11).await;
        let account = customer.open(cluster, 0, 100.0).await;
        let package = Payer::package(&account, "WITHDRAW", 10.0);
        let first = customer.operate(cluster, 0, &package, "pagamento").await.unwrap();
        assert_eq!(first.status, 200, "{first:?}");
        Payer { customer, account, first, deposits: 0 }
    }

    fn package(account: &OwnAccount, kind: &str, value: f64) -> String {
        let operation = json!({"type": kind, "value": value, "sender": account.number});
        json!({"0": {account.number.to_string(): {"package": [operation]}}}).to_string()
    }

    /// Sends a refused request and a deposit through each bank: their dates are true, and the first
    /// payment is still known.
    async fn is_served_right(&mut self, cluster: &Cluster, when: &str) {
        self.customer.log_in(cluster).await;
        for bank in (0..cluster.banks()).rev() {
            self.deposits += 1;
            let key = format!("n{}", self.deposits);
            let refused = Payer::package(&self.account, "WITHDRAW", 1_000_000.0);
            let answer =
                self.customer.operate(cluster, bank, &refused, &format!("r{key}")).await.unwrap();
            assert_eq!(answer.status, 400, "{when}, bank {bank}: {answer:?}");
            let before_s = unix_ms() / 1_000;
            let deposit = Payer::package(&self.account, "DEPOSIT", 1.0);
            let answer = self.customer.operate(cluster, bank, &deposit, &key).await.unwrap();
            assert_eq!(answer.status, 200, "{when}, bank {bank}: {answer:?}");
            let (_, entries) = self.customer.account(cluster, &self.account).await;
            let entry = entries.last().unwrap();
            assert_eq!(entry["id"], answer.body["id"]);
            let after_s = unix_ms() / 1_000;
            assert!(
                is_dated(entry, before_s - OFF_MAX_S, after_s + OFF_MAX_S),
                "{when}, bank {bank}: {entry}"
            );
        }
        let package = Payer::package(&self.account, "WITHDRAW", 10.0);
        for bank in 0..cluster.banks() {
            let again = self.customer.operate(cluster, bank, &package, "pagamento").await.unwrap();
            assert_eq!(again, self.first, "{when}: the key is forgotten at bank {bank}");
        }
        let balance = 9_000 + 100 * i64::from(self.deposits);
        assert_eq!(self.customer.account(cluster, &self.account).await.0, balance);
    }
}

/// Whether an entry's date and time lie between these moments, in Unix seconds.
fn is_dated(entry: &Value, from_s: i64, to_s: i64) -> bool {
    let said = (entry["date"].as_str().unwrap(), entry["time"].as_str().unwrap());
    (from_s..=to_s).any(|at_s| {
        let (date, time) =
            (Date::at(at_s * 1_000).to_string(), TimeOfDay::at(at_s * 1_000).to_string());
        said == (date.as_str(), time.as_str())
    })
}

/// Waits until every bank says of these banks, and of no others, that their clocks are off.
async fn wait_named(cluster: &Cluster, wrong: &[usize]) {
    let deadline = Instant::now() + PATIENCE;
    for bank in 0..cluster.banks() {
        loop {
            let status = cluster.status(bank).await;
            let banks = status["banks"].as_array().unwrap();
            let named: Vec<_> =
                (0..banks.len()).filter(|bank| banks[*bank]["clock_off"] == true).collect();
            if named == wrong {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "bank {bank} names {named:?}, not {wrong:?}: {status}"
            );
            actix_rt::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn wait_log_everywhere(cluster: &Cluster, text: &str) {
    for bank in 0..cluster.banks() {
        cluster.wait_log(bank, text).await;
    }
}

const SHIFTS: [(&str, &str); 6] = [
    ("+1h", "60 min ahead"),
    ("-1h", "60 min behind"),
    ("+25h", "25 h ahead"),
    ("-25h", "25 h behind"),
    ("+64y", "days ahead"),
    ("-64y", "days behind"),
];

#[actix_rt::test]
async fn one_clock_of_three_that_jumps_while_the_bank_runs_forgets_no_key_and_spoils_no_date() {
    let cluster = Cluster::prepare(3, "sessions");
    let clocks = clocks_of(&cluster, &[2]);
    cluster.start_all().await;
    let mut payer = Payer::pays(&cluster).await;
    for (shift, said) in SHIFTS {
        clocks.set(2, shift);
        payer.is_served_right(&cluster, &format!("just after {shift}")).await;
        wait_named(&cluster, &[2]).await;
        payer.is_served_right(&cluster, &format!("while {shift}")).await;
        wait_log_everywhere(&cluster, said).await;
        clocks.set(2, RIGHT);
        wait_named(&cluster, &[]).await;
        payer.is_served_right(&cluster, &format!("after {shift}")).await;
    }
    wait_log_everywhere(&cluster, "CLOCK WRONG: bank 2's is").await;
    wait_log_everywhere(&cluster, "bank 2's clock is right again").await;
    cluster.assert_same_everywhere().await;
}

#[actix_rt::test]
async fn one_clock_of_three_that_is_wrong_from_the_start_forgets_no_key_and_spoils_no_date() {
    let cluster = Cluster::prepare(3, "sessions");
    let clocks = clocks_of(&cluster, &[2]);
    cluster.start_all().await;
    let mut payer = Payer::pays(&cluster).await;
    for (shift, _) in SHIFTS {
        cluster.kill(2);
        clocks.set(2, shift);
        cluster.start_bank(2);
        cluster.wait_ready().await;
        cluster.wait_members(&[0, 1, 2]).await;
        payer.is_served_right(&cluster, &format!("started {shift}")).await;
        wait_named(&cluster, &[2]).await;
    }
    cluster.assert_same_everywhere().await;
}

#[actix_rt::test]
async fn two_wrong_clocks_of_five_forget_no_key_and_spoil_no_date() {
    let cluster = Cluster::prepare(5, "sessions");
    let clocks = clocks_of(&cluster, &[1, 4]);
    clocks.set(1, "+25h");
    clocks.set(4, "+25h");
    cluster.start_all().await;
    let mut payer = Payer::pays(&cluster).await;
    payer.is_served_right(&cluster, "from the start").await;
    wait_named(&cluster, &[1, 4]).await;
    for [one, other] in [["+64y", "-64y"], ["-25h", "-25h"], ["-1h", "+1h"]] {
        clocks.set(1, one);
        clocks.set(4, other);
        payer.is_served_right(&cluster, &format!("{one} and {other}")).await;
        wait_named(&cluster, &[1, 4]).await;
    }
    clocks.set(1, RIGHT);
    clocks.set(4, RIGHT);
    wait_named(&cluster, &[]).await;
    payer.is_served_right(&cluster, "all right again").await;
    cluster.assert_same_everywhere().await;
}

#[actix_rt::test]
async fn a_clock_beyond_the_calendar_does_not_end_the_process() {
    let cluster = Cluster::prepare(3, "sessions");
    let clocks = clocks_of(&cluster, &[2]);
    cluster.start_all().await;
    let mut payer = Payer::pays(&cluster).await;
    // After the year 9999, and before 1970.
    for shift in ["+8100y", "-100y"] {
        clocks.set(2, shift);
        payer.is_served_right(&cluster, shift).await;
        wait_named(&cluster, &[2]).await;
        cluster.kill(2);
        cluster.start_bank(2);
        cluster.wait_ready().await;
        cluster.wait_members(&[0, 1, 2]).await;
        payer.is_served_right(&cluster, &format!("started {shift}")).await;
    }
    // It still logs, and ends when it is told to.
    clocks.set(2, RIGHT);
    cluster.wait_log(2, "clock is right again").await;
    assert!(cluster.stop(2));
}
