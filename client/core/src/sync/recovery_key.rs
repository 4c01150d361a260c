//! What the sheet in the drawer does on a device of the account, and what takes its place, as the driver takes it to
//! the server.

use std::collections::BTreeSet;

use lockstep_crypto::password::Password;
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_proto::ids::VaultId;
use lockstep_proto::log::AccountLink;
use lockstep_proto::sign::Signed;

use super::driver::Engine;
use super::error::SyncError;
use super::life_cycle::ATTEMPTS;
use super::report::SyncReport;
use crate::account::{self, AccountError, LinkParts, NewPassword, Recovery, SecurityEvent, SheetStanding};
use crate::ports::Batch;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

impl Engine<'_> {
    /// The present Recovery Key names the next one, at once.
    pub(crate) async fn change_recovery_key(&mut self, present: &RecoveryKey) -> Result<(), SyncError> {
        for _ in 0..ATTEMPTS {
            let mut report = SyncReport::default();
            self.sync_account(&mut report).await?;
            if self.is_done(present).await? {
                return Ok(());
            }
            let said = (self.ports.clock.now_ms(), self.heads(&mut report).await?);
            let (link, parts, batch) = account::make_recovery_change(self.unlocked, present, said)?;
            if self.append(link, parts, batch).await? {
                return Ok(());
            }
        }
        Err(AccountError::LinkOvertaken.into())
    }

    /// Announces a Recovery Key, which may take the place of the present one in a week.
    pub(crate) async fn announce_recovery_key(&mut self, password: &Password) -> Result<(), SyncError> {
        for _ in 0..ATTEMPTS {
            let mut report = SyncReport::default();
            self.sync_account(&mut report).await?;
            // It would be overwritten, and it is all that there is of it.
            if self.present_sheet_waits().await? {
                return Err(AccountError::SheetUnshown.into());
            }
            let key = self.countersigning_key(password).await?;
            let said = (self.ports.clock.now_ms(), self.heads(&mut report).await?);
            let (link, batch) = account::make_recovery_announcement(self.unlocked, &key, said)?;
            if self.append(link, LinkParts::default(), batch).await? {
                return Ok(());
            }
        }
        Err(AccountError::LinkOvertaken.into())
    }

    /// Lets the announced Recovery Key take the place of the present one.
    pub(crate) async fn confirm_recovery_key(
        &mut self,
        new: &RecoveryKey,
        password: &Password,
    ) -> Result<(), SyncError> {
        for _ in 0..ATTEMPTS {
            let mut report = SyncReport::default();
            self.sync_account(&mut report).await?;
            if self.unlocked.state().announced_recovery().is_none() {
                return Err(AccountError::NoneAnnounced.into());
            }
            let key = self.countersigning_key(password).await?;
            let said = (self.ports.clock.now_ms(), self.heads(&mut report).await?);
            let (link, parts) = account::make_recovery_confirmation(self.unlocked, (&key, new), said)?;
            if self.append(link, parts, Batch::new()).await? {
                return Ok(());
            }
        }
        Err(AccountError::LinkOvertaken.into())
    }

    /// Takes the account back with the Recovery Key, on this device, which is one of the account: for a person who has
    /// forgotten the password. The devices that do not stay go; `password` is the account's from then on.
    pub(crate) async fn recover_here(
        &mut self,
        recovery: &Recovery,
        password: &Password,
        ending: &BTreeSet<VaultId>,
    ) -> Result<SyncReport, SyncError> {
        let known = self.active_devices();
        for _ in 0..ATTEMPTS {
            let mut report = SyncReport::default();
            let failed = self.sync_as_far_as_it_goes(&mut report).await?;
            if self.is_done(&recovery.recovery_key).await? {
                return failed.map_or(Ok(report), Err);
            }
            self.open_for_recovery(recovery).await?;
            let (own, signing_key) = (self.unlocked.device_id(), recovery.recovery_key.derive_signing_key());
            let revoked: BTreeSet<_> = self.active_devices().difference(&recovery.stay).copied().collect();
            let revoked: BTreeSet<_> = revoked.into_iter().filter(|id| *id != own).collect();
            match failed {
                Some(SyncError::Account(AccountError::CutOffPassed)) => continue,
                // What a device has signed does not keep it from being removed.
                Some(error) if revoked.is_empty() => return Err(error),
                _ => {}
            }
            self.check_claims(&mut report, &revoked).await?;
            let bars = Signed::sign(account::bar_statement(self.unlocked, &revoked), &signing_key);
            let barred = self.bar_and_head((&revoked, &bars), &known, ending, &mut report).await?;
            let Some(heads) = barred else { continue };
            let epochs = self.next_epochs(&heads)?;
            let calls = (self.api, self.session as &dyn crate::api::TokenSource);
            let with = (recovery, password);
            let made = account::make_recover_link(self.ports, calls, self.unlocked, with, epochs, heads);
            let (NewPassword { link, parts, key }, mut batch) = Box::pin(made).await?;
            // Nobody knows the password that opens this device: together with the link, which is durable before it is
            // sent, the new one does.
            account::put_local_password(self.ports, self.unlocked, password, &key, &mut batch).await?;
            let sent = self.append(link, parts, batch).await;
            account::reload_profile(self.ports, self.unlocked).await?;
            match sent {
                Ok(true) => return Box::pin(self.sync()).await,
                Ok(false) | Err(SyncError::Account(AccountError::CutOffPassed)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(AccountError::LinkOvertaken.into())
    }

    /// A sync; of the account's log alone where this device was not given the present keys: the Recovery Key may go
    /// back to others.
    async fn sync_as_far_as_it_goes(
        &mut self,
        report: &mut SyncReport,
    ) -> Result<Option<SyncError>, SyncError> {
        match Box::pin(self.sync_all(report)).await {
            Err(SyncError::Account(error)) if self.is_refused_keys(&error) => Ok(None),
            synced => synced,
        }
    }

    /// Whether the log is here, and this device was not given the keys that it names.
    fn is_refused_keys(&self, error: &AccountError) -> bool {
        matches!(error, AccountError::Slot(_) | AccountError::SlotMissing { .. })
            && self.unlocked.is_outdated()
    }

    /// A Recovery Key that waits is shown each day: an owner who has not announced it can still cancel it.
    pub(super) async fn remind_of_recovery_key(&self) -> Result<(), SyncError> {
        let now_ms = self.ports.clock.now_ms();
        let known_ms = account::announced_ms(&*self.ports.store, self.unlocked).await;
        let Some(known_ms) = known_ms.map_err(AccountError::from)? else { return Ok(()) };
        if now_ms.saturating_sub(known_ms) < DAY_MS {
            return Ok(());
        }
        let waits = SecurityEvent::RecoveryWaits;
        let noted = account::note_daily(&*self.ports.store, self.unlocked, waits, now_ms).await;
        Ok(noted.map_err(AccountError::from)?)
    }

    /// Whether the present key was changed by an earlier try whose answer was lost: the one after it waits here to be
    /// shown.
    async fn is_done(&self, present: &RecoveryKey) -> Result<bool, SyncError> {
        let is_present = *self.unlocked.state().recovery() == present.derive_public_keys();
        Ok(!is_present && self.present_sheet_waits().await?)
    }

    async fn present_sheet_waits(&self) -> Result<bool, SyncError> {
        let kept =
            account::unshown_sheet(&*self.ports.store, self.unlocked).await.map_err(AccountError::from)?;
        Ok(kept.is_some_and(|(_, standing)| standing == SheetStanding::Present))
    }

    /// Whether the link is in the log; not, where the log moved on.
    async fn append(
        &mut self,
        link: Signed<AccountLink>,
        parts: LinkParts,
        batch: Batch,
    ) -> Result<bool, SyncError> {
        let calls = (self.api, self.session as &dyn crate::api::TokenSource);
        let sent = account::append_link_with(self.ports, calls, self.unlocked, link, parts, batch);
        match sent.await {
            Ok(()) => Ok(true),
            Err(AccountError::LinkOvertaken) => Ok(false),
            // The log has moved on, to keys that this device is not given either.
            Err(error) if self.is_refused_keys(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
