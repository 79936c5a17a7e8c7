//! Requests as the ledger reads them: what the protocol carries unread as [`RawRequest`], parsed
//! into types.
//!
//! Everything that differs from bank to bank or from moment to moment is in the request, put there
//! by the bank that sends it: the password's hash, the account numbers drawn and the random key.
//! Unknown fields are refused: a field from a newer bank that older banks skipped would make the
//! copies differ.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::{AccountNumber, TypeAccount};
use super::closing::Closing;
use super::customer::{Document, PersonName, UserName};
use super::keys::KeyChange;
use super::limits::{LimitsChange, OFFSET_MAX_S};
use super::money::{Amount, Centavos};
use super::package::Package;
use super::password_hash::PasswordHash;
use super::pix::{PixType, is_pix_value};
use super::profile::ProfileChange;
use super::refund::Refund;
use super::schedule::{Due, ScheduleChange};
use crate::ids::request::{AT_MS_MAX, RawRequest, raw};
use crate::ids::{BankId, EventId};

/// The most characters of an idempotency key.
pub(crate) const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
/// Names a customer's request, so that asking again does not do it again. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct IdempotencyKey(Arc<str>);

impl IdempotencyKey {
    /// Reads a key.
    ///
    /// # Errors
    /// [`BadIdempotencyKey`] unless it is 1 to 255 printable ASCII characters.
    pub fn parse(text: &str) -> Result<Self, BadIdempotencyKey> {
        let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        if !(1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&text.len()) || !text.bytes().all(printable) {
            return Err(BadIdempotencyKey);
        }
        Ok(IdempotencyKey(text.into()))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IdempotencyKey {
    type Error = BadIdempotencyKey;

    fn try_from(text: String) -> Result<Self, BadIdempotencyKey> {
        IdempotencyKey::parse(&text)
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is not an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadIdempotencyKey;

/// A new customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Full name.
    pub name: PersonName,
    /// CPF or CNPJ; which one it is tells whether the customer is a person or a company.
    pub num_cadastro: Document,
    /// The name to log in with.
    pub user_name: UserName,
    /// What the login will check against.
    pub password_hash: PasswordHash,
    /// Whether the user name must not look like another one; not in older journals, nor in the
    /// requirement's messages.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub distinct: bool,
}

/// The least money to open an account with: R$ 50.00.
pub(crate) const OPENING_MIN: Centavos = Centavos::new(5_000);
/// The most holders of a joint account besides the one who opens it.
pub(crate) const JOINT_OTHERS_MAX: usize = 9;

/// A new account, at the bank that sends the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// Who opens it.
    pub user_name: UserName,
    /// Who may hold it.
    pub type_account: TypeAccount,
    /// What its key is made of.
    pub pix_type: PixType,
    /// The other holders of a joint account.
    pub users: Vec<UserName>,
    /// The first money.
    pub value_init: Amount,
    /// Numbers that the sender has drawn ([`AccountNumber::candidates`]), to be tried in this
    /// order.
    pub numbers: Vec<AccountNumber>,
    /// The value of the key if it is [`PixType::Random`]; drawn by the sender.
    pub random_key: String,
    /// Whether the other holders of a joint account are asked first; not in older journals, nor
    /// in laboratories.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub consent: bool,
}

/// What somebody who is going to hold a joint account says to that; its opener may take the request
/// back. Who says it is named by the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JointAnswer {
    /// Where the account is going to be.
    pub bank: BankId,
    /// Its number.
    pub account: AccountNumber,
    /// Whether they want to hold it.
    pub accept: bool,
}

/// A new password. Whose it is, the request says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// What the login will check against.
    pub password_hash: PasswordHash,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Action {
    /// Register a customer.
    Register(Registration),
    /// Open an account.
    CreateAccount(Opening),
    /// Execute a package.
    Operations(Package),
    /// Accept or decline to hold a joint account.
    AnswerJoint(JointAnswer),
    /// Replace a customer's password.
    ChangePassword(PasswordChange),
    /// Give back what came by Pix.
    Refund(Refund),
    /// Add, remove or move a Pix key.
    Keys(KeyChange),
    /// Set how much may leave by day and by night.
    Limits(LimitsChange),
    /// Plan a Pix of days to come, or give it up.
    Schedule(ScheduleChange),
    /// Close an account, or keep it open.
    Close(Closing),
    /// Call an account or a payee something.
    Profile(ProfileChange),
    /// A day of such a Pix has come; no customer asks for it.
    Due(Due),
}

impl Action {
    /// The `type_msg` it travels under.
    #[must_use]
    pub fn type_msg(&self) -> &'static str {
        match self {
            Action::Register(_) => "REGISTER",
            Action::CreateAccount(_) => "CREATE_ACCOUNT",
            Action::Operations(_) => "OPERATIONS",
            Action::AnswerJoint(_) => "ANSWER_JOINT",
            Action::ChangePassword(_) => "CHANGE_PASSWORD",
            Action::Refund(_) => "REFUND",
            Action::Keys(_) => "KEYS",
            Action::Limits(_) => "LIMITS",
            Action::Schedule(_) => "SCHEDULE",
            Action::Due(_) => "DUE",
            Action::Close(_) => "CLOSE",
            Action::Profile(_) => "PROFILE",
        }
    }
}

/// One request of one customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What the answer and the statements call it.
    pub id: EventId,
    /// When the sender took it, in Unix milliseconds (UTC): present only where its event does not
    /// say so, as in older journals and in the requirement's messages.
    pub at_ms: Option<i64>,
    /// The customer's name for it, if they gave one.
    pub key: Option<IdempotencyKey>,
    /// Who asks, as the session says; `None` in a laboratory without sessions.
    pub by: Option<UserName>,
    /// Whether it may touch only accounts that they hold, also by deposits; not in older journals,
    /// nor in laboratories.
    pub own: bool,
    /// By how many seconds the clocks of the consortium's time zone are ahead of UTC: decides what
    /// is day and what is night; not in older journals, nor where no customer is named.
    pub offset_s: Option<i32>,
    /// Whether they have given their password with it, as the bank that was asked says.
    pub confirmed: bool,
    /// What they ask for.
    pub action: Action,
}

/// The `msg` of a request.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content<A> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<IdempotencyKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<UserName>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    own: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset_s: Option<i32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    confirmed: bool,
    action: A,
}

impl Request {
    /// The request as the protocol carries it.
    #[must_use]
    pub fn to_raw(&self) -> RawRequest {
        let content = Content {
            at_ms: self.at_ms,
            key: self.key.clone(),
            by: self.by.clone(),
            own: self.own,
            offset_s: self.offset_s,
            confirmed: self.confirmed,
            action: &self.action,
        };
        RawRequest {
            id: self.id.clone(),
            type_msg: self.action.type_msg().to_owned(),
            msg: raw(&content),
        }
    }

    /// Reads what the protocol carried.
    ///
    /// # Errors
    /// [`MalformedRequest`] says what does not fit.
    pub fn parse(raw: &RawRequest) -> Result<Self, MalformedRequest> {
        let content: Content<Action> = serde_json::from_str(raw.msg.get())?;
        if content.action.type_msg() != raw.type_msg {
            return Err(MalformedRequest::Type);
        }
        let is_far = |offset_s: i32| offset_s.unsigned_abs() > OFFSET_MAX_S.unsigned_abs();
        if content.at_ms.is_some_and(|at_ms| at_ms > AT_MS_MAX)
            || content.offset_s.is_some_and(is_far)
        {
            return Err(MalformedRequest::Time);
        }
        if let Action::CreateAccount(opening) = &content.action
            && !is_pix_value(&opening.random_key)
        {
            return Err(MalformedRequest::RandomKey);
        }
        let Content { at_ms, key, by, own, offset_s, confirmed, action } = content;
        Ok(Request { id: raw.id.clone(), at_ms, key, by, own, offset_s, confirmed, action })
    }
}

/// Why a peer's message is not a request. For the log only: the customer gets the same refusal for
/// all of them.
#[derive(Debug, thiserror::Error)]
pub enum MalformedRequest {
    /// The content does not parse.
    #[error("the content of the request cannot be read: {0}")]
    Content(#[from] serde_json::Error),
    /// `type_msg` and content are of different kinds.
    #[error("type_msg and the content of the request are of different kinds")]
    Type,
    /// Later than [`AT_MS_MAX`], or from a zone that is nowhere.
    #[error("the time of the request is impossible")]
    Time,
    /// The random key could not be part of a Pix key.
    #[error("the random key cannot stand in a Pix key")]
    RandomKey,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::money::Centavos;

    fn opening() -> Request {
        let user_name = |text| UserName::parse(text).unwrap();
        Request {
            id: EventId::new(BankId(0), "x"),
            at_ms: Some(1_795_442_602_999),
            key: Some(IdempotencyKey::parse("k 1").unwrap()),
            by: Some(user_name("karen123")),
            own: false,
            offset_s: None,
            confirmed: false,
            action: Action::CreateAccount(Opening {
                user_name: user_name("karen123"),
                type_account: TypeAccount::Conjunta,
                pix_type: PixType::NumConta,
                users: vec![user_name("matheus123")],
                value_init: Amount::parse(Centavos::new(25_000)).unwrap(),
                numbers: vec![AccountNumber::parse("740358").unwrap()],
                random_key: "8d0f".into(),
                consent: true,
            }),
        }
    }

    fn registration() -> Request {
        let action = Action::Register(Registration {
            name: PersonName::parse("Pedro Silva").unwrap(),
            num_cadastro: Document::try_from("123.123.123-00".to_owned()).unwrap(),
            user_name: UserName::parse("pedrinho234").unwrap(),
            password_hash: PasswordHash::parse("$argon2id$x").unwrap(),
            distinct: true,
        });
        Request { key: None, by: None, action, ..opening() }
    }

    fn package() -> Request {
        let text = r#"[{"bank":0,"account":740358,"kind":{"WITHDRAW":{"value":1}}}]"#;
        let action = Action::Operations(serde_json::from_str(text).unwrap());
        Request { own: true, offset_s: Some(-10_800), confirmed: true, action, ..opening() }
    }

    fn answer() -> Request {
        let account = AccountNumber::parse("740358").unwrap();
        let answer = JointAnswer { bank: BankId(1), account, accept: true };
        Request { action: Action::AnswerJoint(answer), ..opening() }
    }

    fn change() -> Request {
        let password_hash = PasswordHash::parse("$argon2id$y").unwrap();
        Request { action: Action::ChangePassword(PasswordChange { password_hash }), ..opening() }
    }

    /// The request with one text replaced by another in its JSON.
    fn altered(request: &Request, from: &str, to: &str) -> RawRequest {
        let raw = request.to_raw();
        assert!(raw.msg.get().contains(from), "{from} stands in {}", raw.msg);
        let msg = serde_json::from_str::<Box<serde_json::value::RawValue>>(
            &raw.msg.get().replace(from, to),
        )
        .unwrap();
        RawRequest { msg: Arc::from(msg), ..raw }
    }

    #[test]
    fn every_kind_of_request_is_read_back_as_it_was() {
        for request in [registration(), opening(), package(), answer(), change()] {
            assert_eq!(Request::parse(&request.to_raw()).unwrap(), request);
        }
        let requests = [registration(), opening(), package(), answer()];
        let names = requests.map(|request| request.to_raw().type_msg);
        assert_eq!(names, ["REGISTER", "CREATE_ACCOUNT", "OPERATIONS", "ANSWER_JOINT"]);
    }

    #[test]
    fn a_request_under_another_type_is_malformed() {
        let raw = RawRequest { type_msg: "OPERATIONS".into(), ..registration().to_raw() };
        assert!(matches!(Request::parse(&raw), Err(MalformedRequest::Type)));
        assert!(Request::parse(&RawRequest { type_msg: "REGISTER".into(), ..raw }).is_ok());
    }

    #[test]
    fn content_that_no_bank_of_ours_writes_is_malformed() {
        let malformed = [
            altered(&registration(), "123.123.123-00", "123"),
            altered(&registration(), "pedrinho234", "a b"),
            altered(&registration(), "$argon2id$x", "12345678"),
            altered(&registration(), "\"at_ms\"", "\"vip\":true,\"at_ms\""),
            altered(&registration(), "\"name\"", "\"vip\":true,\"name\""),
            altered(&registration(), "\"at_ms\"", "\"at_ms\":1,\"at_ms\""),
            altered(&opening(), "25000", "0"),
            altered(&opening(), "25000", "250.5"),
            altered(&opening(), "k 1", ""),
            altered(&opening(), "CONJUNTA", "VIP"),
            altered(&package(), "{\"value\":1}", "{\"value\":-1}"),
        ];
        for raw in malformed {
            assert!(
                matches!(Request::parse(&raw), Err(MalformedRequest::Content(_))),
                "{}",
                raw.msg
            );
        }
    }

    #[test]
    fn a_random_key_must_fit_into_a_pix_key() {
        for text in ["", "a b"] {
            let raw = altered(&opening(), "8d0f", text);
            assert!(matches!(Request::parse(&raw), Err(MalformedRequest::RandomKey)), "{text:?}");
        }
    }

    #[test]
    fn a_time_after_the_year_9999_is_malformed() {
        let at = |at_ms| Request::parse(&Request { at_ms: Some(at_ms), ..package() }.to_raw());
        assert!(at(AT_MS_MAX).is_ok());
        assert!(matches!(at(AT_MS_MAX + 1), Err(MalformedRequest::Time)));
    }

    #[test]
    fn a_time_zone_that_is_nowhere_is_malformed() {
        let of =
            |offset_s| Request::parse(&Request { offset_s: Some(offset_s), ..package() }.to_raw());
        assert!(of(OFFSET_MAX_S).is_ok() && of(-OFFSET_MAX_S).is_ok());
        for offset_s in [OFFSET_MAX_S + 1, -OFFSET_MAX_S - 1, i32::MIN] {
            assert!(matches!(of(offset_s), Err(MalformedRequest::Time)), "{offset_s}");
        }
    }

    #[test]
    fn an_idempotency_key_is_printable_ascii() {
        assert!(IdempotencyKey::parse(&"k".repeat(255)).is_ok());
        for text in ["", "é", "a\n", &"k".repeat(256)] {
            assert_eq!(IdempotencyKey::parse(text), Err(BadIdempotencyKey), "{text:?}");
        }
    }

    #[test]
    fn debug_output_hides_the_password_hash() {
        for request in [registration(), change()] {
            assert!(!format!("{request:?}").contains("argon2id"));
        }
    }
}
