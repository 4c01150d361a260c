//! Joins by a heal commit: two branches of a vault's log become one chain.

use std::collections::BTreeSet;

use lockstep_proto::api::sides::{SidesPage, SidesStaged, StageSides};
use lockstep_proto::api::vaults::{CommitPage, Committed, ControlPage, PostCommit, StoredCommit};
use lockstep_proto::api::{ErrorCode, Problem};
use lockstep_proto::bytes::to_base64url;
use lockstep_proto::ids::{AccountId, Generation, Hash, Seq};
use lockstep_proto::log::{Entry, Line, LogHead, Member, Role, Sides};

use crate::support::{Account, Answer, Backend, Device, Vault, World, item};

pub(crate) fn stored(commit: &PostCommit) -> StoredCommit {
    StoredCommit { commit: commit.commit.clone(), body: commit.body.clone() }
}

pub(crate) async fn stage_sides(world: &World, token: &str, vault: &Vault, side: &[StoredCommit]) -> Answer {
    world.post(&vault.path("sides"), token, &StageSides { commits: side.to_vec() }).await
}

pub(crate) async fn send(world: &World, token: &str, vault: &Vault, commit: &PostCommit) -> Answer {
    world.post(&vault.path("commits"), token, commit).await
}

/// Commits of a branch that no server has, and the vault at its end.
pub(crate) fn branch(vault: &Vault, account: &Account, count: usize) -> (Vault, Vec<StoredCommit>) {
    let (mut end, mut commits) = (vault.clone(), Vec::new());
    for size in 0..count {
        let (after, commit) = end.write(account, &[item(40 + size)]);
        commits.push(stored(&commit));
        end = after;
    }
    (end, commits)
}

/// Verifies everything that the server serves of a vault, as a new reader does.
pub(crate) async fn verified(world: &World, token: &str, account: &Account, vault: &Vault) -> Line {
    let chain: CommitPage = world.get(&vault.path("commits"), token).await.ok();
    let sides: SidesPage = world.get(&vault.path("sides"), token).await.ok();
    assert_eq!((chain.more, sides.more, sides.head), (false, false, chain.head));
    let read = |stored: &StoredCommit| Entry::from_wire(&stored.commit, &stored.body).unwrap();
    let chain: Vec<_> = chain.commits.iter().map(read).collect();
    let accounts = account.state(world).await;
    Line::verify(&chain, &Sides::new(sides.commits.iter().map(read)), &accounts).unwrap()
}

/// A vault whose server went on with one commit while a device has three others.
struct Scene {
    world: World,
    account: Account,
    token: String,
    fork: LogHead,
    vault: Vault,
    side: Vault,
    side_commits: Vec<StoredCommit>,
}

impl Scene {
    async fn new(backend: Backend) -> Self {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &token).await;
        vault.push(&world, &account, &token, &[item(30)]).await;
        let (side, side_commits) = branch(&vault, &account, 3);
        let fork = vault.head;
        vault.push(&world, &account, &token, &[item(31)]).await;
        Self { world, account, token, fork, vault, side, side_commits }
    }

    async fn stage(&self, side: &[StoredCommit]) {
        stage_sides(&self.world, &self.token, &self.vault, side).await.ok::<SidesStaged>();
    }

    fn heal(&self) -> (Vault, PostCommit) {
        self.vault.heal(&self.account, self.fork, &self.side)
    }

    async fn send(&self, commit: &PostCommit) -> Answer {
        send(&self.world, &self.token, &self.vault, commit).await
    }

    async fn state(&self) -> Vec<String> {
        self.world.state(&self.account, &self.vault).await
    }
}

#[actix_web::test]
async fn a_join_is_accepted_and_served_with_its_side_to_whoever_reads() {
    for backend in Backend::ALL {
        let mut scene = Scene::new(backend).await;
        let path = scene.vault.path("sides");
        let mut backwards = scene.side_commits.clone();
        backwards.reverse();
        scene.stage(&backwards[..2]).await;
        scene.stage(&backwards).await;
        let nothing: SidesPage = scene.world.get(&path, &scene.token).await.ok();
        assert!(nothing.commits.is_empty(), "what is staged is nobody's");
        let before = scene.vault.clone();
        let (healed, heal) = scene.heal();
        let first: Committed = scene.send(&heal).await.ok();
        assert_eq!((first.head, first.head.seq), (healed.head, Seq(5)));
        assert_eq!(scene.send(&heal).await.ok::<Committed>(), first, "the same bytes again");

        let page: SidesPage = scene.world.get(&path, &scene.token).await.ok();
        assert_eq!((&page.commits, page.head, page.more), (&scene.side_commits, healed.head, false));
        assert_eq!(page.authors.len(), 1);
        assert_eq!(page.authors[0].head, scene.account.head);
        let second = Entry::from_wire(&page.commits[1].commit, &page.commits[1].body).unwrap();
        let hash = to_base64url(&second.commit.hash().0);
        for (query, left) in [
            ("after_seq=1".to_owned(), 3),
            ("after_seq=3".to_owned(), 1),
            (format!("after_seq=3&after_hash={hash}"), 1),
            (format!("after_seq=3&after_hash={}", to_base64url(&Hash::ZERO.0)), 2),
            ("after_seq=4".to_owned(), 0),
        ] {
            let rest: SidesPage = scene.world.get(&format!("{path}?{query}"), &scene.token).await.ok();
            assert_eq!(rest.commits, scene.side_commits[3 - left..], "{query}");
        }
        let control: ControlPage = scene.world.get(&healed.path("control"), &scene.token).await.ok();
        assert_eq!((control.control.len(), &control.last), (2, &stored(&heal)));
        let line = verified(&scene.world, &scene.token, &scene.account, &healed).await;
        assert_eq!((line.state().head(), line.beside().len()), (healed.head, 3));

        // It goes on from there; whoever was overtaken learns of it across the gap.
        scene.vault = healed;
        scene.vault.push(&scene.world, &scene.account, &scene.token, &[item(50)]).await;
        assert_eq!(scene.vault.head.seq, Seq(6));
        let late = scene.send(&before.write(&scene.account, &[item(51)]).1).await.problem();
        assert_eq!((late.code, late.head), (ErrorCode::HeadMoved, Some(scene.vault.head)));
        let overtaken = late.overtaken.unwrap();
        assert_eq!((overtaken.page.commits.len(), overtaken.blobs.len()), (2, 1));
        assert_eq!(overtaken.page.commits[0], stored(&heal));
        assert_eq!(scene.send(&heal).await.ok::<Committed>().head, first.head);
        verified(&scene.world, &scene.token, &scene.account, &scene.vault).await;
    }
}

#[actix_web::test]
async fn a_heal_without_all_of_its_side_or_with_blobs_writes_nothing() {
    for backend in Backend::ALL {
        let scene = Scene::new(backend).await;
        let (_, heal) = scene.heal();
        assert_eq!(scene.send(&heal).await.code(), ErrorCode::SideMissing);
        for left_out in 0..3 {
            let mut side = scene.side_commits.clone();
            side.remove(left_out);
            scene.stage(&side).await;
            let before = scene.state().await;
            assert_eq!(scene.send(&heal).await.code(), ErrorCode::SideMissing);
            assert!(scene.state().await == before);
            let request = actix_web::test::TestRequest::delete().uri(&scene.vault.path("heal"));
            let request = request.insert_header(("authorization", format!("Bearer {}", scene.token)));
            assert!(scene.world.send(request).await.status.is_success());
            assert_eq!(scene.send(&heal).await.code(), ErrorCode::SideMissing, "they are forgotten");
        }
        scene.stage(&scene.side_commits).await;
        let with_blob = PostCommit { blobs: vec![vec![1; 40].into()], ..heal.clone() };
        assert_eq!(scene.send(&with_blob).await.code(), ErrorCode::BadBlob);
        scene.send(&heal).await.ok::<Committed>();
    }
}

#[actix_web::test]
async fn a_heal_follows_the_head() {
    for backend in Backend::ALL {
        let mut scene = Scene::new(backend).await;
        scene.stage(&scene.side_commits).await;
        let (_, late) = scene.heal();
        scene.vault.push(&scene.world, &scene.account, &scene.token, &[item(32)]).await;
        let before = scene.state().await;
        let problem = scene.send(&late).await.problem();
        assert_eq!((problem.code, problem.head), (ErrorCode::HeadMoved, Some(scene.vault.head)));
        // One at another position than the next above both branches is none.
        let wrong = scene.vault.at(LogHead { seq: Seq(9), ..scene.vault.head });
        let (_, gap) = wrong.heal(&scene.account, scene.fork, &scene.side);
        assert_eq!(scene.send(&gap).await.code(), ErrorCode::CommitRefused);
        assert!(scene.state().await == before);
        scene.send(&scene.heal().1).await.ok::<Committed>();
    }
}

#[actix_web::test]
async fn of_a_heal_and_a_commit_that_come_at_once_one_is_overtaken() {
    for backend in Backend::ALL {
        let scene = Scene::new(backend).await;
        scene.stage(&scene.side_commits).await;
        let (_, heal) = scene.heal();
        let (_, commit) = scene.vault.write(&scene.account, &[item(33)]);
        let (one, two) = tokio::join!(scene.send(&heal), scene.send(&commit));
        let won = [&one, &two].map(|answer| answer.status.is_success());
        assert!(won[0] != won[1], "{won:?}");
        let lost = if won[0] { two } else { one };
        assert_eq!(lost.code(), ErrorCode::HeadMoved);
        let line = verified(&scene.world, &scene.token, &scene.account, &scene.vault).await;
        assert_eq!(line.beside().len(), if won[0] { 3 } else { 0 });
    }
}

#[actix_web::test]
async fn a_heal_is_sent_by_who_wrote_it_and_staged_by_a_member() {
    for backend in Backend::ALL {
        let mut scene = Scene::new(backend).await;
        let (_, heal) = scene.heal();
        let mut stranger = Account::sign_up(&scene.world).await;
        let strangers = stranger.token(&scene.world).await;
        let refused = async |strangers: &str| {
            let staged = stage_sides(&scene.world, strangers, &scene.vault, &scene.side_commits).await;
            let read = scene.world.get(&scene.vault.path("sides"), strangers).await;
            [staged.code(), read.code(), send(&scene.world, strangers, &scene.vault, &heal).await.code()]
        };
        use ErrorCode::{AuthorRefused, NoVault};
        assert_eq!(refused(&strangers).await, [NoVault, NoVault, AuthorRefused]);
        stranger.link_ghost(&scene.world, scene.vault.id, scene.vault.head).await;
        assert_eq!(refused(&strangers).await, [NoVault, NoVault, AuthorRefused]);
        let (_, own) = scene.vault.heal(&stranger, scene.fork, &scene.side);
        assert_eq!(send(&scene.world, &strangers, &scene.vault, &own).await.code(), NoVault);

        // Another device of the account may stage, and does not send what it did not sign.
        let other = scene.account.add_device(&scene.world, &scene.token).await;
        let own = scene.account.change_device(other);
        let others = scene.account.token(&scene.world).await;
        scene.account.change_device(own);
        stage_sides(&scene.world, &others, &scene.vault, &scene.side_commits).await.ok::<SidesStaged>();
        assert_eq!(send(&scene.world, &others, &scene.vault, &heal).await.code(), AuthorRefused);
        scene.send(&heal).await.ok::<Committed>();
    }
}

#[actix_web::test]
async fn a_barred_device_neither_heals_nor_comes_in_with_a_side() {
    for backend in Backend::ALL {
        let mut scene = Scene::new(backend).await;
        let other = scene.account.add_device(&scene.world, &scene.token).await;
        let own = scene.account.change_device(other);
        let others = scene.account.token(&scene.world).await;
        let (side, end) = branch(&scene.side, &scene.account, 1);
        scene.stage(&[&scene.side_commits[..], &end].concat()).await;
        let (_, by_barred) = scene.vault.heal(&scene.account, scene.fork, &scene.side);
        let other = scene.account.change_device(own);
        let (_, with_barred) = scene.vault.heal(&scene.account, scene.fork, &side);
        scene.account.must_bar(&scene.world, &scene.token, &[other.id()]).await;
        let before = scene.state().await;
        let answer = send(&scene.world, &others, &scene.vault, &by_barred).await;
        assert_eq!(answer.code(), ErrorCode::DeviceBarred);
        assert_eq!(scene.send(&with_barred).await.code(), ErrorCode::DeviceBarred);
        assert!(scene.state().await == before);
        // Without what it wrote, nothing stands against it.
        scene.send(&scene.heal().1).await.ok::<Committed>();
    }
}

/// A vault has one member, the account that made it: nobody is added unasked, and nobody learns which accounts are here.
#[actix_web::test]
async fn a48_no_other_account_becomes_a_member_and_none_is_told_from_one_that_is_not_there() {
    for backend in Backend::ALL {
        let scene = Scene::new(backend).await;
        let stranger = Account::sign_up(&scene.world).await;
        let strangers = stranger.token(&scene.world).await;
        let member = |account_id, position, role| Member {
            account_id,
            role,
            position,
            uek_generation: Generation(1),
            slot: Hash([7; 32]),
        };
        let nobody = AccountId([9; 32]);
        let wrong = LogHead { hash: Hash([3; 32]), ..stranger.head };
        let ahead = LogHead { seq: Seq(1_000), ..stranger.head };
        let others = [
            (stranger.id, stranger.head),
            (stranger.id, wrong),
            (stranger.id, ahead),
            (nobody, stranger.head),
        ];
        scene.stage(&scene.side_commits).await;
        for roles in [[Role::Admin, Role::Reader], [Role::Writer, Role::Admin]] {
            let mut told = BTreeSet::new();
            for (other, position) in others {
                let mut members = vec![
                    member(scene.account.id, scene.account.head, roles[0]),
                    member(other, position, roles[1]),
                ];
                members.sort_by_key(|member| member.account_id);
                let (_, control) = scene.vault.with_members(&scene.account, members.clone());
                let direct = scene.send(&control).await.problem();
                let (side, control) = scene.side.with_members(&scene.account, members);
                scene.stage(&[stored(&control)]).await;
                let (_, heal) = scene.vault.heal(&scene.account, scene.fork, &side);
                let joined = scene.send(&heal).await.problem();
                let text = |problem: &Problem| {
                    assert_eq!(problem.code, ErrorCode::AuthorRefused);
                    let detail = problem.detail.replace(&other.to_string(), "OTHER");
                    detail.replace(&position.seq.0.to_string(), "SEQ")
                };
                told.insert((text(&direct), text(&joined)));
            }
            assert_eq!(told.len(), 1, "{told:?}");
        }
        let chain: CommitPage = scene.world.get(&scene.vault.path("commits"), &scene.token).await.ok();
        assert_eq!(chain.head, scene.vault.head);
        let sides = scene.vault.path("sides");
        assert_eq!(scene.world.get(&sides, &strangers).await.code(), ErrorCode::NoVault);
        let mut forged = scene.heal().1;
        *forged.commit.0.last_mut().unwrap() ^= 1;
        assert_eq!(scene.send(&forged).await.code(), ErrorCode::AuthorRefused);
        let (mut healed, heal) = scene.heal();
        scene.send(&heal).await.ok::<Committed>();
        healed.push(&scene.world, &scene.account, &scene.token, &[item(33)]).await;
    }
}

#[actix_web::test]
async fn what_is_no_side_commit_of_the_vault_is_not_staged() {
    for backend in Backend::ALL {
        let mut scene = Scene::new(backend).await;
        let before = scene.state().await;
        let other = Vault::genesis(&scene.account);
        let genesis = StoredCommit { commit: other.1.commit, body: other.1.body };
        let (_, of_other) = branch(&other.0, &scene.account, 1);
        let mut swapped = scene.side_commits[0].clone();
        swapped.body = scene.side_commits[1].body.clone();
        let garbage = StoredCommit { commit: vec![1; 50].into(), body: Vec::new().into() };
        let device = Device::new();
        let own = scene.account.change_device(device);
        let (_, unknown) = branch(&scene.vault, &scene.account, 2);
        scene.account.change_device(own);
        let many = vec![scene.side_commits[0].clone(); lockstep_proto::api::HEAL_COMMITS_LIMIT + 1];
        for (sent, code) in [
            (vec![genesis], ErrorCode::CommitRefused),
            (of_other, ErrorCode::CommitRefused),
            (vec![scene.side_commits[0].clone(), swapped], ErrorCode::BadFormat),
            (vec![garbage], ErrorCode::BadFormat),
            ([&scene.side_commits[..], &unknown].concat(), ErrorCode::AuthorRefused),
            (many, ErrorCode::TooLarge),
        ] {
            let answer = stage_sides(&scene.world, &scene.token, &scene.vault, &sent).await;
            assert_eq!(answer.code(), code);
        }
        assert!(scene.state().await == before);
        // What nobody asked for does no harm, and is not kept.
        let (_, other) = branch(&scene.vault, &scene.account, 2);
        scene.stage(&[&scene.side_commits[..], &other].concat()).await;
        scene.send(&scene.heal().1).await.ok::<Committed>();
        let page: SidesPage = scene.world.get(&scene.vault.path("sides"), &scene.token).await.ok();
        assert_eq!(page.commits, scene.side_commits);
    }
}

#[actix_web::test]
async fn an_account_lets_the_server_verify_so_many_heals_and_no_more() {
    let scene = Scene::new(Backend::Memory).await;
    let (_, heal) = scene.heal();
    for _ in 0..20 {
        assert_eq!(scene.send(&heal).await.code(), ErrorCode::SideMissing);
    }
    scene.stage(&scene.side_commits).await;
    let refused = scene.send(&heal).await.problem();
    assert_eq!((refused.code, refused.retry_after_seconds), (ErrorCode::TooManyAttempts, Some(30)));
    scene.world.clock.advance_seconds(30);
    scene.send(&heal).await.ok::<Committed>();
    scene.send(&heal).await.ok::<Committed>();
}
