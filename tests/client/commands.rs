//! Every action as a plain command.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::program::{Ended, Machine, PASSWORD, deposit};
use crate::terminal::Terminal;

/// A machine that reaches no bank: nothing listens at port 1.
fn without_banks() -> Machine {
    Machine::with_banks(vec!["http://127.0.0.1:1".to_owned()])
}

#[actix_rt::test]
async fn every_action_is_a_command_that_answers_one_json_object() {
    let cluster = Cluster::start(3, "sessions").await;
    let machine = Machine::of(&cluster);
    let json = |command: &[&str]| machine.run(&[command, &["--json"]].concat()).expect(0).json();

    let banks = json(&["banks"]);
    assert_eq!(
        banks["banks"].as_array().unwrap().iter().filter(|bank| bank["ready"] == true).count(),
        3
    );
    let person = ["--name", "Ana Souza", "--person", "PF", "--document", "12345678901"];
    let registered = json(&[&["register", "--user", "ana"], &person[..]].concat());
    assert_eq!(registered["answer"]["descript"], "Cliente ana criado com sucesso");
    let company = ["--name", "Padaria Sol", "--person", "pj", "--document", "12.ABC.345/01DE-35"];
    json(&[&["register", "--user", "padaria"], &company[..]].concat());

    let begun = json(&["login", "--user", "ana"]);
    let reached = begun["banks"].as_array().unwrap().len();
    assert_eq!((&begun["name"], reached), (&json!("Ana Souza"), 3));
    let kept = std::fs::read_to_string(machine.session_file()).unwrap();
    assert!(!kept.contains(PASSWORD) && kept.contains("ana"), "{kept}");
    assert_eq!(machine.session_file().metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let (at_0, _) = machine.open(0);
    let (at_2, key_2) = machine.open(2);
    a_joint_account_waits_for_its_holders(&machine);
    let found = &json(&["pix", key_2.trim_start_matches("2:")])["answer"];
    assert_eq!((&found["data"]["name"], &found["kay_pix"]), (&json!("Ana Souza"), &json!(key_2)));

    let package = format!(
        r#"{{"0": {{"{at_0}": {{"package": [{{"type": "TRANSFER", "value": 30.25, "sender": {at_0}, "pix": "{key_2}"}}]}}}},
            "2": {{"{at_2}": {{"package": [{{"type": "WITHDRAW", "value": 130.25, "sender": {at_2}}},
                {{"type": "DEPOSIT", "value": 0.1, "sender": {at_2}}}]}}}}}}"#
    );
    machine.file("package.json", &package);
    // The session is enough: no password is asked for or given.
    let sent =
        |command: &[&str], input: &str| machine.run_with(command, &[], input).expect(0).json();
    let first = sent(&["operate", "package.json", "--json", "--key", "pacote-1"], "");
    assert_eq!(first["answer"]["descript"], "Pacote de operações executado com sucesso");
    let again =
        sent(&["operate", "-", "--json", "--key", "pacote-1"], &format!("\u{feff}{package}"));
    assert_eq!(again["answer"], first["answer"], "the same key gets the same answer");

    let accounts = json(&["accounts"]);
    assert_eq!(
        (accounts["total"].to_string(), accounts["accounts"].as_array().unwrap().len()),
        ("1119.95".to_owned(), 3)
    );
    let statement = sent(&["statement", &at_2.to_string(), "--at", "2", "--json"], "");
    let kinds: Vec<_> = statement["answer"]["data"]["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["type"])
        .collect();
    assert_eq!(kinds, ["OPENING", "RECEIVE", "WITHDRAW", "DEPOSIT"]);
    pays_and_finds_the_payment(&machine, at_0, at_2);
    persons_read_portuguese(&machine, at_2);

    json(&["logout"]);
    assert!(!machine.session_file().exists());
    let without =
        machine.run_with(&["operate", "package.json", "--user", "ana"], &[], "").expect(2);
    assert!(without.err.contains("É preciso entrar"), "{without:?}");
}

/// A Pix to the number of an account; it comes back, so that the totals stay.
fn pays_and_finds_the_payment(machine: &Machine, at_0: u64, at_2: u64) {
    let pay = |from: u64, at: &str, to: String| {
        let from = from.to_string();
        let command = ["pay", &to, "--value", "1,50", "--from", &from, "--at", at];
        let said = ["--message", "volta já", "--txid", "IDAEVOLTA", "--json"];
        machine.run(&[&command[..], &said[..]].concat()).expect(0).json()
    };
    let paid = pay(at_0, "0", at_2.to_string());
    assert_eq!(paid["answer"]["descript"], "Pacote de operações executado com sucesso");
    pay(at_2, "2", format!("0:{at_0}"));
    let number = at_2.to_string();
    let command = ["statement", &number, "--at", "2", "--txid", "IDAEVOLTA", "--json"];
    let found = machine.run(&command).expect(0).json();
    let entries = found["answer"]["data"]["transactions"].as_array().unwrap().clone();
    assert_eq!(entries.len(), 2);
    assert_eq!(
        (&entries[0]["type"], &entries[0]["message"]),
        (&json!("RECEIVE"), &json!("volta já"))
    );
    assert_eq!(entries[0]["counterparty"]["num_account"], json!(at_0));
    let wrong =
        machine.run(&["pay", "x", "--value", "1", "--from", "1", "--at", "0", "--txid", "a-b"]);
    assert!(wrong.expect(2).err.contains("Identificador deve ter"));
}

/// Ana asks, and the company answers from a session of its own, at another bank.
fn a_joint_account_waits_for_its_holders(machine: &Machine) {
    let json = |command: &[&str]| machine.run(&[command, &["--json"]].concat()).expect(0).json();
    let joint = [
        "open", "--at", "1", "--type", "CONJUNTA", "--pix", "RANDOM", "--value", "1.050,10",
        "--holder", "padaria",
    ];
    let asked = json(&joint);
    assert_eq!(asked["answer"]["waiting_for"], json!(["padaria"]));
    let number = asked["answer"]["num_account"].to_string();
    let text = machine.run(&["joint"]).expect(0).out;
    assert!(text.contains(&number) && text.contains("Ana Souza (ana, "), "{text}");
    let own = ["--session", "padaria.json"];
    json(&[&["login", "--user", "padaria"], &own[..]].concat());
    let waits = json(&[&["joint"], &own[..]].concat());
    assert_eq!(waits["answer"]["data"][0]["your_answer"], json!(true));
    let accept = json(&[&["accept", number.as_str(), "--at", "1"], &own[..]].concat());
    assert_eq!(accept["answer"]["descript"], "Conta criada com sucesso");
    let decline = machine.run(&["decline", number.as_str(), "--at", "1", "--json"]).expect(1);
    assert!(decline.json()["descript"].as_str().unwrap().contains("que espere a sua resposta"));
}

/// The same answers without `--json`.
fn persons_read_portuguese(machine: &Machine, account: u64) {
    let accounts = machine.run(&["accounts"]).expect(0);
    assert!(accounts.out.contains("R$ 1.119,95") && accounts.out.contains("Total"), "{accounts:?}");
    assert!(!accounts.out.contains('\x1b'), "no colours where nobody looks: {accounts:?}");
    let statement = machine.run(&["statement", &account.to_string(), "--at", "2"]).expect(0).out;
    let withdrawal = statement.lines().find(|line| line.contains("Saque")).unwrap();
    assert!(withdrawal.contains("-R$ 130,25"), "{statement}");
    let date = withdrawal
        .split('┆')
        .next()
        .unwrap()
        .trim_matches(|char: char| char == '│' || char.is_whitespace());
    let form: String =
        date.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
    assert_eq!(form, "00/00/0000", "{statement}");
    assert!(
        statement.contains("Pix recebido") && statement.contains("Titular: Ana Souza"),
        "{statement}"
    );
}

#[actix_rt::test]
async fn above_a_sum_that_the_customer_sets_a_package_is_confirmed_with_the_password() {
    let cluster = Cluster::start(1, "sessions").await;
    let machine = Machine::of(&cluster);
    machine.register("bia", "222.333.444-05");
    let (account, _) = machine.open(0);
    let above = ["limits", "--confirm-above", "40,00"];
    let without_password = machine.run_with(&above, &[], "").expect(2);
    assert!(without_password.err.contains("senha"), "{without_password:?}");
    machine.run(&above).expect(0);
    let shown = machine.run(&["limits"]).expect(0).out;
    assert!(shown.contains("Acima de R$ 40,00 por dia ou por noite, a senha"), "{shown}");
    let withdrawal = format!(
        r#"{{"0": {{"{account}": {{"package": [{{"type": "WITHDRAW", "value": 50, "sender": {account}}}]}}}}}}"#
    );
    machine.file("package.json", &withdrawal);
    let operate = ["operate", "package.json"];
    let refused = machine.run(&operate).expect(1);
    assert!(refused.err.contains("é preciso confirmar com a senha"), "{refused:?}");
    assert_eq!(machine.balance(account), "100.0");
    let confirm = [&operate[..], &["--confirm"]].concat();
    let wrong = machine.run_with(&confirm, &[("NETBANKING_PASSWORD", "outra senha çã")], "");
    assert!(wrong.expect(1).err.contains("A senha não está certa"));
    machine.run(&confirm).expect(0);
    assert_eq!(machine.balance(account), "50.0");
}

#[actix_rt::test]
async fn a_new_password_ends_the_sessions_that_a_command_shows() {
    let cluster = Cluster::start(2, "sessions").await;
    let machine = Machine::of(&cluster);
    machine.register("bia", "222.333.444-05");
    let bia = ["--user", "bia"];
    let json = |command: &[&str]| machine.run(&[command, &bia, &["--json"]].concat());
    json(&["login"]).expect(0);
    let seen = json(&["sessions", "--at", "1"]).expect(0).json();
    let sessions = seen["answer"]["data"]["sessions"].as_array().unwrap().clone();
    assert_eq!((sessions.len(), &sessions[0]["is_this"]), (1, &json!(true)));
    let text = machine.run(&[&["sessions"], &bia[..]].concat()).expect(0).out;
    assert!(text.contains("127.0.0.1") && text.contains("Últimas entradas"), "{text}");

    machine.file("nova", "uma senha nova\n");
    let change = ["password", "--new-password-file", "nova"];
    let changed = json(&change).expect(0).json();
    assert_eq!(changed["answer"]["descript"], "Senha trocada");
    assert!(!machine.session_file().exists(), "no token is of any use now");
    let old = json(&["accounts"]).expect(1).json();
    assert_eq!(old["descript"], "Nome de usuário ou senha incorretos");
    json(&["accounts", "--password-file", "nova"]).expect(0);
    json(&["login", "--password-file", "nova"]).expect(0);
    let ended = json(&["sessions", "--at", "1", "--end-all"]).expect(0).json();
    assert_eq!(ended["answer"]["descript"], "Sessão encerrada");
    let missing = machine.run_with(&["password", "--user", "bia"], &[], "").expect(2);
    assert!(missing.err.contains("senha"), "{missing:?}");
}

#[actix_rt::test]
async fn in_eighty_columns_no_amount_or_date_is_cut_in_two() {
    let cluster = Cluster::start(1, "sessions").await;
    let machine = Machine::of(&cluster);
    machine.register("bia", "222.333.444-05");
    let (account, _) = machine.open(0);
    machine.file("package.json", &deposit(0, account, "12345678901.23"));
    machine.run(&["operate", "package.json"]).expect(0);
    let number = account.to_string();
    let statement: &[&str] = &["statement", &number, "--at", "0"];
    for (command, wanted) in [(statement, "R$ 12.345.678.901,23"), (&["accounts"], "Total")] {
        let mut terminal = Terminal::of_width(80, &machine, command, &[]);
        let row = terminal.expect(wanted);
        assert_eq!(terminal.end(), 0, "{}", terminal.contents());
        assert!(row.contains("R$ 12.345.679.001,23"), "{}", terminal.contents());
        for line in terminal.contents().lines() {
            assert!(line.matches("R$").count() == line.matches(",").count(), "{line:?}");
        }
    }
    let mut terminal = Terminal::of_width(80, &machine, statement, &[]);
    let row = terminal.expect("Depósito");
    let is_date =
        |cell: &str| cell.trim().len() == "00/00/0000".len() && cell.matches('/').count() == 2;
    assert!(row.trim_start_matches('│').split('┆').next().is_some_and(is_date), "{row}");
}

#[actix_rt::test]
async fn the_exit_code_tells_a_refusal_from_a_mistake_and_the_balance_from_neither() {
    let cluster = Cluster::start(1, "sessions").await;
    let machine = Machine::of(&cluster);
    machine.register("bia", "222.333.444-05");
    let (account, _) = machine.open(0);

    machine.file(
        "package.json",
        &deposit(0, account, "1.00").replace("DEPOSIT", "WITHDRAW").replace("1.00", "100.01"),
    );
    let refused = machine.run(&["operate", "package.json"]).expect(1);
    assert!(refused.err.contains("insuficiente (100.00)"), "{refused:?}");
    let refused = machine.run(&["operate", "package.json", "--json"]).expect(1).json();
    assert_eq!((&refused["exit_code"], &refused["may_have_effect"]), (&json!(1), &json!(false)));
    let wrong = machine
        .run_with(&["login", "--user", "bia"], &[("NETBANKING_PASSWORD", "wrong horse")], "")
        .expect(1);
    assert!(wrong.err.contains("Nome de usuário ou senha incorretos"), "{wrong:?}");
    let twice = [
        "register",
        "--user",
        "bia2",
        "--name",
        "Bia",
        "--person",
        "PF",
        "--document",
        "22233344405",
    ];
    assert!(machine.run(&twice).expect(1).err.contains("CPF já cadastrado"));
    let small = ["open", "--at", "0", "--type", "PF", "--pix", "CPF", "--value", "49,99"];
    assert!(machine.run(&small).expect(1).err.contains("pelo menos 50.00 reais"));
    assert!(machine.run(&["pix", "0:ninguem"]).expect(1).err.contains("Chave Pix não encontrada"));
    let elsewhere = machine
        .run(&["open", "--at", "7", "--type", "PF", "--pix", "CPF", "--value", "50"])
        .expect(2);
    assert!(
        elsewhere.err.contains("O banco 7 não está entre os bancos informados"),
        "{elsewhere:?}"
    );
    assert_eq!(machine.balance(account), "100.0");
}

#[test]
fn bad_input_is_a_portuguese_error_before_anything_is_asked() {
    let machine = without_banks();
    machine.file("broken.json", "{\"0\": }");
    let open = |value: &'static str| {
        ["open", "--at", "0", "--type", "PF", "--pix", "CPF", "--value", value, "--user", "ana"]
    };
    let register = |document: &'static str| {
        ["register", "--user", "ana", "--name", "Ana", "--person", "PF", "--document", document]
    };
    let examples: [(&[&str], &str); 15] = [
        (&["operate"], "falta <ARQUIVO>"),
        (&["operate", "nowhere.json"], "nowhere.json: não é possível ler o arquivo: não existe"),
        (&["operate", "broken.json"], "broken.json: não é JSON válido (linha 1, coluna 7)"),
        (&open("1,050"), "não está claro quanto é"),
        (&open("0"), "o valor deve ser maior que zero"),
        (
            &["open", "--at", "0", "--type", "XX", "--pix", "CPF", "--value", "50"],
            "use PF, PJ, CONJUNTA",
        ),
        (&register("123"), "CPF deve ter a forma 000.000.000-00"),
        (&["login", "--user", "a b"], "Nome de usuário deve ter"),
        (&["pix", "ana:x"], "Chave Pix deve ter a forma banco:valor"),
        (&["statement", "0123", "--at", "0"], "valor inválido «0123» para <CONTA>"),
        (&["banks", "--answer-wait", "0"], "deve ser um número inteiro de 1 a 60"),
        (&["banks", "--bank", "ftp://banco"], "deve ter a forma http://HOST:PORTA"),
        (&["fly"], "comando desconhecido: fly"),
        (&["banks", "--fly"], "argumento desconhecido: --fly"),
        (&[], "O menu precisa de um terminal"),
    ];
    let nowhere = Machine::with_banks(Vec::new()).run(&["banks"]).expect(2);
    assert!(
        nowhere.err.contains("Não sei onde estão os bancos: informe --bank URL"),
        "{nowhere:?}"
    );
    for (command, said) in examples {
        let Ended { code, out, err } = machine.run(command);
        assert!(code == 2 && err.contains(said) && out.is_empty(), "{command:?}: {code} {err}");
        let json = machine.run(&[command, &["--json"]].concat()).expect(2).json();
        assert!(json["descript"].as_str().unwrap().contains(said), "{command:?}: {json}");
    }
}

#[test]
fn where_no_bank_answers_the_exit_code_is_3_and_nothing_can_have_happened() {
    let machine = without_banks();
    machine.file("package.json", &deposit(0, 123_456, "1.00"));
    let register = [
        "register",
        "--user",
        "ana",
        "--name",
        "Ana",
        "--person",
        "PF",
        "--document",
        "12345678901",
        "--key",
        "k1",
    ];
    let commands: [&[&str]; 4] =
        [&["banks"], &["pix", "0:ana"], &["operate", "package.json", "--user", "ana"], &register];
    for command in commands {
        let json = machine.run(&[command, &["--json"]].concat()).expect(3).json();
        assert_eq!(
            (&json["exit_code"], &json["may_have_effect"]),
            (&json!(3), &json!(false)),
            "{command:?}"
        );
    }
    let json: Value = machine.run(&[&register[..], &["--json"]].concat()).json();
    assert_eq!(json["idempotency_key"], "k1");
}

#[actix_rt::test]
async fn the_password_comes_from_a_file_the_environment_or_a_prompt_and_never_an_argument() {
    for flag in ["--password", "--senha", "-p"] {
        let refused = without_banks().run(&["login", "--user", "ana", flag, PASSWORD]).expect(2);
        assert!(refused.err.contains("argumento desconhecido"), "{refused:?}");
    }
    let cluster = Cluster::start(1, "sessions").await;
    let machine = Machine::of(&cluster);
    machine.register("ana", "123.456.789-01");
    let file = machine.file("password", &format!("{PASSWORD}\n"));
    machine
        .run_with(&["login", "--user", "ana", "--password-file", file.to_str().unwrap()], &[], "")
        .expect(0);
    let nobody = machine.run_with(&["login", "--user", "ana"], &[], "").expect(2);
    assert!(nobody.err.contains("Falta a senha"), "{nobody:?}");

    // Without a kept session nothing is known of the person.
    std::fs::remove_file(machine.session_file()).unwrap();
    let mut terminal = Terminal::start(&machine, &["login"], &[]);
    terminal.answer("Nome de usuário:", "ana");
    terminal.answer("Senha:", PASSWORD);
    terminal.expect("Bem-vindo(a), Cliente ana");
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    assert!(!terminal.raw().contains(PASSWORD), "{}", terminal.contents());
}
