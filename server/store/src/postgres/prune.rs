//! The end of versions, a few at a time.

use deadpool_postgres::Object;
use lockstep_domain::store::{Pruned, RetentionRule, StoreError};
use lockstep_proto::ids::VaultId;

use super::columns::{failed, fixed, number, to_column};

/// The first vault above this id.
pub(super) async fn next_vault(
    client: Object,
    after: Option<VaultId>,
) -> Result<Option<VaultId>, StoreError> {
    let sql = "select vault_id from vault where vault_id > $1 order by vault_id limit 1";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let after = after.map(|vault_id| vault_id.0.to_vec()).unwrap_or_default();
    let row = client.query_opt(&statement, &[&after]).await.map_err(failed)?;
    row.map(|row| fixed(&row, 0).map(VaultId)).transpose()
}

/// Versions that the rule lets go: first those of purged items, then those that are old, then those that are too many.
/// The first two are found by indexes on time, so a step costs what it removes; only the last looks at the index entries
/// of all that was replaced, and only until the step is full.
const DUE: &str = "select o.item_id, o.version
     from item i
     join item_version c on c.vault_id = $1 and c.item_id = i.item_id and c.version = i.version
     join item_version o on o.vault_id = $1 and o.item_id = i.item_id and o.replaced_ms < $2
     where i.vault_id = $1 and i.state = 2 and c.stored_ms < $3
     union all
     select o.item_id, o.version
     from item_version o
     join item i on i.vault_id = $1 and i.item_id = o.item_id and i.state <> 2
     where o.vault_id = $1 and o.replaced_ms < least($2, $4)
     union all
     select r.item_id, r.version
     from (
         select item_id, version, replaced_ms,
                row_number() over (partition by item_id order by seq desc) - 1 as newer
         from item_version
         where vault_id = $1 and replaced_ms is not null
     ) r
     join item i on i.vault_id = $1 and i.item_id = r.item_id and i.state <> 2
     where r.replaced_ms < $2 and r.replaced_ms >= $4 and r.newer >= $5
     limit $6";

/// What was replaced once stays replaced, so what was found is due still. What another node removes now is left to it:
/// nobody waits for versions, and the vault's row is locked last and for no longer than the statement's end.
const REMOVE: &str = "with due as materialized (
         select v.item_id, v.version
         from unnest($2::bytea[], $3::int8[]) as d (item_id, version)
         join item_version v on v.vault_id = $1 and v.item_id = d.item_id and v.version = d.version
         where v.replaced_ms is not null
         for update of v skip locked
     ), gone as (
         delete from item_version v
         using due d
         where v.vault_id = $1 and v.item_id = d.item_id and v.version = d.version
         returning octet_length(v.blob) as bytes
     ), freed as (
         select count(*) as versions, coalesce(sum(bytes), 0)::int8 as bytes from gone
     ), room as (
         update vault set used_bytes = used_bytes - (select bytes from freed) where vault_id = $1
     )
     select versions, bytes from freed";

/// Finds without a lock, then removes in one statement.
pub(super) async fn prune(
    client: Object,
    vault_id: VaultId,
    rule: RetentionRule,
    limit: u32,
) -> Result<Pruned, StoreError> {
    let vault_id = vault_id.as_bytes().as_slice();
    let before = |ms: u64| to_column(rule.now_ms.saturating_sub(ms).min(i64::MAX.cast_unsigned()));
    let (floor, purged) = (before(RetentionRule::FLOOR_MS), before(rule.purged_ms));
    let (kept, count, limit) = (before(rule.keep_ms), i64::from(rule.keep_versions), i64::from(limit));
    let statement = client.prepare_cached(DUE).await.map_err(failed)?;
    let due = client.query(&statement, &[&vault_id, &floor, &purged, &kept, &count, &limit]).await;
    let due = due.map_err(failed)?;
    if due.is_empty() {
        return Ok(Pruned::default());
    }
    let items = due.iter().map(|row| row.try_get(0)).collect::<Result<Vec<&[u8]>, _>>().map_err(failed)?;
    let versions = due.iter().map(|row| row.try_get(1)).collect::<Result<Vec<i64>, _>>().map_err(failed)?;
    let statement = client.prepare_cached(REMOVE).await.map_err(failed)?;
    let row = client.query_one(&statement, &[&vault_id, &items, &versions]).await.map_err(failed)?;
    let versions = u32::try_from(number(&row, 0)?).unwrap_or(u32::MAX);
    Ok(Pruned { versions, bytes: number(&row, 1)? })
}
