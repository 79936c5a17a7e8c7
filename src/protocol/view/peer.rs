//! What is known of another bank.

use super::ticks::{Ticks, count, count_down};
use crate::protocol::peer_state::{Cause, PeerState};
use crate::protocol::report::PeerReport;

/// How long a member may report another view before it counts as away: its report may be older than
/// the view.
const DOUBT: Ticks = 30;
/// How long the members may take to agree on who of them is too slow.
const SLOW_AGREED_WITHIN: Ticks = 60;
/// For how long a bank's wish to join counts.
const JOIN_COUNTS: Ticks = 30;
/// For how long a bank that was waited for in vain takes part only if it is needed; doubles each
/// time, up to `BARS_MAX` times.
const BAR_FIRST: Ticks = 30;
const BARS_MAX: u16 = 5;
/// For how long nothing is done together with a bank that passed on a forged event: a minute.
const DISTRUST: Ticks = 600;

/// What is known of a bank as a member of the view in force, or of the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum MemberStatus {
    #[default]
    Here,
    /// Has been reporting another view for this many ticks.
    Doubtful(Ticks),
    Away(Cause),
}

/// What the heartbeat, the other members and the bank itself say of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Peer {
    pub(super) state: PeerState,
    pub(super) report: Option<PeerReport>,
    /// The highest round that it named other than in a report that counts; 0 if there is none.
    pub(super) named: u64,
    pub(super) status: MemberStatus,
    /// Whether most members say that its copy of the ledger differs.
    pub(super) diverged: bool,
    /// For how many more ticks its wish to join counts.
    joining: Ticks,
    /// For how many more ticks it takes part only if it is needed: others waited for it in vain.
    barred: Ticks,
    /// How often that happened in succession.
    pub(super) bars: u16,
    /// For how many more ticks it takes part in nothing: it passed on what it must have forged.
    distrusted: Ticks,
    /// For how many ticks it has been too slow in the view in force.
    slow: Ticks,
    /// Whether it was heard when the view in force began, and has not been lost since: then it does
    /// not matter whether its return is still watched.
    trusted: bool,
}

impl Peer {
    /// Takes what the heartbeat says; returns the state before.
    pub(super) fn hear(&mut self, state: PeerState, report: Option<PeerReport>) -> PeerState {
        let before = std::mem::replace(&mut self.state, state);
        self.report = report;
        if matches!(state, PeerState::Down(_)) {
            // Whatever was known about the bank, it starts afresh.
            self.diverged = false;
            self.joining = 0;
            self.named = 0;
        }
        self.trusted &= self.answers();
        before
    }

    /// Whether it answers, even if its return is still watched.
    pub(super) fn answers(&self) -> bool {
        matches!(self.state, PeerState::Up | PeerState::Returning)
    }

    /// Whether it answers, and its return is not watched or need not be.
    pub(super) fn is_steady(&self) -> bool {
        self.state == PeerState::Up || (self.answers() && self.trusted)
    }

    pub(super) fn has_left(&self) -> bool {
        matches!(self.status, MemberStatus::Away(_))
    }

    /// It does not count as heard. The reason it was lost for is kept until it counts again.
    pub(super) fn is_not_heard(&mut self) {
        match (self.state, self.status) {
            (PeerState::Down(cause), _) => {
                self.slow = u16::from(matches!(cause, Cause::Slow { .. }));
                self.status = MemberStatus::Away(cause);
            }
            (_, MemberStatus::Away(_)) => {}
            _ => self.status = MemberStatus::Away(Cause::Elsewhere),
        }
    }

    /// Why it is not a member any more, as far as is known.
    pub(super) fn why_it_left(&self) -> Option<Cause> {
        match (self.state, self.status) {
            (_, MemberStatus::Away(cause)) | (PeerState::Down(cause), _) => Some(cause),
            _ => None,
        }
    }

    /// Whether the members are still finding out that it is too slow.
    pub(super) fn is_being_found_slow(&self) -> bool {
        (1..=SLOW_AGREED_WITHIN).contains(&self.slow)
    }

    /// A view begins, of which it is a member or not.
    pub(super) fn begin(&mut self, is_member: bool) {
        self.trusted = is_member && self.answers();
    }

    pub(super) fn wants_to_join(&mut self) {
        self.joining = JOIN_COUNTS;
    }

    pub(super) fn has_asked_to_join(&self) -> bool {
        self.joining > 0
    }

    /// Whether it is to be let in.
    pub(super) fn may_join(&self) -> bool {
        self.has_asked_to_join() && !self.is_barred()
    }

    pub(super) fn is_barred(&self) -> bool {
        self.barred > 0
    }

    /// It was waited for in vain once more.
    pub(super) fn bar(&mut self) {
        if !self.is_barred() {
            self.barred = BAR_FIRST << self.bars.min(BARS_MAX);
            self.bars = (self.bars + 1).min(BARS_MAX);
        }
    }

    /// It passed on an event that the event's sender has not signed. No honest bank holds such a
    /// one; but this bank may lack an authority that the others know, so it is not for long.
    pub(super) fn distrust(&mut self) {
        self.distrusted = DISTRUST;
    }

    pub(super) fn is_distrusted(&self) -> bool {
        self.distrusted > 0
    }

    pub(super) fn tick(&mut self) {
        count_down(&mut self.distrusted);
        count_down(&mut self.joining);
        count_down(&mut self.barred);
        match self.status {
            MemberStatus::Away(Cause::Slow { .. }) => count(&mut self.slow),
            _ => self.slow = 0,
        }
        match &mut self.status {
            MemberStatus::Doubtful(ticks) if *ticks >= DOUBT => {
                self.status = MemberStatus::Away(Cause::Elsewhere);
            }
            MemberStatus::Doubtful(ticks) => *ticks += 1,
            MemberStatus::Here | MemberStatus::Away(_) => {}
        }
    }
}
