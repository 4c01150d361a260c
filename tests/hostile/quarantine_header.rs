//! Versions whose header says another author or epoch than the commit that names them (A39): an honest server takes
//! none, and every device puts them aside, whether it pulls them or meets them at its first sync.

use std::sync::{Arc, Mutex};

use lockstep_client::account::KeyChange;
use lockstep_client::client::{QuarantineInfo, QuarantineReason};
use lockstep_client::ports::{Request, Response};
use lockstep_proto::api::items::{BlobsPage, ItemPage, StoredBlob, StoredItem};
use lockstep_proto::api::vaults::{CommitPage, ControlPage, PostCommit, StoredCommit};
use lockstep_proto::blob::{Blob, blob_hash};
use lockstep_proto::ids::{ItemId, Seq, Version};
use lockstep_proto::log::Entry;
use lockstep_tests::{
    Fault, PASSWORD, TestDevice, TestServer, asks_blobs, asks_commits, asks_control, asks_items, decode,
    encode, is_commit, three_devices_on,
};

use super::forge::Forger;
use super::garbage;

/// The answer as a server gives it that took this commit.
fn as_if_taken(request: &Request, response: Response, post: &PostCommit) -> Response {
    let entry = Entry::from_wire(&post.commit, &post.body).unwrap();
    let commit = entry.commit.value();
    let head = commit.head(entry.commit.hash());
    let stored = StoredCommit { commit: post.commit.clone(), body: post.body.clone() };
    let blob = post.blobs[0].clone();
    let item_id = Blob::from_bytes(&blob).unwrap().header.item_id;
    let body = if asks_control(request) {
        let mut page: ControlPage = decode(&response.body);
        (page.head, page.last) = (head, stored);
        encode(&page)
    } else if asks_commits(request) {
        let mut page: CommitPage = decode(&response.body);
        let before =
            page.commits.last().map(|stored| Entry::from_wire(&stored.commit, &stored.body).unwrap());
        let reached = match before {
            Some(before) => before.commit.value().seq,
            None => Seq(request.path.split("after=").last().unwrap().parse().unwrap()),
        };
        if !page.more && reached.next() == head.seq {
            page.commits.push(stored);
        }
        page.head = head;
        encode(&page)
    } else if asks_items(request) {
        let mut page: ItemPage = decode(&response.body);
        if !page.more {
            let (version, blob_hash) = (Version(1), blob_hash(&blob));
            page.items.push(StoredItem { item_id, version, blob_hash, seq: head.seq, blob });
        }
        page.head = head;
        encode(&page)
    } else if asks_blobs(request) {
        let mut page: BlobsPage = decode(&response.body);
        page.missing.retain(|missing| missing.item_id != item_id);
        page.blobs.push(StoredBlob { item_id, version: Version(1), blob });
        encode(&page)
    } else {
        return response;
    };
    Response { body, ..response }
}

/// An item that this device has sealed and signed, and that never reached the server.
async fn never_sent(device: &mut TestDevice) -> (ItemId, Vec<u8>) {
    let item_id = device.add("Borrowed").await.unwrap();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let log = sent.clone();
    device.net.before(Box::new(move |request| {
        if is_commit(request) {
            log.lock().unwrap().push(request.body.clone());
        }
        Box::pin(async {})
    }));
    device.net.fail(is_commit, Fault::Unreachable, usize::MAX);
    device.sync().await.unwrap_err();
    device.net.undisturbed();
    let post: PostCommit = decode(&sent.lock().unwrap()[0]);
    (item_id, post.blobs[0].to_vec())
}

/// What the header says that is not what the commit says.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Other {
    Nothing,
    Author,
    Epoch,
    /// And nobody can open it.
    AuthorOfGarbage,
}

/// What a device that pulls, and one that signs in, put aside and show of an item of which the header says another
/// thing.
async fn put_aside(other: Other) -> [(Vec<QuarantineInfo>, Option<String>); 2] {
    let server = TestServer::start().unwrap();
    let (server, [mut first, mut second, mut third], papers) = Box::pin(three_devices_on(server)).await;
    let (item_id, blob) = never_sent(&mut first).await;
    if other == Other::Epoch {
        second.change_keys(&KeyChange::Rotation { new_secret_key: false }, PASSWORD).await.unwrap();
        first.sync().await.unwrap_err();
    }
    third.sync().await.unwrap();
    let is_of_another = matches!(other, Other::Author | Other::AuthorOfGarbage);
    let author = if is_of_another { &second } else { &first };
    let blob = match other {
        Other::AuthorOfGarbage => garbage(Blob::from_bytes(&blob).unwrap().header),
        _ => blob,
    };
    let post = Forger::of(author).await.adding(item_id, blob);
    first.net.mend();
    let taken = Forger::of(author).await.post(&post).await;
    if other != Other::Nothing {
        assert!(taken.is_err(), "an honest server takes it: {taken:?}");
    }
    let hostile = move |request: &Request, response: Response| match response.status {
        200 => as_if_taken(request, response, &post),
        _ => response,
    };
    if other != Other::Nothing {
        third.net.server().answer(hostile);
    }
    third.sync().await.unwrap();
    let relay = third.net.server();
    let prepare = |server: &lockstep_tests::Tamper| server.answer_as(relay);
    let mut fourth = TestDevice::sign_in_through(&server.url(), &papers, prepare).await.unwrap();
    fourth.sync().await.unwrap();
    fourth.sync().await.unwrap();
    assert!(fourth.client.status().await.unwrap().vaults[0].history_checked);
    let mut found = Vec::new();
    for device in [&third, &fourth] {
        found.push((device.client.quarantined(), device.field(item_id, "title").await.ok()));
    }
    found.try_into().unwrap()
}

#[tokio::test]
async fn a39_a_version_whose_header_names_another_author_or_epoch_is_put_aside_by_every_device() {
    let shown = Some("Borrowed".to_owned());
    assert_eq!(Box::pin(put_aside(Other::Nothing)).await, [(vec![], shown.clone()), (vec![], shown)]);
    for other in [Other::Author, Other::Epoch, Other::AuthorOfGarbage] {
        let [pulled, first_sync] = Box::pin(put_aside(other)).await;
        assert_eq!(pulled.0[0].reason, QuarantineReason::Header, "{other:?}");
        assert_eq!((pulled.0.len(), &pulled.1), (1, &None), "{other:?}");
        assert_eq!(first_sync, pulled, "{other:?}");
    }
}
