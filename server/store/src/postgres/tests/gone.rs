//! A database that goes away and comes back: what was under way happened or not, and the next call works.

use std::sync::Arc;

use lockstep_domain::store::{CommitOutcome, OperatorStore as _, StoreError, VaultStore as _};

use super::super::connect::CONNECTIONS;
use super::made_up::{genesis, neighbours, next, reader, standing, vault_id, whole_chain};
use super::open_at;
use super::scene::Scene;
use super::wire::Wire;

/// Whether the node answers, after at most one failure for every connection that was lost.
async fn comes_back(scene: &Scene) {
    for _ in 0..=CONNECTIONS {
        match scene.nodes[0].check().await {
            Ok(()) => return,
            Err(StoreError::Failed(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("it never came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_fail_while_it_is_away_and_work_when_it_is_back() {
    let scene = Scene::with_one_vault().await;
    let sql = |allowed: bool| {
        format!("update pg_database set datallowconn = {allowed} where datname = current_database()")
    };
    scene.watch.batch_execute(&sql(false)).await.unwrap();
    scene.terminate("true").await;
    let sessions = "select count(*) = 0 from pg_stat_activity
         where datname = current_database() and application_name = 'lockstep-server'";
    scene.until(sessions).await;
    let commit = next(vault_id(0), genesis(), 1);
    for _ in 0..CONNECTIONS * 2 {
        assert!(matches!(scene.nodes[0].check().await, Err(StoreError::Failed(_))));
        assert!(scene.nodes[0].checkpoint(vault_id(0)).await.is_err());
        assert!(matches!(scene.send(0, &commit).await.unwrap(), Err(StoreError::Failed(_))));
        assert!(scene.nodes[0].item_page(reader(vault_id(0)), Default::default()).await.is_err());
    }
    scene.watch.batch_execute(&sql(true)).await.unwrap();
    comes_back(&scene).await;
    let outcome = scene.send(0, &commit).await.unwrap().unwrap();
    assert_eq!(outcome, CommitOutcome::Committed(standing(&commit)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_cut_off_before_it_is_durable_leaves_nothing() {
    let scene = Scene::with_one_vault().await;
    let commit = next(vault_id(0), genesis(), 1);
    scene.hold_writes().await;
    let sent = scene.send(0, &commit);
    scene.until_waiting(1).await;
    scene.terminate("true").await;
    assert!(matches!(sent.await.unwrap(), Err(StoreError::Failed(_))));
    scene.let_writes_go().await;
    comes_back(&scene).await;
    assert_eq!(whole_chain(&scene.nodes[0], vault_id(0)).await, [genesis()]);
    let again = scene.send(0, &commit).await.unwrap().unwrap();
    assert_eq!(again, CommitOutcome::Committed(standing(&commit)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_there_and_says_so_when_sent_again() {
    let mut scene = Scene::with_one_vault().await;
    let wire = Wire::to(&scene.database.url());
    scene.nodes[0] = Arc::new(open_at(wire.url()));
    let mut head = genesis();
    // The statement is prepared on every connection, so that the answer which is lost is the commit's.
    for _ in 0..CONNECTIONS * 2 {
        let commit = next(vault_id(0), head, 1);
        scene.send(0, &commit).await.unwrap().unwrap();
        head = commit.row.head;
    }
    let commit = next(vault_id(0), head, 2);
    wire.lose_next_answer();
    assert!(matches!(scene.send(0, &commit).await.unwrap(), Err(StoreError::Failed(_))));
    let again = scene.send(0, &commit).await.unwrap().unwrap();
    assert_eq!(again, CommitOutcome::Already(standing(&commit)));
    assert_eq!(whole_chain(&scene.nodes[1], vault_id(0)).await.last(), Some(&commit.row.head));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_cut_off_is_made_one_by_one() {
    let vaults = neighbours(5);
    let scene = Scene::new(&vaults).await;
    let commits: Vec<_> = vaults[1..].iter().map(|vault_id| next(*vault_id, genesis(), 1)).collect();
    let waiting = scene.together(vaults[0], &commits).await;
    drop(waiting);
    // Callers that went away: their commits are made all the same.
    for (vault_id, commit) in vaults[1..].iter().zip(&commits) {
        let outcome = scene.nodes[0].commit(commit.clone()).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Already(standing(commit)));
        assert_eq!(whole_chain(&scene.nodes[0], *vault_id).await.len(), 2);
    }
    let seconds: Vec<_> =
        vaults[1..].iter().zip(&commits).map(|(id, first)| next(*id, first.row.head, 2)).collect();
    scene.hold_writes().await;
    let sent: Vec<_> = seconds.iter().map(|commit| scene.send(0, commit)).collect();
    scene.until_waiting(1).await;
    scene.terminate("wait_event = 'advisory'").await;
    scene.let_writes_go().await;
    let mut failed = 0;
    for (answer, commit) in sent.into_iter().zip(&seconds) {
        match answer.await.unwrap() {
            Ok(outcome) => assert_eq!(outcome, CommitOutcome::Committed(standing(commit))),
            Err(_) => failed += 1,
        }
    }
    assert!(failed <= 1, "at most the one that ran alone");
}
