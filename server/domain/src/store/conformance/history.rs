//! What items leave behind: counts, room, order, tombstones.

use lockstep_proto::api::items::ItemVersion;
use lockstep_proto::blob::ItemState;
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{ItemId, Seq, Version};
use lockstep_proto::log::LogHead;

use super::super::{CommitOutcome, ItemPlace, NewItem, Standing, Store};
use super::made_up::{NONE, READER, item, item_id, make_vault, new_commit};

/// What a commit of this file holds beside its blobs.
const COMMIT: u64 = 65;

async fn commit(store: &dyn Store, head: LogHead, items: Vec<NewItem>, counts: (u64, u64)) -> Standing {
    match store.commit(new_commit(head, b"h", items, counts)).await.unwrap() {
        CommitOutcome::Committed(standing) => standing,
        other => panic!("{other:?}"),
    }
}

fn purged(item_id: ItemId, old: Leaf) -> NewItem {
    NewItem { state: ItemState::Tombstone, ..item(item_id, old, b"gone") }
}

async fn places(store: &dyn Store, upto: Option<u64>) -> Vec<(u64, ItemId)> {
    let place = ItemPlace { upto: upto.map(Seq), ..ItemPlace::default() };
    let page = store.item_page(READER, place).await.unwrap().unwrap();
    page.rows.iter().map(|row| (row.seq.0, row.item_id)).collect()
}

pub(super) async fn a_change_moves_an_item_to_the_end_however_often(store: &dyn Store) {
    let mut head = make_vault(store, 1 << 20).await;
    let ids: Vec<ItemId> = (0..4).map(item_id).collect();
    let first: Vec<_> = ids.iter().map(|id| item(*id, NONE, b"0")).collect();
    let mut leaves: Vec<Leaf> = first.iter().map(|item| item.new).collect();
    head = commit(store, head, first, (4, 0)).await.head;
    for (round, index) in [2, 0, 2, 3, 2].into_iter().enumerate() {
        let change = item(ids[index], leaves[index], &[round as u8]);
        leaves[index] = change.new;
        head = commit(store, head, vec![change], (4, 0)).await.head;
    }
    assert_eq!(places(store, None).await, [(1, ids[1]), (3, ids[0]), (5, ids[3]), (6, ids[2])]);
    // What moved beyond is not shown at its old place.
    for (upto, count) in [(0, 0), (1, 1), (2, 1), (3, 2), (5, 3), (6, 4), (u64::MAX, 4)] {
        assert_eq!(places(store, Some(upto)).await.len(), count, "up to {upto}");
    }
}

pub(super) async fn live_items_and_tombstones_are_counted_apart(store: &dyn Store) {
    let genesis = make_vault(store, 1 << 20).await;
    let (one, two) = (item(item_id(1), NONE, b"1"), item(item_id(2), NONE, b"2"));
    let (first, second) = (one.new, two.new);
    let head = commit(store, genesis, vec![one, two], (2, 0)).await.head;
    let purge = purged(item_id(1), first);
    let tombstone = purge.new;
    for counts in [(2, 0), (1, 0), (0, 2), (2, 1), (1, 2)] {
        let wrong = new_commit(head, b"h", vec![purge.clone()], counts);
        assert_eq!(store.commit(wrong).await.unwrap(), CommitOutcome::Counts, "{counts:?}");
    }
    let head = commit(store, head, vec![purge], (1, 1)).await.head;
    // Purged items stay: as leaves, in the order, and with the versions before.
    assert_eq!(places(store, None).await, [(1, item_id(2)), (2, item_id(1))]);
    let revived = item(item_id(1), tombstone, b"back");
    let again = new_commit(head, b"h", vec![item(item_id(1), first, b"x")], (1, 1));
    assert_eq!(store.commit(again).await.unwrap(), CommitOutcome::Item(item_id(1)));
    let head = commit(store, head, vec![revived, purged(item_id(2), second)], (1, 1)).await.head;
    let empty = new_commit(head, b"h", Vec::new(), (1, 1));
    assert!(matches!(store.commit(empty).await.unwrap(), CommitOutcome::Committed(_)));
    let want = (1..=3).map(|version| ItemVersion { item_id: item_id(1), version: Version(version) });
    let page = store.blobs(READER, want.collect()).await.unwrap().unwrap();
    let blobs: Vec<_> = page.blobs.iter().map(|blob| blob.blob.0.as_slice()).collect();
    assert_eq!(blobs, [&b"1"[..], b"gone", b"back"]);
}

pub(super) async fn room_shrinks_by_every_commit_and_ends_at_the_last_byte(store: &dyn Store) {
    let mut head = make_vault(store, 50 + 5 * COMMIT).await;
    let mut leaf = NONE;
    for (blob, left) in [(&[1; 20][..], 30), (&[2; 20], 10), (&[3; 0], 10), (&[4; 9], 1)] {
        let change = item(item_id(1), leaf, blob);
        leaf = change.new;
        let standing = commit(store, head, vec![change], (1, 0)).await;
        assert_eq!(standing.bytes_left, left + (5 - standing.head.seq.0) * COMMIT);
        head = standing.head;
    }
    let standing = Standing { head, bytes_left: 1 + COMMIT };
    let two = new_commit(head, b"h", vec![item(item_id(1), leaf, &[5; 2])], (1, 0));
    assert_eq!(store.commit(two).await.unwrap(), CommitOutcome::Quota(standing));
    // Each fits alone, both do not.
    let both = vec![item(item_id(1), leaf, &[5; 1]), item(item_id(2), NONE, &[6; 1])];
    let both = new_commit(head, b"h", both, (2, 0));
    assert_eq!(store.commit(both).await.unwrap(), CommitOutcome::Quota(standing));
    let last = commit(store, head, vec![item(item_id(1), leaf, &[5; 1])], (1, 0)).await;
    assert_eq!(last.bytes_left, 0);
    let empty = new_commit(last.head, b"h", Vec::new(), (1, 0));
    assert_eq!(
        store.commit(empty).await.unwrap(),
        CommitOutcome::Quota(last),
        "a commit alone needs room, too"
    );
    let page = store.commit_page(READER, None, 1).await.unwrap().unwrap();
    assert_eq!(page.standing, last);
}
