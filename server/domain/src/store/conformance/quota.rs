//! What counts, and what it counts against.

use std::slice::from_ref;

use lockstep_proto::blob::ItemState;
use lockstep_proto::ids::{AccountId, Hash, VaultId};

use super::super::{
    AccountLimits, Admission, Allot, AllotOutcome, AppendOutcome, CommitOutcome, FinishOutcome, NewCommit,
    NewLinks, NewSides, NewStage, NewVault, OwnLimits, QuotaRule, RetentionRule, Shortage, SidesOutcome,
    StageOutcome, StagePlace, StagedRow, Store, Usage,
};
use super::heal::{PLACE, finish, head_of, stage, staged_blobs};
use super::made_up::{
    NONE, OWNER, READER, VAULT, WRITER, account, item, item_id, link, make_vault, new_commit, new_vault, row,
    slot,
};

/// What a genesis holds, and a commit of this file beside its blobs.
const GENESIS: u64 = 39;
const COMMIT: u64 = 65;
/// What the log of a made-up account holds: two links, a slot, a record.
const LOG: u64 = 100 + 100 + 40 + 192;
const DAY: u64 = 24 * 3_600_000;

fn at(vault: u8) -> StagePlace {
    StagePlace { vault_id: VaultId([vault; 32]), account_id: OWNER }
}

async fn allot(store: &dyn Store, place: StagePlace, more: u64, bytes: u64) -> AllotOutcome {
    store.allot(Allot { place, more, limits: AccountLimits { bytes, vaults: 3 } }).await.unwrap()
}

async fn usage(store: &dyn Store) -> Usage {
    store.usage(OWNER).await.unwrap().unwrap()
}

fn full(used_bytes: u64, limit_bytes: u64) -> AllotOutcome {
    AllotOutcome::Full(Shortage { used_bytes, limit_bytes })
}

/// A vault that has its place, and a share that is its genesis'.
async fn made(store: &dyn Store, vault: u8, bytes: u64) {
    let outcome = allot(store, at(vault), GENESIS, bytes).await;
    assert!(matches!(outcome, AllotOutcome::Allotted(_)), "{outcome:?}");
    store.create_vault(NewVault { vault_id: VaultId([vault; 32]), ..new_vault(0) }).await.unwrap();
}

pub(super) async fn every_stored_byte_counts_and_room_comes_back(store: &dyn Store) {
    assert_eq!(store.usage(OWNER).await.unwrap(), None);
    store.create_account(account(1), Admission::Anyone).await.unwrap();
    let empty = Usage { log_bytes: LOG, vault_bytes: 0, vaults: 0, own: OwnLimits::default() };
    assert_eq!(usage(store).await, empty);
    made(store, VAULT.0[0], 10_000).await;
    let mut head = store.commit_page(READER, None, 1).await.unwrap().unwrap().standing.head;
    let mut leaf = NONE;
    let mut held = GENESIS;
    for round in 0..3_u8 {
        let change = item(item_id(1), leaf, &[round; 10]);
        leaf = change.new;
        let commit = NewCommit { now_ms: DAY, ..new_commit(head, b"x", vec![change], (1, 0)) };
        assert!(matches!(
            allot(store, at(VAULT.0[0]), commit.bytes(), 10_000).await,
            AllotOutcome::Allotted(_)
        ));
        let CommitOutcome::Committed(standing) = store.commit(commit).await.unwrap() else { panic!() };
        held += COMMIT + 10;
        head = standing.head;
        assert_eq!(usage(store).await, Usage { vault_bytes: held, vaults: 1, ..empty });
    }
    let rule = RetentionRule { now_ms: 9 * DAY, keep_ms: 0, keep_versions: 0, purged_ms: 0 };
    assert_eq!(store.prune(VAULT, rule, 9).await.unwrap().bytes, 20);
    assert_eq!(usage(store).await.vault_bytes, held - 20);
}

pub(super) async fn vaults_share_one_quota_to_the_last_byte(store: &dyn Store) {
    store.create_account(account(1), Admission::Anyone).await.unwrap();
    let limit = LOG + 3 * GENESIS + 100;
    for vault in 1..=3 {
        made(store, vault, limit).await;
    }
    assert_eq!(allot(store, at(4), 1, limit).await, AllotOutcome::TooManyVaults);
    let used = LOG + 3 * GENESIS;
    assert_eq!(allot(store, at(1), 101, limit).await, full(used, limit));
    // Whoever asks has what the others do not use.
    for vault in [1, 2, 3, 1] {
        assert_eq!(allot(store, at(vault), 100, limit).await, AllotOutcome::Allotted(GENESIS + 100));
    }
    let of = |vault: u8, salt: &[u8]| {
        let commit = new_commit(row(0, b"genesis").head, salt, Vec::new(), (0, 0));
        NewCommit { vault_id: VaultId([vault; 32]), ..commit }
    };
    // What another one had before is not there any more.
    assert!(matches!(store.commit(of(3, &[7; 36])).await.unwrap(), CommitOutcome::Quota(_)));
    assert!(matches!(store.commit(of(1, &[7; 36])).await.unwrap(), CommitOutcome::Committed(_)));
    assert_eq!(usage(store).await.vault_bytes + LOG, limit);
    for vault in 1..=3 {
        assert_eq!(allot(store, at(vault), 1, limit).await, full(limit, limit));
    }
    // A limit that was lowered leaves what is there.
    assert_eq!(allot(store, at(2), 1, 10).await, full(limit, 10));
}

pub(super) async fn what_is_waived_is_taken_and_counted(store: &dyn Store) {
    store.create_account(account(1), Admission::Anyone).await.unwrap();
    let limit = LOG + GENESIS + COMMIT + 10;
    let place = at(VAULT.0[0]);
    made(store, VAULT.0[0], limit).await;
    assert!(matches!(allot(store, place, COMMIT + 10, limit).await, AllotOutcome::Allotted(_)));
    let first = item(item_id(1), NONE, &[1; 10]);
    let commit = new_commit(row(0, b"genesis").head, b"x", vec![first.clone()], (1, 0));
    let CommitOutcome::Committed(standing) = store.commit(commit).await.unwrap() else { panic!() };
    assert_eq!(standing.bytes_left, 0);
    let mut purge = item(item_id(1), first.new, &[]);
    purge.state = ItemState::Tombstone;
    let purge = new_commit(standing.head, b"y", vec![purge], (0, 1));
    assert_eq!(store.commit(purge.clone()).await.unwrap(), CommitOutcome::Quota(standing));
    let purge = NewCommit { quota: QuotaRule::Waived, now_ms: 2 * DAY, ..purge };
    let CommitOutcome::Committed(standing) = store.commit(purge).await.unwrap() else { panic!() };
    assert_eq!(standing.bytes_left, 0);
    assert_eq!(usage(store).await.vault_bytes + LOG, limit + COMMIT);
    assert_eq!(allot(store, place, 0, limit).await, full(limit + COMMIT, limit));
    // The room of what was purged comes back with its versions' end.
    let rule = RetentionRule { now_ms: 90 * DAY, keep_ms: 0, keep_versions: 0, purged_ms: 30 * DAY };
    assert_eq!(store.prune(VAULT, rule, 9).await.unwrap().bytes, 10);
    assert_eq!(allot(store, place, 1, limit).await, full(limit + COMMIT - 10, limit));
    assert!(matches!(allot(store, place, 1, limit + COMMIT).await, AllotOutcome::Allotted(_)));
}

pub(super) async fn what_is_staged_counts_once_and_becomes_the_vaults(store: &dyn Store) {
    store.create_account(account(1), Admission::Anyone).await.unwrap();
    let limit = LOG + 3 * 38 + 36 + 10;
    let made = item(item_id(1), NONE, &[1; 10]);
    let whole = stage(None, 3, from_ref(&made), (1, 0));
    let AllotOutcome::Allotted(share) = allot(store, PLACE, 3 * 38, limit).await else { panic!() };
    let side = vec![StagedRow { row: row(1, b"side"), device_id: WRITER }];
    let sides = |stage_bytes| NewSides {
        place: PLACE,
        rows: side.clone(),
        now_ms: 2_000,
        limit_bytes: 1_000,
        stage_bytes,
    };
    assert_eq!(store.stage_sides(sides(35)).await.unwrap(), SidesOutcome::Full);
    assert_eq!(store.stage_sides(sides(36)).await.unwrap(), SidesOutcome::Staged);
    let too_little = NewStage { limit_bytes: 3 * 38 + 35, ..whole.clone() };
    assert_eq!(store.stage(too_little).await.unwrap(), StageOutcome::Full);
    let needed = NewStage { limit_bytes: share + 36, sides: vec![side[0].row.head], ..whole.clone() };
    assert_eq!(store.stage(needed).await.unwrap(), StageOutcome::Staged);
    assert_eq!(usage(store).await.vault_bytes, 3 * 38 + 36);
    assert_eq!(allot(store, PLACE, 11, limit).await, full(limit - 10, limit));
    assert_eq!(allot(store, PLACE, 10, limit).await, AllotOutcome::Allotted(limit - LOG));
    assert_eq!(allot(store, at(9), 11, limit).await, full(limit - 10, limit), "another vault finds it used");
    staged_blobs(store, &[made]).await;
    let finished = store.finish_stage(finish(head_of(&whole))).await.unwrap();
    assert!(matches!(finished, FinishOutcome::Finished(_)), "{finished:?}");
    assert_eq!(usage(store).await.vault_bytes + LOG, limit, "it counts once");
    // What is staged of a vault that is there is not there for its commits.
    let more = limit + COMMIT + 38;
    assert!(matches!(allot(store, PLACE, COMMIT + 38, more).await, AllotOutcome::Allotted(_)));
    let next = NewStage { live: 1, ..stage(Some(head_of(&whole)), 1, &[], (1, 0)) };
    assert_eq!(store.stage(next).await.unwrap(), StageOutcome::Staged);
    let commit = |salt: &[u8]| new_commit(head_of(&whole), salt, Vec::new(), (1, 0));
    assert!(matches!(store.commit(commit(b"xy")).await.unwrap(), CommitOutcome::Quota(_)));
    assert!(matches!(store.commit(commit(b"x")).await.unwrap(), CommitOutcome::Committed(_)));
}

pub(super) async fn a_log_has_a_bound_of_its_own(store: &dyn Store) {
    store.create_account(account(1), Admission::Anyone).await.unwrap();
    // The old slot goes, the new one and a link come.
    let new = |limit_bytes| NewLinks {
        account_id: OWNER,
        after: link(1, 1, 100).head,
        links: vec![link(1, 2, 30)],
        slots: vec![slot(8)],
        record: None,
        gone: [slot(1).hash].into(),
        limit_bytes,
    };
    assert_eq!(store.append_links(new(LOG + 29)).await.unwrap(), AppendOutcome::Full);
    assert_eq!(
        (usage(store).await.log_bytes, store.slots(OWNER, [Hash([8; 32])].into()).await.unwrap().len()),
        (LOG, 0)
    );
    assert_eq!(store.append_links(new(LOG + 30)).await.unwrap(), AppendOutcome::Appended);
    assert_eq!(usage(store).await.log_bytes, LOG + 30);
}

pub(super) async fn one_account_may_have_limits_of_its_own(store: &dyn Store) {
    let own = OwnLimits { bytes: Some(LOG + 1_000), vaults: Some(1) };
    assert!(!store.set_limits(OWNER, own).await.unwrap());
    store.create_account(account(1), Admission::Anyone).await.unwrap();
    store.create_account(account(7), Admission::Anyone).await.unwrap();
    assert_eq!(allot(store, at(1), 1_000, 10).await, full(LOG, 10));
    assert!(store.set_limits(OWNER, own).await.unwrap());
    assert_eq!(usage(store).await.own, own);
    assert_eq!(allot(store, at(1), 1_000, 10).await, AllotOutcome::Allotted(1_000));
    assert_eq!(allot(store, at(2), 1, 10).await, AllotOutcome::TooManyVaults);
    let other = StagePlace { account_id: AccountId([7; 32]), ..at(1) };
    assert_eq!(allot(store, other, 1_000, 10).await, full(LOG, 10), "nobody else has them");
    assert!(store.set_limits(OWNER, OwnLimits::default()).await.unwrap());
    assert_eq!(allot(store, at(1), 1_000, 10).await, full(LOG, 10));
    assert!(make_vault(store, 0).await.seq.0 == 0);
}
