//! Joins on a server that dies in the middle of them, and on one that was restored once more.

use lockstep_domain::ServerSecrets;
use lockstep_domain::services::SignupRule;
use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::account::AppendLinks;
use lockstep_proto::api::heal::{AccountHealed, HealAccount, HealProgress};
use lockstep_proto::api::sides::{SidesPage, SidesStaged};
use lockstep_proto::api::vaults::{CommitPage, Committed, StoredCommit};
use lockstep_proto::ids::Seq;
use lockstep_proto::log::CommitKind;
use lockstep_server::SystemRandom;

use crate::heal::{Copy, Scene, assert_same, copy, finish, give_blobs, heal_account, stage};
use crate::joins::{branch, send, stage_sides, stored, verified};
use crate::support::{Account, Backend, Place, Vault, World, item, open};

#[actix_web::test]
async fn a_server_that_dies_before_the_heal_shows_nothing_of_its_side_and_goes_on() {
    for backend in Backend::DURABLE {
        let (place, secrets) = (Place::new(), ServerSecrets::make(&SystemRandom));
        let start =
            async || World::on(open(backend, &place), &secrets, SignupRule::Open, place.clone()).await;
        let world = start().await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &token).await;
        let (fork, (side, commits)) = (vault.head, branch(&vault, &account, 4));
        vault.push(&world, &account, &token, &[item(30)]).await;
        let (healed, heal) = vault.heal(&account, fork, &side);
        stage_sides(&world, &token, &vault, &commits[..2]).await.ok::<SidesStaged>();
        drop(world);
        let world = start().await;
        stage_sides(&world, &token, &vault, &commits[2..]).await.ok::<SidesStaged>();
        drop(world);
        let world = start().await;
        let page: SidesPage = world.get(&vault.path("sides"), &token).await.ok();
        assert_eq!((page.head, page.commits.len()), (vault.head, 0));
        let chain: CommitPage = world.get(&vault.path("commits"), &token).await.ok();
        assert_eq!((chain.head, chain.commits.len()), (vault.head, 2));
        let first: Committed = send(&world, &token, &vault, &heal).await.ok();
        drop(world);
        let world = start().await;
        assert_eq!(send(&world, &token, &vault, &heal).await.ok::<Committed>(), first);
        let page: SidesPage = world.get(&vault.path("sides"), &token).await.ok();
        assert_eq!((page.head, page.commits), (healed.head, commits));
        vault = healed;
        vault.push(&world, &account, &token, &[item(31)]).await;
        verified(&world, &token, &account, &vault).await;
    }
}

/// A chain with two heals, the side of the second of which has one itself, and what a device keeps of it.
async fn healed() -> (Scene, Copy, Vec<StoredCommit>) {
    let mut scene = Scene::new().await;
    let (full, token) = (&scene.full, scene.token.clone());
    let fork = scene.vault.head;
    let (side, commits) = branch(&scene.vault, &scene.account, 3);
    scene.vault.push(full, &scene.account, &token, &[item(30)]).await;
    stage_sides(full, &token, &scene.vault, &commits).await.ok::<SidesStaged>();
    let (healed, heal) = scene.vault.heal(&scene.account, fork, &side);
    send(full, &token, &scene.vault, &heal).await.ok::<Committed>();
    scene.vault = healed;
    scene.vault.push(full, &scene.account, &token, &[item(31)]).await;

    // Somebody goes on from the first commit of the side, joined there what it had, and is joined now.
    let (other, first) = branch(&scene.vault, &scene.account, 1);
    let (nested, nested_commits) = branch(&scene.vault, &scene.account, 2);
    let (inner, inner_heal) = other.heal(&scene.account, scene.vault.head, &nested);
    let (outer, last) = branch(&inner, &scene.account, 1);
    let fork = scene.vault.head;
    scene.vault.push(full, &scene.account, &token, &[item(32)]).await;
    let side = [&first[..], &nested_commits, &[stored(&inner_heal)], &last].concat();
    stage_sides(full, &token, &scene.vault, &side).await.ok::<SidesStaged>();
    let (healed, heal) = scene.vault.heal(&scene.account, fork, &outer);
    send(full, &token, &scene.vault, &heal).await.ok::<Committed>();
    scene.vault = healed;
    scene.vault.push(full, &scene.account, &token, &[item(33)]).await;
    let line = verified(full, &token, &scene.account, &scene.vault).await;
    assert_eq!((line.state().joins().len(), line.beside().len()), (3, 8));
    let (copy, sides) = (scene.copy().await, scene.full.get(&scene.vault.path("sides"), &token).await);
    let sides: SidesPage = sides.ok();
    (scene, copy, sides.commits)
}

/// How many of a chain's first commits end before its first heal.
fn before_heals(commits: &[StoredCommit]) -> usize {
    let kind = |stored: &StoredCommit| {
        lockstep_proto::log::Entry::from_wire(&stored.commit, &stored.body).unwrap().commit.value().kind
    };
    commits.iter().position(|stored| kind(stored) == CommitKind::Heal).unwrap()
}

#[actix_web::test]
async fn a_healed_chain_comes_back_with_its_sides_to_a_server_that_lost_everything() {
    for backend in Backend::ALL {
        let (scene, copy, sides) = healed().await;
        let world = scene.restored(backend, &Place::new()).await;
        heal_account(&world, &copy.account).await.ok::<AccountHealed>();
        let token = scene.account.token(&world).await;
        let lacking = stage(&world, &token, &scene.vault, &copy.commits).await;
        assert_eq!(lacking.code(), ErrorCode::SideMissing);
        let progress: HealProgress = world.get(&scene.vault.path("heal"), &token).await.ok();
        assert_eq!((progress.head, progress.staged), (None, None));
        stage_sides(&world, &token, &scene.vault, &sides).await.ok::<SidesStaged>();
        assert_eq!(world.get(&scene.vault.path("sides"), &token).await.code(), ErrorCode::NoVault);
        let progress: HealProgress = stage(&world, &token, &scene.vault, &copy.commits).await.ok();
        assert_eq!(progress.staged, Some(scene.vault.head));
        give_blobs(&world, &token, &scene.vault, &copy).await;
        for _ in 0..2 {
            finish(&world, &token, &scene.vault).await.ok::<Committed>();
        }
        assert_same(&scene, &world, &token).await;
        let mut vault = scene.vault.clone();
        vault.push(&world, &scene.account, &token, &[item(70)]).await;
        verified(&world, &token, &scene.account, &vault).await;
    }
}

#[actix_web::test]
async fn a_healed_chain_comes_back_in_parts_onto_any_older_state_though_the_server_dies() {
    for backend in Backend::DURABLE {
        let (scene, copy, sides) = healed().await;
        let first = before_heals(&copy.commits);
        // The server forgot everything since the fork; since before the first heal; since after it.
        for kept in [first - 1, first, first + 1] {
            let place = Place::new();
            let start = async || scene.restored(backend, &place).await;
            let world = start().await;
            heal_account(&world, &copy.account).await.ok::<AccountHealed>();
            let token = scene.account.token(&world).await;
            let older = scene.vault.at(head_of(&copy.commits[kept - 1]));
            stage_sides(&world, &token, &scene.vault, &sides).await.ok::<SidesStaged>();
            stage(&world, &token, &older, &copy.commits[..kept]).await.ok::<HealProgress>();
            give_blobs(&world, &token, &older, &copy).await;
            finish(&world, &token, &older).await.ok::<Committed>();
            drop(world);

            let world = start().await;
            stage_sides(&world, &token, &scene.vault, &sides).await.ok::<SidesStaged>();
            let (one, two) = copy.commits.split_at(first + 2);
            stage(&world, &token, &scene.vault, one).await.ok::<HealProgress>();
            drop(world);
            let world = start().await;
            let progress: HealProgress = stage(&world, &token, &scene.vault, two).await.ok();
            assert_eq!((progress.head, progress.staged), (Some(older.head), Some(scene.vault.head)));
            give_blobs(&world, &token, &scene.vault, &copy).await;
            drop(world);
            let world = start().await;
            let page: SidesPage = world.get(&scene.vault.path("sides"), &token).await.ok();
            assert_eq!(page.head, older.head);
            assert_eq!(page.commits.len(), if kept > first { 3 } else { 0 }, "what waits is not shown");
            finish(&world, &token, &scene.vault).await.ok::<Committed>();
            assert_same(&scene, &world, &token).await;
        }
    }
}

fn head_of(stored: &StoredCommit) -> lockstep_proto::log::LogHead {
    let entry = lockstep_proto::log::Entry::from_wire(&stored.commit, &stored.body).unwrap();
    entry.commit.value().head(entry.commit.hash())
}

#[actix_web::test]
async fn a_removal_that_a_restored_server_forgot_comes_back_with_the_branch_that_it_belongs_to() {
    for backend in Backend::ALL {
        let mut scene = Scene::new().await;
        let (full, token) = (&scene.full, scene.token.clone());
        let lost = scene.account.add_device(full, &token).await;
        let lost_id = lost.id();
        // The device that is to be removed writes on this server; the account removed it on the branch that this one forgot.
        let (fork, (side, commits)) = (scene.vault.head, branch(&scene.vault, &scene.account, 3));
        let own = scene.account.change_device(lost);
        let lost_token = scene.account.token(full).await;
        scene.vault.push(full, &scene.account, &lost_token, &[item(30)]).await;
        scene.account.change_device(own);
        scene.account.pin(&side);
        let AppendLinks { links, slots, record } =
            scene.account.rekey(full, &token, b"new", &[lost_id]).await;
        let removal = HealAccount { links, slots, record };
        heal_account(full, &removal).await.ok::<AccountHealed>();
        for size in 31..35 {
            scene.vault.push(full, &scene.account, &token, &[item(size)]).await;
        }
        stage_sides(full, &token, &scene.vault, &commits).await.ok::<SidesStaged>();
        let (healed, heal) = scene.vault.heal(&scene.account, fork, &side);
        send(full, &token, &scene.vault, &heal).await.ok::<Committed>();
        scene.vault = healed;
        let cut_off = side.head;
        let line = verified(full, &token, &scene.account, &scene.vault).await;
        assert!(line.covers(&cut_off) && line.state().pending_cut_offs().is_empty());

        let copy = copy(full, &token, &scene.vault, removal.record.as_ref().unwrap()).await;
        let world = scene.restored(backend, &Place::new()).await;
        heal_account(&world, &copy.account).await.ok::<AccountHealed>();
        let token = scene.account.token(&world).await;
        stage_sides(&world, &token, &scene.vault, &commits).await.ok::<SidesStaged>();
        // Up to the cut-off's position the chain may still come to it; beyond, only the heal says that it need not.
        let progress: HealProgress = stage(&world, &token, &scene.vault, &copy.commits[..3]).await.ok();
        assert_eq!(progress.staged.unwrap().seq, Seq(2));
        let without_heal = &copy.commits[..copy.commits.len() - 1];
        let refused = stage(&world, &token, &scene.vault, without_heal).await;
        assert_eq!(refused.code(), ErrorCode::AuthorRefused);
        stage(&world, &token, &scene.vault, &copy.commits).await.ok::<HealProgress>();
        give_blobs(&world, &token, &scene.vault, &copy).await;
        finish(&world, &token, &scene.vault).await.ok::<Committed>();
        assert_same(&scene, &world, &token).await;
    }
}
