//! A server whose answers about a vault are not the truth: nothing of them is used, and the truth is still welcome.

use lockstep_client::sync::{Missing, SyncError};
use lockstep_proto::api::items::{BlobsPage, ItemVersion};
use lockstep_proto::api::vaults::CommitPage;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{Hash, ItemId};
use lockstep_proto::log::CommitError;
use lockstep_tests::{Fault, TestDevice, TestServer, asks_blobs, asks_commits, assert_in_step, two_devices};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A body with a change.
fn change<T: Serialize + DeserializeOwned>(bytes: &[u8], change: impl FnOnce(&mut T)) -> Vec<u8> {
    let mut body: T = ciborium::from_reader(bytes).unwrap();
    change(&mut body);
    let mut bytes = Vec::new();
    ciborium::into_writer(&body, &mut bytes).unwrap();
    bytes
}

/// Two devices; the first has written two items that the second has not seen.
async fn unseen() -> (TestServer, TestDevice, TestDevice, ItemId) {
    let (server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    first.set(item, "password", "newer").await.unwrap();
    first.add("Mail").await.unwrap();
    first.sync().await.unwrap();
    (server, first, second, item)
}

/// The second device refuses, keeps what it had, and is in step once the server tells the truth.
async fn refuses(which: Which, tamper: fn(Vec<u8>) -> Vec<u8>) -> SyncError {
    Box::pin(refuse(which, tamper)).await
}

type Which = fn(&lockstep_client::ports::Request) -> bool;

async fn refuse(which: Which, tamper: fn(Vec<u8>) -> Vec<u8>) -> SyncError {
    let (_server, mut first, mut second, item) = unseen().await;
    let waiting = second.add("waits").await.unwrap();
    let (before, pinned) =
        (second.everything().await.unwrap(), second.client.status().await.unwrap().vaults[0].head);
    second.net.fail(which, Fault::Tampered(tamper), usize::MAX);
    let error = second.sync().await.unwrap_err();
    assert_eq!(second.everything().await.unwrap(), before);
    assert_eq!(second.client.status().await.unwrap().vaults[0].head, pinned);
    second.net.mend();
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(second.field(item, "password").await.unwrap(), "newer");
    assert_eq!(first.field(waiting, "title").await.unwrap(), "waits");
    error
}

#[tokio::test]
async fn a13_commits_that_are_held_back_are_missed() {
    let error = refuses(asks_commits, |body| change::<CommitPage>(&body, |page| page.commits.clear())).await;
    assert!(matches!(error, SyncError::Withheld { what: Missing::Commits(_), .. }), "{error}");
}

#[tokio::test]
async fn a10_a_head_that_nobody_signed_is_refused() {
    let error =
        refuses(asks_commits, |body| change::<CommitPage>(&body, |page| page.head.hash = Hash([7; 32])))
            .await;
    assert!(matches!(error, SyncError::Diverged { .. }), "{error}");
}

#[tokio::test]
async fn a10_an_older_head_that_was_never_this_vaults_is_refused() {
    let error = refuses(asks_commits, |body| {
        change::<CommitPage>(&body, |page| {
            page.head = lockstep_proto::log::LogHead::default();
            page.commits.clear();
        })
    })
    .await;
    assert!(matches!(error, SyncError::Diverged { .. }), "{error}");
}

#[tokio::test]
async fn a04_a_commit_that_was_changed_is_refused() {
    let error = refuses(asks_commits, |body| {
        change::<CommitPage>(&body, |page| {
            let last = page.commits[0].commit.0.len() - 1;
            page.commits[0].commit.0[last] ^= 1;
        })
    })
    .await;
    assert!(matches!(error, SyncError::Commit { source: CommitError::Signature(_), .. }), "{error}");
    assert_eq!(error.rule(), Some("R-AUTHOR"));
}

#[tokio::test]
async fn a11_a_commit_without_its_body_is_refused() {
    let error = refuses(asks_commits, |body| {
        change::<CommitPage>(&body, |page| page.commits[0].body = Bytes(Vec::new()))
    })
    .await;
    assert!(matches!(error, SyncError::Commit { source: CommitError::Body, .. }), "{error}");
}

#[tokio::test]
async fn a04_a_blob_that_was_changed_is_refused() {
    let error = refuses(asks_blobs, |body| {
        change::<BlobsPage>(&body, |page| {
            let last = page.blobs[0].blob.0.len() - 1;
            page.blobs[0].blob.0[last] ^= 1;
        })
    })
    .await;
    assert!(matches!(error, SyncError::Blob { .. }), "{error}");
}

#[tokio::test]
async fn a03_blobs_that_were_swapped_are_refused() {
    let error = refuses(asks_blobs, |body| {
        change::<BlobsPage>(&body, |page| {
            let blob = page.blobs[0].blob.clone();
            page.blobs[0].blob = page.blobs[1].blob.clone();
            page.blobs[1].blob = blob;
        })
    })
    .await;
    assert!(matches!(error, SyncError::Blob { .. }), "{error}");
}

#[tokio::test]
async fn a05_a_blob_that_is_held_back_is_missed() {
    let error = refuses(asks_blobs, |body| {
        change::<BlobsPage>(&body, |page| {
            let kept = page.blobs.remove(0);
            let version = kept.version;
            page.missing.push(ItemVersion { item_id: kept.item_id, version });
        })
    })
    .await;
    assert!(matches!(error, SyncError::Withheld { what: Missing::Item(_), .. }), "{error}");
}

#[tokio::test]
async fn a11_an_empty_answer_takes_nothing_away() {
    let error = refuses(asks_blobs, |body| change::<BlobsPage>(&body, |page| page.blobs.clear())).await;
    assert!(matches!(error, SyncError::Api(_)), "{error}");
}
