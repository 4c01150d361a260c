//! A commit and a bar that want the same vault at the same time, on two nodes.

use lockstep_domain::store::{BarStore as _, CommitOutcome, NewBars, NewCommit};
use lockstep_proto::ids::VaultId;
use tokio::task::JoinHandle;

use super::made_up::{genesis, next, standing, vault_id, whole_chain};
use super::scene::Scene;

fn bar(scene: &Scene, commit: &NewCommit) -> JoinHandle<bool> {
    let store = scene.nodes[1].clone();
    let (vault_id, devices) = (commit.vault_id, vec![commit.device_id]);
    let bars = NewBars { vault_id, devices, now_ms: commit.now_ms, until_ms: commit.now_ms + 1 };
    tokio::spawn(async move { store.bar(bars).await.unwrap() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_waits_behind_a_bar_is_refused_though_its_snapshot_is_older() {
    let scene = Scene::with_one_vault().await;
    let commit = next(vault_id(0), genesis(), 1);
    scene.lock(vault_id(0)).await;
    let barred = bar(&scene, &commit);
    scene.until_waiting(1).await;
    // Its snapshot is taken now, and shows no bar.
    let sent = scene.send(0, &commit);
    scene.until_waiting(2).await;
    scene.mine.batch_execute("rollback").await.unwrap();
    assert!(barred.await.unwrap());
    assert_eq!(sent.await.unwrap().unwrap(), CommitOutcome::Barred);
    assert_eq!(whole_chain(&scene.nodes[0], vault_id(0)).await, [genesis()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bar_waits_for_the_commit_that_is_being_made() {
    let scene = Scene::with_one_vault().await;
    let commit = next(vault_id(0), genesis(), 1);
    scene.hold_writes().await;
    let sent = scene.send(0, &commit);
    scene.until_waiting(1).await;
    let barred = bar(&scene, &commit);
    scene.until_waiting(2).await;
    assert!(!barred.is_finished());
    scene.let_writes_go().await;
    assert!(barred.await.unwrap());
    assert_eq!(sent.await.unwrap().unwrap(), CommitOutcome::Committed(standing(&commit)));
    let asked = scene.nodes[0].bars(vault_id(0), commit.row.head).await.unwrap().unwrap();
    assert!(asked.has_commit && asked.bars.len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bar_of_a_vault_that_is_not_there_writes_nothing() {
    let scene = Scene::with_one_vault().await;
    let commit = next(VaultId([0xee; 32]), genesis(), 1);
    assert!(!bar(&scene, &commit).await.unwrap());
    assert_eq!(scene.number("select count(*) from vault_barred").await, 0);
}
