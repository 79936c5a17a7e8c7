//! Who answers: like a nurse who writes down when each patient was last heard, and calls one well
//! again only after they have been steady for a while.
//!
//! A bank fails by silence, at once when its connection is refused or closed, and when it alone
//! keeps the others waiting too often. One that was lost must answer without a break for a while
//! before it counts again, longer each time, so that a flapping bank does not drag the others
//! along. One that was too slow must show no sign of slowness for as long; and as it may be slow
//! only under load, and has no load while it is outside, it comes back on probation: should it keep
//! the others waiting again, it is out after a second, and for twice as long, up to hours.
//!
//! A bank whose answers arrive although this bank's requests do not reach it (say one port or one
//! direction is blocked) cannot work with this one: it too counts as failed, until a probe reaches
//! it.
//!
//! Only time during which this bank was awake counts: after it has itself been stopped for a while,
//! it blames nobody for silence.

use super::effect::{Effect, HeartbeatInput, PeerInput, ViewInput};
use super::health::{Health, Worst};
use super::notice::Notice;
use super::pace::{Pace, PaceNow};
use super::peer_state::{Cause, PeerState};
use super::progress::{Lags, Stage};
use super::report::{Answered, PeerReport};
use super::time::Millis;
use super::view::message::ViewMessage;
use crate::ids::{Ballot, BankId, BankSet, majority};

/// The longest time between two looks at the clock that counts as awake; anything longer this bank
/// slept through.
pub(crate) const AWAKE_GAP_MAX_MS: Millis = 500;
/// How long a bank must at least be up before its earlier losses are forgotten, in milliseconds.
pub(crate) const FLAPS_FORGOTTEN_AFTER_MS: Millis = 60_000;
/// How often this bank probes whether its requests reach a peer again, in milliseconds.
pub(crate) const PROBE_EVERY_MS: Millis = 500;
/// For how long a bank that was too slow must at least keep up before it counts again, in
/// milliseconds.
pub(crate) const SLOW_WATCH_MIN_MS: Millis = 1_000;
/// For how long a bank that was lost more than once lately must at least answer, before any
/// doubling, in milliseconds: otherwise, where [`Patience::rejoin_after`] is zero, one that limps
/// would be let in each time it wakes up.
pub(crate) const FLAP_WATCH_MIN_MS: Millis = 100;
/// The most often that the time for which a return is watched is doubled.
pub(crate) const FLAPS_MAX: u32 = 4;
/// The same for a bank that was too slow: each return costs the others a second, so in the end it
/// is given a try only every few hours.
pub(crate) const SLOW_FLAPS_MAX: u32 = 11;

/// When a silence is a failure and how long a return is watched, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Silence that means failure.
    pub failure_after: Millis,
    /// Steady answers needed after a first failure; doubles with each further one.
    pub rejoin_after: Millis,
    /// For how long a member alone may keep the others waiting before it is counted against it.
    pub slow_after: Millis,
}

#[derive(Clone, Debug, Default)]
struct Observation {
    last_heard: Option<Millis>,
    /// Since when it has answered without a break.
    steady_since: Option<Millis>,
    /// Since when it has been up.
    up_since: Option<Millis>,
    /// Why it was lost; while this is set, its return is watched.
    lost: Option<Cause>,
    /// How often it was lost lately.
    flaps: u32,
    /// For how long its last return was watched.
    watched: Millis,
    /// How many of these times it was too slow; if any, it is on probation while it is up.
    slow_flaps: u32,
    report: Option<PeerReport>,
    /// Since when, and how many times in succession, no request has reached it.
    unreached: Option<(Millis, u32)>,
    /// When that was last tried.
    probed: Option<Millis>,
    pace: Pace,
    /// Whether it has been reported that it is too slow and cannot be left out.
    told_needed: bool,
}

/// The heartbeats of all peers.
#[derive(Debug)]
pub struct Heartbeat {
    me: BankId,
    patience: Patience,
    peers: Vec<Observation>,
    /// Milliseconds that this bank was awake for.
    awake: Millis,
    /// When, on that count, it last woke up.
    woke: Millis,
    last_look: Millis,
    /// This bank's own ill health.
    fsync: Worst,
    slept: Worst,
    behind: Worst,
}

impl Heartbeat {
    /// Nothing heard of anyone yet.
    #[must_use]
    pub fn new(me: BankId, banks: usize, patience: Patience) -> Self {
        assert!(patience.failure_after > 0, "a bank that fails at once never answers");
        let (fsync, slept, behind) = Default::default();
        Heartbeat {
            me,
            patience,
            peers: vec![Observation::default(); banks],
            awake: 0,
            woke: 0,
            last_look: 0,
            fsync,
            slept,
            behind,
        }
    }

    /// Takes one input; see [`HeartbeatInput`]. Tells the view what is known of each peer that the
    /// input concerns.
    pub fn handle(&mut self, input: HeartbeatInput, now: Millis, out: &mut Vec<Effect>) {
        let gap = now.saturating_sub(self.last_look);
        self.awake += gap.min(AWAKE_GAP_MAX_MS);
        if gap > AWAKE_GAP_MAX_MS {
            self.woke = self.awake;
        }
        self.last_look = now;
        self.slept.note(now, gap);
        match input {
            HeartbeatInput::Heard(bank, report, answered) => {
                self.heard(bank, report, answered);
                self.tell(bank, out);
            }
            HeartbeatInput::Lost(bank) => {
                self.lose(bank, Cause::Lost);
                self.tell(bank, out);
            }
            HeartbeatInput::Behind(lags) => self.behind(&lags, out),
            HeartbeatInput::Fsync(millis) => self.fsync.note(now, millis),
            HeartbeatInput::Began(members) => self.begin(members, out),
            HeartbeatInput::OwnClock { .. } => {}
            HeartbeatInput::Requests { bank, arrive, waited } => {
                if arrive {
                    self.reached(bank)
                } else {
                    self.not_reached(bank, waited)
                }
                self.tell(bank, out);
            }
            HeartbeatInput::Tick => self.look(out),
        }
    }

    /// What this bank says of its own health. A bank that has just woken up may be asked before it
    /// has looked at the time.
    #[must_use]
    pub fn health(&self, now: Millis) -> Health {
        let slept_ms = self.slept.get(now).max(now.saturating_sub(self.last_look));
        Health { fsync_ms: self.fsync.get(now), slept_ms, behind_ms: self.behind.get(now) }
    }

    /// How well a bank keeps up, this one included.
    #[must_use]
    pub(crate) fn pace(&self, bank: BankId) -> PaceNow {
        self.peers[bank.index()].pace.now(self.last_look)
    }

    /// What is known of a peer now.
    #[must_use]
    pub fn state(&self, peer: BankId) -> PeerState {
        let seen = &self.peers[peer.index()];
        let Some(last) = seen.last_heard else { return PeerState::Unheard };
        let silence = self.awake.saturating_sub(last);
        match (seen.steady_since, seen.lost) {
            (None, cause) => PeerState::Down(cause.unwrap_or(Cause::Lost)),
            (Some(_), _) if silence >= self.patience.failure_after => {
                PeerState::Down(Cause::Silent { for_ms: silence })
            }
            _ if self.is_unreached(seen) => PeerState::Down(Cause::Unreached),
            // Measured up to its last answer: nobody knows yet how it has been since.
            (Some(since), Some(_)) if last.saturating_sub(since) < self.watch(seen) => {
                PeerState::Returning
            }
            (Some(_), _) => PeerState::Up,
        }
    }

    /// Takes the lags of a view's members at one stage. Both stages tick alike; one of them counts.
    fn behind(&mut self, lags: &Lags, out: &mut Vec<Effect>) {
        for (seen, lag) in self.peers.iter_mut().zip(&lags.behind) {
            seen.pace.behind(lags.stage, *lag);
        }
        if lags.stage == Stage::Durable {
            let (_, own) = self.peers[self.me.index()].pace.worst();
            // In a view that others have left nobody waits for anybody, whatever this bank still
            // counts there.
            let waited = if self.is_to_blame(self.me, lags) { own } else { 0 };
            self.behind.note(self.last_look, waited);
            lags.members.iter().for_each(|bank| self.count(bank, lags, out));
        }
    }

    fn count(&mut self, bank: BankId, lags: &Lags, out: &mut Vec<Effect>) {
        let Patience { slow_after, failure_after, .. } = self.patience;
        let proves = self.is_to_blame(bank, lags);
        let (now, banks) = (self.last_look, self.peers.len());
        let seen = &mut self.peers[bank.index()];
        if let Some(is_slow) = seen.pace.tick(proves, slow_after, now) {
            out.push(Effect::Notice(if is_slow {
                Notice::Slow(
                    bank,
                    seen.pace.now(now),
                    seen.report.map(|report| report.health.fsync_ms),
                )
            } else {
                Notice::KeepsUp(bank)
            }));
        }
        let is_due = proves && seen.pace.is_due(failure_after, seen.slow_flaps > 0);
        if bank == self.me || !is_due {
            seen.told_needed &= is_due;
            return;
        }
        let cause = seen.pace.cause();
        // Where nothing works without it, slow is better than nothing; the debt that it built up
        // meanwhile is no reason to do without it later, as long as it keeps up.
        if lags.members.len() > majority(banks) {
            if seen.pace.is_slow_now() {
                self.lose(bank, cause);
                self.tell(bank, out);
            }
        } else if !std::mem::replace(&mut seen.told_needed, true) {
            out.push(Effect::Notice(Notice::SlowAndNeeded(bank, cause)));
        }
    }

    /// Whether it is a member's own fault that others wait for it. It is not when the member takes
    /// part in no view and so has nothing to do: the view knows that it is elsewhere. Nor while any
    /// other member is away or elsewhere: this one may lack an event that only the other could have
    /// sent it, and the view has to change anyway.
    fn is_to_blame(&self, bank: BankId, lags: &Lags) -> bool {
        let is_here = |bank: BankId| bank == self.me || self.acts_in(bank, lags.view);
        lags.members.contains(bank) && lags.members.iter().all(is_here)
    }

    fn acts_in(&self, bank: BankId, view: Ballot) -> bool {
        let active = self.peers[bank.index()].report.and_then(|report| report.active);
        self.state(bank) == PeerState::Up && active == Some(view)
    }

    /// The members heard each other well enough to begin the view: nobody's return is watched any
    /// more.
    fn begin(&mut self, members: BankSet, out: &mut Vec<Effect>) {
        let awake = self.awake;
        for bank in members.iter().filter(|bank| *bank != self.me) {
            let seen = &mut self.peers[bank.index()];
            if seen.steady_since.is_some() && seen.lost.take().is_some() {
                seen.up_since.get_or_insert(awake);
                self.tell(bank, out);
            }
        }
    }

    /// Whether requests have failed for long enough, and more than a single lost one.
    fn is_unreached(&self, seen: &Observation) -> bool {
        let long = |(since, failures): (Millis, u32)| {
            failures > 1 && self.awake - since >= self.patience.failure_after
        };
        seen.unreached.is_some_and(long)
    }

    fn not_reached(&mut self, peer: BankId, waited: Millis) {
        let is_gone = matches!(self.state(peer), PeerState::Unheard | PeerState::Down(_));
        // Time that this bank slept through does not count here either.
        let since = self.awake.saturating_sub(waited).max(self.woke);
        let is_unreached = self.is_unreached(&self.peers[peer.index()]);
        let seen = &mut self.peers[peer.index()];
        if is_gone && !is_unreached {
            // Naturally it is not reached: nobody is there.
            seen.unreached = None;
        } else {
            let (since, failures) = seen.unreached.unwrap_or((since, 0));
            seen.unreached = Some((since, failures + 1));
        }
    }

    fn reached(&mut self, peer: BankId) {
        let awake = self.awake;
        let was_unreached = self.is_unreached(&self.peers[peer.index()]);
        let seen = &mut self.peers[peer.index()];
        seen.unreached = None;
        if was_unreached && seen.lost.is_none() && seen.steady_since.is_some() {
            seen.lost = Some(Cause::Unreached);
            seen.flaps += 1;
            (seen.steady_since, seen.up_since) = (Some(awake), None);
        }
    }

    /// How long the return of a peer is watched.
    fn watch(&self, seen: &Observation) -> Millis {
        let rejoin_after = self.patience.rejoin_after;
        let least = if seen.flaps > 1 { FLAP_WATCH_MIN_MS } else { 0 };
        match seen.lost {
            Some(Cause::Slow { .. }) => {
                rejoin_after.max(SLOW_WATCH_MIN_MS)
                    << seen.slow_flaps.saturating_sub(1).min(SLOW_FLAPS_MAX)
            }
            _ => rejoin_after.max(least) << seen.flaps.saturating_sub(1).min(FLAPS_MAX),
        }
    }

    fn heard(&mut self, peer: BankId, report: PeerReport, answered: Answered) {
        let silence = match self.state(peer) {
            PeerState::Down(cause) if cause != Cause::Unreached => Some(cause),
            _ => None,
        };
        let awake = self.awake;
        let seen = &mut self.peers[peer.index()];
        if let (Some(cause), Some(_)) = (silence, seen.steady_since) {
            seen.lost = Some(cause);
            seen.flaps += 1;
        }
        if silence.is_some() || seen.steady_since.is_none() {
            seen.steady_since = Some(awake);
            seen.up_since = None;
        }
        seen.last_heard = Some(awake);
        seen.report = Some(report);
        seen.pace.answered(answered.round_trip);
        if matches!(seen.lost, Some(Cause::Slow { .. })) && !self.keeps_up(peer, report, answered) {
            self.peers[peer.index()].steady_since = Some(awake);
        }
        if self.state(peer) == PeerState::Up {
            let watched = self.watch(&self.peers[peer.index()]);
            let seen = &mut self.peers[peer.index()];
            if seen.lost.take().is_some() {
                seen.watched = watched;
            }
            // Longer than the watch that it passed last.
            let forgotten_after = FLAPS_FORGOTTEN_AFTER_MS.max(2 * seen.watched);
            if awake - *seen.up_since.get_or_insert(awake) >= forgotten_after {
                (seen.flaps, seen.slow_flaps, seen.watched) = (0, 0, 0);
            }
        }
    }

    /// Whether a bank that was too slow shows no sign of slowness: distance is not one.
    fn keeps_up(&self, peer: BankId, report: PeerReport, answered: Answered) -> bool {
        let slow_after = self.patience.slow_after;
        let distance = self.peers[peer.index()].pace.distance(slow_after);
        report.health.is_below(slow_after) && answered.round_trip < slow_after + distance
    }

    fn lose(&mut self, peer: BankId, cause: Cause) {
        let before = self.state(peer);
        // Its silence may have been noticed first and its connection given up later: that is one
        // loss, not two.
        let was_up = before == PeerState::Up
            || (matches!(before, PeerState::Down(Cause::Silent { .. }))
                && self.peers[peer.index()].lost.is_none());
        let seen = &mut self.peers[peer.index()];
        seen.report = None;
        seen.pace.forget();
        seen.told_needed = false;
        // Only a bank that had been heard before can have been lost: a first start waits for
        // nobody.
        if seen.last_heard.is_some() {
            seen.flaps += u32::from(was_up);
            seen.slow_flaps += u32::from(was_up && cause.is_slow());
            seen.lost = Some(seen.lost.filter(|_| !was_up).unwrap_or(cause));
            seen.steady_since = None;
            seen.up_since = None;
        }
    }

    fn look(&mut self, out: &mut Vec<Effect>) {
        for bank in BankId::all(self.peers.len()) {
            if matches!(self.state(bank), PeerState::Down(Cause::Silent { .. } | Cause::Unreached))
            {
                self.tell(bank, out);
            }
            self.probe(bank, out);
        }
    }

    /// Probes whether requests arrive: now and then, so that the answer is known before somebody
    /// needs it, and often while they do not.
    fn probe(&mut self, bank: BankId, out: &mut Vec<Effect>) {
        let answers = matches!(self.state(bank), PeerState::Up | PeerState::Returning);
        let seen = &mut self.peers[bank.index()];
        let every =
            if seen.unreached.is_some() { PROBE_EVERY_MS } else { self.patience.failure_after };
        let is_due = seen.probed.is_none_or(|before| self.awake - before >= every);
        if is_due && (answers || seen.unreached.is_some()) {
            seen.probed = Some(self.awake);
            out.push(Effect::Peer(bank, PeerInput::View(ViewMessage::Probe)));
        }
    }

    fn tell(&self, bank: BankId, out: &mut Vec<Effect>) {
        let state = self.state(bank);
        let report = self.peers[bank.index()]
            .report
            .filter(|_| matches!(state, PeerState::Up | PeerState::Returning));
        out.push(Effect::View(ViewInput::Peer { bank, state, report }));
    }
}

#[cfg(test)]
mod tests;
