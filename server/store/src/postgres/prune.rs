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

/// Finds without a lock, then removes in one statement that locks the vault's row last and for no longer than its own
/// end. What was replaced once stays replaced, so what was found is due still.
pub(super) async fn prune(
    client: Object,
    vault_id: VaultId,
    rule: RetentionRule,
    limit: u32,
) -> Result<Pruned, StoreError> {
    let vault_id = vault_id.as_bytes().as_slice();
    let sql = "with replaced as (
             select item_id, version, replaced_ms,
                    row_number() over (partition by item_id order by seq desc) - 1 as newer
             from item_version
             where vault_id = $1 and replaced_ms is not null
         )
         select r.item_id, r.version
         from replaced r
         join item i on i.vault_id = $1 and i.item_id = r.item_id
         join item_version c on c.vault_id = $1 and c.item_id = r.item_id and c.version = i.version
         where r.replaced_ms < $2
           and case when i.state = 2 then c.stored_ms < $3 else r.replaced_ms < $4 or r.newer >= $5 end
         limit $6";
    let before = |ms: u64| to_column(rule.now_ms.saturating_sub(ms).min(i64::MAX.cast_unsigned()));
    let (floor, purged) = (before(RetentionRule::FLOOR_MS), before(rule.purged_ms));
    let (kept, count, limit) = (before(rule.keep_ms), i64::from(rule.keep_versions), i64::from(limit));
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let due = client.query(&statement, &[&vault_id, &floor, &purged, &kept, &count, &limit]).await;
    let due = due.map_err(failed)?;
    if due.is_empty() {
        return Ok(Pruned::default());
    }
    let items = due.iter().map(|row| row.try_get(0)).collect::<Result<Vec<&[u8]>, _>>().map_err(failed)?;
    let versions = due.iter().map(|row| row.try_get(1)).collect::<Result<Vec<i64>, _>>().map_err(failed)?;
    let sql = "with gone as (
             delete from item_version v
             using unnest($2::bytea[], $3::int8[]) as d (item_id, version)
             where v.vault_id = $1 and v.item_id = d.item_id and v.version = d.version
               and v.replaced_ms is not null
             returning octet_length(v.blob) as bytes
         ), freed as (
             select count(*) as versions, coalesce(sum(bytes), 0)::int8 as bytes from gone
         ), room as (
             update vault set used_bytes = used_bytes - (select bytes from freed) where vault_id = $1
         )
         select versions, bytes from freed";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let row = client.query_one(&statement, &[&vault_id, &items, &versions]).await.map_err(failed)?;
    let versions = u32::try_from(number(&row, 0)?).unwrap_or(u32::MAX);
    Ok(Pruned { versions, bytes: number(&row, 1)? })
}
