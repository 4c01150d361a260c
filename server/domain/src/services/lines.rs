//! Chains with heals: what their verifier needs, from the store, and its verdict.
//!
//! **Invariants:** one chain is held in memory and verified at a time, away from the threads that serve requests; an
//! account that lets the server verify many waits for the next one.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockstep_proto::ids::{AccountId, DeviceId};
use lockstep_proto::log::{AccountStates, CommitBody, Entry, Line, LogHead, Sides, VaultState};
use tokio::sync::Semaphore;

use super::accounts::{Accounts, KnownAccounts};
use super::commits::CommitRefusal;
use crate::limits::{Buckets, Budget, CAPACITY, Limit};
use crate::ports::Clock;
use crate::store::{CommitRow, StagePlace, Store, StoreError, VaultReader};

/// Commits on sides that are verified for one chain, at most: each heal has its side verified anew, also where another one
/// has joined the same commits.
const SIDE_COMMITS_LIMIT: usize = 1 << 18;
/// How many chains of one account are verified.
const BUDGET: Budget = Budget::new(20, 30, Limit::Chains);

/// What the new commits follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The vault's head.
    Vault,
    /// What the account has staged, or the vault's head.
    Staged,
}

/// A verified chain.
pub(super) struct Verified {
    /// The commits that are new.
    pub(super) entries: Vec<Entry>,
    /// The state after them.
    pub(super) state: VaultState,
    /// The side commits that the chain needs and the vault does not keep yet: all of them are staged.
    pub(super) sides: Vec<LogHead>,
    /// The devices that wrote these and are not removed.
    pub(super) writers: BTreeSet<DeviceId>,
}

/// Verifies chains with heals.
pub(super) struct Lines {
    store: Arc<dyn Store>,
    accounts: Arc<Accounts>,
    budget: Buckets<AccountId>,
    one: Semaphore,
}

impl Lines {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, accounts: Arc<Accounts>) -> Self {
        let budget = Buckets::new(BUDGET, CAPACITY, clock);
        Self { store, accounts, budget, one: Semaphore::new(1) }
    }

    /// Verifies the vault's chain with these commits at its end, the side commits that it keeps, and those that the account
    /// has staged. Compared with the store's head is nothing here: whoever writes does that.
    pub(super) async fn verify(
        &self,
        place: StagePlace,
        after: After,
        new: Vec<Entry>,
    ) -> Result<Verified, CommitRefusal> {
        self.budget.take(&place.account_id)?;
        let turn = self.one.acquire().await.map_err(|_| StoreError::Closed)?;
        let mut chain = self.chain(place).await?;
        if after == After::Staged {
            chain.extend(self.staged(place).await?);
        }
        let kept = self.kept_sides(place).await?;
        let known_sides: BTreeSet<LogHead> = kept.iter().map(head_of).collect();
        let mut sides = self.staged_sides(place).await?;
        // The signature is no part of a commit's hash: one that was verified is not put in question by what is staged.
        sides.extend(kept);
        let mut known = KnownAccounts::default();
        for entry in chain.iter().chain(&new).chain(&sides) {
            self.accounts.note_known(&mut known, place.account_id, entry).await?;
        }
        let verify = move || {
            let first = chain.len();
            chain.extend(new);
            let sides = Sides::new(sides);
            if !is_within(SIDE_COMMITS_LIMIT, &chain, &sides) {
                return Err(CommitRefusal::SidesFull);
            }
            let line = Line::verify(&chain, &sides, &known)?;
            let new: Vec<LogHead> = line.beside().difference(&known_sides).copied().collect();
            let entries = new.iter().filter_map(|head| sides.get(&head.hash));
            let writers = entries.filter_map(|entry| active_author(entry, &known)).collect();
            let state = line.state().clone();
            Ok(Verified { entries: chain.split_off(first), state, sides: new, writers })
        };
        let verified = tokio::task::spawn_blocking(verify).await.map_err(|_| StoreError::Closed)?;
        drop(turn);
        verified
    }

    /// The vault's chain; nothing of one that is not there.
    async fn chain(&self, place: StagePlace) -> Result<Vec<Entry>, StoreError> {
        let mut chain = Vec::<Entry>::new();
        loop {
            let after = chain.last().map(|entry| entry.commit.value().seq);
            let Some(page) = self.store.commit_page(reader(place), after, u32::MAX >> 1).await? else {
                break;
            };
            read_into(&mut chain, &page.rows)?;
            if !page.more {
                break;
            }
        }
        Ok(chain)
    }

    async fn staged(&self, place: StagePlace) -> Result<Vec<Entry>, StoreError> {
        let mut staged = Vec::<Entry>::new();
        loop {
            let after = staged.last().map(|entry| entry.commit.value().seq);
            let page = self.store.staged_commits(place, after).await?;
            read_into(&mut staged, &page.rows)?;
            if !page.more {
                return Ok(staged);
            }
        }
    }

    async fn kept_sides(&self, place: StagePlace) -> Result<Vec<Entry>, StoreError> {
        let mut kept = Vec::new();
        loop {
            let Some(page) = self.store.side_page(reader(place), kept.last().map(head_of)).await? else {
                break;
            };
            read_into(&mut kept, &page.rows)?;
            if !page.more {
                break;
            }
        }
        Ok(kept)
    }

    async fn staged_sides(&self, place: StagePlace) -> Result<Vec<Entry>, StoreError> {
        let mut staged = Vec::new();
        loop {
            let page = self.store.staged_sides(place, staged.last().map(head_of)).await?;
            read_into(&mut staged, &page.rows)?;
            if !page.more {
                return Ok(staged);
            }
        }
    }
}

/// Whether the sides of all heals together have at most so many commits.
fn is_within(limit: usize, chain: &[Entry], sides: &Sides) -> bool {
    let heals = chain.iter().chain(sides.iter()).filter_map(|entry| match &entry.body {
        CommitBody::Heal(heal) => Some(heal),
        _ => None,
    });
    let mut left = Some(limit);
    for heal in heals {
        let side = sides.side_of(heal).map_or(0, |side| side.len());
        left = left.and_then(|left| left.checked_sub(side));
        if left.is_none() {
            return false;
        }
    }
    true
}

/// The device that wrote a commit, if it is still one of its account.
fn active_author(entry: &Entry, accounts: &impl AccountStates) -> Option<DeviceId> {
    let commit = entry.commit.value();
    let device = accounts.account(&commit.author_account)?.device(&commit.author_device)?;
    device.is_active().then_some(commit.author_device)
}

fn reader(place: StagePlace) -> VaultReader {
    VaultReader { vault_id: place.vault_id, account_id: place.account_id }
}

fn head_of(entry: &Entry) -> LogHead {
    entry.commit.value().head(entry.commit.hash())
}

fn read_into(entries: &mut Vec<Entry>, rows: &[CommitRow]) -> Result<(), StoreError> {
    for row in rows {
        let entry = Entry::from_wire(&row.entry.commit, &row.entry.body);
        entries.push(entry.map_err(|_| StoreError::Corrupt("a commit"))?);
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use lockstep_proto::digest::Digest;
    use lockstep_proto::ids::{AccountId, DeviceId, Epoch, Hash, Seq, VaultId};
    use lockstep_proto::log::{Commit, ContentBody, HealBody};
    use lockstep_proto::sign::signed_bytes;

    use super::*;

    /// A commit that nobody signed.
    fn entry(seq: u64, prev_hash: Hash, body: &CommitBody) -> Entry {
        let commit = Commit {
            vault_id: VaultId([1; 32]),
            seq: Seq(seq),
            prev_hash,
            kind: body.kind(),
            epoch: Epoch(1),
            control_hash: Hash::ZERO,
            author_account: AccountId([2; 32]),
            author_device: DeviceId([3; 16]),
            author_position: LogHead::default(),
            time_ms: 0,
            digest: Digest::default(),
            live: 0,
            tombstones: 0,
            observed: Vec::new(),
            body_hash: body.hash(),
        };
        let bytes = signed_bytes(&commit);
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        Entry::from_wire(&[&length[..], &bytes, &[0; 64]].concat(), &body.to_bytes()).unwrap()
    }

    #[test]
    fn a_side_counts_once_for_each_heal_that_joins_it() {
        let fork = LogHead { seq: Seq(0), hash: Hash([7; 32]) };
        let (mut side, mut last) = (Vec::new(), fork);
        for seq in 1..=3 {
            side.push(entry(seq, last.hash, &CommitBody::Content(ContentBody { changes: Vec::new() })));
            last = head_of(&side[side.len() - 1]);
        }
        let heal = |seq: u64| {
            let body = HealBody { fork, side: last, side_control_hash: Hash::ZERO };
            entry(seq, Hash([seq as u8; 32]), &CommitBody::Heal(body))
        };
        let chain = [heal(4), heal(5)];
        let sides = Sides::new(side.clone());
        assert!(is_within(6, &chain, &sides) && !is_within(5, &chain, &sides));
        let sides = Sides::new(side.into_iter().chain([heal(6)]));
        assert!(is_within(9, &chain, &sides) && !is_within(8, &chain, &sides));
        assert!(is_within(0, &chain, &Sides::default()), "what is lacking is told by the verifier");
    }
}
