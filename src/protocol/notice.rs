//! What people who watch a node's log are told, in the language of the banks.

use std::fmt;

use serde::Serialize;

use super::effect::Millis;
use super::effect::Reach;
use super::heartbeat::Cause;
use super::ids::{Ballot, BankId, BankSet, Position};
use super::pace::PaceNow;

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
    /// A bank is no member of the new view.
    Left(BankId, Option<Cause>),
    /// A bank is a member of the new view and was none of the last.
    Joined(BankId),
    /// A view change has begun.
    Stopping(Ballot),
    /// This copy of the ledger differs from a peer's; writes stop.
    Diverged(BankId, Position),
    /// A peer's copy of the ledger differs from most.
    PeerDiverged(BankId, Position),
    /// A peer has sent an event stamped below what it had said before.
    BrokenOrder(BankId),
    /// A peer has sent an event dated far above the clocks of most banks.
    FromTheFuture {
        /// The peer.
        bank: BankId,
        /// Whether it was taken in all the same, because nothing works without the peer.
        taken: bool,
    },
    /// A peer has sent an event that takes its customers' names differently from this bank.
    OtherAuthority(BankId),
    /// A bank's wall clock is off consortium time by so many milliseconds; ahead if positive.
    ClockOff {
        /// The bank.
        bank: BankId,
        /// How far.
        by_ms: i64,
    },
    /// It is right again.
    ClockRight(BankId),
    /// The only two clocks that are known differ; the lower one rules.
    ClocksDiffer {
        /// Whose is ahead.
        ahead: BankId,
        /// Whose is behind, and rules.
        behind: BankId,
        /// How far they are apart, in milliseconds.
        by_ms: i64,
    },
    /// They agree again.
    ClocksAgree(BankId, BankId),
    /// This bank's disk lacks what others know it had.
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
    /// The node begins anew from a member's snapshot.
    Restoring(Position, BankId),
    /// A member begins to keep the others waiting; how long its disk takes for an fsync, if it says
    /// so.
    Slow(BankId, PaceNow, Option<Millis>),
    /// A member that was slow keeps up again.
    KeepsUp(BankId),
    /// A member is too slow, and nothing works without it.
    SlowAndNeeded(BankId, Cause),
    /// What this bank has stamped does not go forward.
    Stalled(Millis),
    /// It goes forward again.
    GoesForward,
}

impl Notice {
    /// How loudly it is said.
    #[must_use]
    pub fn weight(&self) -> Weight {
        match self {
            Notice::Diverged(..)
            | Notice::PeerDiverged(..)
            | Notice::BrokenOrder(_)
            | Notice::FromTheFuture { .. }
            | Notice::OtherAuthority(_)
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

/// How far a clock is off, in milliseconds; ahead if positive.
#[derive(Clone, Copy, Debug)]
pub struct Off(pub i64);

impl fmt::Display for Off {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Span(self.0), if self.0 < 0 { "atrasado" } else { "adiantado" })
    }
}

/// A length of time in milliseconds, rounded to the unit that suits it; without its sign.
#[derive(Clone, Copy, Debug)]
struct Span(i64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = |unit_ms: u64| self.0.unsigned_abs().saturating_add(unit_ms / 2) / unit_ms;
        match self.0.unsigned_abs() {
            0..120_000 => write!(f, "{} s", rounded(1_000)),
            120_000..7_200_000 => write!(f, "{} min", rounded(60_000)),
            7_200_000..172_800_000 => write!(f, "{} h", rounded(3_600_000)),
            _ => write!(f, "{} dias", rounded(86_400_000)),
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

impl Notice {
    /// What is said of the banks' pace.
    fn fmt_pace(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Slow(bank, pace, fsync) => {
                write!(f, "banco {bank} está lento: ")?;
                if let Some(stage) = pace.last_missing_for {
                    let lag = pace.durable_lag_ms.max(pace.executed_lag_ms);
                    write!(f, "os outros esperam só por ele para {stage}, agora há {lag} ms; ")?;
                }
                if let Some(round_trip) = pace.round_trip_ms {
                    write!(f, "ida e volta {round_trip} ms, ")?;
                }
                if let Some(fsync) = fsync {
                    write!(f, "fsync até {fsync} ms, ")?;
                }
                write!(f, "acima do limite em {} % do último meio minuto", pace.debt_percent)
            }
            Notice::KeepsUp(bank) => write!(f, "banco {bank} acompanha os outros de novo"),
            Notice::SlowAndNeeded(bank, cause) => {
                write!(f, "banco {bank} fica, embora lento, pois sem ele não há maioria ({cause})")
            }
            Notice::Stalled(millis) => {
                write!(
                    f,
                    "os eventos deste banco não avançam há {} s: /ready responde 503",
                    millis / 1_000
                )
            }
            Notice::GoesForward => f.write_str("os eventos deste banco avançam de novo"),
            Notice::PeerDown(bank, cause) => {
                write!(f, "banco {bank} não acompanha os outros ({cause})")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Ready(view, members) => {
                write!(f, "ready (visão {view}, {} bancos: {members})", members.len())
            }
            Notice::NotReady(Reach::Minority) => {
                f.write_str("isolado da maioria: leituras seguem, escritas recebem 503")
            }
            Notice::NotReady(Reach::Outside) => {
                f.write_str("fora da visão em vigor: leituras seguem, escritas recebem 503 até a entrada no consórcio")
            }
            Notice::NotReady(_) => f.write_str("escritas aguardam a troca de visão"),
            Notice::PeerUp(bank) => write!(f, "banco {bank} responde"),
            Notice::PeerDown(bank, why) if !why.is_slow() => write!(f, "banco {bank} não responde ({why})"),
            Notice::Left(bank, Some(cause)) => write!(f, "banco {bank} saiu do consórcio ({cause})"),
            Notice::Left(bank, None) => write!(f, "banco {bank} saiu do consórcio"),
            Notice::Joined(bank) => write!(f, "banco {bank} entrou no consórcio"),
            Notice::Stopping(ballot) => write!(f, "troca de visão: promessa à cédula {ballot}"),
            Notice::Diverged(bank, position) => {
                write!(
                    f,
                    "CÓPIA DIVERGENTE: a posição {position} difere da do banco {bank}; escritas suspensas, dados mantidos"
                )
            }
            Notice::PeerDiverged(bank, position) => {
                write!(f, "CÓPIA DIVERGENTE no banco {bank}: a posição {position} difere da da maioria")
            }
            Notice::BrokenOrder(bank) => {
                write!(f, "banco {bank} carimbou um evento abaixo do que já confirmou; o evento não foi aceito")
            }
            Notice::FromTheFuture { bank, taken } => {
                let fate = if *taken { "foi aceito, pois sem esse banco não há maioria" } else { "não foi aceito" };
                write!(f, "banco {bank} carimbou um evento com hora à frente da do consórcio; o evento {fate}")
            }
            Notice::OtherAuthority(bank) => {
                write!(
                    f,
                    "banco {bank} trata clientes sem login de outro modo (customer_auth); o evento não foi aceito"
                )
            }
            Notice::ClockOff { bank, by_ms } => {
                write!(f, "RELÓGIO ERRADO: o do banco {bank} está {}; vale a hora do consórcio", Off(*by_ms))
            }
            Notice::ClockRight(bank) => write!(f, "relógio do banco {bank} está certo de novo"),
            Notice::ClocksDiffer { ahead, behind, by_ms } => write!(
                f,
                "RELÓGIOS DIFERENTES: o do banco {ahead} está {} à frente do do banco {behind}, e não há um terceiro; \
                 vale o menor",
                Span(*by_ms)
            ),
            Notice::ClocksAgree(one, other) => write!(f, "relógios dos bancos {one} e {other} concordam de novo"),
            Notice::Forgotten(by) => {
                write!(f, "DISCO INCOMPLETO: o banco {by} lembra mais do que está aqui; este banco reaprende o diário")
            }
            Notice::CatchingUp(from, source) => {
                write!(f, "recuperando o diário a partir da posição {from}, do banco {source}")
            }
            Notice::CaughtUp(position) => write!(f, "diário em dia na posição {position}; pede entrada no consórcio"),
            Notice::TooFewDisks { answered, intact } => write!(
                f,
                "discos de menos para saber como a última visão terminou: respondem os bancos {answered}, e só os discos de \
                 {intact} estão íntegros e a conhecem. Ligue os bancos que faltam; se os discos deles se perderam de vez, \
                 pare um banco íntegro e use `netbanking rescue` (veja docs/operations.md)"
            ),
            Notice::Restoring(position, source) => {
                write!(f, "recebendo do banco {source} o instantâneo da posição {position}")
            }
            of_pace => of_pace.fmt_pace(f),
        }
    }
}
