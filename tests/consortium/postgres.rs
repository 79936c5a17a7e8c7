//! Banks whose journals are in PostgreSQL: the server is killed under load, hangs, and is shared by
//! mistake.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::https::make_certificate;
use crate::load::Load;
use crate::processes::postgres::Postgres;

/// Goes into every URL; nothing that is written anywhere may have it.
const PASSWORD: &str = "s3cret-of-the-bank";

/// A URL with a password, for which this server does not ask.
fn with_password(url: &str) -> String {
    url.replace("bank@", &format!("bank:{PASSWORD}@"))
}

/// How often the server is killed.
fn kills() -> usize {
    std::env::var("NETBANKING_TEST_KILLS").map_or(3, |count| count.parse().unwrap())
}

#[actix_rt::test]
async fn a_database_that_is_killed_under_load_loses_and_doubles_nothing_and_ends_no_bank() {
    let server = Postgres::start();
    let cluster = Cluster::prepare(3, "sessions");
    for bank in 0..3 {
        let url = with_password(&server.make_database());
        cluster.set_variable(bank, "NETBANKING_STORE", url);
    }
    cluster.start_all().await;
    let processes: Vec<_> = (0..3).map(|bank| cluster.process_id(bank)).collect();
    let mut load = Load::prepare(&cluster, 30).await;
    for _ in 0..kills() {
        let until = Instant::now() + Duration::from_secs(4);
        let killing = async {
            actix_rt::time::sleep(Duration::from_secs(2)).await;
            let sent = load.sent.borrow().len();
            let (killed, server) = (Instant::now(), &server);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    server.kill();
                    server.go_on();
                });
            });
            println!("killed after {sent} packages, back after {:?}", killed.elapsed());
        };
        futures_util::future::join(load.run(&cluster, 64, until), killing).await;
        cluster.wait_ready().await;
        load.customer.log_in(&cluster).await;
        let lost = load.ask_again(&cluster).await;
        let judged = load.judge(&cluster).await;
        let position = cluster.assert_same_everywhere().await;
        println!("{judged} packages judged, {lost} asked again, position {position}");
    }
    for (bank, process) in processes.into_iter().enumerate() {
        assert_eq!(cluster.process_id(bank), process);
        let log = cluster.log(bank);
        assert!(log.contains("DATABASE AWAY") && log.contains("database back"), "{log}");
        assert!(!log.contains(PASSWORD), "{log}");
        assert!(cluster.stop(bank), "bank {bank} ends cleanly:\n{}", cluster.log(bank));
    }
    // All of it is on disk, whole, and leads to the same.
    let said: Vec<_> = (0..3).map(|bank| audit(&cluster, bank)).collect();
    let same = |text: &String| text.split_once(": ").unwrap().1.to_owned();
    assert!(said.iter().all(|text| same(text) == same(&said[0])), "{said:?}");
}

#[actix_rt::test]
async fn a_replica_takes_the_place_of_a_database_that_is_killed_under_load_and_nothing_is_lost() {
    let server = Postgres::start();
    let cluster = Cluster::prepare(3, "sessions");
    let databases: Vec<_> = (0..3).map(|_| server.make_database()).collect();
    let replica = server.start_replica();
    for (bank, url) in databases.iter().enumerate() {
        let url = server.url_with(&replica, &with_password(url));
        cluster.set_variable(bank, "NETBANKING_STORE", url);
    }
    cluster.start_all().await;
    let processes: Vec<_> = (0..3).map(|bank| cluster.process_id(bank)).collect();
    let mut load = Load::prepare(&cluster, 30).await;
    let not_synchronous = "REPLICA NOT SYNCHRONOUS";
    assert!((0..3).all(|bank| !cluster.log(bank).contains(not_synchronous)));
    let until = Instant::now() + Duration::from_secs(8);
    let failing_over = async {
        while load.sent.borrow().len() < 500 {
            actix_rt::time::sleep(Duration::from_millis(20)).await;
        }
        let (sent, killed) = (load.sent.borrow().len(), Instant::now());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                server.kill();
                replica.promote();
            });
        });
        println!(
            "killed after {sent} packages, the replica took over after {:?}",
            killed.elapsed()
        );
    };
    futures_util::future::join(load.run(&cluster, 64, until), failing_over).await;
    cluster.wait_ready().await;
    load.customer.log_in(&cluster).await;
    load.run(&cluster, 64, Instant::now() + Duration::from_secs(2)).await;
    let lost = load.ask_again(&cluster).await;
    let judged = load.judge(&cluster).await;
    let position = cluster.assert_same_everywhere().await;
    println!("{judged} packages judged, {lost} asked again, position {position}");
    for (bank, process) in processes.into_iter().enumerate() {
        assert_eq!(cluster.process_id(bank), process);
        let log = cluster.log(bank);
        assert!(log.contains("database back") && !log.contains("DAMAGED"), "{log}");
        // There is no other replica yet.
        assert!(log.contains(not_synchronous) && !log.contains(PASSWORD), "{log}");
        assert!(cluster.stop(bank), "bank {bank} ends cleanly:\n{}", cluster.log(bank));
    }
    let said: Vec<_> = (0..3).map(|bank| audit(&cluster, bank)).collect();
    let same = |text: &String| text.split_once(": ").unwrap().1.to_owned();
    assert!(said.iter().all(|text| same(text) == same(&said[0])), "{said:?}");
}

fn audit(cluster: &Cluster, bank: usize) -> String {
    let done = command(cluster, bank, "audit").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// A command on the disk of a bank that has stopped, with its environment.
fn command(cluster: &Cluster, bank: usize, name: &str) -> Command {
    command_on(cluster, bank, name, &cluster.data(bank))
}

fn command_on(cluster: &Cluster, bank: usize, name: &str, data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netbanking"));
    command.arg(name).args(["--bank", &bank.to_string()]);
    command.arg("--nodes").arg(cluster.nodes_json()).arg("--data").arg(data);
    command.envs(cluster.variables(bank));
    command
}

#[actix_rt::test]
async fn a_bank_whose_database_hangs_is_left_out_and_comes_back() {
    let server = Postgres::start();
    let cluster = Cluster::prepare(3, "sessions");
    cluster.set_variable(2, "NETBANKING_STORE", server.make_database());
    cluster.start_all().await;
    let mut load = Load::prepare(&cluster, 20).await;
    server.signal_all("-STOP");
    load.run(&cluster, 12, Instant::now() + Duration::from_secs(6)).await;
    cluster.wait_members(&[0, 1]).await;
    server.signal_all("-CONT");
    cluster.wait_members(&[0, 1, 2]).await;
    load.customer.log_in(&cluster).await;
    load.ask_again(&cluster).await;
    load.judge(&cluster).await;
    cluster.assert_same_everywhere().await;
}

#[actix_rt::test]
async fn the_way_to_a_database_is_encrypted_if_its_url_says_so_and_ends_at_a_server_that_is_known()
{
    let server = Postgres::start();
    let cluster = Cluster::prepare(1, "sessions");
    let url = with_password(&server.make_database());
    let certificates = tempfile::tempdir().unwrap();
    let [authority, certificate, key] = ["authority.pem", "fullchain.pem", "privkey.pem"]
        .map(|name| certificates.path().join(name));
    make_certificate(certificates.path());
    server.encrypt(&certificate, &key);
    std::fs::create_dir(cluster.data(0)).unwrap();
    let asked = |url: &str, authority: &Path| {
        let mut command = command(&cluster, 0, "audit");
        command.env("NETBANKING_STORE", url).env("SSL_CERT_FILE", authority).output().unwrap()
    };
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let plain = asked(&url, &authority);
    let why = said(&plain.stderr);
    assert!(!plain.status.success() && why.contains("no encryption"), "{why}");
    let encrypted = format!("{url}?sslmode=require");
    let done = asked(&encrypted, &authority);
    assert!(done.status.success(), "{}", said(&done.stderr));
    // The system's authorities, of which the one of this server is none.
    let stranger = asked(&encrypted, Path::new("/nowhere"));
    let why = said(&stranger.stderr);
    assert!(!stranger.status.success() && why.contains("the database refuses"), "{why}");
    assert!(why.contains("certificate") && !why.contains(PASSWORD), "{why}");
}

#[actix_rt::test]
async fn a_bank_moves_into_a_database_and_back_and_no_second_node_uses_it() {
    let server = Postgres::start();
    let cluster = Cluster::start(3, "sessions").await;
    let mut load = Load::prepare(&cluster, 10).await;
    load.run(&cluster, 8, Instant::now() + Duration::from_secs(1)).await;
    assert!(cluster.stop(1));
    let before = audit(&cluster, 1);
    cluster.set_variable(1, "NETBANKING_STORE", with_password(&server.make_database()));
    let moved = command(&cluster, 1, "move-store").args(["--to", "postgres"]).output().unwrap();
    let said = String::from_utf8_lossy(&moved.stdout).into_owned();
    assert!(moved.status.success(), "{}", String::from_utf8_lossy(&moved.stderr));
    assert!(said.contains("the journal is now in postgres://127.0.0.1:"), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
    assert_eq!(audit(&cluster, 1), before);
    cluster.start_bank(1);
    cluster.wait_ready().await;
    let folder = tempfile::tempdir().unwrap();
    let second = command_on(&cluster, 1, "audit", folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && said.contains("another node uses it"), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
    load.customer.log_in(&cluster).await;
    load.run(&cluster, 8, Instant::now() + Duration::from_secs(1)).await;
    assert!(cluster.stop(1));
    let back = command(&cluster, 1, "move-store").args(["--to", "sqlite"]).output().unwrap();
    assert!(back.status.success(), "{}", String::from_utf8_lossy(&back.stderr));
    cluster.set_variable(1, "NETBANKING_STORE", "sqlite".into());
    cluster.start_bank(1);
    cluster.wait_ready().await;
    load.customer.log_in(&cluster).await;
    load.ask_again(&cluster).await;
    load.judge(&cluster).await;
    cluster.assert_same_everywhere().await;
}
