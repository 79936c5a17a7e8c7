//! What people who watch a node's log are told, in English. The consortium page has its own words.

use std::fmt;

use serde::Serialize;

use super::pace::PaceNow;
use super::peer_state::Cause;
use super::possible::Impossible;
use super::time::Millis;
use super::view::turn::Reach;
use crate::ids::{Ballot, BankId, BankSet, Position};

/// What people who watch the node are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "of", rename_all = "snake_case")]
pub enum Notice {
    /// The node takes writes.
    Ready(Ballot, BankSet),
    /// The node does not take writes any more.
    NotReady(Reach),
    /// A peer answers.
    PeerUp(BankId),
    /// A peer does not answer.
    PeerDown(BankId, Cause),
    /// A bank is not a member of the new view.
    Left(BankId, Option<Cause>),
    /// A bank is a member of the new view and was not one of the last.
    Joined(BankId),
    /// A view change has begun.
    Stopping(Ballot),
    /// This copy of the ledger differs from a peer's; writes stop.
    Diverged(BankId, Position),
    /// A peer's copy of the ledger differs from most.
    PeerDiverged(BankId, Position),
    /// A peer has sent an event stamped below its earlier events or what it had acknowledged.
    BrokenOrder(BankId),
    /// A peer has sent an event dated far above the clocks of most banks.
    FromTheFuture {
        /// The peer.
        bank: BankId,
        /// Whether it was taken in all the same, because nothing works without the peer.
        taken: bool,
    },
    /// A peer has sent an event whose rule on whether customers must be named differs from this
    /// bank's.
    OtherAuthority(BankId),
    /// A peer has sent something that cannot be; it was refused, and nothing else was.
    Impossible {
        /// The peer.
        bank: BankId,
        /// What it was.
        what: Impossible,
        /// How many more it has sent since it was last complained about.
        more: u32,
    },
    /// A bank's wall clock differs too much from consortium time.
    ClockOff {
        /// The bank.
        bank: BankId,
        /// By how many milliseconds; ahead if positive.
        by_ms: i64,
    },
    /// It is right again.
    ClockRight(BankId),
    /// The only two known clocks differ; the lower one rules.
    ClocksDiffer {
        /// The bank whose clock is ahead.
        ahead: BankId,
        /// The bank whose clock is behind, and rules.
        behind: BankId,
        /// How far they are apart, in milliseconds.
        by_ms: i64,
    },
    /// They agree again.
    ClocksAgree(BankId, BankId),
    /// This bank's disk lacks something that another bank knows it had.
    Forgotten(BankId),
    /// The node catches up with a member.
    CatchingUp(Position, BankId),
    /// The node has caught up and asks to be let in.
    CaughtUp(Position),
    /// An attempt at a view has found too few disks that know how the last one ended.
    TooFewDisks {
        /// Who answered,
        answered: BankSet,
        /// and whose disks are intact among them.
        intact: BankSet,
    },
    /// The node starts over from a member's snapshot.
    Restoring(Position, BankId),
    /// A member has begun to keep the others waiting; with how long its disk takes for an fsync, if
    /// it has reported that.
    Slow(BankId, PaceNow, Option<Millis>),
    /// A member that was slow keeps up again.
    KeepsUp(BankId),
    /// A member is too slow, and nothing works without it.
    SlowAndNeeded(BankId, Cause),
    /// What this bank has stamped makes no progress.
    Stalled(Millis),
    /// It makes progress again.
    GoesForward,
}

impl Notice {
    /// How loudly it is reported.
    #[must_use]
    pub fn weight(&self) -> Weight {
        match self {
            Notice::Diverged(..)
            | Notice::PeerDiverged(..)
            | Notice::BrokenOrder(_)
            | Notice::FromTheFuture { .. }
            | Notice::OtherAuthority(_)
            | Notice::Impossible { .. }
            | Notice::ClockOff { .. }
            | Notice::ClocksDiffer { .. }
            | Notice::Forgotten(_) => Weight::Alarm,
            Notice::NotReady(_)
            | Notice::TooFewDisks { .. }
            | Notice::PeerDown(..)
            | Notice::Left(..)
            | Notice::Slow(..)
            | Notice::SlowAndNeeded(..)
            | Notice::Stalled(_) => Weight::Warning,
            _ => Weight::News,
        }
    }
}

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Good to know.
    News,
    /// Somebody is missing.
    Warning,
    /// Somebody must look.
    Alarm,
}

/// How far a clock is off, in milliseconds; ahead if positive.
struct Off(i64);

impl fmt::Display for Off {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Span(self.0), if self.0 < 0 { "behind" } else { "ahead" })
    }
}

/// A length of time in milliseconds, rounded to the unit that suits it; without its sign.
struct Span(i64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = |unit_ms: u64| self.0.unsigned_abs().saturating_add(unit_ms / 2) / unit_ms;
        match self.0.unsigned_abs() {
            0..120_000 => write!(f, "{} s", rounded(1_000)),
            120_000..7_200_000 => write!(f, "{} min", rounded(60_000)),
            7_200_000..172_800_000 => write!(f, "{} h", rounded(3_600_000)),
            _ => write!(f, "{} days", rounded(86_400_000)),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Ready(view, members) => {
                write!(f, "ready (view {view}, {} banks: {members})", members.len())
            }
            Notice::NotReady(reach) => f.write_str(not_ready(*reach)),
            Notice::PeerUp(bank) => write!(f, "bank {bank} answers"),
            Notice::PeerDown(bank, why) if why.is_slow() => {
                write!(f, "bank {bank} does not keep up ({why})")
            }
            Notice::PeerDown(bank, why) => write!(f, "bank {bank} does not answer ({why})"),
            Notice::Left(bank, Some(why)) => write!(f, "bank {bank} left the consortium ({why})"),
            Notice::Left(bank, None) => write!(f, "bank {bank} left the consortium"),
            Notice::Joined(bank) => write!(f, "bank {bank} joined the consortium"),
            Notice::Stopping(ballot) => write!(f, "view change: promising ballot {ballot}"),
            Notice::Diverged(bank, position) => diverged(*bank, *position, f),
            Notice::PeerDiverged(bank, position) => {
                write!(f, "COPY DIVERGED at bank {bank}: position {position} ")?;
                f.write_str("differs from the majority's")
            }
            Notice::BrokenOrder(bank) => not_accepted(*bank, "below what it had acknowledged", f),
            Notice::FromTheFuture { bank, taken } => from_the_future(*bank, *taken, f),
            Notice::OtherAuthority(bank) => other_authority(*bank, f),
            Notice::Impossible { bank, what, more } => impossible(*bank, *what, *more, f),
            Notice::ClockOff { bank, by_ms } => {
                write!(f, "CLOCK WRONG: bank {bank}'s is {}; consortium time counts", Off(*by_ms))
            }
            Notice::ClockRight(bank) => write!(f, "bank {bank}'s clock is right again"),
            Notice::ClocksDiffer { ahead, behind, by_ms } => {
                write!(f, "CLOCKS DIFFER: bank {ahead}'s is {} ahead of ", Span(*by_ms))?;
                write!(
                    f,
                    "bank {behind}'s, and there is no third clock to decide; the lower one is used"
                )
            }
            Notice::ClocksAgree(one, other) => {
                write!(f, "the clocks of banks {one} and {other} agree again")
            }
            Notice::Forgotten(by) => {
                write!(f, "DISK INCOMPLETE: bank {by} knows of more than this disk holds; ")?;
                f.write_str("this bank fetches the journal again")
            }
            Notice::CatchingUp(from, source) => {
                write!(f, "catching up: the journal from position {from} on, from bank {source}")
            }
            Notice::CaughtUp(position) => {
                write!(f, "caught up at position {position}; asking to be let in")
            }
            Notice::TooFewDisks { answered, intact } => too_few_disks(*answered, *intact, f),
            Notice::Restoring(position, source) => {
                write!(f, "receiving the snapshot of position {position} from bank {source}")
            }
            Notice::Slow(bank, pace, fsync_ms) => slow(*bank, pace, *fsync_ms, f),
            Notice::KeepsUp(bank) => write!(f, "bank {bank} keeps up again"),
            Notice::SlowAndNeeded(bank, why) => {
                write!(f, "bank {bank} stays although it is slow, as there is ")?;
                write!(f, "no majority without it ({why})")
            }
            Notice::Stalled(millis) => stalled(*millis, f),
            Notice::GoesForward => f.write_str("this bank's events make progress again"),
        }
    }
}

fn not_ready(reach: Reach) -> &'static str {
    match reach {
        Reach::Minority => "cut off from the majority: reads go on, writes get 503",
        Reach::Outside => {
            "outside the view in force: reads go on, writes get 503 until this bank is let in"
        }
        Reach::Majority | Reach::Members => "writes wait for the view change",
    }
}

fn diverged(bank: BankId, position: Position, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "COPY DIVERGED: position {position} differs from bank {bank}'s; writes are suspended, data \
         is kept"
    )
}

fn not_accepted(bank: BankId, how: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "bank {bank} stamped an event {how}; the event was not accepted")
}

fn from_the_future(bank: BankId, taken: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let how = "with a time ahead of the consortium's";
    if !taken {
        return not_accepted(bank, how, f);
    }
    write!(
        f,
        "bank {bank} stamped an event {how}; the event was accepted, as there is no majority \
         without that bank"
    )
}

fn other_authority(bank: BankId, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "bank {bank} treats customers without a login differently (customer_auth); the event was \
         not accepted"
    )
}

fn impossible(
    bank: BankId,
    what: Impossible,
    more: u32,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(f, "IMPOSSIBLE: bank {bank} sent {what}; it was refused")?;
    match more {
        0 => Ok(()),
        more => write!(f, " (and {more} more messages since the last line)"),
    }
}

fn too_few_disks(answered: BankSet, intact: BankSet, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "too few disks to know how the last view ended: banks {answered} answer, and only the \
         disks of {intact} are intact and know it. Start the missing banks; if their disks are \
         lost for good, stop an intact bank and use `netbanking rescue` (see docs/operations.md)"
    )
}

fn slow(
    bank: BankId,
    pace: &PaceNow,
    fsync_ms: Option<Millis>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(f, "bank {bank} is slow: ")?;
    if let Some(stage) = pace.last_missing_for {
        let lag = pace.durable_lag_ms.max(pace.executed_lag_ms);
        write!(f, "the others have been waiting for it alone to {stage} for {lag} ms; ")?;
    }
    if let Some(round_trip) = pace.round_trip_ms {
        write!(f, "round trip {round_trip} ms, ")?;
    }
    if let Some(fsync_ms) = fsync_ms {
        write!(f, "fsync up to {fsync_ms} ms, ")?;
    }
    write!(f, "above the bound in {} % of the last half minute", pace.debt_percent)
}

fn stalled(millis: Millis, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let seconds = millis / 1_000;
    write!(f, "this bank's events have made no progress for {seconds} s: /ready answers 503")
}
