//! Whether statements are dated when things happened, although clocks are wrong.
//!
//! Nothing may be dated later than it was answered. While a majority of the banks is away, a
//! remaining bank whose clock is behind may be believed (`docs/protocol.md`, the holes that are
//! known); then dates stand still, and by how much is measured. Once all banks are members again, a
//! date must be true in both directions.

use std::collections::BTreeMap;
use std::time::Instant;

use netbanking::actors::time::unix_ms;
use netbanking::ledger::calendar::{Date, TimeOfDay};
use serde_json::Value;

/// How far a date may be from the truth, in seconds.
const OFF_MAX_S: i64 = 5;

/// When a package was sent and answered, in Unix seconds.
#[derive(Clone, Copy)]
struct Span {
    sent_s: i64,
    answered_s: i64,
    /// Whether it was sent when all banks were members.
    is_strict: bool,
}

pub(crate) struct Dates {
    /// The spans of packages, by the id in their answers.
    spans: BTreeMap<String, Span>,
    /// The moments of the run, by the way statements print them.
    moments: BTreeMap<(String, String), i64>,
    pub(crate) judged: usize,
    /// How far the worst date was behind, in seconds.
    pub(crate) behind_max_s: i64,
    pub(crate) wrong: Vec<String>,
}

impl Dates {
    /// Takes the id, the time of sending and the time of the answer of each package. From `strict`
    /// on, dates must be true.
    pub(crate) fn of<'a>(
        packages: impl Iterator<Item = (&'a str, Instant, Instant)>,
        strict: Instant,
    ) -> Dates {
        let (now, now_ms) = (Instant::now(), unix_ms());
        let unix_s =
            |at: Instant| (now_ms - now.duration_since(at).as_millis() as i64).div_euclid(1_000);
        let span = |(id, sent, answered): (&str, Instant, Instant)| {
            let span = Span {
                sent_s: unix_s(sent),
                answered_s: unix_s(answered),
                is_strict: sent >= strict,
            };
            (id.to_owned(), span)
        };
        let spans: BTreeMap<_, _> = packages.map(span).collect();
        let now_s = now_ms / 1_000;
        let first_s = spans.values().map(|span| span.sent_s).min().unwrap_or(now_s);
        let printed = |at_s: i64| {
            (Date::at(at_s * 1_000).to_string(), TimeOfDay::at(at_s * 1_000).to_string())
        };
        // The accounts were opened some seconds before the first package was sent.
        let moments = (first_s - 60..now_s + 60).map(|at_s| (printed(at_s), at_s)).collect();
        Dates { spans, moments, judged: 0, behind_max_s: 0, wrong: Vec::new() }
    }

    /// Judges what a bank says about an account.
    pub(crate) fn statement(&mut self, said: &[Value]) {
        for entry in said {
            // An entry for which nobody got an answer is found by another check.
            let Some(span) = entry["id"].as_str().and_then(|id| self.spans.get(id)).copied() else {
                continue;
            };
            self.judged += 1;
            let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
            let Some(at_s) = self.moments.get(&(text("date"), text("time"))).copied() else {
                self.wrong.push(format!("dated far from the run: {entry}"));
                continue;
            };
            let (ahead, behind) = (at_s - span.answered_s, span.sent_s - at_s);
            self.behind_max_s = self.behind_max_s.max(behind);
            if ahead > OFF_MAX_S || (span.is_strict && behind > OFF_MAX_S) {
                self.wrong.push(format!(
                    "dated {ahead} s after its answer, {behind} s before it was sent: {entry}"
                ));
            }
        }
    }
}
