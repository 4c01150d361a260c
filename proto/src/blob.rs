//! The item blob: `u32 len ‖ item header ‖ u32 len ‖ envelope`, and its hash.
//!
//! The header's canonical bytes are the context that the envelope authenticates, so a blob opens for exactly one
//! vault, item, version and predecessor. A tombstone's envelope holds what whoever purged the item had seen of it.

use crate::canon::{self, Canon, CanonError, Decoder, Encoder};
use crate::hash::hash;
use crate::ids::{AccountId, DeviceId, Epoch, Hash, ItemId, VaultId, Version};

/// Upper bound of a blob's length in bytes (1 MiB).
pub const BLOB_LIMIT: usize = 1 << 20;

/// What sealing nothing gives: no envelope has fewer bytes. So a tombstone takes no more than 2.2 times the room of any
/// live item, and those that are taken beyond a quota have a bound.
pub const ENVELOPE_LENGTH_MIN: usize = 337;

/// Upper bound of a tombstone's envelope in bytes.
pub const TOMBSTONE_LIMIT: usize = 1_024;

/// The length of an item header's canonical bytes.
pub(crate) const HEADER_LIMIT: usize = 256;

/// Whether an item version holds a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemState {
    /// The envelope holds a document.
    Live,
    /// The item was purged; the envelope holds what was seen of it, and is small: [`TOMBSTONE_LIMIT`].
    Tombstone,
}

/// What stands beside an item's ciphertext, readable by the server and authenticated by the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemHeader {
    /// The vault the item is in.
    pub vault_id: VaultId,
    /// The epoch of the vault key that sealed it.
    pub epoch: Epoch,
    /// The item.
    pub item_id: ItemId,
    /// The version this blob is.
    pub version: Version,
    /// The hash of the blob it replaces; zero for none.
    pub prev_blob_hash: Hash,
    /// The account that wrote it.
    pub author_account: AccountId,
    /// The device that wrote it.
    pub author_device: DeviceId,
    /// Live or tombstone.
    pub state: ItemState,
}

impl ItemHeader {
    const LABEL: &'static str = "item-header";

    /// The canonical bytes: the envelope's context.
    pub fn context(&self) -> Vec<u8> {
        canon::to_bytes(self)
    }
}

impl Canon for ItemHeader {
    fn encode(&self, out: &mut Encoder) {
        out.label(Self::LABEL);
        out.u8(crate::SUITE);
        self.vault_id.encode(out);
        self.epoch.encode(out);
        self.item_id.encode(out);
        self.version.encode(out);
        self.prev_blob_hash.encode(out);
        self.author_account.encode(out);
        self.author_device.encode(out);
        out.u8(match self.state {
            ItemState::Live => 1,
            ItemState::Tombstone => 2,
        });
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        input.label(Self::LABEL)?;
        input.suite()?;
        Ok(Self {
            vault_id: Canon::decode(input)?,
            epoch: Canon::decode(input)?,
            item_id: Canon::decode(input)?,
            version: Canon::decode(input)?,
            prev_blob_hash: Canon::decode(input)?,
            author_account: Canon::decode(input)?,
            author_device: Canon::decode(input)?,
            state: match input.u8()? {
                1 => ItemState::Live,
                2 => ItemState::Tombstone,
                other => {
                    return Err(CanonError::UpdateNeeded { field: "item state", value: u32::from(other) });
                }
            },
        })
    }
}

/// One version of one item as the server stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Who, where, which version.
    pub header: ItemHeader,
    /// What is sealed; at least [`ENVELOPE_LENGTH_MIN`] bytes.
    pub envelope: Vec<u8>,
}

impl Blob {
    /// The blob's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        canon::to_bytes(self)
    }

    /// Reads a blob of at most [`BLOB_LIMIT`] bytes.
    ///
    /// # Errors
    /// [`CanonError`]; with an envelope that nothing seals to, and for a tombstone beyond its limit, it is invalid.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CanonError> {
        if bytes.len() > BLOB_LIMIT {
            return Err(CanonError::TooLong { found: bytes.len(), limit: BLOB_LIMIT });
        }
        canon::from_bytes(bytes)
    }
}

impl Canon for Blob {
    fn encode(&self, out: &mut Encoder) {
        out.bytes(&self.header.context());
        out.bytes(&self.envelope);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let header: ItemHeader = canon::from_bytes(input.bytes(HEADER_LIMIT)?)?;
        let envelope = input.bytes(BLOB_LIMIT)?.to_vec();
        let is_small = envelope.len() <= TOMBSTONE_LIMIT;
        let is_sealed = envelope.len() >= ENVELOPE_LENGTH_MIN;
        if !is_sealed || (header.state == ItemState::Tombstone && !is_small) {
            return Err(CanonError::Invalid("envelope"));
        }
        Ok(Self { header, envelope })
    }
}

/// `H("blob", bytes)`: the name of these exact bytes.
pub fn blob_hash(bytes: &[u8]) -> Hash {
    hash("blob", &[bytes])
}
