//! Who may be connected to the heartbeat port, and how often refusals there are logged. No I/O, no
//! clock.
//!
//! A connection whose other end was lost in a silent cut would stay for ever, and so would one of a
//! caller that says nothing: both are bounded in number, and the newest connection ends an older
//! one of whoever has the most. So a crowd at one address pushes out itself, and a peer at another
//! finds room.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use tokio::sync::oneshot::{Receiver, Sender, channel};

use crate::ids::{BANKS_MAX, BankId};
use crate::protocol::time::Millis;

/// The most connections of one peer. It needs one; another may be there while the first is being
/// given up.
const CONNECTIONS_PER_PEER_MAX: usize = 2;
/// The most connections of one address that have not said whose they are: as many as there are
/// peers in the largest consortium, which may all be behind one address.
const STRANGERS_PER_ADDRESS_MAX: usize = BANKS_MAX;
/// The most such connections of all addresses.
const STRANGERS_MAX: usize = 4 * BANKS_MAX;
/// After how long a refusal that keeps recurring is logged again, in milliseconds.
const REPEAT_AFTER_MS: Millis = 600_000;
/// How long a conversation must have lasted for earlier refusals to be news again, in milliseconds.
const LASTING_MS: Millis = 10_000;
/// The most reasons that are remembered for one peer: further ones are only counted until the first
/// is old enough to be logged again.
const REASONS_MAX: usize = 8;
/// The most characters of a reason that are logged: it may come from the other side.
const REASON_CHARS_MAX: usize = 300;

/// A connection that is open.
struct Guest {
    number: u64,
    address: IpAddr,
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
    pub(super) fn enter(&mut self, address: IpAddr, now: Millis) -> (u64, Receiver<()>) {
        self.last_number += 1;
        let (stay, ends) = channel();
        let number = self.last_number;
        self.strangers.push_back(Guest { number, address, _stay: stay, since: now });
        if self.strangers_of(address) > STRANGERS_PER_ADDRESS_MAX {
            self.end_oldest_of(address);
        } else if self.strangers.len() > STRANGERS_MAX {
            let of_most = self.strangers.iter().map(|guest| guest.address);
            let of_most = of_most.max_by_key(|address| self.strangers_of(*address));
            of_most.into_iter().for_each(|address| self.end_oldest_of(address));
        }
        (number, ends)
    }

    fn strangers_of(&self, address: IpAddr) -> usize {
        self.strangers.iter().filter(|guest| guest.address == address).count()
    }

    fn end_oldest_of(&mut self, address: IpAddr) {
        if let Some(oldest) = self.strangers.iter().position(|guest| guest.address == address) {
            self.strangers.remove(oldest);
        }
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

/// A reason as it is logged: in one line of bounded length.
pub(super) fn in_one_line(why: &str) -> String {
    let mut line: String = why.chars().take(REASON_CHARS_MAX).collect();
    if line.len() < why.len() {
        line.push('…');
    }
    line.replace(char::is_control, " ")
}

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
        let is_old = |reason: &Reason| now.saturating_sub(reason.said_at) >= REPEAT_AFTER_MS;
        let Some(reason) = reasons.iter_mut().find(|reason| reason.why == why) else {
            if reasons.len() == REASONS_MAX {
                // Somebody has many reasons, or makes them up.
                let oldest = reasons.iter().position(is_old)?;
                reasons.remove(oldest);
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
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn is_ended(stay: &mut Receiver<()>) -> bool {
        stay.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn a_peers_newest_connections_stay_and_older_ones_end() {
        let mut door = Door::default();
        let mut stays: Vec<_> = (0..4)
            .map(|_| {
                let (number, stay) = door.enter(HERE, 0);
                door.introduce(number, PEER);
                stay
            })
            .collect();
        assert_eq!(stays.iter_mut().map(is_ended).collect::<Vec<_>>(), [true, true, false, false]);
        let (number, mut other) = door.enter(HERE, 0);
        door.introduce(number, BankId(1));
        assert!(!is_ended(&mut other) && !is_ended(&mut stays[2]), "each peer has its own bound");
    }

    #[test]
    fn a_silent_connection_makes_room_for_a_new_one() {
        let mut door = Door::default();
        let (number, mut peer) = door.enter(HERE, 0);
        door.introduce(number, PEER);
        let (_, mut first) = door.enter(HERE, 0);
        let mut later: Vec<_> =
            (0..STRANGERS_PER_ADDRESS_MAX).map(|_| door.enter(HERE, 0).1).collect();
        assert!(is_ended(&mut first));
        assert!(
            !later.iter_mut().any(is_ended) && !is_ended(&mut peer),
            "a crowd of strangers ends no peer"
        );
    }

    #[test]
    fn a_crowd_at_many_addresses_ends_only_connections_of_those_that_have_the_most() {
        let mut door = Door::default();
        let (_, mut alone) = door.enter(HERE, 0);
        let mut crowd = Vec::new();
        for address in 1..=8 {
            let address = IpAddr::from([10, 0, 0, address]);
            crowd.extend((0..2 * STRANGERS_PER_ADDRESS_MAX).map(|_| door.enter(address, 0).1));
        }
        assert!(!is_ended(&mut alone));
        assert_eq!(door.strangers.len(), STRANGERS_MAX);
        let (_, mut newest) = door.enter(IpAddr::from([10, 0, 1, 1]), 0);
        assert!(!is_ended(&mut newest) && !is_ended(&mut alone));
        crowd.retain_mut(|stay| !is_ended(stay));
        assert_eq!(crowd.len(), STRANGERS_MAX - 2);
    }

    #[test]
    fn a_connection_that_has_ended_frees_its_place() {
        let mut door = Door::default();
        for _ in 0..10 {
            let (number, mut stay) = door.enter(HERE, 0);
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
            let (number, _stay) = door.enter(HERE, 0);
            door.introduce(number, PEER);
            door.leave(number, lasted);
            assert_eq!(door.refuse(Some(PEER), "a", lasted).is_some(), is_news);
        }
    }

    #[test]
    fn somebody_who_makes_up_reasons_fills_neither_the_memory_nor_the_log() {
        let mut repeats = Repeats::default();
        let said = |repeats: &mut Repeats, now| {
            let made_up = (0..1_000).map(|number| format!("{now} {number}"));
            made_up.filter(|why| repeats.say(None, why, now).is_some()).count()
        };
        assert_eq!(said(&mut repeats, 0), REASONS_MAX);
        assert_eq!(said(&mut repeats, REPEAT_AFTER_MS - 1), 0);
        assert_eq!(said(&mut repeats, REPEAT_AFTER_MS), REASONS_MAX);
        assert_eq!(repeats.0[&None].len(), REASONS_MAX);
    }

    #[test]
    fn a_reason_is_logged_in_one_line_of_bounded_length() {
        assert_eq!(in_one_line("wrong secret"), "wrong secret");
        assert_eq!(in_one_line("a\nb\u{1b}[31m"), "a b [31m");
        let long = in_one_line(&"é".repeat(100_000));
        assert_eq!(long.chars().count(), REASON_CHARS_MAX + 1);
    }
}
