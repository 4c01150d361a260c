//! A device of the account that seals garbage (A39): its item is put aside, the vault goes on.

use lockstep_client::client::QuarantineReason;
use lockstep_proto::ids::ItemId;
use lockstep_tests::{TestDevice, assert_in_step, two_devices};

use super::forge::Forger;
use super::garbage;

/// A valid commit by this device that adds an item which nobody can open.
async fn commit_garbage(device: &TestDevice) -> ItemId {
    let forger = Forger::of(device).await;
    let (item_id, post) = forger.commit(garbage);
    forger.post(&post).await.unwrap();
    item_id
}

#[tokio::test]
async fn a39_an_item_that_nobody_can_open_is_put_aside_and_the_vault_goes_on() {
    let (_server, mut first, mut second) = two_devices().await;
    let bank = first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let garbage = commit_garbage(&first).await;
    let waiting = second.add("waits").await.unwrap();
    let report = second.sync().await.unwrap();
    assert_eq!(report.quarantined, 1);
    let aside = second.client.quarantined();
    assert_eq!((aside.len(), aside[0].item_id, aside[0].author), (1, garbage, first.client.device_id()));
    assert_eq!(aside[0].reason, QuarantineReason::Sealed);

    second.set(bank, "password", "goes on").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(first.field(bank, "password").await.unwrap(), "goes on");
    assert_eq!(first.field(waiting, "title").await.unwrap(), "waits");
    assert_eq!(first.client.quarantined().len(), 1);
}
