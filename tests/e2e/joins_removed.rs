//! Joins where a device was removed that had written what its remover had not seen: it does not count, whichever branch it is
//! on, and keeps nobody from joining.

use std::collections::BTreeSet;

use lockstep_client::account::KeyChange;
use lockstep_client::sync::SyncError;
use lockstep_proto::ids::ItemId;
use lockstep_tests::{PASSWORD, TestDevice, TestServer, assert_in_step, is_commit, three_devices_on};

use super::joins::{go, write};

fn without(device: &TestDevice) -> KeyChange {
    KeyChange::Retired(BTreeSet::from([device.client.device_id()]))
}

async fn lacks(devices: [&TestDevice; 2], item: ItemId) {
    for device in devices {
        assert!(device.document(item).await.is_err());
    }
}

/// Nothing was written after a removal but by the removed device, on a server that forgot it: the branch that is joined is empty.
#[tokio::test]
async fn a_removed_device_that_goes_on_from_its_cut_off_is_written_over() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut gone], _) = Box::pin(three_devices_on(server)).await;
    let item = write(&mut first, "Bank").await;
    assert_in_step(&mut first, &mut second).await;
    gone.sync().await.unwrap();
    let mut old = server.copy().unwrap();
    first.net.fail(is_commit, lockstep_tests::Fault::Unreachable, usize::MAX);
    assert!(
        first.change_keys(&without(&gone), PASSWORD).await.is_err(),
        "its link is there, its control commit is not"
    );
    first.net.mend();
    old.say_restored().unwrap();
    go(&[&first, &second, &gone], &old);
    gone.set(item, "password", "beyond the cut-off").await.unwrap();
    gone.sync().await.unwrap();

    let error = first.sync().await.unwrap_err();
    assert_eq!(error.rule(), Some("R-AUTHOR"), "{error}");
    first.accept_histories().await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    for device in [&first, &second] {
        assert_eq!(device.field(item, "password").await.unwrap(), "first");
    }
    assert!(gone.sync().await.is_err());
}

/// A server that was restored twice: `first` wrote and then removed `gone` after the first restore, which the second one
/// lost, and has not seen what `gone` and then `second` wrote before.
struct Twice {
    again: TestServer,
    first: TestDevice,
    second: TestDevice,
    gone: TestDevice,
    of_gone: ItemId,
    of_second: ItemId,
    of_first: ItemId,
}

async fn twice() -> Twice {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut gone], _) = Box::pin(three_devices_on(server)).await;
    assert_in_step(&mut first, &mut second).await;
    let old = server.copy().unwrap();
    let of_gone = write(&mut gone, "Of the one that goes").await;
    second.sync().await.unwrap();
    let of_second = write(&mut second, "Of the second").await;

    go(&[&first, &second, &gone], &old);
    let of_first = write(&mut first, "Of the first").await;
    let mut again = old.copy().unwrap();
    first.change_keys(&without(&gone), PASSWORD).await.unwrap();
    again.say_restored().unwrap();
    go(&[&first, &second, &gone], &again);
    Twice { again, first, second, gone, of_gone, of_second, of_first }
}

/// Whoever knows of the removal joins over another device's heal whose branch has what the removed one wrote.
#[tokio::test]
async fn what_a_removed_device_wrote_unseen_on_a_joined_branch_keeps_nobody_from_joining() {
    let Twice { again: _again, mut first, mut second, mut gone, of_gone, of_second, of_first } =
        Box::pin(twice()).await;
    let error = second.sync().await.unwrap_err();
    assert!(matches!(error, SyncError::Diverged { .. }), "{error:?}");
    // The heal is there, and what the second device has is not brought back yet.
    second.net.fail(lockstep_tests::asks_blobs, lockstep_tests::Fault::Unreachable, usize::MAX);
    assert!(second.accept_histories().await.is_err());
    gone.sync().await.unwrap();

    let error = first.sync().await.unwrap_err();
    assert!(matches!(error.rule(), Some("R-HEAL" | "R-AUTHOR")), "{error}");
    first.accept_histories().await.unwrap();
    second.net.mend();
    assert_in_step(&mut first, &mut second).await;
    lacks([&first, &second], of_gone).await;
    for device in [&first, &second] {
        assert_eq!(device.field(of_second, "title").await.unwrap(), "Of the second");
        assert_eq!(device.field(of_first, "title").await.unwrap(), "Of the first");
    }
    assert!(gone.sync().await.is_err());
}

/// Of what the second device has brought back before anybody told it of the removal it has seen all: that counts.
#[tokio::test]
async fn what_was_brought_back_before_a_removal_was_known_counts() {
    let Twice { again: _again, mut first, mut second, of_gone, of_second, .. } = Box::pin(twice()).await;
    let error = second.sync().await.unwrap_err();
    assert!(matches!(error, SyncError::Diverged { .. }), "{error:?}");
    second.accept_histories().await.unwrap();
    assert!(first.sync().await.is_err());
    first.accept_histories().await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    for (item, title) in [(of_gone, "Of the one that goes"), (of_second, "Of the second")] {
        assert_eq!(first.field(item, "title").await.unwrap(), title);
    }
}

/// A device whose own branch is not valid any more, since a removed one wrote on it: its own edits are not lost with that.
#[tokio::test]
async fn a_device_whose_branch_a_removal_makes_invalid_joins_it_all_the_same() {
    let Twice { again: _again, mut first, mut second, of_gone, of_second, of_first, .. } =
        Box::pin(twice()).await;
    // The removal comes back before the second device does.
    first.sync().await.unwrap();
    let more = write(&mut first, "More of the first").await;
    let error = second.sync().await.unwrap_err();
    assert!(matches!(error, SyncError::Diverged { .. } | SyncError::Commit { .. }), "{error}");
    assert_eq!(second.field(of_second, "title").await.unwrap(), "Of the second", "it stays readable");
    second.accept_histories().await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    lacks([&first, &second], of_gone).await;
    for device in [&first, &second] {
        for (item, title) in
            [(of_second, "Of the second"), (of_first, "Of the first"), (more, "More of the first")]
        {
            assert_eq!(device.field(item, "title").await.unwrap(), title);
        }
    }
}

/// The same where the server has nothing that the device lacks: it cannot get back what is not valid any more, and waits until
/// somebody has written there.
#[tokio::test]
async fn a_branch_that_a_removal_makes_invalid_waits_for_the_server_to_go_on() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut gone], _) = Box::pin(three_devices_on(server)).await;
    assert_in_step(&mut first, &mut second).await;
    first.net.fail(is_commit, lockstep_tests::Fault::Unreachable, usize::MAX);
    let mut old = server.copy().unwrap();
    let of_second = write(&mut second, "Of the second").await;
    gone.sync().await.unwrap();
    let of_gone = write(&mut gone, "Of the one that goes").await;
    second.sync().await.unwrap();
    old.say_restored().unwrap();
    go(&[&first, &second, &gone], &old);
    assert!(first.change_keys(&without(&gone), PASSWORD).await.is_err(), "the control commit does not land");

    for _ in 0..2 {
        let error = second.sync().await.unwrap_err();
        assert_eq!(error.rule(), Some("R-AUTHOR"), "{error}");
        let error = second.client.two_histories().await.unwrap_err();
        assert_eq!(error.rule(), Some("R-AUTHOR"), "there is one history, and what is not valid: {error}");
    }
    first.net.mend();
    first.sync().await.unwrap();
    second.accept_histories().await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    lacks([&first, &second], of_gone).await;
    for device in [&first, &second] {
        assert_eq!(device.field(of_second, "title").await.unwrap(), "Of the second");
    }
}

/// A device that is removed later joined another branch on a server that was restored, which its remover had not seen; what it
/// joined does not count, and a new device can verify all of it.
#[tokio::test]
async fn what_a_removed_device_joined_unseen_is_in_nobodys_way() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut gone], papers) = Box::pin(three_devices_on(server)).await;
    assert_in_step(&mut first, &mut second).await;
    gone.sync().await.unwrap();
    let (old, last) = (server.copy().unwrap(), server.copy().unwrap());
    let far = write(&mut gone, "Far").await;
    go(&[&second, &gone], &old);
    let of_second = write(&mut second, "Of the second").await;
    assert!(gone.sync().await.is_err());
    gone.accept_histories().await.unwrap();
    second.sync().await.unwrap();
    let more = write(&mut second, "More of the second").await;
    go(&[&first, &second, &gone], &last);
    let of_first = write(&mut first, "Of the first").await;
    first.change_keys(&without(&gone), PASSWORD).await.unwrap();

    assert!(second.sync().await.is_err());
    second.accept_histories().await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let mut fresh = TestDevice::sign_in(&last, &papers).await.unwrap();
    fresh.sync().await.unwrap();
    fresh.sync().await.unwrap();
    for device in [&first, &second, &fresh] {
        for (item, title) in
            [(of_second, "Of the second"), (more, "More of the second"), (of_first, "Of the first")]
        {
            assert_eq!(device.field(item, "title").await.unwrap(), title);
        }
        assert!(device.document(far).await.is_err(), "what its fellow had not brought over");
    }
}

/// The plainest removal there is, on a vault that has a heal, while another device lags behind.
#[tokio::test]
async fn a_device_that_lags_behind_a_removal_in_a_healed_vault_follows() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut gone], _) = Box::pin(three_devices_on(server)).await;
    assert_in_step(&mut first, &mut second).await;
    gone.sync().await.unwrap();
    let old = server.copy().unwrap();
    write(&mut first, "Lost").await;
    go(&[&first, &second, &gone], &old);
    write(&mut second, "Other").await;
    assert!(first.sync().await.is_err());
    first.accept_histories().await.unwrap();
    gone.sync().await.unwrap();
    write(&mut gone, "Of the one that goes").await;
    assert_in_step(&mut first, &mut second).await;
    let later = write(&mut first, "Later").await;
    first.change_keys(&without(&gone), PASSWORD).await.unwrap();
    second.sync().await.unwrap();
    assert_eq!(second.field(later, "title").await.unwrap(), "Later");
    assert_in_step(&mut first, &mut second).await;
}

/// What a removed device had brought over from a branch does not count, so whoever is on that branch brings it back.
#[tokio::test]
async fn what_a_removed_device_had_brought_over_is_brought_back_by_who_is_on_the_branch() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut third, mut gone], _) = Box::pin(three_devices_on(server)).await;
    let item = write(&mut first, "Bank").await;
    assert_in_step(&mut first, &mut third).await;
    gone.sync().await.unwrap();
    let mut old = server.copy().unwrap();
    third.set(item, "password", "of the third").await.unwrap();
    third.sync().await.unwrap();
    let alone = write(&mut third, "Of the third").await;
    gone.sync().await.unwrap();
    old.say_restored().unwrap();
    go(&[&first, &third, &gone], &old);
    write(&mut first, "Of the first").await;
    let mut last = old.copy().unwrap();
    assert!(gone.sync().await.is_err());
    gone.accept_histories().await.unwrap();
    // The first has seen nothing of that.
    last.say_restored().unwrap();
    go(&[&first], &last);
    first.net.fail(is_commit, lockstep_tests::Fault::Unreachable, usize::MAX);
    assert!(first.change_keys(&without(&gone), PASSWORD).await.is_err());
    first.net.mend();
    go(&[&first], &old);
    assert!(first.sync().await.is_err());
    first.accept_histories().await.unwrap();
    assert_eq!(first.field(item, "password").await.unwrap(), "first");
    assert!(third.sync().await.is_err());
    third.accept_histories().await.unwrap();
    assert_in_step(&mut first, &mut third).await;
    for device in [&first, &third] {
        assert_eq!(device.field(item, "password").await.unwrap(), "of the third");
        assert_eq!(device.field(alone, "title").await.unwrap(), "Of the third");
    }
}

/// A device that is removed later had changed the keys, which its remover had not seen: they are in force nowhere after a join,
/// and what was written under them counts.
#[tokio::test]
async fn keys_that_a_removed_device_changed_unseen_are_overruled() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut gone], _) = Box::pin(three_devices_on(server)).await;
    assert_in_step(&mut first, &mut second).await;
    gone.sync().await.unwrap();
    let mut last = server.copy().unwrap();
    gone.change_keys(&KeyChange::Rotation { new_secret_key: false }, PASSWORD).await.unwrap();
    second.sync().await.unwrap();
    let under = write(&mut second, "Under the new key").await;
    last.say_restored().unwrap();
    go(&[&first, &second, &gone], &last);
    let of_first = write(&mut first, "Of the first").await;
    // The second device gives the account's log back, and not the vault's.
    assert!(second.sync().await.is_err());
    first.net.fail(is_commit, lockstep_tests::Fault::Unreachable, usize::MAX);
    assert!(first.change_keys(&without(&gone), PASSWORD).await.is_err());
    first.net.mend();
    first.sync().await.unwrap();
    assert!(second.sync().await.is_err());
    second.accept_histories().await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    for device in [&first, &second] {
        assert_eq!(device.field(under, "title").await.unwrap(), "Under the new key");
        assert_eq!(device.field(of_first, "title").await.unwrap(), "Of the first");
    }
}
