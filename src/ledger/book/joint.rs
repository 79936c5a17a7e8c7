//! The rules for joint accounts: who is to hold one is asked first; see
//! [`joint`](crate::ledger::joint).

use super::change::Change;
use super::opening::opening_entry;
use super::{Book, Turn};
use crate::ledger::account::{Account, TypeAccount};
use crate::ledger::customer::UserName;
use crate::ledger::joint::{JOINT_WAITING_MAX, JOINT_WAITS_MS, JointRequest};
use crate::ledger::money::Centavos;
use crate::ledger::outcome::Refusal;
use crate::ledger::past::Trail;
use crate::ledger::request::{JointAnswer, Opening};

impl Book {
    /// A joint account whose holders are still to be asked.
    pub(super) fn decide_joint(
        &self,
        turn: &Turn<'_>,
        opening: &Opening,
        account: Account,
    ) -> Result<Change, Refusal> {
        let Account { bank, number, holders, key, .. } = account;
        if self.waiting.opened_by(&holders[0]) >= JOINT_WAITING_MAX {
            return Err(Refusal::TooManyJoint);
        }
        let accepted = (0..holders.len()).map(|place| place == 0).collect();
        Ok(Change::Asked(Box::new(JointRequest {
            bank,
            number,
            key,
            holders: holders.into_vec(),
            accepted,
            value_init: opening.value_init,
            at_ms: turn.at_ms,
            ends_age_ms: self.time.age_ms().saturating_add(JOINT_WAITS_MS),
        })))
    }

    /// The answer of one of the holders.
    pub(super) fn decide_answer(
        &self,
        turn: &Turn<'_>,
        answer: &JointAnswer,
    ) -> Result<Change, Refusal> {
        let JointAnswer { bank, account, accept } = *answer;
        let by = turn.request.by.as_ref().ok_or(Refusal::NoCustomer)?;
        let none = Refusal::NoJointRequest { bank, account };
        let Some(request) = self.waiting.get((bank, account)) else { return Err(none) };
        if !accept {
            let is_asked = request.holders.contains(by);
            return if is_asked { Ok(Change::Ended { bank, account }) } else { Err(none) };
        }
        if !request.waits_for(by) {
            return Err(none);
        }
        let waiting_for: Vec<UserName> =
            request.waiting_for().filter(|holder| *holder != by).cloned().collect();
        if !waiting_for.is_empty() {
            return Ok(Change::Accepted { bank, account, by: by.clone(), waiting_for });
        }
        self.check_online(bank, turn.members)?;
        let opened = Box::new(Account {
            bank,
            number: account,
            type_account: TypeAccount::Conjunta,
            holders: request.holders.clone().into(),
            key: request.key.clone(),
            more_keys: Box::default(),
            balance: Centavos::ZERO,
            trail: Trail::default(),
            end: None,
        });
        let entry = opening_entry(turn, request.opener(), request.value_init);
        Ok(Change::Opened { account: opened, entry })
    }

    /// The joint accounts that wait for this customer or were asked for by them, by bank and
    /// number.
    pub(crate) fn joint_requests_of<'a>(
        &'a self,
        user_name: &'a UserName,
    ) -> impl Iterator<Item = &'a JointRequest> {
        self.waiting.of(user_name)
    }
}
