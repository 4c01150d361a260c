//! Item ids that are derived rather than random, so that two devices meet in one item without talking.

use lockstep_proto::canon::Encoder;
use lockstep_proto::hash::hash;
use lockstep_proto::ids::{DeviceId, Hash, ItemId, VaultId};
use zeroize::Zeroizing;

use super::{KEY_LENGTH, VaultKey};
use crate::kdf;

/// How an import's source names a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceRecord<'a> {
    /// By an id that the source keeps from export to export.
    Id(&'a [u8]),
    /// By a hash of the record, where the source has no ids.
    Hash(&'a Hash),
}

/// `HKDF(VK_{v,1}, "import" ‖ vault_id)`: makes the ids of imported items, unlinkable to the source's own ids by
/// anyone without the vault's first key.
pub struct ImportKey(Zeroizing<[u8; KEY_LENGTH]>);

impl VaultKey {
    /// The import key. `self` must be the vault's key of epoch 1, whatever the epoch is now.
    pub fn derive_import_key(&self, vault_id: &VaultId) -> ImportKey {
        ImportKey(kdf::derive(self.expose_bytes(), "import", &[vault_id.as_bytes()]))
    }
}

impl ImportKey {
    /// The id of an imported record: UUIDv8 of the first 16 bytes of HMAC-SHA512 over
    /// `"LS1/import-item" ‖ 0x00 ‖ u32 len ‖ source kind ‖ (1 for an id | 2 for a hash) ‖ u32 len ‖ id or hash`.
    /// Importing twice, or on two devices, gives the same.
    pub fn derive_item_id(&self, source_kind: &str, record: SourceRecord<'_>) -> ItemId {
        let mut message = Encoder::new();
        message.bytes(source_kind.as_bytes());
        match record {
            SourceRecord::Id(id) => {
                message.u8(1);
                message.bytes(id);
            }
            SourceRecord::Hash(hash) => {
                message.u8(2);
                message.bytes(hash.as_bytes());
            }
        }
        first_half(&*kdf::mac(&*self.0, "import-item", &[&message.into_bytes()]))
    }
}

/// The id of the item that holds a vault's name: UUIDv8 of the first 16 bytes of `H("name", vault_id)`.
pub fn derive_vault_name_id(vault_id: &VaultId) -> ItemId {
    first_half(hash("name", &[vault_id.as_bytes()]).as_bytes())
}

/// The id of the item that holds a device's name: UUIDv8 of the first 16 bytes of `H("name", device_id)`.
pub fn derive_device_name_id(device_id: &DeviceId) -> ItemId {
    first_half(hash("name", &[device_id.as_bytes()]).as_bytes())
}

fn first_half(bytes: &[u8]) -> ItemId {
    let mut id = [0; 16];
    id.copy_from_slice(&bytes[..16]);
    ItemId::from_derived(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import_key(vault: u8) -> ImportKey {
        VaultKey::from_bytes([1; 32]).derive_import_key(&VaultId([vault; 32]))
    }

    #[test]
    fn importing_twice_meets_in_one_item() {
        let id = |vault| import_key(vault).derive_item_id("bitwarden", SourceRecord::Id(b"42"));
        assert_eq!(id(1), id(1));
        assert_ne!(id(1), id(2));
    }

    #[test]
    fn sources_and_records_are_kept_apart() {
        let key = import_key(1);
        let ids = [
            key.derive_item_id("a", SourceRecord::Id(b"bc")),
            key.derive_item_id("ab", SourceRecord::Id(b"c")),
            key.derive_item_id("a", SourceRecord::Id(&[9; 32])),
            key.derive_item_id("a", SourceRecord::Hash(&Hash([9; 32]))),
        ];
        assert!(ids.iter().enumerate().all(|(i, id)| ids[..i].iter().all(|other| other != id)));
    }

    #[test]
    fn derived_ids_are_version_8() {
        for id in [derive_vault_name_id(&VaultId([1; 32])), derive_device_name_id(&DeviceId([1; 16]))] {
            assert_eq!(id.0.get_version_num(), 8);
        }
    }
}
