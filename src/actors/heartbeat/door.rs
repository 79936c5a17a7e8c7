//! Who may be connected to the heartbeat port, and how often refusals there are logged. No I/O, no
//! clock.
//!
//! A connection whose other end was lost in a silent cut would stay for ever, and so would one of a
//! caller that says nothing: both are bounded in number, and the newest connection ends the oldest.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::oneshot::{Receiver, Sender, channel};

use crate::ids::{BANKS_MAX, BankId};
use crate::protocol::time::Millis;

/// The most connections of one peer. It needs one; another may be there while the first is being
/// given up.
const CONNECTIONS_PER_PEER_MAX: usize = 2;
/// The most connections that have not said whose they are: more than all peers of the largest
/// consortium together.
const STRANGERS_MAX: usize = 2 * BANKS_MAX;
/// After how long a refusal that keeps recurring is logged again, in milliseconds.
const REPEAT_AFTER_MS: Millis = 600_000;
/// How long a conversation must have lasted for earlier refusals to be news again, in milliseconds.
const LASTING_MS: Millis = 10_000;
/// The most reasons that are remembered for one peer.
const REASONS_MAX: usize = 8;

/// A connection that is open.
struct Guest {
    number: u64,
    /// Dropping it ends the connection.
    _stay: Sender<()>,
    since: Millis,
}

/// The connections to this bank's heartbeat port.
#[derive(Default)]
pub(super) struct Door {
    strangers: VecDeque<Guest>,
    peers: BTreeMap<BankId, VecDeque<Guest>>,
    last_number: u64,
    refusals: Repeats,
}

impl Door {
    /// A caller has connected; the receiver resolves when the connection has to end.
    pub(super) fn enter(&mut self, now: Millis) -> (u64, Receiver<()>) {
        self.last_number += 1;
        let (stay, ends) = channel();
        push_bounded(
            &mut self.strangers,
            Guest { number: self.last_number, _stay: stay, since: now },
            STRANGERS_MAX,
        );
        (self.last_number, ends)
    }

    /// A connection has proved to be this peer's.
    pub(super) fn introduce(&mut self, number: u64, peer: BankId) {
        if let Some(guest) = take(&mut self.strangers, number) {
            push_bounded(self.peers.entry(peer).or_default(), guest, CONNECTIONS_PER_PEER_MAX);
        }
    }

    /// A connection has ended.
    pub(super) fn leave(&mut self, number: u64, now: Millis) {
        take(&mut self.strangers, number);
        let mut lasting = Vec::new();
        for (peer, guests) in &mut self.peers {
            if take(guests, number)
                .is_some_and(|guest| now.saturating_sub(guest.since) >= LASTING_MS)
            {
                lasting.push(*peer);
            }
        }
        lasting.into_iter().for_each(|peer| self.refusals.forget(Some(peer)));
    }

    /// A caller was refused: a peer, or an unknown one. Returns what to add to the log line, if
    /// there is to be one.
    pub(super) fn refuse(
        &mut self,
        whom: Option<BankId>,
        why: &str,
        now: Millis,
    ) -> Option<String> {
        self.refusals.say(whom, why, now)
    }
}

fn push_bounded(guests: &mut VecDeque<Guest>, guest: Guest, count_max: usize) {
    guests.push_back(guest);
    while guests.len() > count_max {
        guests.pop_front();
    }
}

fn take(guests: &mut VecDeque<Guest>, number: u64) -> Option<Guest> {
    let place = guests.iter().position(|guest| guest.number == number)?;
    guests.remove(place)
}

/// What was logged before, so that what happens again and again is logged once, and later with a
/// count.
#[derive(Default)]
pub(super) struct Repeats(BTreeMap<Option<BankId>, Vec<Reason>>);

struct Reason {
    why: String,
    said_at: Millis,
    /// How many times it has been left out since.
    kept_back: u64,
}

impl Repeats {
    /// Returns what to add to the line if this is to be logged now.
    pub(super) fn say(&mut self, whom: Option<BankId>, why: &str, now: Millis) -> Option<String> {
        let reasons = self.0.entry(whom).or_default();
        let Some(reason) = reasons.iter_mut().find(|reason| reason.why == why) else {
            if reasons.len() == REASONS_MAX {
                reasons.remove(0);
            }
            reasons.push(Reason { why: why.to_owned(), said_at: now, kept_back: 0 });
            return Some(String::new());
        };
        reason.kept_back += 1;
        if now.saturating_sub(reason.said_at) < REPEAT_AFTER_MS {
            return None;
        }
        let times = std::mem::take(&mut reason.kept_back);
        reason.said_at = now;
        Some(format!(" ({times} times since the last line)"))
    }

    /// All is well: what comes now is news.
    pub(super) fn forget(&mut self, whom: Option<BankId>) {
        self.0.remove(&whom);
    }

    /// The same after a conversation that began and ended at these times, if it was one.
    pub(super) fn forget_after(&mut self, began: Millis, ended: Millis) {
        if ended.saturating_sub(began) >= LASTING_MS {
            self.forget(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: BankId = BankId(2);

    fn is_ended(stay: &mut Receiver<()>) -> bool {
        stay.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn a_peers_newest_connections_stay_and_older_ones_end() {
        let mut door = Door::default();
        let mut stays: Vec<_> = (0..4)
            .map(|_| {
                let (number, stay) = door.enter(0);
                door.introduce(number, PEER);
                stay
            })
            .collect();
        assert_eq!(stays.iter_mut().map(is_ended).collect::<Vec<_>>(), [true, true, false, false]);
        let (number, mut other) = door.enter(0);
        door.introduce(number, BankId(1));
        assert!(!is_ended(&mut other) && !is_ended(&mut stays[2]), "each peer has its own bound");
    }

    #[test]
    fn a_silent_connection_makes_room_for_a_new_one() {
        let mut door = Door::default();
        let (number, mut peer) = door.enter(0);
        door.introduce(number, PEER);
        let (_, mut first) = door.enter(0);
        let mut later: Vec<_> = (0..STRANGERS_MAX).map(|_| door.enter(0).1).collect();
        assert!(is_ended(&mut first));
        assert!(
            !later.iter_mut().any(is_ended) && !is_ended(&mut peer),
            "a crowd of strangers ends no peer"
        );
    }

    #[test]
    fn a_connection_that_has_ended_frees_its_place() {
        let mut door = Door::default();
        for _ in 0..10 {
            let (number, mut stay) = door.enter(0);
            assert!(!is_ended(&mut stay));
            door.introduce(number, PEER);
            door.leave(number, 1);
            assert!(is_ended(&mut stay));
        }
        assert!(door.strangers.is_empty() && door.peers[&PEER].is_empty());
    }

    #[test]
    fn a_refusal_is_logged_once_and_then_only_counted() {
        let mut door = Door::default();
        assert_eq!(door.refuse(Some(PEER), "a", 0).as_deref(), Some(""));
        assert!((1..1_000).all(|now| door.refuse(Some(PEER), "a", now).is_none()));
        assert_eq!(door.refuse(Some(PEER), "b", 5).as_deref(), Some(""), "another reason is news");
        assert_eq!(
            door.refuse(Some(PEER), "a", 6),
            None,
            "and the first one is not, when it comes back"
        );
        assert_eq!(
            door.refuse(Some(BankId(1)), "a", 7).as_deref(),
            Some(""),
            "another peer is news"
        );
        let again = door.refuse(Some(PEER), "a", REPEAT_AFTER_MS);
        assert_eq!(again.as_deref(), Some(" (1001 times since the last line)"));
        assert_eq!(door.refuse(Some(PEER), "a", REPEAT_AFTER_MS + 1), None);
    }

    #[test]
    fn a_refusal_is_news_after_a_lasting_conversation_but_not_after_a_brief_one() {
        for (lasted, is_news) in [(LASTING_MS, true), (LASTING_MS - 1, false)] {
            let mut door = Door::default();
            door.refuse(Some(PEER), "a", 0);
            let (number, _stay) = door.enter(0);
            door.introduce(number, PEER);
            door.leave(number, lasted);
            assert_eq!(door.refuse(Some(PEER), "a", lasted).is_some(), is_news);
        }
    }

    #[test]
    fn the_number_of_remembered_reasons_is_bounded() {
        let mut repeats = Repeats::default();
        (0..1_000).for_each(|number| assert!(repeats.say(None, &number.to_string(), 0).is_some()));
        assert_eq!(repeats.0[&None].len(), REASONS_MAX);
    }
}
