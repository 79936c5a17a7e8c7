//! What the protocol's parts tell each other. Every part is a plain struct: an input and the time
//! go in, effects come out. Actors and the simulator only carry effects to the part they name.
//!
//! Between two parts effects arrive in the order in which they were made; between different pairs
//! in any order.

use std::sync::Arc;

use super::envelope::Gathered;
use super::event::{Event, Held};
use super::execution::{Check, ExecutedEvent, ExecutedMark, Executions, JournalEntry};
use super::notice::Notice;
use super::order_key::OrderKey;
use super::peer_state::PeerState;
use super::progress::Lags;
use super::reply::Reply;
use super::report::{Answered, PeerReport};
use super::snapshot::{SnapshotHead, SnapshotPiece};
use super::time::Millis;
use super::vector_clock::VectorClock;
use super::view::message::{PreparePlan, ViewMessage};
use super::view::turn::{Frozen, Installed, Reach};
use crate::ids::request::RawRequest;
use crate::ids::{Ballot, BankId, BankSet, ChainHash, EventId, Position};
use crate::ledger::Book;
use crate::ledger::book::{Present, RunName};

/// One fact on its way to the part that it concerns.
#[derive(Debug)]
pub enum Effect {
    /// To the vector clock.
    Clock(ClockInput),
    /// To the ordered buffer.
    Buffer(BufferInput),
    /// To the journal writer.
    Journal(JournalInput),
    /// To the ledger.
    Ledger(LedgerInput),
    /// To the checks that answer customers.
    Checks(ChecksInput),
    /// To the view.
    View(ViewInput),
    /// To the heartbeat monitor.
    Heartbeat(HeartbeatInput),
    /// To the link to one peer.
    Peer(BankId, PeerInput),
    /// To the customer who waits for this request.
    Reply(EventId, Reply),
    /// To the people who watch the log.
    Notice(Notice),
}

/// What the vector clock is told.
#[derive(Debug)]
pub enum ClockInput {
    /// A customer's request wants to be stamped.
    Submit(RawRequest),
    /// The buffer holds events up to a clock; answered by [`BufferInput::Merged`].
    Held {
        /// The view they belong to; a late report from an earlier view is void.
        view: Ballot,
        /// What is held.
        clock: VectorClock,
    },
    /// All members have executed this bank's own events up to this counter and agree on them.
    Agreed(u64),
    /// This bank's own events up to this counter are stable, and will be executed in this view.
    Stable(u64),
    /// Stop stamping; passed on to the buffer.
    Freeze(Ballot),
    /// A view begins; passed on to the buffer.
    Install(Installed),
    /// Which banks this bank reaches, and so whether stamping makes sense.
    Reach(Reach),
    /// What consortium time is.
    Time {
        /// What it was when this bank's monotonic clock was zero, in Unix milliseconds.
        base_ms: i64,
        /// Whose clocks it rests on.
        known: BankSet,
    },
    /// The node is about to stop: take nothing new.
    Drain,
    /// Time has passed.
    Tick,
}

/// What the ordered buffer is told.
#[derive(Debug)]
pub enum BufferInput {
    /// The clock has stamped an event.
    Own(Arc<Event>),
    /// The clock has taken notice of events up to this clock.
    Merged(VectorClock),
    /// A peer holds this event durably (the requirement's single acknowledgement).
    Acknowledged {
        /// The peer.
        from: BankId,
        /// The event.
        id: EventId,
    },
    /// The journal has everything up to this clock on disk.
    Persisted {
        /// The view the clock belongs to; a late report from an earlier view is void.
        view: Ballot,
        /// What is on disk.
        clock: VectorClock,
    },
    /// Take nothing in, acknowledge and execute nothing any more; passed on to the ledger.
    Freeze(Ballot),
    /// The ledger has executed everything that was released to it; passed on to the journal, behind
    /// everything that was appended.
    LedgerFrozen(Frozen),
    /// A view begins.
    Install(Installed),
    /// An event dated later than this, in Unix milliseconds, is wrong; `None` while this bank
    /// cannot tell.
    LatestDate(Option<i64>),
    /// Time has passed.
    Tick,
}

/// What the journal writer is told.
#[derive(Debug)]
pub enum JournalInput {
    /// Write events; answered by [`BufferInput::Persisted`].
    Append {
        /// The view in force.
        view: Ballot,
        /// What to write.
        events: Vec<Held>,
        /// What the journal covers with them.
        clock: VectorClock,
    },
    /// Events were executed. Needs no fsync of its own: if some of these marks are lost, the next
    /// flush finds them again.
    Executed(Vec<ExecutedMark>),
    /// Write a promise; answered by [`ViewInput::Frozen`].
    Promise(Frozen),
    /// Executed events fetched from a member; answered by [`ViewInput::Replayed`].
    Replayed {
        /// The events.
        entries: Vec<JournalEntry>,
        /// The last of them.
        executed: Executions,
    },
    /// Write a prepared view, new events and drops in one step; answered by
    /// [`ViewInput::Prepared`].
    Prepare {
        /// The view.
        prepared: PreparePlan,
        /// Events of the flush that were not held before.
        fetched: Vec<Held>,
        /// Events that never existed.
        dropped: Vec<OrderKey>,
        /// Whether the disk still lacks what it once promised: if so, it counts only once the view
        /// has begun.
        learner: bool,
    },
    /// The view has begun: this bank's disk counts again.
    Counts,
    /// The ledger as it stands, to be kept as a snapshot so that the journal below can go.
    Snapshot {
        /// The ledger.
        present: Arc<Present>,
        /// The last executed event.
        executed: Executions,
    },
    /// This bank's disk has lost something: it counts for no majority until a view has begun with
    /// it.
    Forgotten,
    /// Read executed events for a bank that lacks them; answered by [`ViewInput::JournalRead`].
    Read {
        /// Who asked; a later question from the same bank replaces one that is waiting.
        to: BankId,
        /// Everything executed after this.
        after: Position,
        /// About how many bytes of events; at least one event.
        bytes: u32,
    },
    /// Read a piece of the snapshot for a bank that lacks it; answered by
    /// [`ViewInput::SnapshotRead`].
    ReadSnapshot {
        /// Who asked.
        to: BankId,
        /// Which piece,
        index: u32,
        /// from which byte of its text on,
        from: u64,
        /// and about how many bytes.
        bytes: u32,
    },
    /// Write a piece of a snapshot that is arriving; answered by [`ViewInput::PieceStored`].
    StorePiece(SnapshotPiece),
    /// Read a run of keys for a bank that lacks it; answered by [`ViewInput::RunRead`].
    ReadRun {
        /// Who asked.
        to: BankId,
        /// Which run,
        name: RunName,
        /// from which of its bytes on,
        from: u64,
        /// and at most how many.
        bytes: u32,
    },
    /// Keep a run of keys that the snapshot which is arriving names; answered by
    /// [`ViewInput::RunStored`], or by [`ViewInput::SnapshotRefused`] if it is not that run.
    StoreRun {
        /// Which run.
        name: RunName,
        /// All of its bytes.
        content: Vec<u8>,
    },
    /// All pieces are here: make a ledger of them, and hand it to the ledger.
    OpenSnapshot(SnapshotHead),
    /// The ledger is now in the state that the snapshot describes; answered by
    /// [`ViewInput::Replayed`].
    SnapshotOpened(SnapshotHead),
}

/// What the ledger is told.
#[derive(Debug)]
pub enum LedgerInput {
    /// Execute these events in this order.
    Execute {
        /// The view in force.
        view: Ballot,
        /// The events.
        events: Vec<Held>,
    },
    /// Everything before this has been executed: complete the frozen state and hand it back to the
    /// buffer.
    Freeze(Frozen),
    /// A view begins; passed on to the checks. Only once its flush is executed does the ledger show
    /// every write that was answered in an earlier view.
    Install {
        /// The view.
        view: Ballot,
        /// Its members.
        members: BankSet,
        /// The events to execute before anything else, in key order.
        flush: Vec<Held>,
    },
    /// Execute what a member has already executed, and check that the result is the same.
    Replay(Vec<JournalEntry>),
    /// Hand the journal a copy of the ledger; answered by [`JournalInput::Snapshot`].
    Snapshot,
    /// Go on from a snapshot.
    Restore {
        /// What it is.
        head: SnapshotHead,
        /// The ledger that it describes.
        book: Box<Book>,
    },
}

/// What the checks are told.
#[derive(Debug)]
pub enum ChecksInput {
    /// A view begins.
    Install {
        /// The view.
        view: Ballot,
        /// Its members.
        members: BankSet,
        /// Executed through.
        position: Position,
        /// Chain hash there.
        hash: ChainHash,
    },
    /// This bank executed an event.
    Executed(ExecutedEvent),
    /// An event of this bank itself was executed by others first and fetched from them: all agree
    /// on it once the next view has begun.
    Fetched(ExecutedEvent),
    /// A peer has executed through a position.
    PeerExecuted {
        /// The peer.
        from: BankId,
        /// Its view.
        view: Ballot,
        /// Executed through.
        position: Position,
        /// Chain hash there.
        hash: ChainHash,
    },
    /// A peer knows that all members have executed through a position and agree.
    AllExecuted {
        /// The peer.
        from: BankId,
        /// Its view.
        view: Ballot,
        /// Executed through.
        position: Position,
        /// Chain hash there.
        hash: ChainHash,
    },
    /// A peer's check of one event (the requirement's single message).
    PeerChecked {
        /// The peer.
        from: BankId,
        /// The event.
        id: EventId,
        /// Its result there.
        check: Check,
    },
    /// Time has passed.
    Tick,
}

/// What a peer link is told.
#[derive(Debug)]
pub enum PeerInput {
    /// A view begins: what was under way in the last one is void.
    Install(Ballot),
    /// Send nothing more in the old view.
    Freeze,
    /// An event of this bank for the peer.
    Event(Arc<Event>),
    /// This bank's durable clock.
    Durable {
        /// The clock.
        clock: VectorClock,
        /// The events that it newly covers.
        events: Arc<[EventId]>,
        /// Whether the peer waits for it; otherwise it goes with whatever leaves next.
        urgent: bool,
    },
    /// What all members have on disk, for the peer that need not hear it from each of them.
    Gathered(Arc<Gathered>),
    /// All members have executed through a position and agree; goes with whatever leaves next, or a
    /// little later.
    Agreed {
        /// The view in force.
        view: Ballot,
        /// Executed through.
        position: Position,
        /// Chain hash there.
        hash: ChainHash,
    },
    /// What was to go with something else is to leave now.
    TellAll,
    /// This bank has executed an event.
    Executed {
        /// The view in force.
        view: Ballot,
        /// Executed through.
        position: Position,
        /// Chain hash there.
        hash: ChainHash,
        /// The event.
        event: Arc<Event>,
        /// Its result.
        check: Check,
    },
    /// The peer holds this bank's events up to this counter durably.
    Covered(u64),
    /// A message about views; sent alongside everything else.
    View(ViewMessage),
}

/// What the view is told.
#[derive(Debug)]
pub enum ViewInput {
    /// A bank says something about views (also this bank to itself).
    Message(BankId, ViewMessage),
    /// What the heartbeat knows of a peer.
    Peer {
        /// The peer.
        bank: BankId,
        /// Whether it answers.
        state: PeerState,
        /// What it last reported about itself.
        report: Option<PeerReport>,
    },
    /// A peer sends in this view, so the view has begun.
    Traffic(BankId, Ballot),
    /// The node has frozen and the promise is on disk.
    Frozen(Frozen),
    /// Fetched events, or a snapshot, were executed and are on disk.
    Replayed {
        /// Executed through.
        position: Position,
        /// Chain hash there.
        hash: ChainHash,
        /// The last executed event.
        executed: Executions,
    },
    /// The prepared view is on disk.
    Prepared(Ballot),
    /// Executed events for a bank that lacks them.
    JournalRead {
        /// Who asked.
        to: BankId,
        /// For everything executed after this.
        after: Position,
        /// The events, in order.
        entries: Vec<JournalEntry>,
        /// The chain hash where the events begin; `None` while that is not known here.
        hash_before: Option<ChainHash>,
        /// The journal no longer has what lies below this; a snapshot has it.
        starts_after: Position,
    },
    /// A piece of the snapshot for a bank that lacks it, if there is such a piece.
    SnapshotRead {
        /// Who asked.
        to: BankId,
        /// The piece.
        piece: Option<SnapshotPiece>,
        /// From which byte of its text on,
        from: u64,
        /// and about how many bytes.
        bytes: u32,
    },
    /// A piece of an arriving snapshot is on disk.
    PieceStored {
        /// The snapshot.
        head: SnapshotHead,
        /// The piece to ask for next.
        next: u32,
    },
    /// A part of a run of keys for a bank that lacks it.
    RunRead {
        /// Who asked.
        to: BankId,
        /// Which run.
        name: RunName,
        /// Where the part begins.
        from: u64,
        /// How many bytes the run has; none if it is not here.
        of: u64,
        /// The part.
        content: Vec<u8>,
    },
    /// The snapshot that arrived names runs of keys that are not here.
    RunsMissing {
        /// The snapshot.
        head: SnapshotHead,
        /// The runs.
        runs: Vec<RunName>,
    },
    /// A run of keys that an arriving snapshot names is on disk.
    RunStored(RunName),
    /// The snapshot that arrived is not what its head says.
    SnapshotRefused,
    /// A member's copy of the ledger differs from most members', this bank's among them.
    PeerDiverged {
        /// The member.
        bank: BankId,
        /// Where.
        position: Position,
    },
    /// This copy of the ledger differs from a peer's.
    Diverged {
        /// The peer, or this bank when its own replay failed.
        with: BankId,
        /// Where.
        position: Position,
    },
    /// Time has passed.
    Tick,
}

/// What the heartbeat monitor is told.
#[derive(Clone, Debug)]
pub enum HeartbeatInput {
    /// A peer has answered a ping.
    Heard(BankId, PeerReport, Answered),
    /// What this bank's own wall clock says.
    OwnClock {
        /// In Unix milliseconds, right or wrong.
        wall_ms: i64,
        /// When it was read.
        at: Millis,
    },
    /// A peer's connection was refused or has ended.
    Lost(BankId),
    /// How this bank's requests to a peer fare: reported for each that got no answer, and for the
    /// first one answered after that.
    Requests {
        /// The peer.
        bank: BankId,
        /// Whether it was answered, whatever the answer.
        arrive: bool,
        /// How long an answer was waited for, in milliseconds.
        waited: Millis,
    },
    /// Another tick has passed in a view, with these lags.
    Behind(Lags),
    /// How long this bank's disk took for an fsync, in milliseconds.
    Fsync(Millis),
    /// A view of these members has begun here: each of them counts as heard until it falls silent
    /// or is lost again.
    Began(BankSet),
    /// Time has passed.
    Tick,
}
