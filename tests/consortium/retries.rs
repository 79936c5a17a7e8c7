//! The same Idempotency-Key, however often and wherever it is sent, executes once.

use futures_util::future::join_all;
use serde_json::json;

use crate::cluster::Cluster;
use crate::customer::Customer;

#[actix_rt::test]
async fn one_key_sent_ten_times_at_three_banks_executes_once_and_gets_one_answer() {
    let cluster = Cluster::start(3, "sessions").await;
    let customer = Customer::register(&cluster, "juninho234", 3).await;
    let account = customer.open(&cluster, 0, 100.0).await;
    let deposit = |value: f64| {
        let operation = json!({"type": "DEPOSIT", "value": value, "sender": account.number});
        json!({"0": {account.number.to_string(): {"package": [operation]}}}).to_string()
    };
    let sent = (0..10).map(|attempt| {
        let (customer, cluster, package) = (&customer, &cluster, deposit(25.5));
        async move { customer.operate(cluster, attempt % 3, &package, "pedido-1").await.unwrap() }
    });
    let answers = join_all(sent).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, &answers[0].body));
    }
    let (balance, statement) = customer.account(&cluster, &account).await;
    assert_eq!((balance, statement.len()), (12_550, 2));

    for bank in 0..3 {
        let other = customer.operate(&cluster, bank, &deposit(30.0), "pedido-1").await.unwrap();
        assert_eq!(
            (other.status, other.descript()),
            (400, "Chave de idempotência já usada com outro pedido")
        );
    }
    assert_eq!(customer.account(&cluster, &account).await.0, 12_550);
}

#[actix_rt::test]
async fn a_refusal_is_repeated_with_its_first_position_although_it_would_succeed_now() {
    let cluster = Cluster::start(3, "sessions").await;
    let customer = Customer::register(&cluster, "mara21", 4).await;
    let account = customer.open(&cluster, 2, 50.0).await;
    let package = |kind: &str, value: f64| {
        let operation = json!({"type": kind, "value": value, "sender": account.number});
        json!({"2": {account.number.to_string(): {"package": [operation]}}}).to_string()
    };
    let refused = customer.operate(&cluster, 0, &package("WITHDRAW", 60.0), "saque").await.unwrap();
    assert_eq!(refused.status, 400);
    assert_eq!(
        customer.operate(&cluster, 0, &package("DEPOSIT", 60.0), "depósito?").await.unwrap().status,
        400
    );
    assert_eq!(
        customer.operate(&cluster, 0, &package("DEPOSIT", 60.0), "deposito").await.unwrap().status,
        200
    );
    let again = customer.operate(&cluster, 1, &package("WITHDRAW", 60.0), "saque").await.unwrap();
    assert_eq!((again.status, &again.body), (400, &refused.body));
    assert_eq!(customer.account(&cluster, &account).await.0, 11_000);
}
