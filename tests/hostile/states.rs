//! A server that shows an earlier state (A07), or another branch (A10): nothing goes back.

use lockstep_client::account::AccountError;
use lockstep_client::sync::SyncError;
use lockstep_tests::{TestServer, assert_in_step, two_devices_on};

use super::shown;

#[tokio::test]
async fn a07_every_earlier_state_is_behind_and_the_newest_is_welcome() {
    let folder = tempfile::tempdir().unwrap();
    let state = |number: usize| folder.path().join(format!("state-{number}"));
    let server = TestServer::start_in(&folder.path().join("live")).unwrap();
    let (mut server, mut first, mut second) = two_devices_on(server).await;
    for number in 0..4 {
        server.back_up(&state(number)).unwrap();
        first.add(&format!("item {number}")).await.unwrap();
        first.sync().await.unwrap();
    }
    second.sync().await.unwrap();
    server.back_up(&state(4)).unwrap();
    let waiting = second.add("waits").await.unwrap();
    let (before, status) = (shown(&second).await, second.client.status().await.unwrap());
    for number in 0..4 {
        server.restore(&state(number)).unwrap();
        let error = second.sync().await.unwrap_err();
        let is_behind =
            matches!(error, SyncError::Behind { .. } | SyncError::Account(AccountError::Behind { .. }));
        assert!(is_behind, "{number}: {error}");
        assert_eq!(shown(&second).await, before);
        assert_eq!(second.client.status().await.unwrap().vaults[0].head, status.vaults[0].head);
        assert_eq!(second.client.status().await.unwrap().pending, 1);
    }
    server.restore(&state(4)).unwrap();
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(first.field(waiting, "title").await.unwrap(), "waits");
}

#[tokio::test]
async fn a10_a_device_that_is_led_to_another_branch_stays_on_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start_in(&folder.path().join("live")).unwrap();
    let (mut server, mut first, mut second) = two_devices_on(server).await;
    server.back_up(&folder.path().join("fork")).unwrap();
    let fork = server.fork(&folder.path().join("fork")).unwrap();
    second.net.server().switch_to(&fork).unwrap();
    let item = first.add("one branch").await.unwrap();
    first.sync().await.unwrap();
    for title in ["other branch", "and longer"] {
        second.add(title).await.unwrap();
        second.sync().await.unwrap();
        let waiting = first.add("waits").await.unwrap();
        let (before, status) = (shown(&first).await, first.client.status().await.unwrap());
        first.net.server().switch_to(&fork).unwrap();
        let error = first.sync().await.unwrap_err();
        assert!(matches!(error, SyncError::Diverged { .. }), "{error}");
        assert_eq!(shown(&first).await, before);
        let after = first.client.status().await.unwrap();
        assert_eq!((after.vaults[0].head, after.pending), (status.vaults[0].head, status.pending));
        first.net.server().switch_to(&server).unwrap();
        first.sync().await.unwrap();
        assert_eq!(first.field(waiting, "title").await.unwrap(), "waits");
    }
    assert_eq!(first.field(item, "title").await.unwrap(), "one branch");
}
