//! What is executed is on the disk of every member of the view.

use netbanking::ids::{Ballot, BankId};
use netbanking::protocol::execution::ExecutedEvent;

use super::Judge;
use crate::disk::Disk;

impl Judge {
    pub(super) fn check_on_disks(
        &self,
        bank: BankId,
        view: Ballot,
        executed: &ExecutedEvent,
        disks: &[Disk],
    ) {
        let Some(facts) = self.views.get(&view) else {
            panic!("bank {bank} executes in {view}, which never began")
        };
        let key = executed.event.order_key();
        let lacks = |member: &BankId| {
            let disk = &disks[member.index()];
            !disk.is_lost() && !disk.holds(key)
        };
        let lacking = facts.members.iter().find(lacks);
        assert!(
            lacking.is_none(),
            "bank {bank} executes {key:?} in {view}, and the disk of bank {lacking:?} lacks it"
        );
    }
}
