//! What happened: as lines for people, and as one hash for machines.
//!
//! Lines are only written when somebody reads them: a seed that fails is run again with them, and
//! comes out the same. The hash takes in a few integers of every step, so if two runs of a seed
//! differ anywhere, their hashes differ.

use std::collections::VecDeque;

use netbanking::ids::BankId;
use netbanking::protocol::effect::{
    BufferInput, ChecksInput, ClockInput, Effect, JournalInput, LedgerInput, PeerInput, ViewInput,
};
use netbanking::protocol::view::ViewMessage;

use super::random::mixed;

/// Who reads the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Nobody,
    /// The last so many lines are kept.
    Last(usize),
    /// Every line is printed.
    Everything,
}

#[derive(Debug)]
pub(crate) struct Trace {
    reader: Reader,
    lines: VecDeque<String>,
    hash: u64,
}

impl Trace {
    pub(crate) fn new(reader: Reader) -> Self {
        Trace { reader, lines: VecDeque::new(), hash: 0 }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &String> {
        self.lines.iter()
    }

    /// Takes a fact into the hash.
    pub(crate) fn mix(&mut self, fact: u64) {
        self.hash = mixed(self.hash.rotate_left(5) ^ fact);
    }

    /// Writes a line about a bank, or about the world.
    pub(crate) fn line(
        &mut self,
        now_us: u64,
        bank: Option<BankId>,
        what: impl FnOnce() -> String,
    ) {
        if self.reader == Reader::Nobody {
            return;
        }
        let who = bank.map_or_else(|| "      ".to_owned(), |bank| format!("bank {bank:<1}"));
        let line = format!("{:>5}.{:06} {who} {}", now_us / 1_000_000, now_us % 1_000_000, what());
        match self.reader {
            Reader::Everything => println!("{line}"),
            Reader::Last(most) => {
                if self.lines.len() == most {
                    self.lines.pop_front();
                }
                self.lines.push_back(line);
            }
            Reader::Nobody => {}
        }
    }
}

/// An effect in a few words.
pub(crate) fn brief(effect: &Effect) -> String {
    match effect {
        Effect::Clock(ClockInput::Submit(request)) => format!("submit {}", request.id),
        Effect::Clock(ClockInput::Held { clock, .. }) => format!("held {clock}"),
        Effect::Clock(ClockInput::Install(installed))
        | Effect::Buffer(BufferInput::Install(installed)) => {
            format!("install {} with {} events", installed.plan.ballot, installed.flush.len())
        }
        Effect::Clock(input) => format!("{input:?}"),
        Effect::Buffer(BufferInput::Own(event)) => format!("own {} {}", event.id, event.timestamp),
        Effect::Buffer(BufferInput::Merged(clock)) => format!("merged {clock}"),
        Effect::Buffer(BufferInput::Persisted { view, clock }) => {
            format!("persisted {view} {clock}")
        }
        Effect::Buffer(BufferInput::LedgerFrozen(frozen)) => {
            format!("ledger frozen for {} at {}", frozen.ballot, frozen.position)
        }
        Effect::Buffer(input) => format!("{input:?}"),
        Effect::Journal(input) => brief_journal(input),
        Effect::Ledger(LedgerInput::Execute { view, events }) => {
            let ids: Vec<_> = events.iter().map(|held| held.event.id.as_str()).collect();
            format!("execute {view}: {}", ids.join(" "))
        }
        Effect::Ledger(LedgerInput::Freeze(frozen)) => format!("freeze for {}", frozen.ballot),
        Effect::Ledger(LedgerInput::Install { view, .. }) => format!("install {view}"),
        Effect::Ledger(LedgerInput::Replay(entries)) => format!("replay {} events", entries.len()),
        Effect::Checks(ChecksInput::Executed(event)) => {
            format!("executed {} at {}", event.event.id, event.position)
        }
        Effect::Checks(ChecksInput::Fetched(event)) => {
            format!("fetched {} at {}", event.event.id, event.position)
        }
        Effect::Checks(ChecksInput::PeerExecuted { from, view, position, .. }) => {
            format!("bank {from} has executed through {position} in {view}")
        }
        Effect::Checks(ChecksInput::AllExecuted { view, position, .. }) => {
            format!("all have executed through {position} in {view}")
        }
        Effect::Checks(ChecksInput::Install { view, position, .. }) => {
            format!("install {view} at {position}")
        }
        Effect::Checks(ChecksInput::PeerChecked { from, id, .. }) => {
            format!("bank {from} has checked {id}")
        }
        Effect::Checks(ChecksInput::Tick) => "tick".to_owned(),
        Effect::Ledger(LedgerInput::Snapshot) => "make a snapshot".to_owned(),
        Effect::Ledger(LedgerInput::Restore { head, .. }) => format!("restore {}", head.position),
        Effect::View(input) => brief_view(input),
        Effect::Heartbeat(input) => format!("{input:?}"),
        Effect::Peer(bank, input) => format!("for {bank}: {}", brief_peer(input)),
        Effect::Reply(id, reply) => format!("reply to {id}: {reply:?}"),
        Effect::Notice(notice) => format!("notice: {notice}"),
    }
}

fn brief_journal(input: &JournalInput) -> String {
    match input {
        JournalInput::Append { view, events, clock } => {
            format!("append {} events {view} {clock}", events.len())
        }
        JournalInput::Executed(marks) => format!("mark {} events executed", marks.len()),
        JournalInput::Promise(frozen) => {
            format!("promise {} at {}", frozen.ballot, frozen.position)
        }
        JournalInput::Replayed { entries, .. } => format!("{} replayed events", entries.len()),
        JournalInput::Prepare { prepared, fetched, dropped, .. } => {
            format!(
                "prepare {}: {} fetched, {} dropped",
                prepared.ballot,
                fetched.len(),
                dropped.len()
            )
        }
        JournalInput::Snapshot { present, .. } => format!("snapshot at {}", present.position()),
        JournalInput::StorePiece(piece) => {
            format!("store piece {} of {}", piece.index, piece.head.position)
        }
        JournalInput::StoreRun { name, .. } => format!("store run {}", name.number),
        JournalInput::Read { to, after, .. } => format!("read for {to} after {after}"),
        other => format!("{other:?}"),
    }
}

fn brief_view(input: &ViewInput) -> String {
    match input {
        ViewInput::Message(from, message) => format!("from {from}: {}", brief_message(message)),
        ViewInput::Peer { bank, state, report: None } => format!("bank {bank}: {state}"),
        ViewInput::Peer { bank, state, report: Some(report) } => {
            let active = report.active.map_or_else(|| "-".to_owned(), |view| view.to_string());
            let (promised, prepared, hears) = (report.promised, report.prepared, report.hears);
            format!(
                "bank {bank}: {state}, acts in {active}, promised {promised}, prepared {prepared}, hears {hears}"
            )
        }
        ViewInput::Frozen(frozen) => format!("frozen for {} at {}", frozen.ballot, frozen.position),
        ViewInput::SnapshotRead { to, piece, .. } => {
            format!(
                "snapshot read for {to}: {:?}",
                piece.as_ref().map(|piece| (piece.index, piece.head.position))
            )
        }
        ViewInput::JournalRead { to, entries, .. } => {
            format!("{} events read for {to}", entries.len())
        }
        other => format!("{other:?}"),
    }
}

fn brief_peer(input: &PeerInput) -> String {
    match input {
        PeerInput::Event(event) => format!("event {} {}", event.id, event.timestamp),
        PeerInput::Durable { clock, .. } => format!("durable {clock}"),
        PeerInput::Executed { position, .. } => format!("executed through {position}"),
        PeerInput::View(message) => brief_message(message),
        PeerInput::Gathered(gathered) => {
            format!("all have {}, when they had sent {}", gathered.all, gathered.own)
        }
        PeerInput::Agreed { position, .. } => format!("all have executed through {position}"),
        other => format!("{other:?}"),
    }
}

/// A message about views in a few words.
pub(crate) fn brief_message(message: &ViewMessage) -> String {
    match message {
        ViewMessage::Stopped(stopped) => {
            let (prepared, position, held) =
                (stopped.prepared, stopped.position, stopped.held.len());
            format!(
                "STOPPED {} prepared {prepared} at {position}, {held} held, {}",
                stopped.ballot, stopped.clock
            )
        }
        ViewMessage::Prepare(plan) => {
            let (ballot, members, position, events) =
                (plan.ballot, plan.members, plan.position, plan.events.len());
            format!(
                "PREPARE {ballot} of {members} from {position} of {} and {events} events, {}",
                plan.source, plan.clock
            )
        }
        ViewMessage::SnapshotPart { piece, from, of } => {
            format!(
                "PIECE {} of the snapshot at {}, from {from} of {of}",
                piece.index, piece.head.position
            )
        }
        ViewMessage::RunPart { name, from, of, .. } => {
            format!("KEYS {}, from {from} of {of}", name.number)
        }
        ViewMessage::JournalPiece { entries, .. } => format!("JOURNAL of {} events", entries.len()),
        ViewMessage::Events { ballot, events } => {
            format!("EVENTS {ballot}, {} events", events.len())
        }
        other => format!("{other:?}"),
    }
}
