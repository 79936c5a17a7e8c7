//! Accounts: open, list, read with statement, and find by Pix key.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Bank;
use super::account_line::line;
use super::auth::{bearer, customer};
use super::body::{Fields, receive, text};
use super::customers::{authenticate, user_name};
use super::entry_line::{EntryLine, named};
use super::freshness::{read as read_ledger, read_before_past};
use super::order::{idempotency_key, order, up_to};
use super::past::OlderArchived;
use super::refusal::{Bad, Refused};
use super::share::{LookUps, is_company, origin};
use super::texts;
use crate::config::Config;
use crate::ids::BankId;
use crate::ledger::past::AccountTrail;
use crate::ledger::past::walk::page;
use crate::ledger::{
    Account, AccountNumber, Action, Amount, Book, Entry, NewAccount, PixKey, PixType, Reais, Txid,
    TypeAccount, TypePerson, TypedKey, UserName,
};
use crate::store::past::PastReader;

/// Statement entries in one answer when the customer does not ask for a number.
const PAGE_DEFAULT: usize = 100;
/// The most statement entries in one answer.
const PAGE_MAX: usize = 1_000;
/// The most names in `users`; the ledger's own limit is lower, this one bounds the work before the
/// ledger is asked.
const USERS_MAX: usize = 100;

/// `POST /accounts_user/{user_name}` and `POST /create_account`
pub(super) async fn open(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    let body = receive(&request, body).await?;
    let fields = Fields::of_body(&body)?;
    if let Some(named) = request.match_info().get("user_name")
        && named != fields.text("user_name")?
    {
        return Err(Bad::OtherUserName.into());
    }
    let account = new_account(&bank, &fields)?;
    let key = idempotency_key(&request)?;
    let user_name = authenticate(&bank, &request, &fields).await?;
    order(&bank, &request, None, key, opening(&bank, user_name, account)).await
}

/// The request for a new account at this bank, with what is drawn for it.
pub(crate) fn opening(bank: &Bank, user_name: UserName, account: NewAccount) -> Action {
    let (numbers, random_key) = ((bank.draw)(), Uuid::new_v4().to_string());
    Action::CreateAccount(account.opened_by(
        user_name,
        numbers,
        random_key,
        bank.config.joint_consent,
    ))
}

fn new_account(bank: &Bank, fields: &Fields<'_>) -> Result<NewAccount, Refused> {
    Ok(NewAccount {
        type_account: fields.word::<TypeAccount>("type_account", &["PF", "PJ", "CONJUNTA"])?,
        pix_type: fields
            .word::<PixType>("pix_type", &["CPF", "CNPJ", "USER_NAME", "NUM_CONTA", "RANDOM"])?,
        users: users(fields)?,
        value_init: amount(bank, fields, "value_init")?,
    })
}

fn users(fields: &Fields<'_>) -> Result<Vec<UserName>, Refused> {
    let list = fields.list("users")?;
    if list.len() > USERS_MAX {
        return Err(Bad::TooManyUsers.into());
    }
    let named = |(index, raw)| {
        let place = format!("users[{index}]");
        let name = text(raw, &place)?;
        UserName::parse(&name).map_err(|error| Bad::Value(place, error.to_string()).into())
    };
    list.into_iter().enumerate().map(named).collect()
}

/// A positive amount in reais with at most two decimals, which one operation may move.
pub(super) fn amount(bank: &Bank, fields: &Fields<'_>, name: &str) -> Result<Amount, Refused> {
    amount_up_to(bank.config.operation_max, fields, name)
}

/// A positive amount in reais with at most two decimals, up to the most that may be moved.
pub(super) fn amount_up_to(
    most: Amount,
    fields: &Fields<'_>,
    name: &str,
) -> Result<Amount, Refused> {
    let bad = |why: String| Refused::from(Bad::Value(fields.place(name), why));
    let amount = Amount::parse_json(fields.raw(name)?.get());
    let amount = amount.map_err(|error| bad(error.to_string()))?;
    up_to(most, amount).map_err(|above| bad(above.to_string()))?;
    Ok(amount)
}

/// `GET /accounts_user/{user_name}`: this bank's accounts of that customer.
pub(super) async fn list(
    bank: web::Data<Bank>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Refused> {
    let asked = user_name(&path)?;
    if customer(&bank, &request).await?.is_some_and(|user| user != asked) {
        return Err(Refused::OthersAccounts);
    }
    let me = bank.me;
    let lines = read_ledger(&bank, &request, move |book| {
        book.customer(&asked)?;
        Some(
            book.accounts_of(&asked)
                .filter(|account| account.bank == me)
                .map(line)
                .collect::<Vec<_>>(),
        )
    });
    let lines = lines.await?;
    let lines = lines.ok_or(Bad::NoSuchCustomer)?;
    Ok(HttpResponse::Ok().json(BTreeMap::from([(me, lines)])))
}

/// The part of a statement that is wanted.
#[derive(Deserialize)]
pub(super) struct PageQuery {
    limit: Option<usize>,
    before: Option<u64>,
    /// Only what paid this charge.
    txid: Option<String>,
}

#[derive(Serialize)]
struct AccountRead<'a> {
    data: &'a AccountData,
    /// The same at the top level, where the requirement's own client reads it.
    #[serde(flatten)]
    fields: &'a AccountData,
    descript: &'static str,
    /// `before` of the next older page; absent at the beginning of the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_before: Option<u64>,
    /// Older entries have not arrived at this bank yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    older_missing: bool,
    /// Older entries are in archive files.
    #[serde(skip_serializing_if = "Option::is_none")]
    older_archived: Option<OlderArchived>,
}

#[derive(Serialize)]
struct AccountData {
    num_account: AccountNumber,
    balance: Reais,
    name: String,
    kay_pix: PixKey,
    type_account: TypeAccount,
    user_names: Vec<UserName>,
    transactions: Vec<EntryLine>,
}

/// `GET /get_account/{num_account}`: an account of this bank with its statement, newest entry last.
pub(super) async fn read(
    bank: web::Data<Bank>,
    request: HttpRequest,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, Refused> {
    let number = AccountNumber::parse(&path).map_err(|error| Refused::bad(error.to_string()))?;
    let limit = query.limit.unwrap_or(PAGE_DEFAULT);
    if limit == 0 || limit > PAGE_MAX {
        return Err(Bad::Limit(PAGE_MAX).into());
    }
    let txid = query.txid.as_deref().map(Txid::parse).transpose();
    let txid = txid.map_err(|error| Refused::bad(error.to_string()))?;
    let reader = customer(&bank, &request).await?;
    let me = bank.me;
    let question = move |book: &Book| account_head(book, me, number, reader.as_ref());
    let (mut data, trail) = read_before_past(&bank, &request, question).await??;
    let before = query.before.unwrap_or(u64::MAX);
    let wants = move |entry: &Entry| txid.is_none() || entry.details.txid == txid;
    let read = move |past: &mut PastReader| {
        let page = page(past, &trail, 0..before, limit, &wants)?;
        Ok((past.gone().filter(|_| page.is_cut).cloned(), page))
    };
    let (gone, page) = bank.actors.past.read(read).await?;
    let entries = named(&bank, page.entries).await?;
    data.transactions =
        entries.into_iter().map(|entry| EntryLine::of(entry, &bank.config)).collect();
    Ok(HttpResponse::Ok().json(AccountRead {
        data: &data,
        fields: &data,
        descript: texts::ACCOUNT_READ,
        next_before: page.next_before,
        older_missing: page.is_cut && gone.is_none(),
        older_archived: gone.as_ref().map(|archived| OlderArchived::of(&bank, archived)),
    }))
}

/// The account, if the reader holds it; without sessions, any account.
pub(super) fn account_of<'a>(
    book: &'a Book,
    reader: Option<&UserName>,
    (bank, number): (BankId, AccountNumber),
) -> Result<&'a Account, Refused> {
    let account = book.account(bank, number);
    match reader {
        // Whether somebody else has an account of this number is nobody's business.
        Some(user) => {
            account.filter(|account| account.is_held_by(user)).ok_or(Refused::OthersAccount(number))
        }
        None => Ok(account.ok_or(Bad::NoSuchAccount(number, bank))?),
    }
}

/// What the ledger knows of the account, and where its entries are.
fn account_head(
    book: &Book,
    bank: BankId,
    number: AccountNumber,
    reader: Option<&UserName>,
) -> Result<(AccountData, AccountTrail), Refused> {
    let account = account_of(book, reader, (bank, number))?;
    let owner = book.customer(account.opener()).ok_or(Refused::Internal)?;
    let data = AccountData {
        num_account: number,
        balance: Reais(account.balance),
        name: owner.name.to_string(),
        kay_pix: account.key.clone(),
        type_account: account.type_account,
        user_names: account.holders.to_vec(),
        transactions: Vec::new(),
    };
    Ok((data, book.trail_of(account)))
}

#[derive(Serialize)]
struct Recipient {
    name: String,
    num_cadastro: String,
    bank: BankId,
    bank_name: String,
    type_person: TypePerson,
}

/// The key that somebody means.
pub(crate) fn key_meant(book: &Book, typed: &TypedKey) -> Result<PixKey, Refused> {
    let mut found = typed.found(book.banks(), |key| book.pix(key).is_some());
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(Bad::NoSuchKey.into()),
        (Some(key), true) => Ok(key),
        (Some(last), false) => {
            found.push(last);
            Err(Bad::SeveralKeys(found).into())
        }
    }
}

/// `GET /pix/{key}`: what a payer sees of the recipient before paying.
pub(super) async fn find_pix(
    bank: web::Data<Bank>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Refused> {
    let typed = TypedKey::parse(&path).map_err(|error| Refused::bad(error.to_string()))?;
    let config = bank.config.clone();
    let user = match origin(&request) {
        Some(_) if bearer(request.headers()).is_some() => customer(&bank, &request).await?,
        _ => None,
    };
    let look_up = LookUps::begin(&bank, &request, user.as_ref(), [path.as_str()]).await?;
    let recipient = read_ledger(&bank, &request, move |book| {
        let by_company = is_company(book, user.as_ref());
        (recipient(book, &config, &typed), by_company)
    });
    let (found, by_company) = recipient.await?;
    look_up.end_typed(&bank, &path, found.as_ref().map(|(key, _)| key), by_company);
    let (key, data) = found?;
    let answer = serde_json::json!({"data": data, "kay_pix": key, "descript": texts::KEY_FOUND});
    Ok(HttpResponse::Ok().json(answer))
}

fn recipient(
    book: &Book,
    config: &Config,
    typed: &TypedKey,
) -> Result<(PixKey, Recipient), Refused> {
    let key = key_meant(book, typed)?;
    let (account, owner) = book.pix(&key).ok_or(Refused::Internal)?;
    let recipient = Recipient {
        name: owner.name.to_string(),
        num_cadastro: owner.num_cadastro.masked(),
        bank: account.bank,
        bank_name: config
            .nodes
            .get(account.bank.index())
            .map(|node| node.name.clone())
            .unwrap_or_default(),
        type_person: owner.type_person(),
    };
    Ok((key, recipient))
}
