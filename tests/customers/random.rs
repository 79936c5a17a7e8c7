//! Numbers that a seed decides.

pub(crate) struct Random(u64);

impl Random {
    /// Seeds that differ little give sequences that have nothing in common.
    pub(crate) fn new(seed: u64) -> Random {
        let mixed = (seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mut random = Random((mixed ^ (mixed >> 31)) | 1);
        (0..4).for_each(|_| {
            random.below(2);
        });
        random
    }

    /// Source: G. Marsaglia, 'Xorshift RNGs' (2003).
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}
