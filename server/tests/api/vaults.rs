//! Vaults: commits, pulls, conflicts.

use lockstep_proto::api::items::{BlobsPage, BlobsRequest, ItemPage, ItemVersion};
use lockstep_proto::api::vaults::{CommitPage, Committed};
use lockstep_proto::api::{ErrorCode, OVERTAKEN_LIMIT};
use lockstep_proto::blob::ItemState;
use lockstep_proto::ids::{Seq, Version};
use lockstep_proto::log::{Entry, LeafMap, VaultState};

use crate::support::{Account, Backend, Vault, World, item};

#[actix_web::test]
async fn what_was_committed_is_pulled_and_verifies() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &token).await;
        let (first, second) = (item(300), item(400));
        vault.push(&world, &account, &token, &[first.clone(), second.clone()]).await;
        vault.push(&world, &account, &token, &[(first.0, ItemState::Tombstone, vec![1; 400])]).await;
        vault.push(&world, &account, &token, &[(second.0, ItemState::Live, vec![9; 350])]).await;

        let page: CommitPage = world.get(&vault.path("commits"), &token).await.ok();
        assert_eq!((page.head, page.more, page.commits.len()), (vault.head, false, 4));
        assert_eq!(page.authors.len(), 1);
        let entries: Vec<Entry> =
            page.commits.iter().map(|row| Entry::from_wire(&row.commit, &row.body).unwrap()).collect();
        let log: lockstep_proto::api::account::LogPage = world.get("/v1/account/log", &token).await.ok();
        let links: Vec<_> =
            log.links.iter().map(|link| lockstep_proto::sign::Signed::from_wire(link).unwrap()).collect();
        let author = lockstep_proto::log::AccountState::from_links(&links).unwrap();
        let mut state = VaultState::from_genesis(&entries[0], &author).unwrap();
        for entry in &entries[1..] {
            state = state.apply(entry, &author).unwrap();
        }

        let items: ItemPage = world.get(&vault.path("items"), &token).await.ok();
        assert_eq!(items.items.iter().map(|item| item.seq).collect::<Vec<_>>(), [Seq(2), Seq(3)]);
        let leaves: LeafMap = vault.leaves.iter().map(|(item_id, leaf)| (*item_id, *leaf)).collect();
        assert_eq!(leaves.digest(&vault.id), state.digest());
        assert_eq!((state.live(), state.tombstones()), (1, 1));
        let after: ItemPage = world.get(&format!("{}?after_seq=2", vault.path("items")), &token).await.ok();
        assert_eq!(after.items, items.items[1..]);
        let query = format!("{}?after_seq=1&after_item={}&upto=2", vault.path("items"), second.0);
        let upto: ItemPage = world.get(&query, &token).await.ok();
        assert_eq!(upto.items, items.items[..1]);

        let old = ItemVersion { item_id: first.0, version: Version(1) };
        let none = ItemVersion { item_id: first.0, version: Version(9) };
        let request = BlobsRequest { want: vec![none, old] };
        let blobs: BlobsPage = world.post(&vault.path("blobs"), &token, &request).await.ok();
        assert_eq!((blobs.blobs.len(), blobs.missing, blobs.more), (1, vec![none], false));
    }
}

#[actix_web::test]
async fn the_same_commit_twice_answers_the_same_also_when_the_vault_moved_on() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &token).await;
        let (after, request) = vault.write(&account, &[item(10)]);
        let first: Committed = world.post(&vault.path("commits"), &token, &request).await.ok();
        vault = after;
        let second: Committed = world.post(&vault.path("commits"), &token, &request).await.ok();
        assert_eq!(first, second);
        vault.push(&world, &account, &token, &[item(10)]).await;
        let third: Committed = world.post(&vault.path("commits"), &token, &request).await.ok();
        assert_eq!(third.head, first.head);
        let page: CommitPage = world.get(&vault.path("commits"), &token).await.ok();
        assert_eq!(page.head.seq, Seq(2));
    }
}

#[actix_web::test]
async fn an_overtaken_commit_learns_the_head_and_what_happened() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let vault = Vault::create(&world, &mut account, &token).await;
        let (_, overtaken) = vault.write(&account, &[item(10)]);
        let mut winner = vault.clone();
        let changed = item(300);
        for _ in 0..2 {
            winner.push(&world, &account, &token, std::slice::from_ref(&changed)).await;
        }
        let problem = world.post(&vault.path("commits"), &token, &overtaken).await.problem();
        assert_eq!((problem.code, problem.head), (ErrorCode::HeadMoved, Some(winner.head)));
        assert!(problem.room.is_some());
        let brought = problem.overtaken.unwrap();
        let query = format!("{}?after={}", vault.path("commits"), vault.head.seq);
        let pulled: CommitPage = world.get(&query, &token).await.ok();
        assert_eq!(brought.page, pulled);
        assert_eq!((pulled.commits.len(), pulled.more), (2, false));
        let blobs: Vec<_> = brought.blobs.iter().map(|blob| (blob.item_id, blob.version)).collect();
        assert_eq!(blobs, [(changed.0, Version(2))]);
    }
}

#[actix_web::test]
async fn what_is_too_much_for_a_refusal_is_pulled_instead() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let vault = Vault::create(&world, &mut account, &token).await;
        let (_, overtaken) = vault.write(&account, &[item(10)]);
        let mut winner = vault.clone();
        winner.push(&world, &account, &token, &[item(OVERTAKEN_LIMIT)]).await;
        let problem = world.post(&vault.path("commits"), &token, &overtaken).await.problem();
        assert_eq!((problem.head, problem.overtaken), (Some(winner.head), None));
    }
}

#[actix_web::test]
async fn a_commit_that_breaks_a_rule_is_refused_by_name_and_writes_nothing() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &token).await;
        let known = item(10);
        vault.push(&world, &account, &token, std::slice::from_ref(&known)).await;
        let (_, good) = vault.write(&account, &[item(10), item(20)]);
        let path = vault.path("commits");
        let post = async |change: &dyn Fn(&mut lockstep_proto::api::vaults::PostCommit)| {
            let mut request = good.clone();
            change(&mut request);
            world.post(&path, &token, &request).await.code()
        };
        assert_eq!(post(&|request| request.blobs.swap(0, 1)).await, ErrorCode::BadBlob);
        assert_eq!(post(&|request| request.blobs.truncate(1)).await, ErrorCode::BadBlob);
        assert_eq!(post(&|request| *request.blobs[0].0.last_mut().unwrap() ^= 1).await, ErrorCode::BadBlob);
        assert_eq!(
            post(&|request| *request.commit.0.last_mut().unwrap() ^= 1).await,
            ErrorCode::AuthorRefused
        );
        assert_eq!(post(&|request| *request.body.0.last_mut().unwrap() ^= 1).await, ErrorCode::BadFormat);

        // Not what is stored: an item made twice, a version that is not there, counts that do not add up.
        let mut forgetful = vault.clone();
        forgetful.leaves = LeafMap::default();
        let (_, again) = forgetful.write(&account, &[known]);
        let problem = world.post(&path, &token, &again).await.problem();
        assert_eq!((problem.code, problem.head), (ErrorCode::ItemChanged, Some(vault.head)));
        let (_, miscounted) = vault.miscount().write(&account, &[item(5)]);
        assert_eq!(world.post(&path, &token, &miscounted).await.code(), ErrorCode::DigestWrong);

        let page: CommitPage = world.get(&path, &token).await.ok();
        assert_eq!(page.head, vault.head);
        world.post(&path, &token, &good).await.ok::<Committed>();
    }
}

#[actix_web::test]
async fn pages_of_items_end_at_their_limit_and_walking_them_misses_none() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &token).await;
        for _ in 0..3 {
            let items: Vec<_> = (0..4).map(|_| item(300_000)).collect();
            vault.push(&world, &account, &token, &items).await;
        }
        let (mut seen, mut query, mut pages) = (0, String::new(), 0);
        loop {
            let page: ItemPage = world.get(&format!("{}{query}", vault.path("items")), &token).await.ok();
            assert!(page.items.iter().map(|item| item.blob.len()).sum::<usize>() <= 1 << 20);
            seen += page.items.len();
            pages += 1;
            let last = page.items.last().unwrap();
            query = format!("?after_seq={}&after_item={}", last.seq, last.item_id);
            if !page.more {
                break;
            }
        }
        assert_eq!((seen, pages), (12, 4));
    }
}

#[actix_web::test]
async fn a_thousand_items_go_in_with_one_commit() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &token).await;
        let items: Vec<_> = (0..1_000).map(|_| item(600)).collect();
        vault.push(&world, &account, &token, &items).await;
        let page: ItemPage = world.get(&vault.path("items"), &token).await.ok();
        assert_eq!((page.items.len(), page.head), (1_000, vault.head));
        let big: Vec<_> = (0..3).map(|_| item(900_000)).collect();
        let (_, request) = vault.write(&account, &big);
        assert_eq!(world.post(&vault.path("commits"), &token, &request).await.code(), ErrorCode::TooLarge);
    }
}
