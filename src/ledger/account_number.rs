//! Account numbers. They are drawn at random by the bank that sends the request, because the ledger
//! itself must not draw any; it is given several and takes the first that is free.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::pix::PixKey;
use crate::ids::BankId;

/// The most digits of an account number.
pub(crate) const NUMBER_DIGITS_MAX: usize = 18;
/// Begins the value of a key that names an account as a payee, as in `1:@574425`, whichever key
/// that account has. No account has such a key: neither documents nor user names nor numbers nor
/// random keys begin so.
pub(crate) const ACCOUNT_MARK: char = '@';
/// One more than the largest account number.
const NUMBER_END: u64 = 10_u64.pow(NUMBER_DIGITS_MAX as u32);
/// How many numbers are drawn with how many digits, in the order in which they are tried: more
/// digits for when the six-digit ones run short.
const DRAWS: [(usize, u32); 4] = [(8, 6), (4, 7), (2, 8), (2, 9)];

/// An account's number, unique inside its bank: 1 to 18 digits, not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct AccountNumber(u64);

impl AccountNumber {
    /// The smallest there is.
    pub(super) const LEAST: AccountNumber = AccountNumber(1);

    /// Reads a number as it is written in a path or as a JSON key.
    ///
    /// # Errors
    /// [`BadAccountNumber`] unless it is 1 to 18 digits without leading zeros.
    pub fn parse(text: &str) -> Result<Self, BadAccountNumber> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || text.starts_with('0') || text.len() > NUMBER_DIGITS_MAX {
            return Err(BadAccountNumber);
        }
        text.parse().map(AccountNumber).map_err(|_| BadAccountNumber)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }

    /// The account that a payer names by its number instead of a key.
    #[must_use]
    pub(super) fn named_by(key: &PixKey) -> Option<Self> {
        AccountNumber::parse(key.value().strip_prefix(ACCOUNT_MARK)?).ok()
    }

    /// The key that names an account by its number.
    #[must_use]
    pub(super) fn naming(self, bank: BankId) -> PixKey {
        let value = format!("{ACCOUNT_MARK}{self}");
        PixKey::of(bank, &value).expect("a number fits into a key")
    }

    /// Numbers for a new account, drawn by the bank that sends the request: `random` gives 64
    /// random bits a call.
    pub fn candidates(random: &mut dyn FnMut() -> u64) -> Vec<AccountNumber> {
        let mut draw = |digits: u32| {
            let smallest = 10_u64.pow(digits - 1);
            AccountNumber(smallest + random() % (9 * smallest))
        };
        let each = DRAWS.iter().flat_map(|(count, digits)| std::iter::repeat_n(*digits, *count));
        each.map(&mut draw).collect()
    }
}

impl TryFrom<u64> for AccountNumber {
    type Error = BadAccountNumber;

    fn try_from(number: u64) -> Result<Self, BadAccountNumber> {
        if (1..NUMBER_END).contains(&number) {
            Ok(AccountNumber(number))
        } else {
            Err(BadAccountNumber)
        }
    }
}

impl From<AccountNumber> for u64 {
    fn from(number: AccountNumber) -> u64 {
        number.0
    }
}

impl fmt::Display for AccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text or number that no account can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAccountNumber;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_without_leading_zeros() {
        assert_eq!(AccountNumber::parse("740358").map(AccountNumber::get), Ok(740_358));
        assert_eq!(
            AccountNumber::parse(&"9".repeat(18)).map(AccountNumber::get),
            Ok(NUMBER_END - 1)
        );
        for text in ["", "0", "007", "+7", "-7", "7.0", "7 ", "٧", &"9".repeat(19)] {
            assert_eq!(AccountNumber::parse(text), Err(BadAccountNumber), "{text:?}");
        }
    }

    #[test]
    fn json_accepts_the_same_numbers_as_text() {
        assert_eq!(serde_json::from_str::<AccountNumber>("740358").unwrap().get(), 740_358);
        for text in ["0", "-1", "1.0", "1000000000000000000", "\"740358\""] {
            assert!(serde_json::from_str::<AccountNumber>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn six_digits_are_tried_first_and_more_when_they_run_short() {
        for random in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef] {
            let digits = |number: &AccountNumber| number.to_string().len();
            let drawn: Vec<_> =
                AccountNumber::candidates(&mut || random).iter().map(digits).collect();
            assert_eq!(drawn, [6, 6, 6, 6, 6, 6, 6, 6, 7, 7, 7, 7, 8, 8, 9, 9]);
        }
    }
}
