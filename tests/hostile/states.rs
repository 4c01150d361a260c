//! A server that shows an earlier state (A07, A08), or another branch (A10): nothing goes back.

use lockstep_client::sync::SyncError;
use lockstep_tests::{Fault, TestServer, assert_in_step, two_devices_on};

use super::shown;

#[tokio::test]
async fn a07_a08_every_earlier_state_is_given_back_what_it_lacks_and_nothing_goes_back() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, mut first, mut second) = two_devices_on(server).await;
    let mut states = Vec::new();
    for number in 0..4 {
        states.push(server.copy().unwrap());
        first.add(&format!("item {number}")).await.unwrap();
        first.sync().await.unwrap();
    }
    second.sync().await.unwrap();
    let (before, status) = (shown(&second).await, second.client.status().await.unwrap());
    for state in &states {
        // One that takes nothing back is behind, and changes nothing.
        let mut device = second.copy(state).await.unwrap();
        let waiting = device.add("waits").await.unwrap();
        device.net.fail(|request| request.path.contains("/heal"), Fault::Unreachable, usize::MAX);
        assert!(device.sync().await.is_err());
        let after = device.client.status().await.unwrap();
        assert_eq!((after.vaults[0].head, after.pending), (status.vaults[0].head, 1));
        device.net.mend();
        // An honest one is brought up to date, and goes on.
        assert_eq!(device.sync().await.unwrap().healed, 1);
        let mut other = first.copy(state).await.unwrap();
        assert_in_step(&mut device, &mut other).await;
        assert_eq!(other.field(waiting, "title").await.unwrap(), "waits");
        assert_eq!(shown(&other).await.len(), before.len() + 1);
    }
    assert_in_step(&mut first, &mut second).await;
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
