//! What rows hash to.

use sha2::{Digest, Sha256};

use crate::ids::Sha256Digest;

/// First half of a SHA-256: enough against damage, which is not deliberate.
pub(in crate::store) type RowDigest = [u8; 16];

pub(in crate::store) fn sha256(text: &str) -> Sha256Digest {
    Sha256Digest(Sha256::digest(text).into())
}

/// The digest of the fields of a row. None of them but the last has a zero byte, or all have a
/// fixed length.
pub(in crate::store) fn row_digest(fields: &[&[u8]]) -> RowDigest {
    let mut whole = Sha256::new();
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            whole.update([0]);
        }
        whole.update(field);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&whole.finalize()[..16]);
    half
}
