//! What a blob that a valid commit names holds. Nothing the server can see depends on the answer (R-ORACLE).

use lockstep_proto::blob::{Blob, ItemHeader, ItemState};
use lockstep_proto::canon::CanonError;
use lockstep_proto::ids::{DeviceId, ItemId, VaultId, Version};

use super::staging::StagedChange;
use crate::item::{Document, Saw};
use crate::vault::{LeafState, QuarantineReason, VaultKeys, open_document, open_tombstone};

/// A version of an item as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A document.
    Live(Document),
    /// The item was purged by somebody who had seen this; nothing where that cannot be opened.
    Tombstone(Saw),
    /// It cannot be shown.
    Quarantined(QuarantineReason),
}

/// Reads a blob whose hash is the one that `change` names: header against the change, then opens it.
pub(crate) fn inspect(
    keys: &VaultKeys,
    vault_id: &VaultId,
    item_id: &ItemId,
    change: &StagedChange,
    bytes: &[u8],
) -> (LeafState, Incoming) {
    let (state, incoming) = read(keys, bytes, |header| is_change(header, vault_id, item_id, change));
    match change.is_void {
        true => (state, Incoming::Quarantined(QuarantineReason::Removed)),
        false => (state, incoming),
    }
}

/// Whether a blob has a header, and it says what `change` says. Opens nothing.
pub(crate) fn header_agrees(
    vault_id: &VaultId,
    item_id: &ItemId,
    change: &StagedChange,
    bytes: &[u8],
) -> bool {
    let blob = Blob::from_bytes(bytes);
    blob.is_ok_and(|blob| is_change(&blob.header, vault_id, item_id, change))
        || lockstep_proto::seeded!("header-unchecked-at-first-sync")
}

/// As [`inspect`] where the commit that wrote the version is not at hand: epoch, author and the version before are
/// compared later ([`super::headers`]). Also gives the author that the header claims.
pub(crate) fn inspect_alone(
    keys: &VaultKeys,
    vault_id: &VaultId,
    item_id: &ItemId,
    version: Version,
    bytes: &[u8],
) -> (LeafState, Incoming, DeviceId) {
    let mut author = DeviceId([0; 16]);
    let (state, incoming) = read(keys, bytes, |header| {
        author = header.author_device;
        is_version(header, vault_id, item_id, version)
    });
    (state, incoming, author)
}

fn read(keys: &VaultKeys, bytes: &[u8], agrees: impl FnOnce(&ItemHeader) -> bool) -> (LeafState, Incoming) {
    let blob = match Blob::from_bytes(bytes) {
        Ok(blob) => blob,
        Err(CanonError::UpdateNeeded { .. }) => {
            return (LeafState::Unreadable, Incoming::Quarantined(QuarantineReason::UpdateNeeded));
        }
        Err(_) => return (LeafState::Unreadable, Incoming::Quarantined(QuarantineReason::Header)),
    };
    let state = match blob.header.state {
        ItemState::Live => LeafState::Live,
        ItemState::Tombstone => LeafState::Tombstone,
    };
    if !agrees(&blob.header) && !lockstep_proto::seeded!("header-unchecked") {
        return (state, Incoming::Quarantined(QuarantineReason::Header));
    }
    let incoming = match state {
        LeafState::Tombstone => {
            open_tombstone(keys, &blob).map_or_else(Incoming::Quarantined, Incoming::Tombstone)
        }
        _ if lockstep_proto::seeded!("quarantined-item-shown") => {
            Incoming::Live(open_document(keys, &blob).unwrap_or_default())
        }
        _ => open_document(keys, &blob).map_or_else(Incoming::Quarantined, Incoming::Live),
    };
    (state, incoming)
}

fn is_change(header: &ItemHeader, vault_id: &VaultId, item_id: &ItemId, change: &StagedChange) -> bool {
    is_version(header, vault_id, item_id, change.leaf.version)
        && header.prev_blob_hash == change.prev_blob_hash
        && header.epoch == change.epoch
        && header.author_account == change.author_account
        && header.author_device == change.author_device
}

fn is_version(header: &ItemHeader, vault_id: &VaultId, item_id: &ItemId, version: Version) -> bool {
    header.vault_id == *vault_id && header.item_id == *item_id && header.version == version
}
