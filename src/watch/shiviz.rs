//! The history as a log that ShiViz reads (I. Beschastnikh et al., 'Debugging Distributed Systems',
//! 2016).
//!
//! ShiViz requires that each host's own counter begins at 1 and goes up by 1, and that a clock
//! names only events in the log. Here some events are forgotten and some never existed, so each is
//! counted by its rank among those of its bank that are in the log; which event knew of which stays
//! the same. The wording is that of a bank's log, as the two are read side by side.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::history::{History, Tracked};
use crate::ids::BankId;

/// The regular expression by which ShiViz parses the log; its first line.
pub(crate) const PARSER: &str = r"(?<host>\S*) (?<clock>{.*})\n(?<event>.*)";

impl History {
    /// All events that are remembered: the parser, an empty line (there is only one execution), two
    /// lines per event.
    #[must_use]
    pub(crate) fn shiviz(&self) -> String {
        let mut log = format!("{PARSER}\n\n");
        let mut counters: BTreeMap<BankId, Vec<u64>> = BTreeMap::new();
        for tracked in self.events.values().filter(|tracked| tracked.void.is_none()) {
            counters.entry(tracked.seen.key.sender).or_default().push(tracked.seen.counter());
        }
        for tracked in self.events.values().filter(|tracked| tracked.void.is_none()) {
            let clock: Vec<_> = tracked
                .seen
                .timestamp
                .iter()
                .map(|(bank, counter)| {
                    let logged = counters.get(&bank).map_or(&[][..], Vec::as_slice);
                    (bank, logged.partition_point(|other| *other <= counter))
                })
                .filter(|(_, rank)| *rank > 0)
                .map(|(bank, rank)| format!("\"bank-{bank}\":{rank}"))
                .collect();
            let sender = tracked.seen.key.sender;
            // Writing into a string cannot fail.
            let _ = writeln!(log, "bank-{sender} {{{}}}\n{}", clock.join(","), described(tracked));
        }
        log
    }
}

fn described(tracked: &Tracked) -> String {
    let seen = &tracked.seen;
    let came_of_it = match tracked.executed {
        Some((_, position, done)) => {
            format!("position={position} done={done}/{}", seen.requests)
        }
        None => format!("waits requests={}", seen.requests),
    };
    format!(
        "{} timestamp={} sum={} view={} {came_of_it}",
        seen.id, seen.timestamp, seen.key.sum, seen.key.view
    )
}
