//! Restored branches, joins, and a server that makes use of them (A37).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use lockstep_client::account::KeyChange;
use lockstep_client::client::QuarantineReason;
use lockstep_client::ports::Request;
use lockstep_proto::api::sides::SidesPage;
use lockstep_tests::{TestDevice, TestServer, asks_commits, assert_in_step, three_devices_on};

use super::{changed, numbered, shown};

const NEW_PASSWORD: &str = "a new and better passphrase";

/// Asks for what heals joined.
fn asks_sides(request: &Request) -> bool {
    request.path.contains("/sides")
}

/// A stolen device was removed; the server goes back to before that, and lets it write.
#[tokio::test]
async fn a37_what_a_removed_device_wrote_on_a_restored_branch_is_written_over() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut thief], _) = Box::pin(three_devices_on(server)).await;
    let bank = first.add("Bank").await.unwrap();
    let mail = first.add("Mail").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    thief.sync().await.unwrap();
    let mut old = server.copy().unwrap();
    let gone = BTreeSet::from([thief.client.device_id()]);
    first.change_keys(&KeyChange::Lost(gone), NEW_PASSWORD).await.unwrap();
    first.set(mail, "password", "after the removal").await.unwrap();
    first.sync().await.unwrap();

    old.say_restored().unwrap();
    for device in [&first, &second, &thief] {
        device.net.server().switch_to(&old).unwrap();
    }
    thief.set(bank, "password", "of the thief").await.unwrap();
    thief.set(mail, "password", "of the thief").await.unwrap();
    let trap = thief.add("Trap").await.unwrap();
    thief.sync().await.unwrap();
    // Nobody has told the second device of the removal: it is a commit like any other to it.
    second.sync().await.unwrap();
    second.add("Of the second").await.unwrap();
    second.sync().await.unwrap();
    assert_eq!(second.field(bank, "password").await.unwrap(), "of the thief");
    // What the second device has of the thief's is not the thief's last word.
    thief.sync().await.unwrap();
    thief.set(bank, "password", "of the thief again").await.unwrap();
    thief.sync().await.unwrap();

    // The removal comes back with the first device, and nothing of what the thief wrote is taken.
    let before = shown(&first).await;
    let error = first.sync().await.unwrap_err();
    assert!(matches!(error.rule(), Some("R-HEAL" | "R-AUTHOR")), "{error}");
    assert_eq!(shown(&first).await, before);
    assert!(thief.sync().await.is_err());
    first.accept_histories_with(NEW_PASSWORD).await.unwrap();
    for device in [&mut second, &mut first] {
        device.sync().await.unwrap();
        assert_eq!(device.field(bank, "password").await.unwrap(), "first", "never merged");
        assert_eq!(device.field(mail, "password").await.unwrap(), "after the removal");
        assert!(device.document(trap).await.is_err(), "what it added is not shown");
        let marks = device.client.quarantined();
        let trapped: Vec<_> = marks.iter().map(|mark| (mark.item_id, mark.reason)).collect();
        assert_eq!(trapped, [(trap, QuarantineReason::Removed)]);
    }
    assert_eq!(second.everything().await.unwrap(), first.everything().await.unwrap());
    assert!(thief.sync().await.is_err());
}

/// The device that joins does not know of the removal: whoever learns of it later judges what was joined.
#[tokio::test]
async fn a37_a_removal_that_is_learned_after_the_join_counts_as_well() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut thief], papers) = Box::pin(three_devices_on(server)).await;
    let bank = first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    thief.sync().await.unwrap();
    let mut old = server.copy().unwrap();
    first.set(bank, "password", "acknowledged").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    // The removal is cut off after its link: no control commit follows.
    first.net.fail(lockstep_tests::is_commit, lockstep_tests::Fault::Unreachable, usize::MAX);
    let gone = BTreeSet::from([thief.client.device_id()]);
    assert!(first.change_keys(&KeyChange::Retired(gone), lockstep_tests::PASSWORD).await.is_err());
    first.net.mend();
    old.say_restored().unwrap();
    for device in [&first, &second, &thief] {
        device.net.server().switch_to(&old).unwrap();
    }
    thief.set(bank, "password", "of the thief").await.unwrap();
    let trap = thief.add("Trap").await.unwrap();
    thief.sync().await.unwrap();
    assert!(second.sync().await.is_err());
    second.accept_histories().await.unwrap();
    assert!(second.document(trap).await.is_ok(), "as far as it knows that is a device like any other");

    first.sync().await.unwrap();
    second.sync().await.unwrap();
    let mut new = Box::pin(TestDevice::sign_in(&old, &papers)).await.unwrap();
    for _ in 0..2 {
        new.sync().await.unwrap();
    }
    for device in [&first, &second, &new] {
        assert!(device.document(trap).await.is_err());
        let marks = device.client.quarantined();
        assert!(marks.iter().any(|mark| (mark.item_id, mark.reason) == (trap, QuarantineReason::Removed)));
    }
    assert!(thief.sync().await.is_err());
}

/// Three devices of which the second and the server were on another branch than the first, which has joined it; the third is
/// still on the first one's.
async fn joined() -> (TestServer, TestDevice, TestDevice, TestDevice) {
    let server = TestServer::start_in_memory().unwrap();
    let (server, [mut first, mut second, mut third], _) = Box::pin(three_devices_on(server)).await;
    let old = server.copy().unwrap();
    first.add("Of one branch").await.unwrap();
    first.sync().await.unwrap();
    third.sync().await.unwrap();
    for device in [&first, &second, &third] {
        device.net.server().switch_to(&old).unwrap();
    }
    second.add("Of the other").await.unwrap();
    second.sync().await.unwrap();
    assert!(first.sync().await.is_err());
    first.accept_histories().await.unwrap();
    (old, first, second, third)
}

/// Whatever is changed in what a device is given to follow a heal: it is refused, or the truth.
#[tokio::test]
async fn a37_a_heal_is_followed_only_with_both_branches_as_they_were_signed() {
    let (server, first, second, third) = joined().await;
    let truth = first.everything().await.unwrap();
    let mut changes = 0;
    for which in [asks_sides as fn(&Request) -> bool, asks_commits] {
        for (behind, name) in [(&third, "of the joined branch"), (&second, "of the other branch")] {
            let mut number = 0;
            loop {
                let mut device = behind.copy(&server).await.unwrap();
                let before = shown(&device).await;
                let hit = Arc::new(Mutex::new(None));
                device.net.server().answer(numbered(which, number, hit.clone()));
                let synced = device.sync().await;
                let Some(what) = hit.lock().unwrap().clone() else { break };
                match synced {
                    Ok(_) => assert_eq!(shown(&device).await, truth, "{name}: {what}"),
                    Err(_) => assert_eq!(shown(&device).await, before, "{name}: {what}"),
                }
                device.net.server().be_honest();
                device.sync().await.unwrap_or_else(|error| panic!("{name}: {what}: {error}"));
                assert_eq!(shown(&device).await, truth, "{name}: {what}");
                number += 1;
            }
            changes += number;
        }
    }
    assert!(changes > 50, "{changes} changes");
}

/// A branch that the server keeps to itself is not given up.
#[tokio::test]
async fn a37_a_device_whose_branch_the_server_hides_stays_where_it_is() {
    let (_server, _, _, mut third) = joined().await;
    let before = shown(&third).await;
    third.net.server().answer(changed(asks_sides, |page: &mut SidesPage| page.commits.clear()));
    let error = third.sync().await.unwrap_err();
    assert_eq!(error.rule(), Some("R-HEAL"), "{error}");
    assert_eq!(shown(&third).await, before);
    third.net.server().be_honest();
    third.sync().await.unwrap();
}
