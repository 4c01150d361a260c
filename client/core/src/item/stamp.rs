//! Stamps: when, and by which device, a value was written.

use lockstep_proto::hash::hash;
use lockstep_proto::ids::DeviceId;

/// What the ids of foreign writers begin with. Devices have random ids.
const FOREIGN: [u8; 8] = [0; 8];

/// The writer of what a record of another program says, by all that the record says: the same on every device that imports
/// it, and another one where it says something else. So each has written once, and no stamp has two values.
pub fn foreign_writer(record: &[u8]) -> DeviceId {
    let mut id = [0; 16];
    id[FOREIGN.len()..].copy_from_slice(&hash("foreign-writer", &[record]).0[..8]);
    DeviceId(id)
}

/// Milliseconds at or above this are refused (2^48 is the year 10889).
pub const MAX_MS: u64 = 1 << 48;

/// The place of a value in the order of all writes: milliseconds since 1970, then counter, then device.
///
/// The derived order is the protocol's order; frozen in `proto/vectors/merge.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    ms: u64,
    counter: u32,
    device: DeviceId,
}

impl Stamp {
    /// A stamp; `None` when `ms` is 2^48 or more.
    pub fn new(ms: u64, counter: u32, device: DeviceId) -> Option<Self> {
        (ms < MAX_MS).then_some(Self { ms, counter, device })
    }

    /// A stamp; times beyond the range become the last millisecond in it.
    pub fn clamped(ms: u64, counter: u32, device: DeviceId) -> Self {
        Self { ms: ms.min(MAX_MS - 1), counter, device }
    }

    /// Milliseconds since 1970, below 2^48.
    pub fn ms(&self) -> u64 {
        self.ms
    }

    /// Tells writes at the same millisecond apart.
    pub fn counter(&self) -> u32 {
        self.counter
    }

    /// The device that wrote, or the [`foreign_writer`] of a record of another program.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Whether another program wrote.
    pub fn is_foreign(&self) -> bool {
        self.device.as_bytes().starts_with(&FOREIGN)
    }

    /// The writers' rule: above `highest` whatever the clock says, and at the clock's time where that is later.
    /// `None` when the range of stamps is used up, or the clock is beyond it.
    pub(super) fn after(highest: Option<Stamp>, author: Author) -> Option<Self> {
        let now = author.now_ms;
        let Some(highest) = highest.filter(|highest| highest.ms >= now) else {
            return Self::new(now, 0, author.device);
        };
        match highest.counter.checked_add(1) {
            Some(counter) => Self::new(highest.ms, counter, author.device),
            None => Self::new(highest.ms + 1, 0, author.device),
        }
    }
}

/// Who edits, and what their clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Author {
    /// Wall clock, milliseconds since 1970.
    pub now_ms: u64,
    /// The editing device.
    pub device: DeviceId,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn author(now_ms: u64, device: u8) -> Author {
        Author { now_ms, device: DeviceId([device; 16]) }
    }

    #[test]
    fn a_write_beats_what_it_has_seen_even_with_a_clock_that_is_behind() {
        let seen = Stamp::new(1_000, 7, DeviceId([9; 16])).unwrap();
        let next = Stamp::after(Some(seen), author(10, 1)).unwrap();
        assert_eq!((next.ms(), next.counter()), (1_000, 8));
        assert!(next > seen);
    }

    #[test]
    fn a_later_clock_starts_a_new_counter() {
        let seen = Stamp::new(1_000, 7, DeviceId([9; 16])).unwrap();
        let next = Stamp::after(Some(seen), author(1_001, 1)).unwrap();
        assert_eq!((next.ms(), next.counter()), (1_001, 0));
    }

    #[test]
    fn an_exhausted_counter_moves_to_the_next_millisecond() {
        let seen = Stamp::new(5, u32::MAX, DeviceId::ZERO).unwrap();
        assert!(Stamp::after(Some(seen), author(0, 1)).unwrap() > seen);
        let last = Stamp::new(MAX_MS - 1, u32::MAX, DeviceId::ZERO).unwrap();
        assert_eq!(Stamp::after(Some(last), author(0, 1)), None);
    }

    #[test]
    fn stamps_from_2_to_the_48_on_do_not_exist() {
        assert_eq!(Stamp::new(MAX_MS, 0, DeviceId::ZERO), None);
        assert_eq!(Stamp::after(None, author(u64::MAX, 1)), None);
        assert_eq!(Stamp::clamped(u64::MAX, 3, DeviceId::ZERO).ms(), MAX_MS - 1);
    }
}
