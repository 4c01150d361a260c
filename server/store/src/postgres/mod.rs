//! The store for many: PostgreSQL, reached by any number of server nodes.
//!
//! **Invariants:** a commit is one statement, which waits for no other vault, and is answered after the database has
//! made it durable; whatever fails before that answer leaves all of it or nothing. No transaction touches a vault and an
//! account, and only a batch touches two vaults, neither of which changes what the other gets. Drivers and lanes run on a
//! runtime of the store's own, so callers may come from any.

mod accounts;
mod bars;
mod columns;
mod commit;
mod connect;
mod heal;
mod heal_finish;
mod history;
mod inspect;
mod join;
mod lanes;
mod operator;
mod pages;
mod prune;
mod quota;
mod schema;
mod sides;
mod statement;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod vaults;

use std::sync::mpsc;

use deadpool_postgres::{Object, Pool};
use lockstep_domain::store::StoreError;
use tokio::runtime::{Builder, Runtime};

pub(crate) use self::inspect::inspect;

use self::lanes::Lanes;
use crate::error::OpenError;
use crate::url::PostgresUrl;

/// Threads that drive connections and lanes.
const THREADS: usize = 2;

/// A store in one PostgreSQL database.
pub struct PostgresStore {
    pool: Pool,
    lanes: Lanes,
    runtime: Option<Runtime>,
}

impl PostgresStore {
    /// Connects, and brings the schema up to date. Blocks this thread while it does.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(url: &PostgresUrl) -> Result<Self, OpenError> {
        let name = url.to_string();
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| OpenError::Failed {
            path: name.clone(),
            source,
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("postgres")
            .enable_all()
            .build()
            .map_err(|error| failed(error.into()))?;
        let pool = connect::pool(url).map_err(failed)?;
        // The caller may be on a runtime itself, where blocking on this one is not allowed.
        let (done, outcome) = mpsc::sync_channel(1);
        runtime.spawn(prepare(pool.clone(), name.clone(), done));
        let opened = match outcome.recv() {
            Ok(Ok(())) => {
                let lanes = Lanes::start(&runtime, &pool);
                Ok(Self { pool, lanes, runtime: Some(runtime) })
            }
            Ok(Err(error)) => Err((error, runtime)),
            Err(gone) => Err((failed(gone.into()), runtime)),
        };
        opened.map_err(|(error, runtime)| {
            runtime.shutdown_background();
            error
        })
    }

    /// Runs work with a connection on the store's own runtime. It goes on to its end when the caller goes away.
    async fn with<T, F, Fut>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(Object) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, StoreError>> + Send,
        T: Send + 'static,
    {
        let runtime = self.runtime.as_ref().ok_or(StoreError::Closed)?;
        let pool = self.pool.clone();
        let task = runtime.spawn(async move { work(connect::connection(&pool).await?).await });
        task.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn prepare(pool: Pool, name: String, done: mpsc::SyncSender<Result<(), OpenError>>) {
    let prepared = async {
        let failed = |source| OpenError::Failed { path: name.clone(), source };
        let mut first = pool.get().await.map_err(|error| failed(error.into()))?;
        schema::update(&mut first, &name).await?;
        drop(first);
        connect::warm(&pool).await.map_err(failed)
    };
    // Whoever opens waits for this.
    let _ = done.send(prepared.await);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
