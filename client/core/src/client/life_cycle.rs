//! Devices, password and keys of the account, as its owner changes them.

use std::collections::BTreeSet;

use lockstep_crypto::password::Password;
use lockstep_proto::ids::{DeviceId, VaultId};

use super::{Client, ClientError, Silent, SyncReport};
use crate::account::{
    AccountError, KeyChange, SecurityRecord, SignInError, adopt_password, mark_events_seen,
    password_is_outdated, security_events,
};
use crate::sync::{Passwords, SyncError};

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
    /// Changes every key of the account, and removes the devices that go. Everything is in step first; afterwards every vault has a new key. A crash anywhere leaves the
    /// account as it was, or a change that the next sync finishes.
    ///
    /// # Errors
    /// [`LifeCycleError`].
    pub async fn change_keys(
        &mut self,
        change: &KeyChange,
        passwords: Passwords<'_>,
    ) -> Result<SyncReport, LifeCycleError> {
        self.change_keys_ending(change, passwords, &BTreeSet::new()).await
    }

    /// The same, and ends these vaults: those that [`SyncError::VaultsWouldEnd`] has named, if their owner says so. Nothing
    /// brings them back.
    ///
    /// # Errors
    /// [`LifeCycleError`].
    pub async fn change_keys_ending(
        &mut self,
        change: &KeyChange,
        passwords: Passwords<'_>,
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
        let mut report = Box::pin(self.engine(&Silent).change_keys(change, passwords, ending)).await?;
        self.tell(&mut report).await?;
        Ok(report)
    }

    /// Gives the account a new password. Other devices stay signed in; they unlock with the password they know until their
    /// owner types the new one there.
    ///
    /// # Errors
    /// [`SyncError`]; unless the answer of the server was lost the password is as it was.
    pub async fn change_password(&mut self, passwords: Passwords<'_>) -> Result<(), SyncError> {
        self.settle::<SyncError>().await?;
        Box::pin(self.engine(&Silent).change_password(passwords)).await
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
