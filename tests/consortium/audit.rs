//! What a bank's log says about its customers, and what a new password does at the other banks.

use serde_json::json;

use crate::cluster::Cluster;
use crate::customer::{Customer, cpf};

#[actix_rt::test]
async fn a_new_password_ends_the_sessions_at_all_banks_and_the_log_says_who_did_what() {
    let cluster = Cluster::start(3, "sessions").await;
    let customer = Customer::register(&cluster, "renata", 7).await;
    let account = customer.open(&cluster, 0, 123.45).await;
    let pay = |value: f64| {
        let operation = json!({"type": "WITHDRAW", "value": value, "sender": account.number});
        json!({"0": {account.number.to_string(): {"package": [operation]}}}).to_string()
    };
    let refused = customer.operate(&cluster, 0, &pay(500.0), "k").await.unwrap();
    assert!(refused.body["descript"].as_str().unwrap().contains("(123.45)"), "{refused:?}");
    for user in ["renata", "s3nha-no-campo-errado"] {
        let wrong = json!({"user_name": user, "password": "uma senha errada"});
        let answer = customer.http.post(&cluster.url(0, "/login"), &wrong).await;
        assert_eq!(answer.status, 400);
    }
    let change = json!({"user_name": "renata", "password": "12345678",
        "new_password": "uma senha nova"});
    let changed = customer.http.post(&cluster.url(1, "/password"), &change).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    for bank in 0..3 {
        let list = customer
            .http
            .client()
            .get(cluster.url(bank, "/accounts_user/renata"))
            .insert_header(("authorization", format!("Bearer {}", customer.tokens[bank])));
        let answer = customer.http.call(list, String::new()).await.unwrap();
        assert_eq!(answer.status, 401, "bank {bank}: {answer:?}");
    }
    cluster.wait_log(0, "audit event=login_refused user=renata from=127.0.0.1").await;
    cluster.wait_log(0, "audit event=login_refused from=127.0.0.1").await;
    cluster.wait_log(1, "audit event=password_changed user=renata").await;
    for bank in 0..3 {
        cluster.wait_log(bank, "audit event=login user=renata").await;
        let log = cluster.log(bank);
        let secrets = ["uma senha", "12345678", "123.45", &cpf(7), "s3nha", "argon2"];
        for secret in secrets {
            assert!(!log.contains(secret), "bank {bank}: {secret}\n{log}");
        }
    }
}
