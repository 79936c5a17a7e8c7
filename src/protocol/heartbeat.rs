//! Who answers: like a nurse who writes down when each patient was last heard, and calls one well again only after
//! they have been steady for a while.
//!
//! A bank fails by silence, at once when its connection is refused or closed, and when events wait for its durable
//! clock and that stands still. One that was lost must answer without a break for a while before it counts again,
//! longer each time, so that a flapping bank does not drag the others along.
//!
//! A bank whose answers come while this bank's requests do not reach it (one port, one direction) cannot work with this
//! one: it counts as failed too, until a probe reaches it.
//!
//! Time is what this bank was awake for: after it has itself been stopped for a while, it blames nobody for silence.

use std::fmt;

use super::effect::{Effect, HeartbeatInput, Millis, PeerInput, PeerReport, ViewInput};
use super::ids::{BankId, BankSet};
use super::view::ViewMessage;

/// Longest time between two looks at the clock that counts; what is longer, this bank slept through.
pub const AWAKE_GAP_MAX_MS: Millis = 500;
/// How long a bank must be up before its earlier losses are forgotten, in milliseconds.
pub const FLAPS_FORGOTTEN_AFTER_MS: Millis = 60_000;
/// How often it is tried whether requests reach a peer again, in milliseconds.
pub const PROBE_EVERY_MS: Millis = 500;
/// Most doublings of the time that a return is watched.
pub const FLAPS_MAX: u32 = 4;

/// When a silence is a failure and how long a return is watched, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Silence that means failure.
    pub failure_after: Millis,
    /// Steady answers needed after a first failure; doubles with each further one.
    pub rejoin_after: Millis,
}

/// What is known of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// It answers.
    Up,
    /// It answers again, but not for long enough yet.
    Returning,
    /// It has not been heard at all.
    #[default]
    Unheard,
    /// It does not answer any more.
    Down(Cause),
}

/// Why a peer counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Silence for so many milliseconds.
    Silent(Millis),
    /// Its connection was refused or has ended.
    Lost,
    /// Its durable clock stands still while events wait for it.
    Standing,
    /// It answers, and takes part in another view or none.
    Elsewhere,
    /// Its copy of the ledger differs.
    Diverged,
    /// Other members do not hear it.
    Unheard,
    /// It answers, but requests of this bank do not reach it.
    Unreached,
}

impl fmt::Display for PeerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerState::Up => f.write_str("responde"),
            PeerState::Returning => f.write_str("voltou a responder, em observação"),
            PeerState::Unheard => f.write_str("ainda não ouvido"),
            PeerState::Down(cause) => cause.fmt(f),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Silent(millis) => write!(f, "sem resposta há {} s", millis / 1_000),
            Cause::Lost => f.write_str("conexão encerrada ou recusada"),
            Cause::Standing => f.write_str("relógio durável parado"),
            Cause::Elsewhere => f.write_str("recomeçou ou está em outra visão"),
            Cause::Diverged => f.write_str("cópia divergente"),
            Cause::Unheard => f.write_str("outros bancos não o ouvem"),
            Cause::Unreached => f.write_str("responde, mas os pedidos deste banco não chegam a ele"),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Observation {
    last_heard: Option<Millis>,
    /// Since when it has answered without a break.
    steady_since: Option<Millis>,
    /// Since when it has been up.
    up_since: Option<Millis>,
    /// Why it was lost: then its return is watched.
    lost: Option<Cause>,
    /// How often it was lost lately.
    flaps: u32,
    report: Option<PeerReport>,
    /// Since when, and how often in succession, no request has reached it.
    unreached: Option<(Millis, u32)>,
    /// When that was last tried.
    probed: Option<Millis>,
}

/// The heartbeats of all peers.
#[derive(Debug)]
pub struct Heartbeat {
    patience: Patience,
    peers: Vec<Observation>,
    /// Milliseconds that this bank was awake for.
    awake: Millis,
    last_look: Millis,
}

impl Heartbeat {
    /// Nothing heard of anyone yet.
    #[must_use]
    pub fn new(banks: usize, patience: Patience) -> Self {
        assert!(patience.failure_after > 0, "a bank that fails at once never answers");
        Heartbeat { patience, peers: vec![Observation::default(); banks], awake: 0, last_look: 0 }
    }

    /// Takes one input; see [`HeartbeatInput`]. Tells the view what is known of each peer that it concerns.
    pub fn handle(&mut self, input: HeartbeatInput, now: Millis, out: &mut Vec<Effect>) {
        self.awake += now.saturating_sub(self.last_look).min(AWAKE_GAP_MAX_MS);
        self.last_look = now;
        match input {
            HeartbeatInput::Heard(bank, report, _) => {
                self.heard(bank, report);
                self.tell(bank, out);
            }
            HeartbeatInput::Lost(bank) => {
                self.lose(bank, Cause::Lost);
                self.tell(bank, out);
            }
            HeartbeatInput::Standing { bank, others } if self.should_move(bank, others) => {
                self.lose(bank, Cause::Standing);
                self.tell(bank, out);
            }
            HeartbeatInput::Standing { .. } | HeartbeatInput::OwnClock { .. } => {}
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

    /// What is known of a peer now.
    #[must_use]
    pub fn state(&self, peer: BankId) -> PeerState {
        let seen = &self.peers[peer.index()];
        let Some(last) = seen.last_heard else { return PeerState::Unheard };
        let silence = self.awake.saturating_sub(last);
        match (seen.steady_since, seen.lost) {
            (None, cause) => PeerState::Down(cause.unwrap_or(Cause::Lost)),
            (Some(_), _) if silence >= self.patience.failure_after => PeerState::Down(Cause::Silent(silence)),
            _ if self.is_unreached(seen) => PeerState::Down(Cause::Unreached),
            (Some(since), Some(_)) if self.awake - since < self.watch(seen) => PeerState::Returning,
            (Some(_), _) => PeerState::Up,
        }
    }

    /// Whether it is a peer's own fault that its clock stands still. One that takes part in no view has none to move: the
    /// view knows that it is elsewhere, and must hear it to agree with it on the next. One that was away stood still as a
    /// matter of course until the view has changed; were it blamed for that, it could never return. And while any other member is
    /// away or elsewhere, it may lack an event that only that one could have sent it: the view has to change anyway.
    fn should_move(&self, peer: BankId, others: BankSet) -> bool {
        let view = |bank: BankId| self.peers[bank.index()].report.and_then(|report| report.active);
        let is_here = |bank: BankId| self.state(bank) == PeerState::Up && view(bank) == view(peer);
        let all_here = others.iter().all(is_here);
        let seen = &self.peers[peer.index()];
        let takes_part = seen.report.is_some_and(|report| report.active.is_some());
        let up_since = seen.up_since.filter(|_| takes_part && self.state(peer) == PeerState::Up);
        all_here && up_since.is_some_and(|since| self.awake - since >= self.patience.failure_after)
    }

    /// Whether requests have failed for long enough, and not only one that was lost.
    fn is_unreached(&self, seen: &Observation) -> bool {
        let long = |(since, failures): (Millis, u32)| failures > 1 && self.awake - since >= self.patience.failure_after;
        seen.unreached.is_some_and(long)
    }

    fn not_reached(&mut self, peer: BankId, waited: Millis) {
        let is_gone = matches!(self.state(peer), PeerState::Unheard | PeerState::Down(_));
        let since = self.awake.saturating_sub(waited);
        let is_unreached = self.is_unreached(&self.peers[peer.index()]);
        let seen = &mut self.peers[peer.index()];
        if is_gone && !is_unreached {
            // Of course not: nobody is there.
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
        self.patience.rejoin_after << seen.flaps.saturating_sub(1).min(FLAPS_MAX)
    }

    fn heard(&mut self, peer: BankId, report: PeerReport) {
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
        if self.state(peer) == PeerState::Up {
            let seen = &mut self.peers[peer.index()];
            seen.lost = None;
            seen.up_since.get_or_insert(awake);
            if seen.steady_since.is_some_and(|since| awake - since >= FLAPS_FORGOTTEN_AFTER_MS) {
                seen.flaps = 0;
            }
        }
    }

    fn lose(&mut self, peer: BankId, cause: Cause) {
        let was_up = self.state(peer) == PeerState::Up;
        let seen = &mut self.peers[peer.index()];
        seen.report = None;
        // Only who had been heard before can have been lost: a first start waits for nobody.
        if seen.last_heard.is_some() {
            seen.flaps += u32::from(was_up);
            seen.lost = Some(seen.lost.filter(|_| !was_up).unwrap_or(cause));
            seen.steady_since = None;
            seen.up_since = None;
        }
    }

    fn look(&mut self, out: &mut Vec<Effect>) {
        for bank in BankId::all(self.peers.len()) {
            if matches!(self.state(bank), PeerState::Down(Cause::Silent(_) | Cause::Unreached)) {
                self.tell(bank, out);
            }
            self.probe(bank, out);
        }
    }

    /// Tries whether requests arrive: now and then, so that it is known before somebody needs it, and often while they
    /// do not.
    fn probe(&mut self, bank: BankId, out: &mut Vec<Effect>) {
        let answers = matches!(self.state(bank), PeerState::Up | PeerState::Returning);
        let seen = &mut self.peers[bank.index()];
        let every = if seen.unreached.is_some() { PROBE_EVERY_MS } else { self.patience.failure_after };
        let is_due = seen.probed.is_none_or(|before| self.awake - before >= every);
        if is_due && (answers || seen.unreached.is_some()) {
            seen.probed = Some(self.awake);
            out.push(Effect::Peer(bank, PeerInput::View(ViewMessage::Probe)));
        }
    }

    fn tell(&self, bank: BankId, out: &mut Vec<Effect>) {
        let state = self.state(bank);
        let report = self.peers[bank.index()].report.filter(|_| matches!(state, PeerState::Up | PeerState::Returning));
        out.push(Effect::View(ViewInput::Peer { bank, state, report }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::effect::Answered;
    use crate::protocol::ids::Ballot;

    const PEER: BankId = BankId(1);

    /// A heartbeat that looks at the clock every 100 ms.
    struct Watched {
        heartbeat: Heartbeat,
        now: Millis,
    }

    impl Watched {
        fn new() -> Self {
            let patience = Patience { failure_after: 5_000, rejoin_after: 5_000 };
            Watched { heartbeat: Heartbeat::new(3, patience), now: 0 }
        }

        fn give(&mut self, input: HeartbeatInput) -> PeerState {
            self.heartbeat.handle(input, self.now, &mut Vec::new());
            self.heartbeat.state(PEER)
        }

        fn hear(&mut self) -> PeerState {
            let active = Some(Ballot { round: 1, coordinator: PEER });
            self.give(heard(PEER, PeerReport { active, ..PeerReport::default() }))
        }

        fn lose(&mut self) -> PeerState {
            self.give(HeartbeatInput::Lost(PEER))
        }

        /// Lets time pass; the peer answers every second if it is there.
        fn pass(&mut self, millis: Millis, peer_answers: bool) -> PeerState {
            for _ in 0..millis / 100 {
                self.now += 100;
                self.give(HeartbeatInput::Tick);
                if peer_answers && self.now.is_multiple_of(1_000) {
                    self.hear();
                }
            }
            self.heartbeat.state(PEER)
        }
    }

    fn heard(peer: BankId, report: PeerReport) -> HeartbeatInput {
        HeartbeatInput::Heard(peer, report, Answered::default())
    }

    fn standing() -> HeartbeatInput {
        HeartbeatInput::Standing { bank: PEER, others: BankSet::default() }
    }

    #[test]
    fn a_first_answer_counts_at_once() {
        let mut watched = Watched::new();
        assert_eq!(watched.pass(100, false), PeerState::Unheard);
        assert_eq!(watched.hear(), PeerState::Up);
    }

    #[test]
    fn five_seconds_of_silence_are_a_failure_and_its_cause_says_so() {
        let mut watched = Watched::new();
        watched.hear();
        assert_eq!(watched.pass(4_900, false), PeerState::Up);
        let state = watched.pass(100, false);
        assert_eq!(state, PeerState::Down(Cause::Silent(5_000)));
        assert_eq!(Cause::Silent(5_000).to_string(), "sem resposta há 5 s");
    }

    #[test]
    fn a_refused_connection_is_a_failure_at_once_and_the_return_is_watched() {
        let mut watched = Watched::new();
        watched.hear();
        assert_eq!(watched.lose(), PeerState::Down(Cause::Lost));
        assert_eq!(watched.pass(5_900, true), PeerState::Returning, "answers since 1 s");
        assert_eq!(watched.pass(100, true), PeerState::Up);
    }

    #[test]
    fn a_break_while_returning_starts_the_watch_again() {
        let mut watched = Watched::new();
        watched.hear();
        watched.pass(20_000, false);
        watched.hear();
        watched.pass(4_000, true);
        watched.lose();
        watched.hear();
        assert_eq!(watched.pass(4_900, true), PeerState::Returning);
    }

    #[test]
    fn the_watch_is_longer_each_time_a_bank_flaps_and_short_again_after_a_quiet_minute() {
        let mut watched = Watched::new();
        watched.hear();
        let return_takes = |watched: &mut Watched| {
            watched.lose();
            watched.hear();
            let start = watched.now;
            while watched.pass(100, true) != PeerState::Up {}
            (watched.now - start) / 1_000
        };
        let takes: Vec<_> = (0..4).map(|_| return_takes(&mut watched)).collect();
        assert_eq!(takes, [5, 10, 20, 40]);
        watched.pass(FLAPS_FORGOTTEN_AFTER_MS + 1_000, true);
        assert_eq!(return_takes(&mut watched), 5);
    }

    #[test]
    fn who_was_refused_before_ever_being_heard_was_not_lost() {
        let mut watched = Watched::new();
        assert_eq!(watched.lose(), PeerState::Unheard);
        assert_eq!(watched.hear(), PeerState::Up);
    }

    #[test]
    fn a_bank_that_was_itself_stopped_blames_nobody_for_the_silence() {
        let mut watched = Watched::new();
        watched.hear();
        watched.now += 20_000;
        assert_eq!(watched.give(HeartbeatInput::Tick), PeerState::Up);
    }

    #[test]
    fn a_standing_clock_is_a_failure_although_the_bank_answers() {
        let mut watched = Watched::new();
        watched.hear();
        watched.pass(5_000, true);
        assert_eq!(watched.give(standing()), PeerState::Down(Cause::Standing));
        assert_eq!(watched.hear(), PeerState::Returning);
    }

    #[test]
    fn a_clock_that_stands_still_while_another_member_is_away_or_elsewhere_is_nobodys_fault() {
        let mut watched = Watched::new();
        watched.hear();
        watched.pass(5_000, true);
        let others = BankSet::default().with(BankId(2));
        assert_eq!(watched.give(HeartbeatInput::Standing { bank: PEER, others }), PeerState::Up);
        watched.give(heard(BankId(2), PeerReport::default()));
        assert_eq!(watched.give(HeartbeatInput::Standing { bank: PEER, others }), PeerState::Up, "it is elsewhere");
        let active = Some(Ballot { round: 1, coordinator: PEER });
        watched.give(heard(BankId(2), PeerReport { active, ..PeerReport::default() }));
        assert_eq!(watched.give(HeartbeatInput::Standing { bank: PEER, others }), PeerState::Down(Cause::Standing));
    }

    #[test]
    fn who_takes_part_in_no_view_has_no_clock_that_could_stand_still() {
        let mut watched = Watched::new();
        watched.hear();
        watched.pass(5_000, true);
        watched.give(heard(PEER, PeerReport::default()));
        assert_eq!(watched.give(standing()), PeerState::Up);
    }

    #[test]
    fn a_bank_that_returns_is_not_blamed_for_having_stood_still_while_it_was_away() {
        let mut watched = Watched::new();
        watched.hear();
        watched.pass(5_000, true);
        watched.lose();
        watched.hear();
        assert_eq!(watched.pass(4_500, true), PeerState::Returning);
        assert_eq!(watched.give(standing()), PeerState::Returning);
        assert_eq!(watched.pass(500, true), PeerState::Up);
        watched.pass(4_500, true);
        assert_eq!(watched.give(standing()), PeerState::Up, "it was away for a part of that");
        watched.pass(500, true);
        assert_eq!(watched.give(standing()), PeerState::Down(Cause::Standing));
    }

    fn requests(arrive: bool) -> HeartbeatInput {
        HeartbeatInput::Requests { bank: PEER, arrive, waited: 3_000 }
    }

    #[test]
    fn a_bank_that_answers_and_is_not_reached_by_requests_has_failed_until_one_reaches_it_and_is_then_watched() {
        let mut watched = Watched::new();
        watched.hear();
        watched.pass(10_000, true);
        assert_eq!(watched.give(requests(false)), PeerState::Up);
        assert_eq!(watched.pass(4_000, true), PeerState::Up, "one request may be lost");
        assert_eq!(watched.give(requests(false)), PeerState::Down(Cause::Unreached));
        assert_eq!(watched.pass(20_000, true), PeerState::Down(Cause::Unreached));
        assert_eq!(watched.give(requests(true)), PeerState::Returning);
        assert_eq!(watched.pass(4_000, true), PeerState::Returning);
        assert_eq!(watched.pass(2_000, true), PeerState::Up);
    }

    #[test]
    fn what_fails_while_a_bank_is_gone_is_not_held_against_it_when_it_returns() {
        let mut watched = Watched::new();
        watched.hear();
        watched.lose();
        watched.give(requests(false));
        watched.give(requests(false));
        watched.pass(20_000, false);
        watched.hear();
        assert_eq!(watched.pass(6_000, true), PeerState::Up);
    }

    #[test]
    fn while_requests_fail_it_is_tried_again_and_again() {
        let mut watched = Watched::new();
        watched.hear();
        watched.give(requests(false));
        let mut out = Vec::new();
        for _ in 0..20 {
            watched.now += 100;
            watched.heartbeat.handle(HeartbeatInput::Tick, watched.now, &mut out);
        }
        let probe = |effect: &&Effect| matches!(effect, Effect::Peer(PEER, PeerInput::View(ViewMessage::Probe)));
        assert_eq!(out.iter().filter(probe).count(), 4, "two seconds");
        watched.give(requests(true));
        out.clear();
        for tick in 0..100 {
            watched.now += 100;
            watched.heartbeat.handle(HeartbeatInput::Tick, watched.now, &mut out);
            if tick % 10 == 0 {
                watched.hear();
            }
        }
        assert_eq!(out.iter().filter(probe).count(), 2, "ten seconds, while all is well");
    }
}
