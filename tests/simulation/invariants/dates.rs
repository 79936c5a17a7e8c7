//! Dates are those of the moment at which the request was stamped, as long as only a minority of
//! the clocks is wrong.

use netbanking::ids::{BankId, Position};
use netbanking::ledger::Book;
use netbanking::protocol::event::Event;

use super::Judge;

/// How far a date may be from the truth.
const OFF_MAX_MS: i64 = 5_000;

impl Judge {
    /// An event is stamped: its time is true.
    pub(super) fn check_stamp(&mut self, event: &Event, now_ms: i64) {
        let at_ms = event.header.expect("the clock writes one").at_ms;
        let off_ms = at_ms - now_ms;
        let bank = event.sender;
        assert!(
            !self.dates_are_right || off_ms.abs() <= OFF_MAX_MS,
            "bank {bank} stamps {} with a time that is {off_ms} ms off",
            event.id
        );
        self.asked_ms.extend(event.requests.iter().map(|request| (request.id.clone(), now_ms)));
    }

    /// What a bank has written into statements since the last look has true dates. What is executed
    /// long after it was stamped, because its view was stopped meanwhile, may follow something that
    /// was stamped later, and then has the date of that.
    pub(super) fn check_dates(&mut self, bank: BankId, book: &Book, now_ms: i64) {
        let looked_at = std::mem::replace(&mut self.dated_through[bank.index()], book.position());
        if !self.dates_are_right {
            return;
        }
        for account in book.accounts() {
            let new = account.statement.iter().rev().take_while(|entry| entry.position > looked_at);
            for entry in new {
                let asked_ms = self.asked_ms[&entry.id];
                let off_ms = entry.at_ms - entry.at_ms.clamp(asked_ms, now_ms.max(asked_ms));
                let (id, position) = (&entry.id, entry.position);
                assert!(
                    off_ms.abs() <= OFF_MAX_MS,
                    "bank {bank} dates {id} at {position} {off_ms} ms off"
                );
            }
        }
    }

    /// A bank's book stands at another position.
    pub(super) fn dated_through(&mut self, bank: BankId, position: Position) {
        self.dated_through[bank.index()] = position;
    }
}
