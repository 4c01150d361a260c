//! A value that lost and that nobody has seen is kept, however large it is and whatever came after it.

use std::collections::BTreeSet;

use lockstep_client::client::Notice;
use lockstep_client::item::merge::merge;
use lockstep_client::item::{Author, Bounds, Document, Draft, Stamp};
use lockstep_client::ports::Clock as _;
use lockstep_crypto::keys::SourceRecord;
use lockstep_proto::ids::{DeviceId, ItemId};
use lockstep_tests::{TestDevice, TestServer, assert_in_step, one_device, two_devices};

/// A note that begins with `name`.
fn note(name: &str, length: usize) -> String {
    format!("{name} {}", "x".repeat(length))
}

/// Every value of the notes of every item that is shown or waits for a choice, by the beginning of each.
async fn shown_or_waiting(device: &TestDevice) -> BTreeSet<String> {
    let vault = device.vault().await.unwrap();
    let mut found = BTreeSet::new();
    for item in device.client.items(vault).await.unwrap() {
        let open = device.client.item(vault, item.item_id).await.unwrap().unwrap();
        let Some(register) = open.document.register("notes") else { continue };
        for entry in [register.winner()].into_iter().chain(register.conflicts()) {
            let text = entry.value().as_text().unwrap_or_default();
            found.insert(text.split(' ').next().unwrap_or_default().to_owned());
        }
    }
    found
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_note_of_any_size_that_lost_is_kept_and_told_on_both_devices() {
    for length in [100, 66_000] {
        let (_server, mut first, mut second) = two_devices().await;
        let item = first.add("Diary").await.unwrap();
        assert_in_step(&mut first, &mut second).await;
        first.set(item, "notes", &note("first", length)).await.unwrap();
        second.clock.advance(5_000);
        second.set(item, "notes", &note("second", length)).await.unwrap();
        first.sync().await.unwrap();
        // The device that merges says so, and so does the one that merely receives it.
        for device in [&mut second, &mut first] {
            let report = device.sync().await.unwrap();
            assert_eq!(report.conflicts, 1, "{length}");
            assert_eq!(report.notices.iter().map(|told| told.what).collect::<Vec<_>>(), [Notice::Conflict]);
        }
        assert_in_step(&mut first, &mut second).await;
        for device in [&first, &second] {
            assert_eq!(shown_or_waiting(device).await, names(&["first", "second"]), "{length}");
        }
    }
}

#[tokio::test]
async fn newer_writes_do_not_push_out_what_nobody_has_seen() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Diary").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    first.set(item, "notes", "unseen").await.unwrap();
    second.clock.advance(5_000);
    for round in 0..3 * Bounds::PROTOCOL.history_count {
        second.set(item, "notes", &format!("{round}")).await.unwrap();
    }
    first.sync().await.unwrap();
    assert_eq!(second.sync().await.unwrap().conflicts, 1);
    // Nor do those that come after both met.
    for round in 0..3 * Bounds::PROTOCOL.history_count {
        second.set(item, "notes", &format!("later-{round}")).await.unwrap();
    }
    assert_in_step(&mut first, &mut second).await;
    for device in [&first, &second] {
        assert!(shown_or_waiting(device).await.contains("unseen"));
        let vault = device.vault().await.unwrap();
        let open = device.client.item(vault, item).await.unwrap().unwrap();
        let register = open.document.register("notes").unwrap().clone();
        assert_eq!(register.history().len(), Bounds::PROTOCOL.history_count, "the rest aged out");
        assert_eq!(register.conflicts().len(), 1);
    }
    let vault = first.vault().await.unwrap();
    first.client.resolve(vault, item, "notes", "chosen".into()).await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    assert!(second.client.conflicts().await.unwrap().is_empty());
}

/// A note that `count` devices wrote without having seen each other: half of what an item can hold, or more.
fn written_apart(count: u8) -> Document {
    let by = |device: u8| {
        let author = Author { now_ms: 1_000 + u64::from(device), device: DeviceId([device; 16]) };
        let draft = Draft::by("note", author).unwrap().set("title", "Diary");
        draft.set("notes", note(&format!("apart-{device}"), 250_000)).build().unwrap()
    };
    (1..=count).map(by).reduce(|all, one| merge(&all, &one)).unwrap()
}

#[tokio::test]
async fn what_an_item_cannot_hold_becomes_an_item_of_its_own_and_is_told() {
    let (_server, mut first, mut second) = two_devices().await;
    let (vault, item) = (first.vault().await.unwrap(), first.client.make_item_id());
    first.client.save(vault, item, written_apart(4)).await.unwrap();
    first.sync().await.unwrap();
    assert_eq!(second.sync().await.unwrap().conflicts, 1);
    first.set(item, "notes", &note("first", 250_000)).await.unwrap();
    second.clock.advance(5_000);
    second.set(item, "notes", &note("second", 250_000)).await.unwrap();
    first.sync().await.unwrap();
    let report = second.sync().await.unwrap();
    let told = report.notices.iter().filter(|notice| notice.what == Notice::SplitOff);
    let split: Vec<ItemId> = told.map(|notice| notice.item_id).collect();
    assert_eq!(split.len(), 1);
    first.sync().await.unwrap();
    for device in [&first, &second] {
        let items = device.client.items(vault).await.unwrap().into_iter().map(|item| item.item_id);
        assert_eq!(items.collect::<BTreeSet<_>>(), BTreeSet::from([item, split[0]]));
        // What was shown when both wrote, the newest of the four, was seen by both.
        assert_eq!(
            shown_or_waiting(device).await,
            names(&["apart-1", "apart-2", "apart-3", "first", "second"])
        );
    }
}

#[tokio::test]
async fn a_new_device_is_told_what_waits_for_a_choice() {
    let (server, mut first, papers) = one_device().await;
    let item = first.add("Diary").await.unwrap();
    first.sync().await.unwrap();
    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    first.set(item, "notes", "first").await.unwrap();
    second.set(item, "notes", "second").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let mut third = TestDevice::sign_in(&server, &papers).await.unwrap();
    assert_eq!(third.sync().await.unwrap().conflicts, 1);
    assert_eq!(third.sync().await.unwrap().conflicts, 0, "once");
}

#[tokio::test]
async fn an_item_that_comes_out_of_the_trash_is_told_on_both_devices() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let vault = first.vault().await.unwrap();
    first.client.trash(vault, item).await.unwrap();
    second.set(item, "password", "changed").await.unwrap();
    first.sync().await.unwrap();
    for device in [&mut second, &mut first] {
        let report = device.sync().await.unwrap();
        assert!(report.notices.iter().any(|told| told.item_id == item && told.what == Notice::OutOfTrash));
    }
}

/// A record of another program's export, with a stamp that is the same on every device.
fn record() -> Document {
    let stamp = Stamp::clamped(1_500_000_000_000, 0, DeviceId([0; 16]));
    Draft::new("login", stamp).set("title", "Bank").set("notes", "imported").build().unwrap()
}

#[tokio::test]
async fn a_purged_item_that_is_imported_again_meets_an_older_edit_without_loss_although_a_clock_went_back() {
    let (_server, mut first, mut second) = two_devices().await;
    let vault = first.vault().await.unwrap();
    let source = || SourceRecord::Id(b"7");
    let item = first.client.derive_import_id(vault, "test", source()).unwrap();
    first.client.save(vault, item, record()).await.unwrap();
    let begun = first.clock.now_ms();
    for round in 0..3 * Bounds::PROTOCOL.history_count {
        first.clock.advance(1);
        first.set(item, "notes", &format!("{round}")).await.unwrap();
    }
    assert_in_step(&mut first, &mut second).await;
    second.set(item, "username", "edited before the purge was seen").await.unwrap();
    first.client.trash(vault, item).await.unwrap();
    first.client.purge(vault, item).await.unwrap();
    first.sync().await.unwrap();
    // Its own stamps of the first life are forgotten with the item, and the clock says one of those times again.
    first.clock.set(begun + 2);
    first.client.save(vault, item, record()).await.unwrap();
    first.set(item, "notes", "second-life").await.unwrap();
    first.sync().await.unwrap();
    second.sync().await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    for device in [&first, &second] {
        assert!(shown_or_waiting(device).await.contains("second-life"));
        assert_eq!(device.field(item, "username").await.unwrap(), "edited before the purge was seen");
    }
}

#[tokio::test]
async fn an_item_that_is_made_anew_while_its_purge_waits_loses_nothing() {
    let (_server, mut first, mut second) = two_devices().await;
    let vault = first.vault().await.unwrap();
    let item = first.client.derive_import_id(vault, "test", SourceRecord::Id(b"7")).unwrap();
    first.client.save(vault, item, record()).await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    // The other device's clock is a day ahead, so this one's stamps are, too, in this item alone.
    second.clock.advance(86_400_000);
    second.set(item, "notes", "ahead").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    for round in 0..=Bounds::PROTOCOL.history_count {
        first.set(item, "notes", &format!("{round}")).await.unwrap();
    }
    assert_in_step(&mut first, &mut second).await;
    second.set(item, "username", "edited meanwhile").await.unwrap();
    first.client.trash(vault, item).await.unwrap();
    first.client.purge(vault, item).await.unwrap();
    first.client.save(vault, item, record()).await.unwrap();
    first.set(item, "notes", "second-life").await.unwrap();
    first.sync().await.unwrap();
    second.sync().await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    for device in [&first, &second] {
        assert!(shown_or_waiting(device).await.contains("second-life"));
        assert_eq!(device.field(item, "username").await.unwrap(), "edited meanwhile");
    }
    let other = first.add("Mail").await.unwrap();
    assert!(
        first.document(other).await.unwrap().ahead_ms(first.clock.now_ms()).is_none(),
        "one item's stamps are its own"
    );
}

/// Three devices. The first one's clock was a day ahead for one edit of an item, which the others saw, replaced and gave up;
/// the third has an edit of the item that it has not sent. Also the item as it was before that.
async fn a_stamp_ahead() -> (TestServer, [TestDevice; 3], ItemId, Document) {
    let (server, mut first, papers) = one_device().await;
    first.sync().await.unwrap();
    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    let mut third = TestDevice::sign_in(&server, &papers).await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let vault = first.vault().await.unwrap();
    let item = first.client.derive_import_id(vault, "test", SourceRecord::Id(b"7")).unwrap();
    second.client.save(vault, item, record()).await.unwrap();
    assert_in_step(&mut second, &mut first).await;
    first.set(item, "notes", "early").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let early = second.document(item).await.unwrap();
    let begun = first.clock.now_ms();
    first.clock.advance(86_400_000);
    first.set(item, "notes", "ahead").await.unwrap();
    first.clock.set(begun + 10_000);
    assert_in_step(&mut first, &mut second).await;
    for round in 0..=Bounds::PROTOCOL.history_count {
        second.set(item, "notes", &format!("{round}")).await.unwrap();
    }
    assert_in_step(&mut second, &mut third).await;
    first.sync().await.unwrap();
    third.set(item, "username", "edited meanwhile").await.unwrap();
    (server, [first, second, third], item, early)
}

/// What the first device writes now is on the third one, too, and what that had not sent.
async fn assert_nothing_lost(first: &mut TestDevice, third: &mut TestDevice, item: ItemId) {
    first.set(item, "notes", "second-life").await.unwrap();
    first.sync().await.unwrap();
    third.sync().await.unwrap();
    assert_in_step(third, first).await;
    for device in [first, third] {
        assert!(shown_or_waiting(device).await.contains("second-life"));
        assert_eq!(device.field(item, "username").await.unwrap(), "edited meanwhile");
    }
}

async fn purge(device: &mut TestDevice, item: ItemId) {
    let vault = device.vault().await.unwrap();
    device.client.purge(vault, item).await.unwrap();
}

async fn trash(device: &mut TestDevice, item: ItemId) {
    let vault = device.vault().await.unwrap();
    device.client.trash(vault, item).await.unwrap();
}

#[tokio::test]
async fn a_purge_and_a_new_life_that_come_in_one_sync_lose_nothing_of_who_slept() {
    let (_server, [mut first, mut second, mut third], item, _) = a_stamp_ahead().await;
    let vault = first.vault().await.unwrap();
    trash(&mut second, item).await;
    purge(&mut second, item).await;
    second.sync().await.unwrap();
    second.client.save(vault, item, record()).await.unwrap();
    second.sync().await.unwrap();
    first.sync().await.unwrap();
    assert_nothing_lost(&mut first, &mut third, item).await;
}

#[tokio::test]
async fn an_item_made_anew_before_the_purge_of_another_device_came_loses_nothing_of_who_slept() {
    let (_server, [mut first, mut second, mut third], item, _) = a_stamp_ahead().await;
    let vault = first.vault().await.unwrap();
    trash(&mut second, item).await;
    second.sync().await.unwrap();
    first.sync().await.unwrap();
    // What waits now has none of this device's stamps.
    purge(&mut first, item).await;
    first.client.save(vault, item, record()).await.unwrap();
    purge(&mut second, item).await;
    second.sync().await.unwrap();
    first.sync().await.unwrap();
    assert_nothing_lost(&mut first, &mut third, item).await;
}

#[tokio::test]
async fn a_later_life_with_older_stamps_takes_nothing_from_what_a_device_remembers() {
    let (_server, [mut first, mut second, mut third], item, early) = a_stamp_ahead().await;
    let vault = first.vault().await.unwrap();
    trash(&mut second, item).await;
    purge(&mut second, item).await;
    second.sync().await.unwrap();
    first.sync().await.unwrap();
    // An old archive has one of the first device's older stamps.
    second.client.merge_many(vault, vec![(item, early)]).await.unwrap();
    trash(&mut second, item).await;
    second.sync().await.unwrap();
    first.sync().await.unwrap();
    // It was put into the trash elsewhere, so purging it writes no stamp.
    purge(&mut first, item).await;
    first.sync().await.unwrap();
    first.client.save(vault, item, record()).await.unwrap();
    assert_nothing_lost(&mut first, &mut third, item).await;
}

/// What comes back out of an archive after it was purged is not purged again by a device that was away and had purged it, too.
#[tokio::test]
async fn a_purge_that_comes_late_does_not_take_what_was_brought_back_since() {
    let (server, mut first, papers) = one_device().await;
    first.sync().await.unwrap();
    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    let mut third = TestDevice::sign_in(&server, &papers).await.unwrap();
    let item = first.add("Mail").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    third.sync().await.unwrap();
    let archived = first.document(item).await.unwrap();
    let vault = first.vault().await.unwrap();
    for device in [&mut first, &mut third] {
        trash(device, item).await;
        purge(device, item).await;
    }
    first.sync().await.unwrap();
    second.sync().await.unwrap();
    second.client.merge_many(vault, vec![(item, archived)]).await.unwrap();
    second.sync().await.unwrap();
    third.sync().await.unwrap();
    for device in [&mut first, &mut third, &mut second] {
        device.sync().await.unwrap();
        assert_eq!(device.field(item, "title").await.unwrap(), "Mail");
    }
}
