//! How much strangers, accounts and their devices may ask for, and what happens beyond.
//!
//! **Invariants:** what is counted is bounded in number; a refusal is never counted; what a stranger does elsewhere takes
//! nothing from an address at which the account's owner got in before. All of it is in memory: a restart forgets it.

mod address;
mod buckets;
mod steady;
mod storage;
mod successes;
mod table;
mod tries;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use lockstep_proto::ids::AccountId;

use crate::ports::Clock;

pub use address::AddressKey;
pub use storage::{Storage, StorageLevel, StorageUsedUp};

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
    /// Accounts that one address makes in a day.
    AddressSignUps,
    /// Accounts that are made in a day.
    SignUps,
    /// Room that an account has not, and how much it has.
    AccountRoom,
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

/// How much anybody may do in a time: so much at once, and as much again spread over each minute, or day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRates {
    /// Of one address, without a session; `None` for any number.
    pub per_address: Option<NonZeroU32>,
    /// Of one account, in sessions; `None` for any number.
    pub per_account: Option<NonZeroU32>,
    /// Accounts that one address makes in a day, uninvited; `None` for any number.
    pub sign_ups_per_address: Option<NonZeroU32>,
    /// Accounts that all addresses together make in a day, uninvited; `None` for any number.
    pub sign_ups: Option<NonZeroU32>,
}

impl RequestRates {
    /// No limit: where time stands still, as in tests, no minute would ever pass.
    pub const UNLIMITED: Self =
        Self { per_address: None, per_account: None, sign_ups_per_address: None, sign_ups: None };
}

impl Default for RequestRates {
    /// 1,200 requests of an address and 12,000 of an account; 16 accounts of an address and 128 in all.
    fn default() -> Self {
        Self {
            per_address: NonZeroU32::new(1_200),
            per_account: NonZeroU32::new(12_000),
            sign_ups_per_address: NonZeroU32::new(16),
            sign_ups: NonZeroU32::new(128),
        }
    }
}

const DAY: Duration = Duration::from_secs(24 * 3_600);

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

/// The rates of new accounts.
pub(crate) struct SignUpRates {
    of_address: Option<Buckets<AddressKey>>,
    all: Option<Buckets<()>>,
}

impl SignUpRates {
    pub(crate) fn new(rates: RequestRates, clock: &Arc<dyn Clock>) -> Self {
        let budget = |rate: NonZeroU32, limit| Budget { burst: rate, one_per: DAY / rate.get(), limit };
        let of_address = |rate| Buckets::new(budget(rate, Limit::AddressSignUps), CAPACITY, clock.clone());
        let all = |rate| Buckets::new(budget(rate, Limit::SignUps), 1, clock.clone());
        Self { of_address: rates.sign_ups_per_address.map(of_address), all: rates.sign_ups.map(all) }
    }

    /// Counts an account that an address makes.
    ///
    /// # Errors
    /// [`TooManyAttempts`].
    pub(crate) fn take(&self, address: AddressKey) -> Result<(), TooManyAttempts> {
        self.of_address.as_ref().map_or(Ok(()), |buckets| buckets.take(&address))?;
        let taken = self.all.as_ref().map_or(Ok(()), |buckets| buckets.take(&()));
        if taken.is_err()
            && let Some(buckets) = &self.of_address
        {
            buckets.give_back(&address);
        }
        taken
    }

    /// Counts an account no longer, which was not made.
    pub(crate) fn give_back(&self, address: AddressKey) {
        if let Some(buckets) = &self.of_address {
            buckets.give_back(&address);
        }
        if let Some(buckets) = &self.all {
            buckets.give_back(&());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::steady::tests::TestClock;
    use super::*;

    #[test]
    fn a_crowd_makes_a_days_worth_of_accounts_and_one_address_less() {
        let clock = TestClock::at(5);
        let (each, all) = (NonZeroU32::new(2), NonZeroU32::new(3));
        let rates = RequestRates { sign_ups_per_address: each, sign_ups: all, ..RequestRates::UNLIMITED };
        let rates = SignUpRates::new(rates, &clock.port());
        let address = |last: u8| AddressKey::V4([192, 0, 2, last].into());
        let refused = |last| rates.take(address(last)).unwrap_err();
        rates.take(address(1)).unwrap();
        rates.take(address(1)).unwrap();
        assert_eq!((refused(1).limit, refused(1).retry_after_seconds), (Limit::AddressSignUps, 43_200));
        rates.take(address(2)).unwrap();
        // Refused for all, nothing is counted for the address; and what was not made is not counted.
        for last in 2..9 {
            assert_eq!((refused(last).limit, refused(last).retry_after_seconds), (Limit::SignUps, 28_800));
        }
        rates.give_back(address(2));
        rates.take(address(2)).unwrap();
        clock.advance_ms(28_800_000);
        rates.take(address(2)).unwrap();
        assert_eq!(refused(3).limit, Limit::SignUps);
    }

    #[test]
    fn a_minutes_worth_at_once_then_spread_over_the_minute() {
        let clock = TestClock::at(5);
        let rates = RequestRates { per_address: NonZeroU32::new(60), ..RequestRates::UNLIMITED };
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
