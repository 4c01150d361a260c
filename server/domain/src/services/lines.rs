//! Chains with heals: what their verifier needs, from the store, and its verdict.
//!
//! **Invariants:** one chain is held in memory and verified at a time, away from the threads that serve requests; an
//! account that lets the server verify many waits for the next one.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockstep_proto::log::{Entry, Line, LogHead, Sides, VaultState};
use tokio::sync::Semaphore;

use super::accounts::{Accounts, KnownAccounts};
use super::commits::CommitRefusal;
use crate::ports::Clock;
use crate::signin::Attempts;
use crate::store::{CommitRow, StagePlace, Store, StoreError, VaultReader};

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
}

/// Verifies chains with heals.
pub(super) struct Lines {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    accounts: Arc<Accounts>,
    attempts: Attempts,
    one: Semaphore,
}

impl Lines {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, accounts: Arc<Accounts>) -> Self {
        Self { store, clock, accounts, attempts: Attempts::default(), one: Semaphore::new(1) }
    }

    /// Verifies the vault's chain with these commits at its end, the side commits that it keeps, and those that the account
    /// has staged. Compared with the store's head is nothing here: whoever writes does that.
    pub(super) async fn verify(
        &self,
        place: StagePlace,
        after: After,
        new: Vec<Entry>,
    ) -> Result<Verified, CommitRefusal> {
        self.attempts.begin(place.account_id, self.clock.now_ms())?;
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
            self.accounts.note_known(&mut known, entry, None).await?;
        }
        let verify = move || {
            let first = chain.len();
            chain.extend(new);
            let line = Line::verify(&chain, &Sides::new(sides), &known)?;
            let sides = line.beside().difference(&known_sides).copied().collect();
            Ok(Verified { entries: chain.split_off(first), state: line.state().clone(), sides })
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
