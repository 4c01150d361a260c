//! Connections that read.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use lockstep_domain::store::StoreError;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::{connect, failed};

/// How many pages are read at once.
const COUNT: usize = 4;

/// A pool of connections that only read.
pub(super) struct Readers {
    free: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let open = |_| {
            let connection = connect(path, OpenFlags::empty())?;
            connection.pragma_update(None, "query_only", true)?;
            Ok(connection)
        };
        let free = (0..COUNT).map(open).collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Self { free: Arc::new(Mutex::new(free)), permits: Arc::new(Semaphore::new(COUNT)) })
    }

    /// Runs `work` in one snapshot, on a thread that may block.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let free = self.free.clone();
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let taken = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut connection) = taken else { return Err(StoreError::Closed) };
            let read = snapshot(&mut connection, work);
            free.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            read.map_err(failed)
        });
        read.await.map_err(|_| StoreError::Closed)?
    }
}

fn snapshot<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let tx = connection.transaction()?;
    let read = work(&tx)?;
    tx.commit()?;
    Ok(read)
}
