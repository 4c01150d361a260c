//! Answers about a vault that are each the truth about something else.

use std::sync::Arc;

use lockstep_client::api::Api;
use lockstep_client::sync::SyncError;
use lockstep_proto::api::items::{BlobsPage, BlobsRequest, ItemVersion};
use lockstep_proto::api::vaults::{CommitPage, CommitsQuery};
use lockstep_proto::ids::Version;
use lockstep_proto::log::CommitError;
use lockstep_tests::{Change, TestDevice, asks_blobs, asks_commits, assert_in_step, two_devices};

use super::{changed, shown, unseen};

/// The second device refuses, keeps all that it had, and is in step once the server tells the truth.
async fn refused(attack: Change, mut first: TestDevice, mut second: TestDevice) -> SyncError {
    let (before, status) = (shown(&second).await, second.client.status().await.unwrap());
    second.net.server().answer(move |request, response| attack(request, response));
    let error = second.sync().await.unwrap_err();
    assert_eq!(shown(&second).await, before);
    let after = second.client.status().await.unwrap();
    assert_eq!((after.vaults[0].head, after.pending), (status.vaults[0].head, status.pending));
    second.net.server().be_honest();
    assert_in_step(&mut first, &mut second).await;
    error
}

#[tokio::test]
async fn a03_an_older_version_of_an_item_is_refused() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let vault = first.vault().await.unwrap();
    let api = Api::new(first.net.clone());
    let session = first.client.unlocked().session(&api);
    let want = vec![ItemVersion { item_id: item, version: Version(1) }];
    let older = api.blobs(&session, &vault, &BlobsRequest { want }).await.unwrap().blobs[0].blob.clone();
    first.set(item, "password", "newer").await.unwrap();
    first.sync().await.unwrap();
    second.add("waits").await.unwrap();
    let attack = changed::<BlobsPage>(asks_blobs, move |page| page.blobs[0].blob = older.clone());
    let error = refused(Arc::new(attack), first, second).await;
    assert!(matches!(error, SyncError::Blob { .. }), "{error}");
}

/// A12: a whole, valid vault of somebody else's in the place of one's own.
#[tokio::test]
async fn a12_the_commits_of_another_accounts_vault_are_refused() {
    let (server, first, second, _) = unseen().await;
    let (mut stranger, _) = TestDevice::sign_up(&server).await.unwrap();
    stranger.client.create_vault("Theirs").await.unwrap();
    stranger.add("Theirs").await.unwrap();
    stranger.sync().await.unwrap();
    let api = Api::new(stranger.net.clone());
    let session = stranger.client.unlocked().session(&api);
    let vault = stranger.vault().await.unwrap();
    let theirs = api.commits(&session, &vault, &CommitsQuery::default()).await.unwrap();
    let attack = changed::<CommitPage>(asks_commits, move |page| page.commits.clone_from(&theirs.commits));
    let error = refused(Arc::new(attack), first, second).await;
    assert!(matches!(error, SyncError::Commit { .. } | SyncError::Diverged { .. }), "{error}");
}

/// A05, A06: commits that are each true, in another number or order.
#[tokio::test]
async fn a06_commits_that_are_dropped_repeated_or_reordered_are_refused() {
    let attacks: [fn(&mut CommitPage); 3] = [
        |page| drop(page.commits.remove(0)),
        |page| page.commits.insert(0, page.commits[0].clone()),
        |page| page.commits.swap(0, 1),
    ];
    for attack in attacks {
        let (_server, first, second, _) = unseen().await;
        let error = refused(Arc::new(changed(asks_commits, attack)), first, second).await;
        let named = matches!(
            error,
            SyncError::Commit { source: CommitError::Chain { .. }, .. } | SyncError::Diverged { .. }
        );
        assert!(named, "{error}");
    }
}

#[tokio::test]
async fn a17_a_commit_of_an_unknown_suite_asks_for_an_update() {
    let (_server, first, second, _) = unseen().await;
    let attack = changed::<CommitPage>(asks_commits, |page| {
        let bytes = &mut page.commits[0].commit.0;
        let suite = 4 + bytes[4..].iter().position(|byte| *byte == lockstep_proto::SUITE).unwrap();
        bytes[suite] = 2;
    });
    let error = refused(Arc::new(attack), first, second).await;
    assert!(matches!(error, SyncError::Commit { .. }), "{error}");
    assert!(error.to_string().contains("suite 2 is not known to this version"), "{error}");
}
