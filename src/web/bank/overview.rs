//! All accounts of a customer at all banks, with their total.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

pub(super) use super::bank_name;
use super::form::Form;
use super::joint::{self, JointLine};
use super::money::{reais, reais_wide};
use super::{Answer, customer, shown, texts};
use crate::actors::ledger::Ask;
use crate::http::{Bank, Refused};
use crate::ids::BankId;
use crate::ledger::scheduled::Schedule;
use crate::ledger::{Account, AccountNumber, Book, Centavos, UserName, money};
use crate::web::frame::Frame;
use crate::web::{page, session};

/// An account as lists and choices show it.
#[derive(Clone, Debug)]
pub(super) struct AccountLine {
    pub(super) bank: BankId,
    pub(super) bank_name: String,
    pub(super) number: AccountNumber,
    pub(super) key: String,
    pub(super) kind: &'static str,
    pub(super) others: Vec<UserName>,
    pub(super) balance: Centavos,
    /// What the customer calls it.
    pub(super) nickname: Option<String>,
}

impl AccountLine {
    fn of(book: &Book, account: &Account, reader: &UserName) -> Self {
        let profile = book.profile(reader);
        let nickname = profile.and_then(|profile| profile.nickname(account.bank, account.number));
        let others = account.holders.iter().filter(|holder| *holder != reader).cloned();
        AccountLine {
            bank: account.bank,
            bank_name: String::new(),
            number: account.number,
            key: account.key.to_string(),
            kind: texts::type_account(account.type_account),
            others: others.collect(),
            balance: account.balance,
            nickname: nickname.map(ToString::to_string),
        }
    }

    /// `0-740358`, as forms and addresses name it.
    pub(super) fn place(&self) -> String {
        format!("{}-{}", self.bank, self.number)
    }

    pub(super) fn shown_balance(&self) -> String {
        reais(self.balance)
    }
}

/// The customer's accounts, by bank.
pub(super) async fn accounts_of(bank: &Bank, user: &UserName) -> Result<Vec<AccountLine>, Refused> {
    let user = user.clone();
    let lines = Ask(move |book: &Book| {
        let line = |account| AccountLine::of(book, account, &user);
        book.accounts_of(&user).map(line).collect::<Vec<_>>()
    });
    let mut lines = bank.actors.routes.ledger.send(lines).await?;
    for line in &mut lines {
        line.bank_name = bank_name(bank, line.bank);
    }
    Ok(lines)
}

#[derive(Template)]
#[template(path = "bank/welcome.html")]
struct WelcomePage {
    frame: Frame,
}

struct BankAccounts {
    name: String,
    absent: bool,
    accounts: Vec<AccountLine>,
}

#[derive(Template)]
#[template(path = "bank/overview.html")]
struct OverviewPage {
    frame: Frame,
    name: String,
    banks: Vec<BankAccounts>,
    total: String,
    joint: Vec<JointLine>,
    news: Option<String>,
    warning: Option<&'static str>,
    /// Whether a Pix of another day was not paid when its day came.
    failed: bool,
    /// Accounts that were closed, as addresses name them.
    closed: Vec<String>,
}

/// `GET /`
pub(super) async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let answer = if session::customer(&bank, &request).await.is_some() {
        overview(&bank, &request).await
    } else {
        Ok(page(StatusCode::OK, &WelcomePage { frame: Frame::of(&bank, &request).await }))
    };
    shown(&bank, &request, answer).await
}

async fn overview(bank: &Bank, request: &HttpRequest) -> Answer {
    let user = customer(bank, request).await?;
    let accounts = accounts_of(bank, &user).await?;
    let joint = joint::lines(bank, &user).await?;
    let known = Ask(move |book: &Book| {
        let name = book.customer(&user).map(|customer| customer.name.to_string());
        let place = |account: &Account| format!("{}-{}", account.bank, account.number);
        let closed: Vec<_> = book.closed_accounts_of(&user).map(place).collect();
        (name, book.schedules_of(&user).any(Schedule::has_failed), closed)
    });
    let (name, failed, closed) = bank.actors.routes.ledger.send(known).await?;
    let name = name.ok_or(Refused::Internal)?;
    let frame = Frame::of(bank, request).await;
    let total = reais_wide(money::sum(accounts.iter().map(|account| account.balance)));
    let query = Form::of_query(request)?;
    let (new, warning) =
        (query.text("aberta").to_owned(), texts::common_password(query.text("senha")));
    // Only an account that really exists is announced as new, whatever the address says.
    let opened = accounts.iter().find(|account| account.place() == new);
    let opened = opened.map(|account| texts::account_opened(account.number, &account.bank_name));
    let waits = joint.iter().find(|line| line.place() == new);
    let waits = waits.map(|line| texts::account_waits(line.number, &line.bank_name));
    let news = opened.or(waits);
    let mut by_bank: BTreeMap<BankId, Vec<AccountLine>> = BTreeMap::new();
    for account in accounts {
        by_bank.entry(account.bank).or_default().push(account);
    }
    let banks = by_bank.into_iter().map(|(of, accounts)| BankAccounts {
        name: bank_name(bank, of),
        absent: frame.absent.contains(&of),
        accounts,
    });
    let banks = banks.collect();
    let content = OverviewPage { frame, name, banks, total, joint, news, warning, failed, closed };
    Ok(page(StatusCode::OK, &content))
}
