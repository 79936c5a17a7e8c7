//! An answer tells what stands in the common order; a customer's request takes effect once, however often it was sent;
//! what was answered 'not taken' never takes effect.

use std::collections::{BTreeMap, BTreeSet};

use netbanking::ledger::Executed;
use netbanking::protocol::ids::EventId;

use super::order::{CommonOrder, Slot};
use super::{Verdict, must};

const NAME: &str = "answered exactly once";

#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Which of the customers' wishes each request stands for.
    wishes: BTreeMap<EventId, usize>,
    /// What each wish came to.
    firsts: BTreeMap<usize, Executed>,
    /// Requests that a bank has refused to stamp.
    not_taken: BTreeSet<EventId>,
}

impl Answers {
    pub(crate) fn sent(&mut self, id: EventId, wish: usize) {
        self.wishes.insert(id, wish);
    }

    /// An event has its place in the common order now. Answers the wishes that it fulfilled, with what they came to.
    pub(crate) fn ordered(&mut self, slot: &Slot) -> Result<Vec<(usize, Executed)>, super::Violation> {
        let mut fulfilled = Vec::new();
        for (request, executed) in slot.requests.iter().zip(&slot.outcomes) {
            let id = &request.id;
            must(!self.not_taken.contains(id), NAME, || format!("{id} was answered 'not taken' and is executed"))?;
            let Some(wish) = self.wishes.get(id) else {
                return Err(super::Violation { invariant: NAME, what: format!("{id} was never sent") });
            };
            match self.firsts.get(wish) {
                None => {
                    must(executed.id == *id, NAME, || format!("{id} is the first of its key, but gives {executed:?}"))?;
                    self.firsts.insert(*wish, executed.clone());
                    fulfilled.push((*wish, executed.clone()));
                }
                Some(first) => must(first == executed, NAME, || {
                    format!("{id} repeats a key, and gives {executed:?} instead of {first:?}")
                })?,
            }
        }
        Ok(fulfilled)
    }

    pub(crate) fn not_taken(&mut self, order_has: bool, id: &EventId) -> Verdict {
        self.not_taken.insert(id.clone());
        must(!order_has, NAME, || format!("{id} is answered 'not taken', though it was executed"))
    }

    /// Whether a request stands in the common order under its own name.
    pub(crate) fn has_effect(&self, id: &EventId) -> bool {
        let wish = self.wishes.get(id);
        wish.and_then(|wish| self.firsts.get(wish)).is_some_and(|first| first.id == *id)
    }

    /// A bank answers a request.
    pub(crate) fn answered(&self, order: &CommonOrder, id: &EventId, executed: &Executed) -> Verdict {
        let Some((slot, place)) = order.at(executed.position) else {
            return Err(super::Violation { invariant: NAME, what: format!("{id} is answered {executed:?}, never executed") });
        };
        let stands = (&slot.requests[place].id, &slot.outcomes[place]);
        must(stands == (&executed.id, executed), NAME, || {
            format!("{id} is answered {executed:?}, and there stands {stands:?}")
        })?;
        let first = self.wishes.get(id).and_then(|wish| self.firsts.get(wish));
        must(first == Some(executed), NAME, || format!("{id} is answered {executed:?}, and its key came to {first:?}"))
    }
}
