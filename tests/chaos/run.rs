//! One run: a consortium under load and under faults, healed, and judged.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::consortium::{
    Consortium, DEFAULT_TIMES, SHORT_JOURNAL, SHORT_TIMES, Times, WHOLE_JOURNAL,
};
use crate::faults;
use crate::load::{Drive, Load};
use crate::random::Random;
use crate::rights::{Kept, Rights};
use crate::verdict::{self, Verdict};

/// How many packages a second customers must get answers to while a majority is healthy.
const PACKAGES_PER_SECOND_MIN: f64 = 100.0;
/// How long a run must be for that rate to apply: a short one has only moments between faults.
const RATED_FROM: Duration = Duration::from_secs(30);
/// Clients for each bank.
const CLIENTS_PER_BANK: usize = 24;
/// How long a client waits after an answer, at most; half of it on average.
const CLIENT_PAUSE: Duration = Duration::from_millis(120);
/// How long a healthy consortium may take until all its banks are members and what is left over is
/// executed.
const HEALED_WITHIN: Duration = Duration::from_secs(120);
/// How often the test looks at what banks say and whether they are running.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long customers of healthy banks may be without an answer, in addition to the silence after
/// which a bank counts as failed: a bank that limps is left out once it has kept the others waiting
/// for a fifth of half a minute, and then comes a view.
const STOP_BESIDE_SILENCE_MAX: Duration = Duration::from_secs(7);
/// Load before the first fault and after the last.
const QUIET: Duration = Duration::from_secs(2);

/// What a run shows.
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) faults: Vec<&'static str>,
    /// How many packages were sent.
    pub(crate) sent: usize,
    /// What customers were told, and how often.
    pub(crate) told: Vec<(String, u64)>,
    pub(crate) packages_per_second: f64,
    /// Seconds in which a majority was healthy and nobody slow, and packages a second in them.
    pub(crate) healthy: (f64, f64),
    /// Time without any answer, from and to, in seconds since the consortium began: the longest at
    /// all, and the longest for customers of healthy banks, counted while nothing ails a majority
    /// or the lines between its members.
    pub(crate) longest_stops: [(f64, f64); 2],
    /// How long the latter may be.
    pub(crate) stop_max: Duration,
    pub(crate) healed_after: f64,
    /// What customers with limits and refunds came to.
    pub(crate) kept: Kept,
    pub(crate) verdict: Verdict,
}

/// The times at which customers without an answer could blame nothing but the healthy banks.
struct Health {
    /// A majority was healthy.
    majority: Healthy,
    /// A majority was healthy, and no other bank was both heard and slow.
    all_quick: Healthy,
}

/// Spans of time in which something was healthy.
struct Healthy {
    spans: Vec<(Instant, Instant)>,
    open: bool,
}

impl Healthy {
    fn saw(&mut self, healthy: bool) {
        let now = Instant::now();
        match self.spans.last_mut().filter(|_| self.open && healthy) {
            Some(span) => span.1 = now,
            None if healthy => self.spans.push((now, now)),
            None => {}
        }
        self.open = healthy;
    }

    fn seconds(&self) -> f64 {
        self.spans.iter().map(|(from, to)| to.duration_since(*from).as_secs_f64()).sum()
    }
}

/// A consortium that has begun, and how long its banks wait for one another.
async fn begin(
    place: (&Path, &Path),
    banks: usize,
    seed: u64,
    random: &mut Random,
) -> (Rc<Consortium>, Times) {
    let times = if random.coin() { DEFAULT_TIMES } else { SHORT_TIMES };
    let journal = if seed.is_multiple_of(2) { WHOLE_JOURNAL } else { SHORT_JOURNAL };
    let small_disk = Some(random.index(banks));
    let consortium = Rc::new(Consortium::prepare(place, banks, times, journal, small_disk));
    let shifts = faults::draw_clocks(banks, random);
    consortium.note(&format!(
        "seed {seed}: {banks} banks, {times:?}, {journal:?}, clocks that are set: {shifts:?}"
    ));
    consortium.put_under_clocks(shifts);
    if consortium.small_disk().is_none() {
        consortium.note("NO DISK CAN BE FILLED IN THIS RUN: MOUNTING A TMPFS IS NOT ALLOWED HERE");
    }
    (0..banks).for_each(|bank| consortium.start(bank));
    assert!(consortium.wait_members(HEALED_WITHIN).await, "a new consortium begins");
    (consortium, times)
}

/// One run, in a folder and with a program.
pub(crate) async fn run(place: (&Path, &Path), banks: usize, lasts: Duration, seed: u64) -> Report {
    let mut random = Random::new(seed);
    let (consortium, times) = begin(place, banks, seed, &mut random).await;
    let load = Rc::new(Load::prepare(&consortium).await);
    let rights = Rc::new(Rights::prepare(&consortium).await);
    consortium.note("customers begin");
    let began = Instant::now();
    let customers = {
        let (load, drive) =
            (load.clone(), Drive { clients: CLIENTS_PER_BANK * banks, pause: CLIENT_PAUSE });
        actix_rt::spawn(async move { load.run(drive, seed).await })
    };
    let claimants = {
        let rights = rights.clone();
        actix_rt::spawn(async move { rights.run(seed).await })
    };
    let watch = actix_rt::spawn(watch(consortium.clone()));
    let healthy = || Healthy { spans: Vec::new(), open: false };
    let health =
        Rc::new(std::cell::RefCell::new(Health { majority: healthy(), all_quick: healthy() }));
    let sampling = actix_rt::spawn(sample(consortium.clone(), health.clone()));

    actix_rt::time::sleep(QUIET).await;
    let faults = faults::rage(&consortium, random, lasts).await;
    let healing = Instant::now();
    consortium.note("healing");
    faults::heal(&consortium).await;
    if !consortium.wait_members(HEALED_WITHIN).await {
        consortium
            .find(format!("not all banks are members {} s after healing", HEALED_WITHIN.as_secs()));
    }
    let healed_after = healing.elapsed().as_secs_f64();
    consortium.note(&format!("all banks are members after {healed_after:.1} s"));
    let healed = Instant::now();
    actix_rt::time::sleep(QUIET).await;
    sampling.abort();
    load.stop();
    rights.stop();
    let ended = Instant::now();
    customers.await.unwrap();
    claimants.await.unwrap();
    watch.abort();

    let kept = rights.judge(HEALED_WITHIN).await;
    let verdict = verdict::judge(&consortium, &load, (HEALED_WITHIN, healed)).await;
    let mut report = Report {
        seed,
        faults,
        sent: load.sent.borrow().len(),
        told: load.told.borrow().clone().into_iter().collect(),
        packages_per_second: 0.0,
        healthy: (0.0, 0.0),
        longest_stops: [(0.0, 0.0); 2],
        stop_max: Duration::from_millis(times.failure_after_ms) + STOP_BESIDE_SILENCE_MAX,
        healed_after,
        kept,
        verdict,
    };
    measure(&mut report, &load, lasts, (consortium.began(), began, ended), &health.borrow());
    report
}

fn measure(
    report: &mut Report,
    load: &Load,
    lasts: Duration,
    (consortium_began, began, ended): (Instant, Instant, Instant),
    Health { majority, all_quick }: &Health,
) {
    let answers: Vec<_> = load.answers.borrow().iter().map(|(at, _)| *at).collect();
    let within = |from: Instant, to: Instant| {
        answers.iter().filter(|at| (from..to).contains(*at)).count() as f64
    };
    report.packages_per_second = within(began, ended) / ended.duration_since(began).as_secs_f64();
    let seconds = all_quick.seconds();
    let in_health: f64 = all_quick.spans.iter().map(|(from, to)| within(*from, *to)).sum();
    report.healthy = (seconds, in_health / seconds.max(0.001));
    let in_health = majority.spans.iter().map(|(from, to)| longest_gap(&answers, *from, *to));
    let in_health = in_health.max_by_key(|(from, to)| *to - *from).unwrap_or((began, began));
    let since = |at: Instant| at.duration_since(consortium_began).as_secs_f64();
    report.longest_stops =
        [longest_gap(&answers, began, ended), in_health].map(|(from, to)| (since(from), since(to)));
    let stop = report.longest_stops[1].1 - report.longest_stops[1].0;
    if stop > report.stop_max.as_secs_f64() {
        let (from, at_most) = (report.longest_stops[1].0, report.stop_max);
        let text = format!(
            "customers of healthy banks had no answer for {stop:.1} s from {from:.1} s on, not {at_most:?}"
        );
        report.verdict.others.push(text);
    }
    if lasts >= RATED_FROM && report.healthy.1 < PACKAGES_PER_SECOND_MIN {
        let text = format!(
            "{:.0} packages/s were answered while a majority was healthy",
            report.healthy.1
        );
        report.verdict.others.push(text);
    }
}

/// The longest time without an answer; answers are given in order of time.
pub(crate) fn longest_gap(answers: &[Instant], from: Instant, to: Instant) -> (Instant, Instant) {
    let inside = answers.iter().copied().filter(|at| (from..to).contains(at));
    let ends: Vec<_> = [from].into_iter().chain(inside).chain([to]).collect();
    let gaps = ends.windows(2).map(|ends| (ends[0], ends[1]));
    gaps.max_by_key(|(from, to)| *to - *from).expect("two ends at least")
}

async fn sample(consortium: Rc<Consortium>, health: Rc<std::cell::RefCell<Health>>) {
    loop {
        let healthy = consortium.majority_is_healthy();
        health.borrow_mut().majority.saw(healthy);
        health.borrow_mut().all_quick.saw(healthy && !consortium.any_is_slow());
        actix_rt::time::sleep(LOOK_EVERY).await;
    }
}

/// Watches for processes that end and banks that differ, and follows the views.
async fn watch(consortium: Rc<Consortium>) {
    let mut known = vec![String::new(); consortium.len()];
    for bank in (0..consortium.len()).cycle() {
        actix_rt::time::sleep(LOOK_EVERY).await;
        consortium.notice_ends();
        let now = match consortium.status(bank).await {
            Some(status) => {
                let members = &status["view"]["members"];
                format!(
                    "{} {} voter {} {}",
                    status["phase"], status["reach"], status["voter"], members
                )
            }
            None => "does not answer".to_owned(),
        };
        if now != known[bank] {
            consortium.note(&format!("  bank {bank}: {now}"));
            known[bank] = now;
        }
    }
}
