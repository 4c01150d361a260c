//! A vault's past: control commits, what happened since a commit, the versions of an item.

use lockstep_domain::store::{ControlRows, News, Since, VaultReader, VersionPlace};
use lockstep_proto::api::items::{KeptVersion, VersionPage};
use lockstep_proto::ids::{Seq, VaultId, Version};
use lockstep_proto::log::LogHead;
use rusqlite::{Connection, Row, params};

use super::columns::{number, place};
use super::pages::{commit_row, commit_rows, stored_item};
use super::vaults::{contains, readable};

pub(super) fn control(
    connection: &Connection,
    reader: VaultReader,
    after: Option<Seq>,
) -> rusqlite::Result<Option<ControlRows>> {
    let Some(standing) = readable(connection, reader)? else { return Ok(None) };
    let vault_id = reader.vault_id.as_bytes();
    let sql = "select seq, hash, author_account, author_seq, author_hash, bytes, body, kind
         from vault_commit
         where vault_id = ?1 and seq = ?2";
    let last =
        connection.prepare_cached(sql)?.query_row(params![vault_id, place(standing.head.seq)], commit_row)?;
    let sql = "select seq, hash, author_account, author_seq, author_hash, bytes, body, kind
         from vault_commit
         where vault_id = ?1 and seq > ?2 and kind <> 2
         order by seq";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query(params![vault_id, after.map_or(-1, place)])?;
    let (rows, more) = commit_rows(rows, usize::MAX)?;
    Ok(Some(ControlRows { standing, last, rows, more }))
}

pub(super) fn news(
    connection: &Connection,
    reader: VaultReader,
    base: LogHead,
    limit: usize,
) -> rusqlite::Result<Option<News>> {
    let Some(standing) = readable(connection, reader)? else { return Ok(None) };
    let known = contains(connection, reader.vault_id, base)?;
    let since = if known { since(connection, reader.vault_id, base.seq, limit)? } else { None };
    Ok(Some(News { standing, since }))
}

/// Reads until the limit is passed, not further.
fn since(
    connection: &Connection,
    vault_id: VaultId,
    base: Seq,
    limit: usize,
) -> rusqlite::Result<Option<Since>> {
    let (mut since, mut held) = (Since { commits: Vec::new(), items: Vec::new() }, 0);
    let sql = "select seq, hash, author_account, author_seq, author_hash, bytes, body, kind
         from vault_commit
         where vault_id = ?1 and seq > ?2
         order by seq";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![vault_id.as_bytes(), place(base)])?;
    while let Some(row) = rows.next()? {
        let row = commit_row(row)?;
        held += row.entry.commit.len() + row.entry.body.len();
        if held > limit {
            return Ok(None);
        }
        since.commits.push(row);
    }
    let sql = "select i.item_id, i.version, i.blob_hash, i.seq, v.blob
         from item i
         join item_version v on v.vault_id = i.vault_id and v.item_id = i.item_id and v.version = i.version
         where i.vault_id = ?1 and i.seq > ?2
         order by i.seq, i.item_id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![vault_id.as_bytes(), place(base)])?;
    while let Some(row) = rows.next()? {
        let item = stored_item(row)?;
        held += item.blob.len();
        if held > limit {
            return Ok(None);
        }
        since.items.push(item);
    }
    Ok(Some(since))
}

/// An item's versions ascend with the commits that wrote them.
pub(super) fn versions(
    connection: &Connection,
    reader: VaultReader,
    from: VersionPlace,
) -> rusqlite::Result<Option<VersionPage>> {
    if readable(connection, reader)?.is_none() {
        return Ok(None);
    }
    let sql = "select version, seq, length(blob), stored_ms, replaced_ms
         from item_version
         where vault_id = ?1 and item_id = ?2
         order by seq desc";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![reader.vault_id.as_bytes(), from.item_id.as_bytes()])?;
    let mut page = VersionPage { versions: Vec::new(), more: false };
    while let Some(row) = rows.next()? {
        let kept = kept(row)?;
        if from.before.is_some_and(|before| kept.version >= before) {
            continue;
        }
        if page.versions.len() >= from.limit as usize {
            page.more = true;
            break;
        }
        page.versions.push(kept);
    }
    Ok(Some(page))
}

fn kept(row: &Row<'_>) -> rusqlite::Result<KeptVersion> {
    Ok(KeptVersion {
        version: Version(number(row, 0)?),
        seq: Seq(number(row, 1)?),
        bytes: number(row, 2)?,
        stored_ms: number(row, 3)?,
        replaced_ms: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
    })
}
