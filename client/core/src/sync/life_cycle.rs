//! What an account's owner does with its devices and its password, as the driver takes it to the server.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_crypto::password::Password;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::account::BarDevices;
use lockstep_proto::bar::BarStatement;
use lockstep_proto::ids::{DeviceId, Seq, VaultId};
use lockstep_proto::log::{CommitError, LogHead, VaultHead};
use lockstep_proto::sign::Signed;

use super::driver::Engine;
use super::error::SyncError;
use super::report::SyncReport;
use crate::account::{self, AccountError, KeyChange, NewPassword, NextVaultKey, Recovery};
use crate::api::TokenSource;
use crate::vault;

/// How often a link is made anew because the account's log moved on meanwhile.
pub(super) const ATTEMPTS: usize = 4;

/// The account's password, and the one that it has from then on: the same, or a new one.
#[derive(Clone, Copy)]
pub struct Passwords<'a> {
    /// The one that it has.
    pub current: &'a Password,
    /// The one that it gets.
    pub new: &'a Password,
}

impl<'a> Passwords<'a> {
    /// The password stays.
    pub fn kept(password: &'a Password) -> Self {
        Self { current: password, new: password }
    }
}

impl Engine<'_> {
    /// Changes every key of the account and removes the devices that go: everything in step first; the devices are
    /// barred, so that what each vault's log has of them is final; one link; then the control commits of the vaults.
    /// Once the link is durable here every sync, of any device, goes on with what is left.
    pub(crate) async fn change_keys(
        &mut self,
        change: &KeyChange,
        passwords: Passwords<'_>,
        ending: &BTreeSet<VaultId>,
    ) -> Result<SyncReport, SyncError> {
        let (known, revoked) = (self.active_devices(), change.revoked());
        for _ in 0..ATTEMPTS {
            let mut report = SyncReport::default();
            match Box::pin(self.sync_all(&mut report)).await? {
                Some(SyncError::Account(AccountError::CutOffPassed)) => continue,
                // What a device has signed does not keep it from being removed.
                Some(error) if revoked.is_empty() => return Err(error),
                _ => {}
            }
            self.check_claims(&mut report, &revoked).await?;
            let key = self.countersigning_key(passwords.current).await?;
            let bars = Signed::sign(account::bar_statement(self.unlocked, &revoked), &key.signing());
            let barred = self.bar_and_head((&revoked, &bars), &known, ending, &mut report).await?;
            let Some(heads) = barred else { continue };
            let epochs = self.next_epochs(&heads)?;
            let calls = (self.api, self.session as &dyn TokenSource);
            let with = (change, passwords.new, &key);
            let made = account::make_rekey_link(self.ports, calls, self.unlocked, with, epochs, heads);
            let NewPassword { link, parts, key } = Box::pin(made).await?;
            let sent = account::append_link(self.ports, self.api, self.unlocked, self.session, link, parts);
            match sent.await {
                Ok(()) => {
                    account::set_local_password(self.ports, self.unlocked, passwords.new, &key).await?;
                    return Box::pin(self.sync()).await;
                }
                Err(AccountError::LinkOvertaken | AccountError::CutOffPassed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(AccountError::LinkOvertaken.into())
    }

    /// Keeps the devices that go from writing, and gives where every vault ends for a link that removes them; `None`
    /// where the account's log moved on between.
    ///
    /// # Errors
    /// [`AccountError::DevicesJoined`] where there are devices that were not `known` when the removal began.
    pub(super) async fn bar_and_head(
        &mut self,
        (revoked, bars): (&BTreeSet<DeviceId>, &Signed<BarStatement>),
        known: &BTreeSet<DeviceId>,
        ending: &BTreeSet<VaultId>,
        report: &mut SyncReport,
    ) -> Result<Option<Vec<VaultHead>>, SyncError> {
        let heads = match self.final_heads(revoked, Some(bars), ending, report).await {
            Err(SyncError::Api(error)) if error.code() == Some(ErrorCode::HeadMoved) => return Ok(None),
            heads => heads?,
        };
        match self.active_devices().difference(known).count() {
            0 => Ok(Some(heads)),
            count => Err(AccountError::DevicesJoined { count }.into()),
        }
    }

    /// Pulls the account's log as the device that a `recover` link may have let in, and ends that link's wait if it
    /// did.
    pub(crate) async fn look_for_own_device(&mut self) -> Result<(), SyncError> {
        account::pull_account(self.ports, self.api, self.unlocked, self.session).await?;
        Ok(account::resume_link(self.ports, self.api, self.unlocked, self.session).await?)
    }

    /// Takes the account back with the Recovery Key: pulls and verifies every vault, and appends the one link that lets
    /// this device join. The session must be the Recovery Key's.
    pub(crate) async fn recover(
        &mut self,
        recovery: &Recovery,
        password: &Password,
        ending: &BTreeSet<VaultId>,
    ) -> Result<(), SyncError> {
        for _ in 0..ATTEMPTS {
            let mut report = SyncReport::default();
            match self.sync_account(&mut report).await {
                Ok(()) => {}
                Err(SyncError::Account(AccountError::CutOffPassed)) => {
                    let revoked = self.active_devices().difference(&recovery.stay).copied().collect();
                    self.final_heads(&revoked, None, ending, &mut report).await?;
                    self.give_up_passed().await?;
                    continue;
                }
                Err(error) => return Err(error),
            }
            if self.unlocked.state().device(&self.unlocked.device_id()).is_some() {
                return Ok(());
            }
            let revoked = self.active_devices().difference(&recovery.stay).copied().collect();
            if let Err(error) = self.open_for_recovery(recovery).await {
                // They move the log no further while its owner is asked.
                self.bar(&revoked, None).await?;
                return Err(error);
            }
            let heads = self.final_heads(&revoked, None, ending, &mut report).await?;
            let epochs = self.next_epochs(&heads)?;
            let calls = (self.api, self.session as &dyn TokenSource);
            let with = (recovery, password);
            let made = account::make_recover_link(self.ports, calls, self.unlocked, with, epochs, heads);
            let (NewPassword { link, parts, key }, batch) = Box::pin(made).await?;
            let sent = account::append_link_with(self.ports, calls, self.unlocked, link, parts, batch);
            match sent.await {
                Ok(()) => {
                    return Ok(account::set_local_password(self.ports, self.unlocked, password, &key).await?);
                }
                Err(AccountError::LinkOvertaken | AccountError::CutOffPassed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(AccountError::LinkOvertaken.into())
    }

    /// Opens with the Recovery Key every generation of keys that it opens.
    pub(super) async fn open_for_recovery(&mut self, recovery: &Recovery) -> Result<(), SyncError> {
        let Self { ports, api, session, unlocked, .. } = self;
        Ok(account::open_for_recovery(ports, (api, *session), unlocked, recovery).await?)
    }

    /// The key that only the account's password gives, as its log is now.
    pub(super) async fn countersigning_key(&mut self, password: &Password) -> Result<PasswordKey, SyncError> {
        Ok(Box::pin(account::countersigning_key(self.ports, self.api, self.unlocked, password)).await?)
    }

    /// Registers a new password of the account.
    pub(crate) async fn change_password(&mut self, passwords: Passwords<'_>) -> Result<(), SyncError> {
        for _ in 0..ATTEMPTS {
            let mut report = SyncReport::default();
            self.sync_account(&mut report).await?;
            let key = self.countersigning_key(passwords.current).await?;
            let heads = self.heads(&mut report).await?;
            let calls = (self.api, self.session as &dyn TokenSource);
            let with = (passwords.new, &key);
            let made = account::make_password_link(self.ports, calls, self.unlocked, with, heads);
            let NewPassword { link, parts, key } = Box::pin(made).await?;
            let sent = account::append_link(self.ports, self.api, self.unlocked, self.session, link, parts);
            match sent.await {
                Ok(()) => {
                    let set = account::set_local_password(self.ports, self.unlocked, passwords.new, &key);
                    return Ok(set.await?);
                }
                Err(AccountError::LinkOvertaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(AccountError::LinkOvertaken.into())
    }

    pub(super) fn active_devices(&self) -> BTreeSet<DeviceId> {
        let devices = self.unlocked.state().devices().iter().filter(|(_, device)| device.is_active());
        devices.map(|(device_id, _)| *device_id).collect()
    }

    /// The heads of all vaults, after which these devices write nothing more. A vault that one of them linked, that the
    /// server does not have or whose key does not open, and that nobody who stays has seen ends with them, if it is one
    /// of `ending`: it has no head then.
    pub(super) async fn final_heads(
        &mut self,
        revoked: &BTreeSet<DeviceId>,
        bars: Option<&Signed<BarStatement>>,
        ending: &BTreeSet<VaultId>,
        report: &mut SyncReport,
    ) -> Result<Vec<VaultHead>, SyncError> {
        // Where keys are lost, the vaults tell so when they are pulled.
        if revoked.is_empty() && !self.unlocked.is_outdated() {
            return self.heads(report).await;
        }
        self.bar(revoked, bars).await?;
        let vault_ids: Vec<VaultId> = self.unlocked.state().vaults().keys().copied().collect();
        let (mut heads, mut would_end) = (Vec::new(), BTreeSet::new());
        for vault_id in vault_ids {
            match self.pull_vault(vault_id, report).await {
                Ok(()) => heads.extend(self.head(vault_id).await?),
                Err(error) if !is_lost(&error) || !self.may_end(&vault_id, revoked) => return Err(error),
                Err(_) if ending.contains(&vault_id) => {
                    heads.push(VaultHead { vault_id, head: LogHead::default() });
                }
                Err(_) => drop(would_end.insert(vault_id)),
            }
        }
        if would_end.is_empty() { Ok(heads) } else { Err(SyncError::VaultsWouldEnd { vaults: would_end }) }
    }

    /// From now on, for a time, these devices write nothing.
    async fn bar(
        &self,
        devices: &BTreeSet<DeviceId>,
        bars: Option<&Signed<BarStatement>>,
    ) -> Result<(), SyncError> {
        if devices.is_empty() {
            return Ok(());
        }
        let body = BarDevices {
            devices: devices.iter().copied().collect(),
            head: bars.map(|bars| bars.value().head),
            signature: bars.map(|bars| *bars.signature()),
        };
        let wire = self.wire();
        wire.repeat(|| wire.api.bar_devices(wire.session, &body)).await?;
        Ok(())
    }

    fn may_end(&self, vault_id: &VaultId, revoked: &BTreeSet<DeviceId>) -> bool {
        let state = self.unlocked.state();
        let by_them = state.vaults().get(vault_id).is_some_and(|vault| revoked.contains(&vault.by));
        let stays = |by: &DeviceId| !revoked.contains(by);
        let is_seen = state.witnessed(vault_id).any(|(by, _)| stays(&by))
            || self.claims.made_by(stays).iter().any(|seen| seen.vault_id == *vault_id);
        let is_first_key = state.vaults().get(vault_id).is_some_and(|vault| vault.epochs.is_empty());
        let may_be_garbage = is_first_key || self.unlocked.goes_back();
        by_them && may_be_garbage && !is_seen && !self.vaults.contains_key(vault_id)
    }

    /// The epoch after the one that each vault's key is named for, and that key, which the new one seals.
    pub(super) fn next_epochs(
        &self,
        heads: &[VaultHead],
    ) -> Result<BTreeMap<VaultId, NextVaultKey>, SyncError> {
        let stays = |vault_id: &VaultId| {
            heads.iter().any(|seen| seen.vault_id == *vault_id && seen.head != LogHead::default())
        };
        let vaults = self.unlocked.state().vaults().iter().filter(|(vault_id, _)| stays(vault_id));
        let vaults = vaults.map(|(vault_id, named)| {
            let missing = SyncError::KeyMissing { vault_id: *vault_id };
            let Some(vault) = self.vaults.get(vault_id) else { return Err(missing) };
            let key = vault.keys().named(named.epoch).ok_or(missing)?;
            let seed = *vault.pin().state().seed();
            Ok((*vault_id, NextVaultKey { epoch: named.epoch.next(), seed, before: key }))
        });
        vaults.collect()
    }

    /// A revocation that waits and that the server refuses: given up if a device that it removes has written beyond its
    /// cut-off, in a commit that is pinned here. Then nobody who has that commit takes the link for valid, whatever the
    /// server does with it.
    pub(super) async fn give_up_passed(&self) -> Result<(), SyncError> {
        let waiting = account::waiting_cut_offs(self.ports, self.unlocked).await;
        let Some((revoked, cut_offs)) = waiting.map_err(AccountError::from)? else { return Ok(()) };
        for VaultHead { vault_id, head } in cut_offs {
            let Some(vault) = self.vaults.get(&vault_id) else { continue };
            let last = vault.pin().state().head().seq;
            let mut seq = head.seq.next();
            while seq <= last {
                let entry = vault::read_commit(&*self.ports.store, &vault_id, seq).await?;
                if entry.is_some_and(|entry| revoked.contains(&entry.commit.value().author_device)) {
                    account::give_up_link(self.ports).await.map_err(AccountError::from)?;
                    return Ok(());
                }
                seq = Seq(seq.0 + 1);
            }
        }
        Ok(())
    }
}

/// Whether a vault that could not be pulled is not there, or is none that this account's devices can have: all else may
/// pass.
fn is_lost(error: &SyncError) -> bool {
    match error {
        SyncError::Account(AccountError::Slot(_) | AccountError::SlotMissing { .. }) => true,
        SyncError::VaultNotThere { .. } => true,
        // What cannot be read may be of a later version of this program.
        SyncError::Commit { source, .. } => {
            !matches!(source, CommitError::Withheld { .. } | CommitError::Format(_))
        }
        _ => false,
    }
}
