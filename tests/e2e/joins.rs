//! Servers that were restored from a backup and written to before a device that was ahead of it came back: its owner says
//! so, and two histories become one.

use std::collections::BTreeSet;

use lockstep_client::account::{KeyChange, SecurityEvent};
use lockstep_client::client::AcceptError;
use lockstep_client::sync::SyncError;
use lockstep_crypto::password::Password;
use lockstep_proto::ids::{Epoch, ItemId};
use lockstep_tests::{
    Backend, End, PASSWORD, Papers, TestDevice, TestServer, assert_in_step, three_devices_on, two_devices_on,
};

/// A server whose store can be backed up as an operator does it, and three devices.
async fn start() -> (TestServer, [TestDevice; 3], Papers, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let server = match Backend::chosen() {
        Some(Backend::Postgres) => TestServer::start().unwrap(),
        _ => TestServer::start_in(&folder.path().join("live")).unwrap(),
    };
    let (server, devices, papers) = Box::pin(three_devices_on(server)).await;
    (server, devices, papers, folder)
}

pub(super) async fn purge(device: &mut TestDevice, item: ItemId) {
    let vault = device.vault().await.unwrap();
    device.client.trash(vault, item).await.unwrap();
    device.client.purge(vault, item).await.unwrap();
}

/// These devices meet another server behind the same address: one that was restored.
pub(super) fn go(devices: &[&TestDevice], to: &TestServer) {
    devices.iter().for_each(|device| device.net.server().switch_to(to).unwrap());
}

/// An item that the server has acknowledged.
pub(super) async fn write(device: &mut TestDevice, title: &str) -> ItemId {
    let item = device.add(title).await.unwrap();
    device.sync().await.unwrap();
    item
}

async fn has(device: &TestDevice, event: fn(&SecurityEvent) -> bool) -> bool {
    let records = device.client.security_events().await.unwrap();
    records.iter().any(|record| event(&record.event))
}

fn is_joined(event: &SecurityEvent) -> bool {
    matches!(event, SecurityEvent::HistoryAccepted { .. })
}

pub(super) async fn is_fork(device: &mut TestDevice) -> bool {
    matches!(device.sync().await, Err(SyncError::Diverged { .. }))
}

#[tokio::test]
async fn after_a_restore_that_was_written_to_both_histories_become_one() {
    let (mut server, [mut first, mut second, mut third], papers, folder) = start().await;
    let backup = folder.path().join("backup");
    let [bank, mail, gone, kept, left] = [0; 5].map(|_| first.client.make_item_id());
    let vault = first.vault().await.unwrap();
    for (item, title) in [(bank, "Bank"), (mail, "Mail"), (gone, "Gone"), (kept, "Kept"), (left, "Left")] {
        let login = lockstep_tests::login(&first.client, title).unwrap();
        first.client.save(vault, item, login).await.unwrap();
    }
    first.sync().await.unwrap();
    second.sync().await.unwrap();
    third.sync().await.unwrap();
    server.back_up(&backup).unwrap();

    // What the backup does not have: several versions, a new item with several versions, purges.
    for password in ["one", "two", "three"] {
        first.set(bank, "password", password).await.unwrap();
        first.sync().await.unwrap();
    }
    first.set(mail, "password", "of the first").await.unwrap();
    let only_first = first.add("Only the first has it").await.unwrap();
    purge(&mut first, gone).await;
    purge(&mut first, kept).await;
    first.sync().await.unwrap();
    first.set(only_first, "password", "twice").await.unwrap();
    first.sync().await.unwrap();
    third.sync().await.unwrap();
    third.set(bank, "notes", "of the third").await.unwrap();
    third.sync().await.unwrap();
    first.sync().await.unwrap();
    server.restore(&backup).unwrap();

    // The second device is the first to come: it lacks nothing that the server has, and writes.
    second.set(bank, "username", "of the second").await.unwrap();
    second.set(mail, "password", "of the second").await.unwrap();
    second.set(kept, "password", "still wanted").await.unwrap();
    purge(&mut second, left).await;
    let only_second = write(&mut second, "Only the second has it").await;

    // Nobody is overruled before somebody says what happened; what waits, waits.
    let waiting = third.add("Waits on the third").await.unwrap();
    assert!(is_fork(&mut first).await && is_fork(&mut third).await);
    let found = first.client.two_histories().await.unwrap();
    assert_eq!((found.len(), found[0].vault_id), (1, vault));
    assert!(found[0].own.commits >= 6 && found[0].served.commits >= 1, "{found:?}");
    assert_eq!(found[0].served.last.unwrap().1, second.client.device_id());
    let wrong = Password::new("not the password").unwrap();
    let refused = Box::pin(first.client.accept_histories(None, &found, &wrong)).await.unwrap_err();
    assert!(matches!(refused, AcceptError::Profile(_)), "{refused}");
    let mut other = found[0].clone();
    other.served.head.hash.0[0] ^= 1;
    let password = Password::new(PASSWORD).unwrap();
    let refused = Box::pin(first.client.accept_histories(None, &[other], &password)).await.unwrap_err();
    assert!(matches!(refused, AcceptError::Sync(SyncError::OtherHistory { .. })), "{refused}");
    assert!(is_fork(&mut first).await);

    let report = first.accept_histories().await.unwrap();
    assert_eq!(report.accepted, 1);
    for device in [&mut second, &mut third, &mut first] {
        device.sync().await.unwrap();
    }
    assert_in_step(&mut third, &mut second).await;
    assert_in_step(&mut first, &mut second).await;
    let title = |item| second.field(item, "title");
    assert_eq!(title(only_first).await.unwrap(), "Only the first has it");
    assert_eq!(title(only_second).await.unwrap(), "Only the second has it");
    assert_eq!(title(waiting).await.unwrap(), "Waits on the third");
    assert_eq!(second.field(bank, "password").await.unwrap(), "three");
    assert_eq!(second.field(bank, "username").await.unwrap(), "of the second");
    assert_eq!(second.field(bank, "notes").await.unwrap(), "of the third");
    assert_eq!(second.field(only_first, "password").await.unwrap(), "twice");
    assert_eq!(second.field(kept, "password").await.unwrap(), "still wanted");
    assert!(second.document(gone).await.is_err() && second.document(left).await.is_err(), "purged for good");
    let conflicts = second.client.conflicts().await.unwrap();
    assert_eq!(conflicts.iter().map(|conflict| conflict.item_id).collect::<Vec<_>>(), [mail]);
    assert!(has(&first, is_joined).await && has(&third, is_joined).await);

    // A device that is new verifies all of it, and so does one that restarts.
    let mut fourth = Box::pin(TestDevice::sign_in(&server, &papers)).await.unwrap();
    for _ in 0..2 {
        fourth.sync().await.unwrap();
    }
    let added = fourth.add("After all of it").await.unwrap();
    assert_in_step(&mut fourth, &mut first).await;
    let mut again = third.restarted(third.store.snapshot()).await.unwrap();
    assert_in_step(&mut again, &mut fourth).await;
    assert_eq!(again.field(added, "title").await.unwrap(), "After all of it");
}

#[tokio::test]
async fn a_join_that_ends_anywhere_is_finished_by_any_device_of_its_branch() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut third], _) = Box::pin(three_devices_on(server)).await;
    let bank = write(&mut first, "Bank").await;
    second.sync().await.unwrap();
    let old = server.copy().unwrap();
    first.set(bank, "password", "of the first").await.unwrap();
    first.sync().await.unwrap();
    third.sync().await.unwrap();
    let made = write(&mut third, "Made on the third").await;
    first.sync().await.unwrap();
    second.net.server().switch_to(&old).unwrap();
    second.set(bank, "username", "of the second").await.unwrap();
    second.sync().await.unwrap();

    for end in [End::Kill, End::Fail] {
        let mut steps = 0;
        loop {
            let restored = old.copy().unwrap();
            let mut dying = first.copy(&restored).await.unwrap();
            let waiting = dying.add("Waits").await.unwrap();
            let mut other = third.copy(&restored).await.unwrap();
            let mut follower = second.copy(&restored).await.unwrap();
            assert!(is_fork(&mut dying).await);
            dying.switch.arm(steps, end);
            let switch = dying.switch.clone();
            drop(switch.survive(dying.accept_histories()).await);
            if switch.passed() <= steps {
                break;
            }
            let at = format!("{end:?} at step {steps}");
            // Another device of the branch goes along, or says what happened itself.
            if other.sync().await.is_err() {
                other.accept_histories().await.unwrap_or_else(|error| panic!("{at}: {error}"));
            }
            let mut again = dying.restarted(dying.store.snapshot()).await.unwrap();
            again.net.server().switch_to(&restored).unwrap();
            if let Err(error) = again.sync().await {
                assert!(matches!(error, SyncError::Diverged { .. }), "{at}: {error}");
                again.accept_histories().await.unwrap_or_else(|error| panic!("{at}, again: {error}"));
            }
            for device in [&mut other, &mut follower] {
                device.sync().await.unwrap_or_else(|error| panic!("{at}, later: {error}"));
            }
            assert_in_step(&mut again, &mut follower).await;
            assert_in_step(&mut other, &mut follower).await;
            assert_eq!(follower.field(bank, "password").await.unwrap(), "of the first", "{at}");
            assert_eq!(follower.field(bank, "username").await.unwrap(), "of the second", "{at}");
            for item in [made, waiting] {
                follower.document(item).await.unwrap_or_else(|error| panic!("{at}: {error}"));
            }
            steps += 1;
        }
        assert!(steps > 12, "{steps} steps");
    }
}

/// A key was changed on the joined branch: what comes after the heal is sealed under it, everywhere.
#[tokio::test]
async fn keys_that_were_changed_before_the_restore_stay_changed() {
    let (mut server, [mut first, mut second, mut third], _, folder) = start().await;
    let backup = folder.path().join("backup");
    let bank = write(&mut first, "Bank").await;
    for device in [&mut second, &mut third] {
        device.sync().await.unwrap();
    }
    server.back_up(&backup).unwrap();
    let gone = BTreeSet::from([third.client.device_id()]);
    first.change_keys(&KeyChange::Retired(gone), PASSWORD).await.unwrap();
    first.set(bank, "password", "under the new key").await.unwrap();
    first.sync().await.unwrap();
    server.restore(&backup).unwrap();
    second.set(bank, "username", "under the old key").await.unwrap();
    second.sync().await.unwrap();
    assert!(is_fork(&mut first).await);
    // The account's log is back, so the second device brings the new key, too, before anybody is asked.
    second.sync().await.unwrap();
    assert_eq!(second.client.vaults().await.unwrap()[0].epoch, Epoch(2));
    first.accept_histories().await.unwrap();
    second.sync().await.unwrap();
    assert_in_step(&mut second, &mut first).await;
    assert_eq!(second.field(bank, "password").await.unwrap(), "under the new key");
    assert_eq!(second.field(bank, "username").await.unwrap(), "under the old key");
    for device in [&first, &second] {
        assert_eq!(device.client.vaults().await.unwrap()[0].epoch, Epoch(2));
    }
    assert!(third.sync().await.is_err());
}

#[tokio::test]
async fn keys_that_were_changed_after_the_restore_stay_changed() {
    let (mut server, [mut first, mut second, mut third], _, folder) = start().await;
    let backup = folder.path().join("backup");
    let bank = write(&mut first, "Bank").await;
    for device in [&mut second, &mut third] {
        device.sync().await.unwrap();
    }
    server.back_up(&backup).unwrap();
    second.set(bank, "username", "under the old key").await.unwrap();
    second.sync().await.unwrap();
    let alone = write(&mut second, "Only here").await;
    server.restore(&backup).unwrap();
    let gone = BTreeSet::from([third.client.device_id()]);
    first.change_keys(&KeyChange::Lost(gone), "a new and better passphrase").await.unwrap();
    first.set(bank, "password", "under the new key").await.unwrap();
    first.sync().await.unwrap();
    assert!(is_fork(&mut second).await);
    second.adopt_password("a new and better passphrase").await.unwrap();
    second.accept_histories_with("a new and better passphrase").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    for device in [&first, &second] {
        assert_eq!(device.field(bank, "password").await.unwrap(), "under the new key");
        assert_eq!(device.field(bank, "username").await.unwrap(), "under the old key");
        assert_eq!(device.field(alone, "title").await.unwrap(), "Only here");
        assert_eq!(device.client.vaults().await.unwrap()[0].epoch, Epoch(2));
    }
    assert!(third.sync().await.is_err());
}

#[tokio::test]
async fn there_is_nothing_to_join_where_there_is_one_history() {
    let (_server, mut first, mut second) = Box::pin(two_devices_on(TestServer::start().unwrap())).await;
    first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    assert!(first.client.two_histories().await.unwrap().is_empty());
    let error = first.accept_histories().await.unwrap_err();
    assert!(error.to_string().contains("no two histories"), "{error}");
    second.add("Still in step").await.unwrap();
    assert_in_step(&mut second, &mut first).await;
}

/// Other vaults, and links of the account, name commits that are beside the chain now.
#[tokio::test]
async fn what_names_a_joined_branch_is_satisfied() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut third], papers) = Box::pin(three_devices_on(server)).await;
    let old = server.copy().unwrap();
    let home = first.vault().await.unwrap();
    let item = write(&mut first, "Of the first").await;
    // A link of the account names the vault's head, and the new vault's commits do.
    let work = first.client.create_vault("Work").await.unwrap();
    let (at_work, login) =
        (first.client.make_item_id(), lockstep_tests::login(&first.client, "At work").unwrap());
    first.client.save(work, at_work, login).await.unwrap();
    first.sync().await.unwrap();
    third.sync().await.unwrap();
    go(&[&first, &second, &third], &old);
    let other = write(&mut second, "Of the second").await;

    // The account's log and the other vault come back by themselves; by these the second learns that there is another branch.
    assert!(is_fork(&mut first).await);
    second.add("Waits on the second").await.unwrap();
    assert!(is_fork(&mut second).await);
    assert!(second.client.two_histories().await.unwrap().is_empty(), "the server shows what it has itself");
    first.accept_histories().await.unwrap();
    for device in [&mut second, &mut third, &mut first] {
        device.sync().await.unwrap();
        let status = device.client.status().await.unwrap();
        assert_eq!((status.vaults.len(), status.pending), (2, 0));
        for (vault, item) in [(home, item), (home, other), (work, at_work)] {
            assert!(device.client.item(vault, item).await.unwrap().is_some());
        }
    }
    let mut new = Box::pin(TestDevice::sign_in(&old, &papers)).await.unwrap();
    for _ in 0..3 {
        new.sync().await.unwrap();
    }
    assert!(new.client.item(home, item).await.unwrap().is_some());
}

/// A vault of which there are two histories keeps nobody from removing a device once they are joined.
#[tokio::test]
async fn a_device_is_removed_after_a_join() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, third], _) = Box::pin(three_devices_on(server)).await;
    let old = server.copy().unwrap();
    write(&mut first, "Of the first").await;
    go(&[&first, &second, &third], &old);
    write(&mut second, "Of the second").await;
    let gone = KeyChange::Retired(BTreeSet::from([third.client.device_id()]));
    assert!(first.change_keys(&gone, PASSWORD).await.is_err(), "a removal needs every vault");
    first.accept_histories().await.unwrap();
    first.change_keys(&gone, PASSWORD).await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(second.client.vaults().await.unwrap()[0].epoch, Epoch(2));
    second.add("Under the new key").await.unwrap();
    assert_in_step(&mut second, &mut first).await;
}
