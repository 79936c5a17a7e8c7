//! Giving back what came by Pix: the form behind a receipt.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::form::{Form, new_key};
use super::money::{plain_reais, reais};
use super::statement::place as account_of;
use super::{Answer, bank_name, check_password, customer, receipt, see_other, sent, shown, texts};
use crate::actors::ledger::Ask;
use crate::brazilian::{date, parse_amount};
use crate::http::{Bank, Refundable, Refused, place, refundable};
use crate::ids::BankId;
use crate::ledger::{AccountNumber, Action, Book, Centavos, Message, Outcome, UserName};
use crate::web::frame::Frame;
use crate::web::page;
use crate::web::refused::with_header;

#[derive(Template)]
#[template(path = "bank/refund.html")]
struct RefundPage {
    frame: Frame,
    problem: Option<String>,
    /// The account as its page's address names it.
    place: String,
    index: u64,
    name: String,
    document: String,
    value: String,
    refunded: Option<String>,
    left: String,
    until: String,
    key: String,
    typed_value: String,
    typed_message: String,
}

/// The account and the place of the entry that an address names.
fn entry_of(request: &HttpRequest) -> Result<((BankId, AccountNumber), u64), Refused> {
    let index = request.match_info().query("entry").parse();
    let index = index.map_err(|_| Refused::NoSuchPage(texts::NO_SUCH_RECEIPT))?;
    Ok((account_of(request)?, index))
}

/// `GET /contas/{account}/comprovante/{entry}/devolver`
pub(super) async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let answer = async {
        let user = customer(&bank, &request).await?;
        let (of, index) = entry_of(&request)?;
        let found = found(&bank, &user, of, index).await?;
        let value = plain_reais(found.left());
        rendered(&bank, &request, StatusCode::OK, None, found, new_key(), (value, String::new()))
            .await
    };
    shown(&bank, &request, answer.await).await
}

/// The Pix; who does not hold the account learns nothing.
async fn found(
    bank: &Bank,
    user: &UserName,
    of: (BankId, AccountNumber),
    index: u64,
) -> Result<Refundable, Refused> {
    match refundable(bank, Some(user), of, index).await {
        Err(Refused::OthersAccount(_)) => Err(Refused::NoSuchPage(texts::NO_SUCH_ACCOUNT)),
        found => found,
    }
}

async fn rendered(
    bank: &Bank,
    request: &HttpRequest,
    status: StatusCode,
    problem: Option<String>,
    found: Refundable,
    key: String,
    (typed_value, typed_message): (String, String),
) -> Answer {
    let ((of, number), index) = entry_of(request)?;
    let other = found.original.other;
    let payer = Ask(move |book: &Book| {
        let customer = book.customer(book.account_at(other)?.opener())?;
        Some((customer.name.to_string(), customer.num_cadastro.masked()))
    });
    let payer = bank.actors.routes.ledger.send(payer).await?;
    let (name, document) = payer.ok_or(Refused::Internal)?;
    let form = RefundPage {
        frame: Frame::of(bank, request).await,
        problem,
        place: format!("{of}-{number}"),
        index,
        name,
        document,
        value: reais(found.original.value.get()),
        refunded: Some(found.refunded).filter(|sum| *sum > Centavos::ZERO).map(reais),
        left: reais(found.left()),
        until: date(bank.config.time_zone.date(found.until_ms())),
        key,
        typed_value,
        typed_message,
    };
    Ok(page(status, &form))
}

/// `POST /contas/{account}/comprovante/{entry}/devolver`
pub(super) async fn give_back(
    bank: Data<Bank>,
    request: HttpRequest,
    body: Payload,
) -> HttpResponse {
    shown(&bank, &request, try_give_back(&bank, &request, body).await).await
}

async fn try_give_back(bank: &Bank, request: &HttpRequest, body: Payload) -> Answer {
    let form = sent(request, body).await?;
    let user = customer(bank, request).await?;
    let (of, index) = entry_of(request)?;
    let found = found(bank, &user, of, index).await?;
    match given_back(bank, request, &user, &form, found.clone()).await {
        Ok(address) => Ok(see_other(&address)),
        Err(refused) => {
            // Sending the very same form again finds out what became of it.
            let unknown = refused.leaves_unknown();
            let key = if unknown { form.text("chave").to_owned() } else { new_key() };
            let problem = match &refused {
                Refused::UnknownOutcome => texts::REFUND_NOT_KNOWN_YET.to_owned(),
                other => other.to_string(),
            };
            let typed = (form.text("valor").to_owned(), form.text("mensagem").to_owned());
            let status = refused.status();
            let page = rendered(bank, request, status, Some(problem), found, key, typed).await?;
            Ok(with_header(page, &refused))
        }
    }
}

/// Returns the address of the receipt.
async fn given_back(
    bank: &Bank,
    request: &HttpRequest,
    user: &UserName,
    form: &Form,
    found: Refundable,
) -> Result<String, Refused> {
    let ((of, number), _) = entry_of(request)?;
    let key = form.key()?;
    let action = action(form, found, (of, number))?;
    check_password(bank, request, user, form).await?;
    let executed = place(bank, request, Some(user.clone()), Some(key), action).await?;
    match executed.outcome {
        Outcome::Done(_) => receipt::address(bank, (of, number), executed.position).await,
        Outcome::Refused(refusal) => {
            Err(Refused::bad(texts::refusal(&refusal, |of| bank_name(bank, of))))
        }
    }
}

fn action(form: &Form, found: Refundable, of: (BankId, AccountNumber)) -> Result<Action, Refused> {
    let value = parse_amount(form.text("valor"));
    let value = value.map_err(|bad| Refused::bad(texts::bad_amount(bad)))?;
    let message = Some(form.text("mensagem")).filter(|text| !text.is_empty());
    let message = message.map(Message::parse).transpose();
    let message = message.map_err(|error| Refused::bad(error.to_string()))?;
    Ok(found.action(of, value, message))
}
