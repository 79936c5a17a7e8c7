//! A promise is kept, even by the next process on the same disk.

use netbanking::ids::{Ballot, BankId};
use netbanking::protocol::view::ViewMessage;

use super::Judge;

/// What a bank has told others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    promised: Ballot,
    prepared: Ballot,
}

impl Judge {
    /// A bank says something about views.
    pub(crate) fn said_of_views(&mut self, bank: BankId, message: &ViewMessage) {
        let told = &mut self.told[bank.index()];
        match message {
            ViewMessage::Stopped(stopped) => {
                let (ballot, before) = (stopped.ballot, told.promised);
                assert!(
                    ballot >= before,
                    "bank {bank} has promised {before} and now promises {ballot}"
                );
                assert!(
                    stopped.prepared >= told.prepared,
                    "bank {bank} was ready for {} and remembers {}",
                    told.prepared,
                    stopped.prepared
                );
                told.promised = ballot;
            }
            // A coordinator's own promise stands before others hear of it.
            ViewMessage::Stop(ballot) => told.promised = told.promised.max(*ballot),
            ViewMessage::Ready(ballot) => {
                let before = told.promised;
                assert!(
                    *ballot >= before,
                    "bank {bank} has promised {before} and is ready for {ballot}"
                );
                told.prepared = told.prepared.max(*ballot);
            }
            _ => {}
        }
    }

    /// A bank executes in a view.
    pub(super) fn check_promise_kept(&self, bank: BankId, view: Ballot) {
        let promised = self.told[bank.index()].promised;
        assert!(
            view >= promised,
            "bank {bank} executes in {view} after it has promised {promised}"
        );
    }

    /// What a starting process remembers covers what the one before it has told others.
    pub(super) fn check_remembered(&self, bank: BankId, promised: Ballot, prepared: Ballot) {
        let told = self.told[bank.index()];
        assert!(
            promised >= told.promised,
            "bank {bank} has promised {} and remembers {promised}",
            told.promised
        );
        assert!(
            prepared >= told.prepared,
            "bank {bank} was ready for {} and remembers {prepared}",
            told.prepared
        );
    }

    /// A disk is lost, and what was promised with it.
    pub(crate) fn forgets(&mut self, bank: BankId) {
        self.told[bank.index()] = Told::default();
    }
}
