//! The basket of the package builder: operations on their way from page to page in hidden fields.
//!
//! The bank does not store baskets, so a basket survives the end of the session, and even of the
//! bank's process. What a browser sends back is read like any other input; the ledger decides.

use super::br_code::Charge;
use super::money::plain_reais;
use super::texts;
use crate::brazilian::parse_amount;
use crate::ids::BankId;
use crate::ledger::package::OPERATIONS_MAX;
use crate::ledger::{
    AccountNumber, Amount, Centavos, Message, Note, Operation, OperationKind, PixKey, Txid,
};

/// Where a transfer has a message but pays no charge.
const NO_TXID: &str = "-";

/// `D.0.740358.1050`: kind, bank, account, centavos; for a transfer the key follows, and what the
/// payer says: `T.0.740358.1050.1:ana PEDIDO7 almoço`.
pub(super) fn written(operation: &Operation) -> String {
    let Operation { bank, account, kind } = operation;
    match kind {
        OperationKind::Deposit { value, .. } => format!("D.{bank}.{account}.{}", value.get().get()),
        OperationKind::Withdraw { value, .. } => {
            format!("S.{bank}.{account}.{}", value.get().get())
        }
        OperationKind::Transfer { value, pix, note } => {
            let note = note.as_ref().map(written_note).unwrap_or_default();
            format!("T.{bank}.{account}.{}.{pix}{note}", value.get().get())
        }
    }
}

fn written_note(note: &Note) -> String {
    let txid = note.txid.as_ref().map_or(NO_TXID, Txid::as_str);
    match &note.message {
        Some(message) => format!(" {txid} {message}"),
        None if note.txid.is_some() => format!(" {txid}"),
        None => String::new(),
    }
}

/// Reads a hidden field.
pub(super) fn read(text: &str) -> Option<Operation> {
    let mut parts = text.splitn(5, '.');
    let (kind, place, centavos, pix) =
        (parts.next()?, (parts.next()?, parts.next()?), parts.next()?, parts.next());
    let (bank, account) = read_place(place.0, place.1)?;
    let value = Amount::parse(Centavos::new(centavos.parse().ok()?)).ok()?;
    let kind = match (kind, pix) {
        ("D", None) => OperationKind::Deposit { value, sender: None },
        ("S", None) => OperationKind::Withdraw { value, sender: None },
        ("T", Some(rest)) => {
            let mut parts = rest.splitn(3, ' ');
            let pix = PixKey::parse(parts.next()?).ok()?;
            let txid = parts.next().filter(|txid| *txid != NO_TXID).map(Txid::parse);
            let message = parts.next().map(Message::parse);
            let note = Note { message: message.transpose().ok()?, txid: txid.transpose().ok()? };
            OperationKind::Transfer { value, pix, note: Some(note) }
        }
        _ => return None,
    };
    Some(Operation { bank, account, kind })
}

fn read_place(bank: &str, account: &str) -> Option<(BankId, AccountNumber)> {
    Some((bank.parse().ok().map(BankId)?, AccountNumber::parse(account).ok()?))
}

/// An account as forms and addresses name it: `0-740358`.
pub(super) fn read_account(text: &str) -> Option<(BankId, AccountNumber)> {
    let (bank, account) = text.split_once('-')?;
    read_place(bank, account)
}

/// The contents of the fields for one more operation, as typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    /// `D`, `S` or `T`.
    pub(super) kind: String,
    /// `0-740358`
    pub(super) account: String,
    /// As it was typed.
    pub(super) value: String,
    /// As it was typed.
    pub(super) pix: String,
    /// As it was typed.
    pub(super) message: String,
    /// The charge whose code was read: its name, a blank and the key that it asks to pay.
    pub(super) charge: String,
    /// A BR Code as it was pasted, until it has been read.
    pub(super) code: String,
}

impl Draft {
    /// The operation, or what to correct; a transfer pays to the key that was found for what was
    /// typed.
    pub(super) fn read(&self, payee: Result<PixKey, String>) -> Result<Operation, String> {
        let (bank, account) = read_account(&self.account).ok_or("Escolha uma conta")?;
        let value = parse_amount(&self.value).map_err(texts::bad_amount)?;
        let kind = match self.kind.as_str() {
            "D" => OperationKind::Deposit { value, sender: None },
            "S" => OperationKind::Withdraw { value, sender: None },
            "T" => {
                let pix = payee?;
                let note = Some(self.note(&pix)?);
                OperationKind::Transfer { value, pix, note }
            }
            _ => return Err("Escolha depósito, saque ou Pix".into()),
        };
        Ok(Operation { bank, account, kind })
    }

    /// Takes over what a charge says.
    pub(super) fn take(&mut self, charge: Charge) {
        self.kind = "T".into();
        self.pix = charge.key.to_string();
        self.value = charge.value.map(|value| plain_reais(value.get())).unwrap_or_default();
        self.message = charge.description.unwrap_or_default();
        let named = charge.txid.filter(|txid| Txid::parse(txid).is_ok());
        self.charge = named.map(|txid| format!("{txid} {}", charge.key)).unwrap_or_default();
    }

    /// The name of the charge whose code was read.
    pub(super) fn txid(&self) -> &str {
        self.charge.split_once(' ').map_or("", |(txid, _)| txid)
    }

    /// What the payer says to whom; a charge is that of its own payee only, whichever key was typed
    /// after its code was read.
    fn note(&self, payee: &PixKey) -> Result<Note, String> {
        let message = Some(self.message.as_str()).filter(|text| !text.is_empty());
        let message = message.map(Message::parse).transpose();
        let charge = self.charge.split_once(' ').filter(|(_, key)| *key == payee.as_str());
        let txid = charge.map(|(txid, _)| Txid::parse(txid)).transpose();
        Ok(Note {
            message: message.map_err(|error| error.to_string())?,
            txid: txid.map_err(|error| error.to_string())?,
        })
    }
}

/// Adds one more, if there is room.
pub(super) fn add(operations: &mut Vec<Operation>, operation: Operation) -> Result<(), String> {
    if operations.len() >= OPERATIONS_MAX {
        return Err(too_long());
    }
    operations.push(operation);
    Ok(())
}

/// What people are told of a basket with too many operations.
pub(super) fn too_long() -> String {
    format!("Um pacote tem no máximo {OPERATIONS_MAX} operações")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_field_is_read_back_as_it_was_written() {
        for text in [
            "D.0.740358.1050",
            "S.12.1.1",
            "T.1.740358.9.2:a.b-c@d",
            "T.0.1.1.0:x",
            "T.0.1.1.0:x PEDIDO7",
            "T.0.1.1.0:x PEDIDO7 almoço. 2 - de 3",
            "T.0.1.1.0:x - almoço",
        ] {
            assert_eq!(written(&read(text).unwrap()), text);
        }
    }

    #[test]
    fn a_field_that_this_bank_did_not_write_is_not_an_operation() {
        for text in [
            "",
            "D",
            "D.0.740358",
            "D.0.740358.0",
            "D.0.740358.-5",
            "D.0.0.5",
            "X.0.1.5",
            "D.0.1.5.0:x",
            "T.0.1.5",
            "T.0.1.5.x",
            "D.99999.1.5",
            "D.0.1.99999999999999999999",
            "D.-1.1.5",
            "T.0.1.5.0:x *",
            "T.0.1.5.0:x - ",
            "T.0.1.5.0:x - a\tb",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_draft_says_what_to_correct() {
        let draft = |kind: &str, account: &str, value: &str, pix: &str| Draft {
            kind: kind.into(),
            account: account.into(),
            value: value.into(),
            pix: pix.into(),
            ..Draft::default()
        };
        assert_eq!(
            draft("T", "0-7", "1,00", "x")
                .read(Ok(PixKey::parse("1:x").unwrap()))
                .map(|operation| written(&operation)),
            Ok("T.0.7.100.1:x".into())
        );
        for (draft, part) in [
            (draft("D", "", "1", ""), "conta"),
            (draft("D", "0-7", "um", ""), "1.234,56"),
            (draft("T", "0-7", "1", "x"), "banco:valor"),
            (draft("", "0-7", "1", ""), "Escolha"),
        ] {
            let unknown = Err("banco:valor".to_owned());
            assert!(draft.read(unknown).unwrap_err().contains(part), "{draft:?}");
        }
    }

    #[test]
    fn a_charge_is_named_only_to_its_own_payee() {
        let code = |txid: &str| Charge {
            key: PixKey::parse("1:ana").unwrap(),
            value: None,
            description: Some("almoço".into()),
            name: "ANA".into(),
            city: "X".into(),
            txid: Some(txid.into()),
        };
        let written_to = |txid, payee| {
            let mut draft = Draft { account: "0-7".into(), ..Draft::default() };
            draft.take(code(txid));
            draft.value = "1,00".into();
            draft.read(Ok(PixKey::parse(payee).unwrap())).map(|operation| written(&operation))
        };
        assert_eq!(written_to("A1", "1:ana"), Ok("T.0.7.100.1:ana A1 almoço".into()));
        assert_eq!(written_to("A1", "1:bia"), Ok("T.0.7.100.1:bia - almoço".into()));
        // Nobody could correct it.
        assert_eq!(written_to("A-1", "1:ana"), Ok("T.0.7.100.1:ana - almoço".into()));
    }

    #[test]
    fn a_basket_holds_a_limited_number_of_operations() {
        let operation = read("D.0.1.1").unwrap();
        let mut operations = vec![operation.clone(); OPERATIONS_MAX - 1];
        assert!(add(&mut operations, operation.clone()).is_ok());
        assert!(add(&mut operations, operation).is_err());
    }
}
