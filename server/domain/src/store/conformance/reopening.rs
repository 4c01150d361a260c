//! What a store that was closed and opened again still says: everything that it answered.

use std::sync::Arc;

use lockstep_proto::api::items::ItemVersion;
use lockstep_proto::blob::ItemState;
use lockstep_proto::ids::{AccountId, DeviceId, Hash, Seq, ServerId, Version};
use lockstep_proto::log::LogHead;

use super::super::{Admission, CommitOutcome, ItemPlace, NewCommit, NewItem, NewLinks, Store, VaultReader};
use super::made_up::{
    NONE, OWNER, READER, VAULT, account, item, item_id, link, make_vault, new_commit, record, slot,
};

/// Every read that the port has, as text.
async fn answers(store: &dyn Store, head: LogHead) -> Vec<String> {
    let id = account(1).account_id;
    let named = [slot(1), slot(3), slot(4)].iter().map(|slot| slot.hash).collect();
    let want =
        (1..=4).map(|version| ItemVersion { item_id: item_id(1), version: Version(version) }).collect();
    let blobs = store.blobs(READER, want).await.unwrap().unwrap();
    let bytes: Vec<_> = blobs.blobs.iter().map(|blob| blob.blob.0.clone()).collect();
    let items = store.item_page(READER, ItemPlace::default()).await.unwrap();
    let stranger = VaultReader { vault_id: VAULT, account_id: AccountId([99; 32]) };
    vec![
        format!("{:?}", store.is_empty().await.unwrap()),
        format!("{:?}", store.server().await.unwrap()),
        format!("{:?}", store.has_invite(Hash([7; 32]), 99).await.unwrap()),
        format!("{:?}", store.has_invite(Hash([8; 32]), 99).await.unwrap()),
        format!("{:?}", store.link_page(id, None).await.unwrap()),
        format!("{:?}", store.slots(id, named).await.unwrap()),
        format!("{:?}", store.record(id).await.unwrap()),
        format!("{:?}", store.checkpoint(VAULT).await.unwrap()),
        format!("{:?}", store.commit_page(READER, None, 100).await.unwrap()),
        format!("{:?}", store.find_commit(READER, head).await.unwrap()),
        format!("{items:?} {bytes:?} {:?}", blobs.missing),
        format!("{:?}", store.item_page(stranger, ItemPlace::default()).await.unwrap()),
    ]
}

/// Fills a store and gives its vault's commits as sent.
async fn fill(store: &dyn Store) -> Vec<NewCommit> {
    store.bind_server(ServerId([3; 16])).await.unwrap();
    store.add_invite(Hash([7; 32]), 100).await.unwrap();
    store.add_invite(Hash([8; 32]), 100).await.unwrap();
    let new = account(1);
    store.create_account(new.clone(), Admission::FirstOnly).await.unwrap();
    store.create_account(account(2), Admission::Invited { invite: Hash([7; 32]), now_ms: 0 }).await.unwrap();
    let (after, links) = (new.links[1].head, vec![link(1, 2, 10), link(1, 3, 10)]);
    let slots = vec![slot(3), slot(4)];
    let links = NewLinks {
        account_id: new.account_id,
        after,
        links,
        slots,
        record: Some(record(9)),
        gone: [slot(2).hash].into(),
        limit_bytes: u64::MAX,
    };
    store.append_links(links).await.unwrap();
    let mut head = make_vault(store, 100_000).await;
    let (mut leaf, mut sent) = (NONE, Vec::new());
    for (blob, state, counts) in [
        (&b"first"[..], ItemState::Live, (1, 0)),
        (b"second", ItemState::Live, (1, 0)),
        (b"gone", ItemState::Tombstone, (0, 1)),
    ] {
        let change = NewItem { state, ..item(item_id(1), leaf, blob) };
        leaf = change.new;
        let mut commit = new_commit(head, blob, vec![change], counts);
        commit.members = Some(vec![OWNER]);
        commit.device_id = DeviceId([6; 16]);
        assert!(matches!(store.commit(commit.clone()).await.unwrap(), CommitOutcome::Committed(_)));
        head = commit.row.head;
        sent.push(commit);
    }
    sent
}

/// For stores that outlive the process: `open` gives the same store each time, empty at first.
///
/// # Panics
/// When the store lost or changed something.
pub async fn survive_reopening(open: impl Fn() -> Arc<dyn Store>) {
    let store = open();
    let sent = fill(&*store).await;
    let head = sent[2].row.head;
    let before = answers(&*store, head).await;
    for _ in 0..2 {
        store.settle().await.unwrap();
        assert_eq!(answers(&*store, head).await, before);
    }
    drop(store);
    for _ in 0..2 {
        let store = open();
        assert_eq!(answers(&*store, head).await, before);
        for commit in &sent {
            let again = store.commit(commit.clone()).await.unwrap();
            assert!(matches!(again, CommitOutcome::Already(standing) if standing.head == head));
        }
        let page = store.commit_page(READER, Some(Seq(0)), 100).await.unwrap().unwrap();
        assert_eq!(page.rows, sent.iter().map(|commit| commit.row.clone()).collect::<Vec<_>>());
    }
    let store = open();
    let mut next = new_commit(head, b"next", vec![item(item_id(2), NONE, b"2")], (1, 1));
    next.members = None;
    assert!(matches!(store.commit(next).await.unwrap(), CommitOutcome::Committed(_)));
}
