//! All processes are killed under load: what was answered stands, and what was refused left no
//! trace.

use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::load::Load;
use crate::processes::signal;

#[actix_rt::test]
async fn what_was_answered_survives_three_kills_of_all_processes_under_load() {
    let cluster = Cluster::start(3, "sessions").await;
    let mut load = Load::prepare(&cluster, 50).await;
    for _ in 0..3 {
        let killed_at = Instant::now() + Duration::from_secs(4);
        let processes: Vec<_> = (0..3).map(|bank| cluster.process_id(bank)).collect();
        let killing = async {
            actix_rt::time::sleep_until(killed_at.into()).await;
            assert!(signal("-KILL", &processes));
        };
        // The clients go on for a moment after the kill: what they send then reaches nobody.
        let until = killed_at + Duration::from_millis(500);
        futures_util::future::join(load.run(&cluster, 64, until), killing).await;
        (0..3).for_each(|bank| cluster.kill(bank));
        cluster.start_all().await;
        load.customer.log_in(&cluster).await;
        let lost = load.ask_again(&cluster).await;
        let judged = load.judge(&cluster).await;
        let position = cluster.assert_same_everywhere().await;
        println!("{judged} packages judged, {lost} asked again, position {position}");
        assert!(lost > 0, "the kill came in the middle of the load");
    }
    let journals: Vec<_> = (0..3)
        .map(|bank| {
            assert!(cluster.stop(bank), "bank {bank} ends cleanly:\n{}", cluster.log(bank));
            journal(&cluster, bank)
        })
        .collect();
    assert!(journals[0].len() > 100);
    assert_eq!(journals[0], journals[1]);
    assert_eq!(journals[0], journals[2]);
}

#[actix_rt::test]
async fn one_bank_after_the_other_is_killed_and_comes_back_under_load_and_nothing_is_lost() {
    let cluster = Cluster::start(3, "sessions").await;
    let mut load = Load::prepare(&cluster, 20).await;
    for bank in [2, 0, 1, 0, 2] {
        let killing = async {
            actix_rt::time::sleep(Duration::from_millis(700)).await;
            cluster.kill(bank);
            cluster.start_bank(bank);
            cluster.wait_ready().await;
        };
        let until = Instant::now() + Duration::from_millis(1_500);
        futures_util::future::join(load.run(&cluster, 24, until), killing).await;
        load.customer.log_in(&cluster).await;
    }
    load.ask_again(&cluster).await;
    load.judge(&cluster).await;
    cluster.assert_same_everywhere().await;
}

#[actix_rt::test]
async fn a_bank_that_lost_its_disk_is_given_the_journal_by_the_others() {
    let cluster = Cluster::start(3, "sessions").await;
    let load = Load::prepare(&cluster, 10).await;
    // More than one piece of journal.
    while cluster.assert_same_everywhere().await <= 600 {
        load.run(&cluster, 16, Instant::now() + Duration::from_secs(1)).await;
    }
    assert_eq!(load.ask_again(&cluster).await, 0);
    cluster.kill(1);
    std::fs::remove_dir_all(cluster.data(1)).unwrap();
    cluster.start_bank(1);
    cluster.wait_ready().await;
    let mut customer = load.customer.clone();
    customer.log_in(&cluster).await;
    let load = Load { customer, ..load };
    load.run(&cluster, 16, Instant::now() + Duration::from_secs(1)).await;
    load.judge(&cluster).await;
    cluster.assert_same_everywhere().await;
    assert!(cluster.log(1).contains("catching up: the journal from position 0 on"));
}

/// Position, hash and digest of every executed event, as they are on disk.
fn journal(cluster: &Cluster, bank: usize) -> Vec<(i64, Vec<u8>, Vec<u8>)> {
    let file = cluster.data(bank).join("journal.sqlite");
    let connection = rusqlite::Connection::open(file).unwrap();
    let sql = "SELECT x.position, x.hash, e.digest FROM executed x
               JOIN events e USING (round, coordinator, sum, sender) ORDER BY x.position";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}
