//! The operator's side.

use async_trait::async_trait;
use deadpool_postgres::GenericClient;
use lockstep_domain::store::{OperatorStore, Pruned, RetentionRule, StoreError};
use lockstep_proto::ids::{Hash, ServerId, VaultId};

use super::columns::{failed, fixed, number, to_column};
use super::{PostgresStore, prune};

/// Of many who sign up at once, one after another is looked at.
pub(super) const SIGN_UPS: i64 = 0x4c53_5451;

#[async_trait]
impl OperatorStore for PostgresStore {
    async fn is_empty(&self) -> Result<bool, StoreError> {
        let sql = "select not exists (select 1 from account)";
        let read = move |client: deadpool_postgres::Object| async move {
            client.query_one(sql, &[]).await.and_then(|row| row.try_get(0)).map_err(failed)
        };
        self.with(read).await
    }

    async fn server(&self) -> Result<Option<ServerId>, StoreError> {
        self.with(|client| async move { server(&client).await }).await
    }

    async fn bind_server(&self, server_id: ServerId) -> Result<ServerId, StoreError> {
        let bind = move |client: deadpool_postgres::Object| async move {
            let sql = "insert into meta (name, value) values ('server_id', $1) on conflict (name) do nothing";
            client.execute(sql, &[&server_id.as_bytes().as_slice()]).await.map_err(failed)?;
            server(&client).await?.ok_or(StoreError::Corrupt("the server's id is gone"))
        };
        self.with(bind).await
    }

    async fn add_invite(&self, invite: Hash, expires_ms: u64) -> Result<(), StoreError> {
        let add = move |client: deadpool_postgres::Object| async move {
            let sql = "insert into invite (hash, expires_ms) values ($1, $2)
                 on conflict (hash) do update set expires_ms = excluded.expires_ms";
            let values = client.execute(sql, &[&invite.as_bytes().as_slice(), &to_column(expires_ms)]).await;
            values.map(|_| ()).map_err(failed)
        };
        self.with(add).await
    }

    async fn has_invite(&self, invite: Hash, now_ms: u64) -> Result<bool, StoreError> {
        let has = move |client: deadpool_postgres::Object| async move {
            let sql = "select exists (select 1 from invite where hash = $1 and expires_ms > $2)";
            let row = client.query_one(sql, &[&invite.as_bytes().as_slice(), &to_column(now_ms)]).await;
            row.and_then(|row| row.try_get(0)).map_err(failed)
        };
        self.with(has).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.with(|client| async move { server(&client).await.map(|_| ()) }).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let probe = |client: deadpool_postgres::Object| async move {
            let sql = "insert into meta (name, value) values ('probe', $1)
                 on conflict (name) do update set value = excluded.value";
            client.execute(sql, &[&[0_u8; 32].as_slice()]).await.map(|_| ()).map_err(failed)
        };
        self.with(probe).await
    }

    async fn size(&self) -> Result<u64, StoreError> {
        let size = |client: deadpool_postgres::Object| async move {
            let row = client.query_one("select pg_database_size(current_database())", &[]).await;
            number(&row.map_err(failed)?, 0)
        };
        self.with(size).await
    }

    async fn settle(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn next_vault(&self, after: Option<VaultId>) -> Result<Option<VaultId>, StoreError> {
        self.with(move |client| prune::next_vault(client, after)).await
    }

    async fn prune(&self, vault_id: VaultId, rule: RetentionRule, limit: u32) -> Result<Pruned, StoreError> {
        self.with(move |client| prune::prune(client, vault_id, rule, limit)).await
    }
}

/// Waits for a lock that ends with the transaction.
pub(super) async fn lock(tx: &impl GenericClient, key: i64) -> Result<(), StoreError> {
    tx.execute("select pg_advisory_xact_lock($1)", &[&key]).await.map(|_| ()).map_err(failed)
}

pub(super) async fn server(client: &impl GenericClient) -> Result<Option<ServerId>, StoreError> {
    let sql = "select value from meta where name = 'server_id'";
    let row = client.query_opt(sql, &[]).await.map_err(failed)?;
    row.map(|row| fixed(&row, 0).map(ServerId)).transpose()
}
