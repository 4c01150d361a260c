//! Things that wait for one use within some time, in memory and bounded.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::limits::AddressKey;

/// Values by key, each for one use before it expires. At most `capacity` wait; then the oldest gives way of the address
/// that has most of them, so that a flood pushes out its own. Among addresses that have equally many it is the one
/// whose oldest value came first, whatever the addresses are: so where each has one, a value stays until as many others
/// as the table has places have come after it.
///
/// Nothing survives a restart: whoever waited starts again.
pub struct Waiting<K, V> {
    capacity: usize,
    lifetime_ms: u64,
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K, V> {
    next: u64,
    values: HashMap<K, Kept<V>>,
    /// Keys by when they came, with the time at which they expire.
    order: BTreeMap<u64, (u64, K)>,
    of_address: HashMap<AddressKey, BTreeSet<u64>>,
    /// Addresses by how many values they have, and by their oldest. The last one gives way first.
    crowds: BTreeSet<Rank>,
}

/// How many values an address has, its oldest, and which it is.
type Rank = (usize, Reverse<u64>, AddressKey);

struct Kept<V> {
    number: u64,
    address: AddressKey,
    expires_ms: u64,
    value: V,
}

impl<K: Clone + Eq + Hash, V> Waiting<K, V> {
    /// An empty table.
    pub fn new(capacity: usize, lifetime_ms: u64) -> Self {
        let inner = Inner {
            next: 0,
            values: HashMap::new(),
            order: BTreeMap::new(),
            of_address: HashMap::new(),
            crowds: BTreeSet::new(),
        };
        Self { capacity, lifetime_ms, inner: Mutex::new(inner) }
    }

    /// Puts a value of this address in and says when it expires.
    pub fn insert(&self, key: K, value: V, address: AddressKey, now_ms: u64) -> u64 {
        let mut inner = self.lock();
        inner.remove(&key);
        while let Some((expires_ms, oldest)) = inner.order.values().next().cloned()
            && expires_ms <= now_ms
        {
            inner.remove(&oldest);
        }
        if inner.values.len() >= self.capacity {
            inner.make_room();
        }
        let expires_ms = now_ms.saturating_add(self.lifetime_ms);
        inner.insert(key, value, address, expires_ms);
        expires_ms
    }

    /// Takes a value out, unless it expired.
    pub fn take(&self, key: &K, now_ms: u64) -> Option<V> {
        let kept = self.lock().remove(key)?;
        (now_ms < kept.expires_ms).then_some(kept.value)
    }

    /// A copy of a value that stays.
    pub fn find(&self, key: &K, now_ms: u64) -> Option<V>
    where
        V: Clone,
    {
        let inner = self.lock();
        let kept = inner.values.get(key)?;
        (now_ms < kept.expires_ms).then(|| kept.value.clone())
    }

    /// Changes a value that waits; its time stays.
    pub fn change(&self, key: &K, change: impl FnOnce(&mut V)) {
        if let Some(kept) = self.lock().values.get_mut(key) {
            change(&mut kept.value);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K, V>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash, V> Inner<K, V> {
    fn insert(&mut self, key: K, value: V, address: AddressKey, expires_ms: u64) {
        let number = self.next;
        self.next += 1;
        self.change(address, |numbers| {
            numbers.insert(number);
        });
        self.order.insert(number, (expires_ms, key.clone()));
        self.values.insert(key, Kept { number, address, expires_ms, value });
    }

    fn remove(&mut self, key: &K) -> Option<Kept<V>> {
        let kept = self.values.remove(key)?;
        self.order.remove(&kept.number);
        self.change(kept.address, |numbers| {
            numbers.remove(&kept.number);
        });
        Some(kept)
    }

    /// Changes which values an address has, and its rank with them.
    fn change(&mut self, address: AddressKey, change: impl FnOnce(&mut BTreeSet<u64>)) {
        let rank = |numbers: &BTreeSet<u64>| Some((numbers.len(), Reverse(*numbers.first()?), address));
        let numbers = self.of_address.entry(address).or_default();
        if let Some(rank) = rank(numbers) {
            self.crowds.remove(&rank);
        }
        change(numbers);
        self.crowds.extend(rank(numbers));
        if numbers.is_empty() {
            self.of_address.remove(&address);
        }
    }

    fn make_room(&mut self) {
        let mut oldest = self.crowds.last().map(|(_, Reverse(oldest), _)| *oldest);
        if lockstep_proto::seeded!("flood-pushes-out") {
            oldest = self.order.keys().next().copied();
        }
        let oldest = oldest.and_then(|number| self.order.get(&number));
        if let Some((_, key)) = oldest.cloned() {
            self.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(last: u8) -> AddressKey {
        AddressKey::V4([192, 0, 2, last].into())
    }

    fn sizes<V>(waiting: &Waiting<i32, V>) -> [usize; 4] {
        let inner = waiting.lock();
        let of_addresses = inner.of_address.values().map(BTreeSet::len).sum();
        assert_eq!(inner.crowds.len(), inner.of_address.len());
        [inner.values.len(), inner.order.len(), of_addresses, inner.crowds.len()]
    }

    #[test]
    fn a_value_is_taken_once_and_only_in_time() {
        let waiting = Waiting::new(8, 60);
        waiting.insert(1, "a", address(1), 0);
        assert_eq!(waiting.find(&1, 10), Some("a"));
        assert_eq!(waiting.take(&1, 10), Some("a"));
        assert_eq!(waiting.take(&1, 10), None);
        waiting.insert(2, "b", address(1), 0);
        waiting.insert(2, "c", address(2), 0);
        assert_eq!(sizes(&waiting), [1; 4]);
        assert_eq!(waiting.take(&2, 60), None);
        assert_eq!(sizes(&waiting), [0; 4]);
    }

    #[test]
    fn the_oldest_gives_way_when_the_table_is_full() {
        let waiting = Waiting::new(2, 60);
        for key in 0..5 {
            waiting.insert(key, key, address(1), 0);
        }
        let left: Vec<i32> = (0..5).filter(|key| waiting.find(key, 1).is_some()).collect();
        assert_eq!(left, [3, 4]);
    }

    #[test]
    fn a49_a_flood_pushes_out_its_own() {
        let waiting = Waiting::new(100, 60);
        waiting.insert(-1, 0, address(1), 0);
        for key in 0..10_000 {
            waiting.insert(key, key, address(2 + (key % 90) as u8), 0);
            assert!(waiting.find(&-1, 1).is_some(), "{key}");
        }
        assert_eq!(sizes(&waiting), [100, 100, 100, 91]);
    }

    #[test]
    fn a49_a_crowd_of_single_values_pushes_out_what_came_before_whatever_its_addresses_are() {
        let prefix = AddressKey::V6;
        let waiting = Waiting::new(100, 60);
        for key in 0..1_000 {
            waiting.insert(key, key, prefix(key as u64), 0);
        }
        // The owner's address is the last of all, or the first: it makes no difference.
        for (owner, address) in [(-1, prefix(u64::MAX)), (-2, address(1))] {
            let begin = owner * -2_000;
            waiting.insert(owner, owner, address, 0);
            for key in begin..begin + 99 {
                waiting.insert(key, key, prefix(key as u64), 0);
                assert!(waiting.find(&owner, 1).is_some(), "{key}");
            }
            // As many as there are places: now the owner's is the oldest.
            waiting.insert(begin + 99, 0, prefix(begin as u64 + 99), 0);
            assert_eq!(waiting.find(&owner, 1), None);
        }
        assert_eq!(sizes(&waiting), [100; 4]);
    }

    #[test]
    fn expired_values_are_let_go() {
        let waiting = Waiting::new(100, 10);
        for now in 0..50 {
            waiting.insert(now, now, address(now as u8), now as u64);
        }
        assert_eq!(sizes(&waiting), [10; 4]);
    }

    /// What waits, as anybody would write it who has time: in the order in which it came.
    #[derive(Default)]
    struct Plain(Vec<(i32, u8, u64)>);

    impl Plain {
        fn insert(&mut self, key: i32, of: u8, now: u64, (capacity, lifetime): (usize, u64)) {
            self.0.retain(|(known, ..)| *known != key);
            while self.0.first().is_some_and(|(.., expires)| *expires <= now) {
                self.0.remove(0);
            }
            if self.0.len() >= capacity {
                let count = |of: u8| self.0.iter().filter(|(_, other, _)| *other == of).count();
                // The first of those whose address has most: `max_by_key` gives the last, so from the end.
                let most = self.0.iter().enumerate().rev().max_by_key(|(_, (_, of, _))| count(*of));
                let place = most.map(|(place, _)| place).unwrap_or_default();
                self.0.remove(place);
            }
            self.0.push((key, of, now + lifetime));
        }

        fn find(&self, key: i32, now: u64) -> bool {
            self.0.iter().any(|(known, _, expires)| *known == key && now < *expires)
        }
    }

    proptest! {
        /// Keys that come again at another address, values that are taken, and time that goes on included.
        #[test]
        fn who_gives_way_is_whom_the_rule_names(
            steps in prop::collection::vec((0..12_i32, 0..4_u8, 0..6_u64, 0..4_u8), 1..200),
            capacity in 1..6_usize,
        ) {
            let (waiting, mut plain, mut now) = (Waiting::new(capacity, 20), Plain::default(), 0);
            for (key, of, passed, what) in steps {
                now += passed;
                if what == 0 {
                    prop_assert_eq!(waiting.take(&key, now).is_some(), plain.find(key, now));
                    plain.0.retain(|(known, ..)| *known != key);
                } else {
                    waiting.insert(key, (), address(of), now);
                    plain.insert(key, of, now, (capacity, 20));
                }
                for key in 0..12 {
                    prop_assert_eq!(waiting.find(&key, now).is_some(), plain.find(key, now), "{}", key);
                }
                let [values, order, of_addresses, _] = sizes(&waiting);
                prop_assert!(values <= capacity && values == order && values == of_addresses);
            }
        }
    }
}
