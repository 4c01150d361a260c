//! Pages of a vault, each read in one snapshot.

use lockstep_domain::store::{CommitRow, CommitRows, ItemPlace, ItemRows, VaultReader};
use lockstep_proto::api::items::{BlobsPage, ItemVersion, StoredBlob, StoredItem};
use lockstep_proto::api::vaults::{AuthorPosition, StoredCommit};
use lockstep_proto::ids::{AccountId, Seq, Version};
use lockstep_proto::log::CommitKind;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, Row, Rows, params};

use super::columns::{fits, fixed, hash, head, item_id, number, place, to_column};
use super::vaults::readable;

pub(super) fn commits(
    connection: &Connection,
    reader: VaultReader,
    after: Option<Seq>,
    limit: u32,
) -> rusqlite::Result<Option<CommitRows>> {
    let Some(standing) = readable(connection, reader)? else { return Ok(None) };
    let sql = "select seq, hash, author_account, author_seq, author_hash, bytes, body, kind
         from vault_commit
         where vault_id = ?1 and seq > ?2
         order by seq";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query(params![reader.vault_id.as_bytes(), after.map_or(-1, place)])?;
    let (rows, more) = commit_rows(rows, limit as usize)?;
    Ok(Some(CommitRows { standing, rows, more }))
}

/// As many commits as fit into a page, and whether there are more.
pub(super) fn commit_rows(mut rows: Rows<'_>, limit: usize) -> rusqlite::Result<(Vec<CommitRow>, bool)> {
    let (mut page, mut held) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let row = commit_row(row)?;
        let size = row.entry.commit.len() + row.entry.body.len();
        if page.len() >= limit || !fits(held, size) {
            return Ok((page, true));
        }
        held += size;
        page.push(row);
    }
    Ok((page, false))
}

/// A commit, from `seq, hash, author_account, author_seq, author_hash, bytes, body, kind`.
pub(super) fn commit_row(row: &Row<'_>) -> rusqlite::Result<CommitRow> {
    let kind = number(row, 7)?;
    let kind = CommitKind::ALL.iter().find(|known| u64::from(**known as u8) == kind).copied();
    let kind = kind.ok_or_else(|| Error::InvalidColumnType(7, "a kind of commit".into(), Type::Integer))?;
    let author = AuthorPosition { account_id: AccountId(fixed(row, 2)?), head: head(row, 3)? };
    let entry =
        StoredCommit { commit: row.get::<_, Vec<u8>>(5)?.into(), body: row.get::<_, Vec<u8>>(6)?.into() };
    Ok(CommitRow { head: head(row, 0)?, kind, author, entry })
}

pub(super) fn items(
    connection: &Connection,
    reader: VaultReader,
    from: ItemPlace,
) -> rusqlite::Result<Option<ItemRows>> {
    let Some(standing) = readable(connection, reader)? else { return Ok(None) };
    let sql = "select i.item_id, i.version, i.blob_hash, i.seq, v.blob
         from item i
         join item_version v on v.vault_id = i.vault_id and v.item_id = i.item_id and v.version = i.version
         where i.vault_id = ?1 and (i.seq, i.item_id) > (?2, ?3) and i.seq <= ?4
         order by i.seq, i.item_id";
    let mut statement = connection.prepare_cached(sql)?;
    let (seq, item) = start(from);
    let upto = from.upto.map_or(i64::MAX, place);
    let mut rows = statement.query(params![reader.vault_id.as_bytes(), seq, item, upto])?;
    let mut page = ItemRows { standing, rows: Vec::new(), more: false };
    let mut held = 0;
    while let Some(row) = rows.next()? {
        let item = stored_item(row)?;
        if !fits(held, item.blob.len()) {
            page.more = true;
            break;
        }
        held += item.blob.len();
        page.rows.push(item);
    }
    Ok(Some(page))
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

pub(super) fn stored_item(row: &Row<'_>) -> rusqlite::Result<StoredItem> {
    Ok(StoredItem {
        item_id: item_id(row, 0)?,
        version: Version(number(row, 1)?),
        blob_hash: hash(row, 2)?,
        seq: Seq(number(row, 3)?),
        blob: row.get::<_, Vec<u8>>(4)?.into(),
    })
}

pub(super) fn blobs(
    connection: &Connection,
    reader: VaultReader,
    want: &[ItemVersion],
) -> rusqlite::Result<Option<BlobsPage>> {
    if readable(connection, reader)?.is_none() {
        return Ok(None);
    }
    let sql = "select blob from item_version where vault_id = ?1 and item_id = ?2 and version = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut page = BlobsPage { blobs: Vec::new(), missing: Vec::new(), more: false };
    let mut held = 0;
    for wanted in want {
        let (item_id, version) = (wanted.item_id, wanted.version);
        let values = params![reader.vault_id.as_bytes(), item_id.as_bytes(), to_column(version.0)];
        let Some(blob) = statement.query_row(values, |row| row.get::<_, Vec<u8>>(0)).optional()? else {
            page.missing.push(*wanted);
            continue;
        };
        if !fits(held, blob.len()) {
            page.more = true;
            break;
        }
        held += blob.len();
        page.blobs.push(StoredBlob { item_id, version, blob: blob.into() });
    }
    Ok(Some(page))
}
