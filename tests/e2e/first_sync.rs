//! A vault that is new on a device: fetched page by page, whatever happens meanwhile.

use std::pin::Pin;
use std::sync::Arc;

use lockstep_client::client::SyncReport;
use lockstep_client::ports::{Request, Response};
use lockstep_proto::api::items::{BlobsPage, ItemPage};
use lockstep_proto::api::vaults::CommitPage;
use lockstep_proto::ids::ItemId;
use lockstep_tests::{
    TestDevice, TestServer, asks_blobs, asks_commits, asks_items, assert_in_step, decode, encode, is_commit,
    one_device,
};
use tokio::sync::Mutex;

const ITEMS: usize = 10;

type Busy =
    for<'a> fn(&'a mut TestDevice, &'a [ItemId], usize) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A vault, and a device that is signed in and has fetched nothing of it; it gets small pages.
async fn several_pages() -> (TestServer, TestDevice, TestDevice, Vec<ItemId>) {
    let (server, mut first, papers) = one_device().await;
    let mut items = Vec::new();
    for number in 0..ITEMS {
        items.push(first.add(&format!("item {number}")).await.unwrap());
        first.sync().await.unwrap();
    }
    let second = TestDevice::sign_in(&server, &papers).await.unwrap();
    second.net.server().answer(small_pages);
    (server, first, second, items)
}

/// A page may end earlier than it must.
fn small_pages(request: &Request, response: Response) -> Response {
    if response.status != 200 {
        return response;
    }
    let body = if asks_items(request) {
        let mut page: ItemPage = decode(&response.body);
        page.more |= page.items.len() > 3;
        page.items.truncate(3);
        encode(&page)
    } else if asks_blobs(request) {
        let mut page: BlobsPage = decode(&response.body);
        page.more |= page.blobs.len() > 2;
        page.blobs.truncate(2);
        encode(&page)
    } else if asks_commits(request) {
        let mut page: CommitPage = decode(&response.body);
        page.more |= page.commits.len() > 4;
        page.commits.truncate(4);
        encode(&page)
    } else {
        return response;
    };
    Response { body, ..response }
}

/// Syncs while the other device does something before every request of this kind.
async fn sync_amid(
    device: &mut TestDevice,
    other: TestDevice,
    items: &[ItemId],
    which: fn(&Request) -> bool,
    busy: Busy,
) -> (SyncReport, TestDevice) {
    let other = Arc::new(Mutex::new(other));
    let (shared, items) = (other.clone(), items.to_vec());
    let mut number = 0;
    device.net.before(Box::new(move |request| {
        let matches = which(request);
        let (other, items, round) = (shared.clone(), items.clone(), number);
        number += usize::from(matches);
        Box::pin(async move {
            if matches {
                busy(&mut *other.lock().await, &items, round).await;
            }
        })
    }));
    let report = device.sync().await.unwrap();
    device.net.undisturbed();
    let other = Arc::into_inner(other).unwrap().into_inner();
    (report, other)
}

async fn assert_same(first: &mut TestDevice, second: &mut TestDevice) {
    assert_in_step(first, second).await;
    for device in [first, second] {
        assert!(device.client.status().await.unwrap().vaults[0].history_checked);
        assert!(device.client.conflicts().await.unwrap().is_empty());
    }
}

fn count(device: &TestDevice, which: fn(&Request) -> bool) -> usize {
    device.net.server().seen().iter().filter(|request| which(request)).count()
}

#[tokio::test]
async fn a_vault_is_shown_at_once_and_its_history_is_checked_before_anything_is_sent() {
    let (_server, mut first, mut second, _) = several_pages().await;
    let report = second.sync().await.unwrap();
    assert_eq!(report.new_vaults.len(), 1);
    assert!(!second.client.status().await.unwrap().vaults[0].history_checked);
    assert_eq!(second.everything().await.unwrap(), first.everything().await.unwrap());
    let item = second.add("written before the check").await.unwrap();
    let before = second.net.server().seen().len();
    second.sync().await.unwrap();
    let asked = second.net.server().seen().split_off(before);
    let checked = asked.iter().rposition(asks_commits).unwrap();
    assert!(checked < asked.iter().position(is_commit).unwrap());
    assert_same(&mut first, &mut second).await;
    assert_eq!(first.field(item, "title").await.unwrap(), "written before the check");
}

#[tokio::test]
async fn large_items_come_in_several_pages_each_once() {
    let (server, mut first, papers) = one_device().await;
    for number in 0..ITEMS {
        let item = first.add(&format!("item {number}")).await.unwrap();
        first.set(item, "notes", &"n".repeat(240 * 1024)).await.unwrap();
    }
    first.sync().await.unwrap();
    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    second.sync().await.unwrap();
    let pages = count(&second, asks_items);
    assert!(pages >= 3, "{pages} pages");
    assert_eq!(count(&second, asks_blobs), 0);
    second.sync().await.unwrap();
    assert_eq!((count(&second, asks_items), count(&second, asks_blobs)), (pages, 0));
    assert_eq!(second.everything().await.unwrap(), first.everything().await.unwrap());
}

#[tokio::test]
async fn writers_at_every_page_boundary_change_nothing_of_that() {
    let busy: Busy = |device, items, round| {
        Box::pin(async move {
            device.set(items[round * 3 % items.len()], "username", &format!("round {round}")).await.unwrap();
            device.add(&format!("new in round {round}")).await.unwrap();
            device.sync().await.unwrap();
        })
    };
    let (_server, first, mut second, items) = several_pages().await;
    let (_, mut first) = sync_amid(&mut second, first, &items, asks_items, busy).await;
    assert_same(&mut first, &mut second).await;
}

#[tokio::test]
async fn an_item_that_changes_on_every_page_and_after_is_there_once_as_it_is_last() {
    let busy: Busy = |device, items, round| {
        Box::pin(async move {
            for item in [items[0], items[ITEMS - 1]] {
                device.set(item, "username", &format!("round {round}")).await.unwrap();
            }
            device.sync().await.unwrap();
        })
    };
    let (_server, first, mut second, items) = several_pages().await;
    let which = |request: &Request| asks_items(request) || asks_commits(request) || asks_blobs(request);
    let (_, mut first) = sync_amid(&mut second, first, &items, which, busy).await;
    assert_eq!(second.everything().await.unwrap().len(), ITEMS);
    assert_same(&mut first, &mut second).await;
}

#[tokio::test]
async fn items_purged_between_pages_are_gone() {
    let busy: Busy = |device, items, round| {
        Box::pin(async move {
            let vault = device.vault().await.unwrap();
            for item in [items[round], items[ITEMS - 1 - round]] {
                device.client.trash(vault, item).await.unwrap();
                device.client.purge(vault, item).await.unwrap();
            }
            device.sync().await.unwrap();
        })
    };
    let (_server, first, mut second, items) = several_pages().await;
    let (_, mut first) = sync_amid(&mut second, first, &items, asks_items, busy).await;
    let rounds = count(&second, asks_items);
    assert_eq!(second.everything().await.unwrap().len(), ITEMS - 2 * rounds);
    assert_same(&mut first, &mut second).await;
}

#[tokio::test]
async fn versions_pruned_between_pages_are_not_missed() {
    let (server, first, mut second, items) = several_pages().await;
    let vault = first.vault().await.unwrap();
    let (server, first) = (Arc::new(server), Arc::new(Mutex::new(first)));
    let (operator, writer, changed) = (server.clone(), first.clone(), items.clone());
    let mut rounds = 0;
    // Before each page, and once between the commits since and the blobs that they name, all that was replaced goes.
    second.net.before(Box::new(move |request| {
        let now = asks_items(request) || (asks_blobs(request) && rounds < 6);
        let (operator, writer, item) = (operator.clone(), writer.clone(), changed[rounds % changed.len()]);
        rounds += usize::from(now);
        Box::pin(async move {
            if now {
                let mut writer = writer.lock().await;
                for value in ["once", "twice"] {
                    writer.set(item, "username", value).await.unwrap();
                    writer.sync().await.unwrap();
                }
                assert!(operator.prune(vault).await.unwrap() > 0);
            }
        })
    }));
    second.sync().await.unwrap();
    second.net.undisturbed();
    assert_eq!(second.everything().await.unwrap().len(), ITEMS);
    let mut first = Arc::into_inner(first).unwrap().into_inner();
    assert_same(&mut first, &mut second).await;
}

#[tokio::test]
async fn a_reader_comes_to_an_end_while_a_writer_never_does() {
    let busy: Busy = |device, items, round| {
        Box::pin(async move {
            device.set(items[round % items.len()], "username", &format!("round {round}")).await.unwrap();
            device.add(&format!("new in round {round}")).await.unwrap();
            device.sync().await.unwrap();
        })
    };
    let (_server, first, mut second, items) = several_pages().await;
    let (_, first) = sync_amid(&mut second, first, &items, |_| true, busy).await;
    // And again, as a device that has the vault.
    let (report, mut first) = sync_amid(&mut second, first, &items, |_| true, busy).await;
    assert!(report.pulled > 0);
    assert_same(&mut first, &mut second).await;
}

#[tokio::test]
async fn a_power_cut_at_any_local_write_goes_on_with_the_page_it_had() {
    let (_server, mut first, mut second, _) = several_pages().await;
    second.store.record();
    second.sync().await.unwrap();
    second.sync().await.unwrap();
    let pages = count(&second, asks_items);
    let states = second.store.take_history();
    assert!(states.len() > pages + 2);
    let mut asked = Vec::new();
    for state in states {
        let mut again = second.restarted(state).await.unwrap();
        again.net.server().answer(small_pages);
        again.sync().await.unwrap();
        asked.push(count(&again, asks_items));
        assert_same(&mut first, &mut again).await;
    }
    assert!(asked.is_sorted_by(|earlier, later| earlier >= later), "pages asked for again: {asked:?}");
    assert_eq!((asked[0], asked.last()), (pages, Some(&0)));
    for left in 0..=pages {
        assert!(asked.contains(&left), "no state with {left} of {pages} pages left: {asked:?}");
    }
}

#[tokio::test]
async fn a_sync_that_was_cut_off_goes_on_after_others_wrote() {
    for served in 1..5 {
        let (_server, mut first, mut second, items) = several_pages().await;
        let before = second.net.sent();
        second.net.cut_after(served);
        second.sync().await.unwrap_err();
        assert_eq!(second.net.sent() - before, served);
        assert!(second.client.vaults().await.unwrap().is_empty());
        second.net.mend();
        for (round, item) in items.iter().enumerate().filter(|(round, _)| round % 2 == 0) {
            first.set(*item, "username", &format!("round {round}")).await.unwrap();
        }
        first.sync().await.unwrap();
        second.sync().await.unwrap();
        assert_same(&mut first, &mut second).await;
    }
}

#[tokio::test]
async fn a_device_that_was_away_for_months_catches_up_wherever_it_is_cut_off() {
    let (_server, mut first, mut second, items) = several_pages().await;
    second.sync().await.unwrap();
    second.sync().await.unwrap();
    let edited = second.add("written before it went away").await.unwrap();
    second.set(items[0], "username", "of the one that was away").await.unwrap();
    for round in 0..40 {
        first.set(items[round % 7], "password", &format!("round {round}")).await.unwrap();
        first.add(&format!("new in round {round}")).await.unwrap();
        first.sync().await.unwrap();
    }
    second.store.record();
    second.sync().await.unwrap();
    let states = second.store.take_history();
    assert!(states.len() > 10, "{} states", states.len());
    for state in states.into_iter().step_by(3) {
        let mut again = second.restarted(state).await.unwrap();
        again.net.server().answer(small_pages);
        again.sync().await.unwrap();
        assert_same(&mut first, &mut again).await;
        assert_eq!(first.field(edited, "title").await.unwrap(), "written before it went away");
        assert_eq!(first.field(items[0], "username").await.unwrap(), "of the one that was away");
    }
}
