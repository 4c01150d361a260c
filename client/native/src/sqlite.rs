//! The local store on SQLite: one table, ordered by (table, key).
//!
//! **Invariants:** WAL with `synchronous = FULL`, so that what [`LocalStore::write`] acknowledged survives a power cut;
//! one transaction per call; a file of a newer format is refused untouched.

use std::path::Path;
use std::sync::Arc;

use lockstep_client::ports::{Batch, LocalStore, LocalStoreError, Table, Write};
use rusqlite::{
    Connection, ErrorCode, OptionalExtension as _, Row, Transaction, TransactionBehavior, params,
};
use tokio::sync::Mutex;

use crate::files::open_private;

/// The format that this version writes, as SQLite's `user_version`.
const FORMAT: u32 = 1;

/// Bytes of a page, where the file is made anew. Sealed items are mostly 500 to 1,200 bytes: of SQLite's usual pages only
/// a few of them fill one, and the longer ones spill into a page of their own.
const PAGE_SIZE: u32 = 8_192;

/// The records of one profile in one SQLite file. Calls run on tokio's blocking threads, one at a time and in the order
/// in which they came: one whose caller went away ends, or never begins, before the next one starts.
pub struct SqliteLocalStore {
    connection: Arc<Mutex<Connection>>,
}

impl SqliteLocalStore {
    /// Opens the store in this file, making it where it is missing (0600).
    ///
    /// # Errors
    /// [`LocalStoreError::Newer`] for a file of a newer version; [`LocalStoreError::Failed`] for one that is no store.
    pub fn open(path: &Path) -> Result<Self, LocalStoreError> {
        open_private(path).map_err(|error| LocalStoreError::Failed {
            reason: "its file cannot be opened".to_owned(),
            source: Some(error.into()),
        })?;
        let mut connection = Connection::open(path).map_err(failed)?;
        prepare(&mut connection)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LocalStoreError> {
        let mut connection = Arc::clone(&self.connection).lock_owned().await;
        let task = move || work(&mut connection);
        match tokio::task::spawn_blocking(task).await {
            Ok(done) => done.map_err(failed),
            Err(error) => Err(LocalStoreError::Failed {
                reason: "the work on it was cut off".to_owned(),
                source: Some(error.into()),
            }),
        }
    }
}

fn prepare(connection: &mut Connection) -> Result<(), LocalStoreError> {
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    if found > FORMAT {
        return Err(LocalStoreError::Newer { found });
    }
    connection.pragma_update(None, "page_size", PAGE_SIZE).map_err(failed)?;
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        return Err(LocalStoreError::Failed {
            reason: "it cannot use write-ahead logging".to_owned(),
            source: None,
        });
    }
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA busy_timeout = 5000;")
        .map_err(failed)?;
    if found == 0 {
        make_tables(connection).map_err(failed)?;
    }
    Ok(())
}

fn make_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS record (
             tbl   INTEGER NOT NULL,
             key   BLOB    NOT NULL,
             value BLOB    NOT NULL,
             PRIMARY KEY (tbl, key)
         ) WITHOUT ROWID, STRICT;
         PRAGMA user_version = {FORMAT};"
    ))?;
    transaction.commit()
}

#[async_trait::async_trait]
impl LocalStore for SqliteLocalStore {
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, LocalStoreError> {
        let key = key.to_vec();
        self.run(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT value FROM record WHERE tbl = ?1 AND key = ?2")?;
            statement.query_row(params![table as u8, key], |row| row.get(0)).optional()
        })
        .await
    }

    async fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, LocalStoreError> {
        let start = first_key(prefix, after);
        let end = end_of(prefix);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(match end {
                Some(_) => {
                    "SELECT key, value FROM record WHERE tbl = ?1 AND key >= ?2 AND key < ?4 ORDER BY key LIMIT ?3"
                }
                None => "SELECT key, value FROM record WHERE tbl = ?1 AND key >= ?2 ORDER BY key LIMIT ?3",
            })?;
            let record = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
            match end {
                Some(end) => statement.query_map(params![table as u8, start, limit, end], record)?.collect(),
                None => statement.query_map(params![table as u8, start, limit], record)?.collect(),
            }
        })
        .await
    }

    async fn write(&self, batch: Batch) -> Result<(), LocalStoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for write in batch.into_writes() {
                apply(&transaction, write)?;
            }
            transaction.commit()
        })
        .await
    }
}

fn apply(transaction: &Transaction<'_>, write: Write) -> rusqlite::Result<()> {
    match write {
        Write::Put { table, key, value } => transaction
            .prepare_cached(
                "INSERT INTO record (tbl, key, value) VALUES (?1, ?2, ?3)
                 ON CONFLICT (tbl, key) DO UPDATE SET value = excluded.value",
            )?
            .execute(params![table as u8, key, value]),
        Write::Delete { table, key } => transaction
            .prepare_cached("DELETE FROM record WHERE tbl = ?1 AND key = ?2")?
            .execute(params![table as u8, key]),
        Write::DeletePrefix { table, prefix } => match end_of(&prefix) {
            Some(end) => transaction
                .prepare_cached("DELETE FROM record WHERE tbl = ?1 AND key >= ?2 AND key < ?3")?
                .execute(params![table as u8, prefix, end]),
            None => transaction
                .prepare_cached("DELETE FROM record WHERE tbl = ?1 AND key >= ?2")?
                .execute(params![table as u8, prefix]),
        },
    }?;
    Ok(())
}

/// The first key that a scan may give: the prefix, or what comes right behind `after`.
fn first_key(prefix: &[u8], after: Option<&[u8]>) -> Vec<u8> {
    match after {
        Some(after) if after >= prefix => [after, &[0]].concat(),
        _ => prefix.to_vec(),
    }
}

/// The first key after all keys with this prefix; `None` when there is none.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// The driver's error without its type; its text names no values.
fn failed(error: rusqlite::Error) -> LocalStoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => LocalStoreError::Full,
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            LocalStoreError::Failed { reason: "its file is damaged".to_owned(), source: Some(error.into()) }
        }
        _ => LocalStoreError::Failed { reason: "SQLite refused".to_owned(), source: Some(error.into()) },
    }
}

#[cfg(test)]
mod tests;
