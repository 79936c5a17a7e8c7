//! The ledger's place in the flow of facts: it executes what the buffer lets go and says what came of it.

use std::sync::Arc;

use super::effect::{
    BufferInput, Check, ChecksInput, Effect, ExecutedEvent, ExecutedMark, JournalInput, LedgerInput, PeerInput,
    ViewInput,
};
use super::event::Held;
use super::ids::{Ballot, BankId, BankSet};
use super::order_key::OrderKey;
use crate::ledger::Book;

/// Executes events on this bank's copy of the ledger.
#[derive(Debug)]
pub struct Executor {
    me: BankId,
    members: BankSet,
    book: Book,
    /// Key of the last executed event.
    last: Option<OrderKey>,
}

impl Executor {
    /// An executor over a ledger that the journal has rebuilt.
    #[must_use]
    pub fn new(me: BankId, book: Book, last: Option<OrderKey>) -> Self {
        Executor { me, members: BankSet::default(), book, last }
    }

    /// The ledger, for reading.
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Takes one input; see [`LedgerInput`]. Answers the events it executed, for the log.
    pub fn handle(&mut self, input: LedgerInput, out: &mut Vec<Effect>) -> Vec<ExecutedEvent> {
        match input {
            LedgerInput::Execute { view, events } => return self.execute(view, &events, out),
            LedgerInput::Freeze(mut frozen) => {
                (frozen.position, frozen.hash) = (self.book.position(), self.book.hash());
                frozen.last = self.last;
                out.push(Effect::Buffer(BufferInput::LedgerFrozen(frozen)));
            }
            LedgerInput::Install { view, members } => {
                self.members = members;
                let (position, hash) = (self.book.position(), self.book.hash());
                out.push(Effect::Checks(ChecksInput::Install { view, members, position, hash }));
            }
            LedgerInput::Replay(entries) => {
                for entry in &entries {
                    if self.last.is_some_and(|last| entry.held.event.order_key() <= last) {
                        let position = entry.position;
                        out.push(Effect::View(ViewInput::Diverged { with: self.me, position }));
                        return Vec::new();
                    }
                    let executed = self.apply(&entry.held);
                    if (executed.position, executed.hash) != (entry.position, entry.hash) {
                        let position = entry.position;
                        out.push(Effect::View(ViewInput::Diverged { with: self.me, position }));
                        return Vec::new();
                    }
                }
                out.push(Effect::Journal(JournalInput::Replayed(entries)));
            }
        }
        Vec::new()
    }

    fn execute(&mut self, view: Ballot, events: &[Held], out: &mut Vec<Effect>) -> Vec<ExecutedEvent> {
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
        assert!(self.last.is_none_or(|last| last < key), "keys only grow, over all views");
        self.last = Some(key);
        apply(&mut self.book, held)
    }
}

/// Executes one event. The same event on the same book gives the same result at every bank.
pub fn apply(book: &mut Book, held: &Held) -> ExecutedEvent {
    let event = &held.event;
    let outcomes: Vec<_> =
        event.requests.iter().map(|request| book.apply(event.sender, held.members, request)).collect();
    let refused = outcomes.iter().find(|executed| !executed.outcome.code());
    let check = Check {
        code: refused.is_none(),
        descript: refused.map(|executed| executed.outcome.descript()).unwrap_or_default(),
    };
    ExecutedEvent { event: Arc::clone(event), position: book.position(), hash: book.hash(), check, outcomes }
}
