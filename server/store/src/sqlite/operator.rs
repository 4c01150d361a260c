//! The operator's side.

use async_trait::async_trait;
use lockstep_domain::store::{OperatorStore, Pruned, RetentionRule, StoreError};
use lockstep_proto::ids::{Hash, ServerId, VaultId};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::columns::{fixed, number, to_column};
use super::writer::Verdict;
use super::{SqliteStore, connect, failed, prune};

#[async_trait]
impl OperatorStore for SqliteStore {
    async fn is_empty(&self) -> Result<bool, StoreError> {
        self.readers.read(is_empty).await
    }

    async fn server(&self) -> Result<Option<ServerId>, StoreError> {
        self.readers.read(server).await
    }

    async fn bind_server(&self, server_id: ServerId) -> Result<ServerId, StoreError> {
        let bind = move |connection: &Connection| {
            if let Some(bound) = server(connection)? {
                return Ok(Verdict::Keep(bound));
            }
            let sql = "insert into meta (name, value) values ('server_id', ?1)";
            connection.execute(sql, params![server_id.as_bytes()])?;
            Ok(Verdict::Keep(server_id))
        };
        self.writer.write(bind).await
    }

    async fn add_invite(&self, invite: Hash, expires_ms: u64) -> Result<(), StoreError> {
        let add = move |connection: &Connection| {
            let sql = "insert or replace into invite (hash, expires_ms) values (?1, ?2)";
            connection.execute(sql, params![invite.as_bytes(), to_column(expires_ms)])?;
            Ok(Verdict::Keep(()))
        };
        self.writer.write(add).await
    }

    async fn has_invite(&self, invite: Hash, now_ms: u64) -> Result<bool, StoreError> {
        let has = move |connection: &Connection| {
            let sql = "select exists (select 1 from invite where hash = ?1 and expires_ms > ?2)";
            connection.query_row(sql, params![invite.as_bytes(), to_column(now_ms)], |row| row.get(0))
        };
        self.readers.read(has).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.readers.read(|connection| server(connection).map(|_| ())).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let probe = |connection: &Connection| {
            // About a page: what fits into one that is there already would say little.
            let sql = "insert or replace into meta (name, value) values ('probe', randomblob(4096))";
            connection.execute(sql, []).map(|_| Verdict::Keep(()))
        };
        self.writer.write(probe).await
    }

    async fn size(&self) -> Result<u64, StoreError> {
        let size = |connection: &Connection| {
            let read = |name| connection.pragma_query_value(None, name, |row| number(row, 0));
            let pages = read("page_count")?.saturating_sub(read("freelist_count")?);
            Ok(pages.saturating_mul(read("page_size")?))
        };
        self.readers.read(size).await
    }

    async fn settle(&self) -> Result<(), StoreError> {
        let path = self.path.clone();
        // Outside every transaction, so on a connection of its own.
        let settled = tokio::task::spawn_blocking(move || {
            let connection = connect(&path, OpenFlags::empty())?;
            connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0))
        });
        let busy: bool = settled.await.map_err(|_| StoreError::Closed)?.map_err(failed)?;
        if busy { Err(StoreError::Failed("somebody else has the file open".into())) } else { Ok(()) }
    }

    async fn next_vault(&self, after: Option<VaultId>) -> Result<Option<VaultId>, StoreError> {
        self.readers.read(move |connection| prune::next_vault(connection, after)).await
    }

    async fn prune(&self, vault_id: VaultId, rule: RetentionRule, limit: u32) -> Result<Pruned, StoreError> {
        self.prune_some(vault_id, rule, limit).await
    }
}

pub(super) fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("select not exists (select 1 from account)", [], |row| row.get(0))
}

pub(super) fn server(connection: &Connection) -> rusqlite::Result<Option<ServerId>> {
    let sql = "select value from meta where name = 'server_id'";
    connection.query_row(sql, [], |row| fixed(row, 0).map(ServerId)).optional()
}
