//! What must hold for a change before it is written. Writing asserts the same again, when it is too
//! late to refuse.

use std::collections::BTreeMap;

use super::Book;
use super::change::{Change, Posting, Rekeyed};
use super::outlay::Outlay;
use crate::ledger::scheduled::Schedule;
use crate::ledger::{Account, Centavos, Entry};

impl Book {
    /// Panics if the change cannot be written; see [`super::guard`] for what happens then.
    pub(super) fn prove(&self, change: &Change) {
        match change {
            Change::Registered(customer) => {
                assert!(
                    self.record(&customer.user_name).is_none(),
                    "a user name is registered once"
                );
            }
            Change::Opened { account, entry } => {
                self.prove_opening(account, entry);
            }
            Change::Asked(request) => {
                assert!(request.is_sound(), "somebody has to accept");
                assert!(self.is_free(request.bank, request.number), "a number is given once");
                assert!(!self.has_key(&request.key), "a key is given once");
            }
            Change::Accepted { bank, account, by, .. } => {
                let request = self.waiting.get((*bank, *account));
                assert!(request.is_some_and(|it| it.waits_for(by)), "who accepts is asked");
            }
            Change::Ended { bank, account } => {
                assert!(self.waiting.get((*bank, *account)).is_some(), "it waits");
            }
            Change::Password { user_name, .. } => {
                assert!(self.record(user_name).is_some(), "a customer has a password");
            }
            Change::Rekeyed(Rekeyed { key, from, to }) => {
                assert_eq!(self.slot_by_key(key), *from, "a key has one owner");
                assert!(from != to, "it gets another");
                assert!(from.is_some() || !self.has_key(key), "a key is given once");
            }
            Change::Closing { slot, end, .. } => {
                let account = &self[*slot];
                assert!(!account.is_closed(), "an account is closed once");
                assert!(end.is_none() || account.balance == Centavos::ZERO, "it is empty");
            }
            Change::Called { user_name, .. } => {
                assert!(self.record(user_name).is_some(), "a customer calls it so");
            }
            Change::Scheduled(schedule) => {
                assert!(schedule.is_sound(), "it has days to come");
                assert!(self.schedules.get(schedule.number).is_none(), "a number is given once");
            }
            Change::Unscheduled(number) => {
                assert!(self.schedules.get(*number).is_some(), "what ends is there");
            }
            Change::Ran { number, run, postings, .. } => {
                let next = self.schedules.get(*number).and_then(Schedule::next);
                assert_eq!(next, Some(run.day), "each day is run once");
                assert_eq!(run.failed.is_some(), postings.is_empty(), "it is paid, or it failed");
                self.prove_postings(postings);
            }
            Change::Posted { postings, outlay } => {
                let is_customer =
                    |outlay: &Outlay| (outlay.customer as usize) < self.customers.end();
                assert!(outlay.as_ref().is_none_or(is_customer), "a customer lets money leave");
                self.prove_postings(postings);
            }
            Change::Limited { user_name, .. } => {
                assert!(self.record(user_name).is_some(), "a customer has limits");
            }
            Change::Refunded { postings, refunded } => {
                assert!(
                    refunded.is_sound(self.entries, self.accounts.len()),
                    "no more goes back than came"
                );
                self.prove_postings(postings);
            }
        }
    }

    fn prove_opening(&self, account: &Account, entry: &Entry) {
        assert!(account.bank.index() < self.cash.len(), "the bank exists");
        assert!(self.slot(account.bank, account.number).is_none(), "a number is given once");
        assert!(
            account.holders.iter().all(|holder| self.record(holder).is_some()),
            "holders are customers"
        );
        assert_eq!(
            account.balance,
            entry.previous_balance(),
            "an account opens with its first entry"
        );
        assert!(entry.kind.is_cash(), "it comes in cash");
    }

    fn prove_postings(&self, postings: &[Posting]) {
        let mut balances: BTreeMap<_, Centavos> = BTreeMap::new();
        let mut sum = 0_i128;
        for Posting { slot, entry, .. } in postings {
            let balance =
                balances.entry(*slot).or_insert_with(|| self.accounts[slot.index()].balance);
            assert_eq!(*balance, entry.previous_balance(), "an entry follows the one before it");
            *balance = entry.balance_after;
            if !entry.kind.is_cash() {
                sum += entry.value.get();
            }
        }
        assert_eq!(sum, 0, "the postings of a request add up to zero");
    }
}
