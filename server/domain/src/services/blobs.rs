//! Whether the blobs that come with a commit are the ones it names.

use lockstep_proto::blob::{Blob, ItemHeader, blob_hash};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{ItemId, VaultId};
use lockstep_proto::log::{Change, Commit};

use crate::store::NewItem;

/// The items of a content commit: one blob per change, in order, each hashing to what the change names and with a
/// header that agrees with the commit. The error is the first item whose blob does not.
pub(super) fn new_items(
    vault_id: VaultId,
    commit: &Commit,
    changes: &[Change],
    blobs: &[Bytes],
) -> Result<Vec<NewItem>, ItemId> {
    changes.iter().zip(blobs).map(|(change, bytes)| new_item(vault_id, commit, change, bytes)).collect()
}

fn new_item(vault_id: VaultId, commit: &Commit, change: &Change, bytes: &Bytes) -> Result<NewItem, ItemId> {
    let bad = change.item_id;
    if blob_hash(bytes) != change.new_blob_hash {
        return Err(bad);
    }
    let header = Blob::from_bytes(bytes).map_err(|_| bad)?.header;
    let expected = ItemHeader {
        vault_id,
        epoch: commit.epoch,
        item_id: change.item_id,
        version: change.new_version,
        prev_blob_hash: change.old_blob_hash,
        author_account: commit.author_account,
        author_device: commit.author_device,
        state: header.state,
    };
    if header != expected {
        return Err(bad);
    }
    Ok(NewItem {
        item_id: change.item_id,
        old: Leaf { version: change.old_version, blob_hash: change.old_blob_hash },
        new: Leaf { version: change.new_version, blob_hash: change.new_blob_hash },
        state: header.state,
        blob: bytes.0.clone(),
    })
}
