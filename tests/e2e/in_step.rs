//! Two devices that both edit.

use lockstep_client::client::Notice;
use lockstep_client::item::Value;
use lockstep_proto::ids::ItemId;
use lockstep_tests::{assert_in_step, two_devices};

#[tokio::test]
async fn what_one_device_saves_the_other_shows() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    assert_eq!(first.sync().await.unwrap().pushed, 1);
    assert_eq!(second.sync().await.unwrap().pulled, 1);
    assert_eq!(second.field(item, "title").await.unwrap(), "Bank");
    assert_in_step(&mut first, &mut second).await;
}

#[tokio::test]
async fn edits_of_different_fields_merge_without_a_conflict() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;

    first.set(item, "username", "ann.other").await.unwrap();
    second.set(item, "password", "second").await.unwrap();
    first.sync().await.unwrap();
    let report = second.sync().await.unwrap();
    assert_eq!((report.merged, report.conflicts, report.pushed), (1, 0, 1));
    assert_in_step(&mut first, &mut second).await;
    for device in [&first, &second] {
        assert_eq!(device.field(item, "username").await.unwrap(), "ann.other");
        assert_eq!(device.field(item, "password").await.unwrap(), "second");
        assert!(device.client.conflicts().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn edits_of_one_field_are_marked_and_resolved_for_everybody() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;

    first.set(item, "password", "from the first").await.unwrap();
    second.clock.advance(5_000);
    second.set(item, "password", "from the second").await.unwrap();
    first.sync().await.unwrap();
    let report = second.sync().await.unwrap();
    assert_eq!(report.conflicts, 1);
    assert!(report.notices.iter().any(|notice| notice.what == Notice::Conflict));
    assert_in_step(&mut first, &mut second).await;
    let conflicts = first.client.conflicts().await.unwrap();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].winner.value, Value::from("from the second"));
    assert_eq!(conflicts[0].losers[0].value, Value::from("from the first"));

    let vault = first.vault().await.unwrap();
    first.client.resolve(vault, item, "password", Value::from("from the first")).await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    assert!(second.client.conflicts().await.unwrap().is_empty());
    assert_eq!(second.field(item, "password").await.unwrap(), "from the first");
}

#[tokio::test]
async fn an_edit_brings_an_item_back_from_the_trash() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;

    let vault = first.vault().await.unwrap();
    first.client.trash(vault, item).await.unwrap();
    second.set(item, "password", "changed").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let items = first.client.items(vault).await.unwrap();
    assert!(!items.iter().find(|summary| summary.item_id == item).unwrap().trashed);
    assert_eq!(first.field(item, "password").await.unwrap(), "changed");
}

#[tokio::test]
async fn an_edit_made_before_a_purge_was_seen_writes_over_the_tombstone() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;

    let vault = first.vault().await.unwrap();
    first.client.trash(vault, item).await.unwrap();
    first.client.purge(vault, item).await.unwrap();
    second.set(item, "password", "changed").await.unwrap();
    first.sync().await.unwrap();
    assert!(first.client.item(vault, item).await.unwrap().is_none());
    let report = second.sync().await.unwrap();
    assert!(report.notices.iter().any(|notice| notice.what == Notice::BroughtBack));
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(first.field(item, "password").await.unwrap(), "changed");
}

#[tokio::test]
async fn a_purge_of_an_item_that_changed_elsewhere_is_dropped() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;

    second.set(item, "password", "changed").await.unwrap();
    second.sync().await.unwrap();
    let vault = first.vault().await.unwrap();
    first.client.trash(vault, item).await.unwrap();
    first.client.purge(vault, item).await.unwrap();
    let report = first.sync().await.unwrap();
    assert!(report.notices.iter().any(|notice| notice.what == Notice::PurgeDropped));
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(first.field(item, "password").await.unwrap(), "changed");
}

#[tokio::test]
async fn a_purged_item_is_gone_on_both_devices() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    first.add("Mail").await.unwrap();
    assert_in_step(&mut first, &mut second).await;

    let vault = first.vault().await.unwrap();
    first.client.trash(vault, item).await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    second.client.purge(vault, item).await.unwrap();
    let told = (first.client.is_purged(vault, item).await, second.client.is_purged(vault, item).await);
    assert_eq!((told.0.unwrap(), told.1.unwrap()), (false, true));
    assert_in_step(&mut first, &mut second).await;
    assert!(first.client.item(vault, item).await.unwrap().is_none());
    assert!(first.client.is_purged(vault, item).await.unwrap());
    assert!(!first.client.is_purged(vault, ItemId::from_random([9; 16])).await.unwrap());
    assert_eq!(first.client.items(vault).await.unwrap().len(), 1);
}

#[tokio::test]
async fn two_devices_that_push_at_once_both_get_in() {
    let (_server, mut first, mut second) = two_devices().await;
    for number in 0..5 {
        first.add(&format!("first {number}")).await.unwrap();
        second.add(&format!("second {number}")).await.unwrap();
    }
    let (one, two) = tokio::join!(first.sync(), second.sync());
    one.unwrap();
    two.unwrap();
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(first.everything().await.unwrap().len(), 10);
}
