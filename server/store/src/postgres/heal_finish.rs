//! A staging area that becomes the vault.

use deadpool_postgres::{GenericClient, Object};
use lockstep_domain::store::{FinishOutcome, FinishStage, Standing, StoreError};
use lockstep_proto::ids::DeviceId;

use super::bars::{claim, release};
use super::columns::{failed, fixed, place, standing, to_column};
use super::heal::{Area, clear, keys, locked_area};
use super::sides::keep;
use super::vaults::set_members;

/// The account took a place for it before, in a transaction of its own.
pub(super) async fn finish(mut client: Object, request: FinishStage) -> Result<FinishOutcome, StoreError> {
    let tx = client.transaction().await.map_err(failed)?;
    let before = locked_vault(&tx, &request).await?;
    let Some(area) = locked_area(&tx, &request.place).await? else {
        let already = before.filter(|standing| standing.head == request.head);
        return Ok(already.map_or(FinishOutcome::Moved, FinishOutcome::Already));
    };
    if area.head != request.head || area.base != before.map(|standing| standing.head) {
        return Ok(FinishOutcome::Moved);
    }
    if before.is_none() && claim_writers(&tx, &request).await? {
        return Ok(FinishOutcome::Barred);
    }
    if let Some(refusal) = refusal(&tx, &request).await? {
        return Ok(refusal);
    }
    let sums = sums(&tx, &request).await?;
    if (sums.live, sums.tombstones) != (area.live, area.tombstones) {
        return Ok(FinishOutcome::Counts);
    }
    let Some(kept) = keep(&tx, &request.place, request.sides_limit).await? else {
        return Ok(FinishOutcome::SidesFull);
    };
    let added = area.bytes + kept;
    if !write_vault(&tx, &request, &area, before.is_some(), added).await? {
        return Ok(FinishOutcome::Moved);
    }
    move_rows(&tx, &request, &area).await?;
    clear(&tx, &request.place).await?;
    release(&tx, request.place.vault_id).await?;
    tx.commit().await.map_err(failed)?;
    let bytes_left = before.map_or(0, |standing| standing.bytes_left.saturating_sub(added));
    Ok(FinishOutcome::Finished(Standing { head: area.head, bytes_left }))
}

/// Waits for every commit that is being made; those that wait in turn look again.
async fn locked_vault(
    tx: &impl GenericClient,
    request: &FinishStage,
) -> Result<Option<Standing>, StoreError> {
    let sql = "select head_seq, head_hash, quota_bytes, used_bytes from vault where vault_id = $1 for update";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, _) = keys(&request.place);
    let row = tx.query_opt(&statement, &[&vault_id]).await.map_err(failed)?;
    row.map(|row| standing(&row, 0)).transpose()
}

/// Whether one of those whose commits are staged is barred from the vault, which is not there yet.
async fn claim_writers(tx: &impl GenericClient, request: &FinishStage) -> Result<bool, StoreError> {
    let sql = "select author_device from heal_commit where vault_id = $1 and account_id = $2
         union
         select author_device from heal_side where vault_id = $1 and account_id = $2 and needed";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) = keys(&request.place);
    let rows = tx.query(&statement, &[&vault_id, &account_id]).await.map_err(failed)?;
    let devices = rows.iter().map(|row| fixed(row, 0).map(DeviceId)).collect::<Result<Vec<_>, _>>()?;
    claim(tx, request.place.vault_id, &devices, request.now_ms).await
}

async fn refusal(
    tx: &impl GenericClient,
    request: &FinishStage,
) -> Result<Option<FinishOutcome>, StoreError> {
    let sql = "select exists (
                    select 1 from heal_item h where h.vault_id = $1 and h.account_id = $2 and h.blob is null
                ),
                exists (
                    select 1
                    from vault_barred b
                    join heal_commit c on c.vault_id = $1 and c.account_id = $2 and c.author_device = b.device_id
                    where b.vault_id = $1 and b.until_ms > $3
                ) or exists (
                    select 1
                    from vault_barred b
                    join heal_side s on s.vault_id = $1 and s.account_id = $2 and s.author_device = b.device_id
                    where b.vault_id = $1 and b.until_ms > $3 and s.needed
                )";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) = keys(&request.place);
    let row = tx.query_one(&statement, &[&vault_id, &account_id, &to_column(request.now_ms)]).await;
    let row = row.map_err(failed)?;
    Ok(match (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?) {
        (true, _) => Some(FinishOutcome::Incomplete),
        (false, true) => Some(FinishOutcome::Barred),
        (false, false) => None,
    })
}

/// What the vault will count.
struct Sums {
    live: i64,
    tombstones: i64,
}

async fn sums(tx: &impl GenericClient, request: &FinishStage) -> Result<Sums, StoreError> {
    let sql = "select coalesce((select v.live from vault v where v.vault_id = $1), 0)
                    + count(*) filter (where h.state = 1) - count(*) filter (where i.state = 1),
                coalesce((select v.tombstones from vault v where v.vault_id = $1), 0)
                    + count(*) filter (where h.state = 2) - count(*) filter (where i.state = 2)
         from heal_item h
         left join item i on i.vault_id = $1 and i.item_id = h.item_id
         where h.vault_id = $1 and h.account_id = $2";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) = keys(&request.place);
    let row = tx.query_one(&statement, &[&vault_id, &account_id]).await.map_err(failed)?;
    Ok(Sums { live: row.try_get(0).map_err(failed)?, tombstones: row.try_get(1).map_err(failed)? })
}

/// `false` where somebody else has made the vault meanwhile.
async fn write_vault(
    tx: &impl GenericClient,
    request: &FinishStage,
    area: &Area,
    known: bool,
    added: u64,
) -> Result<bool, StoreError> {
    let sql = if known {
        "update vault
         set head_seq = $2, head_hash = $3, checkpoint = $4, live = $5, tombstones = $6, used_bytes = used_bytes + $7
         where vault_id = $1"
    } else {
        "insert into vault (vault_id, head_seq, head_hash, checkpoint, live, tombstones, used_bytes, quota_bytes)
         values ($1, $2, $3, $4, $5, $6, $7, $7)
         on conflict (vault_id) do nothing"
    };
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, _) = keys(&request.place);
    let written = tx
        .execute(
            &statement,
            &[
                &vault_id,
                &place(area.head.seq),
                &area.head.hash.as_bytes().as_slice(),
                &area.checkpoint,
                &area.live,
                &area.tombstones,
                &to_column(added),
            ],
        )
        .await
        .map_err(failed)?;
    Ok(written == 1)
}

async fn move_rows(tx: &impl GenericClient, request: &FinishStage, area: &Area) -> Result<(), StoreError> {
    let (vault_id, account_id) = keys(&request.place);
    let now_ms = to_column(request.now_ms);
    let sql = "insert into vault_commit
             (vault_id, seq, hash, kind, author_account, author_seq, author_hash, bytes, body)
         select vault_id, seq, hash, kind, author_account, author_seq, author_hash, bytes, body
         from heal_commit
         where vault_id = $1 and account_id = $2";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    tx.execute(&statement, &[&vault_id, &account_id]).await.map_err(failed)?;
    let sql = "update item_version o
         set replaced_ms = $3
         from heal_item h
         join item i on i.vault_id = $1 and i.item_id = h.item_id
         where h.vault_id = $1 and h.account_id = $2
           and o.vault_id = $1 and o.item_id = i.item_id and o.version = i.version";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    tx.execute(&statement, &[&vault_id, &account_id, &now_ms]).await.map_err(failed)?;
    let sql = "insert into item_version (vault_id, item_id, version, seq, blob, stored_ms)
         select vault_id, item_id, version, seq, blob, $3
         from heal_item
         where vault_id = $1 and account_id = $2";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    tx.execute(&statement, &[&vault_id, &account_id, &now_ms]).await.map_err(failed)?;
    let sql = "insert into item (vault_id, item_id, version, blob_hash, seq, state, bytes)
         select vault_id, item_id, version, blob_hash, seq, state, octet_length(blob)
         from heal_item
         where vault_id = $1 and account_id = $2
         on conflict (vault_id, item_id) do update
         set version = excluded.version, blob_hash = excluded.blob_hash, seq = excluded.seq, state = excluded.state,
             bytes = excluded.bytes";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    tx.execute(&statement, &[&vault_id, &account_id]).await.map_err(failed)?;
    let members: Vec<&[u8]> = area.members.chunks_exact(32).collect();
    set_members(tx, vault_id, &members).await
}
