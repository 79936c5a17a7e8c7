//! Ask somebody for money: a BR Code as text to copy and as a picture to scan.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use qrcode::{Color, EcLevel, QrCode};
use uuid::Uuid;

use self::paid::{Payments, State, payments};
use super::br_code::{CITY_CHARS_MAX, Charge, NAME_CHARS_MAX, TXID_CHARS_MAX, plain};
use super::form::Form;
use super::money::reais;
use super::overview::{AccountLine, accounts_of};
use super::{Answer, basket, customer, see_other, shown, texts};
use crate::actors::ledger::Ask;
use crate::actors::time::unix_ms;
use crate::brazilian::{date, parse_amount, parse_date};
use crate::http::{Bank, Refused};
use crate::ids::BankId;
use crate::ledger::{AccountNumber, Amount, Book, PixKey, Txid};
use crate::web::frame::Frame;
use crate::web::page;

/// White modules around a QR code, as its standard asks.
const QUIET: usize = 4;
/// The most characters of the text that says what a charge is for; the account field has no room
/// for more.
const DESCRIPTION_CHARS_MAX: usize = 60;
/// The payee's city in every charge, as the bank knows no addresses.
const CITY: &str = "BRASIL";

mod paid;

/// How a charge with a name stands.
struct Standing {
    state: &'static str,
    is_paid: bool,
    /// Its last day.
    until: Option<String>,
    payments: Payments,
    /// The account's page.
    account: String,
}

/// A charge that has been made.
struct Made {
    code: String,
    qr: Qr,
    name: String,
    key: String,
    value: Option<String>,
}

/// A QR code as one SVG path of modules, without any markup.
struct Qr {
    side: usize,
    path: String,
}

#[derive(Template)]
#[template(path = "bank/charge.html")]
struct ChargePage {
    frame: Frame,
    accounts: Vec<AccountLine>,
    problem: Option<String>,
    made: Option<Made>,
    standing: Option<Standing>,
    until: String,
    account: String,
    value: String,
    description: String,
    txid: String,
    city: String,
}

/// `GET /cobranca`: the form and, once it is filled in, the charge. Nothing is stored: the charge
/// is in the page's address.
pub(super) async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    shown(&bank, &request, charge(&bank, &request).await).await
}

async fn charge(bank: &Bank, request: &HttpRequest) -> Answer {
    let user = customer(bank, request).await?;
    let form = Form::of_query(request)?;
    let asked = form.all("conta").next().is_some();
    if !form.text("nova").is_empty() && form.text("identificador").is_empty() {
        return Ok(see_other(&with_txid(&form)));
    }
    let place = basket::read_account(form.text("conta"));
    let found = Ask(move |book: &Book| {
        let account =
            book.account(place?.0, place?.1).filter(|account| account.is_held_by(&user))?;
        let owner = book.customer(account.opener())?;
        Some((account.key.clone(), owner.name.to_string()))
    });
    let found = bank.actors.routes.ledger.send(found).await?;
    let made = match found {
        _ if !asked => None,
        None => Some(Err(texts::CHOOSE_ACCOUNT.to_owned())),
        Some((key, name)) => Some(make(&form, key, &name)),
    };
    let (made, problem) = match made {
        Some(Ok(made)) => (Some(made), None),
        Some(Err(problem)) => (None, Some(problem)),
        None => (None, None),
    };
    let user = customer(bank, request).await?;
    let standing = match place.filter(|_| made.is_some()) {
        Some(place) => standing(bank, place, &form).await?,
        None => None,
    };
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let text = |name| form.text(name).to_owned();
    let page_data = ChargePage {
        frame: Frame::of(bank, request).await,
        accounts: accounts_of(bank, &user).await?,
        problem,
        made,
        standing,
        until: text("validade"),
        account: text("conta"),
        value: text("valor"),
        description: text("descricao"),
        txid: text("identificador"),
        city: if asked { text("cidade") } else { CITY.to_owned() },
    };
    Ok(page(status, &page_data))
}

/// The address of the charge in the form under a txid of its own, by which its payments are found.
fn with_txid(form: &Form) -> String {
    let drawn = Uuid::new_v4().simple().to_string();
    let kept = form.written(&["conta", "valor", "descricao", "cidade", "validade"]);
    format!("/cobranca?{kept}&identificador={}", drawn.get(..TXID_CHARS_MAX).unwrap_or(&drawn))
}

/// How the charge stands, if it has a name to be known by.
async fn standing(
    bank: &Bank,
    place: (BankId, AccountNumber),
    form: &Form,
) -> Result<Option<Standing>, Refused> {
    let Ok(txid) = Txid::parse(form.text("identificador")) else { return Ok(None) };
    let payments = payments(bank, place, txid).await?;
    let asked = parse_amount(form.text("valor")).ok().map(Amount::get);
    let today = bank.config.time_zone.date(unix_ms());
    let until = parse_date(form.text("validade"));
    let state = State::of(payments.sum, asked, payments.is_cut, until, today);
    let account = format!("/contas/{}-{}", place.0, place.1);
    let is_paid = state == State::Paid;
    Ok(Some(Standing { state: state.text(), is_paid, until: until.map(date), payments, account }))
}

fn make(form: &Form, key: PixKey, owner: &str) -> Result<Made, String> {
    let value = match form.text("valor") {
        "" => None,
        text => Some(parse_amount(text).map_err(texts::bad_amount)?),
    };
    if !form.text("validade").is_empty() && parse_date(form.text("validade")).is_none() {
        return Err(texts::DATE_FORM.into());
    }
    let txid = form.text("identificador");
    if txid.len() > TXID_CHARS_MAX || !txid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(texts::TXID_FORM.into());
    }
    let or =
        |text: String, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text };
    let charge = Charge {
        value,
        description: Some(plain(form.text("descricao"), DESCRIPTION_CHARS_MAX))
            .filter(|text| !text.is_empty()),
        name: or(plain(owner, NAME_CHARS_MAX), "CLIENTE"),
        city: or(plain(form.text("cidade"), CITY_CHARS_MAX), CITY),
        txid: Some(txid.to_owned()).filter(|txid| !txid.is_empty()),
        key,
    };
    let code = charge.write().map_err(|error| error.to_string())?;
    let qr = draw(&code).ok_or_else(|| Refused::Internal.to_string())?;
    Ok(Made {
        qr,
        code,
        name: charge.name,
        key: charge.key.to_string(),
        value: charge.value.map(|value| reais(value.get())),
    })
}

fn draw(code: &str) -> Option<Qr> {
    let qr = QrCode::with_error_correction_level(code, EcLevel::M).ok()?;
    let width = qr.width();
    let colors = qr.to_colors();
    let dark = colors.iter().enumerate().filter(|(_, color)| **color == Color::Dark);
    let module = |(index, _)| {
        let index: usize = index;
        format!("M{} {}h1v1h-1z", QUIET + index % width, QUIET + index / width)
    };
    Some(Qr { side: width + 2 * QUIET, path: dark.map(module).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(query: &str) -> Result<Made, String> {
        make(&Form::parse(query).unwrap(), PixKey::parse("1:mara21").unwrap(), "Mára <b>")
    }

    #[test]
    fn a_charge_names_its_owner_in_plain_letters() {
        let made =
            made("valor=1.234,5&descricao=almo%C3%A7o&identificador=A1&cidade=S%C3%A3o+Paulo")
                .unwrap();
        let charge = Charge::read(&made.code).unwrap();
        assert_eq!((charge.name.as_str(), charge.city.as_str()), ("Mara <b>", "Sao Paulo"));
        assert_eq!(
            (charge.description.as_deref(), charge.txid.as_deref()),
            (Some("almoco"), Some("A1"))
        );
        assert_eq!(made.value.as_deref(), Some("R$\u{a0}1.234,50"));
    }

    #[test]
    fn fields_that_do_not_fit_are_named() {
        for (query, part) in [
            ("valor=x", "1.234,56"),
            ("identificador=a-b", "identificador"),
            ("valor=0", "maior que zero"),
        ] {
            assert!(made(query).err().is_some_and(|problem| problem.contains(part)), "{query}");
        }
        assert!(made("").is_ok());
    }

    #[test]
    fn the_picture_is_read_by_an_independent_decoder() {
        let made = made("valor=10&descricao=pizza").unwrap();
        let mut dark = vec![false; made.qr.side * made.qr.side];
        for module in made.qr.path.split('M').skip(1) {
            let (x, rest) = module.split_once(' ').unwrap();
            let (y, _) = rest.split_once('h').unwrap();
            dark[y.parse::<usize>().unwrap() * made.qr.side + x.parse::<usize>().unwrap()] = true;
        }
        let scale = 4;
        let side = made.qr.side * scale;
        let shade =
            |x: usize, y: usize| if dark[y / scale * made.qr.side + x / scale] { 0 } else { 255 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, shade);
        let (_, text) = image.detect_grids()[0].decode().unwrap();
        assert_eq!(text, made.code);
    }
}
