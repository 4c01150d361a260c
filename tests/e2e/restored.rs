//! A server that was put back to an older state. Healing is another story: here nothing is taken back.

use lockstep_client::sync::SyncError;

use lockstep_tests::{TestServer, assert_in_step, two_devices_on};

#[tokio::test]
async fn a_server_that_lost_what_it_acknowledged_is_refused_and_nothing_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start_in(&folder.path().join("live")).unwrap();
    let (mut server, mut first, mut second) = two_devices_on(server).await;
    let item = first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    server.back_up(&folder.path().join("backup")).unwrap();
    first.set(item, "password", "acknowledged").await.unwrap();
    first.sync().await.unwrap();
    let pinned = first.client.status().await.unwrap().vaults[0].head;

    server.restore(&folder.path().join("backup")).unwrap();
    let waiting = first.add("waits").await.unwrap();
    let error = first.sync().await.unwrap_err();
    assert!(matches!(error, SyncError::Behind { .. }), "{error}");
    assert_eq!(error.rule(), Some("R-HEAL"));
    assert_eq!(first.client.status().await.unwrap().vaults[0].head, pinned);
    assert_eq!(first.field(item, "password").await.unwrap(), "acknowledged");
    assert_eq!(first.field(waiting, "title").await.unwrap(), "waits");

    second.set(item, "password", "another branch").await.unwrap();
    second.sync().await.unwrap();
    let error = first.sync().await.unwrap_err();
    assert!(matches!(error, SyncError::Diverged { .. }), "{error}");
    second.set(item, "password", "longer").await.unwrap();
    second.sync().await.unwrap();
    let error = first.sync().await.unwrap_err();
    assert!(matches!(error, SyncError::Diverged { .. }), "{error}");
    assert_eq!(first.field(item, "password").await.unwrap(), "acknowledged");
    assert_eq!(first.client.status().await.unwrap().pending, 1);
    let again = first.restarted(first.store.snapshot()).await.unwrap();
    assert_eq!(again.field(waiting, "title").await.unwrap(), "waits");
}
