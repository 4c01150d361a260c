//! What a device brings along when its vault goes on from another history than its own (R-REANCHOR): worked out here, without
//! effects.
//!
//! The vault is as the accepted history has it. What this device's own history had made of items is not lost: their documents
//! wait as ordinary edits with the stamps they have, which meet the other history's as any two devices' do, and so does a
//! purge, which says what it had seen.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{ItemId, Seq, Version};
use lockstep_proto::log::{AccountState, Commit, CommitBody, Entry, LastChange, LogHead};

use super::apply::LiveCount;
use super::branch::head_of;
use super::staging::StagedChange;
use super::whole::Whole;
use crate::item::{Document, Saw};
use crate::vault::{Edit, LeafState, OpenVault, Outbox, OutboxEntry, StoredLeaf};

/// What the own history did to items after the fork.
pub(super) struct Own {
    touched: BTreeSet<ItemId>,
    /// Items whose last version there was set by a device that was removed without that version's being seen.
    distrusted: BTreeSet<ItemId>,
}

impl Own {
    /// Of this device's commits, in order from the genesis.
    pub(super) fn of(entries: &[Entry], fork: Seq, account: &AccountState) -> Self {
        let chain: BTreeSet<LogHead> = entries.iter().map(head_of).collect();
        let (mut touched, mut distrusted) = (BTreeSet::new(), BTreeSet::new());
        for entry in entries.iter().filter(|entry| entry.commit.value().seq > fork) {
            let CommitBody::Content(body) = &entry.body else { continue };
            let counts = counts(account, entry.commit.value(), |head| chain.contains(head));
            for item_id in body.changes.iter().map(|change| change.item_id) {
                touched.insert(item_id);
                match counts {
                    true => distrusted.remove(&item_id),
                    false => distrusted.insert(item_id),
                };
            }
        }
        Self { touched, distrusted }
    }

    /// Items whose version of the own history does not count, and is not the accepted one.
    pub(super) fn distrusted(&self, vault: &OpenVault, whole: &Whole) -> BTreeSet<ItemId> {
        let is_other = |id: &&ItemId| vault.leaf(id) != whole.items().get(id).map(|last| last.leaf);
        self.distrusted.iter().filter(is_other).copied().collect()
    }

    fn brings(&self, item_id: &ItemId) -> bool {
        !self.distrusted.contains(item_id)
    }
}

/// Whether whoever removed this commit's author, if anybody did, had seen the commit.
fn counts(account: &AccountState, commit: &Commit, has: impl Fn(&LogHead) -> bool) -> bool {
    let device = account.device(&commit.author_device);
    let Some(revocation) = device.and_then(|device| device.revocation()) else { return true };
    revocation.cut_off(&commit.vault_id).is_some_and(|cut_off| commit.seq <= cut_off.seq && has(&cut_off))
}

/// The vault as the accepted history has it.
pub(super) struct Carried {
    /// Items whose leaf is another one than the pinned, or that are distrusted.
    pub(super) changed: BTreeMap<ItemId, StagedChange>,
    /// Items that the accepted history does not have.
    pub(super) gone: Vec<ItemId>,
    /// The outbox with what the own history had made, before it meets what comes.
    pub(super) outbox: Outbox,
    /// Its entries that are new or other.
    pub(super) touched: BTreeSet<ItemId>,
    /// Live items at the pin, without those that are gone.
    pub(super) live: LiveCount,
    /// Versions of the own history that are above those of the accepted one.
    pub(super) above: Vec<(ItemId, Version)>,
}

/// Items whose document at the pin [`carry`] needs.
pub(super) fn needed(vault: &OpenVault, whole: &Whole, own: &Own) -> BTreeSet<ItemId> {
    let is_live = |id: &&ItemId| {
        let stored = vault.leaves.leaf(id);
        let is_live = stored.is_some_and(|stored| stored.state == LeafState::Live);
        is_live && !vault.quarantine.contains_key(id) && own.brings(id)
    };
    own.touched.iter().chain(whole.distrusted()).filter(is_live).copied().collect()
}

/// Items purged in the own history.
pub(super) fn purged(vault: &OpenVault, own: &Own) -> BTreeSet<ItemId> {
    let is_purged = |id: &&ItemId| {
        vault.leaves.leaf(id).is_some_and(|stored| stored.state == LeafState::Tombstone) && own.brings(id)
    };
    own.touched.iter().filter(is_purged).copied().collect()
}

/// Works it out. `outbox` is the vault's, with what was in flight; `documents` are those [`needed`], and `tombstones` of those
/// [`purged`].
pub(super) fn carry(
    vault: &OpenVault,
    whole: &Whole,
    own: &Own,
    outbox: Outbox,
    (documents, tombstones): (&BTreeMap<ItemId, Document>, &BTreeMap<ItemId, Saw>),
) -> Carried {
    let mut live = LiveCount::pinned(vault.pin.state().live());
    let absent = vault.leaves.iter().filter(|(item_id, _)| !whole.items().contains_key(item_id));
    let gone: Vec<ItemId> = absent
        .map(|(item_id, stored)| {
            live.remove(stored.state);
            *item_id
        })
        .collect();
    let mut carried = Carried {
        changed: changed(vault, whole),
        gone,
        outbox,
        touched: BTreeSet::new(),
        live,
        above: above(vault, whole, own),
    };
    for item_id in own.touched.union(whole.distrusted()) {
        let Some(stored) = vault.leaves.leaf(item_id) else { continue };
        let waits = carried.outbox.get(item_id).cloned();
        let (document, saw) = (documents.get(item_id), tombstones.get(item_id));
        let has = Has { stored: *stored, waits, document, saw };
        let entry = match whole.items().get(item_id) {
            Some(last) if last.leaf == stored.leaf => has.waits,
            Some(last) if whole.distrusted().contains(item_id) => has.writes_over(last.leaf),
            Some(_) => has.meets(),
            None => has.alone(),
        };
        carried.touched.insert(*item_id);
        match entry {
            Some(entry) => carried.outbox.insert(*item_id, entry),
            None => carried.outbox.remove(item_id),
        };
    }
    carried
}

/// What this device has of an item.
struct Has<'a> {
    stored: StoredLeaf,
    waits: Option<OutboxEntry>,
    document: Option<&'a Document>,
    /// What its purge had seen.
    saw: Option<&'a Saw>,
}

impl Has<'_> {
    /// What waits where the accepted history has another version: it meets that one as every edit does.
    fn meets(self) -> Option<OutboxEntry> {
        if self.waits.is_some() {
            return self.waits;
        }
        let base = Some(self.stored.leaf);
        match (self.document, self.saw) {
            (Some(document), _) => {
                let base_document = Some(document.clone());
                Some(OutboxEntry { base, base_document, edit: Edit::Write(document.clone()) })
            }
            (None, Some(saw)) => {
                Some(OutboxEntry { base, base_document: None, edit: Edit::Purge(saw.clone()) })
            }
            (None, None) => None,
        }
    }

    /// What waits where that version is distrusted: it is not compared with, which would test what its author guessed.
    fn writes_over(self, leaf: Leaf) -> Option<OutboxEntry> {
        let over = |edit| OutboxEntry { base: Some(leaf), base_document: None, edit };
        self.meets().map(|entry| match entry.edit {
            Edit::Purge(saw) => over(Edit::Purge(saw)),
            Edit::Write(_) => entry,
        })
    }

    /// What waits where the accepted history has no such item: it is made anew.
    fn alone(self) -> Option<OutboxEntry> {
        let waits = self.waits.map(|entry| entry.edit);
        match waits.or_else(|| self.document.cloned().map(Edit::Write)) {
            Some(edit @ Edit::Write(_)) => Some(OutboxEntry { base: None, base_document: None, edit }),
            Some(Edit::Purge(_)) | None => None,
        }
    }
}

fn changed(vault: &OpenVault, whole: &Whole) -> BTreeMap<ItemId, StagedChange> {
    let mut changed = BTreeMap::new();
    for (item_id, last) in whole.items() {
        let is_distrusted = whole.distrusted().contains(item_id);
        let is_marked = vault.quarantine.get(item_id).is_some_and(|mark| mark.leaf == last.leaf);
        if vault.leaf(item_id) != Some(last.leaf) || (is_distrusted && !is_marked) {
            changed.insert(*item_id, staged(last, is_distrusted));
        }
    }
    changed
}

fn staged(last: &LastChange, is_distrusted: bool) -> StagedChange {
    let LastChange { leaf, prev_blob_hash, epoch, author_account, author_device, .. } = *last;
    StagedChange { leaf, prev_blob_hash, epoch, author_account, author_device, is_distrusted }
}

fn above(vault: &OpenVault, whole: &Whole, own: &Own) -> Vec<(ItemId, Version)> {
    let versions = own.touched.iter().filter_map(|item_id| Some((*item_id, vault.leaf(item_id)?.version)));
    let served = |item_id: &ItemId| whole.items().get(item_id).map_or(Version(0), |last| last.leaf.version);
    versions.filter(|(item_id, version)| *version > served(item_id)).collect()
}
