//! Bars: devices that may not write in a vault for a time, while somebody revokes them.

use async_trait::async_trait;
use lockstep_proto::ids::{DeviceId, VaultId};
use lockstep_proto::log::LogHead;

use super::StoreError;

/// Devices to be barred in one vault.
#[derive(Debug, Clone)]
pub struct NewBars {
    /// The vault.
    pub vault_id: VaultId,
    /// The devices, each once.
    pub devices: Vec<DeviceId>,
    /// The server's time, in milliseconds since 1970: bars that have ended by then are forgotten.
    pub now_ms: u64,
    /// When the bars end by themselves. One that lasts longer already stays as it is.
    pub until_ms: u64,
}

/// A device that may not write, until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// The device.
    pub device_id: DeviceId,
    /// When it ends, in milliseconds since 1970.
    pub until_ms: u64,
}

/// A vault as it is while devices are revoked, of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultBars {
    /// The verified state at the head.
    pub checkpoint: Vec<u8>,
    /// Whether the chain has the commit that was asked for.
    pub has_commit: bool,
    /// The bars, ended ones perhaps included, ascending by device.
    pub bars: Vec<Bar>,
}

/// Bars.
#[async_trait]
pub trait BarStore: Send + Sync {
    /// Bars devices in a vault, which need not be there yet. What one of them has under way, be it a commit, the vault
    /// itself or a staging area with commits of its that becomes the vault, is either in the chain when this is answered,
    /// or refused.
    async fn bar(&self, bars: NewBars) -> Result<(), StoreError>;

    /// What stands in a vault's way to a revocation that names `commit`; `None` if there is no such vault.
    async fn bars(&self, vault_id: VaultId, commit: LogHead) -> Result<Option<VaultBars>, StoreError>;
}
