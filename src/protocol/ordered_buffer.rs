//! The ordered buffer: takes events in, knows when one is stable, and lets them go in key order.
//!
//! Source: the requirement's 'Ordenação Total com Multicast', with the acknowledgements of all
//! members gathered in a matrix as in K. Birman, A. Schiper, P. Stephenson, 'Lightweight Causal and
//! Atomic Group Multicast' (1991).
//!
//! An event is *stable* when every member's row of the matrix covers its timestamp. Then all hold
//! it on disk. And no event with a smaller key can still come: a bank's row is believed only when
//! that bank's own events up to it are here, and whatever it sends later is stamped above the row,
//! hence above the event.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::door::Door;
use super::effect::{
    BufferInput, ClockInput, Effect, HeartbeatInput, JournalInput, LedgerInput, PeerInput,
    ViewInput,
};
use super::envelope::{Envelope, EnvelopeAnswer, Gathered};
use super::event::{EVENT_JSON_BYTES_MAX, Event, Held};
use super::gathering::Gathering;
use super::notice::Notice;
use super::order_key::OrderKey;
use super::possible::Impossible;
use super::progress::{Lags, Progress, Stage};
use super::vector_clock::VectorClock;
use super::view::turn::{Frozen, Installed};
use crate::ids::{Ballot, BankId, BankSet, EventId};

/// How far ahead of a bank's next expected event an event may be and still wait in the hold-back;
/// one that is further ahead is dropped, and its sender rewinds.
pub(crate) const HOLD_BACK_MAX: u64 = 256;
/// The most single acknowledgements of one bank kept of events that are not here yet.
pub(crate) const EARLY_ACKS_MAX: usize = 1_024;
/// The most events of one peer that are kept here and not released for execution. It stamps no
/// more than eight before this bank has executed the first of them; one that speaks only the
/// requirement's messages may stamp more.
pub(crate) const KEPT_EVENTS_MAX: usize = 1_024;
/// The most bytes that these may have together: eight of the largest. Fewer than a peer may have
/// under way would not do, as an acknowledgement is believed only once all its own events before
/// it are here.
pub(crate) const KEPT_BYTES_MAX: usize = 8 * EVENT_JSON_BYTES_MAX;

/// Hold-back, matrix and order of one bank.
#[derive(Debug)]
pub struct OrderedBuffer {
    me: BankId,
    banks: usize,
    /// The view in force; `None` while frozen.
    view: Option<Ballot>,
    members: BankSet,
    /// What is taken in without a gap, own events included.
    held: VectorClock,
    /// What the journal was told to write; lags behind `held` until the clock has merged the
    /// events.
    appended: VectorClock,
    /// Per bank, the durable clock that it is believed to have; the own row is what the own disk
    /// has.
    matrix: Vec<VectorClock>,
    /// Per bank, the durable clock it claims, which is believed once that bank's own events up to
    /// it are here.
    claims: Vec<VectorClock>,
    /// Per bank, the timestamp of its last event that was taken in.
    last_taken: Vec<VectorClock>,
    /// Taken in, not executed; in execution order.
    ordered: BTreeMap<OrderKey, Held>,
    /// Events that came before what they depend on, by sender and counter.
    hold_back: BTreeMap<(BankId, u64), Arc<Event>>,
    /// Taken in and not yet given to the journal.
    unwritten: Vec<Arc<Event>>,
    /// Single acknowledgements of events that are not here yet.
    early_acks: VecDeque<(EventId, BankId)>,
    /// Key of the last event that was released for execution in this view.
    last_executed: Option<OrderKey>,
    /// What all members were told of each other's disks.
    gathering: Gathering,
    /// Per bank, what it last said of all members' disks, until all of it is believed.
    relayed: Vec<Option<Gathered>>,
    /// Tracks which member alone keeps the others waiting.
    progress: Progress,
    /// Decides what is taken in at all.
    door: Door,
}

impl OrderedBuffer {
    /// A frozen buffer that waits for its first view.
    #[must_use]
    pub fn new(me: BankId, banks: usize) -> Self {
        OrderedBuffer {
            me,
            banks,
            view: None,
            members: BankSet::default(),
            held: VectorClock::zero(banks),
            appended: VectorClock::zero(banks),
            matrix: vec![VectorClock::zero(banks); banks],
            claims: vec![VectorClock::zero(banks); banks],
            last_taken: vec![VectorClock::zero(banks); banks],
            ordered: BTreeMap::new(),
            hold_back: BTreeMap::new(),
            unwritten: Vec::new(),
            early_acks: VecDeque::new(),
            last_executed: None,
            gathering: Gathering::new(me, banks),
            relayed: vec![None; banks],
            progress: Progress::new(banks),
            door: Door::new(banks, false),
        }
    }

    /// A buffer of a bank that takes operations without a named customer, if `open`.
    #[must_use]
    pub(crate) fn with_open_customers(self, open: bool) -> Self {
        OrderedBuffer { door: Door::new(self.banks, open), ..self }
    }

    /// A buffer that takes in only what its sender has signed, if `signs`.
    #[must_use]
    pub fn with_signatures(mut self, signs: bool) -> Self {
        self.door.set_signs(signs);
        self
    }

    /// A buffer that gathers acknowledgements in views of at least so many members.
    #[must_use]
    pub fn gathering_from(mut self, members: usize) -> Self {
        self.gathering.set_from(members);
        self
    }

    /// The view in force, if any.
    #[must_use]
    pub fn view(&self) -> Option<Ballot> {
        self.view
    }

    /// Events taken in and not executed, in the order in which they will be.
    pub fn waiting(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.ordered.values().map(|held| &held.event)
    }

    /// What is known to be on the disks of the members of this view or, while there is none, of the
    /// last one: they had it when the view began, or have said so since. Nothing is known about
    /// other banks.
    pub(crate) fn known_durable(&self) -> impl Iterator<Item = (BankId, &VectorClock)> {
        self.members.iter().map(|bank| (bank, &self.matrix[bank.index()]))
    }

    /// Takes one input from another part of this node; see [`BufferInput`].
    ///
    /// ```
    /// use std::sync::Arc;
    /// use netbanking::protocol::effect::{BufferInput, Effect, PeerInput};
    /// use netbanking::protocol::view::{Fates, Installed};
    /// use netbanking::protocol::event::Event;
    /// use netbanking::ids::request::{Header, RawRequest, raw};
    /// use netbanking::ids::{Ballot, BankId, BankSet, EventId};
    /// use netbanking::protocol::ordered_buffer::OrderedBuffer;
    /// use netbanking::protocol::view::PreparePlan;
    ///
    /// let (me, view) = (BankId(0), Ballot { round: 1, coordinator: BankId(0) });
    /// let (ballot, members, clock) = (view, BankSet::all(2), vec![0, 0].into());
    /// let plan = PreparePlan { ballot, members, clock, ..Default::default() };
    /// let (mut buffer, mut out) = (OrderedBuffer::new(me, 2), Vec::new());
    /// let begin = Installed { plan, flush: Vec::new(), fates: Fates::default() };
    /// buffer.handle(BufferInput::Install(begin), &mut out);
    /// out.clear();
    ///
    /// let request = RawRequest { id: EventId::new(me, "1"), type_msg: "ANY".into(), msg: raw(&0) };
    /// let event = Event::stamp(view, me, vec![1, 0].into(), vec![request], Header::default());
    /// buffer.handle(BufferInput::Own(Arc::new(event)), &mut out);
    /// // It goes to the peer and to the journal in the same step, and waits for both disks.
    /// let to_peer = |effect: &Effect| matches!(effect, Effect::Peer(_, PeerInput::Event(_)));
    /// assert!(out.iter().any(to_peer));
    /// assert!(out.iter().any(|effect| matches!(effect, Effect::Journal(_))));
    /// assert_eq!(buffer.waiting().count(), 1);
    /// ```
    pub fn handle(&mut self, input: BufferInput, out: &mut Vec<Effect>) {
        match input {
            BufferInput::Own(event) => self.take_own(event, out),
            BufferInput::Merged(clock) => self.write_merged(&clock, out),
            BufferInput::Acknowledged { from, id } => self.acknowledged(from, id, out),
            BufferInput::Persisted { view, clock } => self.persisted(view, clock, out),
            BufferInput::Freeze(ballot) => self.freeze(ballot, out),
            BufferInput::LedgerFrozen(frozen) => {
                out.push(Effect::Journal(JournalInput::Promise(frozen)))
            }
            BufferInput::Install(installed) => self.install(installed, out),
            BufferInput::LatestDate(latest_ms) => self.door.set_latest(latest_ms),
            BufferInput::Tick => {
                self.door.tick();
                self.tell_what_nobody_gathered(out);
                self.find_lags(out);
            }
        }
    }

    /// Takes what a peer says. A repeated or reordered envelope does no harm; one of another view
    /// is not taken.
    pub fn receive(
        &mut self,
        from: BankId,
        envelope: Envelope,
        out: &mut Vec<Effect>,
    ) -> EnvelopeAnswer {
        let spoken_in_force = envelope.view.is_none_or(|view| Some(view) == self.view);
        if self.view.is_none() || !spoken_in_force || !self.is_peer(from) {
            out.extend(envelope.view.map(|view| Effect::View(ViewInput::Traffic(from, view))));
            return EnvelopeAnswer { taken: false, kept: false, expected: 0 };
        }
        let mut kept = true;
        for event in envelope.events {
            kept &= self.hold(from, event, out);
        }
        self.take_held_back(out);
        let claim = envelope.clock.filter(|clock| clock.len() == self.banks);
        if claim.as_ref().is_some_and(|clock| !self.may_have(clock)) {
            self.door.complain(from, Impossible::Durable, out);
        } else if let Some(clock) = claim {
            self.claims[from.index()].merge(&clock);
        }
        if let Some(gathered) = envelope.gathered {
            self.hear_gathered(from, gathered);
        }
        self.believe_claims(out);
        self.execute_stable(out);
        EnvelopeAnswer { taken: true, kept, expected: self.held.get(from) + 1 }
    }

    fn is_peer(&self, bank: BankId) -> bool {
        bank != self.me && self.members.contains(bank)
    }

    /// Whether a peer may have all this on disk: it cannot have more of this bank's events than
    /// there are, nor many more of any bank's than are here.
    fn may_have(&self, clock: &VectorClock) -> bool {
        clock.iter().all(|(bank, counter)| {
            let ahead = if bank == self.me { 0 } else { HOLD_BACK_MAX };
            counter <= self.held.get(bank) + ahead
        })
    }

    /// Whether there is room for one more event of a peer.
    fn has_room_for(&self, event: &Event) -> bool {
        let from = event.sender;
        let size = |event: &Event| event.wire().get().len();
        let held_back = self.hold_back.range((from, 0)..=(from, u64::MAX)).map(|(_, event)| event);
        let taken = self.waiting().filter(|event| event.sender == from);
        let (count, bytes) = held_back
            .chain(taken)
            .fold((0, 0), |(count, bytes), kept| (count + 1, bytes + size(kept)));
        count < KEPT_EVENTS_MAX && bytes + size(event) <= KEPT_BYTES_MAX
    }

    /// Keeps an event until its turn comes; only the event's own sender may deliver it. Returns
    /// whether it is kept, or was taken in before.
    fn hold(&mut self, from: BankId, event: Arc<Event>, out: &mut Vec<Effect>) -> bool {
        let counter = event.counter();
        let expected = self.held.get(from) + 1;
        let fits = event.sender == from
            && Some(event.view) == self.view
            && event.timestamp.len() == self.banks;
        let is_sound = fits && event.wire().get().len() <= EVENT_JSON_BYTES_MAX;
        if !is_sound {
            // An honest bank may still send in the view before.
            if Some(event.view) == self.view {
                self.door.complain(from, Impossible::Event, out);
            }
            return false;
        }
        if counter < expected {
            return true;
        }
        if self.hold_back.contains_key(&(from, counter)) {
            return true;
        }
        if !self.has_room_for(&event) {
            self.door.complain(from, Impossible::Flood, out);
            return false;
        }
        let is_near = counter - expected < HOLD_BACK_MAX;
        if is_near && self.door.admits(&event, self.members, out) {
            self.hold_back.insert((from, counter), event);
            return true;
        }
        false
    }

    /// Causal delivery: takes in every held-back event whose predecessors are all here.
    fn take_held_back(&mut self, out: &mut Vec<Effect>) {
        let before = self.unwritten.len();
        loop {
            let next = BankId::all(self.banks)
                .filter_map(|bank| self.hold_back.get(&(bank, self.held.get(bank) + 1)))
                .find(|event| self.is_next(event))
                .map(Arc::clone);
            let Some(event) = next else { break };
            self.hold_back.remove(&(event.sender, event.counter()));
            if !self.keeps_its_word(&event) {
                out.push(Effect::Notice(Notice::BrokenOrder(event.sender)));
                continue;
            }
            self.take(Arc::clone(&event));
            self.unwritten.push(event);
        }
        if self.unwritten.len() > before {
            let view = self.view.expect("a frozen buffer takes nothing in");
            out.push(Effect::Clock(ClockInput::Held { view, clock: self.held.clone() }));
        }
    }

    fn is_next(&self, event: &Event) -> bool {
        event.timestamp.iter().all(|(bank, counter)| {
            if bank == event.sender {
                counter == self.held.get(bank) + 1
            } else {
                counter <= self.held.get(bank)
            }
        })
    }

    /// A bank stamps above its earlier events and above everything that it has acknowledged. One
    /// that does not is broken; its event would break the order here, so it is not taken.
    fn keeps_its_word(&self, event: &Event) -> bool {
        let sender = event.sender.index();
        event.timestamp.covers(&self.last_taken[sender])
            && event.timestamp.covers(&self.matrix[sender])
    }

    fn take(&mut self, event: Arc<Event>) {
        self.held.count(event.sender);
        self.last_taken[event.sender.index()] = event.timestamp.clone();
        assert_eq!(
            self.held.get(event.sender),
            event.counter(),
            "events of a bank are taken in without a gap"
        );
        let key = event.order_key();
        assert!(
            self.last_executed.is_none_or(|last| last < key),
            "a stable event admits no smaller key after it"
        );
        let twin = self.ordered.insert(key, Held { event, members: self.members });
        assert!(twin.is_none(), "no two events of a view share a key");
    }

    fn take_own(&mut self, event: Arc<Event>, out: &mut Vec<Effect>) {
        let Some(view) = self.view.filter(|view| *view == event.view) else { return };
        for peer in self.peers() {
            out.push(Effect::Peer(peer, PeerInput::Event(Arc::clone(&event))));
        }
        self.take(Arc::clone(&event));
        self.appended.count(self.me);
        let held = Held { event, members: self.members };
        out.push(Effect::Journal(JournalInput::Append {
            view,
            events: vec![held],
            clock: self.appended.clone(),
        }));
    }

    fn peers(&self) -> Vec<BankId> {
        self.members.iter().filter(|bank| *bank != self.me).collect()
    }

    /// The clock stamps above these events from now on, so they may be written and then
    /// acknowledged.
    fn write_merged(&mut self, clock: &VectorClock, out: &mut Vec<Effect>) {
        let Some(view) = self.view else { return };
        let (ready, later) = std::mem::take(&mut self.unwritten)
            .into_iter()
            .partition::<Vec<_>, _>(|event| clock.get(event.sender) >= event.counter());
        self.unwritten = later;
        if ready.is_empty() {
            return;
        }
        ready.iter().for_each(|event| {
            self.appended.count(event.sender);
        });
        let members = self.members;
        let events = ready.into_iter().map(|event| Held { event, members }).collect();
        out.push(Effect::Journal(JournalInput::Append {
            view,
            events,
            clock: self.appended.clone(),
        }));
    }

    fn persisted(&mut self, view: Ballot, clock: VectorClock, out: &mut Vec<Effect>) {
        if self.view != Some(view) {
            return;
        }
        let row = &self.matrix[self.me.index()];
        assert!(clock.covers(row), "the disk does not forget");
        let newly = |event: &&Arc<Event>| {
            let counter = event.counter();
            counter > row.get(event.sender) && counter <= clock.get(event.sender)
        };
        // Events that have only now reached this disk cannot have been executed yet, so they are
        // all in `ordered`.
        let events: Arc<[EventId]> =
            self.waiting().filter(newly).map(|event| event.id.clone()).collect();
        let senders: BankSet = self.waiting().filter(newly).map(|event| event.sender).collect();
        for peer in self.peers() {
            let urgent = self.gathering.is_urgent(peer, senders);
            let (clock, events) = (clock.clone(), Arc::clone(&events));
            out.push(Effect::Peer(peer, PeerInput::Durable { clock, events, urgent }));
        }
        self.matrix[self.me.index()] = clock;
        self.tell_gathered(out);
        self.execute_stable(out);
    }

    fn tell_gathered(&mut self, out: &mut Vec<Effect>) {
        let Some(gathered) = self.gathering.gather(self.members, &self.matrix) else { return };
        let gathered = Arc::new(gathered);
        for peer in self.peers() {
            out.push(Effect::Peer(peer, PeerInput::Gathered(Arc::clone(&gathered))));
        }
    }

    /// What one member has gathered counts as if each had claimed it itself. It cannot have more of
    /// this bank than this bank has: whatever says so is wrong in all.
    fn hear_gathered(&mut self, from: BankId, gathered: Gathered) {
        let fits = gathered.all.len() == self.banks && gathered.own.len() == self.banks;
        if fits && self.matrix[self.me.index()].covers(&gathered.claim_of(self.me)) {
            self.gathering.hear(&gathered);
            self.relayed[from.index()] = Some(gathered);
        }
    }

    /// Everybody has to be able to see which member lacks what the others have.
    fn tell_what_nobody_gathered(&mut self, out: &mut Vec<Effect>) {
        let Some(gathered) =
            self.view.and_then(|_| self.gathering.look(self.members, &self.matrix)).map(Arc::new)
        else {
            return;
        };
        for peer in self.peers() {
            out.push(Effect::Peer(peer, PeerInput::TellAll));
            out.push(Effect::Peer(peer, PeerInput::Gathered(Arc::clone(&gathered))));
        }
    }

    /// The requirement's single acknowledgement means that the peer has on disk everything that the
    /// event's timestamp names.
    fn acknowledged(&mut self, from: BankId, id: EventId, out: &mut Vec<Effect>) {
        if self.view.is_none() || !self.is_peer(from) {
            return;
        }
        let of_bank = |(_, bank): &&(EventId, BankId)| *bank == from;
        if self.early_acks.iter().filter(of_bank).count() >= EARLY_ACKS_MAX
            && let Some(oldest) = self.early_acks.iter().position(|(_, bank)| *bank == from)
        {
            self.early_acks.remove(oldest);
        }
        self.early_acks.push_back((id, from));
        self.believe_claims(out);
        self.execute_stable(out);
    }

    /// Believes every claim of a bank whose own events up to it are here, and tells its link what
    /// it need not resend.
    fn believe_claims(&mut self, out: &mut Vec<Effect>) {
        self.claim_single_acks();
        for bank in self.peers() {
            self.believe(bank, &self.claims[bank.index()].clone(), out);
        }
        for from in self.peers() {
            let Some(gathered) = self.relayed[from.index()].take() else { continue };
            let mut all_believed = true;
            for bank in self.peers() {
                all_believed &= self.believe(bank, &gathered.claim_of(bank), out);
            }
            self.relayed[from.index()] = Some(gathered).filter(|_| !all_believed);
        }
        self.tell_gathered(out);
    }

    /// Believes a claim if it can be; returns whether it is believed.
    fn believe(&mut self, bank: BankId, claim: &VectorClock, out: &mut Vec<Effect>) -> bool {
        // An acknowledgement should never overtake an event of the same bank; one that did is not
        // believed yet.
        let own_events_here = claim.get(bank) <= self.held.get(bank);
        // A peer cannot hold more of our events than there are.
        let plausible = claim.get(self.me) <= self.held.get(self.me);
        let is_believed = own_events_here && plausible;
        if is_believed {
            let row = &mut self.matrix[bank.index()];
            if row.get(self.me) < claim.get(self.me) {
                out.push(Effect::Peer(bank, PeerInput::Covered(claim.get(self.me))));
            }
            row.merge(claim);
        }
        is_believed
    }

    fn claim_single_acks(&mut self) {
        let acks = std::mem::take(&mut self.early_acks);
        for (id, from) in acks {
            match self.ordered.values().find(|held| held.event.id == id) {
                Some(held) => self.claims[from.index()].merge(&held.event.timestamp),
                None => self.early_acks.push_back((id, from)),
            }
        }
    }

    fn execute_stable(&mut self, out: &mut Vec<Effect>) {
        let Some(view) = self.view else { return };
        let mut events: Vec<Held> = Vec::new();
        while let Some(first) = self.ordered.first_entry() {
            let matrix = &self.matrix;
            let timestamp = &first.get().event.timestamp;
            let stable = self.members.iter().all(|bank| matrix[bank.index()].covers(timestamp));
            if !stable {
                break;
            }
            let (key, held) = first.remove_entry();
            assert!(self.last_executed.is_none_or(|last| last < key), "keys only grow");
            self.last_executed = Some(key);
            events.push(held);
        }
        if events.is_empty() {
            return;
        }
        let own = events.iter().rev().find(|held| held.event.sender == self.me);
        let own = own.map(|held| held.event.counter());
        out.push(Effect::Ledger(LedgerInput::Execute { view, events }));
        out.extend(own.map(|counter| Effect::Clock(ClockInput::Stable(counter))));
    }

    /// Time has passed: is there one member that alone lacks what all others have on disk?
    fn find_lags(&mut self, out: &mut Vec<Effect>) {
        let Some(view) = self.view else { return };
        let (members, stage) = (self.members, Stage::Durable);
        let behind = self.progress.tick(members, &self.matrix);
        out.push(Effect::Heartbeat(HeartbeatInput::Behind(Lags { view, members, stage, behind })));
    }

    fn freeze(&mut self, ballot: Ballot, out: &mut Vec<Effect>) {
        if self.view.take().is_some() {
            for peer in self.peers() {
                out.push(Effect::Peer(peer, PeerInput::Freeze));
            }
        }
        // What the clock has not merged is not written either: it was never acknowledged and may be
        // forgotten.
        for event in self.unwritten.drain(..) {
            self.ordered.remove(&event.order_key());
        }
        self.hold_back.clear();
        self.early_acks.clear();
        let held = self.ordered.values().cloned().collect();
        let frozen = Frozen { ballot, held, clock: self.appended.clone(), ..Frozen::default() };
        out.push(Effect::Ledger(LedgerInput::Freeze(frozen)));
    }

    fn install(&mut self, installed: Installed, out: &mut Vec<Effect>) {
        let plan = &installed.plan;
        assert!(self.view.is_none(), "a view is installed on a frozen node");
        let view = plan.ballot;
        self.view = Some(view);
        self.members = plan.members;
        self.held = plan.clock.clone();
        self.appended = plan.clock.clone();
        self.matrix = vec![plan.clock.clone(); self.banks];
        self.claims = vec![plan.clock.clone(); self.banks];
        self.last_taken = vec![plan.clock.clone(); self.banks];
        self.ordered.clear();
        self.last_executed = None;
        self.gathering.install(plan.members, &plan.clock);
        self.relayed.fill(None);
        self.door.install();
        self.progress.begin();
        out.push(Effect::Ledger(LedgerInput::Install {
            view,
            members: plan.members,
            flush: installed.flush,
        }));
        for peer in self.peers() {
            out.push(Effect::Peer(peer, PeerInput::Install(view)));
        }
    }
}

#[cfg(test)]
mod tests;
