//! Views of several banks in one process, with messages carried by hand.

mod gray;
mod left_behind;
mod overtaken;
mod restarted;
mod returning;
mod transcripts;

use std::collections::VecDeque;
use std::sync::Arc;

use super::*;
use crate::protocol::effect::{Executions, Installed, JournalEntry, LedgerInput};
use crate::protocol::event::{Event, Header, RawRequest, raw};
use crate::protocol::ids::{ChainHash, EventId};
use crate::protocol::vector_clock::VectorClock;

/// Banks with their views; the journal answers at once, and the ledger executes whatever it is given.
struct Consortium {
    banks: usize,
    views: Vec<View>,
    /// Whether a bank runs.
    alive: Vec<bool>,
    /// Pairs that do not hear each other.
    cut: Vec<(BankId, BankId)>,
    /// Directions in which heartbeats pass and messages do not.
    blocked: Vec<(BankId, BankId)>,
    /// Banks whose disk never comes to an end with a plan.
    stuck: Vec<BankId>,
    /// Banks that are heard, and for which all others are still returning.
    watching: Vec<BankId>,
    /// Pairs of which the first still watches the return of the second.
    returning: Vec<(BankId, BankId)>,
    /// Pairs of which the first finds the second too slow.
    slow: Vec<(BankId, BankId)>,
    /// What each bank's view was installed with.
    installed: Vec<Vec<Installed>>,
    /// Journal of each bank: executed events in order.
    journals: Vec<Vec<JournalEntry>>,
    /// Events that each bank holds beyond, while a view is in force.
    held: Vec<Vec<Held>>,
    /// Messages on their way: from, to, content.
    network: VecDeque<(BankId, BankId, ViewMessage)>,
    notices: Vec<String>,
    /// What was said and came of it, line by line.
    story: Vec<String>,
    /// Whether delivery was stopped after a message, and which.
    stopped_at: Option<ViewMessage>,
}

const SLOW: Cause = Cause::Slow { stage: crate::protocol::pace::Stage::Durable, lag: 700, percent: 21 };
const FIRST: Ballot = Ballot { round: 1, coordinator: BankId(0) };

fn event(view: Ballot, sender: u16, timestamp: [u64; 3]) -> Held {
    let id = EventId::new(BankId(sender), &format!("{timestamp:?}").replace([' ', '[', ']', ','], "_"));
    let request = RawRequest { id, type_msg: "X".into(), msg: raw(&1) };
    let event = Event::stamp(view, BankId(sender), timestamp.to_vec().into(), vec![request], Header::default());
    Held { event: Arc::new(event), members: BankSet::all(3) }
}

fn entry(held: Held, position: u64) -> JournalEntry {
    JournalEntry { held, position: Position(position), hash: ChainHash([u8::try_from(position).unwrap(); 32]) }
}

/// What a bank has on disk: executed events, and events held beyond.
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
    OnDisk { promised: prepared.ballot, prepared, state: state(3, executed, held), ..OnDisk::default() }
}

impl Consortium {
    fn start(disks: Vec<OnDisk>) -> Self {
        let banks = disks.len();
        let views = BankId::all(banks).zip(disks).map(|(me, disk)| View::new(me, banks, disk)).collect();
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
            installed: vec![Vec::new(); banks],
            journals: vec![Vec::new(); banks],
            held: vec![Vec::new(); banks],
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
            let mut out = Vec::new();
            let before = self.views[bank.index()].phase.clone();
            self.views[bank.index()].handle(input, &mut out);
            let phase = &self.views[bank.index()].phase;
            if *phase != before {
                self.story.push(format!("  bank {bank}: {before:?} → {phase:?}"));
            }
            inputs.extend(out.into_iter().filter_map(|effect| self.carry_out(bank, effect)));
        }
    }

    /// Does what disk, ledger and network would do; answers what comes back to the view.
    fn carry_out(&mut self, bank: BankId, effect: Effect) -> Option<ViewInput> {
        let index = bank.index();
        match effect {
            Effect::Peer(to, PeerInput::View(message)) => {
                self.network.push_back((bank, to, message));
                None
            }
            Effect::Journal(JournalInput::Promise(frozen)) => Some(ViewInput::Frozen(frozen)),
            Effect::Journal(JournalInput::Prepare { .. }) if self.stuck.contains(&bank) => None,
            Effect::Journal(JournalInput::Prepare { prepared, .. }) => Some(ViewInput::Prepared(prepared.ballot)),
            Effect::Journal(JournalInput::Read { to, after, .. }) => {
                let later = |entry: &&JournalEntry| entry.position > after;
                let entries = self.journals[index].iter().filter(later).take(2).cloned().collect();
                let before = self.journals[index].iter().find(|entry| entry.position == after).map(|entry| entry.hash);
                let hash_before = if after == Position(0) { Some(ChainHash::default()) } else { before };
                Some(ViewInput::JournalRead { to, after, entries, hash_before, starts_after: Position(0) })
            }
            Effect::Ledger(LedgerInput::Replay(entries)) => {
                self.journals[index].extend(entries);
                let Frozen { position, hash, executed, .. } = state(self.banks, &self.journals[index], Vec::new());
                Some(ViewInput::Replayed { position, hash, executed: executed.expect("pieces are not empty") })
            }
            Effect::Clock(ClockInput::Install(installed)) => {
                self.held[index] = Vec::new();
                for held in installed.flush.clone() {
                    let position = self.journals[index].len() as u64 + 1;
                    self.journals[index].push(entry(held, position));
                }
                let (PreparePlan { ballot, members, position, clock, .. }, flush) = (&installed.plan, &installed.flush);
                let flush: Vec<_> = flush.iter().map(|held| held.event.timestamp.to_string()).collect();
                self.story.push(format!(
                    "  bank {bank} begins view {ballot} of {members} from {position} and {clock}, and executes {}",
                    if flush.is_empty() { "nothing first".to_owned() } else { format!("{} first", flush.join(" ")) }
                ));
                self.installed[index].push(installed);
                None
            }
            Effect::Clock(ClockInput::Freeze(ballot)) => {
                let mut frozen = state(self.banks, &self.journals[index], self.held[index].clone());
                frozen.ballot = ballot;
                self.installed[index].last().into_iter().for_each(|last| frozen.clock.merge(&last.plan.clock));
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

    fn hears(&self, bank: BankId, peer: BankId) -> bool {
        let cut = self.cut.contains(&(bank, peer)) || self.cut.contains(&(peer, bank));
        self.alive[bank.index()] && self.alive[peer.index()] && !cut
    }

    fn heartbeat(&mut self) {
        for bank in BankId::all(self.banks).filter(|bank| self.alive[bank.index()]).collect::<Vec<_>>() {
            for peer in BankId::all(self.banks).filter(|peer| *peer != bank) {
                let heard = self.hears(bank, peer) && !self.watching.contains(&bank);
                let state = match heard {
                    true if self.slow.contains(&(bank, peer)) => PeerState::Down(SLOW),
                    true if self.returning.contains(&(bank, peer)) => PeerState::Returning,
                    true => PeerState::Up,
                    false => PeerState::Down(Cause::Lost),
                };
                let report = heard.then(|| self.views[peer.index()].report());
                self.give(bank, ViewInput::Peer { bank: peer, state, report });
            }
        }
    }

    fn run(&mut self, ticks: usize) {
        self.run_losing(ticks, |_, _| false);
    }

    /// Lets time pass, and messages arrive unless `lose` wants them lost. Who is dead or cut off gets none.
    fn run_losing(&mut self, ticks: usize, mut lose: impl FnMut(BankId, &ViewMessage) -> bool) {
        for _ in 0..ticks {
            self.begin_tick();
            self.deliver(&mut lose);
        }
    }

    fn begin_tick(&mut self) {
        self.heartbeat();
        for bank in BankId::all(self.banks).filter(|bank| self.alive[bank.index()]).collect::<Vec<_>>() {
            self.give(bank, ViewInput::Tick);
        }
    }

    fn deliver(&mut self, mut lose: impl FnMut(BankId, &ViewMessage) -> bool) {
        while let Some((from, to, message)) = self.network.pop_front() {
            let arrives = self.hears(from, to) && !self.blocked.contains(&(from, to)) && !lose(to, &message);
            self.tell(from, to, &message, arrives);
            if arrives {
                self.give(to, ViewInput::Message(from, message));
            }
        }
    }

    /// One tick, in which delivery stops when such a message has arrived.
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
        self.views[index] = View::new(BankId(bank), self.banks, blank(self.banks));
        self.alive[index] = true;
    }

    /// These banks hold an event of the view in force.
    fn hold(&mut self, sender: u16, timestamp: Vec<u64>, holders: &[u16]) {
        let (view, members) = self.views[usize::from(holders[0])].active().expect("events are stamped in a view");
        let id = EventId::new(BankId(sender), &timestamp[usize::from(sender)].to_string());
        let request = RawRequest { id, type_msg: "X".into(), msg: raw(&1) };
        let event = Event::stamp(view, BankId(sender), timestamp.into(), vec![request], Header::default());
        let held = Held { event: Arc::new(event), members };
        holders.iter().for_each(|bank| self.held[usize::from(*bank)].push(held.clone()));
    }

    /// A killed bank comes back with its disk.
    fn restart(&mut self, bank: u16) {
        let index = usize::from(bank);
        let view = &self.views[index];
        let (promised, prepared) = (view.promised, view.plan.clone());
        let prepared = if prepared.ballot == view.prepared { prepared } else { PreparePlan::default() };
        let clock = prepared.clock.clone();
        let mut disk = OnDisk { promised, prepared, ..OnDisk::default() };
        disk.state = state(self.banks, &self.journals[index], self.held[index].clone());
        disk.state.clock.merge(&clock);
        self.views[index] = View::new(BankId(bank), self.banks, disk);
        self.alive[index] = true;
    }

    fn assert_in_force(&self, members: &[u16]) -> Installed {
        let set: BankSet = members.iter().map(|bank| BankId(*bank)).collect();
        let latest = |bank: BankId| self.installed[bank.index()].last().expect("a view is in force");
        let first = latest(set.first().expect("members"));
        for bank in set.iter() {
            let view = &self.views[bank.index()];
            assert!(view.is_ready(), "bank {bank} is {:?}, reaches {:?}", view.phase, view.reach);
            let installed = latest(bank);
            assert_eq!(installed.plan, first.plan);
            assert_eq!(keys(&installed.flush), keys(&first.flush));
        }
        assert_eq!(first.plan.members, set);
        first.clone()
    }
}

fn blank(banks: usize) -> OnDisk {
    OnDisk { state: Frozen { clock: VectorClock::zero(banks), ..Frozen::default() }, ..OnDisk::default() }
}

fn keys(held: &[Held]) -> Vec<OrderKey> {
    held.iter().map(|held| held.event.order_key()).collect()
}

#[test]
fn a_first_start_forms_a_view_from_nothing_once_all_banks_answer() {
    let mut consortium = Consortium::empty(3);
    consortium.kill(2);
    consortium.run(100);
    assert!(consortium.installed.iter().all(Vec::is_empty), "nobody acts before all are there");
    consortium.alive[2] = true;
    consortium.run(15);
    assert_eq!(consortium.assert_in_force(&[0, 1, 2]).plan.clock, VectorClock::zero(3));
}

#[test]
fn one_bank_alone_and_fourteen_together_form_a_view() {
    for banks in [1_u16, 2, 14] {
        let mut consortium = Consortium::empty(usize::from(banks));
        consortium.run(10);
        consortium.assert_in_force(&(0..banks).collect::<Vec<_>>());
    }
}

#[test]
fn a_view_that_stands_is_left_alone() {
    let mut consortium = Consortium::in_force();
    consortium.run(200);
    consortium.assert_in_force(&[0, 1, 2]);
    assert!(consortium.installed.iter().all(|installed| installed.len() == 1));
}

#[test]
fn after_a_power_cut_all_flush_the_union_of_what_they_hold_in_key_order() {
    let done = entry(event(FIRST, 0, [1, 0, 0]), 1);
    let [a, b, c] = [event(FIRST, 1, [1, 1, 0]), event(FIRST, 2, [1, 0, 1]), event(FIRST, 0, [2, 1, 1])];
    let mut consortium = Consortium::start(vec![
        disk(FIRST, std::slice::from_ref(&done), vec![a.clone(), b.clone(), c.clone()]),
        disk(FIRST, std::slice::from_ref(&done), vec![a.clone()]),
        disk(FIRST, std::slice::from_ref(&done), vec![b.clone()]),
    ]);
    consortium.run(10);
    let installed = consortium.assert_in_force(&[0, 1, 2]);
    assert_eq!(keys(&installed.flush), keys(&[a, b, c]));
    assert_eq!(installed.plan.clock, vec![2, 1, 1].into());
}

#[test]
fn what_one_bank_has_executed_already_is_fetched_by_the_others_and_not_flushed_again() {
    let events: Vec<_> = (1..=5).map(|counter| event(FIRST, 0, [counter, 0, 0])).collect();
    let executed: Vec<_> = events.iter().cloned().zip(1..).map(|(held, position)| entry(held, position)).collect();
    let mut consortium = Consortium::start(vec![
        disk(FIRST, &executed[..1], events[1..].to_vec()),
        disk(FIRST, &executed, Vec::new()),
        blank(3),
    ]);
    consortium.journals = vec![executed[..1].to_vec(), executed.clone(), Vec::new()];
    consortium.run(10);
    let installed = consortium.assert_in_force(&[0, 1, 2]);
    assert!(installed.flush.is_empty());
    assert_eq!(installed.plan.position, Position(5));
    assert!(consortium.journals.iter().all(|journal| journal.len() == 5));
}

#[test]
fn events_of_a_view_that_a_later_one_left_behind_never_existed() {
    let later = Ballot { round: 2, coordinator: BankId(0) };
    let (dropped, kept) = (event(FIRST, 2, [0, 0, 1]), event(later, 1, [0, 1, 0]));
    let mut consortium = Consortium::start(vec![
        disk(later, &[], vec![kept.clone()]),
        disk(later, &[], Vec::new()),
        disk(FIRST, &[], vec![dropped]),
    ]);
    consortium.run(10);
    assert_eq!(keys(&consortium.assert_in_force(&[0, 1, 2]).flush), keys(&[kept]));
}

#[test]
fn a_view_forms_although_half_of_the_messages_are_lost() {
    let mut consortium = Consortium::empty(3);
    let mut random: u32 = 1;
    consortium.run_losing(300, |_, _| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        random >> 31 == 0
    });
    consortium.run(20);
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn when_a_member_dies_the_others_go_on_without_it_and_say_why() {
    let mut consortium = Consortium::in_force();
    consortium.kill(2);
    consortium.run(5);
    consortium.assert_in_force(&[0, 1]);
    assert!(consortium.notices.contains(&"0: banco 2 saiu do consórcio (conexão encerrada ou recusada)".to_owned()));
}

#[test]
fn a_bank_that_returns_catches_up_and_is_let_in() {
    let mut consortium = Consortium::in_force();
    consortium.kill(2);
    consortium.run(5);
    let view = consortium.assert_in_force(&[0, 1]).plan.ballot;
    let journal: Vec<_> = (1..=7).map(|counter| entry(event(view, 0, [counter, 0, 0]), counter)).collect();
    consortium.journals = vec![journal.clone(), journal, Vec::new()];
    consortium.restart(2);
    consortium.run(30);
    consortium.assert_in_force(&[0, 1, 2]);
    assert_eq!(consortium.journals[2].len(), 7);
    assert!(consortium.notices.contains(&"1: banco 2 entrou no consórcio".to_owned()), "{:?}", consortium.notices);
}

#[test]
fn an_empty_disk_in_a_bank_that_returns_is_filled_and_counts_again() {
    let mut consortium = Consortium::in_force();
    consortium.kill(2);
    consortium.run(5);
    consortium.views[2] = View::new(BankId(2), 3, blank(3));
    consortium.alive[2] = true;
    consortium.run(30);
    consortium.assert_in_force(&[0, 1, 2]);
    assert!(consortium.views[2].is_voter());
}

#[test]
fn an_empty_disk_and_one_intact_one_of_three_wait_for_the_third() {
    let mut consortium = Consortium::in_force();
    for bank in 0..3 {
        consortium.kill(bank);
    }
    consortium.restart(0);
    consortium.views[1] = View::new(BankId(1), 3, blank(3));
    consortium.alive[1] = true;
    consortium.run(300);
    assert!(consortium.views[..2].iter().all(|view| !view.is_ready()));
    consortium.restart(2);
    consortium.run(100);
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn two_banks_of_five_killed_together_are_left_behind_together() {
    let mut consortium = Consortium::empty(5);
    consortium.run(10);
    consortium.kill(0);
    consortium.kill(3);
    consortium.run(5);
    consortium.assert_in_force(&[1, 2, 4]);
}

#[test]
fn a_new_bank_is_let_in_by_the_old_ones_whose_journal_knows_fewer_banks() {
    let id = EventId::new(BankId(0), "old");
    let request = RawRequest { id, type_msg: "X".into(), msg: raw(&1) };
    let old = Event::stamp(FIRST, BankId(0), vec![1, 0].into(), vec![request], Header::default());
    let done = entry(Held { event: Arc::new(old), members: BankSet::all(2) }, 1);
    let prepared = PreparePlan { ballot: FIRST, clock: VectorClock::zero(2), ..PreparePlan::default() };
    let disk = || OnDisk { prepared: prepared.clone(), ..disk(FIRST, std::slice::from_ref(&done), Vec::new()) };
    let mut consortium = Consortium::start(vec![disk(), disk(), blank(3)]);
    consortium.journals = vec![vec![done.clone()], vec![done], Vec::new()];
    consortium.run(20);
    consortium.assert_in_force(&[0, 1, 2]);
    assert_eq!(consortium.journals[2].len(), 1);
}

#[test]
fn without_a_majority_nobody_acts_and_writes_are_refused_at_once() {
    let mut consortium = Consortium::in_force();
    consortium.kill(0);
    consortium.kill(1);
    consortium.run(100);
    assert_eq!(consortium.views[2].reach(), Reach::Minority);
    assert_eq!(consortium.installed[2].len(), 1);
    consortium.restart(1);
    consortium.run(30);
    consortium.assert_in_force(&[1, 2]);
}

#[test]
fn a_bank_cut_off_from_one_other_only_leaves_a_circle_in_which_all_hear_each_other() {
    let mut consortium = Consortium::in_force();
    consortium.cut.push((BankId(1), BankId(2)));
    consortium.run(20);
    consortium.assert_in_force(&[0, 1]);
    let installed = consortium.installed[0].len();
    consortium.run(200);
    assert_eq!(consortium.installed[0].len(), installed, "the bank outside disturbs nobody");
    assert_eq!(consortium.views[2].reach(), Reach::Outside, "no write need wait for a view there");
    consortium.cut.clear();
    consortium.run(30);
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn a_bank_that_others_left_behind_while_it_was_paused_notices_and_joins_again() {
    let mut consortium = Consortium::in_force();
    // Paused: it neither hears nor is heard, and does not know.
    consortium.kill(0);
    consortium.run(5);
    consortium.assert_in_force(&[1, 2]);
    consortium.alive[0] = true;
    assert_eq!(consortium.views[0].phase, Phase::Active);
    consortium.run(30);
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn banks_that_start_again_do_not_wait_for_one_that_acts_in_a_view_they_have_left_behind() {
    let mut consortium = Consortium::in_force();
    // Paused while the others go on, and let go when they have just been killed.
    consortium.kill(1);
    consortium.run(5);
    consortium.assert_in_force(&[0, 2]);
    consortium.alive[1] = true;
    consortium.watching.push(BankId(1));
    [0, 2].into_iter().for_each(|bank| consortium.restart(bank));
    consortium.run(10);
    assert_eq!(consortium.views[1].active().map(|(view, _)| view), Some(FIRST), "it does not know");
    consortium.assert_in_force(&[0, 2]);
    consortium.watching.clear();
    consortium.run(30);
    consortium.assert_in_force(&[0, 1, 2]);
}

/// Kills the coordinator at the first message of a kind, lets the others go on, and brings it back.
fn killed_at(kind: fn(&ViewMessage) -> bool) {
    let mut consortium = Consortium::in_force();
    let held = event(FIRST, 1, [0, 1, 0]);
    let view = consortium.views[0].plan.ballot;
    let held = Held {
        event: Arc::new(Event::stamp(
            view,
            BankId(1),
            vec![0, 1, 0].into(),
            held.event.requests.clone(),
            Header::default(),
        )),
        ..held
    };
    consortium.held[1].push(held.clone());
    // Bank 2 dies, bank 0 coordinates, and dies on the way.
    consortium.kill(2);
    let mut seen = false;
    for _ in 0..30 {
        consortium.run_losing(1, |_, message| {
            seen |= kind(message);
            seen
        });
        if seen {
            break;
        }
    }
    assert!(seen, "the phase was reached");
    consortium.kill(0);
    consortium.restart(2);
    consortium.run(100);
    consortium.assert_in_force(&[1, 2]);
    consortium.restart(0);
    consortium.run(100);
    consortium.assert_in_force(&[0, 1, 2]);
    for journal in &consortium.journals {
        let executed: Vec<_> = journal.iter().map(|entry| entry.held.event.order_key()).collect();
        assert_eq!(executed, [held.event.order_key()], "what was held is executed once everywhere");
    }
}

#[test]
fn a_coordinator_killed_while_it_asks_is_replaced() {
    killed_at(|message| matches!(message, ViewMessage::WouldStop { .. }));
}

#[test]
fn a_coordinator_killed_while_it_stops_the_others_is_replaced() {
    killed_at(|message| matches!(message, ViewMessage::Stop(_)));
    killed_at(|message| matches!(message, ViewMessage::Stopped(_)));
}

#[test]
fn a_coordinator_killed_while_it_prepares_is_replaced() {
    killed_at(|message| matches!(message, ViewMessage::Prepare(_)));
    killed_at(|message| matches!(message, ViewMessage::Ready(_)));
}

#[test]
fn a_coordinator_killed_while_it_starts_the_view_is_replaced() {
    killed_at(|message| matches!(message, ViewMessage::Start(_)));
}

#[test]
fn whoever_missed_the_start_learns_from_the_others_that_the_view_has_begun() {
    let mut consortium = Consortium::empty(3);
    consortium.run_losing(20, |_, message| matches!(message, ViewMessage::Start(_)));
    consortium.assert_in_force(&[0, 1, 2]);
}

#[test]
fn a_lower_ballot_than_promised_is_refused_and_the_next_attempt_goes_above_it() {
    let high = Ballot { round: 7, coordinator: BankId(0) };
    let mut consortium = Consortium::start(vec![blank(3), OnDisk { promised: high, ..blank(3) }, blank(3)]);
    consortium.run(20);
    assert!(consortium.assert_in_force(&[0, 1, 2]).plan.ballot > high);
}

#[test]
fn a_bank_whose_disk_lost_what_another_proves_is_filled_like_an_empty_one() {
    let events: Vec<_> = (1..=3).map(|counter| event(FIRST, 0, [counter, 0, 0])).collect();
    let executed: Vec<_> = events.iter().cloned().zip(1..).map(|(held, position)| entry(held, position)).collect();
    let mut consortium = Consortium::start(vec![
        disk(FIRST, &executed, Vec::new()),
        disk(FIRST, &executed[..2], vec![events[2].clone()]),
        disk(FIRST, &executed[..1], Vec::new()),
    ]);
    consortium.journals = vec![executed.clone(), executed[..2].to_vec(), executed[..1].to_vec()];
    consortium.run(20);
    consortium.assert_in_force(&[0, 1, 2]);
    assert!(consortium.notices.iter().any(|notice| notice.starts_with("2: DISCO INCOMPLETO")));
    assert_eq!(consortium.journals[2].len(), 3);
}

#[test]
fn a_copy_that_differs_from_most_is_left_out() {
    let right = entry(event(FIRST, 0, [1, 0, 0]), 1);
    let wrong = JournalEntry { hash: ChainHash([9; 32]), ..right.clone() };
    let disk = |entry: &JournalEntry| disk(FIRST, std::slice::from_ref(entry), Vec::new());
    let mut consortium = Consortium::start(vec![disk(&right), disk(&right), disk(&wrong)]);
    consortium.journals = vec![vec![right.clone()], vec![right], vec![wrong]];
    consortium.run(100);
    consortium.assert_in_force(&[0, 1]);
    assert_eq!(consortium.views[2].phase, Phase::Diverged);
    assert!(consortium.installed[0].len() <= 2, "it does not knock for ever");
}
