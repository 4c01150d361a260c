//! What the tests of this crate share: a way to run futures, and ports that need no machine.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use lockstep_crypto::random::Random;
use sha2::{Digest as _, Sha256};

use crate::ports::Clock;

/// Runs a future whose ports answer at once.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("the future waits for something that no test port does");
}

/// Different bytes at every call, the same in every run.
pub(crate) struct TestRandom {
    seed: u64,
    draws: AtomicU64,
}

impl TestRandom {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, draws: AtomicU64::new(0) }
    }
}

impl Random for TestRandom {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let draw = self.draws.fetch_add(1, Ordering::Relaxed);
            let bytes = Sha256::new()
                .chain_update(self.seed.to_be_bytes())
                .chain_update(draw.to_be_bytes())
                .finalize();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// A clock that a test sets; waiting moves it.
#[derive(Default)]
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn at(ms: u64) -> Self {
        Self(AtomicU64::new(ms))
    }
}

#[async_trait::async_trait]
impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    async fn sleep_ms(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}
