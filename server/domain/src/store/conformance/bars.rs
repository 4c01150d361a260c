//! Bars: who may not write, and until when.

use std::sync::Arc;

use lockstep_proto::ids::{DeviceId, Hash, VaultId};
use lockstep_proto::log::LogHead;

use super::super::{
    Bar, CommitOutcome, CreateVaultOutcome, FinishOutcome, FinishStage, NewBars, NewCommit, NewStage,
    NewVault, StageOutcome, Store,
};
use super::heal::{PLACE, finish, head_of, stage};
use super::made_up::{NONE, READER, VAULT, WRITER, item, item_id, make_vault, new_commit, new_vault};

const OTHER: DeviceId = DeviceId([6; 16]);

fn bars(devices: &[DeviceId], now_ms: u64, until_ms: u64) -> NewBars {
    NewBars { vault_id: VAULT, devices: devices.to_vec(), now_ms, until_ms }
}

fn at(commit: NewCommit, device_id: DeviceId, now_ms: u64) -> NewCommit {
    NewCommit { device_id, now_ms, ..commit }
}

async fn stored(store: &dyn Store) -> Vec<Bar> {
    store.bars(VAULT, LogHead::default()).await.unwrap().unwrap().bars
}

pub(super) async fn a_barred_device_writes_nothing_until_its_bar_ends(store: &dyn Store) {
    let genesis = make_vault(store, 100_000).await;
    let first = new_commit(genesis, b"a", vec![item(item_id(1), NONE, b"1")], (1, 0));
    store.bar(bars(&[WRITER], 10, 500)).await.unwrap();
    for now_ms in [10, 499] {
        let refused = store.commit(at(first.clone(), WRITER, now_ms)).await.unwrap();
        assert_eq!(refused, CommitOutcome::Barred);
        assert_eq!(store.commit_page(READER, None, 10).await.unwrap().unwrap().rows.len(), 1);
    }
    let by_other = store.commit(at(first.clone(), OTHER, 20)).await.unwrap();
    let CommitOutcome::Committed(standing) = by_other else { panic!("{by_other:?}") };
    // What is in the chain stays there, and where the vault is comes first.
    assert_eq!(store.commit(at(first, WRITER, 20)).await.unwrap(), CommitOutcome::Already(standing));
    let late = new_commit(genesis, b"b", vec![item(item_id(2), NONE, b"2")], (1, 0));
    assert_eq!(store.commit(at(late, WRITER, 20)).await.unwrap(), CommitOutcome::HeadMoved(standing));
    let next = new_commit(standing.head, b"c", vec![item(item_id(2), NONE, b"2")], (2, 0));
    assert_eq!(store.commit(at(next.clone(), WRITER, 499)).await.unwrap(), CommitOutcome::Barred);
    let ended = store.commit(at(next, WRITER, 500)).await.unwrap();
    assert!(matches!(ended, CommitOutcome::Committed(_)), "{ended:?}");
}

pub(super) async fn bars_are_extended_never_shortened_and_keep_to_their_vault(store: &dyn Store) {
    assert!(store.bars(VAULT, LogHead::default()).await.unwrap().is_none());
    make_vault(store, 100_000).await;
    let neighbour = VaultId([9; 32]);
    store.create_vault(NewVault { vault_id: neighbour, ..new_vault(100_000) }).await.unwrap();
    assert!(stored(store).await.is_empty());
    let bar = |device_id, until_ms| Bar { device_id, until_ms };
    store.bar(bars(&[OTHER, WRITER], 10, 500)).await.unwrap();
    assert_eq!(stored(store).await, [bar(WRITER, 500), bar(OTHER, 500)]);
    store.bar(bars(&[WRITER], 20, 400)).await.unwrap();
    assert_eq!(stored(store).await, [bar(WRITER, 500), bar(OTHER, 500)]);
    store.bar(bars(&[WRITER], 30, 900)).await.unwrap();
    assert_eq!(stored(store).await, [bar(WRITER, 900), bar(OTHER, 500)]);
    // Who lets one bar end finds the others forgotten that have ended.
    store.bar(bars(&[WRITER], 500, 1_000)).await.unwrap();
    assert_eq!(stored(store).await, [bar(WRITER, 1_000)]);
    store.bar(bars(&[WRITER], 2_000, 3_000)).await.unwrap();
    assert_eq!(stored(store).await, [bar(WRITER, 3_000)]);
    let other = store.bars(neighbour, LogHead::default()).await.unwrap().unwrap();
    assert!(other.bars.is_empty());
}

pub(super) async fn what_a_revocation_asks_is_of_one_moment(store: &dyn Store) {
    let genesis = make_vault(store, 100_000).await;
    let asked = store.bars(VAULT, genesis).await.unwrap().unwrap();
    assert_eq!((&asked.checkpoint[..], asked.has_commit), (&b"at 0"[..], true));
    let first = new_commit(genesis, b"a", vec![item(item_id(1), NONE, b"1")], (1, 0));
    store.commit(first.clone()).await.unwrap();
    let asked = store.bars(VAULT, first.row.head).await.unwrap().unwrap();
    assert_eq!((&asked.checkpoint[..], asked.has_commit), (&b"at 1"[..], true));
    assert!(store.bars(VAULT, genesis).await.unwrap().unwrap().has_commit);
    let other = LogHead { hash: Hash([9; 32]), ..first.row.head };
    assert!(!store.bars(VAULT, other).await.unwrap().unwrap().has_commit);
}

/// Writers go on until they are refused; what is in the chain when the bar is answered is all there will be.
pub(super) async fn a_commit_is_before_a_bar_or_refused(store: Arc<dyn Store>) {
    for round in 0..20_u64 {
        let genesis = match round {
            0 => make_vault(&*store, 1 << 20).await,
            _ => store.commit_page(READER, None, 1).await.unwrap().unwrap().standing.head,
        };
        let now_ms = round * 1_000;
        let writing = store.clone();
        let writer = tokio::spawn(async move {
            let (mut head, mut last) = (genesis, genesis);
            loop {
                let id = u16::try_from(head.seq.0).unwrap();
                let items = vec![item(item_id(id), NONE, &id.to_be_bytes())];
                let commit = new_commit(head, &round.to_be_bytes(), items, (head.seq.0 + 1, 0));
                match writing.commit(at(commit, WRITER, now_ms + 1)).await.unwrap() {
                    CommitOutcome::Committed(standing) => (head, last) = (standing.head, standing.head),
                    CommitOutcome::Barred => return last,
                    other => panic!("{other:?}"),
                }
            }
        });
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        store.bar(bars(&[WRITER], now_ms, now_ms + 500)).await.unwrap();
        let barred = store.commit_page(READER, None, 1).await.unwrap().unwrap().standing.head;
        assert_eq!(writer.await.unwrap(), barred);
        let after = store.commit_page(READER, None, 1).await.unwrap().unwrap().standing.head;
        assert_eq!(after, barred);
    }
}

pub(super) async fn who_is_barred_from_a_vault_that_is_not_there_does_not_make_it(store: &dyn Store) {
    store.bar(bars(&[WRITER], 10, 500)).await.unwrap();
    assert!(store.bars(VAULT, LogHead::default()).await.unwrap().is_none());
    let at = |device_id, now_ms| NewVault { device_id, now_ms, ..new_vault(100_000) };
    assert_eq!(store.create_vault(at(WRITER, 499)).await.unwrap(), CreateVaultOutcome::Barred);
    assert!(store.checkpoint(VAULT).await.unwrap().is_none());
    // Nor does it come back with what the device wrote.
    let given_back = stage(None, 2, &[], (0, 0));
    let head = head_of(&given_back);
    assert_eq!(store.stage(given_back).await.unwrap(), StageOutcome::Staged);
    let refused = store.finish_stage(FinishStage { now_ms: 499, ..finish(head) }).await.unwrap();
    assert_eq!(refused, FinishOutcome::Barred);
    assert!(store.checkpoint(VAULT).await.unwrap().is_none());
    assert_eq!(store.staged(PLACE).await.unwrap().staged, Some(head));
    // Another device makes it, and finds the bar where it was.
    let made = store.create_vault(at(OTHER, 499)).await.unwrap();
    assert!(matches!(made, CreateVaultOutcome::Created(_)), "{made:?}");
    assert_eq!(stored(store).await, [Bar { device_id: WRITER, until_ms: 500 }]);
    let neighbour = VaultId([9; 32]);
    let unbarred = NewVault { vault_id: neighbour, ..at(WRITER, 499) };
    assert!(matches!(store.create_vault(unbarred).await.unwrap(), CreateVaultOutcome::Created(_)));
}

/// A bar that is answered finds the vault made, or it is never made by that device.
pub(super) async fn a_vault_is_made_before_a_bar_or_not_at_all(store: Arc<dyn Store>) {
    for round in 0..40_u8 {
        let vault_id = VaultId([round + 1; 32]);
        let vault = NewVault { vault_id, now_ms: 10, ..new_vault(100_000) };
        let area =
            NewStage { place: super::super::StagePlace { vault_id, ..PLACE }, ..stage(None, 2, &[], (0, 0)) };
        let (place, head) = (area.place, head_of(&area));
        store.stage(area).await.unwrap();
        let making = store.clone();
        let maker = tokio::spawn(async move {
            if round % 2 == 0 {
                return matches!(making.create_vault(vault).await.unwrap(), CreateVaultOutcome::Created(_));
            }
            let finish = FinishStage { place, now_ms: 10, ..finish(head) };
            matches!(making.finish_stage(finish).await.unwrap(), FinishOutcome::Finished(_))
        });
        for _ in 0..round % 8 {
            tokio::task::yield_now().await;
        }
        store.bar(NewBars { vault_id, ..bars(&[WRITER], 10, 500) }).await.unwrap();
        let there = store.checkpoint(vault_id).await.unwrap().is_some();
        assert_eq!(maker.await.unwrap(), there, "round {round}");
        assert_eq!(store.checkpoint(vault_id).await.unwrap().is_some(), there, "round {round}");
    }
}
