//! How long the past is kept, and that nobody who writes waits for its end.

use std::cell::Cell;

use lockstep_domain::services::{HistoryRule, Retention};
use lockstep_domain::store::Pruned;
use lockstep_proto::api::items::{BlobsPage, BlobsRequest, ItemPage, ItemVersion, VersionPage};
use lockstep_proto::api::vaults::CommitPage;
use lockstep_proto::blob::{ENVELOPE_LENGTH_MIN, ItemState};
use lockstep_proto::ids::{ItemId, Version};

use crate::support::{Account, Backend, Vault, World, item, random};

const DAY: u64 = 24 * 3_600;

/// One writer of one vault.
struct Writer {
    world: World,
    account: Account,
    token: String,
    vault: Vault,
}

impl Writer {
    async fn start(backend: Backend) -> Self {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let vault = Vault::create(&world, &mut account, &token).await;
        Self { world, account, token, vault }
    }

    /// A day passes, and the writer signs in again.
    async fn wait_days(&mut self, days: u64) {
        self.world.clock.advance_seconds(days * DAY);
        self.token = self.account.token(&self.world).await;
    }

    async fn put(&mut self, id: ItemId, size: usize) {
        self.push(&[(id, ItemState::Live, vec![7; ENVELOPE_LENGTH_MIN + size])]).await;
    }

    async fn purge(&mut self, id: ItemId) {
        self.push(&[(id, ItemState::Tombstone, vec![1; 400])]).await;
    }

    async fn push(&mut self, items: &[(ItemId, ItemState, Vec<u8>)]) {
        self.vault.push(&self.world, &self.account, &self.token, items).await;
    }

    /// A walk by the rule: days, versions, days for what was purged.
    async fn walk(&self, days: u32, versions: u32, purged: u32) -> Pruned {
        self.retention(days, versions, purged).walk().await.unwrap()
    }

    fn retention(&self, days: u32, versions: u32, purged: u32) -> Retention {
        let rule = HistoryRule::new(days, versions, purged).unwrap();
        Retention::new(self.world.store.clone(), self.world.clock.clone(), rule)
    }

    /// The versions that are kept, newest first; all of them can be fetched, and their bytes are what the quota counts.
    async fn kept(&self, ids: &[ItemId]) -> Vec<Vec<u64>> {
        let (mut kept, mut bytes) = (Vec::new(), 0);
        for id in ids {
            let path = self.vault.path(&format!("items/{id}/versions"));
            let page: VersionPage = self.world.get(&path, &self.token).await.ok();
            let want = page.versions.iter().map(|kept| ItemVersion { item_id: *id, version: kept.version });
            let request = BlobsRequest { want: want.collect() };
            let blobs: BlobsPage =
                self.world.post(&self.vault.path("blobs"), &self.token, &request).await.ok();
            assert_eq!(blobs.blobs.len(), page.versions.len());
            bytes += blobs.blobs.iter().map(|blob| blob.blob.len() as u64).sum::<u64>();
            kept.push(page.versions.iter().map(|kept| kept.version.0).collect());
        }
        let page: CommitPage = self.world.get(&self.vault.path("commits"), &self.token).await.ok();
        assert_eq!(page.head, self.vault.head);
        // Its own commits, which stay, and the genesis.
        bytes +=
            page.commits.iter().map(|stored| (stored.commit.len() + stored.body.len()) as u64).sum::<u64>();
        let usage = self.world.store.usage(self.account.id).await.unwrap().unwrap();
        if usage.vaults == 1 {
            assert_eq!(usage.vault_bytes, bytes);
        }
        kept
    }
}

#[actix_web::test]
async fn versions_go_by_age_and_give_their_room_back() {
    for backend in Backend::ALL {
        let mut writer = Writer::start(backend).await;
        let id = ItemId::from_random(random());
        for size in [100, 200, 300] {
            writer.put(id, size).await;
            writer.wait_days(10).await;
        }
        // Version 1 was replaced 20 days ago, version 2 ten.
        assert_eq!(writer.walk(20, 50, 30).await, Pruned::default());
        writer.world.clock.advance_seconds(1);
        assert_eq!(writer.walk(20, 50, 30).await.versions, 1);
        assert_eq!(writer.kept(&[id]).await, [[3, 2]]);
        let missing = ItemVersion { item_id: id, version: Version(1) };
        let request = BlobsRequest { want: vec![missing] };
        let path = writer.vault.path("blobs");
        let page: BlobsPage = writer.world.post(&path, &writer.token, &request).await.ok();
        assert_eq!((page.blobs.len(), page.missing), (0, vec![missing]));
        // However long ago it was written, the current version stays.
        writer.wait_days(1_000).await;
        assert_eq!(writer.walk(1, 1, 30).await.versions, 1);
        assert_eq!(writer.kept(&[id]).await, [[3]]);
        assert_eq!(writer.walk(1, 1, 30).await, Pruned::default());
        writer.put(id, 400).await;
        assert_eq!(writer.kept(&[id]).await, [[4, 3]]);
    }
}

#[actix_web::test]
async fn versions_go_by_count_but_none_within_a_day() {
    for backend in Backend::ALL {
        let mut writer = Writer::start(backend).await;
        let (id, calm) = (ItemId::from_random(random()), ItemId::from_random(random()));
        writer.put(calm, 50).await;
        for size in 1..=6 {
            writer.put(id, size).await;
        }
        writer.put(calm, 60).await;
        writer.wait_days(1).await;
        assert_eq!(writer.walk(365, 2, 30).await, Pruned::default());
        writer.world.clock.advance_seconds(1);
        assert_eq!(writer.walk(365, 2, 30).await.versions, 3);
        assert_eq!(writer.kept(&[id, calm]).await, [vec![6, 5, 4], vec![2, 1]]);
        writer.put(id, 7).await;
        // One more was replaced, and the oldest is long enough ago.
        assert_eq!(writer.walk(365, 2, 30).await.versions, 1);
        assert_eq!(writer.kept(&[id, calm]).await, [vec![7, 6, 5], vec![2, 1]]);
    }
}

#[actix_web::test]
async fn a_purged_items_versions_go_after_their_time_and_its_tombstone_never() {
    for backend in Backend::ALL {
        let mut writer = Writer::start(backend).await;
        let (purged, live) = (ItemId::from_random(random()), ItemId::from_random(random()));
        for size in 1..=4 {
            writer.put(purged, size).await;
        }
        writer.put(live, 10).await;
        writer.wait_days(100).await;
        writer.purge(purged).await;
        // Neither age nor count takes from it what a person may want back.
        writer.wait_days(30).await;
        assert_eq!(writer.walk(1, 1, 30).await, Pruned::default());
        writer.world.clock.advance_seconds(1);
        assert_eq!(writer.walk(1, 1, 31).await, Pruned::default());
        assert_eq!(writer.walk(365, 50, 30).await.versions, 4);
        assert_eq!(writer.kept(&[purged, live]).await, [[5], [1]]);
        writer.wait_days(10_000).await;
        assert_eq!(writer.walk(1, 1, 30).await, Pruned::default());
        let page: ItemPage = writer.world.get(&writer.vault.path("items"), &writer.token).await.ok();
        assert_eq!(page.items.len(), 2);
    }
}

#[actix_web::test]
async fn every_vault_has_its_turn() {
    for backend in Backend::ALL {
        let mut writer = Writer::start(backend).await;
        let mut vaults = vec![writer.vault.clone()];
        for _ in 0..4 {
            vaults.push(Vault::create(&writer.world, &mut writer.account, &writer.token).await);
        }
        let id = ItemId::from_random(random());
        for vault in &mut vaults {
            for size in 1..=3 {
                let change = [(id, ItemState::Live, vec![7; ENVELOPE_LENGTH_MIN + size])];
                vault.push(&writer.world, &writer.account, &writer.token, &change).await;
            }
        }
        writer.wait_days(366).await;
        assert_eq!(writer.walk(365, 50, 30).await.versions, 10);
        for vault in vaults {
            writer.vault = vault;
            assert_eq!(writer.kept(&[id]).await, [[3]]);
        }
    }
}

#[actix_web::test]
async fn a_walk_that_is_cut_off_starts_anew_and_counts_nothing_twice() {
    for backend in Backend::ALL {
        let mut writer = Writer::start(backend).await;
        let ids: Vec<_> = (0..200).map(|_| ItemId::from_random(random())).collect();
        for size in 1..=4 {
            let items: Vec<_> =
                ids.iter().map(|id| (*id, ItemState::Live, vec![7; ENVELOPE_LENGTH_MIN + size])).collect();
            writer.push(&items).await;
        }
        writer.wait_days(366).await;
        for polls in 0..3 {
            let cut_off = async {
                for _ in 0..polls {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                _ = writer.walk(365, 50, 30) => panic!("{backend:?}: over too soon"),
                () = cut_off => {}
            }
        }
        // A batch whose asker is gone may be under way still; each of the three spoils one walk at most.
        let mut gone = 0;
        for _ in 0..4 {
            gone += writer.walk(365, 50, 30).await.versions;
        }
        assert!(gone <= 600);
        assert!(writer.kept(&ids).await.iter().all(|versions| *versions == [4]));
    }
}

#[actix_web::test]
async fn commits_go_on_while_versions_go() {
    for backend in Backend::ALL {
        let mut writer = Writer::start(backend).await;
        let ids: Vec<_> = (0..128).map(|_| ItemId::from_random(random())).collect();
        for size in 1..=5 {
            let items: Vec<_> =
                ids.iter().map(|id| (*id, ItemState::Live, vec![7; ENVELOPE_LENGTH_MIN + size])).collect();
            writer.push(&items).await;
        }
        writer.wait_days(366).await;
        let retention = writer.retention(365, 50, 30);
        let (over, commits, fresh) = (Cell::new(false), Cell::new(0), item(20));
        let pruning = async {
            let gone = retention.walk().await.unwrap();
            over.set(true);
            gone
        };
        let writing = async {
            while !over.get() {
                writer.push(std::slice::from_ref(&fresh)).await;
                commits.set(commits.get() + 1);
                // The store in memory answers at once: without this nobody else would have a turn on this thread.
                tokio::task::yield_now().await;
            }
        };
        let (gone, ()) = tokio::join!(pruning, writing);
        assert_eq!(gone.versions, 4 * 128);
        // There are nine batches; whoever writes has a turn between any two.
        assert!(commits.get() > 2, "{backend:?}: {} commits", commits.get());
        println!("{backend:?}: {} commits while 512 versions went", commits.get());
        let kept = writer.kept(&[&ids[..], &[fresh.0]].concat()).await;
        assert!(kept[..128].iter().all(|versions| *versions == [5]));
        // What was replaced meanwhile was not due.
        assert_eq!(kept[128].len(), commits.get());
    }
}
