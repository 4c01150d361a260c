//! Side commits: those that wait, and those that are kept beside a vault's chain. Whoever stages locks the row of the
//! account's area, whoever keeps the vault's before.

use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Object};
use lockstep_domain::store::{
    CommitRows, JoinOutcome, NewJoin, NewSides, SideStore, SidesOutcome, StagePlace, StagedPage, StoreError,
    VaultReader,
};
use lockstep_proto::api::PAGE_LIMIT;
use lockstep_proto::log::LogHead;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::PostgresStore;
use super::columns::{StagedColumns, failed, number, place, standing, to_column};
use super::heal::{area_bytes, keys};
use super::join::join;
use super::pages::{commit_row, taken, total};
use super::vaults::find;

/// Commits of one page, at most: a page of the smallest.
pub(super) const PAGE_COMMITS: i64 = 4_096;

#[async_trait]
impl SideStore for PostgresStore {
    async fn stage_sides(&self, sides: NewSides) -> Result<SidesOutcome, StoreError> {
        self.with(move |client| add(client, sides)).await
    }

    async fn staged_sides(
        &self,
        place: StagePlace,
        after: Option<LogHead>,
    ) -> Result<StagedPage, StoreError> {
        self.with(move |client| staged(client, place, after)).await
    }

    async fn side_page(
        &self,
        reader: VaultReader,
        after: Option<LogHead>,
    ) -> Result<Option<CommitRows>, StoreError> {
        self.with(move |client| kept(client, reader, after)).await
    }

    async fn join(&self, request: NewJoin) -> Result<JoinOutcome, StoreError> {
        self.with(move |client| join(client, request)).await
    }
}

async fn add(mut client: Object, new: NewSides) -> Result<SidesOutcome, StoreError> {
    let tx = client.transaction().await.map_err(failed)?;
    let (vault_id, account_id) = keys(&new.place);
    let sql = "insert into heal_side_area (vault_id, account_id, bytes, touched_ms)
         values ($1, $2, 0, $3)
         on conflict (vault_id, account_id) do update set touched_ms = excluded.touched_ms
         returning bytes";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let row = tx.query_one(&statement, &[&vault_id, &account_id, &to_column(new.now_ms)]).await;
    let before = number(&row.map_err(failed)?, 0)?;
    let held = before.saturating_add(add_rows(&tx, &new).await?);
    if held > new.limit_bytes {
        return Ok(SidesOutcome::SidesFull);
    }
    let limit = find(&tx, new.place.vault_id).await?.map_or(new.stage_bytes, |standing| standing.bytes_left);
    if held + area_bytes(&tx, &new.place).await? > limit {
        return Ok(SidesOutcome::Full);
    }
    let sql = "update heal_side_area set bytes = $3 where vault_id = $1 and account_id = $2";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    tx.execute(&statement, &[&vault_id, &account_id, &to_column(held)]).await.map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    Ok(SidesOutcome::Staged)
}

/// Adds those that are new and gives how many bytes they are.
async fn add_rows(tx: &impl GenericClient, new: &NewSides) -> Result<u64, StoreError> {
    let sql = "with added as (
             insert into heal_side
                 (vault_id, account_id, seq, hash, kind, author_account, author_device, author_seq, author_hash, bytes,
                  body)
             select $1, $2, c.*
             from unnest($3::int8[], $4::bytea[], $5::int2[], $6::bytea[], $7::bytea[], $8::int8[], $9::bytea[],
                         $10::bytea[], $11::bytea[]) as c
             on conflict (vault_id, account_id, seq, hash) do nothing
             returning octet_length(bytes) + octet_length(body) as held
         )
         select coalesce(sum(held), 0)::int8 from added";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) = keys(&new.place);
    let columns = StagedColumns::of(&new.rows);
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&vault_id, &account_id];
    values.extend(columns.values());
    let row = tx.query_one(&statement, &values).await.map_err(failed)?;
    number(&row, 0)
}

async fn staged(client: Object, at: StagePlace, after: Option<LogHead>) -> Result<StagedPage, StoreError> {
    let sql = "select p.total, p.seq, p.hash, p.author_account, p.author_seq, p.author_hash, p.bytes, p.body, p.kind
         from (
             select k.*, count(*) over () as total, row_number() over w as number,
                    sum(octet_length(k.bytes) + octet_length(k.body)) over w as held
             from (
                 select seq, hash, author_account, author_seq, author_hash, bytes, body, kind
                 from heal_side
                 where vault_id = $1 and account_id = $2 and (seq, hash) > ($3, $4)
                 order by seq, hash
                 limit $5
             ) k
             window w as (order by k.seq, k.hash)
         ) p
         where p.number = 1 or (p.held <= $6 and p.number < $5)
         order by p.seq, p.hash";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) = keys(&at);
    let (seq, hash) = start(after);
    let rows = client
        .query(&statement, &[&vault_id, &account_id, &seq, &hash, &(PAGE_COMMITS + 1), &(PAGE_LIMIT as i64)])
        .await;
    staged_page(&rows.map_err(failed)?)
}

/// A page, from `total` and a commit.
pub(super) fn staged_page(rows: &[Row]) -> Result<StagedPage, StoreError> {
    let total = rows.first().map(|first| total(first, 0)).transpose()?.flatten();
    let page = rows.iter().map(|row| commit_row(row, 1)).collect::<Result<Vec<_>, _>>()?;
    let more = total.unwrap_or_default() > page.len() as i64;
    Ok(StagedPage { rows: page, more })
}

async fn kept(
    client: Object,
    reader: VaultReader,
    after: Option<LogHead>,
) -> Result<Option<CommitRows>, StoreError> {
    let sql = "select v.head_seq, v.head_hash, v.quota_bytes, v.used_bytes, c.total,
                c.seq, c.hash, c.author_account, c.author_seq, c.author_hash, c.bytes, c.body, c.kind
         from vault v
         join vault_member m on m.vault_id = v.vault_id
         left join lateral (
             select p.*
             from (
                 select k.*, count(*) over () as total, row_number() over w as number,
                        sum(octet_length(k.bytes) + octet_length(k.body)) over w as held
                 from (
                     select seq, hash, author_account, author_seq, author_hash, bytes, body, kind
                     from vault_side
                     where vault_id = $1 and (seq, hash) > ($3, $4)
                     order by seq, hash
                     limit $5
                 ) k
                 window w as (order by k.seq, k.hash)
             ) p
             where p.number = 1 or (p.held <= $6 and p.number < $5)
         ) c on true
         where v.vault_id = $1 and m.vault_id = $1 and m.account_id = $2
         order by c.seq, c.hash";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) =
        (reader.vault_id.as_bytes().as_slice(), reader.account_id.as_bytes().as_slice());
    let (seq, hash) = start(after);
    let rows = client
        .query(&statement, &[&vault_id, &account_id, &seq, &hash, &(PAGE_COMMITS + 1), &(PAGE_LIMIT as i64)])
        .await;
    let rows = rows.map_err(failed)?;
    let Some(first) = rows.first() else { return Ok(None) };
    let (standing, total) = (standing(first, 0)?, total(first, 4)?);
    let rows = taken(&rows, total).map(|row| commit_row(row, 5)).collect::<Result<Vec<_>, _>>()?;
    let more = total.unwrap_or_default() > rows.len() as i64;
    Ok(Some(CommitRows { standing, rows, more }))
}

/// The (position, hash) that a page starts after.
fn start(after: Option<LogHead>) -> (i64, Vec<u8>) {
    after.map_or((-1, Vec::new()), |after| (place(after.seq), after.hash.0.to_vec()))
}

/// Says which of the side commits that wait are needed; `false` where one of them is not there.
pub(super) async fn need(
    tx: &impl GenericClient,
    at: &StagePlace,
    sides: &[LogHead],
) -> Result<bool, StoreError> {
    let (vault_id, account_id) = keys(at);
    // Whoever stages has this row before the commits' own, too.
    let sql = "select from heal_side_area where vault_id = $1 and account_id = $2 for update";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    tx.query_opt(&statement, &[&vault_id, &account_id]).await.map_err(failed)?;
    let sql = "update heal_side set needed = false where vault_id = $1 and account_id = $2 and needed";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    tx.execute(&statement, &[&vault_id, &account_id]).await.map_err(failed)?;
    let sql = "update heal_side s
         set needed = true
         from unnest($3::int8[], $4::bytea[]) as n (seq, hash)
         where s.vault_id = $1 and s.account_id = $2 and s.seq = n.seq and s.hash = n.hash";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let seqs: Vec<i64> = sides.iter().map(|side| place(side.seq)).collect();
    let hashes: Vec<&[u8]> = sides.iter().map(|side| side.hash.as_bytes().as_slice()).collect();
    let found = tx.execute(&statement, &[&vault_id, &account_id, &seqs, &hashes]).await.map_err(failed)?;
    Ok(found == sides.len() as u64)
}

/// Puts the needed side commits beside the chain and gives how many bytes that are new there; `None` where all are more than
/// the vault may keep.
pub(super) async fn keep(
    tx: &impl GenericClient,
    at: &StagePlace,
    limit_bytes: u64,
) -> Result<Option<u64>, StoreError> {
    let (vault_id, account_id) = keys(at);
    let before = kept_bytes(tx, vault_id).await?;
    let sql = "insert into vault_side
             (vault_id, seq, hash, kind, author_account, author_seq, author_hash, bytes, body)
         select vault_id, seq, hash, kind, author_account, author_seq, author_hash, bytes, body
         from heal_side
         where vault_id = $1 and account_id = $2 and needed
         on conflict (vault_id, seq, hash) do nothing";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    tx.execute(&statement, &[&vault_id, &account_id]).await.map_err(failed)?;
    let held = kept_bytes(tx, vault_id).await?;
    Ok((held <= limit_bytes).then(|| held.saturating_sub(before)))
}

/// What the vault keeps of side commits.
async fn kept_bytes(tx: &impl GenericClient, vault_id: &[u8]) -> Result<u64, StoreError> {
    let sql = "select coalesce(sum(octet_length(bytes) + octet_length(body)), 0)::int8
         from vault_side
         where vault_id = $1";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let row = tx.query_one(&statement, &[&vault_id]).await.map_err(failed)?;
    number(&row, 0)
}

/// Forgets the side commits that wait.
pub(super) async fn clear(tx: &impl GenericClient, at: &StagePlace) -> Result<(), StoreError> {
    let (vault_id, account_id) = keys(at);
    for sql in [
        "delete from heal_side_area where vault_id = $1 and account_id = $2",
        "delete from heal_side where vault_id = $1 and account_id = $2",
    ] {
        let statement = tx.prepare_cached(sql).await.map_err(failed)?;
        tx.execute(&statement, &[&vault_id, &account_id]).await.map_err(failed)?;
    }
    Ok(())
}
