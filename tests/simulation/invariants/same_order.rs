//! All banks execute the same events in the same order, each after what caused it.

use netbanking::ids::{BankId, ChainHash, Position};
use netbanking::ledger::Book;
use netbanking::protocol::event::Event;
use netbanking::protocol::execution::ExecutedEvent;
use netbanking::protocol::order_key::OrderKey;

use super::Judge;

/// An executed event.
#[derive(Debug)]
pub(crate) struct LogEvent {
    pub(crate) key: OrderKey,
    /// Position of its last request.
    pub(crate) position: Position,
    pub(crate) hash: ChainHash,
    /// What all accounts hold after it, in centavos.
    pub(crate) total: i128,
}

impl Judge {
    /// Compares an executed event with what others have executed at its place.
    pub(super) fn place(&mut self, bank: BankId, executed: &ExecutedEvent) {
        let event = &executed.event;
        let cursor = self.cursors[bank.index()];
        if cursor == self.log.len() {
            self.append(bank, executed);
        }
        let known = &self.log[cursor];
        let (position, key) = (executed.position, event.order_key());
        assert!(
            (known.key, known.position, known.hash) == (key, position, executed.hash),
            "bank {bank} executes {key:?} through position {position}, where others have {known:?}"
        );
        self.cursors[bank.index()] += 1;
        self.through[bank.index()] = self.through[bank.index()].max(position.0);
    }

    fn append(&mut self, bank: BankId, executed: &ExecutedEvent) {
        let event = &executed.event;
        let (key, position) = (event.order_key(), executed.position);
        if let Some(last) = self.log.last() {
            assert!(
                last.key < key,
                "bank {bank} executes {key:?} after {:?}: keys only grow",
                last.key
            );
        }
        let begins = self.requests.len() as u64 + 1;
        let ends = self.requests.len() as u64 + event.requests.len() as u64;
        assert!(position.0 == ends, "bank {bank} ends {key:?} at {position}, not at {ends}");
        self.check_causes(bank, event);
        self.check_stamped_in_time(key);
        for (position, (request, outcome)) in
            (begins..).zip(event.requests.iter().zip(&executed.outcomes))
        {
            self.requests.push(request.id.clone());
            self.count_once(position, request, outcome);
        }
        self.log.push(LogEvent { key, position, hash: executed.hash, total: self.total });
    }

    /// Checks that a sender's events are executed without a gap, and after everything that their
    /// timestamps name.
    fn check_causes(&mut self, bank: BankId, event: &Event) {
        self.counted[event.sender.index()] += 1;
        for (other, named) in event.timestamp.iter() {
            let counted = self.counted[other.index()];
            let is_there = if other == event.sender { named == counted } else { named <= counted };
            let key = event.order_key();
            assert!(
                is_there,
                "bank {bank} executes {key:?}, stamped {}: it names event {named} of bank {other}, and {counted} were executed",
                event.timestamp
            );
        }
    }

    /// A bank stands at a place of the log, having started or caught up.
    pub(super) fn stands_at(&mut self, bank: BankId, position: Position, hash: ChainHash) {
        let behind = self.log.partition_point(|event| event.position <= position);
        let known =
            behind.checked_sub(1).map(|last| (self.log[last].position, self.log[last].hash));
        assert!(
            known.unwrap_or_default() == (position, hash),
            "bank {bank} stands at {position}, where nobody has been before or was otherwise: {known:?}"
        );
        self.cursors[bank.index()] = behind;
        self.through[bank.index()] = self.through[bank.index()].max(position.0);
    }

    /// Nothing that anybody has executed is missing.
    pub(super) fn audit(&self, book: &Book) {
        let last = self.log.last().map(|event| event.hash).unwrap_or_default();
        assert!(book.hash() == last, "a book of the same length has another hash");
        book.verify().unwrap_or_else(|why| panic!("the books do not add up: {why}"));
        assert_eq!(book.sum_of_balances_and_cash(), 0, "what some gain others lose");
        assert_eq!(book.total(), self.total, "the sum of all accounts");
    }
}
