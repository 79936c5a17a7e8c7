//! Who will receive a Pix: what a payer sees before it goes into a package.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::form::Form;
use super::overview::bank_name;
use super::{Answer, FROM_SCRIPT, customer, see_other, shown};
use crate::actors::ledger::Ask;
use crate::http::{Bank, LookUps, Refused, is_company, key_meant};
use crate::ids::BankId;
use crate::ledger::{Book, Operation, OperationKind, PixKey, TypedKey, UserName};
use crate::web::page;
use crate::web::refused::with_header;

/// A payee, as far as a payer may know them.
#[derive(Clone, Debug)]
pub(super) struct Recipient {
    pub(super) key: PixKey,
    pub(super) name: String,
    /// Only the middle digits.
    pub(super) document: String,
    pub(super) bank: BankId,
    pub(super) bank_name: String,
}

/// The payee of a key, in the book.
pub(super) fn in_book(book: &Book, key: &PixKey) -> Option<Recipient> {
    let (account, owner) = book.pix(key)?;
    Some(Recipient {
        key: key.clone(),
        name: owner.name.to_string(),
        document: owner.num_cadastro.masked(),
        bank: account.bank,
        bank_name: String::new(),
    })
}

/// The payee of a key, however it was typed.
pub(super) async fn typed(
    bank: &Bank,
    request: &HttpRequest,
    user: &UserName,
    text: &str,
) -> Result<Recipient, Refused> {
    let typed = TypedKey::parse(text).map_err(|error| Refused::bad(error.to_string()))?;
    let look_up = LookUps::begin(bank, request, Some(user), [text]).await?;
    let by = user.clone();
    let found = Ask(move |book: &Book| {
        let recipient =
            key_meant(book, &typed).and_then(|key| in_book(book, &key).ok_or(Refused::Internal));
        (recipient, is_company(book, Some(&by)))
    });
    let (found, by_company) = bank.actors.routes.ledger.send(found).await?;
    look_up.end_typed(bank, text, found.as_ref().map(|recipient| &recipient.key), by_company);
    let recipient = found?;
    Ok(Recipient { bank_name: bank_name(bank, recipient.bank), ..recipient })
}

/// Looks up whom a basket pays, before its page shows them.
pub(super) async fn of_basket(
    bank: &Bank,
    request: &HttpRequest,
    user: &UserName,
    operations: &[Operation],
) -> Result<(), Refused> {
    let keys: Vec<_> = operations
        .iter()
        .filter_map(|operation| match &operation.kind {
            OperationKind::Transfer { pix, .. } => Some(pix.clone()),
            _ => None,
        })
        .collect();
    let names = keys.iter().map(PixKey::as_str);
    let look_ups = LookUps::begin(bank, request, Some(user), names).await?;
    if look_ups.are_limited() {
        let by = user.clone();
        let asked = Ask(move |book: &Book| {
            let found: Vec<_> = keys.into_iter().filter(|key| book.pix(key).is_some()).collect();
            (found, is_company(book, Some(&by)))
        });
        let (found, by_company) = bank.actors.routes.ledger.send(asked).await?;
        look_ups.end(bank, found.iter().map(PixKey::as_str), by_company);
    }
    Ok(())
}

/// The part of the package page that shows the payee; the key that was checked is sent along when
/// the operation is added.
#[derive(Default, Template)]
#[template(path = "bank/recipient.html")]
struct RecipientPart {
    recipient: Option<Recipient>,
    problem: Option<String>,
    /// Whether there is no session any more.
    ended: bool,
}

/// `GET /pacote/destinatario`: while a key is being typed. It is not a page of its own: a browser
/// that opens its address is redirected to the page that it is part of.
pub(super) async fn find(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    if !request.headers().contains_key(FROM_SCRIPT) {
        return see_other("/pacote");
    }
    shown(&bank, &request, part(&bank, &request).await).await
}

async fn part(bank: &Bank, request: &HttpRequest) -> Answer {
    let user = match customer(bank, request).await {
        Ok(user) => user,
        Err(refused) => {
            // The login page is no part of this one.
            let ended = refused == Refused::NoSession;
            let problem = (!ended).then(|| refused.to_string());
            let part = RecipientPart { ended, problem, ..RecipientPart::default() };
            return Ok(with_header(page(refused.status(), &part), &refused));
        }
    };
    let form = Form::of_query(request)?;
    let part = match typed(bank, request, &user, form.text("pix")).await {
        Ok(recipient) => RecipientPart { recipient: Some(recipient), ..RecipientPart::default() },
        // It is not a mistake if nothing has been typed yet.
        Err(_) if form.text("pix").is_empty() => RecipientPart::default(),
        Err(refused) => {
            RecipientPart { problem: Some(refused.to_string()), ..RecipientPart::default() }
        }
    };
    Ok(page(StatusCode::OK, &part))
}
