//! Three banks and the network between them as one state, and every step that can happen next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use netbanking::ids::{Ballot, BankId};
use netbanking::protocol::effect::ViewInput;
use netbanking::protocol::event::Held;
use netbanking::protocol::order_key::OrderKey;
use netbanking::protocol::view::{PreparePlan, ViewMessage};

use crate::bank::{BANKS, Bank, Seen};

/// The most ticks that one step of time may take: more than any wait of the view, those for a
/// take-over included.
const LONGEST_WAIT: usize = 130;

/// A shared value that is hashed only once: most of a state is the same in the next one.
pub(crate) struct Shared<T> {
    value: Arc<T>,
    fingerprint: u64,
}

impl<T: Hash> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Shared { fingerprint: fingerprint(&value), value: Arc::new(value) }
    }

    fn change<R>(&mut self, by: impl FnOnce(&mut T) -> R) -> R
    where
        T: Clone,
    {
        let value = Arc::make_mut(&mut self.value);
        let answer = by(value);
        self.fingerprint = fingerprint(value);
        answer
    }
}

fn fingerprint<T: Hash>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl<T> std::ops::Deref for Shared<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared { value: Arc::clone(&self.value), fingerprint: self.fingerprint }
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
            && (Arc::ptr_eq(&self.value, &other.value) || self.value == other.value)
    }
}

impl<T> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.fingerprint);
    }
}

/// A message on its way, for ever: it may never arrive, or arrive late, repeatedly, and in any
/// order.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct InFlight {
    pub(crate) from: BankId,
    pub(crate) to: BankId,
    pub(crate) content: Content,
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum Content {
    View(ViewMessage),
    /// Any message of the normal case: its sender acts in this view.
    Traffic(Ballot),
}

/// What is still allowed to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Steps of time, for each bank.
    pub(crate) waits: [u8; BANKS],
    pub(crate) crashes: u8,
    /// Cuts and their healings.
    pub(crate) cuts: u8,
    /// Whether banks take in and execute events while the view change goes on.
    pub(crate) traffic: bool,
}

/// What has really happened, which nobody in the consortium knows in full.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct History {
    /// The common order so far: what was executed anywhere.
    pub(crate) order: Vec<OrderKey>,
    /// Every view that was in force anywhere.
    pub(crate) started: BTreeMap<Ballot, PreparePlan>,
    /// Which bank has acted in which view.
    pub(crate) acted: BTreeSet<(Ballot, BankId)>,
    /// Events that every member of their view had on disk at one time.
    pub(crate) stable: BTreeSet<OrderKey>,
    /// Which banks crashed and came back.
    pub(crate) returned: [bool; BANKS],
    /// Which property a step has broken.
    pub(crate) broken: Option<&'static str>,
}

impl History {
    fn breaks(&mut self, property: &'static str) {
        self.broken.get_or_insert(property);
    }

    fn executed(&mut self, index: usize, key: OrderKey) {
        match self.order.get(index) {
            Some(there) if *there == key => {}
            None if index == self.order.len() => self.order.push(key),
            _ => self.breaks("all banks execute the same events in the same order"),
        }
    }
}

/// Questions on their way: from, to, content.
type Prompt = VecDeque<(BankId, BankId, ViewMessage)>;

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Consortium {
    pub(crate) banks: [Shared<Bank>; BANKS],
    /// Sorted by fingerprint.
    messages: Vec<Shared<InFlight>>,
    pub(crate) left: Budget,
    /// The bank that hears nobody and that nobody hears.
    pub(crate) cut_off: Option<BankId>,
    pub(crate) history: Shared<History>,
}

/// One step.
#[derive(Clone, PartialEq)]
pub(crate) enum Step {
    Arrives(Shared<InFlight>),
    Writes(BankId),
    /// Time passes at a bank until it does something.
    Waits(BankId),
    Crashes {
        bank: BankId,
        marks_written: bool,
    },
    Restarts(BankId),
    CutOff(BankId),
    Healed,
    Takes(BankId, OrderKey),
    Executes(BankId),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Arrives(in_flight) => {
                write!(f, "{} -> {}: {:?}", in_flight.from, in_flight.to, in_flight.content)
            }
            Step::Writes(bank) => write!(f, "{bank} writes to disk"),
            Step::Waits(bank) => write!(f, "time passes at {bank}"),
            Step::Crashes { bank, marks_written } => {
                write!(
                    f,
                    "{bank} crashes, marks of execution {}",
                    if *marks_written { "written" } else { "lost" }
                )
            }
            Step::Restarts(bank) => write!(f, "{bank} restarts"),
            Step::CutOff(bank) => write!(f, "{bank} is cut off"),
            Step::Healed => write!(f, "the cut is healed"),
            Step::Takes(bank, key) => write!(f, "{bank} takes {key:?}"),
            Step::Executes(bank) => write!(f, "{bank} executes"),
        }
    }
}

impl Consortium {
    pub(crate) fn new(banks: [Bank; BANKS], left: Budget, cut_off: Option<BankId>) -> Self {
        let history = Shared::new(History::default());
        Consortium { banks: banks.map(Shared::new), messages: Vec::new(), left, cut_off, history }
    }

    /// Records what had happened before.
    pub(crate) fn remember(
        &mut self,
        order: Vec<OrderKey>,
        started: impl Iterator<Item = PreparePlan>,
    ) {
        self.history.change(|history| {
            history.order = order;
            for plan in started {
                history.acted.extend(plan.members.iter().map(|bank| (plan.ballot, bank)));
                history.started.insert(plan.ballot, plan);
            }
        });
    }

    pub(crate) fn bank(&self, bank: BankId) -> &Bank {
        &self.banks[bank.index()]
    }

    pub(crate) fn messages(&self) -> impl Iterator<Item = &InFlight> {
        self.messages.iter().map(|in_flight| &**in_flight)
    }

    pub(crate) fn running(&self) -> impl Iterator<Item = BankId> {
        BankId::all(BANKS).filter(|bank| self.bank(*bank).runs())
    }

    fn hears(&self, bank: BankId, peer: BankId) -> bool {
        self.bank(peer).runs() && self.cut_off.is_none_or(|apart| apart != bank && apart != peer)
    }

    /// The steps that can happen next. Some of them come to nothing.
    pub(crate) fn steps(&self, events: &[Held], steps: &mut Vec<Step>) {
        let reaches = |in_flight: &&Shared<InFlight>| self.bank(in_flight.to).runs();
        steps.extend(self.messages.iter().filter(reaches).cloned().map(Step::Arrives));
        for bank in BankId::all(BANKS) {
            let here = self.bank(bank);
            if !here.runs() {
                steps.push(Step::Restarts(bank));
                continue;
            }
            if here.has_to_write() {
                steps.push(Step::Writes(bank));
            }
            if self.left.waits[bank.index()] > 0 {
                steps.push(Step::Waits(bank));
            }
            if self.left.crashes > 0 {
                steps.push(Step::Crashes { bank, marks_written: false });
                if here.has_unwritten_marks() {
                    steps.push(Step::Crashes { bank, marks_written: true });
                }
            }
            if self.left.cuts > 0 && self.cut_off.is_none() {
                steps.push(Step::CutOff(bank));
            }
            if self.left.traffic {
                let awaited = events.iter().filter(|held| here.awaits(held));
                steps.extend(awaited.map(|held| Step::Takes(bank, held.event.order_key())));
                if self.may_execute(bank, events) {
                    steps.push(Step::Executes(bank));
                }
            }
        }
        if self.left.cuts > 0 && self.cut_off.is_some() {
            steps.push(Step::Healed);
        }
    }

    /// Whether the bank may know that all members have its first event on disk and that nothing
    /// comes before it.
    fn may_execute(&self, bank: BankId, events: &[Held]) -> bool {
        let Some(first) = self.bank(bank).first_held() else { return false };
        let key = first.event.order_key();
        let executed: Vec<_> = self.bank(bank).log().collect();
        let mut smaller =
            events.iter().map(|held| held.event.order_key()).filter(|other| *other < key);
        let of_this_view = smaller.all(|other| other.view != key.view || executed.contains(&other));
        of_this_view && self.history.stable.contains(&key)
    }

    /// The state after a step; `None` if the step comes to nothing.
    pub(crate) fn after(&self, step: &Step, events: &[Held]) -> Option<Consortium> {
        let mut next = self.clone();
        match step {
            Step::Arrives(in_flight) => {
                let input = match in_flight.content.clone() {
                    Content::View(message) => ViewInput::Message(in_flight.from, message),
                    Content::Traffic(view) => ViewInput::Traffic(in_flight.from, view),
                };
                next.at(in_flight.to, |bank, seen| bank.give(input, seen));
            }
            Step::Writes(bank) => {
                next.at(*bank, Bank::write);
            }
            Step::Waits(bank) => {
                next.left.waits[bank.index()] -= 1;
                next.wait(*bank)?;
            }
            Step::Crashes { bank, marks_written } => {
                next.left.crashes -= 1;
                next.banks[bank.index()].change(|bank| bank.crash(*marks_written));
            }
            Step::Restarts(bank) => {
                next.banks[bank.index()].change(Bank::start);
                next.history.change(|history| history.returned[bank.index()] = true);
            }
            Step::CutOff(bank) => {
                next.left.cuts -= 1;
                next.cut_off = Some(*bank);
            }
            Step::Healed => {
                next.left.cuts -= 1;
                next.cut_off = None;
            }
            Step::Takes(bank, key) => {
                let held = events
                    .iter()
                    .find(|held| held.event.order_key() == *key)
                    .expect("an event of the model");
                next.banks[bank.index()].change(|bank| bank.take(held));
                next.note_stable(events);
            }
            Step::Executes(bank) => {
                next.at(*bank, Bank::execute_first);
            }
        }
        (next != *self).then_some(next)
    }

    /// Notes which events all members of their view have on disk: from now on some bank may know
    /// that.
    pub(crate) fn note_stable(&mut self, events: &[Held]) {
        for held in events {
            let key = held.event.order_key();
            let everywhere = held.members.iter().all(|bank| self.bank(bank).holds(key));
            if everywhere && !self.history.stable.contains(&key) {
                self.history.change(|history| history.stable.insert(key));
            }
        }
    }

    /// One step of a bank, with everything that follows from it at once. Returns whether others
    /// could notice it.
    pub(crate) fn at(&mut self, bank: BankId, step: impl FnOnce(&mut Bank, &mut Seen)) -> bool {
        let mut seen = Seen::default();
        self.banks[bank.index()].change(|bank| step(bank, &mut seen));
        let mut prompt = VecDeque::new();
        let noticed = self.note(bank, seen, &mut prompt);
        self.ask(prompt) || noticed
    }

    /// Carries questions, and their answers, at once.
    fn ask(&mut self, mut prompt: Prompt) -> bool {
        let mut noticed = false;
        while let Some((from, to, message)) = prompt.pop_front() {
            if !self.hears(from, to) || !self.hears(to, from) {
                continue;
            }
            noticed |= matches!(message, ViewMessage::Join);
            if matches!(message, ViewMessage::WouldStop { .. }) {
                self.listen(to, &mut prompt);
            }
            let mut seen = Seen::default();
            let input = ViewInput::Message(from, message);
            self.banks[to.index()].change(|bank| bank.give(input, &mut seen));
            noticed |= self.note(to, seen, &mut prompt);
        }
        noticed
    }

    /// The bank learns what the heartbeats say now.
    fn listen(&mut self, bank: BankId, prompt: &mut Prompt) {
        for peer in BankId::all(BANKS).filter(|peer| *peer != bank) {
            let report = self.hears(bank, peer).then(|| self.bank(peer).report());
            let mut seen = Seen::default();
            self.banks[bank.index()].change(|bank| bank.hear(peer, report, &mut seen));
            self.note(bank, seen, prompt);
        }
    }

    /// Everybody learns what the heartbeats say at the beginning.
    pub(crate) fn listen_everywhere(&mut self) {
        for bank in self.running().collect::<Vec<_>>() {
            let mut prompt = Prompt::new();
            self.listen(bank, &mut prompt);
            assert!(prompt.is_empty(), "nobody asks anything before time passes");
        }
    }

    /// Time passes until the bank does something that others can notice; `None` if it never does.
    fn wait(&mut self, bank: BankId) -> Option<()> {
        let (before, reach) = (self.bank(bank).doing(), self.bank(bank).view().reach());
        let mut prompt = Prompt::new();
        self.listen(bank, &mut prompt);
        let mut noticed = self.ask(prompt);
        let mut ticks = 0;
        while !noticed && self.bank(bank).doing() == before && ticks < LONGEST_WAIT {
            noticed = self.at(bank, |bank, seen| {
                while ticks < LONGEST_WAIT && seen.is_nothing() {
                    bank.give(ViewInput::Tick, seen);
                    ticks += 1;
                }
            });
        }
        (noticed || self.bank(bank).doing() != before || self.bank(bank).view().reach() != reach)
            .then_some(())
    }

    /// Notes what the world can see of a step; returns whether other banks can.
    fn note(&mut self, bank: BankId, seen: Seen, prompt: &mut Prompt) -> bool {
        let Seen { said, started, executed, broken } = seen;
        let messages = self.messages.len();
        for (to, message) in said {
            match message {
                // It only makes the coordinator more patient, and in this model it may have any
                // patience anyway.
                ViewMessage::Working { .. } => {}
                // Questions that change nothing where they arrive: losing or delaying one is the
                // same as the time for it not having come yet.
                ViewMessage::WouldStop { .. }
                | ViewMessage::Granted(_)
                | ViewMessage::Join
                | ViewMessage::FetchJournal { .. }
                | ViewMessage::FetchEvents { .. } => prompt.push_back((bank, to, message)),
                _ => self.post(InFlight { from: bank, to, content: Content::View(message) }),
            }
        }
        if !executed.is_empty() || broken.is_some() {
            self.history.change(|history| {
                executed.into_iter().for_each(|(index, key)| history.executed(index, key));
                broken.into_iter().for_each(|property| history.breaks(property));
            });
        }
        started.into_iter().for_each(|plan| self.note_started(bank, plan));
        self.messages.len() > messages
    }

    fn post(&mut self, in_flight: InFlight) {
        if let Some(property) = self.broken_by(&in_flight) {
            self.history.change(|history| history.breaks(property));
        }
        let in_flight = Shared::new(in_flight);
        let place = self
            .messages
            .binary_search_by_key(&in_flight.fingerprint, |in_flight| in_flight.fingerprint);
        if let Err(place) = place {
            self.messages.insert(place, in_flight);
        }
    }

    fn broken_by(&self, in_flight: &InFlight) -> Option<&'static str> {
        match &in_flight.content {
            Content::View(ViewMessage::Prepare(plan)) => {
                let other = |content: &Content| match content {
                    Content::View(ViewMessage::Prepare(other)) => {
                        other.ballot == plan.ballot && other != plan
                    }
                    _ => false,
                };
                let twice = self.messages().any(|in_flight| other(&in_flight.content));
                twice.then_some("there is one plan for a ballot")
            }
            Content::View(ViewMessage::Stopped(stopped)) => {
                let counts = stopped.voter && self.bank(in_flight.from).disk.learner;
                counts.then_some("a learner counts for no majority")
            }
            _ => None,
        }
    }

    fn note_started(&mut self, bank: BankId, plan: PreparePlan) {
        let prepared = |bank: BankId| self.bank(bank).disk.prepared.ballot >= plan.ballot;
        let everywhere = plan.members.iter().all(prepared);
        for peer in plan.members.iter().filter(|peer| *peer != bank).collect::<Vec<_>>() {
            self.post(InFlight { from: bank, to: peer, content: Content::Traffic(plan.ballot) });
        }
        self.history.change(|history| {
            if !everywhere {
                history.breaks("a view begins when all its members have it on disk");
            }
            if !history.acted.insert((plan.ballot, bank)) {
                history.breaks("a bank that comes back does not act in its old view again");
            }
            if history.started.insert(plan.ballot, plan.clone()).is_some_and(|other| other != plan)
            {
                history.breaks("there is one plan for a ballot");
            }
        });
    }
}
