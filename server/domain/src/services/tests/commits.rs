//! What becomes of a commit: every refusal writes nothing, and the same bytes answer the same for ever.

use lockstep_proto::api::vaults::PostCommit;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::Hash;
use lockstep_proto::log::{CommitError, LogHead};

use super::fixture::*;
use super::vault::*;
use crate::caller::{Caller, Session};
use crate::services::{CommitRefusal, ReadError};

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
        let vault = account.add_vault(&world, "phone", "home").await;
        Self { world, account, vault }
    }

    async fn send(&self, by: &str, request: PostCommit) -> Result<LogHead, CommitRefusal> {
        let vaults = &self.world.services.vaults;
        vaults.commit(self.account.caller(by), self.vault.id(), request).await.map(|done| done.head)
    }

    async fn head(&self) -> LogHead {
        let reading = &self.world.services.reading;
        reading.commits(self.account.caller("phone"), self.vault.id(), Default::default()).await.unwrap().head
    }
}

#[tokio::test]
async fn blobs_are_those_that_the_commit_names_in_its_order() {
    let scene = Scene::new().await;
    let write = [("one", Make::Write("first")), ("two", Make::Write("second"))];
    let (entry, good) = scene.vault.content(&scene.account.state, "phone", &write);
    let blobs = |blobs: &[&Bytes]| PostCommit {
        blobs: blobs.iter().map(|blob| (*blob).clone()).collect(),
        ..good.clone()
    };
    let (first, second) = (&good.blobs[0], &good.blobs[1]);
    let spoiled = Bytes([&first.0[..], &[0]].concat());
    let before = scene.head().await;
    for few in [&[][..], &[first], &[first, second, second]] {
        assert!(matches!(scene.send("phone", blobs(few)).await, Err(CommitRefusal::BlobCount)));
    }
    for (wrong, at) in [([second, first], 0), ([first, first], 1), ([&spoiled, second], 0)] {
        let refused = scene.send("phone", blobs(&wrong)).await;
        let items: Vec<_> = match &entry.body {
            lockstep_proto::log::CommitBody::Content(content) => {
                content.changes.iter().map(|change| change.item_id).collect()
            }
            other => panic!("{other:?}"),
        };
        assert!(matches!(refused, Err(CommitRefusal::Blob(item)) if item == items[at]), "{refused:?}");
    }
    assert_eq!(scene.head().await, before);
    assert_eq!(scene.send("phone", good).await.unwrap(), entry.commit.value().head(entry.commit.hash()));
}

/// A header is authenticated by the envelope, so one that says something else than the commit can be opened by nobody:
/// the server keeps it out where it can, also when the commit names its hash.
#[tokio::test]
async fn a_blob_whose_header_disagrees_with_its_commit_is_refused() {
    let scene = Scene::new().await;
    let other = TestVault::new(&scene.account, "phone", "another vault");
    let foreign = other.content(&scene.account.state, "phone", &[("one", Make::Write("text"))]);
    let laptop = scene.vault.content(&scene.account.state, "laptop", &[("one", Make::Write("text"))]);
    for (_, PostCommit { body, blobs, .. }) in [foreign, laptop] {
        // The same change, in a commit of this vault and this device.
        let (entry, _) = scene.vault.content_with(
            &scene.account.state,
            "phone",
            &[("one", Make::Write("text"))],
            |commit| {
                let read = lockstep_proto::log::CommitBody::Content;
                let content = lockstep_proto::canon::from_bytes(&body).unwrap();
                let lockstep_proto::log::ContentBody { changes } = &content;
                commit.digest = lockstep_proto::log::change_digest(
                    &scene.vault.id(),
                    &scene.vault.state.digest(),
                    changes,
                )
                .unwrap();
                commit.body_hash = read(content).hash();
            },
        );
        let request = PostCommit { commit: entry.commit.to_body(), body, blobs };
        let refused = scene.send("phone", request).await;
        assert!(matches!(refused, Err(CommitRefusal::Blob(item)) if item == item_id("one")), "{refused:?}");
    }
}

#[tokio::test]
async fn a_commit_is_sent_by_the_device_that_wrote_it_in_a_session_of_its_own() {
    let scene = Scene::new().await;
    let bob = TestAccount::sign_up(&scene.world, "bob", "bobs phone").await;
    let (_, request) = scene.vault.content(&scene.account.state, "phone", &[("one", Make::Write("text"))]);
    let vaults = &scene.world.services.vaults;
    let (account_id, token) = (scene.account.id(), Hash([1; 32]));
    let enrolment = Session::Enrolment { token, added: Some(device_id("phone")) };
    for caller in [
        scene.account.caller("laptop"),
        Caller { account_id: bob.id(), session: Session::Device(device_id("phone")) },
        Caller { account_id, session: enrolment },
        Caller { account_id, session: Session::Recovery { token, spent: false } },
    ] {
        let refused = vaults.commit(caller, scene.vault.id(), request.clone()).await;
        assert!(matches!(refused, Err(CommitRefusal::Foreign)), "{caller:?}");
    }
}

/// For whoever is no member, a vault that is there is one that is not.
#[tokio::test]
async fn another_account_finds_no_vault_by_any_route() {
    let scene = Scene::new().await;
    let bob = TestAccount::sign_up(&scene.world, "bob", "bobs phone").await;
    let caller = bob.caller("bobs phone");
    let (_, request) = scene.vault.content(&bob.state, "bobs phone", &[("one", Make::Write("text"))]);
    let ghost = TestVault::new(&bob, "bobs phone", "never made").id();
    for vault_id in [scene.vault.id(), ghost] {
        let reading = &scene.world.services.reading;
        let refused = scene.world.services.vaults.commit(caller, vault_id, request.clone()).await;
        assert!(matches!(refused, Err(CommitRefusal::NoVault)), "{refused:?}");
        let pages = [
            reading.commits(caller, vault_id, Default::default()).await.map(drop),
            reading.control(caller, vault_id, Default::default()).await.map(drop),
        ];
        assert!(pages.into_iter().all(|page| matches!(page, Err(ReadError::NoVault))));
    }
    // Linking it does not make anybody a member either.
    let mut bob = bob;
    let link = bob.link_vault("bobs phone", &scene.vault);
    let linked = append(&scene.world, caller, vec![link], vec![slot("home vault")]).await;
    assert!(matches!(linked, Err(crate::services::LinksError::NoVault(_))), "{linked:?}");
}

#[tokio::test]
async fn a_commit_on_an_old_head_learns_what_happened_and_one_that_is_there_that_it_is() {
    let mut scene = Scene::new().await;
    let start = scene.vault.clone();
    let of = |by: &str, item: &str| start.content(&scene.account.state, by, &[(item, Make::Write("text"))]);
    let (first, first_request) = of("phone", "one");
    let (_, late_request) = of("laptop", "two");
    let head = scene.send("phone", first_request.clone()).await.unwrap();
    scene.vault.follow(&first, &scene.account.state);
    match scene.send("laptop", late_request.clone()).await {
        Err(CommitRefusal::HeadMoved(moved)) => {
            assert_eq!(moved.head, head);
            let overtaken = moved.overtaken.unwrap();
            let commits: Vec<&Bytes> = overtaken.page.commits.iter().map(|stored| &stored.commit).collect();
            assert_eq!(commits, [&first_request.commit]);
            let blobs: Vec<&Bytes> = overtaken.blobs.iter().map(|stored| &stored.blob).collect();
            assert_eq!(blobs, [&first_request.blobs[0]]);
        }
        other => panic!("{other:?}"),
    }
    let Scene { world, account, vault } = &mut scene;
    for item in ["three", "four"] {
        vault.write(world, account, "phone", &[(item, Make::Write("more"))]).await.unwrap();
    }
    // From this node's memory, and from a node that has just begun.
    assert_eq!(scene.send("phone", first_request.clone()).await.unwrap(), head);
    let anew =
        Scene { world: scene.world.node(), account: scene.account.clone(), vault: scene.vault.clone() };
    assert_eq!(anew.send("phone", first_request).await.unwrap(), head);
    match anew.send("laptop", late_request).await {
        Err(CommitRefusal::HeadMoved(moved)) => {
            assert_eq!(moved.overtaken.unwrap().page.commits.len(), 3);
        }
        other => panic!("{other:?}"),
    }
}

/// The verifier sees digest and counts, the store alone sees items. What only one of them sees is refused, too.
#[tokio::test]
async fn a_change_of_an_item_that_is_elsewhere_is_refused_though_its_digest_adds_up() {
    let mut scene = Scene::new().await;
    let Scene { world, account, vault } = &mut scene;
    vault.write(world, account, "phone", &[("one", Make::Write("first"))]).await.unwrap();
    let head = vault.state.head();
    // A device that has lost the item makes it anew.
    let mut forgetful = vault.clone();
    forgetful.leaves = Default::default();
    let (_, request) = forgetful.content(&account.state, "phone", &[("one", Make::Write("second"))]);
    let refused = scene.send("phone", request).await;
    assert!(
        matches!(refused, Err(CommitRefusal::Item { item_id: item, head: at }) if item == item_id("one") && at == head),
        "{refused:?}"
    );
    // A purge that says that the item is still there.
    let Scene { account, vault, .. } = &mut scene;
    let (_, request) = vault.content_with(&account.state, "phone", &[("one", Make::Purge)], |commit| {
        (commit.live, commit.tombstones) = (commit.live + 1, commit.tombstones - 1);
    });
    assert!(matches!(scene.send("phone", request).await, Err(CommitRefusal::Counts)));
    assert_eq!(scene.head().await, head);
}

/// A commit that names a later position of its account than this node knows makes it look; one that nobody has is
/// refused.
#[tokio::test]
async fn a_commit_is_verified_with_the_account_at_least_as_far_as_it_says() {
    let mut scene = Scene::new().await;
    let here = scene.world.node();
    here.services.sessions.device(scene.account.id(), device_id("phone")).await.unwrap();
    scene.account.pair(&scene.world, "phone", "tablet").await;
    let (_, request) = scene.vault.content(&scene.account.state, "tablet", &[("one", Make::Write("text"))]);
    let behind = Scene { world: here, account: scene.account.clone(), vault: scene.vault.clone() };
    behind.send("tablet", request).await.unwrap();

    let mut scene = Scene::new().await;
    scene.account.add_device("phone", "tablet");
    let (_, request) = scene.vault.content(&scene.account.state, "phone", &[("one", Make::Write("text"))]);
    let refused = scene.send("phone", request).await;
    assert!(matches!(refused, Err(CommitRefusal::Verifier(_))), "{refused:?}");
}

#[tokio::test]
async fn a_commit_that_skips_a_position_is_no_news_but_a_broken_chain() {
    let scene = Scene::new().await;
    let write = [("one", Make::Write("text"))];
    let (_, skips) = scene.vault.content_with(&scene.account.state, "phone", &write, |commit| {
        commit.seq = commit.seq.next();
    });
    let refused = scene.send("phone", skips).await;
    assert!(matches!(refused, Err(CommitRefusal::Verifier(CommitError::Chain { .. }))), "{refused:?}");
}

/// The same genesis makes one vault, whoever's answer was lost; another device of the account cannot send it.
#[tokio::test]
async fn a_vault_is_made_once_by_whom_signed_it() {
    let scene = Scene::new().await;
    let vault = TestVault::new(&scene.account, "phone", "second");
    let foreign = vault.create(&scene.world, scene.account.caller("laptop")).await;
    assert!(matches!(foreign, Err(CommitRefusal::Foreign)));
    let made = vault.create(&scene.world, scene.account.caller("phone")).await.unwrap();
    let again = vault.create(&scene.world.node(), scene.account.caller("phone")).await.unwrap();
    assert_eq!((made.vault_id, made.head), (again.vault_id, again.head));
}
