//! Commits that heals keep beside a vault's chain.

use std::collections::BTreeMap;

use super::LogHead;
use super::commit::Entry;
use super::commit_bodies::{CommitBody, HealBody};
use crate::ids::Hash;

/// Commits found by their hash. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sides {
    entries: BTreeMap<Hash, Entry>,
}

impl Sides {
    /// These commits.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut sides = Self::default();
        sides.extend(entries);
        sides
    }

    /// The commit with this hash.
    pub fn get(&self, hash: &Hash) -> Option<&Entry> {
        self.entries.get(hash)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The side of a heal: the commits after `fork` up to `side`, in order; `None` where one is lacking.
    pub fn side_of(&self, heal: &HealBody) -> Option<Vec<&Entry>> {
        self.between(&heal.fork, &heal.side).ok()
    }

    /// Whether the side between these commits, or the side of a heal on it, has this one.
    pub fn holds(&self, fork: &LogHead, last: &LogHead, head: &LogHead) -> bool {
        let mut open = vec![(*fork, *last)];
        let mut seen = std::collections::BTreeSet::new();
        while let Some((fork, last)) = open.pop() {
            let Ok(side) = self.between(&fork, &last) else { continue };
            for entry in side {
                let found = entry.commit.value().head(entry.commit.hash());
                if found == *head {
                    return true;
                }
                if let CommitBody::Heal(inner) = &entry.body
                    && seen.insert(found)
                {
                    open.push((inner.fork, inner.side));
                }
            }
        }
        false
    }

    /// The commits after one up to another, in order, or the hash of one that is lacking.
    pub(super) fn between(&self, after: &LogHead, last: &LogHead) -> Result<Vec<&Entry>, Hash> {
        let mut side = Vec::new();
        let mut hash = last.hash;
        while hash != after.hash {
            let entry = self.entries.get(&hash).ok_or(hash)?;
            // Positions go down at every step, so this ends.
            let above = side.last().map_or(last.seq.next(), |above: &&Entry| above.commit.value().seq);
            let seq = entry.commit.value().seq;
            if seq >= above || seq <= after.seq {
                return Err(hash);
            }
            side.push(entry);
            hash = entry.commit.value().prev_hash;
        }
        side.reverse();
        Ok(side)
    }
}

impl Extend<Entry> for Sides {
    fn extend<I: IntoIterator<Item = Entry>>(&mut self, entries: I) {
        self.entries.extend(entries.into_iter().map(|entry| (entry.commit.hash(), entry)));
    }
}

/// The commits that say who may write, from the genesis to the one that `last` names: what [`super::VaultState::skip_to`]
/// goes along. `control` are the genesis, control and heal commits of the chain; those of the heals' sides are taken from
/// `sides`. Gives the hash of one that is lacking as the error.
///
/// # Errors
/// The hash of a commit that is neither here nor there.
pub fn lineage<'a>(
    control: impl IntoIterator<Item = &'a Entry>,
    sides: &'a Sides,
    last: Hash,
) -> Result<Vec<&'a Entry>, Hash> {
    let on_sides = sides.iter().filter(|entry| !matches!(entry.body, CommitBody::Content(_)));
    let known: BTreeMap<Hash, &Entry> =
        control.into_iter().chain(on_sides).map(|entry| (entry.commit.hash(), entry)).collect();
    let mut line: Vec<&Entry> = Vec::new();
    let mut hash = last;
    while !hash.is_zero() {
        let entry = *known.get(&hash).ok_or(hash)?;
        let commit = entry.commit.value();
        if line.last().is_some_and(|above| above.commit.value().seq <= commit.seq) {
            return Err(hash);
        }
        line.push(entry);
        hash = commit.control_hash;
    }
    line.reverse();
    Ok(line)
}
