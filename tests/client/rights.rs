//! What a customer may do beside paying, as a person reads it: giving back, keys, days to come,
//! limits, favourites, nicknames and the end of an account.

use crate::cluster::Cluster;
use crate::json::in_two_days;
use crate::program::{Ended, Machine, deposit};

/// What a command tells a person when all is well.
fn told(machine: &Machine, command: &[&str]) -> String {
    machine.run(command).expect(0).out
}

/// What it complains about when a bank says no.
fn refused(machine: &Machine, command: &[&str]) -> String {
    let Ended { code, out, err } = machine.run(command);
    assert!(code == 1 && out.is_empty(), "{command:?}: {code} {out} {err}");
    err
}

/// Two customers with their machines, Ana with two accounts at bank 0 and Bia with one at bank 1;
/// Bia has paid Ana R$ 20,00.
struct Two {
    ana: Machine,
    bia: Machine,
    first: String,
    key: String,
    second: String,
    theirs: String,
}

fn two(cluster: &Cluster) -> Two {
    let (ana, bia) = (Machine::of(cluster), Machine::of(cluster));
    ana.register("ana", "123.456.789-01");
    bia.register("bia", "222.333.444-05");
    let ((first, key), (second, _)) = (ana.open(0), ana.open(0));
    let (theirs, _) = bia.open(1);
    let [first, second, theirs] = [first, second, theirs].map(|number| number.to_string());
    let from = ["--from", theirs.as_str(), "--at", "1"];
    told(&bia, &[&["pay", &key, "--value", "20", "--message", "bolo"], &from[..]].concat());
    Two { ana, bia, first, key, second, theirs }
}

#[actix_rt::test]
async fn what_came_is_given_back_in_part_and_never_more_than_came() {
    let cluster = Cluster::start(2, "sessions").await;
    let Two { ana, bia, first, theirs, .. } = two(&cluster);
    let refund = |value: &str| {
        let which = ["refund", &first, "--at", "0", "--entry", "1", "--message", "troco"];
        ana.run(&[&which[..], &["--value", value]].concat())
    };
    assert!(refund("5").expect(0).out.contains("Devolução feita"));
    assert!(refund("15,01").expect(1).err.contains("15.00"), "only what is left");
    assert!(refund("15").expect(0).out.contains("Devolução feita"));
    refund("0,01").expect(1);
    let statement = told(&bia, &["statement", &theirs, "--at", "1"]);
    let lines: Vec<_> = statement.lines().filter(|line| line.contains("Devolução")).collect();
    assert!(lines.len() == 2 && lines[0].contains("R$ 5,00"), "{statement}");
    assert!(lines[0].contains("troco") && lines[0].contains("Cliente ana"), "{statement}");
    assert_eq!(bia.balance(theirs.parse().unwrap()), "100.0");
}

#[actix_rt::test]
async fn a_key_is_new_passed_on_and_removed_and_never_has_two_owners() {
    let cluster = Cluster::start(2, "sessions").await;
    let Two { ana, bia, first, second, theirs, .. } = two(&cluster);
    let keys = |account: &str, change: &[&str]| {
        let command = [&["keys", account, "--at", "0"], change].concat();
        told(&ana, &command)
    };
    let mail = ["--add", "EMAIL", "--value", "ana@example.com"];
    assert!(keys(&first, &mail).contains("Chave Pix cadastrada"));
    assert!(keys(&first, &[]).contains("0:ana@example.com\n"));
    let taken = refused(&ana, &[&["keys", &second, "--at", "0"], &mail[..]].concat());
    assert!(taken.contains("já cadastrada"), "{taken}");
    refused(&bia, &["keys", &theirs, "--at", "1", "--move", "0:ana@example.com"]);
    refused(&bia, &["keys", &theirs, "--at", "1", "--remove", "0:ana@example.com"]);
    assert!(keys(&second, &["--move", "0:ana@example.com"]).contains("passada para a outra conta"));
    assert!(!keys(&first, &[]).contains("ana@example.com"));
    assert!(keys(&second, &[]).contains("0:ana@example.com\n"));
    assert!(keys(&second, &["--remove", "0:ana@example.com"]).contains("Chave Pix removida"));
    let gone = refused(&bia, &["pix", "ana@example.com"]);
    assert!(gone.contains("Chave Pix não encontrada"), "{gone}");
}

#[actix_rt::test]
async fn a_pix_is_planned_once_and_every_month_and_given_up() {
    let cluster = Cluster::start(2, "sessions").await;
    let Two { bia, key, theirs, .. } = two(&cluster);
    let plan = |more: &[&str]| {
        let from = ["schedule", &key, "--value", "7,50", "--from", &theirs, "--at", "1"];
        bia.run(&[&from[..], more].concat())
    };
    let day = in_two_days();
    assert!(plan(&["--day", &day]).expect(0).out.contains("Pix agendado"));
    let monthly = ["--day", &day, "--every", "mes", "--times", "6", "--message", "mesada"];
    assert!(plan(&monthly).expect(0).out.contains("Pix agendado"));
    assert!(plan(&["--day", "01/02/2020"]).expect(1).err.contains("dia"), "a day that is over");
    assert!(plan(&["--day", "31/02/2030"]).expect(2).err.contains("--day"));
    let listed = told(&bia, &["schedules"]);
    let lines: Vec<_> = listed.lines().filter(|line| line.contains("R$ 7,50")).collect();
    assert!(lines.len() == 2 && lines.iter().all(|line| line.contains(&day)), "{listed}");
    assert!(lines[0].contains("0/1") && lines[1].contains("0/6"), "{listed}");
    let number = |line: &str| {
        line.chars()
            .skip_while(|char| !char.is_ascii_digit())
            .take_while(char::is_ascii_digit)
            .collect::<String>()
    };
    for line in lines {
        let cancelled = told(&bia, &["schedules", "--cancel", &number(line)]);
        assert!(cancelled.contains("Agendamento cancelado"), "{cancelled}");
    }
    assert!(!told(&bia, &["schedules"]).contains("R$ 7,50"));
}

#[actix_rt::test]
async fn a_lower_limit_counts_at_once_and_a_higher_one_a_day_later() {
    let cluster = Cluster::start(2, "sessions").await;
    let Two { bia, key, theirs, .. } = two(&cluster);
    let pay =
        |value: &str| bia.run(&["pay", &key, "--value", value, "--from", &theirs, "--at", "1"]);
    let set = told(&bia, &["limits", "--day", "10,00", "--night", "10,00"]);
    assert!(set.contains("Limites alterados"), "{set}");
    let over = pay("10,01").expect(1).err;
    assert!(over.contains("imite"), "{over}");
    let raised = told(&bia, &["limits", "--day", "sem", "--night", "500"]);
    assert!(raised.contains("24 horas"), "{raised}");
    pay("10,01").expect(1);
    let shown = told(&bia, &["limits"]);
    assert!(shown.contains("R$ 10,00") && shown.contains("R$ 500,00"), "{shown}");
}

#[actix_rt::test]
async fn favourites_nicknames_and_the_end_of_an_account() {
    let cluster = Cluster::start(2, "sessions").await;
    let Two { ana, bia, first, key, second, .. } = two(&cluster);
    assert!(told(&bia, &["favourites"]).contains("Nenhum"));
    let unknown = refused(&bia, &["favourites", "--add", "0:ninguem", "--name", "X"]);
    assert!(unknown.contains("não encontrada"), "{unknown}");
    told(&bia, &["favourites", "--add", &key, "--name", "Ana do bolo"]);
    let listed = told(&bia, &["favourites"]);
    assert!(listed.contains("Ana do bolo") && listed.contains(&key), "{listed}");
    told(&bia, &["favourites", "--remove", &key]);
    assert!(told(&bia, &["favourites"]).contains("Nenhum"));

    told(&ana, &["nickname", &first, "--at", "0", "--name", "Casa"]);
    let profile = ana.run(&["favourites", "--json"]).expect(0).json();
    assert_eq!(profile["answer"]["data"]["nicknames"][0]["name"], "Casa");
    refused(&bia, &["nickname", &first, "--at", "0", "--name", "Minha"]);

    let close = ["close", &second, "--at", "0"];
    let full = refused(&ana, &close);
    assert!(full.contains("só pode ser encerrada sem saldo"), "{full}");
    let cash = deposit(0, second.parse().unwrap(), "100").replace("DEPOSIT", "WITHDRAW");
    ana.file("package.json", &cash);
    told(&ana, &["operate", "package.json"]);
    assert!(told(&ana, &close).contains("Conta encerrada"));
    ana.file("package.json", &deposit(0, second.parse().unwrap(), "1"));
    refused(&ana, &["operate", "package.json"]);
}
