//! Making vaults, and many items.

use std::sync::Arc;

use lockstep_client::client::ClientError;
use lockstep_crypto::keys::SourceRecord;
use lockstep_proto::ids::VaultId;
use lockstep_tests::{
    Fault, TestDevice, TestServer, assert_in_step, is_link, login, one_device, two_devices,
};
use tokio::sync::Mutex;

#[tokio::test]
async fn a_vault_and_its_name_arrive_on_another_device() {
    let (_server, mut first, mut second) = two_devices().await;
    let work = first.client.create_vault("Work").await.unwrap();
    first.sync().await.unwrap();
    let report = second.sync().await.unwrap();
    assert_eq!(report.new_vaults, [work]);
    let vaults = second.client.vaults().await.unwrap();
    let mut names: Vec<&str> = vaults.iter().map(|vault| vault.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Home", "Work"]);
    assert!(second.client.items(work).await.unwrap().is_empty());

    second.client.rename_vault(work, "Office").await.unwrap();
    second.client.name_device("Laptop").await.unwrap();
    second.sync().await.unwrap();
    first.sync().await.unwrap();
    assert!(first.client.vaults().await.unwrap().iter().any(|vault| vault.name == "Office"));
    assert!(
        first.client.devices().await.unwrap().iter().any(|device| device.name == "Laptop" && !device.this)
    );
}

#[tokio::test]
async fn a_vault_whose_making_was_interrupted_is_finished_once() {
    let server = TestServer::start().unwrap();
    let (mut first, papers) = TestDevice::sign_up(&server).await.unwrap();
    first.store.record();
    first.net.fail(is_link, Fault::AnswerLost, 100);
    first.client.create_vault("Home").await.unwrap_err();
    assert_eq!(first.client.status().await.unwrap().vaults_in_creation, 1);
    first.net.mend();
    first.sync().await.unwrap();
    assert_eq!(first.client.vaults().await.unwrap().len(), 1);
    for state in first.store.take_history().into_iter().skip(2) {
        let mut again = first.restarted(state).await.unwrap();
        again.sync().await.unwrap();
        let vaults = again.client.vaults().await.unwrap();
        assert_eq!(vaults.len(), 1);
        assert_eq!(vaults[0].name, "Home");
    }
    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    second.sync().await.unwrap();
    assert_eq!(second.client.vaults().await.unwrap()[0].name, "Home");
}

#[tokio::test]
async fn a_thousand_items_arrive_and_importing_them_again_changes_nothing() {
    let (server, mut first, papers) = one_device().await;
    let vault = first.vault().await.unwrap();
    let items: Vec<_> = (0..1_000)
        .map(|number: u32| {
            let number_bytes = number.to_be_bytes();
            let record = SourceRecord::Id(&number_bytes);
            let item_id = first.client.derive_import_id(vault, "test", record).unwrap();
            (item_id, login(&first.client, &format!("item {number}")).unwrap())
        })
        .collect();
    let saved = first.client.save_many(vault, items.clone()).await.unwrap();
    assert_eq!((saved.created, saved.changed, saved.unchanged), (1_000, 0, 0));
    first.sync().await.unwrap();
    let saved = first.client.save_many(vault, items).await.unwrap();
    assert_eq!((saved.created, saved.changed, saved.unchanged), (0, 0, 1_000));
    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    second.sync().await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(second.everything().await.unwrap().len(), 1_000);
}

#[tokio::test]
async fn a_sync_of_nothing_asks_little_and_writes_no_item() {
    let (_server, mut first, _papers) = one_device().await;
    first.add("Bank").await.unwrap();
    first.sync().await.unwrap();
    let before = first.net.sent();
    first.sync().await.unwrap();
    assert!(first.net.sent() - before <= 2);
}

#[tokio::test]
async fn a_vault_that_is_not_here_is_named() {
    let (_server, first, _papers) = one_device().await;
    let error = first.client.items(VaultId([7; 32])).await.unwrap_err();
    assert!(matches!(error, ClientError::NoVault(_)));
}

#[tokio::test]
async fn two_vaults_vouch_for_each_other_without_false_alarm() {
    let (_server, mut first, mut second) = two_devices().await;
    let home = first.vault().await.unwrap();
    let work = first.client.create_vault("Work").await.unwrap();
    second.sync().await.unwrap();
    for round in 0..4 {
        for vault in [home, work] {
            for device in [&mut first, &mut second] {
                let document = login(&device.client, &format!("round {round}")).unwrap();
                let item = device.client.make_item_id();
                device.client.save(vault, item, document).await.unwrap();
                device.sync().await.unwrap();
            }
        }
    }
    second.client.create_vault("Third").await.unwrap();
    first.sync().await.unwrap();
    second.sync().await.unwrap();
    first.sync().await.unwrap();
    for vault in [home, work] {
        assert_eq!(first.client.items(vault).await.unwrap().len(), 8);
        assert_eq!(first.client.items(vault).await.unwrap(), second.client.items(vault).await.unwrap());
    }
    assert_eq!(first.client.vaults().await.unwrap(), second.client.vaults().await.unwrap());
}

/// Claims that come while a sync is under way are pulled for, not taken for withheld.
#[tokio::test]
async fn vaults_that_are_written_in_turn_during_a_sync_raise_no_false_alarm() {
    let (_server, mut first, mut second) = two_devices().await;
    let home = first.vault().await.unwrap();
    let work = first.client.create_vault("Work").await.unwrap();
    for device in [&mut second, &mut first] {
        device.sync().await.unwrap();
        device.sync().await.unwrap();
    }
    second.sync().await.unwrap();
    let (low, high) = (home.min(work), home.max(work));
    let first = Arc::new(Mutex::new(first));
    let (writer, path) = (first.clone(), format!("/v1/vaults/{high}/commits"));
    let mut written = false;
    second.net.before(Box::new(move |request| {
        let now = request.path.starts_with(&path) && !written;
        written |= now;
        let writer = writer.clone();
        Box::pin(async move {
            if now {
                let mut writer = writer.lock().await;
                for vault in [low, high, low, low, high] {
                    let (item, document) =
                        (writer.client.make_item_id(), login(&writer.client, "in turn").unwrap());
                    writer.client.save(vault, item, document).await.unwrap();
                    writer.sync().await.unwrap();
                }
            }
        })
    }));
    second.sync().await.unwrap();
    second.net.undisturbed();
    assert_eq!(second.client.items(low).await.unwrap().len(), 3);
    assert_eq!(second.client.items(high).await.unwrap().len(), 2);
}
