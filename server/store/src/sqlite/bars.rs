//! Bars. The one thread that writes makes each of them either before a commit or after it.

use async_trait::async_trait;
use lockstep_domain::store::{Bar, BarStore, NewBars, StoreError, VaultBars};
use lockstep_proto::ids::{DeviceId, VaultId};
use lockstep_proto::log::LogHead;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::SqliteStore;
use super::columns::{fixed, number, to_column};
use super::vaults::contains;
use super::writer::Verdict;

#[async_trait]
impl BarStore for SqliteStore {
    async fn bar(&self, bars: NewBars) -> Result<(), StoreError> {
        self.writer.write(move |connection| bar(connection, &bars)).await
    }

    async fn bars(&self, vault_id: VaultId, commit: LogHead) -> Result<Option<VaultBars>, StoreError> {
        self.readers.read(move |connection| read(connection, vault_id, commit)).await
    }
}

fn bar(connection: &Connection, bars: &NewBars) -> rusqlite::Result<Verdict<()>> {
    let vault_id = bars.vault_id.as_bytes();
    let sql = "delete from vault_barred where vault_id = ?1 and until_ms <= ?2";
    connection.prepare_cached(sql)?.execute(params![vault_id, to_column(bars.now_ms)])?;
    let sql = "insert into vault_barred (vault_id, device_id, until_ms)
         values (?1, ?2, ?3)
         on conflict (vault_id, device_id) do update set until_ms = max(until_ms, excluded.until_ms)";
    let mut statement = connection.prepare_cached(sql)?;
    for device_id in &bars.devices {
        statement.execute(params![vault_id, device_id.as_bytes(), to_column(bars.until_ms)])?;
    }
    Ok(Verdict::Keep(()))
}

/// Whether a device may not write in a vault now.
pub(super) fn is_barred(
    connection: &Connection,
    vault_id: VaultId,
    device_id: DeviceId,
    now_ms: u64,
) -> rusqlite::Result<bool> {
    let sql = "select exists (
             select 1 from vault_barred where vault_id = ?1 and device_id = ?2 and until_ms > ?3
         )";
    let values = params![vault_id.as_bytes(), device_id.as_bytes(), to_column(now_ms)];
    connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))
}

fn read(connection: &Connection, vault_id: VaultId, commit: LogHead) -> rusqlite::Result<Option<VaultBars>> {
    let sql = "select checkpoint from vault where vault_id = ?1";
    let found = connection.prepare_cached(sql)?.query_row(params![vault_id.as_bytes()], |row| row.get(0));
    let Some(checkpoint) = found.optional()? else { return Ok(None) };
    let sql = "select device_id, until_ms from vault_barred where vault_id = ?1 order by device_id";
    let mut statement = connection.prepare_cached(sql)?;
    let bars = statement.query_map(params![vault_id.as_bytes()], |row| {
        Ok(Bar { device_id: DeviceId(fixed(row, 0)?), until_ms: number(row, 1)? })
    })?;
    let bars = bars.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(Some(VaultBars { checkpoint, has_commit: contains(connection, vault_id, commit)?, bars }))
}
