//! A bank's signature under an event, as it is kept beside the event's text and travels with it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::BankSet;
use crate::hex::{self, Hex};

/// Bytes that name a certificate: the first half of its SHA-256.
const CERTIFICATE_ID_BYTES: usize = 16;
/// Bytes that name the members of a view.
const MEMBERS_BYTES: usize = 8;
/// The longest seal, in bytes: two for the scheme, and what a key of 8,192 bits signs.
const SEAL_BYTES_MAX: usize = 2 + 1_024;

/// Names a bank's certificate, and with it the key that signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateId(pub [u8; CERTIFICATE_ID_BYTES]);

impl CertificateId {
    /// Reads it as it is displayed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hex::parse(text).map(CertificateId)
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

/// What a bank has signed an event with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    /// The certificate whose key signed.
    pub by: CertificateId,
    /// The members of the event's view, which are signed with it: its execution depends on them.
    pub members: BankSet,
    /// The signature proper, in the form of whoever makes and checks it.
    pub seal: Arc<[u8]>,
}

impl Signature {
    /// As one row of bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.by.0[..], &self.members.bits().to_be_bytes(), &self.seal].concat()
    }

    /// Reads what [`Signature::to_bytes`] wrote.
    #[must_use]
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (by, rest) = bytes.split_first_chunk()?;
        let (members, seal) = rest.split_first_chunk()?;
        let members = BankSet::from_bits(u64::from_be_bytes(*members));
        let fits = (1..=SEAL_BYTES_MAX).contains(&seal.len());
        fits.then(|| Signature { by: CertificateId(*by), members, seal: seal.into() })
    }
}

/// Signs in the name of one bank.
pub trait Signer: fmt::Debug + Send {
    /// The signature under an event's text in a view of these members; `None` when that
    /// is not possible now, and then nothing is sent.
    fn sign(&self, text: &str, members: BankSet) -> Option<Signature>;
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Hex(&self.to_bytes()))
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        hex::parse_up_to(&text, CERTIFICATE_ID_BYTES + MEMBERS_BYTES + SEAL_BYTES_MAX)
            .and_then(|bytes| Signature::from_bytes(&bytes))
            .ok_or_else(|| serde::de::Error::custom("no signature"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_read_back_as_it_was_written_and_never_longer_than_one_can_be() {
        let (by, members) = (CertificateId([7; 16]), BankSet::all(3));
        let signature = |bytes: usize| Signature { by, members, seal: vec![9; bytes].into() };
        let text = serde_json::to_string(&signature(3)).unwrap();
        assert_eq!(text, format!("\"{}0000000000000007090909\"", "07".repeat(16)));
        assert_eq!(serde_json::from_str::<Signature>(&text).unwrap(), signature(3));
        assert_eq!(CertificateId::parse(&by.to_string()), Some(by));
        let reads = |bytes: usize| {
            let text = serde_json::to_string(&signature(bytes)).unwrap();
            serde_json::from_str::<Signature>(&text).is_ok()
        };
        assert!(reads(1) && reads(SEAL_BYTES_MAX));
        assert!(!reads(0) && !reads(SEAL_BYTES_MAX + 1));
        for wrong in ["\"0\"", "\"é7\"", "7", "\"+7\""] {
            assert!(serde_json::from_str::<Signature>(wrong).is_err(), "{wrong}");
        }
    }
}
