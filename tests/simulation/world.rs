//! One run: banks on machines with disks, a network between them, customers, faults, a judge, and
//! virtual time.
//!
//! In the first phase everything may break. The second is [`super::mending`].

mod lives;

use std::collections::BTreeMap;

use netbanking::ids::{BankId, BankSet, EventId};
use netbanking::ledger::PixKey;
use netbanking::protocol::line::ANSWER_WITHIN_MS;
use netbanking::protocol::notice::Notice;
use netbanking::protocol::outbox::Delivery;
use netbanking::protocol::possible::Impossible;
use netbanking::protocol::reply::Reply;
use netbanking::protocol::view::{Bulk, ViewMessage};
use netbanking::store::{Change, Store, StoreError};

use super::agenda::{Agenda, Item, Life, Timer};
use super::customers::{Attempt, Customer, nobody};
use super::disk::{Disk, NextWrite};
use super::faults::Kind;
use super::gray::Lasting;
use super::invariants::Judge;
use super::mending::Mending;
use super::network::{LineId, Message, Network, OnLine};
use super::node::{Process, Said, Scene, Settings};
use super::ordeal::Ordeal;
use super::plans::Plans;
use super::pulse::Conversation;
use super::random::Random;
use super::scenario::Scenario;
use super::tally::Tally;
use super::trace::{Reader, Trace, brief_message};

const MS: u64 = 1_000;
/// How long a large answer may take: this long, plus a millisecond for a given number of bytes; as
/// in `actors/peer_link.rs`.
const BULK_WITHIN_MS: u64 = 5_000;
const BULK_BYTES_PER_MS: u64 = 2;
/// How often a process looks at the time; as in the actors.
const TICK_MS: u64 = 100;
/// How often marks of execution are written although nobody waits for them; as in
/// `actors/journal.rs`.
const LAZY_COMMIT_MS: u64 = 500;
/// When every run begins, in Unix milliseconds.
pub(crate) const EPOCH_MS: i64 = 1_795_392_000_000;
/// After what time a bank that could not start is started again.
const RETRY_US: u64 = 500 * MS;

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// Its machine closes its connections.
    Killed,
    /// Nobody is told.
    PowerLost,
}

/// Where a bank runs.
pub(crate) struct Machine {
    pub(crate) disk: Disk,
    pub(crate) process: Option<Process>,
    /// Number of the process that runs, or ran last.
    pub(crate) life: u64,
    pub(crate) paused_until_us: u64,
    /// When the process does its next step.
    work_at_us: Option<u64>,
    rate_ppm: u64,
    /// How far its wall clock is from the truth as long as it counts as right, in milliseconds;
    calendar_offset_ms: i64,
    /// what comes on top while it is wrong,
    pub(crate) wrong_ms: i64,
    /// and whether it ever was.
    pub(crate) was_wrong: bool,
    /// Messages about views that wait to be taken: to whom, and since when.
    open_views: BTreeMap<u64, (BankId, u64)>,
    /// Per peer, the large answer under way, and the one to send next; as in `actors/peer_link.rs`.
    bulk: Vec<Option<(Bulk, u64)>>,
    questions: u64,
    pub(crate) conversations: Vec<Conversation>,
}

pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) random: Random,
    agenda: Agenda,
    pub(crate) now_us: u64,
    pub(crate) network: Network,
    pub(crate) machines: Vec<Machine>,
    pub(crate) customers: Vec<Customer>,
    /// Requests that banks have taken.
    pub(crate) attempts: BTreeMap<EventId, Attempt>,
    /// Keys that customers know of.
    pub(crate) directory: Vec<PixKey>,
    pub(crate) plans: Plans,
    /// Banks that customers ask.
    pub(crate) open_banks: Vec<BankId>,
    pub(crate) judge: Judge,
    pub(crate) trace: Trace,
    pub(crate) tally: Tally,
    pub(crate) mending: Mending,
    /// Banks that take part in the second phase.
    pub(crate) healed: BankSet,
    pub(crate) lasting: Lasting,
    /// While the third phase lasts.
    pub(crate) ordeal: Option<Ordeal>,
    pub(crate) stopped_looks: u32,
    /// When a view last began at a bank.
    pub(crate) installed_us: u64,
    said: Vec<Said>,
}

/// What came of a run.
pub(crate) struct Finished {
    pub(crate) tally: Tally,
    pub(crate) hash: u64,
}

/// Runs a seed. A violation is a panic.
pub(crate) fn run(world: &mut World) -> Finished {
    world.begin();
    while !matches!(world.mending, Mending::Done) {
        let (at_us, item) = world.agenda.next().expect("the end is on the agenda");
        world.now_us = at_us;
        world.happen(item);
    }
    world.tally.finish(world.now_us, &world.network, &world.judge);
    Finished { tally: world.tally.clone(), hash: world.trace.hash() }
}

impl World {
    pub(crate) fn new(seed: u64, banks: Option<usize>, reader: Reader) -> Self {
        let mut random = Random::new(seed);
        let scenario = Scenario::draw(banks, &mut random);
        let banks = scenario.banks;
        let network = Network::new(banks, &mut random);
        let machine = |random: &mut Random| Machine {
            disk: Disk::empty(),
            process: None,
            life: 0,
            paused_until_us: 0,
            work_at_us: None,
            rate_ppm: random.between(990_000, 1_010_000),
            calendar_offset_ms: random.below(400) as i64 - 200,
            wrong_ms: 0,
            was_wrong: false,
            open_views: BTreeMap::new(),
            bulk: vec![None; banks],
            questions: 0,
            conversations: vec![Conversation::default(); banks],
        };
        let mut trace = Trace::new(reader);
        trace.line(0, None, || format!("{scenario:?}, {network:?}"));
        World {
            network,
            machines: (0..banks).map(|_| machine(&mut random)).collect(),
            customers: (0..scenario.customers).map(Customer::new).collect(),
            attempts: BTreeMap::new(),
            directory: vec![nobody()],
            plans: Plans::of(seed),
            open_banks: BankId::all(banks).collect(),
            judge: Judge::new(banks, !scenario.clocks_of_many),
            trace,
            tally: Tally::default(),
            mending: Mending::NotYet,
            healed: BankSet::all(banks),
            lasting: Lasting::Nothing,
            ordeal: None,
            stopped_looks: 0,
            installed_us: 0,
            said: Vec::new(),
            agenda: Agenda::default(),
            now_us: 0,
            scenario,
            random,
        }
    }

    fn begin(&mut self) {
        for bank in BankId::all(self.scenario.banks) {
            let after_us = self.random.skewed(MS, 1_000 * MS);
            self.put_in(after_us, Item::Restart(Life { bank, number: 0 }));
        }
        for customer in 0..self.customers.len() {
            self.customer_soon(customer, 200 * MS);
        }
        self.read_soon();
        // In some seeds things already break while the first view forms.
        let first_us = self.random.skewed(50 * MS, 4_000 * MS);
        self.put_in(first_us, Item::Fault);
        self.put_in(self.scenario.chaos_us, Item::Mend);
    }

    pub(crate) fn put_in(&mut self, after_us: u64, item: Item) {
        self.agenda.put(self.now_us + after_us, item);
    }

    fn happen(&mut self, item: Item) {
        if let Some(bank) = self.sleeper(&item) {
            let until_us = self.machines[bank.index()].paused_until_us;
            return self.agenda.put(until_us, item);
        }
        self.trace.mix(self.now_us);
        match item {
            Item::Work(life) => self.work(life),
            Item::Timer(life, timer) => self.timer(life, timer),
            Item::Arrival { from, to, message } => self.arrive(from, to, *message),
            Item::Submit { bank, customer, attempt, wish } => {
                self.submit(bank, customer, attempt, *wish)
            }
            Item::Read { bank } => self.read(bank),
            Item::Customer { customer, turn } => self.customer_acts(customer, turn),
            Item::Fault => self.fault(),
            Item::Heal(healing) => self.heal(healing),
            Item::Restart(life) => self.restart(life),
            Item::Limp(bank) => self.limp(bank),
            Item::Mend => self.mend(),
            Item::Look => self.look(),
        }
    }

    /// A paused process does nothing; what comes for it waits.
    fn sleeper(&self, item: &Item) -> Option<BankId> {
        item.happens_to().filter(|bank| self.machines[bank.index()].paused_until_us > self.now_us)
    }

    /// A pause ends earlier than planned: what has waited for its end comes now.
    pub(crate) fn wake(&mut self, bank: BankId) {
        let until_us =
            std::mem::replace(&mut self.machines[bank.index()].paused_until_us, self.now_us);
        if until_us > self.now_us {
            self.agenda.move_all(until_us, self.now_us, |item| item.happens_to() == Some(bank));
        }
    }

    /// What time it is, in Unix milliseconds.
    fn now_ms(&self) -> i64 {
        EPOCH_MS + (self.now_us / MS) as i64
    }

    /// What a bank's wall clock says, in Unix milliseconds.
    pub(crate) fn wall_ms(&self, bank: BankId) -> i64 {
        let machine = &self.machines[bank.index()];
        self.now_ms().saturating_add(machine.calendar_offset_ms).saturating_add(machine.wrong_ms)
    }

    pub(crate) fn is_running(&self, life: Life) -> bool {
        let machine = &self.machines[life.bank.index()];
        machine.life == life.number && machine.process.is_some()
    }

    pub(crate) fn life_of(&self, bank: BankId) -> Life {
        Life { bank, number: self.machines[bank.index()].life }
    }

    /// Makes sure that a process that has something to do does it.
    pub(crate) fn plan_work(&mut self, bank: BankId) {
        let now_us = self.now_us;
        let step_us = self.random.between(1, self.scenario.step_max_us);
        let life = self.life_of(bank);
        let machine = &mut self.machines[bank.index()];
        let Some(next_us) =
            machine.process.as_ref().and_then(|process| process.next_work_us(now_us))
        else {
            return;
        };
        let at_us = next_us.max(now_us) + step_us;
        if machine.work_at_us.is_none_or(|planned_us| planned_us > at_us) {
            machine.work_at_us = Some(at_us);
            self.agenda.put(at_us, Item::Work(life));
        }
    }

    fn work(&mut self, life: Life) {
        // What was planned for an earlier time happened then, or was put off by a pause.
        let planned = self.machines[life.bank.index()].work_at_us;
        if !self.is_running(life) || planned.is_none_or(|planned_us| planned_us > self.now_us) {
            return;
        }
        let mut said = std::mem::take(&mut self.said);
        let machine = &mut self.machines[life.bank.index()];
        machine.work_at_us = None;
        let process = machine.process.as_mut().expect("just seen");
        let mut scene = Scene {
            now_us: self.now_us,
            random: &mut self.random,
            trace: &mut self.trace,
            said: &mut said,
        };
        process.work(&mut scene);
        for said in said.drain(..) {
            // A process that ends says nothing more.
            if self.is_running(life) {
                self.hear(life.bank, said);
            }
        }
        self.said = said;
        self.plan_work(life.bank);
    }

    fn hear(&mut self, bank: BankId, said: Said) {
        match said {
            Said::OfViews(message) => self.judge.said_of_views(bank, &message),
            Said::View(to, message) => self.hear_view(bank, to, message),
            Said::OnLine(to, line, what) => self.send_on_line(bank, to, line, what),
            Said::Wake(peer, at_ms) => self.timer_at(bank, at_ms, Timer::Wake(peer)),
            Said::WakeClock(at_ms) => self.timer_at(bank, at_ms, Timer::WakeClock),
            Said::Reply(id, reply) => self.hear_reply(bank, &id, &reply),
            Said::Notice(notice) => self.hear_notice(bank, &notice),
            Said::Installed(installed) => {
                self.tally.installed += 1;
                self.installed_us = self.now_us;
                self.judge.installed(bank, &installed);
            }
            Said::Stamped(event) => self.judge.stamped(&event, self.now_ms()),
            Said::Executed(view, executed, made) => {
                let disks: Vec<_> =
                    self.machines.iter().map(|machine| machine.disk.clone()).collect();
                let book = self.machines[bank.index()].process.as_ref().expect("it speaks").book();
                self.judge.executed(bank, view, (&executed, made), (book, self.now_ms()), &disks);
            }
            Said::Read(read, position) => self.hear_read(bank, read, position),
            Said::CaughtUp(position, hash) => self.judge.caught_up(bank, position, hash),
            Said::DiskFailed(error) => {
                self.trace.line(self.now_us, Some(bank), || format!("ends: {error}"));
                self.die(bank, Death::Killed);
            }
        }
    }

    fn hear_reply(&mut self, bank: BankId, id: &EventId, reply: &Reply) {
        self.trace.line(self.now_us, Some(bank), || format!("answers {id}: {reply:?}"));
        self.reply(bank, id, reply);
    }

    fn hear_notice(&mut self, bank: BankId, notice: &Notice) {
        self.trace.line(self.now_us, Some(bank), || format!("! {notice}"));
        // Every bank here is honest, and no disk forgets without being noticed.
        let blames = matches!(
            notice,
            Notice::Diverged(..)
                | Notice::PeerDiverged(..)
                | Notice::BrokenOrder(_)
                | Notice::OtherAuthority(_)
                | Notice::Forgotten(_)
                | Notice::Impossible { what: Impossible::Signature, .. }
        );
        assert!(!blames, "bank {bank} raises the alarm: {notice}");
        self.judge_clock_notice(bank, notice);
        self.judge_blame(bank, notice);
    }

    /// A bank that is named has a wrong clock, or had one when it was last heard.
    fn judge_clock_notice(&mut self, bank: BankId, notice: &Notice) {
        let was_wrong = |bank: BankId| self.machines[bank.index()].was_wrong;
        let is_fair = match notice {
            Notice::ClockOff { bank, .. } => was_wrong(*bank),
            Notice::ClocksDiffer { ahead, behind, .. } => was_wrong(*ahead) || was_wrong(*behind),
            Notice::FromTheFuture { .. } => false,
            _ => true,
        };
        assert!(is_fair || self.scenario.clocks_of_many, "bank {bank} raises the alarm: {notice}");
    }

    fn hear_view(&mut self, bank: BankId, to: BankId, message: ViewMessage) {
        self.speaks_of_views(bank, &message);
        let machine = &mut self.machines[bank.index()];
        machine.questions += 1;
        let (life, number) = (machine.life, machine.questions);
        let mut within_ms = ANSWER_WITHIN_MS;
        if let Some(bulk) = message.bulk() {
            if let Some((under_way, useless)) = machine.bulk[to.index()] {
                if under_way == bulk {
                    return;
                }
                machine.open_views.remove(&useless);
            }
            machine.bulk[to.index()] = Some((bulk, number));
            let bytes = serde_json::to_string(&message).expect("views speak JSON").len() as u64;
            within_ms = BULK_WITHIN_MS + bytes / BULK_BYTES_PER_MS;
        }
        machine.open_views.insert(number, (to, self.now_us));
        self.timer_in(bank, within_ms, Timer::ViewOverdue(number));
        self.send(bank, to, Message::View { message: Box::new(message), life, number });
        let chance = self.scenario.dies_in_view_change_per_mille;
        if !self.is_mended() && self.random.per_mille(chance) {
            self.struck(Kind::DeathInViewChange, bank);
            let how = if self.random.coin() { Death::Killed } else { Death::PowerLost };
            self.die(bank, how);
        }
    }

    pub(crate) fn send(&mut self, from: BankId, to: BankId, message: Message) {
        let delays = self.network.delays(from, to, &message, &mut self.random);
        let line_us = if delays[0].is_some() {
            self.network.line_us(from, to, &message, self.now_us)
        } else {
            0
        };
        for delay_us in delays.into_iter().flatten() {
            let message = Box::new(message.clone());
            self.put_in(delay_us + line_us, Item::Arrival { from, to, message });
        }
    }

    pub(crate) fn timer_in(&mut self, bank: BankId, after_ms: u64, timer: Timer) {
        let machine = &self.machines[bank.index()];
        let after_us = after_ms * 1_000 * 1_000_000 / machine.rate_ppm;
        let life = self.life_of(bank);
        self.put_in(after_us, Item::Timer(life, timer));
    }

    /// A timer at a time as the process counts it.
    fn timer_at(&mut self, bank: BankId, at_ms: u64, timer: Timer) {
        let process = self.machines[bank.index()].process.as_ref().expect("it speaks");
        let at_us = process.world_us(at_ms).max(self.now_us);
        let life = self.life_of(bank);
        self.agenda.put(at_us, Item::Timer(life, timer));
    }

    fn timer(&mut self, life: Life, timer: Timer) {
        if !self.is_running(life) {
            return;
        }
        let bank = life.bank;
        let (wall_ms, now_us) = (self.wall_ms(bank), self.now_us);
        let process = self.machines[bank.index()].process.as_mut().expect("just seen");
        match timer {
            Timer::Tick => {
                process.tick(wall_ms, now_us);
                self.timer_in(bank, TICK_MS, Timer::Tick);
            }
            Timer::LazyFlush => {
                process.lazy_flush();
                self.timer_in(bank, LAZY_COMMIT_MS, Timer::LazyFlush);
            }
            Timer::Wake(peer) => process.wake(peer),
            Timer::WakeClock => process.wake_clock(),
            Timer::Ping(peer, turn) => self.ping_in_turn(bank, peer, turn),
            Timer::PingOverdue(peer, number) => self.lost_touch(bank, peer, number),
            Timer::ViewOverdue(number) => self.view_taken(bank, number, false),
        }
        self.plan_work(bank);
    }

    fn view_taken(&mut self, bank: BankId, number: u64, arrived: bool) {
        let Some((peer, since_us)) = self.machines[bank.index()].open_views.remove(&number) else {
            return;
        };
        let machine = &mut self.machines[bank.index()];
        if machine.bulk[peer.index()].take_if(|(_, of)| *of == number).is_some() {
            return;
        }
        let waited = (self.now_us - since_us) / 1_000;
        if let Some(process) = &mut machine.process {
            process.fared(peer, arrived, waited);
        }
    }

    /// Something leaves on a connection.
    fn send_on_line(&mut self, from: BankId, to: BankId, line: LineId, what: OnLine) {
        let message = Message::OnLine(line, what);
        let at_us =
            self.network.arrival_us((from, to), line, &message, (self.now_us, &mut self.random));
        if let Some(at_us) = at_us {
            let message = Box::new(message);
            self.agenda.put(at_us, Item::Arrival { from, to, message });
        }
    }

    /// Something arrives on a connection.
    fn on_line(&mut self, from: BankId, to: BankId, line: LineId, what: OnLine) {
        let machine = &mut self.machines[to.index()];
        let now_us = self.now_us;
        let number = line.line;
        let delivery = match what {
            OnLine::Open | OnLine::Frame(_) | OnLine::Probe(_) => {
                let is_open = matches!(what, OnLine::Open);
                let process = machine.process.as_mut();
                let is_known = process.is_some_and(|process| process.on_line(from, line, what));
                if !is_known {
                    return self.send_on_line(to, from, line, OnLine::Reset);
                }
                if is_open {
                    self.send_on_line(to, from, line, OnLine::Opened);
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

    fn arrive(&mut self, from: BankId, to: BankId, message: Message) {
        self.trace.mix(message.code() << 32 | u64::from(from.0) << 16 | u64::from(to.0));
        let machine = &mut self.machines[to.index()];
        if let Message::OnLine(line, what) = message {
            self.on_line(from, to, line, what);
            return self.plan_work(to);
        }
        let Some(process) = &mut machine.process else { return self.refuse(from, to, message) };
        let is_asker = |life: u64| life == machine.life;
        match message {
            Message::View { message, life, number } => {
                self.trace.line(self.now_us, Some(to), || {
                    format!("hears bank {from}: {}", brief_message(&message))
                });
                process.view_message(from, *message);
                self.send(to, from, Message::ViewTaken { life, number });
            }
            Message::ViewTaken { life, number } if is_asker(life) => {
                self.view_taken(to, number, true)
            }
            Message::Ping { hello, life, number } => {
                if let Err(why) = process.welcome(from, hello, life) {
                    return self.turn_away(to, from, &why, (life, number));
                }
                let report = process.report(self.now_us);
                let wall_ms = self.wall_ms(to);
                self.send(to, from, Message::Pong { report, wall_ms, life, number });
            }
            Message::Pong { report, wall_ms, life, number } if is_asker(life) => {
                self.pong(to, from, number, (report, wall_ms));
            }
            Message::Refused { life, number } if is_asker(life) => {
                self.lost_touch(to, from, number)
            }
            Message::Closed => self.closed(to, from),
            _ => {}
        }
        self.plan_work(to);
    }

    /// No process listens: the machine says so, if the way back is open.
    fn refuse(&mut self, from: BankId, to: BankId, message: Message) {
        let refusal = match message {
            Message::Ping { life, number, .. } => Message::Refused { life, number },
            _ => return,
        };
        self.send(to, from, refusal);
    }
}
