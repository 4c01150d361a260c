//! Verified states, kept in memory by key. A state only gives way to one further along its log.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use lockstep_proto::ids::Seq;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheRoom {
    /// States.
    pub(crate) states: usize,
    /// Bytes, as each state counts them.
    pub(crate) bytes: usize,
}

/// The newest state seen of each key and when it was looked up, as many as there is room for: the one that came first
/// gives way, in constant time, and the last one that came stays.
pub(crate) struct Newest<K, V> {
    room: CacheRoom,
    bytes_of: fn(&V) -> usize,
    seq_of: fn(&V) -> Seq,
    states: Mutex<States<K, V>>,
}

struct States<K, V> {
    by_key: HashMap<K, Kept<V>>,
    bytes: usize,
    /// Each key once, in the order in which they came.
    order: VecDeque<K>,
}

struct Kept<V> {
    state: Arc<V>,
    bytes: usize,
    at_ms: u64,
}

impl<K: Copy + Eq + Hash, V> Newest<K, V> {
    pub(crate) fn new(room: CacheRoom, seq_of: fn(&V) -> Seq, bytes_of: fn(&V) -> usize) -> Self {
        let states = States { by_key: HashMap::new(), bytes: 0, order: VecDeque::new() };
        Self { room, bytes_of, seq_of, states: Mutex::new(states) }
    }

    pub(crate) fn find(&self, key: &K) -> Option<Arc<V>> {
        self.find_at(key).map(|(state, _)| state)
    }

    /// The state, and when it was kept last.
    pub(crate) fn find_at(&self, key: &K) -> Option<(Arc<V>, u64)> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.by_key.get(key).map(|kept| (kept.state.clone(), kept.at_ms))
    }

    /// Keeps `state` unless a newer one is there, and gives the newer of the two. A full cache lets go of another.
    pub(crate) fn keep(&self, key: K, state: V) -> Arc<V> {
        self.keep_at(key, Arc::new(state), 0)
    }

    /// The same, as of a time.
    pub(crate) fn keep_at(&self, key: K, state: Arc<V>, now_ms: u64) -> Arc<V> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = states.by_key.get_mut(&key)
            && (self.seq_of)(&known.state) >= (self.seq_of)(&state)
        {
            known.at_ms = now_ms;
            return known.state.clone();
        }
        let bytes = (self.bytes_of)(&state);
        states.bytes += bytes;
        match states.by_key.insert(key, Kept { state: state.clone(), bytes, at_ms: now_ms }) {
            Some(before) => states.bytes -= before.bytes,
            None => states.order.push_back(key),
        }
        while states.order.len() > 1
            && (states.order.len() > self.room.states || states.bytes > self.room.bytes)
            && let Some(first) = states.order.pop_front()
            && let Some(gone) = states.by_key.remove(&first)
        {
            states.bytes -= gone.bytes;
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(states: usize) -> CacheRoom {
        CacheRoom { states, bytes: usize::MAX }
    }

    /// One account whose log was made long takes the room of many, and no more than there is.
    #[test]
    fn a50_large_states_give_way_by_their_size() {
        let room = CacheRoom { states: 100, bytes: 1_000 };
        let cache: Newest<u32, u64> = Newest::new(room, |_| Seq(1), |state| *state as usize);
        (0..10).for_each(|key| drop(cache.keep(key, 100)));
        assert!((0..10).all(|key| cache.find(&key).is_some()));
        cache.keep(10, 250);
        let kept: Vec<u32> = (0..=10).filter(|key| cache.find(key).is_some()).collect();
        assert_eq!(kept, [3, 4, 5, 6, 7, 8, 9, 10]);
        cache.keep(11, 5_000);
        let kept: Vec<u32> = (0..=11).filter(|key| cache.find(key).is_some()).collect();
        assert_eq!(kept, [11], "the last one stays, whatever it takes");
        cache.keep(12, 1);
        assert!(cache.find(&11).is_none() && cache.find(&12).is_some());
        assert_eq!(cache.states.lock().unwrap_or_else(PoisonError::into_inner).bytes, 1);
    }

    #[test]
    fn an_older_state_never_replaces_a_newer_one_and_the_size_is_bounded() {
        let cache: Newest<u8, u64> = Newest::new(room(2), |state| Seq(*state), |_| 1);
        cache.keep(1, 5);
        assert_eq!(*cache.keep(1, 3), 5);
        assert_eq!(*cache.keep(1, 6), 6);
        cache.keep(2, 1);
        cache.keep(3, 1);
        assert_eq!([1, 2, 3].map(|key| cache.find(&key).is_some()), [false, true, true]);
    }

    #[test]
    fn however_many_come_no_more_is_kept_than_there_is_room() {
        let cache: Newest<u32, u64> = Newest::new(room(1_000), |state| Seq(*state), |_| 1);
        for key in 0..200_000 {
            cache.keep(key, 1);
            cache.keep(key % 1_500, u64::from(key));
        }
        let states = cache.states.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!((states.by_key.len(), states.order.len()), (1_000, 1_000));
        assert!(states.order.iter().all(|key| states.by_key.contains_key(key)));
    }

    #[test]
    fn a_state_that_was_looked_up_again_is_as_of_then() {
        let cache: Newest<u8, u64> = Newest::new(room(2), |state| Seq(*state), |_| 1);
        cache.keep_at(1, Arc::new(5), 10);
        cache.keep_at(1, Arc::new(5), 20);
        assert_eq!(cache.find_at(&1), Some((Arc::new(5), 20)));
        cache.keep_at(1, Arc::new(6), 30);
        assert_eq!(cache.find_at(&1), Some((Arc::new(6), 30)));
    }
}
