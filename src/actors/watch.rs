//! Owns the history for people who watch, and sends all of them the same text.
//!
//! The parts of the node note what happens in a [`Recorder`] of their own, which costs them no
//! message and no thread switch; a few times a second this actor collects the notes. Only while
//! somebody watches does it write a snapshot, one for all watchers: a slow reader simply gets the
//! latest one next, so that nobody has to be waited for.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, MessageResult, WrapFuture,
};
use actix_web::web::Bytes;
use serde::Serialize;
use tokio::sync::watch;

use super::heartbeat::{ClocksStatus, OwnHealth, Paces};
use super::laboratory::{Laboratory, Weather};
use super::routes::{Routes, Wire};
use super::time::Monotonic;
use super::view::{ViewState, ViewStatus};
use crate::ids::{BankId, Position};
use crate::limits::Origin;
use crate::protocol::consortium_time::ClockState;
use crate::protocol::effect::{BufferInput, ChecksInput, ClockInput, Effect};
use crate::protocol::event::Event;
use crate::protocol::execution::ExecutedEvent;
use crate::protocol::notice::Notice;
use crate::protocol::order_key::OrderKey;
use crate::protocol::ordered_buffer::OrderedBuffer;
use crate::protocol::pace::PaceNow;
use crate::protocol::peer_state::{Cause, PeerState};
use crate::protocol::report::PeerReport;
use crate::protocol::vector_clock::VectorClock;
use crate::watch::{BankState, Fact, History, Micros, Seen, Snapshot, Timed, Vitals};

/// How often the notes are collected and those who watch are told.
const TICK: Duration = Duration::from_millis(200);
/// How long nothing may be sent, in microseconds: rates fall even when nothing happens.
const SAY_AGAIN_US: Micros = 1_000_000;
/// How often the health of the banks is noted, in microseconds.
const VITALS_EVERY_US: Micros = 1_000_000;
/// The most facts that a part keeps until they are collected; beyond that the oldest are dropped.
pub(crate) const FACTS_MAX: usize = 16_384;
/// The most people who watch at once.
pub const STREAMS_MAX: usize = 512;

/// A part's own notes of what happened.
pub(crate) struct Recorder {
    time: Monotonic,
    facts: VecDeque<Timed>,
    lost: u64,
    /// Durable clocks as they were last noted.
    rows: Vec<VectorClock>,
}

impl Recorder {
    /// An empty notebook.
    #[must_use]
    pub(crate) fn new(time: Monotonic) -> Self {
        Recorder { time, facts: VecDeque::new(), lost: 0, rows: Vec::new() }
    }

    fn note(&mut self, fact: Fact) {
        if self.facts.len() == FACTS_MAX {
            self.facts.pop_front();
            self.lost += 1;
        }
        self.facts.push_back(Timed { at: self.time.micros(), fact });
    }

    /// Hands over what was noted.
    pub(crate) fn take(&mut self) -> Vec<Timed> {
        let lost = std::mem::take(&mut self.lost);
        let first = self.facts.front().filter(|_| lost > 0).map(|timed| timed.at);
        let lost = first.map(|at| Timed { at, fact: Fact::Lost(lost) });
        lost.into_iter().chain(self.facts.drain(..)).collect()
    }

    /// Notes what the buffer is told.
    pub(crate) fn told_buffer(&mut self, input: &BufferInput) {
        match input {
            BufferInput::Own(event) => self.note(Fact::Stamped(Seen::from(&**event))),
            BufferInput::Freeze(_) => self.note(Fact::Frozen),
            BufferInput::Install(installed) => self.note(Fact::Installed {
                view: installed.plan.ballot,
                members: installed.plan.members,
                clock: installed.plan.clock.clone(),
                position: installed.plan.position,
                flush: installed.flush.iter().map(|held| Seen::from(&*held.event)).collect(),
            }),
            _ => {}
        }
    }

    /// Notes events that the buffer has received from their sender.
    pub(crate) fn received(&mut self, events: &[Arc<Event>]) {
        events.iter().for_each(|event| self.note(Fact::Received(Seen::from(&**event))));
    }

    /// Notes what the buffer has taken in and which durable clocks it believes now.
    pub(crate) fn buffer_decided(&mut self, buffer: &OrderedBuffer, out: &[Effect]) {
        for effect in out {
            if let Effect::Clock(ClockInput::Held { clock, .. }) = effect {
                self.note(Fact::Taken(clock.clone()));
            }
        }
        for (bank, row) in buffer.known_durable() {
            if self.rows.len() <= bank.index() {
                self.rows.resize_with(bank.index() + 1, VectorClock::default);
            }
            if self.rows[bank.index()] != *row {
                self.rows[bank.index()].clone_from(row);
                self.note(Fact::Durable(bank, row.clone()));
            }
        }
    }

    /// Notes what the checks are told.
    pub(crate) fn told_checks(&mut self, input: &ChecksInput) {
        if let ChecksInput::PeerExecuted { from, position, .. } = input {
            self.note(Fact::PeerExecuted(*from, *position));
        }
    }

    /// Notes what all agree on.
    pub(crate) fn checks_decided(&mut self, out: &[Effect]) {
        for effect in out {
            if let Effect::Clock(ClockInput::Agreed(counter)) = effect {
                self.note(Fact::Agreed(*counter));
            }
        }
    }

    /// Notes an execution: how many requests were done, not what they were.
    pub(crate) fn executed(&mut self, executed: &ExecutedEvent) {
        let (seen, position, done) = came_to(executed);
        self.note(Fact::Executed { seen, position, done });
    }

    /// Notes the execution of an event that others had executed before.
    pub(crate) fn recovered(&mut self, executed: &ExecutedEvent) {
        let (seen, position, done) = came_to(executed);
        self.note(Fact::Recovered { seen, position, done });
    }

    /// Notes a snapshot that replaced all executions through an event.
    pub(crate) fn restored(&mut self, through: OrderKey, position: Position) {
        self.note(Fact::Restored { through, position });
    }
}

fn came_to(executed: &ExecutedEvent) -> (Seen, Position, u32) {
    let done = executed.outcomes.iter().filter(|executed| executed.outcome.code()).count();
    (Seen::from(&*executed.event), executed.position, u32::try_from(done).unwrap_or(u32::MAX))
}

/// Asks a part for its notes.
#[derive(Message)]
#[rtype(result = "Vec<Timed>")]
pub(crate) struct TakeFacts;

/// What those who watch are told.
#[derive(Debug, Serialize)]
pub struct Told {
    /// The current state of everything.
    pub now: Snapshot,
    /// What is done to the links, where there is a laboratory.
    pub weather: Option<Weather>,
}

/// Writes what those who watch are told; the wording is that of the page that shows it.
pub(crate) type Tell = fn(&Told) -> String;

/// The actor around [`History`].
pub struct WatchActor {
    history: History,
    laboratory: Option<Laboratory>,
    time: Monotonic,
    tell: Tell,
    routes: Option<Routes>,
    taking: bool,
    /// When the health of the banks was last noted.
    felt_at: Micros,
    latest: watch::Sender<Bytes>,
    /// Who watches from a limited address, and how many may from the same.
    seats: Vec<(Origin, Weak<()>)>,
    per_address_max: usize,
    /// What `latest` shows: the history's revision and the weather,
    said: (u64, Option<Weather>),
    /// and when it was written.
    said_at: Micros,
}

impl WatchActor {
    /// An actor that waits to be wired.
    #[must_use]
    pub fn new(
        history: History,
        time: Monotonic,
        laboratory: Option<Laboratory>,
        tell: Tell,
        per_address_max: u32,
    ) -> Self {
        WatchActor {
            history,
            laboratory,
            time,
            tell,
            routes: None,
            taking: false,
            felt_at: 0,
            latest: watch::Sender::default(),
            seats: Vec::new(),
            per_address_max: per_address_max as usize,
            said: (0, None),
            said_at: 0,
        }
    }

    /// Collects the notes of all parts. Parts that come later in the flow of facts are asked first,
    /// so that nothing arrives before its cause.
    fn take_notes(&mut self, context: &mut Context<Self>) {
        let Some(routes) = self.routes.clone().filter(|_| !self.taking) else { return };
        self.taking = true;
        let (me, now) = (self.history.me(), self.time.micros());
        let feels = self.felt_at + VITALS_EVERY_US <= now;
        if feels {
            self.felt_at = now;
        }
        let taken = async move {
            let view = routes.view.send(ViewStatus).await.ok();
            let clocks = routes
                .heartbeat
                .send(ClocksStatus)
                .await
                .map_or_else(|_| Vec::new(), |said| said.clocks);
            let vitals = match &view {
                Some(view) if feels => vitals(&routes, me, view, &clocks).await,
                _ => None,
            };
            let agreed = routes.checks.send(TakeFacts).await.unwrap_or_default();
            let executed = routes.ledger.send(TakeFacts).await.unwrap_or_default();
            let held = routes.buffer.send(TakeFacts).await.unwrap_or_default();
            // Among facts of the same microsecond, those from earlier in the flow go first.
            (view, clocks, vitals, [held, executed, agreed].concat())
        };
        context.spawn(taken.into_actor(self).map(
            move |(view, clocks, vitals, mut facts), actor, _| {
                actor.taking = false;
                let vitals = vitals.filter(|vitals| actor.history.vitals() != Some(vitals));
                facts.extend(vitals.map(|vitals| Timed { at: now, fact: Fact::Vitals(vitals) }));
                actor.absorb(view, &clocks, facts);
                actor.tell();
            },
        ));
    }

    fn absorb(&mut self, view: Option<ViewState>, clocks: &[ClockState], mut facts: Vec<Timed>) {
        let clocks = clocks.iter().copied().chain(std::iter::repeat(ClockState::default()));
        let states =
            view.map(|view| view.peers.into_iter().zip(clocks).map(state).collect::<Vec<_>>());
        if let Some(states) = states.filter(|states| self.history.states() != Some(states)) {
            facts.push(Timed { at: self.time.micros(), fact: Fact::Banks(states) });
        }
        self.history.absorb(facts);
    }

    fn tell(&mut self) {
        let now = self.time.micros();
        let is_news = self.said != (self.history.revision(), self.weather());
        if self.latest.receiver_count() > 0 && (is_news || self.said_at + SAY_AGAIN_US <= now) {
            self.write(now);
        }
    }

    fn weather(&self) -> Option<Weather> {
        self.laboratory.as_ref().map(Laboratory::weather)
    }

    fn told(&self, moment: Micros) -> Told {
        Told { now: self.history.snapshot(moment), weather: self.weather() }
    }

    fn write(&mut self, now: Micros) {
        let json = (self.tell)(&self.told(now));
        self.latest.send_replace(format!("data: {json}\n\n").into());
        self.said = (self.history.revision(), self.weather());
        self.said_at = now;
    }
}

/// The health of every bank.
async fn vitals(
    routes: &Routes,
    me: BankId,
    view: &ViewState,
    clocks: &[ClockState],
) -> Option<Vec<Vitals>> {
    let paces = routes.heartbeat.send(Paces).await.ok()?;
    let own = routes.heartbeat.send(OwnHealth).await.ok()?;
    let of_bank = |(bank, pace): (BankId, PaceNow)| {
        let report = view.peers.get(bank.index()).and_then(|(_, report)| *report);
        let health = if bank == me { Some(own) } else { report.map(|report| report.health) };
        Vitals::new(pace, health, clocks.get(bank.index()).copied().unwrap_or_default())
    };
    Some(BankId::all(paces.len()).zip(paces).map(of_bank).collect())
}

fn state(((state, report), clock): ((PeerState, Option<PeerReport>), ClockState)) -> BankState {
    // How long a bank has been silent changes all the time: only whole seconds are news.
    let state = match state {
        PeerState::Down(Cause::Silent { for_ms }) => {
            PeerState::Down(Cause::Silent { for_ms: for_ms / 1_000 * 1_000 })
        }
        state => state,
    };
    BankState {
        state,
        clock_off: clock.is_off,
        hears: report.map(|report| report.hears).unwrap_or_default(),
        active: report.and_then(|report| report.active),
    }
}

impl Actor for WatchActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(TICK, Self::take_notes);
    }
}

impl Handler<Wire> for WatchActor {
    type Result = ();

    fn handle(&mut self, Wire(routes): Wire, _: &mut Self::Context) {
        self.routes = Some(routes);
    }
}

/// What the log was told.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Noticed(pub Notice);

impl Handler<Noticed> for WatchActor {
    type Result = ();

    fn handle(&mut self, Noticed(notice): Noticed, _: &mut Self::Context) {
        self.history.absorb(vec![Timed { at: self.time.micros(), fact: Fact::Notice(notice) }]);
    }
}

/// Somebody wants to watch, from an address if that is limited: answers with a channel that holds
/// the latest snapshot, as a server-sent event.
#[derive(Debug, Default, Message)]
#[rtype(result = "Result<Seat, Full>")]
pub struct Subscribe {
    pub(crate) from: Option<Origin>,
}

/// A place among those who watch; it is free again when this is dropped.
#[derive(Debug)]
pub struct Seat {
    /// The latest snapshot.
    pub latest: watch::Receiver<Bytes>,
    _taken: Option<Arc<()>>,
}

/// Why somebody cannot watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Too many people watch already.
    AtTheBank,
    /// Too many from the same address do.
    ForTheAddress,
}

impl Handler<Subscribe> for WatchActor {
    type Result = Result<Seat, Full>;

    fn handle(&mut self, Subscribe { from }: Subscribe, _: &mut Self::Context) -> Self::Result {
        let watching = self.latest.receiver_count();
        if watching >= STREAMS_MAX {
            return Err(Full::AtTheBank);
        }
        self.seats.retain(|(_, taken)| taken.strong_count() > 0);
        let of_address = self.seats.iter().filter(|(address, _)| Some(*address) == from).count();
        if of_address >= self.per_address_max {
            return Err(Full::ForTheAddress);
        }
        if watching == 0 {
            // Nothing was written while nobody watched.
            self.write(self.time.micros());
        }
        let taken = from.map(|from| {
            let taken = Arc::new(());
            self.seats.push((from, Arc::downgrade(&taken)));
            taken
        });
        Ok(Seat { latest: self.latest.subscribe(), _taken: taken })
    }
}

/// The node is about to stop: people who watch must not hold it up.
#[derive(Message)]
#[rtype(result = "()")]
pub struct EndStreams;

impl Handler<EndStreams> for WatchActor {
    type Result = ();

    fn handle(&mut self, _: EndStreams, _: &mut Self::Context) {
        self.latest = watch::Sender::default();
    }
}

/// Asks for the state of everything at a moment, or now.
#[derive(Message)]
#[rtype(result = "Told")]
pub(crate) struct SnapshotAt(pub Option<Micros>);

impl Handler<SnapshotAt> for WatchActor {
    type Result = MessageResult<SnapshotAt>;

    fn handle(&mut self, SnapshotAt(moment): SnapshotAt, _: &mut Self::Context) -> Self::Result {
        let now = self.time.micros();
        MessageResult(self.told(moment.map_or(now, |moment| moment.min(now))))
    }
}

/// Asks for the history in the format that ShiViz reads.
#[derive(Message)]
#[rtype(result = "String")]
pub struct ShiViz;

impl Handler<ShiViz> for WatchActor {
    type Result = String;

    fn handle(&mut self, _: ShiViz, _: &mut Self::Context) -> String {
        self.history.shiviz()
    }
}
