//! What a node's disk says of views: found when the node starts, and kept up while it runs.

use super::message::PreparePlan;
use super::turn::Frozen;
use crate::ids::Ballot;
use crate::protocol::snapshot::SnapshotHead;

/// Highest round that is promised: a broken peer must not use up all numbers.
pub(super) const ROUND_MAX: u64 = 1 << 62;

/// What a node's disk holds of views and events when the node starts.
#[derive(Clone, Debug, Default)]
pub struct OnDisk {
    /// The highest promise.
    pub promised: Ballot,
    /// The last prepared view.
    pub prepared: PreparePlan,
    /// Whether the disk counts for nothing until a view has begun with it,
    pub learner: bool,
    /// and this because it is new, not because it lacks something that it once had.
    pub fresh: bool,
    /// Whether a person has declared that this bank decides alone how the next view begins.
    pub rescue: bool,
    /// A snapshot of which so many pieces have arrived.
    pub arriving: Option<(SnapshotHead, u32)>,
    /// Executed part, and events held beyond.
    pub state: Frozen,
}

/// What a node has promised and prepared. It stands on the disk, or is on its way there; `STOPPED`
/// and `READY` are said once it stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Disk {
    /// The highest ballot promised.
    pub(super) promised: Ballot,
    /// The last prepared view.
    pub(super) prepared: Ballot,
    /// How many banks it counted; none where the disk has never counted.
    pub(super) counted: usize,
    pub(super) learner: bool,
    pub(super) rescue: bool,
}

impl Disk {
    pub(super) fn found(disk: &OnDisk, banks: usize) -> Self {
        Disk {
            promised: disk.promised,
            prepared: disk.prepared.ballot,
            counted: match (disk.learner, disk.fresh) {
                (false, _) => disk.prepared.clock.len(),
                (true, true) => 0,
                // Although it may have lost even its view, it knows that there was one.
                (true, false) => banks,
            },
            learner: disk.learner,
            rescue: disk.rescue,
        }
    }

    /// Whether the disk counts in the decision how a view begins.
    pub(super) fn is_voter(&self) -> bool {
        !self.learner && self.prepared != Ballot::default()
    }

    /// A plan is written. It may be made of answers that are out of date, and never begin: then it
    /// says nothing of the promises that were lost with a disk, and a learner remains one.
    pub(super) fn prepare(&mut self, plan: &PreparePlan, banks: usize) {
        self.learner = !self.is_voter() && !plan.founding;
        self.prepared = plan.ballot;
        if !self.learner {
            self.counted = banks;
        }
        self.rescue = false;
    }

    /// A view of all these banks has begun with this disk; returns whether that lets it count.
    pub(super) fn begin(&mut self, banks: usize) -> bool {
        self.counted = banks;
        std::mem::take(&mut self.learner)
    }
}
