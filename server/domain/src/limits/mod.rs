//! How much strangers, accounts and their devices may ask for, and what happens beyond.
//!
//! **Invariants:** what is counted is bounded in number; a refusal is never counted; what a stranger does elsewhere takes
//! nothing from an address at which the account's owner got in before. All of it is in memory: a restart forgets it.

mod address;
mod buckets;
mod steady;
mod successes;
mod table;
mod tries;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use lockstep_proto::ids::AccountId;

use crate::ports::Clock;

pub use address::AddressKey;

pub(crate) use buckets::{Buckets, Budget};
pub(crate) use successes::Successes;
pub(crate) use tries::{Begun, Tries};

/// What there was too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Requests without a session, of one address.
    AddressRequests,
    /// Requests in sessions, of one account.
    AccountRequests,
    /// Tries of one address that failed, for any account.
    AddressTries,
    /// Tries of one address that failed, for one account.
    PairTries,
    /// Tries of addresses that never got in to one account.
    StrangersTries,
    /// What one address gives back to a restored server.
    GivingBack,
    /// Accounts that come back to a restored server.
    Newcomers,
    /// Mailboxes that are open, of a device, an account, an address or in all.
    Pairings,
    /// Restored chains of one account that are read as a whole.
    Chains,
}

/// A limit is reached; nothing was counted and nothing done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts")]
pub struct TooManyAttempts {
    /// When one more is allowed, in seconds.
    pub retry_after_seconds: u32,
    /// Which limit.
    pub limit: Limit,
    /// Whose, if it is one of an account.
    pub account_id: Option<AccountId>,
}

impl TooManyAttempts {
    fn of(self, account_id: AccountId) -> Self {
        Self { account_id: Some(account_id), ..self }
    }
}

/// How many requests a minute are served: so many at once, and as many again spread over each minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRates {
    /// Of one address, without a session; `None` for any number.
    pub per_address: Option<NonZeroU32>,
    /// Of one account, in sessions; `None` for any number.
    pub per_account: Option<NonZeroU32>,
}

impl RequestRates {
    /// No limit: where time stands still, as in tests, no minute would ever pass.
    pub const UNLIMITED: Self = Self { per_address: None, per_account: None };
}

impl Default for RequestRates {
    /// 1,200 of an address and 12,000 of an account.
    fn default() -> Self {
        Self { per_address: NonZeroU32::new(1_200), per_account: NonZeroU32::new(12_000) }
    }
}

/// How many addresses and accounts are counted at once.
pub(crate) const CAPACITY: usize = 65_536;

/// The rates of requests.
pub struct Requests {
    of_address: Option<Buckets<AddressKey>>,
    of_account: Option<Buckets<AccountId>>,
}

impl Requests {
    pub(crate) fn new(rates: RequestRates, clock: &Arc<dyn Clock>) -> Self {
        let budget =
            |rate, limit| Budget { burst: rate, one_per: Duration::from_secs(60) / rate.get(), limit };
        let of_address = |rate| Buckets::new(budget(rate, Limit::AddressRequests), CAPACITY, clock.clone());
        let of_account = |rate| Buckets::new(budget(rate, Limit::AccountRequests), CAPACITY, clock.clone());
        Self { of_address: rates.per_address.map(of_address), of_account: rates.per_account.map(of_account) }
    }

    /// Counts a request without a session.
    ///
    /// # Errors
    /// [`TooManyAttempts`].
    pub fn of_address(&self, address: AddressKey) -> Result<(), TooManyAttempts> {
        self.of_address.as_ref().map_or(Ok(()), |buckets| buckets.take(&address))
    }

    /// Counts a request of somebody whose session was checked.
    ///
    /// # Errors
    /// [`TooManyAttempts`].
    pub fn of_account(&self, account_id: AccountId) -> Result<(), TooManyAttempts> {
        let taken = self.of_account.as_ref().map_or(Ok(()), |buckets| buckets.take(&account_id));
        taken.map_err(|refused| refused.of(account_id))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::steady::tests::TestClock;
    use super::*;

    #[test]
    fn a_minutes_worth_at_once_then_spread_over_the_minute() {
        let clock = TestClock::at(5);
        let rates = RequestRates { per_address: NonZeroU32::new(60), per_account: None };
        let requests = Requests::new(rates, &clock.port());
        let (home, elsewhere) =
            (AddressKey::V4([192, 0, 2, 1].into()), AddressKey::V4([192, 0, 2, 2].into()));
        for _ in 0..60 {
            requests.of_address(home).unwrap();
        }
        let refused = requests.of_address(home).unwrap_err();
        assert_eq!((refused.retry_after_seconds, refused.limit), (1, Limit::AddressRequests));
        requests.of_address(elsewhere).unwrap();
        clock.advance_ms(1_000);
        requests.of_address(home).unwrap();
        requests.of_address(home).unwrap_err();
        for _ in 0..100_000 {
            requests.of_account(AccountId([1; 32])).unwrap();
        }
    }
}
