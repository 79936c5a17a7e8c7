//! What banks send to each other about views, as it is written in JSON.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ids::bounded::at_most;
use crate::ids::signature::Signature;
use crate::ids::{Ballot, BankId, BankSet, ChainHash, Position};
use crate::ledger::book::RunName;
use crate::protocol::event::{Event, Held};
use crate::protocol::execution::{Executions, JournalEntry};
use crate::protocol::order_key::OrderKey;
use crate::protocol::possible::HELD_MAX;
use crate::protocol::snapshot::SnapshotPiece;
use crate::protocol::vector_clock::VectorClock;

/// The most events in one answer to a bank that catches up.
pub const PIECE_EVENTS_MAX: usize = 500;
/// The most events asked for from one bank in one message.
pub(super) const FETCH_EVENTS_MAX: usize = 256;

/// A message of the view change; the documentation of `view` shows which bank sends what, and when.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ViewMessage {
    /// I am outside and have caught up: let me in.
    Join,
    /// Carries nothing: its sender only wants to know whether it arrives.
    Probe,
    /// Would you stop for this ballot? Disturbs nobody.
    WouldStop {
        /// The ballot that is to come, or a higher one.
        ballot: Ballot,
        /// Members of the view in force that the asker counts as failed.
        away: BankSet,
        /// Banks outside that are to be let in.
        joining: BankSet,
    },
    /// I see the fault myself.
    Granted(Ballot),
    /// Freeze, and promise nothing lower.
    Stop(Ballot),
    /// Frozen; this is what I have.
    Stopped(Stopped),
    /// I do not take part in this ballot.
    Refused {
        /// The ballot that is refused; a coordinator that is trying another one by now can ignore
        /// this.
        refused: Ballot,
        /// The highest that I have promised.
        promised: Ballot,
    },
    /// Others know that your disk once had more than it has now: count for no majority until you
    /// have prepared a view.
    Forgotten(Ballot),
    /// This is how the view begins: fetch what you lack of it.
    Prepare(PreparePlan),
    /// I am still fetching or writing.
    Working {
        /// For which ballot.
        ballot: Ballot,
        /// How many times something has come or been done since the plan came: only a higher number
        /// than before is worth waiting for.
        progress: u32,
    },
    /// All of it is on my disk.
    Ready(Ballot),
    /// The view is in force.
    Start(Ballot),
    /// Send me what was executed after a position.
    FetchJournal {
        /// What I have.
        after: Position,
        /// About how many bytes of events to send, which is what the line carries in half a second;
        /// at least one event is sent.
        bytes: u32,
    },
    /// Executed events in order.
    JournalPiece {
        /// The position that was asked about: everything after this.
        after: Position,
        /// The events; none when there is nothing later.
        #[serde(deserialize_with = "at_most::<_, _, PIECE_EVENTS_MAX>")]
        entries: Vec<WireEntry>,
        /// The chain hash where they begin; `None` while that is not known there.
        hash_before: Option<ChainHash>,
        /// Only a snapshot has what lies below this.
        starts_after: Position,
    },
    /// Send me a part of a piece of your snapshot.
    FetchSnapshot {
        /// Which piece.
        index: u32,
        /// Its text from this byte on.
        from: u64,
        /// At most this many bytes, perhaps a few less.
        bytes: u32,
    },
    /// A part of a piece of a snapshot.
    SnapshotPart {
        /// The piece, with this part of its text only.
        piece: SnapshotPiece,
        /// Where the part begins.
        from: u64,
        /// How many bytes the whole piece has.
        of: u64,
    },
    /// Send me a part of a run of keys that your snapshot names.
    FetchRun {
        /// Which run.
        name: RunName,
        /// Its bytes from this one on,
        from: u64,
        /// at most this many.
        bytes: u32,
    },
    /// A part of a run of keys.
    RunPart {
        /// Which run.
        name: RunName,
        /// Where the part begins.
        from: u64,
        /// How many bytes the run has; none if it is not there any more.
        of: u64,
        /// The part, in base64.
        #[serde(with = "in_base64")]
        content: Vec<u8>,
    },
    /// Send me these events of the flush.
    FetchEvents {
        /// For which ballot.
        ballot: Ballot,
        /// Their keys.
        #[serde(deserialize_with = "at_most::<_, _, FETCH_EVENTS_MAX>")]
        keys: Vec<OrderKey>,
    },
    /// Events of the flush.
    Events {
        /// For which ballot.
        ballot: Ballot,
        /// The events.
        #[serde(deserialize_with = "at_most::<_, _, FETCH_EVENTS_MAX>")]
        events: Vec<WireHeld>,
    },
}

/// Which question a large answer belongs to, and how much it brings: a bank that asks again, and
/// for less, has given up on the longer answer, or was restarted and will never read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bulk {
    /// Journal after a position, and how many entries.
    Journal(Position, usize),
    /// A piece of a snapshot, from which byte on, and how many bytes.
    Snapshot(u32, u64, usize),
    /// A run of keys, from which byte on, and how many bytes.
    Run(RunName, u64, usize),
    /// Events of a flush: the first of them, and how many.
    Events(Ballot, Option<OrderKey>, usize),
}

impl ViewMessage {
    /// The events that it brings, in the version that its sender has.
    pub fn events_mut(&mut self) -> impl Iterator<Item = &mut Arc<Event>> {
        let (held, entries) = match self {
            ViewMessage::Events { events, .. } => (events.as_mut_slice(), Default::default()),
            ViewMessage::JournalPiece { entries, .. } => {
                (Default::default(), entries.as_mut_slice())
            }
            _ => Default::default(),
        };
        let of_journal = entries.iter_mut().map(|entry| &mut entry.held);
        held.iter_mut().chain(of_journal).map(|WireHeld(held)| &mut held.event)
    }

    /// For an answer that may be large, which question it answers; `None` for everything else. Such
    /// answers travel separately, so that they hold up nothing else.
    #[must_use]
    pub fn bulk(&self) -> Option<Bulk> {
        match self {
            ViewMessage::JournalPiece { after, entries, .. } => {
                Some(Bulk::Journal(*after, entries.len()))
            }
            ViewMessage::SnapshotPart { piece, from, .. } => {
                Some(Bulk::Snapshot(piece.index, *from, piece.text.len()))
            }
            ViewMessage::RunPart { name, from, content, .. } => {
                Some(Bulk::Run(*name, *from, content.len()))
            }
            ViewMessage::Events { ballot, events } => Some(Bulk::Events(
                *ballot,
                events.first().map(|WireHeld(held)| held.event.order_key()),
                events.len(),
            )),
            _ => None,
        }
    }
}

/// A part of a snapshot's piece: at most `bytes` bytes of its text starting at byte `from`, cut
/// between two characters; `None` when `from` is not between two characters.
pub(super) fn part_of(mut piece: SnapshotPiece, from: u64, bytes: u32) -> Option<ViewMessage> {
    let of = piece.text.len();
    let begin = usize::try_from(from).ok()?;
    let mut end = begin.saturating_add(bytes.max(4) as usize).min(of);
    while !piece.text.is_char_boundary(end) {
        end -= 1;
    }
    piece.text = piece.text.get(begin..end)?.to_owned();
    Some(ViewMessage::SnapshotPart { piece, from, of: of as u64 })
}

/// Bytes as a text of base64.
mod in_base64 {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        BASE64_STANDARD.decode(&*text).map_err(serde::de::Error::custom)
    }
}

/// What a frozen bank has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stopped {
    /// The ballot that it promised.
    pub ballot: Ballot,
    /// The last view that it prepared.
    pub prepared: Ballot,
    /// Whether its disk has lost nothing: only banks with such a disk decide how a view begins.
    pub voter: bool,
    /// Whether this very process has acted in that view: then it knows that its disk has lost
    /// nothing of it, whatever others conclude.
    #[serde(default)]
    pub acted: bool,
    /// How many banks the consortium had in that last view.
    pub counted: usize,
    /// Whether a person has declared that it decides alone.
    pub rescue: bool,
    /// Executed through.
    pub position: Position,
    /// Chain hash there.
    pub hash: ChainHash,
    /// The last executed event.
    pub executed: Option<Executions>,
    /// Events held beyond.
    #[serde(deserialize_with = "at_most::<_, _, HELD_MAX>")]
    pub held: Vec<OrderKey>,
    /// Covers everything that is held.
    pub clock: VectorClock,
}

impl Stopped {
    /// Whether it covers exactly the banks that there are.
    #[must_use]
    pub fn fits(&self, banks: usize) -> bool {
        let knows_more = self.executed.as_ref().is_some_and(|done| done.clock.len() > banks);
        self.clock.len() == banks && !knows_more
    }
}

/// How a view begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PreparePlan {
    /// The view's name.
    pub ballot: Ballot,
    /// Its members.
    pub members: BankSet,
    /// `P`: every member starts from what was executed through here,
    pub position: Position,
    /// with this chain hash,
    pub hash: ChainHash,
    /// and can fetch it from this bank.
    pub source: BankId,
    /// `F`: the clock at which the view begins; covers `U`.
    pub clock: VectorClock,
    /// `U`: the events to execute first, in key order, each with a bank that holds it.
    #[serde(deserialize_with = "at_most::<_, _, HELD_MAX>")]
    pub events: Vec<(OrderKey, BankId)>,
    /// So few disks had ever counted that no other view can begin, or can have begun, without one
    /// of the banks asked: all of them count from the moment they have this plan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub founding: bool,
    /// The first view known here in which banks signed their events: only events from before it may
    /// come without a signature. Each bank writes down what it knows itself, whatever it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_from: Option<Ballot>,
}

impl PreparePlan {
    /// Whether it speaks only of the banks there are.
    #[must_use]
    pub fn fits(&self, banks: usize) -> bool {
        let known = |bank: BankId| bank.index() < banks;
        let holders = self.events.iter().map(|(_, holder)| *holder);
        self.clock.len() == banks
            && self.members.iter().chain(holders).chain([self.source]).all(known)
    }
}

/// An event with the members of its view, as it travels. Within one program it is passed on as it
/// is, without being parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WireHeld(pub Held);

#[derive(Serialize)]
struct HeldOut<'a> {
    event: &'a Event,
    members: BankSet,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a Signature>,
}

#[derive(Deserialize)]
struct HeldIn {
    event: Arc<RawValue>,
    members: BankSet,
    signature: Option<Signature>,
}

impl Serialize for WireHeld {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Held { event, members } = &self.0;
        HeldOut { event, members: *members, signature: event.signature() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for WireHeld {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let HeldIn { event, members, signature } = HeldIn::deserialize(deserializer)?;
        let event = Event::from_text(event, Ballot::default()).map_err(serde::de::Error::custom)?;
        Ok(WireHeld(Held { event: Arc::new(event.with_signature(signature)), members }))
    }
}

/// An executed event, as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WireEntry {
    /// The event and its members.
    pub held: WireHeld,
    /// Position of its last request.
    pub position: Position,
    /// Chain hash after it.
    pub hash: ChainHash,
}

impl From<JournalEntry> for WireEntry {
    fn from(entry: JournalEntry) -> Self {
        WireEntry { held: WireHeld(entry.held), position: entry.position, hash: entry.hash }
    }
}

impl From<WireEntry> for JournalEntry {
    fn from(entry: WireEntry) -> Self {
        JournalEntry { held: entry.held.0, position: entry.position, hash: entry.hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_the_message_that_carries_them() {
        let text = r#"{"Events":{"ballot":{"round":1,"coordinator":0},"events":[{"event":{"sender":0,"timestamp":[1],"type_msg":"X","id":"a","msg":{"b": 2}},"members":[0]}]}}"#;
        let ViewMessage::Events { events, .. } = serde_json::from_str(text).unwrap() else {
            panic!("{text}")
        };
        assert_eq!(events[0].0.event.requests[0].msg.get(), r#"{"b": 2}"#);
    }
}
