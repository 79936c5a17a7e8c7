//! Customers by the hundred, for those who want to see what a large bank is like: registered and
//! with an account each through the common order, like everybody, but all with the hash of one
//! password that nobody knows, so that no processor time goes into hashing.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Form};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot::Receiver;
use uuid::Uuid;

use super::{allowed, request_of};
use crate::actors::passwords::Hash;
use crate::actors::replies::{Submit, Told};
use crate::http::{Bank, opening};
use crate::ledger::{
    Action, Amount, Centavos, Document, NewAccount, Outcome, PasswordHash, PersonName, PixType,
    Registration, TypeAccount, UserName,
};
use crate::protocol::reply::Reply;

/// The most customers of one request: twice as many requests must find room in the queue for the
/// common order beside those of others.
const AT_ONCE_MAX: u32 = 1_000;
/// What each account is opened with, in centavos.
const OPENED_WITH: Centavos = Centavos::new(1_000_000);

#[derive(Deserialize)]
pub(in crate::web::watch) struct Crowd {
    /// Number of the first CPF, without its check digits; those of the others follow.
    primeiro: u32,
    quantos: u32,
}

/// `POST /consorcio/laboratorio/clientes`: registers customers and opens an account here for each;
/// answers when all of it is executed, with how many customers have an account now.
pub(in crate::web::watch) async fn enter(
    bank: Data<Bank>,
    request: HttpRequest,
    form: Form<Crowd>,
) -> HttpResponse {
    if let Err(status) = allowed(&bank, &request) {
        return HttpResponse::new(status);
    }
    let Crowd { primeiro, quantos } = *form;
    if !(1..=AT_ONCE_MAX).contains(&quantos) {
        return HttpResponse::BadRequest().finish();
    }
    let Some(hash) = hash_of_nothing_known(&bank).await else {
        return HttpResponse::new(StatusCode::SERVICE_UNAVAILABLE);
    };
    let documents: Option<Vec<_>> =
        (0..quantos).map(|number| Document::cpf_of_number(primeiro.checked_add(number)?)).collect();
    let Some(documents) = documents else {
        return HttpResponse::BadRequest().finish();
    };
    // All are under way before the first is waited for: the order takes them as they come.
    let waiting: Vec<_> = documents
        .into_iter()
        .map(|document| {
            let user_name = format!("cliente-{}", Uuid::new_v4().simple());
            let user_name = UserName::parse(&user_name).expect("letters and digits");
            submit(&bank, registration(document, user_name.clone(), hash.clone()));
            submit(&bank, opening(&bank, user_name, account()))
        })
        .collect();
    let mut opened = 0;
    for told in waiting {
        opened += u32::from(told.await.is_ok_and(is_done));
    }
    HttpResponse::Ok().json(json!({ "abertas": opened }))
}

async fn hash_of_nothing_known(bank: &Bank) -> Option<PasswordHash> {
    let password = Uuid::new_v4().to_string();
    bank.actors.passwords.send(Hash(password.into(), None)).await.ok().flatten()?.await.ok()
}

fn registration(num_cadastro: Document, user_name: UserName, hash: PasswordHash) -> Action {
    let name = PersonName::parse("Cliente do Laboratório").expect("a name of letters");
    Action::Register(Registration {
        name,
        num_cadastro,
        user_name,
        password_hash: hash,
        distinct: true,
    })
}

fn account() -> NewAccount {
    NewAccount {
        type_account: TypeAccount::Pf,
        pix_type: PixType::Random,
        users: Vec::new(),
        value_init: Amount::parse(OPENED_WITH).expect("it is positive"),
    }
}

fn submit(bank: &Bank, action: Action) -> Receiver<Told> {
    let (submit, told) = Submit::new(request_of(bank, action).to_raw());
    bank.actors.routes.replies.do_send(submit);
    told
}

fn is_done(told: Told) -> bool {
    match told {
        Told::Reply(Reply::Executed(executed)) => matches!(executed.outcome, Outcome::Done(_)),
        Told::Reply(Reply::NotTaken(_)) | Told::SessionIsOver => false,
    }
}
