//! Joint accounts that wait for their holders: on the overview, and the form that answers.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::form::new_key;
use super::money::reais;
use super::{Answer, bank_name, basket, customer, see_other, sent, shown, texts};
use crate::actors::ledger::Ask;
use crate::http::{Bank, JOINT_ASKED_MAX, Refused, place};
use crate::ids::BankId;
use crate::ledger::joint::{JOINT_WAITING_MAX, JointRequest};
use crate::ledger::{AccountNumber, Action, Book, JointAnswer, Outcome, UserName};

/// The most that a page lists: those of others, and the customer's own.
const LISTED_MAX: usize = JOINT_ASKED_MAX + JOINT_WAITING_MAX;

/// One of them.
pub(super) struct JointLine {
    bank: BankId,
    pub(super) bank_name: String,
    pub(super) number: AccountNumber,
    pub(super) key: String,
    /// Who wants to open it: full name, user name, and the middle of the document.
    pub(super) opener: String,
    pub(super) opener_user: UserName,
    pub(super) opener_document: String,
    pub(super) others: Vec<UserName>,
    pub(super) waiting_for: Vec<UserName>,
    pub(super) value: String,
    /// Whether the reader's answer is missing.
    pub(super) asks_me: bool,
    /// Whether the reader made the request.
    pub(super) is_mine: bool,
    /// For the form that answers.
    pub(super) form_key: String,
}

impl JointLine {
    fn of(book: &Book, joint: &JointRequest, reader: &UserName) -> Option<JointLine> {
        let opener = book.customer(joint.opener())?;
        let others = joint.holders.iter().filter(|holder| *holder != reader);
        Some(JointLine {
            bank: joint.bank,
            bank_name: String::new(),
            number: joint.number,
            key: joint.key.to_string(),
            opener: opener.name.to_string(),
            opener_user: opener.user_name.clone(),
            opener_document: opener.num_cadastro.masked(),
            others: others.filter(|other| **other != opener.user_name).cloned().collect(),
            waiting_for: joint.waiting_for().cloned().collect(),
            value: reais(joint.value_init.get()),
            asks_me: joint.waits_for(reader),
            is_mine: joint.opener() == reader,
            form_key: String::new(),
        })
    }

    /// `1-440637`, as the form names it.
    pub(super) fn place(&self) -> String {
        format!("{}-{}", self.bank, self.number)
    }
}

/// Those of a customer.
pub(super) async fn lines(bank: &Bank, user: &UserName) -> Result<Vec<JointLine>, Refused> {
    let user = user.clone();
    let lines = Ask(move |book: &Book| {
        let requests = book.joint_requests_of(&user).take(LISTED_MAX);
        requests.filter_map(|joint| JointLine::of(book, joint, &user)).collect::<Vec<_>>()
    });
    let mut lines = bank.actors.routes.ledger.send(lines).await?;
    for line in &mut lines {
        line.bank_name = bank_name(bank, line.bank);
        line.form_key = new_key();
    }
    Ok(lines)
}

/// `POST /contas/conjunta`
pub(super) async fn answer(bank: Data<Bank>, request: HttpRequest, body: Payload) -> HttpResponse {
    shown(&bank, &request, answered(&bank, &request, body).await).await
}

async fn answered(bank: &Bank, request: &HttpRequest, body: Payload) -> Answer {
    let form = sent(request, body).await?;
    let user = customer(bank, request).await?;
    let key = form.key()?;
    let accept = match form.text("resposta") {
        "aceitar" => true,
        "recusar" => false,
        _ => return Err(Refused::bad(texts::ACCEPT_OR_DECLINE)),
    };
    let place_of = basket::read_account(form.text("conta"));
    let (at, account) = place_of.ok_or_else(|| Refused::bad(texts::CHOOSE_ACCOUNT))?;
    let action = Action::AnswerJoint(JointAnswer { bank: at, account, accept });
    match place(bank, request, Some(user), Some(key), action).await?.outcome {
        Outcome::Done(_) if accept => Ok(see_other(&format!("/?aberta={at}-{account}"))),
        Outcome::Done(_) => Ok(see_other("/")),
        Outcome::Refused(refusal) => {
            Err(Refused::bad(texts::refusal(&refusal, |of| bank_name(bank, of))))
        }
    }
}
