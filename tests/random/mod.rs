//! Everything that is random in a test, derived from its seed alone. Shared by the simulator and by
//! the tests that run banks as processes.
//!
//! Source: SplitMix64, in G. Steele, D. Lea, C. Flood, 'Fast Splittable Pseudorandom Number
//! Generators' (2014).

#![allow(dead_code)] // Each test program uses its part.

#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// 0 to `bound - 1`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The high half of the product; its bias does not matter for bounds this small.
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// `from` to `to`, both included.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    pub(crate) fn per_mille(&mut self, chance: u64) -> bool {
        chance > 0 && self.below(1_000) < chance
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.bits() & 1 == 0
    }

    pub(crate) fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }

    /// `least` to `most`, with small values far more often than large ones: every order of
    /// magnitude is equally likely.
    pub(crate) fn skewed(&mut self, least: u64, most: u64) -> u64 {
        let magnitudes = (most / least.max(1)).max(1).ilog2() + 1;
        let top = (least.max(1) << self.between(0, u64::from(magnitudes))).min(most);
        self.between(least, top.max(least))
    }
}

/// Stirs 64 bits.
pub(crate) fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
