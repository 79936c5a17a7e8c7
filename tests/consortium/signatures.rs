//! Events are signed by their banks, and what is passed on is held against the signature.

use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use netbanking::ids::BankId;
use netbanking::ids::request::{Header, RawRequest, raw};
use netbanking::ids::signature::{CertificateId, Signature};
use netbanking::ids::{Ballot, BankSet, EventId};
use netbanking::protocol::event::Event;
use netbanking::tls::Transport;
use netbanking::wire::{self, BANK_HEADER};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::customer::{Http, cpf, registration};
use crate::processes::bank::SECRET;

const PATIENCE: Duration = Duration::from_secs(60);

async fn write(cluster: &Cluster, bank: usize, number: u32) {
    let newcomer = registration(&format!("novo{number}"), &cpf(number));
    let answer = Http::new().post(&cluster.url(bank, "/register-customer"), &newcomer).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// What `netbanking audit` says of a stopped bank's disk, and whether all is well.
fn audit(cluster: &Cluster, bank: usize) -> (bool, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_netbanking"))
        .args(["audit", "--bank", &bank.to_string(), "--nodes"])
        .arg(cluster.nodes_json())
        .arg("--data")
        .arg(cluster.data(bank))
        .output()
        .unwrap();
    let said = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[actix_rt::test]
async fn a_consortium_begins_to_sign_and_old_events_stay_what_they_are() {
    let cluster = Cluster::start(3, "sessions").await;
    write(&cluster, 0, 1).await;
    (0..3).for_each(|bank| _ = cluster.stop(bank));
    cluster.certify();
    cluster.start_all().await;
    write(&cluster, 1, 2).await;
    // A bank without anything gets both kinds, of certificates that are not used any more.
    cluster.kill(2);
    cluster.wait_members(&[0, 1]).await;
    cluster.certs(&[]);
    cluster.kill(1);
    cluster.start_bank(1);
    cluster.wait_banks_ready(&[0, 1]).await;
    write(&cluster, 1, 3).await;
    std::fs::remove_dir_all(cluster.data(2)).unwrap();
    cluster.start_bank(2);
    cluster.wait_ready().await;
    write(&cluster, 2, 4).await;
    cluster.assert_same_everywhere().await;
    (0..3).for_each(|bank| _ = cluster.stop(bank));
    for bank in 0..3 {
        let (is_well, said) = audit(&cluster, bank);
        assert!(is_well, "{said}");
        let expected = "3 events in the journal are signed by their banks, 1 are from before events were signed";
        assert!(said.contains(expected), "{said}");
    }
    // Nothing proves what a certificate that is gone has signed.
    std::fs::remove_dir_all(cluster.data(0).join("signers")).unwrap();
    let (is_well, said) = audit(&cluster, 0);
    assert!(!is_well && said.contains("3 events in the journal are not proved"), "{said}");
}

#[actix_rt::test]
async fn an_event_that_its_bank_has_not_signed_is_refused_alone_and_named() {
    let cluster = Cluster::prepare(3, "sessions");
    cluster.certify();
    cluster.start_all().await;
    write(&cluster, 0, 1).await;
    let status = cluster.status(0).await;
    let number = |field: &str| status["view"][field].as_u64().unwrap();
    let coordinator = BankId(number("coordinator").try_into().unwrap());
    let view = Ballot { round: number("round"), coordinator };
    let mut clock: Vec<u64> = serde_json::from_value(status["clock"].clone()).unwrap();
    clock[2] += 1;
    let id = EventId::new(BankId(2), "forged");
    let request = RawRequest { id, type_msg: "X".into(), msg: raw(&1) };
    let header = Header { at_ms: 1, open: false };
    let event = Event::stamp(view, BankId(2), clock.into(), vec![request], header);
    let folder = cluster.certificates().join("bank-2");
    let transport = Transport::with(Some(&folder), BankId(2), 3).unwrap();
    let client = wire::client_of_peer(BankId(0), &transport, 1, PATIENCE);
    let other =
        Transport::with(Some(&cluster.certificates().join("bank-1")), BankId(1), 3).unwrap();
    let by_another = other.signer().unwrap().sign(event.wire().get(), BankSet::all(3)).unwrap();
    let certificate = std::fs::read(cluster.certificates().join("bank-1/bank.pem")).unwrap();
    other.learn(by_another.by, &certificate).unwrap();
    let is_by = |bank| other.is_by(BankId(bank), event.wire().get(), &by_another);
    assert!(is_by(1) && !is_by(2));
    for signatures in [json!([]), json!([by_another])] {
        let body = json!({"from": 2, "view": view, "events": [event], "signatures": signatures});
        let sent = client
            .post(cluster.url(0, "/peer/envelope"))
            .insert_header(("authorization", format!("Bearer {SECRET}")))
            .insert_header((BANK_HEADER, "2"))
            .send_json(&body)
            .await;
        let answer: Value = sent.unwrap().json().await.unwrap();
        assert_eq!(answer["expected"], event.counter(), "{answer}");
    }
    cluster.wait_log(0, "bank 2 sent an event that its sender has not signed").await;
    write(&cluster, 2, 2).await;
    cluster.assert_same_everywhere().await;
}

#[actix_rt::test]
async fn a_bank_that_names_certificates_and_gives_none_costs_others_one_question() {
    let cluster = Cluster::prepare(3, "sessions");
    cluster.certify();
    cluster.start_all().await;
    cluster.kill(2);
    cluster.wait_members(&[0, 1]).await;
    // It takes connections, and says nothing on them.
    let _mute = TcpListener::bind(("127.0.0.1", cluster.ports(2).0)).unwrap();
    let folder = cluster.certificates().join("bank-2");
    let transport = Transport::with(Some(&folder), BankId(2), 3).unwrap();
    let client = wire::client_of_peer(BankId(0), &transport, 1, PATIENCE);
    let unknown = |counter: u64| {
        let clock = vec![0, 0, counter].into();
        let id = EventId::new(BankId(2), &format!("x{counter}"));
        let request = RawRequest { id, type_msg: "X".into(), msg: raw(&1) };
        let header = Header { at_ms: 1, open: false };
        let event = Event::stamp(Ballot::default(), BankId(2), clock, vec![request], header);
        let mut by = [2; 16];
        by[..8].copy_from_slice(&counter.to_be_bytes());
        let seal = Arc::from([1; 64]);
        let signature = Signature { by: CertificateId(by), members: BankSet::all(3), seal };
        (json!(event), json!(signature))
    };
    let (events, signatures): (Vec<_>, Vec<_>) = (1..=64).map(unknown).unzip();
    let held = events.iter().zip(&signatures).map(
        |(event, signature)| json!({"event": event, "members": [0, 1, 2], "signature": signature}),
    );
    let flush =
        json!({"Events": {"ballot": Ballot::default(), "events": held.collect::<Vec<_>>()}});
    let envelope = json!({"from": 2, "events": events, "signatures": signatures});
    for (path, body) in [("/peer/envelope", envelope), ("/peer/view", flush)] {
        for _ in 0..3 {
            let sent = client
                .post(cluster.url(0, path))
                .insert_header(("authorization", format!("Bearer {SECRET}")))
                .insert_header((BANK_HEADER, "2"))
                .send_json(&body)
                .await;
            // To ask for all of them would have taken longer than this client waits.
            let status = sent.expect("it is answered soon").status().as_u16();
            assert!(matches!(status, 200 | 409), "{status}");
        }
    }
    write(&cluster, 0, 1).await;
}
