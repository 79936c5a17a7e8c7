//! The account that a customer wants, whether they ask through a page, a program or the terminal
//! client.

use serde::Serialize;

use super::account::{AccountNumber, TypeAccount};
use super::customer::UserName;
use super::money::{Amount, Reais};
use super::pix::PixType;
use super::request::Opening;

/// Which account a customer wants. Who the customer is, a password proves; the account's bank is
/// the one that is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewAccount {
    /// Who may hold it.
    pub type_account: TypeAccount,
    /// What its key is made of.
    pub pix_type: PixType,
    /// The other holders of a joint account.
    pub users: Vec<UserName>,
    /// The first money.
    pub value_init: Amount,
}

impl NewAccount {
    /// The request for it, with what the bank that is asked has drawn.
    #[must_use]
    pub(crate) fn opened_by(
        self,
        user_name: UserName,
        numbers: Vec<AccountNumber>,
        random_key: String,
        consent: bool,
    ) -> Opening {
        let NewAccount { type_account, pix_type, users, value_init } = self;
        Opening {
            user_name,
            type_account,
            pix_type,
            users,
            value_init,
            numbers,
            random_key,
            consent,
        }
    }

    /// The JSON body of `POST /create_account` that asks a bank for it.
    #[must_use]
    pub(crate) fn to_body(&self, user_name: &UserName, password: &str) -> String {
        #[derive(Serialize)]
        struct Body<'a> {
            user_name: &'a UserName,
            password: &'a str,
            type_account: TypeAccount,
            pix_type: PixType,
            users: &'a [UserName],
            value_init: Reais,
        }
        let body = Body {
            user_name,
            password,
            type_account: self.type_account,
            pix_type: self.pix_type,
            users: &self.users,
            value_init: Reais(self.value_init.get()),
        };
        serde_json::to_string(&body).expect("names and numbers can be written as JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::money::Centavos;

    #[test]
    fn a_bank_is_asked_in_the_requirements_form() {
        let user = |name| UserName::parse(name).unwrap();
        let account = NewAccount {
            type_account: TypeAccount::Conjunta,
            pix_type: PixType::NumConta,
            users: vec![user("bia")],
            value_init: Amount::parse(Centavos::new(25_050)).unwrap(),
        };
        let body = account.to_body(&user("ana"), "a \"b\"");
        let (who, what) = body.split_at(body.find(r#","type_account""#).unwrap());
        assert_eq!(who, r#"{"user_name":"ana","password":"a \"b\"""#);
        assert_eq!(
            what,
            r#","type_account":"CONJUNTA","pix_type":"NUM_CONTA","users":["bia"],"value_init":250.5}"#
        );
    }
}
