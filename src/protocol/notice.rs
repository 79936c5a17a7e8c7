//! What people who watch a node's log are told, in the language of the banks.

use std::fmt;

use super::effect::Reach;
use super::heartbeat::Cause;
use super::ids::{Ballot, BankId, BankSet, Position};

/// What people who watch the node are told.
#[derive(Clone, Debug)]
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
}

impl Notice {
    /// How loudly it is said.
    #[must_use]
    pub fn weight(&self) -> Weight {
        match self {
            Notice::Diverged(..) | Notice::PeerDiverged(..) | Notice::BrokenOrder(_) | Notice::Forgotten(_) => {
                Weight::Alarm
            }
            Notice::NotReady(_) | Notice::TooFewDisks { .. } | Notice::PeerDown(..) | Notice::Left(..) => {
                Weight::Warning
            }
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
            Notice::PeerDown(bank, cause) => write!(f, "banco {bank} não responde ({cause})"),
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
                 pare um banco íntegro e use `netbanking rescue` (veja o README)"
            ),
            Notice::Restoring(position, source) => {
                write!(f, "recebendo do banco {source} o instantâneo da posição {position}")
            }
        }
    }
}
