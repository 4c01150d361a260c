//! Pages of a vault, each read by one statement: all of it is of one moment, and for members alone.

use deadpool_postgres::Object;
use lockstep_domain::store::{CommitRow, CommitRows, ItemPlace, ItemRows, StoreError, VaultReader};
use lockstep_proto::api::PAGE_LIMIT;
use lockstep_proto::api::items::{BlobsPage, ItemVersion, StoredBlob, StoredItem};
use lockstep_proto::api::vaults::{AuthorPosition, StoredCommit};
use lockstep_proto::ids::{AccountId, Seq, Version};
use lockstep_proto::log::CommitKind;
use tokio_postgres::Row;

use super::columns::{bytes, failed, fixed, hash, head, item_id, number, place, standing, to_column};

/// Items of one page, at most: a page of the smallest blobs.
const PAGE_ITEMS: i64 = 8_192;

pub(super) async fn commits(
    client: Object,
    reader: VaultReader,
    after: Option<Seq>,
    limit: u32,
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
                     from vault_commit
                     where vault_id = $1 and seq > $3
                     order by seq
                     limit $4
                 ) k
                 window w as (order by k.seq)
             ) p
             where p.number = 1 or (p.held <= $5 and p.number < $4)
         ) c on true
         where v.vault_id = $1 and m.vault_id = $1 and m.account_id = $2
         order by c.seq";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) =
        (reader.vault_id.as_bytes().as_slice(), reader.account_id.as_bytes().as_slice());
    let (after, limit) = (after.map_or(-1, place), i64::from(limit) + 1);
    let rows =
        client.query(&statement, &[&vault_id, &account_id, &after, &limit, &(PAGE_LIMIT as i64)]).await;
    let rows = rows.map_err(failed)?;
    let Some(first) = rows.first() else { return Ok(None) };
    let (standing, total) = (standing(first, 0)?, total(first, 4)?);
    let rows = taken(&rows, total).map(|row| commit_row(row, 5)).collect::<Result<Vec<_>, _>>()?;
    let more = total.unwrap_or_default() > rows.len() as i64;
    Ok(Some(CommitRows { standing, rows, more }))
}

/// How many entries there were to choose from; none where the row is there for the vault alone.
pub(super) fn total(row: &Row, index: usize) -> Result<Option<i64>, StoreError> {
    row.try_get(index).map_err(failed)
}

/// The rows that hold an entry.
pub(super) fn taken(rows: &[Row], total: Option<i64>) -> impl Iterator<Item = &Row> {
    rows.iter().filter(move |_| total.is_some())
}

/// A commit, from `seq, hash, author_account, author_seq, author_hash, bytes, body, kind`.
pub(super) fn commit_row(row: &Row, index: usize) -> Result<CommitRow, StoreError> {
    let kind: i16 = row.try_get(index + 7).map_err(failed)?;
    let kind = CommitKind::ALL.into_iter().find(|known| i16::from(*known as u8) == kind);
    let author =
        AuthorPosition { account_id: AccountId(fixed(row, index + 2)?), head: head(row, index + 3)? };
    let entry = StoredCommit { commit: bytes(row, index + 5)?.into(), body: bytes(row, index + 6)?.into() };
    let kind = kind.ok_or(StoreError::Corrupt("a kind of commit"))?;
    Ok(CommitRow { head: head(row, index)?, kind, author, entry })
}

pub(super) async fn items(
    client: Object,
    reader: VaultReader,
    from: ItemPlace,
) -> Result<Option<ItemRows>, StoreError> {
    let sql = "select v.head_seq, v.head_hash, v.quota_bytes, v.used_bytes, i.total,
                i.item_id, i.version, i.blob_hash, i.seq, b.blob
         from vault v
         join vault_member m on m.vault_id = v.vault_id
         left join lateral (
             select p.*
             from (
                 select k.*, count(*) over () as total, row_number() over w as number, sum(k.bytes) over w as held
                 from (
                     select item_id, version, blob_hash, seq, bytes
                     from item
                     where vault_id = $1 and (seq, item_id) > ($3, $4) and seq <= $5
                     order by seq, item_id
                     limit $6
                 ) k
                 window w as (order by k.seq, k.item_id)
             ) p
             where p.number = 1 or (p.held <= $7 and p.number < $6)
         ) i on true
         left join item_version b on b.vault_id = $1 and b.item_id = i.item_id and b.version = i.version
         where v.vault_id = $1 and m.vault_id = $1 and m.account_id = $2
         order by i.seq, i.item_id";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) =
        (reader.vault_id.as_bytes().as_slice(), reader.account_id.as_bytes().as_slice());
    let (seq, item) = start(from);
    let upto = from.upto.map_or(i64::MAX, place);
    let (most, limit) = (PAGE_ITEMS + 1, PAGE_LIMIT as i64);
    let rows = client.query(&statement, &[&vault_id, &account_id, &seq, &item, &upto, &most, &limit]).await;
    let rows = rows.map_err(failed)?;
    let Some(first) = rows.first() else { return Ok(None) };
    let (standing, total) = (standing(first, 0)?, total(first, 4)?);
    let rows = taken(&rows, total).map(|row| stored_item(row, 5)).collect::<Result<Vec<_>, _>>()?;
    let more = total.unwrap_or_default() > rows.len() as i64;
    Ok(Some(ItemRows { standing, rows, more }))
}

/// The (seq, item id) that a page starts after. Without an item, after all of that position: no id is above 16 bytes of
/// 0xff and one more.
fn start(from: ItemPlace) -> (i64, Vec<u8>) {
    match (from.seq, from.item_id) {
        (None, _) => (-1, Vec::new()),
        (Some(seq), None) => (place(seq), vec![0xff; 17]),
        (Some(seq), Some(item_id)) => (place(seq), item_id.as_bytes().to_vec()),
    }
}

/// An item, from `item_id, version, blob_hash, seq, blob`.
pub(super) fn stored_item(row: &Row, index: usize) -> Result<StoredItem, StoreError> {
    Ok(StoredItem {
        item_id: item_id(row, index)?,
        version: Version(number(row, index + 1)?),
        blob_hash: hash(row, index + 2)?,
        seq: Seq(number(row, index + 3)?),
        blob: bytes(row, index + 4)?.into(),
    })
}

pub(super) async fn blobs(
    client: Object,
    reader: VaultReader,
    want: Vec<ItemVersion>,
) -> Result<Option<BlobsPage>, StoreError> {
    let sql = "select w.number, b.blob
         from vault_member m
         left join lateral (
             select p.*
             from (
                 select k.number, k.item_id, k.version, k.bytes, count(k.bytes) over w as found,
                        coalesce(sum(k.bytes) over w, 0) as held
                 from (
                     select a.number, a.item_id, a.version, octet_length(v.blob) as bytes
                     from unnest($3::bytea[], $4::int8[]) with ordinality as a (item_id, version, number)
                     left join item_version v
                       on v.vault_id = $1 and v.item_id = a.item_id and v.version = a.version
                 ) k
                 window w as (order by k.number)
             ) p
             where p.held <= $5 or (p.found = 1 and p.bytes is not null)
         ) w on true
         left join item_version b on b.vault_id = $1 and b.item_id = w.item_id and b.version = w.version
         where m.vault_id = $1 and m.account_id = $2
         order by w.number";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, account_id) =
        (reader.vault_id.as_bytes().as_slice(), reader.account_id.as_bytes().as_slice());
    let items: Vec<&[u8]> = want.iter().map(|wanted| wanted.item_id.as_bytes().as_slice()).collect();
    let versions: Vec<i64> = want.iter().map(|wanted| to_column(wanted.version.0)).collect();
    let rows =
        client.query(&statement, &[&vault_id, &account_id, &items, &versions, &(PAGE_LIMIT as i64)]).await;
    let rows = rows.map_err(failed)?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut page = BlobsPage { blobs: Vec::new(), missing: Vec::new(), more: false };
    for row in &rows {
        let Some(number) = row.try_get::<_, Option<i64>>(0).map_err(failed)? else { break };
        let index = usize::try_from(number - 1).ok();
        let wanted = index.and_then(|index| want.get(index)).ok_or(StoreError::Corrupt("a page of blobs"))?;
        match row.try_get::<_, Option<Vec<u8>>>(1).map_err(failed)? {
            None => page.missing.push(*wanted),
            Some(blob) => {
                let (item_id, version) = (wanted.item_id, wanted.version);
                page.blobs.push(StoredBlob { item_id, version, blob: blob.into() });
            }
        }
    }
    page.more = page.blobs.len() + page.missing.len() < want.len();
    Ok(Some(page))
}
