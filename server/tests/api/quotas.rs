//! What one account, and all together, may store, and what is taken whatever they hold.

use std::num::NonZeroU32;

use lockstep_domain::limits::{RequestRates, StorageLevel};
use lockstep_domain::services::{HistoryRule, Retention};
use lockstep_domain::store::AccountLimits;
use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::heal::AccountHealed;
use lockstep_proto::api::info::Info;
use lockstep_proto::api::items::ItemPage;
use lockstep_proto::api::signup::SignupDone;
use lockstep_proto::api::vaults::Committed;
use lockstep_proto::blob::ItemState;
use lockstep_proto::ids::ItemId;
use lockstep_proto::log::VaultHead;
use lockstep_server::Front;

use crate::crowd::given_back;
use crate::support::{Account, Answer, Backend, Vault, World, item};

type Items<'a> = &'a [(ItemId, ItemState, Vec<u8>)];

/// A server whose accounts hold this much.
async fn world(backend: Backend, bytes: u64, vaults: u64) -> World {
    let rates = RequestRates::UNLIMITED;
    World::behind(backend, Front { account: AccountLimits { bytes, vaults }, rates, ..Front::default() })
        .await
}

/// An account with a vault.
struct Owner {
    account: Account,
    token: String,
    vault: Vault,
}

impl Owner {
    async fn new(world: &World) -> Self {
        let mut account = Account::sign_up(world).await;
        let token = account.token(world).await;
        let vault = Vault::create(world, &mut account, &token).await;
        Self { account, token, vault }
    }

    /// Sends a commit; the vault goes on where it is taken.
    async fn send(&mut self, world: &World, items: Items<'_>) -> Answer {
        let (after, request) = self.vault.write(&self.account, items);
        let answer = world.post(&self.vault.path("commits"), &self.token, &request).await;
        if answer.status.is_success() {
            self.vault = after;
        }
        answer
    }

    async fn held(&self, world: &World) -> u64 {
        let usage = world.store.usage(self.account.id).await.unwrap().unwrap();
        usage.log_bytes + usage.vault_bytes
    }

    async fn another_vault(&self, world: &World) -> Answer {
        world.post("/v1/vaults", &self.token, &Vault::genesis(&self.account).1).await
    }
}

fn purge(items: Items<'_>) -> Vec<(ItemId, ItemState, Vec<u8>)> {
    items.iter().map(|(item_id, ..)| (*item_id, ItemState::Tombstone, vec![1; 400])).collect()
}

#[actix_web::test]
async fn a50_an_account_over_its_quota_purges_reads_and_goes_on_when_old_versions_go() {
    for backend in Backend::ALL {
        let world = world(backend, 100_000, 64).await;
        let mut owner = Owner::new(&world).await;
        let first = [item(40_000), item(30_000)];
        let other = Vault::create(&world, &mut owner.account, &owner.token).await;
        owner.send(&world, &first).await.ok::<Committed>();
        let before = owner.held(&world).await;
        let refused = owner.send(&world, &[item(40_000)]).await;
        let problem = refused.problem();
        assert_eq!((problem.code, problem.status), (ErrorCode::QuotaExceeded, 507));
        assert_eq!(problem.room.unwrap().bytes, 100_000 - before);
        assert!(
            problem.detail.contains("KiB of its 97.7 KiB here, old versions included"),
            "{}",
            problem.detail
        );
        assert!(problem.detail.chars().count() <= 200, "a device shows no more");
        assert_eq!(owner.held(&world).await, before, "nothing was stored");
        // What is there is read, and what still fits is taken.
        let page: ItemPage = world.get(&owner.vault.path("items"), &owner.token).await.ok();
        assert_eq!(page.items.len(), 2);
        let fits = [item(usize::try_from(100_000 - before).unwrap() - 2_000)];
        owner.send(&world, &fits).await.ok::<Committed>();
        // An item that is written anew adds to what is held, one that is purged does, too; only this is taken.
        let (id, _, bytes) = first[0].clone();
        let edit = owner.send(&world, &[(id, ItemState::Live, bytes)]).await;
        assert_eq!(edit.code(), ErrorCode::QuotaExceeded);
        let mixed = [purge(&first[..1]), vec![item(5_000)]].concat();
        assert_eq!(owner.send(&world, &mixed).await.code(), ErrorCode::QuotaExceeded);
        while owner.send(&world, &[item(10)]).await.status.is_success() {}
        let other = VaultHead { vault_id: other.id, head: other.head };
        let (_, announcing) = owner.vault.write_and_observe(&owner.account, &purge(&first), vec![other]);
        let refused = world.post(&owner.vault.path("commits"), &owner.token, &announcing).await;
        assert_eq!(refused.code(), ErrorCode::QuotaExceeded, "a purge that says more than that");
        owner.send(&world, &purge(&first)).await.ok::<Committed>();
        assert!(owner.held(&world).await > 99_000);
        assert_eq!(owner.send(&world, &[item(10_000)]).await.code(), ErrorCode::QuotaExceeded);
        // Its room is back when its versions go.
        world.clock.advance_seconds(31 * 24 * 3_600);
        let rule = HistoryRule::new(365, 50, 30).unwrap();
        let gone = Retention::new(world.store.clone(), world.clock.clone(), rule).walk().await.unwrap();
        assert_eq!(gone.versions, 2);
        owner.token = owner.account.token(&world).await;
        owner.send(&world, &[item(40_000)]).await.ok::<Committed>();
        let counted = world.app.limit_counts().find(|(name, _)| *name == "account-bytes").unwrap();
        assert!(counted.1 >= 4, "{counted:?}");
    }
}

#[actix_web::test]
async fn a50_all_vaults_of_an_account_have_one_quota_and_nobody_elses() {
    for backend in Backend::ALL {
        let world = world(backend, 100_000, 3).await;
        let (mut owner, mut other) = (Owner::new(&world).await, Owner::new(&world).await);
        let vaults = owner.account.vaults.clone();
        let mut second =
            Owner { account: owner.account, token: owner.token.clone(), vault: owner.vault.clone() };
        second.vault = Vault::create(&world, &mut second.account, &second.token).await;
        owner.account = Account::sign_up(&world).await;
        drop(vaults);
        second.send(&world, &[item(80_000)]).await.ok::<Committed>();
        // One more may be made, and an account that is full makes none; the one that was made answers the same again.
        let (_, genesis) = Vault::genesis(&second.account);
        world.post("/v1/vaults", &second.token, &genesis).await.ok::<Committed>();
        let refused = second.another_vault(&world).await;
        assert_eq!((refused.code(), refused.status.as_u16()), (ErrorCode::TooManyVaults, 507));
        assert!(refused.problem().detail.contains("lockstep-server quota"));
        while second.send(&world, &[item(1_000)]).await.status.is_success() {}
        world.post("/v1/vaults", &second.token, &genesis).await.ok::<Committed>();
        assert_eq!(second.send(&world, &[item(1_000)]).await.code(), ErrorCode::QuotaExceeded);
        assert!(second.held(&world).await <= 100_000);
        other.send(&world, &[item(80_000)]).await.ok::<Committed>();
    }
}

#[actix_web::test]
async fn a50_a_crowd_makes_a_days_accounts_and_an_invitation_is_not_counted() {
    let each = |count| NonZeroU32::new(count);
    let rates = RequestRates { sign_ups_per_address: each(2), sign_ups: each(3), ..RequestRates::UNLIMITED };
    let world = World::limited(Backend::Memory, rates).await;
    world.move_to([192, 0, 2, 1]);
    for _ in 0..2 {
        Account::sign_up(&world).await;
    }
    let refused = async || {
        let prepared = Account::prepare(&world, None).await.unwrap_or_else(|_| panic!());
        world.post("/v1/signup/finish", "", &prepared.signup).await
    };
    let answer = refused().await;
    assert_eq!((answer.code(), answer.retry_after), (ErrorCode::TooManyAttempts, Some(43_200)));
    assert!(answer.problem().detail.contains("accounts were made from this address today"));
    world.move_to([192, 0, 2, 2]);
    let made = Account::sign_up(&world).await;
    world.move_to([192, 0, 2, 3]);
    let answer = refused().await;
    assert!(answer.problem().detail.contains("on this server today") && answer.retry_after.is_some());
    // An account that nobody has lost is a new one by whatever route it comes.
    let by_catch_up = Account::prepare(&world, None).await.ok().unwrap();
    let answer = world.post("/v1/heal/account", "", &given_back(&by_catch_up.signup)).await;
    assert_eq!(answer.code(), ErrorCode::TooManyAttempts);
    assert!(answer.problem().detail.contains("on this server today"), "{}", answer.problem().detail);
    // Whom the operator has invited is not one of the crowd; an invitation that is worth nothing makes nobody that.
    let invite = world.app.make_invite().await.unwrap();
    let invited = Account::prepare(&world, Some(invite.clone())).await.ok().unwrap();
    world.post("/v1/signup/finish", "", &invited.signup).await.ok::<SignupDone>();
    world.post("/v1/signup/finish", "", &invited.signup).await.ok::<SignupDone>();
    for used_up in [invite, "nonsense".to_owned()] {
        let crowd = Account::prepare(&world, Some(used_up)).await.ok().unwrap();
        let answer = world.post("/v1/signup/finish", "", &crowd.signup).await;
        assert_eq!(answer.code(), ErrorCode::TooManyAttempts);
    }
    // What is sent again is no new account.
    world.post("/v1/signup/finish", "", &made.signup).await.ok::<SignupDone>();
    world.clock.advance_seconds(24 * 3_600);
    world.post("/v1/heal/account", "", &given_back(&by_catch_up.signup)).await.ok::<AccountHealed>();
}

#[actix_web::test]
async fn a50_when_storage_runs_out_new_accounts_stop_first_then_new_data_and_nothing_else() {
    for backend in Backend::ALL {
        let world = world(backend, 1 << 30, 64).await;
        let mut owner = Owner::new(&world).await;
        let first = [item(100)];
        owner.send(&world, &first).await.ok::<Committed>();
        let prepared = Account::prepare(&world, None).await.unwrap_or_else(|_| panic!());

        world.app.set_storage_level(StorageLevel::NoAccounts);
        let newcomer = Account::prepare(&world, None).await.err().unwrap();
        assert_eq!((newcomer.code(), newcomer.status.as_u16()), (ErrorCode::InsufficientStorage, 507));
        let answer = world.post("/v1/signup/finish", "", &prepared.signup).await;
        assert_eq!(answer.code(), ErrorCode::InsufficientStorage);
        world.post("/v1/signup/finish", "", &owner.account.signup).await.ok::<SignupDone>();
        owner.send(&world, &[item(100)]).await.ok::<Committed>();

        world.app.set_storage_level(StorageLevel::NoData);
        let refused = owner.send(&world, &[item(100)]).await;
        assert_eq!(refused.code(), ErrorCode::InsufficientStorage);
        assert!(refused.problem().detail.contains("Nothing was stored"));
        assert_eq!(owner.another_vault(&world).await.code(), ErrorCode::InsufficientStorage);
        owner.send(&world, &purge(&first)).await.ok::<Committed>();
        owner.token = owner.account.token(&world).await;
        let page: ItemPage = world.get(&owner.vault.path("items"), &owner.token).await.ok();
        assert_eq!(page.items.len(), 2);
        assert!(world.get("/readyz", "").await.status.is_success(), "what is there is served");

        world.app.set_storage_level(StorageLevel::Open);
        owner.send(&world, &[item(100)]).await.ok::<Committed>();
        world.post("/v1/signup/finish", "", &prepared.signup).await.ok::<SignupDone>();
    }
}

#[actix_web::test]
async fn the_limits_of_accounts_are_told() {
    let world = world(Backend::Memory, 5_000, 7).await;
    let info: Info = world.get("/v1/info", "").await.ok();
    assert_eq!((info.limits.account_bytes, info.limits.vaults), (5_000, 7));
}
