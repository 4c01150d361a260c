//! A device of the account that seals garbage (A39): its item is put aside, the vault goes on.

use lockstep_client::api::Api;
use lockstep_client::client::QuarantineReason;
use lockstep_proto::api::vaults::{CommitsQuery, PostCommit};
use lockstep_proto::blob::{Blob, ItemHeader, ItemState, blob_hash};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{Hash, ItemId, Version};
use lockstep_proto::log::{
    Change, Commit, CommitBody, CommitKind, ContentBody, Entry, VaultState, change_digest,
};
use lockstep_tests::{TestDevice, assert_in_step, two_devices};

/// A valid commit by this device that adds an item which nobody can open.
async fn commit_garbage(device: &TestDevice) -> ItemId {
    let (unlocked, vault_id) = (device.client.unlocked(), device.vault().await.unwrap());
    let api = Api::new(device.net.clone());
    let session = unlocked.session(&api);
    let page = api.commits(&session, &vault_id, &CommitsQuery::default()).await.unwrap();
    let entries = page.commits.iter().map(|stored| Entry::from_wire(&stored.commit, &stored.body).unwrap());
    let entries: Vec<Entry> = entries.collect();
    let mut state = VaultState::from_genesis(&entries[0], unlocked.state()).unwrap();
    for entry in &entries[1..] {
        state = state.apply(entry, unlocked.state()).unwrap();
    }
    let item_id = device.client.make_item_id();
    let header = ItemHeader {
        vault_id,
        epoch: state.epoch(),
        item_id,
        version: Version(1),
        prev_blob_hash: Hash::ZERO,
        author_account: unlocked.account_id(),
        author_device: unlocked.device_id(),
        state: ItemState::Live,
    };
    let blob = Blob { header, envelope: vec![1; 512] }.to_bytes();
    let change = Change {
        item_id,
        old_version: Version(0),
        old_blob_hash: Hash::ZERO,
        new_version: Version(1),
        new_blob_hash: blob_hash(&blob),
    };
    let digest = change_digest(&vault_id, &state.digest(), &[change]).unwrap();
    let body = CommitBody::Content(ContentBody { changes: vec![change] });
    let commit = Commit {
        vault_id,
        seq: state.head().seq.next(),
        prev_hash: state.head().hash,
        kind: CommitKind::Content,
        epoch: state.epoch(),
        control_hash: state.control().hash,
        author_account: unlocked.account_id(),
        author_device: unlocked.device_id(),
        author_position: unlocked.state().head(),
        time_ms: 0,
        digest,
        live: state.live() + 1,
        tombstones: state.tombstones(),
        observed: Vec::new(),
        body_hash: body.hash(),
    };
    let commit = unlocked.sign_commit(commit).to_body();
    let post = PostCommit { commit, body: Bytes(body.to_bytes()), blobs: vec![Bytes(blob)] };
    api.post_commit(&session, &vault_id, &post).await.unwrap();
    item_id
}

#[tokio::test]
async fn an_item_that_nobody_can_open_is_put_aside_and_the_vault_goes_on() {
    let (_server, mut first, mut second) = two_devices().await;
    let bank = first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let garbage = commit_garbage(&first).await;
    let waiting = second.add("waits").await.unwrap();
    let report = second.sync().await.unwrap();
    assert_eq!(report.quarantined, 1);
    let aside = second.client.quarantined();
    assert_eq!((aside.len(), aside[0].item_id, aside[0].author), (1, garbage, first.client.device_id()));
    assert_eq!(aside[0].reason, QuarantineReason::Sealed);

    second.set(bank, "password", "goes on").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(first.field(bank, "password").await.unwrap(), "goes on");
    assert_eq!(first.field(waiting, "title").await.unwrap(), "waits");
    assert_eq!(first.client.quarantined().len(), 1);
}
