//! What is stored packed: the JSON of events and the blocks of the past say the same names again
//! and again.
//!
//! LZ4 costs less time than writing what it saves, halves an event of several packages and more
//! than halves a block of the past. Digests are those of what was packed, so that nothing depends
//! on how a release packs.

use lz4_flex::block::{compress_prepend_size, decompress, uncompressed_size};

/// More than anything that is packed is long: what claims to be longer is damaged.
const PLAIN_BYTES_MAX: usize = 64 << 20;

/// Packs bytes.
pub(super) fn pack(plain: &[u8]) -> Vec<u8> {
    compress_prepend_size(plain)
}

/// What was packed; `None` if this cannot have come of it.
pub(super) fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let (size, rest) = uncompressed_size(packed).ok()?;
    let plain = (size <= PLAIN_BYTES_MAX).then(|| decompress(rest, size))?.ok()?;
    (plain.len() == size).then_some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_are_unpacked_as_they_were(bytes: Vec<u8>, repeated in 0..5_usize) {
            let plain = bytes.repeat(repeated);
            prop_assert_eq!(unpack(&pack(&plain)), Some(plain));
        }

        #[test]
        fn what_was_not_packed_never_panics(bytes: Vec<u8>) {
            let _ = unpack(&bytes);
        }
    }

    #[test]
    fn a_damaged_length_takes_no_memory() {
        let mut packed = pack(b"a text, a text, a text");
        packed[3] = 0xff;
        assert_eq!(unpack(&packed), None);
    }
}
