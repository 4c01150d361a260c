//! The port through which randomness comes in. Nothing in this crate asks an operating system.

use crate::secret_bytes::SecretBytes;

/// A cryptographically secure source of random bytes, given by whoever embeds the client.
pub trait Random: Send + Sync {
    /// Fills `out` with random bytes. A source that cannot deliver must end the process: there is no way to go on
    /// without randomness, and no caller could do anything better.
    fn fill(&self, out: &mut [u8]);
}

impl<R: Random + ?Sized> Random for &R {
    fn fill(&self, out: &mut [u8]) {
        (**self).fill(out);
    }
}

impl<R: Random + ?Sized> Random for std::sync::Arc<R> {
    fn fill(&self, out: &mut [u8]) {
        (**self).fill(out);
    }
}

/// `N` random bytes, wiped when dropped.
pub fn make_secret_bytes<const N: usize>(random: &dyn Random) -> SecretBytes<N> {
    SecretBytes::filled(|bytes| random.fill(bytes))
}

/// `N` random bytes that are not secret, such as the seed of a genesis.
pub fn make_bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}
