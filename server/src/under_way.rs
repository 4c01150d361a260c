//! How many requests without a session are under way for each address.
//!
//! Who connects by itself has so many connections and one request on each. Behind a trusted proxy all connections are the
//! proxy's: there this is what keeps one address from having all of them with requests that wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::peer::AddressKey;

/// The requests of a process.
#[derive(Debug)]
pub(crate) struct Strangers {
    of_address: usize,
    under_way: Mutex<HashMap<AddressKey, usize>>,
}

/// A request that is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct Presence {
    strangers: Arc<Strangers>,
    address: AddressKey,
}

impl Strangers {
    /// So many of an address at once.
    pub(crate) fn new(of_address: usize) -> Arc<Self> {
        Arc::new(Self { of_address, under_way: Mutex::default() })
    }

    /// Lets a request in, unless as many of its address are under way.
    pub(crate) fn enter(self: &Arc<Self>, address: AddressKey) -> Option<Presence> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let count = under_way.get(&address).copied().unwrap_or_default();
        if count >= self.of_address {
            return None;
        }
        under_way.insert(address, count + 1);
        Some(Presence { strangers: self.clone(), address })
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut under_way = self.strangers.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = under_way.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_so_many_at_once_and_nothing_is_kept_of_those_that_ended() {
        let strangers = Strangers::new(3);
        let (one, other) = (AddressKey::V6(1), AddressKey::V6(2));
        let mut present: Vec<_> = (0..3).filter_map(|_| strangers.enter(one)).collect();
        assert_eq!((present.len(), strangers.enter(one).is_none()), (3, true));
        assert!(strangers.enter(other).is_some());
        present.pop();
        present.extend(strangers.enter(one));
        assert!(strangers.enter(one).is_none());
        drop(present);
        assert!(strangers.under_way.lock().is_ok_and(|under_way| under_way.is_empty()));
    }
}
