//! Two server nodes on one database, and sessions of the test's own that hold locks and watch.
//!
//! Nothing here waits for a time: a test goes on when the database says that others wait.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use lockstep_domain::store::{CommitOutcome, NewCommit, StoreError, VaultStore as _};
use lockstep_proto::ids::VaultId;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use super::super::PostgresStore;
use super::super::testing::TestDatabase;
use super::made_up::{genesis, make_vaults, next, vault_id};
use super::open;

/// How often the database is asked for what must come, at most.
const PATIENCE: usize = 200_000;
/// The advisory lock at which [`Scene::hold_writes`] stops.
const GATE: &str = "4242";

pub(super) type Answer = Result<CommitOutcome, StoreError>;

pub(super) struct Scene {
    pub(super) nodes: [Arc<PostgresStore>; 2],
    /// Holds locks.
    pub(super) mine: Client,
    /// Is in no transaction.
    pub(super) watch: Client,
    pub(super) database: TestDatabase,
}

impl Scene {
    /// Two nodes and these vaults.
    pub(super) async fn new(vaults: &[VaultId]) -> Self {
        Self::in_database(TestDatabase::make(), vaults).await
    }

    /// The same in a database that is given.
    pub(super) async fn in_database(database: TestDatabase, vaults: &[VaultId]) -> Self {
        let nodes = [Arc::new(open(&database)), Arc::new(open(&database))];
        make_vaults(&nodes[0], vaults).await;
        let (mine, watch) = (session(&database).await, session(&database).await);
        Self { nodes, mine, watch, database }
    }

    /// Two nodes and vault 0.
    pub(super) async fn with_one_vault() -> Self {
        Self::new(&[vault_id(0)]).await
    }

    /// Sends a commit to a node.
    pub(super) fn send(&self, node: usize, commit: &NewCommit) -> JoinHandle<Answer> {
        let (store, commit) = (self.nodes[node].clone(), commit.clone());
        tokio::spawn(async move { store.commit(commit).await })
    }

    /// Locks a vault until `self.mine` ends its transaction.
    pub(super) async fn lock(&self, vault_id: VaultId) {
        self.mine.batch_execute("begin").await.unwrap();
        lock(&self.mine, vault_id).await;
    }

    /// From now on every commit stops in the middle, with its vault locked and nothing durable, until
    /// [`Self::let_writes_go`].
    pub(super) async fn hold_writes(&self) {
        let sql = format!(
            "create function hold() returns trigger language plpgsql as
                 $$ begin perform pg_advisory_xact_lock_shared({GATE}); return new; end $$;
             create trigger hold before insert on vault_commit for each row execute function hold();
             select pg_advisory_lock({GATE})"
        );
        self.mine.batch_execute(&sql).await.unwrap();
    }

    pub(super) async fn let_writes_go(&self) {
        self.mine.batch_execute(&format!("select pg_advisory_unlock({GATE})")).await.unwrap();
    }

    /// Goes on when exactly so many sessions wait for a lock.
    pub(super) async fn until_waiting(&self, count: usize) {
        let sql = format!(
            "select count(*) = {count} from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'"
        );
        self.until(&sql).await;
    }

    /// Goes on when the condition holds.
    pub(super) async fn until(&self, condition: &str) {
        until(&self.watch, condition).await;
    }

    /// Ends the sessions of the nodes that this condition names.
    pub(super) async fn terminate(&self, condition: &str) {
        let sql = format!(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
             where datname = current_database() and application_name = 'lockstep-server' and {condition}"
        );
        assert_ne!(self.number(&sql).await, 0, "nobody was there to end");
    }

    /// What a query counts.
    pub(super) async fn number(&self, sql: &str) -> i64 {
        self.watch.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Lets commits of neighbours wait together at node 0, behind one of the first neighbour that does not end; gives
    /// them when that one has ended, and so they are taken together.
    pub(super) async fn together<'a>(
        &'a self,
        plug: VaultId,
        commits: &[NewCommit],
    ) -> Vec<Pin<Box<dyn Future<Output = Answer> + Send + 'a>>> {
        self.lock(plug).await;
        let plugged = self.send(0, &next(plug, genesis(), 1));
        self.until_waiting(1).await;
        let mut waiting = Vec::new();
        for commit in commits {
            let mut answer = self.nodes[0].commit(commit.clone());
            // The first poll puts the commit into its lane.
            let first = std::future::poll_fn(|context| Poll::Ready(answer.as_mut().poll(context)));
            assert!(first.await.is_pending());
            waiting.push(answer);
        }
        self.mine.batch_execute("rollback").await.unwrap();
        assert!(matches!(plugged.await.unwrap().unwrap(), CommitOutcome::Committed(_)));
        waiting
    }

    /// In how many transactions these vaults' rows were written last.
    pub(super) async fn transactions(&self, vaults: &[VaultId]) -> i64 {
        let ids: Vec<&[u8]> = vaults.iter().map(|vault_id| vault_id.as_bytes().as_slice()).collect();
        let sql = "select count(distinct xmin::text) from vault where vault_id = any($1)";
        self.watch.query_one(sql, &[&ids]).await.unwrap().get(0)
    }
}

/// A session of the test's own.
pub(super) async fn session(database: &TestDatabase) -> Client {
    let (client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Locks a vault in the transaction that this session is in.
pub(super) async fn lock(session: &Client, vault_id: VaultId) {
    let sql = "select head_seq from vault where vault_id = $1 for update";
    session.query_one(sql, &[&vault_id.as_bytes().as_slice()]).await.unwrap();
}

/// Goes on when the condition holds.
pub(super) async fn until(session: &Client, condition: &str) {
    for _ in 0..PATIENCE {
        if session.query_one(condition, &[]).await.unwrap().get(0) {
            return;
        }
    }
    panic!("it never came: {condition}");
}
