//! The basket: operations that a person collects, in the order in which the bank will execute them.
//!
//! The requirement's package names each bank and each account once, and is executed in document
//! order. So operations on one account are grouped together, in whatever order they were added, and
//! the basket shows them as they will happen.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::answers::Recipient;
use super::api::OwnAccount;
use crate::ids::BankId;
use crate::ledger::{AccountNumber, Amount, Centavos, Message, OperationKind, PixKey, Reais, Txid};

/// One line of the basket.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) bank: BankId,
    pub(super) account: AccountNumber,
    pub(super) kind: OperationKind,
    /// The payee of a transfer, as the bank has told.
    pub(super) recipient: Option<Recipient>,
}

/// What is to be done together or not at all.
#[derive(Clone, Default)]
pub(super) struct Basket {
    /// In the order of execution.
    lines: Vec<Line>,
}

impl Basket {
    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Adds a line after the others of its account, or else after those of its bank, or else at the
    /// end.
    pub(super) fn add(&mut self, line: Line) {
        let of_account = self
            .lines
            .iter()
            .rposition(|other| (other.bank, other.account) == (line.bank, line.account));
        let of_bank = || self.lines.iter().rposition(|other| other.bank == line.bank);
        let place = of_account.or_else(of_bank).map_or(self.lines.len(), |place| place + 1);
        self.lines.insert(place, line);
    }

    pub(super) fn remove(&mut self, place: usize) {
        self.lines.remove(place);
    }

    /// What each account will hold after each line, as far as these accounts are known; `None`
    /// where an account of somebody else, or more than can be counted, is involved.
    pub(super) fn balances_after(&self, accounts: &[OwnAccount]) -> Vec<Option<Centavos>> {
        let mut accounts = accounts.to_vec();
        let execute = |line: &Line| {
            let (value, leaves) = match &line.kind {
                OperationKind::Deposit { value, .. } => (*value, false),
                OperationKind::Withdraw { value, .. } | OperationKind::Transfer { value, .. } => {
                    (*value, true)
                }
            };
            let own = accounts
                .iter()
                .position(|own| (own.bank, own.number) == (line.bank, line.account))?;
            let after = if leaves {
                accounts[own].balance.checked_sub(value.get())
            } else {
                accounts[own].balance.checked_add(value.get())
            };
            accounts[own].balance = after?;
            if let OperationKind::Transfer { pix, .. } = &line.kind
                && let Some(paid) = accounts.iter_mut().find(|paid| paid.key == *pix)
            {
                paid.balance = paid.balance.checked_add(value.get())?;
            }
            Some(accounts[own].balance)
        };
        self.lines.iter().map(execute).collect()
    }

    /// The package in the requirement's form.
    pub(super) fn to_json(&self) -> String {
        super::json(self)
    }
}

impl Serialize for Basket {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut banks = serializer.serialize_map(None)?;
        for of_bank in self.lines.chunk_by(|a, b| a.bank == b.bank) {
            banks.serialize_entry(&of_bank[0].bank.to_string(), &OfBank(of_bank))?;
        }
        banks.end()
    }
}

struct OfBank<'a>(&'a [Line]);

impl Serialize for OfBank<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut accounts = serializer.serialize_map(None)?;
        for of_account in self.0.chunk_by(|a, b| a.account == b.account) {
            let package = OfAccount { package: of_account.iter().map(operation).collect() };
            accounts.serialize_entry(&of_account[0].account.get().to_string(), &package)?;
        }
        accounts.end()
    }
}

#[derive(Serialize)]
struct OfAccount<'a> {
    package: Vec<Operation<'a>>,
}

#[derive(Serialize)]
struct Operation<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    value: Reais,
    sender: AccountNumber,
    #[serde(skip_serializing_if = "Option::is_none")]
    pix: Option<&'a PixKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    txid: Option<&'a Txid>,
}

fn operation(line: &Line) -> Operation<'_> {
    let written = |kind: &'static str, value: &Amount, pix| Operation {
        kind,
        value: Reais(value.get()),
        sender: line.account,
        pix,
        message: None,
        txid: None,
    };
    match &line.kind {
        OperationKind::Deposit { value, .. } => written("DEPOSIT", value, None),
        OperationKind::Withdraw { value, .. } => written("WITHDRAW", value, None),
        OperationKind::Transfer { value, pix, note } => {
            let message = note.as_ref().and_then(|note| note.message.as_ref());
            let txid = note.as_ref().and_then(|note| note.txid.as_ref());
            Operation { message, txid, ..written("TRANSFER", value, Some(pix)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Note;

    fn account(bank: u16, number: u64, centavos: i64) -> OwnAccount {
        let number = AccountNumber::try_from(number).unwrap();
        let key = PixKey::of(BankId(bank), &format!("k{}", number.get())).unwrap();
        OwnAccount { bank: BankId(bank), number, balance: Centavos::new(centavos), key }
    }

    fn line(bank: u16, account: u64, kind: OperationKind) -> Line {
        Line {
            bank: BankId(bank),
            account: AccountNumber::try_from(account).unwrap(),
            kind,
            recipient: None,
        }
    }

    fn amount(centavos: i64) -> Amount {
        Amount::parse(Centavos::new(centavos)).unwrap()
    }

    fn note() -> Option<Note> {
        Some(Note { message: Some(Message::parse("almoço").unwrap()), txid: None })
    }

    fn basket() -> Basket {
        let mut basket = Basket::default();
        basket.add(line(1, 11, OperationKind::Withdraw { value: amount(5_000), sender: None }));
        basket.add(line(0, 22, OperationKind::Deposit { value: amount(1_010), sender: None }));
        basket.add(line(1, 33, OperationKind::Deposit { value: amount(5), sender: None }));
        let pix = PixKey::parse("0:k22").unwrap();
        basket.add(line(
            1,
            11,
            OperationKind::Transfer { value: amount(45_055), pix, note: note() },
        ));
        basket
    }

    #[test]
    fn operations_are_grouped_by_account_and_shown_in_document_order() {
        let expected = concat!(
            r#"{"1":{"11":{"package":[{"type":"WITHDRAW","value":50.0,"sender":11},"#,
            r#"{"type":"TRANSFER","value":450.55,"sender":11,"pix":"0:k22","message":"almoço"}]},"#,
            r#""33":{"package":[{"type":"DEPOSIT","value":0.05,"sender":33}]}},"#,
            r#""0":{"22":{"package":[{"type":"DEPOSIT","value":10.1,"sender":22}]}}}"#,
        );
        assert_eq!(basket().to_json(), expected);
        let shown: Vec<_> =
            basket().lines().iter().map(|line| (line.bank.0, line.account.get())).collect();
        assert_eq!(shown, [(1, 11), (1, 11), (1, 33), (0, 22)]);
    }

    #[test]
    fn each_line_shows_the_balance_after_its_turn_including_transfers_to_oneself() {
        let accounts = [account(1, 11, 60_000), account(0, 22, 100)];
        let after: Vec<_> =
            basket().balances_after(&accounts).iter().map(|sum| sum.map(Centavos::get)).collect();
        assert_eq!(after, [Some(55_000), Some(9_945), None, Some(100 + 45_055 + 1_010)]);
    }

    #[test]
    fn a_removed_line_is_gone() {
        let mut basket = basket();
        basket.remove(0);
        assert_eq!(basket.lines().len(), 3);
        assert!(!basket.to_json().contains("WITHDRAW"));
    }
}
