//! Views of several banks in one process, with messages carried by hand.

use std::collections::VecDeque;
use std::sync::Arc;

use super::*;
use crate::protocol::event::{Event, RawRequest, raw};
use crate::protocol::ids::EventId;
use crate::protocol::vector_clock::VectorClock;

/// Banks with their views; the journal answers at once, and the ledger executes whatever it is given.
struct Consortium {
    views: Vec<View>,
    /// What each bank's view was installed with.
    installed: Vec<Vec<Installed>>,
    /// Journal of each bank: executed events in order.
    journals: Vec<Vec<JournalEntry>>,
    /// Messages on their way: from, to, content.
    network: VecDeque<(BankId, BankId, ViewMessage)>,
    now: Millis,
}

fn event(view: Ballot, sender: u16, timestamp: [u64; 3]) -> Held {
    let id = EventId::new(BankId(sender), &format!("{timestamp:?}").replace([' ', '[', ']', ','], "_"));
    let request = RawRequest { id, type_msg: "X".into(), msg: raw(&1) };
    let event = Event::stamp(view, BankId(sender), timestamp.to_vec().into(), vec![request]);
    Held { event: Arc::new(event), members: BankSet::all(3) }
}

fn entry(held: Held, position: u64) -> JournalEntry {
    JournalEntry { held, position: Position(position), hash: ChainHash([u8::try_from(position).unwrap(); 32]) }
}

/// What a bank has on disk: executed events, and events held beyond.
fn on_disk(executed: &[JournalEntry], held: Vec<Held>) -> Frozen {
    let mut clock = VectorClock::zero(3);
    executed.iter().for_each(|entry| clock.merge(&entry.held.event.timestamp));
    held.iter().for_each(|held| clock.merge(&held.event.timestamp));
    let last = executed.last();
    Frozen {
        ballot: Ballot::default(),
        held,
        clock,
        position: last.map(|entry| entry.position).unwrap_or_default(),
        hash: last.map(|entry| entry.hash).unwrap_or_default(),
        last: last.map(|entry| entry.held.event.order_key()),
    }
}

impl Consortium {
    fn start(disks: [(Ballot, Vec<JournalEntry>, Vec<Held>); 3]) -> Self {
        let mut views = Vec::new();
        let mut journals = Vec::new();
        for (me, (prepared, executed, held)) in BankId::all(3).zip(disks) {
            let state = on_disk(&executed, held);
            views.push(View::new(me, 3, prepared, prepared, state));
            journals.push(executed);
        }
        Consortium { views, installed: vec![Vec::new(); 3], journals, network: VecDeque::new(), now: 0 }
    }

    fn empty() -> Self {
        Consortium::start(std::array::from_fn(|_| Default::default()))
    }

    fn give(&mut self, bank: BankId, input: ViewInput) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut out = Vec::new();
            self.views[bank.index()].handle(input, self.now, &mut out);
            inputs.extend(out.into_iter().filter_map(|effect| self.carry_out(bank, effect)));
        }
    }

    /// Does what disk, ledger and network would do; answers what comes back to the view.
    fn carry_out(&mut self, bank: BankId, effect: Effect) -> Option<ViewInput> {
        match effect {
            Effect::Peer(to, PeerInput::View(message)) => {
                self.network.push_back((bank, to, message));
                None
            }
            Effect::Journal(JournalInput::Promise(frozen)) => Some(ViewInput::Frozen(frozen)),
            Effect::Journal(JournalInput::Prepare { prepared, .. }) => Some(ViewInput::Prepared(prepared.ballot)),
            Effect::Journal(JournalInput::Read { to, ballot, after }) => {
                let later = |entry: &&JournalEntry| entry.position > after;
                let entries = self.journals[bank.index()].iter().filter(later).take(2).cloned().collect();
                Some(ViewInput::JournalRead { to, ballot, entries })
            }
            Effect::Ledger(LedgerInput::Replay(entries)) => {
                let last = entries.last().expect("pieces are not empty").clone();
                self.journals[bank.index()].extend(entries);
                let key = last.held.event.order_key();
                Some(ViewInput::Replayed { position: last.position, hash: last.hash, last: key })
            }
            Effect::Clock(ClockInput::Install(installed)) => {
                self.installed[bank.index()].push(installed);
                None
            }
            Effect::Clock(ClockInput::Freeze(ballot)) => {
                let state = self.installed[bank.index()].last().map(|installed| installed.plan.clock.clone());
                let frozen = Frozen { ballot, clock: state.unwrap_or_default(), ..on_disk(&[], Vec::new()) };
                Some(ViewInput::Frozen(frozen))
            }
            _ => None,
        }
    }

    fn all_hear_each_other(&mut self) {
        for (bank, peer) in pairs() {
            let report = Some(self.views[peer.index()].report());
            self.give(bank, ViewInput::Peer { bank: peer, report });
        }
    }

    /// Lets time pass, and messages arrive unless `lose` wants them lost.
    fn run(&mut self, ticks: usize, mut lose: impl FnMut(&ViewMessage) -> bool) {
        for _ in 0..ticks {
            self.now += 100;
            BankId::all(3).for_each(|bank| self.give(bank, ViewInput::Tick));
            while let Some((from, to, message)) = self.network.pop_front() {
                if !lose(&message) {
                    self.give(to, ViewInput::Message(from, message));
                }
            }
        }
    }

    fn assert_one_view_everywhere(&self) -> &Installed {
        let last = |installed: &Vec<Installed>| installed.last().expect("a view is in force").clone();
        let first = self.installed[0].last().expect("a view is in force");
        for (view, installed) in self.views.iter().zip(&self.installed) {
            let installed = last(installed);
            assert!(view.is_ready());
            assert_eq!(installed.plan.ballot, first.plan.ballot);
            assert_eq!(installed.plan.clock, first.plan.clock);
            assert_eq!(keys(&installed.flush), keys(&first.flush));
        }
        first
    }
}

fn pairs() -> impl Iterator<Item = (BankId, BankId)> {
    let all = || BankId::all(3);
    all().flat_map(move |bank| all().filter(move |peer| *peer != bank).map(move |peer| (bank, peer)))
}

fn keys(held: &[Held]) -> Vec<OrderKey> {
    held.iter().map(|held| held.event.order_key()).collect()
}

#[test]
fn a_first_start_forms_a_view_from_nothing_once_all_banks_answer() {
    let mut consortium = Consortium::empty();
    consortium.run(20, |_| false);
    assert!(consortium.installed.iter().all(Vec::is_empty), "nobody acts before all are there");
    consortium.all_hear_each_other();
    consortium.run(3, |_| false);
    let installed = consortium.assert_one_view_everywhere();
    assert_eq!(installed.plan.clock, VectorClock::zero(3));
}

#[test]
fn a_view_that_stands_is_left_alone() {
    let mut consortium = Consortium::empty();
    for _ in 0..20 {
        consortium.all_hear_each_other();
        consortium.run(10, |_| false);
    }
    consortium.assert_one_view_everywhere();
    assert!(consortium.installed.iter().all(|installed| installed.len() == 1));
}

#[test]
fn after_a_power_cut_all_flush_the_union_of_what_they_hold_in_key_order() {
    let view = Ballot { round: 1, coordinator: BankId(0) };
    let done = entry(event(view, 0, [1, 0, 0]), 1);
    let [a, b, c] = [event(view, 1, [1, 1, 0]), event(view, 2, [1, 0, 1]), event(view, 0, [2, 1, 1])];
    let mut consortium = Consortium::start([
        (view, vec![done.clone()], vec![a.clone(), b.clone(), c.clone()]),
        (view, vec![done.clone()], vec![a.clone()]),
        (view, vec![done], vec![b.clone()]),
    ]);
    consortium.all_hear_each_other();
    consortium.run(5, |_| false);
    let installed = consortium.assert_one_view_everywhere();
    assert_eq!(keys(&installed.flush), keys(&[a, b, c]));
    assert_eq!(installed.plan.clock, vec![2, 1, 1].into());
}

#[test]
fn what_one_bank_has_executed_already_is_fetched_by_the_others_and_not_flushed_again() {
    let view = Ballot { round: 1, coordinator: BankId(0) };
    let events: Vec<_> = (1..=5).map(|counter| event(view, 0, [counter, 0, 0])).collect();
    let executed: Vec<_> = events.iter().cloned().zip(1..).map(|(held, position)| entry(held, position)).collect();
    let mut consortium = Consortium::start([
        (view, executed[..1].to_vec(), events[1..].to_vec()),
        (view, executed.clone(), Vec::new()),
        (Ballot::default(), Vec::new(), Vec::new()),
    ]);
    consortium.all_hear_each_other();
    consortium.run(5, |_| false);
    let installed = consortium.assert_one_view_everywhere();
    assert!(installed.flush.is_empty());
    assert_eq!(installed.plan.position, Position(5));
    for journal in &consortium.journals {
        assert_eq!(journal.len(), 5);
    }
}

#[test]
fn events_of_a_view_that_a_later_one_left_behind_never_existed() {
    let [old, new] = [1, 2].map(|round| Ballot { round, coordinator: BankId(0) });
    let (dropped, kept) = (event(old, 2, [0, 0, 1]), event(new, 1, [0, 1, 0]));
    let mut consortium = Consortium::start([
        (new, Vec::new(), vec![kept.clone()]),
        (new, Vec::new(), Vec::new()),
        (old, Vec::new(), vec![dropped]),
    ]);
    consortium.all_hear_each_other();
    consortium.run(5, |_| false);
    assert_eq!(keys(&consortium.assert_one_view_everywhere().flush), keys(&[kept]));
}

#[test]
fn a_view_forms_although_half_of_the_messages_are_lost() {
    let mut consortium = Consortium::empty();
    consortium.all_hear_each_other();
    let mut random: u32 = 1;
    consortium.run(200, |_| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        random >> 31 == 0
    });
    consortium.assert_one_view_everywhere();
}

#[test]
fn a_bank_that_restarts_brings_all_into_a_new_view_and_is_missed_meanwhile() {
    let mut consortium = Consortium::empty();
    consortium.all_hear_each_other();
    consortium.run(3, |_| false);
    let first = consortium.assert_one_view_everywhere().plan.ballot;
    for bank in [BankId(0), BankId(1)] {
        consortium.give(bank, ViewInput::Peer { bank: BankId(2), report: None });
        assert!(!consortium.views[bank.index()].is_ready());
    }
    consortium.views[2] = View::new(BankId(2), 3, first, first, on_disk(&[], Vec::new()));
    consortium.run(10, |_| false);
    assert!(!consortium.views[0].is_ready(), "nothing happens while the bank is away");
    consortium.all_hear_each_other();
    consortium.run(5, |_| false);
    assert!(consortium.assert_one_view_everywhere().plan.ballot > first);
}

#[test]
fn a_lower_ballot_than_promised_is_refused_and_the_next_attempt_goes_above_it() {
    let mut consortium = Consortium::empty();
    let high = Ballot { round: 7, coordinator: BankId(0) };
    consortium.views[1] = View::new(BankId(1), 3, high, Ballot::default(), on_disk(&[], Vec::new()));
    consortium.all_hear_each_other();
    consortium.run(10, |_| false);
    assert!(consortium.assert_one_view_everywhere().plan.ballot > high);
}

#[test]
fn a_copy_that_differs_from_the_plan_puts_itself_out() {
    let view = Ballot { round: 1, coordinator: BankId(0) };
    let right = entry(event(view, 0, [1, 0, 0]), 1);
    let wrong = JournalEntry { hash: ChainHash([9; 32]), ..right.clone() };
    let disk = |entry: &JournalEntry| (view, vec![entry.clone()], Vec::new());
    let mut consortium = Consortium::start([disk(&right), disk(&right), disk(&wrong)]);
    consortium.all_hear_each_other();
    consortium.run(10, |_| false);
    let diverged = consortium.views.iter().filter(|view| *view.phase() == Phase::Diverged).count();
    assert!(diverged > 0);
    assert!(consortium.views.iter().all(|view| !view.is_ready()));
}
