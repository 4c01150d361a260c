//! Tries to get in to an account: begun, and not yet seen to succeed.
//!
//! Anybody may know an account's id, so a count that all share would let anybody keep its owner out. So failed tries count
//! against whoever made them, as in this picture of three buckets, of which each try takes one token:
//!
//! ```text
//! (account, address)   20, one more every 30 s      who guesses at one account
//! address              100, one more every 6 s      who guesses at many
//! account              40, one more every 30 s      who guesses from many addresses: not asked where somebody got in before
//! ```
//!
//! Success gives the tokens back. Accounts that are not there have the same buckets.
//!
//! The third bucket is the one that a crowd can empty for somebody else: the owner at an address that is new. It is there for
//! passwords, which can be guessed. Nobody guesses a Recovery Key of 160 random bits, so recovery, which is the way back for
//! whoever has no other, does without it.

use std::sync::Arc;

use lockstep_proto::ids::AccountId;

use super::{AddressKey, Buckets, Budget, CAPACITY, Limit, Successes, TooManyAttempts};
use crate::ports::Clock;

const OF_PAIR: Budget = Budget::new(20, 30, Limit::PairTries);
const OF_ADDRESS: Budget = Budget::new(100, 6, Limit::AddressTries);
const OF_STRANGERS: Budget = Budget::new(40, 30, Limit::StrangersTries);

/// The tries of one kind.
pub(crate) struct Tries {
    of_pair: Buckets<(AccountId, AddressKey)>,
    of_address: Buckets<AddressKey>,
    /// Where what is tried can be guessed.
    of_strangers: Option<Buckets<AccountId>>,
    successes: Arc<Successes>,
}

/// A try that was counted. It stays so unless [`Tries::succeed`] is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begun {
    /// The account that somebody tries to get in to.
    pub(crate) account_id: AccountId,
    address: AddressKey,
    /// Whether it counts among the strangers' tries.
    stranger: bool,
}

impl Tries {
    /// None yet, of what can be guessed: all three buckets.
    pub(crate) fn of_passwords(successes: Arc<Successes>, clock: &Arc<dyn Clock>) -> Self {
        let of_strangers = Buckets::new(OF_STRANGERS, CAPACITY, clock.clone());
        Self { of_strangers: Some(of_strangers), ..Self::of_keys(successes, clock) }
    }

    /// None yet, of what nobody guesses: the two buckets that know an address.
    pub(crate) fn of_keys(successes: Arc<Successes>, clock: &Arc<dyn Clock>) -> Self {
        Self {
            of_pair: Buckets::new(OF_PAIR, CAPACITY, clock.clone()),
            of_address: Buckets::new(OF_ADDRESS, CAPACITY, clock.clone()),
            of_strangers: None,
            successes,
        }
    }

    /// Counts a try.
    ///
    /// # Errors
    /// [`TooManyAttempts`]; then nothing is counted.
    pub(crate) fn begin(&self, account_id: AccountId, address: AddressKey) -> Result<Begun, TooManyAttempts> {
        self.of_pair.take(&(account_id, address)).map_err(|refused| refused.of(account_id))?;
        let in_all = self.of_address.take(&address);
        if let Err(refused) = in_all {
            self.of_pair.give_back(&(account_id, address));
            return Err(refused.of(account_id));
        }
        // The rule that nobody is locked out: what strangers use up is not asked where the owner got in.
        let stranger = !self.successes.has(&account_id, address) || lockstep_proto::seeded!("tries-lock-out");
        if stranger
            && let Some(of_strangers) = &self.of_strangers
            && let Err(refused) = of_strangers.take(&account_id)
        {
            self.of_pair.give_back(&(account_id, address));
            self.of_address.give_back(&address);
            return Err(refused.of(account_id));
        }
        Ok(Begun { account_id, address, stranger })
    }

    /// The try succeeded: it is not counted, and its address is one at which the owner got in.
    pub(crate) fn succeed(&self, begun: &Begun) {
        let Begun { account_id, address, stranger } = *begun;
        self.of_pair.give_back(&(account_id, address));
        self.of_address.give_back(&address);
        if let Some(of_strangers) = self.of_strangers.as_ref().filter(|_| stranger) {
            of_strangers.give_back(&account_id);
        }
        self.successes.remember(account_id, address);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::super::steady::tests::TestClock;
    use super::*;

    const HOME: AddressKey = AddressKey::V4(Ipv4Addr::new(192, 0, 2, 1));
    const OWNED: AccountId = AccountId([1; 32]);

    fn stranger(number: u16) -> AddressKey {
        let [high, low] = number.to_be_bytes();
        AddressKey::V4([198, 18, high, low].into())
    }

    fn tries() -> (Tries, Arc<TestClock>) {
        let clock = TestClock::at(1_000);
        (Tries::of_passwords(Arc::new(Successes::new(16)), &clock.port()), clock)
    }

    #[test]
    fn one_address_uses_up_its_own_tries_for_one_account_and_for_all() {
        let (tries, clock) = tries();
        let limit =
            |account, from| tries.begin(AccountId([account; 32]), from).map_err(|refused| refused.limit);
        let count = |account, from| (0..).take_while(|_| limit(account, from).is_ok()).count();
        assert_eq!((count(1, stranger(1)), limit(1, stranger(1)).unwrap_err()), (20, Limit::PairTries));
        let others: usize = (2..20).map(|account| count(account, stranger(1))).sum();
        assert_eq!((others, limit(99, stranger(1)).unwrap_err()), (80, Limit::AddressTries));
        assert_eq!(count(99, stranger(2)), 20, "refused tries were not counted");
        assert_eq!((count(1, stranger(3)), limit(1, stranger(4)).unwrap_err()), (20, Limit::StrangersTries));
        clock.advance_ms(30_000);
        assert_eq!(count(1, stranger(4)), 1);
    }

    #[test]
    fn a49_no_crowd_uses_up_the_tries_of_a_key_for_an_address_that_is_new() {
        let clock = TestClock::at(1_000);
        let tries = Tries::of_keys(Arc::new(Successes::new(16)), &clock.port());
        for number in 0..1_000 {
            assert!(tries.begin(OWNED, stranger(number)).is_ok(), "{number}");
        }
        let count = |from| (0..).take_while(|_| tries.begin(OWNED, from).is_ok()).count();
        assert_eq!((count(stranger(0)), count(HOME)), (19, 20));
    }

    #[test]
    fn success_is_never_counted() {
        let (tries, _) = tries();
        for _ in 0..1_000 {
            tries.succeed(&tries.begin(OWNED, HOME).unwrap());
        }
        assert_eq!((0..).take_while(|_| tries.begin(OWNED, HOME).is_ok()).count(), 20);
    }

    /// What a crowd without the owner's address does between two tries of the owner.
    #[derive(Debug, Clone)]
    struct Wave {
        account: u8,
        from: u16,
        addresses: u16,
        each: u8,
        wait_ms: u64,
        /// Whether they have that account, unless it is the owner's.
        own: bool,
    }

    fn wave() -> impl Strategy<Value = Wave> {
        (1_u8..12, any::<u16>(), 1_u16..80, 1_u8..30, 0_u64..90_000, any::<bool>()).prop_map(
            |(account, from, addresses, each, wait_ms, own)| Wave {
                account,
                from,
                addresses,
                each,
                wait_ms,
                own,
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// However a crowd goes about it, the owner's own budget is the owner's.
        #[test]
        fn a49_no_crowd_elsewhere_refuses_the_owner(
            waves in prop::collection::vec(wave(), 1..12),
            failures in prop::collection::vec(any::<bool>(), 12),
        ) {
            let (tries, clock) = tries();
            tries.succeed(&tries.begin(OWNED, HOME).unwrap());
            let mut failed = 0;
            for (wave, fails) in waves.iter().zip(failures) {
                clock.advance_ms(wave.wait_ms);
                let account_id = AccountId([wave.account; 32]);
                for number in 0..wave.addresses {
                    for _ in 0..wave.each {
                        let begun = tries.begin(account_id, stranger(wave.from.wrapping_add(number)));
                        if let Ok(begun) = begun && wave.own && account_id != OWNED {
                            tries.succeed(&begun);
                        }
                    }
                }
                // A mistyped password now and then is within the owner's own budget.
                if fails && failed < 19 {
                    failed += 1;
                    prop_assert!(tries.begin(OWNED, HOME).is_ok());
                }
                let begun = tries.begin(OWNED, HOME);
                prop_assert!(begun.is_ok(), "{:?}", begun);
                tries.succeed(&begun.unwrap());
            }
        }
    }
}
