//! Staging areas: nothing is the vault's before everything is there.

use std::slice::from_ref;

use lockstep_proto::blob::ItemState;
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{AccountId, Hash, Seq, VaultId};
use lockstep_proto::log::LogHead;

use super::super::{
    CommitOutcome, FinishOutcome, FinishStage, ItemPlace, NewBars, NewItem, NewStage, StageOutcome,
    StagePlace, Staged, StagedBlob, StagedChange, StagedRow, Standing, Store, VaultReader, VersionPlace,
};
use super::made_up::{NONE, OWNER, READER, VAULT, WRITER, item, item_id, make_vault, new_commit, row};

pub(super) const PLACE: StagePlace = StagePlace { vault_id: VAULT, account_id: OWNER };
const QUOTA: u64 = 10_000;
/// What a staged commit holds.
const COMMIT: u64 = 38;

/// What commits and items make of a vault after `after`: positions follow, the last one changes every item.
pub(super) fn stage(after: Option<LogHead>, count: u64, items: &[NewItem], counts: (u64, u64)) -> NewStage {
    let first = after.map_or(0, |after| after.seq.0 + 1);
    let device_id = WRITER;
    let rows: Vec<_> =
        (first..first + count).map(|seq| StagedRow { row: row(seq, b"staged"), device_id }).collect();
    let seq = Seq(first + count - 1);
    let changes = items.iter().map(|item| StagedChange {
        item_id: item.item_id,
        old: item.old,
        new: item.new,
        seq,
        header: item.new.blob_hash.0[..9].to_vec(),
    });
    NewStage {
        place: PLACE,
        after,
        rows,
        sides: Vec::new(),
        changes: changes.collect(),
        checkpoint: format!("staged at {seq}").into_bytes(),
        live: counts.0,
        tombstones: counts.1,
        members: vec![OWNER],
        now_ms: 2_000,
        limit_bytes: 10_000,
    }
}

pub(super) fn blob(item: &NewItem) -> StagedBlob {
    StagedBlob {
        item_id: item.item_id,
        blob_hash: item.new.blob_hash,
        header: item.new.blob_hash.0[..9].to_vec(),
        state: item.state,
        blob: item.blob.clone(),
    }
}

pub(super) async fn staged_blobs(store: &dyn Store, items: &[NewItem]) {
    assert!(store.stage_blobs(PLACE, items.iter().map(blob).collect(), 2_000, 10_000).await.unwrap());
}

pub(super) fn head_of(stage: &NewStage) -> LogHead {
    stage.rows.last().unwrap().row.head
}

pub(super) fn finish(head: LogHead) -> FinishStage {
    FinishStage { place: PLACE, head, now_ms: 3_000, sides_limit: 1 << 20 }
}

/// Everything that a reader sees of the vault.
async fn seen(store: &dyn Store) -> String {
    let commits = store.commit_page(READER, None, 100).await.unwrap();
    let items = store.item_page(READER, ItemPlace::default()).await.unwrap();
    format!("{commits:?} {items:?} {:?}", store.checkpoint(VAULT).await.unwrap())
}

pub(super) async fn a_vault_catches_up_in_one_step(store: &dyn Store) {
    let genesis = make_vault(store, QUOTA).await;
    let first = item(item_id(1), NONE, b"first");
    let commit = new_commit(genesis, b"a", vec![first.clone()], (1, 0));
    let CommitOutcome::Committed(before) = store.commit(commit).await.unwrap() else { panic!() };
    let vault = Some(before.head);
    let checkpoint = Some(b"at 1".to_vec());
    let fresh = Staged { vault, staged: None, checkpoint };
    assert_eq!(store.staged(PLACE).await.unwrap(), fresh);
    let shown = seen(store).await;

    // The first change of the item is staged, then one over it; a second item is made and purged.
    let middle = item(item_id(1), first.new, b"middle");
    let one = stage(vault, 2, &[middle.clone(), item(item_id(2), NONE, b"made")], (2, 0));
    assert_eq!(store.stage(one.clone()).await.unwrap(), StageOutcome::Staged);
    staged_blobs(store, from_ref(&middle)).await;
    let last = item(item_id(1), middle.new, b"last");
    let mut purge = item(item_id(2), item(item_id(2), NONE, b"made").new, b"purge");
    purge.state = ItemState::Tombstone;
    let two = stage(Some(head_of(&one)), 1, &[last.clone(), purge.clone()], (1, 1));
    assert_eq!(store.stage(two.clone()).await.unwrap(), StageOutcome::Staged);
    let head = head_of(&two);
    let page = store.staged_commits(PLACE, None).await.unwrap();
    let both = one.rows.iter().chain(&two.rows).map(|staged| staged.row.clone()).collect::<Vec<_>>();
    assert_eq!((page.rows, page.more), (both.clone(), false));
    let page = store.staged_commits(PLACE, Some(both[0].head.seq)).await.unwrap();
    assert_eq!(page.rows, both[1..]);
    let staged = store.staged(PLACE).await.unwrap();
    assert_eq!((staged.vault, staged.staged), (vault, Some(head)));
    assert_eq!(staged.checkpoint, Some(b"staged at 4".to_vec()));

    let wanted = store.wanted(PLACE, 10).await.unwrap();
    let items: Vec<_> = wanted.iter().map(|wanted| (wanted.item_id, wanted.blob_hash)).collect();
    assert_eq!(items, [(last.item_id, last.new.blob_hash), (purge.item_id, purge.new.blob_hash)]);
    assert_eq!(store.wanted(PLACE, 1).await.unwrap(), wanted[..1]);
    // What is not wanted is passed over.
    let other_header = StagedBlob { header: vec![1], ..blob(&last) };
    let other_hash = StagedBlob { blob_hash: Hash([9; 32]), ..blob(&last) };
    let other_item = blob(&item(item_id(3), NONE, b"other"));
    let unwanted = vec![other_header, other_hash, other_item, blob(&middle)];
    assert!(store.stage_blobs(PLACE, unwanted, 2_000, 10_000).await.unwrap());
    assert_eq!(store.wanted(PLACE, 10).await.unwrap(), wanted);
    assert_eq!(store.finish_stage(finish(head)).await.unwrap(), FinishOutcome::Incomplete);
    staged_blobs(store, from_ref(&last)).await;
    staged_blobs(store, &[last.clone(), purge.clone()]).await;
    assert!(store.wanted(PLACE, 10).await.unwrap().is_empty());
    assert_eq!(seen(store).await, shown, "nothing of it is the vault's yet");

    let now = Standing { head, bytes_left: before.bytes_left - 9 - 3 * COMMIT };
    assert_eq!(store.finish_stage(finish(head)).await.unwrap(), FinishOutcome::Finished(now));
    assert_eq!(store.finish_stage(finish(head)).await.unwrap(), FinishOutcome::Already(now));
    let page = store.commit_page(READER, None, 100).await.unwrap().unwrap();
    assert_eq!((page.standing, page.rows.len()), (now, 5));
    assert_eq!(page.rows[2..4], one.rows.iter().map(|staged| staged.row.clone()).collect::<Vec<_>>()[..]);
    let items = store.item_page(READER, ItemPlace::default()).await.unwrap().unwrap().rows;
    let leaves: Vec<_> = items.iter().map(|item| (item.seq, item.blob_hash, item.blob.0.clone())).collect();
    assert_eq!(
        leaves,
        [(Seq(4), last.new.blob_hash, last.blob), (Seq(4), purge.new.blob_hash, purge.blob.clone())]
    );
    assert_eq!(store.checkpoint(VAULT).await.unwrap(), Some(b"staged at 4".to_vec()));
    let place = VersionPlace { item_id: item_id(1), before: None, limit: 9 };
    let versions = store.versions(READER, place).await.unwrap().unwrap().versions;
    let replaced: Vec<_> = versions.iter().map(|version| (version.version.0, version.replaced_ms)).collect();
    assert_eq!(replaced, [(3, None), (1, Some(3_000))], "versions in between have no blobs");
    let staged = store.staged(PLACE).await.unwrap();
    assert_eq!((staged.vault, staged.staged), (Some(head), None));
    // And it goes on from there.
    let edit = item(item_id(2), purge.new, b"again");
    let next = new_commit(head, b"b", vec![edit], (2, 0));
    assert!(matches!(store.commit(next).await.unwrap(), CommitOutcome::Committed(_)));
}

pub(super) async fn a_vault_comes_back_from_its_genesis(store: &dyn Store) {
    assert_eq!(store.staged(PLACE).await.unwrap(), Staged::default());
    let made = item(item_id(1), NONE, b"made");
    let whole = stage(None, 3, from_ref(&made), (1, 0));
    assert_eq!(store.stage(whole.clone()).await.unwrap(), StageOutcome::Staged);
    staged_blobs(store, &[made]).await;
    assert!(store.commit_page(READER, None, 10).await.unwrap().is_none());
    let head = head_of(&whole);
    let finished = store.finish_stage(finish(head)).await.unwrap();
    assert_eq!(finished, FinishOutcome::Finished(Standing { head, bytes_left: 0 }));
    let page = store.commit_page(READER, None, 10).await.unwrap().unwrap();
    assert_eq!((page.rows.len(), page.rows[0].head.seq), (3, Seq(0)));
    let stranger = VaultReader { account_id: AccountId([7; 32]), ..READER };
    assert!(store.commit_page(stranger, None, 10).await.unwrap().is_none());
}

pub(super) async fn every_refusal_of_a_stage_writes_nothing(store: &dyn Store) {
    let genesis = make_vault(store, QUOTA).await;
    let first = item(item_id(1), NONE, b"first");
    let elsewhere = LogHead { hash: Hash([9; 32]), ..genesis };
    for after in [None, Some(elsewhere)] {
        let moved = store.stage(stage(after, 1, &[], (0, 0))).await.unwrap();
        assert_eq!(moved, StageOutcome::Moved);
    }
    let other = Leaf { blob_hash: Hash([8; 32]), ..first.new };
    let wrong = stage(Some(genesis), 1, &[item(item_id(1), other, b"x")], (0, 0));
    assert_eq!(store.stage(wrong).await.unwrap(), StageOutcome::Item(item_id(1)));
    let absent = StagePlace { vault_id: VaultId([9; 32]), ..PLACE };
    let full = NewStage { place: absent, limit_bytes: COMMIT - 1, ..stage(None, 1, &[], (0, 0)) };
    assert_eq!(store.stage(full).await.unwrap(), StageOutcome::Full);
    let full = stage(Some(genesis), QUOTA / COMMIT + 1, from_ref(&first), (1, 0));
    assert_eq!(store.stage(full).await.unwrap(), StageOutcome::Full, "a vault that is there has its share");
    assert_eq!(store.next_stage(None).await.unwrap(), None);
    assert!(store.wanted(PLACE, 9).await.unwrap().is_empty());

    let good = stage(Some(genesis), 1, from_ref(&first), (1, 0));
    assert_eq!(store.stage(good.clone()).await.unwrap(), StageOutcome::Staged);
    assert_eq!(store.stage(good.clone()).await.unwrap(), StageOutcome::Moved);
    let again = stage(Some(head_of(&good)), 1, from_ref(&first), (1, 0));
    assert_eq!(store.stage(again).await.unwrap(), StageOutcome::Item(item_id(1)));
    let large = item(item_id(2), NONE, &[2; QUOTA as usize]);
    let more = stage(Some(head_of(&good)), 1, from_ref(&large), (2, 0));
    assert_eq!(store.stage(more.clone()).await.unwrap(), StageOutcome::Staged);
    assert!(!store.stage_blobs(PLACE, vec![blob(&first), blob(&large)], 2_000, u64::MAX).await.unwrap());
    assert_eq!(store.wanted(PLACE, 9).await.unwrap().len(), 2);
    assert_eq!(store.staged(PLACE).await.unwrap().staged, Some(head_of(&more)));
}

pub(super) async fn every_refusal_of_a_finish_leaves_vault_and_stage(store: &dyn Store) {
    let genesis = make_vault(store, QUOTA).await;
    let first = item(item_id(1), NONE, &[1; 40]);
    let wrong = stage(Some(genesis), 1, from_ref(&first), (0, 1));
    store.stage(wrong.clone()).await.unwrap();
    staged_blobs(store, from_ref(&first)).await;
    let head = head_of(&wrong);
    let shown = seen(store).await;
    let elsewhere = LogHead { hash: Hash([9; 32]), ..head };
    assert_eq!(store.finish_stage(finish(elsewhere)).await.unwrap(), FinishOutcome::Moved);
    assert_eq!(store.finish_stage(finish(head)).await.unwrap(), FinishOutcome::Counts);
    let bars = NewBars { vault_id: VAULT, devices: vec![WRITER], now_ms: 0, until_ms: 3_001 };
    store.bar(bars).await.unwrap();
    assert_eq!(store.finish_stage(finish(head)).await.unwrap(), FinishOutcome::Barred);
    let later = FinishStage { now_ms: 3_001, ..finish(head) };
    assert_eq!(seen(store).await, shown);

    // The vault moves on meanwhile: what is staged is of another branch then.
    let commit = new_commit(genesis, b"other", vec![first], (1, 0));
    let commit = super::super::NewCommit { now_ms: 4_000, ..commit };
    assert!(matches!(store.commit(commit).await.unwrap(), CommitOutcome::Committed(_)));
    assert_eq!(store.finish_stage(later).await.unwrap(), FinishOutcome::Moved);
    assert_eq!(store.staged(PLACE).await.unwrap().staged, Some(head));
}

pub(super) async fn areas_are_of_one_account_and_are_forgotten(store: &dyn Store) {
    let genesis = make_vault(store, QUOTA).await;
    let other = StagePlace { account_id: AccountId([9; 32]), ..PLACE };
    let made = item(item_id(1), NONE, b"made");
    let mine = stage(Some(genesis), 1, from_ref(&made), (1, 0));
    store.stage(mine.clone()).await.unwrap();
    assert_eq!(store.staged(other).await.unwrap().staged, None);
    assert!(store.wanted(other, 9).await.unwrap().is_empty());
    store.stage(NewStage { place: other, ..mine.clone() }).await.unwrap();
    staged_blobs(store, &[made]).await;
    assert_eq!(store.wanted(other, 9).await.unwrap().len(), 1);
    assert_eq!(store.next_stage(None).await.unwrap(), Some(PLACE));
    assert_eq!(store.next_stage(Some(PLACE)).await.unwrap(), Some(other));
    assert_eq!(store.next_stage(Some(other)).await.unwrap(), None);
    store.drop_stage(PLACE, 2_000).await.unwrap();
    assert_eq!(store.next_stage(None).await.unwrap(), Some(PLACE), "it was added to at that time");
    store.drop_stage(PLACE, 2_001).await.unwrap();
    assert_eq!(store.next_stage(None).await.unwrap(), Some(other));
    assert!(store.wanted(PLACE, 9).await.unwrap().is_empty());
    assert_eq!(store.stage(mine).await.unwrap(), StageOutcome::Staged, "an area is begun anew");
}
