//! The rules for the Pix keys of accounts that are open; see [`keys`](crate::ledger::keys). A key
//! never belongs to two accounts.

use super::change::{AccountSlot, Change, Rekeyed};
use super::{Book, Turn};
use crate::ids::BankId;
use crate::ledger::account::{Account, AccountNumber};
use crate::ledger::customer::{Customer, TypePerson, UserName};
use crate::ledger::keys::{KeyChange, NewKey, keys_max};
use crate::ledger::outcome::Refusal;
use crate::ledger::pix::{PixKey, PixType};

impl Book {
    pub(super) fn decide_keys(
        &self,
        turn: &Turn<'_>,
        change: &KeyChange,
    ) -> Result<Change, Refusal> {
        let by = self.asker(turn)?;
        match change {
            KeyChange::Add { bank, account, key } => {
                self.check_online(*bank, turn.members)?;
                let slot = self.held(by, *bank, *account)?;
                let key = self.new_key(by, &self[slot], key)?;
                self.check_room(slot)?;
                Ok(Change::Rekeyed(Rekeyed { key, from: None, to: Some(slot) }))
            }
            KeyChange::Remove { key } => {
                let slot = self.own_key(turn, by, key)?;
                Ok(Change::Rekeyed(Rekeyed { key: key.clone(), from: Some(slot), to: None }))
            }
            KeyChange::Move { key, to } => {
                let slot = self.own_key(turn, by, key)?;
                let to = self.held(by, key.bank(), *to)?;
                if slot == to {
                    return Err(Refusal::PixKeyTaken(key.clone()));
                }
                self.check_room(to)?;
                Ok(Change::Rekeyed(Rekeyed { key: key.clone(), from: Some(slot), to: Some(to) }))
            }
        }
    }

    /// An account that the customer holds; whether somebody else has one of this number is not
    /// told.
    pub(super) fn held(
        &self,
        by: Option<&UserName>,
        bank: BankId,
        account: AccountNumber,
    ) -> Result<AccountSlot, Refusal> {
        let slot = self.slot(bank, account);
        let slot = match by {
            Some(by) => slot
                .filter(|slot| self[*slot].is_held_by(by))
                .ok_or_else(|| Refusal::NotHolder { bank, account, user_name: by.clone() }),
            None => slot.ok_or(Refusal::UnknownAccount { bank, account }),
        }?;
        self.check_open(slot)
    }

    /// Refuses an account that was closed.
    pub(super) fn check_open(&self, slot: AccountSlot) -> Result<AccountSlot, Refusal> {
        let account = &self[slot];
        let (bank, number) = (account.bank, account.number);
        if account.is_closed() {
            return Err(Refusal::AccountClosed { bank, account: number });
        }
        Ok(slot)
    }

    /// The account of a key that the customer may take away from it. What names another holder is
    /// for that one alone to take away.
    fn own_key(
        &self,
        turn: &Turn<'_>,
        by: Option<&UserName>,
        key: &PixKey,
    ) -> Result<AccountSlot, Refusal> {
        self.check_online(key.bank(), turn.members)?;
        let unknown = || Refusal::UnknownPixKey(key.clone());
        let slot = self.slot_by_key(key).ok_or_else(unknown)?;
        let Some(by) = by else { return Ok(slot) };
        let account = &self[slot];
        let names = |holder: &UserName| {
            let document = self.customer(holder).map(|other| other.num_cadastro.as_str());
            key.value() == holder.as_str() || Some(key.value()) == document
        };
        let names_other = account.holders.iter().any(|holder| holder != by && names(holder));
        if account.is_held_by(by) && !names_other { Ok(slot) } else { Err(unknown()) }
    }

    fn new_key(
        &self,
        by: Option<&UserName>,
        account: &Account,
        key: &NewKey,
    ) -> Result<PixKey, Refusal> {
        let owner = self.known_customer(by.unwrap_or(account.opener()))?;
        check_kind(owner, key)?;
        let number = account.number.to_string();
        let value = match key {
            NewKey::Cpf | NewKey::Cnpj => owner.num_cadastro.as_str(),
            NewKey::UserName => owner.user_name.as_str(),
            NewKey::NumConta => &number,
            NewKey::Random(value) => value.as_str(),
            NewKey::Email(email) => email.as_str(),
            NewKey::Telefone(telephone) => telephone.as_str(),
        };
        let key = PixKey::of(account.bank, value).expect("each of them fits into a key");
        if self.has_key(&key) { Err(Refusal::PixKeyTaken(key)) } else { Ok(key) }
    }

    fn check_room(&self, slot: AccountSlot) -> Result<(), Refusal> {
        let account = &self[slot];
        let most = keys_max(account.type_account);
        if account.keys().count() < most { Ok(()) } else { Err(Refusal::TooManyKeys { most }) }
    }
}

/// A person has no CNPJ and a company no CPF.
fn check_kind(owner: &Customer, key: &NewKey) -> Result<(), Refusal> {
    let type_person = owner.type_person();
    match (key.pix_type(), type_person) {
        (Some(pix_type @ PixType::Cpf), TypePerson::Pj)
        | (Some(pix_type @ PixType::Cnpj), TypePerson::Pf) => {
            Err(Refusal::WrongPixType { pix_type, type_person })
        }
        _ => Ok(()),
    }
}
