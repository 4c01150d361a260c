//! The heals that a chain leads to, those on their sides included.

use std::collections::{BTreeMap, BTreeSet};

use super::commit::Entry;
use super::commit_bodies::{CommitBody, HealBody};
use super::error::CommitError;
use super::seen::Seen;
use super::sides::Sides;
use crate::ids::Hash;

/// Heals of one chain and its sides, at most.
const HEALS_LIMIT: usize = 256;
/// Commits of all sides, at most; one that lies on several counts for each, as it is verified for each.
const COMMITS_LIMIT: usize = 1 << 18;
/// The heals that a chain leads to.
pub(super) struct Reach<'a> {
    /// Where their sides begin.
    pub(super) forks: BTreeSet<Hash>,
    /// By heal, those on its side.
    on_sides: BTreeMap<Hash, Vec<(&'a Entry, HealBody)>>,
    /// The commits of all sides, once for each that they are on.
    pub(super) beside: Vec<&'a Entry>,
}

impl<'a> Reach<'a> {
    /// Walks all sides once, and bounds what verifying them takes. With what removers had `seen`, only heals that can count
    /// are gone along, and all of their sides must be there.
    pub(super) fn of(
        chain: &[&'a Entry],
        sides: &'a Sides,
        seen: Option<&Seen>,
    ) -> Result<Self, CommitError> {
        let mut reach = Self { forks: BTreeSet::new(), on_sides: BTreeMap::new(), beside: Vec::new() };
        let counts =
            |(entry, _): &(&Entry, HealBody)| seen.is_none_or(|seen| !seen.lacks(&entry.commit.hash()));
        let mut open: Vec<_> = heals_of(chain.iter().copied()).into_iter().filter(counts).collect();
        while let Some((entry, heal)) = open.pop() {
            let hash = entry.commit.hash();
            if reach.on_sides.contains_key(&hash) {
                continue;
            }
            if reach.on_sides.len() == HEALS_LIMIT {
                return Err(CommitError::Rule("a vault's log has at most 256 heals"));
            }
            let side = match sides.between(&heal.fork, &heal.side) {
                Err(hash) if seen.is_some() => return Err(CommitError::SideMissing(hash)),
                side => side.unwrap_or_default(),
            };
            if reach.beside.len() + side.len() > COMMITS_LIMIT {
                return Err(CommitError::Rule("the sides of all heals have at most 262,144 commits"));
            }
            reach.beside.extend_from_slice(&side);
            let inner: Vec<_> = heals_of(side).into_iter().filter(counts).collect();
            open.extend_from_slice(&inner);
            reach.forks.insert(heal.fork.hash);
            reach.on_sides.insert(hash, inner);
        }
        Ok(reach)
    }

    /// Whether this is a heal whose side is gone along.
    pub(super) fn has(&self, entry: &Entry) -> bool {
        self.on_sides.contains_key(&entry.commit.hash())
    }

    pub(super) fn on_side(&self, heal: &Hash) -> &[(&'a Entry, HealBody)] {
        self.on_sides.get(heal).map_or(&[], Vec::as_slice)
    }
}

fn heals_of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<(&'a Entry, HealBody)> {
    entries.into_iter().filter_map(|entry| Some((entry, *heal_of(entry)?))).collect()
}

pub(super) fn heal_of(entry: &Entry) -> Option<&HealBody> {
    match &entry.body {
        CommitBody::Heal(body) => Some(body),
        _ => None,
    }
}
