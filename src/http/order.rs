//! Puts a customer's request into the common order and answers with its result.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use uuid::Uuid;

use super::Bank;
use super::auth::By;
use super::refusal::{Bad, Refused};
use super::share::{Order, note, origin};
use crate::actors::ledger::Ask;
use crate::actors::replies::{Submit, Told};
use crate::actors::sessions::OnBehalf;
use crate::actors::time::unix_ms;
use crate::audit::Event;
use crate::ids::{EventId, Position};
use crate::ledger::{
    AccountNumber, Action, Amount, Book, Done, Executed, IdempotencyKey, Outcome, PixKey, Refusal,
    Request, ScheduleChange, UserName,
};
use crate::protocol::reply::{NotTaken, Reply};

/// How long a customer waits for the answer of all members; after that the outcome is unknown to
/// them.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// How many joint accounts that others want to open may wait for a customer; all are listed.
pub(crate) const JOINT_ASKED_MAX: usize = 90;
/// How many of these may be one customer's.
const JOINT_ASKED_BY_ONE_MAX: usize = 3;
/// Header with which a customer makes a request repeatable.
pub(crate) const IDEMPOTENCY_HEADER: &str = "idempotency-key";

#[derive(Serialize)]
struct Answer<'a> {
    descript: String,
    id: &'a EventId,
    position: Position,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_account: Option<AccountNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kay_pix: Option<&'a PixKey>,
    /// The holders of a joint account who have to accept before it opens, or is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_for: Option<&'a [UserName]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<&'static str>,
}

/// The request's `Idempotency-Key`, if it has one.
pub(super) fn idempotency_key(request: &HttpRequest) -> Result<Option<IdempotencyKey>, Refused> {
    let Some(value) = request.headers().get(IDEMPOTENCY_HEADER) else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| IdempotencyKey::parse(text).ok());
    parsed.map(Some).ok_or_else(|| Bad::IdempotencyKey.into())
}

/// Orders an action, waits until all members have executed it, and answers in JSON.
pub(super) async fn order(
    bank: &Bank,
    request: &HttpRequest,
    by: impl Into<By>,
    key: Option<IdempotencyKey>,
    action: Action,
) -> Result<HttpResponse, Refused> {
    place(bank, request, by, key, action).await.map(|executed| answer(&executed, None))
}

/// Refuses an amount that one operation may not move.
pub(crate) fn may_move(bank: &Bank, amount: Amount) -> Result<(), Refused> {
    up_to(bank.config.operation_max, amount)
}

/// Refuses an amount above the most that one operation may move.
pub(super) fn up_to(most: Amount, amount: Amount) -> Result<(), Refused> {
    if amount <= most { Ok(()) } else { Err(Bad::AboveMax(most).into()) }
}

/// Whether customers may touch only accounts that they hold, apart from paying by key.
pub(crate) fn own_only(bank: &Bank) -> bool {
    !bank.config.stranger_deposits
}

/// By how many seconds the clocks of the consortium's time zone are ahead of UTC now.
pub(crate) fn offset_s(bank: &Bank) -> i32 {
    let offset_s = bank.config.time_zone.offset_s(unix_ms());
    i32::try_from(offset_s).expect("no zone is days ahead of UTC")
}

/// The amounts that an action moves.
fn amounts(action: &Action) -> Vec<Amount> {
    match action {
        Action::Register(_)
        | Action::AnswerJoint(_)
        | Action::ChangePassword(_)
        | Action::Keys(_)
        | Action::Limits(_)
        | Action::Due(_)
        | Action::Close(_)
        | Action::Profile(_)
        | Action::Schedule(ScheduleChange::Cancel { .. }) => Vec::new(),
        Action::Schedule(ScheduleChange::Make(planned)) => vec![planned.value],
        Action::CreateAccount(opening) => vec![opening.value_init],
        Action::Refund(refund) => vec![refund.value],
        Action::Operations(package) => {
            package.operations().iter().map(|operation| operation.kind.value()).collect()
        }
    }
}

/// Refuses a joint account one of whose holders is asked about so many already, by anybody or by
/// who wants to open it, that their list would not show all. The bank that is asked sees to it, as
/// it does for amounts; whose list it is, is not told.
async fn may_ask_holders(bank: &Bank, action: &Action) -> Result<(), Refused> {
    let Action::CreateAccount(opening) = action else { return Ok(()) };
    if !opening.consent || opening.users.is_empty() {
        return Ok(());
    }
    let (opener, holders) = (opening.user_name.clone(), opening.users.clone());
    let is_full = move |book: &Book| {
        holders.iter().any(|holder| {
            let asked = book.joint_requests_of(holder).filter(|joint| joint.opener() != holder);
            let (all, own) = asked.take(JOINT_ASKED_MAX).fold((0, 0), |(all, own), joint| {
                (all + 1, own + usize::from(*joint.opener() == opener))
            });
            all >= JOINT_ASKED_MAX || own >= JOINT_ASKED_BY_ONE_MAX
        })
    };
    match bank.actors.routes.ledger.send(Ask(is_full)).await? {
        true => Err(Refused::bad(Refusal::TooManyJoint.to_string())),
        false => Ok(()),
    }
}

/// Refuses one more account to a customer who has as many as this bank allows: all of them are on
/// their pages.
async fn may_hold_more(
    bank: &Bank,
    asked: &HttpRequest,
    by: Option<&UserName>,
    action: &Action,
) -> Result<(), Refused> {
    let holder = match action {
        Action::CreateAccount(opening) => Some(opening.user_name.clone()),
        Action::AnswerJoint(answer) if answer.accept => by.cloned(),
        _ => None,
    };
    // What is not limited by address has no limit here either.
    let (Some(holder), Some(_)) = (holder, origin(asked)) else { return Ok(()) };
    let most = bank.config.limits.customer.accounts;
    let held = Ask(move |book: &Book| book.accounts_ever(&holder) as u64);
    let held = bank.actors.routes.ledger.send(held).await?;
    if held < most { Ok(()) } else { Err(Bad::TooManyAccounts(most).into()) }
}

/// Places an action in the common order and waits until all members have executed it.
pub(crate) async fn place(
    bank: &Bank,
    asked: &HttpRequest,
    by: impl Into<By>,
    key: Option<IdempotencyKey>,
    action: Action,
) -> Result<Executed, Refused> {
    amounts(&action).into_iter().try_for_each(|amount| may_move(bank, amount))?;
    may_ask_holders(bank, &action).await?;
    let By { user: by, session, confirmed } = by.into();
    may_hold_more(bank, asked, by.as_ref(), &action).await?;
    let id = EventId::new(bank.me, &Uuid::new_v4().to_string());
    // Only what touches accounts by their number says it, and only what counts against limits says
    // which hour it is.
    let is_package = by.is_some() && matches!(action, Action::Operations(_));
    let own = is_package && own_only(bank);
    let in_the_name_of = session.zip(by.clone());
    let has_hours = is_package || matches!(action, Action::Schedule(_));
    let offset_s = has_hours.then(|| offset_s(bank));
    let confirmed = has_hours && confirmed;
    let request = Request { id, at_ms: None, key, by, own, offset_s, confirmed, action };
    let raw = request.to_raw();
    let share = Order::begin(bank, origin(asked), &request, raw.msg.get().len()).await?;
    let (submit, waiting) = Submit::new(raw);
    match in_the_name_of {
        Some((token, user)) => bank.actors.sessions.do_send(OnBehalf { token, user, submit }),
        None => bank.actors.routes.replies.do_send(submit),
    }
    let told = actix_rt::time::timeout(ANSWER_WAIT, waiting).await;
    let executed = executed(told.ok().and_then(Result::ok))?;
    note_done(bank, asked, &executed);
    if let Some(share) = share {
        share.end(bank, &executed);
    }
    Ok(executed)
}

/// What a customer is told, if they have been told in time.
fn executed(told: Option<Told>) -> Result<Executed, Refused> {
    Err(match told {
        Some(Told::Reply(Reply::Executed(executed))) => return Ok(executed),
        Some(Told::Reply(Reply::NotTaken(why))) => match why {
            NotTaken::CutOff => Refused::CutOff,
            NotTaken::Outside => Refused::Outside,
            NotTaken::Stopping => Refused::Stopping,
            NotTaken::Stalled => Refused::Stalled,
            NotTaken::Overloaded => Refused::Overloaded,
        },
        Some(Told::SessionIsOver) => Refused::NoSession,
        None => Refused::UnknownOutcome,
    })
}

/// Tells the log of what changes who somebody is.
fn note_done(bank: &Bank, asked: &HttpRequest, executed: &Executed) {
    match &executed.outcome {
        Outcome::Done(Done::CustomerCreated { user_name }) => {
            note(bank, asked, Event::Registered, Some(user_name));
        }
        Outcome::Done(Done::PasswordChanged { user_name }) => {
            note(bank, asked, Event::PasswordChanged, Some(user_name));
        }
        _ => {}
    }
}

/// The answer in JSON, with what the customer should know besides.
pub(super) fn answer(executed: &Executed, warning: Option<&'static str>) -> HttpResponse {
    let mut response = match &executed.outcome {
        Outcome::Done(_) => HttpResponse::Ok(),
        Outcome::Refused(refusal) if refusal.is_forbidden() => HttpResponse::Forbidden(),
        Outcome::Refused(_) => HttpResponse::BadRequest(),
    };
    let (num_account, kay_pix) = match &executed.outcome {
        Outcome::Done(
            Done::AccountCreated { number, key } | Done::JointAsked { number, key, .. },
        ) => (Some(*number), Some(key)),
        Outcome::Done(Done::KeyAdded { key }) => (None, Some(key)),
        _ => (None, None),
    };
    let waiting_for = match &executed.outcome {
        Outcome::Done(
            Done::JointAsked { waiting_for, .. }
            | Done::JointAccepted { waiting_for }
            | Done::CloseAgreed { waiting_for },
        ) => Some(waiting_for.as_slice()),
        _ => None,
    };
    response.json(Answer {
        descript: executed.outcome.descript(),
        id: &executed.id,
        position: executed.position,
        num_account,
        kay_pix,
        waiting_for,
        warning,
    })
}
