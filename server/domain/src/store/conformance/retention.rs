//! Versions that were replaced: listed, kept for a time, and let go.

use lockstep_proto::api::items::ItemVersion;
use lockstep_proto::blob::ItemState;
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{AccountId, VaultId, Version};
use lockstep_proto::log::LogHead;

use super::super::{
    CommitOutcome, CreateVaultOutcome, ItemPlace, NewVault, Pruned, RetentionRule, Store, VaultReader,
    VersionPlace,
};
use super::made_up::{NONE, READER, VAULT, item, item_id, make_vault, new_commit, new_vault};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
const QUOTA: u64 = 1_000_000;

/// A rule that lets nothing go, looked at on this day and hour.
fn keep_all(day: u64, hour: u64) -> RetentionRule {
    let never = u64::MAX;
    RetentionRule {
        now_ms: day * DAY + hour * HOUR,
        keep_ms: never,
        keep_versions: u32::MAX,
        purged_ms: never,
    }
}

/// A vault that one writer fills.
struct Writer<'a> {
    store: &'a dyn Store,
    head: LogHead,
    leaves: [Leaf; 4],
    purged: [bool; 4],
    left: u64,
}

impl<'a> Writer<'a> {
    async fn new(store: &'a dyn Store) -> Self {
        let head = make_vault(store, QUOTA).await;
        Self { store, head, leaves: [NONE; 4], purged: [false; 4], left: QUOTA }
    }

    /// Writes the next version of an item at the beginning of a day; its blob has ten bytes.
    async fn write(&mut self, number: usize, day: u64, state: ItemState) {
        let mut change = item(item_id(number as u16), self.leaves[number], &[day as u8; 10]);
        change.state = state;
        self.leaves[number] = change.new;
        self.purged[number] = state == ItemState::Tombstone;
        let there = self.leaves.iter().filter(|leaf| **leaf != NONE).count() as u64;
        let tombstones = self.purged.iter().filter(|purged| **purged).count() as u64;
        let mut commit = new_commit(self.head, b"w", vec![change], (there - tombstones, tombstones));
        commit.now_ms = day * DAY;
        let outcome = self.store.commit(commit).await.unwrap();
        let CommitOutcome::Committed(standing) = outcome else { panic!("{outcome:?}") };
        (self.head, self.left) = (standing.head, standing.bytes_left);
    }

    async fn live(&mut self, number: usize, days: std::ops::RangeInclusive<u64>) {
        for day in days {
            self.write(number, day, ItemState::Live).await;
        }
    }

    /// The versions that an item still has, ascending.
    async fn kept(&self, number: usize) -> Vec<u64> {
        let place = VersionPlace { item_id: item_id(number as u16), before: None, limit: 1_000 };
        let page = self.store.versions(READER, place).await.unwrap().unwrap();
        assert!(!page.more);
        page.versions.iter().rev().map(|kept| kept.version.0).collect()
    }

    /// Prunes, and checks that so many versions went and their room is back.
    async fn prune(&mut self, rule: RetentionRule, versions: u32) {
        let pruned = self.store.prune(VAULT, rule, 1_000).await.unwrap();
        let bytes = u64::from(versions) * 10;
        assert_eq!(pruned, Pruned { versions, bytes }, "{rule:?}");
        self.left += bytes;
        let standing = self.store.commit_page(READER, None, 1).await.unwrap().unwrap().standing;
        assert_eq!((standing.head, standing.bytes_left), (self.head, self.left));
    }
}

pub(super) async fn versions_are_listed_newest_first(store: &dyn Store) {
    let mut writer = Writer::new(store).await;
    writer.live(1, 1..=3).await;
    writer.live(2, 4..=4).await;
    let place = |before, limit| VersionPlace { item_id: item_id(1), before, limit };
    let page = store.versions(READER, place(None, 10)).await.unwrap().unwrap();
    let listed: Vec<_> = page
        .versions
        .iter()
        .map(|kept| (kept.version.0, kept.seq.0, kept.bytes, kept.stored_ms, kept.replaced_ms))
        .collect();
    let expected =
        [(3, 3, 10, 3 * DAY, None), (2, 2, 10, 2 * DAY, Some(3 * DAY)), (1, 1, 10, DAY, Some(2 * DAY))];
    assert_eq!((listed, page.more), (expected.to_vec(), false));
    let pages = async |before: Option<u64>, limit| {
        let page = store.versions(READER, place(before.map(Version), limit)).await.unwrap().unwrap();
        (page.versions.iter().map(|kept| kept.version.0).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(pages(None, 2).await, (vec![3, 2], true));
    assert_eq!(pages(Some(2), 2).await, (vec![1], false));
    assert_eq!(pages(Some(3), 1).await, (vec![2], true));
    assert_eq!(pages(Some(1), 9).await, (vec![], false));
    assert_eq!(pages(Some(u64::MAX), 9).await, (vec![3, 2, 1], false), "versions are ordered without a sign");
    let nothing = VersionPlace { item_id: item_id(3), before: None, limit: 10 };
    assert!(store.versions(READER, nothing).await.unwrap().unwrap().versions.is_empty());
    let stranger = VaultReader { account_id: AccountId([99; 32]), ..READER };
    assert_eq!(store.versions(stranger, place(None, 10)).await.unwrap(), None);
}

pub(super) async fn versions_go_by_age_and_never_within_a_day(store: &dyn Store) {
    let mut writer = Writer::new(store).await;
    writer.live(1, 1..=6).await;
    writer.live(2, 1..=1).await;
    writer.prune(keep_all(1_000, 0), 0).await;
    let older_than = |days: u64, day, hour| RetentionRule { keep_ms: days * DAY, ..keep_all(day, hour) };
    // Version 1 was replaced on day 2, version 2 on day 3.
    writer.prune(older_than(5, 7, 0), 0).await;
    writer.prune(older_than(5, 7, 1), 1).await;
    assert_eq!(writer.kept(1).await, [2, 3, 4, 5, 6]);
    writer.prune(older_than(5, 7, 1), 0).await;
    writer.prune(older_than(0, 5, 0), 1).await;
    assert_eq!(
        writer.kept(1).await,
        [3, 4, 5, 6],
        "what was replaced a day ago or less stays, whatever the rule"
    );
    writer.prune(older_than(0, 7, 0), 2).await;
    writer.prune(older_than(0, 7, 1), 1).await;
    writer.prune(older_than(0, 1_000, 0), 0).await;
    assert_eq!(
        (writer.kept(1).await, writer.kept(2).await),
        (vec![6], vec![1]),
        "current ones stay for ever"
    );
    let want = |version| ItemVersion { item_id: item_id(1), version: Version(version) };
    let page = store.blobs(READER, vec![want(1), want(6)]).await.unwrap().unwrap();
    assert_eq!((page.missing, page.blobs[0].blob.len()), (vec![want(1)], 10));
    assert_eq!(store.commit_page(READER, None, 100).await.unwrap().unwrap().rows.len(), 8, "commits stay");
    writer.live(1, 1_000..=1_000).await;
}

pub(super) async fn versions_go_by_their_number(store: &dyn Store) {
    let mut writer = Writer::new(store).await;
    writer.live(1, 1..=6).await;
    writer.live(2, 1..=3).await;
    let at_most = |count, day, hour| RetentionRule { keep_versions: count, ..keep_all(day, hour) };
    writer.prune(at_most(5, 100, 0), 0).await;
    writer.prune(at_most(4, 3, 0), 0).await;
    writer.prune(at_most(4, 100, 0), 1).await;
    assert_eq!((writer.kept(1).await, writer.kept(2).await), (vec![2, 3, 4, 5, 6], vec![1, 2, 3]));
    // By number all replaced ones are due, by the floor those of the last day are not.
    writer.prune(at_most(0, 6, 1), 3 + 2).await;
    assert_eq!((writer.kept(1).await, writer.kept(2).await), (vec![5, 6], vec![3]));
    let both = RetentionRule { keep_ms: 50 * DAY, keep_versions: 0, ..keep_all(100, 0) };
    writer.prune(both, 1).await;
}

pub(super) async fn a_purged_item_keeps_its_versions_for_a_time_of_its_own(store: &dyn Store) {
    let mut writer = Writer::new(store).await;
    writer.live(1, 1..=3).await;
    writer.live(2, 1..=3).await;
    writer.write(1, 50, ItemState::Tombstone).await;
    let rule = |day, hour| RetentionRule {
        keep_ms: 10 * DAY,
        keep_versions: 0,
        purged_ms: 30 * DAY,
        ..keep_all(day, hour)
    };
    writer.prune(rule(51, 0), 2).await;
    assert_eq!(writer.kept(1).await, [1, 2, 3, 4], "age and number say nothing of what was purged");
    writer.prune(rule(80, 0), 0).await;
    writer.prune(rule(80, 1), 3).await;
    assert_eq!((writer.kept(1).await, writer.kept(2).await), (vec![4], vec![3]));
    let page = store.item_page(READER, ItemPlace::default()).await.unwrap().unwrap();
    assert_eq!(page.rows.len(), 2, "the tombstone stays");

    // Brought back, the common rule holds again, for the tombstone's version too.
    writer.live(1, 90..=90).await;
    writer.prune(RetentionRule { purged_ms: 0, ..keep_all(200, 0) }, 0).await;
    writer.prune(rule(101, 0), 1).await;
    assert_eq!(writer.kept(1).await, [5]);
}

pub(super) async fn pruning_goes_step_by_step_and_keeps_to_its_vault(store: &dyn Store) {
    let mut writer = Writer::new(store).await;
    writer.live(1, 1..=4).await;
    writer.live(2, 1..=4).await;
    let rule = RetentionRule { keep_ms: 0, ..keep_all(100, 0) };
    for (limit, versions) in [(0, 0), (2, 2), (3, 3), (3, 1), (3, 0)] {
        let pruned = store.prune(VAULT, rule, limit).await.unwrap();
        assert_eq!(pruned, Pruned { versions, bytes: u64::from(versions) * 10 }, "at most {limit}");
    }
    assert_eq!((writer.kept(1).await, writer.kept(2).await), (vec![4], vec![4]));
    writer.live(1, 5..=5).await;
    let nobody = VaultId([200; 32]);
    assert_eq!(store.prune(nobody, rule, 10).await.unwrap(), Pruned::default());
    let other = NewVault { vault_id: nobody, ..new_vault(QUOTA) };
    assert!(matches!(store.create_vault(other).await.unwrap(), CreateVaultOutcome::Created(_)));
    assert_eq!(store.prune(nobody, rule, 10).await.unwrap(), Pruned::default());
    assert_eq!(writer.kept(1).await, [4, 5]);
}

pub(super) async fn vaults_are_walked_in_the_order_of_their_ids(store: &dyn Store) {
    assert_eq!(store.next_vault(None).await.unwrap(), None);
    let ids = [0, 1, 127, 128, 255].map(|byte| VaultId([byte; 32]));
    for vault_id in ids.iter().rev() {
        let vault = NewVault { vault_id: *vault_id, ..new_vault(QUOTA) };
        store.create_vault(vault).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    while let Some(next) = store.next_vault(after).await.unwrap() {
        seen.push(next);
        after = Some(next);
    }
    assert_eq!(seen, ids);
    let between = VaultId([100; 32]);
    assert_eq!(store.next_vault(Some(between)).await.unwrap(), Some(ids[2]));
}
