//! What a bank that is neither well nor gone costs the others, with the default times of
//! `nodes.json`: each illness lasts for a minute, and the others must soon take writes again and
//! then be as quick as without that bank.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::consortium::{Consortium, DEFAULT_TIMES, WHOLE_JOURNAL};
use crate::load::{Drive, Load};
use crate::processes::links::{Passage, Port};
use crate::run::longest_gap;
use crate::slow_calls::SlowCalls;
use crate::verdict;

const BANKS: usize = 3;
/// The bank that is ill.
const ILL: usize = 2;
/// How long an illness lasts, and how long the measurements for comparison take.
const LASTS: Duration = Duration::from_secs(60);
const COMPARED: Duration = Duration::from_secs(15);
/// The time after which nobody may notice the illness any more.
const SETTLED: Duration = Duration::from_secs(30);
/// Longest time without an answer at the other banks.
const STOP_MAX: Duration = Duration::from_secs(10);
/// How much slower than without the ill bank the others may be from then on, at the 99th
/// percentile.
const SLOWER_MAX: f64 = 2.0;
/// A difference that cannot be told from the noise of a shared machine.
const NOISE: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(300);
const DRIVE: Drive = Drive { clients: 24, pause: Duration::from_millis(50) };

/// Illnesses.
#[derive(Clone, Copy, Debug)]
enum Ill {
    /// Sleeps 4.2 of every 4.5 s.
    Limping,
    /// All its lines carry 4 kB/s: far less than the consortium writes.
    Narrow,
    /// Another bank cannot call it at one port, in one direction, while heartbeats work.
    OnePortBlocked,
    /// Its disk needs two seconds for an fsync.
    SlowDisk,
    /// Its ledger's thread is stuck.
    StuckLedger,
    /// It is 300 ms away, there and back: not an illness, and the bank must stay in.
    Far,
}

/// Measures each illness, prints the result, and returns whether all is as it must be.
pub(crate) async fn measure(folder: &Path, program: &Path, only: Option<&str>) -> bool {
    let consortium =
        Rc::new(Consortium::prepare((folder, program), BANKS, DEFAULT_TIMES, WHOLE_JOURNAL, None));
    (0..BANKS).for_each(|bank| consortium.start(bank));
    assert!(consortium.wait_members(PATIENCE).await, "a new consortium begins");
    let load = Rc::new(Load::prepare(&consortium).await);
    *load.avoided.borrow_mut() = vec![ILL];
    let customers = {
        let load = load.clone();
        actix_rt::spawn(async move { load.run(DRIVE, 1).await })
    };
    let alone = without_it(&consortium, &load).await;
    let mut well = true;
    for ill in
        [Ill::Limping, Ill::Narrow, Ill::OnePortBlocked, Ill::SlowDisk, Ill::StuckLedger, Ill::Far]
    {
        if only.is_none_or(|word| format!("{ill:?}").to_lowercase().contains(&word.to_lowercase()))
        {
            well &= one(&consortium, &load, ill, alone).await;
        }
    }
    load.stop();
    customers.await.unwrap();
    load.avoided.borrow_mut().clear();
    let violations =
        verdict::judge(&consortium, &load, (PATIENCE, consortium.began())).await.violations();
    violations.iter().take(20).for_each(|violation| println!("VIOLATION {violation}"));
    println!("{}", if well && violations.is_empty() { "all as it must be" } else { "MISSED" });
    well && violations.is_empty()
}

/// The 99th percentile of a consortium that is well and runs without that bank.
async fn without_it(consortium: &Consortium, load: &Load) -> Duration {
    consortium.kill(ILL);
    actix_rt::time::sleep(Duration::from_secs(3)).await;
    let from = Instant::now();
    actix_rt::time::sleep(COMPARED).await;
    let p99 = load.percentile(0.99, from);
    consortium.note(&format!("without bank {ILL}: p99 {} ms", p99.as_millis()));
    consortium.start(ILL);
    p99
}

async fn one(consortium: &Consortium, load: &Load, ill: Ill, alone: Duration) -> bool {
    assert!(consortium.wait_members(PATIENCE).await, "all are members before {ill:?}");
    let began = Instant::now();
    let mut stayed_in = true;
    let slow_calls = begin(consortium, ill);
    while began.elapsed() < LASTS {
        if matches!(ill, Ill::Limping) {
            consortium.pause(ILL);
            actix_rt::time::sleep(Duration::from_millis(4_200)).await;
            consortium.go_on(ILL);
        }
        actix_rt::time::sleep(Duration::from_millis(300)).await;
        let members = consortium.status(0).await.map(|status| status["view"]["members"].clone());
        stayed_in &= members.is_some_and(|members| {
            members.as_array().is_some_and(|members| members.len() == BANKS)
        });
    }
    let ended = Instant::now();
    let answers: Vec<_> = load.answers.borrow().iter().map(|(at, _)| *at).collect();
    let (from, to) = longest_gap(&answers, began, ended);
    let (stop, p99) = (to - from, load.percentile(0.99, began + SETTLED));
    let quick = p99 <= alone.mul_f64(SLOWER_MAX) + NOISE;
    let well = if matches!(ill, Ill::Far) { stayed_in } else { stop <= STOP_MAX && quick };
    consortium.note(&format!(
        "{ill:?}: longest stop at the others {:.1} s, p99 from the 30th second on {} ms (without it {} ms), {}{}",
        stop.as_secs_f64(),
        p99.as_millis(),
        alone.as_millis(),
        if stayed_in { "stayed a member" } else { "was left out" },
        if well { "" } else { "  MISSED" }
    ));
    drop(slow_calls);
    consortium.links.open_all();
    well
}

/// Lets an illness begin; what it returns must be kept for as long as the illness is to last.
fn begin(consortium: &Consortium, ill: Ill) -> Option<SlowCalls> {
    let process = consortium.process_id(ILL).expect("the bank runs");
    match ill {
        Ill::SlowDisk => return Some(SlowCalls::fsyncs(process, Duration::from_secs(2))),
        Ill::StuckLedger => return Some(SlowCalls::stuck_thread(process, "ledger")),
        Ill::Limping => {}
        Ill::Narrow => consortium.set_all(ILL, Passage::Narrow(4_000), Passage::Narrow(4_000)),
        Ill::OnePortBlocked => consortium.links.set_calls(1, ILL, Port::Http, Passage::Held),
        Ill::Far => {
            let far = Passage::Far(Duration::from_millis(150));
            consortium.set_all(ILL, far, far);
        }
    }
    None
}
