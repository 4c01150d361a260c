//! Verified states, kept in memory by key. A state only gives way to one further along its log.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use lockstep_proto::ids::Seq;

/// The newest state seen of each key, at most `capacity` of them.
pub(crate) struct Newest<K, V> {
    capacity: usize,
    seq_of: fn(&V) -> Seq,
    states: Mutex<HashMap<K, Arc<V>>>,
}

impl<K: Copy + Eq + Hash, V> Newest<K, V> {
    pub(crate) fn new(capacity: usize, seq_of: fn(&V) -> Seq) -> Self {
        Self { capacity, seq_of, states: Mutex::default() }
    }

    pub(crate) fn find(&self, key: &K) -> Option<Arc<V>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Keeps `state` unless a newer one is there, and gives the newer of the two. A full cache lets go of any other.
    pub(crate) fn keep(&self, key: K, state: V) -> Arc<V> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = states.get(&key)
            && (self.seq_of)(known) >= (self.seq_of)(&state)
        {
            return known.clone();
        }
        if states.len() >= self.capacity
            && !states.contains_key(&key)
            && let Some(other) = states.keys().next().copied()
        {
            states.remove(&other);
        }
        let state = Arc::new(state);
        states.insert(key, state.clone());
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_state_never_replaces_a_newer_one_and_the_size_is_bounded() {
        let cache: Newest<u8, u64> = Newest::new(2, |state| Seq(*state));
        cache.keep(1, 5);
        assert_eq!(*cache.keep(1, 3), 5);
        assert_eq!(*cache.keep(1, 6), 6);
        cache.keep(2, 1);
        cache.keep(3, 1);
        let kept = [1, 2, 3].iter().filter(|key| cache.find(key).is_some()).count();
        assert_eq!(kept, 2);
        assert!(cache.find(&3).is_some());
    }
}
