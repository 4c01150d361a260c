//! A vault's past: control commits, what happened since a commit, the versions of an item. One statement each, so that
//! an answer is of one moment.

use deadpool_postgres::Object;
use lockstep_domain::store::{ControlRows, News, Since, Standing, StoreError, VaultReader, VersionPlace};
use lockstep_proto::api::PAGE_LIMIT;
use lockstep_proto::api::items::{KeptVersion, VersionPage};
use lockstep_proto::ids::{Seq, Version};
use lockstep_proto::log::LogHead;
use tokio_postgres::Row;

use super::columns::{failed, number, place, standing, to_column};
use super::pages::{commit_row, stored_item, taken, total};

/// Control commits of one page, at most.
const PAGE_CONTROL: i64 = 1_024;
/// Commits, and items, that are brought along at most: more of the smallest do not fit.
const SINCE: i64 = 2_048;

pub(super) async fn find(
    client: Object,
    reader: VaultReader,
    commit: LogHead,
) -> Result<Option<(bool, Standing)>, StoreError> {
    let sql = "select v.head_seq, v.head_hash, v.quota_bytes, v.used_bytes,
                exists (select 1 from vault_commit c where c.vault_id = $1 and c.seq = $3 and c.hash = $4)
         from vault v
         join vault_member m on m.vault_id = v.vault_id
         where v.vault_id = $1 and m.vault_id = $1 and m.account_id = $2";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) =
        (reader.vault_id.as_bytes().as_slice(), reader.account_id.as_bytes().as_slice());
    let (seq, hash) = (place(commit.seq), commit.hash.as_bytes().as_slice());
    let row = client.query_opt(&statement, &[&vault_id, &account_id, &seq, &hash]).await.map_err(failed)?;
    let found = |row: Row| Ok((row.try_get(4).map_err(failed)?, standing(&row, 0)?));
    row.map(found).transpose()
}

pub(super) async fn control(
    client: Object,
    reader: VaultReader,
    after: Option<Seq>,
) -> Result<Option<ControlRows>, StoreError> {
    let sql = "select v.head_seq, v.head_hash, v.quota_bytes, v.used_bytes, c.total,
                c.seq, c.hash, c.author_account, c.author_seq, c.author_hash, c.bytes, c.body, c.kind,
                l.seq, l.hash, l.author_account, l.author_seq, l.author_hash, l.bytes, l.body, l.kind
         from vault v
         join vault_member m on m.vault_id = v.vault_id
         join vault_commit l on l.vault_id = v.vault_id and l.seq = v.head_seq
         left join lateral (
             select p.*
             from (
                 select k.*, count(*) over () as total, row_number() over w as number,
                        sum(octet_length(k.bytes) + octet_length(k.body)) over w as held
                 from (
                     select seq, hash, author_account, author_seq, author_hash, bytes, body, kind
                     from vault_commit
                     where vault_id = $1 and seq > $3 and kind <> 2
                     order by seq
                     limit $4
                 ) k
                 window w as (order by k.seq)
             ) p
             where p.number = 1 or (p.held <= $5 and p.number < $4)
         ) c on true
         where v.vault_id = $1 and m.vault_id = $1 and l.vault_id = $1 and m.account_id = $2
         order by c.seq";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) =
        (reader.vault_id.as_bytes().as_slice(), reader.account_id.as_bytes().as_slice());
    let after = after.map_or(-1, place);
    let values = client
        .query(&statement, &[&vault_id, &account_id, &after, &(PAGE_CONTROL + 1), &(PAGE_LIMIT as i64)])
        .await;
    let rows = values.map_err(failed)?;
    let Some(first) = rows.first() else { return Ok(None) };
    let (standing, last, total) = (standing(first, 0)?, commit_row(first, 13)?, total(first, 4)?);
    let rows = taken(&rows, total).map(|row| commit_row(row, 5)).collect::<Result<Vec<_>, _>>()?;
    let more = total.unwrap_or_default() > rows.len() as i64;
    Ok(Some(ControlRows { standing, last, rows, more }))
}

/// Three statements of one read-only transaction, sent together.
pub(super) async fn news(
    mut client: Object,
    reader: VaultReader,
    base: LogHead,
    limit: usize,
) -> Result<Option<News>, StoreError> {
    let sql = "select v.head_seq, v.head_hash, v.quota_bytes, v.used_bytes,
                exists (select 1 from vault_commit c where c.vault_id = $1 and c.seq = $3 and c.hash = $4)
         from vault v
         join vault_member m on m.vault_id = v.vault_id
         where v.vault_id = $1 and m.vault_id = $1 and m.account_id = $2";
    let found = client.prepare_cached(sql).await.map_err(failed)?;
    let commits = client.prepare_cached(COMMITS_SINCE).await.map_err(failed)?;
    let items = client.prepare_cached(ITEMS_SINCE).await.map_err(failed)?;
    let (vault_id, account_id) =
        (reader.vault_id.as_bytes().as_slice(), reader.account_id.as_bytes().as_slice());
    let (seq, hash) = (place(base.seq), base.hash.as_bytes().as_slice());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let snapshot = client.build_transaction().isolation_level(tokio_postgres::IsolationLevel::RepeatableRead);
    let tx = snapshot.read_only(true).start().await.map_err(failed)?;
    let (found, commits, items) = tokio::try_join!(
        async { tx.query_opt(&found, &[&vault_id, &account_id, &seq, &hash]).await },
        async { tx.query(&commits, &[&vault_id, &seq, &(SINCE + 1), &limit]).await },
        async { tx.query(&items, &[&vault_id, &seq, &(SINCE + 1), &limit]).await },
    )
    .map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    let Some(found) = found else { return Ok(None) };
    let standing = standing(&found, 0)?;
    let known: bool = found.try_get(4).map_err(failed)?;
    let since = if known { since(&commits, &items, limit)? } else { None };
    Ok(Some(News { standing, since }))
}

/// The first entry, and those that are up to `$4` bytes together with all before, with how many there are in all and how
/// large each is with all before.
const COMMITS_SINCE: &str =
    "select p.seq, p.hash, p.author_account, p.author_seq, p.author_hash, p.bytes, p.body, p.kind,
            p.total, p.held
     from (
         select k.*, count(*) over () as total, row_number() over w as number,
                sum(octet_length(k.bytes) + octet_length(k.body)) over w as held
         from (
             select seq, hash, author_account, author_seq, author_hash, bytes, body, kind
             from vault_commit
             where vault_id = $1 and seq > $2
             order by seq
             limit $3
         ) k
         window w as (order by k.seq)
     ) p
     where p.number = 1 or p.held <= $4
     order by p.seq";

const ITEMS_SINCE: &str = "select p.item_id, p.version, p.blob_hash, p.seq, b.blob, p.total, p.held
     from (
         select k.*, count(*) over () as total, row_number() over w as number, sum(k.bytes) over w as held
         from (
             select item_id, version, blob_hash, seq, bytes
             from item
             where vault_id = $1 and seq > $2
             order by seq, item_id
             limit $3
         ) k
         window w as (order by k.seq, k.item_id)
     ) p
     join item_version b on b.vault_id = $1 and b.item_id = p.item_id and b.version = p.version
     where p.number = 1 or p.held <= $4
     order by p.seq, p.item_id";

/// All of it, or `None` where it is more than fits. (Rows of an account that is no member are not looked at.)
fn since(commits: &[Row], items: &[Row], limit: i64) -> Result<Option<Since>, StoreError> {
    let whole = |rows: &[Row], index: usize| -> Result<Option<u64>, StoreError> {
        let Some(last) = rows.last() else { return Ok(Some(0)) };
        let (total, held) = (number(last, index)?, number(last, index + 1)?);
        Ok((total == rows.len() as u64).then_some(held))
    };
    let (Some(first), Some(second)) = (whole(commits, 8)?, whole(items, 5)?) else { return Ok(None) };
    if first.saturating_add(second) > limit.cast_unsigned() {
        return Ok(None);
    }
    let commits = commits.iter().map(|row| commit_row(row, 0)).collect::<Result<_, _>>()?;
    let items = items.iter().map(|row| stored_item(row, 0)).collect::<Result<_, _>>()?;
    Ok(Some(Since { commits, items }))
}

/// An item's versions ascend with the commits that wrote them. As columns have signs and versions have none, the
/// negative ones are the highest.
pub(super) async fn versions(
    client: Object,
    reader: VaultReader,
    from: VersionPlace,
) -> Result<Option<VersionPage>, StoreError> {
    let sql = "select v.version, v.seq, octet_length(v.blob)::int8, v.stored_ms, v.replaced_ms
         from vault_member m
         left join lateral (
             select o.version, o.seq, o.blob, o.stored_ms, o.replaced_ms
             from item_version o
             where o.vault_id = $1 and o.item_id = $3
               and ($4::int8 is null or (o.version < 0, o.version) < ($4 < 0, $4))
             order by o.seq desc
             limit $5
         ) v on true
         where m.vault_id = $1 and m.account_id = $2
         order by v.seq desc";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) =
        (reader.vault_id.as_bytes().as_slice(), reader.account_id.as_bytes().as_slice());
    let item_id = from.item_id.as_bytes().as_slice();
    let before = from.before.map(|before| to_column(before.0));
    let values = client
        .query(&statement, &[&vault_id, &account_id, &item_id, &before, &(i64::from(from.limit) + 1)])
        .await;
    let rows = values.map_err(failed)?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut page = VersionPage { versions: Vec::new(), more: false };
    for row in &rows {
        if row.try_get::<_, Option<i64>>(0).map_err(failed)?.is_none() {
            break;
        }
        if page.versions.len() >= from.limit as usize {
            page.more = true;
            break;
        }
        page.versions.push(kept(row)?);
    }
    Ok(Some(page))
}

fn kept(row: &Row) -> Result<KeptVersion, StoreError> {
    Ok(KeptVersion {
        version: Version(number(row, 0)?),
        seq: Seq(number(row, 1)?),
        bytes: number(row, 2)?,
        stored_ms: number(row, 3)?,
        replaced_ms: row.try_get::<_, Option<i64>>(4).map_err(failed)?.map(i64::cast_unsigned),
    })
}
