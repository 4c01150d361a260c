//! From waiting edits to a signed commit, verified by this device before anybody else sees it.

use std::collections::BTreeMap;

use lockstep_crypto::envelope::SealError;
use lockstep_crypto::item::{SealedItem, seal_item};
use lockstep_proto::blob::{ItemHeader, ItemState};
use lockstep_proto::canon::CanonError;
use lockstep_proto::ids::{Hash, ItemId, Version};
use lockstep_proto::log::{
    Change, Commit, CommitBody, CommitError, CommitKind, ContentBody, Entry, LATEST_MS, VaultHead,
    change_digest,
};

use crate::account::Unlocked;
use crate::vault::{Edit, InFlight, LeafState, OpenVault, Outbox, OutboxEntry};

/// Why no commit was made. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BuildError {
    #[error("the vault's current key is not on this device")]
    KeyMissing,
    #[error("an edit stands on a version that is not the pinned one")]
    Base(ItemId),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Format(#[from] CanonError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error("the parts of the commit do not belong together")]
    Parts,
}

/// Seals `chosen` edits of the outbox, and signs the commit that brings them.
pub(crate) fn build(
    unlocked: &Unlocked,
    vault: &OpenVault,
    chosen: &[ItemId],
    observed: Vec<VaultHead>,
    now_ms: u64,
) -> Result<InFlight, BuildError> {
    let mut changes = Vec::new();
    let mut blobs = BTreeMap::new();
    let mut edits = Outbox::new();
    let mut counts = Counts { live: vault.pin.state().live(), tombstones: vault.pin.state().tombstones() };
    for (item_id, entry) in chosen.iter().filter_map(|item_id| vault.outbox.get_key_value(item_id)) {
        let (change, sealed) = seal(unlocked, vault, item_id, entry)?;
        counts.replace(vault.leaves.leaf(item_id).map(|stored| stored.state), &entry.edit);
        changes.push(change);
        blobs.insert(*item_id, sealed.bytes);
        edits.insert(*item_id, entry.clone());
    }
    changes.sort_by_key(|change| change.item_id);
    let state = vault.pin.state();
    let digest = change_digest(&state.vault_id(), &state.digest(), &changes)?;
    let body = CommitBody::Content(ContentBody { changes });
    let commit = Commit {
        vault_id: state.vault_id(),
        seq: state.head().seq.next(),
        prev_hash: state.head().hash,
        kind: CommitKind::Content,
        epoch: state.epoch(),
        control_hash: state.control().hash,
        author_account: unlocked.account_id(),
        author_device: unlocked.device_id(),
        author_position: unlocked.state().head(),
        time_ms: now_ms.min(LATEST_MS),
        digest,
        live: counts.live,
        tombstones: counts.tombstones,
        observed,
        body_hash: body.hash(),
    };
    let entry = Entry { commit: unlocked.sign_commit(commit), body };
    state.apply(&entry, unlocked.state())?;
    InFlight::new(entry, blobs, edits).ok_or(BuildError::Parts)
}

fn seal(
    unlocked: &Unlocked,
    vault: &OpenVault,
    item_id: &ItemId,
    entry: &OutboxEntry,
) -> Result<(Change, SealedItem), BuildError> {
    if vault.leaf(item_id) != entry.base {
        return Err(BuildError::Base(*item_id));
    }
    let state = vault.pin.state();
    let (old_version, old_blob_hash) =
        entry.base.map_or((Version(0), Hash::ZERO), |base| (base.version, base.blob_hash));
    let header = ItemHeader {
        vault_id: state.vault_id(),
        epoch: state.epoch(),
        item_id: *item_id,
        version: vault.pin.next_version(item_id, old_version),
        prev_blob_hash: old_blob_hash,
        author_account: unlocked.account_id(),
        author_device: unlocked.device_id(),
        state: if entry.edit.document().is_some() { ItemState::Live } else { ItemState::Tombstone },
    };
    let key = vault.keys.key(header.epoch).ok_or(BuildError::KeyMissing)?;
    let sealed = seal_item(key, &header, &entry.edit.to_bytes(), &unlocked.hedge())?;
    let change = Change {
        item_id: *item_id,
        old_version,
        old_blob_hash,
        new_version: header.version,
        new_blob_hash: sealed.hash,
    };
    Ok((change, sealed))
}

struct Counts {
    live: u64,
    tombstones: u64,
}

impl Counts {
    fn replace(&mut self, old: Option<LeafState>, new: &Edit) {
        match old {
            None => {}
            Some(LeafState::Tombstone) => self.tombstones = self.tombstones.saturating_sub(1),
            Some(_) => self.live = self.live.saturating_sub(1),
        }
        match new {
            Edit::Write(_) => self.live = self.live.saturating_add(1),
            Edit::Purge(_) => self.tombstones = self.tombstones.saturating_add(1),
        }
    }
}
