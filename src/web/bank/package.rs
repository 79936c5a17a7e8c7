//! The package builder: a basket of operations that is tried out before it is sent, sent once, and
//! shown with its outcome.
//!
//! The basket travels in the form ([`basket`]). Every button sends the whole basket back; only
//! 'confirm' orders anything, with the key that was drawn when its page was rendered.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::basket::{self, Draft};
use super::br_code::Charge;
use super::form::{Form, new_key};
use super::login_page::LoginPage;
use super::overview::{AccountLine, accounts_of};
use super::recipient::{self, Recipient};
use super::{Answer, customer, money, sent, shown, texts};
use crate::actors::ledger::Ask;
use crate::http::{Bank, Refused, place};
use crate::ids::Position;
use crate::ledger::{Action, Book, Operation, OperationKind, Outcome, Package, UserName};
use crate::web::frame::Frame;
use crate::web::refused::with_header;
use crate::web::{page, session};

mod rows;

use self::rows::{Picture, picture};

/// What the page is going to show.
#[derive(Default)]
struct State {
    operations: Vec<Operation>,
    draft: Draft,
    /// The payee that the draft's key belongs to.
    recipient: Option<Recipient>,
    /// What is wrong with the draft.
    draft_problem: Option<String>,
    /// Why the package failed, or was not sent.
    problem: Option<String>,
    /// Whether the outcome of the package is unknown.
    unknown: bool,
    /// The operation that was refused.
    refused: Option<usize>,
    /// The position at which it was executed.
    position: Option<Position>,
    /// The key of the next confirmation, if it must be a particular one.
    key: Option<String>,
}

#[derive(Template)]
#[template(path = "bank/package.html")]
struct PackagePage {
    frame: Frame,
    accounts: Vec<AccountLine>,
    picture: Picture,
    key: String,
    state: State,
}

impl PackagePage {
    fn draft_is(&self, kind: &str) -> bool {
        self.state.draft.kind == kind
    }
}

#[derive(Template)]
#[template(path = "bank/executed.html")]
struct ExecutedPage {
    frame: Frame,
    picture: Picture,
    position: Position,
}

/// `GET /pacote`
pub(super) async fn empty(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let answer = async {
        let user = customer(&bank, &request).await?;
        let account = Form::of_query(&request)?.text("conta").to_owned();
        let draft = Draft { account, kind: "T".into(), ..Draft::default() };
        rendered(&bank, user, StatusCode::OK, State { draft, ..State::default() }).await
    };
    shown(&bank, &request, answer.await).await
}

/// `POST /pacote`: one of the form's buttons.
pub(super) async fn act(bank: Data<Bank>, request: HttpRequest, body: Payload) -> HttpResponse {
    shown(&bank, &request, try_act(&bank, &request, body).await).await
}

async fn try_act(bank: &Bank, request: &HttpRequest, body: Payload) -> Answer {
    let form = sent(request, body).await?;
    let Some(user) = session::customer(bank, request).await else {
        return log_in_first(bank, &form).await;
    };
    let state = read(&form)?;
    match form.text("acao") {
        "adicionar" => add(bank, user, &form, state).await,
        "ler" => read_code(bank, user, &form, state).await,
        "confirmar" => confirm(bank, user, &form, state).await,
        other => match other.strip_prefix("remover-").and_then(|index| index.parse::<usize>().ok())
        {
            Some(index) if index < state.operations.len() => {
                let mut state = state;
                state.operations.remove(index);
                rendered(bank, user, StatusCode::OK, state).await
            }
            _ => rendered(bank, user, StatusCode::OK, state).await,
        },
    }
}

fn read(form: &Form) -> Result<State, Refused> {
    let operations: Option<Vec<_>> = form.all("op").map(basket::read).collect();
    let operations = operations.ok_or_else(|| Refused::bad(texts::BASKET_DAMAGED))?;
    let text = |name| form.text(name).to_owned();
    let draft = Draft {
        kind: text("tipo"),
        account: text("conta"),
        value: text("valor"),
        pix: text("pix"),
    };
    Ok(State { operations, draft, ..State::default() })
}

/// Adds the operation in the fields; a transfer only once its payee has been seen.
async fn add(bank: &Bank, user: UserName, form: &Form, mut state: State) -> Answer {
    let refuse = |mut state: State, problem: String| {
        state.draft_problem = Some(problem);
        rendered(bank, user.clone(), StatusCode::BAD_REQUEST, state)
    };
    let payee = recipient::typed(bank, &state.draft.pix).await.map_err(|error| error.to_string());
    let operation = match state.draft.read(payee.clone().map(|payee| payee.key)) {
        Ok(operation) => operation,
        Err(problem) => return refuse(state, problem).await,
    };
    if let (OperationKind::Transfer { pix, .. }, Ok(payee)) = (&operation.kind, payee)
        && form.text("conferido") != pix.as_str()
    {
        state.recipient = Some(payee);
        return rendered(bank, user, StatusCode::OK, state).await;
    }
    if let Err(problem) = basket::add(&mut state.operations, operation) {
        return refuse(state, problem).await;
    }
    state.draft =
        Draft { kind: state.draft.kind, account: state.draft.account, ..Draft::default() };
    rendered(bank, user, StatusCode::OK, state).await
}

/// Puts a charge into the fields and shows its payee.
async fn read_code(bank: &Bank, user: UserName, form: &Form, mut state: State) -> Answer {
    let found = match Charge::read(form.text("codigo")) {
        Ok(charge) => {
            recipient::typed(bank, charge.key.as_str()).await.map(|found| (charge, found))
        }
        Err(error) => Err(Refused::bad(error.to_string())),
    };
    match found {
        Ok((charge, recipient)) => {
            state.draft.kind = "T".into();
            state.draft.pix = charge.key.to_string();
            state.draft.value =
                charge.value.map(|value| money::plain_reais(value.get())).unwrap_or_default();
            state.recipient = Some(recipient);
            rendered(bank, user, StatusCode::OK, state).await
        }
        Err(refused) => {
            state.draft_problem = Some(refused.to_string());
            rendered(bank, user, StatusCode::BAD_REQUEST, state).await
        }
    }
}

/// Sends the package and shows its outcome.
async fn confirm(bank: &Bank, user: UserName, form: &Form, mut state: State) -> Answer {
    let key = form.key()?;
    let Ok(package) = Package::parse(state.operations.clone()) else {
        state.problem = Some(texts::BASKET_EMPTY.into());
        return rendered(bank, user, StatusCode::BAD_REQUEST, state).await;
    };
    let executed =
        match place(bank, Some(user.clone()), Some(key), Action::Operations(package)).await {
            Ok(executed) => executed,
            Err(refused) => {
                state.unknown = refused.leaves_unknown();
                state.key = state.unknown.then(|| form.text("chave").to_owned());
                state.problem = Some(refused.to_string());
                return rendered(bank, user, refused.status(), state).await;
            }
        };
    match executed.outcome {
        Outcome::Done(_) => {
            state.position = Some(executed.position);
            rendered(bank, user, StatusCode::OK, state).await
        }
        Outcome::Refused(refusal) => {
            let status = if refusal.is_forbidden() {
                StatusCode::FORBIDDEN
            } else {
                StatusCode::BAD_REQUEST
            };
            state.problem = Some(texts::refusal(&refusal));
            let (by, operations, position) =
                (user.clone(), state.operations.clone(), executed.position);
            let refused = Ask(move |book: &Book| {
                book.refused_operation(&by, &operations, position, &refusal)
            });
            state.refused = bank.actors.routes.ledger.send(refused).await?;
            rendered(bank, user, status, state).await
        }
    }
}

/// The session has ended; the basket is kept in the login form.
async fn log_in_first(bank: &Bank, form: &Form) -> Answer {
    let login = LoginPage {
        frame: Frame::for_customer(bank, "/entrar", None).await,
        problem: Some(texts::LOG_IN_TO_GO_ON.into()),
        user_name: String::new(),
        target: "/pacote".into(),
        basket: Some(form.written(&["chave", "acao", "op", "tipo", "conta", "valor", "pix"])),
    };
    let refused = Refused::NoSession;
    Ok(with_header(page(refused.status(), &login), &refused))
}

/// The package page as it was when the session ended. If the package was already on its way, its
/// key is kept, so that sending it again finds out its outcome.
pub(super) async fn restored(bank: &Bank, user: UserName, basket: &str) -> Answer {
    let form = Form::parse(basket)?;
    let mut state = read(&form)?;
    if form.text("acao") == "confirmar" && form.key().is_ok() {
        state.unknown = true;
        state.problem = Some(texts::ASK_AGAIN.into());
        state.key = Some(form.text("chave").to_owned());
    }
    rendered(bank, user, StatusCode::OK, state).await
}

async fn rendered(bank: &Bank, user: UserName, status: StatusCode, mut state: State) -> Answer {
    let frame = Frame::for_customer(bank, "/pacote", Some(user.clone())).await;
    let picture = picture(bank, &user, &frame.absent, &state).await?;
    if let Some(position) = state.position {
        return Ok(page(status, &ExecutedPage { frame, picture, position }));
    }
    let accounts = accounts_of(bank, &user).await?;
    let key = state.key.take().unwrap_or_else(new_key);
    Ok(page(status, &PackagePage { frame, accounts, picture, key, state }))
}
