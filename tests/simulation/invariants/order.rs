//! All banks execute the same events at the same positions and come to the same hash; keys only grow.

use netbanking::ledger::Executed;
use netbanking::protocol::effect::ExecutedEvent;
use netbanking::protocol::event::RawRequest;
use netbanking::protocol::ids::{BankId, ChainHash, Position};
use netbanking::protocol::order_key::OrderKey;

use super::{Verdict, must};

const NAME: &str = "same order everywhere";

/// An event that some bank has executed, at whatever time.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) key: OrderKey,
    pub(crate) sender: BankId,
    /// Position of the last request.
    pub(crate) last: Position,
    pub(crate) hash: ChainHash,
    pub(crate) requests: Vec<RawRequest>,
    pub(crate) outcomes: Vec<Executed>,
}

/// The order as it came to be, over all crashes.
#[derive(Debug, Default)]
pub(crate) struct CommonOrder {
    slots: Vec<Slot>,
    /// Per position, counted from 1, the slot.
    by_position: Vec<usize>,
}

impl CommonOrder {
    pub(crate) fn end(&self) -> Position {
        Position(self.by_position.len() as u64)
    }

    /// What stands at a position, with the place inside its event.
    pub(crate) fn at(&self, position: Position) -> Option<(&Slot, usize)> {
        let slot = &self.slots[*self.by_position.get(usize::try_from(position.0.checked_sub(1)?).ok()?)?];
        let place = slot.requests.len() - 1 - (slot.last.0 - position.0) as usize;
        Some((slot, place))
    }

    /// A bank has executed an event. Answers the slot if it is the first to do so.
    pub(crate) fn executed(&mut self, bank: BankId, event: &ExecutedEvent) -> Result<Option<&Slot>, super::Violation> {
        let key = event.event.order_key();
        if event.position > self.end() {
            let expected = Position(self.end().0 + event.event.requests.len() as u64);
            must(event.position == expected, NAME, || {
                format!("bank {bank} executes {} at {}, expected {expected}", event.event.id, event.position)
            })?;
            must(self.slots.last().is_none_or(|last| last.key < key), "keys only grow", || {
                format!("bank {bank} executes {} {key:?} after {:?}", event.event.id, self.slots.last())
            })?;
            self.by_position.extend(event.event.requests.iter().map(|_| self.slots.len()));
            self.slots.push(Slot {
                key,
                sender: event.event.sender,
                last: event.position,
                hash: event.hash,
                requests: event.event.requests.clone(),
                outcomes: event.outcomes.clone(),
            });
            return Ok(self.slots.last());
        }
        let known = self.at(event.position).map(|(slot, _)| (slot.last, slot.key, slot.hash));
        must(known == Some((event.position, key, event.hash)), NAME, || {
            let position = event.position;
            format!("bank {bank} executes {} {key:?} at {position}, where {known:?} was executed", event.event.id)
        })?;
        Ok(None)
    }

    /// A bank's ledger stands here, after execution, replay or restart.
    pub(crate) fn stands(&self, bank: BankId, position: Position, hash: ChainHash) -> Verdict {
        let known = match position {
            Position(0) => Some((position, ChainHash::default())),
            position => self.at(position).map(|(slot, _)| (slot.last, slot.hash)),
        };
        must(known == Some((position, hash)), NAME, || {
            format!("bank {bank} stands at {position} with {hash}, where {known:?} was executed")
        })
    }
}
