//! Bars and cut-offs to the millisecond.

use lockstep_proto::api::BAR_SECONDS;
use lockstep_proto::api::account::BarDevices;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::Hash;
use lockstep_proto::log::{LinkBody, LogHead};

use super::fixture::*;
use super::vault::*;
use crate::caller::{Caller, Session};
use crate::services::bars::MARGIN_MS;
use crate::services::{BarError, CommitRefusal, LinksError};

const BAR_MS: u64 = BAR_SECONDS as u64 * 1_000;

/// An account with two devices and a vault in which both have written.
struct Scene {
    world: World,
    account: TestAccount,
    vault: TestVault,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new();
        let mut account = TestAccount::sign_up(&world, "ann", "phone").await;
        account.pair(&world, "phone", "laptop").await;
        let mut vault = account.add_vault(&world, "phone", "home").await;
        for (by, item) in [("phone", "one"), ("laptop", "two")] {
            vault.write(&world, &account, by, &[(item, Make::Write("text"))]).await.unwrap();
        }
        account.heads.insert(vault.id(), vault.state.head());
        Self { world, account, vault }
    }

    async fn bar(&self, request: &BarDevices) -> Result<u64, BarError> {
        let caller = self.account.caller("phone");
        self.world.services.bars.bar(caller, request).await.map(|barred| barred.until_ms)
    }

    async fn bar_laptop(&self) -> u64 {
        self.bar(&self.account.bar(&self.world, "phone", &["laptop"])).await.unwrap()
    }

    /// The link that removes the laptop.
    fn removal(&self) -> (Bytes, Vec<Bytes>) {
        let (rekey, slots) = self.account.rekey(&["laptop"]);
        let mut after = self.account.clone();
        (after.sign("phone", LinkBody::Rekey(Box::new(rekey))), slots)
    }

    async fn remove(&self) -> Result<(), LinksError> {
        let (link, slots) = self.removal();
        append(&self.world, self.account.caller("phone"), vec![link], slots).await.map(drop)
    }
}

#[tokio::test]
async fn a_link_counts_on_a_bar_for_as_long_as_a_minute_of_it_is_left() {
    for (left_ms, taken) in [(BAR_MS, true), (MARGIN_MS, true), (MARGIN_MS - 1, false), (0, false)] {
        let scene = Scene::new().await;
        let until_ms = scene.bar_laptop().await;
        assert_eq!(until_ms, NOON_MS + BAR_MS);
        scene.world.clock.set_ms(until_ms - left_ms);
        match (scene.remove().await, taken) {
            (Ok(()), true) | (Err(LinksError::NotBarred), false) => {}
            other => panic!("{left_ms}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_barred_device_writes_again_in_the_millisecond_in_which_its_bar_ends() {
    for (left_ms, barred) in [(1, true), (0, false)] {
        let mut scene = Scene::new().await;
        let until_ms = scene.bar_laptop().await;
        scene.world.clock.set_ms(until_ms - left_ms);
        let Scene { world, account, vault } = &mut scene;
        match (vault.write(world, account, "laptop", &[("three", Make::Write("text"))]).await, barred) {
            (Err(CommitRefusal::Barred), true) | (Ok(_), false) => {}
            other => panic!("{left_ms}: {other:?}"),
        }
    }
}

/// The cut-off that a link names is where the device has stopped: one below its last commit would take a commit away
/// that others have seen, one that the chain does not have says nothing.
#[tokio::test]
async fn a_cut_off_is_a_commit_of_the_chain_and_none_of_the_device_lies_above_it() {
    let scene = Scene::new().await;
    scene.bar_laptop().await;
    let (vault_id, head) = (scene.vault.id(), scene.vault.state.head());
    let of = |head: LogHead| {
        let mut account = scene.account.clone();
        account.heads.insert(vault_id, head);
        Scene { world: scene.world.node(), account, vault: scene.vault.clone() }
    };
    let elsewhere = LogHead { hash: Hash([1; 32]), ..head };
    let beyond = LogHead { seq: head.seq.next(), ..head };
    let stored = scene
        .world
        .services
        .reading
        .commits(scene.account.caller("phone"), vault_id, Default::default())
        .await;
    let before = stored.unwrap().commits.iter().rev().nth(1).map(|stored| stored.commit.clone()).unwrap();
    let before = lockstep_proto::sign::Signed::<lockstep_proto::log::Commit>::from_wire(&before).unwrap();
    let below = before.value().head(before.hash());
    for wrong in [elsewhere, beyond, below] {
        assert!(matches!(of(wrong).remove().await, Err(LinksError::NotBarred)), "{wrong:?}");
    }
    of(head).remove().await.unwrap();
}

/// What was in somebody's hands before the removal is worth nothing after it: the link is refused, or the commit.
#[tokio::test]
async fn of_a_commit_and_a_removal_in_either_order_one_is_refused() {
    let mut scene = Scene::new().await;
    let Scene { world, account, vault } = &mut scene;
    vault.write(world, account, "laptop", &[("late", Make::Write("text"))]).await.unwrap();
    scene.bar_laptop().await;
    // The removal was signed before the laptop's last commit was seen.
    assert!(matches!(scene.remove().await, Err(LinksError::NotBarred)));
    scene.account.heads.insert(scene.vault.id(), scene.vault.state.head());
    let (_, late) = scene.vault.content(&scene.account.state, "laptop", &[("later", Make::Write("text"))]);
    scene.remove().await.unwrap();
    // Long after the bar ended, by an account state that is new.
    scene.world.clock.set_ms(NOON_MS + 10 * BAR_MS);
    let caller = scene.account.caller("laptop");
    let refused = scene.world.services.vaults.commit(caller, scene.vault.id(), late).await;
    assert!(matches!(refused, Err(CommitRefusal::Verifier(_))), "{refused:?}");
}

#[tokio::test]
async fn only_other_devices_of_the_account_are_barred_each_once_and_in_order() {
    let scene = Scene::new().await;
    let request = |devices: &[&str]| scene.account.bar(&scene.world, "phone", devices);
    let (good, mut doubled) = (request(&["laptop"]), request(&["laptop"]));
    doubled.devices.push(doubled.devices[0]);
    for wrong in
        [request(&[]), request(&["phone"]), request(&["laptop", "phone"]), request(&["bob"]), doubled]
    {
        assert!(matches!(scene.bar(&wrong).await, Err(BarError::Devices)), "{wrong:?}");
    }
    for unsigned in [
        BarDevices { signature: None, ..good.clone() },
        BarDevices { signature: Some(lockstep_proto::sign::Signature([0; 64])), ..good.clone() },
        // Signed for another device's request.
        scene.account.bar(&scene.world, "laptop", &["laptop"]),
    ] {
        assert!(matches!(scene.bar(&unsigned).await, Err(BarError::Unsigned)), "{unsigned:?}");
    }
    for stale in [None, Some(LogHead::default())] {
        let moved = scene.bar(&BarDevices { head: stale, ..good.clone() }).await;
        assert!(matches!(moved, Err(BarError::HeadMoved(head)) if head == scene.account.state.head()));
    }
    scene.bar(&good).await.unwrap();
}

/// Whoever has stolen one device cannot keep its owner from removing it: it is barred, and bars nobody.
#[tokio::test]
async fn who_is_barred_bars_nobody_and_sessions_without_a_device_bar_by_their_kind() {
    let scene = Scene::new().await;
    let bars = &scene.world.services.bars;
    scene.bar_laptop().await;
    let back = scene.account.bar(&scene.world, "laptop", &["phone"]);
    let barred = bars.bar(scene.account.caller("laptop"), &back).await;
    assert!(matches!(barred, Err(BarError::Barred)));
    let request = BarDevices { devices: vec![device_id("phone")], head: None, signature: None };
    let by = async |session| {
        let caller = Caller { account_id: scene.account.id(), session };
        bars.bar(caller, &request).await
    };
    let token = Hash([1; 32]);
    assert!(matches!(by(Session::Enrolment { token, added: None }).await, Err(BarError::Forbidden)));
    let added = Some(device_id("laptop"));
    assert!(matches!(by(Session::Enrolment { token, added }).await, Err(BarError::Forbidden)));
    assert!(matches!(by(Session::Recovery { token, spent: true }).await, Err(BarError::Forbidden)));
    by(Session::Recovery { token, spent: false }).await.unwrap();
}
