//! Counts sign-ins that were begun and not finished, per account.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use lockstep_proto::ids::AccountId;

/// Too many sign-ins of one account were begun without a valid end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins were begun for this account")]
pub struct TooManyAttempts {
    /// When one more is allowed, in seconds.
    pub retry_after_seconds: u32,
}

/// How many attempts an account has at once.
const BURST: u64 = 20;
/// How long until one more is allowed, in milliseconds.
const REFILL_MS: u64 = 30_000;
/// How many accounts are counted; beyond, the one whose count is nearest to nothing gives way.
const CAPACITY: usize = 65_536;

/// A bucket per account: each first message takes one, a valid last message gives it back, time refills.
///
/// Accounts that do not exist are counted, too. In memory: a restart forgets.
#[derive(Default)]
pub struct Attempts {
    /// When each account's bucket will be full again, in milliseconds since 1970.
    full_at: Mutex<HashMap<AccountId, u64>>,
}

impl Attempts {
    /// Counts one more attempt.
    ///
    /// # Errors
    /// [`TooManyAttempts`]; then nothing is counted.
    pub fn begin(&self, account_id: AccountId, now_ms: u64) -> Result<(), TooManyAttempts> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let next = full_at.get(&account_id).copied().unwrap_or(0).max(now_ms).saturating_add(REFILL_MS);
        let allowed = now_ms.saturating_add(BURST * REFILL_MS);
        if next > allowed {
            let seconds = (next - allowed).div_ceil(1_000);
            return Err(TooManyAttempts { retry_after_seconds: u32::try_from(seconds).unwrap_or(u32::MAX) });
        }
        if full_at.len() >= CAPACITY && !full_at.contains_key(&account_id) {
            make_room(&mut full_at, now_ms);
        }
        full_at.insert(account_id, next);
        Ok(())
    }

    /// Gives an attempt back: it succeeded.
    pub fn succeed(&self, account_id: &AccountId) {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = full_at.get_mut(account_id) {
            *at = at.saturating_sub(REFILL_MS);
        }
    }
}

fn make_room(full_at: &mut HashMap<AccountId, u64>, now_ms: u64) {
    full_at.retain(|_, at| *at > now_ms);
    if full_at.len() >= CAPACITY
        && let Some(account_id) = full_at.iter().min_by_key(|(_, at)| **at).map(|(account_id, _)| *account_id)
    {
        full_at.remove(&account_id);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ACCOUNT: AccountId = AccountId([1; 32]);

    #[test]
    fn a_burst_is_allowed_then_one_per_refill() {
        let attempts = Attempts::default();
        for _ in 0..BURST {
            attempts.begin(ACCOUNT, 1_000).unwrap();
        }
        let refused = attempts.begin(ACCOUNT, 1_000).unwrap_err();
        assert_eq!(refused.retry_after_seconds, 30);
        attempts.begin(AccountId([2; 32]), 1_000).unwrap();
        attempts.begin(ACCOUNT, 1_000 + REFILL_MS).unwrap();
        attempts.begin(ACCOUNT, 1_000 + REFILL_MS).unwrap_err();
    }

    #[test]
    fn success_is_never_counted() {
        let attempts = Attempts::default();
        for _ in 0..10 * BURST {
            attempts.begin(ACCOUNT, 1_000).unwrap();
            attempts.succeed(&ACCOUNT);
        }
    }
}
