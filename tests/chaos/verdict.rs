//! What a healed consortium is checked against: every answer that a customer got.

use std::time::{Duration, Instant};

use crate::consortium::Consortium;
use crate::customers::http::Answer;
use crate::customers::judge::{Findings, Judge};
use crate::dates::Dates;
use crate::load::{Fate, Load, OPENING};

/// How many of the answered packages are asked about once more.
const ASKED_TWICE: usize = 200;
/// How often a question that a healthy bank does not answer is repeated.
const ATTEMPTS_MAX: usize = 20;

#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// Packages with a place in the common order.
    pub(crate) answered: usize,
    /// Those of them whose answer was found out only afterwards.
    pub(crate) asked_again: usize,
    /// Packages that every bank asked said will have no effect.
    pub(crate) refused: usize,
    pub(crate) findings: Findings,
    /// Statement entries whose dates were judged, and how far the worst was behind, in seconds.
    pub(crate) dates: (usize, i64),
    /// Banks that differ, do not heal, end by themselves, or answer what they must not.
    pub(crate) others: Vec<String>,
}

impl Verdict {
    pub(crate) fn violations(&self) -> Vec<String> {
        let mut violations = self.findings.texts();
        violations.extend(self.others.iter().cloned());
        violations
    }
}

/// Judges a consortium that is healed, that customers have left alone, and that may take a given
/// time to answer; what was sent since `dates_since` must be dated right.
pub(crate) async fn judge(
    consortium: &Consortium,
    load: &Load,
    (at_most, dates_since): (Duration, Instant),
) -> Verdict {
    let mut verdict = Verdict::default();
    log_in_everywhere(consortium, load).await;
    verdict.asked_again = ask_again(consortium, load).await;
    ask_twice(consortium, load).await;
    match consortium.wait_same(at_most).await {
        Some(position) => {
            consortium.note(&format!("all banks are at position {position} with the same hash"))
        }
        None => consortium
            .find(format!("the banks are not at one position and hash within {at_most:?}")),
    }
    let sent = load.sent.borrow().clone();
    let refused = sent.iter().filter(|sent| matches!(sent.fate, Fate::Refused));
    verdict.refused = refused.count();
    let answered = sent.iter().filter_map(|sent| match &sent.fate {
        Fate::Answered(answer, at) => Some((sent, answer, *at)),
        _ => None,
    });
    let answered: Vec<_> = answered.collect();
    verdict.answered = answered.len();
    let mut judge = Judge::replay(
        &load.accounts,
        OPENING,
        answered.iter().map(|(sent, answer, _)| (sent.operations.as_slice(), *answer)),
    );
    let dated = answered
        .iter()
        .filter_map(|(sent, answer, at)| Some((answer.body["id"].as_str()?, sent.at, *at)));
    let mut dates = Dates::of(dated, dates_since);
    for (index, account) in load.accounts.iter().enumerate() {
        let token = load.token(load.owner(index), account.bank);
        let base = consortium.url(account.bank, "");
        let (balance, statement) = load.http.statement(&base, account.number, &token).await;
        judge.statement(index, balance, &statement);
        dates.statement(&statement);
    }
    verdict.findings = judge.finish();
    let mut in_time: Vec<_> = answered
        .iter()
        .map(|(sent, answer, at)| (answer.position(), sent.at, *at, sent.key.as_str()))
        .collect();
    in_time.sort_unstable_by_key(|(position, ..)| *position);
    verdict.others = against_time(&in_time);
    verdict.dates = (dates.judged, dates.behind_max_s);
    verdict.others.append(&mut dates.wrong);
    for bank in consortium.stop_all().await {
        consortium.find(format!("bank {bank} does not end cleanly"));
    }
    verdict.others.extend(consortium.take_findings());
    verdict
}

async fn log_in_everywhere(consortium: &Consortium, load: &Load) {
    for customer in 0..load.customers() {
        for bank in 0..consortium.len() {
            if !load.log_in(customer, bank).await {
                consortium
                    .find(format!("bank {bank}, healed, does not let customer {customer} in"));
            }
        }
    }
}

/// Asks about every package that may have an effect but got no answer.
async fn ask_again(consortium: &Consortium, load: &Load) -> usize {
    let unknown: Vec<_> = {
        let sent = load.sent.borrow();
        (0..sent.len()).filter(|index| matches!(sent[*index].fate, Fate::Unknown)).collect()
    };
    for index in &unknown {
        if ask(consortium, load, *index).await.is_none() {
            let key = load.sent.borrow()[*index].key.clone();
            consortium.find(format!("nobody says what became of package {key}"));
        }
    }
    unknown.len()
}

async fn ask(consortium: &Consortium, load: &Load, index: usize) -> Option<Answer> {
    for attempt in 0..ATTEMPTS_MAX {
        if let (Fate::Answered(answer, _), _) =
            load.attempt(index, (index + attempt) % consortium.len()).await
        {
            return Some(answer);
        }
        actix_rt::time::sleep(Duration::from_millis(200)).await;
    }
    None
}

/// Checks that what was answered once is answered the same again, word for word.
async fn ask_twice(consortium: &Consortium, load: &Load) {
    let answered: Vec<_> = {
        let sent = load.sent.borrow();
        (0..sent.len()).filter(|index| matches!(sent[*index].fate, Fate::Answered(..))).collect()
    };
    for index in answered.iter().step_by((answered.len() / ASKED_TWICE).max(1)) {
        let before = load.sent.borrow()[*index].clone();
        let Fate::Answered(first, _) = &before.fate else { continue };
        let second = ask(consortium, load, *index).await;
        if second
            .as_ref()
            .is_none_or(|second| (second.status, &second.body) != (first.status, &first.body))
        {
            consortium.find(format!("package {}: {first:?} became {second:?}", before.key));
        }
        // The first answer is the one that the customer got.
        load.sent.borrow_mut()[*index] = before;
    }
}

/// Checks that the order follows time: a package answered before another was sent stands before it.
/// Takes the position, time of sending, time of the answer and key of each package, by position.
fn against_time(packages: &[(u64, Instant, Instant, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    let mut earliest: Option<&(u64, Instant, Instant, &str)> = None;
    for package in packages.iter().rev() {
        if let Some(later) = earliest.filter(|later| later.2 < package.1) {
            let (position, key) = (later.0, later.3);
            found.push(format!(
                "package {key} was answered at position {position} before package {} at position {} was sent",
                package.3, package.0
            ));
        }
        earliest = Some(earliest.filter(|earliest| earliest.2 <= package.2).unwrap_or(package));
    }
    found
}

/// Checks that the rules can fail; done whenever the program starts.
pub(crate) fn check_rules() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    assert!(
        against_time(&[(1, at(0), at(5), "a"), (2, at(1), at(2), "b"), (3, at(4), at(6), "c")])
            .is_empty()
    );
    assert_eq!(against_time(&[(1, at(3), at(5), "a"), (2, at(1), at(2), "b")]).len(), 1);
}
