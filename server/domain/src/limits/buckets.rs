//! A bucket of tokens per key (GCRA, by `governor`): a burst at once, then one after the other.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::{Quota, RateLimiter};

use super::steady::Steady;
use super::table::{Shared, Table};
use super::{Limit, TooManyAttempts};
use crate::ports::Clock;

/// How much a bucket holds and how it fills.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// How many are allowed at once.
    pub(crate) burst: NonZeroU32,
    /// How long until one more is allowed.
    pub(crate) one_per: Duration,
    /// What a refusal calls it.
    pub(crate) limit: Limit,
}

impl Budget {
    /// `burst` at once, then one every so many seconds.
    pub(crate) const fn new(burst: u32, one_per_seconds: u64, limit: Limit) -> Self {
        let burst = match NonZeroU32::new(burst) {
            Some(burst) => burst,
            None => NonZeroU32::MIN,
        };
        Self { burst, one_per: Duration::from_secs(one_per_seconds), limit }
    }
}

/// Buckets by key. So many at most that are not full; see [`Table`] for what happens beyond.
pub(crate) struct Buckets<K: Clone + Eq + Hash> {
    limiter: RateLimiter<K, Shared<K>, Steady, NoOpMiddleware<Nanos>>,
    table: Arc<Table<K>>,
    clock: Steady,
    one: Nanos,
    limit: Limit,
}

impl<K: Clone + Eq + Hash> Buckets<K> {
    /// Full buckets, of which `capacity` are remembered at most.
    pub(crate) fn new(budget: Budget, capacity: usize, clock: Arc<dyn Clock>) -> Self {
        let one_per = budget.one_per.max(Duration::from_nanos(1));
        let quota = Quota::with_period(one_per).unwrap_or(Quota::per_second(NonZeroU32::MIN));
        let clock = Steady::new(clock);
        let one = Nanos::from(one_per);
        let table = Arc::new(Table::new(capacity, one * u64::from(budget.burst.get())));
        let limiter = RateLimiter::new(quota.allow_burst(budget.burst), Shared(table.clone()), clock.clone());
        Self { limiter, table, clock, one, limit: budget.limit }
    }

    /// Takes one.
    ///
    /// # Errors
    /// [`TooManyAttempts`]; then nothing is taken.
    pub(crate) fn take(&self, key: &K) -> Result<(), TooManyAttempts> {
        self.table.forget_full(self.clock.now());
        self.limiter.check_key(key).map_err(|refused| {
            let wait_ms = refused.wait_time_from(self.clock.now()).as_millis();
            let seconds = u32::try_from(wait_ms.div_ceil(1_000)).unwrap_or(u32::MAX);
            TooManyAttempts { retry_after_seconds: seconds.max(1), limit: self.limit, account_id: None }
        })
    }

    /// Gives one back that was taken.
    pub(crate) fn give_back(&self, key: &K) {
        self.table.hasten(key, self.one);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::super::steady::tests::TestClock;
    use super::*;

    const BUDGET: Budget = Budget::new(20, 30, Limit::PairTries);

    fn buckets(capacity: usize) -> (Buckets<u32>, Arc<TestClock>) {
        let clock = TestClock::at(1_000);
        (Buckets::new(BUDGET, capacity, clock.port()), clock)
    }

    #[test]
    fn a_burst_is_allowed_then_one_per_refill() {
        let (buckets, clock) = buckets(8);
        for _ in 0..20 {
            buckets.take(&1).unwrap();
        }
        let refused = buckets.take(&1).unwrap_err();
        assert_eq!((refused.retry_after_seconds, refused.limit), (30, Limit::PairTries));
        buckets.take(&2).unwrap();
        clock.advance_ms(29_999);
        assert_eq!(buckets.take(&1).unwrap_err().retry_after_seconds, 1);
        clock.advance_ms(1);
        buckets.take(&1).unwrap();
        buckets.take(&1).unwrap_err();
    }

    #[test]
    fn what_is_given_back_was_never_taken() {
        let (buckets, _) = buckets(8);
        for _ in 0..1_000 {
            buckets.take(&1).unwrap();
            buckets.give_back(&1);
        }
        for _ in 0..20 {
            buckets.take(&1).unwrap();
        }
        buckets.take(&1).unwrap_err();
        buckets.give_back(&2);
    }

    #[test]
    fn a_flood_of_keys_is_bounded_and_a_used_bucket_outlives_it() {
        let (buckets, clock) = buckets(1_000);
        for _ in 0..20 {
            buckets.take(&0).unwrap();
        }
        for key in 1..50_000 {
            buckets.take(&key).unwrap();
        }
        assert_eq!(buckets.table.len(), 1_000);
        buckets.take(&0).unwrap_err();
        // What is full again is forgotten, whoever comes next.
        clock.advance_ms(21 * 30_000);
        buckets.take(&1).unwrap();
        assert_eq!(buckets.table.len(), 1);
    }

    proptest! {
        /// What every key is allowed is what a bucket counted by hand allows, whatever the others do.
        #[test]
        fn keys_are_counted_apart_and_exactly(
            steps in prop::collection::vec((0_u32..4, 0_u64..40_000, 0_u8..4), 1..400),
        ) {
            let (buckets, clock) = buckets(4);
            let (mut now_ms, mut full_at) = (0_u64, [0_u64; 4]);
            for (key, wait_ms, what) in steps {
                clock.advance_ms(wait_ms);
                now_ms += wait_ms;
                let at = &mut full_at[key as usize];
                if what == 0 {
                    buckets.give_back(&key);
                    *at = at.saturating_sub(30_000);
                } else {
                    let allowed = (*at).max(now_ms) + 30_000 <= now_ms + 20 * 30_000;
                    prop_assert_eq!(buckets.take(&key).is_ok(), allowed);
                    if allowed {
                        *at = (*at).max(now_ms) + 30_000;
                    }
                }
                prop_assert!(buckets.table.len() <= 4);
            }
        }
    }
}
