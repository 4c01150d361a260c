//! Whether the server can answer requests, asked of the database once a second at most, however many want to know.
//!
//! Anybody may ask, without a session and as often as they like, so what it costs must not depend on them. Whether the database
//! can be written is tried by writing, which wears a disk: once in ten seconds, unless something could not be stored since.

use std::sync::atomic::{AtomicU64, Ordering};

use lockstep_domain::Clock;
use lockstep_domain::store::StoreError;
use tokio::sync::Mutex;

use crate::error::Failure;

/// For how long an answer is everybody's, in milliseconds.
const FRESH_MS: u64 = 1_000;

/// How long a write that succeeded is taken for one that would, in milliseconds.
const WRITTEN_MS: u64 = 10_000;

/// The last answer.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    last: Mutex<Option<Asked>>,
    /// When a write was tried and succeeded; 0 where that is not known, or in doubt.
    written_ms: AtomicU64,
}

#[derive(Debug)]
struct Asked {
    at_ms: u64,
    answer: Result<(), Failure>,
}

impl Readiness {
    /// The answer of the last second, or what `check` says now, and `probe`, which writes. One asks at a time, and those who wait
    /// for it get its answer.
    ///
    /// # Errors
    /// What `check` or `probe` failed with, which was logged once.
    pub(crate) async fn ask(
        &self,
        clock: &dyn Clock,
        check: impl Future<Output = Result<(), StoreError>>,
        probe: impl Future<Output = Result<(), StoreError>>,
    ) -> Result<(), Failure> {
        let mut last = self.last.lock().await;
        // A clock that was set back makes nothing last longer.
        let is_fresh = |asked: &&Asked| asked.at_ms.abs_diff(clock.now_ms()) < FRESH_MS;
        if let Some(asked) = last.as_ref().filter(is_fresh) {
            return asked.answer.clone();
        }
        let answer = async {
            check.await?;
            if self.written_ms.load(Ordering::Relaxed).abs_diff(clock.now_ms()) >= WRITTEN_MS {
                // Whatever is in doubt from here on is tried again.
                self.written_ms.store(clock.now_ms(), Ordering::Relaxed);
                probe.await.inspect_err(|_| self.doubt())?;
            }
            Ok(())
        };
        let answer = answer.await.map_err(|error: StoreError| Failure::from(error));
        *last = Some(Asked { at_ms: clock.now_ms(), answer: answer.clone() });
        answer
    }

    /// Something could not be stored: the next who asks, in a second at the latest, learns whether anything can.
    pub(crate) fn doubt(&self) {
        self.written_ms.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use tokio::sync::Semaphore;

    use super::*;

    #[derive(Default)]
    struct Hands(AtomicU64);

    impl Clock for Hands {
        fn now_ms(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn a50_the_database_is_asked_once_a_second_however_many_ask() {
        let (readiness, clock, asked) = (Readiness::default(), Hands::default(), Cell::new(0));
        let ask = |answer: Result<(), StoreError>| {
            let check = async {
                asked.set(asked.get() + 1);
                answer
            };
            readiness.ask(&clock, check, async { Ok(()) })
        };
        for (now_ms, works, ready, count) in [
            (5_000, true, true, 1),
            (5_999, false, true, 1),
            (6_000, false, false, 2),
            (6_500, true, false, 2),
            (7_000, true, true, 3),
            // Set back.
            (100, false, false, 4),
        ] {
            clock.0.store(now_ms, Ordering::Relaxed);
            let answer = if works { Ok(()) } else { Err(StoreError::Closed) };
            assert_eq!((ask(answer).await.is_ok(), asked.get()), (ready, count), "{now_ms}");
        }
    }

    #[tokio::test]
    async fn a50_those_who_ask_while_the_database_is_slow_wait_for_one_answer() {
        let (readiness, clock, asked) = (Readiness::default(), Hands::default(), Cell::new(0));
        let gate = Semaphore::new(0);
        let ask = || {
            let check = async {
                asked.set(asked.get() + 1);
                drop(gate.acquire().await);
                clock.0.store(60_000, Ordering::Relaxed);
                Ok(())
            };
            readiness.ask(&clock, check, async { Ok(()) })
        };
        let crowd = futures_util::future::join_all((0..100).map(|_| ask()));
        let (answers, ()) = tokio::join!(crowd, async { gate.add_permits(1) });
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(asked.get(), 1);
        // Whoever asked and went away leaves the next one to ask.
        clock.0.store(120_000, Ordering::Relaxed);
        gate.forget_permits(1);
        assert!(futures_util::FutureExt::now_or_never(ask()).is_none());
        gate.add_permits(1);
        assert!(ask().await.is_ok());
        assert_eq!(asked.get(), 3);
    }

    #[tokio::test]
    async fn a_write_is_tried_every_ten_seconds_and_at_once_after_one_that_failed() {
        let (readiness, clock, tried) = (Readiness::default(), Hands::default(), Cell::new(0));
        let ask = |works: bool| {
            let probe = async move { if works { Ok(()) } else { Err(StoreError::Full("no room".into())) } };
            let probe = async {
                tried.set(tried.get() + 1);
                probe.await
            };
            readiness.ask(&clock, async { Ok(()) }, probe)
        };
        for (now_ms, works, ready, count, doubt) in [
            (100_000, true, true, 1, false),
            (105_000, false, true, 1, false),
            (108_999, false, true, 1, false),
            (110_000, false, false, 2, false),
            (110_999, true, false, 2, false),
            // It is tried until it works.
            (111_000, false, false, 3, false),
            (112_000, true, true, 4, true),
            // Somebody was refused meanwhile.
            (112_999, false, true, 4, false),
            (113_000, false, false, 5, false),
            (114_000, true, true, 6, false),
            (120_000, false, true, 6, false),
        ] {
            clock.0.store(now_ms, Ordering::Relaxed);
            assert_eq!((ask(works).await.is_ok(), tried.get()), (ready, count), "{now_ms}");
            if doubt {
                readiness.doubt();
            }
        }
    }
}
