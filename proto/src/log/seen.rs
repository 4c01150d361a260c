//! What the removers of devices had seen (R-AUTHOR 4): a cut-off is the head that a remover had pinned, and what a removed
//! device wrote counts if that head's history has it, the sides of heals included.

use std::collections::{BTreeMap, BTreeSet};

use super::LogHead;
use super::author::{AccountStates, cut_off_of};
use super::commit::Entry;
use super::commit_bodies::CommitBody;
use crate::ids::{Hash, VaultId};

/// Cut-offs that are looked at in one pass.
const AT_ONCE: usize = u64::BITS as usize;

/// Of a chain and its sides: the cut-offs of those who wrote there, and which of their commits these hold.
#[derive(Default)]
pub(super) struct Seen {
    cut_offs: BTreeSet<LogHead>,
    held: BTreeSet<Hash>,
    unseen: BTreeSet<Hash>,
}

impl Seen {
    /// Goes through commits of which nothing is verified but where they stand: the history of what is refused for that does
    /// not matter. What `void` heals name is no part of anybody's history. As many passes as there are cut-offs, divided by 64.
    pub(super) fn of<'a>(
        vault_id: VaultId,
        entries: impl IntoIterator<Item = &'a Entry>,
        void: &BTreeSet<Hash>,
        accounts: &impl AccountStates,
    ) -> Self {
        let history = History::new(entries);
        let asked = history.entries.iter().enumerate().filter_map(|(place, entry)| {
            let cut_off = cut_off_of(entry.commit.value(), vault_id, accounts)?;
            Some((cut_off, history.place_of(&cut_off)?, place))
        });
        let mut by_cut_off = BTreeMap::<LogHead, (usize, Vec<usize>)>::new();
        for (cut_off, at, place) in asked {
            by_cut_off.entry(cut_off).or_insert((at, Vec::new())).1.push(place);
        }
        let all: Vec<&(usize, Vec<usize>)> = by_cut_off.values().collect();
        let mut seen = Self::default();
        for some in all.chunks(AT_ONCE) {
            let masks = history.masks(some.iter().map(|(at, _)| *at), void);
            for (bit, (_, places)) in some.iter().enumerate() {
                for place in places {
                    let is_held = masks.get(*place).is_some_and(|mask| mask & (1 << bit) != 0);
                    let commits = if is_held { &mut seen.held } else { &mut seen.unseen };
                    commits.extend(history.hash(*place));
                }
            }
        }
        seen.cut_offs.extend(by_cut_off.into_keys());
        seen
    }

    /// The cut-offs that are among the commits.
    pub(super) fn cut_offs(&self) -> &BTreeSet<LogHead> {
        &self.cut_offs
    }

    /// Whether the cut-off of this commit's author is here and has it in its history.
    pub(super) fn holds(&self, commit: &Hash) -> bool {
        self.held.contains(commit)
    }

    /// Whether the cut-off of this commit's author is here and lacks it: the commit is void, or makes the chain invalid.
    pub(super) fn lacks(&self, commit: &Hash) -> bool {
        self.unseen.contains(commit)
    }
}

/// Commits from the last position to the first, and which of them each follows.
struct History<'a> {
    entries: Vec<&'a Entry>,
    places: BTreeMap<Hash, usize>,
}

impl<'a> History<'a> {
    fn new(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut entries: Vec<&Entry> = entries.into_iter().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse((entry.commit.value().seq, entry.commit.hash())));
        entries.dedup_by_key(|entry| entry.commit.hash());
        let places = entries.iter().enumerate().map(|(place, entry)| (entry.commit.hash(), place)).collect();
        Self { entries, places }
    }

    fn place_of(&self, head: &LogHead) -> Option<usize> {
        let place = *self.places.get(&head.hash)?;
        self.entries.get(place).filter(|entry| entry.commit.value().seq == head.seq).map(|_| place)
    }

    fn hash(&self, place: usize) -> Option<Hash> {
        self.entries.get(place).map(|entry| entry.commit.hash())
    }

    /// For each commit, which of these have it in their history, themselves included: one bit each.
    fn masks(&self, heads: impl Iterator<Item = usize>, void: &BTreeSet<Hash>) -> Vec<u64> {
        let mut masks = vec![0_u64; self.entries.len()];
        for (bit, place) in heads.enumerate() {
            masks.get_mut(place).into_iter().for_each(|mask| *mask |= 1 << bit);
        }
        for (place, entry) in self.entries.iter().enumerate() {
            let mask = masks.get(place).copied().unwrap_or_default();
            if mask == 0 {
                continue;
            }
            let side = match &entry.body {
                CommitBody::Heal(heal) if !void.contains(&entry.commit.hash()) => Some(heal.side.hash),
                _ => None,
            };
            for before in [Some(entry.commit.value().prev_hash), side].into_iter().flatten() {
                let place = self.places.get(&before);
                place.and_then(|place| masks.get_mut(*place)).into_iter().for_each(|other| *other |= mask);
            }
        }
        masks
    }
}
