//! Items as blobs: a document, or what a purge had seen, sealed under its item key for exactly one header.
//!
//! Frozen: `item_blob.json`.

use lockstep_proto::blob::{BLOB_LIMIT, Blob, ItemHeader, ItemState, TOMBSTONE_LIMIT, blob_hash};
use lockstep_proto::ids::Hash;
use zeroize::Zeroizing;

use crate::envelope::{self, OpenError, SealError};
use crate::hedge::Hedge;
use crate::keys::VaultKey;

/// A blob ready to be committed: its bytes and the hash by which a commit names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedItem {
    /// `u32 len ‖ header ‖ u32 len ‖ envelope`.
    pub bytes: Vec<u8>,
    /// `H("blob", bytes)`.
    pub hash: Hash,
}

impl SealedItem {
    fn new(blob: &Blob) -> Self {
        let bytes = blob.to_bytes();
        let hash = blob_hash(&bytes);
        Self { bytes, hash }
    }
}

/// Seals what the header announces, a document or what a purge had seen, under the key of `header.epoch`.
///
/// # Errors
/// [`SealError::TooLarge`] when the blob would be above [`BLOB_LIMIT`], or a tombstone's envelope above
/// [`TOMBSTONE_LIMIT`].
pub fn seal_item(
    vault_key: &VaultKey,
    header: &ItemHeader,
    plaintext: &[u8],
    hedge: &Hedge<'_>,
) -> Result<SealedItem, SealError> {
    let key = vault_key.derive_item_key(&header.vault_id, header.epoch, &header.item_id);
    let envelope = envelope::seal(key.symmetric(), &context(header), plaintext, hedge)?;
    if header.state == ItemState::Tombstone && envelope.len() > TOMBSTONE_LIMIT {
        return Err(SealError::TooLarge { length: envelope.len(), limit: TOMBSTONE_LIMIT });
    }
    let sealed = SealedItem::new(&Blob { header: *header, envelope });
    if sealed.bytes.len() > BLOB_LIMIT {
        return Err(SealError::TooLarge { length: sealed.bytes.len(), limit: BLOB_LIMIT });
    }
    Ok(sealed)
}

/// Opens what a blob holds with the vault key of the blob's epoch. That the header is the one expected is the
/// caller's check, against commit and leaf.
///
/// # Errors
/// [`OpenError`].
pub fn open_item(vault_key: &VaultKey, blob: &Blob) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let header = &blob.header;
    let key = vault_key.derive_item_key(&header.vault_id, header.epoch, &header.item_id);
    envelope::open(key.symmetric(), &context(header), &blob.envelope)
}

fn context(header: &ItemHeader) -> Vec<u8> {
    if lockstep_proto::seeded!("version-not-in-context") {
        return ItemHeader { version: Default::default(), ..*header }.context();
    }
    header.context()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lockstep_proto::ids::{AccountId, DeviceId, Epoch, ItemId, VaultId, Version};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{CountingRandom, device_rng_secret};

    fn header(state: ItemState) -> ItemHeader {
        ItemHeader {
            vault_id: VaultId([1; 32]),
            epoch: Epoch(1),
            item_id: ItemId::from_random([2; 16]),
            version: Version(3),
            prev_blob_hash: Hash([4; 32]),
            author_account: AccountId([5; 32]),
            author_device: DeviceId([6; 16]),
            state,
        }
    }

    fn seal(plaintext: &[u8]) -> Result<SealedItem, SealError> {
        seal_as(ItemState::Live, plaintext)
    }

    fn seal_as(state: ItemState, plaintext: &[u8]) -> Result<SealedItem, SealError> {
        let secret = device_rng_secret(1);
        let random = CountingRandom::default();
        let vault_key = VaultKey::from_bytes([9; 32]);
        seal_item(&vault_key, &header(state), plaintext, &Hedge::new(&random, &secret))
    }

    fn open(blob: &Blob) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        open_item(&VaultKey::from_bytes([9; 32]), blob)
    }

    #[test]
    fn a_blob_opens_only_under_its_own_header() {
        let sealed = seal(b"document").unwrap();
        let blob = Blob::from_bytes(&sealed.bytes).unwrap();
        assert_eq!(open(&blob).unwrap()[..], b"document"[..]);

        let changes: [fn(&mut ItemHeader); 8] = [
            |header| header.vault_id = VaultId([0; 32]),
            |header| header.epoch = Epoch(2),
            |header| header.item_id = ItemId::from_random([0; 16]),
            |header| header.version = Version(4),
            |header| header.prev_blob_hash = Hash::ZERO,
            |header| header.author_account = AccountId::ZERO,
            |header| header.author_device = DeviceId::ZERO,
            |header| header.state = ItemState::Tombstone,
        ];
        for change in changes {
            let mut changed = blob.clone();
            change(&mut changed.header);
            assert_eq!(open(&changed).unwrap_err(), OpenError::Commitment);
        }
    }

    #[test]
    fn another_vault_key_does_not_open_it() {
        let blob = Blob::from_bytes(&seal(b"document").unwrap().bytes).unwrap();
        assert_eq!(open_item(&VaultKey::from_bytes([8; 32]), &blob).unwrap_err(), OpenError::Commitment);
    }

    #[test]
    fn a_tombstone_is_small_and_is_no_document() {
        let sealed = seal_as(ItemState::Tombstone, b"seen").unwrap();
        let mut blob = Blob::from_bytes(&sealed.bytes).unwrap();
        assert_eq!(sealed.hash, blob_hash(&sealed.bytes));
        assert_eq!(open(&blob).unwrap()[..], b"seen"[..]);
        blob.header.state = ItemState::Live;
        assert_eq!(open(&blob).unwrap_err(), OpenError::Commitment);
        assert!(seal_as(ItemState::Tombstone, &[0; 678]).is_ok());
        let large = seal_as(ItemState::Tombstone, &[0; 1_000]);
        assert!(matches!(large, Err(SealError::TooLarge { limit: TOMBSTONE_LIMIT, .. })));
    }

    #[test]
    fn a_blob_above_the_limit_is_not_made() {
        assert!(matches!(seal(&vec![0; BLOB_LIMIT]), Err(SealError::TooLarge { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn blob_sizes_fall_in_buckets(length in 0_usize..100_000) {
            let sealed = seal(&vec![0; length]).unwrap();
            let blob = Blob::from_bytes(&sealed.bytes).unwrap();
            prop_assert_eq!(blob.envelope.len(), envelope::sealed_length(length));
            prop_assert!(blob.envelope.len() >= envelope::sealed_length(0));
            prop_assert_eq!(envelope::sealed_length(0), lockstep_proto::blob::ENVELOPE_LENGTH_MIN);
        }
    }
}
