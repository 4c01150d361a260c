//! Without a server.

use lockstep_client::sync::SyncError;
use lockstep_tests::{Fault, assert_in_step, is_commit, one_device, two_devices};

#[tokio::test]
async fn edits_made_offline_wait_and_then_arrive() {
    let (_server, mut first, mut second) = two_devices().await;
    first.net.cut();
    let item = first.add("Bank").await.unwrap();
    let error = first.sync().await.unwrap_err();
    assert!(error.is_offline(), "{error}");
    assert_eq!(first.client.status().await.unwrap().pending, 1);
    assert_eq!(first.field(item, "title").await.unwrap(), "Bank");

    first.net.mend();
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(second.field(item, "title").await.unwrap(), "Bank");
}

#[tokio::test]
async fn a_device_that_restarts_offline_shows_everything() {
    let (_server, mut first, _papers) = one_device().await;
    let synced = first.add("synced").await.unwrap();
    first.sync().await.unwrap();
    let waiting = first.add("waiting").await.unwrap();
    let again = first.restarted(first.store.snapshot()).await.unwrap();
    again.net.cut();
    assert_eq!(again.field(synced, "title").await.unwrap(), "synced");
    assert_eq!(again.field(waiting, "title").await.unwrap(), "waiting");
    assert_eq!(again.client.vaults().await.unwrap()[0].name, "Home");
}

#[tokio::test]
async fn nothing_at_rest_holds_plaintext() {
    let (_server, mut first, _papers) = one_device().await;
    first.add("Zebra-Xylophone-Bank").await.unwrap();
    let holds = |device: &lockstep_tests::TestDevice| {
        let needle = b"Zebra-Xylophone-Bank";
        let home = b"Home";
        let values = device.store.snapshot().values();
        values.iter().any(|value| {
            value.windows(needle.len()).any(|part| part == needle)
                || value.windows(home.len()).any(|part| part == home)
        })
    };
    assert!(!holds(&first));
    first.net.fail(is_commit, Fault::Unreachable, 100);
    first.sync().await.unwrap_err();
    assert!(!holds(&first));
    first.net.mend();
    first.sync().await.unwrap();
    assert!(!holds(&first));
}

#[tokio::test]
async fn a_server_that_fails_changes_nothing_and_is_tried_again() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    for status in [500, 503, 200, 302, 404] {
        first.net.fail(|_| true, Fault::Garbage(status), 100);
        let error = first.sync().await.unwrap_err();
        assert!(matches!(error, SyncError::Account(_)), "{error}");
        first.net.mend();
        first.net.fail(is_commit, Fault::Garbage(status), 100);
        let error = first.sync().await.unwrap_err();
        assert!(matches!(error, SyncError::Api(_)), "{error}");
        first.net.mend();
        assert_eq!(first.client.status().await.unwrap().pending, 1);
    }
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(second.field(item, "title").await.unwrap(), "Bank");
}

#[tokio::test]
async fn a_short_hiccup_is_not_even_noticed() {
    let (_server, mut first, _papers) = one_device().await;
    first.add("Bank").await.unwrap();
    first.net.fail(is_commit, Fault::Garbage(503), 2);
    first.sync().await.unwrap();
    assert_eq!(first.client.status().await.unwrap().pending, 0);
}

#[tokio::test]
async fn a_server_that_restarts_is_where_it_was() {
    let (mut server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    first.sync().await.unwrap();
    server.restart().unwrap();
    first.set(item, "password", "second").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(second.field(item, "password").await.unwrap(), "second");
}
