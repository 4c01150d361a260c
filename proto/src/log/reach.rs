//! The heals that a chain leads to, those on their sides included.

use std::collections::{BTreeMap, BTreeSet};

use super::author::AccountStates;
use super::commit::Entry;
use super::commit_bodies::{CommitBody, HealBody};
use super::error::CommitError;
use super::seen::Seen;
use super::sides::Sides;
use crate::ids::{Hash, VaultId};

/// Heals of one chain and its sides, at most.
const HEALS_LIMIT: usize = 256;
/// How deep void heals may rest on each other.
const ROUNDS_LIMIT: usize = 32;
/// Commits of all sides, at most; one that lies on several counts for each, as it is verified for each.
const COMMITS_LIMIT: usize = 1 << 18;
/// The heals that a chain leads to.
#[derive(Default)]
pub(super) struct Reach<'a> {
    /// Where their sides begin.
    pub(super) forks: BTreeSet<Hash>,
    /// By heal, those on its side.
    on_sides: BTreeMap<Hash, Vec<(&'a Entry, HealBody)>>,
    /// The commits of all sides, once for each that they are on.
    beside: Vec<&'a Entry>,
    /// A commit of a side that is not there.
    lacking: Option<Hash>,
}

impl<'a> Reach<'a> {
    /// Walks all sides but those of `void` heals once, and bounds what verifying them takes. What is lacking is noted.
    fn of(chain: &[&'a Entry], sides: &'a Sides, void: &BTreeSet<Hash>) -> Result<Self, CommitError> {
        let mut reach = Self::default();
        let counts = |(entry, _): &(&Entry, HealBody)| !void.contains(&entry.commit.hash());
        let mut open: Vec<_> = heals_of(chain.iter().copied()).into_iter().filter(counts).collect();
        while let Some((entry, heal)) = open.pop() {
            let hash = entry.commit.hash();
            if reach.on_sides.contains_key(&hash) {
                continue;
            }
            if reach.on_sides.len() == HEALS_LIMIT {
                return Err(CommitError::Rule("a vault's log has at most 256 heals"));
            }
            let side = sides.between(&heal.fork, &heal.side).unwrap_or_else(|lacking| {
                reach.lacking = Some(lacking);
                Vec::new()
            });
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

    /// The heals that count, with all of their sides, and what removers had seen. A heal that is void joins nothing, so what it
    /// names is in nobody's history, which may make further ones void.
    pub(super) fn counting(
        chain: &'a [Entry],
        sides: &'a Sides,
        vault_id: VaultId,
        accounts: &impl AccountStates,
    ) -> Result<(Self, Seen), CommitError> {
        let entries: Vec<&Entry> = chain.iter().collect();
        let mut void = BTreeSet::new();
        for _ in 0..ROUNDS_LIMIT {
            let reach = Self::of(&entries, sides, &void)?;
            let all = chain.iter().chain(reach.beside.iter().copied());
            let seen = Seen::of(vault_id, all, &void, accounts);
            let before = void.len();
            void.extend(reach.on_sides.keys().filter(|heal| seen.lacks(heal)));
            if void.len() == before {
                return reach
                    .lacking
                    .map_or(Ok((reach, seen)), |lacking| Err(CommitError::SideMissing(lacking)));
            }
        }
        Err(CommitError::Rule("void heals rest on each other too deep"))
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
