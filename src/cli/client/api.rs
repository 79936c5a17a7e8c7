//! What a customer can ask of the banks, one method per action. Every answer here is a success; a
//! refusal is an error.

use serde::Serialize;
use uuid::Uuid;

use super::answers::{AccountLine, CustomerRead};
use super::banks::Banks;
use super::call::{Answer, Request};
use super::session::{Password, Session};
use super::{ClientError, texts};
use crate::ids::BankId;
use crate::ledger::{
    AccountNumber, Centavos, Document, Limit, Message, NewAccount, Nickname, PersonName, PixKey,
    Reais, Txid, TypePerson, UserName,
};
use crate::wire::escaped;

/// Who wants to become a customer.
pub(super) struct NewCustomer {
    pub(super) name: PersonName,
    pub(super) document: Document,
    pub(super) user: UserName,
}

/// An account as its holder sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OwnAccount {
    pub(super) bank: BankId,
    pub(super) number: AccountNumber,
    pub(super) balance: Centavos,
    pub(super) key: PixKey,
}

#[derive(Serialize)]
struct RegistrationBody<'a> {
    name: &'a PersonName,
    num_cadastro: &'a Document,
    user_name: &'a UserName,
    password: &'a str,
    type_person: TypePerson,
}

#[derive(Serialize)]
struct PasswordBody<'a> {
    user_name: &'a UserName,
    password: &'a str,
    new_password: &'a str,
}

#[derive(Serialize)]
struct EndBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
}

#[derive(Serialize)]
struct JointBody {
    accept: bool,
}

/// What is given back of a Pix that was received.
#[derive(Serialize)]
pub(super) struct GiveBack<'a> {
    pub(super) bank: BankId,
    pub(super) num_account: AccountNumber,
    /// Its place in the statement.
    pub(super) entry: u64,
    pub(super) value: Reais,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<&'a Message>,
}

/// What is to become of a Pix key.
pub(super) enum KeyWish<'a> {
    /// The account gets one of this kind.
    Add { kind: &'a str, value: Option<&'a str> },
    /// The account loses it.
    Remove(&'a str),
    /// The account gets it from another one.
    Move(&'a str),
}

/// A limit; `None` for none.
pub(super) type LimitWish = Option<Limit>;

#[derive(Serialize)]
struct LimitsBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<Option<Reais>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    night: Option<Option<Reais>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm_above: Option<Option<Reais>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
}

/// Which limits are to change, and to what.
#[derive(Default)]
pub(super) struct LimitWishes {
    pub(super) day: Option<LimitWish>,
    pub(super) night: Option<LimitWish>,
    /// Above which sum the password is asked for again, and the password.
    pub(super) confirm: Option<(LimitWish, Password)>,
}

/// A Pix of days to come.
#[derive(Serialize)]
pub(super) struct Plan<'a> {
    pub(super) bank: BankId,
    pub(super) num_account: AccountNumber,
    pub(super) pix: &'a PixKey,
    pub(super) value: Reais,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<&'a Message>,
    /// `2026-11-23`
    pub(super) day: &'a str,
    pub(super) every: &'static str,
    pub(super) times: u16,
}

#[derive(Serialize)]
struct CloseBody {
    bank: BankId,
    num_account: AccountNumber,
    close: bool,
}

#[derive(Serialize)]
struct NicknameBody<'a> {
    bank: BankId,
    num_account: AccountNumber,
    /// `null` for no nickname.
    name: Option<&'a Nickname>,
}

#[derive(Serialize)]
struct FavouriteBody<'a> {
    kay_pix: &'a PixKey,
    name: &'a Nickname,
}

#[derive(Default, Serialize)]
struct KeyBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    bank: Option<BankId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_account: Option<AccountNumber>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kay_pix: Option<&'a str>,
}

/// A key that no other request has.
pub(super) fn new_key() -> String {
    Uuid::new_v4().to_string()
}

/// The part of a statement that is wanted.
pub(super) struct Part<'a> {
    pub(super) limit: usize,
    /// Only entries before this index.
    pub(super) before: Option<usize>,
    /// Only what paid this charge.
    pub(super) txid: Option<&'a Txid>,
}

impl Banks {
    pub(super) async fn register(
        &mut self,
        customer: &NewCustomer,
        password: &Password,
        key: &str,
    ) -> Result<Answer, ClientError> {
        let body = RegistrationBody {
            name: &customer.name,
            num_cadastro: &customer.document,
            user_name: &customer.user,
            password: password.reveal(),
            type_person: customer.document.type_person(),
        };
        let request = Request::post("/register-customer", super::json(&body)).with_key(key);
        done(self.ask(&mut Session::default(), &request).await?)
    }

    /// Opens an account at the bank in this place. No other bank can be asked instead: it would
    /// open the account at its own bank.
    pub(super) async fn open(
        &mut self,
        place: usize,
        user: &UserName,
        password: &Password,
        account: &NewAccount,
        key: &str,
    ) -> Result<Answer, ClientError> {
        let body = account.to_body(user, password.reveal());
        let request = Request::post("/create_account", body).with_key(key).only_at(place);
        done(self.ask(&mut Session::default(), &request).await?)
    }

    /// Replaces the password; all sessions end, at all banks.
    pub(super) async fn change_password(
        &mut self,
        user: &UserName,
        password: &Password,
        new: &Password,
        key: &str,
    ) -> Result<Answer, ClientError> {
        let (password, new_password) = (password.reveal(), new.reveal());
        let body = super::json(&PasswordBody { user_name: user, password, new_password });
        let request = Request::post("/password", body).with_key(key);
        done(self.ask(&mut Session::default(), &request).await?)
    }

    /// The customer's sessions at the bank in this place.
    pub(super) async fn sessions_at(
        &mut self,
        session: &mut Session,
        place: usize,
    ) -> Result<Answer, ClientError> {
        let request = Request::get("/sessions").in_session().only_at(place);
        done(self.ask(session, &request).await?)
    }

    /// Ends one of them, or all.
    pub(super) async fn end_sessions_at(
        &mut self,
        session: &mut Session,
        place: usize,
        named: Option<&str>,
    ) -> Result<Answer, ClientError> {
        let body = super::json(&EndBody { session: named });
        let request = Request::post("/sessions/end", body).in_session().only_at(place);
        done(self.ask(session, &request).await?)
    }

    /// The joint accounts that wait for their holders, the customer among them.
    pub(super) async fn joint_requests(
        &mut self,
        session: &mut Session,
    ) -> Result<Answer, ClientError> {
        done(self.ask(session, &Request::get("/joint_requests").in_session()).await?)
    }

    /// Accepts or declines to hold a joint account.
    pub(super) async fn answer_joint(
        &mut self,
        session: &mut Session,
        (bank, account): (BankId, AccountNumber),
        accept: bool,
        key: &str,
    ) -> Result<Answer, ClientError> {
        let path = format!("/joint_requests/{bank}/{account}");
        let body = super::json(&JointBody { accept });
        done(self.ask(session, &Request::post(path, body).with_key(key).in_session()).await?)
    }

    /// Sends a package in the requirement's form, confirmed with the password if there is one.
    pub(super) async fn operate(
        &mut self,
        session: &mut Session,
        package: String,
        confirmed: Option<&Password>,
        key: &str,
    ) -> Result<Answer, ClientError> {
        let request = Request::post("/operations", package).with_key(key).in_session();
        done(self.ask(session, &request.confirmed(confirmed)).await?)
    }

    /// The Pix keys of an account.
    pub(super) async fn keys(
        &mut self,
        session: &mut Session,
        (bank, account): (BankId, AccountNumber),
    ) -> Result<Answer, ClientError> {
        let path = format!("/keys/{bank}/{account}");
        done(self.ask(session, &Request::get(path).in_session()).await?)
    }

    /// Changes one of them.
    pub(super) async fn change_key(
        &mut self,
        session: &mut Session,
        (bank, account): (BankId, AccountNumber),
        wish: &KeyWish<'_>,
        key: &str,
    ) -> Result<Answer, ClientError> {
        let (path, body) = match *wish {
            KeyWish::Add { kind, value } => {
                let (bank, num_account) = (Some(bank), Some(account));
                let kind = Some(kind);
                ("/keys", KeyBody { bank, num_account, kind, value, ..KeyBody::default() })
            }
            KeyWish::Remove(pix) => {
                ("/keys/remove", KeyBody { kay_pix: Some(pix), ..KeyBody::default() })
            }
            KeyWish::Move(pix) => {
                let num_account = Some(account);
                ("/keys/move", KeyBody { kay_pix: Some(pix), num_account, ..KeyBody::default() })
            }
        };
        let request = Request::post(path, super::json(&body)).with_key(key).in_session();
        done(self.ask(session, &request).await?)
    }

    /// How much the customer lets leave by day and by night.
    pub(super) async fn limits(&mut self, session: &mut Session) -> Result<Answer, ClientError> {
        done(self.ask(session, &Request::get("/limits").in_session()).await?)
    }

    /// Sets some of the limits.
    pub(super) async fn set_limits(
        &mut self,
        session: &mut Session,
        LimitWishes { day, night, confirm }: &LimitWishes,
        key: &str,
    ) -> Result<Answer, ClientError> {
        let reais = |wish: LimitWish| wish.map(|limit| Reais(limit.get()));
        let body = LimitsBody {
            day: day.map(reais),
            night: night.map(reais),
            confirm_above: confirm.as_ref().map(|(wish, _)| reais(*wish)),
            password: confirm.as_ref().map(|(_, password)| password.reveal()),
        };
        let request = Request::post("/limits", super::json(&body)).with_key(key).in_session();
        done(self.ask(session, &request).await?)
    }

    /// The customer's Pix of days to come.
    pub(super) async fn schedules(&mut self, session: &mut Session) -> Result<Answer, ClientError> {
        done(self.ask(session, &Request::get("/schedules").in_session()).await?)
    }

    /// Plans one.
    pub(super) async fn schedule(
        &mut self,
        session: &mut Session,
        plan: &Plan<'_>,
        confirmed: Option<&Password>,
        key: &str,
    ) -> Result<Answer, ClientError> {
        let request = Request::post("/schedules", super::json(plan)).with_key(key).in_session();
        done(self.ask(session, &request.confirmed(confirmed)).await?)
    }

    /// Gives one up.
    pub(super) async fn cancel_schedule(
        &mut self,
        session: &mut Session,
        number: u64,
        key: &str,
    ) -> Result<Answer, ClientError> {
        let path = format!("/schedules/{number}/cancel");
        let request = Request::post(path, "{}".to_owned()).with_key(key).in_session();
        done(self.ask(session, &request).await?)
    }

    /// Closes an account, or keeps it open.
    pub(super) async fn close(
        &mut self,
        session: &mut Session,
        (bank, num_account): (BankId, AccountNumber),
        close: bool,
        key: &str,
    ) -> Result<Answer, ClientError> {
        let body = super::json(&CloseBody { bank, num_account, close });
        let request = Request::post("/close_account", body).with_key(key).in_session();
        done(self.ask(session, &request).await?)
    }

    /// Calls an account something; nothing without a name.
    pub(super) async fn nickname(
        &mut self,
        session: &mut Session,
        (bank, num_account): (BankId, AccountNumber),
        name: Option<&Nickname>,
        key: &str,
    ) -> Result<Answer, ClientError> {
        let body = super::json(&NicknameBody { bank, num_account, name });
        let request = Request::post("/nickname", body).with_key(key).in_session();
        done(self.ask(session, &request).await?)
    }

    /// What the customer calls accounts and payees.
    pub(super) async fn profile(&mut self, session: &mut Session) -> Result<Answer, ClientError> {
        done(self.ask(session, &Request::get("/profile").in_session()).await?)
    }

    /// Keeps a payee among the favourites.
    pub(super) async fn favourite(
        &mut self,
        session: &mut Session,
        (kay_pix, name): (&PixKey, &Nickname),
        key: &str,
    ) -> Result<Answer, ClientError> {
        let body = super::json(&FavouriteBody { kay_pix, name });
        let request = Request::post("/favourites", body).with_key(key).in_session();
        done(self.ask(session, &request).await?)
    }

    /// Takes one off.
    pub(super) async fn forget_favourite(
        &mut self,
        session: &mut Session,
        pix: &str,
        key: &str,
    ) -> Result<Answer, ClientError> {
        let body = super::json(&KeyBody { kay_pix: Some(pix), ..KeyBody::default() });
        let request = Request::post("/favourites/remove", body).with_key(key).in_session();
        done(self.ask(session, &request).await?)
    }

    /// How much of a Pix can be given back.
    pub(super) async fn refundable(
        &mut self,
        session: &mut Session,
        (bank, account): (BankId, AccountNumber),
        entry: u64,
    ) -> Result<Answer, ClientError> {
        let path = format!("/refunds/{bank}/{account}/{entry}");
        done(self.ask(session, &Request::get(path).in_session()).await?)
    }

    /// Gives back some of it.
    pub(super) async fn refund(
        &mut self,
        session: &mut Session,
        refund: &GiveBack<'_>,
        key: &str,
    ) -> Result<Answer, ClientError> {
        let request = Request::post("/refunds", super::json(refund)).with_key(key).in_session();
        done(self.ask(session, &request).await?)
    }

    /// The payee that a Pix key belongs to, however it was typed.
    pub(super) async fn recipient(&mut self, key: &str) -> Result<Answer, ClientError> {
        let request = Request::get(format!("/pix/{}", escaped(key)));
        done(self.ask(&mut Session::default(), &request).await?)
    }

    /// A page of the statement of an account at the bank in this place, the only bank that provides
    /// it.
    pub(super) async fn statement(
        &mut self,
        session: &mut Session,
        place: usize,
        account: AccountNumber,
        part: Part<'_>,
    ) -> Result<Answer, ClientError> {
        let Part { limit, before, txid } = part;
        let before = before.map(|before| format!("&before={before}")).unwrap_or_default();
        let txid = txid.map(|txid| format!("&txid={txid}")).unwrap_or_default();
        let path = format!("/get_account/{}?limit={limit}{before}{txid}", account.get());
        done(self.ask(session, &Request::get(path).in_session().only_at(place)).await?)
    }

    /// A customer's accounts at the bank in this place; for a person who has a token and no
    /// password.
    pub(super) async fn accounts_at(
        &mut self,
        session: &mut Session,
        place: usize,
        user: &UserName,
    ) -> Result<Vec<OwnAccount>, ClientError> {
        let path = format!("/accounts_user/{}", escaped(user.as_str()));
        let answer =
            done(self.ask(session, &Request::get(path).in_session().only_at(place)).await?)?;
        read(&answer).map(|accounts| own_accounts(&accounts))
    }
}

impl CustomerRead {
    /// The customer's accounts at all banks, by bank.
    pub(super) fn own_accounts(&self) -> Vec<OwnAccount> {
        own_accounts(&self.accounts)
    }
}

fn own_accounts(by_bank: &std::collections::BTreeMap<BankId, Vec<AccountLine>>) -> Vec<OwnAccount> {
    let of_bank = |(bank, lines): (&BankId, &Vec<AccountLine>)| {
        let bank = *bank;
        let own = |AccountLine(number, balance, key): &AccountLine| OwnAccount {
            bank,
            number: *number,
            balance: balance.0,
            key: key.clone(),
        };
        lines.iter().map(own).collect::<Vec<_>>()
    };
    by_bank.iter().flat_map(of_bank).collect()
}

fn done(answer: Answer) -> Result<Answer, ClientError> {
    if answer.is_done() {
        Ok(answer)
    } else {
        Err(ClientError::Refused(super::screen::plain(&answer.descript())))
    }
}

/// Reads what a success says.
pub(super) fn read<T: serde::de::DeserializeOwned>(answer: &Answer) -> Result<T, ClientError> {
    answer.read().ok_or_else(|| ClientError::Refused(texts::unreadable(answer.status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accounts_of_all_banks_are_read_to_the_centavo() {
        let text = r#"{"accounts": {"0": [[906647, 450.55, "0:renata332"]], "1": [], "2": [[7, 0.0, "2:x"]]},
            "name": "Renata", "type_person": "PF", "num_cadastro": "x", "user_name": "renata332"}"#;
        let customer: CustomerRead = serde_json::from_str(text).unwrap();
        let accounts = customer.own_accounts();
        assert_eq!(
            accounts.iter().map(|own| (own.bank.0, own.balance.get())).collect::<Vec<_>>(),
            [(0, 45_055), (2, 0)]
        );
    }
}
