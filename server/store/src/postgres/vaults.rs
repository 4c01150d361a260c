//! Vaults.

use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Object};
use lockstep_domain::store::{
    CommitOutcome, CommitRows, ControlRows, CreateVaultOutcome, ItemPlace, ItemRows, NewCommit, NewVault,
    News, Standing, StoreError, VaultReader, VaultStore, VersionPlace,
};
use lockstep_proto::api::items::{BlobsPage, ItemVersion, VersionPage};
use lockstep_proto::ids::{Seq, VaultId};
use lockstep_proto::log::LogHead;

use super::bars::{claim, release};
use super::columns::{bytes, failed, place, standing, to_column};
use super::{PostgresStore, history, pages};

#[async_trait]
impl VaultStore for PostgresStore {
    async fn create_vault(&self, vault: NewVault) -> Result<CreateVaultOutcome, StoreError> {
        self.with(move |client| create(client, vault)).await
    }

    async fn commit(&self, commit: NewCommit) -> Result<CommitOutcome, StoreError> {
        self.lanes.commit(commit).await
    }

    async fn checkpoint(&self, vault_id: VaultId) -> Result<Option<Vec<u8>>, StoreError> {
        let read = move |client: Object| async move {
            let statement = client.prepare_cached("select checkpoint from vault where vault_id = $1").await;
            let statement = statement.map_err(failed)?;
            let row =
                client.query_opt(&statement, &[&vault_id.as_bytes().as_slice()]).await.map_err(failed)?;
            row.map(|row| bytes(&row, 0)).transpose()
        };
        self.with(read).await
    }

    async fn find_commit(
        &self,
        reader: VaultReader,
        commit: LogHead,
    ) -> Result<Option<(bool, Standing)>, StoreError> {
        self.with(move |client| history::find(client, reader, commit)).await
    }

    async fn commit_page(
        &self,
        reader: VaultReader,
        after: Option<Seq>,
        limit: u32,
    ) -> Result<Option<CommitRows>, StoreError> {
        self.with(move |client| pages::commits(client, reader, after, limit)).await
    }

    async fn item_page(&self, reader: VaultReader, place: ItemPlace) -> Result<Option<ItemRows>, StoreError> {
        self.with(move |client| pages::items(client, reader, place)).await
    }

    async fn blobs(
        &self,
        reader: VaultReader,
        want: Vec<ItemVersion>,
    ) -> Result<Option<BlobsPage>, StoreError> {
        self.with(move |client| pages::blobs(client, reader, want)).await
    }

    async fn control_page(
        &self,
        reader: VaultReader,
        after: Option<Seq>,
    ) -> Result<Option<ControlRows>, StoreError> {
        self.with(move |client| history::control(client, reader, after)).await
    }

    async fn news(
        &self,
        reader: VaultReader,
        base: LogHead,
        limit: usize,
    ) -> Result<Option<News>, StoreError> {
        self.with(move |client| history::news(client, reader, base, limit)).await
    }

    async fn versions(
        &self,
        reader: VaultReader,
        place: VersionPlace,
    ) -> Result<Option<VersionPage>, StoreError> {
        self.with(move |client| history::versions(client, reader, place)).await
    }
}

/// The account took a place for it before, in a transaction of its own.
async fn create(mut client: Object, vault: NewVault) -> Result<CreateVaultOutcome, StoreError> {
    if let Some(standing) = find(&client, vault.vault_id).await? {
        return Ok(CreateVaultOutcome::Already(standing));
    }
    let tx = client.transaction().await.map_err(failed)?;
    if claim(&tx, vault.vault_id, &[vault.device_id], vault.now_ms).await? {
        return Ok(CreateVaultOutcome::Barred);
    }
    let made = insert(&tx, &vault).await?;
    release(&tx, vault.vault_id).await?;
    tx.commit().await.map_err(failed)?;
    if made {
        let head = vault.genesis.head;
        let bytes_left = vault.quota_bytes.saturating_sub(vault.genesis.bytes());
        return Ok(CreateVaultOutcome::Created(Standing { head, bytes_left }));
    }
    let standing = find(&client, vault.vault_id).await?;
    standing.map(CreateVaultOutcome::Already).ok_or(StoreError::Corrupt("a vault without a row"))
}

/// `false` where it is there already.
async fn insert(tx: &impl GenericClient, vault: &NewVault) -> Result<bool, StoreError> {
    let head = vault.genesis.head;
    let sql = "with made as (
             insert into vault
                 (vault_id, head_seq, head_hash, checkpoint, live, tombstones, used_bytes, quota_bytes)
             values ($1, $2, $3, $4, 0, 0, $13, $5)
             on conflict (vault_id) do nothing
             returning vault_id
         ), members as (
             insert into vault_member (vault_id, account_id)
             select made.vault_id, unnest($6::bytea[]) from made
         ), genesis as (
             insert into vault_commit
                 (vault_id, seq, hash, kind, author_account, author_seq, author_hash, bytes, body)
             select made.vault_id, $2, $3, $7, $8, $9, $10, $11, $12 from made
         )
         select count(*) from made";
    let members: Vec<&[u8]> = vault.members.iter().map(|member| member.as_bytes().as_slice()).collect();
    let (genesis, kind) = (&vault.genesis, i16::from(vault.genesis.kind as u8));
    let made = tx
        .query_one(
            sql,
            &[
                &vault.vault_id.as_bytes().as_slice(),
                &place(head.seq),
                &head.hash.as_bytes().as_slice(),
                &vault.checkpoint,
                &to_column(vault.quota_bytes),
                &members,
                &kind,
                &genesis.author.account_id.as_bytes().as_slice(),
                &place(genesis.author.head.seq),
                &genesis.author.head.hash.as_bytes().as_slice(),
                &genesis.entry.commit.0,
                &genesis.entry.body.0,
                &to_column(genesis.bytes()),
            ],
        )
        .await;
    let made: i64 = made.and_then(|row| row.try_get(0)).map_err(failed)?;
    Ok(made == 1)
}

pub(super) async fn set_members(
    tx: &impl GenericClient,
    vault_id: &[u8],
    members: &[&[u8]],
) -> Result<(), StoreError> {
    let sql = "delete from vault_member where vault_id = $1 and not account_id = any($2)";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    tx.execute(&statement, &[&vault_id, &members]).await.map_err(failed)?;
    let sql = "insert into vault_member (vault_id, account_id)
         select $1, unnest($2::bytea[])
         on conflict (vault_id, account_id) do nothing";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    tx.execute(&statement, &[&vault_id, &members]).await.map_err(failed)?;
    Ok(())
}

pub(super) async fn find(
    client: &impl GenericClient,
    vault_id: VaultId,
) -> Result<Option<Standing>, StoreError> {
    let sql = "select head_seq, head_hash, quota_bytes, used_bytes from vault where vault_id = $1";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let row = client.query_opt(&statement, &[&vault_id.as_bytes().as_slice()]).await.map_err(failed)?;
    row.map(|row| standing(&row, 0)).transpose()
}
