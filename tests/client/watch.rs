//! What arrives while somebody looks at a terminal.

use std::process::Command;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::program::{Machine, PASSWORD};
use crate::terminal::Terminal;

const MENU: &str = "O que deseja fazer?";

/// Bia, with an account at the last of three banks, and how she pays.
fn bia(cluster: &Cluster) -> (Machine, String) {
    let bia = Machine::of(cluster);
    bia.register("bia", "222.333.444-05");
    let (account, _) = bia.open(2);
    (bia, account.to_string())
}

fn pay((bia, account): &(Machine, String), key: &str, value: &str) {
    let command = ["pay", key, "--value", value, "--message", "oi", "--from", account, "--at", "2"];
    bia.run(&[&command[..], &["--outcome-wait", "60"]].concat()).expect(0);
}

#[actix_rt::test]
async fn another_bank_tells_what_arrives_when_the_first_dies_and_nothing_is_missed() {
    let cluster = Cluster::start(3, "sessions").await;
    let machine = Machine::of(&cluster);
    machine.register("ana", "123.456.789-01");
    let (_, key) = machine.open(1);
    let bia = bia(&cluster);
    let waits = ["--outcome-wait", "60", "--answer-wait", "3"];
    let watching = machine.begin(&[&["watch", "--count", "3", "--json"], &waits[..]].concat());
    let watching = watching.after("Acompanhando");
    pay(&bia, &key, "1");
    // Whether or not the first has been told.
    cluster.kill(0);
    pay(&bia, &key, "2,50");
    let watching = watching.after("Acompanhando");
    pay(&bia, &key, "4");
    let ended = watching.end().expect(0);
    let told: Vec<Value> =
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |told: &Value| {
        let answer = &told["answer"];
        (told["ok"].clone(), answer["transaction"]["value"].to_string())
    };
    let told: Vec<_> = told.iter().map(of).collect();
    let expected = ["1.0", "2.5", "4.0"].map(|value| (json!(true), value.to_owned()));
    assert_eq!(told, expected, "{}", ended.err);
}

#[actix_rt::test]
async fn a_person_sees_a_pix_arrive_and_comes_back_to_the_menu() {
    let cluster = Cluster::start(3, "sessions").await;
    let machine = Machine::of(&cluster);
    machine.register("ana", "123.456.789-01");
    let (account, key) = machine.open(1);
    let bia = bia(&cluster);
    let environment = [("NETBANKING_PASSWORD", PASSWORD), ("NETBANKING_USER", "ana")];
    let mut terminal = Terminal::start(&machine, &[], &environment);
    terminal.answer("Qual banco?", "Banco 0");
    terminal.answer(MENU, "Entrar");
    terminal.answer(MENU, "Acompanhar");
    terminal.expect("Acompanhando o que chega, em Banco 0");
    pay(&bia, &key, "12,50");
    let row = terminal.expect("Você recebeu R$ 12,50 de Cliente bia");
    assert!(row.contains("oi") && row.contains(&account.to_string()), "{row}");
    assert!(row.contains("R$ 112,50"), "{row}");
    terminal.press("\x03");
    terminal.answer(MENU, "Minhas");
    terminal.expect("R$ 112,50");
    terminal.answer(MENU, "Sair");
    assert_eq!(terminal.end(), 0);
}

#[actix_rt::test]
async fn watching_ends_with_ctrl_c_and_with_a_reader_that_has_gone_and_needs_a_session() {
    let cluster = Cluster::start(1, "sessions").await;
    let machine = Machine::of(&cluster);
    let stranger = machine.run_with(&["watch", "--user", "ana", "--json"], &[], "").expect(2);
    assert!(stranger.json()["descript"].as_str().unwrap().contains("É preciso entrar"));
    machine.register("ana", "123.456.789-01");
    let watching = machine.begin(&["watch"]).after("Acompanhando");
    let interrupt = ["-INT", &watching.id().to_string()].map(str::to_owned);
    assert!(Command::new("kill").args(interrupt).status().unwrap().success());
    watching.end().expect(0);
}
