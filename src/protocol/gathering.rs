//! Acknowledgements of many members, gathered by the sender of an event.
//!
//! Told by all to all, the durable clocks of `n` members take `n(n-1)` messages for a lone event.
//! In a large view a member tells its clock at once only to the senders of what it has newly
//! written. A sender that finds one of its events on all disks tells everybody what it has
//! gathered: the component-wise minimum of all durable clocks and, of each member, how much that
//! member had sent when it made its claim. That takes `2(n-1)` messages.
//!
//! Whoever hears it takes it for a claim of each member (see [`Gathered::claim_of`]), which is
//! believed under the same condition as one that came from that member itself: its own events up to
//! the claim's own component are here. `docs/protocol.md` shows why nothing more is needed.
//!
//! While a member lacks an event, or its clock does not reach the sender, nobody gathers anything
//! that covers it, and the others would not know what the rest have. So what a bank had written and
//! nobody gathered for a while is told to all after all, together with what that bank knows of the
//! others.

use super::envelope::Gathered;
use super::vector_clock::VectorClock;
use crate::ids::{BankId, BankSet};

/// From how many members on acknowledgements are gathered. By measurement, see
/// `docs/benchmarks.md`: with fewer, one message after the other costs more than it spares.
pub(crate) const GATHER_FROM: usize = 5;

/// What one bank has gathered in a view, and what all members know of its own disk.
#[derive(Debug)]
pub(crate) struct Gathering {
    me: BankId,
    /// From how many members on acknowledgements are gathered.
    from: usize,
    is_on: bool,
    /// Own events up to this counter are on all disks, and all members were told so.
    through: u64,
    /// This bank's durable clock, as all members know it,
    told: VectorClock,
    /// and as it was at the last look.
    before: VectorClock,
}

impl Gathering {
    pub(crate) fn new(me: BankId, banks: usize) -> Self {
        let zero = VectorClock::zero(banks);
        let (told, before) = (zero.clone(), zero);
        Gathering { me, from: GATHER_FROM, is_on: false, through: 0, told, before }
    }

    /// Gathers in views of at least so many members.
    pub(crate) fn set_from(&mut self, members: usize) {
        self.from = members;
    }

    /// A view begins, with this on all disks.
    pub(crate) fn install(&mut self, members: BankSet, clock: &VectorClock) {
        self.is_on = members.len() >= self.from;
        self.through = clock.get(self.me);
        (self.told, self.before) = (clock.clone(), clock.clone());
    }

    /// Whether a peer waits for this bank's clock, which newly covers events of these senders.
    pub(crate) fn is_urgent(&self, peer: BankId, senders: BankSet) -> bool {
        !self.is_on || senders.contains(peer)
    }

    /// What to tell all members, if a further own event is on all disks. `matrix` has the believed
    /// durable clock of every bank.
    pub(crate) fn gather(&mut self, members: BankSet, matrix: &[VectorClock]) -> Option<Gathered> {
        if !self.is_on {
            return None;
        }
        let row = |bank: BankId| &matrix[bank.index()];
        let through = members.iter().map(|bank| row(bank).get(self.me)).min()?;
        if through <= self.through {
            return None;
        }
        self.through = through;
        let gathered = gathered(members, matrix)?;
        self.hear(&gathered);
        Some(gathered)
    }

    /// All members have been told this.
    pub(crate) fn hear(&mut self, gathered: &Gathered) {
        self.told.merge(&gathered.claim_of(self.me));
    }

    /// Looks whether this bank has to tell its durable clock itself: there was something on its
    /// disk at the last look already that nobody has gathered since. If so, returns what it knows
    /// of all members, for those that lack another's clock although this one has it.
    pub(crate) fn look(&mut self, members: BankSet, matrix: &[VectorClock]) -> Option<Gathered> {
        let durable = &matrix[self.me.index()];
        let is_overdue = self.is_on && !self.told.covers(&self.before);
        self.before = durable.clone();
        if !is_overdue {
            return None;
        }
        self.told.merge(durable);
        gathered(members, matrix)
    }
}

/// What the members have on disk according to these rows; `None` without members.
fn gathered(members: BankSet, matrix: &[VectorClock]) -> Option<Gathered> {
    let row = |bank: BankId| &matrix[bank.index()];
    let mut all = row(members.first()?).clone();
    members.iter().for_each(|bank| all.lower_to(row(bank)));
    let own: Vec<u64> = BankId::all(matrix.len()).map(|bank| row(bank).get(bank)).collect();
    Some(Gathered { all, own: own.into() })
}
