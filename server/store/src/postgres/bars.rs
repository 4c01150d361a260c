//! Bars.

use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Object};
use lockstep_domain::store::{Bar, BarStore, NewBars, StoreError, VaultBars};
use lockstep_proto::ids::{DeviceId, VaultId};
use lockstep_proto::log::LogHead;

use super::PostgresStore;
use super::columns::{bytes, failed, place, to_column};

#[async_trait]
impl BarStore for PostgresStore {
    async fn bar(&self, bars: NewBars) -> Result<(), StoreError> {
        self.with(move |client| bar(client, bars)).await
    }

    async fn bars(&self, vault_id: VaultId, commit: LogHead) -> Result<Option<VaultBars>, StoreError> {
        self.with(move |client| read(client, vault_id, commit)).await
    }
}

/// The bars first: their rows are what [`claim`] locks, so a vault that is being made is there, or refused, when they are
/// written. Then the vault's row, so that this waits for every commit that is being made, and changes it, so that a commit
/// that waits for it in turn looks again.
async fn bar(mut client: Object, bars: NewBars) -> Result<(), StoreError> {
    let devices: Vec<&[u8]> = bars.devices.iter().map(|device_id| device_id.as_bytes().as_slice()).collect();
    let vault_id = bars.vault_id.as_bytes().as_slice();
    let (now_ms, until_ms) = (to_column(bars.now_ms), to_column(bars.until_ms));
    let tx = client.transaction().await.map_err(failed)?;
    // Those that have ended go, unless somebody else is at them: nobody waits in a circle for what does not matter.
    let sql = "with ended as (
             select device_id from vault_barred
             where vault_id = $1 and until_ms <= $3 and not device_id = any($2)
             for update skip locked
         ), gone as (
             delete from vault_barred b using ended e where b.vault_id = $1 and b.device_id = e.device_id
         )
         insert into vault_barred (vault_id, device_id, until_ms)
         select $1, d.device_id, $4 from unnest($2::bytea[]) as d (device_id) order by d.device_id
         on conflict (vault_id, device_id) do update
         set until_ms = greatest(vault_barred.until_ms, excluded.until_ms)";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    tx.execute(&statement, &[&vault_id, &devices, &now_ms, &until_ms]).await.map_err(failed)?;
    let statement = tx.prepare_cached("update vault set bars = bars + 1 where vault_id = $1").await;
    tx.execute(&statement.map_err(failed)?, &[&vault_id]).await.map_err(failed)?;
    tx.commit().await.map_err(failed)
}

/// Whether one of these devices is barred from a vault that is about to be made. There is no row of it to lock, so this
/// locks the devices' bars: where they have none, one that has ended long ago, which [`release`] takes away again. Ascending,
/// as in [`bar`], so that nobody waits in a circle.
pub(super) async fn claim(
    tx: &impl GenericClient,
    vault_id: VaultId,
    devices: &[DeviceId],
    now_ms: u64,
) -> Result<bool, StoreError> {
    let sql = "insert into vault_barred (vault_id, device_id, until_ms)
         select $1, d.device_id, 0 from unnest($2::bytea[]) as d (device_id) order by d.device_id
         on conflict (vault_id, device_id) do update set until_ms = vault_barred.until_ms
         returning until_ms > $3";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    let devices: Vec<&[u8]> = devices.iter().map(|device_id| device_id.as_bytes().as_slice()).collect();
    let vault_id = vault_id.as_bytes().as_slice();
    let rows = tx.query(&statement, &[&vault_id, &devices, &to_column(now_ms)]).await.map_err(failed)?;
    let barred = rows.iter().map(|row| row.try_get::<_, bool>(0).map_err(failed));
    Ok(barred.collect::<Result<Vec<_>, _>>()?.contains(&true))
}

/// Takes away what [`claim`] put there.
pub(super) async fn release(tx: &impl GenericClient, vault_id: VaultId) -> Result<(), StoreError> {
    let sql = "delete from vault_barred where vault_id = $1 and until_ms = 0";
    let statement = tx.prepare_cached(sql).await.map_err(failed)?;
    tx.execute(&statement, &[&vault_id.as_bytes().as_slice()]).await.map_err(failed)?;
    Ok(())
}

/// One statement, so one moment.
async fn read(client: Object, vault_id: VaultId, commit: LogHead) -> Result<Option<VaultBars>, StoreError> {
    let sql = "select v.checkpoint,
                exists (select 1 from vault_commit c where c.vault_id = $1 and c.seq = $2 and c.hash = $3),
                array(select b.device_id from vault_barred b where b.vault_id = $1 order by b.device_id),
                array(select b.until_ms from vault_barred b where b.vault_id = $1 order by b.device_id)
         from vault v
         where v.vault_id = $1";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let (vault_id, hash) = (vault_id.as_bytes().as_slice(), commit.hash.as_bytes().as_slice());
    let row = client.query_opt(&statement, &[&vault_id, &place(commit.seq), &hash]).await.map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let devices: Vec<&[u8]> = row.try_get(2).map_err(failed)?;
    let ends: Vec<i64> = row.try_get(3).map_err(failed)?;
    let bar = |(device_id, until_ms): (&[u8], i64)| {
        let device_id = device_id.try_into().map_err(|_| StoreError::Corrupt("a device id"))?;
        Ok(Bar { device_id: DeviceId(device_id), until_ms: until_ms.cast_unsigned() })
    };
    let bars = devices.into_iter().zip(ends).map(bar).collect::<Result<Vec<_>, StoreError>>()?;
    let has_commit = row.try_get(1).map_err(failed)?;
    Ok(Some(VaultBars { checkpoint: bytes(&row, 0)?, has_commit, bars }))
}
