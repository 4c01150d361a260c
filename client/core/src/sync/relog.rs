//! An account's log that forked ([`crate::account::accept_log`]), as the driver takes it further: what the log that is given up
//! had removed is removed again before anything is brought in, so that nothing of this device's is written under a key that a
//! removed device has, and nothing of a removed device's is merged.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_crypto::password::Password;
use lockstep_proto::api::ErrorCode;
use lockstep_proto::ids::{DeviceId, VaultId};
use lockstep_proto::log::{Distrusted, VaultHead};
use lockstep_proto::sign::Signed;

use super::driver::Engine;
use super::error::SyncError;
use super::reanchor::Accepted;
use super::report::SyncReport;
use crate::account::{self, AccountError, KeyChange, NewPassword, NextVaultKey, TwoLogs};
use crate::api::TokenSource;
use crate::ports::Batch;

impl Engine<'_> {
    /// What the server's log and this device's differ in, if they are two.
    pub(crate) async fn two_logs(&mut self) -> Result<Option<TwoLogs>, SyncError> {
        let mut report = SyncReport::default();
        match self.sync_account(&mut report).await {
            Err(SyncError::Account(AccountError::Diverged { .. })) => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(None),
        }
        let calls = (self.api, self.session as &dyn TokenSource);
        Ok(account::two_logs(self.ports, calls, self.unlocked).await?)
    }

    /// Goes on with the server's log, which the owner was shown.
    pub(super) async fn relog(&mut self, shown: &TwoLogs) -> Result<(), SyncError> {
        let calls = (self.api, self.session as &dyn TokenSource);
        Ok(account::accept_log(self.ports, calls, self.unlocked, shown).await?)
    }

    /// The devices that a log which was given up had removed, until a link says what of theirs is distrusted.
    pub(super) async fn removals_due(&self) -> Result<BTreeSet<DeviceId>, SyncError> {
        let due = account::removals_due(&*self.ports.store, self.unlocked).await;
        Ok(due.map_err(AccountError::from)?)
    }

    /// While there are such devices nothing is pulled, brought in or sent: their owner is to say `heal` again.
    pub(super) async fn check_removals(&self) -> Result<(), SyncError> {
        let due = self.removals_due().await?;
        if due.is_empty() { Ok(()) } else { Err(SyncError::RemovalsDue { devices: due }) }
    }

    pub(super) fn removed_again(&self, due: &BTreeSet<DeviceId>) -> Result<Batch, SyncError> {
        let mut batch = Batch::new();
        account::put_removals(self.unlocked, due, &mut batch).map_err(AccountError::from)?;
        Ok(batch)
    }

    /// Removes these devices again: they stop writing, and the link's cut-offs are the heads that the server has then, verified
    /// from where this device's own history leaves them. `false` where the log has moved on meanwhile.
    pub(super) async fn remove_again(
        &mut self,
        devices: &BTreeSet<DeviceId>,
        password: &Password,
        report: &mut SyncReport,
    ) -> Result<bool, SyncError> {
        let key = self.countersigning_key(password).await?;
        let bars = Signed::sign(account::bar_statement(self.unlocked, devices), &key.signing());
        match self.bar(devices, Some(&bars)).await {
            Err(SyncError::Api(error)) if error.code() == Some(ErrorCode::HeadMoved) => return Ok(false),
            barred => barred?,
        }
        let accepted = self.accepted_everywhere(&Distrusted::default()).await?;
        let heads = self.heads_with(&accepted, report).await?;
        let epochs = self.next_epochs_with(&heads, &accepted)?;
        let calls = (self.api, self.session as &dyn TokenSource);
        let change = KeyChange::Lost(devices.clone());
        let with = (&change, password, &key);
        let made = account::make_rekey_link(self.ports, calls, self.unlocked, with, epochs, heads);
        let NewPassword { link, parts, key } = Box::pin(made).await?;
        let sent = account::append_link(self.ports, self.api, self.unlocked, self.session, link, parts);
        match sent.await {
            Ok(()) => {
                account::set_local_password(self.ports, self.unlocked, password, &key).await?;
                Ok(true)
            }
            Err(AccountError::LinkOvertaken | AccountError::CutOffPassed) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// As [`Engine::next_epochs`], where an accepted history has keys of its own.
    fn next_epochs_with(
        &self,
        heads: &[VaultHead],
        accepted: &[Accepted],
    ) -> Result<BTreeMap<VaultId, NextVaultKey>, SyncError> {
        let mut epochs = self.next_epochs(heads)?;
        for accepted in accepted {
            let vault_id = accepted.anchor.vault_id;
            let named = self.unlocked.state().vaults().get(&vault_id).map(|vault| vault.epoch);
            let key = named.and_then(|epoch| accepted.keys.named(epoch));
            let key = key.ok_or(SyncError::KeyMissing { vault_id })?;
            epochs.entry(vault_id).and_modify(|next| next.before = key);
        }
        Ok(epochs)
    }
}
