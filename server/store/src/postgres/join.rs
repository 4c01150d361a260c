//! A heal commit, which brings side commits along. It does not wait in a lane: there are few of them, and what they bring
//! is no part of a commit's statement.

use deadpool_postgres::{GenericClient, Object};
use lockstep_domain::store::{JoinOutcome, NewJoin, Standing, StoreError};
use tokio_postgres::types::ToSql;

use super::columns::{failed, number, place, standing, to_column};
use super::heal::keys;
use super::sides::{clear, keep, need};
use super::vaults::set_members;

pub(super) async fn join(mut client: Object, new: NewJoin) -> Result<JoinOutcome, StoreError> {
    let tx = client.transaction().await.map_err(failed)?;
    let Some(vault) = locked_vault(&tx, &new).await? else { return Ok(JoinOutcome::NoVault) };
    if vault.has_commit {
        return Ok(JoinOutcome::Already(vault.standing));
    }
    if vault.standing.head != new.commit.after {
        return Ok(JoinOutcome::HeadMoved(vault.standing));
    }
    if !need(&tx, &new.place, &new.sides).await? {
        return Ok(JoinOutcome::SideMissing);
    }
    if is_barred(&tx, &new).await? {
        return Ok(JoinOutcome::Barred);
    }
    if (vault.live, vault.tombstones) != (to_column(new.commit.live), to_column(new.commit.tombstones)) {
        return Ok(JoinOutcome::Counts);
    }
    if new.commit.bytes() + staged_bytes(&tx, &new).await? > vault.standing.bytes_left {
        return Ok(JoinOutcome::Quota(vault.standing));
    }
    let Some(kept) = keep(&tx, &new.place, new.limit_bytes).await? else {
        return Ok(JoinOutcome::SidesFull);
    };
    let added = new.commit.bytes() + kept;
    write(&tx, &new, added).await?;
    clear(&tx, &new.place).await?;
    tx.commit().await.map_err(failed)?;
    let bytes_left = vault.standing.bytes_left.saturating_sub(added);
    Ok(JoinOutcome::Joined(Standing { head: new.commit.row.head, bytes_left }))
}

struct Found {
    standing: Standing,
    live: i64,
    tombstones: i64,
    has_commit: bool,
}

/// Waits for every commit that is being made; those that wait in turn look again. What comes after it sees what they did.
async fn locked_vault(tx: &impl GenericClient, new: &NewJoin) -> Result<Option<Found>, StoreError> {
    let sql = "select head_seq, head_hash, quota_bytes, used_bytes, live, tombstones
         from vault
         where vault_id = $1
         for update";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, _) = keys(&new.place);
    let row = tx.query_opt(&statement, &[&vault_id]).await.map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let sql = "select exists (select 1 from vault_commit where vault_id = $1 and seq = $2 and hash = $3)";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let head = new.commit.row.head;
    let found = tx
        .query_one(&statement, &[&vault_id, &place(head.seq), &head.hash.as_bytes().as_slice()])
        .await
        .map_err(failed)?;
    Ok(Some(Found {
        standing: standing(&row, 0)?,
        live: row.try_get(4).map_err(failed)?,
        tombstones: row.try_get(5).map_err(failed)?,
        has_commit: found.try_get(0).map_err(failed)?,
    }))
}

/// Whether its device, or one of the writers, is barred.
async fn is_barred(tx: &impl GenericClient, new: &NewJoin) -> Result<bool, StoreError> {
    let sql = "select exists (
             select 1
             from vault_barred
             where vault_id = $1 and until_ms > $2 and device_id = any($3)
         )";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, _) = keys(&new.place);
    let devices = new.writers.iter().chain([&new.commit.device_id]);
    let devices: Vec<&[u8]> = devices.map(|device_id| device_id.as_bytes().as_slice()).collect();
    let row = tx.query_one(&statement, &[&vault_id, &to_column(new.commit.now_ms), &devices]).await;
    row.and_then(|row| row.try_get(0)).map_err(failed)
}

/// What all staging areas of the vault hold.
async fn staged_bytes(tx: &impl GenericClient, new: &NewJoin) -> Result<u64, StoreError> {
    let sql = "select (coalesce((select sum(bytes) from heal where vault_id = $1), 0)
                    + coalesce((select sum(bytes) from heal_side_area where vault_id = $1), 0))::int8";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, _) = keys(&new.place);
    number(&tx.query_one(&statement, &[&vault_id]).await.map_err(failed)?, 0)
}

async fn write(tx: &impl GenericClient, new: &NewJoin, added: u64) -> Result<(), StoreError> {
    let (vault_id, _) = keys(&new.place);
    let (commit, row) = (&new.commit, &new.commit.row);
    let sql = "insert into vault_commit
             (vault_id, seq, hash, kind, author_account, author_seq, author_hash, bytes, body)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let values: [&(dyn ToSql + Sync); 9] = [
        &vault_id,
        &place(row.head.seq),
        &row.head.hash.as_bytes().as_slice(),
        &i16::from(row.kind as u8),
        &row.author.account_id.as_bytes().as_slice(),
        &place(row.author.head.seq),
        &row.author.head.hash.as_bytes().as_slice(),
        &row.entry.commit.0,
        &row.entry.body.0,
    ];
    tx.execute(&statement, &values).await.map_err(failed)?;
    let sql = "update vault
         set head_seq = $2, head_hash = $3, checkpoint = $4, used_bytes = used_bytes + $5
         where vault_id = $1";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (seq, hash) = (place(row.head.seq), row.head.hash.as_bytes().as_slice());
    tx.execute(&statement, &[&vault_id, &seq, &hash, &commit.checkpoint, &to_column(added)])
        .await
        .map_err(failed)?;
    let members = commit.members.iter().flatten();
    set_members(tx, vault_id, &members.map(|member| member.as_bytes().as_slice()).collect::<Vec<_>>()).await
}
