//! One commit per head, the same bytes every time, however the server answers (A43).

use std::collections::BTreeMap;

use lockstep_client::ports::Response;
use lockstep_proto::api::vaults::PostCommit;
use lockstep_proto::ids::Hash;
use lockstep_proto::log::Entry;
use lockstep_tests::{Fault, TestDevice, assert_in_step, decode, is_commit, two_devices};

/// No two commits of a device stand on the same head.
fn assert_once(device: &TestDevice) {
    let mut sent: BTreeMap<Hash, Vec<u8>> = BTreeMap::new();
    for request in device.net.server().seen().iter().filter(|request| is_commit(request)) {
        let posted: PostCommit = decode(&request.body);
        let entry = Entry::from_wire(&posted.commit, &posted.body).unwrap();
        let first = sent.entry(entry.commit.value().prev_hash).or_insert_with(|| request.body.clone());
        assert_eq!(*first, request.body, "two commits on one head");
    }
    assert!(!sent.is_empty());
}

#[tokio::test]
async fn a43_a_commit_whose_answer_is_refused_is_sent_again_with_the_same_bytes() {
    for (status, body) in [(200, vec![]), (200, vec![0xf6]), (500, vec![]), (409, vec![]), (503, vec![1])] {
        let (_server, mut first, mut second) = two_devices().await;
        let item = second.add("Bank").await.unwrap();
        second.net.server().answer(move |request, response| match is_commit(request) {
            true => Response { status, body: body.clone(), ..response },
            false => response,
        });
        second.sync().await.unwrap_err();
        second.set(item, "password", "edited meanwhile").await.unwrap();
        second.sync().await.unwrap_err();
        assert_eq!(second.field(item, "password").await.unwrap(), "edited meanwhile");
        second.net.server().be_honest();
        assert_in_step(&mut first, &mut second).await;
        assert_eq!(first.field(item, "password").await.unwrap(), "edited meanwhile");
        assert_once(&second);
    }
}

#[tokio::test]
async fn a43_a_commit_that_was_held_back_is_not_replaced_by_another_on_the_same_head() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = second.add("Bank").await.unwrap();
    second.net.fail(is_commit, Fault::AnswerLost, usize::MAX);
    second.sync().await.unwrap_err();
    second.set(item, "password", "later").await.unwrap();
    let mut again = second.restarted(second.store.snapshot()).await.unwrap();
    second.net.mend();
    second.sync().await.unwrap();
    again.sync().await.unwrap();
    assert_in_step(&mut first, &mut again).await;
    assert_eq!(first.field(item, "password").await.unwrap(), "later");
    assert_once(&second);
}
