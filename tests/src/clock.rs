//! Time that moves when the test says so.

use std::sync::atomic::{AtomicU64, Ordering};

use lockstep_client::ports::Clock;

/// A clock that a test sets. Waiting takes no time and moves it.
#[derive(Debug)]
pub struct TestClock {
    now_ms: AtomicU64,
}

impl Default for TestClock {
    fn default() -> Self {
        Self { now_ms: AtomicU64::new(1_800_000_000_000) }
    }
}

impl TestClock {
    /// Moves the clock to this time, in milliseconds since 1970; backwards too.
    pub fn set(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }

    /// Moves the clock on.
    pub fn advance(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

/// The same time for a server.
impl lockstep_domain::Clock for TestClock {
    fn now_ms(&self) -> u64 {
        Clock::now_ms(self)
    }
}

#[async_trait::async_trait]
impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    async fn sleep_ms(&self, ms: u64) {
        self.advance(ms);
        tokio::task::yield_now().await;
    }
}
