//! What customers were told stays true.

use netbanking::ids::request::RawRequest;
use netbanking::ids::{BankId, EventId};
use netbanking::ledger::{Executed, IdempotencyKey, Outcome, Request};

use super::Judge;
use crate::reads::Read;

impl Judge {
    /// A request was executed for the first time anywhere: its key takes effect here, or has done
    /// so before.
    pub(super) fn count_once(&mut self, position: u64, raw: &RawRequest, executed: &Executed) {
        assert!(
            !self.not_taken.contains(&raw.id),
            "{} is executed although it was refused for good",
            raw.id
        );
        let request = Request::parse(raw).expect("customers ask in order");
        let key = request.key.as_ref().expect("customers use keys").as_str().to_owned();
        match self.keys.get(&key) {
            None => {
                assert!(
                    executed.position.0 == position,
                    "{key} was not asked before, yet comes to {executed:?}"
                );
                self.keys.insert(key, position);
                if matches!(executed.outcome, Outcome::Done(_)) {
                    self.count_money(&request.action);
                    self.count_leaving(&request, executed);
                    self.count_schedules(&request, executed);
                }
            }
            Some(first) => assert!(
                executed.position.0 == *first,
                "{key} took effect at {first}, and again at {position}: {executed:?}"
            ),
        }
    }

    /// A bank tells a customer what became of their request.
    pub(crate) fn answered(&mut self, bank: BankId, key: &IdempotencyKey, executed: &Executed) {
        let position = executed.position.0;
        let first = self.keys.get(key.as_str());
        assert!(
            first == Some(&position),
            "bank {bank} answers {key} with position {position}; it stands at {first:?}"
        );
        let last = self.log[self.cursors[bank.index()] - 1].position.0;
        assert!(
            position <= last,
            "bank {bank} answers {position} and has executed only through {last}"
        );
        let Some(facts) = self.in_view[bank.index()].and_then(|view| self.views.get(&view)) else {
            panic!("bank {bank} answers {key} and was in no view")
        };
        let behind = facts.members.iter().find(|member| self.through[member.index()] < position);
        assert!(
            behind.is_none(),
            "bank {bank} answers {key} before bank {behind:?} has executed it"
        );
        self.answered = self.answered.max(position);
    }

    /// The highest position that any bank has answered.
    pub(crate) fn answered_through(&self) -> u64 {
        self.answered
    }

    /// A bank shows a customer its ledger through a position.
    pub(crate) fn read(&self, bank: BankId, Read { answered, fresh }: Read, position: u64) {
        assert!(
            !fresh || position >= answered,
            "bank {bank} shows its ledger at {position} without a mark, and {answered} was answered before"
        );
    }

    /// A bank tells a customer that their request will never take effect.
    pub(crate) fn not_taken(&mut self, id: &EventId) {
        assert!(!self.requests.contains(id), "{id} is refused for good although it was executed");
        self.not_taken.insert(id.clone());
    }
}
