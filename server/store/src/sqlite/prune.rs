//! The end of versions: found by a reader, removed in one short turn of the writer.

use lockstep_domain::store::{Pruned, RetentionRule, StoreError};
use lockstep_proto::ids::{ItemId, VaultId};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::SqliteStore;
use super::columns::{fixed, item_id, to_column};
use super::commit::TOMBSTONE;
use super::writer::Verdict;

/// A version, by its item and its column.
type Key = (ItemId, i64);

impl SqliteStore {
    pub(super) async fn prune_some(
        &self,
        vault_id: VaultId,
        rule: RetentionRule,
        limit: u32,
    ) -> Result<Pruned, StoreError> {
        let due = self.readers.read(move |connection| due(connection, vault_id, rule, limit)).await?;
        if due.is_empty() {
            return Ok(Pruned::default());
        }
        self.writer.write(move |connection| remove(connection, vault_id, &due).map(Verdict::Keep)).await
    }
}

/// The first vault above this id.
pub(super) fn next_vault(
    connection: &Connection,
    after: Option<VaultId>,
) -> rusqlite::Result<Option<VaultId>> {
    let sql = "select vault_id from vault where vault_id > ?1 order by vault_id limit 1";
    let after = after.map(|vault_id| vault_id.0.to_vec()).unwrap_or_default();
    connection.prepare_cached(sql)?.query_row(params![after], |row| fixed(row, 0).map(VaultId)).optional()
}

/// Versions that the rule lets go. A purged item's go by the time of its purge alone.
fn due(
    connection: &Connection,
    vault_id: VaultId,
    rule: RetentionRule,
    limit: u32,
) -> rusqlite::Result<Vec<Key>> {
    let sql = "with replaced as (
             select item_id, version, replaced_ms,
                    row_number() over (partition by item_id order by seq desc) - 1 as newer
             from item_version
             where vault_id = ?1 and replaced_ms is not null
         )
         select r.item_id, r.version
         from replaced r
         join item i on i.vault_id = ?1 and i.item_id = r.item_id
         join item_version c on c.vault_id = ?1 and c.item_id = r.item_id and c.version = i.version
         where r.replaced_ms < ?2
           and case when i.state = ?3 then c.stored_ms < ?4 else r.replaced_ms < ?5 or r.newer >= ?6 end
         limit ?7";
    let before = |ms: u64| to_column(rule.now_ms.saturating_sub(ms).min(i64::MAX.cast_unsigned()));
    let mut statement = connection.prepare_cached(sql)?;
    let values = params![
        vault_id.as_bytes(),
        before(RetentionRule::FLOOR_MS),
        TOMBSTONE,
        before(rule.purged_ms),
        before(rule.keep_ms),
        rule.keep_versions,
        limit
    ];
    statement.query_map(values, |row| Ok((item_id(row, 0)?, row.get(1)?)))?.collect()
}

/// What was replaced once stays replaced, so what a reader found is due still.
fn remove(connection: &Connection, vault_id: VaultId, due: &[Key]) -> rusqlite::Result<Pruned> {
    let sql = "delete from item_version
         where vault_id = ?1 and item_id = ?2 and version = ?3 and replaced_ms is not null
         returning length(blob)";
    let mut statement = connection.prepare_cached(sql)?;
    let mut pruned = Pruned::default();
    for (item_id, version) in due {
        let values = params![vault_id.as_bytes(), item_id.as_bytes(), version];
        let bytes: Option<i64> = statement.query_row(values, |row| row.get(0)).optional()?;
        pruned.versions += u32::from(bytes.is_some());
        pruned.bytes += bytes.map_or(0, i64::cast_unsigned);
    }
    let sql = "update vault set used_bytes = used_bytes - ?2 where vault_id = ?1";
    connection.prepare_cached(sql)?.execute(params![vault_id.as_bytes(), to_column(pruned.bytes)])?;
    Ok(pruned)
}
