//! A chain on its way to the pin: verified commit by commit, over the leaves that are pinned.
//!
//! **Invariant:** it holds only what passed the verifier, and costs nothing in proportion to the vault.

use std::collections::BTreeMap;

use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{AccountId, DeviceId, Epoch, Hash, ItemId, Seq, VaultId, Version};
use lockstep_proto::log::{
    AccountStates, Change, CommitBody, CommitError, Entry, LogHead, VaultHead, VaultState,
};

use crate::vault::{Leaves, Pin};

/// The last change of an item between pin and target, and what its header must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StagedChange {
    pub(crate) leaf: Leaf,
    pub(crate) prev_blob_hash: Hash,
    pub(crate) epoch: Epoch,
    pub(crate) author_account: AccountId,
    pub(crate) author_device: DeviceId,
}

/// The verified commits after the pin.
pub(crate) struct Staged {
    vault_id: VaultId,
    state: Option<VaultState>,
    entries: Vec<Entry>,
    changed: BTreeMap<ItemId, StagedChange>,
}

impl Staged {
    /// Nothing yet; `pin` is where the chain goes on, `None` for a vault that is new here.
    pub(crate) fn new(vault_id: VaultId, pin: Option<&Pin>) -> Self {
        let state = pin.map(|pin| pin.state().clone());
        Self { vault_id, state, entries: Vec::new(), changed: BTreeMap::new() }
    }

    /// Verifies one more commit: chain, authority, control, digest, and every change against the leaves.
    ///
    /// # Errors
    /// [`CommitError`]; nothing was taken.
    pub(crate) fn push(
        &mut self,
        entry: Entry,
        leaves: &Leaves,
        accounts: &impl AccountStates,
    ) -> Result<(), CommitError> {
        let next = match &self.state {
            Some(state) => state.apply(&entry, accounts)?,
            None => {
                let state = VaultState::from_genesis(&entry, accounts)?;
                if state.vault_id() != self.vault_id {
                    return Err(CommitError::Vault);
                }
                state
            }
        };
        if let CommitBody::Content(body) = &entry.body {
            for change in &body.changes {
                if self.leaf(&change.item_id, leaves) != old_leaf(change) {
                    return Err(CommitError::Item(change.item_id));
                }
            }
            let commit = entry.commit.value();
            for change in &body.changes {
                let staged = StagedChange {
                    leaf: Leaf { version: change.new_version, blob_hash: change.new_blob_hash },
                    prev_blob_hash: change.old_blob_hash,
                    epoch: commit.epoch,
                    author_account: commit.author_account,
                    author_device: commit.author_device,
                };
                self.changed.insert(change.item_id, staged);
            }
        }
        self.state = Some(next);
        self.entries.push(entry);
        Ok(())
    }

    /// The state after the last commit; `None` before a new vault's genesis.
    pub(crate) fn state(&self) -> Option<&VaultState> {
        self.state.as_ref()
    }

    /// The position of the last commit; `None` before a new vault's genesis.
    pub(crate) fn head(&self) -> Option<LogHead> {
        self.state.as_ref().map(VaultState::head)
    }

    /// The new commits, in order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The items that changed.
    pub(crate) fn changed(&self) -> &BTreeMap<ItemId, StagedChange> {
        &self.changed
    }

    /// The new commit at a position.
    pub(crate) fn commit_at(&self, seq: Seq) -> Option<LogHead> {
        let first = self.entries.first()?.commit.value().seq;
        let index = usize::try_from(seq.0.checked_sub(first.0)?).ok()?;
        let entry = self.entries.get(index)?;
        Some(entry.commit.value().head(entry.commit.hash()))
    }

    /// Heads of other vaults that the new commits' authors had seen.
    pub(crate) fn observed(&self) -> impl Iterator<Item = VaultHead> + '_ {
        self.entries.iter().flat_map(|entry| entry.commit.value().observed.iter().copied())
    }

    /// A commit that a revocation names and this chain, taken to its end, does not contain.
    pub(crate) fn open_cut_off(&self) -> Option<LogHead> {
        self.state.as_ref()?.pending_cut_offs().first().copied()
    }

    fn leaf(&self, item_id: &ItemId, leaves: &Leaves) -> Leaf {
        let staged = self.changed.get(item_id).map(|change| change.leaf);
        let found = staged.or_else(|| leaves.leaf(item_id).map(|stored| stored.leaf));
        found.unwrap_or(Leaf { version: Version(0), blob_hash: Hash::ZERO })
    }
}

fn old_leaf(change: &Change) -> Leaf {
    Leaf { version: change.old_version, blob_hash: change.old_blob_hash }
}
