//! `--json` at every command that there is: the list is clap's own, so that a new command cannot be
//! forgotten.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use netbanking::actors::time::unix_ms;
use netbanking::civil::Zone;

use crate::cluster::Cluster;
use crate::program::{Machine, deposit};

/// The commands, as the program's own help lists them.
fn commands(machine: &Machine) -> BTreeSet<String> {
    let help = machine.run(&["--help"]).expect(0).out;
    let listed = help.split("Comandos:\n").nth(1).expect("the help lists commands");
    let lines = listed.lines().take_while(|line| !line.trim().is_empty());
    let names = lines.map(|line| line.split_whitespace().next().unwrap().to_owned());
    names.collect()
}

/// Runs commands, and remembers which.
struct Walk<'a> {
    machine: &'a Machine,
    left: BTreeSet<String>,
}

impl Walk<'_> {
    /// The one object that the command prints when all is well.
    fn step(&mut self, line: &[&str]) -> Value {
        self.left.remove(line[0]);
        let ended = self.machine.run(&[line, &["--json"]].concat());
        let object = ended.json();
        assert_eq!(object["ok"], true, "{line:?}: {object}");
        object
    }
}

#[actix_rt::test]
async fn every_command_prints_one_json_object_when_asked_to() {
    let cluster = Cluster::start(2, "sessions").await;
    let machine = Machine::of(&cluster);
    let mut walk = Walk { left: commands(&machine), machine: &machine };
    assert!(walk.left.len() > 20, "{:?}", walk.left);
    let broken = walk.left.clone();

    walk.step(&["banks"]);
    let person = ["--name", "Ana Souza", "--person", "PF", "--document", "123.456.789-01"];
    walk.step(&[&["register", "--user", "ana"], &person[..]].concat());
    let person = ["--name", "Bia Lima", "--person", "PF", "--document", "222.333.444-05"];
    walk.step(&[&["register", "--user", "bia"], &person[..]].concat());
    walk.step(&["login", "--user", "bia", "--session", "bia.json"]);
    walk.step(&["login", "--user", "ana"]);
    walk.step(&["sessions"]);
    let (first, key) = machine.open(0);
    let (second, _) = machine.open(0);
    let (other, _) = machine.open(1);
    let [first, second, other] = [first, second, other].map(|number| number.to_string());
    walk.step(&["accounts"]);
    joint(&mut walk);
    money(&mut walk, (&first, &other), &key);
    keys(&mut walk, &first, &second);
    own(&mut walk, (&first, &other), &key);
    let empty = json!({"0": {second.clone(): {"package": [
        {"type": "WITHDRAW", "value": 100, "sender": 1}]}}});
    machine.file("empty.json", &empty.to_string());
    walk.step(&["operate", "empty.json"]);
    let closed = walk.step(&["close", &second, "--at", "0"]);
    assert!(closed["answer"]["descript"].as_str().unwrap().contains("ncerrada"), "{closed}");
    machine.file("nova", "uma senha nova\n");
    walk.step(&["password", "--new-password-file", "nova"]);
    walk.step(&["login", "--user", "ana", "--password-file", "nova"]);
    walk.step(&["logout"]);
    assert!(walk.left.is_empty(), "no step with {:?}: give them one here", walk.left);

    // Nor is anything else printed when something goes wrong.
    for command in broken {
        let object = machine.run(&[&command, "--fly", "--json"]).expect(2).json();
        assert_eq!((&object["ok"], &object["exit_code"]), (&json!(false), &json!(2)), "{command}");
    }
}

fn joint(walk: &mut Walk<'_>) {
    let mut open = || {
        let kind = ["--type", "CONJUNTA", "--pix", "RANDOM", "--value", "60", "--holder", "bia"];
        let asked = walk.step(&[&["open", "--at", "1"], &kind[..]].concat());
        assert_eq!(asked["answer"]["waiting_for"], json!(["bia"]));
        asked["answer"]["num_account"].to_string()
    };
    let (one, two) = (open(), open());
    let waiting = walk.step(&["joint"]);
    assert_eq!(waiting["answer"]["data"].as_array().unwrap().len(), 2);
    walk.step(&["accept", &one, "--at", "1", "--session", "bia.json"]);
    walk.step(&["decline", &two, "--at", "1"]);
}

fn money(walk: &mut Walk<'_>, (first, other): (&str, &str), key: &str) {
    assert_eq!(walk.step(&["pix", key])["answer"]["kay_pix"], key);
    let watching = walk.machine.begin(&["watch", "--count", "1", "--json"]);
    walk.left.remove("watch");
    let watching = watching.after("Acompanhando");
    walk.step(&["pay", key, "--value", "20", "--from", other, "--at", "1", "--message", "oi"]);
    let arrived = watching.end().expect(0).json();
    let told = &arrived["answer"];
    assert_eq!(
        (told["num_account"].to_string(), told["balance"].to_string()),
        (first.to_owned(), "120.0".to_owned())
    );
    assert_eq!(told["transaction"]["message"], "oi");
    let statement = walk.step(&["statement", first, "--at", "0", "--limit", "1"]);
    let entry = &statement["answer"]["data"]["transactions"][0];
    assert_eq!(entry, &told["transaction"], "it is told as the statement has it");
    let entry = entry["entry"].to_string();
    walk.step(&["refund", first, "--at", "0", "--entry", &entry, "--value", "5"]);
    let cash = deposit(0, first.parse().unwrap(), "1.00");
    walk.machine.file("cash.json", &cash);
    walk.step(&["operate", "cash.json"]);
}

fn keys(walk: &mut Walk<'_>, first: &str, second: &str) {
    let mail = ["--add", "EMAIL", "--value", "ana@example.com"];
    walk.step(&[&["keys", first, "--at", "0"], &mail[..]].concat());
    let keys = |walk: &mut Walk<'_>, account: &str| {
        let listed = walk.step(&["keys", account, "--at", "0"]);
        let keys = listed["answer"]["data"].as_array().unwrap().clone();
        keys.iter().any(|key| key == "0:ana@example.com")
    };
    assert!(keys(walk, first) && !keys(walk, second));
    walk.step(&["keys", second, "--at", "0", "--move", "0:ana@example.com"]);
    assert!(!keys(walk, first) && keys(walk, second));
    walk.step(&["keys", second, "--at", "0", "--remove", "0:ana@example.com"]);
    assert!(!keys(walk, first) && !keys(walk, second));
}

/// What the customer keeps for themselves.
fn own(walk: &mut Walk<'_>, (first, other): (&str, &str), key: &str) {
    walk.step(&["nickname", first, "--at", "0", "--name", "Casa"]);
    walk.step(&["favourites", "--add", key, "--name", "Eu mesma"]);
    let kept = walk.step(&["favourites"]);
    assert_eq!(kept["answer"]["data"]["favourites"][0]["name"], "Eu mesma");
    walk.step(&["favourites", "--remove", key]);
    walk.step(&["limits", "--day", "1.000,00"]);
    let limits = walk.step(&["limits"]);
    assert_eq!(limits["answer"]["data"]["day"]["limit"].to_string(), "1000.0");
    let planned = ["--value", "7", "--from", first, "--at", "0", "--day", &in_two_days()];
    let planned = walk.step(&[&["schedule", other], &planned[..]].concat());
    let number = planned["answer"]["position"].to_string();
    let listed = walk.step(&["schedules"]);
    assert_eq!(listed["answer"]["data"][0]["number"].to_string(), number);
    walk.step(&["schedules", "--cancel", &number]);
}

/// A day as people write it.
pub(crate) fn in_two_days() -> String {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    let zone = Zone::named("America/Sao_Paulo").unwrap();
    let date = zone.date(unix_ms() + 2 * DAY_MS);
    format!("{:02}/{:02}/{:04}", date.day, date.month, date.year)
}
