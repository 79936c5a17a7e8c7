//! The rules for new customers: user name and document are unique in the whole consortium, and no
//! user name looks like another. And for new passwords: that somebody knows the old one is for the
//! bank that is asked to see.

use super::{Book, Change, Turn};
use crate::ledger::customer::Customer;
use crate::ledger::outcome::Refusal;
use crate::ledger::request::{PasswordChange, Registration};

impl Book {
    pub(super) fn decide_registration(
        &self,
        registration: &Registration,
    ) -> Result<Change, Refusal> {
        let Registration { name, num_cadastro, user_name, password_hash, distinct } =
            registration.clone();
        if self.knows_document(&num_cadastro) {
            return Err(Refusal::DocumentTaken(num_cadastro.type_person()));
        }
        if self.record(&user_name).is_some() {
            return Err(Refusal::UserNameTaken);
        }
        if distinct && self.knows_look(&user_name) {
            return Err(Refusal::UserNameAlike);
        }
        Ok(Change::Registered(Customer { user_name, name, num_cadastro, password_hash }))
    }

    pub(super) fn decide_password(
        &self,
        turn: &Turn<'_>,
        change: &PasswordChange,
    ) -> Result<Change, Refusal> {
        let by = turn.request.by.as_ref().ok_or(Refusal::NoCustomer)?;
        let user_name = self.known_customer(by)?.user_name.clone();
        Ok(Change::Password { user_name, password_hash: change.password_hash.clone() })
    }
}
