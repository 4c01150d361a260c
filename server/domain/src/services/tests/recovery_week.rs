//! The week before an announced Recovery Key takes the place of the one before.

use lockstep_proto::api::RECOVERY_WAIT_SECONDS;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::log::{LinkBody, RecoveryChange, Signer};
use lockstep_proto::wrap::slot_hash;

use super::fixture::*;
use crate::services::LinksError;

const WEEK_MS: u64 = RECOVERY_WAIT_SECONDS as u64 * 1_000;

fn announce(name: &str) -> LinkBody {
    LinkBody::RecoveryAnnounce(Box::new(recovery_keys(name)))
}

fn change(name: &str) -> (LinkBody, Bytes) {
    let slot = slot(&format!("{name} slot"));
    let body = RecoveryChange { recovery: recovery_keys(name), slot: slot_hash(&slot) };
    (LinkBody::RecoveryChange(Box::new(body)), slot)
}

/// What a device's change answers: done, or how many seconds it is too early.
async fn changed(world: &World, account: &TestAccount, name: &str) -> Result<(), u32> {
    let (body, slot) = change(name);
    let link = account.link(Signer::Device(device_id("phone")), "phone", body).to_body();
    match append(world, account.caller("phone"), vec![link], vec![slot]).await {
        Ok(_) => Ok(()),
        Err(LinksError::TooEarly { seconds }) => Err(seconds),
        Err(other) => panic!("{other:?}"),
    }
}

async fn announced(world: &World, name: &str) -> TestAccount {
    let mut account = TestAccount::sign_up(world, "ann", "phone").await;
    let link = account.sign("phone", announce(name));
    append(world, account.caller("phone"), vec![link], Vec::new()).await.unwrap();
    account
}

#[tokio::test]
async fn an_announced_key_waits_to_the_last_millisecond_and_every_part_of_a_second_counts_as_one() {
    let week = RECOVERY_WAIT_SECONDS;
    for (passed_ms, expected) in [
        (0, Err(week)),
        (1, Err(week)),
        (999, Err(week)),
        (1_000, Err(week - 1)),
        (WEEK_MS - 1_000, Err(1)),
        (WEEK_MS - 1, Err(1)),
        (WEEK_MS, Ok(())),
        (u64::MAX - NOON_MS, Ok(())),
    ] {
        let world = World::new();
        let account = announced(&world, "new").await;
        world.clock.set_ms(NOON_MS + passed_ms);
        assert_eq!(changed(&world, &account, "new").await, expected, "{passed_ms}");
    }
}

/// The server's clock holds the week, by when it was given the announcement: one that was set back makes it longer,
/// never shorter, and no number overflows.
#[tokio::test]
async fn a_clock_that_was_set_back_makes_the_week_longer() {
    let world = World::new();
    let account = announced(&world, "new").await;
    for (now_ms, seconds) in [(NOON_MS - 60_000, RECOVERY_WAIT_SECONDS + 60), (0, u32::MAX)] {
        world.clock.set_ms(now_ms);
        let left = changed(&world, &account, "new").await;
        assert_eq!(left, Err(seconds.min(((NOON_MS + WEEK_MS - now_ms) / 1_000) as u32)));
    }
}

#[tokio::test]
async fn a_later_announcement_begins_a_week_of_its_own() {
    let world = World::new();
    let mut account = announced(&world, "first").await;
    world.clock.set_ms(NOON_MS + WEEK_MS - 5_000);
    let link = account.sign("phone", announce("second"));
    append(&world, account.caller("phone"), vec![link], Vec::new()).await.unwrap();
    world.clock.set_ms(NOON_MS + WEEK_MS);
    assert_eq!(changed(&world, &account, "second").await, Err(RECOVERY_WAIT_SECONDS - 5));
    world.clock.set_ms(NOON_MS + 2 * WEEK_MS - 5_000);
    assert_eq!(changed(&world, &account, "second").await, Ok(()));
}

/// An announcement and its change in one request wait a whole week, also where an older announcement has waited
/// already.
#[tokio::test]
async fn nobody_skips_the_week_by_sending_both_links_at_once() {
    for waited in [false, true] {
        let world = World::new();
        let mut account = match waited {
            true => announced(&world, "old").await,
            false => TestAccount::sign_up(&world, "ann", "phone").await,
        };
        world.clock.set_ms(NOON_MS + 3 * WEEK_MS);
        let before = account.state.head();
        let first = account.sign("phone", announce("new"));
        let (body, slot) = change("new");
        let second = account.sign("phone", body);
        let both = append(&world, account.caller("phone"), vec![first, second], vec![slot]).await;
        assert!(
            matches!(both, Err(LinksError::TooEarly { seconds: RECOVERY_WAIT_SECONDS })),
            "{waited}: {both:?}"
        );
        let log = world.services.account.log(account.caller("phone"), None).await.unwrap();
        assert_eq!(log.head, before, "nothing of it was stored");
    }
}

#[tokio::test]
async fn the_present_key_changes_itself_without_waiting() {
    let world = World::new();
    let mut account = TestAccount::sign_up(&world, "ann", "phone").await;
    let (body, slot) = change("new");
    let link = account.link(Signer::Recovery, "ann recovery", body);
    let link = account.follow(link);
    append(&world, account.caller("phone"), vec![link], vec![slot]).await.unwrap();
}
