//! A clock for limits, made from the wall clock.

use std::sync::{Arc, Mutex, PoisonError};

use governor::nanos::Nanos;

use crate::ports::Clock;

/// The time that has passed since it was first asked, and never less than before: a wall clock that is set back stands still
/// until it goes on, rather than keep everybody waiting until it is where it was.
#[derive(Clone)]
pub(super) struct Steady {
    wall: Arc<dyn Clock>,
    seen: Arc<Mutex<Option<Seen>>>,
}

/// What was seen last.
#[derive(Clone, Copy)]
struct Seen {
    wall_ms: u64,
    passed_ms: u64,
}

/// Past this, 146 years, it stands still: sums of two times still fit.
const LAST_MS: u64 = u64::MAX / 4 / NANOS;
const NANOS: u64 = 1_000_000;

impl Steady {
    pub(super) fn new(wall: Arc<dyn Clock>) -> Self {
        Self { wall, seen: Arc::default() }
    }
}

impl governor::clock::Clock for Steady {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let wall_ms = self.wall.now_ms();
        let passed_ms = seen.map_or(0, |seen| {
            seen.passed_ms.saturating_add(wall_ms.saturating_sub(seen.wall_ms)).min(LAST_MS)
        });
        *seen = Some(Seen { wall_ms, passed_ms });
        (passed_ms * NANOS).into()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use governor::clock::Clock as _;

    use super::*;

    /// A wall clock that a test moves.
    pub(in crate::limits) struct TestClock(AtomicU64);

    impl TestClock {
        pub(in crate::limits) fn at(now_ms: u64) -> Arc<Self> {
            Arc::new(Self(AtomicU64::new(now_ms)))
        }

        pub(in crate::limits) fn port(self: &Arc<Self>) -> Arc<dyn Clock> {
            self.clone()
        }

        pub(in crate::limits) fn set_ms(&self, now_ms: u64) {
            self.0.store(now_ms, Ordering::SeqCst);
        }

        pub(in crate::limits) fn advance_ms(&self, by: u64) {
            self.0.fetch_add(by, Ordering::SeqCst);
        }
    }

    impl Clock for TestClock {
        fn now_ms(&self) -> u64 {
            self.0.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn a_clock_that_is_set_back_goes_on_from_there() {
        let wall = TestClock::at(1_000_000);
        let steady = Steady::new(wall.port());
        let passed_ms = || u64::from(steady.now()) / NANOS;
        assert_eq!(passed_ms(), 0);
        wall.advance_ms(30);
        assert_eq!(passed_ms(), 30);
        wall.set_ms(7);
        assert_eq!(passed_ms(), 30);
        wall.advance_ms(5);
        assert_eq!(passed_ms(), 35);
        wall.set_ms(u64::MAX);
        assert_eq!(passed_ms(), LAST_MS);
    }
}
