//! Views of several banks in one process, with messages carried by hand.

mod forming;
mod gray;
mod half_dead;
mod left_behind;
mod mad;
mod overtaken;
mod restarted;
mod returning;
mod transcripts;

use std::collections::VecDeque;
use std::sync::Arc;

use super::*;
use crate::ids::request::{Header, RawRequest, raw};
use crate::ids::{ChainHash, EventId};
use crate::protocol::effect::LedgerInput;
use crate::protocol::event::{Event, Held};
use crate::protocol::execution::{Executions, JournalEntry};
use crate::protocol::order_key::OrderKey;
use crate::protocol::peer_state::Cause;
use crate::protocol::vector_clock::VectorClock;

/// Banks with their views; the journal answers at once, and the ledger executes whatever it is
/// given.
struct Consortium {
    banks: usize,
    views: Vec<View>,
    /// Whether a bank runs.
    alive: Vec<bool>,
    /// Pairs of banks that do not hear each other.
    cut: Vec<(BankId, BankId)>,
    /// Directions in which heartbeats pass but messages do not.
    blocked: Vec<(BankId, BankId)>,
    /// Banks whose disk never finishes preparing a plan.
    stuck: Vec<BankId>,
    /// Banks that are heard, but that do not take any other bank for up yet.
    watching: Vec<BankId>,
    /// Pairs of which the first still watches the return of the second.
    returning: Vec<(BankId, BankId)>,
    /// Pairs of which the first finds the second too slow.
    slow: Vec<(BankId, BankId)>,
    /// What the first of a pair last heard of the second, for as long as nothing newer comes.
    last_heard: Vec<(BankId, BankId, PeerReport)>,
    /// What each bank's view was installed with.
    installed: Vec<Vec<Installed>>,
    /// Journal of each bank: executed events in order.
    journals: Vec<Vec<JournalEntry>>,
    /// Events that each bank holds beyond its journal, while a view is in force.
    held: Vec<Vec<Held>>,
    /// The plan that each bank has prepared last.
    prepared: Vec<PreparePlan>,
    /// Messages on their way: from, to, content.
    network: VecDeque<(BankId, BankId, ViewMessage)>,
    notices: Vec<String>,
    /// What was said and what came of it, line by line.
    story: Vec<String>,
    /// The message after which delivery was stopped, if it was.
    stopped_at: Option<ViewMessage>,
}

const SLOW: Cause =
    Cause::Slow { stage: crate::protocol::progress::Stage::Durable, lag: 700, percent: 21 };
const FIRST: Ballot = Ballot { round: 1, coordinator: BankId(0) };

fn event(view: Ballot, sender: u16, timestamp: [u64; 3]) -> Held {
    let id =
        EventId::new(BankId(sender), &format!("{timestamp:?}").replace([' ', '[', ']', ','], "_"));
    let request = RawRequest { id, type_msg: "X".into(), msg: raw(&1) };
    let event = Event::stamp(
        view,
        BankId(sender),
        timestamp.to_vec().into(),
        vec![request],
        Header::default(),
    );
    Held { event: Arc::new(event), members: BankSet::all(3) }
}

fn entry(held: Held, position: u64) -> JournalEntry {
    JournalEntry {
        held,
        position: Position(position),
        hash: ChainHash([u8::try_from(position).unwrap(); 32]),
    }
}

/// What a bank has on disk: executed events, and events held beyond them.
fn state(banks: usize, executed: &[JournalEntry], held: Vec<Held>) -> Frozen {
    let mut frozen = Frozen { held, clock: VectorClock::zero(banks), ..Frozen::default() };
    for entry in executed {
        Executions::count(&mut frozen.executed, &entry.held);
        frozen.clock.merge(&entry.held.event.timestamp);
        (frozen.position, frozen.hash) = (entry.position, entry.hash);
    }
    let clock = &mut frozen.clock;
    frozen.held.iter().for_each(|held| clock.merge(&held.event.timestamp));
    frozen
}

fn disk(prepared: Ballot, executed: &[JournalEntry], held: Vec<Held>) -> OnDisk {
    let prepared = match prepared {
        none if none == Ballot::default() => PreparePlan::default(),
        ballot => PreparePlan { ballot, clock: VectorClock::zero(3), ..PreparePlan::default() },
    };
    OnDisk {
        promised: prepared.ballot,
        prepared,
        state: state(3, executed, held),
        ..OnDisk::default()
    }
}

impl Consortium {
    fn start(disks: Vec<OnDisk>) -> Self {
        let banks = disks.len();
        let views =
            BankId::all(banks).zip(disks).map(|(me, disk)| View::new(me, banks, disk)).collect();
        Consortium {
            banks,
            views,
            alive: vec![true; banks],
            cut: Vec::new(),
            blocked: Vec::new(),
            stuck: Vec::new(),
            watching: Vec::new(),
            returning: Vec::new(),
            slow: Vec::new(),
            last_heard: Vec::new(),
            installed: vec![Vec::new(); banks],
            journals: vec![Vec::new(); banks],
            held: vec![Vec::new(); banks],
            prepared: vec![PreparePlan::default(); banks],
            network: VecDeque::new(),
            notices: Vec::new(),
            story: Vec::new(),
            stopped_at: None,
        }
    }

    fn empty(banks: usize) -> Self {
        Consortium::start((0..banks).map(|_| blank(banks)).collect())
    }

    /// Three banks in their first view.
    fn in_force() -> Self {
        let mut consortium = Consortium::empty(3);
        consortium.run(10);
        consortium.assert_in_force(&[0, 1, 2]);
        consortium
    }

    fn give(&mut self, bank: BankId, input: ViewInput) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.assert_of_no_use_unless_wanted(bank, &input);
            let mut out = Vec::new();
            let before = self.views[bank.index()].phase();
            self.views[bank.index()].handle(input, &mut out);
            let phase = self.views[bank.index()].phase();
            if phase != before {
                self.story.push(format!("  bank {bank}: {before:?} → {phase:?}"));
            }
            inputs.extend(out.into_iter().filter_map(|effect| self.carry_out(bank, effect)));
        }
    }

    /// The door throws away large answers that nobody wants: they would have changed nothing.
    fn assert_of_no_use_unless_wanted(&self, bank: BankId, input: &ViewInput) {
        let ViewInput::Message(from, message) = input else { return };
        let view = &self.views[bank.index()];
        let is_unwanted = message.bulk().is_some_and(|bulk| !view.wants(*from, bulk));
        if is_unwanted && view.impossible(message).is_none() {
            let (mut after, mut out) = (view.clone(), Vec::new());
            after.handle(ViewInput::Message(*from, message.clone()), &mut out);
            assert!(out.is_empty() && after == *view, "bank {bank} uses {message:?}: {out:?}");
        }
    }

    /// Does what disk, ledger and network would do; returns what comes back to the view.
    fn carry_out(&mut self, bank: BankId, effect: Effect) -> Option<ViewInput> {
        let index = bank.index();
        match effect {
            Effect::Peer(to, PeerInput::View(message)) => {
                self.network.push_back((bank, to, message));
                None
            }
            Effect::Journal(JournalInput::Promise(frozen)) => Some(ViewInput::Frozen(frozen)),
            Effect::Journal(JournalInput::Prepare { .. }) if self.stuck.contains(&bank) => None,
            Effect::Journal(JournalInput::Prepare { prepared, .. }) => {
                self.prepared[index] = prepared.clone();
                Some(ViewInput::Prepared(prepared.ballot))
            }
            Effect::Journal(JournalInput::Read { to, after, .. }) => {
                let later = |entry: &&JournalEntry| entry.position > after;
                let entries = self.journals[index].iter().filter(later).take(2).cloned().collect();
                let before = self.journals[index]
                    .iter()
                    .find(|entry| entry.position == after)
                    .map(|entry| entry.hash);
                let hash_before =
                    if after == Position(0) { Some(ChainHash::default()) } else { before };
                Some(ViewInput::JournalRead {
                    to,
                    after,
                    entries,
                    hash_before,
                    starts_after: Position(0),
                })
            }
            Effect::Ledger(LedgerInput::Replay(entries)) => {
                self.journals[index].extend(entries);
                let Frozen { position, hash, executed, .. } =
                    state(self.banks, &self.journals[index], Vec::new());
                Some(ViewInput::Replayed {
                    position,
                    hash,
                    executed: executed.expect("pieces are not empty"),
                })
            }
            Effect::Clock(ClockInput::Install(installed)) => {
                self.begin(bank, installed);
                None
            }
            Effect::Clock(ClockInput::Freeze(ballot)) => {
                let mut frozen = state(self.banks, &self.journals[index], self.held[index].clone());
                frozen.ballot = ballot;
                self.installed[index]
                    .last()
                    .into_iter()
                    .for_each(|last| frozen.clock.merge(&last.plan.clock));
                Some(ViewInput::Frozen(frozen))
            }
            Effect::Notice(notice) => {
                self.notices.push(format!("{bank}: {notice}"));
                if !matches!(notice, Notice::PeerUp(_)) {
                    self.story.push(format!("  bank {bank} ! {notice}"));
                }
                None
            }
            _ => None,
        }
    }

    /// Executes the flush, as the ledger does when a view begins.
    fn begin(&mut self, bank: BankId, installed: Installed) {
        let index = bank.index();
        self.held[index] = Vec::new();
        for held in installed.flush.clone() {
            let position = self.journals[index].len() as u64 + 1;
            self.journals[index].push(entry(held, position));
        }
        let (PreparePlan { ballot, members, position, clock, .. }, flush) =
            (&installed.plan, &installed.flush);
        let flush: Vec<_> = flush.iter().map(|held| held.event.timestamp.to_string()).collect();
        self.story.push(format!(
            "  bank {bank} begins view {ballot} of {members} from {position} and {clock}, and executes {}",
            if flush.is_empty() { "nothing first".to_owned() } else { format!("{} first", flush.join(" ")) }
        ));
        self.installed[index].push(installed);
    }

    fn hears(&self, bank: BankId, peer: BankId) -> bool {
        let cut = self.cut.contains(&(bank, peer)) || self.cut.contains(&(peer, bank));
        self.alive[bank.index()] && self.alive[peer.index()] && !cut
    }

    fn heartbeat(&mut self) {
        for bank in
            BankId::all(self.banks).filter(|bank| self.alive[bank.index()]).collect::<Vec<_>>()
        {
            for peer in BankId::all(self.banks).filter(|peer| *peer != bank) {
                let heard = self.hears(bank, peer) && !self.watching.contains(&bank);
                let state = match heard {
                    true if self.slow.contains(&(bank, peer)) => PeerState::Down(SLOW),
                    true if self.returning.contains(&(bank, peer)) => PeerState::Returning,
                    true => PeerState::Up,
                    false => PeerState::Down(Cause::Lost),
                };
                let old = self.last_heard.iter().find(|(by, of, _)| (*by, *of) == (bank, peer));
                let newest = || self.views[peer.index()].report();
                let report = heard.then(|| old.map_or_else(newest, |(_, _, report)| *report));
                self.give(bank, ViewInput::Peer { bank: peer, state, report });
            }
        }
    }

    fn run(&mut self, ticks: usize) {
        self.run_losing(ticks, |_, _| false);
    }

    /// Lets time pass, and messages arrive unless `lose` wants them lost. A bank that is dead or
    /// cut off gets none.
    fn run_losing(&mut self, ticks: usize, mut lose: impl FnMut(BankId, &ViewMessage) -> bool) {
        for _ in 0..ticks {
            self.begin_tick();
            self.deliver(&mut lose);
        }
    }

    fn begin_tick(&mut self) {
        self.heartbeat();
        for bank in
            BankId::all(self.banks).filter(|bank| self.alive[bank.index()]).collect::<Vec<_>>()
        {
            self.give(bank, ViewInput::Tick);
        }
    }

    fn deliver(&mut self, mut lose: impl FnMut(BankId, &ViewMessage) -> bool) {
        while let Some((from, to, message)) = self.network.pop_front() {
            let arrives =
                self.hears(from, to) && !self.blocked.contains(&(from, to)) && !lose(to, &message);
            self.tell(from, to, &message, arrives);
            if arrives {
                self.give(to, ViewInput::Message(from, message));
            }
        }
    }

    /// One tick, in which delivery stops once a message that `is_it` accepts has arrived.
    fn tick_until(&mut self, is_it: impl Fn(BankId, BankId, &ViewMessage) -> bool) {
        self.begin_tick();
        while let Some((from, to, message)) = self.network.pop_front() {
            let arrives = self.hears(from, to) && !self.blocked.contains(&(from, to));
            self.tell(from, to, &message, arrives);
            if arrives {
                self.give(to, ViewInput::Message(from, message.clone()));
                if is_it(from, to, &message) {
                    self.stopped_at = Some(message);
                    return;
                }
            }
        }
    }

    fn tell(&mut self, from: BankId, to: BankId, message: &ViewMessage, arrives: bool) {
        let lost = if arrives { "" } else { " (lost)" };
        self.story.push(format!("{from} → {to} {}{lost}", transcripts::told(message)));
    }

    fn kill(&mut self, bank: u16) {
        self.alive[usize::from(bank)] = false;
    }

    /// A bank comes back with an empty disk.
    fn wipe(&mut self, bank: u16) {
        let index = usize::from(bank);
        (self.journals[index], self.held[index]) = (Vec::new(), Vec::new());
        self.installed[index].clear();
        self.prepared[index] = PreparePlan::default();
        self.views[index] = View::new(BankId(bank), self.banks, blank(self.banks));
        self.alive[index] = true;
    }

    /// These banks hold an event of the view in force.
    fn hold(&mut self, sender: u16, timestamp: Vec<u64>, holders: &[u16]) {
        let (view, members) =
            self.views[usize::from(holders[0])].active().expect("events are stamped in a view");
        let id = EventId::new(BankId(sender), &timestamp[usize::from(sender)].to_string());
        let request = RawRequest { id, type_msg: "X".into(), msg: raw(&1) };
        let event =
            Event::stamp(view, BankId(sender), timestamp.into(), vec![request], Header::default());
        let held = Held { event: Arc::new(event), members };
        holders.iter().for_each(|bank| self.held[usize::from(*bank)].push(held.clone()));
    }

    /// A killed bank comes back with its disk.
    fn restart(&mut self, bank: u16) {
        let index = usize::from(bank);
        let (promised, prepared) = (self.views[index].disk.promised, self.prepared[index].clone());
        let clock = prepared.clock.clone();
        let mut disk = OnDisk { promised, prepared, ..OnDisk::default() };
        disk.state = state(self.banks, &self.journals[index], self.held[index].clone());
        disk.state.clock.merge(&clock);
        self.views[index] = View::new(BankId(bank), self.banks, disk);
        self.alive[index] = true;
    }

    fn assert_in_force(&self, members: &[u16]) -> Installed {
        let set: BankSet = members.iter().map(|bank| BankId(*bank)).collect();
        let latest =
            |bank: BankId| self.installed[bank.index()].last().expect("a view is in force");
        let first = latest(set.first().expect("members"));
        for bank in set.iter() {
            let view = &self.views[bank.index()];
            assert!(view.is_ready(), "bank {bank} is {:?}, reaches {:?}", view.phase(), view.reach);
            let installed = latest(bank);
            assert_eq!(installed.plan, first.plan);
            assert_eq!(keys(&installed.flush), keys(&first.flush));
        }
        assert_eq!(first.plan.members, set);
        first.clone()
    }
}

/// What a bank that is in no view has executed, and what it holds beyond that.
fn held_by(view: &View) -> &Frozen {
    &view.phase.interim().expect("it is in no view").state
}

/// The view in force at a bank.
fn in_force_at(view: &View) -> Ballot {
    view.active().expect("a view is in force").0
}

fn blank(banks: usize) -> OnDisk {
    OnDisk {
        state: Frozen { clock: VectorClock::zero(banks), ..Frozen::default() },
        ..OnDisk::default()
    }
}

fn keys(held: &[Held]) -> Vec<OrderKey> {
    held.iter().map(|held| held.event.order_key()).collect()
}
