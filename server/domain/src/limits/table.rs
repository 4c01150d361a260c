//! The memory of buckets: by key, when each will be full again. Bounded.
//!
//! A full bucket is as good as none, so keys are kept in slots by the time at which they are full, like the places of a
//! clock's hand: what the hand has passed is forgotten as a whole. While more keys than the capacity are in use, a new
//! one takes the place of one in the next slot, which has used least. So whoever wants a used bucket to be forgotten
//! must keep as many others as the table holds, each more used, at the same moment. Every step is O(1): there are at
//! most 65 slots.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;

/// Into how many slots the time is cut that an empty bucket takes to fill.
const SLOTS: u64 = 64;

/// When buckets will be full, by key.
pub(super) struct Table<K> {
    capacity: usize,
    slot_width: u64,
    inner: Mutex<Inner<K>>,
}

struct Inner<K> {
    held: HashMap<K, Held>,
    slots: BTreeMap<u64, Vec<K>>,
}

/// When a bucket is full, and where among its slot's keys its own is.
#[derive(Clone, Copy)]
struct Held {
    full_at: Nanos,
    place: usize,
}

impl<K: Clone + Eq + Hash> Table<K> {
    /// An empty table for buckets that fill in `window`.
    pub(super) fn new(capacity: usize, window: Nanos) -> Self {
        let slot_width = u64::from(window).div_ceil(SLOTS).max(1);
        let inner = Inner { held: HashMap::new(), slots: BTreeMap::new() };
        Self { capacity, slot_width, inner: Mutex::new(inner) }
    }

    /// Forgets the buckets that are full now.
    pub(super) fn forget_full(&self, now: Nanos) {
        let mut inner = self.lock();
        while let Some(slot) = inner.slots.first_entry()
            && *slot.key() < u64::from(now) / self.slot_width
        {
            let keys = slot.remove();
            for key in keys {
                inner.held.remove(&key);
            }
        }
    }

    /// A bucket is full so much sooner.
    pub(super) fn hasten(&self, key: &K, by: Nanos) {
        let mut inner = self.lock();
        if let Some(held) = inner.held.get(key).copied() {
            self.put(&mut inner, key, held.full_at.saturating_sub(by));
        }
    }

    fn put(&self, inner: &mut Inner<K>, key: &K, full_at: Nanos) {
        match inner.held.get(key).copied() {
            Some(held) => inner.take(key, held, self.slot_width),
            None if inner.held.len() >= self.capacity => inner.make_room(),
            None => {}
        }
        let keys = inner.slots.entry(u64::from(full_at) / self.slot_width).or_default();
        inner.held.insert(key.clone(), Held { full_at, place: keys.len() });
        keys.push(key.clone());
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let inner = self.lock();
        let placed: usize = inner.slots.values().map(Vec::len).sum();
        assert_eq!(placed, inner.held.len());
        assert!(inner.slots.len() as u64 <= SLOTS + 1 && inner.slots.values().all(|keys| !keys.is_empty()));
        placed
    }
}

impl<K: Clone + Eq + Hash> Inner<K> {
    /// Takes a key out of its slot; the last one of the slot gets its place.
    fn take(&mut self, key: &K, held: Held, slot_width: u64) {
        let number = u64::from(held.full_at) / slot_width;
        let Some(keys) = self.slots.get_mut(&number) else { return };
        keys.swap_remove(held.place);
        match keys.get(held.place) {
            Some(moved) => {
                if let Some(moved) = self.held.get_mut(moved) {
                    moved.place = held.place;
                }
            }
            None if keys.is_empty() => {
                self.slots.remove(&number);
            }
            None => {}
        }
        self.held.remove(key);
    }

    /// Forgets one of the buckets that have used least.
    fn make_room(&mut self) {
        let Some(mut slot) = self.slots.first_entry() else { return };
        if let Some(key) = slot.get_mut().pop() {
            self.held.remove(&key);
        }
        if slot.get().is_empty() {
            slot.remove();
        }
    }
}

/// Shared by the limiter, which knows it as its store, and by [`super::Buckets`].
pub(super) struct Shared<K>(pub(super) std::sync::Arc<Table<K>>);

impl<K: Clone + Eq + Hash> StateStore for Shared<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut inner = self.0.lock();
        let (outcome, full_at) = decide(inner.held.get(key).map(|held| held.full_at))?;
        self.0.put(&mut inner, key, full_at);
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    const WIDTH: u64 = 10;

    fn held(table: &Table<u8>) -> BTreeMap<u8, u64> {
        table.lock().held.iter().map(|(key, held)| (*key, u64::from(held.full_at))).collect()
    }

    proptest! {
        /// A bucket that has used more is never forgotten for one that has used less: whoever has used theirs up gets a
        /// new one only when as many others have used theirs up as well.
        #[test]
        fn the_bucket_that_is_forgotten_is_among_those_that_are_full_first(
            steps in prop::collection::vec((0..20_u8, 0..64 * WIDTH, 0..30_u64, 0..5_u8), 1..300),
            capacity in 1..8_usize,
        ) {
            let table = Arc::new(Table::new(capacity, Nanos::from(64 * WIDTH)));
            let mut now = 0;
            for (key, used, passed, what) in steps {
                now += passed;
                table.forget_full(now.into());
                let before = held(&table);
                prop_assert!(before.values().all(|full_at| full_at / WIDTH >= now / WIDTH));
                if what == 0 {
                    table.hasten(&key, used.into());
                    let mut expected = before;
                    expected.entry(key).and_modify(|full_at| *full_at = full_at.saturating_sub(used));
                    prop_assert_eq!(held(&table), expected);
                } else {
                    let put = |_| Ok::<_, Infallible>(((), Nanos::from(now + used)));
                    prop_assert!(Shared(table.clone()).measure_and_replace(&key, put).is_ok());
                    let after = held(&table);
                    prop_assert_eq!(after.get(&key), Some(&(now + used)));
                    let gone: Vec<u64> =
                        before.iter().filter(|(key, _)| !after.contains_key(key)).map(|(_, at)| at / WIDTH).collect();
                    let first = before.values().map(|at| at / WIDTH).min();
                    let is_new = !before.contains_key(&key);
                    prop_assert_eq!(gone.len(), usize::from(is_new && before.len() >= capacity));
                    prop_assert!(gone.into_iter().all(|slot| Some(slot) == first));
                }
                prop_assert!(held(&table).len() <= capacity);
            }
        }
    }
}
