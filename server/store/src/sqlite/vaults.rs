//! Vaults.

use async_trait::async_trait;
use lockstep_domain::store::{
    CommitOutcome, CommitRow, CommitRows, ControlRows, CreateVaultOutcome, ItemPlace, ItemRows, NewCommit,
    NewVault, News, Standing, StoreError, VaultReader, VaultStore, VersionPlace,
};
use lockstep_proto::api::items::{BlobsPage, ItemVersion, VersionPage};
use lockstep_proto::ids::{AccountId, Seq, VaultId};
use lockstep_proto::log::LogHead;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::bars::is_barred;
use super::columns::{place, standing, to_column};
use super::writer::Verdict;
use super::{SqliteStore, commit, history, pages};

#[async_trait]
impl VaultStore for SqliteStore {
    async fn create_vault(&self, vault: NewVault) -> Result<CreateVaultOutcome, StoreError> {
        self.writer.write(move |connection| create(connection, &vault)).await
    }

    async fn commit(&self, commit: NewCommit) -> Result<CommitOutcome, StoreError> {
        self.writer.write(move |connection| commit::commit(connection, &commit)).await
    }

    async fn checkpoint(&self, vault_id: VaultId) -> Result<Option<Vec<u8>>, StoreError> {
        let read = move |connection: &Connection| {
            let sql = "select checkpoint from vault where vault_id = ?1";
            connection.query_row(sql, params![vault_id.as_bytes()], |row| row.get(0)).optional()
        };
        self.readers.read(read).await
    }

    async fn find_commit(
        &self,
        reader: VaultReader,
        commit: LogHead,
    ) -> Result<Option<(bool, Standing)>, StoreError> {
        let find = move |connection: &Connection| {
            let Some(standing) = readable(connection, reader)? else { return Ok(None) };
            Ok(Some((contains(connection, reader.vault_id, commit)?, standing)))
        };
        self.readers.read(find).await
    }

    async fn commit_page(
        &self,
        reader: VaultReader,
        after: Option<Seq>,
        limit: u32,
    ) -> Result<Option<CommitRows>, StoreError> {
        self.readers.read(move |connection| pages::commits(connection, reader, after, limit)).await
    }

    async fn item_page(&self, reader: VaultReader, place: ItemPlace) -> Result<Option<ItemRows>, StoreError> {
        self.readers.read(move |connection| pages::items(connection, reader, place)).await
    }

    async fn blobs(
        &self,
        reader: VaultReader,
        want: Vec<ItemVersion>,
    ) -> Result<Option<BlobsPage>, StoreError> {
        self.readers.read(move |connection| pages::blobs(connection, reader, &want)).await
    }

    async fn control_page(
        &self,
        reader: VaultReader,
        after: Option<Seq>,
    ) -> Result<Option<ControlRows>, StoreError> {
        self.readers.read(move |connection| history::control(connection, reader, after)).await
    }

    async fn news(
        &self,
        reader: VaultReader,
        base: LogHead,
        limit: usize,
    ) -> Result<Option<News>, StoreError> {
        self.readers.read(move |connection| history::news(connection, reader, base, limit)).await
    }

    async fn versions(
        &self,
        reader: VaultReader,
        place: VersionPlace,
    ) -> Result<Option<VersionPage>, StoreError> {
        self.readers.read(move |connection| history::versions(connection, reader, place)).await
    }
}

fn create(connection: &Connection, vault: &NewVault) -> rusqlite::Result<Verdict<CreateVaultOutcome>> {
    if let Some(standing) = find(connection, vault.vault_id)? {
        return Ok(Verdict::Undo(CreateVaultOutcome::Already(standing)));
    }
    if is_barred(connection, vault.vault_id, vault.device_id, vault.now_ms)? {
        return Ok(Verdict::Undo(CreateVaultOutcome::Barred));
    }
    let head = vault.genesis.head;
    connection.execute(
        "insert into vault (vault_id, head_seq, head_hash, checkpoint, live, tombstones, used_bytes, quota_bytes)
         values (?1, ?2, ?3, ?4, 0, 0, ?5, ?6)",
        params![
            vault.vault_id.as_bytes(),
            place(head.seq),
            head.hash.as_bytes(),
            vault.checkpoint,
            to_column(vault.genesis.bytes()),
            to_column(vault.quota_bytes)
        ],
    )?;
    set_members(connection, vault.vault_id, &vault.members)?;
    insert_commit(connection, vault.vault_id, &vault.genesis)?;
    let bytes_left = vault.quota_bytes.saturating_sub(vault.genesis.bytes());
    let standing = Standing { head, bytes_left };
    Ok(Verdict::Keep(CreateVaultOutcome::Created(standing)))
}

/// Where a vault is.
pub(super) fn find(connection: &Connection, vault_id: VaultId) -> rusqlite::Result<Option<Standing>> {
    let sql = "select head_seq, head_hash, quota_bytes, used_bytes from vault where vault_id = ?1";
    connection.prepare_cached(sql)?.query_row(params![vault_id.as_bytes()], |row| standing(row, 0)).optional()
}

/// Where a vault is, for a member (R-GATE).
pub(super) fn readable(connection: &Connection, reader: VaultReader) -> rusqlite::Result<Option<Standing>> {
    let sql = "select v.head_seq, v.head_hash, v.quota_bytes, v.used_bytes
         from vault v
         join vault_member m on m.vault_id = v.vault_id
         where v.vault_id = ?1 and m.account_id = ?2";
    let values = params![reader.vault_id.as_bytes(), reader.account_id.as_bytes()];
    connection.prepare_cached(sql)?.query_row(values, |row| standing(row, 0)).optional()
}

pub(super) fn contains(
    connection: &Connection,
    vault_id: VaultId,
    commit: LogHead,
) -> rusqlite::Result<bool> {
    let sql = "select exists (select 1 from vault_commit where vault_id = ?1 and seq = ?2 and hash = ?3)";
    let values = params![vault_id.as_bytes(), place(commit.seq), commit.hash.as_bytes()];
    connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))
}

pub(super) fn set_members(
    connection: &Connection,
    vault_id: VaultId,
    members: &[AccountId],
) -> rusqlite::Result<()> {
    connection.execute("delete from vault_member where vault_id = ?1", params![vault_id.as_bytes()])?;
    let sql = "insert into vault_member (vault_id, account_id) values (?1, ?2)";
    let mut statement = connection.prepare_cached(sql)?;
    for member in members {
        statement.execute(params![vault_id.as_bytes(), member.as_bytes()])?;
    }
    Ok(())
}

pub(super) fn insert_commit(
    connection: &Connection,
    vault_id: VaultId,
    row: &CommitRow,
) -> rusqlite::Result<()> {
    let sql = "insert into vault_commit
         (vault_id, seq, hash, author_account, author_seq, author_hash, bytes, body, kind)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    connection.prepare_cached(sql)?.execute(params![
        vault_id.as_bytes(),
        place(row.head.seq),
        row.head.hash.as_bytes(),
        row.author.account_id.as_bytes(),
        place(row.author.head.seq),
        row.author.head.hash.as_bytes(),
        row.entry.commit.0,
        row.entry.body.0,
        row.kind as u8
    ])?;
    Ok(())
}
