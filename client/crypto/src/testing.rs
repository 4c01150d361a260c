//! Fixed inputs of this crate's unit tests.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::keys::{DeviceRngSecret, SymmetricKey};
use crate::random::Random;

/// Counts: every byte string differs from the ones before and is the same in every run.
#[derive(Default)]
pub(crate) struct CountingRandom(AtomicU64);

impl CountingRandom {
    /// One that has counted so far.
    pub(crate) fn after(count: u64) -> Self {
        Self(AtomicU64::new(count))
    }
}

impl Random for CountingRandom {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            chunk.copy_from_slice(&count.to_be_bytes()[..chunk.len()]);
        }
    }
}

/// A broken source.
pub(crate) struct ConstantRandom;

impl Random for ConstantRandom {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

pub(crate) fn key(byte: u8) -> SymmetricKey {
    SymmetricKey::from_bytes([byte; 32])
}

pub(crate) fn device_rng_secret(byte: u8) -> DeviceRngSecret {
    DeviceRngSecret::from_bytes([byte; 32])
}
