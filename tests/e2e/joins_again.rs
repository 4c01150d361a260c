//! Joins that are overtaken, interrupted by the server, or followed by another restore.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use lockstep_client::ports::Response;
use lockstep_proto::api::items::BlobsPage;
use lockstep_proto::api::vaults::PostCommit;
use lockstep_proto::log::Entry;
use lockstep_tests::{TestDevice, TestServer, assert_in_step, three_devices_on};

use super::joins::{go, is_fork, purge, write};

/// Each of two devices is further along than the one before: one is asked, both follow, and what both have counts.
#[tokio::test]
async fn a_device_that_is_further_along_is_asked_again() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut third], _) = Box::pin(three_devices_on(server)).await;
    let (old, start) = (server.copy().unwrap(), first.everything().await.unwrap().len());
    write(&mut first, "Both have it").await;
    third.sync().await.unwrap();
    let far = write(&mut third, "One has it").await;
    go(&[&first, &second, &third], &old);
    write(&mut second, "After the restore").await;
    assert!(is_fork(&mut first).await);
    first.accept_histories().await.unwrap();
    assert_eq!(third.sync().await.unwrap().accepted, 1, "its owner has said yes");
    for device in [&mut first, &mut second] {
        device.sync().await.unwrap();
        assert_eq!(device.field(far, "title").await.unwrap(), "One has it");
        assert_eq!(device.everything().await.unwrap(), third.everything().await.unwrap());
    }
    assert_eq!(first.everything().await.unwrap().len(), start + 3);
}

/// The server loses more and more: to before a heal, to the middle of a joined branch.
#[tokio::test]
async fn a_server_that_is_restored_once_more_gets_a_healed_history_back() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut third], papers) = Box::pin(three_devices_on(server)).await;
    let (old, start) = (server.copy().unwrap(), first.everything().await.unwrap().len());
    write(&mut first, "First").await;
    let middle = server.copy().unwrap();
    write(&mut first, "Second").await;
    let before = old.copy().unwrap();
    go(&[&first, &second, &third], &before);
    write(&mut second, "Third").await;
    let unhealed = before.copy().unwrap();
    assert!(is_fork(&mut first).await);
    first.accept_histories().await.unwrap();
    second.sync().await.unwrap();
    let everything = first.everything().await.unwrap();
    assert_eq!(everything.len(), start + 3);

    // To before the heal, on its chain: nobody is asked.
    for lost in [&unhealed, &old] {
        let lost = lost.copy().unwrap();
        go(&[&first, &second, &third], &lost);
        assert_eq!(first.sync().await.unwrap().healed, 2, "the vault, and the account's log");
        for device in [&mut second, &mut third] {
            device.sync().await.unwrap();
            assert_eq!(device.everything().await.unwrap(), everything);
        }
        let mut new = Box::pin(TestDevice::sign_in(&lost, &papers)).await.unwrap();
        for _ in 0..2 {
            new.sync().await.unwrap();
        }
        assert_eq!(new.everything().await.unwrap(), everything);
    }
    // To the middle of the branch that was joined: another history, every part of which is known. What the first device wrote
    // there next is on the side of the heal that it signs there.
    go(&[&first, &second, &third], &middle);
    assert!(is_fork(&mut first).await);
    first.accept_histories().await.unwrap();
    for device in [&mut second, &mut third] {
        device.sync().await.unwrap();
        assert_eq!(device.everything().await.unwrap(), everything);
    }
}

/// Restored twice, and written to each time: heals on the side of heals.
#[tokio::test]
async fn two_restores_are_joined_one_after_the_other() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut third], papers) = Box::pin(three_devices_on(server)).await;
    let (old, start) = (server.copy().unwrap(), first.everything().await.unwrap().len());
    let again = server.copy().unwrap();
    let bank = write(&mut first, "Bank").await;
    go(&[&first, &second, &third], &old);
    write(&mut second, "After the first restore").await;
    assert!(is_fork(&mut first).await);
    first.accept_histories().await.unwrap();
    first.set(bank, "notes", "after the first join").await.unwrap();
    first.sync().await.unwrap();
    second.sync().await.unwrap();
    go(&[&first, &second, &third], &again);
    // The third device was away all the time.
    write(&mut third, "After the second restore").await;
    assert!(is_fork(&mut first).await && is_fork(&mut second).await);
    second.accept_histories().await.unwrap();
    for device in [&mut first, &mut third, &mut second] {
        device.sync().await.unwrap();
    }
    assert_in_step(&mut first, &mut second).await;
    assert_in_step(&mut third, &mut second).await;
    let mut new = Box::pin(TestDevice::sign_in(&again, &papers)).await.unwrap();
    new.sync().await.unwrap();
    new.add("From a new device").await.unwrap();
    assert_in_step(&mut new, &mut first).await;
    assert_eq!(first.everything().await.unwrap().len(), start + 4);
    assert_eq!(new.field(bank, "notes").await.unwrap(), "after the first join");
}

/// What a person does after the join is done: a device of the joined branch that comes late does not bring it back.
#[tokio::test]
async fn what_was_purged_after_a_join_stays_purged() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut third], _) = Box::pin(three_devices_on(server)).await;
    let old = server.copy().unwrap();
    let gone = first.add("Gone in the end").await.unwrap();
    let kept = write(&mut first, "Kept").await;
    third.sync().await.unwrap();
    go(&[&first, &second, &third], &old);
    write(&mut second, "Of the second").await;
    assert!(is_fork(&mut first).await);
    first.accept_histories().await.unwrap();
    purge(&mut first, gone).await;
    first.set(kept, "password", "changed since").await.unwrap();
    first.sync().await.unwrap();
    let report = third.sync().await.unwrap();
    assert_eq!((report.accepted, report.pushed), (1, 0), "there is nothing left to bring back");
    assert!(third.document(gone).await.is_err());
    assert_in_step(&mut third, &mut second).await;
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(second.field(kept, "password").await.unwrap(), "changed since");
}

/// The server's branch goes on while the link is on its way.
#[tokio::test]
async fn a_branch_that_goes_on_meanwhile_is_joined_all_the_same() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, _], _) = Box::pin(three_devices_on(server)).await;
    let old = server.copy().unwrap();
    write(&mut first, "Of the first").await;
    go(&[&first, &second], &old);
    write(&mut second, "Of the second").await;
    assert!(is_fork(&mut first).await);

    let rounds = AtomicUsize::new(0);
    let second = Arc::new(tokio::sync::Mutex::new(second));
    let other = second.clone();
    first.net.before(Box::new(move |request| {
        let posted = request.path.ends_with("/account/links") && !request.body.is_empty();
        let other = other.clone();
        let goes_on = posted && rounds.fetch_add(1, Ordering::Relaxed) < 3;
        Box::pin(async move {
            if goes_on {
                let mut other = other.lock().await;
                write(&mut other, "Meanwhile").await;
            }
        })
    }));
    first.accept_histories().await.unwrap();
    first.net.undisturbed();
    let mut second = second.lock().await;
    assert_in_step(&mut first, &mut second).await;
    assert!(first.everything().await.unwrap().len() >= 4);
}

/// A commit is on its way when the histories part: whatever the server does then, nothing else is signed in its place.
#[tokio::test]
async fn what_is_in_flight_on_a_branch_stays_until_the_branch_is_joined() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, _], _) = Box::pin(three_devices_on(server)).await;
    let (old, start) = (server.copy().unwrap(), first.everything().await.unwrap().len());
    write(&mut first, "Of the first").await;
    go(&[&first, &second], &old);
    write(&mut second, "Of the second").await;
    let posts = Arc::new(Mutex::new(Vec::new()));
    let sent = posts.clone();
    first.net.before(Box::new(move |request| {
        if lockstep_tests::is_commit(request) {
            let post: PostCommit = lockstep_tests::decode(&request.body);
            let entry = Entry::from_wire(&post.commit, &post.body).unwrap();
            sent.lock().unwrap().push((entry.commit.value().prev_hash, entry.commit.hash()));
        }
        Box::pin(async {})
    }));
    // In flight on its own branch; then the server shows the other one, and refuses the heal.
    first.net.server().switch_to(&server).unwrap();
    first.add("In flight").await.unwrap();
    first.net.fail(lockstep_tests::is_commit, lockstep_tests::Fault::Unreachable, usize::MAX);
    assert!(first.sync().await.is_err());
    first.net.server().switch_to(&old).unwrap();
    first.net.mend();
    assert!(is_fork(&mut first).await);
    first.net.fail(lockstep_tests::is_commit, lockstep_tests::Fault::Unreachable, usize::MAX);
    for _ in 0..2 {
        assert!(first.accept_histories().await.is_err());
    }
    // Back to the first branch, and to the other one again.
    first.net.mend();
    first.net.server().switch_to(&server).unwrap();
    assert!(is_fork(&mut first).await);
    first.accept_histories().await.unwrap();
    first.net.server().switch_to(&old).unwrap();
    assert!(is_fork(&mut first).await);
    first.accept_histories().await.unwrap();
    second.sync().await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let posts: BTreeSet<_> = posts.lock().unwrap().iter().copied().collect();
    let heads: BTreeSet<_> = posts.iter().map(|(prev_hash, _)| *prev_hash).collect();
    assert!(posts.len() <= heads.len() + 1, "one commit on each head, for each history that was accepted");
    assert_eq!(first.everything().await.unwrap().len(), start + 3);
}

/// The server takes the link and then gives nothing: it was signed once, and the next sync follows it.
#[tokio::test]
async fn a_link_that_was_taken_is_not_signed_again() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, _], _) = Box::pin(three_devices_on(server)).await;
    let old = server.copy().unwrap();
    let item = write(&mut first, "Of the first").await;
    go(&[&first, &second], &old);
    write(&mut second, "Of the second").await;
    assert!(is_fork(&mut first).await);
    first.net.server().answer(|request, response| match lockstep_tests::asks_blobs(request) {
        true => {
            let nothing = BlobsPage { blobs: Vec::new(), missing: Vec::new(), more: false };
            Response { body: lockstep_tests::encode(&nothing), ..response }
        }
        false => response,
    });
    assert!(first.accept_histories().await.is_err() && first.sync().await.is_err());
    let seen = first.net.server().seen().into_iter();
    let posted = seen.filter(|request| request.path.ends_with("/account/links") && !request.body.is_empty());
    assert_eq!(posted.map(|request| request.body).collect::<BTreeSet<_>>().len(), 1);
    first.net.server().be_honest();
    assert_eq!(first.sync().await.unwrap().accepted, 1);
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(second.field(item, "title").await.unwrap(), "Of the first");
}
