//! How often a commit goes to the database and back: once.

use std::sync::Arc;

use lockstep_domain::store::{CommitOutcome, VaultStore as _};
use lockstep_proto::log::LogHead;

use super::super::PostgresStore;
use super::super::lanes::GROUP;
use super::super::statement::{MANY, ONE};
use super::super::testing::TestDatabase;
use super::made_up::{genesis, make_vaults, neighbours, next, standing, vault_id};
use super::open_at;
use super::scene::Scene;
use super::wire::{Sent, Wire};

/// More than there are connections, each of which prepares the statement once.
const WARM: u64 = 40;

async fn commit_some(store: &PostgresStore, count: u64, mut head: LogHead) -> LogHead {
    for _ in 0..count {
        let commit = next(vault_id(0), head, 1);
        let outcome = store.commit(commit.clone()).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Committed(standing(&commit)));
        head = commit.row.head;
    }
    head
}

/// What was sent, without the values.
fn shape(wire: &Wire) -> Vec<Sent> {
    let sent = wire.take().into_iter().map(|(_, sent)| match sent {
        Sent::Bind(sql, _) => Sent::Bind(sql, Vec::new()),
        other => other,
    });
    sent.collect()
}

/// How often a statement was run.
fn runs(sent: &[Sent], sql: &str) -> usize {
    sent.iter().filter(|sent| matches!(sent, Sent::Bind(bound, _) if bound == sql)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_one_change_is_one_statement_and_one_round_trip() {
    let database = TestDatabase::make();
    let wire = Wire::to(&database.url());
    let store = Arc::new(open_at(wire.url()));
    make_vaults(&store, &[vault_id(0)]).await;
    let head = commit_some(&store, WARM, genesis()).await;
    wire.take();
    let head = commit_some(&store, 10, head).await;
    // No BEGIN, no COMMIT, nothing prepared, nothing asked before or after.
    let once = [Sent::Bind(ONE.clone(), Vec::new()), Sent::Execute, Sent::Sync];
    assert_eq!(shape(&wire), vec![once.clone(); 10].concat());
    // A rival that this node has not heard of costs the same.
    let other = open_at(&database.url());
    let rival = next(vault_id(0), head, 2);
    other.commit(rival.clone()).await.unwrap();
    let lost = store.commit(next(vault_id(0), head, 3)).await.unwrap();
    assert_eq!(lost, CommitOutcome::HeadMoved(standing(&rival)));
    assert_eq!(shape(&wire), once);
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_of_sixty_four_vaults_that_wait_together_are_one_transaction() {
    let vaults = neighbours(GROUP + 3);
    let mut scene = Scene::new(&vaults).await;
    let wire = Wire::to(&scene.database.url());
    scene.nodes[0] = Arc::new(open_at(wire.url()));
    wire.take();
    let commits: Vec<_> = vaults[1..].iter().map(|vault_id| next(*vault_id, genesis(), 1)).collect();
    for (answer, commit) in scene.together(vaults[0], &commits).await.into_iter().zip(&commits) {
        assert_eq!(answer.await.unwrap(), CommitOutcome::Committed(standing(commit)));
    }
    assert_eq!(scene.transactions(&vaults[1..=GROUP]).await, 1);
    assert_eq!(scene.transactions(&vaults[1..]).await, 2, "what is beyond comes with the next");
    let sent = shape(&wire);
    assert_eq!((runs(&sent, &ONE), runs(&sent, &MANY)), (1, 2));
    assert!(!sent.iter().any(|sent| matches!(sent, Sent::Query(_))), "no BEGIN and no COMMIT");
}
