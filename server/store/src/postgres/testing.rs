//! Databases for tests, one each, in the cluster that `LOCKSTEP_TEST_POSTGRES` names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use futures_util::TryStreamExt as _;
use tokio_postgres::{Client, NoTls};

/// The variable with the URL of a cluster, up to and without the database's name.
pub const VARIABLE: &str = "LOCKSTEP_TEST_POSTGRES";

/// How often the database is asked for what must come, at most.
const PATIENCE: usize = 200_000;

/// A database of a test's own, empty at first and dropped with this.
#[derive(Debug)]
pub struct TestDatabase {
    cluster: String,
    name: String,
}

impl TestDatabase {
    /// Makes a database, whose name no other one of the cluster has.
    ///
    /// # Panics
    /// Without a cluster.
    pub fn make() -> Self {
        let cluster = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!("{VARIABLE} names no PostgreSQL cluster: run the tests by .ci/test, or by .ci/postgres cargo test …")
        });
        Self::make_in(&cluster)
    }

    /// The same in the cluster at this URL, which ends before the database's name.
    ///
    /// # Panics
    /// When the cluster cannot be reached.
    pub fn make_in(cluster: &str) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let cluster = cluster.to_owned();
        let name = format!("lockstep_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let database = Self { cluster, name };
        database.in_cluster(format!("create database {}", database.name));
        database
    }

    /// The database's URL.
    pub fn url(&self) -> String {
        format!("{}{}", self.cluster, self.name)
    }

    /// Runs statements in the cluster, outside of any transaction.
    fn in_cluster(&self, sql: String) {
        run(format!("{}postgres", self.cluster), move |client| async move {
            client.batch_execute(&sql).await.unwrap();
        });
    }

    /// What every table holds, by name, as bytes in which nothing is escaped (COPY's binary format).
    ///
    /// # Panics
    /// As [`Self::with`].
    pub fn contents(&self) -> Vec<(String, Vec<u8>)> {
        self.with(|client| async move {
            let sql = "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'";
            let mut contents = Vec::new();
            for row in client.query(sql, &[]).await.unwrap() {
                let table: String = row.get(0);
                let rows = client.copy_out(&format!("copy {table} to stdout (format binary)")).await.unwrap();
                let chunks: Vec<_> = rows.try_collect().await.unwrap();
                contents.push((table, chunks.concat()));
            }
            contents
        })
    }

    /// Runs work with a connection of its own to this database, from any thread.
    ///
    /// # Panics
    /// When the work panics or the database cannot be reached.
    pub fn with<T, F, Fut>(&self, work: F) -> T
    where
        F: FnOnce(Client) -> Fut + Send + 'static,
        Fut: Future<Output = T>,
        T: Send + 'static,
    {
        run(self.url(), work)
    }

    /// Takes the locks that a statement takes, until they are let go. Needs a runtime, which goes on polling.
    ///
    /// # Panics
    /// When the database cannot be reached.
    pub async fn hold(&self, sql: &str) -> Held {
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&format!("begin; {sql}")).await.unwrap();
        Held { client }
    }
}

/// Locks that a test holds.
pub struct Held {
    client: Client,
}

impl Held {
    /// Goes on when exactly so many sessions wait for a lock in this database.
    ///
    /// # Panics
    /// When that does not come.
    pub async fn until_waiting(&self, count: i64) {
        let sql = "select count(*) from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'";
        for _ in 0..PATIENCE {
            self.client.batch_execute("select pg_stat_clear_snapshot()").await.unwrap();
            if self.client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == count {
                return;
            }
        }
        panic!("never did {count} sessions wait");
    }

    /// Lets go.
    ///
    /// # Panics
    /// When the database cannot be reached.
    pub async fn release(self) {
        self.client.batch_execute("rollback").await.unwrap();
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.in_cluster(format!("drop database if exists {} with (force)", self.name));
        }
    }
}

/// The caller may be on a runtime, where no other may be waited for: the work has a thread of its own.
fn run<T, F, Fut>(url: String, work: F) -> T
where
    F: FnOnce(Client) -> Fut + Send + 'static,
    Fut: Future<Output = T>,
    T: Send + 'static,
{
    let (done, outcome) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let worked = runtime.block_on(async move {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
            tokio::spawn(connection);
            work(client).await
        });
        done.send(worked).unwrap();
    });
    outcome.recv().expect("the database cannot be reached, or the work failed")
}
