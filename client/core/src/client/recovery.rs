//! The Recovery Key: what it gives back, and what takes its place.

use std::collections::BTreeSet;

use lockstep_crypto::password::Password;
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_proto::api::RECOVERY_WAIT_SECONDS;
use lockstep_proto::ids::{DeviceId, Generation, VaultId};

use super::{Client, Silent, SyncReport};
use crate::account::{self, AccountError, Recovery, Session};
use crate::sync::SyncError;

/// A Recovery Key that is to take the place of the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingRecoveryKey {
    /// When this device learned of it, by its clock, in milliseconds since 1970.
    pub known_ms: u64,
    /// From when on it can be confirmed, at the latest, if this device's clock is right: a week later.
    pub due_ms: u64,
}

/// What the owner has chosen who takes the account back on a device of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TakeBack {
    /// The devices that stay, besides this one.
    pub stay: BTreeSet<DeviceId>,
    /// Vaults that may end, as [`Client::change_keys_ending`] has them.
    pub ending: BTreeSet<VaultId>,
    /// Whether to go on without the keys that the account's log names now and that the server does not give: what was
    /// sealed with them is lost.
    pub without_keys: bool,
}

impl Client {
    /// Finishes a recovery that [`account::start_recovery`] began: pulls every vault, lets this device join and the
    /// others go, and brings new keys to every vault. To be called again after a crash; then
    /// [`account::unshown_papers`] has the new sheets.
    ///
    /// # Errors
    /// [`SyncError`]; the recovery waits on this device. [`AccountError::KeysMovedOn`] within it where keys were changed meanwhile
    /// that the server does not give: [`Client::give_up_keys`] says that its owner goes on without.
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

    /// The owner who recovers goes on without the keys that the account's log names now and that the server does not
    /// give: what was sealed with them is lost. For a quarter of an hour the devices that go cannot change them again.
    ///
    /// # Errors
    /// [`AccountError`] where no recovery waits.
    pub async fn give_up_keys(&mut self) -> Result<(), AccountError> {
        Ok(Recovery::give_up_keys(&*self.ports.store, &self.unlocked).await?)
    }

    /// Whether the account's log has this device: the answer to its link may have been lost.
    async fn has_joined(&mut self) -> bool {
        let own = self.device_id();
        let there = |client: &Self| client.unlocked.state().device(&own).is_some();
        there(self) || (Box::pin(self.engine(&Silent).look_for_own_device()).await.is_ok() && there(self))
    }

    /// Takes the account back with the Recovery Key on this device, which is one of the account and unlocked: for a
    /// person who has forgotten the password. All devices but this one and `stay` go, and `password` is the account's
    /// from then on. [`account::unshown_papers`] has the new sheets then. After a crash the next sync goes on.
    ///
    /// # Errors
    /// [`SyncError`]; [`AccountError::OtherRecoveryKey`] within it for a sheet that is not the account's newest one, and
    /// [`AccountError::KeysMovedOn`] where keys were changed that the server does not give: [`TakeBack::without_keys`].
    pub async fn recover_here(
        &mut self,
        recovery_key: &RecoveryKey,
        password: &Password,
        chosen: &TakeBack,
    ) -> Result<SyncReport, SyncError> {
        self.settle::<SyncError>().await?;
        let shown = if chosen.without_keys { self.unlocked.state().generation() } else { Generation(0) };
        let recovery = Recovery::here(recovery_key, chosen.stay.clone(), shown);
        let mut engine = self.engine(&Silent);
        let mut report = Box::pin(engine.recover_here(&recovery, password, &chosen.ending)).await?;
        self.tell(&mut report).await?;
        Ok(report)
    }

    /// Whether the link of a [recovery](Self::recover_here) waits for the server: the password that it brings opens
    /// this device already, and the next sync sends it.
    ///
    /// # Errors
    /// [`AccountError`] where the record is damaged.
    pub async fn recovery_waits(&self) -> Result<bool, AccountError> {
        Ok(account::recovery_waits(&self.ports, &self.unlocked).await?)
    }

    /// Replaces the Recovery Key by a new one, at once, with the present one at hand. [`account::unshown_sheet`] has
    /// the new sheet then.
    ///
    /// # Errors
    /// [`SyncError`]; unless the answer of the server was lost the present one stays valid.
    pub async fn change_recovery_key(&mut self, present: &RecoveryKey) -> Result<(), SyncError> {
        self.settle::<SyncError>().await?;
        Box::pin(self.engine(&Silent).change_recovery_key(present)).await
    }

    /// Announces a new Recovery Key, for an owner whose sheet is lost. Every device shows it; after a week any of them
    /// may [confirm](Self::confirm_recovery_key) it; until then the present one is valid. It is cancelled by a change
    /// of the password or of the keys, and by the present Recovery Key. [`account::unshown_sheet`] has the sheet then.
    ///
    /// # Errors
    /// [`SyncError`]; [`AccountError::SheetUnshown`] within it while the present one's sheet waits on this device.
    pub async fn announce_recovery_key(&mut self, password: &Password) -> Result<(), SyncError> {
        self.settle::<SyncError>().await?;
        Box::pin(self.engine(&Silent).announce_recovery_key(password)).await
    }

    /// Lets the announced Recovery Key take the place of the present one: `new`, as the sheet has it that was shown
    /// when it was announced, so that nobody confirms a key that somebody else has announced, or whose sheet is not
    /// there.
    ///
    /// # Errors
    /// [`SyncError`]; within it [`AccountError::NoneAnnounced`], [`AccountError::OtherAnnounced`], and
    /// [`AccountError::RecoveryTooEarly`] before its week is over.
    pub async fn confirm_recovery_key(
        &mut self,
        new: &RecoveryKey,
        password: &Password,
    ) -> Result<(), SyncError> {
        self.settle::<SyncError>().await?;
        Box::pin(self.engine(&Silent).confirm_recovery_key(new, password)).await
    }

    /// Brings the account's log up to date, and no vault: a link that waits goes first, so that afterwards
    /// [`account::unshown_sheet`] can tell whether a sheet counts.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn sync_account(&mut self) -> Result<(), SyncError> {
        self.settle::<SyncError>().await?;
        Box::pin(self.engine(&Silent).sync_account(&mut SyncReport::default())).await
    }

    /// The Recovery Key that waits, as the account's log is known here.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn waiting_recovery_key(&self) -> Result<Option<WaitingRecoveryKey>, AccountError> {
        let known_ms = account::announced_ms(&*self.ports.store, &self.unlocked).await?;
        let due = |known_ms: u64| known_ms.saturating_add(u64::from(RECOVERY_WAIT_SECONDS) * 1_000);
        Ok(known_ms.map(|known_ms| WaitingRecoveryKey { known_ms, due_ms: due(known_ms) }))
    }
}
