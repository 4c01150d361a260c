//! The keys of one vault.

use std::collections::BTreeMap;

use lockstep_crypto::keys::{ItemIdKey, VaultKey};
use lockstep_proto::ids::{Epoch, VaultId};

/// Vault keys by epoch, each checked against its commitment before it came here. Wiped when dropped.
#[derive(Default)]
pub(crate) struct VaultKeys(BTreeMap<Epoch, VaultKey>);

impl VaultKeys {
    /// The keys of a vault at its first epoch, or of the one epoch whose key is at hand.
    pub(crate) fn of(epoch: Epoch, key: VaultKey) -> Self {
        Self(BTreeMap::from([(epoch, key)]))
    }

    /// The key of an epoch, if this device has it.
    pub(crate) fn key(&self, epoch: Epoch) -> Option<&VaultKey> {
        self.0.get(&epoch)
    }

    /// What derives item ids, if this device has the vault's first key.
    pub(crate) fn item_ids(&self, vault_id: &VaultId) -> Option<ItemIdKey> {
        self.key(Epoch(1)).map(|key| key.derive_item_id_key(vault_id))
    }
}
