//! A minority of the banks may stop, hang or come back at any time: the others go on, and nobody
//! has to step in.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use serde_json::json;

use crate::cluster::Cluster;
use crate::customer::{Customer, OwnAccount, cpf, registration};

/// A transfer of 10 reais.
fn transfer(from: &OwnAccount, to: &OwnAccount) -> String {
    let transfer = json!({"type": "TRANSFER", "value": 10, "sender": from.number, "pix": to.key});
    json!({from.bank.to_string(): {from.number.to_string(): {"package": [transfer]}}}).to_string()
}

#[actix_rt::test]
async fn with_one_of_three_banks_stopped_the_others_go_on_and_the_third_comes_back_by_itself() {
    let cluster = Cluster::start(3, "sessions").await;
    let customer = Customer::register(&cluster, "karen123", 5).await;
    let mut accounts = Vec::new();
    for bank in 0..3 {
        accounts.push(customer.open(&cluster, bank, 100.0).await);
    }
    cluster.kill(2);
    for (bank, number) in [(0, 6), (1, 8)] {
        let body = registration(&format!("outra{bank}"), &cpf(number));
        let answer = customer.http.post(&cluster.url(bank, "/register-customer"), &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let opened = customer.open(&cluster, 1, 50.0).await;
    let moved = customer.operate(&cluster, 0, &transfer(&accounts[0], &opened), "a").await.unwrap();
    assert_eq!(moved.status, 200, "{moved:?}");
    for (package, key) in
        [(transfer(&accounts[0], &accounts[2]), "b"), (transfer(&accounts[2], &accounts[1]), "c")]
    {
        let refused = customer.operate(&cluster, 1, &package, key).await.unwrap();
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(refused.descript().contains("Banco 2 não está online"), "{refused:?}");
    }
    assert_eq!(customer.account(&cluster, &accounts[0]).await.0, 9_000);
    assert_eq!(customer.account(&cluster, &opened).await.0, 6_000);
    let log = cluster.log(0);
    assert!(log.contains("bank 2 left the consortium (connection closed or refused)"), "{log}");

    cluster.start_bank(2);
    cluster.wait_members(&[0, 1, 2]).await;
    let mut customer = customer;
    customer.log_in(&cluster).await;
    let moved =
        customer.operate(&cluster, 2, &transfer(&accounts[2], &accounts[0]), "d").await.unwrap();
    assert_eq!(moved.status, 200, "{moved:?}");
    // What it refused while the bank was away stays refused under the same key.
    let again =
        customer.operate(&cluster, 2, &transfer(&accounts[0], &accounts[2]), "b").await.unwrap();
    assert_eq!(again.status, 400, "{again:?}");
    assert_eq!(customer.account(&cluster, &accounts[2]).await.0, 9_000);
    cluster.assert_same_everywhere().await;
}

#[actix_rt::test]
async fn with_two_of_three_stopped_the_third_refuses_writes_within_a_second_but_serves_reads() {
    let cluster = Cluster::start(3, "sessions").await;
    let customer = Customer::register(&cluster, "mara21", 5).await;
    let account = customer.open(&cluster, 0, 250.0).await;
    let read = async |path: String| {
        let request = customer.http.client().get(cluster.url(0, &path));
        let token = format!("Bearer {}", customer.tokens[0]);
        request.insert_header(("authorization", token)).send().await.unwrap()
    };
    let path = format!("/get_account/{}", account.number);
    assert!(!read(path.clone()).await.headers().contains_key("warning"), "this is the latest");
    cluster.kill(1);
    cluster.kill(2);

    // The first write may have been on its way to a bank that was still there a moment ago.
    let body = registration("outra", &cpf(6));
    let answer = customer.http.post(&cluster.url(0, "/register-customer"), &body).await;
    assert!(matches!(answer.status, 503 | 504), "{answer:?}");
    let mut fastest = Duration::MAX;
    for number in 7..12 {
        let asked = Instant::now();
        let body = registration(&format!("outra{number}"), &cpf(number));
        let answer = customer.http.post(&cluster.url(0, "/register-customer"), &body).await;
        fastest = fastest.min(asked.elapsed());
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.descript().contains("não terá efeito"));
    }
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
    for path in [path, format!("/accounts_user/{}", customer.user), format!("/pix/{}", account.key)]
    {
        let answer = read(path.clone()).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert!(answer.headers().contains_key("warning"), "{path} does not say that it may be old");
    }

    cluster.start_bank(1);
    cluster.wait_members(&[0, 1]).await;
    let answer = customer
        .http
        .post(&cluster.url(1, "/register-customer"), &registration("mais", &cpf(20)))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    cluster.start_bank(2);
    cluster.wait_members(&[0, 1, 2]).await;
    cluster.assert_same_everywhere().await;
}

#[actix_rt::test]
async fn a_bank_paused_for_twenty_seconds_is_left_out_and_joins_again_when_it_resumes() {
    let cluster = Cluster::start(3, "sessions").await;
    let customer = Customer::register(&cluster, "thiago003", 5).await;
    let accounts =
        [customer.open(&cluster, 1, 100.0).await, customer.open(&cluster, 2, 100.0).await];
    cluster.signal(0, "-STOP");
    let paused = Instant::now();
    // Sent during the silence: the package waits, and is answered once the others have changed the
    // view.
    let answer =
        customer.operate(&cluster, 1, &transfer(&accounts[0], &accounts[1]), "a").await.unwrap();
    assert!(matches!(answer.status, 200 | 503 | 504), "{answer:?}");
    cluster.wait_members(&[1, 2]).await;
    let answer =
        customer.operate(&cluster, 2, &transfer(&accounts[0], &accounts[1]), "a").await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    actix_rt::time::sleep_until((paused + Duration::from_secs(20)).into()).await;
    cluster.signal(0, "-CONT");
    cluster.wait_members(&[0, 1, 2]).await;
    let again =
        customer.operate(&cluster, 0, &transfer(&accounts[0], &accounts[1]), "a").await.unwrap();
    assert_eq!(again, answer, "the bank that slept knows what was done meanwhile");
    assert_eq!(customer.account(&cluster, &accounts[1]).await.0, 11_000);
    cluster.assert_same_everywhere().await;
}

#[actix_rt::test]
async fn banks_that_slept_at_the_same_time_do_not_blame_each_other_and_write_again_at_once() {
    let cluster = Cluster::start(3, "sessions").await;
    let customer = Customer::register(&cluster, "silvia77", 9).await;
    let accounts =
        [customer.open(&cluster, 0, 1_000_000.0).await, customer.open(&cluster, 1, 100.0).await];
    let package = transfer(&accounts[0], &accounts[1]);
    let slept = Duration::from_secs(2)..Duration::from_secs(7);
    let began = Instant::now();
    let client = async |client: usize| {
        for number in 0.. {
            let asked = began.elapsed();
            if asked > slept.end + Duration::from_secs(6) {
                break;
            }
            let key = format!("{client}-{number}");
            let answer = customer.operate(&cluster, client % 3, &package, &key).await.unwrap();
            // The third bank, which lost both others for that time, is let in a little later.
            if client % 3 < 2 && asked > slept.end + Duration::from_secs(2) {
                assert_eq!(answer.status, 200, "{answer:?} after {asked:?}");
            }
        }
    };
    let sleep = async {
        actix_rt::time::sleep(slept.start).await;
        [0, 1].into_iter().for_each(|bank| cluster.signal(bank, "-STOP"));
        actix_rt::time::sleep(slept.end - slept.start).await;
        [0, 1].into_iter().for_each(|bank| cluster.signal(bank, "-CONT"));
    };
    join(join_all((0..24).map(client)), sleep).await;
    for bank in [0, 1] {
        let log = cluster.log(bank);
        for blame in ["does not keep up", "this bank's requests do not reach it"] {
            assert!(!log.contains(blame), "{log}");
        }
    }
    cluster.wait_members(&[0, 1, 2]).await;
    cluster.assert_same_everywhere().await;
}

#[actix_rt::test]
async fn a_flapping_bank_without_which_nothing_works_is_let_in_at_once() {
    let cluster = Cluster::start(3, "sessions").await;
    let customer = Customer::register(&cluster, "vera007", 7).await;
    let accounts =
        [customer.open(&cluster, 0, 100.0).await, customer.open(&cluster, 0, 100.0).await];
    cluster.kill(2);
    cluster.wait_members(&[0, 1]).await;
    for time in 1..=5 {
        cluster.kill(1);
        cluster.start_bank(1);
        let started = Instant::now();
        let package = transfer(&accounts[0], &accounts[1]);
        while customer.operate(&cluster, 0, &package, &format!("k{time}")).await.unwrap().status
            != 200
        {
            actix_rt::time::sleep(Duration::from_millis(20)).await;
        }
        let took = started.elapsed();
        assert!(
            took < Duration::from_secs(4),
            "no write for {took:?} after start {time} of bank 1"
        );
    }
    assert_eq!(customer.account(&cluster, &accounts[1]).await.0, 15_000);
    cluster.start_bank(2);
    cluster.wait_members(&[0, 1, 2]).await;
    cluster.assert_same_everywhere().await;
}

#[actix_rt::test]
async fn a_bank_with_another_nodes_json_is_refused_by_name() {
    let cluster = Cluster::start(2, "sessions").await;
    assert!(cluster.stop(1));
    let nodes = cluster.nodes_json();
    let other = std::fs::read_to_string(&nodes).unwrap().replace("Banco 0", "Outro banco");
    std::fs::write(&nodes, other).unwrap();
    cluster.start_bank(1);
    cluster
        .wait_log(1, r#"nodes[0].name differs: "Outro banco" at bank 1, "Banco 0" at bank 0"#)
        .await;
}
