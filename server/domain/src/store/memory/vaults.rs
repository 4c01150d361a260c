//! Vaults in memory.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use lockstep_proto::api::items::{BlobsPage, ItemVersion, StoredBlob, StoredItem, VersionPage};
use lockstep_proto::blob::ItemState;
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{Hash, ItemId, Seq, VaultId, Version};
use lockstep_proto::log::LogHead;

use super::super::{
    CommitOutcome, CommitRows, ControlRows, CreateVaultOutcome, ItemPlace, ItemRows, NewCommit, NewVault,
    News, QuotaRule, Standing, StoreError, VaultReader, VaultStore, VersionPlace,
};
use super::{Item, MemoryStore, StoredVersion, Tables, Vault, fits, page};

/// What an item has that was never made.
pub(super) const NO_LEAF: Leaf = Leaf { version: Version(0), blob_hash: Hash::ZERO };

#[async_trait]
impl VaultStore for MemoryStore {
    async fn create_vault(&self, vault: NewVault) -> Result<CreateVaultOutcome, StoreError> {
        let mut tables = self.lock();
        if let Some(known) = tables.vaults.get(&vault.vault_id) {
            return Ok(CreateVaultOutcome::Already(known.standing()));
        }
        if tables.is_barred(&vault.vault_id, &vault.device_id, vault.now_ms) {
            return Ok(CreateVaultOutcome::Barred);
        }
        let entry = Vault {
            used_bytes: vault.genesis.bytes(),
            commits: vec![vault.genesis],
            checkpoint: vault.checkpoint,
            members: vault.members.into_iter().collect(),
            ..Vault::empty(vault.quota_bytes)
        };
        let standing = entry.standing();
        tables.vaults.insert(vault.vault_id, entry);
        Ok(CreateVaultOutcome::Created(standing))
    }

    async fn commit(&self, commit: NewCommit) -> Result<CommitOutcome, StoreError> {
        let mut tables = self.lock();
        let barred = tables.is_barred(&commit.vault_id, &commit.device_id, commit.now_ms);
        let staged = tables.staged_bytes(&commit.vault_id);
        let Some(vault) = tables.vaults.get_mut(&commit.vault_id) else { return Ok(CommitOutcome::NoVault) };
        if let Some(refusal) = vault.refusal(&commit, barred, staged) {
            return Ok(refusal);
        }
        vault.apply(commit);
        Ok(CommitOutcome::Committed(vault.standing()))
    }

    async fn checkpoint(&self, vault_id: VaultId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.lock().vaults.get(&vault_id).map(|vault| vault.checkpoint.clone()))
    }

    async fn find_commit(
        &self,
        reader: VaultReader,
        commit: LogHead,
    ) -> Result<Option<(bool, Standing)>, StoreError> {
        let tables = self.lock();
        Ok(tables.readable(reader).map(|vault| (vault.contains(commit), vault.standing())))
    }

    async fn commit_page(
        &self,
        reader: VaultReader,
        after: Option<Seq>,
        limit: u32,
    ) -> Result<Option<CommitRows>, StoreError> {
        let tables = self.lock();
        let Some(vault) = tables.readable(reader) else { return Ok(None) };
        let later = vault.commits.iter().filter(|row| after.is_none_or(|after| row.head.seq > after));
        let (rows, more) = page(later, limit as usize);
        Ok(Some(CommitRows { standing: vault.standing(), rows, more }))
    }

    async fn item_page(&self, reader: VaultReader, place: ItemPlace) -> Result<Option<ItemRows>, StoreError> {
        let tables = self.lock();
        let Some(vault) = tables.readable(reader) else { return Ok(None) };
        let mut page = ItemRows { standing: vault.standing(), rows: Vec::new(), more: false };
        let mut held = 0;
        for (seq, item_id) in vault.places(place) {
            let Some(stored) = vault.stored_item(seq, item_id) else { continue };
            if !fits(held, stored.blob.len()) {
                page.more = true;
                break;
            }
            held += stored.blob.len();
            page.rows.push(stored);
        }
        Ok(Some(page))
    }

    async fn blobs(
        &self,
        reader: VaultReader,
        want: Vec<ItemVersion>,
    ) -> Result<Option<BlobsPage>, StoreError> {
        let tables = self.lock();
        let Some(vault) = tables.readable(reader) else { return Ok(None) };
        let mut page = BlobsPage { blobs: Vec::new(), missing: Vec::new(), more: false };
        let mut held = 0;
        for wanted in want {
            let Some(StoredVersion { blob, .. }) = vault.versions.get(&(wanted.item_id, wanted.version))
            else {
                page.missing.push(wanted);
                continue;
            };
            if !fits(held, blob.len()) {
                page.more = true;
                break;
            }
            held += blob.len();
            let (item_id, version) = (wanted.item_id, wanted.version);
            page.blobs.push(StoredBlob { item_id, version, blob: blob.clone().into() });
        }
        Ok(Some(page))
    }

    async fn control_page(
        &self,
        reader: VaultReader,
        after: Option<Seq>,
    ) -> Result<Option<ControlRows>, StoreError> {
        Ok(self.lock().readable(reader).and_then(|vault| vault.control(after)))
    }

    async fn news(
        &self,
        reader: VaultReader,
        base: LogHead,
        limit: usize,
    ) -> Result<Option<News>, StoreError> {
        let tables = self.lock();
        let news = |vault: &Vault| News { standing: vault.standing(), since: vault.since(base, limit) };
        Ok(tables.readable(reader).map(news))
    }

    async fn versions(
        &self,
        reader: VaultReader,
        place: VersionPlace,
    ) -> Result<Option<VersionPage>, StoreError> {
        Ok(self.lock().readable(reader).map(|vault| vault.version_page(place)))
    }
}

impl Tables {
    pub(super) fn readable(&self, reader: VaultReader) -> Option<&Vault> {
        self.vaults.get(&reader.vault_id).filter(|vault| vault.members.contains(&reader.account_id))
    }
}

impl Vault {
    /// A vault that nothing was written to, not even its genesis.
    pub(super) fn empty(quota_bytes: u64) -> Self {
        Self {
            commits: Vec::new(),
            sides: BTreeMap::new(),
            checkpoint: Vec::new(),
            members: BTreeSet::new(),
            items: BTreeMap::new(),
            versions: BTreeMap::new(),
            live: 0,
            tombstones: 0,
            used_bytes: 0,
            quota_bytes,
        }
    }

    fn head(&self) -> LogHead {
        self.commits.last().map(|row| row.head).unwrap_or_default()
    }

    pub(super) fn standing(&self) -> Standing {
        Standing { head: self.head(), bytes_left: self.quota_bytes.saturating_sub(self.used_bytes) }
    }

    pub(super) fn contains(&self, commit: LogHead) -> bool {
        self.commits
            .binary_search_by_key(&commit.seq, |row| row.head.seq)
            .is_ok_and(|index| self.commits[index].head == commit)
    }

    fn refusal(&self, commit: &NewCommit, barred: bool, staged: u64) -> Option<CommitOutcome> {
        if self.contains(commit.row.head) {
            return Some(CommitOutcome::Already(self.standing()));
        }
        if self.head() != commit.after {
            return Some(CommitOutcome::HeadMoved(self.standing()));
        }
        if barred {
            return Some(CommitOutcome::Barred);
        }
        if let Some(item) = commit.items.iter().find(|item| self.leaf(&item.item_id) != item.old) {
            return Some(CommitOutcome::Item(item.item_id));
        }
        let states = commit.items.iter().map(|item| (item.item_id, item.state));
        if self.counts_with(states) != (commit.live, commit.tombstones) {
            return Some(CommitOutcome::Counts);
        }
        let full =
            commit.quota == QuotaRule::Enforced && commit.bytes() + staged > self.standing().bytes_left;
        full.then(|| CommitOutcome::Quota(self.standing()))
    }

    pub(super) fn leaf(&self, item_id: &ItemId) -> Leaf {
        self.items.get(item_id).map_or(NO_LEAF, |item| item.leaf)
    }

    /// Live items and tombstones, once these items are what is said here.
    pub(super) fn counts_with(&self, items: impl Iterator<Item = (ItemId, ItemState)>) -> (u64, u64) {
        let mut counts = (self.live, self.tombstones);
        for (item_id, state) in items {
            match self.items.get(&item_id).map(|known| known.state) {
                Some(ItemState::Live) => counts.0 -= 1,
                Some(ItemState::Tombstone) => counts.1 -= 1,
                None => {}
            }
            match state {
                ItemState::Live => counts.0 += 1,
                ItemState::Tombstone => counts.1 += 1,
            }
        }
        counts
    }

    pub(super) fn apply(&mut self, commit: NewCommit) {
        let seq = commit.row.head.seq;
        self.used_bytes += commit.bytes();
        for item in commit.items {
            self.items.insert(item.item_id, Item { leaf: item.new, seq, state: item.state });
            if let Some(replaced) = self.versions.get_mut(&(item.item_id, item.old.version)) {
                replaced.replaced_ms = Some(commit.now_ms);
            }
            let stored = StoredVersion { seq, blob: item.blob, stored_ms: commit.now_ms, replaced_ms: None };
            self.versions.insert((item.item_id, item.new.version), stored);
        }
        if let Some(members) = commit.members {
            self.members = members.into_iter().collect();
        }
        self.live = commit.live;
        self.tombstones = commit.tombstones;
        self.checkpoint = commit.checkpoint;
        self.commits.push(commit.row);
    }

    pub(super) fn places(&self, place: ItemPlace) -> BTreeSet<(Seq, ItemId)> {
        let after = |seq: Seq, item_id: ItemId| match (place.seq, place.item_id) {
            (None, _) => true,
            (Some(after), None) => seq > after,
            (Some(after), Some(after_item)) => (seq, item_id) > (after, after_item),
        };
        let places = self.items.iter().map(|(item_id, item)| (item.seq, *item_id));
        places
            .filter(|(seq, item_id)| after(*seq, *item_id) && place.upto.is_none_or(|upto| *seq <= upto))
            .collect()
    }

    pub(super) fn stored_item(&self, seq: Seq, item_id: ItemId) -> Option<StoredItem> {
        let leaf = self.items.get(&item_id)?.leaf;
        let blob = self.versions.get(&(item_id, leaf.version))?.blob.clone();
        Some(StoredItem { item_id, version: leaf.version, blob_hash: leaf.blob_hash, seq, blob: blob.into() })
    }
}
