//! What a view change costs the customers of banks that stay: one bank of a consortium under load
//! is killed and started again and again, and nobody else may wait for long.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::consortium::{Consortium, SHORT_TIMES, WHOLE_JOURNAL};
use crate::load::{Drive, Load};
use crate::verdict;

/// Longest that a request at a bank that stays may wait for its answer, whatever the answer is.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Most views that a death and a return may take: one without the bank, one with it.
const VIEWS_MAX: usize = 2;
/// How long anything else may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a bank stays dead.
const DEAD: Duration = Duration::from_millis(500);
const DRIVE: Drive = Drive { clients: 40, pause: Duration::from_millis(60) };

/// Restarts the last bank `restarts` times, prints what that cost, and returns whether all is as it
/// must be.
pub(crate) async fn measure(folder: &Path, program: &Path, banks: usize, restarts: u64) -> bool {
    let consortium =
        Rc::new(Consortium::prepare((folder, program), banks, SHORT_TIMES, WHOLE_JOURNAL, None));
    (0..banks).for_each(|bank| consortium.start(bank));
    assert!(consortium.wait_members(PATIENCE).await, "a new consortium begins");
    let load = Rc::new(Load::prepare(&consortium).await);
    let bank = banks - 1;
    *load.avoided.borrow_mut() = vec![bank];
    let customers = {
        let load = load.clone();
        actix_rt::spawn(async move { load.run(DRIVE, 1).await })
    };
    let mut well = true;
    for restart in 1..=restarts {
        well &= one_restart(&consortium, &load, bank, restart).await;
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

async fn one_restart(consortium: &Consortium, load: &Load, bank: usize, restart: u64) -> bool {
    let views_before = consortium.views_seen(0);
    let began = Instant::now();
    consortium.kill(bank);
    actix_rt::time::sleep(DEAD).await;
    consortium.start(bank);
    assert!(consortium.wait_members(PATIENCE).await, "bank {bank} returns");
    let views = consortium.views_seen(0) - views_before;
    let slowest = load.slowest_since(began, bank);
    let well = views <= VIEWS_MAX && slowest <= ANSWER_MAX;
    consortium.note(&format!(
        "restart {restart}: member again after {:.1} s, {views} views, slowest answer at the others {:.2} s{}",
        began.elapsed().as_secs_f64(),
        slowest.as_secs_f64(),
        if well { "" } else { "  MISSED" }
    ));
    well
}
