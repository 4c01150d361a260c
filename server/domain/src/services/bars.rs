//! Bars: before devices are revoked, they stop writing in every vault, so that what a revoking link says about their
//! last commits is final.

use std::sync::Arc;

use lockstep_proto::api::BAR_SECONDS;
use lockstep_proto::api::account::{BarDevices, Barred};
use lockstep_proto::ids::{AccountId, DeviceId};
use lockstep_proto::log::{AccountState, VaultHead, VaultState};

use super::accounts::Accounts;
use crate::caller::{Caller, Session};
use crate::ports::Clock;
use crate::store::{NewBars, Store, StoreError};

/// Why devices were not barred.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BarError {
    /// This session may not bar devices.
    #[error("this session may not bar devices")]
    Forbidden,
    /// The caller's own device is barred.
    #[error("the device is barred itself")]
    Barred,
    /// The list is not one of other devices of the account, ascending.
    #[error("it does not name other devices of the account, ascending")]
    Devices,
    /// The account is gone.
    #[error("there is no such account")]
    NoAccount,
    /// The store failed; some vaults may be barred.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What must be left of a bar when a link that counts on it is appended, in milliseconds: the link is durable, and every
/// node knows of it, long before the bar ends.
pub(super) const MARGIN_MS: u64 = 60_000;

/// The service.
pub struct Bars {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    accounts: Arc<Accounts>,
}

impl Bars {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, accounts: Arc<Accounts>) -> Self {
        Self { store, clock, accounts }
    }

    /// Bars devices in every vault of the caller's account, one vault after the other, before it answers. Barring again
    /// extends. Whoever is barred cannot bar.
    ///
    /// # Errors
    /// [`BarError`].
    pub async fn bar(&self, caller: Caller, request: &BarDevices) -> Result<Barred, BarError> {
        match caller.session {
            Session::Device(_) | Session::Recovery { spent: false, .. } => {}
            Session::Enrolment { .. } | Session::Recovery { spent: true, .. } => {
                return Err(BarError::Forbidden);
            }
        }
        let state = self.accounts.load(caller.account_id).await?.ok_or(BarError::NoAccount)?;
        let devices = &request.devices;
        let ascends = devices.windows(2).all(|pair| pair[0] < pair[1]);
        let others = |device_id: &DeviceId| {
            state.device(device_id).is_some() && caller.device_id() != Some(*device_id)
        };
        if devices.is_empty() || !ascends || !devices.iter().all(others) {
            return Err(BarError::Devices);
        }
        if self.is_barred(caller, &state).await? {
            return Err(BarError::Barred);
        }
        let now_ms = self.clock.now_ms();
        let until_ms = now_ms.saturating_add(u64::from(BAR_SECONDS) * 1_000);
        for vault_id in state.vaults().keys() {
            let bars = NewBars { vault_id: *vault_id, devices: devices.clone(), now_ms, until_ms };
            // A vault that was linked and never made takes no commits of anybody's.
            self.store.bar(bars).await?;
        }
        Ok(Barred { until_ms })
    }

    /// Whether the caller's device is being revoked: it is barred in the first of the account's vaults, as in all.
    pub(super) async fn is_barred(&self, caller: Caller, state: &AccountState) -> Result<bool, StoreError> {
        let Some(device_id) = caller.device_id() else { return Ok(false) };
        let now_ms = self.clock.now_ms();
        for vault_id in state.vaults().keys() {
            if let Some(vault) = self.store.bars(*vault_id, Default::default()).await? {
                let barred = |bar: &crate::store::Bar| bar.device_id == device_id && bar.until_ms > now_ms;
                return Ok(vault.bars.iter().any(barred));
            }
        }
        Ok(false)
    }

    /// Whether every one of these devices is barred in each of these vaults for long enough, each vault's chain has the
    /// head that is named, and none of the devices wrote after it.
    pub(super) async fn are_barred(
        &self,
        account_id: AccountId,
        devices: &[DeviceId],
        heads: &[VaultHead],
    ) -> Result<bool, StoreError> {
        for VaultHead { vault_id, head } in heads {
            let Some(vault) = self.store.bars(*vault_id, *head).await? else { continue };
            let state = VaultState::from_checkpoint(&vault.checkpoint)
                .map_err(|_| StoreError::Corrupt("a vault's checkpoint"))?;
            let enough = self.clock.now_ms().saturating_add(MARGIN_MS);
            let is_barred = |device_id: &DeviceId| {
                vault.bars.iter().any(|bar| bar.device_id == *device_id && bar.until_ms >= enough)
            };
            let wrote_after = |device_id: &DeviceId| {
                state.last_written(account_id, *device_id).is_some_and(|last| last > head.seq)
            };
            let settled = devices.iter().all(|device_id| is_barred(device_id) && !wrote_after(device_id));
            if !vault.has_commit || !settled {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether links that a device gives back (R-HEAL) may be taken without the steps of a revocation: nobody of the account
    /// is barred now, for then its log does not move but by who bars; and no device that they revoke wrote beyond its
    /// cut-off, as a chain that was restored together with the log cannot have.
    pub(super) async fn allow_healing(
        &self,
        state: &AccountState,
        revoking: &[(Vec<DeviceId>, Vec<VaultHead>)],
    ) -> Result<bool, StoreError> {
        let now_ms = self.clock.now_ms();
        for vault_id in state.vaults().keys() {
            let Some(vault) = self.store.bars(*vault_id, Default::default()).await? else { continue };
            if vault.bars.iter().any(|bar| bar.until_ms > now_ms && is_active(state, &bar.device_id)) {
                return Ok(false);
            }
        }
        for (devices, heads) in revoking {
            for VaultHead { vault_id, head } in heads {
                let Some(vault) = self.store.bars(*vault_id, *head).await? else { continue };
                let chain = VaultState::from_checkpoint(&vault.checkpoint)
                    .map_err(|_| StoreError::Corrupt("a vault's checkpoint"))?;
                let last = |device_id: &DeviceId| chain.last_written(state.account_id(), *device_id);
                if devices.iter().any(|device_id| last(device_id).is_some_and(|last| last > head.seq)) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

fn is_active(state: &AccountState, device_id: &DeviceId) -> bool {
    state.device(device_id).is_some_and(lockstep_proto::log::Device::is_active)
}
