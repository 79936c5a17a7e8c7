//! The vector clock's own logic: it stamps what customers ask for.
//!
//! One event carries all requests that have queued up since the last one, so the batch grows by
//! itself under load. The clock hears of other banks' events before they are acknowledged: after
//! its acknowledgement of `e`, a bank sends only events with a larger sum than `e`'s, and that is
//! what stability rests on (see `ordered_buffer`).
//!
//! For an event that is under way when a view ends, the next view may decide that it never existed.
//! Its requests are then stamped anew in that view, before all others and in their order, under
//! another name.

use std::collections::VecDeque;
use std::sync::Arc;

use super::companions::Companions;
use super::consortium_time;
use super::effect::{BufferInput, ClockInput, Effect};
use super::event::{Event, REQUESTS_PER_EVENT_MAX};
use super::notice::Notice;
use super::reply::{NotTaken, Reply};
use super::rounds::Rounds;
use super::time::Millis;
use super::vector_clock::VectorClock;
use super::view::turn::{Installed, Reach};
use crate::ids::request::{Header, RawRequest};
use crate::ids::signature::Signer;
use crate::ids::{Ballot, BankId, BankSet};

/// The most own events that may be stamped but not yet executed everywhere. This bounds how much
/// any bank has to keep for another.
pub(crate) const EVENTS_UNDER_WAY_MAX: u64 = 8;
/// How many requests must be waiting before a further event leaves while one is in flight; if there
/// are fewer, they wait until it is answered and share the next, together with those that were
/// answered ([`Companions`]). As with Nagle's algorithm, a lone request never waits and many small
/// events become a few full ones: every event costs each bank an fsync and some messages, whatever
/// it carries. Where members are far apart, what waits leaves earlier ([`Rounds`]).
pub(crate) const WORTH_A_FURTHER_EVENT: usize = 64;
/// Where customers who were answered do not ask again, and while no more requests than this wait or
/// are in flight, a further event leaves once the last is stable and as many wait as are in flight.
pub(crate) const FEW_REQUESTS: usize = 8;
/// The most requests that wait to be stamped; more are refused as overload.
pub(crate) const QUEUE_MAX: usize = 10_000;
/// The most bytes of requests in one event, unless a single request is larger.
pub(crate) const EVENT_BYTES_MAX: usize = 256 * 1024;
/// The longest that a request waits for its stamp, in milliseconds; after that it is answered 'not
/// taken'.
pub(crate) const STAMP_WAIT_MS: Millis = 2_000;
/// For how long after its first stamp a request whose event never existed may be stamped anew, in
/// milliseconds. Its customer waits ten seconds in all, at most two of them before the stamp.
pub(crate) const STAMPED_AGAIN_WITHIN_MS: Millis = 8_000;
/// For how long own events may be under way without any being agreed on before the bank calls
/// itself not ready, in milliseconds.
pub(crate) const STALLED_AFTER_MS: Millis = 2_000;

/// How long after a signature failed the next is tried, in milliseconds.
pub(crate) const SIGN_AGAIN_MS: Millis = 100;

/// By how much consortium time may step back, in milliseconds, before stamps follow it back. A new
/// estimate may be a little lower than the last, and then the date of the last stamp is kept; one
/// that is lower by more than this is a correction.
const STEP_BACK_MAX_MS: i64 = 60_000;

/// Stamps this bank's events.
#[derive(Debug)]
pub struct Clock {
    me: BankId,
    clock: VectorClock,
    /// The view in force; `None` while frozen.
    view: Option<Ballot>,
    /// Its members.
    members: BankSet,
    /// The base of consortium time and whose clocks it rests on.
    time: Option<(i64, BankSet)>,
    /// Consortium time of the last stamp.
    stamped_ms: i64,
    /// Whether operations need no named customer here.
    open: bool,
    /// Signs what is stamped, where banks have certificates.
    signer: Option<Box<dyn Signer>>,
    /// When it tries to sign again; zero unless that has failed.
    signs_again_at: Millis,
    /// Whether its members answer; anything stamped while they do not would wait for them.
    reach: Reach,
    draining: bool,
    /// The own counter up to which all members have executed and agree.
    agreed: u64,
    /// The own counter up to which events are stable: every member has them on disk.
    stable: u64,
    /// Own events of the last view that was in force here, stamped and not known to be agreed on.
    under_way: VecDeque<(Millis, Arc<Event>)>,
    queue: VecDeque<Waiting>,
    /// Whom the next event waits for.
    companions: Companions,
    /// How long its events take.
    rounds: Rounds,
    /// When an own event was last agreed on, or left while none was under way.
    moved_at: Millis,
    is_stalled: bool,
}

/// A request that waits for its stamp.
#[derive(Debug)]
struct Waiting {
    deadline: Millis,
    request: RawRequest,
    /// Whether it was stamped before, in an event that never existed.
    again: bool,
}

impl Clock {
    /// A clock that waits for its first view.
    #[must_use]
    pub fn new(me: BankId, banks: usize) -> Self {
        Clock {
            me,
            clock: VectorClock::zero(banks),
            view: None,
            members: BankSet::default(),
            time: None,
            stamped_ms: 0,
            open: false,
            signer: None,
            signs_again_at: 0,
            reach: Reach::Minority,
            draining: false,
            agreed: 0,
            stable: 0,
            under_way: VecDeque::new(),
            queue: VecDeque::new(),
            companions: Companions::default(),
            rounds: Rounds::default(),
            moved_at: 0,
            is_stalled: false,
        }
    }

    /// A clock of a bank that takes operations without a named customer, if `open`.
    #[must_use]
    pub(crate) fn with_open_customers(self, open: bool) -> Self {
        Clock { open, ..self }
    }

    /// A clock whose events are signed, if there is a signer.
    #[must_use]
    pub fn with_signer(self, signer: Option<Box<dyn Signer>>) -> Self {
        Clock { signer, ..self }
    }

    /// Whether own events are under way and none of them makes progress.
    #[must_use]
    pub(crate) fn is_stalled(&self) -> bool {
        self.is_stalled
    }

    /// The clock as it stands.
    #[must_use]
    pub fn now(&self) -> &VectorClock {
        &self.clock
    }

    /// How many requests wait to be stamped.
    #[must_use]
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Takes one input; see [`ClockInput`].
    pub fn handle(&mut self, input: ClockInput, now: Millis, out: &mut Vec<Effect>) {
        match input {
            ClockInput::Submit(request) => self.submit(request, now, out),
            ClockInput::Held { view, clock } if self.view == Some(view) => {
                if !self.clock.covers(&clock) {
                    self.rounds.other(now);
                }
                self.clock.merge(&clock);
                out.push(Effect::Buffer(BufferInput::Merged(clock)));
            }
            ClockInput::Held { .. } => {}
            ClockInput::Agreed(counter) => {
                self.agreed = self.agreed.max(counter);
                let mut answered = 0;
                while self.under_way.front().is_some_and(|(_, event)| event.counter() <= counter) {
                    let Some((stamped_at, event)) = self.under_way.pop_front() else { break };
                    answered += event.requests.len();
                    self.rounds.add(now.saturating_sub(stamped_at));
                }
                if !self.is_under_way() {
                    let expected = (self.queue.len() + answered).min(WORTH_A_FURTHER_EVENT);
                    self.companions.expect(expected);
                }
                self.moved_at = now;
            }
            ClockInput::Stable(counter) => self.stable = self.stable.max(counter),
            ClockInput::Freeze(ballot) => {
                self.view = None;
                out.push(Effect::Buffer(BufferInput::Freeze(ballot)));
            }
            ClockInput::Install(installed) => {
                self.moved_at = now;
                self.install(installed, now, out);
            }
            ClockInput::Reach(reach) => {
                self.reach = reach;
                if let Some(why) = self.why_hopeless() {
                    self.refuse_all(why, out);
                }
            }
            ClockInput::Time { base_ms, known } => self.time = Some((base_ms, known)),
            ClockInput::Drain => {
                self.draining = true;
                self.refuse_all(NotTaken::Stopping, out);
            }
            ClockInput::Tick => self.refuse_overdue(now, out),
        }
        self.stamp(now, out);
        self.find_stand_still(now, out);
    }

    fn find_stand_still(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let still = now.saturating_sub(self.moved_at);
        let is_stalled = self.is_under_way() && still >= STALLED_AFTER_MS;
        if std::mem::replace(&mut self.is_stalled, is_stalled) != is_stalled {
            out.push(Effect::Notice(if is_stalled {
                Notice::Stalled(still)
            } else {
                Notice::GoesForward
            }));
        }
    }

    fn is_under_way(&self) -> bool {
        self.view.is_some() && self.clock.get(self.me) > self.agreed
    }

    fn submit(&mut self, request: RawRequest, now: Millis, out: &mut Vec<Effect>) {
        if self.draining {
            out.push(Effect::Reply(request.id, Reply::NotTaken(NotTaken::Stopping)));
        } else if let Some(why) = self.why_hopeless() {
            out.push(Effect::Reply(request.id, Reply::NotTaken(why)));
        } else if self.queue.len() >= QUEUE_MAX {
            out.push(Effect::Reply(request.id, Reply::NotTaken(NotTaken::Overloaded)));
        } else {
            self.queue.push_back(Waiting { deadline: now + STAMP_WAIT_MS, request, again: false });
        }
    }

    /// Why no request need wait for a view: none that includes this bank is about to begin.
    fn why_hopeless(&self) -> Option<NotTaken> {
        match self.reach {
            Reach::Members | Reach::Majority => None,
            Reach::Outside => Some(NotTaken::Outside),
            Reach::Minority => Some(NotTaken::CutOff),
        }
    }

    fn install(&mut self, installed: Installed, now: Millis, out: &mut Vec<Effect>) {
        self.put_back(&installed, now, out);
        self.rounds.forget();
        self.clock = installed.plan.clock.clone();
        self.agreed = self.clock.get(self.me);
        self.stable = self.agreed;
        self.view = Some(installed.plan.ballot);
        self.members = installed.plan.members;
        out.push(Effect::Buffer(BufferInput::Install(installed)));
        if self.draining {
            self.refuse_all(NotTaken::Stopping, out);
        } else if self.reach == Reach::Minority {
            self.refuse_all(NotTaken::CutOff, out);
        }
    }

    /// Puts the requests of own events that never existed at the head of the queue. Requests that
    /// were executed, or will be by the flush, are answered by the checks; nobody can tell what a
    /// snapshot may hold. Where the customer has given up waiting, and may have done without or
    /// asked again without a key, nothing is done any more.
    fn put_back(&mut self, installed: &Installed, now: Millis, out: &mut Vec<Effect>) {
        let Installed { flush, fates, .. } = installed;
        let under_way = std::mem::take(&mut self.under_way);
        if fates.unknown {
            return;
        }
        let exists =
            |key| fates.has_executed(key) || flush.iter().any(|held| held.event.order_key() == key);
        for (stamped_at, event) in
            under_way.into_iter().rev().filter(|(_, event)| !exists(event.order_key()))
        {
            let somebody_waits = now < stamped_at + STAMPED_AGAIN_WITHIN_MS;
            for request in event.requests.iter().rev().cloned() {
                if somebody_waits {
                    self.queue.push_front(Waiting {
                        deadline: now + STAMP_WAIT_MS,
                        request,
                        again: true,
                    });
                } else {
                    out.push(Effect::Reply(request.id, Reply::NotTaken(NotTaken::CutOff)));
                }
            }
        }
    }

    fn refuse_overdue(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let (is_under_way, moved_at) = (self.is_under_way(), self.moved_at);
        let all_here = self.view.is_some() && self.reach == Reach::Members;
        self.queue.retain(|waiting| {
            let is_overdue = waiting.deadline <= now;
            if is_overdue {
                let nothing_moved = is_under_way && moved_at + STAMP_WAIT_MS <= waiting.deadline;
                let why = match all_here {
                    _ if nothing_moved || self.signs_again_at > 0 => NotTaken::Stalled,
                    // With all members there, waiting this long means more work than the consortium
                    // can do.
                    true => NotTaken::Overloaded,
                    false => NotTaken::CutOff,
                };
                out.push(Effect::Reply(waiting.request.id.clone(), Reply::NotTaken(why)));
            }
            !is_overdue
        });
    }

    fn refuse_all(&mut self, why: NotTaken, out: &mut Vec<Effect>) {
        out.extend(
            self.queue
                .drain(..)
                .map(|waiting| Effect::Reply(waiting.request.id, Reply::NotTaken(why))),
        );
    }

    /// Consortium time, once it rests on the clocks of all members. Each of them has answered a
    /// ping before it counted as a member, but news of that may still be on its way here.
    fn consortium_ms(&self, now: Millis) -> Option<i64> {
        let (base_ms, _) = self.time?;
        let at_ms = consortium_time::at(base_ms, now);
        let is_step_back =
            (at_ms..at_ms.saturating_add(STEP_BACK_MAX_MS)).contains(&self.stamped_ms);
        self.knows_time().then_some(if is_step_back { self.stamped_ms } else { at_ms })
    }

    fn knows_time(&self) -> bool {
        self.time.is_some_and(|(_, known)| self.members.difference(known).is_empty())
    }

    fn stamp(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let Some(view) = self.view.filter(|_| self.reach == Reach::Members) else { return };
        let Some(at_ms) = self.consortium_ms(now) else { return };
        while self.may_stamp(now) {
            if !self.is_under_way() {
                self.moved_at = now;
            }
            let Some(event) = self.next_event(view, at_ms, now) else { break };
            self.clock = event.timestamp.clone();
            self.stamped_ms = at_ms;
            self.under_way.push_back((now, Arc::clone(&event)));
            out.push(Effect::Buffer(BufferInput::Own(event)));
        }
    }

    /// The next event, signed. Where banks sign, one without a signature is taken by nobody and
    /// blocks all later ones: if this bank cannot sign now, its requests go on waiting.
    fn next_event(&mut self, view: Ballot, at_ms: i64, now: Millis) -> Option<Arc<Event>> {
        let (deadline, again) = self.queue.front().map(|first| (first.deadline, first.again))?;
        let requests = self.next_batch();
        let mut timestamp = self.clock.clone();
        timestamp.count(self.me);
        let header = Header { at_ms, open: self.open };
        let event = if again {
            Event::stamp_again(view, self.me, timestamp, requests, header)
        } else {
            Event::stamp(view, self.me, timestamp, requests, header)
        };
        let Some(signer) = &self.signer else { return Some(Arc::new(event)) };
        let signature = signer.sign(event.wire().get(), self.members);
        if signature.is_none() {
            let requests = event.requests.iter().rev().cloned();
            requests.for_each(|request| {
                self.queue.push_front(Waiting { deadline, request, again });
            });
            self.signs_again_at = now + SIGN_AGAIN_MS;
            return None;
        }
        self.signs_again_at = 0;
        Some(Arc::new(event.with_signature(signature)))
    }

    fn may_stamp(&mut self, now: Millis) -> bool {
        if now < self.signs_again_at {
            return false;
        }
        let (own, waiting, in_flight) =
            (self.clock.get(self.me), self.queue.len(), self.in_flight());
        if waiting == 0 || own - self.agreed >= EVENTS_UNDER_WAY_MAX {
            return false;
        }
        if own == self.agreed {
            return self.companions.are_here(waiting, now);
        }
        if self.further_at().is_some_and(|at| at <= now) {
            return true;
        }
        let is_few = own <= self.stable
            && waiting + in_flight <= FEW_REQUESTS
            && !self.companions.are_known();
        waiting >= if is_few { in_flight.max(1) } else { WORTH_A_FURTHER_EVENT }
    }

    /// When to call [`Clock::handle`] with a [`ClockInput::Tick`] although nothing new came, if at
    /// all: requests wait for others that may not come, or until a further event may leave.
    #[must_use]
    pub fn wake_at(&self) -> Option<Millis> {
        let may_stamp = self.view.is_some() && self.reach == Reach::Members && self.knows_time();
        if self.queue.is_empty() || !may_stamp {
            return None;
        }
        let at =
            if self.is_under_way() { self.further_at() } else { self.companions.awaited_until() };
        at.map(|at| at.max(self.signs_again_at))
    }

    /// When a further event may leave whatever is in flight and however few requests wait, because
    /// the members are far apart.
    fn further_at(&self) -> Option<Millis> {
        let is_full = self.clock.get(self.me) - self.agreed >= EVENTS_UNDER_WAY_MAX;
        let (left_at, _) = self.under_way.back().filter(|_| !is_full)?;
        self.rounds.further_at(*left_at)
    }

    /// How many requests are stamped and not known to be agreed on.
    fn in_flight(&self) -> usize {
        self.under_way.iter().map(|(_, event)| event.requests.len()).sum()
    }

    fn next_batch(&mut self) -> Vec<RawRequest> {
        let mut bytes = 0;
        let mut requests = Vec::new();
        while let Some(next) = self.queue.front() {
            bytes += next.request.msg.get().len();
            if !requests.is_empty()
                && (bytes > EVENT_BYTES_MAX || requests.len() == REQUESTS_PER_EVENT_MAX)
            {
                break;
            }
            requests.extend(self.queue.pop_front().map(|waiting| waiting.request));
        }
        requests
    }
}

#[cfg(test)]
mod tests;
