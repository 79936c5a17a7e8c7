//! What a request takes of the shares of its customer and of its address (`actors/limits.rs`). What
//! comes from this machine itself is not limited, unless `nodes.json` wants it, and asks nobody.

use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::web::Data;

use super::Bank;
use super::refusal::{Bad, Refused};
use crate::actors::audit::Audit;
use crate::actors::limits::{Attempt, Came, LookUp, Take};
use crate::audit::{Actor, Event};
use crate::ledger::Book;
use crate::ledger::{
    Action, Done, Executed, KeyChange, NewKey, OperationKind, Outcome, PixKey, ProfileChange,
    Refusal, Request, ScheduleChange, TypePerson, UserName,
};
use crate::limits::Origin;
use crate::limits::shares::{Asker, Cost, KeyDigest, LookedUp};

/// Largest body from a customer, in bytes: room for a package of a thousand operations.
pub(super) const CUSTOMER_BODY_BYTES_MAX: usize = 256 * 1024;

/// Where a request comes from, if that is limited.
pub(crate) fn origin(request: &HttpRequest) -> Option<Origin> {
    let bank = request.app_data::<Data<Bank>>()?;
    Origin::of(request.peer_addr()?.ip(), bank.config.limits.loopback)
}

/// A request has arrived.
pub(super) async fn take_of_address(
    bank: &Bank,
    from: Origin,
    request: &HttpRequest,
) -> Result<(), Refused> {
    Ok(bank.actors.limits.send(Take::OfAddress(from, of_request(request))).await??)
}

/// What a request takes before any of it is read.
fn of_request(request: &HttpRequest) -> Cost {
    let headers = request.headers();
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    // One that does not say how long it is may become as long as any.
    let unknown = if headers.contains_key(TRANSFER_ENCODING) { u64::MAX } else { 0 };
    // No more of it will be read.
    let bytes = length.unwrap_or(unknown).min(CUSTOMER_BODY_BYTES_MAX as u64);
    Cost { requests: 1, bytes, ..Cost::default() }
}

/// Tells the log who has done something.
pub(crate) fn note(bank: &Bank, request: &HttpRequest, event: Event, user: Option<&UserName>) {
    let from = request.peer_addr().map(|from| from.ip().to_string());
    bank.actors.audit.do_send(Audit(event, Actor { user: user.cloned(), from }));
}

/// It is a customer's.
pub(crate) async fn take_of_customer(
    bank: &Bank,
    request: &HttpRequest,
    customer: &UserName,
) -> Result<(), Refused> {
    if origin(request).is_none() {
        return Ok(());
    }
    let take = Take::OfCustomer(customer.clone(), of_request(request));
    Ok(bank.actors.limits.send(take).await??)
}

/// It is a customer's, who wants something to be ordered.
pub(super) async fn take_before_order(
    bank: &Bank,
    request: &HttpRequest,
    customer: Option<&UserName>,
) -> Result<(), Refused> {
    let Some(from) = origin(request) else { return Ok(()) };
    let asker = Asker { from, customer: customer.cloned() };
    let take = Take::BeforeOrder { asker, cost: of_request(request) };
    Ok(bank.actors.limits.send(take).await??)
}

/// Somebody wants to register: is refused before their password is hashed if no more of those at
/// their address may.
pub(super) async fn take_before_registration(
    bank: &Bank,
    request: &HttpRequest,
) -> Result<(), Refused> {
    match origin(request) {
        Some(from) => Ok(bank.actors.limits.send(Take::BeforeRegistration(from)).await??),
        None => Ok(()),
    }
}

/// Something is about to be ordered.
pub(super) struct Order {
    asker: Asker,
    /// The keys that it pays to.
    payments: u64,
    /// The key whose holder or lack of one its outcome tells.
    looked_up: Option<KeyDigest>,
}

impl Order {
    /// `None` if it is not limited.
    pub(super) async fn begin(
        bank: &Bank,
        from: Option<Origin>,
        request: &Request,
        bytes: usize,
    ) -> Result<Option<Order>, Refused> {
        let Some(from) = from else { return Ok(None) };
        let (customer, operations, payments) = match &request.action {
            Action::Operations(package) => {
                let operations = package.operations();
                let pays = |kind: &OperationKind| matches!(kind, OperationKind::Transfer { .. });
                let payments = operations.iter().filter(|it| pays(&it.kind)).count();
                (request.by.clone(), operations.len(), payments)
            }
            Action::CreateAccount(opening) => (Some(opening.user_name.clone()), 1, 0),
            Action::AnswerJoint(_)
            | Action::ChangePassword(_)
            | Action::Refund(_)
            | Action::Keys(_)
            | Action::Limits(_)
            | Action::Schedule(_)
            | Action::Due(_)
            | Action::Close(_)
            | Action::Profile(_) => (request.by.clone(), 1, 0),
            Action::Register(_) => (None, 1, 0),
        };
        let asker = Asker { from, customer };
        let looked_up = key_looked_up(&request.action).as_deref().map(digest);
        if let Some(key) = looked_up {
            bank.actors.limits.send(LookUp(asker.clone(), vec![key])).await??;
        }
        let (operations, ordered_bytes) = (operations as u64, bytes as u64);
        let registrations = u64::from(matches!(request.action, Action::Register(_)));
        let cost = Cost { operations, ordered_bytes, registrations, ..Cost::default() };
        let take = Take::ToOrder { asker: asker.clone(), cost, pays: payments > 0 };
        bank.actors.limits.send(take).await??;
        Ok(Some(Order { asker, payments: payments as u64, looked_up }))
    }

    /// It has been executed.
    pub(super) fn end(self, bank: &Bank, executed: &Executed) {
        if let Some(key) = self.looked_up {
            let exists = !matches!(
                &executed.outcome,
                Outcome::Refused(Refusal::UnknownPixKey(_)) | Outcome::Done(Done::KeyAdded { .. })
            );
            let found = if exists { vec![key] } else { Vec::new() };
            let looked_up = LookedUp { found, missing: u64::from(!exists), by_company: false };
            return bank.actors.limits.do_send(Came::LookedUp(self.asker, looked_up));
        }
        let came = match &executed.outcome {
            Outcome::Done(_) => Came::Paid(self.asker, self.payments),
            Outcome::Refused(Refusal::UnknownPixKey(_)) => Came::PaidToNobody(self.asker),
            Outcome::Refused(_) => return,
        };
        bank.actors.limits.do_send(came);
    }
}

/// The key of which an action finds out whether it exists, though it pays nothing to it now. One of
/// a customer's own choice does so, too: it is refused if somebody else has it.
fn key_looked_up(action: &Action) -> Option<String> {
    match action {
        Action::Schedule(ScheduleChange::Make(planned)) => Some(planned.pix.to_string()),
        Action::Profile(ProfileChange::Favourite { pix, .. }) => Some(pix.to_string()),
        Action::Keys(KeyChange::Add { bank, key: NewKey::Email(email), .. }) => {
            Some(format!("{bank}:{}", email.as_str()))
        }
        Action::Keys(KeyChange::Add { bank, key: NewKey::Telefone(telephone), .. }) => {
            Some(format!("{bank}:{}", telephone.as_str()))
        }
        _ => None,
    }
}

/// Pix keys are being looked up.
pub(crate) struct LookUps {
    /// `None` if they are not limited.
    asker: Option<Asker>,
    keys: Vec<KeyDigest>,
}

impl LookUps {
    /// To be asked for before the ledger is.
    pub(crate) async fn begin<'a>(
        bank: &Bank,
        request: &HttpRequest,
        customer: Option<&UserName>,
        keys: impl IntoIterator<Item = &'a str>,
    ) -> Result<LookUps, Refused> {
        let asker = origin(request).map(|from| Asker { from, customer: customer.cloned() });
        let Some(asker) = asker else { return Ok(LookUps { asker: None, keys: Vec::new() }) };
        let mut keys: Vec<_> = keys.into_iter().map(digest).collect();
        keys.sort_unstable();
        keys.dedup();
        if !keys.is_empty() {
            bank.actors.limits.send(LookUp(asker.clone(), keys.clone())).await??;
        }
        Ok(LookUps { asker: Some(asker), keys })
    }

    /// Whether anybody counts what comes of it.
    pub(crate) fn are_limited(&self) -> bool {
        self.asker.is_some() && !self.keys.is_empty()
    }

    /// What the ledger found for a key as somebody typed it.
    pub(crate) fn end_typed(
        self,
        bank: &Bank,
        text: &str,
        found: Result<&PixKey, &Refused>,
        by_company: bool,
    ) {
        let key = found.ok().map(PixKey::as_str);
        let exists = !matches!(found, Err(Refused::Bad(Bad::NoSuchKey)));
        self.end(bank, exists.then_some(text).into_iter().chain(key), by_company);
    }

    /// The ledger knows these keys, or knows those that were asked for by these names.
    pub(crate) fn end<'a>(
        self,
        bank: &Bank,
        found: impl IntoIterator<Item = &'a str>,
        by_company: bool,
    ) {
        let Some(asker) = self.asker else { return };
        let found: Vec<_> = found.into_iter().map(digest).collect();
        let missing = self.keys.iter().filter(|key| !found.contains(key)).count() as u64;
        let looked_up = LookedUp { found, missing, by_company };
        bank.actors.limits.do_send(Came::LookedUp(asker, looked_up));
    }
}

/// Whether a customer is a company, which may look up more keys.
pub(crate) fn is_company(book: &Book, customer: Option<&UserName>) -> bool {
    let customer = customer.and_then(|customer| book.customer(customer));
    customer.is_some_and(|customer| customer.type_person() == TypePerson::Pj)
}

fn digest(key: &str) -> KeyDigest {
    let mut hasher = DefaultHasher::new();
    key.trim().hash(&mut hasher);
    hasher.finish()
}

/// A password is about to be tried.
pub(super) async fn attempt(
    bank: &Bank,
    from: Option<Origin>,
    user: &UserName,
) -> Result<(), Refused> {
    match from {
        Some(from) => Ok(bank.actors.limits.send(Attempt(user.clone(), from)).await??),
        None => Ok(()),
    }
}

/// It was right.
pub(super) fn proved(bank: &Bank, from: Option<Origin>, user: &UserName) {
    if let Some(from) = from {
        bank.actors.limits.do_send(Came::Proved(user.clone(), from));
    }
}
