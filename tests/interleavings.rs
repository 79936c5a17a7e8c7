//! Whatever the scheduler and the network do, all banks execute the same events in the same order,
//! and that order respects causality. The node's own parts run here, with their effects carried in
//! any order in which actors could carry them (first in, first out between two parts; in any order
//! between different pairs), and with envelopes lost, repeated and reordered.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use netbanking::ids::request::{RawRequest, raw};
use netbanking::ids::{Ballot, BankId, BankSet, EventId};
use netbanking::ledger::Book;
use netbanking::protocol::checks::Checks;
use netbanking::protocol::clock::Clock;
use netbanking::protocol::effect::{
    BufferInput, ChecksInput, ClockInput, Effect, JournalInput, PeerInput, ViewInput,
};
use netbanking::protocol::event::Event;
use netbanking::protocol::executor::Executor;
use netbanking::protocol::ordered_buffer::OrderedBuffer;
use netbanking::protocol::outbox::{Delivery, Outbox, Parcel, Transmission};
use netbanking::protocol::reply::Reply;
use netbanking::protocol::vector_clock::VectorClock;
use netbanking::protocol::view::{Fates, Installed, PreparePlan, Reach};
use proptest::prelude::*;

/// The parts of a node, as ends of queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Outside,
    Clock,
    Buffer,
    Journal,
    Ledger,
    Checks,
    Link(BankId),
}

struct PureNode {
    clock: Clock,
    buffer: OrderedBuffer,
    executor: Executor,
    checks: Checks,
    outboxes: BTreeMap<BankId, Outbox>,
    queues: BTreeMap<(Part, Part), VecDeque<Effect>>,
    executed: Vec<Arc<Event>>,
    answered: Vec<EventId>,
}

struct World {
    nodes: Vec<PureNode>,
    /// What is on its way: from, to, content. What one bank sends another arrives in order.
    network: Vec<(BankId, BankId, Transmission)>,
    /// How many envelopes have left.
    envelopes: usize,
    /// Between two banks, how many frames came on the connection that is open.
    frames: BTreeMap<(BankId, BankId), u64>,
    random: u64,
    now: u64,
}

impl World {
    fn new(banks: usize, seed: u64, gather_from: usize) -> Self {
        let plan = PreparePlan {
            ballot: Ballot { round: 1, coordinator: BankId(0) },
            members: BankSet::all(banks),
            clock: VectorClock::zero(banks),
            ..PreparePlan::default()
        };
        let node = |me: BankId| {
            let install = ClockInput::Install(Installed {
                plan: plan.clone(),
                flush: Vec::new(),
                fates: Fates::default(),
            });
            let time = ClockInput::Time { base_ms: 0, known: BankSet::all(banks) };
            let begin = [time, install, ClockInput::Reach(Reach::Members)].map(Effect::Clock);
            PureNode {
                clock: Clock::new(me, banks),
                buffer: OrderedBuffer::new(me, banks).gathering_from(gather_from),
                executor: Executor::new(me, banks, Book::new(banks), None),
                checks: Checks::new(me, banks),
                outboxes: BankId::all(banks)
                    .filter(|peer| *peer != me)
                    .map(|peer| (peer, Outbox::new(me, peer)))
                    .collect(),
                queues: BTreeMap::from([((Part::Outside, Part::Clock), VecDeque::from(begin))]),
                executed: Vec::new(),
                answered: Vec::new(),
            }
        };
        World {
            nodes: BankId::all(banks).map(node).collect(),
            network: Vec::new(),
            envelopes: 0,
            frames: BTreeMap::new(),
            random: seed | 1,
            now: 0,
        }
    }

    /// Source: G. Marsaglia, 'Xorshift RNGs' (2003).
    fn below(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as usize % bound
    }

    fn submit(&mut self, bank: BankId, name: usize) {
        let request = RawRequest {
            id: EventId::new(bank, &name.to_string()),
            type_msg: "X".into(),
            msg: raw(&name),
        };
        self.nodes[bank.index()].post(Part::Outside, Effect::Clock(ClockInput::Submit(request)));
    }

    /// One step of one part of one bank, or of the network. Returns whether anything was left to
    /// do.
    fn step(&mut self) -> bool {
        let mut choices = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            choices.extend(
                node.queues
                    .iter()
                    .filter(|(_, queue)| !queue.is_empty())
                    .map(|(pair, _)| (index, *pair)),
            );
        }
        let choice = self.below(choices.len() + self.network.len() + 1);
        if let Some((index, pair)) = choices.get(choice) {
            self.nodes[*index].work(*pair, self.now);
        } else if let Some(index) =
            choice.checked_sub(choices.len()).filter(|index| *index < self.network.len())
        {
            self.transport(index, false);
        } else {
            self.now += 1;
            if self.now.is_multiple_of(100) {
                self.tick();
            }
        }
        self.send();
        !self.network.is_empty() || self.nodes.iter().any(PureNode::has_work)
    }

    fn tick(&mut self) {
        for node in &mut self.nodes {
            node.post(Part::Outside, Effect::Clock(ClockInput::Tick));
            node.post(Part::Outside, Effect::Buffer(BufferInput::Tick));
            node.post(Part::Outside, Effect::Checks(ChecksInput::Tick));
        }
    }

    fn send(&mut self) {
        let now = self.now;
        for (index, node) in self.nodes.iter_mut().enumerate() {
            for (peer, outbox) in &mut node.outboxes {
                while let Some(transmission) = outbox.next(now) {
                    self.envelopes += usize::from(matches!(transmission, Transmission::Frame(..)));
                    self.network.push((BankId(index as u16), *peer, transmission));
                }
            }
        }
    }

    /// Everything is delivered at once and in order, and nothing breaks.
    fn calm_step(&mut self) {
        let waiting = |node: &PureNode| {
            node.queues.iter().find(|(_, queue)| !queue.is_empty()).map(|(pair, _)| *pair)
        };
        let next =
            self.nodes.iter().enumerate().find_map(|(index, node)| Some((index, waiting(node)?)));
        if let Some((index, pair)) = next {
            self.nodes[index].work(pair, self.now);
        } else if !self.network.is_empty() {
            self.transport(0, true);
        } else {
            self.now += 1;
        }
        self.send();
    }

    fn transport(&mut self, index: usize, is_calm: bool) {
        let (from, to, _) = self.network[index];
        let first = self.network.iter().position(|(a, b, _)| (*a, *b) == (from, to));
        let (_, _, transmission) = self.network.remove(first.expect("at least the one at index"));
        match transmission {
            Transmission::Open(line) => {
                self.frames.insert((from, to), 0);
                self.delivered(from, to, Delivery::Opened(line));
            }
            Transmission::Probe { line, frames } => {
                self.delivered(from, to, Delivery::Confirmed { line, frames });
            }
            Transmission::Close(_) => {}
            Transmission::Single(..) => panic!("all banks know envelopes"),
            Transmission::Frame(line, parcel) if is_calm => self.take(from, to, line, parcel),
            Transmission::Frame(line, parcel) => match self.below(10) {
                0 => self.tear(from, to, line),
                fate => {
                    self.take(from, to, line, parcel);
                    // It arrived, but that will never be confirmed: it will come again.
                    if fate == 1 {
                        self.tear(from, to, line);
                    }
                }
            },
        }
    }

    /// The connection breaks, and what is on its way is lost.
    fn tear(&mut self, from: BankId, to: BankId, line: u64) {
        self.network.retain(|(a, b, _)| (*a, *b) != (from, to));
        self.delivered(from, to, Delivery::Ended(line));
    }

    fn take(&mut self, from: BankId, to: BankId, line: u64, parcel: Parcel) {
        let frames = self.frames.get_mut(&(from, to)).expect("the connection is open");
        *frames += 1;
        let frame = *frames;
        let node = &mut self.nodes[to.index()];
        let mut out = Vec::new();
        let of_checks = parcel.for_checks(from);
        let answer = node.buffer.receive(from, parcel.envelope, &mut out);
        if answer.taken {
            out.extend(of_checks.into_iter().flatten().map(Effect::Checks));
        }
        out.into_iter().for_each(|effect| node.post(Part::Buffer, effect));
        if !answer.taken || !answer.kept {
            let expected = answer.expected;
            self.delivered(from, to, Delivery::NotTaken { line, frame, expected });
        }
    }

    fn delivered(&mut self, from: BankId, to: BankId, delivery: Delivery) {
        let now = self.now;
        let outbox = self.nodes[from.index()].outboxes.get_mut(&to).expect("a link to every peer");
        outbox.delivered(delivery, now);
    }
}

impl PureNode {
    fn has_work(&self) -> bool {
        self.queues.values().any(|queue| !queue.is_empty())
            || self.outboxes.values().any(|outbox| !outbox.is_empty())
            || self.clock.wake_at().is_some()
    }

    fn post(&mut self, from: Part, effect: Effect) {
        let to = match &effect {
            Effect::Clock(_) => Part::Clock,
            Effect::Buffer(_) => Part::Buffer,
            Effect::Journal(_) => Part::Journal,
            Effect::Ledger(_) => Part::Ledger,
            Effect::Checks(_) => Part::Checks,
            Effect::Peer(bank, _) => Part::Link(*bank),
            // An envelope came before the view was installed here; it will come again.
            Effect::View(ViewInput::Traffic(..)) => return,
            Effect::View(input) => panic!("nobody diverges here: {input:?}"),
            // How long others have waited means nothing here.
            Effect::Heartbeat(_) => return,
            Effect::Reply(id, Reply::Executed(_)) => return self.answered.push(id.clone()),
            Effect::Reply(..) | Effect::Notice(_) => return,
        };
        self.queues.entry((from, to)).or_default().push_back(effect);
    }

    fn work(&mut self, pair: (Part, Part), now: u64) {
        let effect = self
            .queues
            .get_mut(&pair)
            .and_then(VecDeque::pop_front)
            .expect("chosen because it is not empty");
        let mut out = Vec::new();
        match effect {
            Effect::Clock(input) => self.clock.handle(input, now, &mut out),
            Effect::Buffer(input) => self.buffer.handle(input, &mut out),
            Effect::Ledger(input) => {
                let executed = self.executor.handle(input, &mut out);
                self.executed.extend(executed.into_iter().map(|executed| executed.event));
            }
            Effect::Checks(input) => self.checks.handle(input, &mut out),
            Effect::Peer(bank, input) => self.link(bank, input, now),
            Effect::Journal(JournalInput::Append { view, clock, .. }) => {
                out.push(Effect::Buffer(BufferInput::Persisted { view, clock }));
            }
            Effect::Journal(_) => {}
            other => panic!("not for a queue: {other:?}"),
        }
        out.into_iter().for_each(|effect| self.post(pair.1, effect));
    }

    fn link(&mut self, bank: BankId, input: PeerInput, now: u64) {
        self.outboxes.get_mut(&bank).expect("a link to every peer").handle(input, now);
    }
}

/// Runs until nothing is left to do, with requests coming in along the way.
fn run(banks: usize, requests: &[usize], seed: u64) -> World {
    let gather_from = if seed.is_multiple_of(2) { 2 } else { usize::MAX };
    let mut world = World::new(banks, seed, gather_from);
    for (name, bank) in requests.iter().enumerate() {
        world.submit(BankId((bank % banks) as u16), name);
        for _ in 0..world.below(40) {
            world.step();
        }
    }
    for _ in 0..2_000_000 {
        if !world.step() {
            return world;
        }
    }
    panic!("the banks never come to rest");
}

fn ids(events: &[Arc<Event>]) -> Vec<String> {
    events
        .iter()
        .flat_map(|event| event.requests.iter().map(|request| request.id.to_string()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_interleaving_gives_all_banks_the_same_order_consistent_with_causality(
        banks in 1_usize..6,
        requests in prop::collection::vec(0_usize..6, 1..40),
        seed in any::<u64>(),
    ) {
        let world = run(banks, &requests, seed);
        let first = ids(&world.nodes[0].executed);
        prop_assert_eq!(first.len(), requests.len(), "every request is executed once");
        for node in &world.nodes {
            prop_assert_eq!(&ids(&node.executed), &first);
            prop_assert_eq!(node.executor.book().hash(), world.nodes[0].executor.book().hash());
        }
        for (index, later) in world.nodes[0].executed.iter().enumerate() {
            for earlier in &world.nodes[0].executed[..index] {
                prop_assert!(!later.timestamp.lt(&earlier.timestamp), "{} before its cause", earlier.timestamp);
            }
        }
        let answered: usize = world.nodes.iter().map(|node| node.answered.len()).sum();
        prop_assert_eq!(answered, requests.len(), "every customer is answered once");
    }
}

/// How many envelopes a lone request takes: until it is answered, and until nothing is left to do.
fn envelopes_of_a_lone_request(banks: usize, gather_from: usize) -> (usize, usize) {
    let mut world = World::new(banks, 1, gather_from);
    while world.nodes.iter().any(PureNode::has_work) {
        world.calm_step();
    }
    assert_eq!(world.envelopes, 0, "an idle consortium is silent");
    world.submit(BankId(0), 0);
    while world.nodes[0].answered.is_empty() {
        world.calm_step();
    }
    let until_answered = world.envelopes;
    let rests_at = world.now + 1_000;
    while world.now < rests_at {
        world.calm_step();
    }
    (until_answered, world.envelopes)
}

#[test]
fn a_lone_request_takes_few_messages_however_many_banks_there_are() {
    // In this order of events some things travel together that may as well travel alone.
    let at_most = |banks, gather_from, (until_answered, until_rest)| {
        let (answered, all) = envelopes_of_a_lone_request(banks, gather_from);
        assert!(answered <= until_answered && all <= until_rest, "{banks}: {answered}, {all}");
    };
    at_most(3, usize::MAX, (10, 12));
    at_most(14, 5, (4 * 13, 5 * 13));
}
