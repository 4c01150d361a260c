//! Removing devices: barred first, then revoked.

use lockstep_domain::ServerSecrets;
use lockstep_domain::services::SignupRule;
use std::rc::Rc;

use lockstep_proto::api::account::{AppendLinks, Appended, LogPage};
use lockstep_proto::api::heal::{HealAccount, HealProgress};
use lockstep_proto::api::items::BlobsRequest;
use lockstep_proto::api::vaults::{Committed, PostCommit, StoredCommit};
use lockstep_proto::api::{BAR_SECONDS, ErrorCode};
use lockstep_proto::ids::DeviceId;
use lockstep_proto::log::LogHead;
use lockstep_server::SystemRandom;

use crate::heal::{copy, finish, give_blobs, heal_account, stage};
use crate::support::{Account, Answer, Backend, Device, Place, Vault, World, item, open};

const LINKS: &str = "/v1/account/links";

/// An account with a vault, its own device, and another one that has written last.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) account: Account,
    pub(crate) token: String,
    pub(crate) vault: Vault,
    pub(crate) other: Device,
    pub(crate) other_token: String,
}

impl Scene {
    pub(crate) async fn new(backend: Backend) -> Self {
        Self::on(World::start(backend).await).await
    }

    async fn on(world: World) -> Self {
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &token).await;
        let other = account.add_device(&world, &token).await;
        let own = account.change_device(other);
        let other_token = account.token(&world).await;
        vault.push(&world, &account, &other_token, &[item(50)]).await;
        let other = account.change_device(own);
        Self { world, account, token, vault, other, other_token }
    }

    /// A commit that the other device has ready.
    fn of_other(&mut self) -> (Vault, PostCommit) {
        self.other = self.account.change_device(std::mem::replace(&mut self.other, Device::new()));
        let written = self.vault.write(&self.account, &[item(40)]);
        self.other = self.account.change_device(std::mem::replace(&mut self.other, Device::new()));
        written
    }

    /// A commit of the other device.
    pub(crate) async fn other_writes(&mut self) -> Answer {
        let (after, request) = self.of_other();
        let answer = self.world.post(&self.vault.path("commits"), &self.other_token, &request).await;
        if answer.status.is_success() {
            self.vault = after;
        }
        answer
    }

    async fn bar(&self) -> u64 {
        self.account.must_bar(&self.world, &self.token, &[self.other.id()]).await
    }

    /// A rekey that revokes the other device, with the vault's head as the account has it.
    async fn rekey(&mut self) -> AppendLinks {
        self.account.rekey(&self.world, &self.token, b"new", &[self.other.id()]).await
    }

    /// Sends a rekey; a refused one leaves the account as it was.
    async fn revoke(&mut self) -> Answer {
        let before = self.account.head;
        let stored = self.log().await;
        let request = self.rekey().await;
        let answer = self.world.post(LINKS, &self.token, &request).await;
        if !answer.status.is_success() {
            self.account.head = before;
            assert_eq!(self.log().await, stored);
        }
        answer
    }

    async fn log(&self) -> (LogHead, Option<lockstep_domain::store::StoredRecord>) {
        let log: LogPage = self.world.get("/v1/account/log", &self.token).await.ok();
        (log.head, self.world.store.record(self.account.id).await.unwrap())
    }
}

#[actix_web::test]
async fn a_revoked_device_is_barred_first_and_gets_nothing_further() {
    for backend in Backend::ALL {
        let mut scene = Scene::new(backend).await;
        let until_ms = scene.bar().await;
        assert_eq!(until_ms, 1_800_000_000_000 + u64::from(BAR_SECONDS) * 1_000);
        assert_eq!(scene.other_writes().await.code(), ErrorCode::DeviceBarred);
        assert!(scene.world.get("/v1/account/log", &scene.other_token).await.status.is_success());

        // The device wrote after the head that this link would name.
        assert_eq!(scene.revoke().await.code(), ErrorCode::NotBarred);
        scene.account.pin(&scene.vault);
        let request = scene.rekey().await;
        for _ in 0..2 {
            let appended: Appended = scene.world.post(LINKS, &scene.token, &request).await.ok();
            assert_eq!(appended.head, scene.account.head);
        }
        for path in ["/v1/account/log", "/v1/account/slots", &scene.vault.path("items")] {
            assert_eq!(scene.world.get(path, &scene.other_token).await.code(), ErrorCode::DeviceRevoked);
        }
        let refused = scene.account.open_session(&scene.world, &scene.other).await;
        assert_eq!(refused.code(), ErrorCode::DeviceRevoked);
        assert_eq!(scene.other_writes().await.code(), ErrorCode::DeviceRevoked);
        scene.account.sign_in(&scene.world, b"new").await.ok().unwrap();
        assert!(scene.account.sign_in(&scene.world, &scene.account.password).await.is_err());
        scene.vault.push(&scene.world, &scene.account, &scene.token, &[item(50)]).await;
    }
}

/// A body may take minutes: its session is judged when it is here.
#[actix_web::test]
async fn a47_a_request_that_was_begun_before_a_removal_is_refused_when_it_is_complete() {
    for backend in Backend::ALL {
        let mut scene = Scene::new(backend).await;
        let (blobs, log) = (scene.vault.path("blobs"), scene.log().await);
        let request = BlobsRequest { want: Vec::new() };
        let token = scene.other_token.clone();
        let unhurried = scene.world.post_slowly(&blobs, &token, &request, std::future::ready(())).await;
        assert!(unhurried.status.is_success(), "{}", unhurried.problem().detail);
        scene.bar().await;
        scene.account.pin(&scene.vault);
        let rekey = scene.rekey().await;
        let world = Rc::new(scene.world);
        let (other, own) = (world.clone(), scene.token.clone());
        let removal = async move {
            other.post(LINKS, &own, &rekey).await.ok::<Appended>();
        };
        let late = world.post_slowly(&blobs, &token, &request, removal).await;
        assert_eq!(late.code(), ErrorCode::DeviceRevoked);
        let now: LogPage = world.get("/v1/account/log", &scene.token).await.ok();
        assert!(now.head.seq > log.0.seq);
    }
}

#[actix_web::test]
async fn who_is_barred_changes_nothing_of_the_account() {
    for backend in Backend::ALL {
        let mut scene = Scene::new(backend).await;
        scene.bar().await;
        let (head, record) = scene.log().await;
        let own = scene.account.change_device(std::mem::replace(&mut scene.other, Device::new()));
        let own_id = own.id();
        let links = scene.account.new_password(&scene.world, &scene.other_token, b"thief").await;
        scene.account.head = head;
        let (_, create) = Vault::genesis(&scene.account);
        let bar = scene.account.bar(&scene.world, &scene.other_token, &[own_id]).await;
        assert_eq!(bar.code(), ErrorCode::DeviceBarred);
        for answer in [
            scene.world.post(LINKS, &scene.other_token, &links).await,
            scene.world.post("/v1/vaults", &scene.other_token, &create).await,
        ] {
            assert_eq!(answer.code(), ErrorCode::DeviceBarred);
        }
        assert_eq!(scene.log().await, (head, record));
    }
}

#[actix_web::test]
async fn a_bar_ends_by_itself_and_a_link_wants_a_minute_of_it() {
    for backend in Backend::ALL {
        let mut scene = Scene::new(backend).await;
        scene.account.pin(&scene.vault);
        assert_eq!(scene.revoke().await.code(), ErrorCode::NotBarred, "there was no bar");
        scene.bar().await;
        scene.world.clock.advance_seconds(u64::from(BAR_SECONDS) - 59);
        scene.token = scene.account.token(&scene.world).await;
        assert_eq!(scene.revoke().await.code(), ErrorCode::NotBarred, "59 seconds are left");
        scene.world.clock.advance_seconds(59);
        scene.other = scene.account.change_device(std::mem::replace(&mut scene.other, Device::new()));
        scene.other_token = scene.account.token(&scene.world).await;
        scene.other = scene.account.change_device(std::mem::replace(&mut scene.other, Device::new()));
        scene.other_writes().await.ok::<Committed>();
        scene.account.pin(&scene.vault);
        let first = scene.bar().await;
        scene.world.clock.advance_seconds(30);
        assert_eq!(scene.bar().await, first + 30_000, "barring again extends");
        scene.world.clock.advance_seconds(u64::from(BAR_SECONDS) - 60);
        scene.token = scene.account.token(&scene.world).await;
        scene.revoke().await.ok::<Appended>();
    }
}

#[actix_web::test]
async fn a_vault_made_after_the_bar_is_to_be_barred_too() {
    for backend in Backend::ALL {
        let mut scene = Scene::new(backend).await;
        scene.account.pin(&scene.vault);
        scene.bar().await;
        let token = scene.token.clone();
        Vault::create(&scene.world, &mut scene.account, &token).await;
        assert_eq!(scene.revoke().await.code(), ErrorCode::NotBarred);
        scene.bar().await;
        scene.revoke().await.ok::<Appended>();
    }
}

#[actix_web::test]
async fn a_vault_that_was_linked_and_never_made_stands_in_no_ones_way() {
    for backend in Backend::ALL {
        let mut scene = Scene::new(backend).await;
        let token = scene.token.clone();
        let (ghost, _) = Vault::genesis(&scene.account);
        let (head, vaults) = (scene.account.head, scene.account.vaults.clone());
        let early = scene.account.vault_link(ghost.id, ghost.head);
        (scene.account.head, scene.account.vaults) = (head, vaults);
        let refused = scene.world.post(LINKS, &token, &early).await;
        assert_eq!(refused.code(), ErrorCode::NoVault, "in the usual way a vault is made first");
        scene.account.link_ghost(&scene.world, ghost.id, ghost.head).await;
        scene.account.pin(&scene.vault);
        scene.bar().await;
        scene.revoke().await.ok::<Appended>();
    }
}

#[actix_web::test]
async fn a_head_that_the_chain_does_not_have_is_no_cut_off() {
    for backend in Backend::ALL {
        let mut scene = Scene::new(backend).await;
        scene.bar().await;
        let mut ahead = scene.vault.clone();
        ahead.head.seq = ahead.head.seq.next();
        scene.account.pin(&ahead);
        assert_eq!(scene.revoke().await.code(), ErrorCode::NotBarred);
        ahead.head = LogHead { hash: lockstep_proto::ids::Hash([7; 32]), ..scene.vault.head };
        scene.account.pin(&ahead);
        assert_eq!(scene.revoke().await.code(), ErrorCode::NotBarred);
    }
}

#[actix_web::test]
async fn a_device_is_revoked_again_under_the_same_rules() {
    for backend in Backend::ALL {
        let mut scene = Scene::new(backend).await;
        scene.account.pin(&scene.vault);
        scene.bar().await;
        scene.revoke().await.ok::<Appended>();
        scene.vault.push(&scene.world, &scene.account, &scene.token, &[item(50)]).await;
        scene.account.pin(&scene.vault);
        scene.world.clock.advance_seconds(u64::from(BAR_SECONDS));
        scene.token = scene.account.token(&scene.world).await;
        assert_eq!(scene.revoke().await.code(), ErrorCode::NotBarred);
        scene.bar().await;
        scene.revoke().await.ok::<Appended>();
    }
}

#[actix_web::test]
async fn only_other_devices_of_the_account_are_barred_and_not_by_everybody() {
    for backend in Backend::ALL {
        let scene = Scene::new(backend).await;
        let (world, account, token) = (&scene.world, &scene.account, &scene.token);
        let stranger = Account::sign_up(world).await;
        let other = scene.other.id();
        let bad: [&[DeviceId]; 4] =
            [&[], &[account.device.id()], &[stranger.device.id()], &[other, DeviceId([0; 16])]];
        for devices in bad {
            assert_eq!(account.bar(world, token, devices).await.code(), ErrorCode::BadRequest);
        }
        let twice = account.bars(world.server_id, vec![other, other]);
        let answer = world.post("/v1/account/bar", token, &twice).await;
        assert_eq!(answer.code(), ErrorCode::BadRequest);
        let enrolment = account.sign_in(world, &account.password).await.ok().unwrap().enrolment_token;
        assert_eq!(account.bar(world, &enrolment, &[other]).await.code(), ErrorCode::Forbidden);
        let foreign = stranger.token(world).await;
        assert_eq!(account.bar(world, &foreign, &[other]).await.code(), ErrorCode::BadRequest);
        let mut scene = scene;
        scene.other_writes().await.ok::<Committed>();
    }
}

#[actix_web::test]
async fn bars_survive_a_server_that_is_killed_and_end_in_time() {
    for backend in Backend::DURABLE {
        let place = Place::new();
        let secrets = ServerSecrets::make(&SystemRandom);
        let world = World::on(open(backend, &place), &secrets, SignupRule::Open, place.clone()).await;
        let mut scene = Scene::on(world).await;
        scene.bar().await;
        let now_ms = lockstep_domain::Clock::now_ms(&*scene.world.clock);
        drop(std::mem::replace(&mut scene.world, World::start(Backend::Memory).await));
        scene.world = World::on(open(backend, &place), &secrets, SignupRule::Open, place.clone()).await;
        scene.world.clock.set_ms(now_ms);
        assert_eq!(scene.other_writes().await.code(), ErrorCode::DeviceBarred);
        scene.world.clock.advance_seconds(u64::from(BAR_SECONDS));
        scene.other = scene.account.change_device(std::mem::replace(&mut scene.other, Device::new()));
        scene.other_token = scene.account.token(&scene.world).await;
        scene.other = scene.account.change_device(std::mem::replace(&mut scene.other, Device::new()));
        scene.other_writes().await.ok::<Committed>();
    }
}

/// A removal that comes back by catch-up, where nobody barred first, and a commit that the device has ready.
async fn given_back(backend: Backend) -> (Scene, HealAccount, Vault, PostCommit) {
    let mut scene = Scene::new(backend).await;
    scene.account.pin(&scene.vault);
    let (after, commit) = scene.of_other();
    let AppendLinks { links, slots, record } = scene.rekey().await;
    (scene, HealAccount { links, slots, record }, after, commit)
}

#[actix_web::test]
async fn a46_a_removal_that_is_given_back_and_a_commit_of_the_device_exclude_each_other() {
    for backend in Backend::ALL {
        let (mut scene, removal, after, commit) = given_back(backend).await;
        let before = scene.log().await;
        let commits = scene.vault.path("commits");
        let healing = heal_account(&scene.world, &removal);
        let writing = scene.world.post(&commits, &scene.other_token, &commit);
        let (healed, written) = futures_util::future::join(healing, writing).await;
        let (healed, written) = (healed.status.is_success(), written.status.is_success());
        assert_ne!(healed, written, "of both exactly one");
        let now = scene.log().await;
        assert_eq!(now != before, healed);
        scene.account.head = now.0;
        // Whatever it was, those who are left go on.
        let mut vault = if written { after } else { scene.vault };
        vault.push(&scene.world, &scene.account, &scene.token, &[item(50)]).await;
    }
}

/// Held where the link is appended: the devices are barred by then.
/// Whoever sends a removal wrongly has barred nobody: it is given back by the next one at once.
#[actix_web::test]
async fn a46_a_removal_that_is_refused_leaves_no_bar() {
    for backend in Backend::ALL {
        let (mut scene, removal, _, _) = given_back(backend).await;
        let mut slots = removal.clone();
        slots.slots[0].0[0] ^= 1;
        let mut record = removal.clone();
        record.record.as_mut().unwrap().0[0] ^= 1;
        for wrong in [slots, record] {
            assert_eq!(heal_account(&scene.world, &wrong).await.code(), ErrorCode::HeadMoved);
        }
        heal_account(&scene.world, &removal).await.ok::<lockstep_proto::api::heal::AccountHealed>();
        scene.vault.push(&scene.world, &scene.account, &scene.token, &[item(50)]).await;
    }
}

#[actix_web::test]
async fn a46_a_commit_that_comes_while_a_removal_is_given_back_is_refused() {
    let (scene, removal, _, commit) = given_back(Backend::Postgres).await;
    let Scene { world, account, token, mut vault, other_token, .. } = scene;
    let world = Rc::new(world);
    let held = world.folder.database().hold("select from account for update").await;
    let healing = world.clone();
    let healed = actix_web::rt::spawn(async move { heal_account(&healing, &removal).await });
    held.until_waiting(1).await;
    let refused = world.post(&vault.path("commits"), &other_token, &commit).await;
    assert_eq!(refused.code(), ErrorCode::DeviceBarred);
    held.release().await;
    healed.await.unwrap().ok::<lockstep_proto::api::heal::AccountHealed>();
    vault.push(&world, &account, &token, &[item(50)]).await;
}

/// Held where the commit is written: the bar waits for it, and then sees it.
#[actix_web::test]
async fn a46_a_removal_that_is_given_back_while_the_device_commits_is_refused() {
    let (scene, removal, mut after, commit) = given_back(Backend::Postgres).await;
    let before = scene.log().await;
    let Scene { world, mut account, token, vault, other_token, .. } = scene;
    let world = Rc::new(world);
    let held = world.folder.database().hold("select from vault for update").await;
    let (writing, healing, commits) = (world.clone(), world.clone(), vault.path("commits"));
    let written = actix_web::rt::spawn(async move { writing.post(&commits, &other_token, &commit).await });
    held.until_waiting(1).await;
    let healed = actix_web::rt::spawn(async move { heal_account(&healing, &removal).await });
    held.until_waiting(2).await;
    held.release().await;
    written.await.unwrap().ok::<Committed>();
    assert_eq!(healed.await.unwrap().code(), ErrorCode::HeadMoved);
    let log: LogPage = world.get("/v1/account/log", &token).await.ok();
    assert_eq!(log.head, before.0);
    account.head = log.head;
    after.push(&world, &account, &token, &[item(50)]).await;
}

/// What is staged was verified when it came; a device may have been removed since.
#[actix_web::test]
async fn a46_what_a_device_staged_before_its_removal_does_not_become_the_vault_after_it() {
    for backend in Backend::ALL {
        let secrets = ServerSecrets::make(&SystemRandom);
        let place = Place::new();
        let full = World::on(open(Backend::Memory, &place), &secrets, SignupRule::Open, place).await;
        let mut scene = Scene::on(full).await;
        let counted = scene.vault.clone();
        scene.other_writes().await.ok::<Committed>();
        let record = scene.account.signup.record.clone();
        let kept = copy(&scene.world, &scene.token, &scene.vault, &record).await;
        // The server loses the vault; its account comes back, and the device brings the vault with all that it wrote.
        let place = Place::new();
        scene.world = World::on(open(backend, &place), &secrets, SignupRule::Open, place).await;
        heal_account(&scene.world, &kept.account).await.ok::<lockstep_proto::api::heal::AccountHealed>();
        let ended = scene.vault.clone();
        stage(&scene.world, &scene.other_token, &ended, &kept.commits).await.ok::<HealProgress>();
        give_blobs(&scene.world, &scene.other_token, &ended, &kept).await;
        // It is removed by a link that says that its last commits do not count.
        scene.account.pin(&counted);
        scene.bar().await;
        scene.revoke().await.ok::<Appended>();
        scene.world.clock.advance_seconds(u64::from(BAR_SECONDS));
        scene.token = scene.account.token(&scene.world).await;
        assert!(!finish(&scene.world, &scene.token, &ended).await.status.is_success());
        assert!(scene.world.store.checkpoint(ended.id).await.unwrap().is_none());
        // What counts comes back by whoever is left.
        let delete = actix_web::test::TestRequest::delete().uri(&ended.path("heal"));
        scene.world.send(delete.insert_header(("authorization", format!("Bearer {}", scene.token)))).await;
        let commits: Vec<StoredCommit> = kept.commits[..=counted.head.seq.0 as usize].to_vec();
        stage(&scene.world, &scene.token, &counted, &commits).await.ok::<HealProgress>();
        give_blobs(&scene.world, &scene.token, &counted, &kept).await;
        finish(&scene.world, &scene.token, &counted).await.ok::<Committed>();
    }
}
