//! A vault's past in memory: control commits, what happened since a commit, versions and their end.

use lockstep_proto::api::items::{KeptVersion, VersionPage};
use lockstep_proto::blob::ItemState;
use lockstep_proto::ids::{ItemId, Seq, Version};
use lockstep_proto::log::{CommitKind, LogHead};

use super::super::{CommitRow, ControlRows, ItemPlace, Pruned, RetentionRule, Since, VersionPlace};
use super::{StoredVersion, Vault, page};

impl Vault {
    pub(super) fn control(&self, after: Option<Seq>) -> Option<ControlRows> {
        let last = self.commits.last()?.clone();
        let control = self.commits.iter().filter(|row| row.kind != CommitKind::Content);
        let later = control.filter(|row| after.is_none_or(|after| row.head.seq > after));
        let (rows, more) = page(later, usize::MAX);
        Some(ControlRows { standing: self.standing(), last, rows, more })
    }

    pub(super) fn since(&self, base: LogHead, limit: usize) -> Option<Since> {
        if !self.contains(base) {
            return None;
        }
        let commits = self.commits.iter().filter(|row| row.head.seq > base.seq).cloned().collect::<Vec<_>>();
        let place = ItemPlace { seq: Some(base.seq), ..ItemPlace::default() };
        let places = self.places(place).into_iter();
        let items: Vec<_> = places.filter_map(|(seq, item_id)| self.stored_item(seq, item_id)).collect();
        let bytes =
            commits.iter().map(CommitRow::bytes).chain(items.iter().map(|item| item.blob.len() as u64));
        (bytes.sum::<u64>() <= limit as u64).then_some(Since { commits, items })
    }

    pub(super) fn version_page(&self, place: VersionPlace) -> VersionPage {
        let VersionPlace { item_id, before, limit } = place;
        let below = |(version, _): &(Version, &StoredVersion)| before.is_none_or(|before| *version < before);
        let mut versions = self.versions_of(item_id).rev().filter(below);
        let listed =
            versions.by_ref().take(limit as usize).map(|(version, stored)| kept(version, stored)).collect();
        VersionPage { versions: listed, more: versions.next().is_some() }
    }

    pub(super) fn prune(&mut self, rule: RetentionRule, limit: u32) -> Pruned {
        let gone: Vec<_> = self.items.keys().flat_map(|item_id| self.due(*item_id, rule)).collect();
        let mut pruned = Pruned::default();
        for key in gone.into_iter().take(limit as usize) {
            if let Some(stored) = self.versions.remove(&key) {
                pruned.versions += 1;
                pruned.bytes += stored.blob.len() as u64;
            }
        }
        self.used_bytes -= pruned.bytes;
        pruned
    }

    /// The versions of an item that the rule lets go.
    fn due(&self, item_id: ItemId, rule: RetentionRule) -> Vec<(ItemId, Version)> {
        let current = self.items.get(&item_id);
        let purged_ms = current.filter(|item| item.state == ItemState::Tombstone).and_then(|item| {
            self.versions.get(&(item_id, item.leaf.version)).map(|tombstone| tombstone.stored_ms)
        });
        let longer_ago = |then: u64, than: u64| rule.now_ms.saturating_sub(then) > than;
        let replaced = self
            .versions_of(item_id)
            .rev()
            .filter_map(|(version, stored)| stored.replaced_ms.map(|replaced_ms| (version, replaced_ms)));
        let due = replaced.enumerate().filter(|(newer, (_, replaced_ms))| {
            let by_rule = match purged_ms {
                Some(purged_ms) => longer_ago(purged_ms, rule.purged_ms),
                None => longer_ago(*replaced_ms, rule.keep_ms) || *newer >= rule.keep_versions as usize,
            };
            by_rule && longer_ago(*replaced_ms, RetentionRule::FLOOR_MS)
        });
        due.map(|(_, (version, _))| (item_id, version)).collect()
    }

    fn versions_of(&self, item_id: ItemId) -> impl DoubleEndedIterator<Item = (Version, &StoredVersion)> {
        let all = (item_id, Version(0))..=(item_id, Version(u64::MAX));
        self.versions.range(all).map(|((_, version), stored)| (*version, stored))
    }
}

fn kept(version: Version, stored: &StoredVersion) -> KeptVersion {
    KeptVersion {
        version,
        seq: stored.seq,
        bytes: stored.blob.len() as u64,
        stored_ms: stored.stored_ms,
        replaced_ms: stored.replaced_ms,
    }
}
