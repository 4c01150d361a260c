//! Pages of blobs, as a server may answer them.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::api::items::{BlobsPage, ItemVersion, StoredBlob};
use lockstep_proto::blob::blob_hash;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::ItemId;

use super::fixture::{Make, World, item};
use crate::sync::blob_page::{Answer, BadPage, read_page};
use crate::sync::staging::{Known, Staged, StagedChange};
use crate::vault::Pin;

/// Three new items: what changed, and the blobs that a server holds of it.
fn changed() -> (BTreeMap<ItemId, StagedChange>, Vec<StoredBlob>) {
    let world = World::new();
    let makes = [1, 2, 3].map(|number| (item(number), Make::Write(world.document("title"))));
    let (entry, blobs) = world.make(&makes);
    let pin = Pin::new(world.state.clone(), world.device.device_id(), 1);
    let mut staged = Staged::new(pin.state().clone(), Known::Whole);
    staged.push(entry, &world.leaves, &world.account).unwrap();
    let version = |item_id: &ItemId| staged.changed()[item_id].leaf.version;
    let blobs = blobs.into_iter();
    let stored =
        blobs.map(|(item_id, blob)| StoredBlob { item_id, version: version(&item_id), blob: Bytes(blob) });
    let stored = stored.collect();
    (staged.changed().clone(), stored)
}

fn asked(blobs: &[StoredBlob]) -> BTreeSet<ItemVersion> {
    blobs.iter().map(|stored| ItemVersion { item_id: stored.item_id, version: stored.version }).collect()
}

fn page(blobs: &[StoredBlob]) -> BlobsPage {
    BlobsPage { blobs: blobs.to_vec(), missing: Vec::new(), more: true }
}

#[test]
fn every_blob_taken_was_asked_for_and_is_the_one_named() {
    let (changed, stored) = changed();
    let Ok(Answer::Blobs(blobs)) = read_page(page(&stored[..2]), asked(&stored), &changed) else {
        panic!("an honest page is refused")
    };
    let expected: Vec<_> = stored[..2].iter().map(|stored| blob_hash(&stored.blob)).collect();
    assert_eq!(blobs.into_iter().map(|(hash, _)| hash).collect::<Vec<_>>(), expected);
}

#[test]
fn a_valid_blob_that_this_device_has_already_is_no_answer() {
    let (changed, stored) = changed();
    let again = read_page(page(&stored[..1]), asked(&stored[1..]), &changed);
    assert_eq!(again, Err(BadPage::NotAsked));
    let beside_news = read_page(page(&stored[..2]), asked(&stored[1..]), &changed);
    assert_eq!(beside_news, Err(BadPage::NotAsked));
    let twice = [stored[0].clone(), stored[0].clone()];
    assert_eq!(read_page(page(&twice), asked(&stored), &changed), Err(BadPage::NotAsked));
}

#[test]
fn a_page_of_nothing_is_no_answer() {
    let (changed, stored) = changed();
    assert_eq!(read_page(page(&[]), asked(&stored), &changed), Err(BadPage::NotAsked));
}

#[test]
fn other_bytes_or_another_version_are_refused() {
    let (changed, stored) = changed();
    let mut other = stored.clone();
    other[0].blob.0[0] ^= 1;
    let refused = Err(BadPage::Blob(stored[0].item_id));
    assert_eq!(read_page(page(&other), asked(&stored), &changed), refused);
    let mut older = stored.clone();
    older[0].version = older[0].version.next();
    assert_eq!(read_page(page(&older), asked(&stored), &changed), refused);
}

#[test]
fn only_what_was_asked_for_is_missing() {
    let (changed, stored) = changed();
    let missing: Vec<_> = asked(&stored[..1]).into_iter().collect();
    let page = BlobsPage { missing, ..page(&stored[1..]) };
    let lacking = read_page(page.clone(), asked(&stored), &changed);
    assert_eq!(lacking, Ok(Answer::Lacking(stored[0].item_id)));
    assert!(matches!(read_page(page, asked(&stored[1..]), &changed), Ok(Answer::Blobs(_))));
}
