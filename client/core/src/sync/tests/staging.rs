//! Chains on their way to the pin, and the blobs that they name.

use lockstep_proto::blob::{Blob, blob_hash};
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{DeviceId, Hash, Version};
use lockstep_proto::log::{CommitBody, CommitError, Entry};
use lockstep_proto::sign::Signed;

use super::fixture::{Make, World, item};
use crate::item::Saw;
use crate::sync::inspect::{Incoming, inspect};
use crate::sync::staging::{Known, Staged};
use crate::vault::{LeafState, Leaves, Pin, QuarantineReason, StoredLeaf};

fn write(world: &World, title: &str) -> Make {
    Make::Write(world.document(title))
}

fn pin(world: &World) -> Pin {
    Pin::new(world.state.clone(), world.device.device_id(), 1)
}

#[test]
fn a_chain_is_taken_from_where_it_was() {
    let mut world = World::new();
    let pinned = pin(&world);
    let (first, _) = world.commit(&[(item(1), write(&world, "one")), (item(2), write(&world, "two"))]);
    let (second, _) = world.commit(&[(item(1), write(&world, "one again"))]);
    let none = Leaves::default();
    let mut staged = Staged::new(pinned.state().clone(), Known::Whole);
    for entry in [first, second.clone()] {
        staged.push(entry, &none, &world.account).unwrap();
    }
    assert_eq!((staged.base().head(), staged.head()), (pinned.state().head(), world.state.head()));
    assert_eq!(staged.changed().len(), 2);
    assert_eq!(staged.changed()[&item(1)].leaf.version, Version(2));
    assert_eq!(staged.commit_at(second.commit.value().seq), Some(world.state.head()));
}

#[test]
fn leaves_that_are_lacking_are_noted_only_where_they_may_be() {
    let mut world = World::new();
    world.commit(&[(item(1), write(&world, "one")), (item(2), write(&world, "two"))]);
    let (pinned, old) = (pin(&world), world.leaves.clone());
    let (first, _) = world.commit(&[(item(1), write(&world, "again")), (item(3), write(&world, "new"))]);
    let (second, _) = world.commit(&[(item(1), write(&world, "and again"))]);
    let lacking: Leaves =
        old.iter().filter(|(id, _)| **id != item(1)).map(|(id, leaf)| (*id, *leaf)).collect();
    let chain = |known| {
        let mut staged = Staged::new(pinned.state().clone(), known);
        staged.push(first.clone(), &lacking, &world.account)?;
        staged.push(second.clone(), &lacking, &world.account)?;
        Ok(staged)
    };
    let staged = chain(Known::Gaps).unwrap();
    let gap = old.leaf(&item(1)).unwrap().leaf;
    assert_eq!(staged.gaps().iter().collect::<Vec<_>>(), [(&item(1), &gap)]);
    assert_eq!(chain(Known::Whole).err(), Some(CommitError::Item(item(1))));
    // What is there must be what the change replaces, gaps or not.
    let forged = Leaf { version: Version(1), blob_hash: Hash([8; 32]) };
    let leaves = Leaves::from_iter([(item(1), StoredLeaf { leaf: forged, state: LeafState::Live })]);
    let mut staged = Staged::new(pinned.state().clone(), Known::Gaps);
    assert_eq!(staged.push(first.clone(), &leaves, &world.account), Err(CommitError::Item(item(1))));
    assert!(staged.gaps().is_empty());
}

#[test]
fn a_commit_on_another_branch_is_refused_and_nothing_is_taken() {
    let mut world = World::new();
    let (other, _) = world.make(&[(item(1), write(&world, "branch a"))]);
    let pinned = {
        world.commit(&[(item(1), write(&world, "branch b"))]);
        pin(&world)
    };
    let mut staged = Staged::new(pinned.state().clone(), Known::Whole);
    let refused = staged.push(other, &world.leaves, &world.account);
    assert!(matches!(refused, Err(CommitError::Chain { .. })));
    assert!(staged.entries().is_empty() && staged.changed().is_empty());
}

#[test]
fn a_change_of_a_version_that_was_never_there_is_refused() {
    let mut world = World::new();
    world.commit(&[(item(1), write(&world, "one"))]);
    let pinned = pin(&world);
    let (entry, _) = world.commit(&[(item(1), write(&world, "two"))]);
    let forged =
        StoredLeaf { leaf: Leaf { version: Version(1), blob_hash: Hash([8; 32]) }, state: LeafState::Live };
    let leaves = Leaves::from_iter([(item(1), forged)]);
    let mut staged = Staged::new(pinned.state().clone(), Known::Whole);
    assert_eq!(staged.push(entry, &leaves, &world.account), Err(CommitError::Item(item(1))));
}

#[test]
fn a_commit_that_another_key_signed_is_refused() {
    let world = World::new();
    let pinned = pin(&world);
    let (entry, _) = world.make(&[(item(1), write(&world, "one"))]);
    let other = World::new();
    let stranger = lockstep_crypto::device::DeviceKeys::make(&other.random);
    let commit = Signed::sign(entry.commit.value().clone(), stranger.signing());
    let mut staged = Staged::new(pinned.state().clone(), Known::Whole);
    let refused = staged.push(Entry { commit, body: entry.body }, &world.leaves, &world.account);
    assert!(matches!(refused, Err(CommitError::Signature(_))));
}

#[test]
fn a_blob_opens_to_its_document() {
    let mut world = World::new();
    let pinned = pin(&world);
    let (entry, blobs) = world.commit(&[(item(1), write(&world, "one"))]);
    let mut staged = Staged::new(pinned.state().clone(), Known::Whole);
    staged.push(entry, &Leaves::default(), &world.account).unwrap();
    let change = staged.changed()[&item(1)];
    let (state, incoming) = inspect(&world.keys(), &world.vault_id(), &item(1), &change, &blobs[0].1);
    assert_eq!((state, incoming), (LeafState::Live, Incoming::Live(world.document("one"))));
}

#[test]
fn a_blob_whose_header_disagrees_with_its_commit_is_quarantined() {
    let mut world = World::new();
    let pinned = pin(&world);
    let (entry, blobs) = world.commit(&[(item(1), write(&world, "one"))]);
    let mut staged = Staged::new(pinned.state().clone(), Known::Whole);
    staged.push(entry, &Leaves::default(), &world.account).unwrap();
    let mut change = staged.changed()[&item(1)];
    change.author_device = DeviceId([9; 16]);
    let (state, incoming) = inspect(&world.keys(), &world.vault_id(), &item(1), &change, &blobs[0].1);
    assert_eq!((state, incoming), (LeafState::Live, Incoming::Quarantined(QuarantineReason::Header)));
}

#[test]
fn a_blob_that_does_not_open_is_quarantined() {
    let mut world = World::new();
    let pinned = pin(&world);
    let (entry, blobs) = world.commit(&[(item(1), write(&world, "one"))]);
    let mut staged = Staged::new(pinned.state().clone(), Known::Whole);
    staged.push(entry, &Leaves::default(), &world.account).unwrap();
    let change = staged.changed()[&item(1)];
    let mut blob = Blob::from_bytes(&blobs[0].1).unwrap();
    let last = blob.envelope.len() - 1;
    blob.envelope[last] ^= 1;
    let read = |bytes: &[u8]| inspect(&world.keys(), &world.vault_id(), &item(1), &change, bytes);
    let quarantined = |reason| Incoming::Quarantined(reason);
    assert_eq!(read(&blob.to_bytes()), (LeafState::Live, quarantined(QuarantineReason::Sealed)));
    assert_eq!(read(b"no blob"), (LeafState::Unreadable, quarantined(QuarantineReason::Header)));
}

#[test]
fn a_tombstone_is_one() {
    let mut world = World::new();
    world.commit(&[(item(1), write(&world, "one"))]);
    let pinned = pin(&world);
    let leaves = world.leaves.clone();
    let (entry, blobs) = world.commit(&[(item(1), Make::Purge)]);
    assert!(
        matches!(&entry.body, CommitBody::Content(body) if body.changes[0].new_blob_hash == blob_hash(&blobs[0].1))
    );
    let mut staged = Staged::new(pinned.state().clone(), Known::Whole);
    staged.push(entry, &leaves, &world.account).unwrap();
    let change = staged.changed()[&item(1)];
    let (state, incoming) = inspect(&world.keys(), &world.vault_id(), &item(1), &change, &blobs[0].1);
    let seen = Incoming::Tombstone(Saw::of(&super::fixture::document("one")));
    assert_eq!((state, incoming), (LeafState::Tombstone, seen));
    // Nothing where it does not open.
    let mut blob = Blob::from_bytes(&blobs[0].1).unwrap();
    *blob.envelope.last_mut().unwrap() ^= 1;
    let read = inspect(&world.keys(), &world.vault_id(), &item(1), &change, &blob.to_bytes());
    assert_eq!(read, (LeafState::Tombstone, Incoming::Tombstone(Saw::default())));
}
