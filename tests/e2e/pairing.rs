//! Two devices pair through the real server.

use lockstep_client::account::{PairingError, profile};
use lockstep_client::client::PairError;
use lockstep_crypto::password::Password;
use lockstep_proto::log::Enrolment;
use lockstep_tests::{
    End, NewDevice, PASSWORD, TestDevice, TestServer, assert_in_step, is_link, one_device, one_device_on,
    paired_devices,
};

fn password() -> Password {
    Password::new(PASSWORD).unwrap()
}

#[tokio::test]
async fn a_paired_device_has_everything_and_both_edit() {
    let (server, mut first, _papers) = one_device().await;
    let bank = first.add("Bank").await.unwrap();
    first.sync().await.unwrap();
    let waiting = first.add("waits").await.unwrap();
    let mut second = NewDevice::at(&server).unwrap().paired_with(&mut first).await.unwrap();
    // What waited was sent before, so that the new device is told of it.
    assert_eq!(first.client.status().await.unwrap().pending, 0);
    second.sync().await.unwrap();
    for item in [bank, waiting] {
        assert_eq!(second.document(item).await.unwrap(), first.document(item).await.unwrap());
    }
    second.set(bank, "password", "of the new one").await.unwrap();
    first.set(waiting, "title", "of the old one").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(first.field(bank, "password").await.unwrap(), "of the new one");
    assert_eq!(second.field(waiting, "title").await.unwrap(), "of the old one");
    let state = second.client.unlocked().state();
    assert_eq!(state.device(&second.client.device_id()).unwrap().how(), Some(Enrolment::Pairing));
}

#[tokio::test]
async fn a_paired_device_unlocks_offline_and_lets_in_another() {
    let (server, mut first, mut second) = paired_devices().await;
    second = second.restarted(second.store.snapshot()).await.unwrap();
    let mut third = NewDevice::at(&server).unwrap().paired_with(&mut second).await.unwrap();
    third.sync().await.unwrap();
    third.add("of the third").await.unwrap();
    assert_in_step(&mut third, &mut second).await;
    assert_in_step(&mut first, &mut third).await;
}

#[tokio::test]
async fn several_vaults_and_their_heads_come_along() {
    let (server, mut first, _papers) = one_device().await;
    first.client.create_vault("Work").await.unwrap();
    first.sync().await.unwrap();
    let mut second = NewDevice::at(&server).unwrap().paired_with(&mut first).await.unwrap();
    let report = second.sync().await.unwrap();
    assert_eq!(report.new_vaults.len(), 2);
    second.sync().await.unwrap();
    let heads = |status: lockstep_client::client::Status| {
        status.vaults.into_iter().map(|vault| (vault.vault_id, vault.head)).collect::<Vec<_>>()
    };
    let both = [second.client.status().await.unwrap(), first.client.status().await.unwrap()].map(heads);
    assert_eq!(both[0], both[1]);
}

#[tokio::test]
async fn without_the_password_nobody_is_invited() {
    let (_server, mut first, _papers) = one_device().await;
    let wrong = Password::new("guessed").unwrap();
    let before = first.net.sent();
    let error = first.client.pair(&wrong).await.err().unwrap();
    assert!(matches!(error, PairError::Pairing(PairingError::Account(_))), "{error}");
    assert_eq!(first.net.sent(), before);
}

#[tokio::test]
async fn offline_nobody_is_invited() {
    let (_server, mut first, _papers) = one_device().await;
    first.net.cut();
    assert!(matches!(first.client.pair(&password()).await.err(), Some(PairError::Sync(_))));
}

#[tokio::test]
async fn a_person_who_says_no_leaves_everything_as_it_was() {
    let (server, mut first, _papers) = one_device().await;
    first.sync().await.unwrap();
    let before = first.client.unlocked().state().head();
    let new = NewDevice::at(&server).unwrap();
    let invited = first.client.pair(&password()).await.unwrap();
    drop(new.meet(invited).await.unwrap());
    first.sync().await.unwrap();
    assert_eq!(first.client.unlocked().state().head(), before);
    assert!(profile(&new.records()).await.unwrap().is_none());
}

/// Pairs while the new device dies, or fails, at this step. `false` when the pairing has fewer steps.
async fn ends_at(server: &TestServer, first: &TestDevice, step: usize, end: End) -> bool {
    let server = server.copy().unwrap();
    let mut first = first.copy(&server).await.unwrap();
    let new = NewDevice::at(&server).unwrap();
    let switch = new.switch();
    let invited = first.client.pair(&password()).await.unwrap();
    switch.arm(step, end);
    let work = async {
        let (offered, joining) = new.meet(invited).await.ok()?;
        offered.confirm().await.ok()?;
        joining.confirm().await.ok()?.finish(&password()).await.ok()
    };
    let ended = switch.survive(Box::pin(work)).await.flatten();
    if switch.passed() <= step {
        assert!(ended.is_some());
        return false;
    }
    switch.disarm();
    let at = format!("{end:?} at step {step}");
    match profile(&new.records()).await.unwrap() {
        Some(_) => {
            let unlocked = match ended {
                Some(unlocked) => unlocked,
                None => new.unlock().await.unwrap_or_else(|error| panic!("{at}: {error}")),
            };
            let mut second = new.with(unlocked).await.unwrap();
            second.sync().await.unwrap_or_else(|error| panic!("{at}: {error}"));
            first.sync().await.unwrap();
            assert_eq!(first.everything().await.unwrap(), second.everything().await.unwrap(), "{at}");
        }
        None => {
            let mut second = NewDevice::at(&server).unwrap().paired_with(&mut first).await.unwrap();
            second.sync().await.unwrap_or_else(|error| panic!("{at}: {error}"));
            assert_eq!(first.everything().await.unwrap(), second.everything().await.unwrap(), "{at}");
        }
    }
    true
}

#[tokio::test]
async fn a_new_device_that_dies_at_any_step_has_nothing_or_everything() {
    let (server, mut first, _papers) = one_device_on(TestServer::start_in_memory().unwrap()).await;
    first.add("Bank").await.unwrap();
    first.sync().await.unwrap();
    for end in [End::Kill, End::Fail] {
        let mut steps = 0;
        while Box::pin(ends_at(&server, &first, steps, end)).await {
            steps += 1;
        }
        assert!(steps > 16, "{steps} steps");
    }
}

/// The old device dies at every step after the words: its log and the server's agree afterwards, and it pairs again.
#[tokio::test]
async fn an_old_device_that_dies_while_it_lets_another_in_goes_on() {
    let (server, mut first, _papers) = one_device_on(TestServer::start_in_memory().unwrap()).await;
    first.add("Bank").await.unwrap();
    first.sync().await.unwrap();
    for step in 0.. {
        let server = server.copy().unwrap();
        let mut first = first.copy(&server).await.unwrap();
        let switch = first.switch.clone();
        let new = NewDevice::at(&server).unwrap();
        let invited = first.client.pair(&password()).await.unwrap();
        let (offered, joining) = new.meet(invited).await.unwrap();
        switch.arm(step, End::Kill);
        let confirmed = switch.survive(Box::pin(offered.confirm())).await;
        if switch.passed() <= step {
            confirmed.unwrap().unwrap();
            assert!(step > 6, "{step} steps");
            return;
        }
        drop(joining);
        let mut again = first.restarted(first.store.snapshot()).await.unwrap();
        again.sync().await.unwrap();
        let mut second = NewDevice::at(&server).unwrap().paired_with(&mut again).await.unwrap();
        second.sync().await.unwrap();
        assert_in_step(&mut again, &mut second).await;
        let links: std::collections::BTreeSet<_> =
            first.net.server().seen().into_iter().filter(is_link).map(|request| request.body).collect();
        assert!(links.len() <= 1, "step {step}: {} different links", links.len());
    }
}
