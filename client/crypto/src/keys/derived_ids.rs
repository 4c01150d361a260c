//! Item ids that are derived rather than random, so that two devices meet in one item without talking.

use lockstep_proto::canon::Encoder;
use lockstep_proto::ids::{DeviceId, Hash, ItemId, VaultId};

use super::{KEY_LENGTH, VaultKey};
use crate::kdf;
use crate::secret_bytes::SecretBytes;

/// How an import's source names a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceRecord<'a> {
    /// By an id that the source keeps from export to export.
    Id(&'a [u8]),
    /// By a hash of the record, where the source has no ids.
    Hash(&'a Hash),
}

/// `HKDF(VK_{v,1}, "item-ids" ‖ vault_id)`: makes the ids of items that several devices must find without talking. To
/// anyone without the vault's first key they look random: the server learns neither which items hold names, nor which
/// were imported, nor anything about what they hold.
pub struct ItemIdKey(SecretBytes<KEY_LENGTH>);

impl VaultKey {
    /// The key of derived item ids. `self` must be the vault's key of epoch 1, whatever the epoch is now.
    pub fn derive_item_id_key(&self, vault_id: &VaultId) -> ItemIdKey {
        ItemIdKey(kdf::derive(self.expose_bytes(), "item-ids", &[vault_id.as_bytes()]))
    }
}

impl ItemIdKey {
    /// The id of an imported record: HMAC-SHA512 over
    /// `"LS1/import-item" ‖ 0x00 ‖ u32 len ‖ source kind ‖ (1 for an id | 2 for a hash) ‖ u32 len ‖ id or hash`.
    /// Importing twice, or on two devices, gives the same.
    pub fn derive_imported(&self, source_kind: &str, record: SourceRecord<'_>) -> ItemId {
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
        self.derive("import-item", &[&message.into_bytes()])
    }

    /// The id of the item that holds the vault's name: HMAC-SHA512 over `"LS1/vault-name" ‖ 0x00`.
    pub fn derive_vault_name(&self) -> ItemId {
        self.derive("vault-name", &[])
    }

    /// The id of the item that holds a device's name: HMAC-SHA512 over `"LS1/device-name" ‖ 0x00 ‖ device_id`.
    pub fn derive_device_name(&self, device_id: &DeviceId) -> ItemId {
        self.derive("device-name", &[device_id.as_bytes()])
    }

    /// The id of the item that takes what a merge of `item_id` cannot hold: HMAC-SHA512 over
    /// `"LS1/item-apart" ‖ 0x00 ‖ item_id ‖ document`.
    pub fn derive_apart(&self, item_id: &ItemId, document: &[u8]) -> ItemId {
        self.derive("item-apart", &[item_id.as_bytes(), document])
    }

    fn derive(&self, label: &str, parts: &[&[u8]]) -> ItemId {
        first_half(&*kdf::mac(&*self.0, label, parts))
    }
}

fn first_half(bytes: &[u8]) -> ItemId {
    let mut id = [0; 16];
    id.copy_from_slice(&bytes[..16]);
    ItemId::from_derived(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(vault: u8) -> ItemIdKey {
        VaultKey::from_bytes([1; 32]).derive_item_id_key(&VaultId([vault; 32]))
    }

    #[test]
    fn importing_twice_meets_in_one_item() {
        let id = |vault| ids(vault).derive_imported("bitwarden", SourceRecord::Id(b"42"));
        assert_eq!(id(1), id(1));
        assert_ne!(id(1), id(2));
    }

    #[test]
    fn sources_records_and_purposes_are_kept_apart() {
        let key = ids(1);
        let device = DeviceId([9; 16]);
        let ids = [
            key.derive_imported("a", SourceRecord::Id(b"bc")),
            key.derive_imported("ab", SourceRecord::Id(b"c")),
            key.derive_imported("a", SourceRecord::Id(&[9; 32])),
            key.derive_imported("a", SourceRecord::Hash(&Hash([9; 32]))),
            key.derive_vault_name(),
            key.derive_device_name(&device),
            key.derive_apart(&ItemId::from_random([9; 16]), b""),
            key.derive_apart(&ItemId::from_random([9; 16]), b"document"),
        ];
        assert!(ids.iter().enumerate().all(|(i, id)| ids[..i].iter().all(|other| other != id)));
    }

    #[test]
    fn without_the_key_a_derived_id_looks_like_a_random_one() {
        let derived = ids(1).derive_vault_name();
        assert_ne!(derived, ids(2).derive_vault_name());
        assert_eq!(derived.as_bytes()[6] >> 4, ItemId::from_random([1; 16]).as_bytes()[6] >> 4);
    }
}
