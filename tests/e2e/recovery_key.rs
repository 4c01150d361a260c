//! The sheet in the drawer: what takes its place, and what it gives back to who has forgotten the password.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockstep_client::account::{AccountError, KeyChange, RecoveryGrounds, SecurityEvent};
use lockstep_client::client::TakeBack;
use lockstep_client::proto::api::RECOVERY_WAIT_SECONDS;
use lockstep_client::sync::SyncError;
use lockstep_crypto::password::Password;
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_tests::{
    Fault, PASSWORD, Papers, TestClock, TestDevice, TestServer, assert_in_step, is_link, three_devices_on,
};

const NEW_PASSWORD: &str = "a new and better passphrase";
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

fn password() -> Password {
    Password::new(PASSWORD).unwrap()
}

/// Three devices of one account, and a server, whose clocks go together.
struct House {
    server: TestServer,
    clock: Arc<TestClock>,
    devices: [TestDevice; 3],
    papers: Papers,
}

impl House {
    async fn new() -> Self {
        let clock = Arc::new(TestClock::default());
        let server = TestServer::start_at(clock.clone()).unwrap();
        let (server, devices, papers) = Box::pin(three_devices_on(server)).await;
        Self { server, clock, devices, papers }
    }

    fn wait(&self, ms: u64) {
        self.clock.advance(ms);
        self.devices.iter().for_each(|device| device.clock.advance(ms));
    }
}

async fn unseen(device: &TestDevice) -> Vec<SecurityEvent> {
    let records = device.client.security_events().await.unwrap();
    records.into_iter().filter(|record| !record.seen).map(|record| record.event).collect()
}

#[tokio::test]
async fn a44_a_lost_sheet_is_replaced_after_a_week_in_which_every_device_shows_it_each_day() {
    let mut house = House::new().await;
    let [first, second, _] = &mut house.devices;
    first.client.announce_recovery_key(&password()).await.unwrap();
    let announced = first.papers(PASSWORD).await.unwrap();
    let new = announced.recovery_key().unwrap();
    second.sync().await.unwrap();
    assert!(unseen(second).await.contains(&SecurityEvent::RecoveryAnnounced));
    second.client.mark_events_seen().await.unwrap();
    for day in 0..7 {
        let [first, second, _] = &mut house.devices;
        let waiting = second.client.waiting_recovery_key().await.unwrap().unwrap();
        assert_eq!(waiting.due_ms - waiting.known_ms, u64::from(RECOVERY_WAIT_SECONDS) * 1_000);
        let error = second.client.confirm_recovery_key(&new, &password()).await.unwrap_err();
        let early = matches!(error, SyncError::Account(AccountError::RecoveryTooEarly { .. }));
        assert!(early, "day {day}: {error}");
        // What was refused keeps nobody from anything.
        second.sync().await.unwrap();
        let shown = unseen(second).await.contains(&SecurityEvent::RecoveryWaits);
        assert_eq!(shown, day > 0, "day {day}");
        second.client.mark_events_seen().await.unwrap();
        second.sync().await.unwrap();
        assert!(unseen(second).await.is_empty(), "once a day");
        first.sync().await.unwrap();
        house.wait(DAY_MS);
    }
    // Until it is confirmed the old sheet recovers; here it stays in the drawer.
    let [first, second, third] = &mut house.devices;
    second.client.confirm_recovery_key(&new, &password()).await.unwrap();
    first.sync().await.unwrap();
    let events = unseen(first).await;
    let is_due = |event: &SecurityEvent| match event {
        SecurityEvent::RecoveryKeyChanged { grounds: RecoveryGrounds::Announced { known_ms } } => {
            *known_ms >= 7 * DAY_MS
        }
        _ => false,
    };
    assert!(events.iter().any(is_due), "{events:?}");
    assert_eq!(first.client.waiting_recovery_key().await.unwrap(), None);
    // A device that was away for all of it learns of both at once, and says so.
    third.sync().await.unwrap();
    let unknown = SecurityEvent::RecoveryKeyChanged { grounds: RecoveryGrounds::Unseen };
    assert!(unseen(third).await.contains(&unknown));
    let (server, papers) = (&house.server, &house.papers);
    assert!(TestDevice::recover(server, papers, &[], NEW_PASSWORD).await.is_err(), "the lost sheet is void");
    let recovered = TestDevice::recover(server, &announced, &[], NEW_PASSWORD).await.unwrap();
    let [first, ..] = &house.devices;
    assert_eq!(recovered.everything().await.unwrap(), first.everything().await.unwrap());
}

/// Somebody who knows the password announces a key of their own over the owner's: whoever confirms holds the sheet of
/// what is confirmed.
#[tokio::test]
async fn a44_nobody_confirms_a_key_that_somebody_else_has_announced() {
    let mut house = House::new().await;
    let [first, second, _] = &mut house.devices;
    first.client.announce_recovery_key(&password()).await.unwrap();
    let new = first.papers(PASSWORD).await.unwrap().recovery_key().unwrap();
    first.forget_sheet().await.unwrap();
    second.sync().await.unwrap();
    second.client.announce_recovery_key(&password()).await.unwrap();
    house.wait(7 * DAY_MS);
    let [first, ..] = &mut house.devices;
    let error = first.client.confirm_recovery_key(&new, &password()).await.unwrap_err();
    assert!(matches!(error, SyncError::Account(AccountError::OtherAnnounced)), "{error}");
    let announced =
        unseen(first).await.iter().filter(|event| **event == SecurityEvent::RecoveryAnnounced).count();
    assert_eq!(announced, 1, "the one that it did not make itself");
}

/// What somebody does with a copy of the device's keys is not what its owner did on it.
#[tokio::test]
async fn a44_what_a_copy_of_the_device_signs_is_news_on_the_device() {
    let mut house = House::new().await;
    let [first, ..] = &mut house.devices;
    let mut copy = first.restarted(first.store.snapshot()).await.unwrap();
    copy.client.mark_events_seen().await.unwrap();
    copy.client.announce_recovery_key(&password()).await.unwrap();
    copy.change_password(NEW_PASSWORD).await.unwrap();
    first.client.mark_events_seen().await.unwrap();
    first.sync().await.unwrap();
    let events = unseen(first).await;
    for event in
        [SecurityEvent::RecoveryAnnounced, SecurityEvent::PasswordChanged, SecurityEvent::RecoveryCancelled]
    {
        assert!(events.contains(&event), "{event:?} of {events:?}");
    }
    assert!(unseen(&copy).await.is_empty(), "it did so itself");
}

/// The only copy of a sheet that counts is not written over.
#[tokio::test]
async fn a_sheet_that_was_never_shown_is_not_given_up_for_one_that_is_announced() {
    let house = House::new().await;
    let mut recovered = TestDevice::recover(&house.server, &house.papers, &[], PASSWORD).await.unwrap();
    let sheet = recovered.papers(PASSWORD).await.unwrap();
    let error = recovered.client.announce_recovery_key(&password()).await.unwrap_err();
    assert!(matches!(error, SyncError::Account(AccountError::SheetUnshown)), "{error}");
    let kept = recovered.papers(PASSWORD).await.unwrap().recovery_key().unwrap();
    assert_eq!(kept.expose_bytes(), sheet.recovery_key().unwrap().expose_bytes());
    recovered.forget_sheet().await.unwrap();
    recovered.client.announce_recovery_key(&password()).await.unwrap();
    assert!(recovered.client.waiting_recovery_key().await.unwrap().is_some());
}

/// The server has changed the key, and nobody heard of it: trying again with the sheet at hand says what is so.
#[tokio::test]
async fn a_change_whose_answer_was_lost_is_done() {
    let mut house = House::new().await;
    let present = house.papers.recovery_key().unwrap();
    let [first, ..] = &mut house.devices;
    first.net.fail(is_link, Fault::AnswerLost, usize::MAX);
    assert!(first.client.change_recovery_key(&present).await.is_err());
    first.net.mend();
    first.client.change_recovery_key(&present).await.unwrap();
    let new = first.papers(PASSWORD).await.unwrap();
    assert_ne!(new.recovery_key().unwrap().expose_bytes(), present.expose_bytes());
    TestDevice::recover(&house.server, &new, &[], NEW_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn an_announcement_is_cancelled_by_a_new_password_and_by_the_old_sheet() {
    let mut house = House::new().await;
    let [first, second, _] = &mut house.devices;
    first.client.announce_recovery_key(&password()).await.unwrap();
    let announced = first.papers(PASSWORD).await.unwrap().recovery_key().unwrap();
    second.sync().await.unwrap();
    second.change_password(NEW_PASSWORD).await.unwrap();
    first.sync().await.unwrap();
    assert!(unseen(first).await.contains(&SecurityEvent::RecoveryCancelled));
    house.wait(8 * DAY_MS);
    let [first, second, _] = &mut house.devices;
    let new = Password::new(NEW_PASSWORD).unwrap();
    for device in [first, second] {
        let error = device.client.confirm_recovery_key(&announced, &new).await.unwrap_err();
        assert!(matches!(error, SyncError::Account(AccountError::NoneAnnounced)), "{error}");
    }
    let [first, second, _] = &mut house.devices;
    first.client.announce_recovery_key(&new).await.unwrap_or_else(|error| panic!("{error}"));
    second.sync().await.unwrap();
    let (server, papers) = (&house.server, &house.papers);
    let mut recovered = TestDevice::recover(server, papers, &[], PASSWORD).await.unwrap();
    assert_eq!(recovered.client.waiting_recovery_key().await.unwrap(), None);
    recovered.sync().await.unwrap();
}

#[tokio::test]
async fn a_sheet_that_somebody_has_seen_is_replaced_at_once() {
    let mut house = House::new().await;
    let present = house.papers.recovery_key().unwrap();
    let [first, second, _] = &mut house.devices;
    let other = RecoveryKey::from_bytes([7; RecoveryKey::LENGTH]);
    let error = first.client.change_recovery_key(&other).await.unwrap_err();
    assert!(matches!(error, SyncError::Account(AccountError::OtherRecoveryKey)), "{error}");
    first.client.change_recovery_key(&present).await.unwrap();
    let new = first.papers(PASSWORD).await.unwrap();
    second.sync().await.unwrap();
    let changed = SecurityEvent::RecoveryKeyChanged { grounds: RecoveryGrounds::Present };
    assert!(unseen(second).await.contains(&changed));
    let error = second.client.change_recovery_key(&present).await.unwrap_err();
    assert!(matches!(error, SyncError::Account(AccountError::OtherRecoveryKey)), "{error}");
    assert_in_step(first, second).await;
    let server = &house.server;
    assert!(TestDevice::recover(server, &house.papers, &[], NEW_PASSWORD).await.is_err());
    TestDevice::recover(server, &new, &[], NEW_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn who_has_forgotten_the_password_takes_the_account_back_from_an_unlocked_device() {
    let mut house = House::new().await;
    let present = house.papers.recovery_key().unwrap();
    let [first, second, third] = &mut house.devices;
    let new = Password::new(NEW_PASSWORD).unwrap();
    let stay = BTreeSet::from([second.client.device_id()]);
    let stay = TakeBack { stay, ..TakeBack::default() };
    let other = RecoveryKey::from_bytes([7; RecoveryKey::LENGTH]);
    let error = first.client.recover_here(&other, &new, &stay).await.unwrap_err();
    assert!(matches!(error, SyncError::Account(AccountError::OtherRecoveryKey)), "{error}");
    assert!(first.unlocks_with(PASSWORD).await && !first.client.recovery_waits().await.unwrap());

    first.add("written before").await.unwrap();
    first.client.recover_here(&present, &new, &stay).await.unwrap();
    assert!(first.unlocks_with(NEW_PASSWORD).await && !first.unlocks_with(PASSWORD).await);
    assert!(!first.client.password_is_outdated().await.unwrap());
    assert_in_step(first, second).await;
    assert!(unseen(second).await.contains(&SecurityEvent::RecoveryKeyUsed));
    assert!(third.sync().await.is_err(), "it did not stay");
    // The new password countersigns, and the new papers serve.
    let papers = first.papers(NEW_PASSWORD).await.unwrap();
    let gone = BTreeSet::from([second.client.device_id()]);
    first.change_keys(&KeyChange::Retired(gone), NEW_PASSWORD).await.unwrap();
    let server = &house.server;
    let mut fresh = TestDevice::sign_in(server, &papers).await.unwrap();
    let [first, ..] = &mut house.devices;
    assert_in_step(first, &mut fresh).await;
    assert!(TestDevice::recover(server, &house.papers, &[], PASSWORD).await.is_err(), "the used sheet");
    TestDevice::recover(server, &papers, &[], PASSWORD).await.unwrap();
}

/// The link is durable and was not sent: after a restart the next sync takes it to the server, and the new password,
/// which alone is known, opens the device.
#[tokio::test]
async fn a_recovery_on_an_unlocked_device_that_was_cut_off_is_finished_by_the_next_sync() {
    let mut house = House::new().await;
    let present = house.papers.recovery_key().unwrap();
    let [first, second, third] = &mut house.devices;
    let new = Password::new(NEW_PASSWORD).unwrap();
    let stay = BTreeSet::from([second.client.device_id()]);
    let stay = TakeBack { stay, ..TakeBack::default() };
    first.net.fail(is_link, Fault::Unreachable, usize::MAX);
    assert!(first.client.recover_here(&present, &new, &stay).await.is_err());
    assert!(first.client.recovery_waits().await.unwrap());
    assert!(first.unlocks_with(NEW_PASSWORD).await);
    let mut again = first.restarted_with(first.store.snapshot(), NEW_PASSWORD).await.unwrap();
    assert_in_step(&mut again, second).await;
    assert!(third.sync().await.is_err());
    assert!(!again.client.password_is_outdated().await.unwrap());
    let papers = again.papers(NEW_PASSWORD).await.unwrap();
    TestDevice::recover(&house.server, &papers, &[], PASSWORD).await.unwrap();
}
