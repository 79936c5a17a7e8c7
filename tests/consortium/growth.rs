//! A longer `nodes.json` counts once the banks have agreed on a view with it, and until then the
//! old one works.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::cluster::Cluster;
use crate::customer::Customer;

/// A command on the disk of a stopped bank.
fn on_disk(cluster: &Cluster, command: &str, bank: usize, nodes_json: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netbanking"))
        .args([command, "--bank", &bank.to_string(), "--nodes"])
        .arg(nodes_json)
        .arg("--data")
        .arg(cluster.data(bank))
        .output()
        .unwrap()
}

#[actix_rt::test]
async fn a_premature_entry_in_nodes_json_can_be_taken_back() {
    let mut cluster = Cluster::start(3, "sessions").await;
    let mut customer = Customer::register(&cluster, "mara21", 14).await;
    let account = customer.open(&cluster, 1, 75.0).await;
    cluster.assert_same_everywhere().await;
    let hash = cluster.status(0).await["hash"].clone();
    (0..3).for_each(|bank| assert!(cluster.stop(bank)));
    let old = cluster.own_nodes_json(2);
    cluster.change_nodes_json(&old, |_| {});
    cluster.add_bank();
    let new = cluster.nodes_json();

    // Two of the three and the new bank would be a majority of four.
    cluster.start_bank_with(2, &old);
    for bank in [0, 1, 3] {
        cluster.start_bank(bank);
    }
    for bank in [0, 1, 3] {
        cluster
            .wait_log(
                2,
                &format!(
                    "heartbeat of bank {bank} refused: nodes differs: 4 at bank {bank}, 3 at bank 2"
                ),
            )
            .await;
        cluster.wait_log(bank, "nodes differs: ").await;
    }
    for bank in [0, 1] {
        cluster.wait_log(bank, "bank 3 answers").await;
        assert_eq!(cluster.status(bank).await["view"], json!(null));
    }
    (0..4).for_each(|bank| cluster.kill(bank));

    for (command, bank) in [("rescue", 0), ("compact", 1)] {
        let output = on_disk(&cluster, command, bank, &old);
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    for bank in 0..3 {
        cluster.start_bank_with(bank, &old);
    }
    cluster.wait_ready().await;
    cluster.wait_members(&[0, 1, 2]).await;
    assert_eq!(cluster.status(1).await["hash"], hash);
    (0..3).for_each(|bank| assert!(cluster.stop(bank)));

    // All start with the new one: it counts from now on, and can no longer be taken back.
    cluster.start_all().await;
    cluster.wait_members(&[0, 1, 2, 3]).await;
    customer.log_in(&cluster).await;
    assert_eq!(customer.account(&cluster, &account).await.0, 7_500);
    (0..4).for_each(|bank| assert!(cluster.stop(bank)));
    for (command, bank) in [("rescue", 0), ("compact", 1), ("compact", 2)] {
        let output = on_disk(&cluster, command, bank, &old);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains("belongs to a consortium of 4 banks, and nodes.json lists 3"),
            "{command}: {said}"
        );
    }
    let output = on_disk(&cluster, "compact", 3, &new);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
