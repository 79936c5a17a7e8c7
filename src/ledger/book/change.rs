//! What a request that was not refused is going to write.

use super::outlay::Outlay;
use crate::ids::{BankId, Position};
use crate::ledger::account::{Account, AccountNumber};
use crate::ledger::closing::End;
use crate::ledger::customer::{Customer, UserName};
use crate::ledger::joint::JointRequest;
use crate::ledger::limits::Limits;
use crate::ledger::outcome::Done;
use crate::ledger::password_hash::PasswordHash;
use crate::ledger::pix::PixKey;
use crate::ledger::profile::ProfileChange;
use crate::ledger::refund::Refunded;
use crate::ledger::scheduled::{Run, Schedule};
use crate::ledger::statement::Entry;

/// An account's place in the order of openings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AccountSlot(u32);

impl AccountSlot {
    pub(super) fn new(index: usize) -> Self {
        AccountSlot(
            u32::try_from(index).expect("four thousand million accounts do not fit into memory"),
        )
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }

    pub(super) fn place(self) -> u32 {
        self.0
    }
}

/// An entry on its way into a statement.
#[derive(Debug)]
pub(super) struct Posting {
    pub(super) slot: AccountSlot,
    /// The account's bank and number, for the chain.
    pub(super) bank: BankId,
    pub(super) account: AccountNumber,
    pub(super) entry: Entry,
}

/// A key on its way from one account to another; from or to none where it is new or removed.
#[derive(Debug)]
pub(super) struct Rekeyed {
    pub(super) key: PixKey,
    pub(super) from: Option<AccountSlot>,
    pub(super) to: Option<AccountSlot>,
}

/// What is going to be written.
#[derive(Debug)]
pub(super) enum Change {
    Registered(Customer),
    Opened {
        /// Still empty.
        account: Box<Account>,
        /// The opening value.
        entry: Entry,
    },
    Posted {
        /// In the order in which the entries were made; never empty.
        postings: Vec<Posting>,
        /// What has then left of a customer's limit.
        outlay: Option<Outlay>,
    },
    /// Money of a Pix goes back, and so much of it has then gone back.
    Refunded {
        postings: Vec<Posting>,
        refunded: Refunded,
    },
    /// A joint account waits for its holders.
    Asked(Box<JointRequest>),
    /// One of them accepts, and others have not yet.
    Accepted {
        bank: BankId,
        account: AccountNumber,
        by: UserName,
        waiting_for: Vec<UserName>,
    },
    /// A customer has another password.
    Password {
        user_name: UserName,
        password_hash: PasswordHash,
    },
    /// A customer has other limits.
    Limited {
        user_name: UserName,
        limits: Limits,
        /// Whether one of them counts only later.
        waits: bool,
    },
    /// The end of an account comes closer, or does not come.
    Closing {
        slot: AccountSlot,
        end: Option<End>,
        /// Who has to agree to it.
        waiting_for: Vec<UserName>,
    },
    /// A customer calls something by another name.
    Called {
        user_name: UserName,
        change: Box<ProfileChange>,
    },
    /// A Pix of days to come is planned.
    Scheduled(Box<Schedule>),
    /// It is given up.
    Unscheduled(Position),
    /// A day of it has come.
    Ran {
        number: Position,
        run: Run,
        /// Empty if nothing was paid.
        postings: Vec<Posting>,
        outlay: Option<Outlay>,
    },
    /// Accounts have other keys.
    Rekeyed(Rekeyed),
    /// It waits no more, and will not be opened.
    Ended {
        bank: BankId,
        account: AccountNumber,
    },
}

impl Change {
    /// What the customer is told.
    pub(super) fn done(&self) -> Done {
        match self {
            Change::Registered(customer) => {
                Done::CustomerCreated { user_name: customer.user_name.clone() }
            }
            Change::Opened { account, .. } => {
                Done::AccountCreated { number: account.number, key: account.key.clone() }
            }
            Change::Posted { .. } => Done::PackageExecuted,
            Change::Refunded { .. } => Done::Refunded,
            Change::Closing { end: None, .. } => Done::CloseTakenBack,
            Change::Closing { end: Some(End::Closed(_)), .. } => Done::AccountClosed,
            Change::Closing { waiting_for, .. } => {
                Done::CloseAgreed { waiting_for: waiting_for.clone() }
            }
            Change::Called { .. } => Done::Called,
            Change::Scheduled(schedule) => Done::Scheduled { number: schedule.number },
            Change::Unscheduled(_) => Done::ScheduleEnded,
            Change::Ran { run, .. } => match &run.failed {
                None => Done::ScheduleRan,
                Some(why) => Done::ScheduleFailed { why: Box::new(why.clone()) },
            },
            Change::Limited { waits, .. } => Done::LimitsSet { waits: *waits },
            Change::Rekeyed(Rekeyed { key, from: None, .. }) => Done::KeyAdded { key: key.clone() },
            Change::Rekeyed(Rekeyed { to: None, .. }) => Done::KeyRemoved,
            Change::Rekeyed(_) => Done::KeyMoved,
            Change::Asked(request) => Done::JointAsked {
                number: request.number,
                key: request.key.clone(),
                waiting_for: request.waiting_for().cloned().collect(),
            },
            Change::Accepted { waiting_for, .. } => {
                Done::JointAccepted { waiting_for: waiting_for.clone() }
            }
            Change::Ended { .. } => Done::JointEnded,
            Change::Password { user_name, .. } => {
                Done::PasswordChanged { user_name: user_name.clone() }
            }
        }
    }
}
