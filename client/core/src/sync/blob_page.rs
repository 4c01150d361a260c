//! A page of blobs against what was asked for: a pure check that makes every answer shrink what is lacking.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::api::items::{BlobsPage, ItemVersion};
use lockstep_proto::blob::blob_hash;
use lockstep_proto::ids::{Hash, ItemId};

use super::staging::StagedChange;

/// What a page holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Blobs by hash: each asked for, each the one that its change names, at least one.
    Blobs(Vec<(Hash, Vec<u8>)>),
    /// The server says that it does not hold this one.
    Lacking(ItemId),
}

/// Why nothing of a page is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadPage {
    /// The bytes given for this item are not those that the log names.
    Blob(ItemId),
    /// It holds nothing, or something that was not asked for, or something twice.
    NotAsked,
}

/// Reads a page; `asked` is what the request named.
pub(crate) fn read_page(
    page: BlobsPage,
    mut asked: BTreeSet<ItemVersion>,
    changed: &BTreeMap<ItemId, StagedChange>,
) -> Result<Answer, BadPage> {
    if let Some(missing) = page.missing.iter().find(|missing| asked.contains(missing)) {
        return Ok(Answer::Lacking(missing.item_id));
    }
    let mut blobs = Vec::with_capacity(page.blobs.len());
    for stored in page.blobs {
        let change = changed.get(&stored.item_id).filter(|change| change.leaf.version == stored.version);
        let hash = blob_hash(&stored.blob);
        let other = change.is_none_or(|change| change.leaf.blob_hash != hash);
        if other && !lockstep_proto::seeded!("blob-hash-unchecked") {
            return Err(BadPage::Blob(stored.item_id));
        }
        if !asked.remove(&ItemVersion { item_id: stored.item_id, version: stored.version }) {
            return Err(BadPage::NotAsked);
        }
        let hash = change.map_or(hash, |change| change.leaf.blob_hash);
        blobs.push((hash, stored.blob.0));
    }
    if blobs.is_empty() { Err(BadPage::NotAsked) } else { Ok(Answer::Blobs(blobs)) }
}
