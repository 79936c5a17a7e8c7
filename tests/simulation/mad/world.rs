//! One run: a small world without any trouble but the mad bank.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Add;
use std::sync::Arc;

use netbanking::ids::{BankId, ChainHash, EventId, Position};
use netbanking::ledger::{
    Action, Document, PasswordHash, PersonName, Registration, Request, TypePerson, UserName,
};
use netbanking::protocol::effect::HeartbeatInput;
use netbanking::protocol::event::Event;
use netbanking::protocol::heartbeat::Patience;
use netbanking::protocol::notice::Notice;
use netbanking::protocol::order_key::OrderKey;
use netbanking::protocol::outbox::Delivery;
use netbanking::protocol::reply::Reply;
use netbanking::protocol::report::{Answered, PeerReport};
use netbanking::protocol::view::{PhaseName, ViewMessage};
use serde_json::Value;

use super::forgery::Forgery;
use crate::disk::Disk;
use crate::network::{LineId, OnLine};
use crate::node::{Process, Said, Scene, Settings};
use crate::random::Random;
use crate::trace::{Reader, Trace};

pub(super) const MS: u64 = 1_000;
const SECOND: u64 = 1_000 * MS;
/// How long a message is under way.
pub(super) const DELAY_US: u64 = MS;
/// When the mad bank begins to lie,
pub(super) const LIES_FROM_US: u64 = 2 * SECOND;
/// for how long at least and at most.
const LIES_FOR_US: (u64, u64) = (SECOND, 5 * SECOND);
/// How long operators take to look at the others' alarms afterwards.
const OPERATORS_AFTER_US: u64 = 5 * SECOND;
/// By when everything works again, after the operators have looked twice.
const WORKS_WITHIN_US: u64 = 120 * SECOND;
/// When the run begins, in Unix milliseconds.
const EPOCH_MS: i64 = 1_795_392_000_000;

/// What travels.
pub(super) enum Letter {
    View(Box<ViewMessage>),
    OnLine(LineId, OnLine),
    Pong(PeerReport, i64),
}

pub(super) enum Item {
    Work(BankId, u64),
    Tick(BankId, u64),
    LazyFlush(BankId, u64),
    Wake(BankId, u64, BankId),
    WakeClock(BankId, u64),
    Beat(BankId, u64),
    Arrival(BankId, BankId, Box<Letter>),
    Customer,
    /// The mad bank makes something up.
    Lie,
    Silence,
    Operators,
    OperatorsAgain,
    Judgement,
}

pub(super) struct Machine {
    disk: Disk,
    pub(super) process: Option<Process>,
    life: u64,
    works_at_us: Option<u64>,
}

/// What became of the mad bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Silent,
    Restarted,
    Wiped,
}

/// What happened, summed up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) lies: u64,
    /// Lies that were no message at all.
    pub(super) unreadable: u64,
    complaints: u64,
    restarted: u64,
    wiped: u64,
    answers: u64,
    /// Events in others' names that it was asked for, and gave.
    pub(super) forgeries: u64,
}

impl Add for Tally {
    type Output = Tally;

    fn add(self, other: Tally) -> Tally {
        Tally {
            lies: self.lies + other.lies,
            unreadable: self.unreadable + other.unreadable,
            complaints: self.complaints + other.complaints,
            restarted: self.restarted + other.restarted,
            wiped: self.wiped + other.wiped,
            answers: self.answers + other.answers,
            forgeries: self.forgeries + other.forgeries,
        }
    }
}

impl Tally {
    /// Whether at least a third of the lies could be read, some were noticed, and customers were
    /// answered.
    pub(super) fn proves_something(&self) -> bool {
        let forges = self.forgeries > 0;
        2 * self.lies > 3 * self.unreadable && self.complaints > 0 && self.answers > 0 && forges
    }
}

pub(super) struct World {
    pub(super) banks: usize,
    pub(super) mad: BankId,
    pub(super) end: End,
    settings: Settings,
    pub(super) machines: Vec<Machine>,
    agenda: BTreeMap<(u64, u64), Item>,
    numbers: u64,
    pub(super) now_us: u64,
    pub(super) lies: bool,
    pub(super) random: Random,
    trace: Trace,
    pub(super) views: Vec<Value>,
    pub(super) frames: Vec<Value>,
    pub(super) reports: Vec<Value>,
    /// The mad bank's connections, by peer.
    pub(super) lines: BTreeMap<BankId, LineId>,
    /// The last ballot for which it has stopped others.
    pub(super) ballot: Option<Value>,
    /// All events as they were first told. Two versions of one event make two copies of the ledger,
    /// and without signatures nobody can tell which is right: that lie is not told here.
    pub(super) told: BTreeMap<OrderKey, Arc<Event>>,
    /// The mad bank's events as it has them on its own disk.
    stamped: BTreeMap<OrderKey, Arc<Event>>,
    asked: u64,
    /// Who was asked for something, and not answered yet.
    open: BTreeMap<EventId, BankId>,
    /// Banks that have answered since everything is to work again.
    pub(super) served: BTreeSet<BankId>,
    pub(super) tally: Tally,
    pub(super) forgery: Forgery,
}

impl World {
    pub(super) fn new(seed: u64, reader: Reader) -> Self {
        let mut random = Random::new(seed);
        let forges = random.coin();
        let banks = random.pick(&[3, 4, 4, 5, 5, 6]);
        let patience = Patience {
            failure_after: 600,
            rejoin_after: random.pick(&[0, 200]),
            slow_after: 2_000,
        };
        let settings = Settings {
            me: BankId(0),
            banks,
            life: 0,
            patience,
            started_us: 0,
            rate_ppm: 1_000_000,
            fsync_max_us: 2 * MS,
            snapshots: netbanking::store::Snapshots {
                journal_max: random.pick(&[0, 20]),
                every: 0,
            },
            span: 5,
            ping_every_ms: 100,
            gather_from: random.pick(&[3, 5, 99]),
            signs: forges,
        };
        let machine =
            |_| Machine { disk: Disk::empty(), process: None, life: 0, works_at_us: None };
        World {
            banks,
            mad: BankId(random.below(banks as u64) as u16),
            end: random.pick(&[End::Silent, End::Restarted, End::Wiped]),
            settings,
            machines: (0..banks).map(machine).collect(),
            agenda: BTreeMap::new(),
            numbers: 0,
            now_us: 0,
            lies: false,
            random,
            trace: Trace::new(reader),
            views: Vec::new(),
            frames: Vec::new(),
            reports: Vec::new(),
            lines: BTreeMap::new(),
            ballot: None,
            told: BTreeMap::new(),
            stamped: BTreeMap::new(),
            asked: 0,
            open: BTreeMap::new(),
            served: BTreeSet::new(),
            tally: Tally::default(),
            forgery: Forgery::new(forges),
        }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.trace.lines().cloned().collect()
    }

    pub(super) fn run(&mut self) -> Tally {
        BankId::all(self.banks).for_each(|bank| self.start(bank));
        let (least, most) = LIES_FOR_US;
        let ends_us = LIES_FROM_US + self.random.between(least, most);
        self.put(10 * MS, Item::Customer);
        self.put(LIES_FROM_US, Item::Lie);
        self.put(ends_us, Item::Silence);
        self.put(ends_us + OPERATORS_AFTER_US, Item::Operators);
        self.put(ends_us + 4 * OPERATORS_AFTER_US, Item::OperatorsAgain);
        self.put(ends_us + 4 * OPERATORS_AFTER_US + SECOND, Item::Judgement);
        let by_us = ends_us + 4 * OPERATORS_AFTER_US + WORKS_WITHIN_US;
        loop {
            let ((at_us, _), item) = self.agenda.pop_first().expect("the end is on the agenda");
            self.now_us = at_us;
            if matches!(item, Item::Judgement) {
                if self.works() {
                    return self.tally;
                }
                assert!(at_us < by_us, "{}", self.what_is_wrong());
                self.put(SECOND, Item::Judgement);
            } else {
                self.happen(item);
            }
        }
    }

    pub(super) fn put(&mut self, after_us: u64, item: Item) {
        self.numbers += 1;
        self.agenda.insert((self.now_us + after_us, self.numbers), item);
    }

    fn start(&mut self, bank: BankId) {
        let now_us = self.now_us;
        let machine = &mut self.machines[bank.index()];
        machine.life += 1;
        let life = machine.life;
        let settings = Settings { me: bank, life, started_us: now_us, ..self.settings };
        let process = Process::start(settings, machine.disk.clone(), &mut self.random);
        machine.process = Some(process.expect("a disk that was told lies is whole all the same"));
        machine.works_at_us = None;
        self.put(0, Item::Tick(bank, life));
        self.put(0, Item::Beat(bank, life));
        self.put(500 * MS, Item::LazyFlush(bank, life));
    }

    fn stop(&mut self, bank: BankId) {
        self.machines[bank.index()].process = None;
        for other in BankId::all(self.banks).filter(|other| *other != bank) {
            if let Some(process) = &mut self.machines[other.index()].process {
                process.pulse(HeartbeatInput::Lost(bank));
            }
            self.plan_work(other);
        }
    }

    fn process(&mut self, bank: BankId, life: u64) -> Option<&mut Process> {
        let machine = &mut self.machines[bank.index()];
        machine.process.as_mut().filter(|_| machine.life == life)
    }

    fn happen(&mut self, item: Item) {
        let now_us = self.now_us;
        match item {
            Item::Work(bank, life) => self.work(bank, life),
            Item::Tick(bank, life) => {
                let wall_ms = EPOCH_MS + (now_us / MS) as i64;
                if let Some(process) = self.process(bank, life) {
                    process.tick(wall_ms, now_us);
                    self.put(100 * MS, Item::Tick(bank, life));
                    self.plan_work(bank);
                }
            }
            Item::LazyFlush(bank, life) => {
                if let Some(process) = self.process(bank, life) {
                    process.lazy_flush();
                    self.put(500 * MS, Item::LazyFlush(bank, life));
                    self.plan_work(bank);
                }
            }
            Item::Wake(bank, life, peer) => {
                self.process(bank, life).into_iter().for_each(|process| process.wake(peer));
                self.plan_work(bank);
            }
            Item::WakeClock(bank, life) => {
                self.process(bank, life).into_iter().for_each(Process::wake_clock);
                self.plan_work(bank);
            }
            Item::Beat(bank, life) => self.beat(bank, life),
            Item::Arrival(from, to, letter) => self.arrive(from, to, *letter),
            Item::Customer => self.ask(),
            Item::Lie => self.lie(),
            Item::Silence => self.silence(),
            Item::Operators => self.restart_the_diverged(false),
            Item::OperatorsAgain => {
                self.stop_a_fork();
                self.restart_the_diverged(true);
            }
            Item::Judgement => {}
        }
    }

    fn plan_work(&mut self, bank: BankId) {
        let now_us = self.now_us;
        let step_us = self.random.between(1, 50);
        let machine = &mut self.machines[bank.index()];
        let next_us = machine.process.as_ref().and_then(|process| process.next_work_us(now_us));
        let Some(next_us) = next_us else { return };
        let at_us = next_us.max(now_us) + step_us;
        if machine.works_at_us.is_none_or(|planned_us| planned_us > at_us) {
            machine.works_at_us = Some(at_us);
            let life = machine.life;
            self.put(at_us - now_us, Item::Work(bank, life));
        }
    }

    fn work(&mut self, bank: BankId, life: u64) {
        let now_us = self.now_us;
        let machine = &mut self.machines[bank.index()];
        let Some(process) = machine.process.as_mut().filter(|_| machine.life == life) else {
            return;
        };
        if machine.works_at_us.is_none_or(|planned_us| planned_us > now_us) {
            return;
        }
        machine.works_at_us = None;
        let mut said = Vec::new();
        let mut scene =
            Scene { now_us, random: &mut self.random, trace: &mut self.trace, said: &mut said };
        process.work(&mut scene);
        said.into_iter().for_each(|said| self.hear(bank, life, said));
        self.plan_work(bank);
    }

    fn hear(&mut self, bank: BankId, life: u64, said: Said) {
        match said {
            Said::View(to, message) => self.send(bank, to, Letter::View(Box::new(message))),
            Said::OnLine(to, line, what) => self.send(bank, to, Letter::OnLine(line, what)),
            Said::Wake(peer, at_ms) => self.wake_at(bank, life, at_ms, Some(peer)),
            Said::WakeClock(at_ms) => self.wake_at(bank, life, at_ms, None),
            Said::Reply(id, reply) => self.hear_reply(bank, &id, &reply),
            Said::Notice(notice) => {
                self.trace.line(self.now_us, Some(bank), || format!("! {notice}"));
                self.tally.complaints += u64::from(matches!(notice, Notice::Impossible { .. }));
            }
            Said::Stamped(event) => {
                self.forgery.stamped(&event);
                if bank == self.mad {
                    self.stamped.insert(event.order_key(), event);
                }
            }
            Said::DiskFailed(error) => panic!("bank {bank} ends: {error}"),
            Said::Executed(_, executed, _) => self.judge_senders(bank, &executed),
            Said::OfViews(_) | Said::Installed(_) | Said::CaughtUp(..) | Said::Read(..) => {}
        }
    }

    fn wake_at(&mut self, bank: BankId, life: u64, at_ms: u64, peer: Option<BankId>) {
        let Some(process) = self.process(bank, life) else { return };
        let at_us = process.world_us(at_ms).max(self.now_us);
        let item = match peer {
            Some(peer) => Item::Wake(bank, life, peer),
            None => Item::WakeClock(bank, life),
        };
        self.put(at_us - self.now_us, item);
    }

    fn hear_reply(&mut self, bank: BankId, id: &EventId, reply: &Reply) {
        let is_open = self.open.remove(id).is_some();
        if is_open && matches!(reply, Reply::Executed(_)) {
            self.tally.answers += 1;
            self.served.insert(bank);
        }
    }

    /// A customer of some bank registers.
    fn ask(&mut self) {
        let pause_us = self.random.between(5 * MS, 80 * MS);
        self.put(pause_us, Item::Customer);
        self.asked += 1;
        let bank = BankId(self.random.below(self.banks as u64) as u16);
        let Some(process) = &mut self.machines[bank.index()].process else { return };
        let number = self.asked;
        let cpf = format!("{:03}.{:03}.000-00", number / 1_000, number % 1_000);
        let registration = Registration {
            name: PersonName::parse("Ana Lima").expect("a name"),
            num_cadastro: Document::parse(TypePerson::Pf, &cpf, false).expect("a CPF"),
            user_name: UserName::parse(&format!("customer{number}")).expect("a user name"),
            password_hash: PasswordHash::parse("$argon2id$x").expect("a hash"),
            distinct: false,
        };
        let id = EventId::new(bank, &number.to_string());
        let action = Action::Register(registration);
        let (at_ms, key, by) = Default::default();
        process.submit(
            Request {
                id: id.clone(),
                at_ms,
                key,
                by,
                own: false,
                offset_s: None,
                confirmed: false,
                action,
            }
            .to_raw(),
        );
        self.open.insert(id, bank);
        self.plan_work(bank);
    }

    /// Each bank asks all others for a sign of life.
    fn beat(&mut self, bank: BankId, life: u64) {
        if self.process(bank, life).is_none() {
            return;
        }
        for peer in BankId::all(self.banks).filter(|peer| *peer != bank) {
            match &self.machines[peer.index()].process {
                Some(process) => {
                    let report = process.report(self.now_us);
                    let wall_ms = EPOCH_MS + (self.now_us / MS) as i64;
                    self.send(peer, bank, Letter::Pong(report, wall_ms));
                }
                None => {
                    let lost = HeartbeatInput::Lost(peer);
                    self.process(bank, life).into_iter().for_each(|it| it.pulse(lost.clone()));
                }
            }
        }
        self.put(100 * MS, Item::Beat(bank, life));
        self.plan_work(bank);
    }

    /// Something is said; what the mad bank says may be changed on its way.
    fn send(&mut self, from: BankId, to: BankId, letter: Letter) {
        let letter = if from == self.mad { self.with_forgeries(letter) } else { letter };
        self.remember(from, &letter);
        if from == self.mad
            && let Letter::OnLine(line, OnLine::Open) = letter
        {
            self.lines.insert(to, line);
        }
        if self.lies && from == self.mad && self.random.per_mille(300) {
            let changed = self.changed(&letter);
            if self.random.coin() {
                self.put(DELAY_US, Item::Arrival(from, to, Box::new(letter)));
            }
            return changed.into_iter().for_each(|letter| {
                self.put(DELAY_US, Item::Arrival(from, to, Box::new(letter)));
            });
        }
        self.put(DELAY_US, Item::Arrival(from, to, Box::new(letter)));
    }

    fn arrive(&mut self, from: BankId, to: BankId, letter: Letter) {
        let now_us = self.now_us;
        let Some(letter) = self.without_two_versions(from, letter) else { return };
        if let Letter::OnLine(line, what) = letter {
            self.on_line(from, to, line, what);
            return self.plan_work(to);
        }
        self.give_forgeries(from, to, &letter);
        let Some(process) = &mut self.machines[to.index()].process else { return };
        match letter {
            Letter::View(message) => {
                self.trace.line(now_us, Some(to), || format!("hears bank {from}: {message:?}"));
                process.view_message(from, *message);
                if let Some(asker) = &mut self.machines[from.index()].process {
                    asker.fared(to, true, 1);
                }
                self.plan_work(from);
            }
            Letter::Pong(report, wall_ms) => {
                let at = process.now_ms(now_us);
                let answered = Answered { round_trip: 2, wall_ms, at };
                process.pulse(HeartbeatInput::Heard(from, report, answered));
            }
            Letter::OnLine(..) => {}
        }
        self.plan_work(to);
    }

    fn on_line(&mut self, from: BankId, to: BankId, line: LineId, what: OnLine) {
        let now_us = self.now_us;
        let machine = &mut self.machines[to.index()];
        let number = line.line;
        let delivery = match what {
            OnLine::Open | OnLine::Frame(_) | OnLine::Probe(_) => {
                let is_open = matches!(what, OnLine::Open);
                let process = machine.process.as_mut();
                let is_known = process.is_some_and(|process| process.on_line(from, line, what));
                let back = if is_known { OnLine::Opened } else { OnLine::Reset };
                if is_open || !is_known {
                    self.send(to, from, Letter::OnLine(line, back));
                }
                return;
            }
            OnLine::Opened => Delivery::Opened(number),
            OnLine::Echo(frames) => Delivery::Confirmed { line: number, frames },
            OnLine::NotTaken { frame, expected } => {
                Delivery::NotTaken { line: number, frame, expected }
            }
            OnLine::Reset => Delivery::Ended(number),
        };
        if machine.life == line.life
            && let Some(process) = &mut machine.process
        {
            process.delivered(from, delivery, now_us);
        }
    }

    /// The mad bank falls silent, or is started again.
    fn silence(&mut self) {
        let mad = self.mad;
        self.lies = false;
        self.trace.line(self.now_us, None, || format!("bank {mad} stops lying: {:?}", self.end));
        self.stop(mad);
        // What it wrote itself and told otherwise is a second version: with that, nobody lets it
        // return.
        let is_other = |(key, event): (&OrderKey, &Arc<Event>)| {
            self.told.get(key).is_some_and(|told| told.wire().get() != event.wire().get())
        };
        if self.end == End::Restarted && self.stamped.iter().any(is_other) {
            self.end = End::Wiped;
        }
        if self.end == End::Wiped {
            self.machines[mad.index()].disk = Disk::empty();
        }
        if self.end != End::Silent {
            self.start(mad);
        }
    }

    /// A bank whose copy differs, or that believed so, says so and does nothing until somebody
    /// starts it again. If it still differs then, its disk holds what it was told: it begins anew.
    fn restart_the_diverged(&mut self, wipes: bool) {
        for bank in BankId::all(self.banks) {
            let process = self.machines[bank.index()].process.as_ref();
            if process.is_none_or(|process| process.view().phase() != PhaseName::Diverged) {
                continue;
            }
            self.trace.line(self.now_us, Some(bank), || format!("is started again: {wipes}"));
            self.stop(bank);
            if wipes {
                self.machines[bank.index()].disk = Disk::empty();
                self.tally.wiped += 1;
            } else {
                self.tally.restarted += 1;
            }
            self.start(bank);
        }
        self.served.clear();
    }

    /// The mad bank may have written something else than it told the others. Where it is started
    /// again and its copy differs from theirs, it is stopped.
    fn stop_a_fork(&mut self) {
        let hash = |bank: BankId| {
            let process = self.machines[bank.index()].process.as_ref()?;
            Some((process.book().position(), process.book().hash()))
        };
        let Some((position, own)) = hash(self.mad) else { return };
        let differs = |it: (Position, ChainHash)| it.0 == position && it.1 != own;
        if self.others().filter_map(hash).any(differs) {
            self.stop(self.mad);
        }
    }

    pub(super) fn others(&self) -> impl Iterator<Item = BankId> + '_ {
        BankId::all(self.banks).filter(|bank| *bank != self.mad)
    }
}
