//! What a node's disk says about views: found when the node starts, and kept up to date while it
//! runs.

use super::message::PreparePlan;
use super::turn::Frozen;
use crate::ids::Ballot;
use crate::protocol::snapshot::SnapshotHead;

/// What a node's disk holds of views and events when the node starts.
#[derive(Clone, Debug, Default)]
pub struct OnDisk {
    /// The highest promise.
    pub promised: Ballot,
    /// The last prepared view.
    pub prepared: PreparePlan,
    /// Whether the disk does not count until a view has begun with it,
    pub learner: bool,
    /// and whether that is because it is new, not because it lacks something that it once had.
    pub fresh: bool,
    /// Whether a person has declared that this bank decides alone how the next view begins.
    pub rescue: bool,
    /// A snapshot that is arriving, and how many of its pieces are here.
    pub arriving: Option<(SnapshotHead, u32)>,
    /// The first view known here in which banks signed their events.
    pub signed_from: Option<Ballot>,
    /// The executed part, and the events held beyond it.
    pub state: Frozen,
}

/// What a node has promised and prepared. It is on the disk, or on its way there; `STOPPED` and
/// `READY` are sent only once it is there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Disk {
    /// The highest ballot promised.
    pub(super) promised: Ballot,
    /// The last prepared view.
    pub(super) prepared: Ballot,
    /// How many banks that view counted; zero if the disk has never counted.
    pub(super) counted: usize,
    pub(super) learner: bool,
    pub(super) rescue: bool,
    /// The first view known here in which banks signed their events.
    pub(super) signed_from: Option<Ballot>,
}

impl Disk {
    pub(super) fn found(disk: &OnDisk, banks: usize) -> Self {
        Disk {
            promised: disk.promised,
            prepared: disk.prepared.ballot,
            counted: match (disk.learner, disk.fresh) {
                (false, _) => disk.prepared.clock.len(),
                (true, true) => 0,
                // Although the disk may have lost even its view, it is known that there was one.
                (true, false) => banks,
            },
            learner: disk.learner,
            rescue: disk.rescue,
            signed_from: disk.signed_from,
        }
    }

    /// Whether the disk counts in deciding how a view begins.
    pub(super) fn is_voter(&self) -> bool {
        !self.learner && self.prepared != Ballot::default()
    }

    /// A plan is written. It may have been made from answers that are out of date, and may never
    /// begin: if so, it says nothing about the promises that were lost with a disk, so a learner
    /// remains one.
    pub(super) fn prepare(&mut self, plan: &PreparePlan, banks: usize) {
        self.learner = !self.is_voter() && !plan.founding;
        self.prepared = plan.ballot;
        self.signed_from = plan.signed_from;
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
