//! The requirement's four peer routes, as printed there, at bank 1 of three; the test speaks as
//! banks 0 and 2.

use std::time::Duration;

use actix_web::test::TestRequest;
use serde_json::json;

use crate::harness::{Answer, SECRET, bank, call, post, service};

const SEED_MESSAGE: &str = r#"{
    "sender": 0,
    "timestamp": [5, 9, 1],
    "type_msg": "REGISTER",
    "id": "EV192.168.0.1-1584",
    "msg": {"mensagem" : "mensagem"}
}"#;
const SEED_INIT_CHECK: &str = r#"{
    "code": false,
    "descript": "Falha na operação: CPF já cadastrado"
}"#;
const SEED_ONE_QUEUE: &str = r#"{
    "code": true,
    "descript": "",
    "msg": "ONE_QUEUE"
}"#;

fn from_bank(request: TestRequest, bank: u16) -> TestRequest {
    request
        .insert_header(("authorization", format!("Bearer {SECRET}")))
        .insert_header(("netbanking-bank", bank.to_string()))
}

#[actix_rt::test]
async fn the_requirements_messages_as_printed_are_ordered_and_executed() {
    let (bank, _data) = bank(1, 3, "sessions").await;
    let service = service(&bank).await;
    let say = async |path: &str, body: &str, from| {
        call(&service, from_bank(post(path, body), from)).await
    };

    // Without a view nothing is accepted.
    assert_eq!(say("/receive-message", SEED_MESSAGE, 0).await.status, 409);

    // Bank 0 leads the others into a view that begins where the requirement's example does.
    let ballot = json!({"round": 1, "coordinator": 0});
    let plan = json!({
        "ballot": ballot, "members": [0, 1, 2], "position": 0, "hash": "0".repeat(64), "source": 0,
        "clock": [4, 9, 1], "events": [],
    });
    let status = async || call(&service, TestRequest::get().uri("/status")).await.body;
    for (message, phase) in [
        (json!({"Stop": ballot}), "promised"),
        (json!({"Prepare": plan}), "ready"),
        (json!({"Start": ballot}), "active"),
    ] {
        assert_eq!(say("/peer/view", &message.to_string(), 0).await.status, 200);
        wait_until(async || status().await["phase"] == phase).await;
    }
    wait_until(async || status().await["clock"] == json!([4, 9, 1])).await;

    let taken = say("/receive-message", SEED_MESSAGE, 0).await;
    assert_eq!(taken, Answer { status: 200, body: json!({"taken": true, "expected": 6}) });
    assert_eq!(status().await["buffer"][0]["id"], "EV192.168.0.1-1584");
    for from in [0, 2] {
        assert_eq!(say("/receiver_ack/EV192.168.0.1-1584", "", from).await.status, 200);
    }
    // It is not a request that the ledger knows: it is executed as refused, as at every bank.
    wait_until(async || status().await["position"] == 1).await;
    assert_eq!(say("/receiver_one_queue/EV0-outro", SEED_ONE_QUEUE, 2).await.status, 200);
    assert_eq!(status().await["phase"], "active");
    // The requirement's 'CPF já cadastrado' is not what this bank's ledger said about the event:
    // the copies differ, and where two of three say otherwise, it is this bank's own copy that is
    // wrong.
    for from in [0, 2] {
        assert_eq!(
            say("/init_check_queue/EV192.168.0.1-1584", SEED_INIT_CHECK, from).await.status,
            200
        );
    }
    wait_until(async || status().await["phase"] == "diverged").await;
}

async fn wait_until(mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        actix_rt::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not come to pass");
}

#[actix_rt::test]
async fn peer_messages_that_make_no_sense_are_refused_in_words() {
    let (bank, _data) = bank(1, 3, "sessions").await;
    let service = service(&bank).await;
    for (path, body) in [
        ("/receive-message", "{"),
        ("/receive-message", r#"{"sender":0,"timestamp":[1,0],"type_msg":"X","id":"a","msg":{}}"#),
        (
            "/receive-message",
            r#"{"sender":2,"timestamp":[1,0,0],"type_msg":"X","id":"a","msg":{}}"#,
        ),
        (
            "/receive-message",
            r#"{"sender":0,"timestamp":[1,0,0],"type_msg":"X","id":"a b","msg":{}}"#,
        ),
        (
            "/receive-message",
            r#"{"sender":0,"timestamp":[-1,0,0],"type_msg":"X","id":"a","msg":{}}"#,
        ),
        ("/receiver_ack/a%20b", ""),
        ("/init_check_queue/a", r#"{"code":1,"descript":""}"#),
        ("/receiver_one_queue/a", r#"{"code":true,"descript":"","msg":"TWO_QUEUE"}"#),
        ("/peer/envelope", r#"{"from":2}"#),
        ("/peer/envelope", r#"{"from":0,"clock":"x"}"#),
        ("/peer/view", r#"{"Halt":1}"#),
    ] {
        let answer = call(&service, from_bank(post(path, body), 0)).await;
        assert_eq!(answer.status, 400, "{path} {body}: {answer:?}");
        assert!(!answer.descript().is_empty());
    }
}

#[actix_rt::test]
async fn a_bank_cannot_speak_for_this_one_or_for_one_that_is_not_there() {
    let (bank, _data) = bank(1, 3, "sessions").await;
    let service = service(&bank).await;
    for named in ["1", "3", "65536", "x", ""] {
        let request = post("/receiver_ack/a", "")
            .insert_header(("authorization", format!("Bearer {SECRET}")))
            .insert_header(("netbanking-bank", named));
        assert_eq!(call(&service, request).await.status, 401, "{named}");
    }
}
