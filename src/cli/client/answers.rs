//! What banks answer, as far as this client reads it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::money::Answered;
use crate::ids::BankId;
use crate::ledger::{AccountNumber, EntryKind, PixKey, TypeAccount, TypePerson};

/// What every answer contains.
#[derive(Deserialize)]
pub(super) struct Said {
    pub(super) descript: String,
    /// Its place in the common order; absent where the request was not ordered.
    pub(super) position: Option<u64>,
}

/// `POST /create_account`
#[derive(Deserialize)]
pub(super) struct Opened {
    pub(super) num_account: AccountNumber,
    pub(super) kay_pix: PixKey,
    /// The holders who have to accept a joint account before it opens.
    #[serde(default)]
    pub(super) waiting_for: Vec<String>,
}

/// `GET /sessions`
#[derive(Deserialize)]
pub(super) struct SessionsRead {
    pub(super) data: SessionsData,
}

#[derive(Deserialize)]
pub(super) struct SessionsData {
    pub(super) sessions: Vec<SessionLine>,
    pub(super) logins: Vec<LoginLine>,
}

#[derive(Deserialize)]
pub(super) struct SessionLine {
    pub(super) session: String,
    pub(super) began: String,
    pub(super) used: String,
    pub(super) from: String,
    pub(super) is_this: bool,
}

#[derive(Deserialize)]
pub(super) struct LoginLine {
    pub(super) at: String,
    pub(super) from: String,
}

/// `GET /joint_requests`
#[derive(Deserialize)]
pub(super) struct JointRead {
    pub(super) data: Vec<JointLine>,
}

#[derive(Clone, Deserialize)]
pub(super) struct JointLine {
    pub(super) bank: BankId,
    pub(super) num_account: AccountNumber,
    pub(super) kay_pix: PixKey,
    pub(super) opener: Opener,
    pub(super) user_names: Vec<String>,
    pub(super) waiting_for: Vec<String>,
    pub(super) value_init: Answered,
    pub(super) your_answer: bool,
}

/// Who wants to open a joint account.
#[derive(Clone, Deserialize)]
pub(super) struct Opener {
    pub(super) name: String,
    pub(super) user_name: String,
    pub(super) num_cadastro: String,
}

/// `POST /login`
#[derive(Deserialize)]
pub(super) struct LoggedIn {
    pub(super) data: CustomerRead,
    pub(super) token: String,
}

#[derive(Deserialize)]
pub(super) struct CustomerRead {
    pub(super) accounts: BTreeMap<BankId, Vec<AccountLine>>,
    pub(super) name: String,
    pub(super) type_person: TypePerson,
}

/// `[num, balance, key]`
#[derive(Deserialize)]
pub(super) struct AccountLine(pub(super) AccountNumber, pub(super) Answered, pub(super) PixKey);

/// `GET /pix/{key}`
#[derive(Deserialize)]
pub(super) struct RecipientRead {
    pub(super) data: Recipient,
    /// The key as a package must name it.
    pub(super) kay_pix: PixKey,
}

#[derive(Clone, Deserialize)]
pub(super) struct Recipient {
    pub(super) name: String,
    pub(super) num_cadastro: String,
    pub(super) bank_name: String,
    pub(super) type_person: TypePerson,
}

/// `GET /get_account/{num_account}`
#[derive(Deserialize)]
pub(super) struct StatementRead {
    pub(super) data: Statement,
    /// `before` of the next older page.
    pub(super) next_before: Option<usize>,
}

#[derive(Deserialize)]
pub(super) struct Statement {
    pub(super) num_account: AccountNumber,
    pub(super) balance: Answered,
    pub(super) name: String,
    pub(super) kay_pix: PixKey,
    pub(super) type_account: TypeAccount,
    pub(super) user_names: Vec<String>,
    /// Newest last.
    pub(super) transactions: Vec<Entry>,
}

#[derive(Deserialize)]
pub(super) struct Entry {
    /// Its place in the statement.
    pub(super) entry: u64,
    #[serde(rename = "type")]
    pub(super) kind: EntryKind,
    pub(super) value: Answered,
    pub(super) app_balance: Answered,
    /// `2026-11-23T11:03:22-03:00`, in the consortium's time zone.
    pub(super) at: String,
    pub(super) made_by: String,
    /// Absent where the other side is cash.
    pub(super) counterparty: Option<Counterparty>,
    pub(super) message: Option<String>,
    pub(super) txid: Option<String>,
    /// There if it is a refund.
    pub(super) refund_of: Option<IgnoredAny>,
}

/// An event of `GET /arrivals`
#[derive(Deserialize)]
pub(super) struct Arrived {
    pub(super) bank: BankId,
    pub(super) num_account: AccountNumber,
    pub(super) balance: Answered,
    pub(super) transaction: Entry,
}

/// Who is on the other side of an entry.
#[derive(Deserialize)]
pub(super) struct Counterparty {
    pub(super) name: String,
    pub(super) bank_name: Option<String>,
}

/// `GET /refunds/{bank}/{num_account}/{entry}`
#[derive(Deserialize)]
pub(super) struct RefundRead {
    pub(super) data: Refundable,
}

#[derive(Deserialize)]
pub(super) struct Refundable {
    /// What can still be given back.
    pub(super) left: Answered,
}

/// `GET /keys/{bank}/{num_account}`
#[derive(Deserialize)]
pub(super) struct KeysRead {
    pub(super) data: Vec<String>,
}

/// `GET /limits`
#[derive(Deserialize)]
pub(super) struct LimitsRead {
    pub(super) data: LimitsData,
}

#[derive(Deserialize)]
pub(super) struct LimitsData {
    pub(super) day: LimitLine,
    pub(super) night: LimitLine,
    /// What has left in the day or the night of now.
    pub(super) spent: Answered,
    /// What may still leave; absent without a limit.
    pub(super) left: Option<Answered>,
    /// Above which sum the password is asked for again, if at all.
    pub(super) confirm_above: Option<Answered>,
}

#[derive(Deserialize)]
pub(super) struct LimitLine {
    /// Absent without a limit.
    pub(super) limit: Option<Answered>,
    pub(super) next: Option<NextLimit>,
}

/// What is going to count.
#[derive(Deserialize)]
pub(super) struct NextLimit {
    pub(super) limit: Option<Answered>,
    pub(super) from: String,
}

/// `GET /schedules`
#[derive(Deserialize)]
pub(super) struct SchedulesRead {
    pub(super) data: Vec<ScheduleLine>,
}

#[derive(Deserialize)]
pub(super) struct ScheduleLine {
    pub(super) number: u64,
    pub(super) pix: String,
    pub(super) value: Answered,
    pub(super) times: u16,
    pub(super) done: u16,
    /// Absent once it has ended.
    pub(super) next: Option<String>,
    pub(super) last: Option<LastRun>,
}

/// What became of the latest day.
#[derive(Deserialize)]
pub(super) struct LastRun {
    pub(super) day: String,
    /// Why nothing was paid.
    pub(super) refused: Option<String>,
}

/// `GET /profile`
#[derive(Deserialize)]
pub(super) struct ProfileRead {
    pub(super) data: ProfileData,
}

#[derive(Deserialize)]
pub(super) struct ProfileData {
    pub(super) favourites: Vec<FavouriteLine>,
}

#[derive(Deserialize)]
pub(super) struct FavouriteLine {
    pub(super) kay_pix: String,
    pub(super) name: String,
}

/// `GET /status`
#[derive(Deserialize)]
pub(super) struct Status {
    pub(super) bank: BankId,
    pub(super) name: String,
    pub(super) ready: bool,
    pub(super) banks: Vec<StatusBank>,
}

#[derive(Deserialize)]
pub(super) struct StatusBank {
    pub(super) bank: BankId,
    pub(super) name: String,
    pub(super) member: bool,
}
