//! Things that wait for one use within some time, in memory and bounded.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Values by key, each for one use before it expires. At most `capacity` wait; the oldest gives way.
///
/// Nothing survives a restart: whoever waited starts again.
pub struct Waiting<K, V> {
    capacity: usize,
    lifetime_ms: u64,
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K, V> {
    values: HashMap<K, (u64, V)>,
    order: VecDeque<(u64, K)>,
}

impl<K: Clone + Eq + Hash, V> Waiting<K, V> {
    /// An empty table.
    pub fn new(capacity: usize, lifetime_ms: u64) -> Self {
        let inner = Inner { values: HashMap::new(), order: VecDeque::new() };
        Self { capacity, lifetime_ms, inner: Mutex::new(inner) }
    }

    /// Puts a value in and says when it expires.
    pub fn insert(&self, key: K, value: V, now_ms: u64) -> u64 {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((expires_ms, _)) = inner.order.front() {
            if *expires_ms > now_ms && inner.order.len() < self.capacity {
                break;
            }
            inner.drop_oldest();
        }
        let expires_ms = now_ms.saturating_add(self.lifetime_ms);
        inner.order.push_back((expires_ms, key.clone()));
        inner.values.insert(key, (expires_ms, value));
        expires_ms
    }

    /// Takes a value out, unless it expired.
    pub fn take(&self, key: &K, now_ms: u64) -> Option<V> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (expires_ms, value) = inner.values.remove(key)?;
        (now_ms < expires_ms).then_some(value)
    }

    /// A copy of a value that stays.
    pub fn find(&self, key: &K, now_ms: u64) -> Option<V>
    where
        V: Clone,
    {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (expires_ms, value) = inner.values.get(key)?;
        (now_ms < *expires_ms).then(|| value.clone())
    }

    /// Changes a value that waits; its time stays.
    pub fn change(&self, key: &K, change: impl FnOnce(&mut V)) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, value)) = inner.values.get_mut(key) {
            change(value);
        }
    }
}

impl<K: Clone + Eq + Hash, V> Inner<K, V> {
    fn drop_oldest(&mut self) {
        if let Some((expires_ms, key)) = self.order.pop_front()
            && self.values.get(&key).is_some_and(|(kept, _)| *kept == expires_ms)
        {
            self.values.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_once_and_only_in_time() {
        let waiting = Waiting::new(8, 60);
        waiting.insert(1, "a", 0);
        assert_eq!(waiting.find(&1, 10), Some("a"));
        assert_eq!(waiting.take(&1, 10), Some("a"));
        assert_eq!(waiting.take(&1, 10), None);
        waiting.insert(2, "b", 0);
        assert_eq!(waiting.take(&2, 60), None);
    }

    #[test]
    fn the_oldest_gives_way_when_the_table_is_full() {
        let waiting = Waiting::new(2, 60);
        for key in 0..5 {
            waiting.insert(key, key, 0);
        }
        let left: Vec<i32> = (0..5).filter(|key| waiting.find(key, 1).is_some()).collect();
        assert_eq!(left, [3, 4]);
    }

    #[test]
    fn expired_values_are_let_go() {
        let waiting = Waiting::new(100, 10);
        for now in 0..50 {
            waiting.insert(now, now, now);
        }
        let inner = waiting.inner.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(inner.values.len() <= 11);
        assert_eq!(inner.values.len(), inner.order.len());
    }
}
