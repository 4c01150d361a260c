//! What a first sync begins with, and its pages of items.

use lockstep_proto::api::items::{ItemPage, StoredItem};
use lockstep_proto::api::vaults::Room;
use lockstep_proto::blob::blob_hash;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{Hash, ItemId, Seq, VaultId, Version};
use lockstep_proto::log::{CommitError, Entry};

use super::fixture::{Make, World, item};
use crate::sync::beginning::Beginning;
use crate::sync::inspect::{Incoming, inspect_alone};
use crate::sync::item_page::{BadItemPage, read_item_page};
use crate::vault::{Cursor, LeafState, Leaves};

const ROOM: Room = Room { bytes: 0, commit_blob_bytes: 0, commit_changes: 0 };

fn last(world: &mut World) -> Entry {
    for number in 1..4 {
        world.commit(&[(item(number), Make::Write(world.document("title")))]);
    }
    world.commit(&[(item(1), Make::Purge)]).0
}

#[test]
fn genesis_and_head_are_a_beginning() {
    let mut world = World::new();
    let entries = vec![world.genesis.clone(), last(&mut world)];
    let beginning = Beginning::verify(world.vault_id(), entries.clone(), &world.account).unwrap();
    assert_eq!((beginning.target(), beginning.entries()), (world.state.head(), entries.as_slice()));
    assert_eq!((beginning.state().live(), beginning.state().tombstones()), (2, 1));
    assert_eq!(beginning.state().digest(), world.leaves.digest(&world.vault_id()));
    let alone = Beginning::verify(world.vault_id(), vec![world.genesis.clone()], &world.account).unwrap();
    assert_eq!(alone.target().seq, Seq(0));
}

#[test]
fn a_beginning_without_genesis_or_of_another_vault_is_refused() {
    let mut world = World::new();
    let last = last(&mut world);
    let verify = |vault_id, entries| Beginning::verify(vault_id, entries, &world.account).err();
    assert_eq!(verify(world.vault_id(), Vec::new()), Some(CommitError::Genesis));
    assert_eq!(verify(world.vault_id(), vec![last.clone()]), Some(CommitError::Genesis));
    assert_eq!(verify(VaultId([9; 32]), vec![world.genesis.clone(), last]), Some(CommitError::Vault));
}

fn stored(number: u8, seq: u64) -> StoredItem {
    let blob = vec![number; 4];
    let (version, blob_hash) = (Version(1), blob_hash(&blob));
    StoredItem { item_id: item(number), version, blob_hash, seq: Seq(seq), blob: Bytes(blob) }
}

fn page(items: Vec<StoredItem>, more: bool) -> ItemPage {
    ItemPage { head: Default::default(), room: ROOM, items, more }
}

#[test]
fn a_page_moves_the_cursor_to_its_last_item() {
    let (start, none) = (Cursor::default(), Leaves::default());
    let first =
        read_item_page(&page(vec![stored(2, 1), stored(1, 3)], true), &start, Seq(5), &none, 9).unwrap();
    assert_eq!(first, Cursor { after: Some((Seq(3), item(1))), done: false });
    let second = read_item_page(&page(vec![stored(3, 3)], false), &first, Seq(5), &none, 9).unwrap();
    assert_eq!(second, Cursor { after: Some((Seq(3), item(3))), done: true });
    let end = read_item_page(&page(Vec::new(), false), &second, Seq(5), &none, 9).unwrap();
    assert_eq!(end, Cursor { after: second.after, done: true });
}

#[test]
fn a_page_that_goes_back_repeats_overshoots_or_stands_still_is_refused() {
    let cursor = Cursor { after: Some((Seq(2), item(5))), done: false };
    let leaf = crate::vault::StoredLeaf {
        leaf: lockstep_proto::digest::Leaf { version: Version(1), blob_hash: Hash([1; 32]) },
        state: LeafState::Live,
    };
    let leaves = Leaves::from_iter([(item(7), leaf)]);
    let other_bytes = StoredItem { blob: Bytes(vec![0]), ..stored(6, 3) };
    let no_version = StoredItem { version: Version(0), ..stored(6, 3) };
    for (items, more) in [
        (vec![stored(5, 2)], false),
        (vec![stored(4, 2)], false),
        (vec![stored(6, 1)], false),
        (vec![stored(6, 6)], false),
        (vec![stored(6, 3), stored(6, 3)], false),
        (vec![stored(8, 3), stored(6, 3)], false),
        (vec![stored(6, 3), stored(6, 4)], false),
        ((10..20).map(|number| stored(number, 3)).collect(), false),
        (vec![stored(7, 3)], false),
        (vec![other_bytes], false),
        (vec![no_version], false),
        (Vec::new(), true),
    ] {
        let answer = page(items, more);
        assert_eq!(read_item_page(&answer, &cursor, Seq(5), &leaves, 9), Err(BadItemPage), "{answer:?}");
    }
}

#[test]
fn an_item_whose_commit_is_not_at_hand_is_read_as_its_header_says() {
    let world = World::new();
    let id: ItemId = item(1);
    let (_, blobs) = world.make(&[(id, Make::Write(world.document("title")))]);
    let read =
        |vault_id, item_id, version| inspect_alone(&world.keys(), &vault_id, &item_id, version, &blobs[0].1);
    let (state, incoming, author) = read(world.vault_id(), id, Version(1));
    assert_eq!((state, author), (LeafState::Live, world.device.device_id()));
    assert_eq!(incoming, Incoming::Live(world.document("title")));
    for (vault_id, item_id, version) in [
        (VaultId([9; 32]), id, Version(1)),
        (world.vault_id(), item(2), Version(1)),
        (world.vault_id(), id, Version(2)),
    ] {
        assert!(matches!(read(vault_id, item_id, version).1, Incoming::Quarantined(_)));
    }
}
