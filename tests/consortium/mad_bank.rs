//! Whoever holds the secret of the consortium says what no bank would say, in the name of bank 2:
//! the other banks neither end nor stop for good, and go on after a restart as well.

use std::time::{Duration, Instant};

use netbanking::wire::BANK_HEADER;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::customer::{Http, cpf, registration};
use crate::processes::bank::SECRET;

const MAD: u16 = 2;
const OTHERS: [usize; 2] = [0, 1];
const PATIENCE: Duration = Duration::from_secs(60);
/// How far above what a bank has seen a round may be.
const ROUNDS_AHEAD: u64 = 1 << 22;

struct Attack {
    cluster: Cluster,
    http: Http,
    customers: u32,
}

impl Attack {
    async fn on_three_banks() -> Attack {
        let cluster = Cluster::start(3, "sessions").await;
        Attack { cluster, http: Http::new(), customers: 0 }
    }

    /// Says something in the name of bank 2; returns the status.
    async fn says(&self, to: usize, path: &str, body: &Value) -> u16 {
        let request = self
            .http
            .client()
            .post(self.cluster.url(to, path))
            .insert_header(("authorization", format!("Bearer {SECRET}")))
            .insert_header((BANK_HEADER, MAD.to_string()));
        self.http.call(request, body.to_string()).await.expect("it lives").status
    }

    async fn promised(&self, bank: usize) -> u64 {
        let status = self.cluster.status(bank).await;
        status["banks"][bank]["report"]["promised"]["round"].as_u64().unwrap()
    }

    /// Stops both other banks for the next ballot of bank 2, and returns it.
    async fn stop_both(&self) -> Value {
        let round = self.promised(0).await.max(self.promised(1).await) + 1;
        let ballot = json!({"round": round, "coordinator": MAD});
        for bank in OTHERS {
            self.says(bank, "/peer/view", &json!({"Stop": ballot})).await;
        }
        for bank in OTHERS {
            let deadline = Instant::now() + PATIENCE;
            while self.promised(bank).await < round {
                assert!(Instant::now() < deadline, "bank {bank} does not stop");
                actix_rt::time::sleep(Duration::from_millis(10)).await;
            }
        }
        ballot
    }

    /// Has both others begin a view, if they can be talked into it.
    async fn begin(&self, lie: impl Fn(&mut Value)) {
        let ballot = self.stop_both().await;
        for bank in OTHERS {
            let status = self.cluster.status(bank).await;
            let mut plan = json!({
                "ballot": ballot, "members": [0, 1, 2], "position": status["position"],
                "hash": status["hash"], "source": 0, "clock": status["clock"], "events": [],
            });
            lie(&mut plan);
            for message in [json!({"Prepare": plan}), json!({"Start": ballot})] {
                self.says(bank, "/peer/view", &message).await;
            }
        }
    }

    /// All take writes, now and after a restart.
    async fn the_others_go_on(&mut self) {
        self.write().await;
        for bank in OTHERS {
            self.cluster.kill(bank);
        }
        for bank in OTHERS {
            self.cluster.start_bank(bank);
        }
        self.write().await;
    }

    async fn write(&mut self) {
        self.cluster.wait_banks_ready(&OTHERS).await;
        for bank in OTHERS {
            let deadline = Instant::now() + PATIENCE;
            loop {
                self.customers += 1;
                let (user, cpf) = (format!("cliente{}", self.customers), cpf(self.customers));
                let url = self.cluster.url(bank, "/register-customer");
                let answer = self.http.post(&url, &registration(&user, &cpf)).await;
                if answer.status == 200 {
                    break;
                }
                assert!(Instant::now() < deadline, "bank {bank} takes no writes: {answer:?}");
                actix_rt::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

#[actix_rt::test]
async fn a_round_near_the_largest_locks_nobody_out_not_even_after_a_restart() {
    let mut attack = Attack::on_three_banks().await;
    let before = attack.promised(0).await;
    for round in [(1_u64 << 62) - 1, 1 << 62, u64::MAX, 3 * ROUNDS_AHEAD] {
        for coordinator in [MAD, 60_000] {
            let ballot = json!({"round": round, "coordinator": coordinator});
            for bank in OTHERS {
                attack.says(bank, "/peer/view", &json!({"Stop": ballot})).await;
                let envelope = json!({"from": MAD, "view": ballot});
                assert_eq!(attack.says(bank, "/peer/envelope", &envelope).await, 409);
            }
        }
    }
    attack.the_others_go_on().await;
    for bank in OTHERS {
        let promised = attack.promised(bank).await;
        // The mark follows what is named, a step a tick.
        assert!(promised < before + 2 * ROUNDS_AHEAD, "bank {bank} has promised {promised}");
        attack.cluster.wait_log(bank, "IMPOSSIBLE: bank 2 sent a ballot or view").await;
    }
    attack.cluster.assert_same_everywhere().await;
}

#[actix_rt::test]
async fn plans_with_numbers_that_cannot_be_end_no_process_and_are_not_on_disk_after_a_restart() {
    let mut attack = Attack::on_three_banks().await;
    attack.write().await;
    attack.begin(|plan| plan["clock"] = json!([0, 0, (1_u64 << 62) - 1])).await;
    attack.the_others_go_on().await;
    let key = |round: u64, coordinator: u16, sum: u64, sender: u16| json!([[{"view": {"round": round, "coordinator": coordinator}, "sum": sum, "sender": sender}, MAD]]);
    for events in [key(1, 0, 1, 63), key(1, 60_000, 1, 0), key(1, 0, 1, 0), key(1, 0, u64::MAX, 1)]
    {
        attack.begin(|plan| plan["events"] = events.clone()).await;
    }
    attack.begin(|plan| plan["members"] = json!([0, 40])).await;
    attack.begin(|plan| plan["source"] = json!(60_000)).await;
    attack.begin(|plan| plan["hash"] = json!("9".repeat(64))).await;
    attack.the_others_go_on().await;
    for bank in OTHERS {
        attack.cluster.wait_log(bank, "IMPOSSIBLE: bank 2 sent a plan").await;
    }
    attack.cluster.assert_same_everywhere().await;
}

#[actix_rt::test]
async fn events_questions_and_claims_that_cannot_be_end_no_process() {
    let mut attack = Attack::on_three_banks().await;
    let view = attack.cluster.status(0).await["view"].clone();
    let view = json!({"round": view["round"], "coordinator": view["coordinator"]});
    let event = |sender: u16, timestamp: Value| {
        json!({"view": view, "sender": sender, "timestamp": timestamp, "at_ms": 1, "type_msg": "X",
            "id": "EV2-x", "msg": {}})
    };
    let zeros = "0".repeat(64);
    let envelopes = [
        json!({"events": [event(63, json!(vec![1; 64]))]}),
        json!({"events": [event(MAD, json!([0, 0, 1, 0, 0]))]}),
        json!({"events": [event(MAD, json!([1_u64 << 62, 0, 1]))]}),
        json!({"clock": [u64::MAX, u64::MAX, u64::MAX]}),
        json!({"clock": [0, 1_u64 << 62, 0]}),
        json!({"position": u64::MAX, "hash": zeros}),
        json!({"agreed": {"position": u64::MAX, "hash": zeros}}),
        json!({"gathered": {"all": [u64::MAX, 0, 0], "own": [0, 0, u64::MAX]}}),
    ];
    let executed = |position: u64, sender: u16| {
        let held = json!({"event": event(sender, json!(vec![1; 64])), "members": [0, 1, 2]});
        json!({"held": held, "position": position, "hash": zeros})
    };
    let messages = [
        json!({"FetchJournal": {"after": 1_u64 << 63, "bytes": u32::MAX}}),
        json!({"FetchSnapshot": {"index": u32::MAX, "from": u64::MAX, "bytes": u32::MAX}}),
        json!({"JournalPiece": {"after": 0, "entries": [executed(1, 63)], "hash_before": zeros,
            "starts_after": u64::MAX}}),
        json!({"Working": {"ballot": view, "progress": u32::MAX}}),
        json!({"Refused": {"refused": view, "promised": {"round": u64::MAX, "coordinator": 60_000}}}),
    ];
    for bank in OTHERS {
        for envelope in &envelopes {
            let mut envelope = envelope.clone();
            (envelope["from"], envelope["view"]) = (MAD.into(), view.clone());
            attack.says(bank, "/peer/envelope", &envelope).await;
        }
        for message in &messages {
            attack.says(bank, "/peer/view", message).await;
        }
    }
    attack.the_others_go_on().await;
    attack.cluster.assert_same_everywhere().await;
}

fn resident_bytes(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

#[actix_rt::test]
async fn large_events_cost_no_more_memory_than_the_bound() {
    let mut attack = Attack::on_three_banks().await;
    let view = attack.cluster.status(0).await["view"].clone();
    let view = json!({"round": view["round"], "coordinator": view["coordinator"]});
    let before = resident_bytes(attack.cluster.process_id(0));
    for megabytes in [1, 7, 30] {
        for counter in 2..40_u64 {
            let event = json!({"view": view, "sender": MAD, "timestamp": [0, 0, counter], "at_ms": 1,
                "type_msg": "X", "id": format!("EV2-{counter}"), "msg": "x".repeat(megabytes << 20)});
            let envelope = json!({"from": MAD, "view": view, "events": [event]});
            let status = attack.says(0, "/peer/envelope", &envelope).await;
            assert_eq!(status, if megabytes > 8 { 413 } else { 200 });
        }
    }
    let grown = resident_bytes(attack.cluster.process_id(0)).saturating_sub(before);
    assert!(grown < 200 << 20, "it has grown by {} MiB", grown >> 20);
    attack.cluster.wait_log(0, "IMPOSSIBLE: bank 2 sent").await;
    attack.write().await;
}
