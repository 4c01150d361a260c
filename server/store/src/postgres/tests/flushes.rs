//! How often the database waits for its disk: once for a commit, once for a batch.
//!
//! `pg_stat_wal.wal_sync` counts exactly that, but for a whole cluster, so these tests have one of their own. Sessions
//! tell their counts at their end at the latest; the cluster's own processes add a few in their time, which is why
//! counts of many commits are compared.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use lockstep_domain::store::{CommitOutcome, VaultStore as _};
use tokio_postgres::Client;

use super::super::testing::TestDatabase;
use super::made_up::{genesis, make_vaults, neighbours, next};
use super::open;
use super::scene::{Scene, session, until};

/// What the cluster's own processes flush meanwhile, at most.
const SLACK: i64 = 8;

/// A cluster that nobody else uses.
struct Cluster {
    process: Child,
    url: String,
}

impl Cluster {
    fn start() -> Self {
        let mut process = Command::new("bash")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.ci/postgres"))
            .args(["sh", "-c", "echo $LOCKSTEP_TEST_POSTGRES; cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.into_iter().find(|line| line.starts_with("postgres://")).unwrap();
        Self { process, url }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// How often the cluster has flushed, when nobody but this session is left to tell.
async fn flushes(watch: &Client) -> i64 {
    let alone = "select count(*) = 1 from pg_stat_activity where backend_type = 'client backend'";
    until(watch, alone).await;
    watch.query_one("select wal_sync from pg_stat_wal", &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_one_flush() {
    const COMMITS: i64 = 100;
    let cluster = Cluster::start();
    let database = TestDatabase::make_in(&cluster.url);
    let vaults = neighbours(1);
    make_vaults(&open(&database), &vaults).await;
    let watch = session(&database).await;
    let before = flushes(&watch).await;
    let (store, mut head) = (open(&database), genesis());
    for _ in 0..COMMITS {
        let outcome = store.commit(next(vaults[0], head, 1)).await.unwrap();
        let CommitOutcome::Committed(standing) = outcome else { panic!("{outcome:?}") };
        head = standing.head;
    }
    drop(store);
    let count = flushes(&watch).await - before;
    assert!((COMMITS - SLACK..=COMMITS + SLACK).contains(&count), "{count} flushes for {COMMITS} commits");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_one_flush() {
    let cluster = Cluster::start();
    let vaults = neighbours(65);
    let scene = Scene::in_database(TestDatabase::make_in(&cluster.url), &vaults).await;
    let commits: Vec<_> = vaults[1..].iter().map(|vault_id| next(*vault_id, genesis(), 1)).collect();
    // The sessions that made the vaults are gone: what is counted is the batch's.
    scene.terminate("true").await;
    let sql = "select count(*) = 2 from pg_stat_activity where backend_type = 'client backend'";
    scene.until(sql).await;
    let before = scene.number("select wal_sync from pg_stat_wal").await;
    for answer in scene.together(vaults[0], &commits).await {
        assert!(matches!(answer.await.unwrap(), CommitOutcome::Committed(_)));
    }
    scene.terminate("true").await;
    scene.until(sql).await;
    let count = scene.number("select wal_sync from pg_stat_wal").await - before;
    assert!(
        (1..=2 + SLACK).contains(&count),
        "{count} flushes for a commit and a batch of {}",
        commits.len()
    );
}
