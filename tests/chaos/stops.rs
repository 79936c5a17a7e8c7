//! How long customers wait when a bank fails, with the default times of `nodes.json`, and how soon
//! a bank that was away is back.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::consortium::{Consortium, DEFAULT_TIMES, WHOLE_JOURNAL};
use crate::load::{Drive, Load};
use crate::run::longest_gap;
use crate::verdict;

const BANKS: usize = 3;
/// Longest time without an answer at the other banks when a process is killed.
const STOP_KILLED_MAX: Duration = Duration::from_secs(2);
/// The same when a process falls silent.
const STOP_SILENT_MAX: Duration = Duration::from_secs(7);
/// Longest time from the first answered heartbeat of a bank that returns until it is a member.
const RETURN_MAX: Duration = Duration::from_secs(15);
/// How much a bank that returns has missed.
const MISSED_REQUESTS: u64 = 100_000;
/// The share of their throughput that the members must keep meanwhile.
const KEPT_MIN: f64 = 0.5;
/// How long the answers are watched after a fault.
const WATCHED: Duration = Duration::from_secs(12);
/// How long anything else may take.
const PATIENCE: Duration = Duration::from_secs(600);
const LIGHT: Drive = Drive { clients: 48, pause: Duration::from_millis(40) };
/// So many clients that each event carries many requests.
const HEAVY: Drive = Drive { clients: 400, pause: Duration::ZERO };

/// Measures, prints, and returns whether all is as it must be.
pub(crate) async fn measure(folder: &Path, program: &Path) -> bool {
    let consortium =
        Rc::new(Consortium::prepare((folder, program), BANKS, DEFAULT_TIMES, WHOLE_JOURNAL, None));
    if cfg!(debug_assertions) {
        consortium.note("THIS IS A DEBUG BUILD: MEASURE WITH --release");
    }
    (0..BANKS).for_each(|bank| consortium.start(bank));
    assert!(consortium.wait_members(PATIENCE).await, "a new consortium begins");
    let load = Rc::new(Load::prepare(&consortium).await);
    let customers = drive(&load, LIGHT, 1);
    let mut well = true;
    for bank in 0..BANKS {
        well &= measure_stop(&consortium, &load, bank, STOP_KILLED_MAX).await;
    }
    for bank in 0..BANKS {
        well &= measure_stop(&consortium, &load, bank, STOP_SILENT_MAX).await;
    }
    well &= measure_return(&consortium, &load, BANKS - 1).await;
    load.stop();
    customers.await.unwrap();
    let violations =
        verdict::judge(&consortium, &load, (PATIENCE, consortium.began())).await.violations();
    violations.iter().take(20).for_each(|violation| println!("VIOLATION {violation}"));
    println!("{}", if well && violations.is_empty() { "all as it must be" } else { "MISSED" });
    well && violations.is_empty()
}

fn drive(load: &Rc<Load>, drive: Drive, seed: u64) -> actix_rt::task::JoinHandle<()> {
    let load = load.clone();
    actix_rt::spawn(async move { load.run(drive, seed).await })
}

/// Prints a figure with its bound; returns whether it keeps to it.
fn figure(consortium: &Consortium, what: &str, seconds: f64, at_most: f64) -> bool {
    let well = seconds <= at_most;
    let verdict = if well { "" } else { "  MISSED" };
    consortium.note(&format!("{what}: {seconds:.2} s (at most {at_most:.0} s){verdict}"));
    well
}

/// Kills a bank, or pauses it if the others are to take long to notice; measures, and lets it come
/// back.
async fn measure_stop(
    consortium: &Consortium,
    load: &Load,
    bank: usize,
    at_most: Duration,
) -> bool {
    assert!(consortium.wait_members(PATIENCE).await, "all are members");
    actix_rt::time::sleep(Duration::from_secs(3)).await;
    let silent = at_most == STOP_SILENT_MAX;
    *load.avoided.borrow_mut() = vec![bank];
    let began = Instant::now();
    if silent {
        consortium.pause(bank)
    } else {
        consortium.kill(bank)
    }
    actix_rt::time::sleep(WATCHED).await;
    let answers = load
        .answers
        .borrow()
        .iter()
        .filter(|(_, by)| *by != bank)
        .map(|(at, _)| *at)
        .collect::<Vec<_>>();
    let (from, to) = longest_gap(&answers, began, Instant::now());
    if silent {
        consortium.go_on(bank)
    } else {
        consortium.start(bank)
    }
    load.avoided.borrow_mut().clear();
    let what = format!(
        "bank {bank} {}, longest stop at the others",
        if silent { "paused" } else { "killed" }
    );
    figure(consortium, &what, (to - from).as_secs_f64(), at_most.as_secs_f64())
}

/// Keeps a bank away while the others execute a lot, and measures how soon it is a member again and
/// what that costs.
async fn measure_return(consortium: &Rc<Consortium>, load: &Rc<Load>, bank: usize) -> bool {
    assert!(consortium.wait_members(PATIENCE).await, "all are members");
    *load.avoided.borrow_mut() = vec![bank];
    consortium.kill(bank);
    let position = |status: Option<Value>| {
        status.and_then(|status| status["position"].as_u64()).unwrap_or_default()
    };
    let missed_from = position(consortium.status(0).await);
    // They go on until the load as a whole is stopped.
    drop(drive(load, HEAVY, 2));
    let began = Instant::now();
    let mut missed = 0;
    while missed < MISSED_REQUESTS {
        assert!(began.elapsed() < PATIENCE, "only {missed} requests in {PATIENCE:?}");
        actix_rt::time::sleep(Duration::from_millis(200)).await;
        missed = position(consortium.status(0).await).saturating_sub(missed_from);
    }
    let answered_since = |from: Instant| {
        load.answers.borrow().iter().rev().take_while(|(at, _)| *at >= from).count()
    };
    let before = missed as f64 / began.elapsed().as_secs_f64();
    consortium.note(&format!("{missed} requests without bank {bank}: {before:.0}/s"));
    consortium.start(bank);
    let started = Instant::now();
    let mut heard = None;
    let member = loop {
        assert!(started.elapsed() < PATIENCE, "bank {bank} does not return");
        let Some(status) = consortium.status(0).await else { continue };
        let seen = &status["banks"][bank];
        let answers = seen["state"] == "up" || seen["state"] == "returning";
        if answers && heard.is_none() {
            heard = Some(Instant::now());
        }
        if heard.is_some() && status["view"]["members"] == json!((0..BANKS).collect::<Vec<_>>()) {
            break Instant::now();
        }
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    };
    let heard = heard.expect("a member has been heard");
    let meanwhile = answered_since(heard) as f64 / heard.elapsed().as_secs_f64();
    consortium
        .note(&format!("it was heard {:.2} s after its start", (heard - started).as_secs_f64()));
    let well = figure(
        consortium,
        "from then to member",
        (member - heard).as_secs_f64(),
        RETURN_MAX.as_secs_f64(),
    );
    let kept = meanwhile / before;
    let verdict = if kept > KEPT_MIN { "" } else { "  MISSED" };
    consortium.note(&format!(
        "members answered {meanwhile:.0}/s meanwhile, {:.0} % of before{verdict}",
        kept * 100.0
    ));
    well && kept > KEPT_MIN
}
