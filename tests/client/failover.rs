//! A second bank is used automatically when the first does not answer, and nothing is done twice.

use serde_json::json;

use crate::cluster::Cluster;
use crate::program::{Ended, Machine, PASSWORD, deposit};
use crate::stand_in::{Fault, StandIn};
use crate::terminal::Terminal;

/// Long enough for a view without the silent bank.
const PERSISTENT: [&str; 4] = ["--answer-wait", "3", "--outcome-wait", "60"];

/// The idempotency key that a person is told of.
fn key_told(ended: &Ended) -> &str {
    let (_, key) = ended
        .err
        .split_once("com a mesma chave de idempotência (")
        .unwrap_or_else(|| panic!("{ended:?}"));
    key.split_once(')').unwrap().0
}

#[actix_rt::test]
async fn a_lost_answer_is_asked_for_at_the_second_bank_and_nothing_happens_twice() {
    let cluster = Cluster::start(3, "sessions").await;
    let mut machine = Machine::of(&cluster);
    machine.register("ana", "123.456.789-01");
    let (account, _) = machine.open(2);
    for (fault, value, balance) in
        [(Fault::AnswerLost, "10.50", "110.5"), (Fault::AnswerCut, "5.25", "115.75")]
    {
        let first = StandIn::before(&cluster.url(0, ""), fault);
        machine.set_banks(vec![first.url.clone(), cluster.url(1, "")]);
        machine.file("package.json", &deposit(2, account, value));
        let ended = machine.run(&["operate", "package.json", "--json"]).expect(0);
        let json = ended.json();
        assert_eq!(
            (first.packages(), &json["bank"]),
            (1, &json!(cluster.url(1, ""))),
            "{fault:?} {ended:?}"
        );
        assert_eq!(json["idempotency_key"], json!(key_told(&ended)), "{fault:?}");
        assert!(
            json["answer"]["id"].as_str().unwrap().starts_with("EV0-"),
            "the first bank did it: {ended:?}"
        );
        assert_eq!(machine.balance(account), balance, "{fault:?}");
    }
}

#[actix_rt::test]
async fn a_bank_that_answers_503_504_or_500_gives_way_to_the_second_with_the_same_key() {
    let cluster = Cluster::start(2, "sessions").await;
    let mut machine = Machine::of(&cluster);
    machine.register("ana", "123.456.789-01");
    let (account, _) = machine.open(1);
    let mut expected = 100;
    for status in [503, 504, 429, 500] {
        let first = StandIn::before(&cluster.url(0, ""), Fault::Status(status));
        machine.set_banks(vec![first.url.clone(), cluster.url(1, "")]);
        machine.file("package.json", &deposit(1, account, "1.00"));
        let ended = machine.run(&["operate", "package.json"]).expect(0);
        expected += 1;
        assert!(
            ended.err.contains("O banco de mentira não quer") && !key_told(&ended).is_empty(),
            "{ended:?}"
        );
        assert_eq!(
            (first.packages(), machine.balance(account)),
            (1, format!("{expected}.0")),
            "{status}"
        );
    }
}

#[actix_rt::test]
async fn what_no_bank_settles_is_unknown_and_never_called_refused() {
    let cluster = Cluster::start(1, "sessions").await;
    let mut machine = Machine::of(&cluster);
    machine.register("ana", "123.456.789-01");
    let (account, _) = machine.open(0);
    machine.file("package.json", &deposit(0, account, "7.00"));
    let operate = ["operate", "package.json", "--json", "--key", "k7", "--outcome-wait", "2"];

    let busy = StandIn::before(&cluster.url(0, ""), Fault::Status(503));
    machine.set_banks(vec![busy.url.clone()]);
    let json = machine.run(&operate).expect(3).json();
    assert_eq!(json["may_have_effect"], json!(false));
    assert!(busy.packages() > 1, "it is asked again");

    let deaf = StandIn::before(&cluster.url(0, ""), Fault::AnswerLost);
    machine.set_banks(vec![deaf.url.clone()]);
    let ended = machine.run(&operate).expect(3);
    let json = ended.json();
    assert_eq!((&json["may_have_effect"], &json["idempotency_key"]), (&json!(true), &json!("k7")));
    assert!(json["descript"].as_str().unwrap().contains("Resultado desconhecido"), "{json}");

    machine.set_banks(vec![cluster.url(0, "")]);
    machine.run(&operate).expect(0);
    assert_eq!(machine.balance(account), "107.0", "asked three times and more, done once");
}

#[actix_rt::test]
async fn a_killed_or_hanging_bank_is_replaced_automatically_and_the_package_happens_once() {
    let cluster = Cluster::start(3, "sessions").await;
    let machine = Machine::of(&cluster);
    machine.register("ana", "123.456.789-01");
    let (account, _) = machine.open(2);
    machine.file("package.json", &deposit(2, account, "10.00"));
    let operate = [&["operate", "package.json", "--json"], &PERSISTENT[..]].concat();

    cluster.signal(0, "-STOP");
    let ended = machine.run(&operate).expect(0);
    assert!(ended.err.contains("Banco") || ended.err.contains(&cluster.url(0, "")), "{ended:?}");
    assert_eq!(ended.json()["idempotency_key"], json!(key_told(&ended)));
    cluster.signal(0, "-CONT");
    cluster.wait_members(&[0, 1, 2]).await;
    cluster.assert_same_everywhere().await;
    assert_eq!(machine.balance(account), "110.0", "the hanging bank had the request too");

    cluster.kill(0);
    let ended = machine.run(&operate).expect(0);
    assert!(ended.err.contains("não aceita conexões"), "{ended:?}");
    assert_eq!(ended.json()["idempotency_key"], json!(key_told(&ended)));
    assert_eq!(machine.balance(account), "120.0");
    // A customer who only reads is served too, and is told by which bank.
    let read = machine.run(&["accounts"]).expect(0);
    assert!(read.err.contains("Agora quem atende é"), "{read:?}");
    // An account of the dead bank cannot be opened elsewhere instead.
    let open = ["open", "--at", "0", "--type", "PF", "--pix", "CPF", "--value", "50"];
    assert!(
        machine
            .run(&open)
            .expect(3)
            .err
            .contains("O banco 0 não está entre os que respondem agora")
    );
}

#[actix_rt::test]
async fn without_a_session_at_the_second_bank_a_person_is_asked_to_log_in_and_a_script_told() {
    let cluster = Cluster::start(2, "sessions").await;
    let mut machine = Machine::of(&cluster);
    machine.register("ana", "123.456.789-01");
    let (account, _) = machine.open(1);
    machine.file("package.json", &deposit(1, account, "3.00"));
    let first = StandIn::before(&cluster.url(0, ""), Fault::AnswerLost);
    machine.set_banks(vec![first.url.clone()]);
    machine.run(&["login"]).expect(0);
    machine.set_banks(vec![first.url.clone(), cluster.url(1, "")]);

    // The second bank's session is forgotten, the first one's is not.
    let kept = std::fs::read_to_string(machine.session_file()).unwrap();
    machine.file("session.json", &kept.replace(&cluster.url(1, ""), "http://127.0.0.1:1"));
    let operate = [
        "operate",
        "package.json",
        "--session",
        "session.json",
        "--key",
        "k3",
        "--outcome-wait",
        "2",
    ];
    let alone = machine.run_with(&operate, &[], "").expect(3);
    assert!(alone.err.contains("não há sessão nele nem senha à mão"), "{alone:?}");
    assert!(alone.err.contains("Resultado desconhecido"), "{alone:?}");

    let mut terminal = Terminal::start(&machine, &operate, &[]);
    terminal.expect("com a mesma chave de idempotência (k3)");
    terminal.answer(&format!("Senha de ana para entrar em {}", cluster.url(1, "")), PASSWORD);
    terminal.expect("Pacote de operações executado com sucesso");
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    machine.set_banks(vec![cluster.url(1, "")]);
    assert_eq!(machine.balance(account), "103.0", "sent again and again, done once");
}

#[actix_rt::test]
async fn a_bank_behind_what_the_customer_has_seen_gives_way_and_the_session_remembers() {
    let cluster = Cluster::start(1, "sessions").await;
    let machine = Machine::of(&cluster);
    machine.register("ana", "123.456.789-01");
    let (account, _) = machine.open(0);
    machine.file("package.json", &deposit(0, account, "1.00"));
    machine.run(&["operate", "package.json"]).expect(0);
    let kept = std::fs::read_to_string(machine.session_file()).unwrap();
    assert!(kept.contains(r#""position":3"#), "{kept}");

    let far = kept.replace(r#""position":3"#, r#""position":4"#);
    std::fs::write(machine.session_file(), far).unwrap();
    let number = account.to_string();
    for command in [&["statement", &number, "--at", "0"][..], &["accounts"]] {
        let ended = machine.run(command).expect(3);
        assert!(ended.err.contains("ainda não executou até a posição 4"), "{ended:?}");
    }
    machine.run(&["login"]).expect(0);
    assert_eq!(machine.balance(account), "101.0", "a new login begins anew");
}
