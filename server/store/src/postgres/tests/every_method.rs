//! Everything that a store can be asked, once: what it sends then is what the other tests look at.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockstep_domain::store::{
    AccountLimits, AccountStore as _, Admission, Allot, AllotOutcome, BarStore as _, CommitOutcome,
    FinishOutcome, FinishStage, HealStore as _, ItemPlace, JoinOutcome, NewAccount, NewBars, NewCommit,
    NewItem, NewJoin, NewLinks, NewSides, NewStage, OperatorStore as _, OwnLimits, QuotaStore as _,
    RetentionRule, SideStore as _, SidesOutcome, SignInStore as _, StageOutcome, StagePlace, StagedBlob,
    StagedChange, StagedRow, StoredLink, StoredRecord, StoredSlot, VaultStore as _, VersionPlace,
};
use lockstep_proto::api::items::ItemVersion;
use lockstep_proto::ids::{AccountId, DeviceId, Hash, Seq, ServerId, VaultId, Version};
use lockstep_proto::log::{CommitKind, LogHead};
use lockstep_proto::signin::KsfProfile;

use super::super::PostgresStore;
use super::super::commit::many;
use super::super::connect::connection;
use super::made_up::{OWNER, genesis, item, make_vaults, next, reader};

fn link(seq: u64) -> StoredLink {
    StoredLink {
        head: LogHead { seq: Seq(seq), hash: Hash([seq as u8; 32]) },
        bytes: vec![seq as u8; 90],
        added_ms: seq,
    }
}

fn account(id: AccountId) -> NewAccount {
    NewAccount {
        account_id: id,
        links: vec![link(0), link(1)],
        slots: vec![StoredSlot { hash: Hash([3; 32]), bytes: vec![3; 40] }],
        record: Some(StoredRecord { upload: vec![4; 192], profile: KsfProfile::CURRENT }),
    }
}

/// Room as there is plenty of, and as there is once the other vault's share is lowered.
async fn quotas(store: &PostgresStore, vaults: [VaultId; 2]) {
    let limits = AccountLimits { bytes: 1 << 30, vaults: 2 };
    for (index, more) in [(0, 1), (1, 1), (0, 900 << 20), (1, 1 << 20)] {
        let place = StagePlace { vault_id: vaults[index], account_id: OWNER };
        let outcome = store.allot(Allot { place, more, limits }).await.unwrap();
        assert!(matches!(outcome, AllotOutcome::Allotted(_)), "{outcome:?}");
    }
    assert!(store.set_limits(OWNER, OwnLimits::default()).await.unwrap());
    assert_eq!(store.usage(OWNER).await.unwrap().unwrap().vaults, 2);
}

async fn accounts(store: &PostgresStore, guest: AccountId) {
    store.check().await.unwrap();
    store.probe().await.unwrap();
    assert!(store.size().await.unwrap() > 0);
    store.is_empty().await.unwrap();
    store.bind_server(ServerId([7; 16])).await.unwrap();
    store.server().await.unwrap();
    store.add_invite(Hash([8; 32]), 100).await.unwrap();
    store.has_invite(Hash([8; 32]), 0).await.unwrap();
    store.create_account(account(OWNER), Admission::FirstOnly).await.unwrap();
    store.create_account(account(OWNER), Admission::FirstOnly).await.unwrap();
    let invited = Admission::Invited { invite: Hash([8; 32]), now_ms: 0 };
    store.create_account(account(guest), invited).await.unwrap();
    let slots = vec![StoredSlot { hash: Hash([5; 32]), bytes: vec![5; 40] }];
    let record = account(OWNER).record;
    let gone = [Hash([3; 32])].into();
    let links = NewLinks {
        account_id: OWNER,
        after: link(1).head,
        links: vec![link(2)],
        slots,
        record,
        gone,
        limit_bytes: u64::MAX,
    };
    store.append_links(links).await.unwrap();
    store.link_page(OWNER, None).await.unwrap();
    store.slots(OWNER, [Hash([3; 32])].into()).await.unwrap();
    store.record(OWNER).await.unwrap();
}

async fn committed(store: &PostgresStore, commit: NewCommit) -> LogHead {
    let outcome = store.commit(commit.clone()).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    commit.row.head
}

/// A commit of one change, one of many, one that sets members, one of a batch, and one that comes too late.
async fn commits(store: &PostgresStore, vaults: [VaultId; 2], guest: AccountId) {
    let first = committed(store, next(vaults[0], genesis(), 1)).await;
    let mut two = next(vaults[0], first, 2);
    two.items.push(item(99, 99));
    two.live = 3;
    let second = committed(store, two).await;
    let mut control = next(vaults[0], second, 3);
    control.row.kind = CommitKind::Control;
    (control.items, control.live) = (Vec::new(), 3);
    control.members = Some(vec![OWNER, guest]);
    let third = committed(store, control).await;
    let mut again = next(vaults[0], third, 4);
    let change = &mut again.items[0];
    let mut before = item(1, 1);
    std::mem::swap(change, &mut before);
    change.old = change.new;
    change.new.version = Version(2);
    again.live = 3;
    committed(store, again).await;
    let late = store.commit(next(vaults[0], genesis(), 5)).await.unwrap();
    assert!(matches!(late, CommitOutcome::HeadMoved(_)));
    // As a lane does where several wait.
    let runtime = store.runtime.as_ref().unwrap().handle().clone();
    let (pool, commit) = (store.pool.clone(), next(vaults[1], genesis(), 6));
    let batch = runtime.spawn(async move {
        let client = connection(&pool).await.unwrap();
        many(&client, &[&commit]).await.unwrap().len()
    });
    assert_eq!(batch.await.unwrap(), 1);
}

/// One commit that comes by the staging area, of a vault whose head is `after` and which has one item.
async fn heal(store: &PostgresStore, vault_id: VaultId) {
    let after = store.commit_page(reader(vault_id), None, 10).await.unwrap().unwrap().standing.head;
    let place = StagePlace { vault_id, account_id: OWNER };
    let commit = next(vault_id, after, 8);
    let side = stage_side(store, place).await;
    let NewItem { item_id, old, new, state, blob } = commit.items[0].clone();
    let header = vec![1; 9];
    let change = StagedChange { item_id, old, new, seq: commit.row.head.seq, header: header.clone() };
    let head = commit.row.head;
    let stage = NewStage {
        place,
        after: Some(after),
        rows: vec![StagedRow { row: commit.row, device_id: commit.device_id }],
        sides: vec![side.row.head],
        changes: vec![change],
        checkpoint: vec![1],
        live: commit.live,
        tombstones: 0,
        members: vec![OWNER],
        now_ms: 5,
        limit_bytes: 1 << 20,
    };
    assert_eq!(store.stage(stage).await.unwrap(), StageOutcome::Staged);
    assert_eq!(store.staged_commits(place, None).await.unwrap().rows.len(), 1);
    assert_eq!(store.staged(place).await.unwrap().staged, Some(head));
    assert_eq!(store.next_stage(None).await.unwrap(), Some(place));
    assert_eq!(store.wanted(place, 9).await.unwrap().len(), 1);
    let blob = StagedBlob { item_id, blob_hash: new.blob_hash, header, state, blob };
    assert!(store.stage_blobs(place, vec![blob], 6, 1 << 20).await.unwrap());
    let finish = FinishStage { place, head, now_ms: 7, sides_limit: 1 << 20 };
    assert!(matches!(store.finish_stage(finish).await.unwrap(), FinishOutcome::Finished(_)));
    assert_eq!(store.side_page(reader(vault_id), None).await.unwrap().unwrap().rows, [side.row]);
    store.drop_stage(place, 100).await.unwrap();
}

/// A side commit that waits.
async fn stage_side(store: &PostgresStore, place: StagePlace) -> StagedRow {
    let commit = next(place.vault_id, genesis(), 9);
    let side = StagedRow { row: commit.row, device_id: commit.device_id };
    let new =
        NewSides { place, rows: vec![side.clone()], now_ms: 4, limit_bytes: 1 << 20, stage_bytes: 1 << 20 };
    assert_eq!(store.stage_sides(new).await.unwrap(), SidesOutcome::Staged);
    assert_eq!(store.staged_sides(place, None).await.unwrap().rows.len(), 1);
    side
}

/// A heal commit with one side commit, and one more that is forgotten.
async fn join(store: &PostgresStore, vault_id: VaultId) {
    let page = store.item_page(reader(vault_id), ItemPlace::default()).await.unwrap().unwrap();
    let (after, place) = (page.standing.head, StagePlace { vault_id, account_id: OWNER });
    let side = stage_side(store, place).await;
    let mut commit = next(vault_id, after, 10);
    commit.row.kind = CommitKind::Heal;
    (commit.items, commit.live, commit.members) = (Vec::new(), page.rows.len() as u64, Some(vec![OWNER]));
    let new = NewJoin {
        commit,
        place,
        sides: vec![side.row.head],
        writers: BTreeSet::from([side.device_id]),
        limit_bytes: 1 << 20,
    };
    assert!(matches!(store.join(new).await.unwrap(), JoinOutcome::Joined(_)));
    stage_side(store, place).await;
    store.drop_stage(place, 100).await.unwrap();
}

/// Calls every method of the port.
pub(super) async fn call_every_method(store: &Arc<PostgresStore>, vaults: [VaultId; 2], guest: AccountId) {
    accounts(store, guest).await;
    make_vaults(store, &vaults).await;
    make_vaults(store, &vaults).await;
    commits(store, vaults, guest).await;
    let reader = reader(vaults[0]);
    let item_id = item(1, 1).item_id;
    store.checkpoint(vaults[0]).await.unwrap().unwrap();
    assert!(store.find_commit(reader, genesis()).await.unwrap().unwrap().0);
    store.commit_page(reader, None, 10).await.unwrap().unwrap();
    assert_eq!(store.item_page(reader, ItemPlace::default()).await.unwrap().unwrap().rows.len(), 3);
    let want = vec![ItemVersion { item_id, version: Version(1) }];
    assert_eq!(store.blobs(reader, want).await.unwrap().unwrap().blobs.len(), 1);
    assert_eq!(store.control_page(reader, None).await.unwrap().unwrap().rows.len(), 2);
    store.news(reader, genesis(), 1 << 20).await.unwrap().unwrap().since.unwrap();
    let place = VersionPlace { item_id, before: None, limit: 10 };
    assert_eq!(store.versions(reader, place).await.unwrap().unwrap().versions.len(), 2);
    let devices = vec![DeviceId([77; 16])];
    let bars = NewBars { vault_id: vaults[0], devices, now_ms: 0, until_ms: 9 };
    store.bar(bars).await.unwrap();
    assert_eq!(store.bars(vaults[0], genesis()).await.unwrap().unwrap().bars.len(), 1);
    quotas(store, vaults).await;
    heal(store, vaults[1]).await;
    join(store, vaults[1]).await;
    store.next_vault(None).await.unwrap().unwrap();
    let rule = RetentionRule { now_ms: u64::MAX / 4, keep_ms: 0, keep_versions: 0, purged_ms: 0 };
    assert_eq!(store.prune(vaults[0], rule, 10).await.unwrap().versions, 1);
}
