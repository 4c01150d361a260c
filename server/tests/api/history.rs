//! A vault's past: who could write, and what items were before.

use lockstep_proto::api::VERSIONS_LIMIT;
use lockstep_proto::api::items::{BlobsPage, BlobsRequest, ItemVersion, VersionPage};
use lockstep_proto::api::vaults::{CommitPage, ControlPage};
use lockstep_proto::blob::{ENVELOPE_LENGTH_MIN, ItemState};
use lockstep_proto::ids::{ItemId, Seq, Version};

use crate::support::{Account, Backend, Vault, World, item, random};

#[actix_web::test]
async fn control_commits_come_with_the_head_and_without_content() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &token).await;
        vault.push(&world, &account, &token, &[item(300)]).await;
        vault.push_control(&world, &account, &token).await;
        vault.push(&world, &account, &token, &[item(300)]).await;

        let log: CommitPage = world.get(&vault.path("commits"), &token).await.ok();
        let page: ControlPage = world.get(&vault.path("control"), &token).await.ok();
        assert_eq!((page.head, page.more, page.room), (vault.head, false, log.room));
        assert_eq!(page.control, [log.commits[0].clone(), log.commits[2].clone()]);
        assert_eq!(page.last, log.commits[3]);
        assert_eq!(page.authors, log.authors);

        for (after, count) in [(0, 1), (1, 1), (2, 0), (u64::MAX, 0)] {
            let path = format!("{}?after={after}", vault.path("control"));
            let later: ControlPage = world.get(&path, &token).await.ok();
            assert_eq!(later.control, page.control[2 - count..], "after {after}");
            assert_eq!((later.last, later.head), (page.last.clone(), page.head));
            // The author of the commit at the head is named, also when it is the only one.
            assert_eq!(later.authors, page.authors);
        }
    }
}

#[actix_web::test]
async fn versions_are_listed_newest_first_and_fetched() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &token).await;
        let id = ItemId::from_random(random());
        for size in 1..=4 {
            vault
                .push(&world, &account, &token, &[(id, ItemState::Live, vec![7; ENVELOPE_LENGTH_MIN + size])])
                .await;
            world.clock.advance_seconds(60);
        }
        vault.push(&world, &account, &token, &[item(5)]).await;

        let path = vault.path(&format!("items/{id}/versions"));
        let all: VersionPage = world.get(&path, &token).await.ok();
        assert!(!all.more);
        let listed: Vec<_> = all.versions.iter().map(|kept| (kept.version.0, kept.seq)).collect();
        assert_eq!(listed, [(4, Seq(4)), (3, Seq(3)), (2, Seq(2)), (1, Seq(1))]);
        assert_eq!(all.versions[0].replaced_ms, None);
        for pair in all.versions.windows(2) {
            assert_eq!(pair[1].replaced_ms, Some(pair[0].stored_ms));
            assert_eq!(pair[0].stored_ms - pair[1].stored_ms, 60_000);
        }

        let want = all.versions.iter().map(|kept| ItemVersion { item_id: id, version: kept.version });
        let request = BlobsRequest { want: want.collect() };
        let page: BlobsPage = world.post(&vault.path("blobs"), &token, &request).await.ok();
        assert_eq!(page.blobs.len(), 4);
        for (kept, stored) in all.versions.iter().zip(&page.blobs) {
            assert_eq!((stored.version, stored.blob.len() as u64), (kept.version, kept.bytes));
        }
    }
}

#[actix_web::test]
async fn pages_of_versions_miss_none() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &token).await;
        let id = ItemId::from_random(random());
        for size in 1..=5 {
            vault
                .push(&world, &account, &token, &[(id, ItemState::Live, vec![7; ENVELOPE_LENGTH_MIN + size])])
                .await;
        }
        let path = vault.path(&format!("items/{id}/versions"));
        let get = async |query: &str| -> (Vec<u64>, bool) {
            let page: VersionPage = world.get(&format!("{path}{query}"), &token).await.ok();
            (page.versions.iter().map(|kept| kept.version.0).collect(), page.more)
        };
        for (query, versions, more) in [
            ("?limit=2", &[5, 4][..], true),
            ("?limit=2&before=4", &[3, 2], true),
            ("?limit=2&before=2", &[1], false),
            ("?limit=5", &[5, 4, 3, 2, 1], false),
            ("?before=1", &[], false),
            ("?before=0", &[], false),
            (&format!("?before={}", i64::MAX), &[5, 4, 3, 2, 1], false),
            // A page holds at least one, and no more than the protocol says.
            ("?limit=0", &[5], true),
            (&format!("?limit={}", VERSIONS_LIMIT + 1), &[5, 4, 3, 2, 1], false),
        ] {
            assert_eq!(get(query).await, (versions.to_vec(), more), "{query}");
        }
        let unknown = vault.path(&format!("items/{}/versions", ItemId::from_random(random())));
        let none: VersionPage = world.get(&unknown, &token).await.ok();
        assert_eq!(none, VersionPage { versions: Vec::new(), more: false });
    }
}

#[actix_web::test]
async fn a_purged_item_keeps_its_versions_for_a_while() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &token).await;
        let secret = item(500);
        vault.push(&world, &account, &token, std::slice::from_ref(&secret)).await;
        vault.push(&world, &account, &token, &[(secret.0, ItemState::Tombstone, vec![1; 400])]).await;
        let path = vault.path(&format!("items/{}/versions", secret.0));
        let page: VersionPage = world.get(&path, &token).await.ok();
        let versions: Vec<_> = page.versions.iter().map(|kept| kept.version).collect();
        assert_eq!(versions, [Version(2), Version(1)]);
        assert!(page.versions[0].bytes < page.versions[1].bytes);
    }
}
