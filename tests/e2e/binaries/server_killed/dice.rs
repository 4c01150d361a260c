//! Chance that can be repeated.

/// Numbers from a seed (xorshift).
pub(crate) struct Dice(u64);

impl Dice {
    /// `seed` is not zero.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// At least 0, below `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}
