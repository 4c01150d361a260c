//! Pages of a vault.

use lockstep_proto::api::PAGE_LIMIT;
use lockstep_proto::api::items::ItemVersion;
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{ItemId, Seq, Version};
use lockstep_proto::log::LogHead;

use super::super::{CommitOutcome, ItemPlace, NewItem, Store};
use super::made_up::{NONE, READER, item, item_id, make_vault, new_commit};

async fn commit(store: &dyn Store, head: LogHead, items: Vec<NewItem>, live: u64) -> LogHead {
    match store.commit(new_commit(head, b"p", items, (live, 0))).await.unwrap() {
        CommitOutcome::Committed(standing) => standing.head,
        other => panic!("{other:?}"),
    }
}

async fn places(store: &dyn Store, place: ItemPlace) -> Vec<(u64, ItemId)> {
    let page = store.item_page(READER, place).await.unwrap().unwrap();
    assert!(!page.more);
    page.rows.iter().map(|row| (row.seq.0, row.item_id)).collect()
}

pub(super) async fn items_are_ordered_by_their_last_change(store: &dyn Store) {
    let genesis = make_vault(store, 1 << 30).await;
    let (one, two, three) = (item_id(1), item_id(2), item_id(3));
    let first = vec![item(one, NONE, b"1"), item(two, NONE, b"2"), item(three, NONE, b"3")];
    let leaf = first[1].new;
    let head = commit(store, genesis, first, 3).await;
    let head = commit(store, head, vec![item(two, leaf, b"2b")], 3).await;
    let from = |seq, item_id| ItemPlace { seq, item_id, upto: None };
    let all = vec![(1, one), (1, three), (2, two)];
    assert_eq!(places(store, ItemPlace::default()).await, all);
    assert_eq!(places(store, from(Some(Seq(0)), None)).await, all);
    assert_eq!(places(store, from(Some(Seq(1)), None)).await, all[2..]);
    assert_eq!(places(store, from(Some(Seq(1)), Some(one))).await, all[1..]);
    assert_eq!(places(store, from(Some(Seq(2)), Some(two))).await, []);
    assert_eq!(places(store, from(Some(Seq(u64::MAX)), None)).await, []);
    assert_eq!(places(store, ItemPlace { upto: Some(Seq(1)), ..Default::default() }).await, all[..2]);
    let page = store.item_page(READER, ItemPlace::default()).await.unwrap().unwrap();
    assert_eq!(page.standing.head, head);
    assert_eq!(page.rows[2].blob.0, b"2b");
    assert_eq!(page.rows[2].version, Version(2));
}

pub(super) async fn pages_end_at_their_limit_and_miss_nothing(store: &dyn Store) {
    let mut head = make_vault(store, 1 << 30).await;
    for round in 0..5_u16 {
        let items = (0..3).map(|n| item(item_id(round * 3 + n), NONE, &vec![n as u8; 250_000])).collect();
        head = commit(store, head, items, u64::from(round + 1) * 3).await;
    }
    head = commit(store, head, vec![item(item_id(90), NONE, &vec![1; PAGE_LIMIT])], 16).await;
    let (mut seen, mut place) = (Vec::new(), ItemPlace::default());
    loop {
        let page = store.item_page(READER, place).await.unwrap().unwrap();
        let bytes: usize = page.rows.iter().map(|row| row.blob.len()).sum();
        assert!(bytes <= PAGE_LIMIT && !page.rows.is_empty());
        seen.extend(page.rows.iter().map(|row| (row.seq, row.item_id)));
        let (seq, item_id) = *seen.last().unwrap();
        place = ItemPlace { seq: Some(seq), item_id: Some(item_id), upto: None };
        if !page.more {
            break;
        }
    }
    assert_eq!(seen.len(), 16);
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]));

    let first = store.commit_page(READER, None, 4).await.unwrap().unwrap();
    assert_eq!((first.rows.len(), first.more, first.standing.head), (4, true, head));
    let rest = store.commit_page(READER, Some(Seq(3)), 4).await.unwrap().unwrap();
    assert_eq!((rest.rows.len(), rest.more), (3, false));
    assert_eq!(rest.rows[0].head.seq, Seq(4));
}

pub(super) async fn old_versions_stay(store: &dyn Store) {
    let mut head = make_vault(store, 1 << 30).await;
    let mut leaf = NONE;
    for version in 1..=3_u8 {
        let change = item(item_id(1), leaf, &[version]);
        leaf = change.new;
        head = commit(store, head, vec![change], 1).await;
    }
    let high = Leaf { version: Version(u64::MAX), blob_hash: leaf.blob_hash };
    let mut jump = item(item_id(1), leaf, &[9]);
    jump.new = Leaf { version: high.version, ..jump.new };
    commit(store, head, vec![jump], 1).await;
    let wanted = |version| ItemVersion { item_id: item_id(1), version: Version(version) };
    let want = vec![wanted(2), wanted(7), wanted(u64::MAX), wanted(1)];
    let page = store.blobs(READER, want).await.unwrap().unwrap();
    assert_eq!(page.missing, [wanted(7)]);
    let blobs: Vec<_> = page.blobs.iter().map(|blob| (blob.version.0, blob.blob.0.clone())).collect();
    assert_eq!(blobs, [(2, vec![2]), (u64::MAX, vec![9]), (1, vec![1])]);
}
