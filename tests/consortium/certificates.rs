//! Banks with certificates: the consortium works as without, and nobody speaks as a bank without
//! that bank's key.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use netbanking::config::{Config, Settings};
use netbanking::ids::BankId;
use netbanking::tls::Transport;
use netbanking::wire::{self, BANK_HEADER, PROTOCOL_VERSION};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::customer::{Customer, Http, cpf, registration};
use crate::processes::bank::SECRET;

const PATIENCE: Duration = Duration::from_secs(60);

async fn certified(banks: usize) -> Cluster {
    let cluster = Cluster::prepare(banks, "sessions");
    cluster.certify();
    cluster.start_all().await;
    cluster
}

/// Registers somebody at a bank; returns the status.
async fn write(cluster: &Cluster, bank: usize, number: u32) -> u16 {
    let newcomer = registration(&format!("novo{number}"), &cpf(number));
    Http::new().post(&cluster.url(bank, "/register-customer"), &newcomer).await.status
}

/// A client that shows the certificate of `own`, and expects bank 0.
fn client_with_certificate_of(cluster: &Cluster, own: u16) -> awc::Client {
    let folder = cluster.certificates().join(format!("bank-{own}"));
    let transport = Transport::with(Some(&folder), BankId(own), cluster.banks()).unwrap();
    wire::client_of_peer(BankId(0), &transport, 1, PATIENCE)
}

/// What bank 0 answers to a message about views that comes in the name of a bank.
async fn said_as(cluster: &Cluster, client: &awc::Client, named: u16) -> u16 {
    let sent = client
        .post(cluster.url(0, "/peer/view"))
        .insert_header(("authorization", format!("Bearer {SECRET}")))
        .insert_header((BANK_HEADER, named.to_string()))
        .insert_header(("content-type", "application/json"))
        .send_body(json!("Working").to_string())
        .await;
    sent.unwrap().status().as_u16()
}

#[actix_rt::test]
async fn banks_with_certificates_work_and_recover_as_without() {
    let cluster = certified(3).await;
    let mut customer = Customer::register(&cluster, "karen123", 5).await;
    customer.log_in(&cluster).await;
    let account = customer.open(&cluster, 1, 100.0).await;
    cluster.kill(2);
    cluster.wait_members(&[0, 1]).await;
    std::fs::remove_dir_all(cluster.data(2)).unwrap();
    assert_eq!(write(&cluster, 0, 6).await, 200);
    cluster.start_bank(2);
    cluster.wait_members(&[0, 1, 2]).await;
    assert_eq!(write(&cluster, 2, 7).await, 200);
    cluster.assert_same_everywhere().await;
    // The past is fetched over connections of its own.
    let deadline = Instant::now() + PATIENCE;
    while cluster.status(2).await["past"]["missing"] != 0 {
        assert!(Instant::now() < deadline, "{}", cluster.status(2).await["past"]);
        actix_rt::time::sleep(Duration::from_millis(50)).await;
    }
    drop(account);
}

#[actix_rt::test]
async fn nobody_speaks_as_a_bank_without_its_key() {
    let cluster = certified(3).await;
    // Who knows the secret, and shows no certificate.
    let open = wire::client(1, PATIENCE);
    assert_eq!(said_as(&cluster, &open, 1).await, 401);
    // A bank speaks for itself and for no other.
    let of_bank_2 = client_with_certificate_of(&cluster, 2);
    assert_eq!(said_as(&cluster, &of_bank_2, 1).await, 400);
    assert_ne!(said_as(&cluster, &of_bank_2, 2).await, 401);
    // Nor at the heartbeat port.
    let settings = Settings::of(&Config::load(&cluster.nodes_json()).unwrap());
    let hello =
        json!({"bank": 1, "secret": SECRET, "protocol": PROTOCOL_VERSION, "settings": settings});
    let mut stream = TcpStream::connect(("127.0.0.1", cluster.ports(0).1)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("{hello}\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!String::from_utf8_lossy(&answer).contains("welcome"), "{answer:?}");
    // Another consortium's certificate is none.
    let others = cluster.folder().join("others");
    cluster.certs_into(&others, &[]);
    let transport = Transport::with(Some(&others.join("bank-1")), BankId(1), 3).unwrap();
    let stranger = wire::client_of_peer(BankId(0), &transport, 1, PATIENCE);
    let refused = stranger.post(cluster.url(0, "/peer/view")).send_body("").await;
    assert!(refused.is_err());
    assert_eq!(write(&cluster, 0, 6).await, 200);
}

#[actix_rt::test]
async fn certificates_are_renewed_and_withdrawn_while_the_banks_work() {
    let cluster = certified(3).await;
    let began = cluster.process_id(0);
    cluster.certs(&[]);
    // A bank that starts has only the new one.
    cluster.kill(1);
    cluster.wait_members(&[0, 2]).await;
    cluster.start_bank(1);
    cluster.wait_members(&[0, 1, 2]).await;
    cluster.certs(&["--withdraw", "2"]);
    // It still runs, and the connections that it has do not save it.
    cluster.wait_members(&[0, 1]).await;
    assert_eq!(write(&cluster, 0, 6).await, 200);
    cluster.certs(&[]);
    cluster.wait_members(&[0, 1, 2]).await;
    assert_eq!(write(&cluster, 2, 7).await, 200);
    assert_eq!(cluster.process_id(0), began);
    cluster.assert_same_everywhere().await;
}

#[actix_rt::test]
async fn banks_on_several_machines_need_certificates_or_say_that_they_do_without() {
    let cluster = Cluster::prepare(2, "sessions");
    let elsewhere = |config: &mut Value| config["nodes"][1]["host"] = json!("192.0.2.1");
    cluster.change_nodes_json(&cluster.nodes_json(), elsewhere);
    cluster.start_bank(0);
    cluster.wait_log(0, "192.0.2.1 is not on this machine, and there are no certificates").await;
    cluster.change_nodes_json(&cluster.nodes_json(), |config| {
        config["insecure_peers"] = true.into();
    });
    cluster.kill(0);
    cluster.start_bank(0);
    cluster.wait_log(0, "insecure_peers: connections between banks are not encrypted").await;
    cluster.kill(0);
    cluster.change_nodes_json(&cluster.nodes_json(), |config| {
        config["insecure_peers"] = false.into();
    });
    cluster.certify();
    cluster.start_bank(0);
    cluster.wait_log(0, "connections between banks are encrypted").await;
}
