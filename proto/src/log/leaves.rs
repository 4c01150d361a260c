//! A vault's leaves: which version of which item is current, tombstones included.

use std::collections::BTreeMap;

use super::commit_bodies::Change;
use super::error::CommitError;
use crate::canon::CanonError;
use crate::digest::{Digest, Leaf, LeafSum, digest_of};
use crate::ids::{ItemId, VaultId};

/// The map a verifier checks every change's old leaf against (R-DIGEST).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeafMap {
    leaves: BTreeMap<ItemId, Leaf>,
}

impl LeafMap {
    /// The current leaf of an item.
    pub fn leaf(&self, item_id: &ItemId) -> Option<&Leaf> {
        self.leaves.get(item_id)
    }

    /// All leaves, ascending by item.
    pub fn iter(&self) -> impl Iterator<Item = (&ItemId, &Leaf)> {
        self.leaves.iter()
    }

    /// How many leaves there are, tombstones included.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// The digest of all leaves, computed anew.
    pub fn digest(&self, vault_id: &VaultId) -> Digest {
        digest_of(vault_id, &self.leaves)
    }

    /// Checks that every change replaces exactly what is there.
    ///
    /// # Errors
    /// [`CommitError::Item`] with the first item that differs.
    pub fn check(&self, changes: &[Change]) -> Result<(), CommitError> {
        for change in changes {
            let found = self
                .leaf(&change.item_id)
                .map_or((Default::default(), Default::default()), |leaf| (leaf.version, leaf.blob_hash));
            let replaced = (change.old_version, change.old_blob_hash);
            if found != replaced && !crate::seeded!("old-leaf-unchecked") {
                return Err(CommitError::Item(change.item_id));
            }
        }
        Ok(())
    }

    /// Makes the changes. Call [`Self::check`] first.
    pub fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            let leaf = Leaf { version: change.new_version, blob_hash: change.new_blob_hash };
            self.leaves.insert(change.item_id, leaf);
        }
    }
}

impl FromIterator<(ItemId, Leaf)> for LeafMap {
    fn from_iter<I: IntoIterator<Item = (ItemId, Leaf)>>(leaves: I) -> Self {
        Self { leaves: leaves.into_iter().collect() }
    }
}

/// The digest after some changes. Whether the old leaves are really there is [`LeafMap::check`]'s or the store's
/// business.
///
/// # Errors
/// [`CanonError::Invalid`] when `before` is not a canonical encoding.
pub fn change_digest(vault_id: &VaultId, before: &Digest, changes: &[Change]) -> Result<Digest, CanonError> {
    let mut sum = LeafSum::from_digest(before)?;
    for change in changes {
        if change.old_version.0 != 0 {
            let old = Leaf { version: change.old_version, blob_hash: change.old_blob_hash };
            sum.remove(vault_id, &change.item_id, &old);
        }
        let new = Leaf { version: change.new_version, blob_hash: change.new_blob_hash };
        sum.add(vault_id, &change.item_id, &new);
    }
    Ok(sum.to_digest())
}
