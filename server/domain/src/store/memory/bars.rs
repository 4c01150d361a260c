//! Bars in memory.

use async_trait::async_trait;
use lockstep_proto::ids::{DeviceId, VaultId};
use lockstep_proto::log::LogHead;

use super::super::{Bar, BarStore, NewBars, StoreError, VaultBars};
use super::{MemoryStore, Tables};

#[async_trait]
impl BarStore for MemoryStore {
    async fn bar(&self, bars: NewBars) -> Result<(), StoreError> {
        let mut tables = self.lock();
        let barred = tables.bars.entry(bars.vault_id).or_default();
        barred.retain(|_, until_ms| *until_ms > bars.now_ms);
        for device_id in bars.devices {
            let until_ms = barred.entry(device_id).or_default();
            *until_ms = bars.until_ms.max(*until_ms);
        }
        Ok(())
    }

    async fn bars(&self, vault_id: VaultId, commit: LogHead) -> Result<Option<VaultBars>, StoreError> {
        let tables = self.lock();
        let Some(vault) = tables.vaults.get(&vault_id) else { return Ok(None) };
        let bars = tables.bars.get(&vault_id).into_iter().flatten();
        let bars = bars.map(|(device_id, until_ms)| Bar { device_id: *device_id, until_ms: *until_ms });
        Ok(Some(VaultBars {
            checkpoint: vault.checkpoint.clone(),
            has_commit: vault.contains(commit),
            bars: bars.collect(),
        }))
    }
}

impl Tables {
    /// Whether a device may not write in a vault now.
    pub(super) fn is_barred(&self, vault_id: &VaultId, device_id: &DeviceId, now_ms: u64) -> bool {
        let until_ms = self.bars.get(vault_id).and_then(|barred| barred.get(device_id));
        until_ms.is_some_and(|until_ms| now_ms < *until_ms)
    }
}
