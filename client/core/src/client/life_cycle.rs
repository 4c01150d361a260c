//! Devices, password and keys of the account, as its owner changes them.

use std::collections::BTreeSet;

use lockstep_crypto::password::Password;
use lockstep_proto::ids::{DeviceId, VaultId};

use super::{Client, ClientError, Silent, SyncReport};
use crate::account::{
    self, AccountError, KeyChange, Recovery, SecurityRecord, Session, SignInError, adopt_password,
    mark_events_seen, password_is_outdated, security_events,
};
use crate::sync::SyncError;

/// What is asked for cannot be done with these devices. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LifeCycleError {
    /// The sync that is part of it did not finish. A link that was sent, or may have been, is finished by the next sync.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// A device does not remove itself.
    #[error("this device does not remove itself: do it on another device of the account")]
    OwnDevice,
    /// The account has no such device, or it was removed before.
    #[error("the account has no active device {0}; nothing was changed")]
    NoDevice(DeviceId),
    /// No device was named.
    #[error("no device was named; nothing was changed")]
    NoneNamed,
}

impl From<AccountError> for LifeCycleError {
    fn from(error: AccountError) -> Self {
        Self::Sync(error.into())
    }
}

impl Client {
    /// Changes every key of the account, and removes the devices that go. `password` is the account's from then on: the one
    /// it has, or a new one. Everything is in step first; afterwards every vault has a new key. A crash anywhere leaves the
    /// account as it was, or a change that the next sync finishes.
    ///
    /// # Errors
    /// [`LifeCycleError`].
    pub async fn change_keys(
        &mut self,
        change: &KeyChange,
        password: &Password,
    ) -> Result<SyncReport, LifeCycleError> {
        self.change_keys_ending(change, password, &BTreeSet::new()).await
    }

    /// The same, and ends these vaults: those that [`SyncError::VaultsWouldEnd`] has named, if their owner says so. Nothing
    /// brings them back.
    ///
    /// # Errors
    /// [`LifeCycleError`].
    pub async fn change_keys_ending(
        &mut self,
        change: &KeyChange,
        password: &Password,
        ending: &BTreeSet<VaultId>,
    ) -> Result<SyncReport, LifeCycleError> {
        self.settle::<SyncError>().await?;
        let revoked = change.revoked();
        if revoked.contains(&self.device_id()) {
            return Err(LifeCycleError::OwnDevice);
        }
        if revoked.is_empty() && !matches!(change, KeyChange::Rotation { .. }) {
            return Err(LifeCycleError::NoneNamed);
        }
        let state = self.unlocked.state();
        let active = |id: &DeviceId| state.device(id).is_some_and(lockstep_proto::log::Device::is_active);
        if let Some(unknown) = revoked.iter().find(|id| !active(id)) {
            return Err(LifeCycleError::NoDevice(*unknown));
        }
        let mut report = Box::pin(self.engine(&Silent).change_keys(change, password, ending)).await?;
        self.tell(&mut report).await?;
        Ok(report)
    }

    /// Gives the account a new password. Other devices stay signed in; they unlock with the password they know until their
    /// owner types the new one there.
    ///
    /// # Errors
    /// [`SyncError`]; unless the answer of the server was lost the password is as it was.
    pub async fn change_password(&mut self, password: &Password) -> Result<(), SyncError> {
        self.settle::<SyncError>().await?;
        Box::pin(self.engine(&Silent).change_password(password)).await
    }

    /// Whether the account's password was changed elsewhere, or registered anew, so that this device should ask for it.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn password_is_outdated(&self) -> Result<bool, AccountError> {
        Ok(password_is_outdated(&*self.ports.store, &self.unlocked).await?)
    }

    /// Proves the account's current password to the server and makes it the one that opens this device.
    ///
    /// # Errors
    /// [`SignInError`]; the password before still opens this device.
    pub async fn adopt_password(&mut self, password: &Password) -> Result<(), SignInError> {
        Box::pin(adopt_password(&self.ports, &self.api, &mut self.unlocked, password)).await
    }

    /// Finishes a recovery that [`account::start_recovery`] began: pulls every vault, lets this device join and the others
    /// go, and brings new keys to every vault. To be called again after a crash; then
    /// [`account::unshown_papers`] has the new sheets.
    ///
    /// # Errors
    /// [`SyncError`]; the recovery waits on this device.
    pub async fn recover(&mut self, password: &Password) -> Result<SyncReport, SyncError> {
        self.recover_ending(password, &BTreeSet::new()).await
    }

    /// The same, and ends these vaults, as [`Client::change_keys_ending`].
    ///
    /// # Errors
    /// As [`Client::recover`].
    pub async fn recover_ending(
        &mut self,
        password: &Password,
        ending: &BTreeSet<VaultId>,
    ) -> Result<SyncReport, SyncError> {
        self.settle::<SyncError>().await?;
        let recovery =
            Recovery::read(&*self.ports.store, &self.unlocked).await.map_err(AccountError::from)?;
        if !self.has_joined().await {
            let own = Session::of_recovery(&self.api, &self.unlocked, &recovery.recovery_key);
            let device = std::mem::replace(&mut self.session, own);
            let recovered = Box::pin(self.engine(&Silent).recover(&recovery, password, ending)).await;
            self.session = device;
            recovered?;
        }
        account::end_recovery(&self.ports, &mut self.unlocked).await.map_err(AccountError::from)?;
        Box::pin(self.sync()).await
    }

    /// Whether the account's log has this device: the answer to its link may have been lost.
    async fn has_joined(&mut self) -> bool {
        let own = self.device_id();
        let there = |client: &Self| client.unlocked.state().device(&own).is_some();
        there(self) || (Box::pin(self.engine(&Silent).look_for_own_device()).await.is_ok() && there(self))
    }

    /// What happened to the account and its server, as this device saw it; oldest first.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn security_events(&self) -> Result<Vec<SecurityRecord>, AccountError> {
        Ok(security_events(&*self.ports.store, &self.unlocked).await?)
    }

    /// Marks all of them as seen.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn mark_events_seen(&mut self) -> Result<(), AccountError> {
        Ok(mark_events_seen(&*self.ports.store, &self.unlocked).await?)
    }

    /// The passwords and other secrets that every device of the account could read until now: after the loss of one, what
    /// to change elsewhere.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn exposed_items(&self) -> Result<Vec<super::ItemSummary>, ClientError> {
        let mut exposed = Vec::new();
        for vault in self.vaults().await? {
            let items = self.items(vault.vault_id).await?;
            exposed.extend(items.into_iter().filter(|item| !item.trashed));
        }
        exposed.sort_by(|left, right| left.title.cmp(&right.title));
        Ok(exposed)
    }
}
