//! Nodes that take the same vaults in opposite orders never wait for each other in a circle.

use futures_util::future::join_all;
use lockstep_domain::store::{CommitOutcome, OperatorStore as _, RetentionRule, VaultStore as _};
use lockstep_proto::ids::VaultId;
use lockstep_proto::log::LogHead;

use super::super::PostgresStore;
use super::made_up::{genesis, rewrite, vault_id};
use super::scene::{Scene, until};

const VAULTS: u64 = 48;
const ROUNDS: u64 = 25;

/// One round at one node: a commit for each vault. Gives how many were committed.
async fn commit_all(
    store: &PostgresStore,
    order: &[VaultId],
    heads: &[LogHead],
    salt: u64,
) -> Vec<(VaultId, LogHead)> {
    let commits =
        order.iter().zip(heads).map(|(vault_id, head)| store.commit(rewrite(*vault_id, *head, salt)));
    let mut won = Vec::new();
    for (outcome, vault_id) in join_all(commits).await.into_iter().zip(order) {
        match outcome.unwrap() {
            CommitOutcome::Committed(standing) => won.push((*vault_id, standing.head)),
            CommitOutcome::HeadMoved(_) => {}
            other => panic!("{other:?}"),
        }
    }
    won
}

async fn prune_all(store: &PostgresStore, order: &[VaultId]) -> u32 {
    let rule = RetentionRule { now_ms: u64::MAX / 4, keep_ms: 0, keep_versions: 0, purged_ms: 0 };
    let pruned = join_all(order.iter().map(|vault_id| store.prune(*vault_id, rule, 100))).await;
    pruned.into_iter().map(|pruned| pruned.unwrap().versions).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_and_pruning_in_opposite_orders_never_deadlock() {
    let forth: Vec<_> = (0..VAULTS).map(vault_id).collect();
    let back: Vec<_> = forth.iter().rev().copied().collect();
    let scene = Scene::new(&forth).await;
    let mut heads = vec![genesis(); VAULTS as usize];
    let mut pruned = 0;
    for round in 1..=ROUNDS {
        let turned: Vec<_> = heads.iter().rev().copied().collect();
        let [one, two] = &scene.nodes;
        let (first, second, here, there) = tokio::join!(
            commit_all(one, &forth, &heads, round * 2),
            commit_all(two, &back, &turned, round * 2 + 1),
            prune_all(one, &back),
            prune_all(two, &forth),
        );
        assert_eq!(first.len() + second.len(), forth.len(), "one winner for each vault");
        for (vault_id, head) in first.into_iter().chain(second) {
            let index = forth.iter().position(|known| *known == vault_id).unwrap();
            assert_eq!(head.seq.0, round);
            heads[index] = head;
        }
        pruned += here + there;
    }
    let [one, two] = &scene.nodes;
    pruned += prune_all(one, &forth).await;
    assert_eq!(prune_all(two, &forth).await, 0);
    assert_eq!(u64::from(pruned), VAULTS * (ROUNDS - 1), "every version that was replaced is counted once");

    let commits = scene.number("select count(*) from vault_commit where seq > 0").await;
    assert_eq!(commits as u64, VAULTS * ROUNDS);
    // A genesis, a commit of 300 bytes for each round, and the version that is left.
    let sql = format!("select count(*) from vault where used_bytes = {}", 300 * (ROUNDS + 1) + 64);
    assert_eq!(scene.number(&sql).await as u64, VAULTS);
    let sql = "select count(distinct xmin::text) from vault_commit where seq > 0";
    assert!(scene.number(sql).await < commits, "there were batches");

    // A session tells the statistics at its end at the latest.
    let Scene { nodes, watch, mine, .. } = scene;
    drop((nodes, mine));
    let sql = "select count(*) = 1 from pg_stat_activity where datname = current_database() and backend_type = 'client backend'";
    until(&watch, sql).await;
    let sql = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(watch.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
    drop(scene.database);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_another_node_removes_now_is_left_to_it() {
    let scene = Scene::with_one_vault().await;
    let mut head = genesis();
    for _ in 0..5 {
        let commit = rewrite(vault_id(0), head, 1);
        head = commit.row.head;
        scene.send(0, &commit).await.unwrap().unwrap();
    }
    scene.mine.batch_execute("begin; select from item_version where version = 2 for update").await.unwrap();
    assert_eq!(prune_all(&scene.nodes[0], &[vault_id(0)]).await, 3, "nobody waits");
    scene.mine.batch_execute("rollback").await.unwrap();
    assert_eq!(prune_all(&scene.nodes[1], &[vault_id(0)]).await, 1);
    assert_eq!(scene.number("select used_bytes from vault").await, 6 * 300 + 64);
}
