//! The ports of a real machine.

use lockstep_domain::{Clock, Random};

/// The operating system's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one adapter of this port
    fn now_ms(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl SystemRandom {
    /// Randomness that was seen to work.
    ///
    /// # Errors
    /// When the operating system has none.
    #[allow(clippy::disallowed_methods)] // the one adapter of this port
    pub fn new() -> Result<Self, getrandom::Error> {
        getrandom::fill(&mut [0; 32])?;
        Ok(Self)
    }
}

impl Random for SystemRandom {
    #[allow(clippy::disallowed_methods)] // the one adapter of this port
    fn fill(&self, bytes: &mut [u8]) {
        while getrandom::fill(bytes).is_err() {
            std::thread::yield_now();
        }
    }
}
