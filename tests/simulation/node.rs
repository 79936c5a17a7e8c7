//! One bank's process: the node's own parts, and between them queues instead of mailboxes.
//!
//! What one part tells another arrives in order; between different pairs of parts, chance decides
//! the order, and a part may be slow or stand still for a while. Everything that leaves the
//! process, and everything that a judge wants to know, is [`Said`].

mod doors;
mod sealed;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use netbanking::config::Config;
use netbanking::ids::request::RawRequest;
use netbanking::ids::signature::Signer;
use netbanking::ids::{BankId, ChainHash, EventId, Position};
use netbanking::ledger::Book;
use netbanking::ledger::book::Run;
use netbanking::ledger::past::PastEntry;
use netbanking::protocol::checks::Checks;
use netbanking::protocol::clock::Clock;
use netbanking::protocol::confirmation::{Confirmation, ConfirmationInput, ReadNumber};
use netbanking::protocol::consortium_time::{ClockState, ConsortiumTime};
use netbanking::protocol::effect::{
    BufferInput, ChecksInput, ClockInput, Effect, HeartbeatInput, JournalInput, LedgerInput,
    PeerInput, ViewInput,
};
use netbanking::protocol::event::Event;
use netbanking::protocol::execution::ExecutedEvent;
use netbanking::protocol::executor::Executor;
use netbanking::protocol::heartbeat::{Heartbeat, Patience};
use netbanking::protocol::notice::Notice;
use netbanking::protocol::ordered_buffer::OrderedBuffer;
use netbanking::protocol::outbox::{Delivery, Outbox, Parcel, Transmission};
use netbanking::protocol::reply::Reply;
use netbanking::protocol::report::PeerReport;
use netbanking::protocol::time::Millis;
use netbanking::protocol::view::{Installed, View, ViewMessage};
use netbanking::store::recovery::rebuild_on;
use netbanking::store::{self, GroupCommit, JournalReader, Snapshots, StoreError};

use super::disk::Disk;
use super::network::{LineId, OnLine};
use super::random::Random;
use super::reads::Read;
use super::seals::{Key, prove};
use super::trace::{Trace, brief};

/// The parts of a node, as ends of queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Timers,
    /// The handlers of what peers and customers say.
    Http,
    Clock,
    Buffer,
    Journal,
    /// Reads the journal for others.
    Reader,
    Ledger,
    Checks,
    View,
    Heartbeat,
    Link(BankId),
}

/// How many kinds of parts there are.
pub(crate) const PARTS: usize = 11;
/// The kinds that may stand still for a while: each lives on a thread of its own.
pub(crate) const STALLING: [Part; 4] = [Part::Journal, Part::Reader, Part::Ledger, Part::Clock];

impl Part {
    pub(crate) fn kind(self) -> usize {
        match self {
            Part::Timers => 0,
            Part::Http => 1,
            Part::Clock => 2,
            Part::Buffer => 3,
            Part::Journal => 4,
            Part::Ledger => 5,
            Part::Checks => 6,
            Part::View => 7,
            Part::Heartbeat => 8,
            Part::Link(_) => 9,
            Part::Reader => 10,
        }
    }

    fn code(self) -> u64 {
        match self {
            Part::Link(bank) => 16 + u64::from(bank.0),
            other => other.kind() as u64,
        }
    }
}

/// What waits in a queue.
#[derive(Debug)]
pub(crate) enum Post {
    Effect(Effect),
    /// The journal commits what has gathered.
    Flush,
    /// The same, after the journal has taken care of its length.
    LazyFlush,
    /// The commit has come back from the disk.
    OnDisk(Vec<Effect>),
    /// Something is to be read from the disk.
    Look(store::Read),
    /// A link sends what has gathered.
    Pump,
    /// An envelope came as a frame of a connection.
    Frame(BankId, LineId, Parcel),
    /// A peer wants to know that what it sent on a connection has been processed.
    Probe(BankId, LineId, u64),
    /// The view is asked as a peer's would be.
    AskMyself(ReadNumber),
    /// A bank has said in which view it acts, or could not be asked, or time has passed.
    Word(ConfirmationInput),
    /// A customer's read gets its turn.
    Read(Read),
}

/// What leaves the process, and what the judge is told.
#[derive(Debug)]
pub(crate) enum Said {
    /// Said by the view, and still on its way through the process.
    OfViews(ViewMessage),
    View(BankId, ViewMessage),
    /// A link sends something on its connection.
    OnLine(BankId, LineId, OnLine),
    /// The clock wants to look at the time again then, in milliseconds of the process.
    WakeClock(Millis),
    /// A link wants to be asked again at this time, in milliseconds of the process.
    Wake(BankId, Millis),
    Reply(EventId, Reply),
    Notice(Notice),
    /// A view begins here.
    Installed(Installed),
    /// The clock has stamped an event.
    Stamped(Arc<Event>),
    /// The ledger was told something and has executed these events of a view in force, or caught up
    /// so far.
    /// In a view, with the entries that it made.
    Executed(netbanking::ids::Ballot, Vec<ExecutedEvent>, Vec<PastEntry>),
    CaughtUp(Position, ChainHash),
    DiskFailed(StoreError),
    /// A customer is shown the ledger through this position.
    Read(Read, u64),
}

/// What a step needs of the world.
pub(crate) struct Scene<'a> {
    pub(crate) now_us: u64,
    pub(crate) random: &'a mut Random,
    pub(crate) trace: &'a mut Trace,
    pub(crate) said: &'a mut Vec<Said>,
}

/// What a process is created with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) me: BankId,
    pub(crate) banks: usize,
    /// Which of the bank's processes it is.
    pub(crate) life: u64,
    pub(crate) patience: Patience,
    pub(crate) started_us: u64,
    /// How many of its microseconds pass in a million of the world's.
    pub(crate) rate_ppm: u64,
    /// Longest that its disk usually needs for a commit.
    pub(crate) fsync_max_us: u64,
    /// When it makes snapshots.
    pub(crate) snapshots: Snapshots,
    /// How many positions' keys are sealed together.
    pub(crate) span: u64,
    pub(crate) ping_every_ms: u64,
    /// From how many members on acknowledgements are gathered.
    pub(crate) gather_from: usize,
    /// Whether banks sign their events.
    pub(crate) signs: bool,
}

impl Settings {
    /// The settings as they would stand in `nodes.json`: what banks compare when they meet.
    fn written(&self) -> netbanking::config::Settings {
        let Patience { failure_after, rejoin_after, slow_after } = self.patience;
        let nodes: Vec<_> =
            (0..self.banks).map(|bank| format!(r#"{{"host":"bank{bank}"}}"#)).collect();
        let text = format!(
            r#"{{"nodes":[{}],"heartbeat":{{"interval_ms":{},"failure_after_ms":{failure_after},"rejoin_after_ms":{rejoin_after},"slow_after_ms":{slow_after}}}}}"#,
            nodes.join(","),
            self.ping_every_ms
        );
        netbanking::config::Settings::of(&Config::parse(&text).expect("settings of a consortium"))
    }
}

pub(crate) struct Process {
    pub(crate) settings: Settings,
    clock: Clock,
    buffer: OrderedBuffer,
    journal: GroupCommit,
    /// Where sealed keys are kept,
    shelf: Disk,
    /// and those that are not there yet.
    sealed: Vec<Run>,
    /// A copy of the ledger that waits until what it names is on disk, and for how many ticks more.
    copy: Option<(Effect, u64)>,
    reader: Box<dyn JournalReader>,
    executor: Executor,
    checks: Checks,
    view: View,
    heartbeat: Heartbeat,
    pub(crate) confirmation: Confirmation,
    /// Reads that wait for their proof, with the position that had been answered when they began.
    pub(crate) reads: BTreeMap<ReadNumber, u64>,
    consortium_time: ConsortiumTime,
    outboxes: Vec<Option<Outbox>>,
    /// The connections that peers have opened, and how many frames came on each.
    incoming: BTreeMap<(BankId, LineId), u64>,
    /// Queues that are not empty.
    queues: Vec<(Part, Part, VecDeque<Post>)>,
    /// How often a kind of part gets its turn, compared with others.
    weights: [u64; PARTS],
    stalled_until_us: [u64; PARTS],
    /// The shortest and the longest time that its disk needs for a commit.
    fsync_us: (u64, u64),
    /// What it says about itself to every bank that it meets.
    hello: Arc<netbanking::config::Settings>,
    /// Per peer, the process that has introduced itself to this one.
    introduced: Vec<Option<u64>>,
    flush_is_queued: bool,
    pump_is_queued: Vec<bool>,
    /// Whether a snapshot has taken the place of events.
    was_restored: bool,
    out: Vec<Effect>,
}

impl Process {
    /// Starts on what the disk holds.
    pub(crate) fn start(
        settings: Settings,
        mut disk: Disk,
        random: &mut Random,
    ) -> Result<Self, StoreError> {
        let Settings { me, banks, patience, .. } = settings;
        let (blank, shelf) = (Book::sealing(banks, settings.span), disk.clone());
        let (book, on_disk) = rebuild_on(&mut disk, &blank, &shelf)?;
        let journal = GroupCommit::new(Box::new(disk), blank)
            .with_snapshots(settings.snapshots, book.position())?
            .with_shelf(Arc::new(shelf.clone()));
        let executed = on_disk.state.executed.clone();
        let mut weights = [8; PARTS];
        weights.iter_mut().for_each(|weight| *weight = random.pick(&[1, 8, 8, 64]));
        Ok(Process {
            settings,
            clock: Clock::new(me, banks)
                .with_signer(settings.signs.then(|| Box::new(Key(me)) as Box<dyn Signer>)),
            buffer: OrderedBuffer::new(me, banks)
                .gathering_from(settings.gather_from)
                .with_signatures(settings.signs),
            reader: journal.reader()?,
            journal,
            shelf,
            sealed: Vec::new(),
            copy: None,
            executor: Executor::new(me, banks, book, executed),
            checks: Checks::new(me, banks),
            view: View::new(me, banks, on_disk).with_signatures(settings.signs),
            heartbeat: Heartbeat::new(me, banks, patience),
            confirmation: Confirmation::new(me, banks),
            reads: BTreeMap::new(),
            consortium_time: ConsortiumTime::new(me, banks),
            outboxes: BankId::all(banks)
                .map(|peer| (peer != me).then(|| Outbox::new(me, peer)))
                .collect(),
            incoming: BTreeMap::new(),
            queues: Vec::new(),
            weights,
            stalled_until_us: [0; PARTS],
            fsync_us: (0, settings.fsync_max_us - 1),
            hello: Arc::new(settings.written()),
            introduced: vec![None; banks],
            flush_is_queued: false,
            pump_is_queued: vec![false; banks],
            was_restored: false,
            out: Vec::new(),
        })
    }

    /// Milliseconds since the start, as the process counts them.
    pub(crate) fn now_ms(&self, now_us: u64) -> Millis {
        (now_us - self.settings.started_us) * self.settings.rate_ppm / 1_000_000 / 1_000
    }

    /// The time in the world at which the process counts this time.
    pub(crate) fn world_us(&self, at_ms: Millis) -> u64 {
        self.settings.started_us + (at_ms * 1_000 * 1_000_000).div_ceil(self.settings.rate_ppm)
    }

    pub(crate) fn executor_in_force(&self) -> Option<netbanking::ids::Ballot> {
        self.executor.in_force()
    }

    pub(crate) fn book(&self) -> &Book {
        self.executor.book()
    }

    pub(crate) fn clocks(&self) -> Vec<ClockState> {
        self.consortium_time.states()
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    pub(crate) fn was_restored(&self) -> bool {
        self.was_restored
    }

    pub(crate) fn stall(&mut self, part: Part, until_us: u64) {
        self.stalled_until_us[part.kind()] = until_us;
    }

    pub(crate) fn stop_stalling(&mut self) {
        self.stalled_until_us = [0; PARTS];
    }

    /// Sets how long its disk needs from now on.
    pub(crate) fn set_fsync_us(&mut self, least_and_most_us: (u64, u64)) {
        self.fsync_us = least_and_most_us;
    }

    /// Until when a part stands still, if it does.
    fn stalled(&self, part: Part, now_us: u64) -> Option<u64> {
        Some(self.stalled_until_us[part.kind()]).filter(|until_us| *until_us > now_us)
    }

    /// When the process can do its next step, if it has any to do.
    pub(crate) fn next_work_us(&self, now_us: u64) -> Option<u64> {
        self.queues.iter().map(|(_, to, _)| self.stalled(*to, now_us).unwrap_or(now_us)).min()
    }

    pub(crate) fn put(&mut self, from: Part, to: Part, post: Post) {
        match self
            .queues
            .iter_mut()
            .find(|(known_from, known_to, _)| (*known_from, *known_to) == (from, to))
        {
            Some((_, _, queue)) => queue.push_back(post),
            None => self.queues.push((from, to, VecDeque::from([post]))),
        }
    }

    fn post(&mut self, from: Part, effect: Effect, said: &mut Vec<Said>) {
        let to = match &effect {
            Effect::Clock(input) => {
                if let ClockInput::Install(installed) = input {
                    said.push(Said::Installed(installed.clone()));
                }
                Part::Clock
            }
            Effect::Buffer(input) => {
                if let BufferInput::Own(event) = input {
                    said.push(Said::Stamped(Arc::clone(event)));
                }
                Part::Buffer
            }
            Effect::Journal(_) => Part::Journal,
            Effect::Ledger(_) => Part::Ledger,
            Effect::Checks(_) => Part::Checks,
            Effect::View(_) => Part::View,
            Effect::Heartbeat(_) => Part::Heartbeat,
            Effect::Peer(bank, input) => {
                if let PeerInput::View(message) = input {
                    said.push(Said::OfViews(message.clone()));
                }
                Part::Link(*bank)
            }
            Effect::Reply(id, reply) => return said.push(Said::Reply(id.clone(), reply.clone())),
            Effect::Notice(notice) => return said.push(Said::Notice(notice.clone())),
        };
        self.put(from, to, Post::Effect(effect));
    }

    fn post_all(&mut self, from: Part, said: &mut Vec<Said>) {
        let mut out = std::mem::take(&mut self.out);
        for effect in out.drain(..) {
            self.post(from, effect, said);
        }
        self.out = out;
    }

    /// One step of one part, chosen by chance.
    pub(crate) fn work(&mut self, scene: &mut Scene<'_>) {
        let now_us = scene.now_us;
        let weight =
            |to: Part| if self.stalled(to, now_us).is_some() { 0 } else { self.weights[to.kind()] };
        let all = self.queues.iter().map(|(_, to, _)| weight(*to)).sum();
        if all == 0 {
            return;
        }
        let mut ticket = scene.random.below(all);
        let chosen =
            self.queues.iter().position(|(_, to, _)| match ticket.checked_sub(weight(*to)) {
                Some(rest) => {
                    ticket = rest;
                    false
                }
                None => true,
            });
        let chosen = chosen.expect("a ticket is below the sum of all weights");
        let (from, to, queue) = &mut self.queues[chosen];
        let (from, to) = (*from, *to);
        let post = queue.pop_front().expect("only queues that hold something are kept");
        if queue.is_empty() {
            self.queues.swap_remove(chosen);
        }
        scene.trace.mix(from.code() << 8 | to.code());
        match post {
            Post::Effect(effect) => {
                scene.trace.line(now_us, Some(self.settings.me), || {
                    format!("{to:?} ◀ {from:?}: {}", brief(&effect))
                });
                self.handle(effect, scene);
            }
            Post::Flush => {
                self.flush_is_queued = false;
                self.flush(scene);
            }
            Post::LazyFlush => {
                self.release_copy();
                match self.journal.tick(&mut self.out) {
                    Ok(()) => self.flush(scene),
                    Err(error) => scene.said.push(Said::DiskFailed(error)),
                }
            }
            Post::OnDisk(effects) => self.out.extend(effects),
            Post::Look(read) => match read.answer(&mut *self.reader) {
                Ok(found) => self.out.push(found),
                Err(error) => scene.said.push(Said::DiskFailed(error)),
            },
            Post::Pump => self.pump(to, scene),
            Post::Frame(from, line, parcel) => self.frame(from, line, parcel, scene),
            Post::Probe(from, line, frames) => {
                scene.said.push(Said::OnLine(from, line, OnLine::Echo(frames)));
            }
            Post::AskMyself(through) => self.answer_myself(through),
            Post::Word(word) => self.confirm(word, now_us),
            Post::Read(read) => self.read_ledger(read, scene.said),
        }
        self.post_all(to, scene.said);
    }

    fn handle(&mut self, effect: Effect, scene: &mut Scene<'_>) {
        let now = self.now_ms(scene.now_us);
        match effect {
            Effect::Clock(input) => {
                self.clock.handle(input, now, &mut self.out);
                scene.said.extend(self.clock.wake_at().map(Said::WakeClock));
            }
            Effect::Buffer(input) => self.buffer.handle(input, &mut self.out),
            Effect::Journal(input) => self.gather(input),
            Effect::Ledger(input) => self.execute(input, scene.said),
            Effect::Checks(input) => self.checks.handle(input, &mut self.out),
            Effect::View(ViewInput::Message(from, message)) if self.is_unasked(from, &message) => {}
            Effect::View(input) => self.view.handle(input, &mut self.out),
            Effect::Heartbeat(input) => {
                self.consortium_time.handle(input.clone(), now, &mut self.out);
                self.heartbeat.handle(input, now, &mut self.out);
            }
            Effect::Peer(bank, PeerInput::View(message)) => {
                scene.said.push(Said::View(bank, message))
            }
            Effect::Peer(bank, input) => {
                self.outbox(bank).handle(input, now);
                self.queue_pump(bank);
            }
            Effect::Reply(..) | Effect::Notice(_) => {
                unreachable!("these leave the process at once")
            }
        }
    }

    fn execute(&mut self, input: LedgerInput, said: &mut Vec<Said>) {
        let of_view = match &input {
            LedgerInput::Execute { view, .. } | LedgerInput::Install { view, .. } => Some(*view),
            _ => None,
        };
        self.was_restored |= matches!(input, LedgerInput::Restore { .. });
        let begins = matches!(input, LedgerInput::Install { .. });
        let changes_book = !matches!(input, LedgerInput::Freeze(_) | LedgerInput::Snapshot);
        let executed = self.executor.handle(input, &mut self.out);
        let made = self.executor.take_fresh();
        if let Err(error) = self.keep_keys() {
            return said.push(Said::DiskFailed(error));
        }
        if !changes_book || (begins && executed.is_empty()) {
            return;
        }
        said.push(match of_view {
            Some(view) => Said::Executed(view, executed, made),
            None => Said::CaughtUp(self.book().position(), self.book().hash()),
        });
    }

    fn gather(&mut self, input: JournalInput) {
        self.journal.handle(input);
        if !self.journal.is_urgent() {
            self.look();
        }
        if self.journal.is_urgent() && !std::mem::replace(&mut self.flush_is_queued, true) {
            self.put(Part::Journal, Part::Journal, Post::Flush);
        }
    }

    fn look(&mut self) {
        for read in self.journal.take_reads() {
            self.put(Part::Journal, Part::Reader, Post::Look(read));
        }
    }

    /// The disk takes its time; until it has answered, the journal's thread stands still and nobody
    /// hears of anything.
    fn flush(&mut self, scene: &mut Scene<'_>) {
        let mut effects = Vec::new();
        if let Err(error) = self.journal.flush(&mut effects) {
            return scene.said.push(Said::DiskFailed(error));
        }
        self.look();
        if !effects.is_empty() {
            let took_us = scene.random.between(self.fsync_us.0, self.fsync_us.1);
            let until_us = scene.now_us + took_us;
            effects.push(Effect::Heartbeat(HeartbeatInput::Fsync(took_us / 1_000)));
            self.stall(Part::Journal, until_us.max(self.stalled_until_us[Part::Journal.kind()]));
            self.put(Part::Journal, Part::Journal, Post::OnDisk(effects));
        }
    }

    fn outbox(&mut self, peer: BankId) -> &mut Outbox {
        self.outboxes[peer.index()].as_mut().expect("effects name peers")
    }

    fn queue_pump(&mut self, peer: BankId) {
        if !std::mem::replace(&mut self.pump_is_queued[peer.index()], true) {
            self.put(Part::Link(peer), Part::Link(peer), Post::Pump);
        }
    }

    fn pump(&mut self, link: Part, scene: &mut Scene<'_>) {
        let Part::Link(to) = link else { unreachable!("only links pump") };
        self.pump_is_queued[to.index()] = false;
        let (now, life) = (self.now_ms(scene.now_us), self.settings.life);
        let outbox = self.outbox(to);
        while let Some(transmission) = outbox.next(now) {
            let (line, what) = match transmission {
                Transmission::Open(line) => (line, OnLine::Open),
                Transmission::Frame(line, parcel) => (line, OnLine::Frame(parcel)),
                Transmission::Probe { line, frames } => (line, OnLine::Probe(frames)),
                // The peer learns of it when the next connection is opened.
                Transmission::Close(_) => continue,
                Transmission::Single(..) => panic!("all banks know envelopes"),
            };
            scene.said.push(Said::OnLine(to, LineId { life, line }, what));
        }
        if let Some(at) = outbox.wake_at().filter(|at| *at > now) {
            scene.said.push(Said::Wake(to, at));
        }
        let reports: Vec<_> = outbox.reports().map(Effect::Heartbeat).collect();
        self.out.extend(reports);
    }

    /// Takes a frame as `actors/peer_link/incoming.rs` does. That one stops reading a connection
    /// when the peer opens another; here, frames of both may mix.
    fn frame(&mut self, from: BankId, line: LineId, parcel: Parcel, scene: &mut Scene<'_>) {
        let Some(frames) = self.incoming.get_mut(&(from, line)) else { return };
        *frames += 1;
        let frame = *frames;
        let view = parcel.envelope.view.expect("links speak in a view");
        let of_checks = parcel.for_checks(from);
        scene.trace.line(scene.now_us, Some(self.settings.me), || {
            let events: Vec<_> =
                parcel.envelope.events.iter().map(|event| event.timestamp.to_string()).collect();
            let clock = parcel.envelope.clock.as_ref().map(ToString::to_string).unwrap_or_default();
            format!(
                "Buffer ◀ bank {from}: envelope in {view}, events {}, durable {clock}",
                events.join(" ")
            )
        });
        let answer = self.buffer.receive(from, parcel.envelope, &mut self.out);
        if answer.taken {
            self.out.extend(of_checks.into_iter().flatten().map(Effect::Checks));
        }
        if !answer.taken || !answer.kept {
            let expected = answer.expected;
            scene.said.push(Said::OnLine(from, line, OnLine::NotTaken { frame, expected }));
        }
    }
}
