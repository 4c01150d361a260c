//! The store in memory: the executable specification that every other store agrees with.
//!
//! **Invariants:** one lock around everything, held for one method; checks come before the first write, so a refusal
//! changes nothing. Nothing survives the process.

mod accounts;
mod bars;
mod heal;
mod history;
mod operator;
mod quota;
mod sides;
mod vaults;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lockstep_proto::blob::ItemState;
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{AccountId, DeviceId, Hash, ItemId, Seq, ServerId, VaultId, Version};
use lockstep_proto::log::LogHead;

use super::{CommitRow, OwnLimits, StagePlace, StoredLink, StoredRecord};

/// A store without a database: for tests, and for trying things.
#[derive(Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

#[derive(Default, Clone)]
struct Tables {
    server_id: Option<ServerId>,
    accounts: BTreeMap<AccountId, Account>,
    vaults: BTreeMap<VaultId, Vault>,
    /// When each bar ends, also of vaults that are not there.
    bars: BTreeMap<VaultId, BTreeMap<DeviceId, u64>>,
    stages: BTreeMap<StagePlace, heal::Stage>,
    staged_sides: BTreeMap<StagePlace, sides::StagedSides>,
    /// The vaults' shares of their accounts' quotas.
    shares: BTreeMap<(AccountId, VaultId), u64>,
    /// Expiry by hash.
    invites: BTreeMap<Hash, u64>,
}

#[derive(Clone)]
struct Account {
    links: Vec<StoredLink>,
    slots: BTreeMap<Hash, Vec<u8>>,
    record: Option<StoredRecord>,
    own: OwnLimits,
}

#[derive(Clone)]
struct Vault {
    commits: Vec<CommitRow>,
    sides: BTreeMap<LogHead, CommitRow>,
    checkpoint: Vec<u8>,
    members: BTreeSet<AccountId>,
    items: BTreeMap<ItemId, Item>,
    versions: BTreeMap<(ItemId, Version), StoredVersion>,
    live: u64,
    tombstones: u64,
    used_bytes: u64,
    quota_bytes: u64,
}

#[derive(Clone, Copy)]
struct Item {
    leaf: Leaf,
    seq: Seq,
    state: ItemState,
}

#[derive(Clone)]
struct StoredVersion {
    seq: Seq,
    blob: Vec<u8>,
    stored_ms: u64,
    replaced_ms: Option<u64>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another store, which holds what this one holds now.
    pub fn copy(&self) -> Self {
        Self { tables: Mutex::new(self.lock().clone()) }
    }

    /// All links, slots, records, commits and blobs there are, for tests that look for plaintext.
    pub fn values(&self) -> Vec<Vec<u8>> {
        let tables = self.lock();
        let mut found = Vec::new();
        for account in tables.accounts.values() {
            found.extend(account.links.iter().map(|link| link.bytes.clone()));
            found.extend(account.slots.values().cloned());
            found.extend(account.record.iter().map(|record| record.upload.clone()));
        }
        for vault in tables.vaults.values() {
            for row in &vault.commits {
                found.extend([row.entry.commit.0.clone(), row.entry.body.0.clone()]);
            }
            found.extend(vault.versions.values().map(|version| version.blob.clone()));
        }
        found
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a page that holds `held` bytes takes an entry of `next` bytes more.
fn fits(held: usize, next: usize) -> bool {
    held == 0 || held + next <= lockstep_proto::api::PAGE_LIMIT
}

/// As many commits as fit into a page, and whether there are more.
fn page<'a>(rows: impl Iterator<Item = &'a CommitRow>, limit: usize) -> (Vec<CommitRow>, bool) {
    let (mut page, mut held) = (Vec::new(), 0);
    for row in rows {
        let size = row.bytes() as usize;
        if page.len() >= limit || !fits(held, size) {
            return (page, true);
        }
        held += size;
        page.push(row.clone());
    }
    (page, false)
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use std::sync::Arc;

    use super::MemoryStore;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn passes_the_conformance_suite() {
        crate::store::conformance::run(|| Arc::new(MemoryStore::new())).await;
    }
}
