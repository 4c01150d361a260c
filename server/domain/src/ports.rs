//! Where time and randomness come from.

/// The wall clock.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;
}

/// A cryptographically secure source of random bytes.
pub trait Random: Send + Sync {
    /// Fills `bytes`. Does not return before it has.
    fn fill(&self, bytes: &mut [u8]);
}

/// `N` random bytes.
pub(crate) fn make_bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}
