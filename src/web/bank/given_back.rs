//! What receipts say of refunds: of which Pix one is, and how much of a Pix was given back.

use super::money::reais;
use crate::actors::ledger::{Ask, ask_before_past};
use crate::actors::time::unix_ms;
use crate::http::{Bank, Refused};
use crate::ledger::past::walk::{Entries as _, other_side};
use crate::ledger::past::{AccountTrail, EntryNumber, PastEntry};
use crate::ledger::refund::REFUND_WITHIN_MS;
use crate::ledger::{Book, EntryKind, RefundOf};
use crate::store::StoreError;
use crate::store::past::PastReader;

/// What a receipt says of refunds.
#[derive(Default)]
pub(super) struct Refunds {
    /// The Pix of which this is a refund,
    pub(super) of: Option<RefundOf>,
    /// and the place of its entry in the same statement.
    pub(super) original: Option<u64>,
    /// How much of this Pix was given back, if any.
    pub(super) refunded: Option<String>,
    /// Whether more can be.
    pub(super) is_open: bool,
}

impl Refunds {
    /// Those of an entry.
    pub(super) async fn of(
        bank: &Bank,
        trail: AccountTrail,
        past: &PastEntry,
    ) -> Result<Refunds, Refused> {
        let entry = &past.entry;
        let Some(other) = entry.details.other else { return Ok(Refunds::default()) };
        let theirs = move |book: &Book| Some(book.trail_of(book.account_at(other)?));
        let theirs = ask_before_past(&bank.actors.routes.ledger, theirs).await?;
        let theirs = theirs.ok_or(Refused::Internal)?;
        let (came, index, number) = (entry.kind == EntryKind::Receive, past.index, past.number);
        if let Some(of) = entry.details.refund_of.as_deref().cloned() {
            let number = of.entry;
            let read = move |past: &mut PastReader| original(past, number, came, trail, theirs);
            let original = bank.actors.past.read(read).await?;
            return Ok(Refunds { of: Some(of), original, ..Refunds::default() });
        }
        // The ledger knows a Pix by the entry of whoever received it.
        let read = move |past: &mut PastReader| -> Result<_, StoreError> {
            let other = other_side(past, &trail, index, &theirs)?;
            Ok(if came { Some(number) } else { other.map(|other| other.number) })
        };
        let Some(number) = bank.actors.past.read(read).await? else {
            return Ok(Refunds::default());
        };
        let asked = Ask(move |book: &Book| book.refunded(number));
        let refunded = bank.actors.routes.ledger.send(asked).await?;
        let is_late = unix_ms().saturating_sub(entry.at_ms) > REFUND_WITHIN_MS;
        let all_back = refunded.is_some_and(|refunded| refunded >= entry.value);
        Ok(Refunds {
            refunded: refunded.map(reais),
            is_open: came && !is_late && !all_back,
            ..Refunds::default()
        })
    }
}

/// The place of the refunded Pix in the statement of which `mine` is the trail: whoever got the
/// money back had sent it.
fn original(
    past: &mut PastReader,
    number: EntryNumber,
    got_back: bool,
    mine: AccountTrail,
    theirs: AccountTrail,
) -> Result<Option<u64>, StoreError> {
    let Some(received) = past.entry(number)? else { return Ok(None) };
    if !got_back {
        return Ok((received.account == mine.account).then_some(received.index));
    }
    if received.account != theirs.account {
        return Ok(None);
    }
    let sent = other_side(past, &theirs, received.index, &mine)?;
    Ok(sent.map(|sent| sent.index))
}
