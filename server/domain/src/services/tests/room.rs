//! Quotas: what is taken at the edge, and what is taken beyond it.

use super::fixture::*;
use super::vault::*;
use crate::limits::{Limit, StorageLevel};
use crate::services::CommitRefusal;
use crate::store::AccountLimits;

/// Text whose blob is large beside everything else of a commit.
fn large() -> String {
    "0123456789".repeat(1_000)
}

async fn scene(limits: AccountLimits) -> (World, TestAccount, TestVault) {
    let world = World::limited(limits);
    let mut account = TestAccount::sign_up(&world, "ann", "phone").await;
    let vault = account.add_vault(&world, "phone", "home").await;
    (world, account, vault)
}

async fn fill(world: &World, account: &TestAccount, vault: &mut TestVault) -> Vec<String> {
    let text = large();
    let mut items = Vec::new();
    loop {
        let item = format!("item {}", items.len());
        match vault.write(world, account, "phone", &[(&item, Make::Write(&text))]).await {
            Ok(_) => items.push(item),
            Err(CommitRefusal::Quota { .. }) => return items,
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_account_that_is_full_purges_and_does_nothing_else_under_that_name() {
    let (world, account, mut vault) = scene(AccountLimits { bytes: 1 << 20, vaults: 8 }).await;
    let items = fill(&world, &account, &mut vault).await;
    assert!(items.len() > 5, "{} items", items.len());
    let room = world.services.vaults.account_room(account.caller("phone")).await.unwrap();
    assert!(room.used_bytes <= room.limit_bytes && room.limit_bytes == 1 << 20, "{room:?}");
    let (one, two) = (items[0].as_str(), items[1].as_str());
    let text = large();
    // Something comes to life, something is written beside the purge, something that was never there is purged.
    for refused in [
        &[(one, Make::Purge), ("new", Make::Write(&text))][..],
        &[(one, Make::Purge), (two, Make::Write(&text))],
        &[(one, Make::Write(&text))],
    ] {
        let refused = vault.write(&world, &account, "phone", refused).await;
        assert!(matches!(refused, Err(CommitRefusal::Quota { .. })), "{refused:?}");
    }
    vault.write(&world, &account, "phone", &[(one, Make::Purge), (two, Make::Purge)]).await.unwrap();
    let after = world.services.vaults.account_room(account.caller("phone")).await.unwrap();
    assert!(after.used_bytes > room.used_bytes, "what is taken beyond the quota is counted");
}

/// Asking in vain looks at every vault of the account, so it is limited; what is granted costs nothing, however often.
#[tokio::test]
async fn only_asking_in_vain_is_counted() {
    let (world, account, mut vault) = scene(AccountLimits { bytes: 64 << 20, vaults: 8 }).await;
    for number in 0..200 {
        let item = format!("item {number}");
        vault.write(&world, &account, "phone", &[(&item, Make::Write("small"))]).await.unwrap();
    }
    let (world, account, mut vault) = scene(AccountLimits { bytes: 1 << 20, vaults: 8 }).await;
    fill(&world, &account, &mut vault).await;
    let text = large();
    let mut asked = 1;
    let refused = loop {
        match vault.write(&world, &account, "phone", &[("more", Make::Write(&text))]).await {
            Err(CommitRefusal::Quota { .. }) => asked += 1,
            Err(CommitRefusal::TooMany(refused)) => break refused,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((asked, refused.limit, refused.retry_after_seconds), (60, Limit::AccountRoom, 1));
    world.clock.set_ms(NOON_MS + 1_000);
    let again = vault.write(&world, &account, "phone", &[("more", Make::Write(&text))]).await;
    assert!(matches!(again, Err(CommitRefusal::Quota { .. })));
}

#[tokio::test]
async fn an_account_makes_as_many_vaults_as_it_may_and_the_last_one_again() {
    let (world, account, _) = scene(AccountLimits { bytes: 64 << 20, vaults: 2 }).await;
    let caller = account.caller("phone");
    let second = TestVault::new(&account, "phone", "second");
    second.create(&world, caller).await.unwrap();
    let third = TestVault::new(&account, "phone", "third");
    assert!(matches!(third.create(&world, caller).await, Err(CommitRefusal::TooManyVaults)));
    second.create(&world, caller).await.unwrap();
}

/// Storage as a whole runs out: nothing new is taken, whatever the account's quota; what is sent again is answered, and
/// purges go on.
#[tokio::test]
async fn a_server_that_is_full_takes_purges_and_tells_what_is_there() {
    let (world, account, mut vault) = scene(AccountLimits::default()).await;
    vault.write(&world, &account, "phone", &[("one", Make::Write("text"))]).await.unwrap();
    let again = vault.clone();
    world.services.storage.set(StorageLevel::NoData);
    let refused = vault.write(&world, &account, "phone", &[("two", Make::Write("text"))]).await;
    assert!(matches!(refused, Err(CommitRefusal::StorageUsedUp(_))), "{refused:?}");
    let fresh = TestVault::new(&account, "phone", "second").create(&world, account.caller("phone")).await;
    assert!(matches!(fresh, Err(CommitRefusal::StorageUsedUp(_))), "{fresh:?}");
    again.create(&world, account.caller("phone")).await.unwrap();
    vault.write(&world, &account, "phone", &[("one", Make::Purge)]).await.unwrap();
}
