//! What becomes of a device's own branch when the vault goes on along another one that a heal has joined to it: worked
//! out here, without effects.
//!
//! The vault is as the healed chain has it. What this device's branch had made of items is not lost: their documents
//! wait as ordinary edits, which meet the other branch's as any two devices' do, and so does a purge of what nobody
//! else changed.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{ItemId, Seq, Version};
use lockstep_proto::log::{CommitBody, Entry, LastChange, Line};

use super::apply::LiveCount;
use super::staging::StagedChange;
use crate::item::{Document, Saw};
use crate::vault::{Edit, LeafState, OpenVault, Outbox, OutboxEntry, StoredLeaf};

/// What the own branch did to items: the leaf that each had at the fork.
pub(super) struct Own {
    touched: BTreeMap<ItemId, Leaf>,
    /// Items whose last version on the own branch does not count: its author might not write any more.
    void: BTreeSet<ItemId>,
    /// Items into which somebody has brought the own branch's versions already.
    finished: BTreeSet<ItemId>,
}

impl Own {
    /// What this device's commits, in order from the genesis, changed after the fork, and who counts, as the healed
    /// chain says.
    pub(super) fn of(entries: &[Entry], fork: Seq, line: &Line, finished: BTreeSet<ItemId>) -> Self {
        let (mut touched, mut void) = (BTreeMap::new(), BTreeSet::new());
        for entry in entries {
            let CommitBody::Content(body) = &entry.body else { continue };
            let is_void = line.is_void(&entry.commit.hash());
            for change in &body.changes {
                if is_void {
                    void.insert(change.item_id);
                } else {
                    void.remove(&change.item_id);
                }
                if entry.commit.value().seq > fork {
                    let old = Leaf { version: change.old_version, blob_hash: change.old_blob_hash };
                    touched.entry(change.item_id).or_insert(old);
                }
            }
        }
        Self { touched, void, finished }
    }

    /// Items whose version on the own branch does not count, and is not that of the healed chain.
    pub(super) fn void_of(&self, vault: &OpenVault, line: &Line) -> BTreeSet<ItemId> {
        let is_other = |id: &&ItemId| vault.leaf(id) != line.items().get(id).map(|last| last.leaf);
        self.void.iter().filter(is_other).copied().collect()
    }

    /// Whether there is something of the own branch to bring back.
    fn brings(&self, item_id: &ItemId) -> bool {
        !self.void.contains(item_id) && !self.finished.contains(item_id)
    }
}

/// The vault after the heal.
pub(super) struct Rejoined {
    /// Items whose leaf is another one than the pinned, or that are void.
    pub(super) changed: BTreeMap<ItemId, StagedChange>,
    /// Items that the healed chain does not have.
    pub(super) gone: Vec<ItemId>,
    /// The outbox with what the own branch had made, before it meets what comes.
    pub(super) outbox: Outbox,
    /// Its entries that are new or other.
    pub(super) touched: BTreeSet<ItemId>,
    /// Live items at the pin, without those that are gone.
    pub(super) live: LiveCount,
    /// Versions of the own branch that are above those of the healed chain.
    pub(super) above: Vec<(ItemId, Version)>,
}

/// Items whose document at the pin [`rejoin`] needs.
pub(super) fn needed(vault: &OpenVault, line: &Line, own: &Own) -> BTreeSet<ItemId> {
    let void = line.items().iter().filter(|(_, last)| last.is_void).map(|(item_id, _)| item_id);
    let ids = own.touched.keys().chain(void);
    let is_live = |id: &&ItemId| {
        let stored = vault.leaves.leaf(id);
        let is_live = stored.is_some_and(|stored| stored.state == LeafState::Live);
        is_live && !vault.quarantine.contains_key(id) && own.brings(id)
    };
    ids.filter(is_live).copied().collect()
}

/// Items purged on the own branch.
pub(super) fn purged(vault: &OpenVault, own: &Own) -> BTreeSet<ItemId> {
    let is_purged = |id: &&ItemId| {
        vault.leaves.leaf(id).is_some_and(|stored| stored.state == LeafState::Tombstone) && own.brings(id)
    };
    own.touched.keys().filter(is_purged).copied().collect()
}

/// Works it out. `outbox` is the vault's, with what was in flight on the own branch; `documents` are those [`needed`],
/// and `tombstones` of those [`purged`].
pub(super) fn rejoin(
    vault: &OpenVault,
    line: &Line,
    own: &Own,
    outbox: Outbox,
    (documents, tombstones): (&BTreeMap<ItemId, Document>, &BTreeMap<ItemId, Saw>),
) -> Rejoined {
    let mut live = LiveCount::pinned(vault.pin.state().live());
    let absent = vault.leaves.iter().filter(|(item_id, _)| !line.items().contains_key(item_id));
    let gone: Vec<ItemId> = absent
        .map(|(item_id, stored)| {
            live.remove(stored.state);
            *item_id
        })
        .collect();
    let mut rejoined = Rejoined {
        changed: changed(vault, line),
        gone,
        outbox,
        touched: BTreeSet::new(),
        live,
        above: above(vault, line, own),
    };
    let void = line.items().iter().filter(|(_, last)| last.is_void).map(|(item_id, _)| *item_id);
    let ids: BTreeSet<ItemId> = own.touched.keys().copied().chain(void).collect();
    for item_id in ids {
        let Some(stored) = vault.leaves.leaf(&item_id) else { continue };
        let waits = rejoined.outbox.get(&item_id).cloned();
        let brings = own.brings(&item_id);
        let (document, saw) = (documents.get(&item_id), tombstones.get(&item_id));
        let has = Has { stored: *stored, waits, document, saw, brings };
        let at_fork = own.touched.get(&item_id);
        let entry = match line.items().get(&item_id) {
            Some(last) if last.leaf == stored.leaf => has.waits,
            Some(last) => has.meets(last, at_fork),
            None => has.alone(),
        };
        rejoined.touched.insert(item_id);
        match entry {
            Some(entry) => rejoined.outbox.insert(item_id, entry),
            None => rejoined.outbox.remove(&item_id),
        };
    }
    rejoined
}

/// What this device has of an item.
struct Has<'a> {
    stored: StoredLeaf,
    waits: Option<OutboxEntry>,
    document: Option<&'a Document>,
    /// What its purge had seen.
    saw: Option<&'a Saw>,
    /// Whether this branch's version is to be brought back.
    brings: bool,
}

impl Has<'_> {
    /// What waits where the healed chain has another version: it meets that one as every edit does.
    fn meets(self, last: &LastChange, at_fork: Option<&Leaf>) -> Option<OutboxEntry> {
        if self.waits.is_some() {
            return self.waits;
        }
        let base = Some(self.stored.leaf);
        match (self.stored.state, self.document) {
            (LeafState::Live, Some(document)) => {
                let base_document = Some(document.clone());
                Some(OutboxEntry { base, base_document, edit: Edit::Write(document.clone()) })
            }
            (LeafState::Tombstone, _) if self.brings => {
                // Purged here, and changed there by nobody who counts: it is purged again. Else the purge meets what
                // came.
                let is_same = last.is_void || at_fork == Some(&last.leaf);
                let base = if is_same { Some(last.leaf) } else { base };
                let saw = self.saw.cloned().unwrap_or_default();
                Some(OutboxEntry { base, base_document: None, edit: Edit::Purge(saw) })
            }
            _ => None,
        }
    }

    /// What waits where the healed chain has no such item: it is made anew.
    fn alone(self) -> Option<OutboxEntry> {
        let waits = self.waits.map(|entry| entry.edit);
        match waits.or_else(|| self.document.cloned().map(Edit::Write)) {
            Some(edit @ Edit::Write(_)) => Some(OutboxEntry { base: None, base_document: None, edit }),
            Some(Edit::Purge(_)) | None => None,
        }
    }
}

fn changed(vault: &OpenVault, line: &Line) -> BTreeMap<ItemId, StagedChange> {
    let is_other = |(item_id, last): &(&ItemId, &LastChange)| {
        let is_marked = vault.quarantine.get(item_id).is_some_and(|mark| mark.leaf == last.leaf);
        vault.leaf(item_id) != Some(last.leaf) || (last.is_void && !is_marked)
    };
    let others = line.items().iter().filter(is_other);
    others.map(|(item_id, last)| (*item_id, StagedChange::from(last))).collect()
}

fn above(vault: &OpenVault, line: &Line, own: &Own) -> Vec<(ItemId, Version)> {
    let versions = own.touched.keys().filter_map(|item_id| Some((*item_id, vault.leaf(item_id)?.version)));
    let served = |item_id: &ItemId| line.items().get(item_id).map_or(Version(0), |last| last.leaf.version);
    versions.filter(|(item_id, version)| *version > served(item_id)).collect()
}

impl From<&LastChange> for StagedChange {
    fn from(last: &LastChange) -> Self {
        let LastChange { leaf, prev_blob_hash, epoch, author_account, author_device, is_void, .. } = *last;
        Self { leaf, prev_blob_hash, epoch, author_account, author_device, is_void }
    }
}
