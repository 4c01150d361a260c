//! Leaves: which version of which item is current, and whether it is a tombstone.

use std::collections::BTreeMap;

use lockstep_proto::canon::{Canon, CanonError, Decoder, Encoder};
use lockstep_proto::digest::{Digest, Leaf, digest_of};
use lockstep_proto::ids::{ItemId, VaultId};

/// Whether a version holds a document, as its header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeafState {
    /// It holds a document.
    Live,
    /// It was purged.
    Tombstone,
    /// Its header cannot be read: the item is quarantined.
    Unreadable,
}

/// A leaf with what its header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredLeaf {
    /// What the digest is over.
    pub(crate) leaf: Leaf,
    /// Live or not.
    pub(crate) state: LeafState,
}

impl Canon for StoredLeaf {
    fn encode(&self, out: &mut Encoder) {
        self.leaf.version.encode(out);
        self.leaf.blob_hash.encode(out);
        out.u8(match self.state {
            LeafState::Live => 1,
            LeafState::Tombstone => 2,
            LeafState::Unreadable => 3,
        });
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let leaf = Leaf { version: Canon::decode(input)?, blob_hash: Canon::decode(input)? };
        let state = match input.u8()? {
            1 => LeafState::Live,
            2 => LeafState::Tombstone,
            3 => LeafState::Unreadable,
            _ => return Err(CanonError::Invalid("leaf state")),
        };
        Ok(Self { leaf, state })
    }
}

/// The current version of every item of a vault, tombstones included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Leaves(BTreeMap<ItemId, StoredLeaf>);

impl Leaves {
    /// An item's leaf.
    pub(crate) fn leaf(&self, item_id: &ItemId) -> Option<&StoredLeaf> {
        self.0.get(item_id)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// All, ascending by item.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ItemId, &StoredLeaf)> {
        self.0.iter()
    }

    /// Puts newer leaves in the place of older ones.
    pub(crate) fn extend(&mut self, leaves: impl IntoIterator<Item = (ItemId, StoredLeaf)>) {
        self.0.extend(leaves);
    }

    /// Takes out an item that the chain does not have any more.
    pub(crate) fn remove(&mut self, item_id: &ItemId) {
        self.0.remove(item_id);
    }

    /// The digest of all leaves, computed anew: takes time in proportion to the vault.
    pub(crate) fn digest(&self, vault_id: &VaultId) -> Digest {
        digest_of(vault_id, self.0.iter().map(|(item_id, stored)| (item_id, &stored.leaf)))
    }
}

impl FromIterator<(ItemId, StoredLeaf)> for Leaves {
    fn from_iter<I: IntoIterator<Item = (ItemId, StoredLeaf)>>(leaves: I) -> Self {
        Self(leaves.into_iter().collect())
    }
}
