//! Events that the mad bank makes up in others' names: it says that it holds them when a view ends,
//! and gives them to those that the next view is to begin with.

use std::collections::BTreeMap;
use std::sync::Arc;

use netbanking::ids::signature::Signer as _;
use netbanking::ids::{BankId, BankSet};
use netbanking::protocol::event::{Event, Held, WireEvent};
use netbanking::protocol::execution::ExecutedEvent;
use netbanking::protocol::order_key::OrderKey;
use netbanking::protocol::view::ViewMessage;
use netbanking::protocol::view::message::{Stopped, WireHeld};

use super::world::{DELAY_US, Item, Letter, World};
use crate::seals::Key;

/// What is known of events in others' names.
#[derive(Default)]
pub(super) struct Forgery {
    /// Whether events are signed, and the mad bank makes some up.
    pub(super) is_on: bool,
    /// What it has made up.
    forged: BTreeMap<OrderKey, Arc<Event>>,
    /// All events as their senders have stamped them.
    genuine: BTreeMap<OrderKey, Arc<Event>>,
}

impl Forgery {
    pub(super) fn new(is_on: bool) -> Self {
        Forgery { is_on, ..Forgery::default() }
    }

    pub(super) fn stamped(&mut self, event: &Arc<Event>) {
        self.genuine.insert(event.order_key(), Arc::clone(event));
    }
}

impl World {
    /// What the mad bank says, with a made-up event among what it holds, or in place of what it was
    /// asked for.
    pub(super) fn with_forgeries(&mut self, letter: Letter) -> Letter {
        if !self.lies || !self.forgery.is_on || self.random.coin() {
            return letter;
        }
        match letter {
            Letter::View(message) => Letter::View(Box::new(match *message {
                ViewMessage::Stopped(stopped) => ViewMessage::Stopped(self.holding_more(stopped)),
                ViewMessage::Events { ballot, events } => {
                    let changed = |held| self.changed_event(held);
                    ViewMessage::Events {
                        ballot,
                        events: events.into_iter().map(changed).collect(),
                    }
                }
                other => other,
            })),
            other => other,
        }
    }

    /// What a bank executes in another honest bank's name is what that bank has sent.
    pub(super) fn judge_senders(&self, bank: BankId, executed: &[ExecutedEvent]) {
        let of_others = executed.iter().map(|it| &it.event);
        let of_others = of_others.filter(|event| bank != self.mad && event.sender != self.mad);
        for event in of_others.filter(|_| self.forgery.is_on) {
            let sent = self.forgery.genuine.get(&event.order_key());
            assert!(
                sent.is_some_and(|sent| sent.wire().get() == event.wire().get()),
                "bank {bank} executes {} in the name of bank {}, which has not sent it",
                event.wire(),
                event.sender
            );
        }
    }

    /// The mad bank is asked for events that it has made up.
    pub(super) fn give_forgeries(&mut self, from: BankId, to: BankId, letter: &Letter) {
        let Letter::View(message) = letter else { return };
        let answer = forgeries_asked_for(&self.forgery.forged, self.banks, message);
        if let Some(answer) = answer.filter(|_| self.lies && to == self.mad) {
            self.tally.forgeries += 1;
            self.put(DELAY_US, Item::Arrival(to, from, Box::new(answer)));
        }
    }

    /// It claims to hold one more event of another bank, the next after the last that it knows of.
    fn holding_more(&mut self, mut stopped: Stopped) -> Stopped {
        let of_others = self.told.values().filter(|event| {
            let fits = event.timestamp.len() == self.banks && event.sender.index() < self.banks;
            fits && event.sender != self.mad && event.view == stopped.prepared
        });
        let Some(last) = of_others.max_by_key(|event| event.order_key()).cloned() else {
            return stopped;
        };
        let mut timestamp = stopped.clock.clone();
        timestamp.merge(&last.timestamp);
        timestamp.count(last.sender);
        let forged = self.forge(&last, |wire| wire.timestamp = timestamp.clone());
        let key = forged.order_key();
        if stopped.held.last().is_none_or(|held| *held < key) {
            stopped.held.push(key);
            stopped.clock.merge(&timestamp);
            self.forgery.forged.insert(key, forged);
        }
        stopped
    }

    fn changed_event(&mut self, WireHeld(held): WireHeld) -> WireHeld {
        if held.event.sender == self.mad {
            return WireHeld(held);
        }
        self.tally.forgeries += 1;
        let event = self.forge(&held.event, |_| ());
        WireHeld(Held { event, ..held })
    }

    /// An event in another's name, with a signature that is not that bank's under this text.
    fn forge(&mut self, like: &Event, change: impl FnOnce(&mut WireEvent)) -> Arc<Event> {
        let mut wire = like.to_wire();
        wire.at_ms = wire.at_ms.map(|at_ms| at_ms + 1);
        change(&mut wire);
        let event = Event::from_wire(wire, like.view).expect("it is like one");
        let signature = match self.random.below(3) {
            0 => None,
            1 => like.signature().cloned(),
            _ => Key(self.mad).sign(event.wire().get(), BankSet::all(self.banks)),
        };
        Arc::new(event.with_signature(signature))
    }
}

/// What the mad bank gives to a bank that asks for events that it has made up.
fn forgeries_asked_for(
    forged: &BTreeMap<OrderKey, Arc<Event>>,
    banks: usize,
    asked: &ViewMessage,
) -> Option<Letter> {
    let ViewMessage::FetchEvents { ballot, keys } = asked else { return None };
    let held = |event: &Arc<Event>| {
        WireHeld(Held { event: Arc::clone(event), members: BankSet::all(banks) })
    };
    let events: Vec<_> = keys.iter().filter_map(|key| forged.get(key)).map(held).collect();
    let answer = ViewMessage::Events { ballot: *ballot, events };
    keys.iter().any(|key| forged.contains_key(key)).then(|| Letter::View(Box::new(answer)))
}
