//! What the account still takes, and what is signed then.
//!
//! A commit that was signed stays in flight until the server has it (R-ONCE), and keeps what comes after it waiting:
//! purges, too, and the next epoch. So none is signed that the server is not known to have room for, but those that it
//! takes in any case.

use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::vaults::Room;
use lockstep_proto::ids::{ItemId, VaultId};

use super::Wire;
use super::error::SyncError;
use super::plan::{BatchSize, blob_size, sendable};
use crate::api::ApiError;
use crate::vault::{LeafState, OpenVault, OutboxEntry};

/// What a commit takes beside its blobs, and beside its changes, in bytes: observed heads included.
pub(super) const COMMIT_BYTES: u64 = 4_096;
/// What a change takes beside its blob, in bytes.
pub(super) const CHANGE_BYTES: u64 = 128;

/// What the server said in this push.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What the account takes, less what was signed since; `None` before it was asked.
    left: Option<u64>,
}

impl Told {
    /// The items of the next commit; none where nothing waits that may be sent.
    ///
    /// # Errors
    /// [`SyncError::Full`], [`SyncError::ServerFull`] where something waits and nothing is sent for want of room.
    pub(super) async fn choose(
        &mut self,
        wire: Wire<'_>,
        vault: &OpenVault,
        size: BatchSize,
    ) -> Result<Vec<ItemId>, SyncError> {
        let chosen = within(vault, size, u64::MAX, |_, _| true);
        if self.allows(vault, &chosen) {
            return Ok(chosen);
        }
        let (vault_id, mut refusal) = (vault.vault_id(), None);
        if self.left.is_none() {
            let asked = wire.repeat(|| wire.api.account_room(wire.session)).await;
            self.left = Some(match asked {
                Ok(room) => room.left(),
                Err(error) if is_full(&error) => {
                    refusal = Some(error);
                    0
                }
                Err(error) => return Err(error.into()),
            });
            if self.allows(vault, &chosen) {
                return Ok(chosen);
            }
        }
        // What fits, and at last what is taken in any case. Each change takes some room, so fewer may fit than their
        // blobs do.
        let blobs = self.room(vault).saturating_sub(COMMIT_BYTES + CHANGE_BYTES);
        let mut smaller = within(vault, size, blobs, |_, _| true);
        while !smaller.is_empty() {
            if self.allows(vault, &smaller) {
                return Ok(smaller);
            }
            smaller.pop();
        }
        let purges = within(vault, size, u64::MAX, |item_id, entry| is_free(vault, item_id, entry));
        match (purges.is_empty(), refusal) {
            (false, _) => Ok(purges),
            (true, Some(error)) => Err(full(vault_id, error)),
            (true, None) => Err(SyncError::Full { vault_id, room: self.left, source: None }),
        }
    }

    /// The commit was not taken: it has used nothing, and others may have used something.
    pub(super) fn forget(&mut self) {
        self.left = None;
    }

    /// What the vault takes: what was its own when the server last said so, or what the account has left.
    fn room(&self, vault: &OpenVault) -> u64 {
        let share = vault.pin.room().map_or(0, |room| room.bytes);
        share.max(self.left.unwrap_or_default())
    }

    /// Whether there is room for a commit of these items, which is taken as used then.
    fn allows(&mut self, vault: &OpenVault, chosen: &[ItemId]) -> bool {
        if purges(vault, chosen) {
            return true;
        }
        let edits = chosen.iter().filter_map(|item_id| vault.outbox.get(item_id));
        let blobs: u64 = edits.map(|entry| blob_size(&entry.edit) + CHANGE_BYTES).sum();
        let needed = COMMIT_BYTES + blobs;
        let fits = needed <= self.room(vault);
        if fits {
            self.left = self.left.map(|left| left.saturating_sub(needed));
        }
        fits
    }
}

/// Whether a commit of these items only purges.
pub(super) fn purges(vault: &OpenVault, chosen: &[ItemId]) -> bool {
    let mut entries = chosen.iter().filter_map(|item_id| vault.outbox.get_key_value(item_id));
    entries.all(|(item_id, entry)| is_free(vault, item_id, entry))
}

/// Whether the server takes an edit whatever the account holds: it makes a tombstone of an item that is live.
fn is_free(vault: &OpenVault, item_id: &ItemId, entry: &OutboxEntry) -> bool {
    let is_live = vault.leaves.leaf(item_id).is_some_and(|stored| stored.state != LeafState::Tombstone);
    is_live && entry.edit.is_purge()
}

/// The items of a commit whose blobs are within so many bytes.
fn within(
    vault: &OpenVault,
    size: BatchSize,
    bytes: u64,
    may: impl Fn(&ItemId, &OutboxEntry) -> bool,
) -> Vec<ItemId> {
    let waiting = sendable(&vault.outbox, &vault.quarantine).filter(|(item_id, entry)| may(item_id, entry));
    let room = vault.pin.room().map(|room| Room { bytes, ..*room });
    let none = Room { bytes, commit_blob_bytes: bytes, commit_changes: u64::MAX };
    size.next(waiting, Some(&room.unwrap_or(none))).unwrap_or_default()
}

/// Whether the server has no room.
pub(super) fn is_full(error: &ApiError) -> bool {
    matches!(error.code(), Some(ErrorCode::QuotaExceeded | ErrorCode::InsufficientStorage))
}

/// What the server had no room for waits.
pub(super) fn full(vault_id: VaultId, error: ApiError) -> SyncError {
    match error.code() {
        Some(ErrorCode::InsufficientStorage) => SyncError::ServerFull { vault_id, source: error },
        _ => {
            let room = error.problem().and_then(|problem| problem.room).map(|room| room.bytes);
            SyncError::Full { vault_id, room, source: Some(error) }
        }
    }
}
