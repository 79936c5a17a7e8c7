//! A basket as a table: each operation with its payee and the balance it leaves, and the customer's
//! own balances before and after.

use std::collections::BTreeSet;

use super::State;
use crate::actors::ledger::Ask;
use crate::actors::time::unix_ms;
use crate::http::{Bank, Refused, offset_s, own_only};
use crate::ids::{BankId, BankSet};
use crate::ledger::{AccountNumber, Book, Note, Operation, OperationKind, Refusal, UserName};
use crate::web::bank::money::InReais;
use crate::web::bank::overview::bank_name;
use crate::web::bank::recipient::{self, Recipient};
use crate::web::bank::{basket, texts};

/// One operation.
pub(super) struct Row {
    pub(super) kind: &'static str,
    /// What the payer says.
    pub(super) note: Note,
    pub(super) bank: BankId,
    pub(super) bank_name: String,
    pub(super) account: AccountNumber,
    pub(super) value: InReais,
    pub(super) recipient: Option<Recipient>,
    /// The balance of the operation's account, if the account is the customer's and the package
    /// gets that far.
    pub(super) after: Option<InReais>,
    /// Why the package would fail here as things stand.
    pub(super) warning: Option<String>,
    /// Whether the ledger refused the package because of this.
    pub(super) refused: bool,
    /// For the hidden field.
    pub(super) written: String,
}

/// An own account that the package touches.
pub(super) struct BalanceRow {
    pub(super) bank: BankId,
    pub(super) bank_name: String,
    pub(super) account: AccountNumber,
    pub(super) now: InReais,
    /// Absent if the package would fail.
    pub(super) after: Option<InReais>,
}

/// Everything about the basket.
pub(super) struct Picture {
    pub(super) rows: Vec<Row>,
    pub(super) balances: Vec<BalanceRow>,
}

/// Tries the basket out; if it has already been executed, shows the balances as they are.
pub(super) async fn picture(
    bank: &Bank,
    user: &UserName,
    offline: &[BankId],
    state: &State,
) -> Result<Picture, Refused> {
    let (by, operations, offline) = (user.clone(), state.operations.clone(), offline.to_vec());
    let executed = state.position.is_some();
    let own = own_only(bank);
    let at = (unix_ms(), offset_s(bank));
    let drawn = Ask(move |book: &Book| draw(book, (&by, own, at), &operations, &offline, executed));
    let (mut picture, failed) = bank.actors.routes.ledger.send(drawn).await?;
    for (index, row) in picture.rows.iter_mut().enumerate() {
        let why = failed.as_ref().filter(|(at, _)| *at == index);
        row.warning = why.map(|(_, refusal)| texts::refusal(refusal, |of| bank_name(bank, of)));
        row.written = state.operations.get(index).map(basket::written).unwrap_or_default();
        row.bank_name = bank_name(bank, row.bank);
        if let Some(recipient) = &mut row.recipient {
            recipient.bank_name = bank_name(bank, recipient.bank);
        }
    }
    if let Some(row) = state.refused.and_then(|index| picture.rows.get_mut(index)) {
        row.refused = true;
    }
    for row in &mut picture.balances {
        row.bank_name = bank_name(bank, row.bank);
    }
    Ok(picture)
}

/// What the page needs of the ledger: also which operation would fail, and why. Texts are written
/// elsewhere.
fn draw(
    book: &Book,
    (by, own, at): (&UserName, bool, (i64, i32)),
    operations: &[Operation],
    offline: &[BankId],
    executed: bool,
) -> (Picture, Option<(usize, Refusal)>) {
    let mut members = BankSet::all(book.banks());
    offline.iter().for_each(|bank| members.remove(*bank));
    let trial = book.try_out(by, operations, members, own, Some(at));
    let is_own =
        |bank, account| book.account(bank, account).is_some_and(|account| account.is_held_by(by));
    let rows = operations.iter().enumerate().map(|(index, operation)| {
        let (kind, value, recipient) = match &operation.kind {
            OperationKind::Deposit { value, .. } => ("Depósito", value, None),
            OperationKind::Withdraw { value, .. } => ("Saque", value, None),
            OperationKind::Transfer { value, pix, .. } => {
                ("Pix", value, recipient::in_book(book, pix))
            }
        };
        let after = trial
            .after
            .get(index)
            .filter(|_| !executed && is_own(operation.bank, operation.account));
        Row {
            kind,
            note: note(operation),
            bank: operation.bank,
            bank_name: String::new(),
            account: operation.account,
            value: InReais(value.get()),
            recipient,
            after: after.map(|after| InReais(*after)),
            warning: None,
            refused: false,
            written: String::new(),
        }
    });
    let rows = rows.collect();
    let touched: BTreeSet<_> =
        operations.iter().flat_map(|operation| touched(book, operation)).collect();
    let own_ones = touched.into_iter().filter(|(bank, account)| is_own(*bank, *account));
    let balances = own_ones.filter_map(|(bank, number)| {
        let account = book.account(bank, number)?;
        let after =
            trial.balances.get(&(bank, number)).filter(|_| !executed && trial.failed.is_none());
        let after = after.map(|after| InReais(*after));
        Some(BalanceRow {
            bank,
            bank_name: String::new(),
            account: number,
            now: InReais(account.balance),
            after,
        })
    });
    let picture = Picture { rows, balances: balances.collect() };
    let failed = trial.failed.filter(|_| !executed);
    (picture, failed.map(|refusal| (trial.after.len(), refusal)))
}

fn note(operation: &Operation) -> Note {
    match &operation.kind {
        OperationKind::Transfer { note, .. } => note.clone().unwrap_or_default(),
        _ => Note::default(),
    }
}

/// The operation's account and the one that it pays to.
fn touched(book: &Book, operation: &Operation) -> Vec<(BankId, AccountNumber)> {
    let mut touched = vec![(operation.bank, operation.account)];
    if let OperationKind::Transfer { pix, .. } = &operation.kind {
        touched.extend(book.pix(pix).map(|(account, _)| (account.bank, account.number)));
    }
    touched
}
