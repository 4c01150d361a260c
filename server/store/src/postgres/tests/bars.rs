//! A commit and a bar that want the same vault at the same time, on two nodes.

use lockstep_domain::store::{
    BarStore as _, CommitOutcome, CreateVaultOutcome, NewBars, NewCommit, VaultStore as _,
};
use tokio::task::JoinHandle;

use super::made_up::{genesis, new_vault, next, standing, vault_id, whole_chain};
use super::scene::Scene;

fn bar(scene: &Scene, commit: &NewCommit) -> JoinHandle<()> {
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
    barred.await.unwrap();
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
    barred.await.unwrap();
    assert_eq!(sent.await.unwrap().unwrap(), CommitOutcome::Committed(standing(&commit)));
    let asked = scene.nodes[0].bars(vault_id(0), commit.row.head).await.unwrap().unwrap();
    assert!(asked.has_commit && asked.bars.len() == 1);
}

/// A vault that is not there has no row to lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_bar_waits_for_the_vault_that_is_being_made() {
    let scene = Scene::with_one_vault().await;
    let vault = new_vault(vault_id(1));
    let commit = next(vault.vault_id, genesis(), 1);
    scene.hold_writes().await;
    let store = scene.nodes[0].clone();
    let made = tokio::spawn(async move { store.create_vault(vault).await.unwrap() });
    scene.until_waiting(1).await;
    let barred = bar(&scene, &commit);
    scene.until_waiting(2).await;
    assert!(!barred.is_finished());
    scene.let_writes_go().await;
    barred.await.unwrap();
    assert!(matches!(made.await.unwrap(), CreateVaultOutcome::Created(_)));
    assert!(scene.nodes[1].checkpoint(commit.vault_id).await.unwrap().is_some());
    assert_eq!(scene.send(0, &commit).await.unwrap().unwrap(), CommitOutcome::Barred);
    assert_eq!(scene.number("select count(*) from vault_barred where until_ms = 0").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_made_behind_a_bar_is_refused() {
    let scene = Scene::with_one_vault().await;
    let vault = new_vault(vault_id(1));
    let (vault_id, device_id) = (vault.vault_id, vault.device_id);
    scene.mine.batch_execute("begin").await.unwrap();
    let sql = "insert into vault_barred (vault_id, device_id, until_ms) values ($1, $2, 1000)";
    let keys = (vault_id.as_bytes().as_slice(), device_id.as_bytes().as_slice());
    scene.mine.execute(sql, &[&keys.0, &keys.1]).await.unwrap();
    let store = scene.nodes[0].clone();
    let made = tokio::spawn(async move { store.create_vault(vault).await.unwrap() });
    scene.until_waiting(1).await;
    scene.mine.batch_execute("commit").await.unwrap();
    assert_eq!(made.await.unwrap(), CreateVaultOutcome::Barred);
    assert!(scene.nodes[1].checkpoint(vault_id).await.unwrap().is_none());
}
