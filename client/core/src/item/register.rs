//! Registers: the winning value of a field and its bounded history.
//!
//! Why the bounds keep merge associative: entries have one total order, only a lower end of it is ever dropped, and
//! what an entry counts for does not depend on the others. More entries can only move the cut up; the floor
//! remembers the highest cut; and the newest entry is exempt from both, so it is never lost.

use lockstep_proto::ids::DeviceId;

use super::entry::Entry;
use super::stamp::{Author, Stamp};
use super::value::Value;

/// How much history a register keeps beside its winner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Entries, at most.
    pub history_count: usize,
    /// Bytes of all of them, at most: encoded value, and 28 for its stamp and for each stamp that it replaces.
    pub history_bytes: usize,
}

impl Bounds {
    /// The protocol's: 20 entries and 64 KiB. All others are for tests.
    pub const PROTOCOL: Self = Self { history_count: 20, history_bytes: 64 * 1024 };
}

/// The entries of a field, newest first, and the floor at and below which history was given up.
///
/// **Invariant:** there is at least one entry; entries are strictly descending; all but the first are above the
/// floor and fit the bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    entries: Vec<Entry>,
    floor: Option<Stamp>,
}

impl Register {
    /// A register with one entry.
    pub fn new(entry: Entry) -> Self {
        Self { entries: vec![entry], floor: None }
    }

    /// A register of these entries, in any order, within the bounds; `None` without entries.
    pub fn from_entries(entries: Vec<Entry>, floor: Option<Stamp>, bounds: &Bounds) -> Option<Self> {
        (!entries.is_empty()).then(|| Self::bounded(entries, floor, bounds))
    }

    /// The newest entry.
    pub fn winner(&self) -> &Entry {
        &self.entries[0]
    }

    /// The other kept entries, newest first.
    pub fn history(&self) -> &[Entry] {
        &self.entries[1..]
    }

    /// All entries, newest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// At and below this stamp history was given up.
    pub fn floor(&self) -> Option<Stamp> {
        self.floor
    }

    /// The highest stamp that the register knows.
    pub fn highest(&self) -> Stamp {
        self.floor.map_or(self.winner().stamp, |floor| floor.max(self.winner().stamp))
    }

    /// Values that lost against the winner although nobody who wrote had seen them, newest first, each value once.
    ///
    /// An entry is none if it holds the winner's value, or if a newer kept entry replaces it or an entry with the
    /// same value: equal values never conflict.
    pub fn conflicts(&self) -> Vec<&Entry> {
        let mut found: Vec<&Entry> = Vec::new();
        for entry in self.history() {
            let known =
                entry.value == self.winner().value || found.iter().any(|other| other.value == entry.value);
            if !known && !self.is_replaced(entry) {
                found.push(entry);
            }
        }
        found
    }

    /// Writes over the winner. What conflicts with it stays a conflict.
    pub(super) fn write(&mut self, stamp: Stamp, value: Value, bounds: &Bounds) {
        let replaces = vec![self.winner().stamp];
        self.push(Entry::new(stamp, value, replaces), bounds);
    }

    /// Writes over the winner and all conflicts.
    pub(super) fn resolve(&mut self, stamp: Stamp, value: Value, bounds: &Bounds) {
        let heads = self.conflicts().into_iter().map(Entry::stamp);
        let replaces = std::iter::once(self.winner().stamp).chain(heads).collect();
        self.push(Entry::new(stamp, value, replaces), bounds);
    }

    /// The union of both, within the bounds.
    pub fn merge(&self, other: &Self, bounds: &Bounds) -> Self {
        if lockstep_proto::seeded!("merge-drops-the-loser") {
            let newer = if self.winner().stamp >= other.winner().stamp { self } else { other };
            return newer.clone();
        }
        let entries = self.entries.iter().chain(&other.entries).cloned().collect();
        Self::bounded(entries, self.floor.max(other.floor), bounds)
    }

    /// Gives up the oldest history entry and all that share its stamp. `false` when there is none.
    pub(super) fn forget_oldest(&mut self) -> bool {
        let Some(oldest) = self.history().last().map(Entry::stamp) else { return false };
        self.floor = self.floor.max(Some(oldest));
        let winner = self.winner().clone();
        self.entries.retain(|entry| *entry == winner || entry.stamp > oldest);
        true
    }

    fn push(&mut self, entry: Entry, bounds: &Bounds) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.push(entry);
        *self = Self::bounded(entries, self.floor, bounds);
    }

    fn is_replaced(&self, entry: &Entry) -> bool {
        let newer = self.entries.iter().filter(|other| other.stamp > entry.stamp);
        newer.flat_map(|other| &other.replaces).any(|replaced| {
            *replaced == entry.stamp
                || self.entries.iter().any(|other| other.stamp == *replaced && other.value == entry.value)
        })
    }

    fn bounded(mut entries: Vec<Entry>, mut floor: Option<Stamp>, bounds: &Bounds) -> Self {
        entries.sort_by(|a, b| b.order(a));
        entries.dedup();
        let mut bytes = 0_usize;
        for (index, entry) in entries.iter().enumerate().skip(1) {
            bytes = bytes.saturating_add(entry.size());
            if index > bounds.history_count || bytes > bounds.history_bytes {
                floor = floor.max(Some(entry.stamp));
                break;
            }
        }
        let mut is_winner = true;
        entries.retain(|entry| std::mem::take(&mut is_winner) || Some(entry.stamp) > floor);
        Self { entries, floor }
    }

    /// Writes what another program says, unseen by who edited here: at its own time `ms`, above all that is known of
    /// such programs, and over nothing else. `None`, and nothing happens, where no stamp is left for it.
    pub(super) fn beside(&mut self, ms: u64, value: Value, bounds: &Bounds) -> Option<()> {
        let stamps = self.entries.iter().flat_map(|entry| entry.replaces.iter().chain([&entry.stamp]));
        let foreign = stamps.filter(|stamp| stamp.device() == DeviceId::ZERO);
        // Nothing at or below the floor would be kept.
        let highest = foreign.copied().max().max(self.floor);
        let stamp = Stamp::after(highest, Author { now_ms: ms, device: DeviceId::ZERO })?;
        let theirs = self.entries.iter().map(Entry::stamp).filter(|stamp| stamp.device() == DeviceId::ZERO);
        let entry = Entry::new(stamp, value, theirs.collect());
        self.push(entry, bounds);
        Some(())
    }
}
