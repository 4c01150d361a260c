//! What happened to an item is told once on every device, whatever fails after it was found.

use lockstep_client::client::{Notice, SyncReport};
use lockstep_client::item::Value;
use lockstep_proto::ids::ItemId;
use lockstep_tests::{
    End, Fault, TestDevice, TestServer, assert_in_step, is_commit, login, one_device, three_devices_on,
    two_devices, two_devices_on,
};

/// What a sync tells of an item.
fn of(report: &SyncReport, item: ItemId) -> Vec<Notice> {
    report.notices.iter().filter(|told| told.item_id == item).map(|told| told.what).collect()
}

/// Both devices write the same field; the server has what the second one wrote.
async fn diverge(first: &mut TestDevice, second: &mut TestDevice) -> ItemId {
    let item = first.add("Diary").await.unwrap();
    assert_in_step(first, second).await;
    first.set(item, "notes", "first").await.unwrap();
    second.set(item, "notes", "second").await.unwrap();
    second.sync().await.unwrap();
    item
}

/// The next sync tells the conflict, and the one after it nothing.
async fn assert_told_once(device: &mut TestDevice, item: ItemId) {
    let report = device.sync().await.unwrap();
    assert_eq!((of(&report, item), report.conflicts), (vec![Notice::Conflict], 1));
    let report = device.sync().await.unwrap();
    assert_eq!((report.notices, report.conflicts), (Vec::new(), 0));
}

async fn fail_to_send(device: &mut TestDevice) {
    device.net.fail(is_commit, Fault::Unreachable, usize::MAX);
    device.sync().await.unwrap_err();
    device.net.mend();
}

#[tokio::test]
async fn a_conflict_is_told_although_sending_the_merge_failed() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = diverge(&mut first, &mut second).await;
    fail_to_send(&mut first).await;
    fail_to_send(&mut first).await;
    assert_told_once(&mut first, item).await;
    assert_told_once(&mut second, item).await;
}

#[tokio::test]
async fn a_device_that_merely_received_a_conflict_tells_it_after_a_restart() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = diverge(&mut first, &mut second).await;
    first.sync().await.unwrap();
    second.add("Mail").await.unwrap();
    fail_to_send(&mut second).await;
    let mut again = second.restarted(second.store.snapshot()).await.unwrap();
    assert_told_once(&mut again, item).await;
}

#[tokio::test]
async fn a_sync_that_is_killed_or_fails_anywhere_leaves_the_conflict_to_the_next() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, mut first, mut second) = two_devices_on(server).await;
    let item = diverge(&mut first, &mut second).await;
    for end in [End::Kill, End::Fail] {
        let mut steps = 0;
        loop {
            let server = server.copy().unwrap();
            let mut dying = first.copy(&server).await.unwrap();
            let switch = dying.switch.clone();
            switch.arm(steps, end);
            let ended = switch.survive(dying.sync_unseen()).await;
            if switch.passed() <= steps {
                assert_eq!(ended.unwrap().unwrap().conflicts, 1);
                break;
            }
            switch.disarm();
            let mut again = match end {
                End::Kill => dying.restarted(dying.store.snapshot()).await.unwrap(),
                End::Fail => dying,
            };
            assert_told_once(&mut again, item).await;
            steps += 1;
        }
        assert!(steps > 5, "{steps} steps");
    }
}

#[tokio::test]
async fn what_nobody_was_told_of_is_in_every_report() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = diverge(&mut first, &mut second).await;
    for _ in 0..2 {
        let report = first.sync_unseen().await.unwrap();
        assert_eq!((of(&report, item), report.conflicts), (vec![Notice::Conflict], 1));
        first = first.restarted(first.store.snapshot()).await.unwrap();
    }
    // What came after the report that its user has seen is told by the next one.
    let seen = first.sync_unseen().await.unwrap();
    let other = diverge(&mut first, &mut second).await;
    first.sync_unseen().await.unwrap();
    first.client.mark_told(&seen.notices).await.unwrap();
    assert_told_once(&mut first, other).await;
}

#[tokio::test]
async fn a_vault_that_fails_does_not_take_the_news_of_another_with_it() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = diverge(&mut first, &mut second).await;
    first.sync().await.unwrap();
    let work = second.client.create_vault("Work").await.unwrap();
    let document = login(&second.client, "at work").unwrap();
    let other = second.client.make_item_id();
    second.client.save(work, other, document).await.unwrap();
    // The only commit it sends is that of the other vault.
    second.net.fail(is_commit, Fault::Garbage(400), usize::MAX);
    second.sync().await.unwrap_err();
    second.net.mend();
    assert_told_once(&mut second, item).await;
}

#[tokio::test]
async fn an_item_that_comes_back_from_a_purge_is_told_on_every_device() {
    let (_server, [mut purger, mut editor, mut third], _papers) =
        three_devices_on(TestServer::start().unwrap()).await;
    let vault = purger.vault().await.unwrap();
    let item = purger.client.items(vault).await.unwrap()[0].item_id;
    purger.client.trash(vault, item).await.unwrap();
    purger.client.purge(vault, item).await.unwrap();
    purger.sync().await.unwrap();
    third.sync().await.unwrap();
    editor.set(item, "password", "changed").await.unwrap();
    for device in [&mut editor, &mut purger, &mut third] {
        assert_eq!(of(&device.sync().await.unwrap(), item), [Notice::BroughtBack]);
        assert_eq!(device.field(item, "password").await.unwrap(), "changed");
        assert_eq!(of(&device.sync().await.unwrap(), item), []);
    }
}

#[tokio::test]
async fn a_save_of_what_was_read_before_a_sync_tells_the_conflict_that_it_makes() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Diary").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let vault = first.vault().await.unwrap();
    for (notes, is_merged) in [("one", false), ("two", true)] {
        let mut read = first.document(item).await.unwrap();
        second.set(item, "notes", &format!("elsewhere {notes}")).await.unwrap();
        second.sync().await.unwrap();
        assert_eq!(first.sync().await.unwrap().conflicts, 0);
        read.edit(first.client.author()).set("notes", notes).apply().unwrap();
        match is_merged {
            true => drop(first.client.merge_many(vault, vec![(item, read)]).await.unwrap()),
            false => first.client.save(vault, item, read).await.unwrap(),
        }
        let mut again = first.restarted(first.store.snapshot()).await.unwrap();
        assert_eq!(of(&again.sync().await.unwrap(), item), [Notice::Conflict]);
        assert_eq!(of(&again.sync().await.unwrap(), item), []);
        let document = again.document(item).await.unwrap();
        let chosen = Value::from(document.text("notes").unwrap());
        again.client.resolve(vault, item, "notes", chosen).await.unwrap();
        again.sync().await.unwrap();
        second.sync().await.unwrap();
        first = again;
    }
}

#[tokio::test]
async fn an_edit_that_meets_nothing_tells_nothing() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = diverge(&mut first, &mut second).await;
    assert_told_once(&mut first, item).await;
    first.set(item, "username", "somebody else").await.unwrap();
    assert_eq!(of(&first.sync().await.unwrap(), item), []);
}

#[tokio::test]
async fn a_conflict_that_was_settled_before_it_could_be_told_is_not_told() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = diverge(&mut first, &mut second).await;
    fail_to_send(&mut first).await;
    let vault = first.vault().await.unwrap();
    first.client.resolve(vault, item, "notes", Value::from("first")).await.unwrap();
    let report = first.sync().await.unwrap();
    assert_eq!((of(&report, item).contains(&Notice::Conflict), report.conflicts), (false, 0));
}

#[tokio::test]
async fn a_conflict_that_was_told_is_not_told_again_when_a_purge_is_dropped() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = diverge(&mut first, &mut second).await;
    assert_told_once(&mut first, item).await;
    second.sync().await.unwrap();
    let vault = first.vault().await.unwrap();
    first.client.trash(vault, item).await.unwrap();
    first.client.purge(vault, item).await.unwrap();
    second.set(item, "username", "somebody else").await.unwrap();
    second.sync().await.unwrap();
    assert_eq!(of(&first.sync().await.unwrap(), item), [Notice::PurgeDropped]);
}

#[tokio::test]
async fn a_first_sync_that_is_cut_off_tells_what_its_pages_brought() {
    let (server, mut first, papers) = one_device().await;
    first.sync().await.unwrap();
    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    second.sync().await.unwrap();
    let item = diverge(&mut first, &mut second).await;
    assert_in_step(&mut first, &mut second).await;
    let mut steps = 0;
    loop {
        let mut third = TestDevice::sign_in(&server, &papers).await.unwrap();
        third.switch.arm(steps, End::Kill);
        let switch = third.switch.clone();
        let ended = switch.survive(third.sync_unseen()).await;
        if switch.passed() <= steps {
            assert_eq!(of(&ended.unwrap().unwrap(), item), [Notice::Conflict]);
            break;
        }
        let mut again = third.restarted(third.store.snapshot()).await.unwrap();
        assert_told_once(&mut again, item).await;
        steps += 1;
    }
    assert!(steps > 3, "{steps} steps");
}
