//! Every customer request of the requirement's API section, sent as printed to three banks, gets
//! the answer described there: with a token where sessions ask for one, without any in an open
//! laboratory.

use std::sync::Arc;
use std::time::Duration;

use netbanking::config::Config;
use netbanking::http::{DrawNumbers, draw_at_random};
use netbanking::ids::BankId;
use netbanking::ledger::AccountNumber;
use netbanking::node::{Node, NodeOptions};
use netbanking::wire;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Answer, SECRET};

const REGISTER: &str = r#"{
    "name": "Pedro Silva", 
    "num_cadastro": "123.123.123-00",
    "user_name": "pedrinho234",
    "password": "12345678",
    "type_person": "PF"
}"#;
const LOGIN: &str = r#"{
    "user_name": "renata332",
    "password": "12345678"
}"#;
const CREATE_ACCOUNT: &str = r#"{
    "user_name": "karen123",
    "password": "12345678",
    "type_account": "PF",
    "pix_type": "CPF", 
    "users": [],
    "value_init": 250.0
    }"#;
const OPERATIONS: &str = r#"{
    "0": {
        "2432433": {
            "package": [
                {"type": "TRANSFER", "value": 500.0, "sender": 2432433, "pix": "1:thiago003"},
                {"type": "TRANSFER", "value": 100.0, "sender": 2432433, "pix": "0:juninho234"},
                {"type": "TRANSFER", "value": 450.0, "sender": 2432433, "pix": "2:mara21"}
            ]
        }
    },
    "1": {
        "2432430": {
            "package": [
                {"type": "DEPOSIT", "value": 50.0, "sender": 2432433},
                {"type": "DEPOSIT", "value": 100.0, "sender": 2432433},
                {"type": "DEPOSIT", "value": 450.0, "sender": 2432433}
            ]
        }
    },
    "2": {
        "2432431": {
            "package": [
                {"type": "WITHDRAW", "value": 5690.0, "sender": 2432433}
            ]
        }
    }
}"#;
/// The accounts of the requirement's package, by bank.
const NUMBERS: [&str; 3] = ["2432433", "2432430", "2432431"];

struct Banks {
    ports: Vec<u16>,
    client: awc::Client,
    nodes: Vec<Node>,
    _data: TempDir,
}

/// The first account at each bank gets the number that the requirement's package names.
fn draw(number: &'static str) -> DrawNumbers {
    let at_random = draw_at_random();
    Arc::new(move || {
        let mut numbers = vec![AccountNumber::parse(number).unwrap()];
        numbers.extend(at_random());
        numbers
    })
}

fn free_ports() -> (Vec<u16>, Vec<u16>) {
    let bind = |_| std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listeners: Vec<_> = (0..6).map(bind).collect();
    let ports: Vec<_> =
        listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
    (ports[..3].to_vec(), ports[3..].to_vec())
}

impl Banks {
    async fn start(customer_auth: &str) -> Banks {
        let (ports, heartbeats) = free_ports();
        let node = |(port, heartbeat): (&u16, &u16)| json!({"host": "127.0.0.1", "port": port, "heartbeat_port": heartbeat});
        let nodes: Vec<_> = ports.iter().zip(&heartbeats).map(node).collect();
        let text = json!({"nodes": nodes, "customer_auth": customer_auth}).to_string();
        let data = tempfile::tempdir().unwrap();
        let mut nodes = Vec::new();
        for (bank, number) in BankId::all(3).zip(NUMBERS) {
            let options = NodeOptions {
                bank,
                config: Config::parse(&text).unwrap(),
                place: data.path().join(bank.to_string()).as_path().into(),
                listen: None,
                peer_secret: SECRET.to_owned(),
                certificates: None,
                https: None,
                stop_with_stdin: false,
            };
            nodes.push(Node::start(options, draw(number)).await.unwrap());
        }
        let banks =
            Banks { ports, client: wire::client(8, Duration::from_secs(20)), nodes, _data: data };
        for bank in 0..3 {
            while banks.get(bank, "/ready", None, "").await.status != 200 {
                actix_rt::time::sleep(Duration::from_millis(20)).await;
            }
        }
        banks
    }

    async fn post(&self, bank: usize, path: &str, token: Option<&str>, body: &str) -> Answer {
        self.send(self.client.post(self.url(bank, path)), token, body).await
    }

    async fn get(&self, bank: usize, path: &str, token: Option<&str>, body: &str) -> Answer {
        self.send(self.client.get(self.url(bank, path)), token, body).await
    }

    fn url(&self, bank: usize, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports[bank])
    }

    async fn send(
        &self,
        mut request: awc::ClientRequest,
        token: Option<&str>,
        body: &str,
    ) -> Answer {
        request = request.insert_header(("content-type", "application/json"));
        if let Some(token) = token {
            request = request.insert_header(("authorization", format!("Bearer {token}")));
        }
        let mut response = request.send_body(body.to_owned()).await.unwrap();
        let bytes = response.body().await.unwrap();
        Answer { status: response.status().as_u16(), body: serde_json::from_slice(&bytes).unwrap() }
    }

    async fn customer(&self, user: &str, document: &str) {
        let body = json!({"name": format!("Cliente {user}"), "num_cadastro": document, "user_name": user,
                          "password": "12345678", "type_person": "PF"});
        let answer = self.post(0, "/register-customer", None, &body.to_string()).await;
        assert_eq!(
            (answer.status, answer.descript()),
            (200, format!("Cliente {user} criado com sucesso").as_str())
        );
    }

    async fn account(&self, bank: usize, user: &str, pix_type: &str, value: f64) -> Value {
        let body = json!({"user_name": user, "password": "12345678", "type_account": "PF", "pix_type": pix_type,
                          "users": [], "value_init": value});
        let answer =
            self.post(bank, &format!("/accounts_user/{user}"), None, &body.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    async fn token(&self, bank: usize, user: &str) -> String {
        let body = json!({"user_name": user, "password": "12345678"}).to_string();
        let answer = self.post(bank, "/login", None, &body).await;
        answer.body["token"].as_str().unwrap().to_owned()
    }

    async fn stop(self) {
        for node in self.nodes {
            node.stop().await;
        }
    }
}

async fn run_examples(customer_auth: &str) {
    let banks = Banks::start(customer_auth).await;
    let sessions = customer_auth == "sessions";

    let registered = banks.post(0, "/register-customer", None, REGISTER).await;
    assert_eq!(
        (registered.status, registered.descript()),
        (200, "Cliente pedrinho234 criado com sucesso")
    );
    let again = banks.post(1, "/register-customer", None, REGISTER).await;
    assert_eq!(again.status, 400);

    for (user, document) in [
        ("renata332", "123.123.123-01"),
        ("karen123", "123.123.123-02"),
        ("thiago003", "123.123.123-03"),
        ("juninho234", "123.123.123-04"),
        ("mara21", "123.123.123-05"),
    ] {
        banks.customer(user, document).await;
    }
    // The accounts of the package belong to one customer, who opens the first at each bank.
    for (bank, value) in [(0, 1_580.0), (1, 50.0), (2, 5_690.0)] {
        let opened = banks.account(bank, "renata332", "CPF", value).await;
        assert_eq!(opened["num_account"].to_string(), NUMBERS[bank]);
        assert_eq!(opened["kay_pix"], format!("{bank}:123.123.123-01"));
    }
    for (bank, user) in [(1, "thiago003"), (0, "juninho234"), (2, "mara21")] {
        assert_eq!(
            banks.account(bank, user, "USER_NAME", 50.0).await["kay_pix"],
            format!("{bank}:{user}")
        );
    }
    let created = banks.post(0, "/accounts_user/karen123", None, CREATE_ACCOUNT).await;
    assert_eq!((created.status, created.descript()), (200, "Conta criada com sucesso"));

    the_login_tells_of_accounts_at_all_banks(&banks).await;

    let tokens = [
        banks.token(0, "renata332").await,
        banks.token(1, "renata332").await,
        banks.token(2, "renata332").await,
    ];
    let token = |bank: usize| sessions.then_some(tokens[bank].as_str());
    if sessions {
        assert_eq!(banks.post(0, "/operations", None, OPERATIONS).await.status, 401);
        let karen = banks.token(0, "karen123").await;
        let stolen = banks.post(0, "/operations", Some(&karen), OPERATIONS).await;
        assert_eq!(stolen.status, 403, "{stolen:?}");
    }
    let done = banks.post(0, "/operations", token(0), OPERATIONS).await;
    assert_eq!((done.status, done.descript()), (200, "Pacote de operações executado com sucesso"));
    for (bank, balance) in [(0, 530.0), (1, 650.0), (2, 0.0)] {
        let read =
            banks.get(bank, &format!("/get_account/{}", NUMBERS[bank]), token(bank), "").await;
        assert_eq!((read.status, read.descript()), (200, "Conta acessada com sucesso"));
        assert_eq!(read.body["data"]["balance"], json!(balance));
    }
    the_statement_has_the_requirements_fields(&banks, token(1)).await;
    let listed = banks.get(1, "/accounts_user/renata332", token(1), "").await;
    assert_eq!(listed.body, json!({"1": [[2_432_430, 650.0, "1:123.123.123-01"]]}));
    let poor = banks.post(2, "/operations", token(2), OPERATIONS).await;
    let why = "Falha na operação: Saldo da conta 2432433 insuficiente (30.00) no banco 0";
    assert_eq!((poor.status, poor.descript()), (400, why));
    banks.stop().await;
}

async fn the_login_tells_of_accounts_at_all_banks(banks: &Banks) {
    let login = banks.get(1, "/login", None, LOGIN).await;
    assert_eq!((login.status, login.descript()), (200, "Logado com sucesso"));
    assert_eq!(
        login.body["data"],
        json!({
            "accounts": {
                "0": [[2_432_433, 1_580.0, "0:123.123.123-01"]],
                "1": [[2_432_430, 50.0, "1:123.123.123-01"]],
                "2": [[2_432_431, 5_690.0, "2:123.123.123-01"]],
            },
            "name": "Cliente renata332",
            "num_cadastro": "123.123.123-01",
            "type_person": "PF",
            "user_name": "renata332",
        })
    );
}

async fn the_statement_has_the_requirements_fields(banks: &Banks, token: Option<&str>) {
    let read = banks.get(1, "/get_account/2432430?limit=2", token, "").await;
    let data = &read.body["data"];
    // The requirement's own client reads the fields at the top level.
    for (name, value) in data.as_object().unwrap() {
        assert_eq!(&read.body[name], value, "{name}");
    }
    assert_eq!(data["name"], "Cliente renata332");
    assert_eq!(data["kay_pix"], "1:123.123.123-01");
    assert_eq!((&data["type_account"], &data["user_names"]), (&json!("PF"), &json!(["renata332"])));
    let newest = &data["transactions"][1];
    assert_eq!(newest["type"], "DEPOSIT");
    assert_eq!(
        (&newest["value"], &newest["previous_balance"], &newest["app_balance"]),
        (&json!(450.0), &json!(200.0), &json!(650.0))
    );
    assert_eq!((&newest["made_by"], &newest["bank_sender"]), (&json!("renata332"), &json!(0)));
    assert_eq!(newest["date"].as_str().unwrap().len(), "2022-10-10".len());
    assert_eq!(read.body["next_before"], 2);
    let older = banks.get(1, "/get_account/2432430?limit=2&before=2", token, "").await;
    assert_eq!(older.body["data"]["transactions"][0]["type"], "OPENING");
    assert_eq!(older.body["next_before"], Value::Null);
}

#[actix_rt::test]
async fn the_requirements_requests_work_with_sessions() {
    run_examples("sessions").await;
}

#[actix_rt::test]
async fn the_requirements_requests_work_in_an_open_laboratory() {
    run_examples("open").await;
}

#[actix_rt::test]
async fn a_payer_sees_the_payee_with_a_masked_document_and_logout_ends_the_session() {
    let banks = Banks::start("sessions").await;
    banks.customer("mara21", "123.456.789-05").await;
    banks.account(2, "mara21", "USER_NAME", 50.0).await;
    let found = banks.get(0, "/pix/2:mara21", None, "").await;
    let expected = json!({"name": "Cliente mara21", "num_cadastro": "***.456.789-**", "bank": 2, "bank_name": "Banco 2", "type_person": "PF"});
    assert_eq!((found.status, &found.body["data"]), (200, &expected));
    assert_eq!(banks.get(0, "/pix/2:ninguem", None, "").await.status, 400);

    let token = banks.token(1, "mara21").await;
    let read = async || banks.get(1, "/accounts_user/mara21", Some(&token), "").await.status;
    assert_eq!(read().await, 200);
    assert_eq!(banks.post(1, "/logout", Some(&token), "").await.status, 200);
    assert_eq!(read().await, 401);
    assert_eq!(banks.post(1, "/logout", Some(&token), "").await.status, 401);
    banks.stop().await;
}
