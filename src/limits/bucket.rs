//! A token bucket: what is used comes back with time, up to a limit.
//!
//! Counted in whole numbers: what is missing from a full bucket, in tokens times the milliseconds
//! of the rate's period.

use crate::protocol::time::Millis;

/// How much a bucket holds, and how fast it fills again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Tokens in a full bucket; at least one.
    pub(crate) tokens_max: u64,
    /// Tokens that come back in a period; at least one.
    pub(crate) back: u64,
    /// The period, in milliseconds; at least one.
    pub(crate) per_ms: Millis,
}

impl Rate {
    /// A bucket that is full again after the period.
    #[must_use]
    pub(crate) fn full_in(tokens_max: u64, per_ms: Millis) -> Self {
        Rate { tokens_max, back: tokens_max, per_ms }
    }

    fn scaled(self, tokens: u64) -> u64 {
        tokens.min(self.tokens_max).saturating_mul(self.per_ms)
    }
}

/// A bucket, full at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    missing: u64,
    at: Millis,
}

impl Bucket {
    fn missing(&self, rate: Rate, now: Millis) -> u64 {
        let back = now.saturating_sub(self.at).saturating_mul(rate.back);
        self.missing.saturating_sub(back).min(rate.scaled(rate.tokens_max))
    }

    /// How long it takes until so many tokens are there, in milliseconds; 0 if they are.
    #[must_use]
    pub(crate) fn wait_ms(&self, rate: Rate, tokens: u64, now: Millis) -> Millis {
        let after = self.missing(rate, now).saturating_add(rate.scaled(tokens));
        after.saturating_sub(rate.scaled(rate.tokens_max)).div_ceil(rate.back)
    }

    /// Takes tokens, or as many as there are.
    pub(crate) fn take(&mut self, rate: Rate, tokens: u64, now: Millis) {
        let after = self.missing(rate, now).saturating_add(rate.scaled(tokens));
        *self = Bucket { missing: after.min(rate.scaled(rate.tokens_max)), at: now };
    }

    /// Puts tokens back, as far as there is room.
    pub(crate) fn give(&mut self, rate: Rate, tokens: u64, now: Millis) {
        let after = self.missing(rate, now).saturating_sub(rate.scaled(tokens));
        *self = Bucket { missing: after, at: now };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten tokens, of which two come back in a second.
    const RATE: Rate = Rate { tokens_max: 10, back: 2, per_ms: 1_000 };

    #[test]
    fn what_is_taken_comes_back_at_the_rate() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.wait_ms(RATE, 10, 0), 0);
        bucket.take(RATE, 10, 0);
        assert_eq!(bucket.wait_ms(RATE, 1, 0), 500);
        assert_eq!(bucket.wait_ms(RATE, 1, 499), 1);
        assert_eq!(bucket.wait_ms(RATE, 1, 500), 0);
        assert_eq!(bucket.wait_ms(RATE, 10, 500), 4_500);
        bucket.take(RATE, 1, 500);
        assert_eq!(bucket.wait_ms(RATE, 1, 500), 500);
        assert_eq!(bucket.wait_ms(RATE, 10, 5_500), 0, "no more than full");
        assert_eq!(bucket.wait_ms(RATE, 10, u64::MAX), 0);
    }

    #[test]
    fn no_more_is_owed_than_a_bucket_holds() {
        let mut bucket = Bucket::default();
        bucket.take(RATE, 1_000, 0);
        bucket.take(RATE, u64::MAX, 0);
        assert_eq!(bucket.wait_ms(RATE, 1, 0), 500);
        assert_eq!(bucket.wait_ms(RATE, u64::MAX, 0), 5_000, "as for a full bucket");
    }

    #[test]
    fn what_is_given_back_counts_at_once() {
        let mut bucket = Bucket::default();
        bucket.take(RATE, 3, 0);
        bucket.give(RATE, 2, 0);
        assert_eq!(bucket.wait_ms(RATE, 10, 0), 500);
        bucket.give(RATE, 9, 0);
        assert_eq!(bucket.wait_ms(RATE, 10, 0), 0);
    }
}
