//! Bars: before devices are revoked, they stop writing in every vault, so that what a revoking link says about their
//! last commits is final. Every route that appends a revoking link bars first, or finds the devices barred; all but catch-up
//! under `--restored`, where commits of theirs below the cut-off may still have to come back.
//!
//! **Why a commit of a revoked device never follows the link:** the link is appended at a time t when the bars have a minute
//! left, and every commit that was written before them was seen and lies at or below the cut-off. A commit is verified by a
//! state of the account's log that is at most ten seconds older than the time n that the commit takes *before* it looks at
//! the log. If n is more than ten seconds after t, that state has the link and the verifier refuses; if not, n lies before
//! the end of the bar, and the transaction that writes the commit refuses. Nodes' clocks may differ by less than the 50
//! seconds in between.

use std::sync::Arc;

use lockstep_proto::api::BAR_SECONDS;
use lockstep_proto::api::account::{BarDevices, Barred};
use lockstep_proto::bar::BarStatement;
use lockstep_proto::ids::{AccountId, DeviceId, ServerId};
use lockstep_proto::log::{AccountState, LogHead, VaultHead, VaultState};
use lockstep_proto::sign::signed_bytes;

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
    /// The statement that is signed is of another head than the log's.
    #[error("the account's log has moved on")]
    HeadMoved(LogHead),
    /// Neither the account's password nor the Recovery Key has signed it.
    #[error("neither the account's password nor the Recovery Key has signed it")]
    Unsigned,
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
    server_id: ServerId,
}

impl Bars {
    pub(super) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        accounts: Arc<Accounts>,
        server_id: ServerId,
    ) -> Self {
        Self { store, clock, accounts, server_id }
    }

    /// Bars devices in every vault of the caller's account, one vault after the other, before it answers. Barring again
    /// extends. Whoever is barred cannot bar; and a device bars nobody without the account's password or the Recovery Key,
    /// for whoever is barred writes nothing.
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
        if let Session::Device(device_id) = caller.session {
            self.check_signature(&state, device_id, request)?;
        }
        let until_ms = self.bar_everywhere(&state, devices).await?;
        Ok(Barred { until_ms })
    }

    fn check_signature(
        &self,
        state: &AccountState,
        device_id: DeviceId,
        request: &BarDevices,
    ) -> Result<(), BarError> {
        if request.head != Some(state.head()) {
            return Err(BarError::HeadMoved(state.head()));
        }
        let statement = BarStatement {
            server_id: self.server_id,
            account_id: state.account_id(),
            device_id,
            head: state.head(),
            devices: request.devices.clone(),
        };
        let bytes = signed_bytes(&statement);
        let signature = request.signature.as_ref().ok_or(BarError::Unsigned)?;
        let password = state.auth().map(|auth| auth.password_key);
        let mut keys = password.into_iter().chain([state.recovery().signing]);
        let is_signed = keys.any(|key| key.verify(&bytes, signature).is_ok());
        if is_signed || lockstep_proto::seeded!("bar-unsigned") { Ok(()) } else { Err(BarError::Unsigned) }
    }

    /// Bars devices in all vaults of an account, and says until when.
    async fn bar_everywhere(&self, state: &AccountState, devices: &[DeviceId]) -> Result<u64, StoreError> {
        let now_ms = self.clock.now_ms();
        let until_ms = now_ms.saturating_add(u64::from(BAR_SECONDS) * 1_000);
        for vault_id in state.vaults().keys() {
            let bars = NewBars { vault_id: *vault_id, devices: devices.to_vec(), now_ms, until_ms };
            self.store.bar(bars).await?;
        }
        Ok(until_ms)
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
        for VaultHead { vault_id, head } in named(heads) {
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

    /// Whether links that a device gives back (R-HEAL), which lead to a state, may be taken: nobody who is a device in it is
    /// barred, for then the log does not move but by who bars; and no device that they revoke has written beyond
    /// its cut-off, as a chain that was restored together with the log cannot have. If so, these devices are barred and what
    /// they wrote is looked at once more, so that it stays true until every node knows the links.
    pub(super) async fn allow_healing(
        &self,
        after: &AccountState,
        revoking: &[(Vec<DeviceId>, Vec<VaultHead>)],
    ) -> Result<bool, StoreError> {
        if !self.is_settled(after, revoking).await? {
            return Ok(false);
        }
        let mut devices: Vec<DeviceId> = revoking.iter().flat_map(|(devices, _)| devices).copied().collect();
        if devices.is_empty() {
            return Ok(true);
        }
        devices.sort_unstable();
        devices.dedup();
        self.bar_everywhere(after, &devices).await?;
        self.is_settled(after, revoking).await
    }

    /// Whether nobody is barred who is a device in this state, and none of those that are revoked wrote beyond its cut-off.
    async fn is_settled(
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
            for VaultHead { vault_id, head } in named(heads) {
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

/// A head of nothing ends the vault: nothing of it counts.
fn named(heads: &[VaultHead]) -> impl Iterator<Item = &VaultHead> {
    heads.iter().filter(|vault| vault.head != LogHead::default())
}

fn is_active(state: &AccountState, device_id: &DeviceId) -> bool {
    state.device(device_id).is_some_and(lockstep_proto::log::Device::is_active)
}
