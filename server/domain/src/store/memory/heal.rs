//! Staging areas in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use async_trait::async_trait;
use lockstep_proto::api::heal::WantedBlob;
use lockstep_proto::blob::ItemState;
use lockstep_proto::ids::{AccountId, ItemId, Seq};
use lockstep_proto::log::LogHead;

use super::super::{
    FinishOutcome, FinishStage, HealStore, NewStage, StageOutcome, StagePlace, Staged, StagedBlob,
    StagedChange, StagedPage, StagedRow, StoreError,
};
use super::sides::StagedSides;
use super::vaults::NO_LEAF;
use super::{Item, MemoryStore, StoredVersion, Tables, Vault, page};

/// One area.
#[derive(Clone, Default)]
pub(super) struct Stage {
    /// Where the vault was when the area was begun.
    base: Option<LogHead>,
    rows: Vec<StagedRow>,
    items: BTreeMap<ItemId, StagedItem>,
    checkpoint: Vec<u8>,
    live: u64,
    tombstones: u64,
    members: BTreeSet<AccountId>,
    touched_ms: u64,
}

#[derive(Clone)]
struct StagedItem {
    change: StagedChange,
    blob: Option<(ItemState, Vec<u8>)>,
}

impl Stage {
    fn head(&self) -> Option<LogHead> {
        self.rows.last().map(|staged| staged.row.head)
    }

    pub(super) fn bytes(&self) -> u64 {
        let rows = self.rows.iter().map(|staged| staged.row.entry.commit.len() + staged.row.entry.body.len());
        let blobs = self.items.values().filter_map(|item| Some(item.blob.as_ref()?.1.len()));
        rows.chain(blobs).sum::<usize>() as u64
    }

    fn blobs(&self) -> impl Iterator<Item = (&StagedChange, ItemState, &Vec<u8>)> {
        self.items.values().filter_map(|item| {
            let (state, blob) = item.blob.as_ref()?;
            Some((&item.change, *state, blob))
        })
    }
}

#[async_trait]
impl HealStore for MemoryStore {
    async fn staged(&self, place: StagePlace) -> Result<Staged, StoreError> {
        let tables = self.lock();
        let (vault, stage) = (tables.vaults.get(&place.vault_id), tables.stages.get(&place));
        let checkpoint = stage.map(|stage| &stage.checkpoint).or(vault.map(|vault| &vault.checkpoint));
        Ok(Staged {
            vault: vault.map(|vault| vault.standing().head),
            staged: stage.and_then(Stage::head),
            checkpoint: checkpoint.cloned(),
        })
    }

    async fn staged_commits(&self, place: StagePlace, after: Option<Seq>) -> Result<StagedPage, StoreError> {
        let tables = self.lock();
        let rows = tables.stages.get(&place).into_iter().flat_map(|stage| &stage.rows);
        let rows =
            rows.map(|staged| &staged.row).filter(|row| after.is_none_or(|after| row.head.seq > after));
        let (rows, more) = page(rows, usize::MAX);
        Ok(StagedPage { rows, more })
    }

    async fn stage(&self, new: NewStage) -> Result<StageOutcome, StoreError> {
        let mut tables = self.lock();
        let vault_head = tables.vaults.get(&new.place.vault_id).map(|vault| vault.standing().head);
        let mut stage = match tables.stages.get(&new.place) {
            Some(stage) => stage.clone(),
            None => Stage { base: vault_head, ..Stage::default() },
        };
        if stage.head().or(stage.base) != new.after {
            return Ok(StageOutcome::Moved);
        }
        for change in new.changes {
            let staged = stage.items.get(&change.item_id).map(|item| item.change.new);
            let stored = || tables.vaults.get(&new.place.vault_id).map(|vault| vault.leaf(&change.item_id));
            if staged.or_else(stored).unwrap_or(NO_LEAF) != change.old {
                return Ok(StageOutcome::Item(change.item_id));
            }
            stage.items.insert(change.item_id, StagedItem { change, blob: None });
        }
        let mut sides = tables.staged_sides.get(&new.place).cloned().unwrap_or_default();
        if !new.sides.is_empty() && !sides.need(&new.sides) {
            return Ok(StageOutcome::SideMissing);
        }
        stage.rows.extend(new.rows);
        (stage.checkpoint, stage.live, stage.tombstones) = (new.checkpoint, new.live, new.tombstones);
        (stage.members, stage.touched_ms) = (new.members.into_iter().collect(), new.now_ms);
        if stage.bytes() + sides.bytes() > tables.stage_limit(&new.place, new.limit_bytes) {
            return Ok(StageOutcome::Full);
        }
        if !new.sides.is_empty() {
            tables.staged_sides.insert(new.place, sides);
        }
        tables.stages.insert(new.place, stage);
        Ok(StageOutcome::Staged)
    }

    async fn wanted(&self, place: StagePlace, limit: u32) -> Result<Vec<WantedBlob>, StoreError> {
        let tables = self.lock();
        let items = tables.stages.get(&place).into_iter().flat_map(|stage| stage.items.values());
        let wanted = items.filter(|item| item.blob.is_none()).map(|item| WantedBlob {
            item_id: item.change.item_id,
            version: item.change.new.version,
            blob_hash: item.change.new.blob_hash,
        });
        Ok(wanted.take(limit as usize).collect())
    }

    async fn stage_blobs(
        &self,
        place: StagePlace,
        blobs: Vec<StagedBlob>,
        now_ms: u64,
        limit_bytes: u64,
    ) -> Result<bool, StoreError> {
        let mut tables = self.lock();
        let Some(mut after) = tables.stages.get(&place).cloned() else { return Ok(true) };
        for sent in blobs {
            let Some(item) = after.items.get_mut(&sent.item_id) else { continue };
            if item.change.new.blob_hash == sent.blob_hash && item.change.header == sent.header {
                item.blob = Some((sent.state, sent.blob));
            }
        }
        after.touched_ms = now_ms;
        let sides = tables.staged_sides.get(&place).map_or(0, StagedSides::bytes);
        if after.bytes() + sides > tables.stage_limit(&place, limit_bytes) {
            return Ok(false);
        }
        tables.stages.insert(place, after);
        Ok(true)
    }

    async fn finish_stage(&self, finish: FinishStage) -> Result<FinishOutcome, StoreError> {
        let mut tables = self.lock();
        if let Some(refusal) = tables.refusal(&finish) {
            return Ok(refusal);
        }
        let Some(stage) = tables.stages.remove(&finish.place) else { return Ok(FinishOutcome::Moved) };
        let is_new = !tables.vaults.contains_key(&finish.place.vault_id);
        let vault = tables.vaults.entry(finish.place.vault_id).or_insert_with(|| Vault::empty(0));
        vault.catch_up(stage, finish.now_ms);
        tables.keep_sides(&finish.place);
        let Some(vault) = tables.vaults.get_mut(&finish.place.vault_id) else {
            return Ok(FinishOutcome::Moved);
        };
        if is_new {
            vault.quota_bytes = vault.used_bytes;
        }
        Ok(FinishOutcome::Finished(vault.standing()))
    }

    async fn drop_stage(&self, place: StagePlace, before_ms: u64) -> Result<(), StoreError> {
        let mut tables = self.lock();
        let stage = tables.stages.get(&place).map(|stage| stage.touched_ms);
        let sides = tables.staged_sides.get(&place).map(|sides| sides.touched_ms);
        if stage.max(sides).is_some_and(|touched_ms| touched_ms < before_ms) {
            tables.stages.remove(&place);
            tables.staged_sides.remove(&place);
        }
        Ok(())
    }

    async fn next_stage(&self, after: Option<StagePlace>) -> Result<Option<StagePlace>, StoreError> {
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let tables = self.lock();
        let stage = tables.stages.range(range).next().map(|(place, _)| *place);
        let sides = tables.staged_sides.range(range).next().map(|(place, _)| *place);
        Ok(stage.into_iter().chain(sides).min())
    }
}

impl Tables {
    /// What a staging area may hold.
    pub(super) fn stage_limit(&self, place: &StagePlace, limit_bytes: u64) -> u64 {
        self.vaults.get(&place.vault_id).map_or(limit_bytes, |vault| vault.standing().bytes_left)
    }

    fn refusal(&self, finish: &FinishStage) -> Option<FinishOutcome> {
        let vault = self.vaults.get(&finish.place.vault_id);
        let standing = vault.map(Vault::standing);
        let Some(stage) = self.stages.get(&finish.place) else {
            let already = standing.filter(|standing| standing.head == finish.head);
            return Some(already.map_or(FinishOutcome::Moved, FinishOutcome::Already));
        };
        if stage.head() != Some(finish.head) || stage.base != standing.map(|standing| standing.head) {
            return Some(FinishOutcome::Moved);
        }
        if stage.items.values().any(|item| item.blob.is_none()) {
            return Some(FinishOutcome::Incomplete);
        }
        let barred =
            |staged: &StagedRow| self.is_barred(&finish.place.vault_id, &staged.device_id, finish.now_ms);
        let sides = self.staged_sides.get(&finish.place);
        if stage.rows.iter().chain(sides.into_iter().flat_map(|sides| sides.needed())).any(barred) {
            return Some(FinishOutcome::Barred);
        }
        let empty = Vault::empty(0);
        let before = vault.unwrap_or(&empty);
        let states = stage.blobs().map(|(change, state, _)| (change.item_id, state));
        if before.counts_with(states) != (stage.live, stage.tombstones) {
            return Some(FinishOutcome::Counts);
        }
        let full = !self.has_room_for_sides(&finish.place, finish.sides_limit);
        full.then_some(FinishOutcome::SidesFull)
    }
}

impl Vault {
    fn catch_up(&mut self, stage: Stage, now_ms: u64) {
        self.used_bytes += stage.bytes();
        for (change, state, blob) in stage.blobs() {
            let before = self.leaf(&change.item_id).version;
            if let Some(replaced) = self.versions.get_mut(&(change.item_id, before)) {
                replaced.replaced_ms = Some(now_ms);
            }
            self.items.insert(change.item_id, Item { leaf: change.new, seq: change.seq, state });
            let (seq, blob) = (change.seq, blob.clone());
            let stored = StoredVersion { seq, blob, stored_ms: now_ms, replaced_ms: None };
            self.versions.insert((change.item_id, change.new.version), stored);
        }
        self.commits.extend(stage.rows.into_iter().map(|staged| staged.row));
        (self.checkpoint, self.members) = (stage.checkpoint, stage.members);
        (self.live, self.tombstones) = (stage.live, stage.tombstones);
    }
}
