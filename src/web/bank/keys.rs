//! The Pix keys of an account: a page that lists them, and the forms that change them.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::form::{Form, new_key};
use super::statement::{own, place as account_of};
use super::{Answer, bank_name, customer, ordered, see_other, sent, shown, texts};
use crate::actors::ledger::Ask;
use crate::http::{Bank, Refused, new_key_of};
use crate::ids::BankId;
use crate::ledger::keys::keys_max;
use crate::ledger::{AccountNumber, Action, Book, KeyChange, PixKey, TypePerson, UserName};
use crate::web::frame::Frame;
use crate::web::page;
use crate::web::refused::with_header;

/// What the ledger knows.
struct Found {
    keys: Vec<PixKey>,
    most: usize,
    type_person: TypePerson,
    /// The customer's other accounts at the same bank.
    others: Vec<AccountNumber>,
}

impl Found {
    fn of(
        book: &Book,
        user: &UserName,
        (bank, number): (BankId, AccountNumber),
    ) -> Result<Found, Refused> {
        let account = own(book, user, (bank, number))?;
        let others = book.accounts_of(user);
        let others = others.filter(|other| other.bank == bank && other.number != number);
        Ok(Found {
            keys: account.keys().cloned().collect(),
            most: keys_max(account.type_account),
            type_person: book.customer(user).ok_or(Refused::Internal)?.type_person(),
            others: others.map(|other| other.number).collect(),
        })
    }
}

#[derive(Template)]
#[template(path = "bank/keys.html")]
struct KeysPage {
    frame: Frame,
    problem: Option<String>,
    news: Option<&'static str>,
    place: String,
    bank_name: String,
    number: AccountNumber,
    found: Found,
    /// For each form another one.
    form_keys: Vec<String>,
    key: String,
    typed: String,
    kind: String,
}

impl KeysPage {
    fn document(&self) -> &'static str {
        match self.found.type_person {
            TypePerson::Pf => "CPF",
            TypePerson::Pj => "CNPJ",
        }
    }

    fn is_full(&self) -> bool {
        self.found.keys.len() >= self.found.most
    }
}

/// `GET /contas/{account}/chaves`
pub(super) async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let answer = async {
        let news = match Form::of_query(&request)?.text("feito") {
            "cadastrada" => Some(texts::KEY_ADDED),
            "removida" => Some(texts::KEY_REMOVED),
            "movida" => Some(texts::KEY_MOVED),
            _ => None,
        };
        let form = Form::default();
        rendered(&bank, &request, StatusCode::OK, (news, None), &form, new_key()).await
    };
    shown(&bank, &request, answer.await).await
}

async fn rendered(
    bank: &Bank,
    request: &HttpRequest,
    status: StatusCode,
    (news, problem): (Option<&'static str>, Option<String>),
    form: &Form,
    key: String,
) -> Answer {
    let user = customer(bank, request).await?;
    let (of, number) = account_of(request)?;
    let asked = Ask(move |book: &Book| Found::of(book, &user, (of, number)));
    let found = bank.actors.routes.ledger.send(asked).await??;
    let keys = KeysPage {
        frame: Frame::of(bank, request).await,
        problem,
        news,
        place: format!("{of}-{number}"),
        bank_name: bank_name(bank, of),
        number,
        form_keys: found.keys.iter().map(|_| new_key()).collect(),
        found,
        key,
        typed: form.text("valor").to_owned(),
        kind: form.text("tipo").to_owned(),
    };
    Ok(page(status, &keys))
}

/// `POST /contas/{account}/chaves`
pub(super) async fn act(bank: Data<Bank>, request: HttpRequest, body: Payload) -> HttpResponse {
    shown(&bank, &request, try_act(&bank, &request, body).await).await
}

async fn try_act(bank: &Bank, request: &HttpRequest, body: Payload) -> Answer {
    let form = sent(request, body).await?;
    let user = customer(bank, request).await?;
    let (of, number) = account_of(request)?;
    match changed(bank, request, user, &form, (of, number)).await {
        Ok(done) => Ok(see_other(&format!("/contas/{of}-{number}/chaves?feito={done}"))),
        Err(refused) => {
            // Sending the very same form again finds out what became of it.
            let unknown = refused.leaves_unknown();
            let key = if unknown { form.text("chave").to_owned() } else { new_key() };
            let said = (None, Some(refused.to_string()));
            let page = rendered(bank, request, refused.status(), said, &form, key).await?;
            Ok(with_header(page, &refused))
        }
    }
}

async fn changed(
    bank: &Bank,
    request: &HttpRequest,
    user: UserName,
    form: &Form,
    of: (BankId, AccountNumber),
) -> Result<&'static str, Refused> {
    let (change, done) = wanted(form, of)?;
    ordered(bank, request, &user, form, Action::Keys(change)).await.map(|_| done)
}

fn wanted(
    form: &Form,
    (bank, account): (BankId, AccountNumber),
) -> Result<(KeyChange, &'static str), Refused> {
    let named = || PixKey::parse(form.text("pix")).map_err(|bad| Refused::bad(bad.to_string()));
    match form.text("acao") {
        "remover" => Ok((KeyChange::Remove { key: named()? }, "removida")),
        "mover" => {
            let to = AccountNumber::parse(form.text("para"));
            let to = to.map_err(|_| Refused::bad(texts::CHOOSE_ACCOUNT))?;
            Ok((KeyChange::Move { key: named()?, to }, "movida"))
        }
        _ => {
            let key = new_key_of(form.text("tipo"), form.text("valor"));
            let key = key.ok_or_else(|| Refused::bad(texts::CHOOSE_KEY))?.map_err(Refused::bad)?;
            Ok((KeyChange::Add { bank, account, key }, "cadastrada"))
        }
    }
}
