//! `GET /v1/vaults/{vault_id}/items` and `POST /v1/vaults/{vault_id}/blobs`: the blobs that commits name.

use serde::{Deserialize, Serialize};

use super::vaults::Room;
use crate::bytes::Bytes;
use crate::ids::{Hash, ItemId, Seq, Version};
use crate::log::LogHead;

/// Query of `GET /v1/vaults/{vault_id}/items`: a place in the order (seq of last change, item id).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemsQuery {
    /// Items after (`after_seq`, `after_item`) only; absent for the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_seq: Option<Seq>,
    /// Absent: every item whose last change is above `after_seq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_item: Option<ItemId>,
    /// Items whose last change is at most here; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upto: Option<Seq>,
}

/// The current version of one item; a purged one's blob is its header alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredItem {
    /// The item.
    pub item_id: ItemId,
    /// Its version.
    pub version: Version,
    /// The hash of its blob.
    pub blob_hash: Hash,
    /// The commit that wrote it.
    pub seq: Seq,
    /// The blob.
    pub blob: Bytes,
}

/// A page of items, ascending by (seq of last change, item id). A change moves an item to the end, so walking the
/// pages up to a head misses none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemPage {
    /// The vault's head when the page was read.
    pub head: LogHead,
    /// What the vault still takes.
    pub room: Room,
    /// The items.
    pub items: Vec<StoredItem>,
    /// Whether items follow the last one of this page.
    pub more: bool,
}

/// One version of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ItemVersion {
    /// The item.
    pub item_id: ItemId,
    /// The version.
    pub version: Version,
}

/// `POST /v1/vaults/{vault_id}/blobs`: asks for blobs by item and version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobsRequest {
    /// At most [`super::WANTED_LIMIT`].
    pub want: Vec<ItemVersion>,
}

/// One blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredBlob {
    /// The item.
    pub item_id: ItemId,
    /// The version.
    pub version: Version,
    /// The blob.
    pub blob: Bytes,
}

/// The answer: a page of what was asked for, in the order asked. What is neither in `blobs` nor in `missing` did not
/// fit and is asked for again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobsPage {
    /// The blobs found.
    pub blobs: Vec<StoredBlob>,
    /// What the server does not hold.
    pub missing: Vec<ItemVersion>,
    /// Whether some of what was asked for did not fit.
    pub more: bool,
}

/// Query of `GET /v1/vaults/{vault_id}/items/{item_id}/versions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionsQuery {
    /// Versions below this one only; absent for the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Version>,
    /// At most so many; a page may end earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A version that the server still holds; its blob is asked for by [`BlobsRequest`]. Times are the server's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptVersion {
    /// The version.
    pub version: Version,
    /// The commit that wrote it.
    pub seq: Seq,
    /// The blob's length in bytes.
    pub bytes: u64,
    /// When it was stored, in milliseconds since 1970.
    pub stored_ms: u64,
    /// When a later version took its place, in milliseconds since 1970; absent for the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_ms: Option<u64>,
}

/// The versions of one item, newest first. Empty for an item that was never there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionPage {
    /// The versions.
    pub versions: Vec<KeptVersion>,
    /// Whether older ones follow.
    pub more: bool,
}
