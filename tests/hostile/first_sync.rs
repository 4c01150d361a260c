//! First syncs by a server that tells the truth too late (A05, A06, A13, A31): what it put into the way at first is gone
//! once it is honest.

use std::sync::Arc;

use lockstep_client::ports::{Request, Response};
use lockstep_client::sync::{Missing, SyncError};
use lockstep_proto::api::items::ItemPage;
use lockstep_proto::api::vaults::{CommitPage, ControlPage, PostCommit, StoredCommit};
use lockstep_proto::ids::Seq;
use lockstep_proto::log::LogHead;
use lockstep_tests::{
    Papers, TestDevice, TestServer, asks_control, asks_items, assert_in_step, decode, encode, is_commit,
    login, one_device,
};
use tokio::sync::Mutex;

use super::changed;

/// A vault with a few items, each written by a commit of its own.
async fn written() -> (TestServer, TestDevice, Papers) {
    let (server, mut first, papers) = one_device().await;
    for number in 0..5 {
        first.add(&format!("item {number}")).await.unwrap();
        first.sync().await.unwrap();
    }
    (server, first, papers)
}

async fn assert_recovers(mut first: TestDevice, mut second: TestDevice) {
    second.net.server().be_honest();
    second.net.mend();
    second.sync().await.unwrap();
    let waiting = second.add("written after it").await.unwrap();
    assert_in_step(&mut second, &mut first).await;
    assert!(second.client.status().await.unwrap().vaults[0].history_checked);
    assert!(second.client.quarantined().is_empty());
    assert_eq!(first.field(waiting, "title").await.unwrap(), "written after it");
}

/// A commit that was signed and lost the race is as valid as the one that won it, up to there.
#[tokio::test]
async fn a_signed_commit_that_was_never_accepted_cannot_end_writing_for_good() {
    let (server, first, papers) = written().await;
    let mut loser = TestDevice::sign_in(&server, &papers).await.unwrap();
    loser.sync().await.unwrap();
    loser.sync().await.unwrap();
    loser.add("of the one that loses").await.unwrap();
    let first = Arc::new(Mutex::new(first));
    let (winner, mut overtaken) = (first.clone(), false);
    loser.net.before(Box::new(move |request| {
        let overtakes = is_commit(request) && !overtaken;
        overtaken |= overtakes;
        let winner = winner.clone();
        Box::pin(async move {
            if overtakes {
                let mut winner = winner.lock().await;
                winner.add("of the one that wins").await.unwrap();
                winner.sync().await.unwrap();
            }
        })
    }));
    loser.sync().await.unwrap();
    loser.net.undisturbed();
    let lost = loser.net.server().seen().into_iter().find(is_commit).unwrap();
    let lost: PostCommit = decode(&lost.body);
    let mut first = Arc::into_inner(first).unwrap().into_inner();
    first.sync().await.unwrap();

    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    second.sync().await.unwrap();
    let sibling = lockstep_proto::log::Entry::from_wire(&lost.commit, &lost.body).unwrap();
    let place = sibling.commit.value().seq.0 as usize;
    second.net.server().answer(changed::<CommitPage>(
        |request| request.path.ends_with("/commits?after=0"),
        move |page| {
            page.commits.truncate(place);
            page.commits[place - 1] = StoredCommit { commit: lost.commit.clone(), body: lost.body.clone() };
            page.more = true;
        },
    ));
    second.add("waits").await.unwrap();
    second.sync().await.unwrap_err();
    assert!(!second.client.status().await.unwrap().vaults[0].in_flight);
    assert_recovers(first, second).await;
}

#[tokio::test]
async fn a31_control_commits_without_end_are_refused_at_once() {
    let (server, first, papers) = written().await;
    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    second.net.server().answer(|request: &Request, response: Response| {
        if !asks_control(request) {
            return response;
        }
        let mut page: ControlPage = decode(&response.body);
        let again = page.last.clone();
        page.control.extend(std::iter::repeat_n(again, 1_000));
        page.more = true;
        Response { body: encode(&page), ..response }
    });
    let before = second.net.sent();
    second.sync().await.unwrap_err();
    assert!(second.net.sent() - before < 6);
    assert_recovers(first, second).await;
}

#[tokio::test]
async fn an_item_at_an_invented_place_does_not_stop_the_next_sync() {
    let (server, first, papers) = written().await;
    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    second.net.server().answer(|request: &Request, response: Response| {
        if !asks_items(request) || request.path.contains("after_seq") {
            return response;
        }
        let mut page: ItemPage = decode(&response.body);
        page.items = page.items.split_off(page.items.len() - 1);
        page.items[0].seq = Seq(1);
        page.more = true;
        Response { body: encode(&page), ..response }
    });
    second.sync().await.unwrap_err();
    assert!(second.client.vaults().await.unwrap().is_empty());
    assert_recovers(first, second).await;
}

#[tokio::test]
async fn a05_an_item_that_comes_twice_in_one_page_is_refused() {
    let (server, first, papers) = written().await;
    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    second.net.server().answer(changed::<ItemPage>(asks_items, |page| {
        let mut garbage = page.items[2].clone();
        garbage.seq = Seq(1);
        garbage.blob = b"suite 2 and no item".to_vec().into();
        garbage.blob_hash = lockstep_proto::blob::blob_hash(&garbage.blob);
        page.items.insert(0, garbage);
    }));
    let error = second.sync().await.unwrap_err();
    assert!(matches!(error, SyncError::Items { .. }), "{error}");
    assert_eq!(error.rule(), Some("R-DIGEST"));
    assert_recovers(first, second).await;
}

/// A vault's commits that another vault's log names are asked for until they come, whatever fails in between.
#[tokio::test]
async fn a13_commits_that_another_vault_names_are_missed_at_every_sync() {
    let (server, mut first, papers) = one_device().await;
    let home = first.vault().await.unwrap();
    let work = first.client.create_vault("Work").await.unwrap();
    first.sync().await.unwrap();
    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    for device in [&mut second, &mut first] {
        device.sync().await.unwrap();
        device.sync().await.unwrap();
    }
    second.sync().await.unwrap();
    for vault in [home, work] {
        let item = first.client.make_item_id();
        first.client.save(vault, item, login(&first.client, "new").unwrap()).await.unwrap();
        first.sync().await.unwrap();
    }
    // What it does not know yet of the home vault stays hidden; the other vault names it.
    let pinned: LogHead = {
        let status = second.client.status().await.unwrap();
        status.vaults.iter().find(|vault| vault.vault_id == home).unwrap().head
    };
    let hidden = format!("/v1/vaults/{home}/commits");
    second.net.server().answer(move |request: &Request, response: Response| {
        if !request.path.starts_with(&hidden) {
            return response;
        }
        let mut page: CommitPage = decode(&response.body);
        (page.head, page.more) = (pinned, false);
        page.commits.clear();
        Response { body: encode(&page), ..response }
    });
    for round in 0..3 {
        if round == 2 {
            // What else it does in between changes nothing of that.
            second.client.create_vault("Third").await.unwrap();
        }
        let error = second.sync().await.unwrap_err();
        let what =
            matches!(error, SyncError::Withheld { vault_id, what: Missing::Observed(_) } if vault_id == home);
        assert!(what, "{error}");
        let again = second.restarted(second.store.snapshot()).await.unwrap();
        again.net.server().answer_as(second.net.server());
        second = again;
    }
    second.net.server().be_honest();
    second.sync().await.unwrap();
    assert_eq!(second.client.items(home).await.unwrap().len(), 1);
    second.sync().await.unwrap();
}
