//! Catch-up: a server whose database is older than what its devices have.

use std::rc::Rc;

use lockstep_domain::ServerSecrets;
use lockstep_domain::services::{Admissions, FirstAccount, Restored, SignupRule};
use lockstep_proto::api::account::{Appended, LogPage, Slots};
use lockstep_proto::api::heal::*;
use lockstep_proto::api::items::ItemPage;
use lockstep_proto::api::vaults::{CommitPage, Committed, StoredCommit};
use lockstep_proto::api::{ErrorCode, HEAL_ACCOUNT_LIMIT};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::Seq;
use lockstep_server::SystemRandom;

use crate::support::{Account, Answer, Backend, Device, Place, Vault, World, item, open, random};

const LINKS: &str = "/v1/account/links";

/// What a device keeps, as the server with everything would serve it.
pub(crate) struct Copy {
    pub(crate) account: HealAccount,
    pub(crate) commits: Vec<StoredCommit>,
    items: Vec<(lockstep_proto::ids::Hash, Bytes)>,
}

pub(crate) async fn copy(world: &World, token: &str, vault: &Vault, record: &Bytes) -> Copy {
    let log: LogPage = world.get("/v1/account/log", token).await.ok();
    let slots: Slots = world.get("/v1/account/slots", token).await.ok();
    let slots = slots.slots.into_iter().map(|slot| slot.bytes).collect();
    let commits: CommitPage = world.get(&vault.path("commits"), token).await.ok();
    let items: ItemPage = world.get(&vault.path("items"), token).await.ok();
    Copy {
        account: HealAccount { links: log.links, slots, record: Some(record.clone()) },
        commits: commits.commits,
        items: items.items.into_iter().map(|item| (item.blob_hash, item.blob)).collect(),
    }
}

pub(crate) async fn heal_account(world: &World, request: &HealAccount) -> Answer {
    world.post("/v1/heal/account", "", request).await
}

pub(crate) async fn stage(world: &World, token: &str, vault: &Vault, commits: &[StoredCommit]) -> Answer {
    world.post(&vault.path("heal/commits"), token, &HealCommits { commits: commits.to_vec() }).await
}

/// Gives back whatever blobs are wanted.
pub(crate) async fn give_blobs(world: &World, token: &str, vault: &Vault, copy: &Copy) -> HealProgress {
    let progress: HealProgress = world.get(&vault.path("heal"), token).await.ok();
    let find = |wanted: &WantedBlob| {
        let found = copy.items.iter().find(|(hash, _)| *hash == wanted.blob_hash);
        found.map(|(_, blob)| blob.clone()).unwrap()
    };
    let blobs = progress.wanted.iter().map(find).collect();
    world.post(&vault.path("heal/blobs"), token, &HealBlobs { blobs }).await.ok()
}

pub(crate) async fn finish(world: &World, token: &str, vault: &Vault) -> Answer {
    world.post(&vault.path("heal/finish"), token, &FinishHeal { head: vault.head }).await
}

/// A server that remembers everything, and the secrets that it shares with the one that was restored.
pub(crate) struct Scene {
    pub(crate) full: World,
    secrets: ServerSecrets,
    pub(crate) account: Account,
    pub(crate) token: String,
    pub(crate) vault: Vault,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let (folder, secrets) = (Place::new(), ServerSecrets::make(&SystemRandom));
        let full = World::on(open(Backend::Memory, &folder), &secrets, SignupRule::Open, folder).await;
        let mut account = Account::sign_up(&full).await;
        let token = account.token(&full).await;
        let mut vault = Vault::create(&full, &mut account, &token).await;
        vault.push(&full, &account, &token, &[item(300), item(200)]).await;
        Self { full, secrets, account, token, vault }
    }

    /// The restored server, from what is in this place.
    pub(crate) async fn restored(&self, backend: Backend, folder: &Rc<Place>) -> World {
        let admissions = Admissions { restored: Restored::Yes, ..Admissions::unguarded(SignupRule::Closed) };
        World::admitting(open(backend, folder), &self.secrets, admissions, folder.clone()).await
    }

    pub(crate) async fn copy(&self) -> Copy {
        copy(&self.full, &self.token, &self.vault, &self.account.signup.record).await
    }
}

/// The page, without what the vault has of its account's quota at this moment.
fn without_room(answer: &Answer) -> ciborium::Value {
    let mut page: ciborium::Value = answer.ok();
    if let ciborium::Value::Map(entries) = &mut page {
        entries.retain(|(key, _)| key.as_text() != Some("room"));
    }
    page
}

pub(crate) async fn assert_same(scene: &Scene, other: &World, token: &str) {
    for path in ["commits", "items", "control", "sides"].map(|what| scene.vault.path(what)) {
        let (one, two) = (scene.full.get(&path, &scene.token).await, other.get(&path, token).await);
        assert!(one.status.is_success() && without_room(&one) == without_room(&two), "{path}");
    }
    let path = "/v1/account/log";
    assert_eq!(scene.full.get(path, &scene.token).await.bytes, other.get(path, token).await.bytes);
}

#[actix_web::test]
async fn everything_comes_back_to_a_server_that_lost_everything() {
    for backend in Backend::ALL {
        let mut scene = Scene::new().await;
        let world = scene.restored(backend, &Place::new()).await;
        let copy = scene.copy().await;
        let refused = scene.account.open_session(&world, &scene.account.device).await;
        assert_eq!(refused.code(), ErrorCode::ChallengeFailed);
        for _ in 0..2 {
            heal_account(&world, &copy.account).await.ok::<AccountHealed>();
        }
        let token = scene.account.token(&world).await;
        scene.account.sign_in(&world, &scene.account.password).await.ok().unwrap();
        assert_eq!(finish(&world, &token, &scene.vault).await.code(), ErrorCode::HeadMoved);
        let progress: HealProgress = stage(&world, &token, &scene.vault, &copy.commits).await.ok();
        assert_eq!((progress.head, progress.staged), (None, Some(scene.vault.head)));
        assert_eq!(progress.wanted.len(), 2);
        let again: HealProgress = stage(&world, &token, &scene.vault, &copy.commits).await.ok();
        assert_eq!(again, progress);
        assert_eq!(finish(&world, &token, &scene.vault).await.code(), ErrorCode::HealIncomplete);
        assert_eq!(world.get(&scene.vault.path("items"), &token).await.code(), ErrorCode::NoVault);
        assert!(give_blobs(&world, &token, &scene.vault, &copy).await.wanted.is_empty());
        for _ in 0..2 {
            let committed: Committed = finish(&world, &token, &scene.vault).await.ok();
            assert_eq!(committed.head, scene.vault.head);
        }
        assert_same(&scene, &world, &token).await;
        scene.vault.push(&world, &scene.account, &token, &[item(80)]).await;
    }
}

#[actix_web::test]
async fn a_restored_server_catches_up_step_by_step_though_it_dies_between_them() {
    for backend in Backend::DURABLE {
        let mut scene = Scene::new().await;
        let place = Place::new();
        let older = scene.copy().await;
        let world = scene.restored(backend, &place).await;
        heal_account(&world, &older.account).await.ok::<AccountHealed>();
        let token = scene.account.token(&world).await;
        stage(&world, &token, &scene.vault, &older.commits).await.ok::<HealProgress>();
        give_blobs(&world, &token, &scene.vault, &older).await;
        finish(&world, &token, &scene.vault).await.ok::<Committed>();

        // What this backup does not know: a device, edits of it, that it was removed, and edits after that.
        let (full, token) = (&scene.full, scene.token.clone());
        scene.vault.push_control(full, &scene.account, &token).await;
        let lost = scene.account.add_device(full, &token).await;
        let lost_id = lost.id();
        let own = scene.account.change_device(lost);
        let lost_token = scene.account.token(full).await;
        scene.vault.push(full, &scene.account, &lost_token, &[item(40)]).await;
        let lost = scene.account.change_device(own);
        scene.account.must_bar(full, &token, &[lost_id]).await;
        scene.account.pin(&scene.vault);
        let rekey = scene.account.rekey(full, &token, b"new", &[lost_id]).await;
        full.post(LINKS, &token, &rekey).await.ok::<Appended>();
        scene.vault.push(full, &scene.account, &token, &[item(60)]).await;
        let newer = copy(full, &token, &scene.vault, rekey.record.as_ref().unwrap()).await;
        drop(world);

        let restart = async || scene.restored(backend, &place).await;
        let world = restart().await;
        heal_account(&world, &newer.account).await.ok::<AccountHealed>();
        drop(world);
        let world = restart().await;
        let refused = scene.account.open_session(&world, &lost).await;
        assert_eq!(refused.code(), ErrorCode::DeviceRevoked, "no bar was needed");
        scene.account.sign_in(&world, b"new").await.ok().unwrap();
        let token = scene.account.token(&world).await;
        let old: HealProgress = world.get(&scene.vault.path("heal"), &token).await.ok();
        assert_eq!((old.head.unwrap().seq, old.staged), (Seq(1), None));
        let (first, rest) = newer.commits.split_at(3);
        let progress: HealProgress = stage(&world, &token, &scene.vault, first).await.ok();
        assert_eq!(progress.staged.unwrap().seq, Seq(2));
        drop(world);
        let world = restart().await;
        let progress: HealProgress = stage(&world, &token, &scene.vault, rest).await.ok();
        assert_eq!((progress.staged, progress.wanted.len()), (Some(scene.vault.head), 2));
        drop(world);
        let world = restart().await;
        give_blobs(&world, &token, &scene.vault, &newer).await;
        drop(world);
        let world = restart().await;
        let page: ItemPage = world.get(&scene.vault.path("items"), &token).await.ok();
        assert_eq!((page.head.seq, page.items.len()), (Seq(1), 2), "what is staged is not shown");
        finish(&world, &token, &scene.vault).await.ok::<Committed>();
        drop(world);
        let world = restart().await;
        finish(&world, &token, &scene.vault).await.ok::<Committed>();
        assert_same(&scene, &world, &token).await;
    }
}

#[actix_web::test]
async fn links_that_do_not_continue_the_log_change_nothing_and_are_told_nothing() {
    for backend in Backend::ALL {
        let mut scene = Scene::new().await;
        let copy = scene.copy().await;
        let world = scene.restored(backend, &Place::new()).await;
        heal_account(&world, &copy.account).await.ok::<AccountHealed>();
        let token = scene.account.token(&world).await;
        let before = world.state(&scene.account, &scene.vault).await;
        let with = |change: &dyn Fn(&mut HealAccount)| {
            let mut request = copy.account.clone();
            change(&mut request);
            request
        };
        let head = scene.account.head;
        let fork = scene.account.add_by_kit(&Device::new()).links[0].clone();
        let gap = scene.account.add_by_kit(&Device::new()).links[0].clone();
        scene.account.head = head;
        let stranger = Account::sign_up(&World::start(Backend::Memory).await).await;
        let foreign = vec![stranger.signup.genesis.clone(), stranger.signup.auth_update.clone()];
        let mut forged = fork.clone();
        *forged.0.last_mut().unwrap() ^= 1;
        for (name, request) in [
            ("a gap", with(&|request| request.links = vec![gap.clone()])),
            ("a forged signature", with(&|request| request.links = vec![forged.clone()])),
            ("another server's account", with(&|request| request.links = foreign.clone())),
            ("a genesis alone", with(&|request| request.links = foreign[..1].to_vec())),
            ("a slot that is not named", with(&|request| request.slots.push(Bytes(vec![1])))),
            ("an empty slot", with(&|request| request.slots.push(Bytes(Vec::new())))),
            ("another record", with(&|request| request.record = Some(Bytes(vec![1; 192])))),
        ] {
            let problem = heal_account(&world, &request).await.problem();
            assert_eq!((problem.code, problem.head), (ErrorCode::HeadMoved, None), "{name}");
        }
        let none = with(&|request| request.links.clear());
        assert_eq!(heal_account(&world, &none).await.code(), ErrorCode::BadRequest);
        let garbage = with(&|request| request.links = vec![Bytes(vec![1; 50])]);
        assert_eq!(heal_account(&world, &garbage).await.code(), ErrorCode::BadFormat);
        let large = with(&|request| request.links = vec![Bytes(vec![1; HEAL_ACCOUNT_LIMIT])]);
        assert_eq!(heal_account(&world, &large).await.code(), ErrorCode::TooLarge);
        assert!(world.state(&scene.account, &scene.vault).await == before);

        // A link of the log's other future is a fork once the log has gone on.
        heal_account(&world, &with(&|request| request.links = vec![fork.clone()]))
            .await
            .ok::<AccountHealed>();
        let other = scene.account.add_by_kit(&Device::new()).links[0].clone();
        let refused = heal_account(&world, &with(&|request| request.links = vec![other.clone()])).await;
        assert_eq!(refused.code(), ErrorCode::HeadMoved);
        assert!(world.get("/v1/account/log", &token).await.status.is_success());
    }
}

#[actix_web::test]
async fn an_account_that_is_not_there_comes_back_where_it_may() {
    for backend in Backend::ALL {
        let scene = Scene::new().await;
        let copy = scene.copy().await;
        for (rule, restored, comes_back) in [
            (SignupRule::Closed, Restored::No, false),
            (SignupRule::Invite, Restored::No, false),
            (SignupRule::Open, Restored::No, true),
            (SignupRule::Closed, Restored::Yes, true),
        ] {
            let folder = Place::new();
            let store = open(backend, &folder);
            let admissions = Admissions { restored, ..Admissions::unguarded(rule) };
            let world = World::admitting(store, &scene.secrets, admissions, folder).await;
            Account::sign_up(&world).await;
            let answer = heal_account(&world, &copy.account).await;
            assert_eq!(answer.status.is_success(), comes_back, "{rule:?} {restored:?}");
            let stored = world.store.link_page(scene.account.id, None).await.unwrap();
            assert_eq!(stored.is_some(), comes_back);
        }
        // An empty server takes its first account from anybody.
        let folder = Place::new();
        let (store, rule) = (open(backend, &folder), SignupRule::Closed);
        let world = World::on(store, &scene.secrets, rule, folder).await;
        heal_account(&world, &copy.account).await.ok::<AccountHealed>();
        // But for one that asks for its set-up token: an account that is given back has none.
        let first = FirstAccount::SetupToken;
        for (rule, restored, comes_back) in [
            (SignupRule::Closed, Restored::No, false),
            (SignupRule::Invite, Restored::No, false),
            (SignupRule::Open, Restored::No, true),
            (SignupRule::Invite, Restored::Yes, true),
        ] {
            let folder = Place::new();
            let (store, admissions) = (open(backend, &folder), Admissions { first, rule, restored });
            let world = World::admitting(store, &scene.secrets, admissions, folder).await;
            let answer = heal_account(&world, &copy.account).await;
            assert_eq!(answer.status.is_success(), comes_back, "{rule:?} {restored:?}");
            assert_eq!(world.store.is_empty().await.unwrap(), !comes_back);
        }
    }
}

#[actix_web::test]
async fn a_log_comes_in_parts_and_its_slots_and_record_may_come_later() {
    let mut scene = Scene::new().await;
    for _ in 0..3 {
        scene.account.add_device(&scene.full, &scene.token.clone()).await;
    }
    let copy = scene.copy().await;
    let world = scene.restored(Backend::Sqlite, &Place::new()).await;
    let (first, rest) = copy.account.links.split_at(3);
    let part = |links: &[Bytes]| HealAccount { links: links.to_vec(), slots: Vec::new(), record: None };
    heal_account(&world, &part(first)).await.ok::<AccountHealed>();
    assert!(scene.account.sign_in(&world, &scene.account.password).await.is_err());
    heal_account(&world, &part(rest)).await.ok::<AccountHealed>();
    let token = scene.account.token(&world).await;
    assert!(world.get("/v1/account/slots", &token).await.ok::<Slots>().slots.is_empty());
    let last = HealAccount { links: rest[rest.len() - 1..].to_vec(), ..copy.account.clone() };
    heal_account(&world, &last).await.ok::<AccountHealed>();
    assert_eq!(world.get("/v1/account/slots", &token).await.ok::<Slots>().slots.len(), 5);
    scene.account.sign_in(&world, &scene.account.password).await.ok().unwrap();
}

#[actix_web::test]
async fn giving_back_is_limited_per_address() {
    let scene = Scene::new().await;
    let world = scene.restored(Backend::Memory, &Place::new()).await;
    let copy = scene.copy().await;
    for _ in 0..60 {
        heal_account(&world, &copy.account).await.ok::<AccountHealed>();
    }
    let refused = heal_account(&world, &copy.account).await.problem();
    assert_eq!((refused.code, refused.retry_after_seconds), (ErrorCode::TooManyAttempts, Some(5)));
    world.move_to([192, 0, 2, 1]);
    heal_account(&world, &copy.account).await.ok::<AccountHealed>();
}

#[actix_web::test]
async fn links_that_an_accounts_devices_give_back_one_by_one_are_limited_and_strangers_use_up_none() {
    let world = World::start(Backend::Memory).await;
    let mut account = Account::sign_up(&world).await;
    let give = async |links: Vec<Bytes>| {
        heal_account(&world, &HealAccount { links, slots: Vec::new(), record: None }).await
    };
    for round in 0..21 {
        let head = account.head;
        let links = account.add_by_kit(&Device::new()).links;
        let mut spoiled = links.clone();
        spoiled[0].0[9] ^= 1;
        world.move_to([192, 0, 2, 1]);
        assert!(!give(spoiled).await.status.is_success());
        world.move_to([192, 0, 2, 2]);
        let answer = give(links).await;
        if round < 20 {
            answer.ok::<AccountHealed>();
        } else {
            assert_eq!((answer.code(), answer.retry_after), (ErrorCode::TooManyAttempts, Some(30)));
            account.head = head;
        }
    }
    world.clock.advance_seconds(30);
    give(account.add_by_kit(&Device::new()).links).await.ok::<AccountHealed>();
}

#[actix_web::test]
async fn only_vaults_of_the_accounts_log_are_healed_and_only_by_members() {
    for backend in Backend::ALL {
        let mut scene = Scene::new().await;
        let world = scene.restored(backend, &Place::new()).await;
        let copy = scene.copy().await;
        heal_account(&world, &copy.account).await.ok::<AccountHealed>();
        let token = scene.account.token(&world).await;
        stage(&world, &token, &scene.vault, &copy.commits).await.ok::<HealProgress>();
        give_blobs(&world, &token, &scene.vault, &copy).await;
        finish(&world, &token, &scene.vault).await.ok::<Committed>();

        let mut stranger = Account::sign_up(&scene.full).await;
        let links = vec![stranger.signup.genesis.clone(), stranger.signup.auth_update.clone()];
        let (slots, record) = (stranger.signup.slots.clone(), Some(stranger.signup.record.clone()));
        heal_account(&world, &HealAccount { links, slots, record }).await.ok::<AccountHealed>();
        let strangers = stranger.token(&world).await;
        let answers = async || {
            let progress = world.get(&scene.vault.path("heal"), &strangers).await;
            let staged = stage(&world, &strangers, &scene.vault, &copy.commits).await;
            [progress, staged, finish(&world, &strangers, &scene.vault).await]
        };
        for answer in answers().await {
            assert_eq!(answer.code(), ErrorCode::NoVault);
        }
        // Linking it does not help: nobody becomes a member by saying so.
        stranger.link_ghost(&world, scene.vault.id, scene.vault.head).await;
        for answer in answers().await {
            assert_eq!((answer.code(), answer.problem().head), (ErrorCode::NoVault, None));
        }
        let missing = Vault::genesis(&scene.account).0;
        assert_eq!(stage(&world, &token, &missing, &copy.commits).await.code(), ErrorCode::NoVault);
        scene.vault.push(&world, &scene.account, &token, &[item(30)]).await;
    }
}

#[actix_web::test]
async fn what_a_barred_device_wrote_does_not_come_in_by_the_back_door() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let vault = Vault::create(&world, &mut account, &token).await;
        let other = account.add_device(&world, &token).await;
        let own = account.change_device(other);
        let other_token = account.token(&world).await;
        let (after, commit) = vault.write(&account, &[item(20)]);
        let other = account.change_device(own);
        account.must_bar(&world, &token, &[other.id()]).await;
        let commits = [StoredCommit { commit: commit.commit.clone(), body: commit.body.clone() }];
        for token in [&other_token, &token] {
            stage(&world, token, &after, &commits).await.ok::<HealProgress>();
            let blobs = HealBlobs { blobs: commit.blobs.clone() };
            world.post(&vault.path("heal/blobs"), token, &blobs).await.ok::<HealProgress>();
            assert_eq!(finish(&world, token, &after).await.code(), ErrorCode::DeviceBarred);
        }
        let page: CommitPage = world.get(&vault.path("commits"), &token).await.ok();
        assert_eq!(page.head, vault.head);
    }
}

#[actix_web::test]
async fn commits_and_blobs_that_do_not_fit_are_refused_or_passed_over() {
    for backend in Backend::ALL {
        let world = &World::start(backend).await;
        let mut account = Account::sign_up(world).await;
        let token = account.token(world).await;
        let vault = Vault::create(world, &mut account, &token).await;
        let (after, commit) = vault.write(&account, &[item(25)]);
        let (_, rival) = vault.write(&account, &[item(26)]);
        let stored = |commit: &lockstep_proto::api::vaults::PostCommit| {
            [StoredCommit { commit: commit.commit.clone(), body: commit.body.clone() }]
        };
        let mut forged = stored(&commit);
        *forged[0].commit.0.last_mut().unwrap() ^= 1;
        assert_eq!(stage(world, &token, &vault, &forged).await.code(), ErrorCode::AuthorRefused);
        let (_, beyond) = after.write(&account, &[item(27)]);
        let gap = stage(world, &token, &vault, &stored(&beyond)).await.problem();
        assert_eq!((gap.code, gap.head), (ErrorCode::HeadMoved, Some(vault.head)));
        let progress: HealProgress = stage(world, &token, &vault, &stored(&commit)).await.ok();
        assert_eq!(progress.staged, Some(after.head));
        let branch = stage(world, &token, &vault, &[&stored(&rival)[..], &stored(&beyond)].concat()).await;
        assert_eq!((branch.code(), branch.problem().head), (ErrorCode::HeadMoved, Some(after.head)));
        let many = vec![stored(&commit)[0].clone(); lockstep_proto::api::HEAL_COMMITS_LIMIT + 1];
        assert_eq!(stage(world, &token, &vault, &many).await.code(), ErrorCode::TooLarge);

        let blobs = [Bytes(random::<40>().to_vec())].to_vec();
        let answer = world.post(&vault.path("heal/blobs"), &token, &HealBlobs { blobs }).await;
        assert_eq!(answer.code(), ErrorCode::BadFormat);
        let other = HealBlobs { blobs: rival.blobs.clone() };
        let progress: HealProgress = world.post(&vault.path("heal/blobs"), &token, &other).await.ok();
        assert_eq!(progress.wanted.len(), 1);
        // Somebody commits in the usual way: what is staged is of another branch then, and may be dropped.
        world.post(&vault.path("commits"), &token, &rival).await.ok::<Committed>();
        let right = HealBlobs { blobs: commit.blobs.clone() };
        world.post(&vault.path("heal/blobs"), &token, &right).await.ok::<HealProgress>();
        assert_eq!(finish(world, &token, &after).await.code(), ErrorCode::HeadMoved);
        let request = actix_web::test::TestRequest::delete().uri(&vault.path("heal"));
        let request = request.insert_header(("authorization", format!("Bearer {token}")));
        world.send(request.insert_header(("accept", "application/cbor"))).await.ok::<HealDropped>();
        let progress: HealProgress = world.get(&vault.path("heal"), &token).await.ok();
        assert_eq!((progress.staged, progress.wanted.len()), (None, 0));
    }
}
