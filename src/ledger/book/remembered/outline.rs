//! What a start has to know of a run that is kept elsewhere: its heading, and its marks in the
//! sieve. It is a fortieth of the run, so a start does not read all keys of a day.
//!
//! An outline is no part of what banks agree on: each makes it of its own run, and reads the run
//! itself where there is none, or one of another form.

use sha2::{Digest, Sha256};

use super::sieve::Marks;
use crate::ids::Sha256Digest;

/// Version of what the bytes mean.
const FORMAT: u8 = 1;
/// Bytes of a digest.
const DIGEST: usize = 32;
/// Bytes of a length.
const LENGTH: usize = 4;

/// The bytes: format, digest of the run, length of its beginning, its beginning, its marks, and
/// what all of that hashes to.
pub(super) fn written(of: Sha256Digest, beginning: &[u8], marks: &Marks) -> Vec<u8> {
    let length = u32::try_from(beginning.len()).expect("a heading is short").to_le_bytes();
    let mut outline = [&[FORMAT], &of.0[..], &length, beginning, &marks.to_bytes()].concat();
    let whole = Sha256::digest(&outline);
    outline.extend(whole);
    outline
}

/// The beginning and the marks of the run with this digest; `None` if these bytes are not its
/// outline, or not what was written.
pub(super) fn read(outline: &[u8], of: Sha256Digest) -> Option<(&[u8], Marks)> {
    let (outline, whole) = outline.split_last_chunk::<DIGEST>()?;
    if Sha256::digest(outline)[..] != whole[..] {
        return None;
    }
    let (format, rest) = outline.split_first()?;
    let (digest, rest) = rest.split_first_chunk::<DIGEST>()?;
    let (length, rest) = rest.split_first_chunk::<LENGTH>()?;
    let is_it = *format == FORMAT && *digest == of.0;
    let (beginning, marks) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    is_it.then(|| Marks::from_bytes(marks)).flatten().map(|marks| (beginning, marks))
}
