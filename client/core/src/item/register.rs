//! Registers: the value that a field shows, the values that wait for a choice, and a bounded history.
//!
//! An entry names the entries that its writer had before their eyes and wrote over. What no kept entry names is a
//! **head**: somebody wrote it, and nobody has seen it and gone on. The newest head is the winner, the others are
//! conflicts. Everything else is history.
//!
//! ```text
//!   laptop:  a ── b ── c          heads: c, x     history: b, a
//!             \                   x lost against c, and whoever wrote c had not seen it
//!   phone:     ── x               a choice between c and x names both; then both are history
//! ```
//!
//! **Heads are outside the bounds**, however many and large they are: only what was seen can be given up. So that one
//! device's given-up entry does not come back from another device as if nobody had seen it, a register remembers per
//! device up to where entries were given up ([`Floors`]).
//!
//! Why merge stays associative: history has one total order and only a lower end of it is ever given up; what an entry
//! counts for does not depend on the others; more entries only turn heads into history and move the cut up; and an entry
//! survives a merge iff every side has it or has never known it, which does not depend on the order of sides.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::Entry;
use super::floors::Floors;
use super::stamp::{Author, Stamp};
use super::value::Value;

/// How much history a register keeps beside its heads.
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

/// The entries of a field, newest first, and the floors at and below which entries were given up.
///
/// **Invariant:** there is at least one entry; entries are strictly descending; the first is above all floors; history
/// is above the highest floor and fits the bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    entries: Vec<Entry>,
    floors: Floors,
}

impl Register {
    /// A register with one entry.
    pub fn new(entry: Entry) -> Self {
        Self { entries: vec![entry], floors: Floors::default() }
    }

    /// A register of these entries, in any order, within the bounds; `None` without an entry above all floors.
    pub fn from_entries(entries: Vec<Entry>, floors: Floors, bounds: &Bounds) -> Option<Self> {
        let newest = entries.iter().map(Entry::stamp).max()?;
        // Who could set a floor above the newest write would have later ones taken for known and given up.
        (floors.highest() < Some(newest)).then(|| Self::bounded(entries, floors, bounds))
    }

    /// The newest entry.
    pub fn winner(&self) -> &Entry {
        &self.entries[0]
    }

    /// The other kept entries, newest first: history, and heads that lost.
    pub fn others(&self) -> &[Entry] {
        &self.entries[1..]
    }

    /// Entries that were written over by somebody who saw them, newest first: what the bounds are about.
    pub fn history(&self) -> Vec<&Entry> {
        let replaced = replaced(&self.entries);
        self.entries.iter().filter(|entry| replaced.contains(&entry.stamp)).collect()
    }

    /// All entries, newest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// At and below these stamps entries were given up.
    pub fn floors(&self) -> &Floors {
        &self.floors
    }

    /// The highest stamp that the register knows: no floor is above the winner.
    pub fn highest(&self) -> Stamp {
        self.winner().stamp
    }

    /// Values that lost against the winner although nobody who wrote had seen them, newest first, each value once.
    ///
    /// Equal values never conflict: a head is none if it holds the winner's value, or if a newer kept entry was written
    /// over the same value elsewhere.
    pub fn conflicts(&self) -> Vec<&Entry> {
        let replaced_by = self.replacers();
        // For each value that was seen and written over, the newest entry that did.
        let mut seen = BTreeMap::<&Value, Stamp>::new();
        for entry in &self.entries {
            if let Some(by) = replaced_by.get(&entry.stamp) {
                let newest = seen.entry(&entry.value).or_insert(*by);
                *newest = (*newest).max(*by);
            }
        }
        let mut shown = BTreeSet::from([&self.winner().value]);
        let heads = self.others().iter().filter(|entry| !replaced_by.contains_key(&entry.stamp));
        let unseen = heads.filter(|entry| seen.get(&entry.value).is_none_or(|by| *by <= entry.stamp));
        unseen.filter(|entry| shown.insert(&entry.value)).collect()
    }

    /// Writes over what is shown as the field's value. What conflicts with it stays a conflict.
    pub(super) fn write(&mut self, stamp: Stamp, value: Value, bounds: &Bounds) {
        let replaces = {
            let waiting: BTreeSet<&Value> = self.conflicts().into_iter().map(Entry::value).collect();
            // Heads that hold no other value than what is shown were seen with it.
            self.heads().filter(|head| !waiting.contains(&head.value)).map(Entry::stamp).collect()
        };
        self.push(Entry::new(stamp, value, replaces), bounds);
    }

    /// Writes over the winner and all conflicts.
    pub(super) fn resolve(&mut self, stamp: Stamp, value: Value, bounds: &Bounds) {
        let replaces = self.heads().map(Entry::stamp).collect();
        self.push(Entry::new(stamp, value, replaces), bounds);
    }

    /// The union of both, within the bounds.
    pub fn merge(&self, other: &Self, bounds: &Bounds) -> Self {
        if lockstep_proto::seeded!("merge-drops-the-loser") {
            let newer = if self.winner().stamp >= other.winner().stamp { self } else { other };
            return newer.clone();
        }
        // An entry that a side does not have is new to it, unless the side's floors say that it was given up there.
        let came = |from: &Self, to: &Self| {
            let comes_back = lockstep_proto::seeded!("given-up-comes-back");
            let new = |entry: &&Entry| to.holds(entry.stamp) || !to.floors.covers(entry.stamp) || comes_back;
            from.entries.iter().filter(new).cloned().collect::<Vec<_>>()
        };
        let entries = [came(self, other), came(other, self)].concat();
        Self::bounded(entries, self.floors.join(&other.floors), bounds)
    }

    /// Gives up history at and below this stamp.
    pub(super) fn forget(&mut self, cut: Stamp) {
        if self.entries.len() > 1 {
            let entries = std::mem::take(&mut self.entries);
            *self = Self::cut(entries, std::mem::take(&mut self.floors), Some(cut));
        }
    }

    /// The other one, as it may be merged with this one without dropping any of its heads: where it would, it has given up
    /// nothing, and its entries replace none of them.
    pub(super) fn without_claims_on_this(&self, other: &Self, bounds: &Bounds) -> Self {
        let merged = self.merge(other, bounds);
        if self.heads().all(|head| merged.holds(head.stamp)) {
            return other.clone();
        }
        let heads: BTreeSet<Stamp> = self.heads().map(Entry::stamp).collect();
        let entry = |entry: &Entry| {
            let replaces = entry.replaces.iter().copied().filter(|stamp| !heads.contains(stamp));
            Entry::new(entry.stamp, entry.value.clone(), replaces.collect())
        };
        Self::bounded(other.entries.iter().map(entry).collect(), Floors::default(), bounds)
    }

    /// What nobody has written over, newest first; the first is the winner.
    fn heads(&self) -> impl Iterator<Item = &Entry> {
        let replaced = replaced(&self.entries);
        self.entries.iter().filter(move |entry| !replaced.contains(&entry.stamp))
    }

    /// For each stamp that is named, the newest entry that names it.
    fn replacers(&self) -> BTreeMap<Stamp, Stamp> {
        let oldest_first = self.entries.iter().rev();
        oldest_first
            .flat_map(|entry| entry.replaces.iter().map(|replaced| (*replaced, entry.stamp)))
            .collect()
    }

    fn holds(&self, stamp: Stamp) -> bool {
        self.entries.binary_search_by(|entry| stamp.cmp(&entry.stamp)).is_ok()
    }

    fn push(&mut self, entry: Entry, bounds: &Bounds) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.push(entry);
        *self = Self::bounded(entries, std::mem::take(&mut self.floors), bounds);
    }

    fn bounded(mut entries: Vec<Entry>, floors: Floors, bounds: &Bounds) -> Self {
        entries.sort_by(|a, b| b.order(a));
        entries.dedup();
        if entries.len() == 1 {
            return Self { entries, floors };
        }
        let replaced = replaced(&entries);
        let mut cut = floors.highest();
        let mut bytes = 0_usize;
        let history = entries.iter().filter(|entry| replaced.contains(&entry.stamp));
        for (index, entry) in history.enumerate() {
            bytes = bytes.saturating_add(entry.size());
            if index >= bounds.history_count || bytes > bounds.history_bytes {
                cut = cut.max(Some(entry.stamp));
                break;
            }
        }
        Self::cut(entries, floors, cut)
    }

    /// Gives up history at and below the cut. What a given-up entry was written over is older, so it goes with it, or
    /// went before: floors say so for both.
    fn cut(entries: Vec<Entry>, mut floors: Floors, cut: Option<Stamp>) -> Self {
        let mut replaced = replaced(&entries);
        if lockstep_proto::seeded!("unseen-is-bounded") {
            replaced.extend(entries.iter().skip(1).map(Entry::stamp));
        }
        let stays = |entry: &Entry| !replaced.contains(&entry.stamp) || Some(entry.stamp) > cut;
        let (entries, given_up): (Vec<_>, Vec<_>) = entries.into_iter().partition(stays);
        for entry in &given_up {
            floors.raise(entry.stamp);
            entry.replaces.iter().for_each(|replaced| floors.raise(*replaced));
        }
        Self { entries, floors }
    }

    /// Writes what another program says, unseen by who edited here: at its own time, above all that is known of other
    /// programs, and over nothing else. `None`, and nothing happens, where no stamp is left for it.
    pub(super) fn beside(&mut self, foreign: Author, value: Value, bounds: &Bounds) -> Option<()> {
        let named = self.entries.iter().flat_map(|entry| entry.replaces.iter().chain([&entry.stamp]));
        let known = named.copied().chain(self.floors.stamps()).filter(Stamp::is_foreign);
        let stamp = Stamp::after(known.max(), foreign)?;
        let theirs = self.entries.iter().map(Entry::stamp).filter(Stamp::is_foreign).collect();
        self.push(Entry::new(stamp, value, theirs), bounds);
        Some(())
    }
}

/// The stamps that these entries were written over.
fn replaced(entries: &[Entry]) -> BTreeSet<Stamp> {
    entries.iter().flat_map(|entry| entry.replaces.iter().copied()).collect()
}
