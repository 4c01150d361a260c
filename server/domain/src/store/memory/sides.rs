//! Side commits in memory.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use lockstep_proto::log::LogHead;

use super::super::{
    CommitRow, CommitRows, JoinOutcome, NewJoin, NewSides, SideStore, SidesOutcome, StagePlace, StagedPage,
    StagedRow, StoreError, VaultReader,
};
use super::heal::Stage;
use super::{MemoryStore, Tables, page};

/// One area's side commits.
#[derive(Clone, Default)]
pub(super) struct StagedSides {
    rows: BTreeMap<LogHead, StagedRow>,
    /// Those that a staged chain, or the heal commit that is being made, needs.
    needed: BTreeSet<LogHead>,
    pub(super) touched_ms: u64,
}

impl StagedSides {
    /// Says which are needed; `false` where one of them is not there.
    pub(super) fn need(&mut self, sides: &[LogHead]) -> bool {
        self.needed = sides.iter().copied().collect();
        self.needed.iter().all(|head| self.rows.contains_key(head))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.rows.values().map(|staged| staged.row.bytes()).sum()
    }

    pub(super) fn needed(&self) -> impl Iterator<Item = &StagedRow> {
        self.needed.iter().filter_map(|head| self.rows.get(head))
    }
}

#[async_trait]
impl SideStore for MemoryStore {
    async fn stage_sides(&self, new: NewSides) -> Result<SidesOutcome, StoreError> {
        let mut tables = self.lock();
        let mut sides = tables.staged_sides.get(&new.place).cloned().unwrap_or_default();
        for staged in new.rows {
            sides.rows.entry(staged.row.head).or_insert(staged);
        }
        sides.touched_ms = new.now_ms;
        if sides.bytes() > new.limit_bytes {
            return Ok(SidesOutcome::SidesFull);
        }
        let staged = tables.stages.get(&new.place).map_or(0, Stage::bytes);
        if sides.bytes() + staged > tables.stage_limit(&new.place, new.stage_bytes) {
            return Ok(SidesOutcome::Full);
        }
        tables.staged_sides.insert(new.place, sides);
        Ok(SidesOutcome::Staged)
    }

    async fn staged_sides(
        &self,
        place: StagePlace,
        after: Option<LogHead>,
    ) -> Result<StagedPage, StoreError> {
        let tables = self.lock();
        let rows = tables.staged_sides.get(&place).into_iter().flat_map(|sides| sides.rows.values());
        let rows = rows.map(|staged| &staged.row).filter(|row| after.is_none_or(|after| row.head > after));
        let (rows, more) = page(rows, usize::MAX);
        Ok(StagedPage { rows, more })
    }

    async fn side_page(
        &self,
        reader: VaultReader,
        after: Option<LogHead>,
    ) -> Result<Option<CommitRows>, StoreError> {
        let tables = self.lock();
        let Some(vault) = tables.readable(reader) else { return Ok(None) };
        let rows = vault.sides.values().filter(|row| after.is_none_or(|after| row.head > after));
        let (rows, more) = page(rows, usize::MAX);
        Ok(Some(CommitRows { standing: vault.standing(), rows, more }))
    }

    async fn join(&self, join: NewJoin) -> Result<JoinOutcome, StoreError> {
        let mut tables = self.lock();
        let mut sides = tables.staged_sides.get(&join.place).cloned().unwrap_or_default();
        let all = sides.need(&join.sides);
        let before = tables.staged_sides.insert(join.place, sides);
        if let Some(refusal) = tables.join_refusal(&join, all) {
            match before {
                Some(before) => tables.staged_sides.insert(join.place, before),
                None => tables.staged_sides.remove(&join.place),
            };
            return Ok(refusal);
        }
        tables.keep_sides(&join.place);
        let Some(vault) = tables.vaults.get_mut(&join.place.vault_id) else {
            return Ok(JoinOutcome::NoVault);
        };
        vault.apply(join.commit);
        Ok(JoinOutcome::Joined(vault.standing()))
    }
}

impl Tables {
    /// What stands against a heal commit; `all` says whether all its side commits are there.
    fn join_refusal(&self, join: &NewJoin, all: bool) -> Option<JoinOutcome> {
        let commit = &join.commit;
        let Some(vault) = self.vaults.get(&join.place.vault_id) else { return Some(JoinOutcome::NoVault) };
        let standing = vault.standing();
        if vault.contains(commit.row.head) {
            return Some(JoinOutcome::Already(standing));
        }
        if standing.head != commit.after {
            return Some(JoinOutcome::HeadMoved(standing));
        }
        if !all {
            return Some(JoinOutcome::SideMissing);
        }
        let mut devices = join.writers.iter().chain([&commit.device_id]);
        if devices.any(|device_id| self.is_barred(&commit.vault_id, device_id, commit.now_ms)) {
            return Some(JoinOutcome::Barred);
        }
        if (vault.live, vault.tombstones) != (commit.live, commit.tombstones) {
            return Some(JoinOutcome::Counts);
        }
        if commit.bytes() + self.staged_bytes(&commit.vault_id) > standing.bytes_left {
            return Some(JoinOutcome::Quota(standing));
        }
        let full = !self.has_room_for_sides(&join.place, join.limit_bytes);
        full.then_some(JoinOutcome::SidesFull)
    }

    /// Whether the vault may keep the side commits that are needed.
    pub(super) fn has_room_for_sides(&self, place: &StagePlace, limit_bytes: u64) -> bool {
        let kept = self.vaults.get(&place.vault_id).map(|vault| vault.sides.clone()).unwrap_or_default();
        let needed = self.staged_sides.get(place).into_iter().flat_map(StagedSides::needed);
        let new = needed.map(|staged| &staged.row).filter(|row| !kept.contains_key(&row.head));
        let held: u64 = kept.values().chain(new).map(CommitRow::bytes).sum();
        held <= limit_bytes
    }

    /// Moves the side commits that are needed beside the chain, and forgets the others.
    pub(super) fn keep_sides(&mut self, place: &StagePlace) {
        let Some(sides) = self.staged_sides.remove(place) else { return };
        let Some(vault) = self.vaults.get_mut(&place.vault_id) else { return };
        for staged in sides.needed() {
            if vault.sides.insert(staged.row.head, staged.row.clone()).is_none() {
                vault.used_bytes += staged.row.bytes();
            }
        }
    }
}
