//! Who answers: like a nurse who writes down when each patient was last heard, and calls one well again only after
//! they have been steady for a while.
//!
//! A bank fails by silence, or at once when its connection is refused or closed. One that was lost must answer without
//! a break for a while before it counts again, so that a flapping bank does not drag the others along.

use super::effect::Millis;
use super::ids::BankId;

/// When a silence is a failure and how long a return is watched, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Silence that means failure.
    pub failure_after: Millis,
    /// Steady answers needed after a failure.
    pub rejoin_after: Millis,
}

/// What is known of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// It answers.
    Up,
    /// It answers again, but not for long enough yet.
    Returning,
    /// It does not answer.
    Down,
}

#[derive(Clone, Copy, Debug, Default)]
struct Observation {
    last_heard: Option<Millis>,
    /// Since when it has answered without a break.
    steady_since: Option<Millis>,
    /// Whether it was up once and was lost since: then its return is watched.
    lost: bool,
}

/// The heartbeats of all peers.
#[derive(Debug)]
pub struct Heartbeat {
    patience: Patience,
    peers: Vec<Observation>,
}

impl Heartbeat {
    /// Nothing heard of anyone yet.
    #[must_use]
    pub fn new(banks: usize, patience: Patience) -> Self {
        assert!(patience.failure_after > 0, "a bank that fails at once never answers");
        Heartbeat { patience, peers: vec![Observation::default(); banks] }
    }

    /// The peer has answered.
    pub fn heard(&mut self, peer: BankId, now: Millis) {
        let silent = self.state(peer, now) == PeerState::Down;
        let seen = &mut self.peers[peer.index()];
        if silent {
            // Only who had been heard before can have been lost: a first start waits for nobody.
            seen.lost |= seen.last_heard.is_some();
            seen.steady_since = Some(now);
        }
        seen.last_heard = Some(now);
        if self.state(peer, now) == PeerState::Up {
            self.peers[peer.index()].lost = false;
        }
    }

    /// The peer's connection was refused or closed.
    pub fn refused(&mut self, peer: BankId) {
        let seen = &mut self.peers[peer.index()];
        seen.lost |= seen.last_heard.is_some();
        seen.steady_since = None;
    }

    /// What is known of a peer now.
    #[must_use]
    pub fn state(&self, peer: BankId, now: Millis) -> PeerState {
        let seen = &self.peers[peer.index()];
        let (Some(last), Some(since)) = (seen.last_heard, seen.steady_since) else { return PeerState::Down };
        if now.saturating_sub(last) >= self.patience.failure_after {
            PeerState::Down
        } else if seen.lost && now.saturating_sub(since) < self.patience.rejoin_after {
            PeerState::Returning
        } else {
            PeerState::Up
        }
    }

    /// How long a peer has been silent, in milliseconds; `None` when it was never heard.
    #[must_use]
    pub fn silent_for(&self, peer: BankId, now: Millis) -> Option<Millis> {
        self.peers[peer.index()].last_heard.map(|last| now.saturating_sub(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: BankId = BankId(1);

    fn heartbeat() -> Heartbeat {
        Heartbeat::new(3, Patience { failure_after: 5_000, rejoin_after: 5_000 })
    }

    #[test]
    fn a_first_answer_counts_at_once() {
        let mut heartbeat = heartbeat();
        assert_eq!(heartbeat.state(PEER, 0), PeerState::Down);
        heartbeat.heard(PEER, 10);
        assert_eq!(heartbeat.state(PEER, 10), PeerState::Up);
    }

    #[test]
    fn five_seconds_of_silence_are_a_failure() {
        let mut heartbeat = heartbeat();
        heartbeat.heard(PEER, 0);
        assert_eq!(heartbeat.state(PEER, 4_999), PeerState::Up);
        assert_eq!(heartbeat.state(PEER, 5_000), PeerState::Down);
    }

    #[test]
    fn a_refused_connection_is_a_failure_at_once_and_the_return_is_watched() {
        let mut heartbeat = heartbeat();
        heartbeat.heard(PEER, 0);
        heartbeat.refused(PEER);
        assert_eq!(heartbeat.state(PEER, 1), PeerState::Down);
        (1_000..=5_000).step_by(1_000).for_each(|now| heartbeat.heard(PEER, now));
        assert_eq!(heartbeat.state(PEER, 5_999), PeerState::Returning);
        heartbeat.heard(PEER, 6_000);
        assert_eq!(heartbeat.state(PEER, 6_000), PeerState::Up);
    }

    #[test]
    fn a_break_while_returning_starts_the_watch_again() {
        let mut heartbeat = heartbeat();
        heartbeat.heard(PEER, 0);
        heartbeat.heard(PEER, 20_000);
        heartbeat.heard(PEER, 24_000);
        heartbeat.refused(PEER);
        heartbeat.heard(PEER, 24_500);
        assert_eq!(heartbeat.state(PEER, 26_000), PeerState::Returning);
    }

    #[test]
    fn who_was_refused_before_ever_being_heard_was_not_lost() {
        let mut heartbeat = heartbeat();
        heartbeat.refused(PEER);
        heartbeat.heard(PEER, 100);
        assert_eq!(heartbeat.state(PEER, 100), PeerState::Up);
    }
}
