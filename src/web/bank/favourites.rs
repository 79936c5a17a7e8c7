//! Those whom a customer pays often: a page that lists them, and the forms that change the list.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::form::{Form, new_key};
use super::recipient;
use super::{Answer, customer, ordered, see_other, sent, shown, texts};
use crate::actors::ledger::Ask;
use crate::http::{Bank, Refused};
use crate::ledger::{Action, Book, Nickname, PixKey, ProfileChange, UserName};
use crate::web::frame::Frame;
use crate::web::page;
use crate::web::refused::with_header;

/// Somebody whom the customer pays often.
pub(super) struct Line {
    pub(super) key: PixKey,
    pub(super) called: String,
    /// Who is paid by the key; nobody any more where there is none.
    pub(super) name: Option<String>,
    /// Of the form that takes them off the list.
    form_key: String,
}

/// All of them, by name.
pub(super) async fn lines(bank: &Bank, user: &UserName) -> Result<Vec<Line>, Refused> {
    let user = user.clone();
    let found = Ask(move |book: &Book| {
        let profile = book.profile(&user);
        let all = profile.map_or(&[][..], |profile| &profile.favourites);
        let named = all.iter().map(|favourite| {
            let owner = book.pix(&favourite.pix).map(|(_, owner)| owner.name.to_string());
            (favourite.clone(), owner)
        });
        named.collect::<Vec<_>>()
    });
    let found = bank.actors.routes.ledger.send(found).await?;
    let line = |(favourite, name): (crate::ledger::profile::Favourite, Option<String>)| Line {
        key: favourite.pix,
        called: favourite.name.to_string(),
        name,
        form_key: new_key(),
    };
    Ok(found.into_iter().map(line).collect())
}

#[derive(Template)]
#[template(path = "bank/favourites.html")]
struct FavouritesPage {
    frame: Frame,
    problem: Option<String>,
    news: Option<&'static str>,
    lines: Vec<Line>,
    typed_key: String,
    typed_name: String,
    key: String,
}

/// `GET /favoritos`
pub(super) async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let answer = async {
        let form = Form::of_query(&request)?;
        let news = match form.text("feito") {
            "guardado" => Some(texts::FAVOURITE_KEPT),
            "tirado" => Some(texts::FAVOURITE_GONE),
            _ => None,
        };
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
    let favourites = FavouritesPage {
        frame: Frame::of(bank, request).await,
        problem,
        news,
        lines: lines(bank, &user).await?,
        typed_key: form.text("pix").to_owned(),
        typed_name: form.text("nome").to_owned(),
        key,
    };
    Ok(page(status, &favourites))
}

/// `POST /favoritos`
pub(super) async fn act(bank: Data<Bank>, request: HttpRequest, body: Payload) -> HttpResponse {
    shown(&bank, &request, try_act(&bank, &request, body).await).await
}

async fn try_act(bank: &Bank, request: &HttpRequest, body: Payload) -> Answer {
    let form = sent(request, body).await?;
    let user = customer(bank, request).await?;
    match acted(bank, request, &user, &form).await {
        Ok(done) => Ok(see_other(&format!("/favoritos?feito={done}"))),
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

async fn acted(
    bank: &Bank,
    request: &HttpRequest,
    user: &UserName,
    form: &Form,
) -> Result<&'static str, Refused> {
    let (change, done) = if form.text("acao") == "tirar" {
        let pix = PixKey::parse(form.text("pix")).map_err(|bad| Refused::bad(bad.to_string()))?;
        (ProfileChange::Forget { pix }, "tirado")
    } else {
        let payee = recipient::typed(bank, request, user, form.text("pix")).await?;
        // Without a name of the customer's own, the payee's.
        let called: String = match form.text("nome") {
            "" => payee.name.chars().take(crate::ledger::profile::NICKNAME_CHARS_MAX).collect(),
            name => name.to_owned(),
        };
        let name = Nickname::parse(&called).map_err(|bad| Refused::bad(bad.to_string()))?;
        (ProfileChange::Favourite { pix: payee.key, name }, "guardado")
    };
    ordered(bank, request, user, form, Action::Profile(change)).await.map(|_| done)
}
