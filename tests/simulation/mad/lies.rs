//! What the mad bank says: what it was about to say, with something in it changed, and what it
//! makes up.

use std::sync::Arc;

use netbanking::ids::BankId;
use netbanking::protocol::event::Held;
use netbanking::protocol::view::ViewMessage;
use netbanking::protocol::view::message::WireHeld;
use netbanking::wire::{EnvelopeIn, EnvelopeOut};
use serde_json::Value;

use super::mutation::{mutate, speak_of};
use super::world::{DELAY_US, Item, LIES_FROM_US, Letter, MS, World};
use crate::network::OnLine;

/// The most messages that are remembered, to lie with.
const SAMPLES_MAX: usize = 400;

impl World {
    pub(super) fn remember(&mut self, from: BankId, letter: &Letter) {
        if self.lies && from == self.mad {
            return;
        }
        let (samples, value) = match letter {
            Letter::View(message) => (&mut self.views, serde_json::to_value(message)),
            Letter::OnLine(_, OnLine::Frame(parcel)) => {
                (&mut self.frames, serde_json::to_value(EnvelopeOut::new(from, parcel)))
            }
            Letter::Pong(report, _) => (&mut self.reports, serde_json::to_value(report)),
            Letter::OnLine(..) => return,
        };
        let value = value.expect("messages are JSON");
        if samples.len() < SAMPLES_MAX {
            samples.push(value);
        } else {
            samples[self.random.index(SAMPLES_MAX)] = value;
        }
    }

    /// The same letter with something in it changed, if that is still a letter.
    pub(super) fn changed(&mut self, letter: &Letter) -> Option<Letter> {
        self.tally.lies += 1;
        let changed = match letter {
            Letter::View(message) => {
                let mut value = serde_json::to_value(message).expect("messages are JSON");
                mutate(&mut value, &self.views, &mut self.random);
                read_view(value)
            }
            Letter::OnLine(line, OnLine::Frame(parcel)) => {
                let envelope = EnvelopeOut::new(self.mad, parcel);
                let mut value = serde_json::to_value(envelope).expect("messages are JSON");
                mutate(&mut value, &self.frames, &mut self.random);
                read_frame(value, self.mad).map(|frame| Letter::OnLine(*line, frame))
            }
            Letter::OnLine(line, OnLine::Echo(_)) => {
                Some(Letter::OnLine(*line, OnLine::Echo(self.random.bits())))
            }
            Letter::OnLine(line, OnLine::NotTaken { frame, .. }) => {
                let expected = self.random.pick(&[0, 1, u64::MAX]);
                Some(Letter::OnLine(*line, OnLine::NotTaken { frame: *frame, expected }))
            }
            Letter::OnLine(..) => None,
            Letter::Pong(report, wall_ms) => {
                let mut value = serde_json::to_value(report).expect("messages are JSON");
                mutate(&mut value, &self.reports, &mut self.random);
                let wall_ms = self.random.pick(&[*wall_ms, i64::MAX, i64::MIN, 0]);
                serde_json::from_value(value).ok().map(|report| Letter::Pong(report, wall_ms))
            }
        };
        self.tally.unreadable += u64::from(changed.is_none());
        changed
    }

    /// The mad bank makes something up, from anything that was ever said.
    pub(super) fn lie(&mut self) {
        let pause_us = self.random.between(MS, 30 * MS);
        if self.now_us == LIES_FROM_US {
            self.lies = true;
        }
        if !self.lies {
            return;
        }
        self.put(pause_us, Item::Lie);
        let to = BankId(self.random.below(self.banks as u64) as u16);
        if to == self.mad || self.machines[self.mad.index()].process.is_none() {
            return;
        }
        let letter =
            if self.random.per_mille(700) { self.made_up_view() } else { self.made_up_frame(to) };
        self.tally.lies += 1;
        self.tally.unreadable += u64::from(letter.is_none());
        if let Some(letter) = letter {
            self.put(DELAY_US, Item::Arrival(self.mad, to, Box::new(letter)));
        }
    }

    fn made_up_view(&mut self) -> Option<Letter> {
        if self.views.is_empty() {
            return None;
        }
        if self.random.per_mille(150) {
            return self.made_up_stop();
        }
        let mut value = self.views[self.random.index(self.views.len())].clone();
        if let Some(ballot) = self.ballot.as_ref().filter(|_| self.random.per_mille(600)) {
            speak_of(&mut value, ballot);
        }
        if self.random.per_mille(800) {
            mutate(&mut value, &self.views, &mut self.random);
        }
        if let Some(ballot) = self.ballot.as_ref().filter(|_| self.random.per_mille(600)) {
            speak_of(&mut value, ballot);
        }
        read_view(value)
    }

    /// It stops the others in its own name; what it says next is about that ballot.
    fn made_up_stop(&mut self) -> Option<Letter> {
        let honest = BankId::all(self.banks).filter(|bank| *bank != self.mad);
        let reports = honest.filter_map(|bank| {
            let process = self.machines[bank.index()].process.as_ref()?;
            Some(process.view().report().promised.round)
        });
        let highest = reports.max().unwrap_or_default();
        let above =
            self.random.pick(&[1, 1, 1, 2, 1 << 20, 1 << 22, (1 << 22) + 1, 1 << 61, 1 << 62]);
        let round = highest.saturating_add(above);
        let ballot = serde_json::json!({"round": round, "coordinator": self.mad.0});
        self.ballot = Some(ballot.clone());
        read_view(serde_json::json!({"Stop": ballot}))
    }

    fn made_up_frame(&mut self, to: BankId) -> Option<Letter> {
        let line = *self.lines.get(&to)?;
        if self.frames.is_empty() {
            return None;
        }
        let mut value = self.frames[self.random.index(self.frames.len())].clone();
        value["from"] = Value::from(self.mad.0);
        if self.random.per_mille(300) {
            let sender = Value::from(self.mad.0);
            let events = value["events"].as_array_mut();
            events.into_iter().flatten().for_each(|event| event["sender"] = sender.clone());
        }
        mutate(&mut value, &self.frames, &mut self.random);
        read_frame(value, self.mad).map(|frame| Letter::OnLine(line, frame))
    }

    /// Of every event there is one version: the one that was told first.
    pub(super) fn without_two_versions(&mut self, from: BankId, letter: Letter) -> Option<Letter> {
        match letter {
            Letter::OnLine(line, OnLine::Frame(mut parcel)) => {
                let own = parcel.envelope.events.iter_mut().filter(|event| event.sender == from);
                for event in own {
                    let key = event.order_key();
                    *event = Arc::clone(self.told.entry(key).or_insert_with(|| Arc::clone(event)));
                }
                Some(Letter::OnLine(line, OnLine::Frame(parcel)))
            }
            Letter::View(message) if self.lies && from == self.mad => {
                let events: Vec<_> = match &*message {
                    ViewMessage::Events { events, .. } => events.iter().collect(),
                    ViewMessage::JournalPiece { entries, .. } => {
                        entries.iter().map(|entry| &entry.held).collect()
                    }
                    _ => Vec::new(),
                };
                let is_fair = |WireHeld(Held { event, .. }): &&WireHeld| {
                    let is_one =
                        event.sender.index() < self.banks && event.timestamp.len() <= self.banks;
                    if self.forgery.is_on && event.sender != self.mad {
                        return true;
                    }
                    let told = self.told.get(&event.order_key());
                    !is_one || told.is_some_and(|told| told.wire().get() == event.wire().get())
                };
                events.iter().all(is_fair).then_some(Letter::View(message))
            }
            other => Some(other),
        }
    }
}

fn read_view(value: Value) -> Option<Letter> {
    serde_json::from_str(&value.to_string()).ok().map(|message| Letter::View(Box::new(message)))
}

/// A frame as `actors/peer_link/incoming.rs` reads it.
fn read_frame(value: Value, from: BankId) -> Option<OnLine> {
    let said: EnvelopeIn = serde_json::from_str(&value.to_string()).ok()?;
    let parcel = said.read().ok().filter(|_| value["from"] == from.0)?;
    // The links of the simulator speak in a view.
    parcel.envelope.view.is_some().then_some(OnLine::Frame(parcel))
}
