//! Devices come, go and recover; passwords and keys change.

use std::collections::BTreeSet;

use lockstep_client::account::{KeyChange, SecurityEvent};
use lockstep_client::client::LifeCycleError;
use lockstep_client::proto::ids::Epoch;
use lockstep_client::proto::log::LATEST_MS;
use lockstep_client::sync::{Passwords, SyncError};
use lockstep_crypto::password::Password;
use lockstep_tests::{PASSWORD, TestDevice, TestServer, assert_in_step, three_devices_on, two_devices};

const NEW_PASSWORD: &str = "a new and better passphrase";

fn only(device: &TestDevice) -> BTreeSet<lockstep_client::proto::ids::DeviceId> {
    BTreeSet::from([device.client.device_id()])
}

async fn epoch(device: &TestDevice) -> Epoch {
    device.client.vaults().await.unwrap()[0].epoch
}

async fn events(device: &TestDevice) -> Vec<SecurityEvent> {
    let records = device.client.security_events().await.unwrap();
    records.into_iter().filter(|record| !record.seen).map(|record| record.event).collect()
}

/// Three devices of one account that are in step, and an item.
async fn three_devices() -> (TestServer, [TestDevice; 3], lockstep_tests::Papers) {
    Box::pin(three_devices_on(TestServer::start().unwrap())).await
}

#[tokio::test]
async fn a_retired_device_gets_nothing_further_and_the_others_go_on() {
    let (_server, [mut first, mut second, mut third], _papers) = three_devices().await;
    let late = third.add("Written on the third").await.unwrap();
    first.change_keys(&KeyChange::Retired(only(&third)), PASSWORD).await.unwrap();
    assert_eq!(epoch(&first).await, Epoch(2), "every vault has a new key");

    let secret = first.add("After the removal").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(second.field(secret, "title").await.unwrap(), "After the removal");
    assert_eq!(epoch(&second).await, Epoch(2));
    second.set(secret, "password", "from the second").await.unwrap();
    assert_in_step(&mut first, &mut second).await;

    let refused = third.sync().await.unwrap_err();
    assert!(refused.to_string().contains("removed"), "{refused}");
    assert!(third.document(late).await.is_ok(), "what is on it stays readable");
    assert!(third.document(secret).await.is_err());
    let seen = events(&second).await;
    let removed = |event: &SecurityEvent| matches!(event, SecurityEvent::DeviceRemoved { device_id, .. } if *device_id == third.client.device_id());
    assert!(seen.iter().any(removed), "{seen:?}");
    assert!(
        !second.client.password_is_outdated().await.unwrap() || seen.contains(&SecurityEvent::KeysChanged)
    );
}

#[tokio::test]
async fn after_a_loss_the_old_kit_signs_in_no_more_and_the_new_one_does() {
    let (server, [mut first, mut second, third], papers) = three_devices().await;
    first.change_keys(&KeyChange::Lost(only(&third)), NEW_PASSWORD).await.unwrap();
    assert!(TestDevice::sign_in(&server, &papers).await.is_err(), "the old Kit");
    let new = first.papers(NEW_PASSWORD).await.unwrap();
    let mut fourth = TestDevice::sign_in(&server, &new).await.unwrap();
    fourth.sync().await.unwrap();
    assert_eq!(fourth.everything().await.unwrap(), first.everything().await.unwrap(), "old items, too");
    fourth.add("From the fourth").await.unwrap();
    assert_in_step(&mut fourth, &mut second).await;
    assert_in_step(&mut first, &mut second).await;
    assert!(events(&second).await.contains(&SecurityEvent::SecretKeyChanged));
}

#[tokio::test]
async fn a_password_change_signs_nobody_out() {
    let (server, [mut first, mut second, mut third], papers) = three_devices().await;
    // The third device is offline meanwhile.
    first.change_password(NEW_PASSWORD).await.unwrap();
    second.add("Still signed in").await.unwrap();
    assert_in_step(&mut second, &mut first).await;
    assert!(second.client.password_is_outdated().await.unwrap());
    assert!(!first.client.password_is_outdated().await.unwrap());
    assert!(events(&second).await.contains(&SecurityEvent::PasswordChanged));

    // Until its owner types the new one, the old password opens it; then the new one does.
    assert!(second.unlocks_with(PASSWORD).await && !second.unlocks_with(NEW_PASSWORD).await);
    assert!(second.adopt_password("a wrong one").await.is_err());
    second.adopt_password(NEW_PASSWORD).await.unwrap();
    assert!(!second.unlocks_with(PASSWORD).await && second.unlocks_with(NEW_PASSWORD).await);
    assert!(first.unlocks_with(NEW_PASSWORD).await);

    // One that was offline for it works all the same.
    let waiting = third.add("Written offline").await.unwrap();
    assert_in_step(&mut third, &mut first).await;
    assert_eq!(first.field(waiting, "title").await.unwrap(), "Written offline");
    assert!(TestDevice::sign_in(&server, &papers).await.is_err(), "the old password");
    assert!(TestDevice::sign_in(&server, &papers.with_password(NEW_PASSWORD)).await.is_ok());
}

/// Each date is what the clock of the device said that signed: days later, years back, or beyond what a link can say.
#[tokio::test]
async fn every_device_and_a_kit_sign_in_show_when_devices_came_and_went_and_keys_changed() {
    const MADE: u64 = 1_800_000_000_000;
    let (server, [mut first, mut second, third], papers) = three_devices().await;
    second.clock.set(7);
    second.change_keys(&KeyChange::Retired(only(&third)), PASSWORD).await.unwrap();
    first.clock.set(u64::MAX);
    first.change_password(NEW_PASSWORD).await.unwrap();
    second.sync().await.unwrap();
    let mut fourth = TestDevice::sign_in(&server, &papers.with_password(NEW_PASSWORD)).await.unwrap();
    fourth.sync().await.unwrap();
    for device in [&first, &second, &fourth] {
        let dates = device.client.dates();
        assert_eq!((dates.made_ms, dates.password_ms, dates.recovery_key_ms), (MADE, LATEST_MS, MADE));
        let devices = device.client.devices().await.unwrap();
        let gone = devices.iter().find(|device| !device.active).unwrap();
        assert_eq!(gone.device_id, third.client.device_id());
        // Waiting moves its clock a little.
        assert!(gone.removed_ms.is_some_and(|ms| (7..60_000).contains(&ms)), "{gone:?}");
        assert!(devices.iter().all(|device| device.added_ms == MADE));
    }
}

#[tokio::test]
async fn a_rotation_changes_every_key_and_loses_nothing() {
    let (server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let waiting = second.add("waits for the old key").await.unwrap();
    for round in 1..=3 {
        let change = KeyChange::Rotation { new_secret_key: round == 2 };
        first.change_keys(&change, PASSWORD).await.unwrap();
        assert_eq!(epoch(&first).await, Epoch(1 + round));
    }
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(first.field(waiting, "title").await.unwrap(), "waits for the old key");
    assert_eq!(second.field(item, "title").await.unwrap(), "Bank");
    let mut third = TestDevice::sign_in(&server, &first.papers(PASSWORD).await.unwrap()).await.unwrap();
    third.sync().await.unwrap();
    assert_eq!(third.everything().await.unwrap(), first.everything().await.unwrap());
    let again = second.restarted(second.store.snapshot()).await.unwrap();
    assert_eq!(again.everything().await.unwrap(), first.everything().await.unwrap(), "keys are kept");
}

#[tokio::test]
async fn what_cannot_be_removed_is_said_and_changes_nothing() {
    let (_server, mut first, second) = two_devices().await;
    let before = first.client.status().await.unwrap().account_head;
    let own = first.change_keys(&KeyChange::Retired(only(&first)), PASSWORD).await.unwrap_err();
    assert!(matches!(own, LifeCycleError::OwnDevice), "{own}");
    let none = first.change_keys(&KeyChange::Lost(BTreeSet::new()), PASSWORD).await.unwrap_err();
    assert!(matches!(none, LifeCycleError::NoneNamed), "{none}");
    assert_eq!(first.client.status().await.unwrap().account_head, before);
    first.change_keys(&KeyChange::Retired(only(&second)), PASSWORD).await.unwrap();
    let twice = first.change_keys(&KeyChange::Retired(only(&second)), PASSWORD).await.unwrap_err();
    assert!(matches!(twice, LifeCycleError::NoDevice(_)), "{twice}");
}

#[tokio::test]
async fn the_recovery_sheet_takes_the_account_back() {
    let (server, [mut first, mut second, mut third], papers) = three_devices().await;
    let kept = third.client.device_id();
    let mut recovered = TestDevice::recover(&server, &papers, &[kept], NEW_PASSWORD).await.unwrap();
    assert_eq!(recovered.everything().await.unwrap(), first.everything().await.unwrap());
    assert_eq!(epoch(&recovered).await, Epoch(2));
    recovered.add("After the recovery").await.unwrap();
    assert_in_step(&mut recovered, &mut third).await;
    assert!(events(&third).await.contains(&SecurityEvent::RecoveryKeyUsed));
    for removed in [&mut first, &mut second] {
        assert!(removed.sync().await.is_err());
    }
    assert!(TestDevice::sign_in(&server, &papers).await.is_err(), "the old Kit and password");
    assert!(
        TestDevice::recover(&server, &papers, &[], PASSWORD).await.is_err(),
        "a recovery sheet serves once"
    );
    let new = recovered.papers(NEW_PASSWORD).await.unwrap();
    let mut next = TestDevice::recover(&server, &new, &[], PASSWORD).await.unwrap();
    assert_eq!(next.everything().await.unwrap(), recovered.everything().await.unwrap());
    next.sync().await.unwrap();
}

#[tokio::test]
async fn a_security_event_stays_until_its_owner_has_seen_it() {
    let (_server, mut first, mut second) = two_devices().await;
    first.change_password(NEW_PASSWORD).await.unwrap();
    second.sync().await.unwrap();
    second.sync().await.unwrap();
    let mut again = second.restarted(second.store.snapshot()).await.unwrap();
    assert!(events(&again).await.contains(&SecurityEvent::PasswordChanged));
    again.client.mark_events_seen().await.unwrap();
    assert!(events(&again).await.is_empty());
    let records = again.client.security_events().await.unwrap();
    assert!(records.iter().any(|record| record.event == SecurityEvent::PasswordChanged));
}

/// A change of keys stops before its control commits, and a recovery comes between: no two keys of one epoch.
#[tokio::test]
async fn a_recovery_over_an_unfinished_change_of_keys_leaves_one_key_for_each_epoch() {
    let (server, [mut first, mut second, mut third], papers) = three_devices().await;
    first.net.fail(lockstep_tests::is_commit, lockstep_tests::Fault::Unreachable, usize::MAX);
    let change = KeyChange::Retired(only(&third));
    assert!(
        first.change_keys(&change, PASSWORD).await.is_err(),
        "the link is there, the control commit is not"
    );
    let kept = [second.client.device_id()];
    let mut recovered = TestDevice::recover(&server, &papers, &kept, NEW_PASSWORD).await.unwrap();
    second.add("written by the second").await.unwrap();
    assert_in_step(&mut second, &mut recovered).await;
    assert_eq!(epoch(&recovered).await, Epoch(3));
    let again = second.restarted(second.store.snapshot()).await.unwrap();
    assert_eq!(again.everything().await.unwrap(), recovered.everything().await.unwrap());
    let new = recovered.papers(NEW_PASSWORD).await.unwrap();
    let mut fresh = TestDevice::sign_in(&server, &new).await.unwrap();
    fresh.sync().await.unwrap();
    assert_eq!(fresh.everything().await.unwrap(), recovered.everything().await.unwrap());
    assert!(third.sync().await.is_err());
}

/// A removal is cut off after its link was signed; its bars end, and the device writes beyond what the link says. The
/// link can never be valid: whoever signed it says so, and is not stuck.
#[tokio::test]
async fn a_removal_that_was_overtaken_by_the_device_it_removes_is_done_again() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut third], _) = Box::pin(three_devices_on(server)).await;
    // The same server when the bars have ended.
    let later = server.copy().unwrap();
    first.net.fail(lockstep_tests::is_link, lockstep_tests::Fault::Unreachable, usize::MAX);
    let change = KeyChange::Retired(only(&third));
    assert!(first.change_keys(&change, PASSWORD).await.is_err());
    first.net.mend();
    for device in [&first, &second, &third] {
        device.net.server().switch_to(&later).unwrap();
    }
    let item = third.add("Beyond the cut-off").await.unwrap();
    third.sync().await.unwrap();

    let error = first.sync().await.unwrap_err();
    assert!(error.to_string().contains("remove it again"), "{error}");
    first.sync().await.unwrap();
    assert_eq!(first.field(item, "title").await.unwrap(), "Beyond the cut-off");
    first.change_keys(&change, PASSWORD).await.unwrap();
    assert!(third.sync().await.is_err());
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(epoch(&second).await, Epoch(2));
}

/// A change of keys registers the same password anew: the others prove it to the server once, without being asked for
/// anything else, and countersign by themselves from then on.
#[tokio::test]
async fn after_a_change_of_keys_elsewhere_the_password_is_proved_once_and_countersigns() {
    let (_server, [mut first, mut second, mut third], _papers) = three_devices().await;
    second.change_keys(&KeyChange::Rotation { new_secret_key: false }, PASSWORD).await.unwrap();
    let proofs = |device: &TestDevice| {
        let seen = device.net.server().seen();
        seen.iter().filter(|request| request.path == "/v1/signin/start").count()
    };
    let before = proofs(&first);
    let wrong = Password::new("another password").unwrap();
    let passwords = Passwords::kept(&wrong);
    let change = KeyChange::Retired(only(&third));
    let error = first.client.change_keys(&change, passwords).await.unwrap_err();
    assert!(matches!(error, LifeCycleError::Sync(SyncError::NotThePassword)), "{error}");
    first.change_keys(&change, PASSWORD).await.unwrap();
    assert_eq!(proofs(&first), before + 2, "the wrong one and the right one");
    first.change_password(NEW_PASSWORD).await.unwrap();
    assert_eq!(proofs(&first), before + 2, "it is known here by now");
    let passwords = Passwords::kept(&wrong);
    let rotation = KeyChange::Rotation { new_secret_key: false };
    let error = first.client.change_keys(&rotation, passwords).await.unwrap_err();
    assert!(error.to_string().contains("password"), "{error}");
    assert_eq!(proofs(&first), before + 2, "a wrong one is refused here");
    assert_in_step(&mut first, &mut second).await;
    assert!(third.sync().await.is_err());
    // The other device knows the old one: it is told that it is not the account's any more.
    let error = second.change_keys(&rotation, PASSWORD).await.unwrap_err();
    assert!(matches!(error, LifeCycleError::Sync(SyncError::NotThePassword)), "{error}");
    let new = Password::new(NEW_PASSWORD).unwrap();
    let passwords = Passwords::kept(&new);
    second.client.change_keys(&rotation, passwords).await.unwrap();
    assert!(second.unlocks_with(NEW_PASSWORD).await);
}
