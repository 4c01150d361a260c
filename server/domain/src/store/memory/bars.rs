//! Bars in memory.

use async_trait::async_trait;
use lockstep_proto::ids::VaultId;
use lockstep_proto::log::LogHead;

use super::super::{Bar, BarStore, NewBars, StoreError, VaultBars};
use super::MemoryStore;

#[async_trait]
impl BarStore for MemoryStore {
    async fn bar(&self, bars: NewBars) -> Result<bool, StoreError> {
        let mut tables = self.lock();
        let Some(vault) = tables.vaults.get_mut(&bars.vault_id) else { return Ok(false) };
        vault.barred.retain(|_, until_ms| *until_ms > bars.now_ms);
        for device_id in bars.devices {
            let until_ms = vault.barred.entry(device_id).or_default();
            *until_ms = bars.until_ms.max(*until_ms);
        }
        Ok(true)
    }

    async fn bars(&self, vault_id: VaultId, commit: LogHead) -> Result<Option<VaultBars>, StoreError> {
        let tables = self.lock();
        let Some(vault) = tables.vaults.get(&vault_id) else { return Ok(None) };
        let bars = vault
            .barred
            .iter()
            .map(|(device_id, until_ms)| Bar { device_id: *device_id, until_ms: *until_ms });
        Ok(Some(VaultBars {
            checkpoint: vault.checkpoint.clone(),
            has_commit: vault.contains(commit),
            bars: bars.collect(),
        }))
    }
}
