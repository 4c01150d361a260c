//! Each field of each answer of a sync, changed in each way (A04, A05, A06, A11, A16): what comes of it is the truth
//! or nothing.

use lockstep_client::ports::Request;
use lockstep_tests::{
    Fault, TestDevice, TestServer, asks_blobs, asks_commits, asks_control, asks_items, assert_in_step,
    is_commit, one_device,
};

use super::{Hit, Which, asks_log, asks_slots, numbered, shown, unseen};

/// Fields that say nothing about the vault or the account: room, and who wrote what, as hints.
const HINTS: [&str; 4] = [".room", ".authors", ".more", ".missing"];

/// What leaves each entry as it is: whatever is missing is asked for again.
const WHOLE: [&str; 4] = ["] dropped", "] repeated", "] after the next", "] twice, without the next"];

/// Changes every field of the answers to `which`, one at a time, each for a device with the same records.
async fn sweep(which: Which, device: &TestDevice) -> (usize, Vec<String>) {
    let records = device.store.snapshot();
    let before = shown(device).await;
    let waiting = pending(device).await;
    let mut honest = device.restarted(records.snapshot()).await.unwrap();
    let truth = truth(&mut honest).await;
    assert_ne!(before, truth);
    let (mut refused, mut harmless) = (0, Vec::new());
    for number in 0.. {
        let mut device = device.restarted(records.snapshot()).await.unwrap();
        let hit = Hit::default();
        device.net.server().answer(numbered(which, number, hit.clone()));
        device.net.fail(is_commit, Fault::Unreachable, usize::MAX);
        let outcome = device.sync().await;
        let Some(what) = hit.lock().unwrap().take() else { break };
        let now = shown(&device).await;
        if now == truth {
            harmless.push(what.clone());
        } else {
            assert_eq!(now, before, "{what}");
            assert!(outcome.is_err(), "{what}");
            refused += 1;
        }
        assert_eq!(pending(&device).await, waiting, "{what}");
        device.net.server().be_honest();
        device.net.mend();
        assert_eq!(self::truth(&mut device).await, truth, "{what}");
    }
    (refused, harmless)
}

/// What an honest server leads to, while commits do not get through.
async fn truth(device: &mut TestDevice) -> Vec<(lockstep_proto::ids::ItemId, Vec<u8>)> {
    device.net.fail(is_commit, Fault::Unreachable, usize::MAX);
    if let Err(error) = device.sync().await {
        assert!(error.is_offline(), "{error}");
    }
    shown(device).await
}

async fn pending(device: &TestDevice) -> usize {
    device.client.status().await.unwrap().pending
}

fn assert_hints(harmless: &[String]) {
    for what in harmless {
        let is_whole = WHOLE.iter().any(|how| what.ends_with(how));
        assert!(is_whole || HINTS.iter().any(|hint| what.starts_with(hint)), "{what} made no difference");
    }
}

async fn sweep_later_sync(which: Which) -> (usize, Vec<String>) {
    let (_server, mut first, mut second, waiting) = unseen().await;
    let found = Box::pin(sweep(which, &second)).await;
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(first.field(waiting, "title").await.unwrap(), "waits");
    found
}

/// A server, and a device that is signed in and has fetched nothing.
async fn signed_in() -> (TestServer, TestDevice, TestDevice) {
    let (server, mut first, papers) = one_device().await;
    let bank = first.add("Bank").await.unwrap();
    first.sync().await.unwrap();
    first.set(bank, "password", "newer").await.unwrap();
    first.add("Mail").await.unwrap();
    first.sync().await.unwrap();
    let second = TestDevice::sign_in(&server, &papers).await.unwrap();
    (server, first, second)
}

async fn sweep_first_fetch(which: Which) -> (usize, Vec<String>) {
    let (_server, mut first, mut second) = signed_in().await;
    let found = Box::pin(sweep(which, &second)).await;
    assert_in_step(&mut first, &mut second).await;
    found
}

#[tokio::test]
async fn a04_every_field_of_commits_is_the_truth_or_refused() {
    let (refused, harmless) = Box::pin(sweep_later_sync(asks_commits)).await;
    assert!(refused > 60, "{refused}");
    assert_hints(&harmless);
}

#[tokio::test]
async fn a06_every_field_of_commits_is_the_truth_or_refused_at_the_first_fetch() {
    let (refused, harmless) = Box::pin(sweep_first_fetch(asks_commits)).await;
    assert!(refused > 30, "{refused}");
    assert_hints(&harmless);
}

#[tokio::test]
async fn a04_every_field_of_control_commits_is_the_truth_or_refused() {
    let (refused, harmless) = Box::pin(sweep_first_fetch(asks_control)).await;
    assert!(refused > 50, "{refused}");
    assert_hints(&harmless);
}

#[tokio::test]
async fn a04_every_field_of_blobs_is_the_truth_or_refused() {
    let (refused, harmless) = Box::pin(sweep_later_sync(asks_blobs)).await;
    assert!(refused > 40, "{refused}");
    assert_hints(&harmless);
}

/// Where an item stands in the order, and the head beside a page, are hints: what the items add up to is not.
#[tokio::test]
async fn a05_every_field_of_items_is_the_truth_or_refused() {
    let (refused, harmless) = Box::pin(sweep_first_fetch(asks_items)).await;
    assert!(refused > 60, "{refused}");
    let places = |what: &String| what.starts_with(".head") || what.contains(".seq");
    assert_hints(&harmless.into_iter().filter(|what| !places(what)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a18_every_field_of_the_accounts_log_is_the_truth_or_refused() {
    let (refused, harmless) = Box::pin(sweep_later_sync(asks_log)).await;
    assert!(refused > 10, "{refused}");
    assert_hints(&harmless);
}

#[tokio::test]
async fn a11_a_session_that_cannot_be_read_takes_nothing_away() {
    let asks_session = |request: &Request| request.path.starts_with("/v1/session");
    let (refused, _) = Box::pin(sweep_later_sync(asks_session)).await;
    assert!(refused > 10, "{refused}");
}

#[tokio::test]
async fn a40_slots_that_a_device_has_checked_are_not_asked_for_again() {
    let (_server, _first, mut second) = signed_in().await;
    second.sync().await.unwrap();
    let asked = second.net.server().seen().iter().filter(|request| asks_slots(request)).count();
    second.sync().await.unwrap();
    assert_eq!(second.net.server().seen().iter().filter(|request| asks_slots(request)).count(), asked);
}
