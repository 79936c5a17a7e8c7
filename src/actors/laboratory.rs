//! The laboratory: what people may do to the links between the banks, to see what happens then.
//!
//! It is there only where `nodes.json` says so. The protocol knows nothing of it: a link is slowed,
//! stopped or cut where its messages leave and arrive, exactly as a bad network would do it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use crate::ids::{BankId, BankSet};
use crate::protocol::time::Millis;

/// Longest delay of a message, in milliseconds. The patience of the heartbeat bounds it too, since
/// several delays in a row must not look like a bank that stands still.
pub(crate) const DELAY_MAX_MS: Millis = 2_000;
/// Why a connection has ended, for the log.
pub(crate) const CUT: &str = "link cut in the laboratory";

/// What is done to the links of this bank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Weather {
    /// How long each message to another bank is held back, in milliseconds.
    pub delay_ms: Millis,
    /// Banks to and from which events and acknowledgements do not pass; heartbeats do.
    pub stopped: BankSet,
    /// Banks that this one is cut off from altogether.
    pub cut: BankSet,
}

/// What can be done to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// Everything passes.
    Healed,
    /// Only heartbeats and messages about views pass.
    Stopped,
    /// Nothing passes.
    Cut,
}

/// For the log.
impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Link::Healed => "healed",
            Link::Stopped => "stopped",
            Link::Cut => "cut",
        })
    }
}

/// How a message comes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// At once.
    Free,
    /// After a while.
    Slow(Duration),
    /// Not at all.
    Closed,
}

/// The weather between the banks; all clones share it.
#[derive(Clone, Debug, Default)]
pub struct Laboratory(Arc<watch::Sender<Weather>>);

impl Laboratory {
    /// What is done to the links now.
    #[must_use]
    pub fn weather(&self) -> Weather {
        *self.0.borrow()
    }

    /// Holds back every message from now on.
    pub(crate) fn slow_down(&self, delay_ms: Millis) {
        self.0.send_modify(|weather| weather.delay_ms = delay_ms.min(DELAY_MAX_MS));
    }

    /// Stops, cuts or heals the link to a bank.
    pub fn set(&self, bank: BankId, link: Link) {
        self.0.send_modify(|weather| {
            weather.stopped.remove(bank);
            weather.cut.remove(bank);
            match link {
                Link::Healed => {}
                Link::Stopped => weather.stopped.insert(bank),
                Link::Cut => weather.cut.insert(bank),
            }
        });
    }

    /// How an event or acknowledgement to a bank, or from it, comes through.
    #[must_use]
    pub fn passage(&self, bank: BankId) -> Passage {
        let weather = self.weather();
        if weather.cut.contains(bank) || weather.stopped.contains(bank) {
            Passage::Closed
        } else if weather.delay_ms > 0 {
            Passage::Slow(Duration::from_millis(weather.delay_ms))
        } else {
            Passage::Free
        }
    }

    /// Whether nothing at all passes to a bank and from it.
    #[must_use]
    pub(crate) fn is_cut(&self, bank: BankId) -> bool {
        self.0.borrow().cut.contains(bank)
    }
}

/// Waits until a bank is cut off, or for ever where there is no laboratory.
pub async fn cut(laboratory: &Option<Laboratory>, bank: BankId) {
    match laboratory {
        // The sender lives as long as the laboratory, which is held here.
        Some(laboratory) => {
            match laboratory.0.subscribe().wait_for(|weather| weather.cut.contains(bank)).await {
                Ok(_) => {}
                Err(_) => std::future::pending().await,
            }
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_in_one_state_at_a_time_and_the_others_stay_as_they_are() {
        let laboratory = Laboratory::default();
        laboratory.set(BankId(1), Link::Stopped);
        laboratory.set(BankId(2), Link::Cut);
        assert_eq!(laboratory.passage(BankId(1)), Passage::Closed);
        assert!(!laboratory.is_cut(BankId(1)), "heartbeats pass");
        laboratory.set(BankId(1), Link::Cut);
        assert_eq!(laboratory.weather().stopped, BankSet::default());
        laboratory.set(BankId(1), Link::Healed);
        assert_eq!(laboratory.passage(BankId(1)), Passage::Free);
        assert!(laboratory.is_cut(BankId(2)));
    }

    #[test]
    fn the_delay_is_bounded_and_a_stopped_link_is_not_merely_slow() {
        let laboratory = Laboratory::default();
        laboratory.slow_down(Millis::MAX);
        assert_eq!(
            laboratory.passage(BankId(1)),
            Passage::Slow(Duration::from_millis(DELAY_MAX_MS))
        );
        laboratory.set(BankId(1), Link::Stopped);
        assert_eq!(laboratory.passage(BankId(1)), Passage::Closed);
    }
}
