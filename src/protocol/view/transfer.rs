//! What is fetched from others, and how well the line carries it: which bank is asked, for how much
//! at a time, how long to wait, and the snapshot that is arriving.
//!
//! It outlives the phases: a member that was asked while this bank was outside may be asked for a
//! plan too, and what is known of the line, and of the snapshot, stays useful for the next time.

use std::collections::VecDeque;

use super::ticks::{TICKS_MAX, Ticks, count};
use crate::ids::{BankId, BankSet, Position};
use crate::ledger::book::RunName;
use crate::protocol::snapshot::{SnapshotHead, SnapshotPiece};

/// Bytes of events after which an answer to a bank that catches up ends: small enough to be read in
/// some milliseconds, since all that others ask for is read by one thread. It carries a piece of a
/// snapshot as a whole.
pub const PIECE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How much is asked for while nothing is known of the line; also the least ever asked for.
const PIECE_BYTES_MIN: u32 = 4 * 1024;
/// An answer that took at most this long tells that the line carries more than was asked for,
const QUICK: Ticks = 2;
/// at most this long, about as much,
const FITTING: Ticks = 5;
/// and this long or longer, less.
const SLOW: Ticks = 8;
/// How long to wait for an answer while nothing is known of the line; doubles with each answer that
/// does not come.
const ANSWER_WITHIN: Ticks = 10;
/// The longest wait for an answer.
const ANSWER_WITHIN_MAX: Ticks = 300;
/// After how many ticks a bank that has caught up looks for more.
const LOOK_EVERY: Ticks = 2;
/// After how many ticks it asks to join again.
const JOIN_EVERY: Ticks = 5;
/// How much of a snapshot may be on its way to this bank's disk while more is fetched: enough that
/// line and disk work at the same time.
const STORING_MAX: usize = 4;

/// What is fetched from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Transfer {
    /// The bank that is asked.
    pub(super) source: Option<BankId>,
    /// Banks that were asked: their answers count, however late.
    sources: BankSet,
    /// Whether an answer is awaited.
    waiting: bool,
    /// Ticks since something was last asked for.
    since_asked: Ticks,
    /// How long to wait for the answer.
    within: Ticks,
    /// How much the line carries in half a second, as far as is known.
    bytes: u32,
    /// Whether the last answer brought so little that the bank may ask to join.
    near: bool,
    /// Ticks since it asked.
    since_join: Ticks,
    /// A snapshot that is arriving.
    arriving: Option<Arriving>,
    /// The beginning of the next piece.
    part: Option<SnapshotPiece>,
    /// Banks that have another history than this one.
    pub(super) differing: BankSet,
}

/// A snapshot that is arriving.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Arriving {
    head: SnapshotHead,
    /// How many of its pieces have come,
    come: u32,
    /// and how many of them are on disk.
    stored: u32,
    /// The runs of keys that it names and that are not here; known once all its pieces are.
    lacking: VecDeque<RunName>,
    /// The beginning of the first of them.
    part: Vec<u8>,
    /// Runs that have come and are not on disk.
    storing: Vec<RunName>,
}

impl Arriving {
    fn new(head: SnapshotHead, stored: u32) -> Self {
        let (lacking, part, storing) = (VecDeque::new(), Vec::new(), Vec::new());
        Arriving { head, come: stored, stored, lacking, part, storing }
    }

    /// How much of it is on its way to the disk.
    fn under_way(&self) -> usize {
        self.come.saturating_sub(self.stored) as usize + self.storing.len()
    }
}

/// What is to be done for the snapshot that is arriving.
pub(super) enum Wanted {
    /// Every piece is here: open it.
    Opening(SnapshotHead),
    /// Ask for this piece, from a byte on.
    Piece { index: u32, from: u64 },
    /// Ask for this run of keys, from a byte on.
    Run { name: RunName, from: u64 },
    /// Wait for the disk.
    Nothing,
}

/// What a part of a piece was good for.
pub(super) enum Arrived {
    /// It is no use.
    Nothing,
    /// It belongs to a different snapshot than the pieces that are here: start over with that one.
    OfAnother,
    /// A part of the piece that was expected; the piece goes on.
    Part,
    /// The piece is whole.
    Piece(SnapshotPiece),
}

impl Transfer {
    pub(super) fn new(arriving: Option<(SnapshotHead, u32)>) -> Self {
        Transfer {
            source: None,
            sources: BankSet::default(),
            waiting: false,
            since_asked: TICKS_MAX,
            within: ANSWER_WITHIN,
            bytes: PIECE_BYTES_MIN,
            near: false,
            since_join: 0,
            arriving: arriving.map(|(head, stored)| Arriving::new(head, stored)),
            part: None,
            differing: BankSet::default(),
        }
    }

    pub(super) fn tick(&mut self) {
        count(&mut self.since_asked);
    }

    /// A question is sent, and its answer awaited.
    pub(super) fn wait_for_answer(&mut self) {
        self.since_asked = 0;
        self.waiting = true;
    }

    /// A question about journal or snapshot is sent to this bank; returns for how many bytes to
    /// ask.
    pub(super) fn ask(&mut self, source: BankId) -> u32 {
        self.wait_for_answer();
        self.sources.insert(source);
        self.bytes
    }

    /// Whether this bank was asked, so that what it sends is an answer.
    pub(super) fn has_asked(&self, bank: BankId) -> bool {
        self.sources.contains(bank)
    }

    /// Nothing is fetched any more.
    pub(super) fn end(&mut self) {
        (self.source, self.waiting, self.near) = (None, false, false);
        (self.sources, self.differing) = (BankSet::default(), BankSet::default());
    }

    /// The last question was answered with something new.
    pub(super) fn answered(&mut self) {
        self.waiting = false;
        self.within = ANSWER_WITHIN.max(self.since_asked * 3).min(ANSWER_WITHIN_MAX);
    }

    /// The question was answered with `got` bytes: the next one asks for what the line carries in
    /// about half a second, and is not sent again before it can have been answered.
    fn learn(&mut self, got: usize) {
        let was_full = got as u64 * 2 >= u64::from(self.bytes);
        if self.since_asked <= QUICK && was_full {
            self.bytes = (self.bytes * 2).min(PIECE_BYTES_MAX as u32);
        } else if self.since_asked >= SLOW {
            self.bytes = (self.bytes / 2).max(PIECE_BYTES_MIN);
        }
        self.answered();
    }

    /// A piece of journal of `got` bytes has come. Returns whether it came so quickly, and brought
    /// so much less than was asked for, that nothing else can be missing.
    pub(super) fn learn_of_journal(&mut self, got: usize) -> bool {
        let is_last = got < self.bytes as usize && self.since_asked <= FITTING;
        self.learn(got);
        is_last
    }

    /// Another bank is heard: perhaps the line is better now.
    pub(super) fn hope(&mut self) {
        self.within = ANSWER_WITHIN;
    }

    pub(super) fn is_overdue(&self) -> bool {
        self.waiting && self.since_asked >= self.within
    }

    /// Whether it is time to ask for more: nothing is awaited, and a while has passed.
    pub(super) fn may_look(&self) -> bool {
        !self.waiting && self.since_asked >= LOOK_EVERY
    }

    /// If an answer was awaited, it has not come in time.
    pub(super) fn give_up_waiting(&mut self) {
        if self.waiting {
            self.within = (self.within * 2).min(ANSWER_WITHIN_MAX);
            self.bytes = (self.bytes / 2).max(PIECE_BYTES_MIN);
            self.waiting = false;
        }
    }

    /// The next lower one of these banks, so that the coordinator is asked last.
    pub(super) fn next_of(&self, acting: &[BankId]) -> Option<BankId> {
        let is_lower = |bank: &&BankId| self.source.is_none_or(|before| **bank < before);
        acting.iter().rev().find(is_lower).or(acting.last()).copied()
    }

    /// Whether what has come has to reach the disk before more is asked for.
    pub(super) fn is_storing(&self) -> bool {
        self.arriving.as_ref().is_some_and(|arriving| {
            let is_all = arriving.come == arriving.head.pieces && arriving.lacking.is_empty();
            arriving.under_way() >= STORING_MAX || is_all && arriving.under_way() > 0
        })
    }

    pub(super) fn is_near(&self) -> bool {
        self.near
    }

    /// Returns whether the bank has come near just now.
    pub(super) fn set_near(&mut self, near: bool) -> bool {
        let before = std::mem::replace(&mut self.near, near);
        near && !before
    }

    /// The bank is to ask to join at the next tick.
    pub(super) fn join_soon(&mut self) {
        self.since_join = TICKS_MAX;
    }

    /// Another tick outside; returns whether it is time to ask to join.
    pub(super) fn is_to_join(&mut self) -> bool {
        count(&mut self.since_join);
        let is_time = self.near && self.since_join >= JOIN_EVERY;
        if is_time {
            self.since_join = 0;
        }
        is_time
    }

    /// What is to be done next for the snapshot, at a bank that has executed through this position.
    pub(super) fn wanted(&self, position: Position) -> Wanted {
        let of_use = self.arriving.as_ref().filter(|arriving| arriving.head.position > position);
        let index = match of_use {
            Some(_) if self.is_storing() => return Wanted::Nothing,
            Some(Arriving { head, come, .. }) if *come < head.pieces => *come,
            Some(Arriving { head, lacking, part, .. }) => {
                return lacking.front().map_or_else(
                    || Wanted::Opening(head.clone()),
                    |name| Wanted::Run { name: *name, from: part.len() as u64 },
                );
            }
            None => 0,
        };
        let begun = self.part.as_ref().filter(|part| part.index == index);
        Wanted::Piece { index, from: begun.map_or(0, |part| part.text.len() as u64) }
    }

    /// The snapshot goes to the ledger.
    pub(super) fn open(&mut self) {
        self.since_asked = 0;
    }

    /// A part of a piece, of a snapshot that this bank can use, has come: it begins at byte `from`
    /// of a piece of `of` bytes.
    pub(super) fn take(&mut self, part: SnapshotPiece, from: u64, of: u64) -> Arrived {
        let next = match &self.arriving {
            Some(Arriving { head, come, .. }) if *head == part.head => *come,
            _ => 0,
        };
        if part.index > next {
            self.drop_snapshot();
            return Arrived::OfAnother;
        }
        let is_of_next = |begun: &SnapshotPiece| begun.head == part.head && begun.index == next;
        let begun = self.part.take().filter(is_of_next);
        let here = begun.as_ref().map_or(0, |begun| begun.text.len() as u64);
        if part.index != next || from != here {
            self.part = begun;
            let begins_anew = part.index == next && here == 0;
            return if begins_anew { Arrived::OfAnother } else { Arrived::Nothing };
        }
        self.learn(part.text.len());
        let piece = match begun {
            Some(mut begun) => {
                begun.text.push_str(&part.text);
                begun
            }
            None => part,
        };
        if piece.text.len() as u64 >= of {
            let arriving = self.arriving.take().filter(|arriving| arriving.head == piece.head);
            let arriving = arriving.unwrap_or_else(|| Arriving::new(piece.head.clone(), 0));
            self.arriving = Some(Arriving { come: next + 1, ..arriving });
            return Arrived::Piece(piece);
        }
        self.part = Some(piece);
        Arrived::Part
    }

    /// So many pieces are on disk.
    pub(super) fn stored(&mut self, head: &SnapshotHead, pieces: u32) {
        if let Some(arriving) = self.arriving.as_mut().filter(|arriving| arriving.head == *head) {
            arriving.stored = arriving.stored.max(pieces);
        }
    }

    /// These runs have to be here before the snapshot can be opened.
    pub(super) fn lack(&mut self, head: &SnapshotHead, runs: Vec<RunName>) {
        if let Some(arriving) = self.arriving.as_mut().filter(|arriving| arriving.head == *head) {
            (arriving.lacking, arriving.part) = (runs.into(), Vec::new());
        }
    }

    /// A part of a run has come: it begins at byte `from` of a run of `of` bytes. Returns all bytes
    /// of the run once they are here, and nothing if more is wanted; `None` if this part was not.
    pub(super) fn take_run(
        &mut self,
        name: RunName,
        content: &[u8],
        (from, of): (u64, u64),
    ) -> Option<Option<Vec<u8>>> {
        let is_wanted = |arriving: &&mut Arriving| {
            arriving.lacking.front() == Some(&name) && arriving.part.len() as u64 == from
        };
        let arriving = self.arriving.as_mut().filter(is_wanted)?;
        arriving.part.extend_from_slice(content);
        let is_whole = arriving.part.len() as u64 >= of;
        let whole = is_whole.then(|| std::mem::take(&mut arriving.part));
        if is_whole {
            arriving.lacking.pop_front();
            arriving.storing.push(name);
        }
        self.learn(content.len());
        Some(whole)
    }

    /// A run is on disk.
    pub(super) fn run_stored(&mut self, name: RunName) {
        if let Some(arriving) = &mut self.arriving {
            arriving.storing.retain(|storing| *storing != name);
        }
    }

    /// What arrived was not a valid snapshot: another member is asked at once, if there is one.
    pub(super) fn refuse_snapshot(&mut self) {
        self.drop_snapshot();
        self.ask_another();
    }

    /// The answer is of no use: another bank is asked at once, if there is one.
    pub(super) fn ask_another(&mut self) {
        self.waiting = true;
        self.since_asked = TICKS_MAX;
    }

    fn drop_snapshot(&mut self) {
        self.arriving = None;
        self.part = None;
    }
}
