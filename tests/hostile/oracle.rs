//! A server, with a device of the account on its side, that breaks what is sealed in every way and watches (A23): what
//! the client asks for afterwards says nothing of why, or whether, an item did not open.

use lockstep_client::ports::Request;
use lockstep_proto::api::items::{BlobsPage, StoredBlob};
use lockstep_proto::api::vaults::{CommitPage, PostCommit, StoredCommit};
use lockstep_proto::blob::{Blob, ItemHeader, ItemState, TOMBSTONE_LIMIT};
use lockstep_proto::ids::{Epoch, Hash, Version};
use lockstep_proto::log::Entry;
use lockstep_tests::{TestDevice, TestServer, asks_blobs, asks_commits, assert_in_step, two_devices_on};

use super::forge::Forger;
use super::{changed, shown};

type Seal = fn(ItemHeader) -> Vec<u8>;

/// Ways of sealing that nobody can open, each for another reason.
const BROKEN: [(&str, Seal); 9] = [
    ("garbage", |header| Blob { header, envelope: vec![1; 512] }.to_bytes()),
    ("another suite", |header| Blob { header, envelope: [vec![2], vec![1; 511]].concat() }.to_bytes()),
    ("cut", |header| Blob { header, envelope: vec![1; 350] }.to_bytes()),
    ("empty", |header| Blob { header, envelope: Vec::new() }.to_bytes()),
    ("another version", |header| sealed(ItemHeader { version: Version(7), ..header })),
    ("another epoch", |header| sealed(ItemHeader { epoch: Epoch(9), ..header })),
    ("another version before", |header| sealed(ItemHeader { prev_blob_hash: Hash([9; 32]), ..header })),
    ("a large tombstone", |header| {
        let header = ItemHeader { state: ItemState::Tombstone, ..header };
        Blob { header, envelope: vec![1; TOMBSTONE_LIMIT + 1] }.to_bytes()
    }),
    ("no blob", |_| vec![0; 300]),
];

fn sealed(header: ItemHeader) -> Vec<u8> {
    Blob { header, envelope: vec![1; 512] }.to_bytes()
}

/// What a network observer sees of a request, but for what is random in every run.
fn seen(request: &Request) -> (String, usize) {
    (format!("{:?} {}", request.method, request.path), request.body.len())
}

/// The requests of this sync and the next, while the server gives this commit as its newest.
async fn requests(device: &mut TestDevice, post: PostCommit) -> Vec<(String, usize)> {
    let entry = Entry::from_wire(&post.commit, &post.body).unwrap();
    let head = entry.commit.value().head(entry.commit.hash());
    let item_id = match &entry.body {
        lockstep_proto::log::CommitBody::Content(body) => body.changes[0].item_id,
        other => panic!("{other:?}"),
    };
    let blob = post.blobs[0].clone();
    let commits = changed::<CommitPage>(asks_commits, move |page| {
        let stored = StoredCommit { commit: post.commit.clone(), body: post.body.clone() };
        page.commits = if page.head == head { Vec::new() } else { vec![stored] };
        (page.head, page.more) = (head, false);
    });
    let blobs = changed::<BlobsPage>(asks_blobs, move |page| {
        page.missing.clear();
        page.blobs = vec![StoredBlob { item_id, version: Version(1), blob: blob.clone() }];
    });
    device.net.server().answer(move |request, response| blobs(request, commits(request, response)));
    let before = device.net.server().seen().len();
    drop(device.sync().await);
    drop(device.sync().await);
    device.net.server().seen()[before..].iter().map(seen).collect()
}

#[tokio::test]
async fn a23_what_is_asked_for_does_not_tell_what_failed() {
    let server = TestServer::start_in_memory().unwrap();
    let (_server, mut first, mut second) = Box::pin(two_devices_on(server)).await;
    first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let truth = shown(&second).await;
    let mut first_seen = None;
    for (name, seal) in BROKEN {
        let (_, post) = Forger::of(&first).await.commit(seal);
        let mut victim = second.restarted(second.store.snapshot()).await.unwrap();
        let requests = requests(&mut victim, post).await;
        assert!(requests.len() > 3, "{requests:?}");
        assert_eq!(requests, *first_seen.get_or_insert_with(|| requests.clone()), "{name}");
        let quarantined = victim.client.quarantined().len();
        assert_eq!((shown(&victim).await, quarantined), (truth.clone(), 1), "{name}");
    }
}
