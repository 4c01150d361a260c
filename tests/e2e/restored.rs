//! Servers that were restored from a backup: the first device that connects gives back what was lost, and nobody is asked.

use lockstep_client::account::SecurityEvent;
use lockstep_client::sync::SyncError;
use lockstep_tests::{
    Backend, End, Papers, TestDevice, TestServer, assert_in_step, one_device_on, two_devices_on,
};

const NEW_PASSWORD: &str = "a new and better passphrase";

/// A server whose store can be backed up as an operator does it: a file, or a dump.
async fn start() -> (TestServer, TestDevice, Papers, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let server = match Backend::chosen() {
        Some(Backend::Postgres) => TestServer::start().unwrap(),
        _ => TestServer::start_in(&folder.path().join("live")).unwrap(),
    };
    let (server, first, papers) = Box::pin(one_device_on(server)).await;
    (server, first, papers, folder)
}

async fn caught_up(device: &TestDevice) -> usize {
    let records = device.client.security_events().await.unwrap();
    let events = records.into_iter().map(|record| record.event);
    events.filter(|event| matches!(event, SecurityEvent::ServerCaughtUp { .. })).count()
}

#[tokio::test]
async fn what_a_restored_server_had_lost_comes_back_by_itself() {
    let (mut server, mut first, papers, folder) = start().await;
    let backup = folder.path().join("backup");
    let bank = first.add("Bank").await.unwrap();
    let gone = first.add("Gone").await.unwrap();
    first.sync().await.unwrap();
    let mut second = Box::pin(TestDevice::sign_in(&server, &papers)).await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    server.back_up(&backup).unwrap();

    // Edits, a purge, a new item, a new device, a new password: all acknowledged, and not in the backup.
    first.set(bank, "password", "acknowledged").await.unwrap();
    let vault = first.vault().await.unwrap();
    first.client.trash(vault, gone).await.unwrap();
    first.client.purge(vault, gone).await.unwrap();
    first.sync().await.unwrap();
    let mut third = Box::pin(TestDevice::sign_in(&server, &papers)).await.unwrap();
    third.sync().await.unwrap();
    third.add("From the third").await.unwrap();
    third.sync().await.unwrap();
    first.sync().await.unwrap();
    first.change_password(NEW_PASSWORD).await.unwrap();
    let everything = first.everything().await.unwrap();
    server.restore(&backup).unwrap();

    let waiting = first.add("waits").await.unwrap();
    let report = first.sync().await.unwrap();
    assert_eq!(report.healed, 2, "the account's log and the vault's");
    assert_eq!(caught_up(&first).await, 2);
    for device in [&mut second, &mut third] {
        device.sync().await.unwrap();
        assert_eq!(device.field(waiting, "title").await.unwrap(), "waits");
        assert_eq!(device.field(bank, "password").await.unwrap(), "acknowledged");
        assert_eq!(device.everything().await.unwrap().len(), everything.len() + 1);
        assert_eq!(caught_up(device).await, 0);
    }
    // The record of the new password came back with the log.
    let new = papers.with_password(NEW_PASSWORD);
    let mut fourth = Box::pin(TestDevice::sign_in(&server, &new)).await.unwrap();
    fourth.sync().await.unwrap();
    assert_in_step(&mut fourth, &mut second).await;
}

#[tokio::test]
async fn a_device_that_joined_after_the_backup_gives_back_what_it_has() {
    let (mut server, mut first, papers, folder) = start().await;
    let backup = folder.path().join("backup");
    first.add("Bank").await.unwrap();
    first.sync().await.unwrap();
    server.back_up(&backup).unwrap();
    let mut second = Box::pin(TestDevice::sign_in(&server, &papers)).await.unwrap();
    second.sync().await.unwrap();
    let item = second.add("After the backup").await.unwrap();
    second.sync().await.unwrap();
    server.restore(&backup).unwrap();

    // The server does not know the device any more: that signs nobody out.
    let report = second.sync().await.unwrap();
    assert_eq!(report.healed, 2);
    assert_in_step(&mut second, &mut first).await;
    assert_eq!(first.field(item, "title").await.unwrap(), "After the backup");
}

#[tokio::test]
async fn a_change_of_keys_that_the_server_had_lost_comes_back() {
    let (mut server, mut first, papers, folder) = start().await;
    let backup = folder.path().join("backup");
    first.add("Bank").await.unwrap();
    first.sync().await.unwrap();
    let mut second = Box::pin(TestDevice::sign_in(&server, &papers)).await.unwrap();
    let mut third = Box::pin(TestDevice::sign_in(&server, &papers)).await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    third.sync().await.unwrap();
    first.sync().await.unwrap();
    server.back_up(&backup).unwrap();
    let gone = std::collections::BTreeSet::from([third.client.device_id()]);
    let change = lockstep_client::account::KeyChange::Retired(gone);
    first.change_keys(&change, lockstep_tests::PASSWORD).await.unwrap();
    second.sync().await.unwrap();
    server.restore(&backup).unwrap();

    // The removed device is one again, for the server, until anybody else connects.
    assert_eq!(second.sync().await.unwrap().healed, 2);
    assert!(third.sync().await.is_err());
    let item = second.add("Under the new key").await.unwrap();
    assert_in_step(&mut second, &mut first).await;
    assert_eq!(first.field(item, "title").await.unwrap(), "Under the new key");
}

#[tokio::test]
async fn a_catch_up_that_ends_anywhere_is_finished_by_any_device() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, mut first, mut second) = Box::pin(two_devices_on(server)).await;
    first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let old = server.copy().unwrap();
    for number in 0..3 {
        first.add(&format!("item {number}")).await.unwrap();
        first.sync().await.unwrap();
    }
    first.change_password(NEW_PASSWORD).await.unwrap();
    first.adopt_password(lockstep_tests::PASSWORD).await.unwrap_err();
    second.sync().await.unwrap();
    let everything = first.everything().await.unwrap();
    for end in [End::Kill, End::Fail] {
        let mut steps = 0;
        loop {
            let restored = old.copy().unwrap();
            let mut dying = second.copy(&restored).await.unwrap();
            let mut other = second.copy(&restored).await.unwrap();
            dying.switch.arm(steps, end);
            let switch = dying.switch.clone();
            drop(switch.survive(dying.sync()).await);
            if switch.passed() <= steps {
                break;
            }
            other.sync().await.unwrap_or_else(|error| panic!("{end:?} at step {steps}: {error}"));
            assert_eq!(other.everything().await.unwrap(), everything);
            let mut again = dying.restarted(dying.store.snapshot()).await.unwrap();
            again.net.server().switch_to(&restored).unwrap();
            again.sync().await.unwrap_or_else(|error| panic!("{end:?} at step {steps}, again: {error}"));
            assert_eq!(again.everything().await.unwrap(), everything);
            steps += 1;
        }
        assert!(steps > 10, "{steps} steps");
    }
}

/// A device that has more begins to give it back and is lost; one that has less is not kept from what it has.
#[tokio::test]
async fn what_another_device_has_staged_and_never_finished_is_no_obstacle() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, mut first, mut second) = Box::pin(two_devices_on(server)).await;
    let old = server.copy().unwrap();
    first.add("both have it").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let last = first.add("one has it").await.unwrap();
    first.sync().await.unwrap();
    first.net.server().switch_to(&old).unwrap();
    first.net.fail(
        |request| request.path.ends_with("/heal/blobs"),
        lockstep_tests::Fault::Unreachable,
        usize::MAX,
    );
    assert!(first.sync().await.is_err());

    second.net.server().switch_to(&old).unwrap();
    let waiting = second.add("waits").await.unwrap();
    // What the first device has staged goes; what this one has comes back, and more cannot be known.
    second.sync().await.unwrap();
    assert_eq!(second.field(waiting, "title").await.unwrap(), "waits");
    assert_eq!(second.client.status().await.unwrap().pending, 0);
    // Now the first device is on another branch, and keeps what it has.
    first.net.mend();
    assert!(matches!(first.sync().await.unwrap_err(), SyncError::Diverged { .. }));
    assert_eq!(first.field(last, "title").await.unwrap(), "one has it");
}

#[tokio::test]
async fn a_restored_server_that_others_have_written_to_is_a_fork_and_nothing_is_taken_back() {
    let (mut server, mut first, papers, folder) = start().await;
    let backup = folder.path().join("backup");
    let item = first.add("Bank").await.unwrap();
    first.sync().await.unwrap();
    let mut second = Box::pin(TestDevice::sign_in(&server, &papers)).await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    server.back_up(&backup).unwrap();
    first.set(item, "password", "acknowledged").await.unwrap();
    first.sync().await.unwrap();
    server.restore(&backup).unwrap();

    let waiting = first.add("waits").await.unwrap();
    for value in ["another branch", "longer"] {
        second.set(item, "password", value).await.unwrap();
        second.sync().await.unwrap();
        let error = first.sync().await.unwrap_err();
        assert!(matches!(error, SyncError::Diverged { .. }), "{error}");
        assert_eq!(error.rule(), Some("R-HEAL"));
    }
    assert_eq!(first.field(item, "password").await.unwrap(), "acknowledged");
    assert_eq!(first.client.status().await.unwrap().pending, 1);
    assert_eq!(first.client.fork_evidence().await.unwrap().len(), 1);
    let again = first.restarted(first.store.snapshot()).await.unwrap();
    assert_eq!(again.field(waiting, "title").await.unwrap(), "waits");
}

#[tokio::test]
async fn a_server_that_keeps_losing_is_told_apart() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, mut first, _) = Box::pin(one_device_on(server)).await;
    first.sync().await.unwrap();
    for _ in 0..2 {
        let old = server.copy().unwrap();
        first.add("again").await.unwrap();
        first.sync().await.unwrap();
        first.net.server().switch_to(&old).unwrap();
        first.sync().await.unwrap();
        first.net.server().switch_to(&server).unwrap();
    }
    let records = first.client.security_events().await.unwrap();
    let keeps = |event: SecurityEvent| matches!(event, SecurityEvent::ServerKeepsLosing { .. });
    assert_eq!(records.iter().filter(|record| keeps(record.event)).count(), 1);
}
