//! The rules for new accounts: who may open and hold one, with how much, under which number and
//! key.

use super::{Book, Change, Turn};
use crate::ids::BankId;
use crate::ledger::account::{Account, AccountNumber, TypeAccount};
use crate::ledger::customer::{Customer, TypePerson, UserName};
use crate::ledger::money::{Amount, Centavos};
use crate::ledger::outcome::Refusal;
use crate::ledger::past::Trail;
use crate::ledger::pix::{PixKey, PixType};
use crate::ledger::request::{JOINT_OTHERS_MAX, OPENING_MIN, Opening};
use crate::ledger::statement::{Details, Entry, EntryKind};

impl Book {
    pub(super) fn decide_opening(
        &self,
        turn: &Turn<'_>,
        opening: &Opening,
    ) -> Result<Change, Refusal> {
        let bank = turn.sender;
        self.check_online(bank, turn.members)?;
        let opener = self.known_customer(&opening.user_name)?;
        check_types(opener.type_person(), opening)?;
        let holders = self.holders(opener, opening)?;
        if opening.value_init.get() < OPENING_MIN {
            return Err(Refusal::OpeningTooSmall);
        }
        let number = self.free_number(bank, &opening.numbers)?;
        let key = self.free_key(bank, number, opener, opening)?;
        let account = Account {
            bank,
            number,
            type_account: opening.type_account,
            holders: holders.into(),
            key,
            more_keys: Box::default(),
            balance: Centavos::ZERO,
            trail: Trail::default(),
            end: None,
        };
        if opening.consent && opening.type_account == TypeAccount::Conjunta {
            return self.decide_joint(turn, opening, account);
        }
        let entry = opening_entry(turn, &opener.user_name, opening.value_init);
        Ok(Change::Opened { entry, account: Box::new(account) })
    }

    /// Whether a number is neither given away nor kept for an account that waits.
    pub(super) fn is_free(&self, bank: BankId, number: AccountNumber) -> bool {
        self.slot(bank, number).is_none() && self.waiting.get((bank, number)).is_none()
    }

    /// Whether an account has this key, or one that waits is going to.
    pub(super) fn has_key(&self, key: &PixKey) -> bool {
        self.slot_by_key(key).is_some() || self.waiting.has_key(key)
    }

    /// Everybody who is going to hold the account, the opener first.
    fn holders(&self, opener: &Customer, opening: &Opening) -> Result<Vec<UserName>, Refusal> {
        match opening.type_account {
            TypeAccount::Conjunta if !(1..=JOINT_OTHERS_MAX).contains(&opening.users.len()) => {
                return Err(Refusal::JointHolders);
            }
            TypeAccount::Pf | TypeAccount::Pj if !opening.users.is_empty() => {
                return Err(Refusal::NotJoint(opening.type_account));
            }
            _ => {}
        }
        let mut holders = vec![opener.user_name.clone()];
        for user in &opening.users {
            let other = self.known_customer(user)?;
            if holders.contains(user) {
                return Err(Refusal::RepeatedHolder(user.clone()));
            }
            holders.push(other.user_name.clone());
        }
        Ok(holders)
    }

    /// The first of the drawn numbers that the bank has not given away.
    fn free_number(
        &self,
        bank: BankId,
        numbers: &[AccountNumber],
    ) -> Result<AccountNumber, Refusal> {
        let free = |number: &&AccountNumber| self.is_free(bank, **number);
        numbers.iter().find(free).copied().ok_or(Refusal::NoFreeNumber)
    }

    fn free_key(
        &self,
        bank: BankId,
        number: AccountNumber,
        opener: &Customer,
        opening: &Opening,
    ) -> Result<PixKey, Refusal> {
        let key = match opening.pix_type {
            PixType::Cpf | PixType::Cnpj => PixKey::of(bank, opener.num_cadastro.as_str()),
            PixType::UserName => PixKey::of(bank, opener.user_name.as_str()),
            PixType::NumConta => PixKey::of(bank, &number.to_string()),
            PixType::Random => PixKey::of(bank, &opening.random_key),
        };
        let key = key
            .expect("documents, user names and numbers fit into keys; the random key was parsed");
        if self.has_key(&key) { Err(Refusal::PixKeyTaken(key)) } else { Ok(key) }
    }
}

fn check_types(type_person: TypePerson, opening: &Opening) -> Result<(), Refusal> {
    let &Opening { type_account, pix_type, .. } = opening;
    if !type_account.may_be_opened_by(type_person) {
        return Err(Refusal::WrongTypeAccount { type_account, type_person });
    }
    match (pix_type, type_person) {
        (PixType::Cpf, TypePerson::Pj) | (PixType::Cnpj, TypePerson::Pf) => {
            Err(Refusal::WrongPixType { pix_type, type_person })
        }
        _ => Ok(()),
    }
}

/// The first entry of an account, which its opener pays.
pub(super) fn opening_entry(turn: &Turn<'_>, opener: &UserName, value_init: Amount) -> Entry {
    Entry {
        kind: EntryKind::Opening,
        value: value_init.get(),
        balance_after: value_init.get(),
        at_ms: turn.at_ms,
        made_by: opener.clone(),
        bank_sender: turn.sender,
        id: turn.request.id.clone(),
        position: turn.position,
        pix: None,
        details: Details::default(),
    }
}
