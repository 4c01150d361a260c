//! From where an account's owner got in.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use lockstep_proto::ids::AccountId;

use super::AddressKey;

/// How many addresses of one account are remembered.
const PER_ACCOUNT: usize = 32;

/// The addresses at which something proved itself as an account's: a password, a Recovery Key, a device. Only what succeeded
/// is remembered, so strangers push nothing out. Of the accounts the one that got in longest ago gives way, of an account's
/// addresses likewise.
///
/// A restart forgets; a device that goes on syncing is known again after its next session, within ten minutes.
pub(crate) struct Successes {
    capacity: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    turn: u64,
    accounts: HashMap<AccountId, Known>,
    /// Accounts by the turn in which they got in last.
    order: BTreeMap<u64, AccountId>,
}

struct Known {
    turn: u64,
    /// The most recent last.
    addresses: Vec<AddressKey>,
}

impl Successes {
    /// Nothing yet, of `capacity` accounts at most.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, inner: Mutex::default() }
    }

    /// Remembers that somebody got in.
    pub(crate) fn remember(&self, account_id: AccountId, address: AddressKey) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *inner;
        inner.turn += 1;
        let turn = inner.turn;
        if inner.accounts.len() >= self.capacity
            && !inner.accounts.contains_key(&account_id)
            && let Some((_, oldest)) = inner.order.pop_first()
        {
            inner.accounts.remove(&oldest);
        }
        let known = inner.accounts.entry(account_id).or_insert(Known { turn, addresses: Vec::new() });
        inner.order.remove(&known.turn);
        inner.order.insert(turn, account_id);
        known.turn = turn;
        known.addresses.retain(|known| *known != address);
        if known.addresses.len() >= PER_ACCOUNT {
            known.addresses.remove(0);
        }
        known.addresses.push(address);
    }

    /// Whether somebody got in from there.
    pub(crate) fn has(&self, account_id: &AccountId, address: AddressKey) -> bool {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.accounts.get(account_id).is_some_and(|known| known.addresses.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u8) -> AccountId {
        AccountId([number; 32])
    }

    #[test]
    fn one_account_with_many_addresses_pushes_no_other_out() {
        let (successes, home) = (Successes::new(4), AddressKey::V4([192, 0, 2, 1].into()));
        successes.remember(account(1), home);
        for last in 0..=255 {
            successes.remember(account(2), AddressKey::V4([198, 51, 100, last].into()));
        }
        assert!(successes.has(&account(1), home) && !successes.has(&account(2), home));
        assert!(successes.has(&account(2), AddressKey::V4([198, 51, 100, 255].into())));
        assert!(!successes.has(&account(2), AddressKey::V4([198, 51, 100, 255 - PER_ACCOUNT as u8].into())));
    }

    #[test]
    fn the_account_that_got_in_longest_ago_gives_way() {
        let (successes, home) = (Successes::new(2), AddressKey::V4([192, 0, 2, 1].into()));
        for number in [1, 2, 1, 3] {
            successes.remember(account(number), home);
        }
        assert_eq!([1, 2, 3].map(|number| successes.has(&account(number), home)), [true, false, true]);
        let inner = successes.inner.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!((inner.accounts.len(), inner.order.len()), (2, 2));
    }
}
