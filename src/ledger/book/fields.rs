//! SHA-256 over fields that cannot run into each other: numbers have a fixed width, texts carry
//! their length.

use sha2::{Digest, Sha256};

use crate::ledger::money::Centavos;

/// A hash under way.
pub(super) struct Fields(Sha256);

impl Fields {
    pub(super) fn new() -> Self {
        Fields(Sha256::new())
    }

    /// One byte: which of several things follows, or a yes/no value.
    pub(super) fn tag(&mut self, tag: u8) -> &mut Self {
        self.0.update([tag]);
        self
    }

    pub(super) fn number(&mut self, number: u64) -> &mut Self {
        self.0.update(number.to_be_bytes());
        self
    }

    pub(super) fn signed(&mut self, number: i64) -> &mut Self {
        self.0.update(number.to_be_bytes());
        self
    }

    /// Eight bytes where they suffice, as they always did in older journals. The smallest number
    /// that they can hold, which no entry has, says that sixteen follow.
    pub(super) fn money(&mut self, sum: Centavos) -> &mut Self {
        match i64::try_from(sum.get()) {
            Ok(narrow) if narrow > i64::MIN => self.signed(narrow),
            _ => {
                self.signed(i64::MIN).0.update(sum.get().to_be_bytes());
                self
            }
        }
    }

    pub(super) fn count(&mut self, count: usize) -> &mut Self {
        self.number(u64::try_from(count).expect("usize is at most 64 bits"))
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.count(text.len());
        self.0.update(text.as_bytes());
        self
    }

    /// Another hash.
    pub(super) fn hash(&mut self, hash: &[u8; 32]) -> &mut Self {
        self.0.update(hash);
        self
    }

    pub(super) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(write: impl Fn(&mut Fields)) -> [u8; 32] {
        let mut fields = Fields::new();
        write(&mut fields);
        fields.finish()
    }

    #[test]
    fn moving_a_letter_to_the_next_field_changes_the_hash() {
        let joined = |left, right| hashed(|fields| _ = fields.text(left).text(right));
        assert_ne!(joined("ab", "c"), joined("a", "bc"));
        assert_ne!(joined("", "abc"), joined("abc", ""));
    }

    #[test]
    fn the_hash_is_sha_256_of_the_bytes_in_order() {
        // printf '\x07\0\0\0\0\0\0\0\x01a' | sha256sum
        let hash = crate::ids::ChainHash(hashed(|fields| _ = fields.tag(7).text("a")));
        assert_eq!(
            hash.to_string(),
            "205ee55c1abacc894cd7c2b95381ab7d90cbe5183a7f4fde0680e945486d90c2"
        );
    }

    #[test]
    fn a_sum_is_hashed_as_it_always_was_where_it_fits_and_apart_from_all_others_elsewhere() {
        for sum in [0, 1, -5, i64::MAX, i64::MIN + 1] {
            let as_before = hashed(|fields| _ = fields.signed(sum));
            assert_eq!(hashed(|fields| _ = fields.money(Centavos::new(sum))), as_before, "{sum}");
        }
        let wide = |sum| hashed(|fields| _ = fields.money(Centavos::wide(sum)));
        let most = i128::from(i64::MAX);
        let hashes = [wide(most), wide(most + 1), wide(most + 2), wide(i128::MAX), wide(-most - 1)];
        for (place, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..place].contains(hash));
        }
    }
}
