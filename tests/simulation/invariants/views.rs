//! One view acts at a time, and all its members begin it alike.

use netbanking::ids::{BankId, BankSet, majority};
use netbanking::protocol::event::Event;
use netbanking::protocol::order_key::OrderKey;
use netbanking::protocol::vector_clock::VectorClock;
use netbanking::protocol::view::{Installed, PreparePlan};

use super::Judge;

/// How a view began.
#[derive(Debug)]
pub(crate) struct ViewFacts {
    pub(crate) members: BankSet,
    plan: PreparePlan,
    flush: Vec<OrderKey>,
}

impl Judge {
    /// A view begins at a bank.
    pub(crate) fn installed(&mut self, bank: BankId, installed: &Installed) {
        // What a bank knows of the first signed view is its own affair.
        let plan = &PreparePlan { signed_from: None, ..installed.plan.clone() };
        let (view, members) = (plan.ballot, plan.members);
        let flush: Vec<_> = installed.flush.iter().map(|held| held.event.order_key()).collect();
        let before = self.in_view[bank.index()].replace(view);
        assert!(before < Some(view), "bank {bank} was in {before:?} and begins {view}");
        assert!(members.contains(bank), "bank {bank} begins {view}, of which it is no member");
        assert!(members.len() >= majority(self.banks), "view {view} of {members} is no majority");
        if let Some(known) = self.views.get(&view) {
            assert!(
                known.plan == *plan && known.flush == flush,
                "bank {bank} begins {view} otherwise than others"
            );
            return;
        }
        let last = self.log.partition_point(|event| event.position <= plan.position).checked_sub(1);
        let known =
            last.map(|last| (self.log[last].position, self.log[last].hash)).unwrap_or_default();
        assert!(
            known == (plan.position, plan.hash),
            "view {view} begins at {}, where nobody stands",
            plan.position
        );
        self.check_clock_is_complete(plan, &flush, last.map_or(0, |last| last + 1));
        self.views.insert(view, ViewFacts { members, plan: plan.clone(), flush });
    }

    /// Checks that, where a view begins, exactly the events that its clock counts have been
    /// executed or are flushed.
    fn check_clock_is_complete(&self, plan: &PreparePlan, flush: &[OrderKey], executed: usize) {
        let mut counted = VectorClock::zero(self.banks);
        let executed = self.log[..executed].iter().map(|event| event.key);
        for key in executed.chain(flush.iter().copied()) {
            counted.count(key.sender);
        }
        let (view, clock) = (plan.ballot, &plan.clock);
        assert!(
            counted == *clock,
            "view {view} begins at {clock}, and {counted} are executed or flushed"
        );
    }

    /// An event is stamped.
    pub(crate) fn stamped(&mut self, event: &Event, now_ms: i64) {
        self.check_stamp(event, now_ms);
        let (key, latest) = (event.order_key(), self.latest_view());
        assert!(self.stamped.insert(key, latest).is_none(), "{key:?} is stamped twice");
    }

    /// An event is executed: when it was stamped, no view later than its own had begun.
    pub(super) fn check_stamped_in_time(&self, key: OrderKey) {
        let latest = self.stamped.get(&key).copied();
        assert!(
            latest == Some(key.view),
            "{key:?} is executed, and {latest:?} had begun when it was stamped: two views act at a time"
        );
    }
}
