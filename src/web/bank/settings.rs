//! What a customer calls an account, and its end.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::form::{Form, new_key};
use super::money::reais;
use super::statement::{own, place as account_of};
use super::{Answer, bank_name, check_password, customer, ordered, see_other, sent, shown, texts};
use crate::actors::ledger::Ask;
use crate::http::{Bank, Refused};
use crate::ids::BankId;
use crate::ledger::{
    AccountNumber, Action, Book, Centavos, Closing, Done, Nickname, ProfileChange, UserName,
};
use crate::web::frame::Frame;
use crate::web::page;
use crate::web::refused::with_header;

/// What the ledger knows.
struct Found {
    nickname: String,
    balance: Centavos,
    is_joint: bool,
    is_closed: bool,
    agreed: Vec<UserName>,
    has_agreed: bool,
}

impl Found {
    fn of(
        book: &Book,
        user: &UserName,
        (bank, number): (BankId, AccountNumber),
    ) -> Result<Found, Refused> {
        let account = own(book, user, (bank, number))?;
        let nickname = book.profile(user).and_then(|profile| profile.nickname(bank, number));
        Ok(Found {
            nickname: nickname.map(ToString::to_string).unwrap_or_default(),
            balance: account.balance,
            is_joint: account.holders.len() > 1,
            is_closed: account.is_closed(),
            agreed: account.closing().to_vec(),
            has_agreed: account.closing().contains(user),
        })
    }
}

#[derive(Template)]
#[template(path = "bank/settings.html")]
struct SettingsPage {
    frame: Frame,
    problem: Option<String>,
    news: Option<&'static str>,
    place: String,
    bank_name: String,
    number: AccountNumber,
    found: Found,
    balance: String,
    typed: String,
    /// Of the two forms.
    keys: [String; 2],
}

/// `GET /contas/{account}/ajustes`
pub(super) async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let answer = async {
        let news = match Form::of_query(&request)?.text("feito") {
            "apelido" => Some(texts::NICKNAME_KEPT),
            "encerrada" => Some(texts::ACCOUNT_CLOSED),
            "pedido" => Some(texts::CLOSE_AGREED),
            "aberta" => Some(texts::CLOSE_TAKEN_BACK),
            _ => None,
        };
        rendered(&bank, &request, StatusCode::OK, (news, None), None).await
    };
    shown(&bank, &request, answer.await).await
}

/// `again` is the form that is sent again to find out what became of it.
async fn rendered(
    bank: &Bank,
    request: &HttpRequest,
    status: StatusCode,
    (news, problem): (Option<&'static str>, Option<String>),
    again: Option<&Form>,
) -> Answer {
    let user = customer(bank, request).await?;
    let (of, number) = account_of(request)?;
    let asked = Ask(move |book: &Book| Found::of(book, &user, (of, number)));
    let found = bank.actors.routes.ledger.send(asked).await??;
    let key = |closes: bool| {
        let same = again.filter(|form| (form.text("acao") != "apelido") == closes);
        same.map_or_else(new_key, |form| form.text("chave").to_owned())
    };
    let settings = SettingsPage {
        frame: Frame::of(bank, request).await,
        problem,
        news,
        place: format!("{of}-{number}"),
        bank_name: bank_name(bank, of),
        number,
        balance: reais(found.balance),
        typed: again.map_or_else(|| found.nickname.clone(), |form| form.text("apelido").to_owned()),
        found,
        keys: [key(false), key(true)],
    };
    Ok(page(status, &settings))
}

/// `POST /contas/{account}/ajustes`
pub(super) async fn act(bank: Data<Bank>, request: HttpRequest, body: Payload) -> HttpResponse {
    shown(&bank, &request, try_act(&bank, &request, body).await).await
}

async fn try_act(bank: &Bank, request: &HttpRequest, body: Payload) -> Answer {
    let form = sent(request, body).await?;
    let user = customer(bank, request).await?;
    let (of, number) = account_of(request)?;
    match acted(bank, request, &user, &form, (of, number)).await {
        Ok(done) => Ok(see_other(&format!("/contas/{of}-{number}/ajustes?feito={done}"))),
        Err(refused) => {
            let again = Some(&form).filter(|_| refused.leaves_unknown());
            let said = (None, Some(refused.to_string()));
            let page = rendered(bank, request, refused.status(), said, again).await?;
            Ok(with_header(page, &refused))
        }
    }
}

async fn acted(
    bank: &Bank,
    request: &HttpRequest,
    user: &UserName,
    form: &Form,
    (of, account): (BankId, AccountNumber),
) -> Result<&'static str, Refused> {
    let action = match form.text("acao") {
        "encerrar" => {
            check_password(bank, request, user, form).await?;
            Action::Close(Closing { bank: of, account, close: true })
        }
        "manter" => Action::Close(Closing { bank: of, account, close: false }),
        _ => {
            let name = Some(form.text("apelido")).filter(|text| !text.is_empty());
            let name = name.map(Nickname::parse).transpose();
            let name = name.map_err(|bad| Refused::bad(bad.to_string()))?;
            Action::Profile(ProfileChange::Nickname { bank: of, account, name })
        }
    };
    Ok(match ordered(bank, request, user, form, action).await? {
        Done::AccountClosed => "encerrada",
        Done::CloseAgreed { .. } => "pedido",
        Done::CloseTakenBack => "aberta",
        _ => "apelido",
    })
}
