//! Banks that differ in settings that matter to money or safety refuse each other, naming the
//! setting.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::cluster::Cluster;
use crate::customer::{Http, cpf, registration};

#[actix_rt::test]
async fn a_bank_with_different_settings_is_refused_naming_the_field_and_moves_no_money() {
    let cluster = Cluster::prepare(3, "sessions");
    let own = cluster.own_nodes_json(2);
    cluster.change_nodes_json(&own, |config| config["customer_auth"] = "open".into());
    cluster.start_bank_with(2, &own);
    cluster.start_bank(0);
    cluster.start_bank(1);
    let difference = r#"customer_auth differs: "open" at bank 2, "sessions" at bank 0"#;
    cluster.wait_log(0, &format!("heartbeat of bank 2 refused: {difference}")).await;
    cluster
        .wait_log(
            2,
            &format!("no heartbeat from bank 0 at 127.0.0.1:{}: {difference}", cluster.ports(0).1),
        )
        .await;

    // A first view needs all banks: there is none, so nothing is executed anywhere.
    let http = Http::new();
    for bank in 0..3 {
        let answer = http
            .post(&cluster.url(bank, "/register-customer"), &registration("estranho", &cpf(1)))
            .await;
        assert_eq!(answer.status, 503, "bank {bank}: {answer:?}");
        let status = cluster.status(bank).await;
        assert_eq!(
            (&status["position"], &status["view"]),
            (&json!(0), &json!(null)),
            "bank {bank}: {status}"
        );
    }

    // A person who compares the files is told the same.
    let compared = Command::new(env!("CARGO_BIN_EXE_netbanking"))
        .args(["check", "--url", &cluster.url(2, ""), "--nodes"])
        .arg(cluster.nodes_json())
        .output()
        .unwrap();
    let said = String::from_utf8(compared.stderr).unwrap();
    assert!(
        said.contains(r#": customer_auth differs: "sessions" in the file, "open" at the bank"#),
        "{said}"
    );
    assert_eq!(compared.status.code(), Some(1));

    // There are five attempts a second, but only one line for each refused bank.
    actix_rt::time::sleep(Duration::from_secs(2)).await;
    for (bank, of) in
        [(0, "bank 2 refused"), (1, "bank 2 refused"), (2, "bank 0 refused"), (2, "bank 1 refused")]
    {
        let lines = cluster.log(bank).lines().filter(|line| line.contains(of)).count();
        assert_eq!(lines, 1, "bank {bank}:\n{}", cluster.log(bank));
    }

    cluster.kill(2);
    cluster.start_bank(2);
    cluster.wait_members(&[0, 1, 2]).await;
}

#[actix_rt::test]
async fn a_running_consortium_goes_on_without_a_bank_that_returns_with_other_times() {
    let cluster = Cluster::start(3, "sessions").await;
    cluster.kill(2);
    cluster.wait_members(&[0, 1]).await;
    let own = cluster.own_nodes_json(2);
    cluster
        .change_nodes_json(&own, |config| config["heartbeat"]["failure_after_ms"] = 60_000.into());
    cluster.start_bank_with(2, &own);
    let difference = "heartbeat.failure_after_ms differs: 60000 at bank 2, 3000 at bank 1";
    cluster.wait_log(1, &format!("heartbeat of bank 2 refused: {difference}")).await;
    cluster.wait_log(2, difference).await;
    // Longer than a bank that has come back would be watched.
    actix_rt::time::sleep(Duration::from_secs(2)).await;
    cluster.wait_members(&[0, 1]).await;
    assert_eq!(cluster.status(2).await["view"], json!(null));

    cluster.kill(2);
    cluster.start_bank(2);
    cluster.wait_members(&[0, 1, 2]).await;
}
