//! Staging areas. An area's row is locked by whoever adds to it.

use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Object};
use lockstep_domain::store::{
    FinishOutcome, FinishStage, HealStore, NewStage, StageOutcome, StagePlace, Staged, StagedBlob,
    StagedPage, StoreError,
};
use lockstep_proto::api::PAGE_LIMIT;
use lockstep_proto::api::heal::WantedBlob;
use lockstep_proto::ids::{AccountId, Hash, Seq, VaultId, Version};
use lockstep_proto::log::LogHead;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::PostgresStore;
use super::columns::{StagedColumns, bytes, failed, fixed, hash, head, item_id, number, place, to_column};
use super::commit::state_column;
use super::heal_finish::finish;
use super::sides::{self, PAGE_COMMITS, staged_page};
use super::vaults::find;

#[async_trait]
impl HealStore for PostgresStore {
    async fn staged(&self, place: StagePlace) -> Result<Staged, StoreError> {
        self.with(move |client| staged(client, place)).await
    }

    async fn staged_commits(&self, place: StagePlace, after: Option<Seq>) -> Result<StagedPage, StoreError> {
        self.with(move |client| staged_commits(client, place, after)).await
    }

    async fn stage(&self, stage: NewStage) -> Result<StageOutcome, StoreError> {
        self.with(move |client| add(client, stage)).await
    }

    async fn wanted(&self, place: StagePlace, limit: u32) -> Result<Vec<WantedBlob>, StoreError> {
        self.with(move |client| wanted(client, place, limit)).await
    }

    async fn stage_blobs(
        &self,
        place: StagePlace,
        blobs: Vec<StagedBlob>,
        now_ms: u64,
        limit_bytes: u64,
    ) -> Result<bool, StoreError> {
        self.with(move |client| add_blobs(client, place, blobs, now_ms, limit_bytes)).await
    }

    async fn finish_stage(&self, request: FinishStage) -> Result<FinishOutcome, StoreError> {
        self.with(move |client| finish(client, request)).await
    }

    async fn drop_stage(&self, place: StagePlace, before_ms: u64) -> Result<(), StoreError> {
        self.with(move |client| forget(client, place, before_ms)).await
    }

    async fn next_stage(&self, after: Option<StagePlace>) -> Result<Option<StagePlace>, StoreError> {
        self.with(move |client| next(client, after)).await
    }
}

/// An area's own row.
pub(super) struct Area {
    pub(super) base: Option<LogHead>,
    pub(super) head: LogHead,
    pub(super) checkpoint: Vec<u8>,
    pub(super) live: i64,
    pub(super) tombstones: i64,
    pub(super) members: Vec<u8>,
    pub(super) bytes: u64,
}

/// The bytes of a place: what every statement here begins with.
pub(super) fn keys(at: &StagePlace) -> (&[u8], &[u8]) {
    (at.vault_id.as_bytes(), at.account_id.as_bytes())
}

/// Reads an area's row and locks it.
pub(super) async fn locked_area(
    client: &impl GenericClient,
    at: &StagePlace,
) -> Result<Option<Area>, StoreError> {
    let sql = "select base_seq, base_hash, head_seq, head_hash, checkpoint, live, tombstones, members, bytes
         from heal
         where vault_id = $1 and account_id = $2
         for update";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) = keys(at);
    let row = client.query_opt(&statement, &[&vault_id, &account_id]).await.map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let base: i64 = row.try_get(0).map_err(failed)?;
    Ok(Some(Area {
        base: if base < 0 { None } else { Some(head(&row, 0)?) },
        head: head(&row, 2)?,
        checkpoint: bytes(&row, 4)?,
        live: row.try_get(5).map_err(failed)?,
        tombstones: row.try_get(6).map_err(failed)?,
        members: bytes(&row, 7)?,
        bytes: number(&row, 8)?,
    }))
}

/// One statement, so one moment.
async fn staged(client: Object, at: StagePlace) -> Result<Staged, StoreError> {
    let sql = "select v.head_seq, v.head_hash, h.head_seq, h.head_hash, coalesce(h.checkpoint, v.checkpoint)
         from (select $1::bytea as vault_id, $2::bytea as account_id) p
         left join vault v on v.vault_id = p.vault_id
         left join heal h on h.vault_id = p.vault_id and h.account_id = p.account_id";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) = keys(&at);
    let row = client.query_one(&statement, &[&vault_id, &account_id]).await.map_err(failed)?;
    let found = |index: usize| match row.try_get::<_, Option<i64>>(index).map_err(failed)? {
        None => Ok::<_, StoreError>(None),
        Some(_) => Ok(Some(head(&row, index)?)),
    };
    let checkpoint = row.try_get(4).map_err(failed)?;
    Ok(Staged { vault: found(0)?, staged: found(2)?, checkpoint })
}

async fn staged_commits(
    client: Object,
    at: StagePlace,
    after: Option<Seq>,
) -> Result<StagedPage, StoreError> {
    let sql = "select p.total, p.seq, p.hash, p.author_account, p.author_seq, p.author_hash, p.bytes, p.body, p.kind
         from (
             select k.*, count(*) over () as total, row_number() over w as number,
                    sum(octet_length(k.bytes) + octet_length(k.body)) over w as held
             from (
                 select seq, hash, author_account, author_seq, author_hash, bytes, body, kind
                 from heal_commit
                 where vault_id = $1 and account_id = $2 and seq > $3
                 order by seq
                 limit $4
             ) k
             window w as (order by k.seq)
         ) p
         where p.number = 1 or (p.held <= $5 and p.number < $4)
         order by p.seq";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) = keys(&at);
    let (after, most, limit) = (after.map_or(-1, place), PAGE_COMMITS + 1, PAGE_LIMIT as i64);
    let rows = client.query(&statement, &[&vault_id, &account_id, &after, &most, &limit]).await;
    staged_page(&rows.map_err(failed)?)
}

async fn add(mut client: Object, new: NewStage) -> Result<StageOutcome, StoreError> {
    let tx = client.transaction().await.map_err(failed)?;
    let area = locked_area(&tx, &new.place).await?;
    let found = find(&tx, new.place.vault_id).await?;
    let vault = found.map(|standing| standing.head);
    let (base, end) = area.as_ref().map_or((vault, vault), |area| (area.base, Some(area.head)));
    if end != new.after {
        return Ok(StageOutcome::Moved);
    }
    if let Some(index) = other_leaf(&tx, &new).await? {
        let change = new.changes.get(index).ok_or(StoreError::Corrupt("a verdict"))?;
        return Ok(StageOutcome::Item(change.item_id));
    }
    let freed = add_changes(&tx, &new).await?;
    let added: usize =
        new.rows.iter().map(|staged| staged.row.entry.commit.len() + staged.row.entry.body.len()).sum();
    let bytes = area.map_or(0, |area| area.bytes).saturating_sub(freed) + added as u64;
    if !new.sides.is_empty() && !sides::need(&tx, &new.place, &new.sides).await? {
        return Ok(StageOutcome::SideMissing);
    }
    let limit = found.map_or(new.limit_bytes, |standing| standing.bytes_left);
    if bytes + side_bytes(&tx, &new.place).await? > limit {
        return Ok(StageOutcome::Full);
    }
    add_rows(&tx, &new).await?;
    if !write_area(&tx, &new, base, bytes).await? {
        return Ok(StageOutcome::Moved);
    }
    tx.commit().await.map_err(failed)?;
    Ok(StageOutcome::Staged)
}

/// The first change whose item is at another leaf, staged or stored.
async fn other_leaf(tx: &impl GenericClient, new: &NewStage) -> Result<Option<usize>, StoreError> {
    let sql = "select min(c.number)
         from unnest($3::int4[], $4::bytea[], $5::int8[], $6::bytea[]) as c (number, item_id, version, blob_hash)
         left join heal_item h on h.vault_id = $1 and h.account_id = $2 and h.item_id = c.item_id
         left join item i on i.vault_id = $1 and i.item_id = c.item_id
         where coalesce(h.version, i.version, 0) <> c.version
            or coalesce(h.blob_hash, i.blob_hash, $7) <> c.blob_hash";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) = keys(&new.place);
    let numbers: Vec<i32> = (0..).take(new.changes.len()).collect();
    let items: Vec<&[u8]> = new.changes.iter().map(|change| change.item_id.as_bytes().as_slice()).collect();
    let versions: Vec<i64> = new.changes.iter().map(|change| to_column(change.old.version.0)).collect();
    let hashes: Vec<&[u8]> =
        new.changes.iter().map(|change| change.old.blob_hash.as_bytes().as_slice()).collect();
    let zero = Hash::ZERO.as_bytes().as_slice();
    let row = tx
        .query_one(&statement, &[&vault_id, &account_id, &numbers, &items, &versions, &hashes, &zero])
        .await
        .map_err(failed)?;
    let found: Option<i32> = row.try_get(0).map_err(failed)?;
    Ok(found.map(|number| usize::try_from(number).unwrap_or(usize::MAX)))
}

/// Sets the items' staged leaves and gives how many bytes of blobs went.
async fn add_changes(tx: &impl GenericClient, new: &NewStage) -> Result<u64, StoreError> {
    let sql = "select coalesce(sum(octet_length(blob)), 0)::int8
         from heal_item
         where vault_id = $1 and account_id = $2 and item_id = any($3)";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) = keys(&new.place);
    let items: Vec<&[u8]> = new.changes.iter().map(|change| change.item_id.as_bytes().as_slice()).collect();
    let row = tx.query_one(&statement, &[&vault_id, &account_id, &items]).await.map_err(failed)?;
    let freed = number(&row, 0)?;
    let sql = "insert into heal_item (vault_id, account_id, item_id, version, blob_hash, seq, header)
         select $1, $2, c.item_id, c.version, c.blob_hash, c.seq, c.header
         from unnest($3::bytea[], $4::int8[], $5::bytea[], $6::int8[], $7::bytea[])
              as c (item_id, version, blob_hash, seq, header)
         on conflict (vault_id, account_id, item_id) do update
         set version = excluded.version, blob_hash = excluded.blob_hash, seq = excluded.seq, header = excluded.header,
             state = null, blob = null";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let versions: Vec<i64> = new.changes.iter().map(|change| to_column(change.new.version.0)).collect();
    let hashes: Vec<&[u8]> =
        new.changes.iter().map(|change| change.new.blob_hash.as_bytes().as_slice()).collect();
    let seqs: Vec<i64> = new.changes.iter().map(|change| place(change.seq)).collect();
    let headers: Vec<&[u8]> = new.changes.iter().map(|change| change.header.as_slice()).collect();
    tx.execute(&statement, &[&vault_id, &account_id, &items, &versions, &hashes, &seqs, &headers])
        .await
        .map_err(failed)?;
    Ok(freed)
}

async fn add_rows(tx: &impl GenericClient, new: &NewStage) -> Result<(), StoreError> {
    let sql = "insert into heal_commit
             (vault_id, account_id, seq, hash, kind, author_account, author_device, author_seq, author_hash, bytes, body)
         select $1, $2, c.*
         from unnest($3::int8[], $4::bytea[], $5::int2[], $6::bytea[], $7::bytea[], $8::int8[], $9::bytea[],
                     $10::bytea[], $11::bytea[]) as c";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) = keys(&new.place);
    let columns = StagedColumns::of(&new.rows);
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&vault_id, &account_id];
    values.extend(columns.values());
    tx.execute(&statement, &values).await.map_err(failed)?;
    Ok(())
}

/// `false` where another request has begun the area meanwhile.
async fn write_area(
    tx: &impl GenericClient,
    new: &NewStage,
    base: Option<LogHead>,
    bytes: u64,
) -> Result<bool, StoreError> {
    let last = new.rows.last().map(|staged| staged.row.head).unwrap_or_default();
    let members: Vec<u8> = new.members.iter().flat_map(|member| member.0).collect();
    let sql = "insert into heal as h
             (vault_id, account_id, base_seq, base_hash, head_seq, head_hash, checkpoint, live, tombstones, members,
              bytes, touched_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         on conflict (vault_id, account_id) do update
         set head_seq = excluded.head_seq, head_hash = excluded.head_hash, checkpoint = excluded.checkpoint,
             live = excluded.live, tombstones = excluded.tombstones, members = excluded.members,
             bytes = excluded.bytes, touched_ms = excluded.touched_ms
         where h.head_seq = $13 and h.head_hash = $14";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) = keys(&new.place);
    let after = new.after.unwrap_or_default();
    let base_hash = base.map_or(Hash::ZERO, |base| base.hash);
    let written = tx
        .execute(
            &statement,
            &[
                &vault_id,
                &account_id,
                &base.map_or(-1, |base| place(base.seq)),
                &base_hash.as_bytes().as_slice(),
                &place(last.seq),
                &last.hash.as_bytes().as_slice(),
                &new.checkpoint,
                &to_column(new.live),
                &to_column(new.tombstones),
                &members,
                &to_column(bytes),
                &to_column(new.now_ms),
                &place(after.seq),
                &after.hash.as_bytes().as_slice(),
            ],
        )
        .await
        .map_err(failed)?;
    Ok(written == 1)
}

async fn wanted(client: Object, at: StagePlace, limit: u32) -> Result<Vec<WantedBlob>, StoreError> {
    let sql = "select item_id, version, blob_hash
         from heal_item
         where vault_id = $1 and account_id = $2 and blob is null
         order by item_id
         limit $3";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) = keys(&at);
    let rows =
        client.query(&statement, &[&vault_id, &account_id, &i64::from(limit)]).await.map_err(failed)?;
    let blob = |row: &Row| {
        Ok(WantedBlob {
            item_id: item_id(row, 0)?,
            version: Version(number(row, 1)?),
            blob_hash: hash(row, 2)?,
        })
    };
    rows.iter().map(blob).collect()
}

async fn add_blobs(
    mut client: Object,
    at: StagePlace,
    blobs: Vec<StagedBlob>,
    now_ms: u64,
    limit_bytes: u64,
) -> Result<bool, StoreError> {
    let tx = client.transaction().await.map_err(failed)?;
    let Some(area) = locked_area(&tx, &at).await? else { return Ok(true) };
    let sql = "with sent as (
             update heal_item h
             set state = b.state, blob = b.blob
             from unnest($3::bytea[], $4::bytea[], $5::bytea[], $6::int2[], $7::bytea[])
                  as b (item_id, blob_hash, header, state, blob)
             where h.vault_id = $1 and h.account_id = $2 and h.item_id = b.item_id and h.blob is null
               and h.blob_hash = b.blob_hash and h.header = b.header
             returning octet_length(h.blob) as bytes
         )
         select coalesce(sum(bytes), 0)::int8 from sent";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) = keys(&at);
    let items: Vec<&[u8]> = blobs.iter().map(|sent| sent.item_id.as_bytes().as_slice()).collect();
    let hashes: Vec<&[u8]> = blobs.iter().map(|sent| sent.blob_hash.as_bytes().as_slice()).collect();
    let headers: Vec<&[u8]> = blobs.iter().map(|sent| sent.header.as_slice()).collect();
    let states: Vec<i16> = blobs.iter().map(|sent| state_column(sent.state)).collect();
    let bytes: Vec<&[u8]> = blobs.iter().map(|sent| sent.blob.as_slice()).collect();
    let row = tx
        .query_one(&statement, &[&vault_id, &account_id, &items, &hashes, &headers, &states, &bytes])
        .await
        .map_err(failed)?;
    let held = area.bytes + number(&row, 0)?;
    let limit = find(&tx, at.vault_id).await?.map_or(limit_bytes, |standing| standing.bytes_left);
    if held + side_bytes(&tx, &at).await? > limit {
        return Ok(false);
    }
    let sql = "update heal set bytes = $3, touched_ms = $4 where vault_id = $1 and account_id = $2";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    tx.execute(&statement, &[&vault_id, &account_id, &to_column(held), &to_column(now_ms)])
        .await
        .map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    Ok(true)
}

/// What the side commits hold that wait in an area.
async fn side_bytes(tx: &impl GenericClient, at: &StagePlace) -> Result<u64, StoreError> {
    let sql = "select bytes from heal_side_area where vault_id = $1 and account_id = $2";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) = keys(at);
    let row = tx.query_opt(&statement, &[&vault_id, &account_id]).await.map_err(failed)?;
    row.map_or(Ok(0), |row| number(&row, 0))
}

/// What the commits and blobs of an area hold.
pub(super) async fn area_bytes(tx: &impl GenericClient, at: &StagePlace) -> Result<u64, StoreError> {
    let sql = "select bytes from heal where vault_id = $1 and account_id = $2";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) = keys(at);
    let row = tx.query_opt(&statement, &[&vault_id, &account_id]).await.map_err(failed)?;
    row.map_or(Ok(0), |row| number(&row, 0))
}

async fn forget(mut client: Object, at: StagePlace, before_ms: u64) -> Result<(), StoreError> {
    let tx = client.transaction().await.map_err(failed)?;
    let (vault_id, account_id) = keys(&at);
    let mut last: Option<i64> = None;
    for sql in [
        "select touched_ms from heal where vault_id = $1 and account_id = $2 for update",
        "select touched_ms from heal_side_area where vault_id = $1 and account_id = $2 for update",
    ] {
        let statement = tx.prepare_cached(sql).await.map_err(failed)?;
        let row = tx.query_opt(&statement, &[&vault_id, &account_id]).await.map_err(failed)?;
        last = last.max(row.map(|row| row.try_get(0)).transpose().map_err(failed)?);
    }
    if last.is_some_and(|touched_ms| touched_ms < to_column(before_ms)) {
        clear(&tx, &at).await?;
    }
    tx.commit().await.map_err(failed)
}

/// Empties an area, and forgets the side commits that wait beside it.
pub(super) async fn clear(tx: &impl GenericClient, at: &StagePlace) -> Result<(), StoreError> {
    let (vault_id, account_id) = keys(at);
    for sql in [
        "delete from heal where vault_id = $1 and account_id = $2",
        "delete from heal_commit where vault_id = $1 and account_id = $2",
        "delete from heal_item where vault_id = $1 and account_id = $2",
    ] {
        let statement = tx.prepare_cached(sql).await.map_err(failed)?;
        tx.execute(&statement, &[&vault_id, &account_id]).await.map_err(failed)?;
    }
    sides::clear(tx, at).await
}

async fn next(client: Object, after: Option<StagePlace>) -> Result<Option<StagePlace>, StoreError> {
    let sql = "select p.vault_id, p.account_id
         from (
             (select vault_id, account_id
              from heal
              where (vault_id, account_id) > ($1, $2)
              order by vault_id, account_id
              limit 1)
             union all
             (select vault_id, account_id
              from heal_side_area
              where (vault_id, account_id) > ($1, $2)
              order by vault_id, account_id
              limit 1)
         ) p
         order by p.vault_id, p.account_id
         limit 1";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) =
        after.map(|after| (after.vault_id.0.to_vec(), after.account_id.0.to_vec())).unwrap_or_default();
    let row = client.query_opt(&statement, &[&vault_id, &account_id]).await.map_err(failed)?;
    row.map(|row| {
        Ok(StagePlace { vault_id: VaultId(fixed(&row, 0)?), account_id: AccountId(fixed(&row, 1)?) })
    })
    .transpose()
}
