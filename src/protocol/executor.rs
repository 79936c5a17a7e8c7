//! The ledger's place in the flow of facts: it executes what the buffer releases and reports the
//! results.

use std::sync::Arc;

use super::effect::{
    BufferInput, ChecksInput, Effect, JournalInput, LedgerInput, PeerInput, ViewInput,
};
use super::event::Held;
use super::execution::{Check, ExecutedEvent, ExecutedMark, Executions, JournalEntry};
use crate::ids::{Ballot, BankId, BankSet};
use crate::ledger::book::Run;
use crate::ledger::past::PastEntry;
use crate::ledger::{Book, Circumstances};

/// Executes events on this bank's copy of the ledger.
#[derive(Debug)]
pub struct Executor {
    me: BankId,
    members: BankSet,
    in_force: Option<Ballot>,
    book: Book,
    /// The last executed event.
    executed: Option<Executions>,
    /// What the last input executed because other banks had already done so, for the log.
    replayed: Vec<ExecutedEvent>,
}

impl Executor {
    /// An executor over a ledger that the journal has rebuilt.
    #[must_use]
    pub fn new(me: BankId, banks: usize, book: Book, executed: Option<Executions>) -> Self {
        assert_eq!(book.banks(), banks, "the ledger is that of the consortium");
        Executor {
            me,
            members: BankSet::default(),
            in_force: None,
            book,
            executed,
            replayed: Vec::new(),
        }
    }

    /// The ledger, for reading.
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Hands over the entries that were made since the last call.
    pub fn take_fresh(&mut self) -> Vec<PastEntry> {
        self.book.take_fresh()
    }

    /// Hands over the runs of keys that were sealed since the last call.
    pub fn take_sealed(&mut self) -> Vec<Run> {
        self.book.take_sealed()
    }

    /// A run of keys is kept elsewhere now.
    pub fn shelve(&mut self, kept: Run) {
        self.book.shelve(kept);
    }

    /// Hands over the events that the last input executed because other banks had already done so:
    /// they came from a journal.
    pub(crate) fn take_replayed(&mut self) -> Vec<ExecutedEvent> {
        std::mem::take(&mut self.replayed)
    }

    /// The view in force, once everything that it begins with is executed: from then on everything
    /// that was answered in an earlier view can be seen here. `None` once the ledger has frozen,
    /// which is before anybody hears of this bank's promise.
    #[must_use]
    pub fn in_force(&self) -> Option<Ballot> {
        self.in_force
    }

    /// Takes one input; see [`LedgerInput`]. Returns the events it executed in their turn, for the
    /// log.
    pub fn handle(&mut self, input: LedgerInput, out: &mut Vec<Effect>) -> Vec<ExecutedEvent> {
        self.replayed.clear();
        match input {
            LedgerInput::Execute { view, events } => return self.execute(view, &events, out),
            LedgerInput::Freeze(mut frozen) => {
                self.in_force = None;
                (frozen.position, frozen.hash) = (self.book.position(), self.book.hash());
                frozen.executed = self.executed.clone();
                out.push(Effect::Buffer(BufferInput::LedgerFrozen(frozen)));
            }
            LedgerInput::Install { view, members, flush } => {
                self.members = members;
                self.in_force = Some(view);
                let (position, hash) = (self.book.position(), self.book.hash());
                out.push(Effect::Checks(ChecksInput::Install { view, members, position, hash }));
                if !flush.is_empty() {
                    return self.execute(view, &flush, out);
                }
            }
            LedgerInput::Replay(entries) => self.replay(entries, out),
            LedgerInput::Snapshot => {
                if let Some(executed) = self.executed.clone() {
                    let present = self.book.present();
                    out.push(Effect::Journal(JournalInput::Snapshot { present, executed }));
                }
            }
            LedgerInput::Restore { head, book } => {
                self.book = *book;
                self.executed = Some(head.executed.clone().as_unverified());
                out.push(Effect::Journal(JournalInput::SnapshotOpened(head)));
            }
        }
        Vec::new()
    }

    fn replay(&mut self, entries: Vec<JournalEntry>, out: &mut Vec<Effect>) {
        for entry in &entries {
            let position = entry.position;
            let in_order =
                self.executed.as_ref().is_none_or(|done| done.last < entry.held.event.order_key());
            let same = in_order && {
                let executed = self.apply(&entry.held);
                let same = (executed.position, executed.hash) == (entry.position, entry.hash);
                if same && executed.event.sender == self.me {
                    out.push(Effect::Checks(ChecksInput::Fetched(executed.clone())));
                }
                self.replayed.push(executed);
                same
            };
            if !same {
                return out.push(Effect::View(ViewInput::Diverged { with: self.me, position }));
            }
        }
        self.executed = self.executed.take().map(Executions::as_unverified);
        if let Some(executed) = self.executed.clone() {
            out.push(Effect::Journal(JournalInput::Replayed { entries, executed }));
        }
    }

    /// A snapshot that is not what its head says is ignored; the copy here stays as it was.
    fn execute(
        &mut self,
        view: Ballot,
        events: &[Held],
        out: &mut Vec<Effect>,
    ) -> Vec<ExecutedEvent> {
        let executed: Vec<_> = events.iter().map(|held| self.apply(held)).collect();
        let mark = |event: &ExecutedEvent| ExecutedMark {
            key: event.event.order_key(),
            position: event.position,
            hash: event.hash,
        };
        out.push(Effect::Journal(JournalInput::Executed(executed.iter().map(mark).collect())));
        for event in &executed {
            for peer in self.members.iter().filter(|bank| *bank != self.me) {
                let input = PeerInput::Executed {
                    view,
                    position: event.position,
                    hash: event.hash,
                    event: Arc::clone(&event.event),
                    check: event.check.clone(),
                };
                out.push(Effect::Peer(peer, input));
            }
            out.push(Effect::Checks(ChecksInput::Executed(event.clone())));
        }
        executed
    }

    fn apply(&mut self, held: &Held) -> ExecutedEvent {
        let key = held.event.order_key();
        let before = self.executed.as_ref().map(|done| done.last);
        assert!(before.is_none_or(|last| last < key), "keys only grow, over all views");
        Executions::count(&mut self.executed, held);
        apply(&mut self.book, held)
    }
}

/// Executes one event. The same event on the same book gives the same result at every bank.
pub fn apply(book: &mut Book, held: &Held) -> ExecutedEvent {
    let event = &held.event;
    let of = Circumstances { sender: event.sender, members: held.members, header: event.header };
    let outcomes: Vec<_> = event.requests.iter().map(|request| book.apply(&of, request)).collect();
    let refused = outcomes.iter().find(|executed| !executed.outcome.code());
    let check = Check {
        code: refused.is_none(),
        descript: refused.map(|executed| executed.outcome.descript()).unwrap_or_default(),
    };
    ExecutedEvent {
        event: Arc::clone(event),
        position: book.position(),
        hash: book.hash(),
        check,
        outcomes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::EventId;
    use crate::ids::request::{Header, RawRequest, raw};
    use crate::protocol::event::Event;

    fn held() -> Held {
        let view = Ballot { round: 1, coordinator: BankId(0) };
        let request =
            RawRequest { id: EventId::new(BankId(0), "x"), type_msg: "X".into(), msg: raw(&1) };
        let event =
            Event::stamp(view, BankId(0), vec![1, 0, 0].into(), vec![request], Header::default());
        Held { event: Arc::new(event), members: BankSet::all(3) }
    }

    fn frozen_after(input: LedgerInput) -> Executions {
        let mut executor = Executor::new(BankId(1), 3, Book::new(3), None);
        let mut out = Vec::new();
        executor.handle(input, &mut out);
        out.clear();
        executor.handle(LedgerInput::Freeze(crate::protocol::view::Frozen::default()), &mut out);
        let Some(Effect::Buffer(BufferInput::LedgerFrozen(frozen))) = out.pop() else {
            panic!("{out:?}")
        };
        frozen.executed.expect("something was executed")
    }

    #[test]
    fn own_execution_proves_that_all_members_had_an_event_and_unverified_entries_do_not() {
        let view = held().event.view;
        let own = frozen_after(LedgerInput::Execute { view, events: vec![held()] });
        assert_eq!(own.members, BankSet::all(3));
        let ExecutedEvent { position, hash, .. } = apply(&mut Book::new(3), &held());
        let told =
            frozen_after(LedgerInput::Replay(vec![JournalEntry { held: held(), position, hash }]));
        assert_eq!((told.last, told.members), (own.last, BankSet::default()));
    }
}
