//! The rules for new customers: user name and document are unique in the whole consortium, and no
//! user name looks like another.

use super::{Book, Change};
use crate::ledger::customer::Customer;
use crate::ledger::outcome::Refusal;
use crate::ledger::request::Registration;

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
}
