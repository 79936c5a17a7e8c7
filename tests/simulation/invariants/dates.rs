//! Dates are those of the moment at which the request was stamped, as long as only a minority of
//! the clocks is wrong.

use netbanking::ids::BankId;
use netbanking::ledger::past::PastEntry;
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

    /// What a bank has written into statements has true dates. What is executed long after it was
    /// stamped, because its view was stopped meanwhile, may follow something that was stamped
    /// later, and then has the date of that.
    pub(super) fn check_dates(&mut self, bank: BankId, made: &[PastEntry], now_ms: i64) {
        if !self.dates_are_right {
            return;
        }
        for PastEntry { entry, .. } in made {
            let asked_ms = self.asked_ms[&entry.id];
            let off_ms = entry.at_ms - entry.at_ms.clamp(asked_ms, now_ms.max(asked_ms));
            let (id, position) = (&entry.id, entry.position);
            assert!(
                off_ms.abs() <= OFF_MAX_MS,
                "bank {bank} dates {id} at {position} {off_ms} ms off"
            );
        }
    }

    /// All banks make the same entries, under the same numbers and with the same links.
    pub(super) fn check_past(&mut self, bank: BankId, past: PastEntry) {
        let place = usize::try_from(past.number.0 - 1).expect("memory holds them");
        match self.past.get(place) {
            Some(known) => assert!(*known == past, "bank {bank} makes {past:?}, others {known:?}"),
            None => {
                assert!(place == self.past.len(), "bank {bank} leaves out entries: {past:?}");
                self.count_refund(bank, &past);
                self.count_balance(&past);
                self.past.push(past);
            }
        }
    }
}
